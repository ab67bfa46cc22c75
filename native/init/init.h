/*
 * Process 1 where the container brings none: a reaper that passes signals on. Runs in the
 * loaded image, without exec.
 */
#ifndef INIT_H
#define INIT_H

#include <sys/types.h>

/* Reaps until `child` has ended, forwarding signals to it; returns the status to exit with. */
int reap_until(pid_t child);

/* Reaps until told to end: the process that holds a sandbox's namespaces. */
int hold_namespaces(void);

/* Blocks the signals that the reaper waits for; to be called before there is a child. */
void block_signals(void);

/* Sets all signals to their defaults and unblocks them, as a new program expects. */
void reset_signals(void);

#endif
