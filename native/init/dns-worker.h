/*
 * The parts of the resolver's worker: the askers and what the broker says of them
 * (dns-server.c), questions and their answers (dns-questions.c), those that are passed on by
 * UDP (dns-forward.c), and those that come by TCP (dns-streams.c).
 */
#ifndef DNS_WORKER_H
#define DNS_WORKER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns-table.h"
#include "loop.h"

/* The worker without its filter of system calls: 0 or a negative errno; one event is a turn, as in loop_turn(). */
int open_worker(int broker);
int turn_worker(void);

/* What askers hold of what there is for all: questions that wait for a name server, and connections. */
enum share { LOOKUPS, STREAMS, SHARES };

/* A container that asks. */
struct asker {
	struct source udp, listener; /* `udp` first */
	struct dns_view *view;
	unsigned held[SHARES];
};

/* Since the worker was started. */
struct dns_counts {
	uint64_t answered, forwarded, refused;
};
extern struct dns_counts counts;

/* Where an answer is made: DNS_UDP_MAX bytes, or DNS_MESSAGE_MAX for one by TCP. */
struct room {
	uint8_t *bytes;
	size_t size;
};

/*
 * Makes the answer that needs nobody else: its length, 0 where the question must be passed
 * on, or -EINVAL for silence.
 */
int answer_here(const struct asker *asker, const uint8_t *bytes, size_t length, struct room room);
/* Makes the answer that says that no name server could be reached; 0 for a question that has none. */
size_t answer_failure(const uint8_t *bytes, size_t length, uint8_t *to);
/* Answers questions that came by UDP, or passes them on. */
void take_questions(struct asker *asker);

/* There is so much for all as leaves most of this process's descriptors to the sockets of askers. */
void fit_shares(size_t descriptors);
/*
 * Whether an asker may have one more. Where nothing is left of what there is for all, the asker
 * that holds most is `*giver`, and has to give one up; one that would be left with less than
 * this asker gives nothing.
 */
bool has_share(const struct asker *asker, enum share share, struct asker **giver);
void take_share(struct asker *asker, enum share share);
void give_back(struct asker *asker, enum share share);

/* A socket that speaks with the name server of this attempt and hears no other, or a negative errno. */
int connect_upstream(const struct asker *asker, unsigned attempt, int type);

/* Passes on a question that came by UDP; whoever asked is told in time what came of it. */
void pass_on(struct asker *asker, const struct sockaddr_in *from, const uint8_t *query, size_t length);
void drop_lookups(const struct asker *asker);
/* Milliseconds until one of them is late, -1 where none waits. */
int lookups_timeout(void);
void end_late_lookups(void);

/* Takes a connection to the asker's listener. */
void accept_stream(struct asker *asker);
void drop_streams(const struct asker *asker);
int streams_timeout(void);
void end_late_streams(void);

#endif
