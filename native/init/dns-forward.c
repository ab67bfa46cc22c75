#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-worker.h"
#include "queue.h"

/* A name server is given so long before the next one is asked. */
#define ATTEMPT_MS 1000u
#define ATTEMPTS_MIN 3u
#define ATTEMPTS_MAX 6u

/* A question that was passed on by UDP. */
struct lookup {
	struct source upstream; /* first */
	struct waiter waiter;
	struct asker *asker;
	struct sockaddr_in from;
	uint8_t id[2]; /* the asker's */
	unsigned attempt;
	size_t length;
	uint8_t query[];
};

static struct queue lookups = QUEUE(lookups, ATTEMPT_MS);

static struct lookup *lookup_of(struct waiter *waiter)
{
	return waiter ? (struct lookup *)(void *)((char *)waiter - offsetof(struct lookup, waiter)) : NULL;
}

static unsigned attempts_of(const struct asker *asker)
{
	unsigned attempts = 2u * (unsigned)asker->view->upstream_count;
	return attempts < ATTEMPTS_MIN ? ATTEMPTS_MIN : attempts > ATTEMPTS_MAX ? ATTEMPTS_MAX : attempts;
}

int connect_upstream(const struct asker *asker, unsigned attempt, int type)
{
	const struct dns_view *view = asker->view;
	if (!view->upstream_count)
		return -ENETUNREACH;
	const struct dns_upstream *upstream = &view->upstreams[attempt % view->upstream_count];
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t size = upstream->length == 4 ? sizeof address.v4 : sizeof address.v6;
	if (upstream->length == 4) {
		address.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(upstream->port) };
		memcpy(&address.v4.sin_addr, upstream->address, 4);
	} else {
		address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(upstream->port) };
		memcpy(&address.v6.sin6_addr, upstream->address, 16);
	}
	cleanup_fd int fd = check(socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int result = fd < 0 ? fd : check(connect(fd, &address.any, size));
	return result < 0 && result != -EINPROGRESS ? result : take_fd_from(&fd);
}

static void drop_lookup(struct lookup *lookup)
{
	leave_queue(&lookup->waiter);
	close_source(&lookup->upstream);
	give_back(lookup->asker, LOOKUPS);
	free(lookup);
}

static void reply(const struct lookup *lookup, const uint8_t *bytes, size_t length)
{
	sendto(lookup->asker->udp.fd, bytes, length, MSG_NOSIGNAL, (const struct sockaddr *)&lookup->from, sizeof lookup->from);
}

static void upstream_ready(struct source *source, uint32_t events);

/* Asks the next name server that can be asked; without one the asker is told. */
static void ask_next(struct lookup *lookup)
{
	close_source(&lookup->upstream);
	while (lookup->attempt < attempts_of(lookup->asker)) {
		int fd = connect_upstream(lookup->asker, lookup->attempt++, SOCK_DGRAM);
		if (fd < 0)
			continue;
		open_source(&lookup->upstream, fd, upstream_ready);
		/* An attacker who cannot see the question must guess port and id to forge its answer. */
		if (getrandom(lookup->query, 2, 0) == 2 && send(fd, lookup->query, lookup->length, MSG_NOSIGNAL) >= 0) {
			watch(&lookup->upstream, EPOLLIN);
			wait_in(&lookups, &lookup->waiter);
			return;
		}
		close_source(&lookup->upstream);
	}
	memcpy(lookup->query, lookup->id, 2);
	uint8_t answer[DNS_UDP_PLAIN];
	size_t length = answer_failure(lookup->query, lookup->length, answer);
	if (length)
		reply(lookup, answer, length);
	drop_lookup(lookup);
}

static bool is_refusal(const uint8_t *answer)
{
	int code = answer[3] & 15;
	return code == DNS_SERVFAIL || code == DNS_NOTIMP || code == DNS_REFUSED;
}

static void upstream_ready(struct source *source, uint32_t events)
{
	(void)events;
	static uint8_t answer[DNS_MESSAGE_MAX];
	struct lookup *lookup = (struct lookup *)source;
	ssize_t length = recv(source->fd, answer, sizeof answer, 0);
	if (length < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ask_next(lookup);
		return;
	}
	if (!dns_answers(answer, (size_t)length, lookup->query, lookup->length) || memcmp(answer, lookup->query, 2) != 0)
		return;
	if (is_refusal(answer) && lookup->attempt < lookup->asker->view->upstream_count) {
		ask_next(lookup);
		return;
	}
	memcpy(answer, lookup->id, 2);
	reply(lookup, answer, (size_t)length);
	drop_lookup(lookup);
}

/* The one that has waited longest; its asker asks again. */
static void give_up_one(const struct asker *asker)
{
	struct waiter *waiter = first_in(&lookups);
	while (waiter && lookup_of(waiter)->asker != asker)
		waiter = next_in(&lookups, waiter);
	if (waiter)
		drop_lookup(lookup_of(waiter));
}

void pass_on(struct asker *asker, const struct sockaddr_in *from, const uint8_t *query, size_t length)
{
	struct asker *giver;
	struct lookup *lookup = has_share(asker, LOOKUPS, &giver) ? malloc(sizeof *lookup + length) : NULL;
	if (!lookup) {
		counts.refused++;
		return; /* the asker asks again */
	}
	if (giver)
		give_up_one(giver);
	*lookup = (struct lookup){ .asker = asker, .from = *from, .length = length, .upstream.fd = -1 };
	memcpy(lookup->query, query, length);
	memcpy(lookup->id, query, 2);
	take_share(asker, LOOKUPS);
	counts.forwarded++;
	ask_next(lookup);
}

void drop_lookups(const struct asker *asker)
{
	for (struct waiter *waiter = first_in(&lookups), *next; waiter; waiter = next) {
		next = next_in(&lookups, waiter);
		if (lookup_of(waiter)->asker == asker)
			drop_lookup(lookup_of(waiter));
	}
}

int lookups_timeout(void)
{
	return patience_of(&lookups);
}

void end_late_lookups(void)
{
	for (struct lookup *lookup; (lookup = lookup_of(late_in(&lookups)));)
		ask_next(lookup);
}
