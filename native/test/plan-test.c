/*
 * Unit tests of the plan decoder: the result for a good plan, and that every bad one is
 * refused with its reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "wire.h"

static int failures;

#define EXPECT(condition)                                                              \
	do {                                                                           \
		if (!(condition)) {                                                    \
			failures++;                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                      \
	} while (0)

struct sample {
	uint8_t bytes[4096];
	size_t length;
};

static void add(struct sample *sample, const void *bytes, size_t length)
{
	memcpy(sample->bytes + sample->length, bytes, length);
	sample->length += length;
}

static void add_u32(struct sample *sample, uint32_t value)
{
	add(sample, &value, sizeof value);
}

static void record(struct sample *sample, uint32_t tag, const void *value, size_t length)
{
	add_u32(sample, tag);
	add_u32(sample, (uint32_t)length);
	add(sample, value, length);
}

#define TEXT(sample, tag, text) record(sample, tag, text, sizeof(text))
#define FLAG(sample, tag) record(sample, tag, "", 0)

static void number(struct sample *sample, uint32_t tag, uint32_t value)
{
	record(sample, tag, &value, sizeof value);
}

static void begin(struct sample *sample)
{
	sample->length = 0;
	add_u32(sample, PLAN_MAGIC);
	add_u32(sample, PLAN_VERSION);
	add_u32(sample, 0);
	add_u32(sample, 0);
}

/* The process of most samples: sh -c with one variable. */
static void add_process(struct sample *sample)
{
	struct sample inner = { .length = 0 };
	TEXT(&inner, TAG_ARGUMENT, "sh");
	TEXT(&inner, TAG_ARGUMENT, "-c");
	TEXT(&inner, TAG_VARIABLE, "A=b");
	TEXT(&inner, TAG_CWD, "/srv");
	const uint32_t user[2] = { 1000, 100 };
	record(&inner, TAG_USER, user, sizeof user);
	number(&inner, TAG_GROUP, 7);
	number(&inner, TAG_GROUP, 8);
	record(sample, TAG_PROCESS, inner.bytes, inner.length);
}

static void begin_good(struct sample *sample)
{
	begin(sample);
	number(sample, TAG_MODE, MODE_RUN);
	TEXT(sample, TAG_ID, "one");
	add_process(sample);
}

static void add_mount(struct sample *sample, const char *target)
{
	struct sample inner = { .length = 0 };
	TEXT(&inner, TAG_MOUNT_FILESYSTEM, "tmpfs");
	TEXT(&inner, TAG_MOUNT_FLAG, "noswap");
	TEXT(&inner, TAG_MOUNT_OPTION, "mode\0" "755");
	record(&inner, TAG_MOUNT_TARGET, target, strlen(target) + 1);
	record(sample, TAG_MOUNT, inner.bytes, inner.length);
}

/* Memory of exactly the plan's size, so that the sanitizer sees every read beyond it. */
static const char *decode(struct sample *sample, struct plan *plan)
{
	static uint8_t memory[PLAN_ARENA(sizeof sample->bytes)] __attribute__((aligned(16)));
	static uint8_t *bytes;
	free(bytes);
	bytes = malloc(sample->length ? sample->length : 1);
	uint32_t length = (uint32_t)sample->length;
	if (sample->length >= PLAN_HEADER)
		memcpy(sample->bytes + 8, &length, sizeof length);
	memcpy(bytes, sample->bytes, sample->length);
	struct arena arena = { memory, memory + PLAN_ARENA(sample->length) };
	const char *why = NULL;
	return plan_decode(bytes, sample->length, &arena, plan, &why) < 0 ? why : "good";
}

static void expect_refusal(struct sample *sample, const char *why)
{
	struct plan plan;
	const char *got = decode(sample, &plan);
	if (strcmp(got, why) == 0)
		return;
	failures++;
	fprintf(stderr, "expected \"%s\", got \"%s\"\n", why, got);
}

static void test_process(void)
{
	struct sample sample;
	struct plan plan;
	begin_good(&sample);
	EXPECT(strcmp(decode(&sample, &plan), "good") == 0);
	EXPECT(strcmp(plan.id, "one") == 0);
	EXPECT(strcmp(plan.process.argv[1], "-c") == 0 && plan.process.argv[2] == NULL);
	EXPECT(strcmp(plan.process.env[0], "A=b") == 0 && plan.process.env[1] == NULL);
	EXPECT(plan.process.uid == 1000 && plan.process.gid == 100 && !plan.process.has_umask);
	EXPECT(plan.process.group_count == 2 && plan.process.groups[1] == 8);
	EXPECT(plan.oom_counter == NO_FD && plan.stdio == STDIO_NULL && plan.fds == 0);
}

static void test_mounts(void)
{
	struct sample sample;
	struct plan plan;
	begin_good(&sample);
	const uint32_t mnt[2] = { NAMESPACE_MNT, NO_FD }, net[2] = { NAMESPACE_NET, 4 };
	record(&sample, TAG_NAMESPACE, mnt, sizeof mnt);
	record(&sample, TAG_NAMESPACE, net, sizeof net);
	TEXT(&sample, TAG_ROOT_ANCHOR, "/anchor");
	add_mount(&sample, "/");
	add_mount(&sample, "/dev");
	EXPECT(strcmp(decode(&sample, &plan), "good") == 0);
	EXPECT(strcmp(plan.mounts->next->target, "/dev") == 0 && plan.mounts->next->next == NULL);
	EXPECT(strcmp(plan.mounts->options->key, "noswap") == 0 && plan.mounts->options->value == NULL);
	EXPECT(strcmp(plan.mounts->options->next->value, "755") == 0);
	EXPECT(plan.mounts->create == CREATE_NONE && plan.mounts->fd == -1);
	EXPECT(plan.namespaces[NAMESPACE_NET].fd == 4 && plan.fds == 5);
	add_mount(&sample, "/");
	expect_refusal(&sample, "the root is not the first mount and the only one at /");
}

/* A bind at /x whose owners are mapped as the tags say. */
static const char *decode_owners(struct plan *plan, const uint32_t *tags, size_t count, size_t length)
{
	struct sample sample, mount = { .length = 0 };
	const uint32_t map[3] = { 1000, 0, 1 }, mnt[2] = { NAMESPACE_MNT, NO_FD };
	begin_good(&sample);
	record(&sample, TAG_NAMESPACE, mnt, sizeof mnt);
	TEXT(&sample, TAG_ROOT_ANCHOR, "/anchor");
	add_mount(&sample, "/");
	TEXT(&mount, TAG_MOUNT_BIND, "/srv");
	TEXT(&mount, TAG_MOUNT_TARGET, "/x");
	for (size_t i = 0; i < count; i++)
		record(&mount, tags[i], map, length);
	record(&sample, TAG_MOUNT, mount.bytes, mount.length);
	return decode(&sample, plan);
}

static void test_owners(void)
{
	struct plan plan;
	const uint32_t tags[] = { TAG_MOUNT_UID_MAP, TAG_MOUNT_GID_MAP, TAG_MOUNT_GID_MAP };
	EXPECT(strcmp(decode_owners(&plan, tags, 3, 12), "good") == 0);
	const struct mount *mount = plan.mounts->next;
	EXPECT(mount->uids->inside == 1000 && mount->uids->outside == 0 && mount->uids->count == 1);
	EXPECT(mount->gids->next && !mount->uids->next && mount->userns == -1 && !plan.mounts->uids);
	const char *one = "a mount has id maps of one kind only, or it is the root";
	EXPECT(strcmp(decode_owners(&plan, tags, 1, 12), one) == 0);
	EXPECT(strcmp(decode_owners(&plan, tags, 2, 8), "an id map of a mount has not twelve bytes") == 0);
}

static void test_header(void)
{
	struct sample sample = { .length = 0 };
	expect_refusal(&sample, "this is not a plan");
	begin_good(&sample);
	sample.bytes[0] ^= 1;
	expect_refusal(&sample, "this is not a plan");
	begin_good(&sample);
	sample.bytes[4] = 9;
	expect_refusal(&sample, "the plan has another version than this helper");
	begin_good(&sample);
	sample.length -= 1;
	expect_refusal(&sample, "a record is longer than what holds it");
	begin_good(&sample);
	sample.length += 3;
	expect_refusal(&sample, "a record is cut off");
}

static void test_records(void)
{
	struct sample sample;
	begin_good(&sample);
	number(&sample, 4711, 0);
	expect_refusal(&sample, "unknown tag");
	begin_good(&sample);
	number(&sample, TAG_MODE, 3);
	expect_refusal(&sample, "a choice is out of range");
	begin_good(&sample);
	record(&sample, TAG_HOSTNAME, "no end", 6);
	expect_refusal(&sample, "a text does not end in its only NUL");
	begin_good(&sample);
	TEXT(&sample, TAG_HOSTNAME, "two\0ends");
	expect_refusal(&sample, "a text does not end in its only NUL");
	begin_good(&sample);
	TEXT(&sample, TAG_SYSCTL, "kernel.shmmax");
	expect_refusal(&sample, "a text is missing");
	begin_good(&sample);
	number(&sample, TAG_OOM_EVENT, PLAN_FDS_MAX);
	expect_refusal(&sample, "a descriptor index is out of range");
	begin_good(&sample);
	number(&sample, TAG_INIT, 1);
	expect_refusal(&sample, "a flag has a value");
	begin_good(&sample);
	TEXT(&sample, TAG_SECCOMP, "seven b");
	record(&sample, TAG_SECCOMP, "", 0);
	expect_refusal(&sample, "the seccomp filter has not 1 to 4096 instructions");
	begin_good(&sample);
	for (int i = 0; i < 2; i++) {
		const uint32_t pid[2] = { NAMESPACE_PID, NO_FD };
		record(&sample, TAG_NAMESPACE, pid, sizeof pid);
	}
	expect_refusal(&sample, "a namespace is named twice");
}

static void test_whole(void)
{
	struct sample sample;
	begin(&sample);
	add_process(&sample);
	expect_refusal(&sample, "the id is missing or longer than 128 bytes");
	begin(&sample);
	TEXT(&sample, TAG_ID, "one");
	expect_refusal(&sample, "a sandbox has a process, or another mode has none");
	begin_good(&sample);
	TEXT(&sample, TAG_ROOT_ANCHOR, "/anchor");
	expect_refusal(&sample, "mounts and the root anchor need each other");
	begin_good(&sample);
	TEXT(&sample, TAG_ROOT_ANCHOR, "/anchor");
	add_mount(&sample, "/");
	expect_refusal(&sample, "mounts need a mount namespace");
	begin_good(&sample);
	TEXT(&sample, TAG_MASKED_PATH, "/proc/kcore");
	expect_refusal(&sample, "devices, symlinks, masked and read-only paths need a root");
	begin_good(&sample);
	FLAG(&sample, TAG_AWAIT_START);
	expect_refusal(&sample, "a launch without a control socket cannot await its start");
	begin_good(&sample);
	add_process(&sample);
	expect_refusal(&sample, "there are two processes");
}

static void test_long_list(void)
{
	static struct {
		uint8_t bytes[PLAN_HEADER + (PLAN_LIST_MAX + 1) * 10];
		uint8_t memory[PLAN_ARENA(PLAN_HEADER + (PLAN_LIST_MAX + 1) * 10)] __attribute__((aligned(16)));
	} large;
	const uint32_t header[4] = { PLAN_MAGIC, PLAN_VERSION, sizeof large.bytes, 0 };
	const uint32_t masked[2] = { TAG_MASKED_PATH, 2 };
	memcpy(large.bytes, header, sizeof header);
	for (size_t i = 0; i <= PLAN_LIST_MAX; i++) {
		memcpy(large.bytes + PLAN_HEADER + i * 10, masked, sizeof masked);
		memcpy(large.bytes + PLAN_HEADER + i * 10 + 8, "/", 2);
	}
	struct plan plan;
	const char *why = NULL;
	struct arena arena = { large.memory, large.memory + sizeof large.memory };
	EXPECT(plan_decode(large.bytes, sizeof large.bytes, &arena, &plan, &why) < 0);
	EXPECT(why && strcmp(why, "a list is too long") == 0);
}

int main(void)
{
	test_process();
	test_mounts();
	test_owners();
	test_header();
	test_records();
	test_whole();
	test_long_list();
	if (failures)
		fprintf(stderr, "plan decoder: %d failures\n", failures);
	return failures != 0;
}
