#include "idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base.h"
#include "syscalls.h"

/* The kernel takes one page; a line is at most 33 bytes. */
#define MAP_BYTES 4096

static int write_map(pid_t pid, const char *name, const struct id_map *maps)
{
	char path[64], text[MAP_BYTES];
	int length = 0;
	for (const struct id_map *map = maps; map; map = map->next) {
		length += snprintf(text + length, sizeof text - (size_t)length, "%u %u %u\n", map->inside, map->outside,
				   map->count);
		if (length >= (int)sizeof text)
			return -E2BIG;
	}
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	cleanup_fd int fd = check(open(path, O_WRONLY | O_CLOEXEC));
	/* In one write: a second one is refused. */
	int written = fd < 0 ? fd : check(write(fd, text, (size_t)length));
	return written < 0 ? written : written == length ? 0 : -EIO;
}

static int open_user_namespace(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	return check(open(path, O_RDONLY | O_CLOEXEC));
}

/* A process makes the namespace and holds it until the maps are written and it is open here; then its pipe ends. */
static int make_user_namespace(const struct mount *mount)
{
	int ends[2];
	int result = check(pipe2(ends, O_CLOEXEC));
	if (result < 0)
		return result;
	/* Without a signal at its end, which whoever waits for the container would get. */
	struct clone_args arguments = { .flags = CLONE_NEWUSER };
	pid_t pid = check(syscall(SYS_clone3, &arguments, sizeof arguments));
	if (pid == 0) {
		char end;
		close(ends[1]);
		while (read(ends[0], &end, 1) < 0 && errno == EINTR)
			;
		syscall(SYS_exit_group, 0);
	}
	result = pid < 0 ? pid : write_map(pid, "uid_map", mount->uids);
	if (result >= 0)
		result = write_map(pid, "gid_map", mount->gids);
	if (result >= 0)
		result = open_user_namespace(pid);
	close(ends[0]);
	close(ends[1]);
	while (pid > 0 && check(waitpid(pid, NULL, __WALL)) == -EINTR)
		;
	return result;
}

int open_id_maps(struct plan *plan)
{
	for (struct mount *mount = plan->mounts; mount; mount = mount->next) {
		if (!mount->uids)
			continue;
		mount->userns = make_user_namespace(mount);
		if (mount->userns < 0)
			return fail(STAGE_MOUNT, mount->userns, "make the user namespace for the owners at %s", mount->target);
	}
	return 0;
}

int map_owners(const struct mount *mount)
{
	if (!mount->uids)
		return 0;
	const struct mount_attributes attributes = { .set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)mount->userns };
	unsigned flags = AT_EMPTY_PATH | (mount->recursive ? AT_RECURSIVE : 0);
	int result = sys_mount_setattr(mount->fd, "", flags, &attributes);
	/* The kernel's EINVAL: a file system of the tree that has no id-mapped mounts. */
	return result < 0 ? fail(STAGE_MOUNT, result == -EINVAL ? -EOPNOTSUPP : result, "map the owners of files at %s",
				 mount->target) :
			    0;
}
