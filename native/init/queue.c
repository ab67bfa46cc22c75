#include "queue.h"

#include <stddef.h>

#include "base.h"

void leave_queue(struct waiter *waiter)
{
	if (!waiter->next)
		return;
	waiter->next->previous = waiter->previous;
	waiter->previous->next = waiter->next;
	waiter->next = waiter->previous = NULL;
}

void wait_in(struct queue *queue, struct waiter *waiter)
{
	leave_queue(waiter);
	waiter->deadline = monotonic_ms() + queue->patience;
	waiter->next = &queue->ends;
	waiter->previous = queue->ends.previous;
	waiter->previous->next = waiter;
	queue->ends.previous = waiter;
}

struct waiter *first_in(struct queue *queue)
{
	return next_in(queue, &queue->ends);
}

struct waiter *next_in(struct queue *queue, struct waiter *waiter)
{
	return waiter->next == &queue->ends ? NULL : waiter->next;
}

struct waiter *late_in(struct queue *queue)
{
	struct waiter *first = first_in(queue);
	return first && first->deadline <= monotonic_ms() ? first : NULL;
}

int patience_of(struct queue *queue)
{
	struct waiter *first = first_in(queue);
	uint64_t time = first ? monotonic_ms() : 0;
	return !first ? -1 : first->deadline <= time ? 0 : (int)(first->deadline - time);
}
