#include "dns.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-table.h"
#include "harden.h"
#include "loop.h"

/* Questions that wait for a name server: of all containers, and of one. */
#define LOOKUPS_MAX 4096u
#define LOOKUPS_OF_ONE 256u
/* Connections likewise. */
#define STREAMS_MAX 512u
#define STREAMS_OF_ONE 32u
/* A name server is given so long before the next one is asked. */
#define ATTEMPT_MS 1000u
#define ATTEMPTS_MIN 3u
#define ATTEMPTS_MAX 6u
/* By TCP, where the connection takes its time too; the last one may take as long as it likes to be idle. */
#define STREAM_ATTEMPT_MS 3000u
/* A connection on which nothing happens. */
#define IDLE_MS 10000u

/* A container that asks. */
struct asker {
	struct source udp, listener; /* `udp` first */
	struct dns_view *view;
	unsigned lookups, streams;
};

/* A question that was passed on by UDP. */
struct lookup {
	struct source upstream; /* first */
	struct lookup *next;
	struct asker *asker;
	struct sockaddr_in from;
	uint8_t id[2]; /* the asker's */
	unsigned attempt;
	uint64_t deadline;
	size_t length;
	uint8_t query[];
};

enum stream_state { READING, CONNECTING, FORWARDING, AWAITING, ANSWERING };

/* A connection of an asker, and the one to a name server while a question is passed on. */
struct stream {
	struct source source; /* first */
	struct source upstream;
	struct stream *next;
	struct asker *asker;
	enum stream_state state;
	uint64_t deadline;
	size_t done, size; /* of `bytes`; 2 bytes of length come first */
	unsigned attempt;
	uint8_t bytes[2 + DNS_MESSAGE_MAX];
};

static struct {
	struct source broker;
	pid_t pid, broker_pid;
	struct lookup *lookups;
	struct stream *streams;
	unsigned lookup_count, stream_count, client_count;
	uint64_t answered, forwarded, refused;
	uint8_t frame[FRAME_HEADER + DNS_FRAME_MAX];
	uint8_t message[DNS_MESSAGE_MAX];
	uint8_t answer[DNS_MESSAGE_MAX];
} server;

/* Builds what can be said without asking anybody: its length, 0 where it must be passed on, or -EINVAL for silence. */
static int answer_here(const struct asker *asker, const uint8_t *bytes, size_t length, bool is_tcp)
{
	struct dns_query query;
	struct dns_answer answer = { .bytes = server.answer };
	int result = dns_parse_query(bytes, length, &query);
	if (result == -EINVAL)
		return result;
	answer.room = is_tcp ? DNS_MESSAGE_MAX : query.udp_size;
	bool can_ask = asker->view->forwards && asker->view->upstream_count > 0;
	/* What waits for a name server is kept: many long ones would be much memory. */
	bool is_long = !is_tcp && length > DNS_UDP_MAX;
	int code = result < 0 || is_long ? DNS_FORMERR : query.flags & 0x7800u ? DNS_NOTIMP : DNS_NOERROR;
	dns_answer_begin(&answer, bytes, &query, code);
	if (code == DNS_NOERROR && !dns_resolve(asker->view, &query, &answer)) {
		if (can_ask)
			return 0;
		dns_answer_begin(&answer, bytes, &query, DNS_NXDOMAIN);
	}
	server.answered++;
	return (int)dns_answer_end(&answer, &query);
}

/* The answer that says that no name server could be reached. */
static size_t answer_failure(const uint8_t *bytes, size_t length)
{
	struct dns_query query;
	struct dns_answer answer = { .bytes = server.answer, .room = DNS_UDP_PLAIN };
	if (dns_parse_query(bytes, length, &query) < 0)
		return 0;
	dns_answer_begin(&answer, bytes, &query, DNS_SERVFAIL);
	return dns_answer_end(&answer, &query);
}

static unsigned attempts_of(const struct asker *asker)
{
	unsigned attempts = 2u * (unsigned)asker->view->upstream_count;
	return attempts < ATTEMPTS_MIN ? ATTEMPTS_MIN : attempts > ATTEMPTS_MAX ? ATTEMPTS_MAX : attempts;
}

/* A socket that speaks with the name server of this attempt, connected so that it hears no other. */
static int connect_upstream(const struct asker *asker, unsigned attempt, int type)
{
	const struct dns_view *view = asker->view;
	if (!view->upstream_count)
		return -ENETUNREACH;
	const struct dns_upstream *upstream = &view->upstreams[attempt % view->upstream_count];
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t size = upstream->length == 4 ? sizeof address.v4 : sizeof address.v6;
	if (upstream->length == 4) {
		address.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(upstream->port) };
		memcpy(&address.v4.sin_addr, upstream->address, 4);
	} else {
		address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(upstream->port) };
		memcpy(&address.v6.sin6_addr, upstream->address, 16);
	}
	cleanup_fd int fd = check(socket(address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int result = fd < 0 ? fd : check(connect(fd, &address.any, size));
	return result < 0 && result != -EINPROGRESS ? result : take_fd_from(&fd);
}

static void drop_lookup(struct lookup *lookup)
{
	struct lookup **link = &server.lookups;
	while (*link != lookup)
		link = &(*link)->next;
	*link = lookup->next;
	close_source(&lookup->upstream);
	lookup->asker->lookups--;
	server.lookup_count--;
	free(lookup);
}

static void reply(const struct lookup *lookup, const uint8_t *bytes, size_t length)
{
	sendto(lookup->asker->udp.fd, bytes, length, MSG_NOSIGNAL, (const struct sockaddr *)&lookup->from, sizeof lookup->from);
}

static void upstream_ready(struct source *source, uint32_t events);

/* Asks the next name server that can be asked; without one the asker is told. */
static void ask_next(struct lookup *lookup)
{
	close_source(&lookup->upstream);
	while (lookup->attempt < attempts_of(lookup->asker)) {
		int fd = connect_upstream(lookup->asker, lookup->attempt++, SOCK_DGRAM);
		if (fd < 0)
			continue;
		open_source(&lookup->upstream, fd, upstream_ready);
		/* An attacker who cannot see the question must guess port and id to forge its answer. */
		if (getrandom(lookup->query, 2, 0) == 2 && send(fd, lookup->query, lookup->length, MSG_NOSIGNAL) >= 0) {
			watch(&lookup->upstream, EPOLLIN);
			lookup->deadline = monotonic_ms() + ATTEMPT_MS;
			return;
		}
		close_source(&lookup->upstream);
	}
	memcpy(lookup->query, lookup->id, 2);
	size_t length = answer_failure(lookup->query, lookup->length);
	if (length)
		reply(lookup, server.answer, length);
	drop_lookup(lookup);
}

static bool is_refusal(const uint8_t *answer)
{
	int code = answer[3] & 15;
	return code == DNS_SERVFAIL || code == DNS_NOTIMP || code == 5;
}

static void upstream_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct lookup *lookup = (struct lookup *)source;
	ssize_t length = recv(source->fd, server.message, sizeof server.message, 0);
	if (length < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ask_next(lookup);
		return;
	}
	if (memcmp(server.message, lookup->query, 2) != 0 ||
	    !dns_answers(server.message, (size_t)length, lookup->query, lookup->length))
		return;
	if (is_refusal(server.message) && lookup->attempt < lookup->asker->view->upstream_count) {
		ask_next(lookup);
		return;
	}
	memcpy(server.message, lookup->id, 2);
	reply(lookup, server.message, (size_t)length);
	drop_lookup(lookup);
}

static void pass_on(struct asker *asker, const struct sockaddr_in *from, size_t length)
{
	if (server.lookup_count >= LOOKUPS_MAX || asker->lookups >= LOOKUPS_OF_ONE) {
		server.refused++;
		return; /* the asker asks again */
	}
	struct lookup *lookup = malloc(sizeof *lookup + length);
	if (!lookup)
		return;
	*lookup = (struct lookup){ .asker = asker, .from = *from, .length = length, .next = server.lookups, .upstream.fd = -1 };
	memcpy(lookup->query, server.message, length);
	memcpy(lookup->id, server.message, 2);
	server.lookups = lookup;
	server.lookup_count++;
	asker->lookups++;
	server.forwarded++;
	ask_next(lookup);
}

static void udp_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct asker *asker = (struct asker *)source;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	ssize_t length = recvfrom(source->fd, server.message, sizeof server.message, 0, (struct sockaddr *)&from, &size);
	if (length <= 0)
		return;
	int answer = answer_here(asker, server.message, (size_t)length, false);
	if (answer > 0)
		sendto(source->fd, server.answer, (size_t)answer, MSG_NOSIGNAL, (const struct sockaddr *)&from, size);
	else if (answer == 0)
		pass_on(asker, &from, (size_t)length);
}

static void drop_stream(struct stream *stream)
{
	struct stream **link = &server.streams;
	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	close_source(&stream->source);
	close_source(&stream->upstream);
	stream->asker->streams--;
	server.stream_count--;
	drop_pages(stream, sizeof *stream);
}

static size_t length_in(const struct stream *stream)
{
	return (size_t)(stream->bytes[0] << 8 | stream->bytes[1]);
}

static void set_length(struct stream *stream, size_t length)
{
	stream->bytes[0] = (uint8_t)(length >> 8);
	stream->bytes[1] = (uint8_t)length;
	stream->size = 2 + length;
	stream->done = 0;
}

static void begin_answer(struct stream *stream, size_t length)
{
	close_source(&stream->upstream);
	set_length(stream, length);
	stream->deadline = monotonic_ms() + IDLE_MS;
	stream->state = ANSWERING;
	watch(&stream->source, EPOLLOUT);
}

static void wait_for_upstream(struct stream *stream)
{
	bool is_last = stream->attempt >= stream->asker->view->upstream_count;
	stream->deadline = monotonic_ms() + (is_last ? IDLE_MS : STREAM_ATTEMPT_MS);
}

static void stream_upstream_ready(struct source *source, uint32_t events);

/* The question is whole in `bytes`. */
static void ask_next_by_stream(struct stream *stream)
{
	close_source(&stream->upstream);
	set_length(stream, length_in(stream));
	while (stream->attempt < stream->asker->view->upstream_count) {
		int fd = connect_upstream(stream->asker, stream->attempt++, SOCK_STREAM);
		if (fd < 0)
			continue;
		open_source(&stream->upstream, fd, stream_upstream_ready);
		stream->state = CONNECTING;
		wait_for_upstream(stream);
		watch(&stream->upstream, EPOLLOUT);
		watch(&stream->source, 0); /* the asker may have ended its side already */
		return;
	}
	size_t length = answer_failure(stream->bytes + 2, stream->size - 2);
	if (!length) {
		drop_stream(stream);
		return;
	}
	memcpy(stream->bytes + 2, server.answer, length);
	begin_answer(stream, length);
}

static void take_question(struct stream *stream)
{
	int answer = answer_here(stream->asker, stream->bytes + 2, stream->size - 2, true);
	if (answer > 0) {
		memcpy(stream->bytes + 2, server.answer, (size_t)answer);
		begin_answer(stream, (size_t)answer);
	} else if (answer == 0) {
		server.forwarded++;
		stream->attempt = 0;
		ask_next_by_stream(stream);
	} else {
		drop_stream(stream);
	}
}

/* Reads up to `size`, which the two first bytes tell: 1 when all is there, 0 when not yet, or a negative errno. */
static int read_message(struct stream *stream, int fd)
{
	if (stream->done < 2)
		stream->size = 2;
	for (;;) {
		int count = check(recv(fd, stream->bytes + stream->done, stream->size - stream->done, MSG_DONTWAIT));
		if (count == -EAGAIN || count == -EINTR)
			return 0;
		if (count <= 0)
			return count < 0 ? count : -EPIPE;
		stream->done += (size_t)count;
		if (stream->done == 2)
			stream->size = 2u + length_in(stream);
		if (stream->done == stream->size)
			return stream->size > 2 ? 1 : -EPROTO;
	}
}

static int write_message(struct stream *stream, int fd)
{
	int count = check(send(fd, stream->bytes + stream->done, stream->size - stream->done, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (count == -EAGAIN || count == -EINTR)
		return 0;
	if (count < 0)
		return count;
	stream->done += (size_t)count;
	return stream->done == stream->size;
}

/* Whether another name server can still be asked the same: nothing of an answer has come yet. */
static bool has_whole_question(const struct stream *stream)
{
	return stream->state == CONNECTING || stream->state == FORWARDING ||
	       (stream->state == AWAITING && stream->done == 0);
}

static void stream_upstream_ready(struct source *source, uint32_t events)
{
	struct stream *stream = (struct stream *)(void *)((char *)source - offsetof(struct stream, upstream));
	(void)events;
	wait_for_upstream(stream);
	if (stream->state == CONNECTING)
		stream->state = FORWARDING;
	int result = stream->state == FORWARDING ? write_message(stream, source->fd) : read_message(stream, source->fd);
	if (result < 0 && has_whole_question(stream)) {
		ask_next_by_stream(stream);
	} else if (result < 0) {
		drop_stream(stream);
	} else if (result == 1 && stream->state == FORWARDING) {
		stream->state = AWAITING;
		stream->done = 0;
		watch(source, EPOLLIN);
	} else if (result == 1) {
		begin_answer(stream, stream->size - 2);
	}
}

static void stream_ready(struct source *source, uint32_t events)
{
	struct stream *stream = (struct stream *)source;
	stream->deadline = monotonic_ms() + IDLE_MS;
	(void)events;
	int result = stream->state == READING ? read_message(stream, source->fd) : write_message(stream, source->fd);
	if (result < 0) {
		drop_stream(stream);
	} else if (result == 1 && stream->state == READING) {
		take_question(stream);
	} else if (result == 1) {
		stream->state = READING;
		stream->done = 0;
		watch(source, EPOLLIN);
	}
}

static void listener_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct asker *asker = (struct asker *)(void *)((char *)source - offsetof(struct asker, listener));
	cleanup_fd int fd = check(accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (fd < 0)
		return;
	bool full = server.stream_count >= STREAMS_MAX || asker->streams >= STREAMS_OF_ONE;
	struct stream *stream = full ? NULL : pages(sizeof *stream);
	if (!stream) {
		server.refused++;
		return;
	}
	open_source(&stream->source, take_fd_from(&fd), stream_ready);
	stream->upstream.fd = -1;
	stream->asker = asker;
	stream->next = server.streams;
	stream->deadline = monotonic_ms() + IDLE_MS;
	server.streams = stream;
	server.stream_count++;
	asker->streams++;
	watch(&stream->source, EPOLLIN);
}

/* All that is under way for one asker ends. */
static void let_go(struct asker *asker)
{
	for (struct lookup *lookup = server.lookups, *next; lookup; lookup = next) {
		next = lookup->next;
		if (lookup->asker == asker)
			drop_lookup(lookup);
	}
	for (struct stream *stream = server.streams, *next; stream; stream = next) {
		next = stream->next;
		if (stream->asker == asker)
			drop_stream(stream);
	}
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
	put_u32(message, PROTOCOL_VERSION);
	put_u32(message, (uint32_t)server.pid);
	put_u32(message, (uint32_t)server.broker_pid);
	put_u32(message, server.client_count);
	put_u32(message, (uint32_t)dns_endpoint_count());
	put_u64(message, server.answered);
	put_u64(message, server.forwarded);
	put_u64(message, server.refused);
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
	uint64_t first = UINT64_MAX, time = monotonic_ms();
	for (const struct lookup *lookup = server.lookups; lookup; lookup = lookup->next)
		first = lookup->deadline < first ? lookup->deadline : first;
	for (const struct stream *stream = server.streams; stream; stream = stream->next)
		first = stream->deadline < first ? stream->deadline : first;
	return first == UINT64_MAX ? -1 : first <= time ? 0 : (int)(first - time);
}

static void end_late(void)
{
	uint64_t time = monotonic_ms();
	for (struct lookup *lookup = server.lookups, *next; lookup; lookup = next) {
		next = lookup->next;
		if (lookup->deadline <= time)
			ask_next(lookup);
	}
	for (struct stream *stream = server.streams, *next; stream; stream = next) {
		next = stream->next;
		if (stream->deadline > time)
			continue;
		if (has_whole_question(stream))
			ask_next_by_stream(stream);
		else
			drop_stream(stream);
	}
}

void serve_queries(int broker)
{
	if (loop_open() < 0)
		_exit(1);
	open_source(&server.broker, broker, broker_ready);
	watch(&server.broker, EPOLLIN);
	server.pid = getpid();
	server.broker_pid = getppid();
	harden_worker();
	for (;;) {
		loop_turn(timeout());
		if (server.lookups || server.streams)
			end_late();
	}
}
