/*
 * What thimble-init says and hears: numbers shared with src/helper/tags.ts, where a
 * test compares them. Everything is little endian and unaligned.
 *
 * A frame is u32 type, u32 payload length, payload. The engine's side (fd 3 after the
 * plan, fd 4) and the control socket use the same frames.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PROTOCOL_VERSION 1u
/* Of the resolver, which an engine replaces when it speaks another one. */
#define DNS_PROTOCOL_VERSION 2u
#define FRAME_HEADER 8u
/* The largest frame that a monitor reads. */
#define COMMAND_MAX 64u
/* The largest frame that a resolver reads. */
#define DNS_FRAME_MAX 65536u
/* The largest frame that the helper writes. */
#define FRAME_MAX 2048u

#define PROXY_ADDRESSES 2u
#define PROXY_ADDRESS 20u
#define PROXY_LISTEN_FIXED (24u + PROXY_ADDRESS)
/* u32 protocol, u32 port, then an address as above. */
#define PROXY_NAME (8u + PROXY_ADDRESS)
#define PROXY_COMMAND_MAX (PROXY_LISTEN_FIXED + PROXY_ADDRESSES * PROXY_ADDRESS)

enum frame {
	/* Helper to engine (fd 4), and the records of the exit file. */
	FRAME_HELLO = 1,   /* u32 version, id */
	FRAME_CREATED = 2, /* u32 pid, u64 start time in ticks */
	FRAME_ERROR = 4,   /* u32 errno, u32 stage, text */
	FRAME_STARTED = 3, /* u64 ns since the epoch */
	FRAME_OOM = 5,     /* u64 ns since the epoch */
	FRAME_EXIT = 6,    /* u32 code, u32 signal, u32 oom, u64 started, u64 finished (ns), u64 user us, u64 system us, u64 max RSS KiB */

	/* Engine to helper (fd 3). Before GO, any number of ATTACH (below), each with a socket that carries raw bytes from then on. */
	FRAME_GO = 16,

	/* Client to monitor (control socket). */
	FRAME_STATUS = 32,
	FRAME_ATTACH = 33, /* u32 ATTACH_* bits; after the answer the connection carries raw bytes */
	FRAME_RESIZE = 34, /* u32 rows, u32 columns */
	FRAME_SIGNAL = 35, /* u32 number */
	FRAME_CLOSE_STDIN = 36,
	FRAME_REOPEN_LOG = 37,
	FRAME_AWAIT_ROTATION = 40, /* answered once the log was rotated since the last answer; the first time at once */
	FRAME_HOLD_ROTATION = 42, /* until the connection ends, the log is not rotated within reason */
	FRAME_LIMIT_LOG = 43, /* u64 bytes of one file (0: any number), u32 files, from now on */
	FRAME_COMPRESSED = 41, /* u64 inode of a rotated file that was compressed into the log's path.gz */
	FRAME_START = 39, /* GO from a client; answered once the program runs, or with why it does not */
	FRAME_WATCH = 38, /* OOM and EXIT frames follow the answer, OOM also when it was before */

	/* Engine to the resolver (mode dns). Texts are u16 length, bytes; lists are u16 count, items. */
	FRAME_DNS_BEGIN = 48, /* what is not said again before COMMIT goes then */
	FRAME_DNS_COMMIT = 49,
	FRAME_DNS_ENDPOINT = 50, /* id, network, IPv4 (0 or 4 bytes), IPv6 (0 or 16), names, ports (u16, u16 number of the protocol); the first name is that of reverse look-ups */
	FRAME_DNS_DROP_ENDPOINT = 51, /* id */
	FRAME_DNS_CLIENT = 52, /* id, u16 forwards, networks, upstreams (u16 port, address), links (alias, name); with a network namespace where it is new or has a new one */
	FRAME_DNS_DROP_CLIENT = 53, /* id */
	FRAME_DNS_STATUS = 54,
	FRAME_DNS_QUIT = 55,

	/* Engine to proxy (fd 3), answered by LISTENING or by ERROR with u32 errno, u32 index of the address that failed. */
	FRAME_LISTEN = 56, /* u32 protocol, target's address, u32 its port, u32 first, last and begin of the host's ports, u32 number of addresses, these; an address is u32 4 or 6, 16 bytes */
	FRAME_HOLD = 57,   /* with a pidfd and a unix socket that listens: from now on the ports live as long as that process, and later engines connect there */
	FRAME_UNLISTEN = 58, /* u32 protocol, u32 port of the host, u32 4 or 6, 16 bytes of the address: takes no more clients there; those that it has stay */
	FRAME_RETARGET = 59, /* the container's new address; clients that are connected stay where they are */
	FRAME_CONFIRM = 60,  /* ports that were asked for after HOLD go with this connection until then */
	FRAME_COUNT = 61,    /* as UNLISTEN, answered by COUNTED */
	FRAME_LISTENING = 72, /* u32 port of the host (0 after others than LISTEN), u32 0; the socket's end: no port is held any more */
	FRAME_COUNTED = 73,   /* u32 clients now, u64 clients ever, u64 bytes to the container, u64 bytes from it */

	/* Monitor to client; the resolver's OK of a namespace has u32 UDP port, u32 TCP port. */
	FRAME_OK = 64,
	FRAME_STATE = 65, /* u32 version, u32 pid, u64 start time, u32 monitor pid, u32 STATE_*, u64 dropped log lines, id */
	FRAME_DNS_STATE = 66, /* u32 version, u32 pid of the worker, u32 pid of the broker, u32 clients, u32 endpoints, u64 answered, u64 forwarded, u64 refused */
};

enum { ATTACH_STDIN = 1, ATTACH_STDOUT = 2, ATTACH_STDERR = 4 };

enum { STATE_CREATED = 0, STATE_RUNNING = 1, STATE_EXITED = 2 };

/* Where a launch can fail; the names are in src/helper/tags.ts. */
enum stage {
	STAGE_PLAN = 1,
	STAGE_NAMESPACES = 2,
	STAGE_CGROUP = 3,
	STAGE_ROOT = 4,
	STAGE_MOUNT = 5,
	STAGE_DEVICE = 6,
	STAGE_SYMLINK = 7,
	STAGE_MASK = 8,
	STAGE_SYSCTL = 9,
	STAGE_HOSTNAME = 10,
	STAGE_TERMINAL = 11,
	STAGE_LIMIT = 12,
	STAGE_USER = 13,
	STAGE_CAPABILITIES = 14,
	STAGE_SECCOMP = 15,
	STAGE_CWD = 16,
	STAGE_EXEC = 17,
	STAGE_LOG = 18,
	STAGE_MONITOR = 19,
};

static inline uint32_t get_u32(const void *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static inline uint64_t get_u64(const void *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

/* A frame in the making; bytes that do not fit are cut off, so a text may be shortened. */
struct message {
	size_t length;
	uint8_t bytes[FRAME_MAX];
};

/* Not initialized beyond its length: a monitor touches no page without need. */
#define MESSAGE(name) \
	struct message name; \
	name.length = 0

static inline void put_bytes(struct message *message, const void *bytes, size_t length)
{
	if (length > sizeof message->bytes - message->length)
		length = sizeof message->bytes - message->length;
	memcpy(message->bytes + message->length, bytes, length);
	message->length += length;
}

static inline void put_u32(struct message *message, uint32_t value)
{
	put_bytes(message, &value, sizeof value);
}

static inline void put_u64(struct message *message, uint64_t value)
{
	put_bytes(message, &value, sizeof value);
}

/* Several frames may follow each other in one message: begin returns where the frame starts, end fills in its length. */
static inline size_t frame_begin(struct message *message, enum frame type)
{
	size_t start = message->length;
	put_u32(message, type);
	put_u32(message, 0);
	return start;
}

static inline void frame_end(struct message *message, size_t start)
{
	uint32_t length = (uint32_t)(message->length - start - FRAME_HEADER);
	memcpy(message->bytes + start + 4, &length, sizeof length);
}

#endif
