/*
 * thimble-init: carries out one launch plan and stays as the container's monitor.
 * Plan and GO come in on fd 3, frames go out on fd 4; the descriptors that come with the
 * plan begin at 5. It may wait for the plan for as long as the engine likes: started ahead,
 * it costs the start of a container nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "dns.h"
#include "monitor.h"
#include "mounts.h"
#include "proxy.h"
#include "syscalls.h"

static void say(const char *text)
{
	write_all(2, text, strlen(text));
}

/*
 * Standard streams always exist, so that no descriptor of ours is ever taken for one. The
 * result lies above the table.
 */
static int hold_standard_streams(void)
{
	int fd;
	do
		fd = check(open("/dev/null", O_RDWR));
	while (fd >= 0 && fd < 3);
	int null = fd < 0 ? fd : check(fcntl(fd, F_DUPFD_CLOEXEC, INHERITED(PLAN_FDS_MAX)));
	close_fd(&fd);
	return null < 0 ? fail(STAGE_MONITOR, null, "open /dev/null") : null;
}

/* The first bytes of the plan and, as INHERITED has them, the descriptors that come with it. */
static int receive_header(uint8_t *header, uint32_t *received)
{
	union {
		char bytes[CMSG_SPACE(PLAN_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} control;
	struct iovec part = { header, PLAN_HEADER };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int length;
	do
		length = check(recvmsg(3, &message, MSG_CMSG_CLOEXEC));
	while (length == -EINTR);
	if (length == 0)
		_exit(0); /* it was started ahead, and is not needed */
	if (length < 0)
		return length;
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	size_t count = rights ? (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(rights) + i * sizeof fd, sizeof fd);
		/* The kernel takes the lowest numbers that are free; where others were, the table has holes. */
		if (fd != INHERITED((int)i))
			return -EBADF;
	}
	*received = (uint32_t)count;
	return message.msg_flags & MSG_CTRUNC ? -EMFILE : read_all(3, header + length, PLAN_HEADER - (size_t)length);
}

/*
 * The plan's bytes and the structures that they decode into, in one piece of memory that
 * goes after the launch.
 */
struct plan_memory {
	uint8_t *base;
	size_t size;
};

static void drop_plan(struct plan_memory *memory)
{
	drop_pages(memory->base, memory->size);
}

static int read_plan(struct plan_memory *memory, struct plan *plan, uint32_t *received)
{
	uint8_t header[PLAN_HEADER];
	int result = receive_header(header, received);
	size_t length = result < 0 ? 0 : get_u32(header + 8);
	if (result < 0 || length < sizeof header || length > PLAN_MAX)
		return fail(STAGE_PLAN, result < 0 ? result : -EPROTO, "read the plan's header");
	size_t start = (length + 15) & ~(size_t)15;
	memory->size = start + PLAN_ARENA(length);
	memory->base = pages(memory->size);
	if (!memory->base)
		return fail(STAGE_PLAN, -ENOMEM, "hold a plan of %zu bytes", length);
	memcpy(memory->base, header, sizeof header);
	if ((result = read_all(3, memory->base + sizeof header, length - sizeof header)) < 0)
		return fail(STAGE_PLAN, result, "read the plan");
	struct arena arena = { memory->base + start, memory->base + memory->size };
	const char *why;
	if ((result = plan_decode(memory->base, length, &arena, plan, &why)) < 0)
		return fail(STAGE_PLAN, result, "%s", why);
	if (plan->fds > *received)
		return fail(STAGE_PLAN, -EBADF, "the plan names %u descriptors, %u came with it", plan->fds, *received);
	return 0;
}

/* ps(1) tells a monitor of one container from another, and from a launcher that waits: the id takes the place of what stood there. */
static void show_id(char *place, const char *id)
{
	size_t room = strlen(place);
	memset(place, 0, room);
	memcpy(place, id, strnlen(id, room));
}

static int start(char *place)
{
	struct plan_memory memory __attribute__((cleanup(drop_plan))) = { 0 };
	struct plan plan;
	struct launch launched;
	uint32_t received = 0;
	cleanup_fd int null = hold_standard_streams();
	int result = null < 0 ? null : read_plan(&memory, &plan, &received);
	if (result < 0)
		return result;
	if (place && plan.id)
		show_id(place, plan.id);
	if ((result = launch(&plan, &launched)) < 0)
		return result;
	if ((result = monitor_open(&plan, &launched, received)) < 0) {
		sys_pidfd_send_signal(launched.pidfd, SIGKILL);
		waitpid(launched.pid, NULL, 0);
		control_close_listener();
		return result;
	}
	/* The engine's own streams are not the monitor's to keep open. */
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	return 0;
}

static void report_failure(void)
{
	MESSAGE(message);
	size_t frame = frame_begin(&message, FRAME_HELLO);
	put_u32(&message, PROTOCOL_VERSION);
	frame_end(&message, frame);
	frame = frame_begin(&message, FRAME_ERROR);
	put_u32(&message, (uint32_t)failure.error);
	put_u32(&message, failure.stage);
	put_bytes(&message, failure.text, strnlen(failure.text, sizeof failure.text));
	frame_end(&message, frame);
	write_all(4, message.bytes, message.length);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	if (strcmp(mode, "dial") == 0) {
		say("thimble-init: dial is a reserved name, this version does not support it\n");
		return 2;
	}
	bool is_dns = strcmp(mode, "dns") == 0 && argc == 3;
	bool is_proxy = strcmp(mode, "proxy") == 0;
	bool is_launch = strcmp(mode, "launch") == 0 && fcntl(4, F_GETFD) >= 0;
	if ((!is_dns && !is_proxy && !is_launch) || fcntl(3, F_GETFD) < 0) {
		say("thimble-init: usage: thimble-init launch [PLACE FOR THE ID] | proxy | dns SOCKET; plan or commands are read from fd 3, status frames of a launch go to fd 4\n");
		return 2;
	}
	/* Executed from a memfd, it would be called after that. */
	prctl(PR_SET_NAME, "thimble-init");
	/*
	 * No process in a container may look into one that has joined it before that has become
	 * the program.
	 */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2 };
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
	if (is_dns)
		return serve_dns(argv[2]);
	if (is_proxy)
		return proxy_main();
	if (start(argc > 2 ? argv[2] : NULL) < 0) {
		report_failure();
		return 1;
	}
	while (monitor_turn())
		;
	return 0;
}
