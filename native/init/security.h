/* From the launcher's powers to the container's: limits, user, capabilities, seccomp. */
#ifndef SECURITY_H
#define SECURITY_H

#include <sys/types.h>

#include "plan.h"

int apply_limits(const struct plan *plan);

/* The keys of the user who started the engine are not the container's. */
int renew_session_keyring(void);

/* Written while the host's /proc is in sight; `pid` 0 is the caller. */
int write_oom_score(const struct plan *plan, pid_t pid);
int write_sysctls(const struct plan *plan);

/*
 * Bounding set, ids, working directory, capabilities and seccomp, in the order in
 * which each step still may do what it does. The filter comes as late as possible:
 * after the capabilities are gone when no_new_privs allows that, else before.
 */
int drop_privileges(const struct plan *plan);

/* No capability at all, for a process that only waits. */
int drop_everything(void);

#endif
