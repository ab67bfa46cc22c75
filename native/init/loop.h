/* The event loop of a process that stays: one epoll descriptor, and what is to be done when one of its descriptors is ready. */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

/* A descriptor in the loop; `events` is what epoll has been told, 0: not registered. */
struct source {
	int fd;
	uint32_t events;
	void (*ready)(struct source *source, uint32_t events);
};

/* 0 or a negative errno. */
int loop_open(void);
/* Not watched yet. */
void open_source(struct source *source, int fd, void (*ready)(struct source *, uint32_t));
/* 0 events: no longer watched. */
void watch(struct source *source, uint32_t events);
void close_source(struct source *source);
/*
 * Waits for one event, -1: for ever, and has it handled: 1, 0 after so many milliseconds without
 * one, or a negative errno. One at a time: a handler may then drop any other source without
 * leaving a stale event behind.
 */
int loop_turn(int milliseconds);

#endif
