/*
 * The launch plan as bytes: a header (u32 magic, version, total length, 0), then
 * tag-length-value records, u32 each, unpadded. Texts end in a NUL that counts. The
 * numbers are shared with src/helper/tags.ts, where a test compares them; an unknown
 * tag is an error. The meaning of each field is told in src/helper/plan.ts.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x4e4c5054u
#define PLAN_VERSION 1u
#define PLAN_HEADER 16u
#define PLAN_MAX (8u << 20)
/* SCM_MAX_FD: they come with one message. */
#define PLAN_FDS_MAX 253
#define PLAN_LIST_MAX 4096
#define PLAN_ID_MAX 128
#define PLAN_LOG_ATTRIBUTES_MAX 32768

enum tag {
	TAG_MODE = 1,            /* u32 MODE_* */
	TAG_ID = 2,              /* text */
	TAG_NAMESPACE = 3,       /* u32 NAMESPACE_*, u32 fd index or NO_FD; repeated */
	TAG_UID_MAP = 4,         /* u32 inside, outside, count; repeated */
	TAG_GID_MAP = 5,
	TAG_ROOT_ANCHOR = 6,     /* text */
	TAG_MOUNT = 7,           /* records 64..; repeated */
	TAG_ROOT_READONLY = 8,   /* present or not */
	TAG_ROOT_PROPAGATION = 9, /* u32 PROPAGATION_* */
	TAG_DEVICE = 10,         /* u32 letter, major, minor, mode, uid, gid, text path; repeated */
	TAG_SYMLINK = 11,        /* text target, text path; repeated */
	TAG_MASKED_PATH = 12,    /* text; repeated */
	TAG_READONLY_PATH = 13,  /* text; repeated */
	TAG_SYSCTL = 14,         /* text name, text value; repeated */
	TAG_HOSTNAME = 15,       /* text */
	TAG_DOMAINNAME = 16,     /* text */
	TAG_CGROUP = 17,         /* u32 version, u32 fd index... */
	TAG_OOM_COUNTER = 18,    /* u32 fd index */
	TAG_OOM_EVENT = 19,      /* u32 fd index */
	TAG_RESOURCE_LIMIT = 20, /* u32 resource, u64 soft, u64 hard; repeated */
	TAG_OOM_SCORE_ADJ = 21,  /* i32 */
	TAG_CAPABILITIES = 22,   /* u64 bounding, effective, permitted, inheritable, ambient */
	TAG_NO_NEW_PRIVILEGES = 23, /* present or not */
	TAG_SECCOMP = 24,        /* struct sock_filter... */
	TAG_SECCOMP_FLAGS = 25,  /* u32 */
	TAG_PROCESS = 26,        /* records 96.. */
	TAG_INIT = 27,           /* present or not */
	TAG_STDIO = 28,          /* u32 STDIO_*, u32 STDIO_WITH_* bits, u32 rows, u32 columns */
	TAG_LOG = 29,            /* u64 size, u32 files, text path */
	TAG_CONTROL_SOCKET = 30, /* text */
	TAG_EXIT_RECORD = 31,    /* text */
	TAG_AWAIT_START = 32,    /* present or not */
	TAG_LOG_ATTRIBUTES = 33, /* text: a JSON object */

	TAG_MOUNT_FILESYSTEM = 64, /* text type */
	TAG_MOUNT_FLAG = 65,       /* text key; repeated, in order with the next */
	TAG_MOUNT_OPTION = 66,     /* text key, text value; repeated */
	TAG_MOUNT_LEGACY = 67,     /* text type, text data */
	TAG_MOUNT_BIND = 68,       /* text path */
	TAG_MOUNT_BIND_FD = 69,    /* u32 fd index */
	TAG_MOUNT_RECURSIVE = 70,  /* present or not */
	TAG_MOUNT_TARGET = 71,     /* text */
	TAG_MOUNT_ATTRIBUTES = 72, /* u64 set, u64 clear */
	TAG_MOUNT_RECURSIVE_ATTRIBUTES = 73, /* present or not */
	TAG_MOUNT_PROPAGATION = 74, /* u32 PROPAGATION_* */
	TAG_MOUNT_CREATE = 75,     /* u32 CREATE_* */
	TAG_MOUNT_UID_MAP = 76,    /* u32 inside, outside, count; repeated */
	TAG_MOUNT_GID_MAP = 77,

	TAG_ARGUMENT = 96, /* text; repeated */
	TAG_VARIABLE = 97, /* text; repeated */
	TAG_CWD = 98,      /* text */
	TAG_USER = 99,     /* u32 uid, u32 gid */
	TAG_GROUP = 100,   /* u32; repeated */
	TAG_UMASK = 101,   /* u32 */
};

#define NO_FD 0xffffffffu

enum { MODE_RUN = 0, MODE_EXEC = 1, MODE_SANDBOX = 2 };
enum {
	NAMESPACE_MNT = 0,
	NAMESPACE_NET = 1,
	NAMESPACE_PID = 2,
	NAMESPACE_IPC = 3,
	NAMESPACE_UTS = 4,
	NAMESPACE_CGROUP = 5,
	NAMESPACE_USER = 6,
	NAMESPACE_TIME = 7,
	NAMESPACE_KINDS = 8,
};
enum { PROPAGATION_PRIVATE = 0, PROPAGATION_SLAVE = 1, PROPAGATION_SHARED = 2, PROPAGATION_UNBINDABLE = 3 };
enum { CREATE_DIRECTORY = 0, CREATE_FILE = 1, CREATE_NONE = 2 };
enum { STDIO_PTY = 0, STDIO_PIPES = 1, STDIO_NULL = 2 };
enum { STDIO_WITH_STDIN = 1, STDIO_WITH_STDIN_ONCE = 2, STDIO_WITH_ROWS = 4, STDIO_WITH_COLUMNS = 8 };

struct namespace {
	bool wanted;
	uint32_t fd; /* NO_FD: new */
};

struct option {
	struct option *next;
	const char *key, *value; /* value NULL: a flag */
};

/* Of a mount: `inside` is on the file system, `outside` in the mount. */
struct id_map {
	struct id_map *next;
	uint32_t inside, outside, count;
};

struct mount {
	struct mount *next;
	uint32_t kind; /* the tag that named the source, 0 none yet */
	const char *type;
	const char *source; /* path of a bind, data of a legacy mount */
	uint32_t source_fd;
	struct option *options;
	bool recursive, recursive_attributes;
	const char *target;
	uint64_t set, clear;
	uint32_t propagation, create;
	struct id_map *uids, *gids; /* both or none */
	int fd; /* of the detached mount, once it is made */
	int userns; /* that holds the maps, once it is made */
};

struct device {
	struct device *next;
	const char *path;
	uint32_t type, major, minor, mode, uid, gid;
	int fd; /* of the host's node to bind where mknod is not allowed, or -1 */
};

/* One text, or a pair: symlink target and path, sysctl name and value. */
struct text {
	struct text *next;
	const char *first, *second;
};

struct resource_limit {
	struct resource_limit *next;
	uint32_t resource;
	uint64_t soft, hard;
};

struct fd_list {
	uint32_t count;
	uint32_t index[32];
};

struct process {
	char **argv, **env;
	const char *cwd;
	uint32_t uid, gid;
	uint32_t *groups;
	size_t group_count;
	bool has_umask;
	uint32_t umask;
};

struct plan {
	uint32_t fds; /* how many descriptors of the inherited table it names: one more than the highest index */
	uint32_t mode;
	const char *id;
	struct namespace namespaces[NAMESPACE_KINDS];
	bool id_maps;
	const char *root_anchor;
	struct mount *mounts;
	bool root_readonly, has_root_propagation;
	uint32_t root_propagation;
	struct device *devices;
	struct text *symlinks, *masked, *readonly, *sysctls;
	const char *hostname, *domainname;
	uint32_t cgroup_version; /* 0: stay where the helper is */
	struct fd_list cgroup;
	uint32_t oom_counter, oom_event;
	struct resource_limit *limits;
	bool has_oom_score_adj;
	int32_t oom_score_adj;
	bool has_capabilities;
	uint64_t bounding, effective, permitted, inheritable, ambient;
	bool no_new_privileges;
	const uint8_t *seccomp;
	size_t seccomp_length; /* instructions */
	uint32_t seccomp_flags;
	bool has_process, init;
	struct process process;
	uint32_t stdio, stdio_flags, rows, columns;
	const char *log_path, *log_attributes;
	uint64_t log_size;
	uint32_t log_files;
	const char *control_socket, *exit_record;
	bool await_start; /* the engine's end before GO is not the launch's */
};

/* Memory for a decoded plan; PLAN_ARENA(length) bytes are always enough. */
struct arena {
	uint8_t *at, *end;
};

#define PLAN_ARENA(length) ((size_t)(length) * 16 + 256)

/*
 * Reads `length` bytes (header included) into `plan`, whose texts then point into
 * `bytes` and whose lists lie in `arena` (16-byte aligned). 0, or -EPROTO, -E2BIG or
 * -ENOMEM with `*why` a constant text.
 */
int plan_decode(const uint8_t *bytes, size_t length, struct arena *arena, struct plan *plan, const char **why);

#endif
