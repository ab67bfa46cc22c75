/*
 * The sockets of the host's ports: made for a port at all of its addresses or at none, found again
 * by protocol, port and address, and led to another address when the container gets one.
 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define BACKLOG 4096

/* What FRAME_LISTEN asks for: one port of a range, free at each of the addresses. */
struct request {
	int protocol;
	union address target;
	uint32_t first, last, begin;
	uint32_t count;
	union address addresses[PROXY_ADDRESSES];
};

void listeners_watch(bool accept)
{
	proxy.stalled = !accept;
	for (struct listener *at = proxy.listeners; at; at = at->next) {
		struct epoll_event event = { .events = accept ? EPOLLIN : 0, .data.ptr = &at->watched };
		epoll_ctl(proxy.epoll, EPOLL_CTL_MOD, at->watched.fd, &event);
	}
}

static void drop_listener(struct listener **link)
{
	struct listener *listener = *link;
	*link = listener->next;
	datagrams_drop(listener);
	relay_forget(listener);
	close_fd(&listener->watched.fd);
	free(listener);
}

void listeners_drop(const struct listener *rest)
{
	while (proxy.listeners != rest)
		drop_listener(&proxy.listeners);
}

void listeners_settle(bool confirm)
{
	for (struct listener **link = &proxy.listeners; *link;)
		if ((*link)->provisional && !confirm) {
			drop_listener(link);
		} else {
			(*link)->provisional = false;
			link = &(*link)->next;
		}
}

static bool is_loopback(const union address *address)
{
	return address->any.sa_family == AF_INET ? ntohl(address->v4.sin_addr.s_addr) >> 24 == 127 :
						   IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

/* A socket that holds the address; what only the host shall reach cannot be reached by any other interface. */
static int bind_socket(const struct request *request, const union address *address)
{
	const int yes = 1;
	bool is_v4 = address->any.sa_family == AF_INET, is_udp = request->protocol == IPPROTO_UDP;
	int type = (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	cleanup_fd int fd = check(socket(address->any.sa_family, type, request->protocol));
	int result = fd;
	if (result >= 0 && !is_v4)
		result = check(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes));
	if (result >= 0 && is_loopback(address))
		result = check(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo"));
	if (result >= 0 && is_udp)
		result = is_v4 ? check(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes)) :
				 check(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes));
	else if (result >= 0)
		result = check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
	if (result >= 0)
		result = check(bind(fd, &address->any, is_v4 ? sizeof address->v4 : sizeof address->v6));
	if (result >= 0 && !is_udp) {
		relay_options(fd, request->protocol);
		result = check(listen(fd, BACKLOG));
	}
	return result < 0 ? result : take_fd_from(&fd);
}

static void set_port(union address *address, uint32_t port)
{
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = htons((uint16_t)port);
	else
		address->v6.sin6_port = htons((uint16_t)port);
}

static uint32_t port_of(const union address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

static int add_listener(const struct request *request, union address address, uint32_t port)
{
	set_port(&address, port);
	struct listener *listener = calloc(1, sizeof *listener);
	if (!listener)
		return -ENOMEM;
	*listener = (struct listener){
		.watched = { bind_socket(request, &address),
			     request->protocol == IPPROTO_UDP ? datagrams_ready : relay_accept },
		.next = proxy.listeners,
		.protocol = request->protocol,
		.address = address,
		.target = request->target,
		.provisional = proxy.held,
	};
	int result = listener->watched.fd;
	proxy.listeners = listener;
	if (result >= 0)
		result = proxy_watch(&listener->watched, proxy.stalled ? 0 : EPOLLIN);
	if (result < 0)
		drop_listener(&proxy.listeners);
	return result;
}

/* All addresses at one port, or none: the port, or why not with the address that failed. */
static int listen_at(const struct request *request, uint32_t port, uint32_t *failed)
{
	const struct listener *rest = proxy.listeners;
	for (*failed = 0; *failed < request->count; (*failed)++) {
		int result = add_listener(request, request->addresses[*failed], port);
		if (result < 0) {
			listeners_drop(rest);
			return result;
		}
	}
	return (int)port;
}

static int listen_in_range(const struct request *request, uint32_t *failed)
{
	uint32_t size = request->last - request->first + 1;
	int result = -EADDRINUSE;
	for (uint32_t i = 0; i < size && result == -EADDRINUSE; i++)
		result = listen_at(request, request->first + (request->begin - request->first + i) % size, failed);
	return result;
}

static int decode_address(const uint8_t *at, union address *address)
{
	*address = (union address){ 0 };
	if (get_u32(at) == 4) {
		address->v4.sin_family = AF_INET;
		memcpy(&address->v4.sin_addr, at + 4, sizeof address->v4.sin_addr);
	} else if (get_u32(at) == 6) {
		address->v6.sin6_family = AF_INET6;
		memcpy(&address->v6.sin6_addr, at + 4, sizeof address->v6.sin6_addr);
	} else {
		return -EPROTO;
	}
	return 0;
}

static int decode_request(const uint8_t *at, size_t length, struct request *request)
{
	*request = (struct request){ 0 };
	if (length < PROXY_LISTEN_FIXED)
		return -EPROTO;
	request->protocol = (int)get_u32(at);
	if (decode_address(at + 4, &request->target) < 0)
		return -EPROTO;
	at += 4 + PROXY_ADDRESS;
	set_port(&request->target, get_u32(at));
	request->first = get_u32(at + 4);
	request->last = get_u32(at + 8);
	request->begin = get_u32(at + 12);
	request->count = get_u32(at + 16);
	at += 20;
	if (request->protocol != IPPROTO_TCP && request->protocol != IPPROTO_UDP && request->protocol != IPPROTO_SCTP)
		return -EPROTONOSUPPORT;
	if (request->count < 1 || request->count > PROXY_ADDRESSES ||
	    length != PROXY_LISTEN_FIXED + request->count * PROXY_ADDRESS || request->first < 1 ||
	    request->first > request->begin || request->begin > request->last || request->last > 65535)
		return -EPROTO;
	for (uint32_t i = 0; i < request->count; i++)
		if (decode_address(at + i * PROXY_ADDRESS, &request->addresses[i]) < 0)
			return -EPROTO;
	return 0;
}

int listeners_add(const uint8_t *payload, size_t length, uint32_t *failed)
{
	struct request request;
	int result = decode_request(payload, length, &request);
	return result < 0 ? result : listen_in_range(&request, failed);
}

static bool is_same(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	return a->any.sa_family == AF_INET ?
		       a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr :
		       a->v6.sin6_port == b->v6.sin6_port && IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

static struct listener **find_listener(const uint8_t *payload, size_t length)
{
	union address address;
	if (length != PROXY_NAME || decode_address(payload + 8, &address) < 0)
		return NULL;
	set_port(&address, get_u32(payload + 4));
	for (struct listener **link = &proxy.listeners; *link; link = &(*link)->next)
		if ((*link)->protocol == (int)get_u32(payload) && is_same(&(*link)->address, &address))
			return link;
	return NULL;
}

const struct listener *listeners_find(const uint8_t *payload, size_t length)
{
	struct listener **link = find_listener(payload, length);
	return link ? *link : NULL;
}

int listeners_remove(const uint8_t *payload, size_t length)
{
	struct listener **link = find_listener(payload, length);
	if (!link)
		return -ENOENT;
	drop_listener(link);
	return 0;
}

int listeners_retarget(const uint8_t *payload, size_t length)
{
	union address target;
	if (length != PROXY_ADDRESS || decode_address(payload, &target) < 0)
		return -EPROTO;
	for (struct listener *at = proxy.listeners; at; at = at->next) {
		set_port(&target, port_of(&at->target));
		at->target = target;
		datagrams_drop(at); /* a client that goes on sending finds the new one */
	}
	return 0;
}
