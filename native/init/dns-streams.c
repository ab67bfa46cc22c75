#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-worker.h"
#include "queue.h"

/* The first name servers are given so long, where the connection takes its time too; the last one may be idle as long as anybody. */
#define ATTEMPT_MS 3000u
/* A connection on which nothing happens. */
#define IDLE_MS 10000u

enum stream_state { READING, CONNECTING, FORWARDING, AWAITING, ANSWERING };

/* A connection of an asker, and the one to a name server while a question is passed on. */
struct stream {
	struct source source; /* first */
	struct source upstream;
	struct waiter waiter;
	struct asker *asker;
	enum stream_state state;
	size_t done, size; /* of `bytes`; 2 bytes of length come first */
	unsigned attempt;
	uint8_t bytes[2 + DNS_MESSAGE_MAX];
};

static struct queue attempts = QUEUE(attempts, ATTEMPT_MS), idle = QUEUE(idle, IDLE_MS);

static struct stream *stream_of(struct waiter *waiter)
{
	return waiter ? (struct stream *)(void *)((char *)waiter - offsetof(struct stream, waiter)) : NULL;
}

static void drop_stream(struct stream *stream)
{
	leave_queue(&stream->waiter);
	close_source(&stream->source);
	close_source(&stream->upstream);
	give_back(stream->asker, STREAMS);
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
	wait_in(&idle, &stream->waiter);
	stream->state = ANSWERING;
	watch(&stream->source, EPOLLOUT);
}

static void wait_for_upstream(struct stream *stream)
{
	bool is_last = stream->attempt >= stream->asker->view->upstream_count;
	wait_in(is_last ? &idle : &attempts, &stream->waiter);
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
	uint8_t answer[DNS_UDP_PLAIN];
	size_t length = answer_failure(stream->bytes + 2, stream->size - 2, answer);
	if (!length) {
		drop_stream(stream);
		return;
	}
	memcpy(stream->bytes + 2, answer, length);
	begin_answer(stream, length);
}

static void take_question(struct stream *stream)
{
	static uint8_t bytes[DNS_MESSAGE_MAX];
	int answer = answer_here(stream->asker, stream->bytes + 2, stream->size - 2, (struct room){ bytes, sizeof bytes });
	if (answer > 0) {
		memcpy(stream->bytes + 2, bytes, (size_t)answer);
		begin_answer(stream, (size_t)answer);
	} else if (answer == 0) {
		counts.forwarded++;
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
	wait_in(&idle, &stream->waiter);
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

/* The connection on which nothing has happened for longest. */
static void give_up_one(const struct asker *asker)
{
	struct stream *longest = NULL;
	for (int i = 0; i < 2; i++) {
		struct queue *queue = i == 0 ? &idle : &attempts;
		struct waiter *waiter = first_in(queue);
		while (waiter && stream_of(waiter)->asker != asker)
			waiter = next_in(queue, waiter);
		if (waiter && (!longest || waiter->deadline < longest->waiter.deadline))
			longest = stream_of(waiter);
	}
	if (longest)
		drop_stream(longest);
}

void accept_stream(struct asker *asker)
{
	cleanup_fd int fd = check(accept4(asker->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (fd < 0)
		return;
	struct asker *giver;
	struct stream *stream = has_share(asker, STREAMS, &giver) ? pages(sizeof *stream) : NULL;
	if (!stream) {
		counts.refused++;
		return;
	}
	if (giver)
		give_up_one(giver);
	open_source(&stream->source, take_fd_from(&fd), stream_ready);
	stream->upstream.fd = -1;
	stream->asker = asker;
	take_share(asker, STREAMS);
	wait_in(&idle, &stream->waiter);
	watch(&stream->source, EPOLLIN);
}

static void drop_streams_in(struct queue *queue, const struct asker *asker)
{
	for (struct waiter *waiter = first_in(queue), *next; waiter; waiter = next) {
		next = next_in(queue, waiter);
		if (stream_of(waiter)->asker == asker)
			drop_stream(stream_of(waiter));
	}
}

void drop_streams(const struct asker *asker)
{
	drop_streams_in(&idle, asker);
	drop_streams_in(&attempts, asker);
}

int streams_timeout(void)
{
	int first = patience_of(&attempts), second = patience_of(&idle);
	return first < 0 || (second >= 0 && second < first) ? second : first;
}

void end_late_streams(void)
{
	struct waiter *waiter;
	while ((waiter = late_in(&attempts)) || (waiter = late_in(&idle))) {
		if (has_whole_question(stream_of(waiter)))
			ask_next_by_stream(stream_of(waiter));
		else
			drop_stream(stream_of(waiter));
	}
}
