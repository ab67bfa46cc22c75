#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <sys/mount.h> of older libcs cannot be had together with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);
int umount2(const char *target, int flags);

#define DETACH 2
#define UMOUNT_NOFOLLOW 8
#define MESSAGE_SIZE 1024

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

static int open_filesystem(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int configure(int fd, unsigned int command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}

/*
 * The file system's own words about its refusal: one message a read, as "e overlay: ...".
 * Keeps errno.
 */
static void explain(struct job *job, int fd)
{
	int saved = errno;
	char *message = malloc(MESSAGE_SIZE);
	if (message) {
		ssize_t size = read(fd, message, MESSAGE_SIZE);
		if (size > 0) {
			job->data = message;
			job->size = (size_t)size;
		} else {
			free(message);
		}
	}
	errno = saved;
}

static int apply_options(struct job *job, int fd)
{
	const char *end = job->block + job->block_size;
	for (const char *key = job->block; key < end;) {
		const char *value = key + strlen(key) + 1;
		if (value >= end)
			return errno = EINVAL, -1;
		/* A first byte of '=' tells a value, possibly empty, from a missing one. */
		int done = *value == '=' ? configure(fd, FSCONFIG_SET_STRING, key, value + 1) :
					   configure(fd, FSCONFIG_SET_FLAG, key, NULL);
		if (done < 0)
			return -1;
		key = value + strlen(value) + 1;
	}
	return 0;
}

static long attach(int mount, const char *target)
{
	return result_of(
		syscall(SYS_move_mount, mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

static long job_filesystem(struct job *job)
{
	AUTO_FD context = open_filesystem(job->texts[0]);
	if (context < 0)
		return -errno;
	if (configure(context, FSCONFIG_SET_STRING, "source", job->texts[1]) < 0 ||
	    apply_options(job, context) < 0 ||
	    configure(context, FSCONFIG_CMD_CREATE, NULL, NULL) < 0) {
		explain(job, context);
		return -errno;
	}
	AUTO_FD mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, job->flags[0]);
	if (mount < 0)
		return -errno;
	return attach(mount, job->texts[2]);
}

/* mountFilesystem(id, type, source, target, pairs of key and "=value" or "", attributes) */
static long mount_filesystem(struct call *call)
{
	struct job *job = job_create(call, job_filesystem);
	if (job) {
		job->texts[0] = job_text(call, 1, 64);
		job->texts[1] = job_text(call, 2, MAX_PATH);
		job->texts[2] = job_text(call, 3, MAX_PATH);
		job->block = take_block(call, 4, &job->block_size);
		job->flags[0] = (unsigned long)take_integer(call, 5, 0, INT_MAX);
	}
	return job_start(call, job);
}

static long job_bind(struct job *job)
{
	unsigned int recursive = job->flags[0] ? AT_RECURSIVE : 0;
	AUTO_FD tree = (int)syscall(SYS_open_tree, AT_FDCWD, job->texts[0],
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (tree < 0)
		return -errno;
	struct mount_attr attributes = { .attr_set = job->flags[1], .attr_clr = job->flags[2] };
	if ((attributes.attr_set || attributes.attr_clr) &&
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attributes,
		    sizeof(attributes)) < 0)
		return -errno;
	return attach(tree, job->texts[1]);
}

/* mountBind(id, source, target, recursive, attributes to set, attributes to clear) */
static long mount_bind(struct call *call)
{
	struct job *job = job_create(call, job_bind);
	if (job) {
		job->texts[0] = job_text(call, 1, MAX_PATH);
		job->texts[1] = job_text(call, 2, MAX_PATH);
		job->flags[0] = (unsigned long)take_integer(call, 3, 0, 1);
		job->flags[1] = (unsigned long)take_integer(call, 4, 0, INT_MAX);
		job->flags[2] = (unsigned long)take_integer(call, 5, 0, INT_MAX);
	}
	return job_start(call, job);
}

/*
 * The thread walks into another mount namespace and back. Its root and directory are that
 * namespace's meanwhile, so it shares them with no other thread and does no further job.
 */
static long job_clone_root(struct job *job)
{
	unsigned int recursive = job->flags[0] ? AT_RECURSIVE : 0;
	struct mount_attr attributes = { .attr_set = job->flags[1], .propagation = MS_PRIVATE };
	job->spoils_thread = true;
	AUTO_FD home = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_FS) < 0 || setns(job->fds[0], CLONE_NEWNS) < 0)
		return -errno;
	AUTO_FD tree = (int)syscall(SYS_open_tree, AT_FDCWD, "/",
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (tree < 0 ||
	    syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | recursive, &attributes,
		    sizeof(attributes)) < 0 ||
	    setns(home, CLONE_NEWNS) < 0)
		return -errno;
	return result_of(syscall(SYS_move_mount, tree, "", job->fds[1], "",
				 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

/* mountRootOf(id, mount namespace, target directory, recursive, attributes to set) */
static long mount_root_of(struct call *call)
{
	struct job *job = job_create(call, job_clone_root);
	if (job) {
		job->fds[0] = take_fd(call, 1);
		job->fds[1] = take_fd(call, 2);
		job->flags[0] = (unsigned long)take_integer(call, 3, 0, 1);
		job->flags[1] = (unsigned long)take_integer(call, 4, 0, INT_MAX);
	}
	return job_start(call, job);
}

static long job_legacy(struct job *job)
{
	return result_of(mount(job->texts[0], job->texts[1], job->texts[2], job->flags[0],
			       job->block_size ? job->block : NULL));
}

/* mountLegacy(id, source, target, type, MS_* flags, data: one string or nothing) */
static long mount_legacy(struct call *call)
{
	struct job *job = job_create(call, job_legacy);
	if (job) {
		job->texts[0] = job_text(call, 1, MAX_PATH);
		job->texts[1] = job_text(call, 2, MAX_PATH);
		job->texts[2] = job_text(call, 3, 64);
		job->flags[0] = (unsigned long)take_integer(call, 4, 0, UINT_MAX);
		job->block = take_block(call, 5, &job->block_size);
	}
	return job_start(call, job);
}

static long job_unmount(struct job *job)
{
	return result_of(umount2(job->texts[0], (int)job->flags[0]));
}

/* unmount(id, target, detach) */
static long mount_unmount(struct call *call)
{
	struct job *job = job_create(call, job_unmount);
	if (job) {
		job->texts[0] = job_text(call, 1, MAX_PATH);
		job->flags[0] = UMOUNT_NOFOLLOW | (take_integer(call, 2, 0, 1) ? DETACH : 0);
	}
	return job_start(call, job);
}

/* probeFsconfig(type, key, value): whether this kernel's file system knows an option; nothing is mounted */
static long mount_probe(struct call *call)
{
	char type[64], key[64], value[MAX_PATH];
	take_text(call, 0, type, sizeof(type));
	take_text(call, 1, key, sizeof(key));
	take_text(call, 2, value, sizeof(value));
	if (call->failed)
		return 0;
	AUTO_FD context = open_filesystem(type);
	if (context < 0)
		return -errno;
	return result_of(configure(context, FSCONFIG_SET_STRING, key, value));
}

const struct function mount_functions[] = {
	{ "mountFilesystem", mount_filesystem, 6 },
	{ "mountBind", mount_bind, 6 },
	{ "mountRootOf", mount_root_of, 5 },
	{ "mountLegacy", mount_legacy, 6 },
	{ "unmount", mount_unmount, 3 },
	{ "probeFsconfig", mount_probe, 3 },
	{ 0 },
};
