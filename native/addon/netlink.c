/*
 * Netlink exchanges and network namespaces. A namespace other than our own is
 * entered on a thread of the pool only, and left again at once.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

#define RECEIVE_BUFFER (4 << 20)
#define PIECE (64u << 10)
#define MAX_REPLY (16u << 20)

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static int open_own_namespace(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* A socket in the namespace `netns`, or in ours for -1. */
static int open_socket(struct job *job, int netns, int protocol)
{
	if (netns < 0)
		return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	AUTO_FD home = open_own_namespace();
	if (home < 0 || setns(netns, CLONE_NEWNET) < 0)
		return -1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int error = errno;
	job->spoils_thread = setns(home, CLONE_NEWNET) < 0;
	errno = error;
	return fd;
}

static void set_options(int fd)
{
	const int yes = 1;
	const int size = RECEIVE_BUFFER;
	/* All of these make answers better, but none is necessary. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof(yes));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &yes, sizeof(yes));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

/*
 * Everything the kernel has answered. It handles a request inside send(2), and
 * goes on with a dump inside recv(2), so an empty queue is the end.
 */
static long receive_all(struct job *job, int fd)
{
	size_t room = job->size;
	for (;;) {
		if (room - job->size < PIECE) {
			room = room * 2 + PIECE;
			void *larger = room > MAX_REPLY ? NULL : realloc(job->data, room);
			if (!larger)
				return -ENOBUFS;
			job->data = larger;
		}
		ssize_t got = recv(fd, (char *)job->data + job->size, room - job->size,
				   MSG_DONTWAIT | MSG_TRUNC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if ((size_t)got > room - job->size)
			return -ENOBUFS;
		job->size += (size_t)got;
	}
}

/* Messages to the kernel in one namespace, as a caller names it. */
struct part {
	int32_t netns;
	int32_t size;
};

static long exchange(struct job *job, int fd, const char *messages, size_t size)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	if (sendto(fd, messages, size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return receive_all(job, fd);
}

/* One part of an exchange, by a new socket. On a thread that is not at home ours cannot be found. */
static long exchange_part(struct job *job, const struct part *part, const char *messages)
{
	if (job->spoils_thread)
		return -EIO;
	AUTO_FD fd = open_socket(job, part->netns, (int)job->flags[0]);
	if (fd < 0)
		return -errno;
	set_options(fd);
	return exchange(job, fd, messages, (size_t)part->size);
}

static long job_exchange(struct job *job)
{
	const struct part *parts = (const struct part *)job->block;
	const char *messages = (const char *)(parts + job->flags[1]);
	if (job->fds[0] >= 0)
		return exchange(job, job->fds[0], messages, (size_t)parts[0].size);
	long error = 0;
	for (size_t i = 0; i < job->flags[1] && error == 0; messages += parts[i++].size)
		error = exchange_part(job, &parts[i], messages);
	return error;
}

/* Whether the parts are as long as all messages together, and one alone where there is a socket. */
static bool are_parts_of(const int32_t *numbers, size_t count, size_t size)
{
	if (count == 0 || count % 2 != 0)
		return false;
	size_t sum = 0;
	for (size_t i = 1; i < count; i += 2) {
		if (numbers[i] <= 0)
			return false;
		sum += (size_t)numbers[i];
	}
	return sum == size;
}

/*
 * netlinkExchange(id, parts, protocol, messages, socket or -1 for new ones) -> report with all
 * answers. Of each part: namespace fd or -1, size of its messages.
 */
static long netlink_exchange(struct call *call)
{
	struct job *job = job_create(call, job_exchange);
	if (job) {
		size_t count = 0;
		int32_t *numbers = take_i32_array(call, 1, &count);
		job->flags[0] = (unsigned long)take_integer(call, 2, 0, 31);
		struct span messages = take_bytes(call, 3);
		job->fds[0] = (int)take_integer(call, 4, -1, 1 << 30);
		size_t head = count * sizeof(*numbers);
		bool fits = !call->failed && messages.size <= RECEIVE_BUFFER &&
			    are_parts_of(numbers, count, messages.size) &&
			    (job->fds[0] < 0 || count == 2);
		if (fits)
			job->block = malloc(head + messages.size);
		if (job->block) {
			memcpy(job->block, numbers, head);
			memcpy(job->block + head, messages.data, messages.size);
			job->flags[1] = count / 2;
		} else if (!call->failed) {
			call->failed = true;
			napi_throw_range_error(call->env, NULL, "netlinkExchange: bad size");
		}
	}
	return job_start(call, job);
}

static int write_setting(const char *path, const char *value)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return write(fd, value, strlen(value)) < 0 ? -1 : 0;
}

/* Pairs of path below /proc/sys/net and value; a setting this kernel lacks is skipped. */
static int write_settings(struct job *job)
{
	const char *end = job->block + job->block_size;
	for (const char *path = job->block; path < end;) {
		const char *value = path + strlen(path) + 1;
		if (value >= end)
			return errno = EINVAL, -1;
		if (strncmp(path, "/proc/sys/net/", 14) != 0 || strstr(path, ".."))
			return errno = EINVAL, -1;
		if (write_setting(path, value) < 0 && errno != ENOENT) {
			job->data = strdup(path);
			job->size = job->data ? strlen(path) : 0;
			return -1;
		}
		path = value + strlen(value) + 1;
	}
	return 0;
}

static long job_new_namespace(struct job *job)
{
	AUTO_FD home = open_own_namespace();
	if (home < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	int fd = write_settings(job) < 0 ? -1 : open_own_namespace();
	int error = errno;
	job->spoils_thread = setns(home, CLONE_NEWNET) < 0;
	errno = error;
	return result_of(fd);
}

/* newNetworkNamespace(id, settings) -> report with a descriptor */
static long netlink_new_namespace(struct call *call)
{
	struct job *job = job_create(call, job_new_namespace);
	if (job) {
		job->returns_fd = true;
		job->block = take_block(call, 1, &job->block_size);
	}
	return job_start(call, job);
}

static long job_namespace_settings(struct job *job)
{
	AUTO_FD home = open_own_namespace();
	if (home < 0 || setns(job->fds[0], CLONE_NEWNET) < 0)
		return -errno;
	int result = write_settings(job);
	int error = errno;
	job->spoils_thread = setns(home, CLONE_NEWNET) < 0;
	errno = error;
	return result_of(result);
}

/* writeNamespaceSettings(id, namespace fd, settings) -> report */
static long netlink_namespace_settings(struct call *call)
{
	struct job *job = job_create(call, job_namespace_settings);
	if (job) {
		job->fds[0] = (int)take_fd(call, 1);
		job->block = take_block(call, 2, &job->block_size);
	}
	return job_start(call, job);
}

/* A socket belongs to the namespace in which it was made, wherever it is used. */
static long job_connect(struct job *job)
{
	AUTO_FD home = open_own_namespace();
	if (home < 0 || setns(job->fds[0], CLONE_NEWNET) < 0)
		return -errno;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)job->flags[0]) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = v4.sin_port };
	bool is_v4 = job->block_size == sizeof(v4.sin_addr);
	memcpy(is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, job->block, job->block_size);
	AUTO_FD fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = errno;
	job->spoils_thread = setns(home, CLONE_NEWNET) < 0;
	if (fd < 0)
		return -error;
	const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
	if (connect(fd, address, is_v4 ? sizeof(v4) : sizeof(v6)) < 0 && errno != EINPROGRESS)
		return -errno;
	int given = fd;
	fd = -1;
	return given;
}

/* connectInNamespace(id, namespace fd, address of 4 or 16 bytes, port) -> report with a TCP socket that may still be connecting */
static long netlink_connect(struct call *call)
{
	struct job *job = job_create(call, job_connect);
	if (job) {
		job->returns_fd = true;
		job->fds[0] = (int)take_fd(call, 1);
		struct span address = take_bytes(call, 2);
		job->flags[0] = (unsigned long)take_integer(call, 3, 1, UINT16_MAX);
		if (!call->failed && (address.size == 4 || address.size == 16))
			job->block = malloc(address.size);
		if (job->block) {
			memcpy(job->block, address.data, address.size);
			job->block_size = address.size;
		} else if (!call->failed) {
			call->failed = true;
			napi_throw_range_error(call->env, NULL, "connectInNamespace: bad address");
		}
	}
	return job_start(call, job);
}

/* netlinkSocket(protocol, mask of groups) -> descriptor, from which notices of the groups are read */
static long netlink_socket(struct call *call)
{
	int protocol = (int)take_integer(call, 0, 0, 31);
	uint32_t groups = (uint32_t)take_integer(call, 1, 0, UINT32_MAX);
	if (call->failed)
		return 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return -errno;
	set_options(fd);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

const struct function netlink_functions[] = {
	{ "netlinkExchange", netlink_exchange, 5 },
	{ "newNetworkNamespace", netlink_new_namespace, 2 },
	{ "writeNamespaceSettings", netlink_namespace_settings, 3 },
	{ "connectInNamespace", netlink_connect, 4 },
	{ "netlinkSocket", netlink_socket, 2 },
	{ 0 },
};
