#include "path.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"
#include "plan.h"
#include "syscalls.h"

#define SYMLINKS_MAX 40
#define WALKS_MAX 256

int open_inside(int root, const char *path, uint64_t flags)
{
	return sys_openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/* The steps left for a walk along names that the image has made. */
struct budget {
	int links; /* dangling ones, what they point to is made */
	int walks; /* from the root, of at most 40 links of 4095 bytes each: some milliseconds */
};

static int create_at(int root, const char *path, bool directory, struct budget *budget);

/* A dangling symlink stands where a name is to be made: makes its target. */
static int create_behind(int root, int parent, const char *path, size_t start, size_t end, bool directory,
			 struct budget *budget)
{
	char link[PATH_MAX], next[PATH_MAX], name[NAME_MAX + 1];
	if (budget->links-- == 0)
		return -ELOOP;
	memcpy(name, path + start, end - start);
	name[end - start] = 0;
	int length = check(readlinkat(parent, name, link, sizeof link - 1));
	if (length < 0)
		return length == -EINVAL ? -EEXIST : length;
	link[length] = 0;
	int size = link[0] == '/' ? snprintf(next, sizeof next, "%s%s", link, path + end) :
				    snprintf(next, sizeof next, "%.*s%s%s", (int)start, path, link, path + end);
	return size >= (int)sizeof next ? -ENAMETOOLONG : create_at(root, next, directory, budget);
}

/* A plain name is looked up where the walk has come to; a link and `..` lead anywhere, but not out of the root. */
static int open_next(int root, int parent, const char *prefix, const char *name, struct budget *budget)
{
	int fd = strcmp(name, "..") == 0 ? -ELOOP : sys_openat2(parent, name, O_PATH, RESOLVE_NO_SYMLINKS);
	if (fd != -ELOOP)
		return fd;
	return budget->walks-- == 0 ? -ELOOP : open_inside(root, prefix, O_PATH);
}

/*
 * Walks `path` from `root`, making missing directories, and at the end a file unless
 * `directory` is set.
 */
static int create_at(int root, const char *path, bool directory, struct budget *budget)
{
	char prefix[PATH_MAX];
	cleanup_fd int parent = open_inside(root, "/", O_PATH);
	if (parent < 0)
		return parent;
	if (strlen(path) >= sizeof prefix)
		return -ENAMETOOLONG;
	for (size_t start = strspn(path, "/"); path[start];) {
		size_t end = start + strcspn(path + start, "/");
		size_t next = end + strspn(path + end, "/");
		memcpy(prefix, path, end);
		prefix[end] = 0;
		const char *name = prefix + start;
		if (end - start > NAME_MAX)
			return -ENAMETOOLONG;
		int fd = open_next(root, parent, prefix, name, budget);
		if (fd == -ENOENT) {
			int made = path[next] || directory ? check(mkdirat(parent, name, 0755)) :
							     check(mknodat(parent, name, S_IFREG | 0644, 0));
			if (made == -EEXIST)
				return create_behind(root, parent, path, start, end, directory, budget);
			if (made < 0)
				return made;
			fd = open_next(root, parent, prefix, name, budget);
		}
		if (fd < 0)
			return fd;
		close_fd(&parent);
		parent = fd;
		start = next;
	}
	return take_fd_from(&parent);
}

int open_or_create(int root, const char *path, uint32_t create)
{
	struct budget budget = { .links = SYMLINKS_MAX, .walks = WALKS_MAX };
	int fd = open_inside(root, path, O_PATH);
	return fd == -ENOENT && create != CREATE_NONE ? create_at(root, path, create == CREATE_DIRECTORY, &budget) : fd;
}

int make_directory(int root, const char *path)
{
	cleanup_fd int fd = open_or_create(root, path, CREATE_DIRECTORY);
	return fd < 0 ? fd : 0;
}

void close_parent(struct parent_cache *cache)
{
	close_fd(&cache->fd);
}

int open_parent(int root, const char *path, struct parent_cache *cache, const char **name)
{
	const char *slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return -EINVAL;
	size_t length = (size_t)(slash - path);
	*name = slash + 1;
	if (cache->fd >= 0 && cache->length == length && memcmp(cache->path, path, length) == 0)
		return cache->fd;
	char directory[PATH_MAX];
	if (length >= sizeof directory)
		return -ENAMETOOLONG;
	memcpy(directory, path, length);
	directory[length] = 0;
	close_fd(&cache->fd);
	cache->fd = open_or_create(root, length ? directory : "/", CREATE_DIRECTORY);
	cache->path = path;
	cache->length = length;
	return cache->fd;
}

int attach(int mount, int target)
{
	return sys_move_mount(mount, target, "", MOVE_MOUNT_T_EMPTY_PATH);
}
