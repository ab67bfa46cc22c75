/*
 * The proxy of one container's published ports: one epoll loop over the sockets that
 * listen on the host, the streams of TCP (and SCTP) clients, and the peers of UDP. It
 * holds the ports for as long as the container's process lives, whatever becomes of the
 * engine. The parts are loop and commands (proxy.c), listeners.c, relay.c and datagrams.c; this
 * header is their common state.
 */
#ifndef PROXY_H
#define PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base.h"

/* A descriptor in the loop. */
struct watched {
	int fd;
	void (*ready)(struct watched *watched, uint32_t events);
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

/* A socket on the host and the container's port that it leads to. */
struct listener {
	struct watched watched; /* first: what is watched is its listener */
	struct listener *next;
	int protocol;
	union address address, target;
	bool provisional; /* goes with the engine's connection unless it is confirmed */
	uint32_t open;     /* clients now */
	uint64_t clients, bytes[2]; /* ever; bytes to the container, and from it */
};

struct proxy {
	int epoll;
	struct watched engine, control, process; /* -1 once gone; control: where a later engine connects */
	struct listener *listeners;
	bool stalled; /* nothing is accepted until there are descriptors again */
	bool held;    /* the engine may go */
	bool ending;  /* the container is gone */
	uint64_t end; /* when what is left of its streams is given up, 0: not ending yet */
};

extern struct proxy proxy;

/* The program's mode `proxy`: commands come in on fd 3. Gives the exit status. */
int proxy_main(void);
/* One event of the loop, or the end of a wait; false once there is nothing left to do. For the tests, as is the next. */
bool proxy_turn(void);
int proxy_open(int engine);

/* Loop. */
int proxy_watch(struct watched *watched, uint32_t events);
/* Accepts no more until something ends or a while has passed. */
void proxy_stall(void);

/* Listeners. Accepts, or leaves clients waiting in the kernel. */
void listeners_watch(bool accept);
/* FRAME_LISTEN: the port, or a negative errno with the index of the address that failed. */
int listeners_add(const uint8_t *payload, size_t length, uint32_t *failed);
/* FRAME_COUNT, FRAME_UNLISTEN (-ENOENT: nobody listens there) and FRAME_RETARGET. */
const struct listener *listeners_find(const uint8_t *payload, size_t length);
int listeners_remove(const uint8_t *payload, size_t length);
int listeners_retarget(const uint8_t *payload, size_t length);
/* Those that were added after `rest`. */
void listeners_drop(const struct listener *rest);
/* Keeps, or drops, those that are provisional. */
void listeners_settle(bool confirm);

/* Relay: streams between clients and the container. */
/* What a stream's socket is to have; of one that listens its clients inherit it (tcp(7)). */
void relay_options(int fd, int protocol);
void relay_accept(struct watched *watched, uint32_t events);
bool relay_any(void);
/* Whether a stream was stopped so that others have their turn; relay_turn goes on with those. */
bool relay_waits(void);
void relay_turn(void);
/* A listener goes, its streams go on. */
void relay_forget(const struct listener *listener);

/* Datagrams. */
void datagrams_ready(struct watched *watched, uint32_t events);
/* Drops the peers that were silent for long: milliseconds until it is to be asked again, -1 for never. */
int datagrams_expire(void);
void datagrams_drop(const struct listener *listener);

#endif
