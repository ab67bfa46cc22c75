/* The container's root: sources first, as the host sees them, then the tree on its anchor, then the switch to it. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "plan.h"

/* The descriptor behind an index of the inherited table. */
#define INHERITED(index) (5 + (int)(index))

/*
 * Clones the trees of inherited descriptors: only in the mount namespace in which they
 * were opened does the kernel allow that, so before there is a child. The child has
 * copies, the launcher closes its own.
 */
int open_inherited_mounts(struct plan *plan);
void close_mounts(struct plan *plan);

/*
 * Makes every other mount of the plan, detached, and opens the host's device nodes where
 * mknod(2) is not allowed. Must run in the namespaces of the container except for the
 * mount namespace, in which the host's paths still have to mean the host's files.
 */
int open_mounts(struct plan *plan);

/* Attaches all of it in the container's mount namespace; returns a descriptor of the new root. */
int assemble_root(struct plan *plan);

/* Opens a pseudo terminal of the container's own devpts below `root`; 0 with both ends. */
int open_terminal(const struct plan *plan, int root, int *master, int *slave);

/* Makes the terminal with this slave the container's /dev/console: by descriptor, since names in /dev/pts may be others' (CVE-2025-52565). */
int bind_console(int root, int slave);

/*
 * The null device for a standard stream: /dev/null below `root` if that is one, else a
 * node of its own. Never the host's, whose mode the program could change through
 * /proc/self/fd.
 */
int open_null_stream(int root);

/* Masked and read-only paths, then the root's own attributes. */
int restrict_root(const struct plan *plan, int root);

/* Makes `root` this process's root and lets go of the host's. */
int enter_root(int root);

/* A directory below `root` that exists afterwards. */
int make_directory(int root, const char *path);

#endif
