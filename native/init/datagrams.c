/*
 * Datagrams between clients and the container. Each client has a socket of its own towards
 * the container, by which an answer finds its way back: from the very address that the
 * client had sent to.
 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* As docker-proxy has it. */
#define SILENT_MS 90000u
#define PEERS_MAX 4096u
#define DATAGRAM_MAX 65536u
/* Datagrams of one socket before others have their turn. */
#define TURNS 64
#define EXPIRE_MS 10000
#define BUCKETS 256u

/* The address of this host that a datagram came to. */
union local {
	struct in_pktinfo v4;
	struct in6_pktinfo v6;
};

struct peer {
	struct watched watched; /* first: what is watched is its peer */
	struct listener *listener;
	struct peer *next;
	union address client;
	union local local;
	uint64_t last;
};

static struct peer *peers[BUCKETS];
static size_t peer_count;
static uint64_t expired_at;
static uint8_t datagram[DATAGRAM_MAX];

static void drop_peer(struct peer **link)
{
	struct peer *peer = *link;
	*link = peer->next;
	peer_count--;
	peer->listener->open--;
	close_fd(&peer->watched.fd);
	free(peer);
}

/* Those of a listener, and those whose client was last heard of before a time. */
static void drop_peers(const struct listener *listener, uint64_t before)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct peer **link = &peers[i]; *link;)
			if ((*link)->listener == listener || (*link)->last < before)
				drop_peer(link);
			else
				link = &(*link)->next;
}

void datagrams_drop(const struct listener *listener)
{
	drop_peers(listener, 0);
}

static bool is_same(const union address *a, const union address *b)
{
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

static bool is_same_local(int family, const union local *a, const union local *b)
{
	return family == AF_INET ? a->v4.ipi_addr.s_addr == b->v4.ipi_addr.s_addr :
				   memcmp(&a->v6.ipi6_addr, &b->v6.ipi6_addr, sizeof a->v6.ipi6_addr) == 0;
}

/* A datagram with the address at the other end and, of a listener, the one that it came to. */
static int receive(int fd, union address *from, union local *local)
{
	union {
		char bytes[CMSG_SPACE(sizeof(union local))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { datagram, sizeof datagram };
	struct msghdr message = {
		.msg_name = from, .msg_namelen = sizeof *from, .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control
	};
	int length = check(recvmsg(fd, &message, MSG_DONTWAIT));
	for (struct cmsghdr *at = length < 0 ? NULL : CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
		if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO)
			memcpy(&local->v4, CMSG_DATA(at), sizeof local->v4);
		if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO)
			memcpy(&local->v6, CMSG_DATA(at), sizeof local->v6);
	}
	return length;
}

static void answer(const struct peer *peer, size_t length)
{
	union {
		char bytes[CMSG_SPACE(sizeof(union local))];
		struct cmsghdr aligned;
	} control;
	bool is_v4 = peer->client.any.sa_family == AF_INET;
	struct iovec part = { datagram, length };
	struct msghdr message = {
		.msg_name = (void *)&peer->client, .msg_namelen = is_v4 ? sizeof peer->client.v4 : sizeof peer->client.v6,
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = is_v4 ? CMSG_SPACE(sizeof peer->local.v4) : CMSG_SPACE(sizeof peer->local.v6)
	};
	memset(&control, 0, sizeof control);
	control.aligned.cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
	control.aligned.cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
	control.aligned.cmsg_len = is_v4 ? CMSG_LEN(sizeof peer->local.v4) : CMSG_LEN(sizeof peer->local.v6);
	memcpy(CMSG_DATA(&control.aligned), &peer->local, is_v4 ? sizeof peer->local.v4 : sizeof peer->local.v6);
	sendmsg(peer->listener->watched.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); /* what does not go is lost, as on any way */
}

static void peer_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	struct peer *peer = (struct peer *)watched;
	union address from;
	union local local;
	for (int turn = 0; turn < TURNS; turn++) {
		int length = receive(watched->fd, &from, &local);
		if (length == -EAGAIN)
			return;
		if (length < 0)
			continue; /* a refusal of the container's is one datagram that is lost */
		peer->listener->bytes[1] += (size_t)length;
		answer(peer, (size_t)length);
	}
}

static size_t bucket_of(const struct listener *listener, const union address *client)
{
	uint32_t hash = (uint32_t)((uintptr_t)listener >> 4);
	const uint8_t *bytes = (const uint8_t *)client;
	size_t length = client->any.sa_family == AF_INET ? offsetof(struct sockaddr_in, sin_zero) : sizeof client->v6;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

/* Whoever was silent for longest makes room. */
static void make_room(void)
{
	struct peer **oldest = NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct peer **link = &peers[i]; *link; link = &(*link)->next)
			if (!oldest || (*link)->last < (*oldest)->last)
				oldest = link;
	if (oldest)
		drop_peer(oldest);
}

/* The answer chooses its way by the address alone. */
static union local way_back(int family, const union local *local)
{
	union local back = *local;
	if (family == AF_INET) {
		back.v4.ipi_spec_dst = local->v4.ipi_addr;
		back.v4.ipi_ifindex = 0;
	} else if (!IN6_IS_ADDR_LINKLOCAL(&local->v6.ipi6_addr)) {
		back.v6.ipi6_ifindex = 0;
	}
	return back;
}

static struct peer *new_peer(struct peer **bucket, struct listener *listener, const union address *client,
			     const union local *local)
{
	struct peer *peer = calloc(1, sizeof *peer);
	if (!peer)
		return NULL;
	*peer = (struct peer){
		.watched = { check(socket(listener->target.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), peer_ready },
		.listener = listener,
		.next = *bucket,
		.client = *client,
		.local = way_back(client->any.sa_family, local),
	};
	*bucket = peer;
	peer_count++;
	listener->open++;
	listener->clients++;
	int fd = peer->watched.fd;
	if (fd >= 0 && connect(fd, &listener->target.any, address_size(&listener->target)) == 0 &&
	    proxy_watch(&peer->watched, EPOLLIN) == 0)
		return peer;
	drop_peer(bucket);
	return NULL;
}

static struct peer *peer_of(struct listener *listener, const union address *client, const union local *local)
{
	struct peer **bucket = &peers[bucket_of(listener, client)];
	for (struct peer *peer = *bucket; peer; peer = peer->next)
		if (peer->listener == listener && is_same(&peer->client, client) &&
		    is_same_local(client->any.sa_family, &peer->local, local))
			return peer;
	if (peer_count >= PEERS_MAX)
		make_room();
	return new_peer(bucket, listener, client, local);
}

void datagrams_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	struct listener *listener = (struct listener *)watched;
	for (int turn = 0; turn < TURNS; turn++) {
		union address client = { 0 };
		union local local = { 0 };
		int length = receive(watched->fd, &client, &local);
		if (length == -EAGAIN)
			return;
		struct peer *peer = length < 0 ? NULL : peer_of(listener, &client, &local);
		if (!peer)
			continue;
		peer->last = monotonic_ms();
		listener->bytes[0] += (size_t)length;
		send(peer->watched.fd, datagram, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

int datagrams_expire(void)
{
	uint64_t time = monotonic_ms();
	if (peer_count > 0 && time - expired_at >= EXPIRE_MS) {
		expired_at = time;
		drop_peers(NULL, time > SILENT_MS ? time - SILENT_MS : 0);
	}
	return peer_count > 0 ? EXPIRE_MS : -1;
}
