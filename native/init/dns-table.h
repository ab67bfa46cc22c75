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

#include "dns-message.h"

#define DNS_ID_MAX 64u
#define DNS_NETWORKS_MAX 128u
#define DNS_NAMES_MAX 256u
#define DNS_UPSTREAMS_MAX 8u
/* Of all endpoints and clients together. */
#define DNS_ENTRIES_MAX 100000u

/* A text that came in a frame: not ended by a NUL. */
struct dns_text {
	const char *at;
	size_t length;
};

struct dns_upstream {
	uint8_t address[16];
	uint8_t length; /* 4 or 16 */
	uint16_t port;
};

/* The content of FRAME_DNS_ENDPOINT, pointing into the frame. */
struct dns_endpoint_frame {
	struct dns_text id, network;
	struct dns_text ipv4, ipv6; /* 0 or 4 bytes, 0 or 16 bytes */
	struct dns_text names[DNS_NAMES_MAX];
	size_t name_count;
};

/* The content of FRAME_DNS_CLIENT, pointing into the frame. */
struct dns_client_frame {
	struct dns_text id;
	bool forwards;
	struct dns_text networks[DNS_NETWORKS_MAX];
	size_t network_count;
	struct dns_upstream upstreams[DNS_UPSTREAMS_MAX];
	size_t upstream_count;
	/* Names that this client alone has for others: alias, then the name it stands for. */
	struct dns_text links[DNS_NAMES_MAX][2];
	size_t link_count;
};

/* Both: 0, or -EPROTO for a payload that is not one. */
int dns_read_endpoint(const uint8_t *payload, size_t length, struct dns_endpoint_frame *frame);
int dns_read_client(const uint8_t *payload, size_t length, struct dns_client_frame *frame);

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

/*
 * Writes the records of the question into the answer. False when the view does not see the
 * name.
 */
bool dns_resolve(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer);

size_t dns_endpoint_count(void);

#endif
