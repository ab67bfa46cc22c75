/*
 * Extended attributes of a descriptor (O_PATH will do, also of a symbolic link),
 * or of one name in a directory, never followed: both through /proc/self/fd,
 * since setxattrat(2) needs Linux 6.13.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define MAX_NAME 256

struct target {
	char path[MAX_NAME + 64];
	/* Whether the magic link itself is followed, to reach the file behind it. */
	bool follow;
};

/* Arguments 0 and 1: descriptor, and a name in it or "". */
static struct target take_target(struct call *call)
{
	struct target target = { .path = "" };
	char name[MAX_NAME];
	int fd = take_fd(call, 0);
	take_text(call, 1, name, sizeof(name));
	target.follow = name[0] == '\0';
	if (strchr(name, '/')) {
		call->failed = true;
		napi_throw_type_error(call->env, NULL, "extended attributes: a name has no slash");
	}
	snprintf(target.path, sizeof(target.path), target.follow ? "/proc/self/fd/%d%s" :
								   "/proc/self/fd/%d/%s",
		 fd, name);
	return target;
}

/* getXattr(fd, name, attribute, out) -> size; with an empty `out` the size alone */
static long attribute_get(struct call *call)
{
	char attribute[MAX_NAME];
	struct target target = take_target(call);
	take_text(call, 2, attribute, sizeof(attribute));
	struct span out = take_bytes(call, 3);
	if (call->failed)
		return 0;
	return result_of(target.follow ? getxattr(target.path, attribute, out.data, out.size) :
					 lgetxattr(target.path, attribute, out.data, out.size));
}

/* setXattr(fd, name, attribute, value) */
static long attribute_set(struct call *call)
{
	char attribute[MAX_NAME];
	struct target target = take_target(call);
	take_text(call, 2, attribute, sizeof(attribute));
	struct span value = take_bytes(call, 3);
	if (call->failed)
		return 0;
	return result_of(target.follow ?
				 setxattr(target.path, attribute, value.data, value.size, 0) :
				 lsetxattr(target.path, attribute, value.data, value.size, 0));
}

/* listXattr(fd, name, out) -> size of the NUL-terminated names */
static long attribute_list(struct call *call)
{
	struct target target = take_target(call);
	struct span out = take_bytes(call, 2);
	if (call->failed)
		return 0;
	return result_of(target.follow ? listxattr(target.path, (char *)out.data, out.size) :
					 llistxattr(target.path, (char *)out.data, out.size));
}

/* removeXattr(fd, name, attribute) */
static long attribute_remove(struct call *call)
{
	char attribute[MAX_NAME];
	struct target target = take_target(call);
	take_text(call, 2, attribute, sizeof(attribute));
	if (call->failed)
		return 0;
	return result_of(target.follow ? removexattr(target.path, attribute) :
					 lremovexattr(target.path, attribute));
}

const struct function attribute_functions[] = {
	{ "getXattr", attribute_get, 4 },
	{ "setXattr", attribute_set, 4 },
	{ "listXattr", attribute_list, 3 },
	{ "removeXattr", attribute_remove, 3 },
	{ 0 },
};
