#include "root.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base.h"
#include "devices.h"
#include "mounts.h"
#include "path.h"
#include "syscalls.h"

#define PROC_MAGIC 0x9fa0ul

/* The kernel calls a directory on a file, or the reverse, merely invalid. */
static bool same_kind(int mount, int target)
{
	struct stat above, below;
	return fstat(mount, &above) < 0 || fstat(target, &below) < 0 || S_ISDIR(above.st_mode) == S_ISDIR(below.st_mode);
}

/*
 * Masks hide parts of these file systems by their usual paths: they must find them there.
 */
static bool is_guarded(const struct mount *mount)
{
	return mount->kind == TAG_MOUNT_FILESYSTEM &&
	       (strcmp(mount->type, "proc") == 0 || strcmp(mount->type, "sysfs") == 0);
}

/*
 * The place of a mount. An image whose /proc is a link could lead the mount to one
 * place and, once its volumes are there, masks and read-only paths to another.
 */
static int open_target(int root, const struct mount *mount)
{
	if (is_guarded(mount)) {
		cleanup_fd int plain = sys_openat2(root, mount->target, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
		if (plain == -ELOOP)
			return fail(STAGE_MOUNT, plain, "mount %s at %s: %s is a symbolic link in the image", mount->type,
				    mount->target, mount->target);
		if (plain != -ENOENT)
			return take_fd_from(&plain);
	}
	return open_or_create(root, mount->target, mount->create);
}

static bool is_procfs(int fd)
{
	struct statfs stat;
	return fstatfs(fd, &stat) == 0 && (unsigned long)stat.f_type == PROC_MAGIC;
}

/* The plan's targets in /proc are checked already; a link of the image must not lead another one there. */
static bool leads_into_proc(const struct mount *mount, int target)
{
	bool says_so = strncmp(mount->target, "/proc", 5) == 0 && (!mount->target[5] || mount->target[5] == '/');
	return !says_so && is_procfs(target);
}

static int attach_mount(int root, struct mount *mount)
{
	cleanup_fd int target = open_target(root, mount);
	if (target < 0)
		return fail(STAGE_MOUNT, target, "make the mount point %s", mount->target);
	if (leads_into_proc(mount, target))
		return fail(STAGE_MOUNT, -EPERM, "mount at %s, which cannot be mounted because it is inside /proc",
			    mount->target);
	int result = attach(mount->fd, target);
	bool mismatch = result < 0 && !same_kind(mount->fd, target);
	close_fd(&mount->fd);
	if (result < 0)
		return fail(STAGE_MOUNT, mismatch ? -ENOTDIR : result, "mount %s at %s%s",
			    mount->source ? mount->source : mount->type ? mount->type : "a directory", mount->target,
			    mismatch ? " (a directory goes on a directory only, and a file on a file)" : "");
	return 0;
}

static int make_symlink(int root, const struct text *symlink, struct parent_cache *cache)
{
	const char *name;
	int parent = open_parent(root, symlink->second, cache, &name);
	int result = parent < 0 ? parent : check(symlinkat(symlink->first, parent, name));
	return result < 0 && result != -EEXIST ? fail(STAGE_SYMLINK, result, "make the symlink %s", symlink->second) : 0;
}

int assemble_root(struct plan *plan)
{
	/* The anchor's own mount must be private before anything is put on it, or the host would see the container's root. */
	struct mount_attributes private = { .propagation = MS_PRIVATE };
	int result = sys_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private);
	if (result < 0)
		return fail(STAGE_ROOT, result, "make the mounts of the host private");
	for (struct mount *mount = plan->mounts; mount; mount = mount->next)
		if (mount->kind == TAG_MOUNT_LEGACY && (result = make_legacy(plan, mount)) < 0)
			return result;
	result = sys_move_mount(plan->mounts->fd, AT_FDCWD, plan->root_anchor, 0);
	if (result < 0)
		return fail(STAGE_ROOT, result, "mount the root at %s", plan->root_anchor);
	int root = plan->mounts->fd;
	for (struct mount *mount = plan->mounts->next; mount; mount = mount->next)
		if ((result = attach_mount(root, mount)) < 0)
			return result;
	struct parent_cache cache __attribute__((cleanup(close_parent))) = { .fd = -1 };
	for (struct device *device = plan->devices; device; device = device->next)
		if ((result = make_device(root, device, &cache)) < 0)
			return result;
	for (struct text *symlink = plan->symlinks; symlink; symlink = symlink->next)
		if ((result = make_symlink(root, symlink, &cache)) < 0)
			return result;
	return root;
}

int enter_root(int root)
{
	int result = check(fchdir(root));
	/* The new root and the place for the old one may be the same: the old one then lies on top and is detached there. */
	if (result >= 0)
		result = check(syscall(SYS_pivot_root, ".", "."));
	if (result >= 0)
		result = check(umount2(".", MNT_DETACH));
	if (result >= 0)
		result = check(chdir("/"));
	return result < 0 ? fail(STAGE_ROOT, result, "switch to the container's root") : 0;
}
