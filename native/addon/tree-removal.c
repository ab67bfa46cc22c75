/*
 * Removals of whole trees. Every name is walked once, from the directory that is open
 * already, and never through a symbolic link.
 */
#define _GNU_SOURCE
#include "addon.h"
#include "tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Deeper directories are moved up, which keeps the number of open ones small. */
#define REMOVAL_DEPTH 64

struct removal_level {
	DIR *directory;
	bool found;
	char name[NAME_MAX + 1];
};

struct removal {
	struct removal_level levels[REMOVAL_DEPTH];
	size_t depth;
	unsigned int moved;
};

/* Not into another mount, whose files belong to someone else. */
static int open_to_remove(struct removal *removal, int parent, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof(how));
	if (fd < 0)
		return -errno;
	struct removal_level *level = &removal->levels[removal->depth];
	level->directory = fdopendir(fd);
	if (!level->directory) {
		int error = errno;
		close(fd);
		return -error;
	}
	level->found = false;
	snprintf(level->name, sizeof(level->name), "%s", name);
	removal->depth++;
	return 0;
}

/* Until the tree's own directory holds it, from where it is removed like all that is there. */
static int move_up(struct removal *removal, int parent, const char *name)
{
	char next[32];
	int root = dirfd(removal->levels[0].directory);
	do {
		snprintf(next, sizeof(next), ".moved-%u", removal->moved++);
		if (syscall(SYS_renameat2, parent, name, root, next, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return -errno;
}

/* The kernel itself refuses only where the mount is in this mount namespace, and undoes it elsewhere. */
static bool is_mounted_on(int parent, const char *name)
{
	struct statx entry;
	return statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &entry) == 0 &&
	       entry.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int remove_entry(struct removal *removal, int parent, const char *name)
{
	if (is_mounted_on(parent, name))
		return -EBUSY;
	if (unlinkat(parent, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int error = errno;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno == ENOTDIR ? -error : -errno;
	return removal->depth == REMOVAL_DEPTH ? move_up(removal, parent, name) : open_to_remove(removal, parent, name);
}

/* One entry of the innermost directory, or, when a whole pass has found none, that directory. */
static int remove_next(struct removal *removal, int parent)
{
	struct removal_level *level = &removal->levels[removal->depth - 1];
	errno = 0;
	const struct dirent *entry = readdir(level->directory);
	if (entry) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			return 0;
		level->found = true;
		return remove_entry(removal, dirfd(level->directory), entry->d_name);
	}
	if (errno)
		return -errno;
	if (level->found) {
		level->found = false;
		rewinddir(level->directory);
		return 0;
	}
	closedir(level->directory);
	removal->depth--;
	if (removal->depth > 0)
		parent = dirfd(removal->levels[removal->depth - 1].directory);
	return unlinkat(parent, level->name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int remove_tree(int parent, const char *name)
{
	struct removal *removal = calloc(1, sizeof(*removal));
	if (!removal)
		return -ENOMEM;
	int result = remove_entry(removal, parent, name);
	while (result >= 0 && removal->depth > 0)
		result = remove_next(removal, parent);
	while (removal->depth > 0)
		closedir(removal->levels[--removal->depth].directory);
	free(removal);
	return result;
}

static long job_remove(struct job *job)
{
	return remove_tree(job->fds[0], job->texts[0]);
}

/* removeTree(id, directory, name in it); a mount in the tree ends it with EXDEV or EBUSY. The descriptor stays open until the report. */
static long tree_remove(struct call *call)
{
	struct job *job = job_create(call, job_remove);
	if (job) {
		job->fds[0] = take_fd(call, 1);
		job->texts[0] = job_text(call, 2, NAME_MAX + 1);
	}
	return job_start(call, job);
}

/* removeTreeNow(directory, name in it): the same at once, for threads that may wait */
static long tree_remove_now(struct call *call)
{
	char name[NAME_MAX + 1];
	int parent = take_fd(call, 0);
	take_text(call, 1, name, sizeof(name));
	return call->failed ? 0 : remove_tree(parent, name);
}

const struct function removal_functions[] = {
	{ "removeTree", tree_remove, 3 },
	{ "removeTreeNow", tree_remove_now, 2 },
	{ 0 },
};
