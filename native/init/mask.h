/* What the container's program may not see, or not write to. */
#ifndef MASK_H
#define MASK_H

#include "plan.h"

/* Masked and read-only paths, then the root's own attributes. */
int restrict_root(const struct plan *plan, int root);

#endif
