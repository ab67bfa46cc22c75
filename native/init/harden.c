#include "harden.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH_* here"
#endif

/*
 * A monitor outlives the process that it watches; only the kernel's own "never" is
 * stronger.
 */
#define OOM_SCORE "-999"

/* One comparison each, in the order of how often they are made. */
static const uint16_t monitor_calls[] = {
	SYS_epoll_pwait, SYS_read, SYS_write, SYS_sendmsg, SYS_recvfrom, SYS_epoll_ctl, SYS_clock_gettime, SYS_munmap,
	SYS_mremap, SYS_close, SYS_accept4, SYS_openat, SYS_fstat, SYS_newfstatat, SYS_fcntl, SYS_ftruncate, SYS_fsync,
	SYS_pread64, SYS_sendto, SYS_recvmsg, SYS_wait4, SYS_pidfd_send_signal, SYS_getpid, SYS_renameat, SYS_unlinkat,
	SYS_exit_group, SYS_exit, SYS_rt_sigreturn, SYS_restart_syscall,
#ifdef __x86_64__
	SYS_epoll_wait, SYS_open, SYS_lstat, SYS_rename, SYS_unlink,
#endif
};

/* Strangers speak to the proxy, which needs no files. */
static const uint16_t proxy_calls[] = {
	SYS_epoll_pwait, SYS_splice, SYS_recvmsg, SYS_sendmsg, SYS_sendto, SYS_epoll_ctl, SYS_accept4, SYS_close,
	SYS_socket, SYS_connect, SYS_setsockopt, SYS_shutdown, SYS_clock_gettime, SYS_recvfrom, SYS_read, SYS_write,
	SYS_pipe2, SYS_fcntl, SYS_bind, SYS_listen, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_exit_group, SYS_exit,
	SYS_rt_sigreturn, SYS_restart_syscall,
#ifdef __x86_64__
	SYS_epoll_wait,
#endif
};

/* The resolver's worker likewise. */
static const uint16_t worker_calls[] = {
	SYS_epoll_pwait, SYS_recvmmsg, SYS_sendmmsg, SYS_recvfrom, SYS_sendto, SYS_epoll_ctl, SYS_clock_gettime, SYS_socket, SYS_connect, SYS_getrandom,
	SYS_close, SYS_accept4, SYS_recvmsg, SYS_brk, SYS_madvise, SYS_munmap, SYS_mremap, SYS_getpid, SYS_exit_group,
	SYS_exit, SYS_rt_sigreturn, SYS_restart_syscall,
#ifdef __x86_64__
	SYS_epoll_wait,
#endif
};

struct calls {
	const uint16_t *numbers;
	size_t count;
};
#define CALLS(list) ((struct calls){ list, sizeof (list) / sizeof *(list) })

#define ARGUMENT(index) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (index)))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define GIVE(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)
#define JUMP(test, value, true_skips, false_skips) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, true_skips, false_skips)
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

struct filter {
	struct sock_filter code[128];
	unsigned short length;
};

static void add(struct filter *filter, const struct sock_filter *code, size_t count)
{
	memcpy(filter->code + filter->length, code, count * sizeof *code);
	filter->length += (unsigned short)count;
}

#define ADD(filter, ...)                                                                             \
	do {                                                                                         \
		const struct sock_filter code[] = { __VA_ARGS__ };                                   \
		add(filter, code, sizeof code / sizeof *code);                                       \
	} while (0)

/*
 * A refused call is an error and ends nothing: of all ioctls only the terminal's size
 * passes, new sockets are those of IP and never lead to an engine's, and memory is never code.
 */
static int install_filter(struct calls base, struct calls more)
{
	struct filter filter;
	filter.length = 0;
	ADD(&filter, LOAD(offsetof(struct seccomp_data, arch)), JUMP(BPF_JEQ, ARCHITECTURE, 1, 0), GIVE(REFUSED),
	    LOAD(offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < base.count + more.count; i++) {
		uint16_t call = i < base.count ? base.numbers[i] : more.numbers[i - base.count];
		if (call == SYS_socket)
			ADD(&filter, JUMP(BPF_JEQ, call, 0, 5), LOAD(ARGUMENT(0)), JUMP(BPF_JEQ, AF_INET, 1, 0),
			    JUMP(BPF_JEQ, AF_INET6, 0, 1), GIVE(SECCOMP_RET_ALLOW), GIVE(REFUSED));
		else
			ADD(&filter, JUMP(BPF_JEQ, call, 0, 1), GIVE(SECCOMP_RET_ALLOW));
	}
	ADD(&filter, JUMP(BPF_JEQ, SYS_ioctl, 0, 4), LOAD(ARGUMENT(1)), JUMP(BPF_JEQ, TIOCSWINSZ, 0, 1),
	    GIVE(SECCOMP_RET_ALLOW), GIVE(REFUSED));
	ADD(&filter, JUMP(BPF_JEQ, SYS_mmap, 1, 0), JUMP(BPF_JEQ, SYS_mprotect, 0, 4), LOAD(ARGUMENT(2)),
	    JUMP(BPF_JSET, PROT_EXEC, 1, 0), GIVE(SECCOMP_RET_ALLOW), GIVE(REFUSED));
	ADD(&filter, GIVE(REFUSED));
	const struct sock_fprog program = { .len = filter.length, .filter = filter.code };
	return check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* In an intersection with what there is: a monitor may have less to begin with. */
static int keep_capabilities(uint32_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int result = check(syscall(SYS_capget, &header, data));
	const struct __user_cap_data_struct less[2] = { { data[0].permitted & kept, data[0].permitted & kept, 0 } };
	return result < 0 ? result : check(syscall(SYS_capset, &header, less));
}

/* Where lowering is not allowed, the monitor keeps the engine's score. */
static void lower_oom_score(void)
{
	cleanup_fd int fd = check(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
	if (fd >= 0)
		write_all(fd, OOM_SCORE, strlen(OOM_SCORE));
}

static int harden(uint32_t capabilities, struct calls base, struct calls more)
{
	lower_oom_score();
	int result = keep_capabilities(capabilities);
	int final = check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (final >= 0)
		final = install_filter(base, more);
	return result < 0 ? result : final;
}

int harden_monitor(void)
{
	return harden(1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE, CALLS(monitor_calls), (struct calls){ 0 });
}

int harden_broker(void)
{
	static const uint16_t more[] = {
		SYS_setns, SYS_socket, SYS_bind, SYS_listen, SYS_getsockname, SYS_setsockopt, SYS_ppoll,
#ifdef __x86_64__
		SYS_poll,
#endif
	};
	return harden(1u << CAP_SYS_ADMIN, CALLS(monitor_calls), CALLS(more));
}

int harden_worker(void)
{
	return harden(0, CALLS(worker_calls), (struct calls){ 0 });
}

int harden_proxy(void)
{
	return harden(1u << CAP_NET_BIND_SERVICE, CALLS(proxy_calls), (struct calls){ 0 });
}
