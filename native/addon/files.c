/* Files by directory descriptor, so that no path is walked twice or out of its root. */
#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define ID_NONE ((int64_t)UINT32_MAX)
#define STAT_FIELDS 11

/* openat2(dirfd, path, flags, mode, resolve) -> descriptor, always O_CLOEXEC */
static long file_openat2(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	struct open_how how = {
		.flags = (uint64_t)take_integer(call, 2, 0, INT_MAX) | O_CLOEXEC,
		.mode = (uint64_t)take_integer(call, 3, 0, 07777),
		.resolve = (uint64_t)take_integer(call, 4, 0, 0xffff),
	};
	if (call->failed)
		return 0;
	/* openat2(2): EAGAIN means that a rename elsewhere raced with a scoped lookup. */
	long fd = -1;
	for (int attempt = 0; attempt < 64; attempt++) {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return result_of(fd);
}

/* mkdirat(dirfd, path, mode) */
static long file_mkdirat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	mode_t mode = (mode_t)take_integer(call, 2, 0, 07777);
	return call->failed ? 0 : result_of(mkdirat(dir, path, mode));
}

/* mknodat(dirfd, path, mode with type, major, minor) */
static long file_mknodat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	mode_t mode = (mode_t)take_integer(call, 2, 0, 0177777);
	unsigned int major = (unsigned int)take_integer(call, 3, 0, 0xfff);
	unsigned int minor = (unsigned int)take_integer(call, 4, 0, 0xfffff);
	return call->failed ? 0 : result_of(mknodat(dir, path, mode, makedev(major, minor)));
}

/* symlinkat(target, dirfd, path) */
static long file_symlinkat(struct call *call)
{
	char target[MAX_PATH], path[MAX_PATH];
	take_text(call, 0, target, sizeof(target));
	int dir = take_dirfd(call, 1);
	take_text(call, 2, path, sizeof(path));
	return call->failed ? 0 : result_of(symlinkat(target, dir, path));
}

/* linkat(from dirfd, from, to dirfd, to, flags) */
static long file_linkat(struct call *call)
{
	char from[MAX_PATH], to[MAX_PATH];
	int from_dir = take_dirfd(call, 0);
	take_text(call, 1, from, sizeof(from));
	int to_dir = take_dirfd(call, 2);
	take_text(call, 3, to, sizeof(to));
	int flags = (int)take_integer(call, 4, 0, 0xffff);
	return call->failed ? 0 : result_of(linkat(from_dir, from, to_dir, to, flags));
}

/* unlinkat(dirfd, path, flags) */
static long file_unlinkat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	int flags = (int)take_integer(call, 2, 0, 0xffff);
	return call->failed ? 0 : result_of(unlinkat(dir, path, flags));
}

/* renameat2(from dirfd, from, to dirfd, to, flags) */
static long file_renameat2(struct call *call)
{
	char from[MAX_PATH], to[MAX_PATH];
	int from_dir = take_dirfd(call, 0);
	take_text(call, 1, from, sizeof(from));
	int to_dir = take_dirfd(call, 2);
	take_text(call, 3, to, sizeof(to));
	unsigned int flags = (unsigned int)take_integer(call, 4, 0, 7);
	return call->failed ? 0 : result_of(renameat2(from_dir, from, to_dir, to, flags));
}

/* readlinkat(dirfd, path, out) -> length; as long as `out` means cut off */
static long file_readlinkat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	struct span out = take_bytes(call, 2);
	return call->failed ? 0 : result_of(readlinkat(dir, path, (char *)out.data, out.size));
}

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* fstatat(dirfd, path, flags, out): mode uid gid size mtime nlink ino dev rdev blocks ctime */
static long file_fstatat(struct call *call)
{
	char path[MAX_PATH];
	struct stat st;
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	int flags = (int)take_integer(call, 2, 0, 0xffff);
	int64_t *out = take_i64_array(call, 3, STAT_FIELDS);
	if (call->failed)
		return 0;
	if (fstatat(dir, path, &st, flags) < 0)
		return -errno;
	out[0] = st.st_mode;
	out[1] = st.st_uid;
	out[2] = st.st_gid;
	out[3] = st.st_size;
	out[4] = nanoseconds(st.st_mtim);
	out[5] = (int64_t)st.st_nlink;
	out[6] = (int64_t)st.st_ino;
	out[7] = (int64_t)st.st_dev;
	out[8] = (int64_t)st.st_rdev;
	out[9] = st.st_blocks;
	out[10] = nanoseconds(st.st_ctim);
	return 0;
}

/* fchownat(dirfd, path, uid, gid, flags); UINT32_MAX leaves an id as it is */
static long file_fchownat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	uid_t uid = (uid_t)take_integer(call, 2, 0, ID_NONE);
	gid_t gid = (gid_t)take_integer(call, 3, 0, ID_NONE);
	int flags = (int)take_integer(call, 4, 0, 0xffff);
	return call->failed ? 0 : result_of(fchownat(dir, path, uid, gid, flags));
}

/* fchmodat(dirfd, path, mode, flags) */
static long file_fchmodat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	mode_t mode = (mode_t)take_integer(call, 2, 0, 07777);
	int flags = (int)take_integer(call, 3, 0, 0xffff);
	if (call->failed)
		return 0;
	/* Linux 6.6; before it, glibc goes through /proc, but knows no empty path. */
	if (syscall(SYS_fchmodat2, dir, path, mode, flags) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
	if (path[0] || !(flags & AT_EMPTY_PATH))
		return result_of(fchmodat(dir, path, mode, flags));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return result_of(chmod(path, mode));
}

static struct timespec timespec_of(int64_t nanos)
{
	int64_t seconds = nanos / 1000000000;
	int64_t rest = nanos % 1000000000;
	if (rest < 0) {
		rest += 1000000000;
		seconds--;
	}
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = rest };
}

/* utimensat(dirfd, path, atime, mtime in nanoseconds, flags) */
static long file_utimensat(struct call *call)
{
	char path[MAX_PATH];
	int dir = take_dirfd(call, 0);
	take_text(call, 1, path, sizeof(path));
	struct timespec times[2] = { timespec_of(take_i64(call, 2)),
				     timespec_of(take_i64(call, 3)) };
	int flags = (int)take_integer(call, 4, 0, 0xffff);
	return call->failed ? 0 : result_of(utimensat(dir, path, times, flags));
}

/* ftruncate(fd, size) */
static long file_ftruncate(struct call *call)
{
	int fd = take_fd(call, 0);
	off_t size = (off_t)take_integer(call, 1, 0, 1LL << 53);
	return call->failed ? 0 : result_of(ftruncate(fd, size));
}

/* seekExtent(fd, offset, 0 for data, 1 for a hole) -> where the next one begins */
static long file_seek_extent(struct call *call)
{
	int fd = take_fd(call, 0);
	off_t offset = (off_t)take_integer(call, 1, 0, 1LL << 53);
	int whence = take_integer(call, 2, 0, 1) ? SEEK_HOLE : SEEK_DATA;
	return call->failed ? 0 : result_of(lseek(fd, offset, whence));
}

static long job_sync(struct job *job)
{
	return result_of(job->flags[0] ? syncfs(job->fds[0]) : fsync(job->fds[0]));
}

/* syncAsync(id, fd, whole file system) */
static long file_sync_async(struct call *call)
{
	struct job *job = job_create(call, job_sync);
	if (job) {
		job->fds[0] = take_fd(call, 1);
		job->flags[0] = (unsigned long)take_integer(call, 2, 0, 1);
	}
	return job_start(call, job);
}

const struct function file_functions[] = {
	{ "openat2", file_openat2, 5 },	    { "mkdirat", file_mkdirat, 3 },
	{ "mknodat", file_mknodat, 5 },	    { "symlinkat", file_symlinkat, 3 },
	{ "linkat", file_linkat, 5 },	    { "unlinkat", file_unlinkat, 3 },
	{ "renameat2", file_renameat2, 5 }, { "readlinkat", file_readlinkat, 3 },
	{ "fstatat", file_fstatat, 4 },	    { "fchownat", file_fchownat, 5 },
	{ "fchmodat", file_fchmodat, 4 },   { "utimensat", file_utimensat, 5 },
	{ "ftruncate", file_ftruncate, 2 }, { "seekExtent", file_seek_extent, 3 },
	{ "syncAsync", file_sync_async, 3 }, { 0 },
};
