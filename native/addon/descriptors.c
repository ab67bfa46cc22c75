/* Descriptors: making, reading and writing them. Every one is O_CLOEXEC. */
#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* SCM_MAX_FD of the kernel: so many descriptors go with one message. */
#define MAX_SENT_DESCRIPTORS 253

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* close(fd) */
static long descriptor_close(struct call *call)
{
	int fd = take_fd(call, 0);
	return call->failed ? 0 : result_of(close(fd));
}

/* duplicate(fd) -> descriptor */
static long descriptor_duplicate(struct call *call)
{
	int fd = take_fd(call, 0);
	return call->failed ? 0 : result_of(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

static void store(int32_t *out, const int *fds)
{
	out[0] = fds[0];
	out[1] = fds[1];
}

static int32_t *take_pair(struct call *call, size_t index)
{
	size_t length = 0;
	int32_t *out = take_i32_array(call, index, &length);
	if (!call->failed && length < 2) {
		call->failed = true;
		napi_throw_type_error(call->env, NULL, "an Int32Array of two is needed");
	}
	return out;
}

/* socketPair(out two): connected stream sockets */
static long descriptor_socket_pair(struct call *call)
{
	int fds[2];
	int32_t *out = take_pair(call, 0);
	if (call->failed)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	store(out, fds);
	return 0;
}

static long connect_unix(struct call *call, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	take_text(call, 0, address.sun_path, sizeof(address.sun_path));
	if (call->failed)
		return 0;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	close(fd);
	return -error;
}

/* unixConnect(path) -> a stream socket that is connected to the listener there */
static long descriptor_unix_connect(struct call *call)
{
	return connect_unix(call, SOCK_STREAM);
}

/* unixDatagrams(path) -> a datagram socket that is connected to the receiver there: each write is a datagram */
static long descriptor_unix_datagrams(struct call *call)
{
	return connect_unix(call, SOCK_DGRAM);
}

/* unixListen(path) -> a stream socket that listens there, for this user alone; what was there is replaced */
static long descriptor_unix_listen(struct call *call)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	take_text(call, 0, address.sun_path, sizeof(address.sun_path));
	if (call->failed)
		return 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	/* The file gets the socket's mode (unix(7)), so that it never has another. */
	if (fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	int error = errno;
	close(fd);
	return -error;
}

/* pipe(out two): read end, write end */
static long descriptor_pipe(struct call *call)
{
	int fds[2];
	int32_t *out = take_pair(call, 0);
	if (call->failed)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	store(out, fds);
	return 0;
}

/* socketError(fd) -> the negated errno of what failed on a socket since the last call, or 0 */
static long descriptor_socket_error(struct call *call)
{
	int fd = take_fd(call, 0);
	if (call->failed)
		return 0;
	int error = 0;
	socklen_t size = sizeof(error);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

/* eventFd() -> descriptor */
static long descriptor_event(struct call *call)
{
	(void)call;
	return result_of(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* setBlocking(fd, yes) */
static long descriptor_set_blocking(struct call *call)
{
	int fd = take_fd(call, 0);
	bool blocking = take_integer(call, 1, 0, 1) != 0;
	if (call->failed)
		return 0;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	return result_of(
		fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));
}

/* read(fd, out, position or -1) -> bytes, 0 at the end */
static long descriptor_read(struct call *call)
{
	int fd = take_fd(call, 0);
	struct span out = take_bytes(call, 1);
	off_t position = (off_t)take_integer(call, 2, -1, 1LL << 53);
	if (call->failed)
		return 0;
	ssize_t got;
	do {
		got = position < 0 ? read(fd, out.data, out.size) :
				     pread(fd, out.data, out.size, position);
	} while (got < 0 && errno == EINTR);
	return result_of(got);
}

/* write(fd, bytes) -> bytes written before the call would block */
static long descriptor_write(struct call *call)
{
	int fd = take_fd(call, 0);
	struct span bytes = take_bytes(call, 1);
	if (call->failed)
		return 0;
	size_t done = 0;
	while (done < bytes.size) {
		ssize_t put = send(fd, bytes.data + done, bytes.size - done, MSG_NOSIGNAL);
		if (put < 0 && errno == ENOTSOCK)
			put = write(fd, bytes.data + done, bytes.size - done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && done == 0)
			return -errno;
		if (put <= 0)
			break;
		done += (size_t)put;
	}
	return (long)done;
}

/* sendDescriptors(fd, bytes, descriptors...): one message with copies of them -> bytes sent, without blocking */
static long descriptor_send(struct call *call)
{
	size_t count = 0;
	int fd = take_fd(call, 0);
	struct span bytes = take_bytes(call, 1);
	const int32_t *fds = take_i32_array(call, 2, &count);
	if (call->failed)
		return 0;
	if (count > MAX_SENT_DESCRIPTORS)
		return -E2BIG;
	union {
		char bytes[CMSG_SPACE(MAX_SENT_DESCRIPTORS * sizeof(int32_t))];
		struct cmsghdr aligned;
	} control;
	memset(&control, 0, sizeof(control));
	struct iovec part = { .iov_base = bytes.data, .iov_len = bytes.size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int32_t));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int32_t));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int32_t));
	}
	ssize_t sent;
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return result_of(sent);
}

/* shutdownWrite(fd) */
static long descriptor_shutdown(struct call *call)
{
	int fd = take_fd(call, 0);
	return call->failed ? 0 : result_of(shutdown(fd, SHUT_WR));
}

/* peerCredentials(fd, out three): pid, uid, gid */
static long descriptor_peer(struct call *call)
{
	size_t length = 0;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = take_fd(call, 0);
	int32_t *out = take_i32_array(call, 1, &length);
	if (call->failed)
		return 0;
	if (length < 3)
		return -EINVAL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	out[0] = peer.pid;
	out[1] = (int32_t)peer.uid;
	out[2] = (int32_t)peer.gid;
	return 0;
}

/* untakenByPeer(fd) -> bytes sent that the other end has not read, as the kernel accounts for them */
static long descriptor_untaken(struct call *call)
{
	int bytes = 0;
	int fd = take_fd(call, 0);
	if (call->failed)
		return 0;
	return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

/* flock(fd): the exclusive lock, or -EWOULDBLOCK */
static long descriptor_flock(struct call *call)
{
	int fd = take_fd(call, 0);
	return call->failed ? 0 : result_of(flock(fd, LOCK_EX | LOCK_NB));
}

/* memfd(name) -> descriptor, writable and executable, to be sealed */
static long descriptor_memfd(struct call *call)
{
	char name[128];
	take_text(call, 0, name, sizeof(name));
	if (call->failed)
		return 0;
	/* MFD_EXEC came with Linux 6.3; where it is unknown, all are executable. */
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && fchmod(fd, 0500) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return result_of(fd);
}

/* seal(fd): content, size and, from Linux 6.3, chmod(2) of the executable bits never change again */
static long descriptor_seal(struct call *call)
{
	const int content = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = take_fd(call, 0);
	if (call->failed)
		return 0;
	if (fcntl(fd, F_ADD_SEALS, content | F_SEAL_EXEC) == 0)
		return 0;
	return errno == EINVAL ? result_of(fcntl(fd, F_ADD_SEALS, content)) : -errno;
}

const struct function descriptor_functions[] = {
	{ "close", descriptor_close, 1 },
	{ "duplicate", descriptor_duplicate, 1 },
	{ "socketPair", descriptor_socket_pair, 1 },
	{ "unixConnect", descriptor_unix_connect, 1 },
	{ "unixDatagrams", descriptor_unix_datagrams, 1 },
	{ "unixListen", descriptor_unix_listen, 1 },
	{ "pipe", descriptor_pipe, 1 },
	{ "socketError", descriptor_socket_error, 1 },
	{ "eventFd", descriptor_event, 0 },
	{ "setBlocking", descriptor_set_blocking, 2 },
	{ "read", descriptor_read, 3 },
	{ "write", descriptor_write, 2 },
	{ "sendDescriptors", descriptor_send, 3 },
	{ "shutdownWrite", descriptor_shutdown, 1 },
	{ "peerCredentials", descriptor_peer, 2 },
	{ "untakenByPeer", descriptor_untaken, 1 },
	{ "flock", descriptor_flock, 1 },
	{ "memfd", descriptor_memfd, 1 },
	{ "seal", descriptor_seal, 1 },
	{ 0 },
};
