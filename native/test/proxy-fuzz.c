/*
 * Fuzz target of the proxy (proxy.c, relay.c, datagrams.c). The bytes are a script: clients
 * come, send, end or reset, the container does the same, commands are garbage, descriptors
 * and memory are short. What must hold: nobody reads a byte that was not sent to them, in its
 * order; where nobody has closed and nothing was short, everybody reads all of it.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "proxy-rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS 8
#define CHUNK 65536
#define CHUNKS 128
/* Looks in vain before what is missing counts as lost; a millisecond each. */
#define PATIENCE 1000

/* A client or a server's connection; what the two sides send are two texts that never repeat soon. */
struct peer_end {
	int fd;
	uint32_t sent, received;
};

struct script {
	const uint8_t *at, *end;
	struct proxy_rig rig;
	uint16_t stream_port, datagram_port;
	struct peer_end clients[ENDS], servers[ENDS];
	int datagrams[ENDS];
	bool disturbed; /* something was closed or short: bytes may be missing */
};

static uint8_t buffer[CHUNK];

static uint8_t take(struct script *script)
{
	return script->at < script->end ? *script->at++ : 0;
}

static uint8_t text_of(bool of_client, uint32_t index)
{
	uint32_t mixed = (index + 1) * 2654435761u ^ (of_client ? 0x5bd1e995u : 0);
	return (uint8_t)(mixed >> 13);
}

static void speak(struct peer_end *end, bool is_client, size_t length)
{
	for (size_t i = 0; i < length; i++)
		buffer[i] = text_of(is_client, end->sent + (uint32_t)i);
	ssize_t count = end->fd < 0 ? 0 : send(end->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	end->sent += count > 0 ? (uint32_t)count : 0;
}

static bool listen_to(struct peer_end *end, bool is_client)
{
	ssize_t count = end->fd < 0 ? 0 : recv(end->fd, buffer, sizeof buffer, MSG_DONTWAIT);
	for (ssize_t i = 0; i < count; i++)
		EXPECT(buffer[i] == text_of(!is_client, end->received + (uint32_t)i));
	end->received += count > 0 ? (uint32_t)count : 0;
	return count > 0;
}

static void accept_server(struct script *script)
{
	int fd = accept4(script->rig.server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	for (int i = 0; fd >= 0 && i < ENDS; i++)
		if (script->servers[i].fd < 0) {
			script->servers[i] = (struct peer_end){ fd, 0, 0 };
			return;
		}
	if (fd >= 0)
		script->disturbed = true;
	proxy_rig_reset(&fd);
}

static void say_garbage(struct script *script)
{
	uint8_t frame[FRAME_HEADER + PROXY_COMMAND_MAX];
	uint32_t type = take(script) % 4 ? FRAME_LISTEN : take(script);
	uint32_t length = take(script) % (PROXY_COMMAND_MAX + 1);
	if (type == FRAME_RETARGET && length == PROXY_ADDRESS)
		length--; /* else the streams would go to strangers */
	memcpy(frame, &type, 4);
	memcpy(frame + 4, &length, 4);
	for (uint32_t i = 0; i < length; i++)
		frame[FRAME_HEADER + i] = take(script);
	if (script->rig.engine < 0 || write_all(script->rig.engine, frame, FRAME_HEADER + length) < 0)
		return;
	proxy_rig_turn();
	EXPECT(recv(script->rig.engine, frame, FRAME_HEADER + 8, 0) == FRAME_HEADER + 8);
}

/* Questions carry the number of who asks; the answer to each, with the same bytes, comes back to nobody else. */
static void ask_datagram(struct script *script)
{
	int i = take(script) % ENDS;
	uint8_t question[2] = { (uint8_t)i, take(script) }, bytes[4];
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	if (script->datagrams[i] < 0)
		script->datagrams[i] = proxy_rig_connect(SOCK_DGRAM, script->datagram_port);
	send(script->datagrams[i], question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL);
	proxy_rig_turn();
	while (recvfrom(script->rig.datagram, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size) == 2)
		sendto(script->rig.datagram, bytes, 2, MSG_DONTWAIT, (struct sockaddr *)&from, size);
	proxy_rig_turn();
	for (int client = 0; client < ENDS; client++)
		while (script->datagrams[client] >= 0 && recv(script->datagrams[client], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
			EXPECT(bytes[0] == client);
}

static void perform(struct script *script)
{
	uint8_t what = take(script), which = take(script);
	bool is_client = which & 1;
	struct peer_end *end = is_client ? &script->clients[which / 2 % ENDS] : &script->servers[which / 2 % ENDS];
	switch (what % 12) {
	case 0:
	case 1:
		if (is_client && end->fd < 0)
			*end = (struct peer_end){ proxy_rig_connect(SOCK_STREAM, script->stream_port), 0, 0 };
		break;
	case 2:
	case 3:
	case 4:
		/* Now and then more than all the buffers on the way take. */
		for (int chunks = what < 230 ? 1 : CHUNKS; chunks > 0; chunks--)
			speak(end, is_client, what < 128 ? (size_t)take(script) + 1 : CHUNK);
		break;
	case 5:
	case 6:
		listen_to(end, is_client);
		break;
	case 7:
		if (end->fd >= 0)
			shutdown(end->fd, SHUT_WR);
		break;
	case 8:
		script->disturbed |= end->fd >= 0;
		if (what < 64)
			proxy_rig_reset(&end->fd);
		break;
	case 9:
		say_garbage(script);
		break;
	case 10:
		ask_datagram(script);
		break;
	default:
		proxy_faults = (struct proxy_faults){ .memory = which & 2, .pipe = which & 4, .accept = which & 8 };
		script->disturbed |= (which & 14) != 0;
		break;
	}
	proxy_rig_turn();
	accept_server(script);
}

static bool is_complete(const struct script *script)
{
	uint64_t sent[2] = { 0 }, received[2] = { 0 };
	for (int i = 0; i < ENDS; i++) {
		sent[0] += script->clients[i].sent;
		received[0] += script->servers[i].received;
		sent[1] += script->servers[i].sent;
		received[1] += script->clients[i].received;
	}
	return sent[0] == received[0] && sent[1] == received[1];
}

/* What is under way arrives; the kernel may take a moment for it. */
static void settle(struct script *script)
{
	proxy_faults = (struct proxy_faults){ 0 };
	for (int silent = 0; silent < PATIENCE && !(is_complete(script) && silent); silent++) {
		bool moved = false;
		proxy_rig_turn();
		accept_server(script);
		for (int i = 0; i < ENDS; i++) {
			moved |= listen_to(&script->clients[i], true);
			moved |= listen_to(&script->servers[i], false);
		}
		if (moved)
			silent = -1;
		else if (!script->disturbed)
			poll(NULL, 0, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { .at = data, .end = data + size };
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < ENDS; i++)
		script.clients[i].fd = script.servers[i].fd = script.datagrams[i] = -1;
	proxy_rig_open(&script.rig);
	script.stream_port = (uint16_t)proxy_rig_listen(&script.rig, IPPROTO_TCP, 20000, 65535, 0);
	script.datagram_port = (uint16_t)proxy_rig_listen(&script.rig, IPPROTO_UDP, 20000, 65535, 0);
	while (script.at < script.end)
		perform(&script);
	settle(&script);
	EXPECT(script.disturbed || is_complete(&script));
	for (int i = 0; i < ENDS; i++) {
		proxy_rig_reset(&script.clients[i].fd);
		proxy_rig_reset(&script.servers[i].fd);
		close_fd(&script.datagrams[i]);
	}
	proxy_rig_close(&script.rig);
	return 0;
}
