#include "dns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-worker.h"
#include "harden.h"

static struct {
	struct source broker;
	pid_t pid, broker_pid;
	unsigned client_count;
	uint8_t frame[FRAME_HEADER + DNS_FRAME_MAX];
} server;

static void udp_ready(struct source *source, uint32_t events)
{
	(void)events;
	take_questions((struct asker *)source);
}

static void listener_ready(struct source *source, uint32_t events)
{
	(void)events;
	accept_stream((struct asker *)(void *)((char *)source - offsetof(struct asker, listener)));
}

/* All that is under way for one asker ends. */
static void let_go(struct asker *asker)
{
	drop_lookups(asker);
	drop_streams(asker);
	close_source(&asker->udp);
	close_source(&asker->listener);
	asker->view->owner = NULL;
	free(asker);
	server.client_count--;
}

static void drop_client(struct dns_view *view)
{
	if (view->owner)
		let_go(view->owner);
	dns_drop_view(view);
}

static int set_client(const uint8_t *payload, size_t length, int fds[2])
{
	static struct dns_client_frame frame;
	int result = dns_read_client(payload, length, &frame);
	if (result < 0)
		return result;
	if (fds[1] < 0 && !dns_find_view(frame.id))
		return -ENOENT;
	struct asker *asker = fds[1] < 0 ? NULL : calloc(1, sizeof *asker);
	struct dns_view *view = fds[1] >= 0 && !asker ? NULL : dns_set_view(&frame);
	if (!view) {
		free(asker);
		return -ENOMEM;
	}
	if (!asker)
		return 0;
	if (view->owner)
		let_go(view->owner);
	view->owner = asker;
	asker->view = view;
	open_source(&asker->udp, take_fd_from(&fds[0]), udp_ready);
	open_source(&asker->listener, take_fd_from(&fds[1]), listener_ready);
	watch(&asker->udp, EPOLLIN);
	watch(&asker->listener, EPOLLIN);
	server.client_count++;
	return 0;
}

static int set_endpoint(const uint8_t *payload, size_t length)
{
	static struct dns_endpoint_frame frame;
	int result = dns_read_endpoint(payload, length, &frame);
	return result < 0 ? result : dns_set_endpoint(&frame);
}

static struct dns_text whole_text(const uint8_t *payload, size_t length)
{
	return (struct dns_text){ (const char *)payload, length };
}

static void commit(void)
{
	dns_drop_stale_endpoints();
	for (struct dns_view *view = dns_views(), *next; view; view = next) {
		next = view->next;
		if (view->stale)
			drop_client(view);
	}
}

static int execute(uint32_t type, const uint8_t *payload, size_t length, int fds[2])
{
	struct dns_view *view;
	switch (type) {
	case FRAME_DNS_BEGIN:
		dns_mark_stale();
		return 0;
	case FRAME_DNS_COMMIT:
		commit();
		return 0;
	case FRAME_DNS_ENDPOINT:
		return set_endpoint(payload, length);
	case FRAME_DNS_DROP_ENDPOINT:
		dns_drop_endpoint(whole_text(payload, length));
		return 0;
	case FRAME_DNS_CLIENT:
		return set_client(payload, length, fds);
	case FRAME_DNS_DROP_CLIENT:
		if ((view = dns_find_view(whole_text(payload, length))))
			drop_client(view);
		return 0;
	case FRAME_DNS_STATUS:
	case FRAME_DNS_QUIT:
		return 0;
	default:
		return -EPROTO;
	}
}

static void put_state(struct message *message)
{
	size_t frame = frame_begin(message, FRAME_DNS_STATE);
	put_u32(message, DNS_PROTOCOL_VERSION);
	put_u32(message, (uint32_t)server.pid);
	put_u32(message, (uint32_t)server.broker_pid);
	put_u32(message, server.client_count);
	put_u32(message, (uint32_t)dns_endpoint_count());
	put_u64(message, counts.answered);
	put_u64(message, counts.forwarded);
	put_u64(message, counts.refused);
	frame_end(message, frame);
}

static void put_result(struct message *message, int result)
{
	size_t frame = frame_begin(message, result < 0 ? FRAME_ERROR : FRAME_OK);
	if (result < 0) {
		static const char what[] = "carry out a command of the resolver";
		put_u32(message, (uint32_t)-result);
		put_u32(message, STAGE_MONITOR);
		put_bytes(message, what, sizeof what - 1);
	}
	frame_end(message, frame);
}

static void broker_ready(struct source *source, uint32_t events)
{
	(void)events;
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { server.frame, sizeof server.frame };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	int length = check(recvmsg(source->fd, &header, MSG_CMSG_CLOEXEC));
	if (length < (int)FRAME_HEADER)
		_exit(0);
	int fds[2] = { -1, -1 };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	if (rights)
		memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
	uint32_t type = get_u32(server.frame);
	/* Of two sockets one may have found room, or none. */
	bool is_cut = header.msg_flags & MSG_CTRUNC;
	int result = is_cut ? -EMFILE : execute(type, server.frame + FRAME_HEADER, (size_t)length - FRAME_HEADER, fds);
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	MESSAGE(message);
	if (type == FRAME_DNS_STATUS)
		put_state(&message);
	else
		put_result(&message, result);
	if (check(send(source->fd, message.bytes, message.length, MSG_NOSIGNAL)) < 0)
		_exit(0);
}

/* Milliseconds until something is late; -1 when nothing waits. */
static int timeout(void)
{
	int lookups = lookups_timeout(), streams = streams_timeout();
	return lookups < 0 || (streams >= 0 && streams < lookups) ? streams : lookups;
}

int open_worker(int broker)
{
	int result = loop_open();
	if (result < 0)
		return result;
	open_source(&server.broker, broker, broker_ready);
	watch(&server.broker, EPOLLIN);
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		fit_shares(limit.rlim_cur);
	server.pid = getpid();
	server.broker_pid = getppid();
	return 0;
}

int turn_worker(void)
{
	int result = loop_turn(timeout());
	end_late_lookups();
	end_late_streams();
	return result;
}

void serve_queries(int broker)
{
	if (open_worker(broker) < 0)
		_exit(1);
	harden_worker();
	for (;;)
		turn_worker();
}
