#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (128u << 10)
#define MAX_SPAWN_FDS 64
#define HIGHEST_SPAWN_FD 255

/* pidfdOpen(pid) -> descriptor */
static long process_pidfd_open(struct call *call)
{
	pid_t pid = (pid_t)take_integer(call, 0, 1, 1 << 22);
	return call->failed ? 0 : result_of(syscall(SYS_pidfd_open, pid, 0));
}

/* pidfdSendSignal(pidfd, signal) */
static long process_signal(struct call *call)
{
	int fd = take_fd(call, 0);
	int signal = (int)take_integer(call, 1, 0, 64);
	return call->failed ? 0 : result_of(syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0));
}

/* reap(pidfd, out two: exit code or -1, signal or 0) -> 1 when the child was reaped, 0 while it lives */
static long process_reap(struct call *call)
{
	size_t length = 0;
	siginfo_t info = { .si_pid = 0 };
	int fd = take_fd(call, 0);
	int32_t *out = take_i32_array(call, 1, &length);
	if (call->failed)
		return 0;
	if (length < 2)
		return -EINVAL;
	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	out[0] = info.si_code == CLD_EXITED ? info.si_status : -1;
	out[1] = info.si_code == CLD_EXITED ? 0 : info.si_status;
	return 1;
}

/*
 * The child's data, prepared by the parent: the child shares its memory and must not
 * allocate.
 */
struct start {
	int executable; /* or -1: `path` */
	const char *path;
	const char *cwd; /* "" to stay */
	char **argv;
	char **env;
	const int32_t *fds; /* pairs: descriptor here, number there; sorted by the latter */
	size_t pairs;
	bool new_session;
	int error;
};

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &action, NULL);
}

/*
 * Moves every descriptor to its number, opens /dev/null for those of 0 to 2 that are
 * missing; the exec closes the rest.
 */
static int place_descriptors(struct start *start)
{
	int held[MAX_SPAWN_FDS];
	for (size_t i = 0; i < start->pairs; i++) {
		held[i] = fcntl(start->fds[2 * i], F_DUPFD_CLOEXEC, HIGHEST_SPAWN_FD + 1);
		if (held[i] < 0)
			return -1;
	}
	if (start->executable >= 0) {
		start->executable =
			fcntl(start->executable, F_DUPFD_CLOEXEC, HIGHEST_SPAWN_FD + 1);
		if (start->executable < 0)
			return -1;
	}
	if (syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0)
		return -1;
	for (int fd = 0; fd < 3; fd++)
		if (nothing == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(nothing, fd) < 0)
			return -1;
	for (size_t i = 0; i < start->pairs; i++)
		if (dup2(held[i], start->fds[2 * i + 1]) < 0)
			return -1;
	return 0;
}

static int run_child(void *argument)
{
	struct start *start = argument;
	sigset_t none;
	sigemptyset(&none);
	reset_signals();
	if ((start->new_session && setsid() < 0) || place_descriptors(start) < 0 ||
	    (start->cwd[0] && chdir(start->cwd) < 0) || sigprocmask(SIG_SETMASK, &none, NULL) < 0) {
		start->error = errno;
		_exit(127);
	}
	if (start->executable >= 0)
		syscall(SYS_execveat, start->executable, "", start->argv, start->env,
			AT_EMPTY_PATH);
	else
		execve(start->path, start->argv, start->env);
	start->error = errno;
	_exit(127);
}

/* A NULL-terminated vector of the strings in a block; NULL when out of memory. */
static char **vector_of(char *block, size_t size)
{
	size_t count = 0;
	for (size_t i = 0; i < size; i++)
		count += block[i] == '\0';
	char **vector = calloc(count + 1, sizeof(*vector));
	if (!vector)
		return NULL;
	char *text = block;
	for (size_t i = 0; i < count; i++) {
		vector[i] = text;
		text += strlen(text) + 1;
	}
	return vector;
}

/* The parent stands still until the child has executed or failed, so the stack is free again then. */
static long start_child(struct start *start, int *pidfd)
{
	sigset_t all, before;
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	/* No handler of the runtime may run in the child, on the shared memory. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(run_child, stack + STACK_SIZE,
			  CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, start, pidfd);
	long result = result_of(pid);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK_SIZE);
	if (pid > 0 && start->error != 0) {
		siginfo_t info;
		waitid(P_PIDFD, (id_t)*pidfd, &info, WEXITED);
		close(*pidfd);
		return -start->error;
	}
	return result;
}

static bool valid_pairs(const int32_t *fds, size_t length)
{
	if (length % 2 != 0 || length / 2 > MAX_SPAWN_FDS)
		return false;
	for (size_t i = 0; i + 1 < length; i += 2)
		if (fds[i] < 0 || fds[i + 1] < 0 || fds[i + 1] > HIGHEST_SPAWN_FD ||
		    (i > 0 && fds[i + 1] <= fds[i - 1]))
			return false;
	return true;
}

static void free_text(char **text)
{
	free(*text);
}
static void free_vector(char ***vector)
{
	free(*vector);
}
#define AUTO_TEXT __attribute__((cleanup(free_text))) char *
#define AUTO_VECTOR __attribute__((cleanup(free_vector))) char **

/* spawn(executable fd or -1, path, argv block, env block, cwd, pairs, new session, out one: pidfd) -> pid */
static long process_spawn(struct call *call)
{
	char path[MAX_PATH], cwd[MAX_PATH];
	size_t argv_size = 0, env_size = 0, pairs = 0, out_length = 0;
	int pidfd = -1;
	int executable = (int)take_integer(call, 0, -1, 1 << 30);
	take_text(call, 1, path, sizeof(path));
	AUTO_TEXT argv_block = take_block(call, 2, &argv_size);
	AUTO_TEXT env_block = take_block(call, 3, &env_size);
	take_text(call, 4, cwd, sizeof(cwd));
	int32_t *fds = take_i32_array(call, 5, &pairs);
	bool new_session = take_integer(call, 6, 0, 1) != 0;
	int32_t *out = take_i32_array(call, 7, &out_length);
	if (call->failed)
		return 0;
	if (out_length < 1 || argv_size == 0 || !valid_pairs(fds, pairs))
		return -EINVAL;

	AUTO_VECTOR argv = vector_of(argv_block, argv_size);
	AUTO_VECTOR env = vector_of(env_block, env_size);
	if (!argv || !env)
		return -ENOMEM;
	struct start start = { .executable = executable,
			       .path = path,
			       .cwd = cwd,
			       .argv = argv,
			       .env = env,
			       .fds = fds,
			       .pairs = pairs / 2,
			       .new_session = new_session };
	long pid = start_child(&start, &pidfd);
	if (pid > 0)
		out[0] = pidfd;
	return pid;
}

const struct function process_functions[] = {
	{ "pidfdOpen", process_pidfd_open, 1 },
	{ "pidfdSendSignal", process_signal, 2 },
	{ "reap", process_reap, 2 },
	{ "spawn", process_spawn, 8 },
	{ 0 },
};
