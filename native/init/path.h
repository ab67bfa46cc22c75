/* Walks along names that the image has made: none leads out of the container's root. */
#ifndef PATH_H
#define PATH_H

#include <stddef.h>
#include <stdint.h>

/* No symlink and no `..` of the container leads out of its root. */
int open_inside(int root, const char *path, uint64_t flags);

/* The place of a mount below `root`, as O_PATH; what is missing is made as `create` (CREATE_*) says. */
int open_or_create(int root, const char *path, uint32_t create);

/* A directory below `root` that exists afterwards. */
int make_directory(int root, const char *path);

/* The directory that is to hold `path`, made when missing; neighbours share it through `cache`. */
struct parent_cache {
	int fd;
	size_t length;
	const char *path;
};

int open_parent(int root, const char *path, struct parent_cache *cache, const char **name);
void close_parent(struct parent_cache *cache);

/* Puts a detached mount on what `target` stands for. */
int attach(int mount, int target);

#endif
