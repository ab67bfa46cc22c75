/*
 * Mode dns: the resolver at 127.0.0.11 of every container that has one, for one engine.
 *
 * Two processes. The broker (dns.c) is the only one that may enter network namespaces; it
 * hears the engine, makes the sockets of a container inside its namespace and passes them
 * on. The worker (dns-server.c) reads what containers and name servers send, without any
 * privilege. Between them: packets of one frame each, a request and its answer in turn.
 */
#ifndef DNS_H
#define DNS_H

/*
 * Serves at the socket `path`, and on descriptor 3, until it is told to quit or has no
 * clients. Returns the exit status.
 */
int serve_dns(const char *path);

/* The worker: its end of the packets. Ends with the broker. */
_Noreturn void serve_queries(int broker);

#endif
