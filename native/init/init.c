#include "init.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base.h"

/* Faults of the reaper itself must kill it, and the terminal's stop signals must not reach it. */
static bool is_waited_for(int signal)
{
	switch (signal) {
	case SIGFPE:
	case SIGILL:
	case SIGSEGV:
	case SIGBUS:
	case SIGABRT:
	case SIGTRAP:
	case SIGSYS:
	case SIGTTIN:
	case SIGTTOU:
	case SIGKILL:
	case SIGSTOP:
		return false;
	default:
		return true;
	}
}

static uint64_t waited_for(void)
{
	uint64_t set = 0;
	for (int signal = 1; signal <= 64; signal++)
		if (is_waited_for(signal))
			set |= 1ull << (signal - 1);
	return set;
}

/* Raw system calls on a 64 bit set: musl hides its own real-time signals, which a container may well use. */
static void set_mask(uint64_t set)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof set);
}

void block_signals(void)
{
	set_mask(waited_for());
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
}

void reset_signals(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action = { .handler = SIG_DFL };
	for (int signal = 1; signal <= 64; signal++)
		syscall(SYS_rt_sigaction, signal, &action, NULL, sizeof action.mask);
	set_mask(0);
}

static int wait_signal(void)
{
	uint64_t set = waited_for();
	return check(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, sizeof set));
}

int reap_until(pid_t child)
{
	for (;;) {
		int signal = wait_signal();
		if (signal > 0 && signal != SIGCHLD)
			kill(child, signal);
		int status;
		for (pid_t ended; signal == SIGCHLD && (ended = waitpid(-1, &status, WNOHANG)) > 0;)
			if (ended == child)
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

int hold_namespaces(void)
{
	for (;;) {
		int signal = wait_signal();
		while (signal == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (signal > 0 && signal != SIGCHLD)
			return 0;
	}
}
