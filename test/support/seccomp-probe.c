/*
 * Installs the filter on standard input (struct sock_filter...), then makes the system
 * calls whose numbers are its arguments, with zeroes, and prints their errno, one a
 * line, after the microseconds that installing took.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	static struct sock_filter filter[4096];
	size_t length = 0;
	for (ssize_t got; (got = read(0, (char *)filter + length, sizeof filter - length)) > 0;)
		length += (size_t)got;
	struct sock_fprog program = { .len = (unsigned short)(length / 8), .filter = filter };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 2;
	double start = now();
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0) {
		perror("seccomp");
		return 2;
	}
	printf("%.1f\n", now() - start);
	for (int i = 1; i < argc; i++) {
		errno = 0;
		syscall(atol(argv[i]), 0, 0, 0, 0, 0, 0);
		printf("%d\n", errno);
	}
	return 0;
}
