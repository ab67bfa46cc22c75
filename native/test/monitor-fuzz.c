/*
 * Fuzz target of the monitor's output side (log.c, streams.c, control.c, wire.h) and of its
 * loop. The bytes are a script: how much the container writes, what clients send, when
 * nothing happens for a while, when memory, disk, renames and opens fail, and when the
 * process ends. What must hold: the exit record is there, no client misses a byte, queues
 * stay bounded, the log has whole lines and, where nothing failed, all of them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "expect.h"
#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS 4
#define TEXT_MAX (1u << 20)

/* The bytes that were written to one stream, and those that were read of it. */
struct bytes {
	uint8_t *bytes;
	size_t length, capacity;
};

struct peer {
	int fd;
	bool attached; /* with its first command, before any output */
	bool given;    /* by the engine, before the program ran: no answer precedes the output */
	struct bytes received;
};

struct script {
	const uint8_t *at, *end;
	struct rig_options options;
	struct rig rig;
	struct bytes written[2];
	struct peer peers[CLIENTS];
	struct bytes typed, taken; /* by the first client, by the container */
	uint64_t random;
	bool any_bytes, ended, failed;
};

static uint8_t take(struct script *script)
{
	return script->at < script->end ? *script->at++ : 0;
}

static size_t take_size(struct script *script)
{
	static const uint32_t sizes[] = { 1, 7, 100, 4096, 16383, 16384, 16385, 40000, 65536 };
	uint8_t kind = take(script);
	return kind < 128 ? kind : sizes[kind % (sizeof sizes / sizeof *sizes)];
}

static uint8_t next_byte(struct script *script)
{
	static const char plain[] = "abc \n\n<\\\"\t\r&";
	script->random = script->random * 6364136223846793005u + 1442695040888963407u;
	uint8_t byte = (uint8_t)(script->random >> 40);
	/* Lines of very different lengths. */
	if (!script->any_bytes)
		byte = (script->random >> 56) % 97 ? (byte % 64 ? 'x' : (uint8_t)plain[byte % 12]) : '\n';
	return byte;
}

static void append(struct bytes *text, const uint8_t *bytes, size_t length)
{
	if (text->length + length > text->capacity) {
		text->capacity = (text->length + length) * 2;
		text->bytes = realloc(text->bytes, text->capacity);
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

static void produce(struct script *script, int stream)
{
	static uint8_t bytes[65536];
	size_t size = take_size(script);
	if (script->rig.output[stream] < 0 || script->ended || script->written[stream].length + size > TEXT_MAX)
		return;
	for (size_t i = 0; i < size; i++)
		bytes[i] = next_byte(script);
	ssize_t count = write(script->rig.output[stream], bytes, size);
	if (count > 0)
		append(&script->written[stream], bytes, (size_t)count);
}

/* So many frames at once; a length that is too much comes without its payload. */
static void put_frames(int fd, uint32_t type, const uint8_t *payload, uint32_t length, size_t count)
{
	uint8_t frame[FRAME_HEADER + COMMAND_MAX];
	size_t size = FRAME_HEADER + (length <= COMMAND_MAX ? length : 0);
	memcpy(frame, &type, sizeof type);
	memcpy(frame + 4, &length, sizeof length);
	memcpy(frame + FRAME_HEADER, payload, size - FRAME_HEADER);
	uint8_t *frames = malloc(size * count);
	for (size_t i = 0; i < count; i++)
		memcpy(frames + i * size, frame, size);
	send(fd, frames, size * count, MSG_NOSIGNAL);
	free(frames);
}

static void check_bounds(void)
{
	/* At the end everything that the pipes held may come on top. */
	size_t bound = QUEUE_HIGH + READ_SIZE + FRAME_MAX + (monitor.exited ? 3 * 65536 : 0);
	for (const struct client *client = monitor.clients; client; client = client->next)
		EXPECT(queue_length(&client->queue) <= bound);
	EXPECT(queue_length(&monitor.input_queue) <= QUEUE_HIGH + READ_SIZE);
}

static void turn(struct script *script)
{
	rig_turn(&script->rig);
	check_bounds();
}

static void connect_peer(struct script *script, struct peer *peer)
{
	if (peer->fd >= 0)
		return;
	peer->fd = rig_connect(&script->options);
	peer->attached = peer->given = false;
	peer->received.length = 0;
	uint8_t streams[4] = { ATTACH_STDOUT | ATTACH_STDERR };
	bool is_first = peer == script->peers;
	if (peer->fd < 0 || !(is_first || take(script) & 1))
		return;
	streams[0] |= is_first ? ATTACH_STDIN : 0;
	put_frames(peer->fd, FRAME_ATTACH, streams, sizeof streams, 1);
	/* In effect with the answer. */
	uint8_t answer[FRAME_HEADER];
	for (int turns = 0; turns < 64 && !peer->attached; turns++) {
		turn(script);
		peer->attached = recv(peer->fd, answer, sizeof answer, MSG_PEEK) == sizeof answer &&
				 script->written[0].length + script->written[1].length == 0;
	}
}

static void command(struct script *script, struct peer *peer)
{
	static const uint32_t types[] = { FRAME_STATUS, FRAME_STATUS, FRAME_RESIZE, FRAME_CLOSE_STDIN, FRAME_REOPEN_LOG, FRAME_WATCH, FRAME_SIGNAL, FRAME_ATTACH, FRAME_START,
		FRAME_AWAIT_ROTATION, FRAME_AWAIT_ROTATION, FRAME_COMPRESSED, FRAME_HOLD_ROTATION, FRAME_LIMIT_LOG, 99 };
	uint8_t payload[COMMAND_MAX] = { 0 };
	static const uint32_t lengths[] = { 0, 0, 4, 8, 8, COMMAND_MAX, COMMAND_MAX + 1, 0xffffffff };
	uint32_t type = types[take(script) % 14], length = lengths[take(script) % 8];
	if (peer->fd < 0 || peer == script->peers)
		return;
	payload[0] = take(script);
	if (type == FRAME_ATTACH)
		payload[0] &= (uint8_t)~ATTACH_STDIN; /* the first client's alone */
	if (!peer->attached)
		put_frames(peer->fd, type, payload, length, take(script) % 4 ? 1 : 5000);
}

static void type_input(struct script *script)
{
	uint8_t bytes[4096];
	size_t size = take_size(script) % sizeof bytes;
	if (script->peers[0].fd < 0 || script->typed.length > TEXT_MAX)
		return;
	for (size_t i = 0; i < size; i++)
		bytes[i] = next_byte(script);
	ssize_t count = send(script->peers[0].fd, bytes, size, MSG_NOSIGNAL);
	if (count > 0)
		append(&script->typed, bytes, (size_t)count);
}

static size_t receive(int fd, struct bytes *into, size_t wanted)
{
	static uint8_t bytes[65536];
	ssize_t count = fd < 0 ? 0 : read(fd, bytes, wanted < sizeof bytes ? wanted : sizeof bytes);
	if (count > 0)
		append(into, bytes, (size_t)count);
	return count > 0 ? (size_t)count : 0;
}

static void break_something(struct script *script)
{
	uint8_t what = take(script);
	faults.memory = what & 1;
	faults.rename = what & 2;
	faults.open = what & 4;
	faults.accept = what & 8;
	faults.disk = what & 16 ? take(script) * 50u : SIZE_MAX;
	script->failed = true;
}

static void step(struct script *script)
{
	uint8_t byte = take(script);
	struct peer *peer = &script->peers[byte >> 4 & (CLIENTS - 1)];
	switch (byte % 16) {
	case 0:
	case 1:
	case 2:
		produce(script, byte >> 4 & 1);
		break;
	case 3:
		connect_peer(script, peer);
		break;
	case 4:
		command(script, peer);
		break;
	case 5:
		type_input(script);
		break;
	case 6:
		receive(peer->fd, &peer->received, take_size(script));
		break;
	case 7:
		receive(script->rig.input, &script->taken, take_size(script));
		break;
	case 8:
		if (peer->fd >= 0 && peer != script->peers) {
			shutdown(peer->fd, byte & 64 ? SHUT_WR : SHUT_RDWR);
			peer->attached = false;
		}
		break;
	case 9:
		if (peer != script->peers)
			close_fd(&peer->fd);
		break;
	case 10:
		if (script->any_bytes)
			break_something(script);
		break;
	case 11:
		if (byte > 240)
			close_fd(&script->rig.output[byte >> 4 & 1]);
		break;
	default:
		for (int turns = byte >> 4; turns >= 0; turns--)
			turn(script);
	}
}

/* Everybody takes all there is, until the monitor has ended. */
static void finish(struct script *script)
{
	rig_exit(7 << 8);
	script->ended = true;
	do {
		for (int i = 0; i < CLIENTS; i++)
			while (receive(script->peers[i].fd, &script->peers[i].received, 65536) > 0)
				;
		turn(script);
	} while (!script->rig.over);
	for (int i = 0; i < CLIENTS; i++)
		while (receive(script->peers[i].fd, &script->peers[i].received, 65536) > 0)
			;
	while (receive(script->rig.input, &script->taken, 65536) > 0)
		;
}

static size_t read_file(const struct script *script, const char *name, uint8_t **bytes)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", script->options.directory, name);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bytes text = { 0 };
	while (receive(fd, &text, 65536) > 0)
		;
	*bytes = text.bytes;
	return text.length;
}

static void check_record(const struct script *script)
{
	uint8_t *record;
	size_t length = read_file(script, "exit", &record);
	/* HELLO with "rig", then EXIT. */
	EXPECT(length == FRAME_HEADER + 7 + FRAME_HEADER + 52 && get_u32(record) == FRAME_HELLO);
	EXPECT(get_u32(record + FRAME_HEADER + 7) == FRAME_EXIT && get_u32(record + FRAME_HEADER * 2 + 7) == 7);
	free(record);
}

/* The text of one escaped line of this stream, appended; only what `next_byte` makes is ever escaped. */
static void unescape(struct bytes *text, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		uint8_t byte = *at++;
		if (byte == '\\' && *at == 'u') {
			const char code[5] = { (char)at[1], (char)at[2], (char)at[3], (char)at[4], 0 };
			byte = (uint8_t)strtoul(code, NULL, 16);
			at += 5;
		} else if (byte == '\\') {
			byte = *at == 'n' ? '\n' : *at == 'r' ? '\r' : *at;
			at++;
		}
		append(text, &byte, 1);
	}
}

static void read_log(const struct script *script, const char *name, struct bytes logged[2])
{
	static const char head[] = "{\"log\":\"", middle[] = "\",\"stream\":\"std";
	uint8_t *bytes;
	size_t length = read_file(script, name, &bytes);
	for (uint8_t *at = bytes, *end; at < bytes + length; at = end + 1) {
		end = memchr(at, '\n', length - (size_t)(at - bytes));
		EXPECT(end && end[-1] == '}' && memcmp(at, head, strlen(head)) == 0);
		uint8_t *stop = memmem(at, (size_t)(end - at), middle, strlen(middle));
		EXPECT(stop);
		unescape(&logged[stop[strlen(middle)] == 'e'], at + strlen(head), stop);
	}
	EXPECT(script->options.log_size == 0 || script->failed || length < script->options.log_size + LOG_LINE_MAX * 6 + 128);
	free(bytes);
}

static void check_log(const struct script *script)
{
	struct bytes logged[2] = { { 0 } };
	for (uint32_t i = script->options.log_files; i-- > 0;) {
		char name[16] = "log";
		if (i > 0)
			snprintf(name, sizeof name, "log.%u", i);
		read_log(script, name, logged);
	}
	for (int i = 0; i < 2; i++) {
		const struct bytes *written = &script->written[i];
		if (!script->any_bytes) {
			size_t lost = written->length - logged[i].length;
			EXPECT(logged[i].length <= written->length && (lost == 0 || script->options.log_size > 0));
			EXPECT(logged[i].length == 0 || memcmp(logged[i].bytes, written->bytes + lost, logged[i].length) == 0);
		}
		free(logged[i].bytes);
	}
}

/* Docker's framed stream, after the answer to ATTACH: all of both outputs, each in order. */
static void check_peer(const struct script *script, const struct peer *peer)
{
	const uint8_t *at = peer->received.bytes, *end = at + peer->received.length;
	size_t seen[2] = { 0, 0 };
	EXPECT(peer->given || (end - at >= (ssize_t)FRAME_HEADER && get_u32(at) == FRAME_OK));
	for (at += peer->given ? 0 : FRAME_HEADER; at < end;) {
		EXPECT(end - at >= 8 && at[0] >= 1 && at[0] <= 2);
		size_t length = (size_t)at[4] << 24 | (size_t)at[5] << 16 | (size_t)at[6] << 8 | at[7];
		const struct bytes *written = &script->written[at[0] - 1];
		size_t *already = &seen[at[0] - 1];
		EXPECT(length > 0 && (size_t)(end - at) >= 8 + length && *already + length <= written->length);
		EXPECT(memcmp(at + 8, written->bytes + *already, length) == 0);
		*already += length;
		at += 8 + length;
	}
	EXPECT(seen[0] == script->written[0].length && seen[1] == script->written[1].length);
}

static void remove_files(const struct script *script)
{
	static const char *const names[] = { "log", "log.1", "log.2", "exit", "exit.new", "control" };
	char path[512];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", script->options.directory, names[i]);
		unlink(path);
	}
}

static void free_script(struct script *script)
{
	for (int i = 0; i < 2; i++)
		free(script->written[i].bytes);
	for (int i = 0; i < CLIENTS; i++)
		free(script->peers[i].received.bytes);
	free(script->typed.bytes);
	free(script->taken.bytes);
}

static char directory[] = "/dev/shm/monitor-fuzz-XXXXXX";

static void remove_directory(void)
{
	rmdir(directory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	if (!made) {
		made = true;
		EXPECT(mkdtemp(directory) && atexit(remove_directory) == 0);
	}
	struct script script = { .at = data, .end = data + size };
	for (int i = 0; i < CLIENTS; i++)
		script.peers[i].fd = -1;
	static const uint64_t log_sizes[] = { 0, 0, 300, 20000 };
	uint8_t kind = take(&script);
	script.any_bytes = kind & 1;
	script.random = kind;
	script.options = (struct rig_options){ .directory = directory, .log_size = log_sizes[kind >> 1 & 3], .log_files = 1 + kind % 3 };
	remove_files(&script);
	script.options.client = kind & 64;
	rig_open(&script.rig, &script.options);
	if (script.options.client)
		script.peers[CLIENTS - 1] = (struct peer){ .fd = script.rig.client, .attached = true, .given = true };
	while (script.at < script.end)
		step(&script);
	finish(&script);
	if (!faults.open && faults.disk == SIZE_MAX && !faults.rename)
		check_record(&script);
	rig_close(&script.rig);
	check_log(&script);
	for (int i = 0; i < CLIENTS; i++)
		if (script.peers[i].attached && script.peers[i].fd >= 0 && !script.failed)
			check_peer(&script, &script.peers[i]);
	EXPECT(script.taken.length <= script.typed.length || script.failed);
	EXPECT(script.failed || script.taken.length == 0 || memcmp(script.taken.bytes, script.typed.bytes, script.taken.length) == 0);
	remove_files(&script);
	free_script(&script);
	return 0;
}
