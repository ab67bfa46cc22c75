#include "monitor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

/* More than a terminal's buffers hold. */
#define TERMINAL_DRAIN (1 << 17)

int queue_put(struct queue *queue, const void *bytes, size_t length)
{
	if (queue->capacity - queue->tail < length && queue->head > 0) {
		memmove(queue->base, queue->base + queue->head, queue_length(queue));
		queue->tail -= queue->head;
		queue->head = 0;
	}
	if (queue->capacity - queue->tail < length) {
		size_t capacity = queue->capacity ? queue->capacity : QUEUE_HIGH;
		while (capacity - queue->tail < length)
			capacity *= 2;
		void *base = queue->base ? mremap(queue->base, queue->capacity, capacity, MREMAP_MAYMOVE) : pages(capacity);
		if (!base || base == MAP_FAILED)
			return -ENOMEM;
		queue->base = base;
		queue->capacity = capacity;
	}
	memcpy(queue->base + queue->tail, bytes, length);
	queue->tail += length;
	return 0;
}

void queue_free(struct queue *queue)
{
	drop_pages(queue->base, queue->capacity);
	*queue = (struct queue){ 0 };
}

int queue_flush(struct queue *queue, int fd)
{
	while (queue_length(queue) > 0) {
		int count = check(write(fd, queue->base + queue->head, queue_length(queue)));
		if (count == -EAGAIN)
			return 0;
		if (count < 0 && count != -EINTR)
			return count;
		queue->head += count > 0 ? (size_t)count : 0;
	}
	queue_free(queue);
	return 0;
}

static bool is_terminal(void)
{
	return monitor.stdio == STDIO_PTY;
}

static struct source *input_source(void)
{
	return is_terminal() ? &monitor.output[0] : &monitor.input;
}

/*
 * One read: the number of bytes, 0 when there are none for now, or a negative errno
 * (-EPIPE at the end).
 */
static int read_output(int stream)
{
	uint8_t *buffer = scratch();
	if (!buffer)
		return 0;
	int count = check(read(monitor.output[stream].fd, buffer, READ_SIZE));
	if (count <= 0)
		return count == -EAGAIN || count == -EINTR ? 0 : -EPIPE;
	control_output(stream, buffer, (size_t)count);
	log_bytes(&monitor.log, stream, buffer, (size_t)count);
	log_flush(&monitor.log);
	return count;
}

static void close_output(int stream)
{
	watch(&monitor.output[stream], 0);
	close_fd(&monitor.output[stream].fd);
}

static void flush_input(void)
{
	if (queue_flush(&monitor.input_queue, input_source()->fd) < 0) {
		queue_free(&monitor.input_queue);
		monitor.close_input = true;
	}
	if (!input_blocked() && monitor.close_input)
		input_close();
	control_update();
}

static void output_ready(struct source *source, uint32_t events)
{
	int stream = source == &monitor.output[1];
	if (events & EPOLLOUT)
		flush_input();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && read_output(stream) < 0)
		close_output(stream);
	streams_update();
}

static void input_ready(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	flush_input();
	streams_update();
}

void streams_update(void)
{
	bool open = control_has_room();
	uint32_t input = input_blocked() ? EPOLLOUT : 0;
	watch(&monitor.output[0], (open ? EPOLLIN : 0) | (is_terminal() ? input : 0));
	watch(&monitor.output[1], open ? EPOLLIN : 0);
	watch(&monitor.input, is_terminal() ? 0 : input);
}

void streams_open(const struct launch *launch)
{
	for (int i = 0; i < 2; i++)
		monitor.output[i] = (struct source){ .fd = launch->output[i], .ready = output_ready };
	monitor.input = (struct source){ .fd = launch->input, .ready = input_ready };
	streams_update();
}

void streams_adopt_terminal(int master, int slave)
{
	fcntl(master, F_SETFL, O_NONBLOCK);
	monitor.output[0].fd = master;
	monitor.terminal_slave = slave;
	if (monitor.has_size)
		ioctl(master, TIOCSWINSZ, &monitor.size);
	flush_input();
	streams_update();
}

int streams_resize(uint32_t rows, uint32_t columns)
{
	if (!is_terminal() || rows > 0xffff || columns > 0xffff)
		return is_terminal() ? -EINVAL : -ENOTTY;
	monitor.size = (struct winsize){ .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	monitor.has_size = true;
	return monitor.output[0].fd < 0 ? 0 : check(ioctl(monitor.output[0].fd, TIOCSWINSZ, &monitor.size));
}

void input_write(const uint8_t *bytes, size_t length)
{
	bool open = is_terminal() ? !monitor.exited : monitor.input.fd >= 0 && !monitor.close_input;
	if (!open || queue_put(&monitor.input_queue, bytes, length) < 0)
		return;
	if (input_source()->fd >= 0)
		flush_input();
	streams_update();
}

void input_close(void)
{
	if (is_terminal())
		return;
	monitor.close_input = true;
	if (input_blocked())
		return;
	watch(&monitor.input, 0);
	close_fd(&monitor.input.fd);
}

void streams_drain(void)
{
	for (int stream = 0; stream < 2; stream++) {
		int fd = monitor.output[stream].fd;
		/* As much as the pipe can have held: somebody may still write without end. */
		int capacity = fd < 0 ? 0 : check(fcntl(fd, F_GETPIPE_SZ));
		int left = capacity < 0 ? TERMINAL_DRAIN : capacity;
		for (int count = 1; left > 0 && count > 0; left -= count)
			count = read_output(stream);
	}
	log_end(&monitor.log);
}

void streams_close(void)
{
	close_output(0);
	close_output(1);
	queue_free(&monitor.input_queue);
	watch(&monitor.input, 0);
	close_fd(&monitor.input.fd);
	close_fd(&monitor.terminal_slave);
}
