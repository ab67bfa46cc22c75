#include "devices.h"

#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base.h"
#include "path.h"
#include "syscalls.h"

#define DEVPTS_MAGIC 0x1cd1

static bool is_device(const struct stat *stat, mode_t type, unsigned major, unsigned minor)
{
	return (stat->st_mode & S_IFMT) == type && stat->st_rdev == makedev(major, minor);
}

static mode_t device_type(const struct device *device)
{
	return device->type == 'c' ? S_IFCHR : device->type == 'b' ? S_IFBLK : S_IFIFO;
}

/* The mount is read-only, which keeps the node's owner, mode and times the host's; the device behind it is not concerned. */
static int open_host_device(struct device *device)
{
	const struct mount_attributes readonly = { .set = MOUNT_ATTR_RDONLY };
	device->fd = sys_open_tree(AT_FDCWD, device->path, OPEN_TREE_CLONE);
	struct stat stat;
	int result = device->fd < 0 ? device->fd : sys_mount_setattr(device->fd, "", AT_EMPTY_PATH, &readonly);
	if (result >= 0)
		result = check(fstat(device->fd, &stat));
	if (result < 0)
		return fail(STAGE_DEVICE, result, "bind the host's %s (mknod is not allowed here)", device->path);
	if (!is_device(&stat, device_type(device), device->major, device->minor))
		return fail(STAGE_DEVICE, -ENODEV, "bind the host's %s, which is another device", device->path);
	return 0;
}

int open_host_devices(struct plan *plan)
{
	if (prctl(PR_CAPBSET_READ, CAP_MKNOD) == 1)
		return 0;
	for (struct device *device = plan->devices; device; device = device->next) {
		int result = device->type == 'p' ? 0 : open_host_device(device);
		if (result < 0)
			return result;
	}
	return 0;
}

int make_device(int root, struct device *device, struct parent_cache *cache)
{
	const char *name;
	int parent = open_parent(root, device->path, cache, &name);
	if (parent < 0)
		return fail(STAGE_DEVICE, parent, "make the directory of %s", device->path);
	if (device->fd >= 0) {
		cleanup_fd int target = open_or_create(root, device->path, CREATE_FILE);
		int result = target < 0 ? target : attach(device->fd, target);
		return result < 0 ? fail(STAGE_DEVICE, result, "bind the device %s", device->path) : 0;
	}
	int result = check(mknodat(parent, name, device_type(device) | device->mode, makedev(device->major, device->minor)));
	if (result == -EEXIST)
		return 0;
	if (result == 0 && (device->uid || device->gid))
		result = check(fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW));
	return result < 0 ? fail(STAGE_DEVICE, result, "make the device %s", device->path) : 0;
}

int open_terminal(const struct plan *plan, int root, int *master, int *slave)
{
	*master = open_inside(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	struct statfs stat;
	/* The image could have put anything there; only a terminal of a devpts will do. */
	if (*master >= 0 && (fstatfs(*master, &stat) < 0 || stat.f_type != DEVPTS_MAGIC))
		return fail(STAGE_TERMINAL, -ENODEV, "/dev/pts/ptmx in the container is not a pseudo terminal");
	if (*master < 0)
		return fail(STAGE_TERMINAL, *master, "open /dev/pts/ptmx in the container");
	int locked = 0;
	int result = check(ioctl(*master, TIOCSPTLCK, &locked));
	*slave = result < 0 ? result : check(ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (*slave < 0)
		return fail(STAGE_TERMINAL, *slave, "open the terminal's slave");
	if (plan->stdio_flags & (STDIO_WITH_ROWS | STDIO_WITH_COLUMNS)) {
		struct winsize size = { .ws_row = (unsigned short)plan->rows, .ws_col = (unsigned short)plan->columns };
		ioctl(*master, TIOCSWINSZ, &size);
	}
	return 0;
}

int bind_console(int root, int slave)
{
	cleanup_fd int tree = sys_open_tree(slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	cleanup_fd int target = open_or_create(root, "/dev/console", CREATE_FILE);
	int result = tree < 0 ? tree : target < 0 ? target : attach(tree, target);
	return result < 0 ? fail(STAGE_TERMINAL, result, "bind the terminal at /dev/console") : 0;
}

int open_null(int root, uint64_t flags)
{
	cleanup_fd int fd = open_inside(root, "/dev/null", flags | O_NOFOLLOW);
	struct stat stat;
	if (fd < 0 || fstat(fd, &stat) < 0)
		return fd;
	return is_device(&stat, S_IFCHR, 1, 3) ? take_fd_from(&fd) : -ENODEV;
}

/* A null device of the container's own, in a file system that goes with it. */
static int make_null(void)
{
	cleanup_fd int context = sys_fsopen("tmpfs");
	int result = context < 0 ? context : sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL);
	cleanup_fd int directory = result < 0 ? result : sys_fsmount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (directory < 0)
		return directory;
	result = check(mknodat(directory, "null", S_IFCHR | 0666, makedev(1, 3)));
	return result < 0 ? result : check(openat(directory, "null", O_RDWR | O_CLOEXEC));
}

int open_null_stream(int root)
{
	/* Looked at before it is opened, and again after: in a container that runs, others may put something in its place. */
	cleanup_fd int seen = open_null(root, O_PATH);
	int fd = seen < 0 ? seen : open_null(root, O_RDWR | O_NONBLOCK | O_NOCTTY);
	int result = fd < 0 ? fd : check(fcntl(fd, F_SETFL, 0));
	if (fd < 0)
		result = fd = make_null();
	return result < 0 ? fail(STAGE_DEVICE, result, "open /dev/null in the container") : fd;
}
