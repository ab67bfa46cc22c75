/*
 * Downloads over HTTP/1.1 from 127.0.0.1 as cheaply as a client can: bodies are dropped
 * inside the kernel (MSG_TRUNC, tcp(7)), so that the server is measured.
 *
 *   load PORT CONNECTIONS REQUESTS PATH...
 *
 * Every connection asks for the next path as soon as it has the last body, until that many
 * requests are done. Prints seconds, bytes of bodies, and its own seconds of processor
 * time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct connection {
	char head[16384];
	size_t have;
	long long left; /* bytes of the body still to come; -1: within the head */
};

static int asked, requests, paths_count;
static char **paths;
static long long total;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
		err(1, "connect to 127.0.0.1:%d", port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* False when there is nothing more to ask for. */
static int ask(int fd, struct connection *c, int port)
{
	char text[4096];
	if (asked == requests)
		return 0;
	const char *path = paths[asked++ % paths_count];
	int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
	if (length >= (int)sizeof text || send(fd, text, length, MSG_NOSIGNAL) != length)
		err(1, "ask for %s", path);
	c->have = 0;
	c->left = -1;
	return 1;
}

/* Takes what came of a head; the part of the body behind it counts already. */
static void read_head(int fd, struct connection *c)
{
	ssize_t got = recv(fd, c->head + c->have, sizeof c->head - 1 - c->have, 0);
	if (got <= 0)
		err(1, "the server hung up within a head");
	c->have += got;
	c->head[c->have] = 0;
	char *end = strstr(c->head, "\r\n\r\n");
	if (!end) {
		if (c->have == sizeof c->head - 1)
			errx(1, "a head without an end");
		return;
	}
	char *length = strcasestr(c->head, "\r\ncontent-length:");
	if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0 || !length || length > end)
		errx(1, "no plain answer: %.200s", c->head);
	size_t body = c->have - (end + 4 - c->head);
	c->left = atoll(length + 17) - body;
	total += body;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		errx(2, "usage: load PORT CONNECTIONS REQUESTS PATH...");
	int port = atoi(argv[1]), count = atoi(argv[2]), open = count;
	requests = atoi(argv[3]);
	paths = argv + 4;
	paths_count = argc - 4;
	struct pollfd *polled = calloc(count, sizeof *polled);
	struct connection *connections = calloc(count, sizeof *connections);
	static char dropped[4 << 20];
	double begun = now();
	for (int i = 0; i < count; i++) {
		polled[i] = (struct pollfd){.fd = dial(port), .events = POLLIN};
		if (!ask(polled[i].fd, &connections[i], port))
			errx(2, "more connections than requests");
	}
	while (open > 0) {
		if (poll(polled, count, 60000) <= 0)
			errx(1, "nothing came for a minute");
		for (int i = 0; i < count; i++) {
			struct connection *c = &connections[i];
			if (polled[i].fd < 0 || !polled[i].revents)
				continue;
			if (c->left < 0) {
				read_head(polled[i].fd, c);
			} else {
				size_t most = c->left < (long long)sizeof dropped ? (size_t)c->left : sizeof dropped;
				ssize_t got = recv(polled[i].fd, dropped, most, MSG_TRUNC | MSG_DONTWAIT);
				if (got == 0 || (got < 0 && errno != EAGAIN))
					err(1, "the server hung up within a body");
				if (got > 0) {
					c->left -= got;
					total += got;
				}
			}
			if (c->left == 0 && !ask(polled[i].fd, c, port)) {
				close(polled[i].fd);
				polled[i].fd = -1;
				open--;
			}
		}
	}
	double seconds = now() - begun;
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	double own = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"seconds\":%.6f,\"bytes\":%lld,\"ownSeconds\":%.6f}\n", seconds, total, own);
	return 0;
}
