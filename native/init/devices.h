/* Devices of the container: nodes, the terminal, the null device of its standard streams. */
#ifndef DEVICES_H
#define DEVICES_H

#include "path.h"
#include "plan.h"

/*
 * Opens the host's device nodes where mknod(2) is not allowed. Must run where the host's
 * paths still mean the host's files.
 */
int open_host_devices(struct plan *plan);

/* Makes a node below `root`, or binds the host's. */
int make_device(int root, struct device *device, struct parent_cache *cache);

/* Opens a pseudo terminal of the container's own devpts below `root`; 0 with both ends. */
int open_terminal(const struct plan *plan, int root, int *master, int *slave);

/* Makes the terminal with this slave the container's /dev/console: by descriptor, since names in /dev/pts may be others' (CVE-2025-52565). */
int bind_console(int root, int slave);

/* An open file that is certainly the container's null device. */
int open_null(int root, uint64_t flags);

/*
 * The null device for a standard stream: /dev/null below `root` if that is one, else a
 * node of its own. Never the host's, whose mode the program could change through
 * /proc/self/fd.
 */
int open_null_stream(int root);

#endif
