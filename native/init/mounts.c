#include "mounts.h"

#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base.h"
#include "idmap.h"
#include "syscalls.h"

#define DEVPTS_MAGIC 0x1cd1
#define PROC_MAGIC 0x9fa0ul
#define SYMLINKS_MAX 40
#define WALKS_MAX 256

static const uint64_t propagations[] = {
	[PROPAGATION_PRIVATE] = MS_PRIVATE,
	[PROPAGATION_SLAVE] = MS_SLAVE,
	[PROPAGATION_SHARED] = MS_SHARED,
	[PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
};

/* No symlink and no `..` of the container leads out of its root. */
static int open_inside(int root, const char *path, uint64_t flags)
{
	return sys_openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

/*
 * Adds the file system's own words about the refusal, one line of "e <text>" in its
 * context's log.
 */
static int refuse(int context, int error, const struct mount *mount, const char *what, const char *key)
{
	char line[256];
	ssize_t length = read(context, line, sizeof line - 1);
	line[length > 0 ? length : 0] = 0;
	line[strcspn(line, "\n")] = 0;
	const char *reason = length > 2 ? line + 2 : "";
	return fail(STAGE_MOUNT, error, "mount %s at %s: %s %s%s%s", mount->type, mount->target, what, key,
		    *reason ? ": " : "", reason);
}

static int make_filesystem(const struct mount *mount)
{
	cleanup_fd int context = sys_fsopen(mount->type);
	if (context < 0)
		return fail(STAGE_MOUNT, context, "mount %s at %s: open the file system", mount->type, mount->target);
	bool named = false;
	for (const struct option *option = mount->options; option; option = option->next) {
		named = named || strcmp(option->key, "source") == 0;
		int result = sys_fsconfig(context, option->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option->key,
					  option->value);
		if (result < 0)
			return refuse(context, result, mount, "option", option->key);
	}
	/* Otherwise mountinfo would call it "none". */
	int result = named ? 0 : sys_fsconfig(context, FSCONFIG_SET_STRING, "source", mount->type);
	if (result >= 0)
		result = sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (result < 0)
		return refuse(context, result, mount, "create", "it");
	int fd = sys_fsmount(context, (unsigned)mount->set);
	return fd < 0 ? refuse(context, fd, mount, "make", "it") : fd;
}

static unsigned bind_flags(const struct mount *mount)
{
	return OPEN_TREE_CLONE | (mount->recursive ? AT_RECURSIVE : 0);
}

static int make_bind(const struct mount *mount)
{
	int fd = sys_open_tree(AT_FDCWD, mount->source, bind_flags(mount));
	return fd < 0 ? fail(STAGE_MOUNT, fd, "bind %s at %s", mount->source, mount->target) : fd;
}

int open_inherited_mounts(struct plan *plan)
{
	for (struct mount *mount = plan->mounts; mount; mount = mount->next) {
		if (mount->kind != TAG_MOUNT_BIND_FD)
			continue;
		mount->fd = sys_open_tree(INHERITED(mount->source_fd), "", bind_flags(mount) | AT_EMPTY_PATH);
		if (mount->fd < 0)
			return fail(STAGE_MOUNT, mount->fd, "bind an inherited directory at %s", mount->target);
	}
	return 0;
}

void close_mounts(struct plan *plan)
{
	for (struct mount *mount = plan->mounts; mount; mount = mount->next) {
		close_fd(&mount->fd);
		close_fd(&mount->userns);
	}
}

static int set_attributes(const struct mount *mount)
{
	bool made = mount->kind == TAG_MOUNT_FILESYSTEM; /* fsmount(2) has set them */
	struct mount_attributes attributes = {
		.set = made ? 0 : mount->set,
		.clear = made ? 0 : mount->clear,
		.propagation = propagations[mount->propagation],
	};
	if (made && mount->propagation == PROPAGATION_PRIVATE)
		return 0;
	/* Propagation always covers the tree: a bind of a shared tree must not stay tied to the host by its submounts. */
	unsigned deep = AT_EMPTY_PATH | (mount->recursive ? AT_RECURSIVE : 0);
	int result;
	if (mount->recursive && !mount->recursive_attributes && (attributes.set || attributes.clear)) {
		struct mount_attributes top = { .set = attributes.set, .clear = attributes.clear };
		result = sys_mount_setattr(mount->fd, "", AT_EMPTY_PATH, &top);
		if (result < 0)
			return fail(STAGE_MOUNT, result, "set the attributes of %s", mount->target);
		attributes.set = attributes.clear = 0;
	}
	result = sys_mount_setattr(mount->fd, "", deep, &attributes);
	return result < 0 ? fail(STAGE_MOUNT, result, "set the attributes of %s", mount->target) : 0;
}

/*
 * mount(2) wants a place; the anchor is one until a clone of the mount has been taken.
 * Therefore not before the tree is private: the host would see it.
 */
static int make_legacy(const struct plan *plan, struct mount *legacy)
{
	int result = check(mount(legacy->type, plan->root_anchor, legacy->type, 0, legacy->source));
	if (result < 0)
		return fail(STAGE_MOUNT, result, "mount %s at %s", legacy->type, legacy->target);
	legacy->fd = sys_open_tree(AT_FDCWD, plan->root_anchor, OPEN_TREE_CLONE);
	umount2(plan->root_anchor, MNT_DETACH);
	if (legacy->fd < 0)
		return fail(STAGE_MOUNT, legacy->fd, "mount %s at %s: take it", legacy->type, legacy->target);
	return set_attributes(legacy);
}

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

int open_mounts(struct plan *plan)
{
	for (struct mount *mount = plan->mounts; mount; mount = mount->next) {
		if (mount->kind == TAG_MOUNT_LEGACY)
			continue;
		if (mount->kind != TAG_MOUNT_BIND_FD)
			mount->fd = mount->kind == TAG_MOUNT_FILESYSTEM ? make_filesystem(mount) : make_bind(mount);
		int result = mount->fd < 0 ? mount->fd : set_attributes(mount);
		if (result < 0 || (result = map_owners(mount)) < 0)
			return result;
	}
	if (prctl(PR_CAPBSET_READ, CAP_MKNOD) == 1)
		return 0;
	for (struct device *device = plan->devices; device; device = device->next) {
		int result = device->type == 'p' ? 0 : open_host_device(device);
		if (result < 0)
			return result;
	}
	return 0;
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

static int open_or_create(int root, const char *path, uint32_t create)
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

static int attach(int mount, int target)
{
	return sys_move_mount(mount, target, "", MOVE_MOUNT_T_EMPTY_PATH);
}

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

/* The directory that is to hold `path`, made when missing; neighbours share it through `cache`. */
struct parent_cache {
	int fd;
	size_t length;
	const char *path;
};

static void close_parent(struct parent_cache *cache)
{
	close_fd(&cache->fd);
}

static int open_parent(int root, const char *path, struct parent_cache *cache, const char **name)
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

static int make_device(int root, struct device *device, struct parent_cache *cache)
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

/* An open file that is certainly the container's null device. */
static int open_null(int root, uint64_t flags)
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

/* One empty read-only tmpfs covers every masked directory: made for the first, cloned for the others. */
static int cover_directory(int target, int *cover)
{
	if (*cover >= 0) {
		cleanup_fd int clone = sys_open_tree(*cover, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
		return clone < 0 ? clone : attach(clone, target);
	}
	cleanup_fd int context = sys_fsopen("tmpfs");
	int result = context < 0 ? context : sys_fsconfig(context, FSCONFIG_SET_STRING, "nr_blocks", "1");
	if (result >= 0)
		result = sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL);
	*cover = result < 0 ? result :
			      sys_fsmount(context, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return *cover < 0 ? *cover : attach(*cover, target);
}

static int cover_file(int root, int target, int *null)
{
	if (*null < 0)
		*null = open_null(root, O_PATH);
	if (*null < 0)
		return *null;
	cleanup_fd int clone = sys_open_tree(*null, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	return clone < 0 ? clone : attach(clone, target);
}

static int mask_paths(const struct plan *plan, int root)
{
	cleanup_fd int cover = -1;
	cleanup_fd int null = -1;
	for (const struct text *path = plan->masked; path; path = path->next) {
		cleanup_fd int target = open_inside(root, path->first, O_PATH);
		if (target == -ENOENT || target == -ENOTDIR)
			continue;
		struct stat stat;
		int result = target < 0 ? target : check(fstat(target, &stat));
		if (result >= 0)
			result = S_ISDIR(stat.st_mode) ? cover_directory(target, &cover) : cover_file(root, target, &null);
		if (result < 0)
			return fail(STAGE_MASK, result, "mask %s", path->first);
	}
	return 0;
}

static int protect_paths(const struct plan *plan, int root)
{
	const struct mount_attributes readonly = { .set = MOUNT_ATTR_RDONLY };
	for (const struct text *path = plan->readonly; path; path = path->next) {
		cleanup_fd int target = open_inside(root, path->first, O_PATH);
		if (target == -ENOENT || target == -ENOTDIR)
			continue;
		cleanup_fd int tree = target < 0 ? target :
						   sys_open_tree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
		int result = tree < 0 ? tree : sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly);
		if (result >= 0)
			result = attach(tree, target);
		if (result < 0)
			return fail(STAGE_MASK, result, "make %s read-only", path->first);
	}
	return 0;
}

int restrict_root(const struct plan *plan, int root)
{
	int result = protect_paths(plan, root);
	if (result >= 0)
		result = mask_paths(plan, root);
	if (result < 0)
		return result;
	struct mount_attributes attributes = {
		.set = plan->root_readonly ? MOUNT_ATTR_RDONLY : 0,
		.propagation = plan->has_root_propagation ? propagations[plan->root_propagation] : 0,
	};
	if (!attributes.set && !attributes.propagation)
		return 0;
	result = sys_mount_setattr(root, "", AT_EMPTY_PATH, &attributes);
	return result < 0 ? fail(STAGE_ROOT, result, "set the attributes of the root") : 0;
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
