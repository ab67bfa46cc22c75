#include "mask.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include "base.h"
#include "devices.h"
#include "mounts.h"
#include "path.h"
#include "syscalls.h"

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
		.propagation = plan->has_root_propagation ? propagation_flag(plan->root_propagation) : 0,
	};
	if (!attributes.set && !attributes.propagation)
		return 0;
	result = sys_mount_setattr(root, "", AT_EMPTY_PATH, &attributes);
	return result < 0 ? fail(STAGE_ROOT, result, "set the attributes of the root") : 0;
}
