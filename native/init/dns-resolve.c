#include "dns-resolve.h"

#include <stdlib.h>
#include <string.h>

/* Endpoints of one answer. */
#define ENDPOINTS_MAX 512u

/* The endpoints that have a name and are seen. */
struct found {
	const struct dns_endpoint *endpoints[ENDPOINTS_MAX];
	bool by_address[ENDPOINTS_MAX];
	size_t count;
};

/* Where the next answer of several begins. */
static unsigned turn;

static bool sees(const struct dns_view *view, const struct dns_endpoint *endpoint)
{
	for (size_t i = 0; i < view->network_count; i++)
		if (strcmp(view->networks[i], endpoint->network) == 0)
			return true;
	return false;
}

static void find_plain(const struct dns_view *view, const char *text, struct found *found)
{
	for (const struct dns_name *name = dns_find_name(text); name; name = dns_next_name(name))
		if (found->count < ENDPOINTS_MAX && sees(view, name->endpoint)) {
			found->by_address[found->count] = name->is_reverse;
			found->endpoints[found->count++] = name->endpoint;
		}
}

/* An alias may lead to names in several networks. */
static void find(const struct dns_view *view, const char *text, struct found *found)
{
	bool is_alias = false;
	found->count = 0;
	for (const struct dns_link *link = view->links; link; link = link->next)
		if (strcmp(link->alias, text) == 0) {
			is_alias = true;
			find_plain(view, link->name, found);
		}
	if (!is_alias)
		find_plain(view, text, found);
}

static void answer_endpoint(const struct dns_endpoint *endpoint, bool by_address, uint16_t type, struct dns_answer *answer)
{
	if (by_address && type == DNS_PTR)
		dns_answer_name(answer, endpoint->names->text);
	else if (!by_address && type == DNS_A && endpoint->has_ipv4)
		dns_answer_address(answer, endpoint->ipv4, sizeof endpoint->ipv4);
	else if (!by_address && type == DNS_AAAA && endpoint->has_ipv6)
		dns_answer_address(answer, endpoint->ipv6, sizeof endpoint->ipv6);
}

/* What a name of a service asks for. */
struct service {
	unsigned port; /* 0: all */
	const char *protocol; /* in the name itself, as is its host; not ended by a NUL */
	const char *host;
};

/* "_80._tcp.web", "_tcp.web". */
static bool read_service(const char *name, struct service *service)
{
	const char *dot = strchr(name, '.');
	char *end;
	*service = (struct service){ .protocol = name };
	if (name[0] != '_' || !dot)
		return false;
	if (name[1] >= '1' && name[1] <= '9') {
		unsigned long port = strtoul(name + 1, &end, 10);
		if (end != dot || port > 65535)
			return false;
		*service = (struct service){ .port = (unsigned)port, .protocol = dot + 1 };
		dot = strchr(dot + 1, '.');
	}
	service->host = dot ? dot + 1 : NULL;
	return service->host && service->protocol[0] == '_';
}

static bool offers(const struct dns_port *port, const struct service *service)
{
	const char *protocol = dns_protocol_name(port->protocol);
	size_t length = strlen(protocol);
	return (!service->port || service->port == port->number) &&
	       (size_t)(service->host - 1 - service->protocol) == length &&
	       memcmp(service->protocol, protocol, length) == 0;
}

static void answer_ports(const struct dns_endpoint *endpoint, const struct service *service, struct dns_answer *answer)
{
	for (size_t i = 0; i < endpoint->port_count; i++)
		if (offers(&endpoint->ports[i], service))
			dns_answer_service(answer, endpoint->names->text, endpoint->ports[i].number);
}

static void add_addresses(const struct dns_endpoint *endpoint, struct dns_answer *answer)
{
	const char *name = endpoint->names->text;
	if (endpoint->has_ipv4)
		dns_answer_additional(answer, name, endpoint->ipv4, sizeof endpoint->ipv4);
	if (endpoint->has_ipv6)
		dns_answer_additional(answer, name, endpoint->ipv6, sizeof endpoint->ipv6);
}

static bool resolve_service(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer)
{
	struct found found;
	struct service service;
	if (!read_service(query->name, &service))
		return false;
	find(view, service.host, &found);
	turn++;
	for (size_t i = 0; query->type == DNS_SRV && i < found.count; i++)
		answer_ports(found.endpoints[(i + turn) % found.count], &service, answer);
	for (size_t i = 0; answer->records && i < found.count; i++)
		add_addresses(found.endpoints[i], answer);
	return found.count > 0;
}

bool dns_resolve(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer)
{
	struct found found;
	if (query->class != DNS_CLASS_IN || !query->name[0])
		return false;
	find(view, query->name, &found);
	turn++;
	for (size_t i = 0; i < found.count; i++) {
		size_t place = (i + turn) % found.count;
		answer_endpoint(found.endpoints[place], found.by_address[place], query->type, answer);
	}
	return found.count > 0 || resolve_service(view, query, answer);
}
