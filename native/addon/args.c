#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BLOCK (4u << 20)

static void refuse(struct call *call, size_t index, const char *wanted)
{
	char message[160];
	if (!call->failed) {
		snprintf(message, sizeof(message), "%s: argument %zu must be %s", call->name,
			 index + 1, wanted);
		napi_throw_type_error(call->env, NULL, message);
	}
	call->failed = true;
}

int64_t take_integer(struct call *call, size_t index, int64_t least, int64_t most)
{
	double value;
	if (call->failed)
		return 0;
	if (napi_get_value_double(call->env, call->values[index], &value) != napi_ok ||
	    !(value >= (double)least && value <= (double)most) ||
	    (double)(int64_t)value != value) {
		refuse(call, index, "an integer in range");
		return 0;
	}
	return (int64_t)value;
}

int take_fd(struct call *call, size_t index)
{
	return (int)take_integer(call, index, 0, INT_MAX);
}

int take_dirfd(struct call *call, size_t index)
{
	int64_t fd = take_integer(call, index, AT_FDCWD, INT_MAX);
	if (!call->failed && fd < 0 && fd != AT_FDCWD)
		refuse(call, index, "a descriptor or AT_FDCWD");
	return (int)fd;
}

uint64_t take_u64(struct call *call, size_t index)
{
	uint64_t value = 0;
	bool lossless = false;
	if (!call->failed && (napi_get_value_bigint_uint64(call->env, call->values[index], &value,
							   &lossless) != napi_ok ||
			      !lossless))
		refuse(call, index, "a bigint of 64 bits");
	return value;
}

int64_t take_i64(struct call *call, size_t index)
{
	int64_t value = 0;
	bool lossless = false;
	if (!call->failed && (napi_get_value_bigint_int64(call->env, call->values[index], &value,
							  &lossless) != napi_ok ||
			      !lossless))
		refuse(call, index, "a signed bigint of 64 bits");
	return value;
}

/* The typed array behind an argument, or NULL without an exception. */
static void *typed_array(struct call *call, size_t index, napi_typedarray_type wanted,
			 size_t *length)
{
	napi_typedarray_type type;
	void *data = NULL;
	bool is = false;
	if (napi_is_typedarray(call->env, call->values[index], &is) != napi_ok || !is)
		return NULL;
	if (napi_get_typedarray_info(call->env, call->values[index], &type, length, &data, NULL,
				     NULL) != napi_ok)
		return NULL;
	static uint8_t nothing;
	if (type != wanted)
		return NULL;
	return data ? data : &nothing;
}

struct span take_bytes(struct call *call, size_t index)
{
	struct span span = { 0 };
	if (call->failed)
		return span;
	span.data = typed_array(call, index, napi_uint8_array, &span.size);
	if (!span.data)
		refuse(call, index, "a Uint8Array");
	return span;
}

int64_t *take_i64_array(struct call *call, size_t index, size_t length)
{
	size_t size = 0;
	if (call->failed)
		return NULL;
	int64_t *data = typed_array(call, index, napi_bigint64_array, &size);
	if (!data || size < length) {
		refuse(call, index, "a BigInt64Array that is long enough");
		return NULL;
	}
	return data;
}

int32_t *take_i32_array(struct call *call, size_t index, size_t *length)
{
	if (call->failed)
		return NULL;
	int32_t *data = typed_array(call, index, napi_int32_array, length);
	if (!data)
		refuse(call, index, "an Int32Array");
	return data;
}

void take_text(struct call *call, size_t index, char *out, size_t size)
{
	size_t length = 0;
	napi_valuetype type;
	out[0] = '\0';
	if (call->failed)
		return;
	if (napi_typeof(call->env, call->values[index], &type) == napi_ok && type == napi_string) {
		if (napi_get_value_string_utf8(call->env, call->values[index], NULL, 0, &length) !=
			    napi_ok ||
		    length >= size ||
		    napi_get_value_string_utf8(call->env, call->values[index], out, size,
					       &length) != napi_ok) {
			refuse(call, index, "a shorter string");
			return;
		}
	} else {
		struct span span = take_bytes(call, index);
		if (call->failed)
			return;
		if (span.size >= size) {
			refuse(call, index, "fewer bytes");
			return;
		}
		memcpy(out, span.data, span.size);
		length = span.size;
	}
	out[length] = '\0';
	if (strlen(out) != length)
		refuse(call, index, "free of NUL bytes");
}

char *take_block(struct call *call, size_t index, size_t *size)
{
	struct span span = take_bytes(call, index);
	if (call->failed)
		return NULL;
	if (span.size > MAX_BLOCK || (span.size > 0 && span.data[span.size - 1] != 0)) {
		refuse(call, index, "at most 4 MiB of NUL-terminated strings");
		return NULL;
	}
	char *copy = malloc(span.size + 1);
	if (!copy) {
		refuse(call, index, "small enough for the memory left");
		return NULL;
	}
	memcpy(copy, span.data, span.size);
	copy[span.size] = '\0';
	*size = span.size;
	return copy;
}
