/* The container's root: the tree on its anchor, then the switch to it. */
#ifndef ROOT_H
#define ROOT_H

#include "plan.h"

/* Attaches mounts, devices and symlinks in the container's mount namespace; returns a descriptor of the new root. */
int assemble_root(struct plan *plan);

/* Makes `root` this process's root and lets go of the host's. */
int enter_root(int root);

#endif
