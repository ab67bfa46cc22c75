#include "mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base.h"
#include "idmap.h"
#include "syscalls.h"

static const uint64_t propagations[] = {
	[PROPAGATION_PRIVATE] = MS_PRIVATE,
	[PROPAGATION_SLAVE] = MS_SLAVE,
	[PROPAGATION_SHARED] = MS_SHARED,
	[PROPAGATION_UNBINDABLE] = MS_UNBINDABLE,
};

uint64_t propagation_flag(uint32_t propagation)
{
	return propagations[propagation];
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

int make_legacy(const struct plan *plan, struct mount *legacy)
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
	return 0;
}
