#include "dns-frames.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

const char *dns_protocol_name(uint16_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "_tcp";
	case IPPROTO_UDP:
		return "_udp";
	case IPPROTO_SCTP:
		return "_sctp";
	default:
		return NULL;
	}
}

/* Names are in lower case, of labels that a message can carry. */
static bool is_name(struct dns_text name)
{
	size_t label = 0;
	for (size_t i = 0; i < name.length; i++) {
		char byte = name.at[i];
		label = byte == '.' ? 0 : label + 1;
		if ((byte == '.' && (i == 0 || name.at[i - 1] == '.')) || label > 63 || byte <= ' ' || byte > '~' ||
		    (byte >= 'A' && byte <= 'Z'))
			return false;
	}
	return name.length > 0 && name.length < DNS_NAME_SIZE && name.at[name.length - 1] != '.';
}

/* The rest of a payload; `bad` once it has ended too early. */
struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
	if (reader->bad || (size_t)(reader->end - reader->at) < size) {
		reader->bad = true;
		return NULL;
	}
	reader->at += size;
	return reader->at - size;
}

static size_t take_u16(struct reader *reader)
{
	const uint8_t *at = take(reader, 2);
	return at ? (size_t)(at[0] | at[1] << 8) : 0;
}

static struct dns_text take_text(struct reader *reader)
{
	size_t length = take_u16(reader);
	const uint8_t *at = take(reader, length);
	return (struct dns_text){ (const char *)at, at ? length : 0 };
}

static struct dns_text take_id(struct reader *reader)
{
	struct dns_text id = take_text(reader);
	if (id.length == 0 || id.length > DNS_ID_MAX || memchr(id.at, 0, id.length))
		reader->bad = true;
	return id;
}

static struct dns_text take_name(struct reader *reader)
{
	struct dns_text name = take_text(reader);
	if (reader->bad || !is_name(name))
		reader->bad = true;
	return name;
}

static size_t take_count(struct reader *reader, size_t most)
{
	size_t count = take_u16(reader);
	if (count > most)
		reader->bad = true;
	return reader->bad ? 0 : count;
}

static int done(const struct reader *reader)
{
	return reader->bad || reader->at != reader->end ? -EPROTO : 0;
}

static struct dns_port take_port(struct reader *reader)
{
	struct dns_port port = { .number = (uint16_t)take_u16(reader), .protocol = (uint16_t)take_u16(reader) };
	if (!port.number || !dns_protocol_name(port.protocol))
		reader->bad = true;
	return port;
}

int dns_read_endpoint(const uint8_t *payload, size_t length, struct dns_endpoint_frame *frame)
{
	struct reader reader = { payload, payload + length, false };
	frame->id = take_id(&reader);
	frame->network = take_id(&reader);
	frame->ipv4 = take_text(&reader);
	frame->ipv6 = take_text(&reader);
	if ((frame->ipv4.length && frame->ipv4.length != 4) || (frame->ipv6.length && frame->ipv6.length != 16))
		reader.bad = true;
	frame->name_count = take_count(&reader, DNS_NAMES_MAX);
	for (size_t i = 0; i < frame->name_count; i++)
		frame->names[i] = take_name(&reader);
	frame->port_count = take_count(&reader, DNS_PORTS_MAX);
	for (size_t i = 0; i < frame->port_count; i++)
		frame->ports[i] = take_port(&reader);
	return done(&reader);
}

static struct dns_upstream take_upstream(struct reader *reader)
{
	struct dns_upstream upstream = { .port = (uint16_t)take_u16(reader) };
	struct dns_text address = take_text(reader);
	if (reader->bad || (address.length != 4 && address.length != 16)) {
		reader->bad = true;
		return upstream;
	}
	upstream.length = (uint8_t)address.length;
	memcpy(upstream.address, address.at, address.length);
	return upstream;
}

int dns_read_client(const uint8_t *payload, size_t length, struct dns_client_frame *frame)
{
	struct reader reader = { payload, payload + length, false };
	frame->id = take_id(&reader);
	frame->forwards = take_u16(&reader) != 0;
	frame->network_count = take_count(&reader, DNS_NETWORKS_MAX);
	for (size_t i = 0; i < frame->network_count; i++)
		frame->networks[i] = take_id(&reader);
	frame->upstream_count = take_count(&reader, DNS_UPSTREAMS_MAX);
	for (size_t i = 0; i < frame->upstream_count; i++)
		frame->upstreams[i] = take_upstream(&reader);
	frame->link_count = take_count(&reader, DNS_NAMES_MAX);
	for (size_t i = 0; i < frame->link_count; i++) {
		frame->links[i][0] = take_name(&reader);
		frame->links[i][1] = take_name(&reader);
	}
	return done(&reader);
}
