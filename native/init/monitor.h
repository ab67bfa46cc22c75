/*
 * The part that stays for the life of the container: one epoll loop over the process, its
 * streams, the log, the control socket and the OOM counter. The parts are loop
 * (monitor.c), streams.c and control.c; this header is their common state.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <sys/ioctl.h>

#include "base.h"
#include "launcher.h"
#include "log.h"
#include "loop.h"

/* Bytes on their way to a descriptor that would block. */
struct queue {
	uint8_t *base;
	size_t capacity, head, tail;
};

#define READ_SIZE 32768u
/* A client with this much in its queue stops the reading of the container's output until it drains. */
#define QUEUE_HIGH 65536u

struct client {
	struct source source; /* first: a source is its client */
	struct client *next;
	uint8_t command[FRAME_HEADER + COMMAND_MAX];
	size_t command_length;
	struct queue queue;
	uint32_t streams; /* ATTACH_* once attached */
	bool attached, watching, starting, input_done;
	bool awaits_rotation, knows_rotation; /* knows: of the latest one */
	bool holds_rotation;
	bool hung;   /* the peer is gone, what it sent is not read yet */
	bool ending; /* to be dropped once the queue is empty */
	bool gone;
};

struct monitor {
	const char *id, *control_socket, *exit_record;
	uint32_t mode, stdio, stdio_flags;
	pid_t pid;
	uint64_t start_time; /* ticks since boot, as /proc/<pid>/stat has it */
	int mount_namespace;
	int to_engine; /* -1 once broken or done */

	struct source engine, sync, process, listener, oom;
	struct source output[2]; /* stdout and stderr; the terminal's master is output[0] */
	struct source input;     /* of a pipe; a terminal's input goes to output[0] */
	int terminal[2];         /* master and slave as the child sent them */
	int terminal_slave;      /* held open, so that the master never hangs up while the process lives */
	struct queue input_queue;
	bool close_input; /* once the queue is empty */
	struct winsize size;
	bool has_size;

	struct log log;
	struct client *clients;
	size_t client_count;
	bool accept_later; /* the last accept(2) lacked descriptors or memory */
	uint8_t *scratch; /* READ_SIZE bytes, there while needed */

	bool await_start;
	bool go, go_sent, ready, started, told_started, exited;
	int oom_counter;
	bool oom_has_event;
	uint64_t oom_baseline;
	bool oom_killed;
	int oom_checks; /* left, after a notice that no kill has followed yet */
	uint64_t started_at;
	int status;
};

extern struct monitor monitor;

/*
 * Takes the launch over and tells the engine of it; closes the table of `inherited`
 * descriptors, except those that it watches.
 */
int monitor_open(const struct plan *plan, const struct launch *launch, uint32_t inherited);
/*
 * One event of the loop, or the end of a wait; false once the container is gone and every
 * client has its messages.
 */
bool monitor_turn(void);

/* As GO of the engine: 0, or -EALREADY. */
int monitor_go(void);
/* The kernel has killed a process for lack of memory. */
void put_oom(struct message *message);

uint8_t *scratch(void);

/* Queue. */
static inline size_t queue_length(const struct queue *queue)
{
	return queue->tail - queue->head;
}
int queue_put(struct queue *queue, const void *bytes, size_t length);
/* Writes as much as the descriptor takes: 0, or a negative errno other than -EAGAIN. */
int queue_flush(struct queue *queue, int fd);
void queue_free(struct queue *queue);

/* Streams. */
void streams_open(const struct launch *launch);
void streams_adopt_terminal(int master, int slave);
int streams_resize(uint32_t rows, uint32_t columns);
void streams_update(void);
/*
 * After the process has ended: reads the bytes that are in the pipes now, without waiting
 * for other processes that still hold them.
 */
void streams_drain(void);
void streams_close(void);
/*
 * Bytes of an attached client; those that the container does not take at once are queued
 * and stop the reading of clients.
 */
void input_write(const uint8_t *bytes, size_t length);
void input_close(void);
static inline bool input_blocked(void)
{
	return queue_length(&monitor.input_queue) > 0;
}

/* Control. */
int control_open(const char *path);
void control_close_listener(void);
/* A client that is attached already: 0, or a negative errno. The socket is closed then, and the monitor's otherwise. */
int control_adopt(int fd, uint32_t streams);
/* Goes on accepting, after a lack of descriptors or memory. */
void control_accept(void);
void control_update(void);
/* Output for every client that is attached to the stream (0 stdout, 1 stderr). */
void control_output(int stream, const uint8_t *bytes, size_t length);
/* How much may be read now without filling a client's queue beyond its bound. */
bool control_has_room(void);
/* The program runs, or it never will: for those who have asked for it. */
void control_tell_starters(int result, const char *what);
/* The log was rotated: who awaits that has an answer. */
void control_tell_rotation(void);
void control_tell_watchers(const void *frame, size_t length);
/*
 * No more will come: every client is dropped once it has the bytes that are queued for it.
 */
void control_end(void);
void control_sweep(void);

#endif
