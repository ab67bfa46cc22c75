/* Owners of a bind's files as the container sees them: id-mapped mounts (mount_setattr(2)). */
#ifndef IDMAP_H
#define IDMAP_H

#include "plan.h"

/*
 * Makes the user namespaces that hold the maps of mounts. In the launcher, before there is
 * a child: only where the host's /proc knows our pids can a map be written.
 */
int open_id_maps(struct plan *plan);

/* Puts the maps on a mount that is not attached yet. */
int map_owners(const struct mount *mount);

#endif
