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
#define PIPE_SIZE (256 << 10)
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

/* From the pipe to the receiver: 1 when all went, 0 when the receiver takes no more now. */
static int push(struct flow *flow, int to)
{
	while (flow->held > 0) {
		int count = check(splice(flow->pipe.read, NULL, to, NULL, flow->held, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
		if (count == -EINTR)
			continue;
		if (count == -EAGAIN)
			return 0;
		if (count <= 0)
			return count < 0 ? count : -EPIPE;
		flow->held -= (size_t)count;
	}
	return 1;
}

/* One step of a direction: 1 when there may be more, 0 when it has to wait. */
static int step(struct flow *flow, int from, int to, uint64_t *bytes)
{
	if (flow->pipe.read < 0) {
		int result = take_pipe(&flow->pipe);
		if (result < 0)
			return result;
	}
	int result = push(flow, to);
	if (result == 1 && !flow->ended) {
		int count = check(splice(from, NULL, flow->pipe.write, NULL, PIPE_SIZE, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
		if (count < 0 && count != -EAGAIN && count != -EINTR)
			return count;
		flow->ended = count == 0;
		flow->held = count > 0 ? (size_t)count : 0;
		*bytes += flow->held;
		result = count == -EINTR ? 1 : count > 0;
	} else if (result == 1) {
		result = 0;
	}
	if (flow->held == 0)
		give_pipe(&flow->pipe);
	if (flow->held == 0 && flow->ended && !flow->told) {
		flow->told = true;
		shutdown(to, SHUT_WR);
	}
	return result;
}

static void pump(struct relay *relay)
{
	bool more = true;
	for (int turn = 0; more && turn < TURNS; turn++) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct flow *flow = &relay->flows[i];
			if (flow->told)
				continue;
			uint64_t unlisted, *bytes = relay->listener ? &relay->listener->bytes[i] : &unlisted;
			int result = step(flow, relay->ends[i].watched.fd, relay->ends[!i].watched.fd, bytes);
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
	struct relay *relay = ((struct end *)watched)->relay;
	if (events & EPOLLERR) {
		end_relay(relay, true);
		return;
	}
	if (watched == &relay->ends[1].watched && events & EPOLLOUT)
		relay->connecting = false;
	if (!relay->connecting)
		pump(relay);
}

static void open_relay(struct listener *listener, int client)
{
	struct relay *relay = calloc(1, sizeof *relay);
	if (!relay) {
		close(client);
		return;
	}
	const int yes = 1;
	for (int i = 0; i < 2; i++) {
		relay->flows[i].pipe = (struct pipe){ -1, -1 };
		relay->ends[i] = (struct end){ { -1, end_ready }, relay };
	}
	link_relay(&relays, relay);
	relay->listener = listener;
	listener->open++;
	listener->clients++;
	relay->ends[0].watched.fd = client;
	int *target = &relay->ends[1].watched.fd;
	*target = check(socket(listener->target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, listener->protocol));
	int result = *target;
	for (int i = 0; i < 2 && result >= 0; i++) {
		setsockopt(relay->ends[i].watched.fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
		if (listener->protocol == IPPROTO_TCP)
			setsockopt(relay->ends[i].watched.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	}
	if (result >= 0)
		result = check(connect(*target, &listener->target.any, address_size(&listener->target)));
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
