#include "dns-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chains of names stay short up to some ten thousand of them. */
#define BUCKETS 8192u
/* Addresses of one answer. */
#define ADDRESSES_MAX 512u

struct endpoint;

struct name {
	struct name *next; /* in its bucket */
	struct name *sibling; /* of the same endpoint */
	struct endpoint *endpoint;
	uint32_t hash;
	char text[];
};

struct endpoint {
	struct endpoint *next;
	char id[DNS_ID_MAX + 1], network[DNS_ID_MAX + 1];
	uint8_t ipv4[4], ipv6[16];
	bool has_ipv4, has_ipv6, stale;
	struct name *names; /* the first is the one of reverse look-ups */
};

static struct name *buckets[BUCKETS];
static struct endpoint *endpoints;
static struct dns_view *views;
static size_t entries, endpoint_total;
/* Where the next answer of several addresses begins. */
static unsigned turn;

static uint32_t hash_of(const char *text, size_t length)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash;
}

static bool is(const char *text, struct dns_text other)
{
	return strlen(text) == other.length && memcmp(text, other.at, other.length) == 0;
}

static void copy_id(char *to, struct dns_text from)
{
	memcpy(to, from.at, from.length);
	to[from.length] = 0;
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

static void unlink_name(struct name *name)
{
	struct name **link = &buckets[name->hash % BUCKETS];
	while (*link && *link != name)
		link = &(*link)->next;
	if (*link)
		*link = name->next;
}

static void free_endpoint(struct endpoint *endpoint)
{
	for (struct name *name = endpoint->names; name;) {
		struct name *sibling = name->sibling;
		unlink_name(name);
		free(name);
		name = sibling;
	}
	free(endpoint);
}

static struct endpoint **find_endpoint(struct dns_text id)
{
	struct endpoint **link = &endpoints;
	while (*link && !is((*link)->id, id))
		link = &(*link)->next;
	return link;
}

void dns_drop_endpoint(struct dns_text id)
{
	struct endpoint **link = find_endpoint(id), *endpoint = *link;
	if (!endpoint)
		return;
	*link = endpoint->next;
	free_endpoint(endpoint);
	entries--;
	endpoint_total--;
}

/* All names in memory, but in no bucket yet. */
static struct name *make_names(const struct dns_endpoint_frame *frame, struct endpoint *endpoint)
{
	struct name *first = NULL, **link = &first;
	for (size_t i = 0; i < frame->name_count; i++) {
		struct dns_text text = frame->names[i];
		struct name *name = calloc(1, sizeof *name + text.length + 1);
		if (!name)
			break;
		name->hash = hash_of(text.at, text.length);
		name->endpoint = endpoint;
		memcpy(name->text, text.at, text.length);
		*link = name;
		link = &name->sibling;
		if (i + 1 == frame->name_count)
			return first;
	}
	while (first) {
		struct name *sibling = first->sibling;
		free(first);
		first = sibling;
	}
	return NULL;
}

int dns_set_endpoint(const struct dns_endpoint_frame *frame)
{
	if (entries >= DNS_ENTRIES_MAX && !*find_endpoint(frame->id))
		return -ENOSPC;
	struct endpoint *endpoint = calloc(1, sizeof *endpoint);
	if (!endpoint)
		return -ENOMEM;
	endpoint->names = make_names(frame, endpoint);
	if (!endpoint->names && frame->name_count) {
		free(endpoint);
		return -ENOMEM;
	}
	copy_id(endpoint->id, frame->id);
	copy_id(endpoint->network, frame->network);
	endpoint->has_ipv4 = frame->ipv4.length == sizeof endpoint->ipv4;
	endpoint->has_ipv6 = frame->ipv6.length == sizeof endpoint->ipv6;
	if (endpoint->has_ipv4)
		memcpy(endpoint->ipv4, frame->ipv4.at, sizeof endpoint->ipv4);
	if (endpoint->has_ipv6)
		memcpy(endpoint->ipv6, frame->ipv6.at, sizeof endpoint->ipv6);
	dns_drop_endpoint(frame->id);
	for (struct name *name = endpoint->names; name; name = name->sibling) {
		name->next = buckets[name->hash % BUCKETS];
		buckets[name->hash % BUCKETS] = name;
	}
	endpoint->next = endpoints;
	endpoints = endpoint;
	entries++;
	endpoint_total++;
	return 0;
}

static void free_links(struct dns_link *link)
{
	while (link) {
		struct dns_link *next = link->next;
		free(link);
		link = next;
	}
}

static struct dns_link *make_links(const struct dns_client_frame *frame)
{
	struct dns_link *links = NULL;
	for (size_t i = 0; i < frame->link_count; i++) {
		struct dns_text alias = frame->links[i][0], name = frame->links[i][1];
		struct dns_link *link = calloc(1, sizeof *link + alias.length + name.length + 2);
		if (!link) {
			free_links(links);
			return NULL;
		}
		memcpy(link->alias, alias.at, alias.length);
		link->name = link->alias + alias.length + 1;
		memcpy(link->name, name.at, name.length);
		link->next = links;
		links = link;
	}
	return links;
}

struct dns_view *dns_find_view(struct dns_text id)
{
	struct dns_view *view = views;
	while (view && !is(view->id, id))
		view = view->next;
	return view;
}

struct dns_view *dns_views(void)
{
	return views;
}

static struct dns_view *add_view(struct dns_text id)
{
	struct dns_view *view = entries < DNS_ENTRIES_MAX ? calloc(1, sizeof *view) : NULL;
	if (!view)
		return NULL;
	copy_id(view->id, id);
	view->next = views;
	views = view;
	entries++;
	return view;
}

struct dns_view *dns_set_view(const struct dns_client_frame *frame)
{
	char(*networks)[DNS_ID_MAX + 1] = calloc(frame->network_count + 1, sizeof *networks);
	struct dns_link *links = make_links(frame);
	struct dns_view *view = dns_find_view(frame->id);
	if (networks && (links || !frame->link_count) && !view)
		view = add_view(frame->id);
	if (!networks || (!links && frame->link_count) || !view) {
		free(networks);
		free_links(links);
		return NULL;
	}
	for (size_t i = 0; i < frame->network_count; i++)
		copy_id(networks[i], frame->networks[i]);
	free(view->networks);
	free_links(view->links);
	view->networks = networks;
	view->network_count = frame->network_count;
	view->links = links;
	view->forwards = frame->forwards;
	memcpy(view->upstreams, frame->upstreams, sizeof view->upstreams);
	view->upstream_count = frame->upstream_count;
	view->stale = false;
	return view;
}

void dns_drop_view(struct dns_view *view)
{
	struct dns_view **link = &views;
	while (*link != view)
		link = &(*link)->next;
	*link = view->next;
	entries--;
	free(view->networks);
	free_links(view->links);
	free(view);
}

void dns_mark_stale(void)
{
	for (struct endpoint *endpoint = endpoints; endpoint; endpoint = endpoint->next)
		endpoint->stale = true;
	for (struct dns_view *view = views; view; view = view->next)
		view->stale = true;
}

void dns_drop_stale_endpoints(void)
{
	for (struct endpoint **link = &endpoints; *link;) {
		struct endpoint *endpoint = *link;
		if (!endpoint->stale) {
			link = &endpoint->next;
			continue;
		}
		*link = endpoint->next;
		free_endpoint(endpoint);
		entries--;
		endpoint_total--;
	}
}

size_t dns_endpoint_count(void)
{
	return endpoint_total;
}

static bool sees(const struct dns_view *view, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < view->network_count; i++)
		if (strcmp(view->networks[i], endpoint->network) == 0)
			return true;
	return false;
}

static const char *linked(const struct dns_view *view, const char *name)
{
	for (const struct dns_link *link = view->links; link; link = link->next)
		if (strcmp(link->alias, name) == 0)
			return link->name;
	return name;
}

static bool resolve_name(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer)
{
	const char *text = linked(view, query->name);
	uint32_t hash = hash_of(text, strlen(text));
	const uint8_t *found[ADDRESSES_MAX];
	size_t count = 0, length = query->type == DNS_AAAA ? 16 : 4;
	bool known = false;
	for (const struct name *name = buckets[hash % BUCKETS]; name; name = name->next) {
		const struct endpoint *endpoint = name->endpoint;
		if (name->hash != hash || strcmp(name->text, text) != 0 || !sees(view, endpoint))
			continue;
		known = true;
		bool has = query->type == DNS_AAAA ? endpoint->has_ipv6 : query->type == DNS_A && endpoint->has_ipv4;
		if (has && count < ADDRESSES_MAX)
			found[count++] = query->type == DNS_AAAA ? endpoint->ipv6 : endpoint->ipv4;
	}
	turn++;
	for (size_t i = 0; i < count; i++)
		dns_answer_address(answer, found[(i + turn) % count], length);
	return known;
}

static bool resolve_address(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer)
{
	uint8_t address[16];
	size_t length = dns_reverse_address(query->name, address);
	bool known = false;
	for (const struct endpoint *endpoint = length ? endpoints : NULL; endpoint; endpoint = endpoint->next) {
		bool same = length == 4 ? endpoint->has_ipv4 && memcmp(endpoint->ipv4, address, 4) == 0 :
					  endpoint->has_ipv6 && memcmp(endpoint->ipv6, address, 16) == 0;
		if (!same || !endpoint->names || !sees(view, endpoint))
			continue;
		known = true;
		if (query->type == DNS_PTR)
			dns_answer_name(answer, endpoint->names->text);
	}
	return known;
}

bool dns_resolve(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer)
{
	if (query->class != DNS_CLASS_IN || !query->name[0])
		return false;
	return resolve_name(view, query, answer) || resolve_address(view, query, answer);
}
