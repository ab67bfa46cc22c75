#include "proxy.h"

#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "harden.h"

/* After an accept(2) without descriptors or memory. */
#define STALL_MS 100
/* Streams of a container that is gone have so long to deliver what it had sent. */
#define ENDING_MS 500
#define BACKLOG 4096

struct proxy proxy;

/* What FRAME_LISTEN asks for: one port of a range, free at each of the addresses. */
struct request {
	int protocol;
	struct sockaddr_in target;
	uint32_t first, last, begin;
	uint32_t count;
	union address addresses[PROXY_ADDRESSES];
};

int proxy_watch(struct watched *watched, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watched };
	return check(epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, watched->fd, &event));
}

static void watch_listeners(bool accept)
{
	proxy.stalled = !accept;
	for (struct listener *at = proxy.listeners; at; at = at->next) {
		struct epoll_event event = { .events = accept ? EPOLLIN : 0, .data.ptr = &at->watched };
		epoll_ctl(proxy.epoll, EPOLL_CTL_MOD, at->watched.fd, &event);
	}
}

void proxy_stall(void)
{
	watch_listeners(false);
}

static void drop_listener(struct listener **link)
{
	struct listener *listener = *link;
	*link = listener->next;
	datagrams_drop(listener);
	close_fd(&listener->watched.fd);
	free(listener);
}

/* Those that were added after `rest`. */
static void drop_listeners(const struct listener *rest)
{
	while (proxy.listeners != rest)
		drop_listener(&proxy.listeners);
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
	if (result >= 0 && !is_udp)
		result = check(listen(fd, BACKLOG));
	return result < 0 ? result : take_fd_from(&fd);
}

static int add_listener(const struct request *request, union address address, uint32_t port)
{
	if (address.any.sa_family == AF_INET)
		address.v4.sin_port = htons((uint16_t)port);
	else
		address.v6.sin6_port = htons((uint16_t)port);
	struct listener *listener = calloc(1, sizeof *listener);
	if (!listener)
		return -ENOMEM;
	*listener = (struct listener){
		.watched = { bind_socket(request, &address),
			     request->protocol == IPPROTO_UDP ? datagrams_ready : relay_accept },
		.next = proxy.listeners,
		.protocol = request->protocol,
		.target = request->target,
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
			drop_listeners(rest);
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

static int decode_request(const uint8_t *at, size_t length, struct request *request)
{
	*request = (struct request){ 0 };
	if (length < PROXY_LISTEN_FIXED)
		return -EPROTO;
	request->protocol = (int)get_u32(at);
	request->target = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = get_u32(at + 4), .sin_port = htons((uint16_t)get_u32(at + 8))
	};
	request->first = get_u32(at + 12);
	request->last = get_u32(at + 16);
	request->begin = get_u32(at + 20);
	request->count = get_u32(at + 24);
	if (request->protocol != IPPROTO_TCP && request->protocol != IPPROTO_UDP && request->protocol != IPPROTO_SCTP)
		return -EPROTONOSUPPORT;
	if (request->count < 1 || request->count > PROXY_ADDRESSES ||
	    length != PROXY_LISTEN_FIXED + request->count * PROXY_ADDRESS || request->first < 1 ||
	    request->first > request->begin || request->begin > request->last || request->last > 65535)
		return -EPROTO;
	for (uint32_t i = 0; i < request->count; i++) {
		const uint8_t *address = at + PROXY_LISTEN_FIXED + i * PROXY_ADDRESS;
		union address *to = &request->addresses[i];
		if (get_u32(address) == 4) {
			to->v4.sin_family = AF_INET;
			memcpy(&to->v4.sin_addr, address + 4, sizeof to->v4.sin_addr);
		} else if (get_u32(address) == 6) {
			to->v6.sin6_family = AF_INET6;
			memcpy(&to->v6.sin6_addr, address + 4, sizeof to->v6.sin6_addr);
		} else {
			return -EPROTO;
		}
	}
	return 0;
}

/* The container is gone: its ports are free at once, what it had sent still arrives. */
static void process_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	close_fd(&watched->fd);
	proxy.ending = true;
	drop_listeners(NULL);
	close_fd(&proxy.engine.fd);
}

static int hold(int process)
{
	if (process < 0 || proxy.held)
		return process < 0 ? -EBADF : -EALREADY;
	proxy.process = (struct watched){ process, process_ready };
	int result = proxy_watch(&proxy.process, EPOLLIN);
	proxy.held = result >= 0;
	return result;
}

static void reply(int result, uint32_t failed)
{
	MESSAGE(message);
	size_t frame = frame_begin(&message, result < 0 ? FRAME_ERROR : FRAME_LISTENING);
	put_u32(&message, (uint32_t)(result < 0 ? -result : result));
	put_u32(&message, result < 0 ? failed : 0);
	frame_end(&message, frame);
	write_all(proxy.engine.fd, message.bytes, message.length);
}

/* A command and the descriptor that came with it, -1 without: the payload's length. */
static int read_command(uint8_t *header, uint8_t *payload, int *received)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { header, FRAME_HEADER };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int length;
	do
		length = check(recvmsg(proxy.engine.fd, &message, MSG_CMSG_CLOEXEC));
	while (length == -EINTR);
	if (length <= 0)
		return length < 0 ? length : -EPIPE;
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_type == SCM_RIGHTS && rights->cmsg_len == CMSG_LEN(sizeof *received))
		memcpy(received, CMSG_DATA(rights), sizeof *received);
	int result = read_all(proxy.engine.fd, header + length, FRAME_HEADER - (size_t)length);
	size_t size = get_u32(header + 4);
	if (result < 0 || size > PROXY_COMMAND_MAX)
		return result < 0 ? result : -EPROTO;
	result = read_all(proxy.engine.fd, payload, size);
	return result < 0 ? result : (int)size;
}

/* The engine's side. Its end is ours until a container is held. */
static void engine_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	uint8_t header[FRAME_HEADER], payload[PROXY_COMMAND_MAX];
	cleanup_fd int received = -1;
	int length = read_command(header, payload, &received);
	if (length < 0) {
		close_fd(&watched->fd);
		proxy.ending = proxy.ending || !proxy.held;
		return;
	}
	struct request request;
	uint32_t failed = 0;
	int result = -EPROTO;
	if (get_u32(header) == FRAME_HOLD && length == 0) {
		result = hold(received);
		if (result >= 0)
			received = -1;
	} else if (get_u32(header) == FRAME_LISTEN) {
		result = decode_request(payload, (size_t)length, &request);
		result = result < 0 ? result : listen_in_range(&request, &failed);
	}
	reply(result, failed);
}

bool proxy_turn(void)
{
	if (proxy.ending) {
		drop_listeners(NULL);
		proxy.end = proxy.end ? proxy.end : monotonic_ms() + ENDING_MS;
		if (!relay_any() || monotonic_ms() >= proxy.end)
			return false;
	}
	int silent = datagrams_expire();
	int wait = relay_waits() ? 0 : proxy.ending ? ENDING_MS : proxy.stalled ? STALL_MS : silent;
	struct epoll_event event;
	/* One event at a time: a handler may then drop any other source without leaving a stale one behind. */
	int count = check(epoll_wait(proxy.epoll, &event, 1, wait));
	if (count == 1) {
		struct watched *watched = event.data.ptr;
		watched->ready(watched, event.events);
	} else if (proxy.stalled) {
		watch_listeners(true);
	}
	relay_turn();
	return true;
}

int proxy_open(int engine)
{
	proxy = (struct proxy){ .engine = { engine, engine_ready }, .process = { -1, process_ready } };
	proxy.epoll = check(epoll_create1(EPOLL_CLOEXEC));
	return proxy.epoll < 0 ? proxy.epoll : proxy_watch(&proxy.engine, EPOLLIN);
}

int proxy_main(void)
{
	struct rlimit limit;
	prctl(PR_SET_NAME, "thimble-proxy");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (proxy_open(3) < 0)
		return 1;
	harden_proxy(); /* what a kernel lacks of it is no reason to publish nothing */
	while (proxy_turn())
		;
	return 0;
}
