#include "rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harden.h"
#include "plan.h"
#include "syscalls.h"

const struct faults no_faults = { .disk = SIZE_MAX };
struct faults faults = { .disk = SIZE_MAX };
uint64_t fixed_time;
bool tracing;
char trace[4096];

static bool process_ended;
static int process_status;
static jmp_buf abandoned;

static void note(const char *what, const char *name)
{
	if (!tracing)
		return;
	const char *slash = strrchr(name, '/');
	size_t length = strlen(trace);
	snprintf(trace + length, sizeof trace - length, "%s%s:%s", length ? " " : "", what, slash ? slash + 1 : name);
}

static void note_fd(const char *what, int fd)
{
	char path[40], target[4096];
	struct stat stat;
	if (!tracing || fstat(fd, &stat) < 0)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, target, sizeof target - 1);
	target[length > 0 ? length : 0] = 0;
	note(what, S_ISDIR(stat.st_mode) ? "directory" : fd == 4 ? "engine" : target);
}

/* The linker gives the monitor these, and the names with __real_ to the C library's. */
ssize_t __real_write(int fd, const void *bytes, size_t length);
int __real_rename(const char *from, const char *to);
int __real_open(const char *path, int flags, ...);
int __real_fsync(int fd);
int __real_bind(int fd, const struct sockaddr *address, socklen_t length);
int __real_listen(int fd, int backlog);
int __real_unlink(const char *path);
int __real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
uint64_t __real_now(void);

ssize_t __wrap_write(int fd, const void *bytes, size_t length);
int __wrap_rename(const char *from, const char *to);
int __wrap_open(const char *path, int flags, ...);
int __wrap_fsync(int fd);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_listen(int fd, int backlog);
int __wrap_unlink(const char *path);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
uint64_t __wrap_now(void);
pid_t __wrap_wait4(pid_t pid, int *status, int options, struct rusage *usage);
_Noreturn void __wrap__exit(int status);
void *__wrap_pages(size_t size);
void __wrap_drop_pages(void *memory, size_t size);
void *__wrap_mremap(void *old, size_t old_size, size_t size, int flags, ...);

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
	struct stat stat;
	bool is_file = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
	if (is_file || fd == 4)
		note_fd("write", fd);
	if (!is_file || faults.disk == SIZE_MAX)
		return __real_write(fd, bytes, length);
	if (faults.disk == 0) {
		errno = ENOSPC;
		return -1;
	}
	ssize_t count = __real_write(fd, bytes, length < faults.disk ? length : faults.disk);
	faults.disk -= count > 0 ? (size_t)count : 0;
	return count;
}

int __wrap_rename(const char *from, const char *to)
{
	note("rename", from);
	if (!faults.rename)
		return __real_rename(from, to);
	errno = EIO;
	return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (!faults.open)
		return __real_open(path, flags, mode);
	errno = EMFILE;
	return -1;
}

int __wrap_fsync(int fd)
{
	note_fd("fsync", fd);
	return __real_fsync(fd);
}

static void note_mode(const char *what, const char *path)
{
	struct stat found;
	char text[32];
	snprintf(text, sizeof text, "%o", stat(path, &found) < 0 ? 0u : (unsigned)(found.st_mode & 0777));
	note(what, text);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	int result = __real_bind(fd, address, length);
	if (result == 0)
		note_mode("bind", ((const struct sockaddr_un *)address)->sun_path);
	return result;
}

int __wrap_listen(int fd, int backlog)
{
	note_mode("listen", monitor.control_socket);
	return __real_listen(fd, backlog);
}

int __wrap_unlink(const char *path)
{
	note("unlink", path);
	return __real_unlink(path);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	note("accept", "");
	if (!faults.accept)
		return __real_accept4(fd, address, length, flags);
	errno = EMFILE;
	return -1;
}

/* Time passes only where nothing happens. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	(void)timeout;
	return __real_epoll_wait(epoll, events, count, 0);
}

uint64_t __wrap_now(void)
{
	return fixed_time ? fixed_time : __real_now();
}

pid_t __wrap_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	(void)options;
	if (!process_ended)
		return 0;
	*usage = (struct rusage){ .ru_maxrss = 1 };
	*status = process_status;
	return pid;
}

/* The test needs its own rights for longer than this monitor. */
int harden_monitor(void)
{
	return 0;
}

_Noreturn void __wrap__exit(int status)
{
	(void)status;
	longjmp(abandoned, 1);
}

/* Of exactly that size, so that the sanitizer sees every access beyond. */
void *__wrap_pages(size_t size)
{
	return faults.memory ? NULL : calloc(1, size);
}

void __wrap_drop_pages(void *memory, size_t size)
{
	(void)size;
	free(memory);
}

void *__wrap_mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	(void)old_size;
	(void)flags;
	return faults.memory ? (void *)-1 : realloc(old, size);
}

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	perror(what);
	abort();
}

static void open_pipe(int *container_end, int *our_end, int ours)
{
	int ends[2];
	must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
	*our_end = ends[ours];
	*container_end = ends[1 - ours];
}

static void open_pair(int type, int *far, int *near)
{
	int ends[2];
	must(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
	*far = ends[0];
	*near = ends[1];
}

static const char *path_of(const struct rig_options *options, const char *name)
{
	static char paths[3][512];
	static int next;
	next = (next + 1) % 3;
	snprintf(paths[next], sizeof paths[next], "%s/%s", options->directory, name);
	return paths[next];
}

static void attach_client(struct rig *rig)
{
	int socket;
	open_pair(SOCK_STREAM | SOCK_NONBLOCK, &rig->client, &socket);
	union {
		char bytes[CMSG_SPACE(sizeof socket)];
		struct cmsghdr aligned;
	} control = { 0 };
	uint32_t attach[3] = { FRAME_ATTACH, sizeof(uint32_t), ATTACH_STDOUT | ATTACH_STDERR };
	struct iovec part = { attach, sizeof attach };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){ CMSG_LEN(sizeof socket), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &socket, sizeof socket);
	must(sendmsg(rig->engine, &message, 0) == sizeof attach, "attach");
	close(socket);
}

static void start_program(struct rig *rig)
{
	const uint32_t ready = CHILD_READY, go[2] = { FRAME_GO, 0 };
	must(send(rig->child, &ready, sizeof ready, 0) == sizeof ready, "ready");
	must(write(rig->engine, go, sizeof go) == sizeof go, "go");
	while (!monitor.go_sent)
		rig_turn(rig);
	close_fd(&rig->child);
	while (!monitor.started)
		rig_turn(rig);
}

void rig_open(struct rig *rig, const struct rig_options *options)
{
	int monitor_end;
	struct launch launch = { .pid = getpid() };
	struct plan plan = {
		.id = "rig", .stdio = STDIO_PIPES, .stdio_flags = options->stdio_flags | STDIO_WITH_STDIN,
		.log_path = path_of(options, "log"), .log_size = options->log_size, .log_files = options->log_files,
		.control_socket = path_of(options, "control"), .exit_record = path_of(options, "exit"),
		.oom_counter = NO_FD, .oom_event = NO_FD,
	};
	signal(SIGPIPE, SIG_IGN); /* as main.c */
	memset(&monitor, 0, sizeof monitor);
	failure.error = 0;
	faults = no_faults;
	process_ended = false;
	trace[0] = 0;
	*rig = (struct rig){ 0 };
	/* Descriptors 3 and 4 are the engine's, whatever else is open. */
	open_pair(SOCK_STREAM, &rig->engine, &monitor_end);
	int high = fcntl(rig->engine, F_DUPFD_CLOEXEC, 10);
	int other = fcntl(monitor_end, F_DUPFD_CLOEXEC, 10);
	must(dup2(other, 3) == 3 && dup2(other, 4) == 4 && close(other) == 0, "dup2");
	rig->engine = high;
	open_pair(SOCK_SEQPACKET, &rig->child, &launch.sync);
	open_pipe(&rig->output[0], &launch.output[0], 0);
	open_pipe(&rig->output[1], &launch.output[1], 0);
	open_pipe(&rig->input, &launch.input, 1);
	launch.pidfd = eventfd(0, EFD_CLOEXEC);
	must(monitor_open(&plan, &launch, 0) == 0, "monitor_open");
	if (options->client)
		attach_client(rig);
	start_program(rig);
}

bool rig_turn(struct rig *rig)
{
	if (!rig->over && setjmp(abandoned) == 0)
		rig->over = !monitor_turn();
	else
		rig->over = true;
	return !rig->over;
}

void rig_exit(int status)
{
	const uint64_t one = 1;
	process_ended = true;
	process_status = status;
	must(write(monitor.process.fd, &one, sizeof one) == sizeof one, "end the process");
}

void rig_close(struct rig *rig)
{
	faults = no_faults;
	while (rig_turn(rig))
		;
	control_end();
	while (monitor.clients) {
		monitor.clients->gone = true;
		control_sweep();
	}
	streams_close();
	log_trim(&monitor.log);
	for (int i = 0; i < 2; i++)
		free(monitor.log.streams[i].line);
	free(monitor.scratch);
	free((void *)(uintptr_t)monitor.id);
	sys_close_range(3, ~0u, 0);
}

int rig_connect(const struct rig_options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof address.sun_path, "%s/control", options->directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}
