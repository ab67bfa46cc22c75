/*
 * The error convention and the cleanup of this program. Functions return 0 or more, or a
 * negative errno; the first that knows what was being done records it with fail(), all
 * others pass the number on. A function binds each thing that it acquires to a variable
 * with a cleanup attribute, so there is one way out: return.
 */
#ifndef BASE_H
#define BASE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "wire.h"

struct failure {
	enum stage stage;
	int error; /* positive errno, 0: none */
	char text[1024];
};

extern struct failure failure;

/* Records a failure unless one is recorded already, and returns `error` (a negative errno). */
int fail(enum stage stage, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The result of a libc call or raw system call in this program's convention. */
static inline int check(long result)
{
	return result < 0 ? -errno : (int)result;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define cleanup_fd __attribute__((cleanup(close_fd)))

/* Gives a descriptor away: the variable no longer closes it. */
static inline int take_fd_from(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

/* Whole pages of zeros, or NULL; they cost nothing until they are written. */
void *pages(size_t size);
void drop_pages(void *memory, size_t size);

/* All of `length`, EINTR aside: 0, or a negative errno (-EPROTO at an early end when reading). */
int read_all(int fd, void *buffer, size_t length);
int write_all(int fd, const void *buffer, size_t length);
/*
 * As read_all, with up to `room` descriptors (at most 4) that come with the first byte; those that did
 * not are -1. -EPIPE where the other end was closed before.
 */
int receive_all(int socket, void *buffer, size_t length, int *fds, size_t room);

/* Nanoseconds since the epoch. */
uint64_t now(void);
/* Milliseconds of a clock that only goes forward. */
uint64_t monotonic_ms(void);

#endif
