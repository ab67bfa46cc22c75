/* What the engine tells the resolver, as it is read from frames. Nothing here does I/O. */
#ifndef DNS_FRAMES_H
#define DNS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns-message.h"

#define DNS_ID_MAX 64u
#define DNS_NETWORKS_MAX 128u
#define DNS_NAMES_MAX 256u
#define DNS_UPSTREAMS_MAX 8u
#define DNS_PORTS_MAX 256u

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

/* A port that a container offers. */
struct dns_port {
	uint16_t number, protocol; /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
};

/* The content of FRAME_DNS_ENDPOINT, pointing into the frame. */
struct dns_endpoint_frame {
	struct dns_text id, network;
	struct dns_text ipv4, ipv6; /* 0 or 4 bytes, 0 or 16 bytes */
	struct dns_text names[DNS_NAMES_MAX];
	size_t name_count;
	struct dns_port ports[DNS_PORTS_MAX];
	size_t port_count;
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

/* "_tcp" and so on, as it stands in names of services; NULL for any other number. */
const char *dns_protocol_name(uint16_t protocol);

#endif
