/* System calls and constants that musl 1.2.3 does not wrap; all in the convention of base.h. */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ull
#endif
#define OPEN_TREE_CLONE 1u
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define FSOPEN_CLOEXEC 1u
#define FSMOUNT_CLOEXEC 1u
#define FSCONFIG_SET_FLAG 0u
#define FSCONFIG_SET_STRING 1u
#define FSCONFIG_CMD_CREATE 6u
#define MOVE_MOUNT_F_EMPTY_PATH 4u
#define MOVE_MOUNT_T_EMPTY_PATH 0x40u
#define MOUNT_ATTR_RDONLY 1u
#define MOUNT_ATTR_NOSUID 2u
#define MOUNT_ATTR_NODEV 4u
#define MOUNT_ATTR_NOEXEC 8u
#define MOUNT_ATTR_IDMAP 0x100000u

struct mount_attributes {
	uint64_t set, clear, propagation, userns_fd;
};

/* musl makes a call for each message. */
static inline int sys_recvmmsg(int fd, struct mmsghdr *messages, unsigned count)
{
	return check(syscall(SYS_recvmmsg, fd, messages, count, 0, NULL));
}

static inline int sys_sendmmsg(int fd, struct mmsghdr *messages, unsigned count)
{
	return check(syscall(SYS_sendmmsg, fd, messages, count, MSG_NOSIGNAL));
}

static inline int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };
	int fd = -EAGAIN;
	/* EAGAIN: a rename or mount anywhere raced with a `..` in a scoped walk. */
	for (int attempt = 0; fd == -EAGAIN && attempt < 64; attempt++)
		fd = check(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
	return fd;
}

static inline int sys_open_tree(int dirfd, const char *path, unsigned flags)
{
	return check(syscall(SYS_open_tree, dirfd, path, flags | O_CLOEXEC));
}

static inline int sys_move_mount(int from, int to, const char *to_path, unsigned flags)
{
	return check(syscall(SYS_move_mount, from, "", to, to_path, flags | MOVE_MOUNT_F_EMPTY_PATH));
}

static inline int sys_fsopen(const char *type)
{
	return check(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int sys_fsconfig(int fd, unsigned command, const char *key, const char *value)
{
	return check(syscall(SYS_fsconfig, fd, command, key, value, 0));
}

static inline int sys_fsmount(int fd, unsigned attributes)
{
	return check(syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes));
}

static inline int sys_mount_setattr(int fd, const char *path, unsigned flags, const struct mount_attributes *attributes)
{
	return check(syscall(SYS_mount_setattr, fd, path, flags, attributes, sizeof *attributes));
}

static inline int sys_pidfd_send_signal(int pidfd, int signal)
{
	return check(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return check(syscall(SYS_close_range, first, last, flags));
}

#endif
