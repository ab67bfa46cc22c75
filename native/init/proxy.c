#include "proxy.h"

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
/* Descriptors that come with one command. */
#define RECEIVED 2

struct proxy proxy;

int proxy_watch(struct watched *watched, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watched };
	return check(epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, watched->fd, &event));
}

void proxy_stall(void)
{
	listeners_watch(false);
}

/* The container is gone: its ports are free at once, what it had sent still arrives. */
static void process_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	close_fd(&watched->fd);
	proxy.ending = true;
	listeners_drop(NULL);
	close_fd(&proxy.control.fd);
	close_fd(&proxy.engine.fd);
}

/* An engine is gone, and what it has not confirmed. */
static void drop_engine(void)
{
	close_fd(&proxy.engine.fd);
	listeners_settle(false);
	proxy.ending = proxy.ending || !proxy.held;
}

static void engine_ready(struct watched *watched, uint32_t events);

/* A later engine takes the place of the one before. */
static void control_ready(struct watched *watched, uint32_t events)
{
	(void)events;
	int fd = check(accept4(watched->fd, NULL, NULL, SOCK_CLOEXEC));
	if (fd < 0)
		return;
	drop_engine();
	proxy.engine = (struct watched){ fd, engine_ready };
	if (proxy_watch(&proxy.engine, EPOLLIN) < 0)
		drop_engine();
}

/* With the pidfd and the listening socket, which are ours from then on. */
static int hold(int *received)
{
	if (received[0] < 0 || received[1] < 0 || proxy.held)
		return proxy.held ? -EALREADY : -EBADF;
	proxy.process = (struct watched){ take_fd_from(&received[0]), process_ready };
	proxy.control = (struct watched){ take_fd_from(&received[1]), control_ready };
	int result = proxy_watch(&proxy.control, EPOLLIN);
	if (result >= 0)
		result = proxy_watch(&proxy.process, EPOLLIN);
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

static void reply_count(const struct listener *listener)
{
	MESSAGE(message);
	size_t frame = frame_begin(&message, FRAME_COUNTED);
	put_u32(&message, listener->open);
	put_u64(&message, listener->clients);
	put_u64(&message, listener->bytes[0]);
	put_u64(&message, listener->bytes[1]);
	frame_end(&message, frame);
	write_all(proxy.engine.fd, message.bytes, message.length);
}

/* A command and the two descriptors that may come with it, -1 without: the payload's length. */
static int read_command(uint8_t *header, uint8_t *payload, int *received)
{
	int result = receive_all(proxy.engine.fd, header, FRAME_HEADER, received, RECEIVED);
	size_t size = get_u32(header + 4);
	if (result < 0 || size > PROXY_COMMAND_MAX)
		return result < 0 ? result : -EPROTO;
	result = read_all(proxy.engine.fd, payload, size);
	return result < 0 ? result : (int)size;
}

static int obey(uint32_t command, const uint8_t *payload, size_t length, uint32_t *failed)
{
	switch (command) {
	case FRAME_LISTEN:
		return listeners_add(payload, length, failed);
	case FRAME_UNLISTEN:
		return listeners_remove(payload, length);
	case FRAME_RETARGET:
		return listeners_retarget(payload, length);
	case FRAME_CONFIRM:
		if (length == 0)
			listeners_settle(true);
		return length == 0 ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

/* The engine's side. Its end is ours until a container is held. */
static void engine_ready(struct watched *watched, uint32_t events)
{
	(void)watched;
	(void)events;
	uint8_t header[FRAME_HEADER], payload[PROXY_COMMAND_MAX];
	int received[RECEIVED];
	int length = read_command(header, payload, received);
	uint32_t command = length < 0 ? 0 : get_u32(header), failed = 0;
	const struct listener *counted = command == FRAME_COUNT ? listeners_find(payload, (size_t)length) : NULL;
	if (length < 0)
		drop_engine();
	else if (counted)
		reply_count(counted);
	else if (command == FRAME_COUNT)
		reply(-ENOENT, 0);
	else if (command == FRAME_HOLD && length == 0)
		reply(hold(received), 0);
	else {
		int result = obey(command, payload, (size_t)length, &failed);
		reply(result, failed);
	}
	for (int i = 0; i < RECEIVED; i++)
		close_fd(&received[i]);
}

bool proxy_turn(void)
{
	if (proxy.ending) {
		listeners_drop(NULL);
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
		listeners_watch(true);
	}
	relay_turn();
	return true;
}

int proxy_open(int engine)
{
	proxy = (struct proxy){
		.engine = { engine, engine_ready }, .control = { -1, control_ready }, .process = { -1, process_ready }
	};
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
