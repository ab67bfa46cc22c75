#include "proxy-rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "harden.h"

/* Receivers that are soon full: then the proxy has to hold what it has read. */
#define SMALL 4096

struct proxy_faults proxy_faults;

/* The linker gives the proxy these, and the names with __real_ to the C library's. */
int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __real_pipe2(int fds[2], int flags);
void *__real_calloc(size_t count, size_t size);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_pipe2(int fds[2], int flags);
void *__wrap_calloc(size_t count, size_t size);

static bool was_idle;

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	int found = __real_epoll_wait(epoll, events, count, 0);
	was_idle = found == 0 && timeout != 0;
	return found;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	if (!proxy_faults.accept)
		return __real_accept4(fd, address, length, flags);
	errno = EMFILE;
	return -1;
}

int __wrap_pipe2(int fds[2], int flags)
{
	if (!proxy_faults.pipe)
		return __real_pipe2(fds, flags);
	errno = EMFILE;
	return -1;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return proxy_faults.memory ? NULL : __real_calloc(count, size);
}

int harden_proxy(void)
{
	return 0;
}

static void need(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	abort();
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)
	};
}

static int serve(int type, uint16_t *port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof address;
	const int small = SMALL;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	need(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0, "bind");
	need(type == SOCK_DGRAM || listen(fd, 64) == 0, "listen");
	need(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
	*port = ntohs(address.sin_port);
	return fd;
}

void proxy_rig_open(struct proxy_rig *rig)
{
	int pair[2];
	proxy_faults = (struct proxy_faults){ 0 };
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	need(proxy_open(pair[1]) == 0, "proxy_open");
	rig->engine = pair[0];
	rig->server = serve(SOCK_STREAM, &rig->server_port);
	rig->datagram = serve(SOCK_DGRAM, &rig->datagram_port);
}

bool proxy_rig_turn(void)
{
	for (int turn = 0; turn < 10000; turn++) {
		if (!proxy_turn())
			return false;
		if (was_idle)
			return true;
	}
	need(false, "the proxy never rests");
	return true;
}

bool proxy_rig_settle(void)
{
	for (int i = 0; i < 5; i++) {
		if (!proxy_rig_turn())
			return false;
		poll(NULL, 0, 2);
	}
	return true;
}

void proxy_rig_close(struct proxy_rig *rig)
{
	proxy_faults = (struct proxy_faults){ 0 };
	close_fd(&rig->engine);
	close_fd(&rig->server);
	close_fd(&rig->datagram);
	while (proxy_rig_turn())
		;
	need(!proxy.listeners && !relay_any(), "something is left");
	close_fd(&proxy.process.fd);
	close(proxy.epoll);
}

int proxy_rig_listen(struct proxy_rig *rig, int protocol, uint32_t first, uint32_t last, int more_address)
{
	MESSAGE(message);
	const uint8_t none[12] = { 0 };
	size_t frame = frame_begin(&message, FRAME_LISTEN);
	put_u32(&message, (uint32_t)protocol);
	put_u32(&message, 4);
	put_u32(&message, htonl(INADDR_LOOPBACK));
	put_bytes(&message, none, sizeof none);
	put_u32(&message, protocol == IPPROTO_UDP ? rig->datagram_port : rig->server_port);
	put_u32(&message, first);
	put_u32(&message, last);
	put_u32(&message, first);
	put_u32(&message, more_address ? 2 : 1);
	for (int i = 0; i < (more_address ? 2 : 1); i++) {
		put_u32(&message, 4);
		put_u32(&message, htonl(i == 0 ? INADDR_LOOPBACK : (uint32_t)more_address));
		put_bytes(&message, none, sizeof none);
	}
	frame_end(&message, frame);
	need(write_all(rig->engine, message.bytes, message.length) == 0, "command");
	proxy_rig_turn();
	uint8_t answer[FRAME_HEADER + 8];
	need(read_all(rig->engine, answer, sizeof answer) == 0, "answer");
	int number = (int)get_u32(answer + FRAME_HEADER);
	return get_u32(answer) == FRAME_LISTENING ? number : -number;
}

int proxy_rig_connect(int type, uint16_t port)
{
	const int small = SMALL;
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	need(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	need(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS, "connect");
	return fd;
}

void proxy_rig_reset(int *fd)
{
	const struct linger reset = { .l_onoff = 1 };
	if (*fd >= 0)
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close_fd(fd);
}
