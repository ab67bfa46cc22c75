/*
 * Things that wait. Those of one queue wait equally long, so the one that joined first is the
 * first that is late, and the next deadline is known without looking at the others.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdint.h>

/* A place in a queue, within what waits; all zeros: in none. */
struct waiter {
	struct waiter *next, *previous;
	uint64_t deadline; /* of monotonic_ms() */
};

struct queue {
	struct waiter ends; /* its neighbours are the first and the last */
	unsigned patience;  /* milliseconds */
};

#define QUEUE(queue, milliseconds)                                             \
	{                                                                      \
		.ends = { .next = &(queue).ends, .previous = &(queue).ends },  \
		.patience = (milliseconds)                                     \
	}

/* Joins behind all others with a deadline from now on, out of the queue where it was. */
void wait_in(struct queue *queue, struct waiter *waiter);
/* Does nothing for one that waits nowhere. */
void leave_queue(struct waiter *waiter);
/* NULL at the end. */
struct waiter *first_in(struct queue *queue);
struct waiter *next_in(struct queue *queue, struct waiter *waiter);
/* The first one where it is late, or NULL. */
struct waiter *late_in(struct queue *queue);
/* Milliseconds until the first one is late; -1 for an empty queue. */
int patience_of(struct queue *queue);

#endif
