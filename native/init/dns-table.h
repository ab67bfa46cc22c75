/*
 * The names of containers: which endpoints (a container in a network) have them, and which
 * client (a container that asks) sees which networks. All that the engine tells is kept
 * here, so that it is answered while the engine is away.
 */
#ifndef DNS_TABLE_H
#define DNS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns-frames.h"

/* Of all endpoints and clients together. */
#define DNS_ENTRIES_MAX 100000u

/* A name of an endpoint, or the one under which its address is looked up (is_reverse). */
struct dns_name {
	struct dns_name *next; /* in its bucket */
	struct dns_name *sibling; /* of the same endpoint */
	struct dns_endpoint *endpoint;
	uint32_t hash;
	bool is_reverse;
	char text[];
};

struct dns_endpoint {
	struct dns_endpoint *next; /* in its bucket */
	char id[DNS_ID_MAX + 1], network[DNS_ID_MAX + 1];
	uint8_t ipv4[4], ipv6[16];
	bool has_ipv4, has_ipv6, stale;
	struct dns_name *names; /* the first is the one that look-ups by address, and of services, give */
	struct dns_port *ports;
	size_t port_count;
};

struct dns_link {
	struct dns_link *next;
	char *name; /* behind the alias */
	char alias[];
};

/* The names that a client sees; `owner` is the part that serves it. */
struct dns_view {
	struct dns_view *next;
	char id[DNS_ID_MAX + 1];
	bool forwards, stale;
	struct dns_upstream upstreams[DNS_UPSTREAMS_MAX];
	size_t upstream_count;
	char (*networks)[DNS_ID_MAX + 1];
	size_t network_count;
	struct dns_link *links;
	void *owner;
};

/* Sets an endpoint as a whole: 0, -ENOMEM or -ENOSPC; then the one that was there is as it was. */
int dns_set_endpoint(const struct dns_endpoint_frame *frame);
void dns_drop_endpoint(struct dns_text id);
/* The view of a client, made or changed as a whole; NULL as above. */
struct dns_view *dns_set_view(const struct dns_client_frame *frame);
struct dns_view *dns_find_view(struct dns_text id);
/* Its owner is the caller's to let go of first. */
void dns_drop_view(struct dns_view *view);
struct dns_view *dns_views(void);

/* All that there is is stale until it is set again; then what still is goes. Views are the caller's to drop. */
void dns_mark_stale(void);
void dns_drop_stale_endpoints(void);

/* The endpoints that have a name, one after the other; NULL behind the last. */
const struct dns_name *dns_find_name(const char *text);
const struct dns_name *dns_next_name(const struct dns_name *name);

size_t dns_endpoint_count(void);

#endif
