#include "dns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base.h"
#include "harden.h"
#include "syscalls.h"

/* The engine, the next engine while the last one still goes, and somebody who asks for the state. */
#define CONNECTIONS_MAX 8
#define RESOLVER "127.0.0.11"
#define BACKLOG 64
/* A frame that does not come on is the end of its connection. */
#define PATIENCE_S 10
/* A worker that does not answer, such as one that was stopped, is the end of this resolver: the engine starts another one. */
#define WORKER_PATIENCE_S 3
/* While an engine is there that can replace it, the worker is looked at so often. */
#define LOOK_MS 5000

struct broker {
	const char *path;
	int listener, worker, host;
	int connections[CONNECTIONS_MAX]; /* -1: free */
	uint8_t *frame;			  /* FRAME_HEADER + DNS_FRAME_MAX bytes */
	bool quits;
};

/* A frame of the engine in `frame`, with its descriptor or -1; the length of the whole frame. */
static int receive(const struct broker *broker, int connection, int *fd)
{
	int result = receive_all(connection, broker->frame, FRAME_HEADER, fd, 1);
	if (result < 0)
		return result;
	uint32_t length = get_u32(broker->frame + 4);
	if (length > DNS_FRAME_MAX)
		return -EPROTO;
	result = read_all(connection, broker->frame + FRAME_HEADER, length);
	return result < 0 ? result : (int)(FRAME_HEADER + length);
}

/* The frame to the worker, and its answer in `frame`; the length of the answer. */
static int ask_worker(const struct broker *broker, size_t length, const int fds[2])
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct iovec part = { broker->frame, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fds[0] >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, 2 * sizeof(int));
	}
	int result = check(sendmsg(broker->worker, &message, MSG_NOSIGNAL));
	if (result < 0)
		return result;
	result = check(recv(broker->worker, broker->frame, FRAME_HEADER + DNS_FRAME_MAX, 0));
	return result == 0 ? -EPIPE : result;
}

static int open_socket(int type, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof address;
	inet_pton(AF_INET, RESOLVER, &address.sin_addr);
	cleanup_fd int fd = check(socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int result = fd < 0 ? fd : check(bind(fd, (const struct sockaddr *)&address, sizeof address));
	if (result >= 0 && type == SOCK_STREAM)
		result = check(listen(fd, BACKLOG));
	if (result >= 0)
		result = check(getsockname(fd, (struct sockaddr *)&address, &size));
	*port = ntohs(address.sin_port);
	return result < 0 ? result : take_fd_from(&fd);
}

/* Both sockets of a container, at ports that are free there: 53 is left to name servers of its own. */
static int open_sockets(const struct broker *broker, int namespace, int fds[2], uint16_t ports[2])
{
	int result = check(setns(namespace, CLONE_NEWNET));
	if (result < 0)
		return result;
	fds[0] = open_socket(SOCK_DGRAM, &ports[0]);
	fds[1] = fds[0] < 0 ? fds[0] : open_socket(SOCK_STREAM, &ports[1]);
	/* Whatever came of it: nothing else may be done in there. */
	if (setns(broker->host, CLONE_NEWNET) < 0)
		abort();
	return fds[1];
}

static size_t put_failure(uint8_t *frame, int error, const char *what)
{
	MESSAGE(message);
	size_t at = frame_begin(&message, FRAME_ERROR);
	put_u32(&message, (uint32_t)-error);
	put_u32(&message, STAGE_NAMESPACES);
	put_bytes(&message, what, strlen(what));
	frame_end(&message, at);
	memcpy(frame, message.bytes, message.length);
	return message.length;
}

/* One frame and its answer; a negative result ends the connection. */
static int serve_frame(struct broker *broker, int connection)
{
	cleanup_fd int namespace = -1;
	int length = receive(broker, connection, &namespace);
	if (length < 0)
		return length;
	uint32_t type = get_u32(broker->frame);
	int fds[2] = { -1, -1 };
	uint16_t ports[2] = { 0, 0 };
	int result = 0;
	if (type == FRAME_DNS_CLIENT && namespace >= 0)
		result = open_sockets(broker, namespace, fds, ports);
	if (result < 0)
		length = (int)put_failure(broker->frame, result, "open the sockets of a resolver in a network namespace");
	else
		length = ask_worker(broker, (size_t)length, fds);
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	if (length < 0) {
		broker->quits = true; /* without its worker it is of no use */
		return length;
	}
	if (ports[1] && get_u32(broker->frame) == FRAME_OK) {
		MESSAGE(message);
		size_t at = frame_begin(&message, FRAME_OK);
		put_u32(&message, ports[0]);
		put_u32(&message, ports[1]);
		frame_end(&message, at);
		return write_all(connection, message.bytes, message.length);
	}
	broker->quits = type == FRAME_DNS_QUIT;
	return write_all(connection, broker->frame, (size_t)length);
}

static void set_patience(int socket, time_t seconds)
{
	const struct timeval patience = { .tv_sec = seconds };
	setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static int greet(int connection)
{
	set_patience(connection, PATIENCE_S);
	MESSAGE(message);
	size_t at = frame_begin(&message, FRAME_HELLO);
	put_u32(&message, DNS_PROTOCOL_VERSION);
	put_bytes(&message, "dns", 3);
	frame_end(&message, at);
	return write_all(connection, message.bytes, message.length);
}

static void accept_connection(struct broker *broker)
{
	cleanup_fd int fd = check(accept4(broker->listener, NULL, NULL, SOCK_CLOEXEC));
	for (int i = 0; fd >= 0 && i < CONNECTIONS_MAX; i++)
		if (broker->connections[i] < 0 && greet(fd) >= 0)
			broker->connections[i] = take_fd_from(&fd);
}

static bool has_engine(const struct broker *broker)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		if (broker->connections[i] >= 0)
			return true;
	return false;
}

/* The number of clients, or a negative errno where the worker does not answer. */
static int count_clients(const struct broker *broker)
{
	const uint32_t status[2] = { FRAME_DNS_STATUS, 0 };
	memcpy(broker->frame, status, sizeof status);
	int length = ask_worker(broker, sizeof status, (const int[2]){ -1, -1 });
	if (length < 0)
		return length;
	return length < (int)FRAME_HEADER + 16 ? -EPROTO : (int)get_u32(broker->frame + FRAME_HEADER + 12);
}

static void serve_engine(struct broker *broker)
{
	struct pollfd polls[CONNECTIONS_MAX + 2];
	while (!broker->quits) {
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			polls[i] = (struct pollfd){ .fd = broker->connections[i], .events = POLLIN };
		polls[CONNECTIONS_MAX] = (struct pollfd){ .fd = broker->listener, .events = POLLIN };
		polls[CONNECTIONS_MAX + 1] = (struct pollfd){ .fd = broker->worker };
		int ready = check(poll(polls, CONNECTIONS_MAX + 2, has_engine(broker) ? LOOK_MS : -1));
		if (ready == 0 && count_clients(broker) < 0)
			return;
		if (ready <= 0)
			continue;
		if (polls[CONNECTIONS_MAX + 1].revents)
			return;
		bool lost = false;
		for (int i = 0; i < CONNECTIONS_MAX && !broker->quits; i++) {
			if (!polls[i].revents || serve_frame(broker, polls[i].fd) >= 0)
				continue;
			close_fd(&broker->connections[i]);
			lost = true;
		}
		if (polls[CONNECTIONS_MAX].revents)
			accept_connection(broker);
		/* Without an engine it goes on for those whom it serves. */
		if (lost && !broker->quits && !has_engine(broker) && count_clients(broker) <= 0)
			return;
	}
}

static int open_listener(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	cleanup_fd int fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	/* The engine has asked whether somebody answers there before it started this one. */
	unlink(path);
	mode_t mask = umask(0177);
	int result = fd < 0 ? fd : check(bind(fd, (const struct sockaddr *)&address, sizeof address));
	umask(mask);
	if (result >= 0)
		result = check(listen(fd, CONNECTIONS_MAX));
	return result < 0 ? result : take_fd_from(&fd);
}

/* Two descriptors a container, and one for each question that is forwarded. */
static void raise_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The worker of a broker: gone with it, and without its descriptors. */
static int start_worker(void)
{
	int ends[2];
	int result = check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	if (result < 0)
		return result;
	pid_t broker = getpid();
	pid_t pid = check(fork());
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != broker)
			_exit(1);
		dup2(ends[1], 3);
		sys_close_range(4, ~0u, 0);
		serve_queries(3);
	}
	close(ends[1]);
	set_patience(ends[0], WORKER_PATIENCE_S);
	return pid < 0 ? pid : ends[0];
}

int serve_dns(const char *path)
{
	struct broker broker = { .path = path, .frame = malloc(FRAME_HEADER + DNS_FRAME_MAX) };
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		broker.connections[i] = -1;
	raise_limit();
	broker.worker = start_worker();
	broker.host = check(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	broker.listener = open_listener(path);
	if (!broker.frame || broker.worker < 0 || broker.host < 0 || broker.listener < 0 || greet(3) < 0)
		return 1;
	broker.connections[0] = 3;
	harden_broker();
	serve_engine(&broker);
	unlink(path);
	return 0;
}
