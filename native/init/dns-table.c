#include "dns-table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chains of names stay short up to some ten thousand of them. */
#define BUCKETS 8192u
static struct dns_name *names[BUCKETS];
static struct dns_endpoint *endpoints[BUCKETS];
static struct dns_view *views;
static size_t entries, endpoint_total;

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

static void unlink_name(struct dns_name *name)
{
	struct dns_name **link = &names[name->hash % BUCKETS];
	while (*link && *link != name)
		link = &(*link)->next;
	if (*link)
		*link = name->next;
}

static void free_endpoint(struct dns_endpoint *endpoint)
{
	for (struct dns_name *name = endpoint->names; name;) {
		struct dns_name *sibling = name->sibling;
		unlink_name(name);
		free(name);
		name = sibling;
	}
	free(endpoint->ports);
	free(endpoint);
}

static struct dns_endpoint **find_endpoint(struct dns_text id)
{
	struct dns_endpoint **link = &endpoints[hash_of(id.at, id.length) % BUCKETS];
	while (*link && !is((*link)->id, id))
		link = &(*link)->next;
	return link;
}

static void drop_endpoint(struct dns_endpoint **link)
{
	struct dns_endpoint *endpoint = *link;
	*link = endpoint->next;
	free_endpoint(endpoint);
	entries--;
	endpoint_total--;
}

void dns_drop_endpoint(struct dns_text id)
{
	struct dns_endpoint **link = find_endpoint(id);
	if (*link)
		drop_endpoint(link);
}

/* In memory, but in no bucket yet. */
static bool add_name(struct dns_endpoint *endpoint, struct dns_text text, bool is_reverse)
{
	struct dns_name **link = &endpoint->names;
	struct dns_name *name = calloc(1, sizeof *name + text.length + 1);
	if (!name)
		return false;
	while (*link)
		link = &(*link)->sibling;
	*link = name;
	name->hash = hash_of(text.at, text.length);
	name->endpoint = endpoint;
	name->is_reverse = is_reverse;
	memcpy(name->text, text.at, text.length);
	return true;
}

/* The name under which an address is looked up. */
static bool add_reverse(struct dns_endpoint *endpoint, struct dns_text address)
{
	char text[DNS_NAME_SIZE];
	size_t length = dns_reverse_name((const uint8_t *)address.at, address.length, text);
	return length == 0 || add_name(endpoint, (struct dns_text){ text, length }, true);
}

static bool fill(struct dns_endpoint *endpoint, const struct dns_endpoint_frame *frame)
{
	copy_id(endpoint->id, frame->id);
	copy_id(endpoint->network, frame->network);
	endpoint->has_ipv4 = frame->ipv4.length == sizeof endpoint->ipv4;
	endpoint->has_ipv6 = frame->ipv6.length == sizeof endpoint->ipv6;
	if (endpoint->has_ipv4)
		memcpy(endpoint->ipv4, frame->ipv4.at, sizeof endpoint->ipv4);
	if (endpoint->has_ipv6)
		memcpy(endpoint->ipv6, frame->ipv6.at, sizeof endpoint->ipv6);
	for (size_t i = 0; i < frame->name_count; i++)
		if (!add_name(endpoint, frame->names[i], false))
			return false;
	if (frame->name_count && !(add_reverse(endpoint, frame->ipv4) && add_reverse(endpoint, frame->ipv6)))
		return false;
	endpoint->port_count = frame->port_count;
	if (!frame->port_count)
		return true;
	endpoint->ports = calloc(frame->port_count, sizeof *endpoint->ports);
	if (endpoint->ports)
		memcpy(endpoint->ports, frame->ports, frame->port_count * sizeof *endpoint->ports);
	return endpoint->ports != NULL;
}

int dns_set_endpoint(const struct dns_endpoint_frame *frame)
{
	if (entries >= DNS_ENTRIES_MAX && !*find_endpoint(frame->id))
		return -ENOSPC;
	struct dns_endpoint *endpoint = calloc(1, sizeof *endpoint);
	if (!endpoint || !fill(endpoint, frame)) {
		if (endpoint)
			free_endpoint(endpoint);
		return -ENOMEM;
	}
	dns_drop_endpoint(frame->id);
	for (struct dns_name *name = endpoint->names; name; name = name->sibling) {
		name->next = names[name->hash % BUCKETS];
		names[name->hash % BUCKETS] = name;
	}
	struct dns_endpoint **first = &endpoints[hash_of(frame->id.at, frame->id.length) % BUCKETS];
	endpoint->next = *first;
	*first = endpoint;
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
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct dns_endpoint *endpoint = endpoints[i]; endpoint; endpoint = endpoint->next)
			endpoint->stale = true;
	for (struct dns_view *view = views; view; view = view->next)
		view->stale = true;
}

void dns_drop_stale_endpoints(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct dns_endpoint **link = &endpoints[i]; *link;) {
			if ((*link)->stale)
				drop_endpoint(link);
			else
				link = &(*link)->next;
		}
}

size_t dns_endpoint_count(void)
{
	return endpoint_total;
}

static const struct dns_name *same(const struct dns_name *name, uint32_t hash, const char *text)
{
	while (name && (name->hash != hash || strcmp(name->text, text) != 0))
		name = name->next;
	return name;
}

const struct dns_name *dns_find_name(const char *text)
{
	uint32_t hash = hash_of(text, strlen(text));
	return same(names[hash % BUCKETS], hash, text);
}

const struct dns_name *dns_next_name(const struct dns_name *name)
{
	return same(name->next, name->hash, name->text);
}
