/*
 * Fuzz target of the resolver's worker (dns-server.c, dns-questions.c, dns-forward.c,
 * dns-streams.c). The bytes are a script: programs of a container ask by UDP and TCP, in parts,
 * with garbage, and hang up; a name server answers right, late, wrong or not at all; time goes
 * by. What must hold: an answer has the id and the question of one that waits, by TCP in its
 * order; where nothing was disturbed every question by TCP is answered; a container that goes
 * leaves nothing behind.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-worker.h"
#include "expect.h"
#include "harden.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS 4
#define QUESTIONS 8
/* Looks in vain before what is missing counts as lost; a millisecond each. */
#define PATIENCE 1000

/* The linker gives the worker these. */
int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
uint64_t __wrap_monotonic_ms(void);

static uint64_t time_now = 1;

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	(void)timeout;
	return __real_epoll_wait(epoll, events, count, 0);
}

uint64_t __wrap_monotonic_ms(void)
{
	return time_now;
}

int harden_worker(void)
{
	return 0;
}

/* A program of the container; what it has asked and has no answer to yet. */
struct program {
	int fd;
	uint8_t waiting[QUESTIONS];
	unsigned first, count;
	uint8_t bytes[2 + DNS_MESSAGE_MAX];
	size_t have;
	bool disturbed;
};

static struct {
	int broker, upstream, upstream_listener;
	struct sockaddr_in udp, tcp, server;
} rig;

static struct program programs[ENDS];
static int datagrams, servers[ENDS];
static const uint8_t *at, *end;

static uint8_t take(void)
{
	return at < end ? *at++ : 0;
}

static int open_local(int type, struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	EXPECT(fd >= 0 && bind(fd, (struct sockaddr *)address, size) == 0);
	EXPECT(type == SOCK_DGRAM || listen(fd, 64) == 0);
	EXPECT(getsockname(fd, (struct sockaddr *)address, &size) == 0);
	return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void turn(void)
{
	while (turn_worker() > 0) {
	}
}

static void command(uint32_t type, const void *payload, size_t length, const int fds[2])
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	uint8_t frame[256];
	const uint32_t header[2] = { type, (uint32_t)length };
	memcpy(frame, header, sizeof header);
	memcpy(frame + sizeof header, payload, length);
	struct iovec part = { frame, sizeof header + length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fds) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		*rights = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(2 * sizeof(int)) };
		memcpy(CMSG_DATA(rights), fds, 2 * sizeof(int));
	}
	EXPECT(sendmsg(rig.broker, &message, 0) > 0);
	turn();
	EXPECT(recv(rig.broker, frame, sizeof frame, MSG_DONTWAIT) >= 8);
	uint32_t answer;
	memcpy(&answer, frame, sizeof answer);
	EXPECT(answer == FRAME_OK);
}

static void open_rig(void)
{
	static const char endpoint[] = "\1\0e\1\0n\4\0\x0a\0\0\1\0\0\1\0\3\0web\1\0\x50\0\6";
	int ends[2];
	EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	rig.broker = ends[0];
	EXPECT(open_worker(ends[1]) == 0);
	rig.server = loopback(0);
	rig.upstream_listener = open_local(SOCK_STREAM, &rig.server);
	rig.upstream = open_local(SOCK_DGRAM, &rig.server);
	command(FRAME_DNS_ENDPOINT, endpoint, sizeof endpoint, NULL);
}

/* The container comes, with the name server twice. */
static void serve(void)
{
	uint8_t payload[] = "\1\0c\1\0\1\0\1\0n\2\0PP\4\0\x7f\0\0\1PP\4\0\x7f\0\0\1\0";
	uint16_t port = ntohs(rig.server.sin_port);
	memcpy(payload + 12, &port, 2);
	memcpy(payload + 20, &port, 2);
	rig.udp = rig.tcp = loopback(0);
	int fds[2] = { open_local(SOCK_DGRAM, &rig.udp), open_local(SOCK_STREAM, &rig.tcp) };
	command(FRAME_DNS_CLIENT, payload, sizeof payload, fds);
	close(fds[0]);
	close(fds[1]);
}

/* The question with this number: of the container itself, or for the name server. */
static size_t question(uint8_t number, uint8_t *bytes)
{
	static const char *const texts[] = { "\3web\0\0\1", "\2ex\1n\0\0\1", "\3_80\4_tcp\3web\0\0\x21", "\4long\2ex\0\0\x1c" };
	static const size_t sizes[] = { 7, 8, 16, 11 };
	const uint8_t header[DNS_HEADER] = { 0xe0, number, 1, 0, 0, 1 };
	size_t length = sizes[number % 4];
	memcpy(bytes, header, sizeof header);
	memcpy(bytes + sizeof header, texts[number % 4], length);
	memcpy(bytes + sizeof header + length, "\0\1", 2);
	return sizeof header + length + 2;
}

static bool is_answer(uint8_t number, const uint8_t *bytes, size_t length)
{
	uint8_t asked[64];
	size_t size = question(number, asked);
	return dns_answers(bytes, length, asked, size) && memcmp(bytes, asked, 2) == 0;
}

static void ask_by_stream(struct program *program, uint8_t number, size_t first_part)
{
	uint8_t bytes[66];
	size_t size = 2 + question(number, bytes + 2);
	if (program->fd < 0 || program->count == QUESTIONS)
		return;
	bytes[0] = 0;
	bytes[1] = (uint8_t)(size - 2);
	first_part = first_part % size;
	bool sent = send(program->fd, bytes, first_part, MSG_NOSIGNAL) == (ssize_t)first_part;
	turn();
	sent = send(program->fd, bytes + first_part, size - first_part, MSG_NOSIGNAL) == (ssize_t)(size - first_part) && sent;
	program->disturbed |= !sent;
	program->waiting[(program->first + program->count++) % QUESTIONS] = number;
}

static bool listen_to(struct program *program)
{
	if (program->fd < 0)
		return false;
	ssize_t count = recv(program->fd, program->bytes + program->have, sizeof program->bytes - program->have, MSG_DONTWAIT);
	if (count <= 0)
		return false;
	program->have += (size_t)count;
	while (program->have >= 2 && program->have >= 2u + (size_t)(program->bytes[0] << 8 | program->bytes[1])) {
		size_t size = (size_t)(program->bytes[0] << 8 | program->bytes[1]);
		if (!program->disturbed) {
			EXPECT(program->count > 0);
			EXPECT(is_answer(program->waiting[program->first], program->bytes + 2, size));
			program->first = (program->first + 1) % QUESTIONS;
			program->count--;
		}
		memmove(program->bytes, program->bytes + 2 + size, program->have -= 2 + size);
	}
	return true;
}

static void listen_to_datagrams(void)
{
	uint8_t bytes[DNS_UDP_MAX];
	ssize_t count;
	while ((count = recv(datagrams, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		EXPECT(bytes[0] == 0xe0 ? is_answer(bytes[1], bytes, (size_t)count) : bytes[0] == 0);
}

/* An answer of the name server, bent as `how` says. */
static size_t answer(uint8_t *bytes, size_t size, uint8_t how)
{
	bytes[2] |= 0x80;
	switch (how % 8) {
	case 1:
		bytes[1] ^= 1;
		return size;
	case 2:
		bytes[how % size] ^= 0x10;
		return size;
	case 3:
		return how % size;
	case 4:
		bytes[3] = DNS_SERVFAIL;
		return size;
	case 5:
		bytes[2] |= 2;
		return size;
	default:
		return size;
	}
}

static bool answer_datagrams(uint8_t how)
{
	uint8_t bytes[DNS_UDP_MAX];
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	ssize_t size = recvfrom(rig.upstream, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
	if (size < (ssize_t)DNS_HEADER)
		return false;
	sendto(rig.upstream, bytes, answer(bytes, (size_t)size, how), MSG_DONTWAIT, (struct sockaddr *)&from, length);
	return true;
}

static bool answer_stream(int *fd, uint8_t how)
{
	uint8_t bytes[2 + 4096];
	ssize_t size = *fd < 0 ? 0 : recv(*fd, bytes, sizeof bytes, MSG_DONTWAIT);
	if (size == 0)
		close_fd(fd);
	if (size < 2 + (ssize_t)DNS_HEADER)
		return false;
	size_t length = answer(bytes + 2, (size_t)size - 2, how);
	bytes[0] = (uint8_t)(length >> 8);
	bytes[1] = (uint8_t)length;
	send(*fd, bytes, 2 + length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (how & 64)
		close_fd(fd);
	return true;
}

static bool accept_stream_of_worker(void)
{
	for (int i = 0; i < ENDS; i++)
		if (servers[i] < 0) {
			servers[i] = accept4(rig.upstream_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			return servers[i] >= 0;
		}
	return false;
}

static void disturb_all(void)
{
	for (int i = 0; i < ENDS; i++)
		programs[i].disturbed = true;
}

static void connect_program(struct program *program)
{
	if (program->fd >= 0)
		return;
	*program = (struct program){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	EXPECT(connect(program->fd, (struct sockaddr *)&rig.tcp, sizeof rig.tcp) == 0);
}

/* Its id begins with 0, as no right one does. */
static void say_garbage(int fd)
{
	uint8_t bytes[256];
	size_t size = take();
	for (size_t i = 0; i < size; i++)
		bytes[i] = take();
	bytes[0] = 0;
	send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void perform(void)
{
	uint8_t what = take(), which = take();
	struct program *program = &programs[which % ENDS];
	uint8_t bytes[64];
	switch (what % 12) {
	case 0:
	case 1:
		connect_program(program);
		break;
	case 2:
	case 3:
		ask_by_stream(program, take(), take());
		break;
	case 4:
		program->disturbed = true;
		if (program->fd >= 0)
			say_garbage(program->fd);
		break;
	case 5:
		if (program->fd >= 0 && which & 8)
			shutdown(program->fd, SHUT_WR);
		else
			close_fd(&program->fd);
		break;
	case 6:
		send(datagrams, bytes, question(take(), bytes), MSG_DONTWAIT);
		break;
	case 7:
		say_garbage(datagrams);
		break;
	case 8:
		/* More than one answer, of which the first may be wrong. */
		answer_datagrams(which);
		break;
	case 9:
		if (which % 8)
			disturb_all();
		accept_stream_of_worker();
		answer_stream(&servers[which % ENDS], which);
		break;
	case 10:
		time_now += 100u * which;
		disturb_all();
		break;
	default:
		if (which % 16)
			break;
		disturb_all();
		command(FRAME_DNS_DROP_CLIENT, "c", 1, NULL);
		serve();
		EXPECT(connect(datagrams, (struct sockaddr *)&rig.udp, sizeof rig.udp) == 0);
		break;
	}
	turn();
	listen_to_datagrams();
}

static bool is_complete(void)
{
	for (int i = 0; i < ENDS; i++)
		if (programs[i].fd >= 0 && !programs[i].disturbed && programs[i].count > 0)
			return false;
	return true;
}

/* The name server answers all; the kernel may take a moment for it. */
static void settle(void)
{
	for (int silent = 0; silent < PATIENCE && !is_complete(); silent++) {
		bool moved = answer_datagrams(0) | accept_stream_of_worker();
		for (int i = 0; i < ENDS; i++)
			moved |= answer_stream(&servers[i], 0);
		turn();
		for (int i = 0; i < ENDS; i++)
			moved |= listen_to(&programs[i]);
		if (moved)
			silent = -1;
		else
			poll(NULL, 0, 1);
	}
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;
	EXPECT(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	at = data;
	end = data + size;
	signal(SIGPIPE, SIG_IGN);
	if (!rig.broker)
		open_rig();
	int before = descriptors();
	for (int i = 0; i < ENDS; i++)
		programs[i].fd = servers[i] = -1;
	serve();
	datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	EXPECT(connect(datagrams, (struct sockaddr *)&rig.udp, sizeof rig.udp) == 0);
	while (at < end)
		perform();
	settle();
	EXPECT(is_complete());
	command(FRAME_DNS_DROP_CLIENT, "c", 1, NULL);
	for (int i = 0; i < ENDS; i++) {
		close_fd(&programs[i].fd);
		close_fd(&servers[i]);
	}
	close_fd(&datagrams);
	for (int fd; (fd = accept4(rig.upstream_listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		close(fd);
	while (answer_datagrams(0)) {
	}
	EXPECT(descriptors() == before);
	return 0;
}
