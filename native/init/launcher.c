#include "base.h"
#include "launcher.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>

#include "devices.h"
#include "exec.h"
#include "idmap.h"
#include "init.h"
#include "mask.h"
#include "mounts.h"
#include "path.h"
#include "root.h"
#include "security.h"
#include "syscalls.h"

static const uint64_t clone_flags[NAMESPACE_KINDS] = {
	[NAMESPACE_MNT] = CLONE_NEWNS, [NAMESPACE_NET] = CLONE_NEWNET,	     [NAMESPACE_PID] = CLONE_NEWPID,
	[NAMESPACE_IPC] = CLONE_NEWIPC, [NAMESPACE_UTS] = CLONE_NEWUTS,	     [NAMESPACE_CGROUP] = CLONE_NEWCGROUP,
	[NAMESPACE_USER] = CLONE_NEWUSER, [NAMESPACE_TIME] = CLONE_NEWTIME,
};

static const char *const namespace_names[NAMESPACE_KINDS] = {
	[NAMESPACE_MNT] = "mnt", [NAMESPACE_NET] = "net",	[NAMESPACE_PID] = "pid",   [NAMESPACE_IPC] = "ipc",
	[NAMESPACE_UTS] = "uts", [NAMESPACE_CGROUP] = "cgroup", [NAMESPACE_USER] = "user", [NAMESPACE_TIME] = "time",
};

/*
 * For the process that enters a container and the one it becomes; only touched pages cost
 * memory.
 */
#define ENTERING_STACK (1u << 20)

/* The child's ends of the streams, -1 where it opens one itself, and its end of the sync socket. */
struct child {
	struct plan *plan;
	int sync;
	int stdio[3];
};

static int join_namespace(const struct plan *plan, int kind)
{
	const struct namespace *namespace = &plan->namespaces[kind];
	if (!namespace->wanted || namespace->fd == NO_FD)
		return 0;
	int result = check(setns(INHERITED(namespace->fd), (int)clone_flags[kind]));
	return result < 0 ? fail(STAGE_NAMESPACES, result, "join the %s namespace", namespace_names[kind]) : 0;
}

/* It enters the files of another container, instead of making its own or keeping the host's. */
static bool enters_files(const struct plan *plan)
{
	const struct namespace *namespace = &plan->namespaces[NAMESPACE_MNT];
	return !plan->mounts && namespace->wanted && namespace->fd != NO_FD;
}

/* A v1 child moves itself by writing "0": naming a pid would make the kernel wait for an RCU grace period. */
static int enter_cgroup(const struct plan *plan)
{
	for (uint32_t i = 0; plan->cgroup_version == 1 && i < plan->cgroup.count; i++) {
		int result = write_all(INHERITED(plan->cgroup.index[i]), "0", 1);
		if (result < 0)
			return fail(STAGE_CGROUP, result, "enter the cgroup of inherited descriptor %u", plan->cgroup.index[i]);
	}
	const struct namespace *namespace = &plan->namespaces[NAMESPACE_CGROUP];
	if (!namespace->wanted || namespace->fd != NO_FD)
		return 0;
	/* Only now: the namespace's root is where its maker is. */
	int result = check(unshare(CLONE_NEWCGROUP));
	return result < 0 ? fail(STAGE_NAMESPACES, result, "make the cgroup namespace") : 0;
}

static int set_names(const struct plan *plan)
{
	if (plan->hostname && check(sethostname(plan->hostname, strlen(plan->hostname))) < 0)
		return fail(STAGE_HOSTNAME, -errno, "set the host name to %s", plan->hostname);
	if (plan->domainname && check(syscall(SYS_setdomainname, plan->domainname, strlen(plan->domainname))) < 0)
		return fail(STAGE_HOSTNAME, -errno, "set the domain name to %s", plan->domainname);
	return 0;
}

/* The child's view of files: its own tree, or the one of the namespace in which it was made. Returns a descriptor of the root. */
static int enter_files(struct plan *plan)
{
	if (plan->mounts) {
		int result = open_mounts(plan);
		if (result >= 0)
			result = open_host_devices(plan);
		return result < 0 || (result = join_namespace(plan, NAMESPACE_MNT)) < 0 ? result : assemble_root(plan);
	}
	int root = check(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
	return root < 0 ? fail(STAGE_ROOT, root, "open the root") : root;
}

static int send_message(int sync, uint32_t kind, const int *fds, size_t count)
{
	struct child_message message = { .kind = kind, .failure = failure };
	struct iovec part = { &message, kind == CHILD_READY ? sizeof message.kind : sizeof message };
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	if (count) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	return check(sendmsg(sync, &header, MSG_NOSIGNAL));
}

static int prepare_terminal(struct child *child, int root)
{
	int ends[2] = { -1, -1 };
	int result = open_terminal(child->plan, root, &ends[0], &ends[1]);
	if (result >= 0 && child->plan->mounts)
		result = bind_console(root, ends[1]);
	if (result >= 0 && check(ioctl(ends[1], TIOCSCTTY, 0)) < 0)
		result = fail(STAGE_TERMINAL, -errno, "make the terminal the controlling one");
	if (result < 0)
		return result;
	for (int i = 0; i < 3; i++)
		child->stdio[i] = ends[1];
	result = send_message(child->sync, CHILD_READY, ends, 2);
	return result < 0 ? fail(STAGE_TERMINAL, result, "hand the terminal to the monitor") : 0;
}

/* The streams that lead nowhere. */
static int open_null_streams(struct child *child, int root)
{
	int null = -1;
	for (int i = 0; i < 3; i++) {
		if (child->stdio[i] >= 0)
			continue;
		if (null < 0 && (null = open_null_stream(root)) < 0)
			return null;
		child->stdio[i] = null;
	}
	return 0;
}

/* Standard streams in place, the sync socket at 3, and nothing else of the host left open. */
static int arrange_fds(struct child *child)
{
	const struct process *process = &child->plan->process;
	int sync = check(fcntl(child->sync, F_DUPFD_CLOEXEC, 3));
	for (int i = 0; i < 3; i++) {
		struct stat stat;
		/* The user who runs may open its own /proc/self/fd/1; the null device stays root's. */
		if (process->uid && fstat(child->stdio[i], &stat) == 0 && child->plan->stdio != STDIO_NULL &&
		    (child->plan->stdio == STDIO_PTY || S_ISFIFO(stat.st_mode)))
			fchown(child->stdio[i], process->uid, (gid_t)-1);
		if (sync >= 0 && check(dup2(child->stdio[i], i)) < 0)
			sync = -errno;
	}
	if (sync >= 0 && sync != 3)
		sync = check(dup3(sync, 3, O_CLOEXEC));
	if (sync >= 0)
		sync = sys_close_range(4, ~0u, 0);
	child->sync = 3;
	return sync < 0 ? fail(STAGE_EXEC, sync, "arrange the descriptors") : 0;
}

static int prepare(struct child *child)
{
	struct plan *plan = child->plan;
	umask(0);
	setsid();
	static const int joined[] = { NAMESPACE_IPC, NAMESPACE_UTS, NAMESPACE_NET, NAMESPACE_CGROUP };
	int result = enter_cgroup(plan);
	for (size_t i = 0; result >= 0 && i < sizeof joined / sizeof *joined; i++)
		result = join_namespace(plan, joined[i]);
	if (result < 0 || (!enters_files(plan) && (result = write_oom_score(plan, 0)) < 0) ||
	    (result = write_sysctls(plan)) < 0 || (result = set_names(plan)) < 0 ||
	    (result = renew_session_keyring()) < 0)
		return result;
	int root = enter_files(plan);
	if (root < 0)
		return root;
	if (plan->mounts && plan->has_process && (result = make_directory(root, plan->process.cwd)) < 0)
		return fail(STAGE_CWD, result, "make the working directory %s", plan->process.cwd);
	result = plan->stdio == STDIO_PTY ? prepare_terminal(child, root) : open_null_streams(child, root);
	if (result < 0)
		return result;
	if (plan->mounts && ((result = restrict_root(plan, root)) < 0 || (result = enter_root(root)) < 0))
		return result;
	if ((result = arrange_fds(child)) < 0 || (result = apply_limits(plan)) < 0)
		return result;
	result = plan->stdio == STDIO_PTY ? 0 : send_message(child->sync, CHILD_READY, NULL, 0);
	return result < 0 ? fail(STAGE_EXEC, result, "report to the monitor") : 0;
}

/* A filter may forbid even this: then a fault ends the process, which libc would have spin for ever. */
static _Noreturn void leave(int status)
{
	syscall(SYS_exit_group, status);
	__builtin_trap();
}

static void report_failure(const struct child *child)
{
	send_message(child->sync, CHILD_FAILED, NULL, 0);
}

/* Process 1 stays the helper's reaper, with the program as its child in a process group of its own. */
static int run_below_reaper(struct child *child)
{
	block_signals();
	pid_t pid = check(fork());
	if (pid < 0)
		return fail(STAGE_EXEC, pid, "fork the program below the reaper");
	if (pid > 0) {
		sys_close_range(3, ~0u, 0);
		leave(reap_until(pid));
	}
	setpgid(0, 0);
	if (child->plan->stdio == STDIO_PTY)
		tcsetpgrp(0, getpgrp());
	reset_signals();
	return run_program(&child->plan->process);
}

static _Noreturn void be_child(struct child *child)
{
	reset_signals();
	char go = 0;
	int result = prepare(child);
	if (result >= 0 && check(read(child->sync, &go, 1)) != 1)
		leave(0); /* abandoned */
	if (result >= 0 && child->plan->mode == MODE_SANDBOX && (result = drop_everything()) >= 0) {
		block_signals();
		sys_close_range(3, ~0u, 0);
		leave(hold_namespaces());
	}
	if (result >= 0)
		result = drop_privileges(child->plan);
	if (result >= 0)
		result = child->plan->init ? run_below_reaper(child) : run_program(&child->plan->process);
	report_failure(child);
	leave(1);
}

static int open_stream_pipe(int *child_end, int *our_end, int ours)
{
	int ends[2];
	int result = check(pipe2(ends, O_CLOEXEC));
	if (result < 0)
		return result;
	*our_end = ends[ours];
	*child_end = ends[1 - ours];
	return check(fcntl(ends[ours], F_SETFL, O_NONBLOCK));
}

static int open_streams(const struct plan *plan, struct child *child, struct launch *launch)
{
	if (plan->stdio != STDIO_PIPES)
		return 0;
	int result = open_stream_pipe(&child->stdio[1], &launch->output[0], 0);
	if (result >= 0)
		result = open_stream_pipe(&child->stdio[2], &launch->output[1], 0);
	if (result >= 0 && plan->stdio_flags & STDIO_WITH_STDIN)
		result = open_stream_pipe(&child->stdio[0], &launch->input, 1);
	return result < 0 ? fail(STAGE_MONITOR, result, "open the standard streams") : 0;
}

static int check_support(const struct plan *plan)
{
	if (plan->namespaces[NAMESPACE_USER].wanted || plan->id_maps)
		return fail(STAGE_NAMESPACES, -ENOSYS, "user namespaces are not supported yet");
	if (plan->namespaces[NAMESPACE_TIME].wanted)
		return fail(STAGE_NAMESPACES, -ENOSYS, "time namespaces are not supported yet");
	return 0;
}

/* With CLONE_PARENT the signal of the child's end is the one of its maker's. */
static int clone_child(struct child *child, struct launch *launch, uint64_t flags)
{
	const struct plan *plan = child->plan;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | flags,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.pidfd = (uintptr_t)&launch->pidfd,
	};
	for (int kind = 0; kind < NAMESPACE_KINDS; kind++)
		if (plan->namespaces[kind].wanted && plan->namespaces[kind].fd == NO_FD && kind != NAMESPACE_CGROUP)
			arguments.flags |= clone_flags[kind];
	if (plan->cgroup_version == 2) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = (uint64_t)INHERITED(plan->cgroup.index[0]);
	}
	pid_t pid = check(syscall(SYS_clone3, &arguments, sizeof arguments));
	if (pid == 0)
		be_child(child);
	launch->pid = pid;
	return pid < 0 ? fail(STAGE_NAMESPACES, pid, "make the process in its namespaces") : 0;
}

struct entering {
	struct child *child;
	struct launch *launch;
	int result;
};

/*
 * The step between launcher and child. It shares the launcher's memory and descriptors,
 * but not the namespaces that it enters.
 */
static int enter_and_clone(void *argument)
{
	struct entering *entering = argument;
	const struct plan *plan = entering->child->plan;
	entering->result = join_namespace(plan, NAMESPACE_PID);
	if (entering->result >= 0)
		entering->result = join_namespace(plan, NAMESPACE_MNT);
	if (entering->result >= 0)
		entering->result = clone_child(entering->child, entering->launch, CLONE_PARENT);
	leave(0);
}

/*
 * The child must not have the host's root for one moment: in the container's pid
 * namespace it is in sight, and CAP_SYS_PTRACE opens its /proc/<pid>/root however
 * little dumpable it is (CVE-2016-9962). So it is made by a process that is out of
 * sight and has the container's files already.
 */
static int clone_inside(struct child *child, struct launch *launch)
{
	struct entering entering = { .child = child, .launch = launch, .result = -ECHILD };
	char *stack = pages(ENTERING_STACK);
	if (!stack)
		return fail(STAGE_NAMESPACES, -ENOMEM, "make the process that enters the container");
	int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD;
	pid_t between = check(clone(enter_and_clone, stack + ENTERING_STACK, flags, &entering));
	while (between > 0 && check(waitpid(between, NULL, 0)) == -EINTR)
		;
	drop_pages(stack, ENTERING_STACK);
	if (between < 0)
		return fail(STAGE_NAMESPACES, between, "make the process that enters the container");
	if (entering.result < 0)
		return fail(STAGE_NAMESPACES, entering.result, "make the process that enters the container");
	int result = write_oom_score(child->plan, launch->pid);
	if (result < 0) {
		sys_pidfd_send_signal(launch->pidfd, SIGKILL);
		waitpid(launch->pid, NULL, 0);
	}
	return result;
}

int launch(struct plan *plan, struct launch *launch)
{
	struct child child = { .plan = plan, .sync = -1, .stdio = { -1, -1, -1 } };
	*launch = (struct launch){ .pidfd = -1, .sync = -1, .input = -1, .output = { -1, -1 } };
	int ends[2];
	int result = check_support(plan);
	if (result < 0 || (result = open_streams(plan, &child, launch)) < 0)
		return result;
	result = check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	if (result < 0)
		return fail(STAGE_MONITOR, result, "open the sync socket");
	launch->sync = ends[0];
	child.sync = ends[1];
	if (enters_files(plan))
		result = clone_inside(&child, launch);
	else if ((result = open_id_maps(plan)) >= 0 && (result = open_inherited_mounts(plan)) >= 0 &&
		 (result = join_namespace(plan, NAMESPACE_PID)) >= 0)
		result = clone_child(&child, launch, 0);
	if (result < 0)
		return result;
	close(child.sync);
	close_mounts(plan);
	for (int i = 0; i < 3; i++)
		close_fd(&child.stdio[i]);
	return 0;
}
