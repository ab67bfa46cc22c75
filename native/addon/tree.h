#ifndef TREE_H
#define TREE_H

#include "addon.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 1000

/* A file of several names, or a directory, that is copied already. */
struct link {
	dev_t dev;
	ino_t ino;
	ino_t copy;
	/* NULL where the table has none. */
	char *path;
};

struct link_table {
	struct link *links;
	size_t room, count;
};

/* A directory that the copy is in. */
struct level {
	DIR *from;
	int to;
	struct stat stat;
	size_t path_length;
	/* It is copied already, and brought up to date; `changed` says that this was needed. */
	bool updates, changed;
};

struct copy {
	struct level levels[DEPTH_MAX];
	size_t depth;
	/* From the root of the copy to the entry at hand. */
	char path[MAX_PATH * 2];
	size_t path_length;
	struct link_table links;
	char *buffer;
	char *names, *value;
	/* A socket whose other end is closed when the copy is wanted no more; it is told how far the copy is. */
	int line;
	/* Bytes that were copied, as opposed to shared with their origin, and how many of them are told. */
	int64_t copied, told;
	/* The first of two passes: what changes under its hands is left to the second. */
	bool rehearses;
	/* Of the first pass: when it began, by the clock of the file system's times, and how far that was from one that is not set. */
	struct timespec begun;
	int64_t clock_offset;
	/* It met a file that cannot be shared, and ended. */
	bool cannot_share;
	struct link_table directories;
};

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

struct link *find_link(const struct link_table *table, dev_t dev, ino_t ino);
int remember_link(struct link_table *table, const struct stat *stat, ino_t copy, const char *path);
void free_links(struct link_table *table);
int copy_entry(struct copy *copy, int from, int to, const char *name);
/* Copies or updates one entry of the innermost directory, or leaves that. */
int copy_next(struct copy *copy);
int enter_copy(struct copy *copy, int from, int to);
void leave_all(struct copy *copy);

/* Shares what can be shared while others write, where times tell afterwards what they have changed. */
int copy_first(struct copy *copy, int from, int to);
/* Brings the copy up to date; nobody writes meanwhile. */
int copy_second(struct copy *copy, int from, int to);
int update_entry(struct copy *copy, int from, int to, const char *name);
bool is_unchanged(const struct copy *copy, const struct stat *stat);

/* A file or a whole directory; stops at a mount in it. */
int remove_tree(int parent, const char *name);

#endif
