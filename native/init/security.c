#include "security.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base.h"

static int write_text(const char *path, const char *text)
{
	cleanup_fd int fd = check(open(path, O_WRONLY | O_CLOEXEC));
	return fd < 0 ? fd : write_all(fd, text, strlen(text));
}

int write_oom_score(const struct plan *plan, pid_t pid)
{
	if (!plan->has_oom_score_adj)
		return 0;
	char text[16], path[40] = "/proc/self/oom_score_adj";
	snprintf(text, sizeof text, "%d", plan->oom_score_adj);
	if (pid)
		snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	int result = write_text(path, text);
	return result < 0 ? fail(STAGE_LIMIT, result, "set oom_score_adj to %s", text) : 0;
}

/*
 * The host's /proc/sys shows every namespaced value as of the namespaces of who opens
 * it, so nothing that the container could have prepared is walked.
 */
int write_sysctls(const struct plan *plan)
{
	for (const struct text *sysctl = plan->sysctls; sysctl; sysctl = sysctl->next) {
		char path[PATH_MAX];
		int size = snprintf(path, sizeof path, "/proc/sys/%s", sysctl->first);
		if (size >= (int)sizeof path || strstr(path, "..") || sysctl->first[0] == '/')
			return fail(STAGE_SYSCTL, -EINVAL, "set sysctl %s", sysctl->first);
		if (!strchr(sysctl->first, '/'))
			for (char *at = path; *at; at++)
				*at = *at == '.' ? '/' : *at;
		int result = write_text(path, sysctl->second);
		if (result < 0)
			return fail(STAGE_SYSCTL, result, "set sysctl %s to %s", sysctl->first, sysctl->second);
	}
	return 0;
}

int apply_limits(const struct plan *plan)
{
	for (const struct resource_limit *limit = plan->limits; limit; limit = limit->next) {
		const struct rlimit value = { .rlim_cur = limit->soft, .rlim_max = limit->hard };
		int result = check(setrlimit((int)limit->resource, &value));
		if (result < 0)
			return fail(STAGE_LIMIT, result, "set resource limit %u to %llu:%llu", limit->resource,
				    (unsigned long long)limit->soft, (unsigned long long)limit->hard);
	}
	return 0;
}

int renew_session_keyring(void)
{
	int result = check(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
	/*
	 * A kernel without keys has none to share, and a filter around the engine that forbids
	 * keys forbids them to all.
	 */
	if (result >= 0 || result == -ENOSYS || result == -EPERM)
		return 0;
	return fail(STAGE_CAPABILITIES, result, "make a session keyring");
}

static int drop_bounding(const struct plan *plan)
{
	for (int capability = 0; capability < 64; capability++) {
		if (plan->bounding >> capability & 1)
			continue;
		int result = check(prctl(PR_CAPBSET_DROP, capability));
		if (result == -EINVAL)
			return 0; /* past the kernel's last */
		if (result < 0 && check(prctl(PR_CAPBSET_READ, capability)) != 0)
			return fail(STAGE_CAPABILITIES, result, "drop capability %d from the bounding set", capability);
	}
	return 0;
}

static int set_capabilities(const struct plan *plan)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct data[2] = {
		{ (uint32_t)plan->effective, (uint32_t)plan->permitted, (uint32_t)plan->inheritable },
		{ (uint32_t)(plan->effective >> 32), (uint32_t)(plan->permitted >> 32), (uint32_t)(plan->inheritable >> 32) },
	};
	int result = check(syscall(SYS_capset, &header, data));
	if (result < 0)
		return fail(STAGE_CAPABILITIES, result, "set capabilities to %llx", (unsigned long long)plan->permitted);
	result = check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	for (int capability = 0; result >= 0 && plan->ambient >> capability; capability++)
		if (plan->ambient >> capability & 1)
			result = check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
	return result < 0 ? fail(STAGE_CAPABILITIES, result, "set the ambient capabilities") : 0;
}

static int install_filter(const struct plan *plan)
{
	if (!plan->seccomp)
		return 0;
	struct sock_filter filter[4096];
	memcpy(filter, plan->seccomp, plan->seccomp_length * sizeof *filter);
	const struct sock_fprog program = { .len = (unsigned short)plan->seccomp_length, .filter = filter };
	int result = check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->seccomp_flags, &program));
	return result < 0 ? fail(STAGE_SECCOMP, result, "install a filter of %zu instructions", plan->seccomp_length) : 0;
}

/* Raw system calls: musl's would signal threads that do not exist. */
static int set_user(const struct process *process)
{
	int result = check(syscall(SYS_setgroups, process->group_count, process->groups));
	if (result < 0)
		return fail(STAGE_USER, result, "set %zu supplementary groups", process->group_count);
	result = check(syscall(SYS_setresgid, process->gid, process->gid, process->gid));
	if (result < 0)
		return fail(STAGE_USER, result, "set the group to %u", process->gid);
	result = check(syscall(SYS_setresuid, process->uid, process->uid, process->uid));
	return result < 0 ? fail(STAGE_USER, result, "set the user to %u", process->uid) : 0;
}

static int enter_cwd(const struct process *process)
{
	char seen[PATH_MAX];
	int result = check(chdir(process->cwd));
	/* A directory outside of the root (through a leaked descriptor) has no path: "(unreachable)...". */
	if (result >= 0 && (syscall(SYS_getcwd, seen, sizeof seen) < 0 || seen[0] != '/'))
		result = -EPERM;
	return result;
}

int drop_privileges(const struct plan *plan)
{
	const struct process *process = &plan->process;
	umask(process->has_umask ? process->umask : 022);
	if (plan->no_new_privileges && check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) < 0)
		return fail(STAGE_CAPABILITIES, -errno, "set no_new_privs");
	int result = plan->no_new_privileges ? 0 : install_filter(plan);
	if (result >= 0 && plan->has_capabilities)
		result = drop_bounding(plan);
	if (result >= 0 && plan->has_capabilities)
		result = check(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	/*
	 * Before the user changes, or after it: whichever of the two may enter the directory
	 * decides.
	 */
	int entered = result < 0 ? result : enter_cwd(process);
	if (result >= 0)
		result = set_user(process);
	if (result >= 0 && entered == -EACCES)
		entered = enter_cwd(process);
	if (result >= 0 && entered < 0)
		result = fail(STAGE_CWD, entered, "change to the working directory %s", process->cwd);
	if (result >= 0 && plan->has_capabilities)
		result = set_capabilities(plan);
	if (result >= 0 && plan->no_new_privileges)
		result = install_filter(plan);
	return result < 0 ? fail(STAGE_CAPABILITIES, result, "drop privileges") : 0;
}

int drop_everything(void)
{
	const struct plan nothing = { .mode = MODE_SANDBOX };
	int result = drop_bounding(&nothing);
	return result < 0 ? result : set_capabilities(&nothing);
}
