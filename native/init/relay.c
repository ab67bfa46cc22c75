/*
 * Streams between clients and the container, moved by splice(2) without a copy here. A
 * pipe is shared by all until a receiver does not take what is in it: then it is that
 * direction's own, and its sender is read no further. An end goes on as a half-close, an
 * error as a reset, so that nobody takes a cut answer for a whole one.
 */
#include "proxy.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Splices of one stream before others have their turn. */
#define TURNS 16
/* The most that a pipe may be made without a privilege (pipe(7)). */
#define PIPE_SIZE (1 << 20)
#define ACCEPTS 64
#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct pipe {
	int read, write;
};

/* One direction: from an end to the other. */
struct flow {
	struct pipe pipe; /* its own while bytes are held, -1 otherwise */
	size_t held;
	bool ended; /* no more will be read */
	bool told;  /* the receiver has been told so */
};

struct relay;

struct end {
	struct watched watched; /* first: what is watched is its end */
	struct relay *relay;
	/* Until the kernel says otherwise: an event tells once when that changes (EPOLLET). */
	bool readable, writable;
};

struct relay {
	struct relay *next, **link; /* of the list that it is in */
	struct end ends[2];         /* the client's, the container's */
	struct flow flows[2];       /* [i]: from end i to the other */
	struct listener *listener;  /* whose client it is, NULL once that is gone */
	bool connecting;
};

/* Those that an event will go on with, and those that have to go on without one. */
static struct relay *relays, *waiting;
static struct pipe spare = { -1, -1 };

static void unlink_relay(struct relay *relay)
{
	*relay->link = relay->next;
	if (relay->next)
		relay->next->link = relay->link;
}

static void link_relay(struct relay **list, struct relay *relay)
{
	relay->next = *list;
	relay->link = list;
	if (*list)
		(*list)->link = &relay->next;
	*list = relay;
}

static void close_pipe(struct pipe *pipe)
{
	close_fd(&pipe->read);
	close_fd(&pipe->write);
}

/* The pipe that is empty: the shared one, or a new one where that went to a flow. */
static int take_pipe(struct pipe *pipe)
{
	if (spare.read < 0) {
		int fds[2];
		int result = check(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
		if (result < 0)
			return result;
		spare = (struct pipe){ fds[0], fds[1] };
		fcntl(spare.write, F_SETPIPE_SZ, PIPE_SIZE); /* else the default has to do */
	}
	*pipe = spare;
	spare = (struct pipe){ -1, -1 };
	return 0;
}

static void give_pipe(struct pipe *pipe)
{
	if (spare.read >= 0)
		close_pipe(pipe);
	else
		spare = *pipe;
	*pipe = (struct pipe){ -1, -1 };
}

static void end_relay(struct relay *relay, bool is_broken)
{
	const struct linger reset = { .l_onoff = 1 };
	for (int i = 0; i < 2; i++) {
		int *fd = &relay->ends[i].watched.fd;
		if (is_broken && *fd >= 0)
			setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close_fd(fd);
		close_pipe(&relay->flows[i].pipe); /* with what is in it */
	}
	if (relay->listener)
		relay->listener->open--;
	unlink_relay(relay);
	free(relay);
}

/* From the sender to the pipe: 1 when it gave bytes or its end, 0 when it has none now. */
static int fill(struct flow *flow, struct end *from, uint64_t *bytes)
{
	if (!from->readable)
		return 0;
	int count = check(
		splice(from->watched.fd, NULL, flow->pipe.write, NULL, PIPE_SIZE, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
	if (count == -EINTR)
		return 1;
	if (count == -EAGAIN) {
		from->readable = false;
		return 0;
	}
	if (count < 0)
		return count;
	flow->ended = count == 0;
	flow->held = (size_t)count;
	*bytes += flow->held;
	return 1;
}

/* From the pipe to the receiver: 1 when all went, 0 when the receiver takes no more now. */
static int push(struct flow *flow, struct end *to)
{
	while (flow->held > 0) {
		if (!to->writable)
			return 0;
		int count = check(splice(flow->pipe.read, NULL, to->watched.fd, NULL, flow->held,
					 SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
		if (count == -EINTR)
			continue;
		if (count == -EAGAIN) {
			to->writable = false;
			return 0;
		}
		if (count <= 0)
			return count < 0 ? count : -EPIPE;
		flow->held -= (size_t)count;
	}
	return 1;
}

/* One step of the direction from an end: 1 when there may be more, 0 when it has to wait. */
static int step(struct relay *relay, int from)
{
	struct flow *flow = &relay->flows[from];
	uint64_t unlisted, *bytes = relay->listener ? &relay->listener->bytes[from] : &unlisted;
	int result = flow->pipe.read < 0 ? take_pipe(&flow->pipe) : 0;
	if (result < 0)
		return result;
	if (flow->held == 0 && !flow->ended)
		result = fill(flow, &relay->ends[from], bytes);
	if (result >= 0 && flow->held > 0)
		result = push(flow, &relay->ends[!from]);
	if (result < 0)
		return result;
	if (flow->held == 0)
		give_pipe(&flow->pipe);
	if (flow->held == 0 && flow->ended && !flow->told) {
		flow->told = true;
		if (!relay->flows[!from].told) /* else the end of the relay tells it */
			shutdown(relay->ends[!from].watched.fd, SHUT_WR);
	}
	return result > 0 && !flow->told;
}

static void pump(struct relay *relay)
{
	bool more = true;
	for (int turn = 0; more && turn < TURNS; turn++) {
		more = false;
		for (int i = 0; i < 2; i++) {
			int result = relay->flows[i].told ? 0 : step(relay, i);
			if (result < 0) {
				end_relay(relay, true);
				return;
			}
			more |= result > 0;
		}
	}
	if (relay->flows[0].told && relay->flows[1].told) {
		end_relay(relay, false);
		return;
	}
	unlink_relay(relay);
	link_relay(more ? &waiting : &relays, relay);
}

static void end_ready(struct watched *watched, uint32_t events)
{
	struct end *end = (struct end *)watched;
	struct relay *relay = end->relay;
	if (events & EPOLLERR) {
		end_relay(relay, true);
		return;
	}
	end->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
	end->writable |= (events & EPOLLOUT) != 0;
	if (watched == &relay->ends[1].watched && events & EPOLLOUT)
		relay->connecting = false;
	if (!relay->connecting)
		pump(relay);
}

void relay_options(int fd, int protocol)
{
	const int yes = 1;
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
	if (protocol == IPPROTO_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void open_relay(struct listener *listener, int client)
{
	struct relay *relay = calloc(1, sizeof *relay);
	if (!relay) {
		close(client);
		return;
	}
	for (int i = 0; i < 2; i++) {
		relay->flows[i].pipe = (struct pipe){ -1, -1 };
		relay->ends[i] = (struct end){ .watched = { -1, end_ready }, .relay = relay, .writable = true };
	}
	link_relay(&relays, relay);
	relay->listener = listener;
	listener->open++;
	listener->clients++;
	relay->ends[0].watched.fd = client;
	int *target = &relay->ends[1].watched.fd;
	*target = check(socket(listener->target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, listener->protocol));
	int result = *target;
	if (result >= 0) {
		relay_options(*target, listener->protocol);
		result = check(connect(*target, &listener->target.any, address_size(&listener->target)));
	}
	relay->connecting = true;
	if ((result < 0 && result != -EINPROGRESS) || proxy_watch(&relay->ends[0].watched, EVENTS) < 0 ||
	    proxy_watch(&relay->ends[1].watched, EVENTS) < 0)
		end_relay(relay, true);
}

void relay_accept(struct watched *watched, uint32_t events)
{
	(void)events;
	struct listener *listener = (struct listener *)watched;
	for (int count = 0; count < ACCEPTS; count++) {
		int client = check(accept4(watched->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
		if (client == -EAGAIN)
			return;
		if (client == -EMFILE || client == -ENFILE || client == -ENOMEM || client == -ENOBUFS) {
			proxy_stall();
			return;
		}
		if (client >= 0)
			open_relay(listener, client);
	}
}

static void forget(struct relay *list, const struct listener *listener)
{
	for (; list; list = list->next)
		if (list->listener == listener)
			list->listener = NULL;
}

void relay_forget(const struct listener *listener)
{
	forget(relays, listener);
	forget(waiting, listener);
}

bool relay_any(void)
{
	return relays || waiting;
}

bool relay_waits(void)
{
	return waiting;
}

void relay_turn(void)
{
	struct relay *list = waiting;
	if (list)
		list->link = &list;
	waiting = NULL;
	while (list)
		pump(list); /* which puts it into one of the others */
}
