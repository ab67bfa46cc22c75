/*
 * What those that strangers speak to can still do once they are hardened: each in a process
 * of its own, since there is no way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harden.h"

static int failures;

#define EXPECT(condition)                                                              \
	do {                                                                           \
		if (!(condition)) {                                                    \
			failures++;                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                      \
	} while (0)

enum ability { FILES = 1, UNIX_SOCKETS = 2, IPV4 = 4, IPV6 = 8, NAMES = 16, PROGRAMS = 32 };

static bool refused(long result)
{
	return result == -1 && errno == EPERM;
}

/* What a process can do behind `harden`. Raw calls, as an attacker makes them. */
static int abilities(int (*harden)(void))
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		const char *const nothing[] = { NULL };
		int found = 0;
		harden();
		found |= refused(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0)) ? 0 : FILES;
		found |= refused(syscall(SYS_unlinkat, AT_FDCWD, "/nowhere/at/all", 0)) ? 0 : NAMES;
		found |= refused(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)) ? 0 : UNIX_SOCKETS;
		found |= refused(syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0)) ? 0 : IPV4;
		found |= refused(syscall(SYS_socket, AF_INET6, SOCK_STREAM, 0)) ? 0 : IPV6;
		found |= refused(syscall(SYS_execve, "/nowhere/at/all", nothing, nothing)) ? 0 : PROGRAMS;
		syscall(SYS_exit_group, found);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
	EXPECT(abilities(harden_monitor) == (FILES | NAMES));
	EXPECT(abilities(harden_broker) == (FILES | NAMES | IPV4 | IPV6));
	EXPECT(abilities(harden_worker) == (IPV4 | IPV6));
	EXPECT(abilities(harden_proxy) == (IPV4 | IPV6));
	return failures > 0;
}
