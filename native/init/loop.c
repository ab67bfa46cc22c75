#include "loop.h"

#include <sys/epoll.h>

#include "base.h"

static int loop;

int loop_open(void)
{
	loop = check(epoll_create1(EPOLL_CLOEXEC));
	return loop < 0 ? loop : 0;
}

void open_source(struct source *source, int fd, void (*ready)(struct source *, uint32_t))
{
	*source = (struct source){ .fd = fd, .ready = ready };
}

void watch(struct source *source, uint32_t events)
{
	if (events == source->events || source->fd < 0)
		return;
	struct epoll_event event = { .events = events, .data.ptr = source };
	int operation = events == 0 ? EPOLL_CTL_DEL : source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (epoll_ctl(loop, operation, source->fd, &event) == 0)
		source->events = events;
}

void close_source(struct source *source)
{
	watch(source, 0);
	close_fd(&source->fd);
}

int loop_turn(int milliseconds)
{
	struct epoll_event event;
	int count = check(epoll_wait(loop, &event, 1, milliseconds));
	if (count == 1) {
		struct source *source = event.data.ptr;
		source->ready(source, event.events);
	}
	return count;
}
