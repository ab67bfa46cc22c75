#define _GNU_SOURCE
#include "addon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 8
#define IDLE_SECONDS 5

/* One pool for the whole process; its threads are detached and end when idle or with the process. */
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_work = PTHREAD_COND_INITIALIZER;
static struct job *queue;
static struct job **queue_end = &queue;
static int threads;
static int idle;

static void job_free(struct job *job)
{
	for (size_t i = 0; i < 3; i++)
		free(job->texts[i]);
	free(job->block);
	free(job);
}

struct job *job_create(struct call *call, long (*run)(struct job *job))
{
	double id = (double)take_integer(call, 0, 1, 1LL << 53);
	struct job *job = calloc(1, sizeof(*job));
	if (!job) {
		call->failed = true;
		napi_throw_error(call->env, NULL, "out of memory");
		return NULL;
	}
	job->run = run;
	job->id = id;
	job->instance = call->instance;
	return job;
}

char *job_text(struct call *call, size_t index, size_t limit)
{
	char text[MAX_PATH];
	take_text(call, index, text, limit < sizeof(text) ? limit : sizeof(text));
	return call->failed ? NULL : strdup(text);
}

/* The next job, or NULL after a while without one. Called and returns with the lock held. */
static struct job *next_job(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	idle++;
	while (!queue)
		if (pthread_cond_timedwait(&pool_work, &pool_lock, &until) == ETIMEDOUT)
			break;
	idle--;
	struct job *job = queue;
	if (job) {
		queue = job->next;
		if (!queue)
			queue_end = &queue;
	}
	return job;
}

static void *work(void *argument);

/* Called with the lock held. */
static int add_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	pthread_attr_t attributes;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attributes, work, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (error == 0)
		threads++;
	return -error;
}

static void *work(void *argument)
{
	bool spoiled = false;
	(void)argument;
	pthread_mutex_lock(&pool_lock);
	for (struct job *job; !spoiled && (job = next_job());) {
		pthread_mutex_unlock(&pool_lock);
		long value = job->run(job);
		spoiled = job->spoils_thread;
		instance_report(job->instance, job->id, value, job->data, job->size,
				job->returns_fd);
		instance_release(job->instance);
		job_free(job);
		pthread_mutex_lock(&pool_lock);
	}
	threads--;
	/* Jobs that had counted on this thread need another. */
	if (spoiled && queue && idle == 0)
		add_thread();
	pthread_mutex_unlock(&pool_lock);
	return NULL;
}

long job_start(struct call *call, struct job *job)
{
	int error = 0;
	if (call->failed) {
		if (job)
			job_free(job);
		return 0;
	}
	instance_hold(job->instance);
	pthread_mutex_lock(&pool_lock);
	int waiting = 1;
	for (struct job *other = queue; other && waiting <= MAX_THREADS; other = other->next)
		waiting++;
	if (waiting > idle && threads < MAX_THREADS)
		error = add_thread();
	if (error == 0 || threads > 0) {
		error = 0;
		*queue_end = job;
		queue_end = &job->next;
		pthread_cond_signal(&pool_work);
	}
	pthread_mutex_unlock(&pool_lock);
	if (error < 0) {
		instance_release(job->instance);
		job_free(job);
	}
	return error;
}
