#include "plan.h"

#include <errno.h>
#include <string.h>

#include "wire.h"

struct record {
	uint32_t tag;
	const uint8_t *value;
	size_t length;
};

struct reader {
	const uint8_t *at, *end;
	struct arena *arena;
	uint32_t *fds;
	const char *why;
};

static int bad(struct reader *reader, const char *why)
{
	reader->why = why;
	return -EPROTO;
}

static void *allocate(struct arena *arena, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (size > (size_t)(arena->end - arena->at))
		return NULL;
	void *memory = arena->at;
	arena->at += size;
	return memset(memory, 0, size);
}

/* A new element at the end of a list whose `next` is its first member; NULL when the list is full. */
static void *append(struct arena *arena, void *head, size_t size)
{
	void **link = head;
	for (size_t count = 0; *link; link = *link)
		if (++count == PLAN_LIST_MAX)
			return NULL;
	return *link = allocate(arena, size);
}

/* 1 with the next record, 0 at the end. */
static int next_record(struct reader *reader, struct record *record)
{
	size_t left = (size_t)(reader->end - reader->at);
	if (left == 0)
		return 0;
	if (left < 8)
		return bad(reader, "a record is cut off");
	record->tag = get_u32(reader->at);
	record->length = get_u32(reader->at + 4);
	if (record->length > left - 8)
		return bad(reader, "a record is longer than what holds it");
	record->value = reader->at + 8;
	reader->at = record->value + record->length;
	return 1;
}

static int take_u32(struct reader *reader, const struct record *record, uint32_t *value)
{
	if (record->length != 4)
		return bad(reader, "a number has not four bytes");
	*value = get_u32(record->value);
	return 0;
}

static int take_choice(struct reader *reader, const struct record *record, uint32_t *value, uint32_t choices)
{
	if (take_u32(reader, record, value) < 0)
		return -EPROTO;
	return *value < choices ? 0 : bad(reader, "a choice is out of range");
}

static int use_fd(struct reader *reader, uint32_t index)
{
	if (index >= PLAN_FDS_MAX)
		return bad(reader, "a descriptor index is out of range");
	if (index >= *reader->fds)
		*reader->fds = index + 1;
	return 0;
}

static int take_fd(struct reader *reader, const struct record *record, uint32_t *index)
{
	return take_u32(reader, record, index) < 0 ? -EPROTO : use_fd(reader, *index);
}

static int take_flag(struct reader *reader, const struct record *record, bool *flag)
{
	*flag = true;
	return record->length == 0 ? 0 : bad(reader, "a flag has a value");
}

static int take_text_at(struct reader *reader, const struct record *record, size_t from, const char **text)
{
	if (record->length <= from)
		return bad(reader, "a text is missing");
	const uint8_t *start = record->value + from;
	if (memchr(start, 0, record->length - from) != record->value + record->length - 1)
		return bad(reader, "a text does not end in its only NUL");
	*text = (const char *)start;
	return 0;
}

static int take_text(struct reader *reader, const struct record *record, const char **text)
{
	return take_text_at(reader, record, 0, text);
}

static int take_pair(struct reader *reader, const struct record *record, const char **first, const char **second)
{
	const uint8_t *middle = record->length ? memchr(record->value, 0, record->length) : NULL;
	if (!middle)
		return bad(reader, "a pair lacks its first NUL");
	*first = (const char *)record->value;
	return take_text_at(reader, record, (size_t)(middle - record->value) + 1, second);
}

static int add_text(struct reader *reader, const struct record *record, struct text **list, bool pair)
{
	struct text *text = append(reader->arena, list, sizeof *text);
	if (!text)
		return -ENOMEM;
	return pair ? take_pair(reader, record, &text->first, &text->second) : take_text(reader, record, &text->first);
}

static int take_namespace(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (record->length != 8)
		return bad(reader, "a namespace has not eight bytes");
	uint32_t kind = get_u32(record->value), fd = get_u32(record->value + 4);
	if (kind >= NAMESPACE_KINDS)
		return bad(reader, "a namespace is of no known kind");
	if (fd != NO_FD && use_fd(reader, fd) < 0)
		return -EPROTO;
	if (plan->namespaces[kind].wanted)
		return bad(reader, "a namespace is named twice");
	plan->namespaces[kind] = (struct namespace){ .wanted = true, .fd = fd };
	return 0;
}

static int take_device(struct reader *reader, const struct record *record, struct plan *plan)
{
	struct device *device = append(reader->arena, &plan->devices, sizeof *device);
	if (!device)
		return -ENOMEM;
	if (take_text_at(reader, record, 24, &device->path) < 0)
		return -EPROTO;
	device->type = get_u32(record->value);
	device->major = get_u32(record->value + 4);
	device->minor = get_u32(record->value + 8);
	device->mode = get_u32(record->value + 12);
	device->uid = get_u32(record->value + 16);
	device->gid = get_u32(record->value + 20);
	device->fd = -1;
	if (device->type != 'c' && device->type != 'b' && device->type != 'p')
		return bad(reader, "a device is neither c, b nor p");
	return device->mode <= 07777 ? 0 : bad(reader, "a device's mode is out of range");
}

static int take_cgroup(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (record->length < 4 || record->length % 4)
		return bad(reader, "a cgroup is cut off");
	plan->cgroup_version = get_u32(record->value);
	size_t count = record->length / 4 - 1;
	if (plan->cgroup_version != 1 && !(plan->cgroup_version == 2 && count == 1))
		return bad(reader, "a cgroup is neither version 1 nor version 2 with one directory");
	if (count > sizeof plan->cgroup.index / sizeof *plan->cgroup.index)
		return bad(reader, "a cgroup has too many hierarchies");
	plan->cgroup.count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		plan->cgroup.index[i] = get_u32(record->value + 4 + 4 * i);
		if (use_fd(reader, plan->cgroup.index[i]) < 0)
			return -EPROTO;
	}
	return 0;
}

static int take_limit(struct reader *reader, const struct record *record, struct plan *plan)
{
	struct resource_limit *limit = append(reader->arena, &plan->limits, sizeof *limit);
	if (!limit)
		return -ENOMEM;
	if (record->length != 20)
		return bad(reader, "a resource limit has not twenty bytes");
	limit->resource = get_u32(record->value);
	limit->soft = get_u64(record->value + 4);
	limit->hard = get_u64(record->value + 12);
	return 0;
}

static int take_capabilities(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (record->length != 40)
		return bad(reader, "the capabilities have not forty bytes");
	plan->has_capabilities = true;
	plan->bounding = get_u64(record->value);
	plan->effective = get_u64(record->value + 8);
	plan->permitted = get_u64(record->value + 16);
	plan->inheritable = get_u64(record->value + 24);
	plan->ambient = get_u64(record->value + 32);
	return 0;
}

static int take_stdio(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (record->length != 16)
		return bad(reader, "the standard streams have not sixteen bytes");
	plan->stdio = get_u32(record->value);
	plan->stdio_flags = get_u32(record->value + 4);
	plan->rows = get_u32(record->value + 8);
	plan->columns = get_u32(record->value + 12);
	if (plan->stdio > STDIO_NULL || plan->stdio_flags > 15 || plan->rows > 0xffff || plan->columns > 0xffff)
		return bad(reader, "the standard streams are out of range");
	return 0;
}

/* They stand in every line of the log, which has room for so many. */
static int take_log_attributes(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (record->length > PLAN_LOG_ATTRIBUTES_MAX)
		return bad(reader, "the attributes of the log are too long");
	return take_text(reader, record, &plan->log_attributes);
}

static int take_log(struct reader *reader, const struct record *record, struct plan *plan)
{
	if (take_text_at(reader, record, 12, &plan->log_path) < 0)
		return -EPROTO;
	plan->log_size = get_u64(record->value);
	plan->log_files = get_u32(record->value + 8);
	return plan->log_files <= 1000 ? 0 : bad(reader, "the log has too many files");
}

static int set_source(struct reader *reader, struct mount *mount, uint32_t kind)
{
	if (mount->kind)
		return bad(reader, "a mount has two sources");
	mount->kind = kind;
	return 0;
}

static int take_option(struct reader *reader, const struct record *record, struct mount *mount)
{
	struct option *option = append(reader->arena, &mount->options, sizeof *option);
	if (!option)
		return -ENOMEM;
	return record->tag == TAG_MOUNT_FLAG ? take_text(reader, record, &option->key) :
					       take_pair(reader, record, &option->key, &option->value);
}

static int take_attributes(struct reader *reader, const struct record *record, struct mount *mount)
{
	if (record->length != 16)
		return bad(reader, "mount attributes have not sixteen bytes");
	mount->set = get_u64(record->value);
	mount->clear = get_u64(record->value + 8);
	return 0;
}

static int take_id_map(struct reader *reader, const struct record *record, struct id_map **maps)
{
	struct id_map *map = append(reader->arena, maps, sizeof *map);
	if (!map)
		return -ENOMEM;
	if (record->length != 12)
		return bad(reader, "an id map of a mount has not twelve bytes");
	map->inside = get_u32(record->value);
	map->outside = get_u32(record->value + 4);
	map->count = get_u32(record->value + 8);
	return 0;
}

static int take_mount_record(struct reader *reader, const struct record *record, struct mount *mount)
{
	switch (record->tag) {
	case TAG_MOUNT_FILESYSTEM:
		return set_source(reader, mount, record->tag) < 0 ? -EPROTO : take_text(reader, record, &mount->type);
	case TAG_MOUNT_FLAG:
	case TAG_MOUNT_OPTION:
		return take_option(reader, record, mount);
	case TAG_MOUNT_LEGACY:
		return set_source(reader, mount, record->tag) < 0 ? -EPROTO :
								    take_pair(reader, record, &mount->type, &mount->source);
	case TAG_MOUNT_BIND:
		return set_source(reader, mount, record->tag) < 0 ? -EPROTO : take_text(reader, record, &mount->source);
	case TAG_MOUNT_BIND_FD:
		return set_source(reader, mount, record->tag) < 0 ? -EPROTO : take_fd(reader, record, &mount->source_fd);
	case TAG_MOUNT_RECURSIVE:
		return take_flag(reader, record, &mount->recursive);
	case TAG_MOUNT_TARGET:
		return take_text(reader, record, &mount->target);
	case TAG_MOUNT_ATTRIBUTES:
		return take_attributes(reader, record, mount);
	case TAG_MOUNT_RECURSIVE_ATTRIBUTES:
		return take_flag(reader, record, &mount->recursive_attributes);
	case TAG_MOUNT_PROPAGATION:
		return take_choice(reader, record, &mount->propagation, PROPAGATION_UNBINDABLE + 1);
	case TAG_MOUNT_CREATE:
		return take_choice(reader, record, &mount->create, CREATE_NONE + 1);
	case TAG_MOUNT_UID_MAP:
		return take_id_map(reader, record, &mount->uids);
	case TAG_MOUNT_GID_MAP:
		return take_id_map(reader, record, &mount->gids);
	default:
		return bad(reader, "a mount has an unknown tag");
	}
}

static int take_mount(struct reader *outer, const struct record *record, struct plan *plan)
{
	struct mount *mount = append(outer->arena, &plan->mounts, sizeof *mount);
	if (!mount)
		return -ENOMEM;
	mount->create = CREATE_NONE;
	mount->fd = mount->userns = -1;
	struct reader reader = { record->value, record->value + record->length, outer->arena, outer->fds, NULL };
	struct record inner;
	int result;
	while ((result = next_record(&reader, &inner)) > 0) {
		result = take_mount_record(&reader, &inner, mount);
		if (result < 0)
			break;
	}
	outer->why = reader.why;
	if (result < 0)
		return result;
	if (!mount->kind || !mount->target || mount->target[0] != '/')
		return bad(outer, "a mount lacks a source or an absolute target");
	if ((mount->target[1] == 0) != (mount == plan->mounts))
		return bad(outer, "the root is not the first mount and the only one at /");
	if (mount->options && mount->kind != TAG_MOUNT_FILESYSTEM)
		return bad(outer, "a bind has file system options");
	if (!mount->uids != !mount->gids || (mount->uids && mount == plan->mounts))
		return bad(outer, "a mount has id maps of one kind only, or it is the root");
	return 0;
}

struct counts {
	size_t arguments, variables, groups;
};

static int take_process_record(struct reader *reader, const struct record *record, struct process *process,
			       struct counts *seen)
{
	switch (record->tag) {
	case TAG_ARGUMENT:
		return take_text(reader, record, (const char **)&process->argv[seen->arguments++]);
	case TAG_VARIABLE:
		return take_text(reader, record, (const char **)&process->env[seen->variables++]);
	case TAG_CWD:
		return take_text(reader, record, &process->cwd);
	case TAG_USER:
		if (record->length != 8)
			return bad(reader, "a user has not eight bytes");
		process->uid = get_u32(record->value);
		process->gid = get_u32(record->value + 4);
		return 0;
	case TAG_GROUP:
		return take_u32(reader, record, &process->groups[seen->groups++]);
	case TAG_UMASK:
		process->has_umask = true;
		if (take_u32(reader, record, &process->umask) < 0)
			return -EPROTO;
		return process->umask <= 0777 ? 0 : bad(reader, "the umask is out of range");
	default:
		return bad(reader, "the process has an unknown tag");
	}
}

static int take_process(struct reader *outer, const struct record *record, struct plan *plan)
{
	if (plan->has_process)
		return bad(outer, "there are two processes");
	plan->has_process = true;
	struct process *process = &plan->process;
	struct reader reader = { record->value, record->value + record->length, outer->arena, outer->fds, NULL };
	struct counts count = { 0 }, seen = { 0 };
	struct record inner;
	int result;
	while ((result = next_record(&reader, &inner)) > 0) {
		count.arguments += inner.tag == TAG_ARGUMENT;
		count.variables += inner.tag == TAG_VARIABLE;
		count.groups += inner.tag == TAG_GROUP;
	}
	process->argv = allocate(reader.arena, (count.arguments + 1) * sizeof *process->argv);
	process->env = allocate(reader.arena, (count.variables + 1) * sizeof *process->env);
	process->groups = allocate(reader.arena, count.groups * sizeof *process->groups);
	if (!process->argv || !process->env || !process->groups)
		return -ENOMEM;
	process->group_count = count.groups;
	reader.at = record->value;
	while (result == 0 && (result = next_record(&reader, &inner)) > 0)
		result = take_process_record(&reader, &inner, process, &seen);
	outer->why = reader.why;
	if (result < 0)
		return result;
	if (count.arguments == 0 || !process->cwd || process->cwd[0] != '/')
		return bad(outer, "the process lacks arguments or an absolute working directory");
	return 0;
}

static int take_record(struct reader *reader, const struct record *record, struct plan *plan)
{
	switch (record->tag) {
	case TAG_MODE:
		return take_choice(reader, record, &plan->mode, MODE_SANDBOX + 1);
	case TAG_ID:
		return take_text(reader, record, &plan->id);
	case TAG_NAMESPACE:
		return take_namespace(reader, record, plan);
	case TAG_UID_MAP:
	case TAG_GID_MAP:
		plan->id_maps = true;
		return record->length == 12 ? 0 : bad(reader, "an id map has not twelve bytes");
	case TAG_ROOT_ANCHOR:
		return take_text(reader, record, &plan->root_anchor);
	case TAG_MOUNT:
		return take_mount(reader, record, plan);
	case TAG_ROOT_READONLY:
		return take_flag(reader, record, &plan->root_readonly);
	case TAG_ROOT_PROPAGATION:
		plan->has_root_propagation = true;
		return take_choice(reader, record, &plan->root_propagation, PROPAGATION_UNBINDABLE + 1);
	case TAG_DEVICE:
		return take_device(reader, record, plan);
	case TAG_SYMLINK:
		return add_text(reader, record, &plan->symlinks, true);
	case TAG_MASKED_PATH:
		return add_text(reader, record, &plan->masked, false);
	case TAG_READONLY_PATH:
		return add_text(reader, record, &plan->readonly, false);
	case TAG_SYSCTL:
		return add_text(reader, record, &plan->sysctls, true);
	case TAG_HOSTNAME:
		return take_text(reader, record, &plan->hostname);
	case TAG_DOMAINNAME:
		return take_text(reader, record, &plan->domainname);
	case TAG_CGROUP:
		return take_cgroup(reader, record, plan);
	case TAG_OOM_COUNTER:
		return take_fd(reader, record, &plan->oom_counter);
	case TAG_OOM_EVENT:
		return take_fd(reader, record, &plan->oom_event);
	case TAG_RESOURCE_LIMIT:
		return take_limit(reader, record, plan);
	case TAG_OOM_SCORE_ADJ:
		plan->has_oom_score_adj = true;
		return take_u32(reader, record, (uint32_t *)&plan->oom_score_adj);
	case TAG_CAPABILITIES:
		return take_capabilities(reader, record, plan);
	case TAG_NO_NEW_PRIVILEGES:
		return take_flag(reader, record, &plan->no_new_privileges);
	case TAG_SECCOMP:
		plan->seccomp = record->value;
		plan->seccomp_length = record->length / 8;
		return record->length % 8 == 0 && plan->seccomp_length > 0 && plan->seccomp_length <= 4096 ?
			       0 :
			       bad(reader, "the seccomp filter has not 1 to 4096 instructions");
	case TAG_SECCOMP_FLAGS:
		return take_u32(reader, record, &plan->seccomp_flags);
	case TAG_PROCESS:
		return take_process(reader, record, plan);
	case TAG_INIT:
		return take_flag(reader, record, &plan->init);
	case TAG_STDIO:
		return take_stdio(reader, record, plan);
	case TAG_LOG:
		return take_log(reader, record, plan);
	case TAG_LOG_ATTRIBUTES:
		return take_log_attributes(reader, record, plan);
	case TAG_CONTROL_SOCKET:
		return take_text(reader, record, &plan->control_socket);
	case TAG_EXIT_RECORD:
		return take_text(reader, record, &plan->exit_record);
	case TAG_AWAIT_START:
		return take_flag(reader, record, &plan->await_start);
	default:
		return bad(reader, "unknown tag");
	}
}

/* The rules between fields. */
static int check_whole(struct reader *reader, const struct plan *plan)
{
	if (!plan->id || strlen(plan->id) > PLAN_ID_MAX)
		return bad(reader, "the id is missing or longer than 128 bytes");
	if ((plan->mode == MODE_SANDBOX) == plan->has_process)
		return bad(reader, "a sandbox has a process, or another mode has none");
	if ((plan->mounts || plan->root_anchor) && !(plan->mounts && plan->root_anchor))
		return bad(reader, "mounts and the root anchor need each other");
	if (plan->mounts && !plan->namespaces[NAMESPACE_MNT].wanted)
		return bad(reader, "mounts need a mount namespace");
	if (plan->await_start && !plan->control_socket)
		return bad(reader, "a launch without a control socket cannot await its start");
	if (plan->mode == MODE_EXEC && plan->mounts)
		return bad(reader, "an exec cannot mount");
	/* Whose /proc/sys it would write to is the container's choice. */
	if (plan->mode == MODE_EXEC && plan->sysctls)
		return bad(reader, "an exec cannot set sysctls");
	if (!plan->mounts && (plan->devices || plan->symlinks || plan->masked || plan->readonly || plan->root_readonly))
		return bad(reader, "devices, symlinks, masked and read-only paths need a root");
	return 0;
}

int plan_decode(const uint8_t *bytes, size_t length, struct arena *arena, struct plan *plan, const char **why)
{
	struct reader reader = { bytes, bytes + length, arena, &plan->fds, NULL };
	memset(plan, 0, sizeof *plan);
	plan->oom_counter = plan->oom_event = NO_FD;
	plan->stdio = STDIO_NULL;
	int result = 0;
	if (length < PLAN_HEADER || get_u32(bytes) != PLAN_MAGIC)
		result = bad(&reader, "this is not a plan");
	else if (get_u32(bytes + 4) != PLAN_VERSION)
		result = bad(&reader, "the plan has another version than this helper");
	else if (length > PLAN_MAX || get_u32(bytes + 8) != length)
		result = bad(&reader, "the plan's length is wrong");
	if (result == 0)
		reader.at += PLAN_HEADER;
	struct record record;
	while (result == 0 && (result = next_record(&reader, &record)) > 0)
		result = take_record(&reader, &record, plan);
	if (result == 0)
		result = check_whole(&reader, plan);
	*why = reader.why ? reader.why : "a list is too long";
	return result;
}
