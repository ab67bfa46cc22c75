/*
 * Traffic between two programs over TCP, as plainly as programs make it: read(2) and write(2) with
 * buffers of 128 KiB. The server runs in the container, the clients wherever a path begins.
 *
 *   traffic serve PORT PORT          takes streams at the first port, short questions at the second
 *   traffic send ADDRESS PORT MIB    sends that much in one stream, until the server has read it all
 *   traffic fetch ADDRESS PORT MIB   the same the other way
 *   traffic ask ADDRESS PORT COUNT PARALLEL
 *                                    makes connections, so many at a time: a byte there, a byte back
 *                                    and the server's end, on each
 *
 * A client that ends with status 0 has had everything answered.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[128 << 10];

/* What a stream begins with. */
struct order {
	uint64_t bytes;
	uint64_t to_client; /* else they come from it */
};

static struct sockaddr_in parse(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		errx(2, "no IPv4 address: %s", address);
	return to;
}

static int listen_at(const char *port)
{
	struct sockaddr_in at = parse("0.0.0.0", port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
		err(1, "listen at port %s", port);
	return fd;
}

static void put(int fd, uint64_t count)
{
	while (count > 0) {
		ssize_t done = write(fd, buffer, count < sizeof buffer ? count : sizeof buffer);
		if (done <= 0)
			err(1, "write");
		count -= (uint64_t)done;
	}
}

static void take(int fd, uint64_t count)
{
	while (count > 0) {
		ssize_t done = read(fd, buffer, count < sizeof buffer ? count : sizeof buffer);
		if (done <= 0)
			err(1, "the stream ended early");
		count -= (uint64_t)done;
	}
}

/* One process per stream. */
static void serve_streams(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd >= 0 && fork() == 0) {
			struct order order;
			if (recv(fd, &order, sizeof order, MSG_WAITALL) == sizeof order) {
				order.to_client ? put(fd, order.bytes) : take(fd, order.bytes);
				put(fd, 1);
			}
			_exit(0);
		}
		close(fd);
	}
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "watch");
}

static void serve_questions(int listener)
{
	struct epoll_event events[64];
	int epoll = epoll_create1(0);
	watch(epoll, listener);
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			char byte;
			if (fd == listener) {
				int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
				if (client >= 0)
					watch(epoll, client);
			} else {
				if (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) != 1)
					warn("answer");
				close(fd);
			}
		}
	}
}

static void stream(struct sockaddr_in to, struct order order)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		err(1, "connect");
	if (write(fd, &order, sizeof order) != sizeof order)
		err(1, "order");
	order.to_client ? take(fd, order.bytes) : put(fd, order.bytes);
	take(fd, 1); /* the server has had it all */
}

static void question(int epoll, struct sockaddr_in to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS))
		err(1, "connect");
	struct epoll_event event = { .events = EPOLLOUT, .data.fd = fd };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		err(1, "watch");
}

/* Whether the connection has had its answer and its end. */
static int go_on(int epoll, struct epoll_event event)
{
	int fd = event.data.fd;
	char byte;
	if (event.events & EPOLLOUT) {
		struct epoll_event answer = { .events = EPOLLIN, .data.fd = fd };
		if (write(fd, "?", 1) != 1)
			err(1, "ask");
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &answer);
		return 0;
	}
	ssize_t got = read(fd, &byte, 1);
	if (got < 0)
		err(1, "answer");
	if (got == 1) {
		struct epoll_event end = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &end);
		return 0;
	}
	close(fd);
	return 1;
}

static void ask(struct sockaddr_in to, int count, int parallel)
{
	struct epoll_event events[64];
	int epoll = epoll_create1(0), begun = 0, done = 0;
	while (done < count) {
		for (; begun < count && begun - done < parallel; begun++)
			question(epoll, to);
		int ready = epoll_wait(epoll, events, 64, 10000);
		if (ready <= 0)
			errx(1, "nothing came for ten seconds");
		for (int i = 0; i < ready; i++)
			done += go_on(epoll, events[i]);
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(mode, "serve") == 0) {
		int streams = listen_at(argv[2]), questions = listen_at(argv[3]);
		if (fork() == 0)
			serve_streams(streams);
		serve_questions(questions);
	}
	if (argc == 5 && (strcmp(mode, "send") == 0 || strcmp(mode, "fetch") == 0)) {
		struct order order = { (uint64_t)atoi(argv[4]) << 20, strcmp(mode, "fetch") == 0 };
		stream(parse(argv[2], argv[3]), order);
		return 0;
	}
	if (argc == 6 && strcmp(mode, "ask") == 0) {
		ask(parse(argv[2], argv[3]), atoi(argv[4]), atoi(argv[5]));
		return 0;
	}
	errx(2, "usage: traffic serve|send|fetch|ask ...");
}
