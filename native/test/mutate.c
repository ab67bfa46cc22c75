/* Drives the fuzz target without libFuzzer: plans made of random records, then bent. Its argument is the number of runs; the seed is fixed, so a failure comes again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint32_t next(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

struct draft {
	uint8_t bytes[8192];
	size_t length;
};

static void add(struct draft *draft, const void *bytes, size_t length)
{
	if (draft->length + length > sizeof draft->bytes)
		return;
	memcpy(draft->bytes + draft->length, bytes, length);
	draft->length += length;
}

static void add_u32(struct draft *draft, uint32_t value)
{
	add(draft, &value, sizeof value);
}

static void add_value(struct draft *draft)
{
	static const char *const texts[] = { "/", "/proc", "a", "/a/b/c", "", "key" };
	static const uint32_t sizes[] = { 0, 4, 8, 12, 16, 20, 40 };
	if (next(2)) {
		for (uint32_t texts_left = 1 + next(2); texts_left > 0; texts_left--) {
			const char *text = texts[next(sizeof texts / sizeof *texts)];
			add(draft, text, strlen(text) + 1);
		}
		return;
	}
	for (uint32_t size = sizes[next(sizeof sizes / sizeof *sizes)]; size > 0; size -= 4)
		add_u32(draft, next(4) ? next(8) : (uint32_t)state);
}

static void add_record(struct draft *draft, uint32_t first, uint32_t count, int depth)
{
	uint32_t tag = first + next(count);
	size_t start = draft->length;
	add_u32(draft, tag);
	add_u32(draft, 0);
	if (depth > 0 && (tag == TAG_MOUNT || tag == TAG_PROCESS))
		for (uint32_t inner = next(8); inner > 0; inner--)
			add_record(draft, tag == TAG_MOUNT ? TAG_MOUNT_FILESYSTEM : TAG_ARGUMENT,
				   tag == TAG_MOUNT ? 12 : 6, 0);
	else
		add_value(draft);
	uint32_t length = (uint32_t)(draft->length - start - 8);
	if (draft->length >= start + 8)
		memcpy(draft->bytes + start + 4, &length, sizeof length);
}

int main(int argc, char **argv)
{
	long runs = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
	for (long run = 0; run < runs; run++) {
		struct draft draft = { .length = 0 };
		const uint32_t header[4] = { PLAN_MAGIC, PLAN_VERSION, 0, 0 };
		add(&draft, header, sizeof header);
		for (uint32_t records = next(24); records > 0; records--)
			add_record(&draft, TAG_MODE, 32, 1);
		for (uint32_t bends = next(4); bends > 0; bends--)
			draft.bytes[next((uint32_t)draft.length)] = (uint8_t)next(256);
		LLVMFuzzerTestOneInput(draft.bytes, draft.length - (next(8) ? 0 : next((uint32_t)draft.length)));
	}
	return 0;
}
