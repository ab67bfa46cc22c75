/*
 * The shapes that the parts of the addon share.
 *
 * Every exported function returns a number: the result of the call (zero or more), or the
 * negated errno. Results that do not fit into a number go into a buffer of the caller.
 * Wrong arguments throw a TypeError and nothing is done.
 */
#ifndef THIMBLE_ADDON_H
#define THIMBLE_ADDON_H

#include <errno.h>
#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGUMENTS 10
#define MAX_PATH 4096

struct instance;

/* One call from JavaScript. `failed` is sticky: takers after the first failure do nothing. */
struct call {
	napi_env env;
	const char *name;
	struct instance *instance;
	napi_value values[MAX_ARGUMENTS];
	bool failed;
};

struct function {
	const char *name;
	long (*run)(struct call *call);
	size_t arguments;
};

/* A span of bytes owned by JavaScript; valid for the length of the call. */
struct span {
	uint8_t *data;
	size_t size;
};

/* args.c: each takes argument `index`, or throws and marks the call as failed. */
int64_t take_integer(struct call *call, size_t index, int64_t least, int64_t most);
int take_fd(struct call *call, size_t index);
/* A directory descriptor, or AT_FDCWD. */
int take_dirfd(struct call *call, size_t index);
/* 64 bits from a bigint. */
uint64_t take_u64(struct call *call, size_t index);
int64_t take_i64(struct call *call, size_t index);
/* A string, or bytes of a Uint8Array, without NULs, shorter than `size`; stored with its NUL. */
void take_text(struct call *call, size_t index, char *out, size_t size);
struct span take_bytes(struct call *call, size_t index);
/* A bigint or int array of at least `length` items, for results. */
int64_t *take_i64_array(struct call *call, size_t index, size_t length);
int32_t *take_i32_array(struct call *call, size_t index, size_t *length);
/*
 * A copy, for a job, of bytes that end in a NUL (or of nothing at all); the caller frees
 * it.
 */
char *take_block(struct call *call, size_t index, size_t *size);

static inline long result_of(long value)
{
	return value < 0 ? -errno : value;
}

/*
 * loop.c: one epoll thread per instance, and reports from threads to JavaScript.
 * A report is (id, value, bytes or nothing); ids are JavaScript's.
 */
struct instance *instance_create(napi_env env);
void instance_hold(struct instance *instance);
void instance_release(struct instance *instance);
/* Takes over `data`. A report that can no longer arrive is dropped, and its descriptor closed. */
void instance_report(struct instance *instance, double id, long value, void *data, size_t size,
		     bool value_is_fd);

/* jobs.c: calls that may block, on at most eight threads of our own. */
struct job {
	/* Returns a value or the negated errno; may set `data` (from malloc). */
	long (*run)(struct job *job);
	struct instance *instance;
	double id;
	bool returns_fd;
	/* Set by `run` when the thread is no longer fit for another job. */
	bool spoils_thread;
	void *data;
	size_t size;
	int fds[2];
	unsigned long flags[4];
	char *texts[3];
	char *block;
	size_t block_size;
	struct job *next;
};

struct job *job_create(struct call *call, long (*run)(struct job *job));
/* Queues the job, or frees it when the call has failed. */
long job_start(struct call *call, struct job *job);
char *job_text(struct call *call, size_t index, size_t limit);

extern const struct function file_functions[];
extern const struct function attribute_functions[];
extern const struct function mount_functions[];
extern const struct function process_functions[];
extern const struct function descriptor_functions[];
extern const struct function loop_functions[];
extern const struct function netlink_functions[];
extern const struct function cgroup_functions[];
extern const struct function tree_functions[];
extern const struct function removal_functions[];
extern const struct function quota_functions[];

#endif
