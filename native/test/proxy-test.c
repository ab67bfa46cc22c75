/* Unit tests of the proxy's promises: who holds a port and for how long, and how a stream ends. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "proxy-rig.h"

static int failures;

#define EXPECT(condition)                                                               \
	do {                                                                            \
		if (!(condition)) {                                                     \
			failures++;                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                       \
	} while (0)

#define FIRST 1024
#define LAST 65535
/* 192.0.2.1, which no host has (RFC 5737). */
#define ABSENT 0xc0000201

static int accepted(const struct proxy_rig *rig)
{
	proxy_rig_settle();
	return accept4(rig->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void test_ranges(void)
{
	struct proxy_rig rig;
	proxy_rig_open(&rig);
	int port = proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	EXPECT(port >= FIRST);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, (uint32_t)port, (uint32_t)port, 0) == -EADDRINUSE);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, (uint32_t)port, LAST, 0) > port);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, 0, 0, 0) == -EPROTO);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, 2, 1, 0) == -EPROTO);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_ICMP, 1, 1, 0) == -EPROTONOSUPPORT);
	proxy_rig_close(&rig);
}

/* What cannot be had at all addresses is held at none. */
static void test_all_or_none(void)
{
	struct proxy_rig rig;
	proxy_rig_open(&rig);
	int port = proxy_rig_listen(&rig, IPPROTO_UDP, FIRST, LAST, 0);
	struct listener *only = proxy.listeners;
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, (uint32_t)port + 1, LAST, (int)ABSENT) == -EADDRNOTAVAIL);
	EXPECT(proxy.listeners == only);
	proxy_rig_close(&rig);
}

/* Sends the pidfd with a socket that listens at an abstract address of the test's own. */
static void hold(struct proxy_rig *rig, int pidfd, int listener)
{
	const int both[2] = { pidfd, listener };
	MESSAGE(message);
	frame_end(&message, frame_begin(&message, FRAME_HOLD));
	union {
		char bytes[CMSG_SPACE(sizeof both)];
		struct cmsghdr aligned;
	} control = { 0 };
	struct iovec part = { message.bytes, message.length };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	control.aligned = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof both), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.aligned), both, sizeof both);
	EXPECT(sendmsg(rig->engine, &header, 0) == (ssize_t)message.length);
	proxy_rig_settle();
	uint8_t answer[FRAME_HEADER + 8];
	EXPECT(read_all(rig->engine, answer, sizeof answer) == 0 && get_u32(answer) == FRAME_LISTENING);
}

static struct sockaddr_un control_address(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "proxy-test-%d", getpid());
	return address;
}

static int control_listener(void)
{
	struct sockaddr_un address = control_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	EXPECT(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0);
	return fd;
}

static void connect_engine(struct proxy_rig *rig)
{
	struct sockaddr_un address = control_address();
	rig->engine = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(connect(rig->engine, (struct sockaddr *)&address, sizeof address) == 0);
	proxy_rig_settle();
}

/* A command with a port of 127.0.0.1 for its payload: its answer's first number, negative of an error. */
static int name_port(struct proxy_rig *rig, enum frame command, uint16_t port)
{
	MESSAGE(message);
	const uint8_t none[12] = { 0 };
	size_t frame = frame_begin(&message, command);
	put_u32(&message, IPPROTO_TCP);
	put_u32(&message, port);
	put_u32(&message, 4);
	put_u32(&message, htonl(INADDR_LOOPBACK));
	put_bytes(&message, none, sizeof none);
	frame_end(&message, frame);
	EXPECT(write_all(rig->engine, message.bytes, message.length) == 0);
	proxy_rig_settle();
	uint8_t header[FRAME_HEADER], answer[64];
	EXPECT(read_all(rig->engine, header, sizeof header) == 0 && get_u32(header + 4) <= sizeof answer);
	EXPECT(read_all(rig->engine, answer, get_u32(header + 4)) == 0);
	return get_u32(header) == FRAME_ERROR ? -(int)get_u32(answer) : (int)get_u32(answer);
}

static void confirm(struct proxy_rig *rig)
{
	MESSAGE(message);
	frame_end(&message, frame_begin(&message, FRAME_CONFIRM));
	EXPECT(write_all(rig->engine, message.bytes, message.length) == 0);
	proxy_rig_settle();
	uint8_t answer[FRAME_HEADER + 8];
	EXPECT(read_all(rig->engine, answer, sizeof answer) == 0 && get_u32(answer) == FRAME_LISTENING);
}

static void test_life(void)
{
	struct proxy_rig rig;
	proxy_rig_open(&rig);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0) > 0);
	pid_t child = fork();
	if (child == 0) {
		syscall(SYS_close_range, 3, ~0u, 0);
		pause();
		_exit(0);
	}
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	int listener = control_listener();
	hold(&rig, pidfd, listener);
	close(listener);
	EXPECT(proxy.held);
	struct listener *first = proxy.listeners;
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0) > 0);
	EXPECT(proxy.listeners != first);
	close_fd(&rig.engine);
	EXPECT(proxy_rig_settle());
	EXPECT(proxy.listeners == first); /* the engine is gone with what it did not confirm, the container is not */
	connect_engine(&rig);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0) > 0);
	confirm(&rig);
	struct listener *second = proxy.listeners;
	close_fd(&rig.engine);
	proxy_rig_settle();
	EXPECT(proxy.listeners == second && second != first);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT(!proxy_rig_settle());
	EXPECT(proxy.listeners == NULL);
	close(pidfd);
	proxy_rig_close(&rig);
}

/* An engine that ends before it has named the container's process takes the ports with it. */
static void test_abandoned(void)
{
	struct proxy_rig rig;
	proxy_rig_open(&rig);
	EXPECT(proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0) > 0);
	close_fd(&rig.engine);
	EXPECT(!proxy_rig_settle());
	EXPECT(proxy.listeners == NULL);
	proxy_rig_close(&rig);
}

/* A port that is taken back lets its streams go on, and takes no more clients. */
static void test_unlisten(void)
{
	struct proxy_rig rig;
	char bytes[16];
	proxy_rig_open(&rig);
	uint16_t port = (uint16_t)proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	uint16_t other = (uint16_t)proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	int client = proxy_rig_connect(SOCK_STREAM, port), server = accepted(&rig);
	EXPECT(name_port(&rig, FRAME_COUNT, port) == 1);
	EXPECT(name_port(&rig, FRAME_COUNT, other) == 0);
	EXPECT(name_port(&rig, FRAME_UNLISTEN, port) == 0);
	EXPECT(name_port(&rig, FRAME_UNLISTEN, port) == -ENOENT);
	EXPECT(name_port(&rig, FRAME_COUNT, port) == -ENOENT);
	EXPECT(send(client, "question", 8, 0) == 8);
	proxy_rig_settle();
	EXPECT(recv(server, bytes, sizeof bytes, 0) == 8);
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
	EXPECT(connect(late, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED);
	close(late);
	proxy_rig_reset(&client);
	proxy_rig_reset(&server);
	proxy_rig_settle();
	EXPECT(!relay_any());
	proxy_rig_close(&rig);
}

static void test_ends(void)
{
	struct proxy_rig rig;
	char bytes[16];
	proxy_rig_open(&rig);
	uint16_t port = (uint16_t)proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	int client = proxy_rig_connect(SOCK_STREAM, port), server = accepted(&rig);
	EXPECT(server >= 0);
	EXPECT(send(client, "question", 8, 0) == 8);
	shutdown(client, SHUT_WR);
	proxy_rig_settle();
	EXPECT(recv(server, bytes, sizeof bytes, 0) == 8);
	EXPECT(recv(server, bytes, sizeof bytes, 0) == 0); /* the end of one direction alone */
	EXPECT(send(server, "answer", 6, 0) == 6);
	proxy_rig_settle();
	EXPECT(recv(client, bytes, sizeof bytes, 0) == 6);
	proxy_rig_reset(&server);
	proxy_rig_settle();
	EXPECT(recv(client, bytes, sizeof bytes, 0) < 0 && errno == ECONNRESET); /* and not a good end */
	EXPECT(!relay_any());
	proxy_rig_reset(&client);
	proxy_rig_close(&rig);
}

/* Where the container does not listen, a client is refused and not left waiting. */
static void test_refusal(void)
{
	struct proxy_rig rig;
	char byte;
	proxy_rig_open(&rig);
	uint16_t port = (uint16_t)proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	close_fd(&rig.server);
	int client = proxy_rig_connect(SOCK_STREAM, port);
	proxy_rig_settle();
	EXPECT(recv(client, &byte, 1, 0) < 0 && errno == ECONNRESET);
	EXPECT(!relay_any());
	proxy_rig_reset(&client);
	proxy_rig_close(&rig);
}

/* Without descriptors clients wait in the kernel, and the loop rests. */
static void test_want(void)
{
	struct proxy_rig rig;
	proxy_rig_open(&rig);
	uint16_t port = (uint16_t)proxy_rig_listen(&rig, IPPROTO_TCP, FIRST, LAST, 0);
	proxy_faults.accept = true;
	int client = proxy_rig_connect(SOCK_STREAM, port);
	EXPECT(accepted(&rig) < 0);
	proxy_faults.accept = false;
	proxy_rig_settle();
	int server = accepted(&rig);
	EXPECT(server >= 0);
	proxy_rig_reset(&server);
	proxy_rig_reset(&client);
	proxy_rig_close(&rig);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_ranges();
	test_all_or_none();
	test_life();
	test_abandoned();
	test_unlisten();
	test_ends();
	test_refusal();
	test_want();
	printf("proxy: %d failures\n", failures);
	return failures > 0;
}
