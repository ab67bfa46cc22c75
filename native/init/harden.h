/*
 * Takes away the rights that the monitor no longer needs once the program runs: from then
 * on it only moves bytes and waits.
 */
#ifndef HARDEN_H
#define HARDEN_H

/*
 * Of the capabilities it keeps those to signal a process of another user and to write
 * below a directory that is not root's; of the system calls those of the loop; and it
 * gains no new privileges. Where that is allowed, the kernel spares it when memory is
 * short. 0 or a negative errno; what could be done is done.
 */
int harden_monitor(void);

/*
 * The resolver's broker keeps the capability that entering namespaces needs, and its
 * system calls; its worker keeps no capability, and the system calls of IP sockets alone.
 */
int harden_broker(void);
int harden_worker(void);

/* The proxy of published ports keeps the right to listen below port 1024, and the system calls of sockets and pipes alone. */
int harden_proxy(void);

#endif
