/*
 * Copies in two passes, for trees whose writers can be stopped for a moment only: the first
 * pass shares everything while they write, the second repeats what they have changed. The
 * time of the last change (st_ctime), which nobody can set, tells that: of a file that others
 * write to, rename or link. A page that is mapped counts too, since sharing a file writes its
 * pages out, and the next write to one of them sets the time again.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#define BTRFS_MAGIC 0x9123683E
#define XFS_MAGIC 0x58465342
#define NANOSECONDS 1000000000LL

static int64_t nanoseconds(const struct timespec *time)
{
	return time->tv_sec * NANOSECONDS + time->tv_nsec;
}

/* How far the time of day is from a clock that nobody sets. */
static int64_t clock_offset(void)
{
	struct timespec day, steady;
	clock_gettime(CLOCK_REALTIME_COARSE, &day);
	clock_gettime(CLOCK_MONOTONIC_COARSE, &steady);
	return nanoseconds(&day) - nanoseconds(&steady);
}

bool is_unchanged(const struct copy *copy, const struct stat *stat)
{
	return nanoseconds(&stat->st_ctim) < nanoseconds(&copy->begun);
}

/* Local ones, whose times are of this machine's clock. */
static bool can_share(int directory)
{
	struct statfs statfs;
	return fstatfs(directory, &statfs) == 0 &&
	       (statfs.f_type == (__typeof__(statfs.f_type))BTRFS_MAGIC || statfs.f_type == XFS_MAGIC);
}

int copy_first(struct copy *copy, int from, int to)
{
	copy->clock_offset = clock_offset();
	clock_gettime(CLOCK_REALTIME_COARSE, &copy->begun);
	copy->rehearses = true;
	copy->cannot_share = !can_share(from);
	int result = copy->cannot_share ? 0 : enter_copy(copy, from, to);
	while (result >= 0 && copy->depth > 0)
		result = copy_next(copy);
	if (copy->cannot_share) {
		leave_all(copy);
		result = 0;
	}
	copy->rehearses = false;
	/* Files that have changed may have other names by now. */
	free_links(&copy->links);
	return result;
}

/* Removes from the copy what the directory no longer has. */
static int remove_vanished(struct copy *copy)
{
	struct level *level = &copy->levels[copy->depth - 1];
	int fd = openat(level->to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *copied = fd < 0 ? NULL : fdopendir(fd);
	int result = copied ? 0 : -errno;
	if (!copied)
		close_fd(&fd);
	for (const struct dirent *entry; result >= 0 && (entry = readdir(copied));) {
		struct stat stat;
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(dirfd(level->from), name, &stat, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		level->changed = true;
		result = errno == ENOENT ? remove_tree(level->to, name) : -errno;
	}
	if (copied)
		closedir(copied);
	return result;
}

static int enter_update(struct copy *copy, int from, int to)
{
	int result = enter_copy(copy, from, to);
	if (result < 0)
		return result;
	struct level *level = &copy->levels[copy->depth - 1];
	level->updates = true;
	return is_unchanged(copy, &level->stat) ? 0 : remove_vanished(copy);
}

static int update_directory(struct copy *copy, int from, int to, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (copy->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	AUTO_FD source = openat(from, name, flags);
	AUTO_FD made = source < 0 ? -1 : openat(to, name, flags);
	return made < 0 ? -errno : enter_update(copy, source, made);
}

/* Whether the directory that the first pass has copied to this name is still the one that has it. */
static bool is_same_directory(const struct copy *copy, const struct stat *stat, const struct stat *copied)
{
	if (!copy->directories.count || !S_ISDIR(copied->st_mode))
		return false;
	const struct link *known = find_link(&copy->directories, stat->st_dev, stat->st_ino);
	return known->path && known->copy == copied->st_ino;
}

/*
 * Whether a copy with other names is the one that these lead to as well: one of them may be in
 * a directory that had to be copied anew.
 */
static int is_linked(struct copy *copy, const struct stat *stat, const struct stat *copied)
{
	const struct link *known = copy->links.count ? find_link(&copy->links, stat->st_dev, stat->st_ino) : NULL;
	if (known && known->path)
		return known->copy == copied->st_ino;
	int result = remember_link(&copy->links, stat, copied->st_ino, copy->path);
	return result < 0 ? result : 1;
}

int update_entry(struct copy *copy, int from, int to, const char *name)
{
	struct stat stat, copied;
	if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	bool is_there = fstatat(to, name, &copied, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there && S_ISDIR(stat.st_mode) && is_same_directory(copy, &stat, &copied))
		return update_directory(copy, from, to, name);
	if (is_there && !S_ISDIR(stat.st_mode) && is_unchanged(copy, &stat)) {
		int linked = stat.st_nlink > 1 ? is_linked(copy, &stat, &copied) : 1;
		if (linked != 0)
			return linked < 0 ? linked : 0;
	}
	copy->levels[copy->depth - 1].changed = true;
	int result = is_there ? remove_tree(to, name) : 0;
	return result < 0 ? result : copy_entry(copy, from, to, name);
}

int copy_second(struct copy *copy, int from, int to)
{
	/* Times say nothing where nothing was shared, or when the clock was set back. */
	if (copy->cannot_share || clock_offset() < copy->clock_offset - NANOSECONDS / 1000)
		copy->begun = (struct timespec){ 0 };
	int result = enter_update(copy, from, to);
	while (result >= 0 && copy->depth > 0)
		result = copy_next(copy);
	return result;
}
