/* Makes the container's first process and hands its descriptors to the monitor. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <sys/types.h>

#include "plan.h"

/*
 * The process says READY (with the terminal's two ends attached where there is one)
 * once it waits for GO, or FAILED. The socket's end without FAILED means that the
 * program runs.
 */
enum { CHILD_READY = 1, CHILD_FAILED = 2 };
#define CHILD_GO 'G'

struct child_message {
	uint32_t kind;
	struct failure failure;
};

/* The monitor's ends; -1 for a stream without one. */
struct launch {
	pid_t pid;
	int pidfd;
	int sync;
	int input;
	int output[2];
};

int launch(struct plan *plan, struct launch *launch);

#endif
