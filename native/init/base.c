#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

struct failure failure;

int fail(enum stage stage, int error, const char *format, ...)
{
	if (failure.error)
		return error;
	failure.stage = stage;
	failure.error = -error;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(failure.text, sizeof failure.text, format, arguments);
	va_end(arguments);
	return error;
}

void *pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void drop_pages(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}

int read_all(int fd, void *buffer, size_t length)
{
	for (size_t done = 0; done < length;) {
		int count = check(read(fd, (char *)buffer + done, length - done));
		if (count == 0)
			return -EPROTO;
		if (count < 0 && count != -EINTR)
			return count;
		done += count > 0 ? (size_t)count : 0;
	}
	return 0;
}

int write_all(int fd, const void *buffer, size_t length)
{
	for (size_t done = 0; done < length;) {
		int count = check(write(fd, (const char *)buffer + done, length - done));
		if (count < 0 && count != -EINTR)
			return count;
		done += count > 0 ? (size_t)count : 0;
	}
	return 0;
}

int receive_all(int socket, void *buffer, size_t length, int *fds, size_t room)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { buffer, length };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(room * sizeof(int))
	};
	for (size_t i = 0; i < room; i++)
		fds[i] = -1;
	int count;
	do
		count = check(recvmsg(socket, &message, MSG_CMSG_CLOEXEC));
	while (count == -EINTR);
	if (count <= 0)
		return count < 0 ? count : -EPIPE;
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len > CMSG_LEN(0))
		memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
	return read_all(socket, (uint8_t *)buffer + count, length - (size_t)count);
}

uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_REALTIME, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t monotonic_ms(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u;
}
