/*
 * A monitor without a container: the test holds the other ends of its pipes and sockets,
 * says when the process ends, and lets memory, files and disk fail. System calls of the
 * monitor that matter here go through the linker's --wrap (see the Makefile).
 */
#ifndef RIG_H
#define RIG_H

#include "monitor.h"

struct rig {
	int output[2]; /* the container's ends; -1: closed */
	int input;
	int engine; /* the other end of descriptors 3 and 4 */
	int child;  /* the other end of the sync socket */
	int client; /* of the one that was attached at the start; does not wait */
	bool over;  /* the monitor has ended */
};

struct rig_options {
	const char *directory; /* for log, control, exit */
	uint32_t stdio_flags;
	uint64_t log_size;
	uint32_t log_files;
	bool client; /* one is attached to both outputs before the program runs */
};

/* The calls that fail from now on; all zero but `disk` when none does. */
struct faults {
	bool memory, rename, open, accept;
	size_t disk; /* bytes that files still take, SIZE_MAX: any */
};

extern struct faults faults;
extern const struct faults no_faults;
/* 0: the clock. */
extern uint64_t fixed_time;
/* While `tracing`, one word for each step that the monitor took: "write:log", "fsync:exit.new", "rename:exit.new", ... */
extern bool tracing;
extern char trace[4096];

/* Up to a running program. */
void rig_open(struct rig *rig, const struct rig_options *options);
/* One event, or silence; false once the monitor has ended. */
bool rig_turn(struct rig *rig);
/* The process ends, with a status as of wait(2). */
void rig_exit(int status);
void rig_close(struct rig *rig);
/* A client of the control socket, or -1. Neither end waits. */
int rig_connect(const struct rig_options *options);

#endif
