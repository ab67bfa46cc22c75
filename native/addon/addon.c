#define _GNU_SOURCE
#include "addon.h"

#include <stdlib.h>

static const struct function *const tables[] = {
	file_functions,	      attribute_functions, mount_functions,   process_functions,
	descriptor_functions, loop_functions,	   netlink_functions, cgroup_functions,
	tree_functions,	      removal_functions,   quota_functions,
};

static napi_value invoke(napi_env env, napi_callback_info info)
{
	struct call call = { .env = env };
	size_t count = MAX_ARGUMENTS;
	void *data = NULL;
	void *instance = NULL;
	if (napi_get_cb_info(env, info, &count, call.values, NULL, &data) != napi_ok ||
	    napi_get_instance_data(env, &instance) != napi_ok || !instance)
		return NULL;

	const struct function *function = data;
	call.name = function->name;
	call.instance = instance;
	if (count < function->arguments) {
		napi_throw_type_error(env, NULL, "too few arguments for a system call");
		return NULL;
	}
	long value = function->run(&call);
	if (call.failed)
		return NULL;
	napi_value number;
	if (napi_create_int64(env, value, &number) != napi_ok)
		return NULL;
	return number;
}

static int export_table(napi_env env, napi_value exports, const struct function *table)
{
	for (const struct function *f = table; f->name; f++) {
		napi_value value;
		if (napi_create_function(env, f->name, NAPI_AUTO_LENGTH, invoke, (void *)f,
					 &value) != napi_ok)
			return -1;
		if (napi_set_named_property(env, exports, f->name, value) != napi_ok)
			return -1;
	}
	return 0;
}

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */)
{
	if (!instance_create(env)) {
		napi_throw_error(env, NULL, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (export_table(env, exports, tables[i]) < 0) {
			napi_throw_error(env, NULL, "cannot export the addon's functions");
			return NULL;
		}
	}
	return exports;
}
