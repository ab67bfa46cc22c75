#include "monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harden.h"
#include "mounts.h"
#include "syscalls.h"

/* After this long without events, memory that is not needed goes back. */
#define TRIM_AFTER_MS 300
/*
 * v1 tells of a lack of memory before anything is killed: the counter is read again so
 * often, so long apart.
 */
#define OOM_CHECKS 40
#define OOM_CHECK_MS 25
/* After the exit, a client that takes nothing for so long is dropped. */
#define LINGER_MS 30000
/* After an accept(2) without descriptors or memory. */
#define ACCEPT_AGAIN_MS 100

struct monitor monitor;

uint8_t *scratch(void)
{
	if (!monitor.scratch)
		monitor.scratch = pages(READ_SIZE);
	return monitor.scratch;
}

static void trim(void)
{
	drop_pages(monitor.scratch, READ_SIZE);
	monitor.scratch = NULL;
	log_trim(&monitor.log);
}

static void tell_engine(const struct message *message)
{
	if (monitor.to_engine >= 0 && write_all(monitor.to_engine, message->bytes, message->length) < 0)
		close_fd(&monitor.to_engine);
}

static void put_error(struct message *message)
{
	size_t frame = frame_begin(message, FRAME_ERROR);
	put_u32(message, (uint32_t)failure.error);
	put_u32(message, failure.stage);
	put_bytes(message, failure.text, strnlen(failure.text, sizeof failure.text));
	frame_end(message, frame);
}

static void put_hello(struct message *message)
{
	size_t frame = frame_begin(message, FRAME_HELLO);
	put_u32(message, PROTOCOL_VERSION);
	put_bytes(message, monitor.id, strlen(monitor.id));
	frame_end(message, frame);
}

/* Field 22 of /proc/<pid>/stat; the second field may hold spaces and parentheses. */
static uint64_t read_start_time(pid_t pid)
{
	char path[32], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	cleanup_fd int fd = check(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[length > 0 ? length : 0] = 0;
	char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/* The number of the line that begins with a name and a space; 0 where there is none. */
static uint64_t number_of_line(const char *text, const char *name)
{
	size_t length = strlen(name);
	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, length) == 0)
			return strtoull(at + length, NULL, 10);
	}
	return 0;
}

struct oom_state {
	uint64_t kills;
	/* v1 with the killer switched off: processes wait for memory until someone acts. */
	bool is_stuck;
};

/* Both v1's memory.oom_control and v2's memory.events have the line "oom_kill N". */
static struct oom_state read_oom(void)
{
	char text[512];
	ssize_t length = monitor.oom_counter < 0 ? 0 : pread(monitor.oom_counter, text, sizeof text - 1, 0);
	text[length > 0 ? length : 0] = 0;
	return (struct oom_state){
		.kills = number_of_line(text, "oom_kill "),
		.is_stuck = number_of_line(text, "oom_kill_disable ") && number_of_line(text, "under_oom "),
	};
}

/* Whether for the first time the kernel has killed since the start, or would have. */
static bool note_oom(void)
{
	if (monitor.oom_killed)
		return false;
	struct oom_state state = read_oom();
	if (state.kills <= monitor.oom_baseline && !state.is_stuck)
		return false;
	monitor.oom_killed = true;
	monitor.oom_checks = 0;
	return true;
}

void put_oom(struct message *message)
{
	size_t frame = frame_begin(message, FRAME_OOM);
	put_u64(message, now());
	frame_end(message, frame);
}

static void tell_oom(void)
{
	MESSAGE(message);
	put_oom(&message);
	tell_engine(&message);
	control_tell_watchers(message.bytes, message.length);
}

static void check_oom(void)
{
	if (note_oom())
		tell_oom();
}

static void oom_ready(struct source *source, uint32_t events)
{
	uint64_t count;
	if (monitor.oom_has_event && read(source->fd, &count, sizeof count) < 0 && errno != EAGAIN)
		watch(source, 0);
	monitor.oom_checks = OOM_CHECKS;
	check_oom();
	/* A removed cgroup reports an error for ever. */
	if (!monitor.oom_has_event && events & EPOLLHUP)
		watch(source, 0);
}

static void send_go(void)
{
	if (!monitor.go || !monitor.ready || monitor.go_sent)
		return;
	char go = CHILD_GO;
	monitor.go_sent = true;
	send(monitor.sync.fd, &go, 1, MSG_NOSIGNAL);
}

static void abandon(void)
{
	sys_pidfd_send_signal(monitor.process.fd, SIGKILL);
	waitpid(monitor.pid, NULL, 0);
	control_close_listener();
	_exit(0);
}

/* A client that is there from the program's first byte on, without a connection to make or an answer to wait for. */
static bool attach_client(int socket, int *client)
{
	uint8_t streams[4];
	return *client >= 0 && read_all(socket, streams, sizeof streams) == 0 &&
	       control_adopt(take_fd_from(client), get_u32(streams)) == 0;
}

/*
 * The engine's side: clients to attach, then GO, or its end before that, which is the launch's unless
 * that awaits a client's START.
 */
static void engine_ready(struct source *source, uint32_t events)
{
	(void)events;
	uint8_t header[FRAME_HEADER];
	cleanup_fd int client = -1;
	bool is_whole = receive_all(source->fd, header, sizeof header, &client, 1) >= 0;
	uint32_t type = is_whole ? get_u32(header) : 0, length = is_whole ? get_u32(header + 4) : 0;
	if (type == FRAME_ATTACH && length == 4 && attach_client(source->fd, &client))
		return;
	bool is_go = type == FRAME_GO && length == 0;
	if (!is_go && !monitor.await_start && !monitor.go)
		abandon();
	close_source(source);
	if (!is_go)
		close_fd(&monitor.to_engine); /* which tells an engine that only hangs up that it is rid of us */
	monitor.go = monitor.go || is_go;
	send_go();
}

int monitor_go(void)
{
	if (monitor.started || monitor.exited)
		return -EALREADY;
	monitor.go = true;
	send_go();
	return 0;
}

/* The sync socket's end without a failure means that the program runs. */
static void note_sync_end(void)
{
	close_source(&monitor.sync);
	if (failure.error)
		return;
	if (!monitor.go_sent) {
		fail(STAGE_NAMESPACES, -ECHILD, "the process was killed while it was being set up");
		return;
	}
	monitor.started = true;
	monitor.started_at = now();
}

/* One message of the child: noted, not acted upon. Whether there was one. */
static bool note_sync(void)
{
	struct child_message message;
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { &message, sizeof message };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int length = check(recvmsg(monitor.sync.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	if (length == -EAGAIN || length == -EINTR)
		return false;
	if (length <= 0) {
		note_sync_end();
		return true;
	}
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
	if (rights && rights->cmsg_len == CMSG_LEN(sizeof monitor.terminal) && monitor.terminal[0] < 0)
		memcpy(monitor.terminal, CMSG_DATA(rights), sizeof monitor.terminal);
	if (message.kind == CHILD_READY)
		monitor.ready = true;
	else
		failure = message.failure;
	return true;
}

/* Acts on the child's messages. */
static void act_on_sync(void)
{
	if (monitor.ready && monitor.mount_namespace < 0) {
		char path[40];
		snprintf(path, sizeof path, "/proc/%d/ns/mnt", monitor.pid);
		/* Held until the exit has been reported: with it goes the container's overlay, which may have to be synced first. */
		monitor.mount_namespace = check(open(path, O_RDONLY | O_CLOEXEC));
	}
	if (monitor.terminal[0] >= 0)
		streams_adopt_terminal(take_fd_from(&monitor.terminal[0]), take_fd_from(&monitor.terminal[1]));
	send_go();
	if (!monitor.started || monitor.told_started)
		return;
	monitor.told_started = true;
	MESSAGE(message);
	size_t frame = frame_begin(&message, FRAME_STARTED);
	put_u64(&message, monitor.started_at);
	frame_end(&message, frame);
	tell_engine(&message);
	control_tell_starters(0, "");
	harden_monitor(); /* what a kernel lacks of it is no reason to end a container */
}

static void sync_ready(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	note_sync();
	act_on_sync();
}

static void put_exit(struct message *message, const struct rusage *usage, uint64_t finished_at)
{
	int status = monitor.status;
	uint32_t signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
	size_t frame = frame_begin(message, FRAME_EXIT);
	put_u32(message, signal ? 128 + signal : (uint32_t)WEXITSTATUS(status));
	put_u32(message, signal);
	put_u32(message, monitor.oom_killed);
	put_u64(message, monitor.started_at);
	put_u64(message, finished_at);
	put_u64(message, (uint64_t)usage->ru_utime.tv_sec * 1000000u + (uint64_t)usage->ru_utime.tv_usec);
	put_u64(message, (uint64_t)usage->ru_stime.tv_sec * 1000000u + (uint64_t)usage->ru_stime.tv_usec);
	put_u64(message, (uint64_t)usage->ru_maxrss);
	frame_end(message, frame);
}

/* A rename lasts once its directory is on the disk. */
static void sync_directory(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash)
		return;
	slash[slash == path] = 0;
	cleanup_fd int fd = check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd >= 0)
		fsync(fd);
}

/* Whole or not at all: the record is read by an engine that may find it at any time. */
static void write_exit_record(const struct message *message)
{
	char path[4096];
	if (!monitor.exit_record || snprintf(path, sizeof path, "%s.new", monitor.exit_record) >= (int)sizeof path)
		return;
	cleanup_fd int fd = check(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (fd >= 0 && write_all(fd, message->bytes, message->length) == 0 && fsync(fd) == 0 &&
	    rename(path, monitor.exit_record) == 0)
		sync_directory(path);
}

/* How it ended, for the record and for those who listen; nothing here touches output. */
static void note_exit(struct source *source, const struct rusage *usage, struct message *report, bool *is_oom)
{
	uint64_t finished_at = now();
	close_source(source);
	while (monitor.sync.fd >= 0 && note_sync())
		;
	if (monitor.sync.fd >= 0)
		note_sync_end(); /* a descendant that was never to exec still holds the other end */
	monitor.exited = true;
	*is_oom = note_oom();
	if (failure.error)
		put_error(report);
	put_exit(report, usage, finished_at);
}

/*
 * The record before all else, so that no fault in the container's output can lose it; then
 * the rest of the output, then all clients, and only then the namespaces and whatever
 * their end may wait for.
 */
static void process_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct rusage usage;
	if (wait4(monitor.pid, &monitor.status, WNOHANG, &usage) != monitor.pid)
		return;
	MESSAGE(report);
	bool is_oom;
	note_exit(source, &usage, &report, &is_oom);
	MESSAGE(record);
	put_hello(&record);
	put_bytes(&record, report.bytes, report.length);
	write_exit_record(&record);
	act_on_sync();
	if (is_oom)
		tell_oom();
	streams_drain();
	control_close_listener();
	tell_engine(&report);
	control_tell_starters(-failure.error, failure.text);
	const uint8_t *exit_frame = failure.error ? report.bytes + FRAME_HEADER + get_u32(report.bytes + 4) : report.bytes;
	control_tell_watchers(exit_frame, (size_t)(report.bytes + report.length - exit_frame));
	streams_close();
	control_end();
	control_sweep(); /* clients that have all wait for nothing that the mounts' end may take */
	close_source(&monitor.oom);
	close_fd(&monitor.mount_namespace);
	close_fd(&monitor.to_engine);
}

static int timeout(void)
{
	bool holds_memory = monitor.scratch || monitor.log.batch;
	return monitor.exited	  ? LINGER_MS :
	       monitor.oom_checks ? OOM_CHECK_MS :
	       monitor.accept_later ? ACCEPT_AGAIN_MS :
	       holds_memory	  ? TRIM_AFTER_MS :
				    -1;
}

bool monitor_turn(void)
{
	if (monitor.exited && !monitor.clients)
		return false;
	int count = loop_turn(timeout());
	if (count == 0 && monitor.exited)
		return false;
	if (count == 0 && monitor.oom_checks) {
		monitor.oom_checks--;
		check_oom();
	} else if (count == 0) {
		control_accept();
		trim();
	}
	if (count == 1) {
		if (monitor.log.rotated)
			control_tell_rotation();
		monitor.log.rotated = false;
		control_sweep();
	}
	return true;
}

/*
 * The plan's memory goes once the launch is done; the texts that the monitor needs are
 * copied into one page.
 */
static const char *keep(char **memory, const char *text)
{
	if (!text)
		return NULL;
	size_t size = strlen(text) + 1;
	char *kept = memcpy(*memory, text, size);
	*memory += size;
	return kept;
}

static size_t kept_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static int take_plan(const struct plan *plan)
{
	char *memory = pages(kept_size(plan->id) + kept_size(plan->control_socket) + kept_size(plan->exit_record) +
			     kept_size(plan->log_path) + kept_size(plan->log_attributes));
	if (!memory)
		return fail(STAGE_MONITOR, -ENOMEM, "keep the plan's paths");
	monitor.id = keep(&memory, plan->id);
	monitor.control_socket = keep(&memory, plan->control_socket);
	monitor.exit_record = keep(&memory, plan->exit_record);
	const char *log_path = keep(&memory, plan->log_path);
	const char *log_attributes = keep(&memory, plan->log_attributes);
	monitor.mode = plan->mode;
	monitor.await_start = plan->await_start;
	monitor.stdio = plan->stdio;
	monitor.stdio_flags = plan->stdio_flags;
	int result = log_open(&monitor.log, log_path, log_attributes, plan->log_size, plan->log_files);
	return result < 0 ? fail(STAGE_LOG, result, "open the log %s", log_path) : 0;
}

/*
 * Of the inherited table only the descriptors that the monitor watches stay open: the rest
 * would keep namespaces alive.
 */
static void close_inherited(const struct plan *plan, uint32_t inherited)
{
	int counter = plan->oom_counter == NO_FD ? -1 : INHERITED(plan->oom_counter);
	int event = plan->oom_event == NO_FD ? -1 : INHERITED(plan->oom_event);
	for (uint32_t i = 0; i < inherited; i++)
		if (INHERITED(i) != counter && INHERITED(i) != event)
			close(INHERITED(i));
	monitor.oom_counter = counter;
	monitor.oom_has_event = event >= 0;
	open_source(&monitor.oom, event >= 0 ? event : counter, oom_ready);
}

int monitor_open(const struct plan *plan, const struct launch *launch, uint32_t inherited)
{
	monitor.pid = launch->pid;
	monitor.mount_namespace = monitor.terminal_slave = monitor.terminal[0] = monitor.terminal[1] = -1;
	monitor.listener.fd = monitor.output[0].fd = monitor.output[1].fd = monitor.input.fd = -1;
	monitor.to_engine = 4;
	close_inherited(plan, inherited);
	open_source(&monitor.engine, 3, engine_ready);
	open_source(&monitor.sync, launch->sync, sync_ready);
	open_source(&monitor.process, launch->pidfd, process_ready);
	int result = loop_open();
	if (result < 0)
		return fail(STAGE_MONITOR, result, "open the event loop");
	result = take_plan(plan);
	if (result < 0 || (result = control_open(monitor.control_socket)) < 0)
		return result;
	streams_open(launch);
	monitor.start_time = read_start_time(monitor.pid);
	monitor.oom_baseline = read_oom().kills;
	watch(&monitor.engine, EPOLLIN);
	watch(&monitor.sync, EPOLLIN);
	watch(&monitor.process, EPOLLIN);
	watch(&monitor.oom, monitor.oom_has_event ? EPOLLIN : EPOLLPRI);
	MESSAGE(message);
	put_hello(&message);
	size_t frame = frame_begin(&message, FRAME_CREATED);
	put_u32(&message, (uint32_t)monitor.pid);
	put_u64(&message, monitor.start_time);
	frame_end(&message, frame);
	tell_engine(&message);
	return 0;
}
