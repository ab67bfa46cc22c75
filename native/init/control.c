#include "monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "syscalls.h"

/* The engine lets 1,000 clients wait for the start of a container; input and output of each have a connection. */
#define CLIENTS_MAX 2200

/* Answers come in order; and a client that does not take them is not asked for more, or its queue would grow without end. */
static bool takes_commands(const struct client *client)
{
	return !client->attached && !client->ending && !client->starting && !client->awaits_rotation &&
	       queue_length(&client->queue) == 0;
}

static void update_client(struct client *client)
{
	uint32_t events = queue_length(&client->queue) > 0 ? EPOLLOUT : 0;
	bool reads = client->attached ? !client->input_done && !input_blocked() : takes_commands(client);
	if (reads)
		events |= EPOLLIN;
	/* EPOLLHUP cannot be masked: a peer that is gone is not watched until its last bytes can be taken. */
	watch(&client->source, events ? events : client->hung ? 0 : EPOLLHUP);
}

static void drop(struct client *client)
{
	client->gone = true;
	watch(&client->source, 0);
}

/*
 * Output can no longer be delivered; bytes that the client sent before it went are still
 * input.
 */
static void stop_output(struct client *client)
{
	queue_free(&client->queue);
	client->streams &= ATTACH_STDIN;
	if (!client->attached || client->input_done || !client->streams)
		drop(client);
}

/* Header and body to the client: at once as far as the socket takes it, the rest through the queue. */
static void deliver(struct client *client, const void *header, size_t header_length, const void *body, size_t length)
{
	size_t sent = 0;
	if (queue_length(&client->queue) == 0) {
		struct iovec parts[2] = { { (void *)(uintptr_t)header, header_length }, { (void *)(uintptr_t)body, length } };
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
		int count = check(sendmsg(client->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
		if (count < 0 && count != -EAGAIN && count != -EINTR) {
			stop_output(client);
			return;
		}
		sent = count > 0 ? (size_t)count : 0;
	}
	int result = 0;
	if (sent < header_length) {
		result = queue_put(&client->queue, (const uint8_t *)header + sent, header_length - sent);
		sent = header_length;
	}
	if (result == 0 && sent - header_length < length)
		result = queue_put(&client->queue, (const uint8_t *)body + (sent - header_length), length - (sent - header_length));
	if (result < 0)
		drop(client);
	else
		update_client(client);
}

static void answer(struct client *client, const struct message *message)
{
	deliver(client, message->bytes, message->length, NULL, 0);
}

static void answer_result(struct client *client, enum stage stage, int result, const char *what)
{
	MESSAGE(message);
	size_t frame = frame_begin(&message, result < 0 ? FRAME_ERROR : FRAME_OK);
	if (result < 0) {
		put_u32(&message, (uint32_t)-result);
		put_u32(&message, stage);
		put_bytes(&message, what, strlen(what));
	}
	frame_end(&message, frame);
	answer(client, &message);
}

static void answer_status(struct client *client)
{
	MESSAGE(message);
	size_t frame = frame_begin(&message, FRAME_STATE);
	put_u32(&message, PROTOCOL_VERSION);
	put_u32(&message, (uint32_t)monitor.pid);
	put_u64(&message, monitor.start_time);
	put_u32(&message, (uint32_t)getpid());
	put_u32(&message, monitor.exited ? STATE_EXITED : monitor.started ? STATE_RUNNING : STATE_CREATED);
	put_u64(&message, monitor.log.dropped);
	put_bytes(&message, monitor.id, strlen(monitor.id));
	frame_end(&message, frame);
	answer(client, &message);
}

static int send_signal(uint32_t signal)
{
	if (signal < 1 || signal > 64)
		return -EINVAL;
	return monitor.exited ? -ESRCH : sys_pidfd_send_signal(monitor.process.fd, (int)signal);
}

static int close_stdin(void)
{
	input_close();
	return 0;
}

/* Want of memory that came before is told as well: it is nowhere else until the exit. */
static void start_watching(struct client *client)
{
	client->watching = true;
	answer_result(client, STAGE_MONITOR, 0, "");
	if (!monitor.oom_killed || client->gone)
		return;
	MESSAGE(message);
	put_oom(&message);
	answer(client, &message);
}

static void begin_start(struct client *client)
{
	int result = monitor_go();
	client->starting = result == 0;
	if (result < 0)
		answer_result(client, STAGE_MONITOR, result, "start the program");
}

static void answer_rotation(struct client *client)
{
	client->awaits_rotation = false;
	client->knows_rotation = true;
	answer_result(client, STAGE_LOG, 0, "");
}

static void await_rotation(struct client *client)
{
	client->awaits_rotation = true;
	if (!client->knows_rotation)
		answer_rotation(client);
}

static void execute(struct client *client, uint32_t type, const uint8_t *payload, size_t length)
{
	if (type == FRAME_STATUS && length == 0) {
		answer_status(client);
	} else if (type == FRAME_ATTACH && length == 4) {
		client->streams = get_u32(payload);
		client->attached = true;
		answer_result(client, STAGE_MONITOR, 0, "");
	} else if (type == FRAME_RESIZE && length == 8) {
		answer_result(client, STAGE_MONITOR, streams_resize(get_u32(payload), get_u32(payload + 4)), "resize the terminal");
	} else if (type == FRAME_SIGNAL && length == 4) {
		answer_result(client, STAGE_MONITOR, send_signal(get_u32(payload)), "signal the process");
	} else if (type == FRAME_CLOSE_STDIN && length == 0) {
		answer_result(client, STAGE_MONITOR, close_stdin(), "");
	} else if (type == FRAME_REOPEN_LOG && length == 0) {
		answer_result(client, STAGE_MONITOR, log_reopen(&monitor.log), "reopen the log");
	} else if (type == FRAME_AWAIT_ROTATION && length == 0) {
		await_rotation(client);
	} else if (type == FRAME_HOLD_ROTATION && length == 0) {
		monitor.log.holders += !client->holds_rotation;
		client->holds_rotation = true;
		answer_result(client, STAGE_LOG, 0, "");
	} else if (type == FRAME_LIMIT_LOG && length == 12) {
		answer_result(client, STAGE_LOG, log_limit(&monitor.log, get_u64(payload), get_u32(payload + 8)), "limit the log");
	} else if (type == FRAME_COMPRESSED && length == 8) {
		answer_result(client, STAGE_LOG, log_compressed(&monitor.log, get_u64(payload)), "put the compressed log in its place");
	} else if (type == FRAME_START && length == 0) {
		begin_start(client);
	} else if (type == FRAME_WATCH && length == 0) {
		start_watching(client);
	} else {
		answer_result(client, STAGE_MONITOR, -EPROTO, "unknown command");
	}
}

/* Never reads beyond a frame: what follows ATTACH is the container's input. */
static void read_command(struct client *client)
{
	while (takes_commands(client) && !client->gone) {
		size_t wanted = FRAME_HEADER;
		if (client->command_length >= FRAME_HEADER)
			wanted += get_u32(client->command + 4);
		if (wanted > sizeof client->command) {
			drop(client);
			return;
		}
		if (client->command_length == wanted) {
			client->command_length = 0;
			execute(client, get_u32(client->command), client->command + FRAME_HEADER, wanted - FRAME_HEADER);
			continue;
		}
		int count = check(recv(client->source.fd, client->command + client->command_length,
				       wanted - client->command_length, MSG_DONTWAIT));
		if (count == -EAGAIN || count == -EINTR)
			return;
		if (count <= 0) {
			client->ending = true;
			update_client(client);
			return;
		}
		client->command_length += (size_t)count;
	}
}

static void end_input(struct client *client)
{
	if (client->input_done)
		return;
	client->input_done = true;
	if (client->streams & ATTACH_STDIN && monitor.stdio_flags & STDIO_WITH_STDIN_ONCE)
		input_close();
}

static void read_input(struct client *client)
{
	uint8_t *buffer = scratch();
	if (input_blocked() || client->input_done || !buffer)
		return;
	int count = check(recv(client->source.fd, buffer, READ_SIZE, MSG_DONTWAIT));
	if (count == -EAGAIN || count == -EINTR)
		return;
	if (count <= 0)
		end_input(client);
	else if (client->streams & ATTACH_STDIN)
		input_write(buffer, (size_t)count);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = (struct client *)source;
	if (events & EPOLLHUP)
		client->hung = true;
	if (events & EPOLLOUT && queue_flush(&client->queue, source->fd) < 0)
		stop_output(client);
	if (!client->gone && !client->attached && events & (EPOLLIN | EPOLLHUP))
		read_command(client);
	else if (!client->gone && client->attached)
		read_input(client);
	if (client->hung && (client->input_done || !client->attached))
		drop(client);
	if (!client->gone)
		update_client(client);
	streams_update();
}

/* Takes the socket, unless there is no room for one more. */
static struct client *new_client(int *fd)
{
	struct client *client = monitor.client_count >= CLIENTS_MAX ? NULL : pages(sizeof *client);
	if (!client)
		return NULL;
	client->source = (struct source){ .fd = take_fd_from(fd), .ready = client_ready };
	client->next = monitor.clients;
	monitor.clients = client;
	monitor.client_count++;
	return client;
}

static void listener_ready(struct source *source, uint32_t events)
{
	(void)events;
	cleanup_fd int fd = check(accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
		/* Who waits there keeps the listener ready: it is left alone until something may have changed. */
		watch(source, 0);
		monitor.accept_later = true;
	}
	struct client *client = fd < 0 ? NULL : new_client(&fd);
	if (client)
		update_client(client);
}

int control_adopt(int fd, uint32_t streams)
{
	cleanup_fd int socket = fd;
	if (fcntl(socket, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	struct client *client = new_client(&socket);
	if (!client)
		return -ENOMEM;
	client->streams = streams;
	client->attached = true;
	update_client(client);
	return 0;
}

static int bind_socket(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0177);
	int result = check(bind(fd, (const struct sockaddr *)address, sizeof *address));
	if (result == -EADDRINUSE) {
		/* Left behind by a monitor that was killed, unless somebody still answers there. */
		cleanup_fd int probe = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		if (check(connect(probe, (const struct sockaddr *)address, sizeof *address)) == -ECONNREFUSED &&
		    unlink(address->sun_path) == 0)
			result = check(bind(fd, (const struct sockaddr *)address, sizeof *address));
	}
	umask(mask);
	return result;
}

int control_open(const char *path)
{
	if (!path)
		return 0;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return fail(STAGE_MONITOR, -ENAMETOOLONG, "listen at %s", path);
	strcpy(address.sun_path, path);
	monitor.listener = (struct source){ .fd = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
					    .ready = listener_ready };
	int result = monitor.listener.fd < 0 ? monitor.listener.fd : bind_socket(monitor.listener.fd, &address);
	if (result >= 0)
		result = check(listen(monitor.listener.fd, CLIENTS_MAX));
	if (result < 0)
		return fail(STAGE_MONITOR, result, "listen at %s", path);
	watch(&monitor.listener, EPOLLIN);
	return 0;
}

void control_close_listener(void)
{
	if (monitor.listener.fd < 0)
		return;
	unlink(monitor.control_socket);
	watch(&monitor.listener, 0);
	close_fd(&monitor.listener.fd);
}

void control_accept(void)
{
	if (monitor.accept_later)
		watch(&monitor.listener, EPOLLIN);
	monitor.accept_later = false;
}

void control_update(void)
{
	for (struct client *client = monitor.clients; client; client = client->next)
		if (!client->gone)
			update_client(client);
}

bool control_has_room(void)
{
	for (const struct client *client = monitor.clients; client; client = client->next)
		if (!client->gone && queue_length(&client->queue) >= QUEUE_HIGH)
			return false;
	return true;
}

void control_output(int stream, const uint8_t *bytes, size_t length)
{
	bool framed = monitor.stdio != STDIO_PTY;
	/* Docker's stdcopy: stream, three zeros, length in big endian. */
	const uint8_t header[8] = { (uint8_t)(stream + 1), 0, 0, 0, (uint8_t)(length >> 24), (uint8_t)(length >> 16),
				    (uint8_t)(length >> 8), (uint8_t)length };
	for (struct client *client = monitor.clients; client; client = client->next)
		if (client->attached && !client->gone && client->streams & (stream ? ATTACH_STDERR : ATTACH_STDOUT))
			deliver(client, header, framed ? sizeof header : 0, bytes, length);
}

void control_tell_starters(int result, const char *what)
{
	for (struct client *client = monitor.clients; client; client = client->next) {
		if (!client->starting || client->gone)
			continue;
		client->starting = false;
		answer_result(client, failure.stage, result, what);
	}
}

void control_tell_rotation(void)
{
	for (struct client *client = monitor.clients; client; client = client->next) {
		client->knows_rotation = false;
		if (client->awaits_rotation && !client->gone)
			answer_rotation(client);
	}
}

void control_tell_watchers(const void *frame, size_t length)
{
	for (struct client *client = monitor.clients; client; client = client->next)
		if (client->watching && !client->gone)
			deliver(client, frame, length, NULL, 0);
}

void control_end(void)
{
	for (struct client *client = monitor.clients; client; client = client->next) {
		client->ending = true;
		client->input_done = true;
		if (!client->gone)
			update_client(client);
	}
}

void control_sweep(void)
{
	for (struct client **link = &monitor.clients; *link;) {
		struct client *client = *link;
		if (!client->gone && !(client->ending && queue_length(&client->queue) == 0)) {
			link = &client->next;
			continue;
		}
		*link = client->next;
		monitor.client_count--;
		monitor.log.holders -= client->holds_rotation;
		watch(&client->source, 0);
		close_fd(&client->source.fd);
		if (client->attached)
			end_input(client);
		queue_free(&client->queue);
		drop_pages(client, sizeof *client);
		control_accept();
	}
	streams_update();
}
