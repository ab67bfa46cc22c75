/* Mounts of the plan, made detached from sources as the host sees them. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "plan.h"

/* The descriptor behind an index of the inherited table. */
#define INHERITED(index) (5 + (int)(index))

/* MS_PRIVATE and the like for a plan's PROPAGATION_*. */
uint64_t propagation_flag(uint32_t propagation);

/*
 * Clones the trees of inherited descriptors: only in the mount namespace in which they
 * were opened does the kernel allow that, so before there is a child. The child has
 * copies, the launcher closes its own.
 */
int open_inherited_mounts(struct plan *plan);
void close_mounts(struct plan *plan);

/*
 * Makes every other mount of the plan, detached. Must run in the namespaces of the
 * container except for the mount namespace, in which the host's paths still have to mean
 * the host's files.
 */
int open_mounts(struct plan *plan);

/*
 * mount(2) wants a place; the anchor is one until a clone of the mount has been taken.
 * Therefore not before the tree is private: the host would see it.
 */
int make_legacy(const struct plan *plan, struct mount *legacy);

#endif
