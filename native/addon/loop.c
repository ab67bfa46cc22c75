#define _GNU_SOURCE
#include "addon.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 64
#define LARGEST_ID (1LL << 53)

struct report {
	double id;
	long value;
	void *data;
	size_t size;
	bool value_is_fd;
	struct report *next;
};

/* One JavaScript environment: the main thread's or a Worker's. */
struct instance {
	napi_env env;
	atomic_int holders;
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	bool closed;
	bool scheduled;
	struct report *first;
	struct report **end;
	napi_threadsafe_function sink;
	/* Used on the JavaScript thread only: */
	pthread_t thread;
	bool running;
	int epoll;
	int wake;
};

static void drop(struct report *report)
{
	if (report->value_is_fd && report->value >= 0)
		close((int)report->value);
	free(report->data);
	free(report);
}

static struct report *take_reports(struct instance *instance)
{
	pthread_mutex_lock(&instance->lock);
	struct report *first = instance->first;
	instance->first = NULL;
	instance->end = &instance->first;
	instance->scheduled = false;
	pthread_mutex_unlock(&instance->lock);
	return first;
}

void instance_hold(struct instance *instance)
{
	atomic_fetch_add(&instance->holders, 1);
}

void instance_release(struct instance *instance)
{
	if (atomic_fetch_sub(&instance->holders, 1) != 1)
		return;
	for (struct report *r = take_reports(instance), *next; r; r = next) {
		next = r->next;
		drop(r);
	}
	if (instance->epoll >= 0)
		close(instance->epoll);
	if (instance->wake >= 0)
		close(instance->wake);
	pthread_mutex_destroy(&instance->lock);
	free(instance);
}

void instance_report(struct instance *instance, double id, long value, void *data, size_t size,
		     bool value_is_fd)
{
	struct report *report = malloc(sizeof(*report));
	/* Without memory for a report its promise would hang forever: say so and stop. */
	if (!report)
		abort();
	*report = (struct report){ .id = id,
				   .value = value,
				   .data = data,
				   .size = size,
				   .value_is_fd = value_is_fd };
	pthread_mutex_lock(&instance->lock);
	bool closed = instance->closed;
	if (!closed) {
		*instance->end = report;
		instance->end = &report->next;
		if (!instance->scheduled)
			instance->scheduled =
				napi_call_threadsafe_function(instance->sink, NULL,
							      napi_tsfn_nonblocking) == napi_ok;
	}
	pthread_mutex_unlock(&instance->lock);
	if (closed)
		drop(report);
}

static void deliver_one(napi_env env, napi_value callback, struct report *report)
{
	napi_handle_scope scope;
	napi_value arguments[3], undefined;
	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_undefined(env, &undefined) == napi_ok &&
	    napi_create_double(env, report->id, &arguments[0]) == napi_ok &&
	    napi_create_int64(env, report->value, &arguments[1]) == napi_ok) {
		arguments[2] = undefined;
		if (report->data)
			napi_create_buffer_copy(env, report->size, report->data, NULL,
						&arguments[2]);
		report->value_is_fd = false;
		napi_call_function(env, undefined, callback, 3, arguments, NULL);
	}
	napi_close_handle_scope(env, scope);
}

static void deliver(napi_env env, napi_value callback, void *context, void *data)
{
	struct instance *instance = context;
	(void)data;
	for (struct report *r = take_reports(instance), *next; r; r = next) {
		next = r->next;
		if (env && callback)
			deliver_one(env, callback, r);
		drop(r);
	}
}

static void *loop(void *argument)
{
	struct instance *instance = argument;
	struct epoll_event events[BATCH];
	for (;;) {
		int count = epoll_wait(instance->epoll, events, BATCH, -1);
		if (count < 0 && errno != EINTR)
			return NULL;
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == 0)
				return NULL;
			instance_report(instance, (double)events[i].data.u64, events[i].events, NULL,
					0, false);
		}
	}
}

static int start_thread(struct instance *instance)
{
	if (instance->running)
		return 0;
	struct epoll_event event = { .events = EPOLLIN };
	if (instance->epoll < 0)
		instance->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (instance->wake < 0)
		instance->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (instance->epoll < 0 || instance->wake < 0)
		return -errno;
	if (epoll_ctl(instance->epoll, EPOLL_CTL_ADD, instance->wake, &event) < 0 &&
	    errno != EEXIST)
		return -errno;

	/* Signals belong to the threads that the runtime made. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 << 10);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&instance->thread, &attributes, loop, instance);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	instance->running = error == 0;
	return -error;
}

static void instance_close(void *argument)
{
	struct instance *instance = argument;
	if (instance->running) {
		uint64_t one = 1;
		if (write(instance->wake, &one, sizeof(one)) == sizeof(one))
			pthread_join(instance->thread, NULL);
		instance->running = false;
	}
	pthread_mutex_lock(&instance->lock);
	instance->closed = true;
	napi_threadsafe_function sink = instance->sink;
	instance->sink = NULL;
	pthread_mutex_unlock(&instance->lock);
	if (sink)
		napi_release_threadsafe_function(sink, napi_tsfn_abort);
	instance_release(instance);
}

/* The sink keeps the instance until it is gone itself: deliver() may run once more. */
static void sink_gone(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	instance_release(data);
}

struct instance *instance_create(napi_env env)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	if (!instance)
		return NULL;
	instance->env = env;
	instance->closed = true;
	instance->end = &instance->first;
	instance->epoll = -1;
	instance->wake = -1;
	atomic_init(&instance->holders, 1);
	pthread_mutex_init(&instance->lock, NULL);
	if (napi_set_instance_data(env, instance, NULL, NULL) != napi_ok ||
	    napi_add_env_cleanup_hook(env, instance_close, instance) != napi_ok) {
		free(instance);
		return NULL;
	}
	return instance;
}

/* onReport(callback): where reports go from now on; once per instance, before any job or watch. */
static long on_report(struct call *call)
{
	struct instance *instance = call->instance;
	napi_value name;
	napi_threadsafe_function sink;
	if (instance->sink)
		return -EALREADY;
	if (napi_create_string_utf8(call->env, "thimble", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_threadsafe_function(call->env, call->values[0], NULL, name, 0, 1, instance,
					    sink_gone, instance, deliver, &sink) != napi_ok)
		return -EINVAL;
	instance_hold(instance);
	napi_unref_threadsafe_function(call->env, sink);
	pthread_mutex_lock(&instance->lock);
	instance->sink = sink;
	instance->closed = false;
	pthread_mutex_unlock(&instance->lock);
	return 0;
}

/* keepAlive(yes): whether waiting for reports keeps the JavaScript event loop from ending. */
static long keep_alive(struct call *call)
{
	bool yes = take_integer(call, 0, 0, 1) != 0;
	if (call->failed || !call->instance->sink)
		return -EINVAL;
	napi_status status = yes ? napi_ref_threadsafe_function(call->env, call->instance->sink) :
				   napi_unref_threadsafe_function(call->env, call->instance->sink);
	return status == napi_ok ? 0 : -EINVAL;
}

/* watch(fd, id, events): one report when any of the EPOLL* events is there, then silence until asked again. */
static long watch(struct call *call)
{
	int fd = take_fd(call, 0);
	int64_t id = take_integer(call, 1, 1, LARGEST_ID);
	int64_t events = take_integer(call, 2, 0, 0xffff);
	if (call->failed)
		return 0;
	if (!call->instance->sink)
		return -EINVAL;
	int error = start_thread(call->instance);
	if (error < 0)
		return error;
	struct epoll_event event = { .events = (uint32_t)events | EPOLLONESHOT,
				     .data.u64 = (uint64_t)id };
	if (epoll_ctl(call->instance->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return result_of(epoll_ctl(call->instance->epoll, EPOLL_CTL_ADD, fd, &event));
}

/* unwatch(fd): reports already under way may still arrive. */
static long unwatch(struct call *call)
{
	int fd = take_fd(call, 0);
	if (call->failed)
		return 0;
	if (call->instance->epoll < 0)
		return -ENOENT;
	return result_of(epoll_ctl(call->instance->epoll, EPOLL_CTL_DEL, fd, NULL));
}

const struct function loop_functions[] = {
	{ "onReport", on_report, 1 },
	{ "keepAlive", keep_alive, 1 },
	{ "watch", watch, 3 },
	{ "unwatch", unwatch, 1 },
	{ 0 },
};
