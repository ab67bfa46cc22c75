/* Fuzz target of the plan decoder: for libFuzzer, and for the driver in mutate.c. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every text is walked: a decoder that let one run out of the plan would be seen. */
static size_t walk(const struct plan *plan)
{
	size_t sum = strlen(plan->id);
	for (const struct mount *mount = plan->mounts; mount; mount = mount->next) {
		sum += strlen(mount->target);
		for (const struct option *option = mount->options; option; option = option->next)
			sum += strlen(option->key) + (option->value ? strlen(option->value) : 0);
	}
	for (const struct text *text = plan->sysctls; text; text = text->next)
		sum += strlen(text->first) + strlen(text->second);
	for (const struct device *device = plan->devices; device; device = device->next)
		sum += strlen(device->path);
	for (char **argument = plan->process.argv; argument && *argument; argument++)
		sum += strlen(*argument);
	for (char **variable = plan->process.env; variable && *variable; variable++)
		sum += strlen(*variable);
	for (size_t i = 0; i < plan->process.group_count; i++)
		sum += plan->process.groups[i];
	for (size_t i = 0; i < plan->seccomp_length * 8; i++)
		sum += plan->seccomp[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	/* The length field is made right, or hardly anything would get past it. */
	uint8_t *bytes = malloc(size ? size : 1);
	memcpy(bytes, data, size);
	uint32_t length = (uint32_t)size;
	if (size >= 12)
		memcpy(bytes + 8, &length, sizeof length);
	uint8_t *memory = malloc(PLAN_ARENA(size));
	struct arena arena = { memory, memory + PLAN_ARENA(size) };
	struct plan plan;
	const char *why;
	if (plan_decode(bytes, size, &arena, &plan, &why) == 0 && walk(&plan) == SIZE_MAX)
		abort();
	free(memory);
	free(bytes);
	return 0;
}
