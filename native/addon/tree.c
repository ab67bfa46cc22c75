/*
 * Copies of whole trees, on a job's thread. Every name is walked once, from
 * the directory that is open already, and never through a symbolic link: the trees may
 * change meanwhile under the hands of a container, and be as deep as it likes.
 */
#define _GNU_SOURCE
#include "addon.h"
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINKS_LEAST 64
#define CHUNK ((size_t)1 << 20)
/* So little that the copy soon sees that it is wanted no more, also on a slow disk. */
#define SPAN (CHUNK * 8)
#define XATTR_SIZE ((size_t)64 << 10)

struct link *find_link(const struct link_table *table, dev_t dev, ino_t ino)
{
	size_t at = (size_t)(ino * 0x9e3779b97f4a7c15ull >> 20) & (table->room - 1);
	while (table->links[at].path && (table->links[at].dev != dev || table->links[at].ino != ino))
		at = (at + 1) & (table->room - 1);
	return &table->links[at];
}

static int grow_links(struct link_table *table)
{
	struct link_table grown = { .room = table->room ? table->room * 2 : LINKS_LEAST, .count = table->count };
	if (table->count * 2 < table->room)
		return 0;
	grown.links = calloc(grown.room, sizeof(*grown.links));
	if (!grown.links)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++)
		if (table->links[i].path)
			*find_link(&grown, table->links[i].dev, table->links[i].ino) = table->links[i];
	free(table->links);
	*table = grown;
	return 0;
}

int remember_link(struct link_table *table, const struct stat *stat, ino_t copy, const char *path)
{
	int result = grow_links(table);
	if (result < 0)
		return result;
	struct link *link = find_link(table, stat->st_dev, stat->st_ino);
	if (link->path) {
		link->copy = copy;
		return 0;
	}
	*link = (struct link){ stat->st_dev, stat->st_ino, copy, strdup(path) };
	if (!link->path)
		return -ENOMEM;
	table->count++;
	return 0;
}

void free_links(struct link_table *table)
{
	for (size_t i = 0; i < table->room; i++)
		free(table->links[i].path);
	free(table->links);
	*table = (struct link_table){ 0 };
}

static int remember_copy(struct copy *copy, const struct stat *stat, int fd)
{
	struct stat made;
	return fstat(fd, &made) < 0 ? -errno : remember_link(&copy->links, stat, made.st_ino, copy->path);
}

/*
 * One more name for a file that is copied. If another process has put another file in its
 * place meanwhile, no link to that is made.
 */
static int make_link(struct copy *copy, const struct link *link, int to, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	AUTO_FD fd = (int)syscall(SYS_openat2, copy->levels[0].to, link->path, &how, sizeof(how));
	struct stat stat;
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	if (stat.st_ino != link->copy)
		return -ESTALE;
	char place[64];
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, place, to, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *bytes, size_t size, off_t at)
{
	while (size > 0) {
		ssize_t written = pwrite(fd, bytes, size, at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		bytes += written;
		size -= (size_t)written;
		at += written;
	}
	return 0;
}

static int check_line(const struct copy *copy)
{
	char byte;
	return recv(copy->line, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0 ? -ECANCELED : 0;
}

/* A reader that is slow, or is none, misses some. */
static void count_copied(struct copy *copy, ssize_t bytes)
{
	copy->copied += bytes;
	if (copy->copied - copy->told < (int64_t)SPAN)
		return;
	copy->told = copy->copied;
	send(copy->line, &copy->told, sizeof(copy->told), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Within the kernel where both file systems allow it. */
static int copy_span(struct copy *copy, int from, int to, off_t at, off_t end)
{
	bool in_kernel = true;
	while (at < end) {
		size_t size = (size_t)(end - at);
		if (check_line(copy) < 0)
			return -ECANCELED;
		if (in_kernel) {
			off_t in = at, out = at;
			ssize_t done = copy_file_range(from, &in, to, &out, size < SPAN ? size : SPAN, 0);
			if (done > 0) {
				count_copied(copy, done);
				at += done;
				continue;
			}
			in_kernel = false;
		}
		ssize_t got = pread(from, copy->buffer, size < CHUNK ? size : CHUNK, at);
		if (got < 0 && errno == EINTR)
			continue;
		/* It has become shorter meanwhile. */
		if (got <= 0)
			return got < 0 ? -errno : 0;
		int result = write_all(to, copy->buffer, (size_t)got, at);
		if (result < 0)
			return result;
		count_copied(copy, got);
		at += got;
	}
	return 0;
}

static int copy_content(struct copy *copy, int from, int to, off_t size)
{
	if (size == 0 || ioctl(to, FICLONE, from) == 0)
		return 0;
	if (copy->rehearses) {
		copy->cannot_share = true;
		return -EXDEV;
	}
	for (off_t at = 0; at < size;) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		/* Without knowledge of holes all is data. */
		off_t hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
		data = data < 0 ? at : data;
		hole = hole < 0 || hole > size ? size : hole;
		int result = copy_span(copy, from, to, data, hole);
		if (result < 0)
			return result;
		at = hole > data ? hole : size;
	}
	return ftruncate(to, size) < 0 ? -errno : 0;
}

/*
 * Attributes and files that the file system of the copy cannot hold are skipped, as by cp
 * --archive.
 */
static bool is_foreign(int error, mode_t mode)
{
	return error == EOPNOTSUPP || error == ENODATA || (error == EPERM && !S_ISREG(mode) && !S_ISDIR(mode));
}

/* Both paths lead to the thing itself: by a descriptor, or by a directory's descriptor and a name that is not followed. */
static int copy_attributes(struct copy *copy, const char *from, const char *to, bool follow, mode_t mode)
{
	ssize_t size = follow ? listxattr(from, copy->names, XATTR_SIZE) : llistxattr(from, copy->names, XATTR_SIZE);
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = copy->names; name < copy->names + size; name += strlen(name) + 1) {
		if (strncmp(name, "trusted.overlay.", 16) == 0)
			continue;
		ssize_t length = follow ? getxattr(from, name, copy->value, XATTR_SIZE) :
					  lgetxattr(from, name, copy->value, XATTR_SIZE);
		if (length >= 0)
			length = follow ? setxattr(to, name, copy->value, (size_t)length, 0) :
					  lsetxattr(to, name, copy->value, (size_t)length, 0);
		if (length < 0 && !is_foreign(errno, mode))
			return -errno;
	}
	return 0;
}

/* Owner, then mode, then attributes: chown(2) takes away setuid bits and security.capability. Times come last. */
static int settle_fd(struct copy *copy, int from, int to, const struct stat *stat)
{
	char source[64], place[64];
	const struct timespec times[2] = { stat->st_atim, stat->st_mtim };
	snprintf(source, sizeof(source), "/proc/self/fd/%d", from);
	snprintf(place, sizeof(place), "/proc/self/fd/%d", to);
	if (fchown(to, stat->st_uid, stat->st_gid) < 0 || fchmod(to, stat->st_mode & 07777) < 0)
		return -errno;
	int result = copy_attributes(copy, source, place, true, stat->st_mode);
	if (result < 0)
		return result;
	return futimens(to, times) < 0 ? -errno : 0;
}

/* The same for files that cannot be opened: links, devices, pipes and sockets. */
static int settle_name(struct copy *copy, int from, int to, const char *name, const struct stat *stat)
{
	char source[NAME_MAX + 64], place[NAME_MAX + 64];
	const struct timespec times[2] = { stat->st_atim, stat->st_mtim };
	if (fchownat(to, name, stat->st_uid, stat->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(stat->st_mode)) {
		AUTO_FD fd = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
		if (fd < 0 || chmod(place, stat->st_mode & 07777) < 0)
			return -errno;
	}
	snprintf(source, sizeof(source), "/proc/self/fd/%d/%s", from, name);
	snprintf(place, sizeof(place), "/proc/self/fd/%d/%s", to, name);
	int result = copy_attributes(copy, source, place, false, stat->st_mode);
	if (result < 0)
		return result;
	return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_file(struct copy *copy, int from, int to, const char *name)
{
	struct stat stat;
	AUTO_FD source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (source < 0 || fstat(source, &stat) < 0)
		return -errno;
	/* Another thing stands there by now. */
	if (!S_ISREG(stat.st_mode))
		return -ESTALE;
	AUTO_FD made = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (made < 0)
		return -errno;
	int result = copy_content(copy, source, made, stat.st_size);
	if (result >= 0)
		result = settle_fd(copy, source, made, &stat);
	return result >= 0 && stat.st_nlink > 1 ? remember_copy(copy, &stat, made) : result;
}

static int copy_symlink(int from, int to, const char *name)
{
	char target[MAX_PATH];
	ssize_t length = readlinkat(from, name, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = 0;
	return symlinkat(target, to, name) < 0 ? -errno : 0;
}

int enter_copy(struct copy *copy, int from, int to)
{
	struct level *level = &copy->levels[copy->depth];
	if (fstat(from, &level->stat) < 0)
		return -errno;
	int reading = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int writing = reading < 0 ? -1 : openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	level->from = writing < 0 ? NULL : fdopendir(reading);
	if (!level->from) {
		int error = errno;
		close_fd(&reading);
		close_fd(&writing);
		return -error;
	}
	level->to = writing;
	level->path_length = copy->path_length;
	level->updates = level->changed = false;
	copy->depth++;
	struct stat made;
	if (!copy->rehearses)
		return 0;
	return fstat(to, &made) < 0 ? -errno : remember_link(&copy->directories, &level->stat, made.st_ino, "");
}

static int leave(struct copy *copy)
{
	struct level *level = &copy->levels[--copy->depth];
	bool is_settled = level->updates && !level->changed && is_unchanged(copy, &level->stat);
	int result = is_settled ? 0 : settle_fd(copy, dirfd(level->from), level->to, &level->stat);
	copy->path_length = level->path_length;
	copy->path[copy->path_length] = 0;
	closedir(level->from);
	close(level->to);
	return result;
}

static int copy_directory(struct copy *copy, int from, int to, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (copy->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	AUTO_FD source = openat(from, name, flags);
	if (source < 0 || mkdirat(to, name, 0700) < 0)
		return -errno;
	AUTO_FD made = openat(to, name, flags);
	return made < 0 ? -errno : enter_copy(copy, source, made);
}

int copy_entry(struct copy *copy, int from, int to, const char *name)
{
	struct stat stat;
	if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
		/* Removed since the directory was read. */
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(stat.st_mode))
		return copy_directory(copy, from, to, name);
	if (stat.st_nlink > 1 && copy->links.count) {
		const struct link *link = find_link(&copy->links, stat.st_dev, stat.st_ino);
		if (link->path)
			return make_link(copy, link, to, name);
	}
	if (S_ISREG(stat.st_mode))
		return copy_file(copy, from, to, name);
	int result = S_ISLNK(stat.st_mode) ? copy_symlink(from, to, name) :
		     mknodat(to, name, (stat.st_mode & S_IFMT) | 0600, stat.st_rdev) < 0 ? -errno :
											   0;
	if (result >= 0)
		result = settle_name(copy, from, to, name, &stat);
	if (result < 0 || stat.st_nlink == 1)
		return result;
	AUTO_FD made = openat(to, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return made < 0 ? -errno : remember_copy(copy, &stat, made);
}

/* What was found is gone by now, or something else stands there. */
static bool is_race(int result)
{
	return result == -ENOENT || result == -ESTALE || result == -ENOTDIR || result == -EISDIR || result == -ELOOP;
}

/* Appends the name to the path; the path of a directory that was entered stays until it is left. */
int copy_next(struct copy *copy)
{
	struct level *level = &copy->levels[copy->depth - 1];
	if (check_line(copy) < 0)
		return -ECANCELED;
	errno = 0;
	const struct dirent *entry = readdir(level->from);
	if (!entry)
		return errno ? -errno : leave(copy);
	const char *name = entry->d_name;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	size_t before = copy->path_length, depth = copy->depth;
	int length = snprintf(copy->path + before, sizeof(copy->path) - before, before ? "/%s" : "%s", name);
	if ((size_t)length >= sizeof(copy->path) - before)
		return -ENAMETOOLONG;
	copy->path_length = before + (size_t)length;
	int result = level->updates ? update_entry(copy, dirfd(level->from), level->to, name) :
				      copy_entry(copy, dirfd(level->from), level->to, name);
	if (copy->rehearses && !copy->cannot_share && copy->depth == depth && is_race(result))
		result = 0;
	if (copy->depth > depth)
		copy->levels[depth].path_length = before;
	else if (result >= 0)
		copy->path[copy->path_length = before] = 0;
	return result;
}

void leave_all(struct copy *copy)
{
	while (copy->depth > 0) {
		struct level *level = &copy->levels[--copy->depth];
		closedir(level->from);
		close(level->to);
	}
	copy->path[copy->path_length = 0] = 0;
}

static void free_copy(struct copy *copy)
{
	leave_all(copy);
	free_links(&copy->links);
	free_links(&copy->directories);
	free(copy->buffer);
	free(copy->names);
	free(copy->value);
	free(copy);
}

/* Says that the first pass is over, and waits for the word that nobody writes any longer. */
static int pass_gate(int line)
{
	const int64_t mark = -1;
	char byte;
	if (send(line, &mark, sizeof(mark), MSG_NOSIGNAL) != sizeof(mark))
		return -ECANCELED;
	return read(line, &byte, 1) == 1 ? 0 : -ECANCELED;
}

static int copy_all(struct copy *copy, int from, int to)
{
	int result = enter_copy(copy, from, to);
	while (result >= 0 && copy->depth > 0)
		result = copy_next(copy);
	return result;
}

static long job_copy(struct job *job)
{
	int from = job->fds[0], to = job->fds[1];
	bool waits = job->flags[1];
	struct copy *copy = calloc(1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	copy->line = (int)job->flags[0];
	copy->buffer = malloc(CHUNK);
	copy->names = malloc(XATTR_SIZE);
	copy->value = malloc(XATTR_SIZE);
	int result = copy->buffer && copy->names && copy->value ? 0 : -ENOMEM;
	if (result >= 0 && !waits)
		result = copy_all(copy, from, to);
	else if (result >= 0) {
		result = copy_first(copy, from, to);
		if (result >= 0)
			result = pass_gate(copy->line);
		if (result >= 0)
			result = copy_second(copy, from, to);
	}
	long value = result < 0 ? result : (long)copy->copied;
	if (result < 0 && copy->path[0] && (job->data = strdup(copy->path)))
		job->size = strlen(copy->path);
	free_copy(copy);
	return value;
}

/*
 * copyTree(id, from, to, line, waits) -> bytes that were copied, as opposed to shared by
 * reflink. The line is a socket: the copy ends when its other end is closed, and tells there now
 * and then how many bytes it has copied, in 8 bytes of this machine's order. One that waits is
 * made in two passes: after the first, during which others may write, it sends -1 and waits for
 * a byte. The descriptors stay open until the report. Of a refusal the report's bytes are the
 * path that could not be copied.
 */
static long tree_copy(struct call *call)
{
	struct job *job = job_create(call, job_copy);
	if (job) {
		job->fds[0] = take_fd(call, 1);
		job->fds[1] = take_fd(call, 2);
		job->flags[0] = (unsigned long)take_fd(call, 3);
		job->flags[1] = (unsigned long)take_integer(call, 4, 0, 1);
	}
	return job_start(call, job);
}

const struct function tree_functions[] = {
	{ "copyTree", tree_copy, 5 },
	{ 0 },
};
