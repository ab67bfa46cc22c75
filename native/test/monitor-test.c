/* Unit tests of the monitor's promises: what comes before what, and where the log is rotated. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rig.h"

static int failures;

#define EXPECT(condition)                                                               \
	do {                                                                            \
		if (!(condition)) {                                                     \
			failures++;                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                       \
	} while (0)

static char directory[] = "/dev/shm/monitor-test-XXXXXX";
static struct rig_options options = { .directory = directory, .log_files = 2 };

static void expect_trace(const char *wanted)
{
	if (strcmp(trace, wanted) == 0)
		return;
	failures++;
	fprintf(stderr, "expected the steps \"%s\",\n                   got \"%s\"\n", wanted, trace);
}

static const char *path_of(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static void remove_files(void)
{
	static const char *const names[] = { "log", "log.gz", "log.1", "log.1.gz", "log.2", "log.2.gz", "exit" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(names[i]));
}

static long size_of(const char *name)
{
	struct stat found;
	return stat(path_of(name), &found) < 0 ? -1 : (long)found.st_size;
}

static void start(struct rig *rig, uint64_t log_size)
{
	remove_files();
	options.log_size = log_size;
	rig_open(rig, &options);
	trace[0] = 0;
}

static void produce(struct rig *rig, const char *text)
{
	size_t length = strlen(text);
	EXPECT(write(rig->output[0], text, length) == (ssize_t)length);
}

/* On the disk, whole, before the rest of the output is looked at and before anybody is told. */
static void test_exit_record(void)
{
	struct rig rig;
	start(&rig, 0);
	produce(&rig, "half");
	while (monitor.log.streams[0].length == 0)
		rig_turn(&rig);
	rig_exit(0);
	while (rig_turn(&rig))
		;
	expect_trace("write:exit.new fsync:exit.new rename:exit.new fsync:directory write:log unlink:control write:engine");
	rig_close(&rig);
}

/* A unix socket can be connected to between bind(2) and chmod(2), would it listen. */
static void test_socket_mode(void)
{
	struct rig rig;
	remove_files();
	mode_t mask = umask(0);
	rig_open(&rig, &options);
	umask(mask);
	EXPECT(strstr(trace, "bind:600 listen:600"));
	rig_exit(0);
	rig_close(&rig);
}

#define LINE "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"time\":\"2001-09-09T01:46:40Z\"}\n"

/* As Docker: a line that finds the file at its limit or beyond goes to the next one. */
static void test_rotation(void)
{
	const long line = (long)strlen(LINE);
	fixed_time = 1000000000ull * 1000000000u;
	for (long over = 0; over < 2; over++) {
		struct rig rig;
		start(&rig, (uint64_t)(2 * line + over));
		produce(&rig, "x\nx\nx\n");
		rig_exit(0);
		rig_close(&rig);
		EXPECT(size_of("log.1") == (over ? -1 : 2 * line));
		EXPECT(size_of("log") == (over ? 3 * line : line));
	}
	fixed_time = 0;
}

/*
 * One command and its whole answer; the errno of an ERROR, 0 for OK, -1 without an answer.
 */
static int ask(struct rig *rig, int client, const void *command, size_t length)
{
	EXPECT(write(client, command, length) == (ssize_t)length);
	uint8_t answer[256];
	ssize_t count = -1;
	for (int turns = 0; turns < 10 && count < 0; turns++) {
		rig_turn(rig);
		count = read(client, answer, sizeof answer);
	}
	if (count < (ssize_t)FRAME_HEADER)
		return -1;
	return get_u32(answer) == FRAME_OK ? 0 : (int)get_u32(answer + FRAME_HEADER);
}

static void make_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");
	EXPECT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static uint64_t inode_of(const char *name)
{
	struct stat found;
	return stat(path_of(name), &found) < 0 ? 0 : found.st_ino;
}

static int ask_compressed(struct rig *rig, int client, uint64_t inode)
{
	const uint32_t command[4] = { FRAME_COMPRESSED, 8, (uint32_t)inode, (uint32_t)(inode >> 32) };
	return ask(rig, client, command, sizeof command);
}

/* Compressed files move on with the plain ones, and take the place of theirs wherever that is by then. */
static void test_compressed(void)
{
	const uint32_t await[2] = { FRAME_AWAIT_ROTATION, 0 };
	struct rig rig;
	options.log_files = 3;
	start(&rig, 1);
	int client = rig_connect(&options);
	EXPECT(ask(&rig, client, await, sizeof await) == 0);
	produce(&rig, "x\n");
	EXPECT(ask(&rig, client, await, sizeof await) == -1);
	produce(&rig, "x\n");
	rig_turn(&rig);
	uint8_t answer[FRAME_HEADER];
	EXPECT(read(client, answer, sizeof answer) == sizeof answer && get_u32(answer) == FRAME_OK);
	uint64_t first = inode_of("log.1");
	make_file("log.gz", "compressed");
	produce(&rig, "x\n");
	EXPECT(ask_compressed(&rig, client, first) == 0);
	EXPECT(size_of("log.2") == -1 && size_of("log.2.gz") == 10 && size_of("log.gz") == -1 && size_of("log.1") > 10);
	make_file("log.gz", "compressed");
	EXPECT(ask_compressed(&rig, client, first) == ENOENT);
	EXPECT(ask_compressed(&rig, client, inode_of("log.1")) == 0);
	EXPECT(size_of("log.1") == -1 && size_of("log.1.gz") == 10);
	make_file("log.2", "stale");
	make_file("log.1.gz", "later than log.2.gz");
	produce(&rig, "x\n");
	rig_turn(&rig);
	EXPECT(size_of("log.1") > 10 && size_of("log.1.gz") == -1 && size_of("log.2") == -1 && size_of("log.2.gz") == 19);
	close_fd(&client);
	rig_exit(0);
	rig_close(&rig);
	options.log_files = 2;
}

static void test_held_rotation(void)
{
	const uint32_t hold[2] = { FRAME_HOLD_ROTATION, 0 };
	struct rig rig;
	start(&rig, 1);
	int client = rig_connect(&options);
	EXPECT(ask(&rig, client, hold, sizeof hold) == 0);
	produce(&rig, "x\nx\n");
	rig_turn(&rig);
	EXPECT(size_of("log.1") == -1 && size_of("log") > 0);
	monitor.log.size = 16u << 20;
	produce(&rig, "x\n");
	rig_turn(&rig);
	EXPECT(size_of("log.1") == -1);
	monitor.log.size = (16u << 20) + 1;
	produce(&rig, "x\n");
	rig_turn(&rig);
	EXPECT(size_of("log.1") > 0);
	close_fd(&client);
	while (monitor.client_count > 0)
		rig_turn(&rig);
	long first = size_of("log.1");
	produce(&rig, "x\n");
	rig_turn(&rig);
	EXPECT(size_of("log.1") > 0 && size_of("log.1") != first);
	rig_exit(0);
	rig_close(&rig);
}

/* Other limits, while the log is written. */
static void test_limits(void)
{
	const uint32_t more[5] = { FRAME_LIMIT_LOG, 12, 1000000, 0, 3 };
	const uint32_t fewer[5] = { FRAME_LIMIT_LOG, 12, 1, 0, 2 };
	const uint32_t none[5] = { FRAME_LIMIT_LOG, 12, 1, 0, 0 };
	struct rig rig;
	options.log_files = 4;
	start(&rig, 1);
	int client = rig_connect(&options);
	for (int i = 0; i < 4; i++) {
		produce(&rig, "x\n");
		rig_turn(&rig);
	}
	EXPECT(size_of("log.3") > 0);
	EXPECT(ask(&rig, client, more, sizeof more) == 0);
	EXPECT(size_of("log.3") == -1 && size_of("log.2") > 0);
	long before = size_of("log");
	produce(&rig, "x\nx\n");
	rig_turn(&rig);
	EXPECT(size_of("log") > before);
	EXPECT(ask(&rig, client, none, sizeof none) == EINVAL);
	EXPECT(ask(&rig, client, fewer, sizeof fewer) == 0);
	EXPECT(size_of("log.2") == -1 && size_of("log.1") > 0);
	produce(&rig, "x\n");
	rig_turn(&rig);
	/* One line: the zeros at the end of its time are not written. */
	EXPECT(size_of("log") < before + before / 2 && size_of("log.2") == -1);
	close_fd(&client);
	rig_exit(0);
	rig_close(&rig);
	options.log_files = 2;
}

static void test_failed_rotation(void)
{
	struct rig rig;
	start(&rig, 100);
	faults.rename = true;
	for (int i = 0; i < 100; i++) {
		produce(&rig, "x\n");
		rig_turn(&rig);
	}
	faults.rename = false;
	rig_exit(0);
	rig_close(&rig);
	EXPECT(size_of("log") > 0 && size_of("log") < 100 + 2 * (long)strlen(LINE));
}

/* A listener that cannot accept is not asked again at once. */
static void test_accept(void)
{
	struct rig rig;
	start(&rig, 0);
	faults.accept = true;
	int client = rig_connect(&options);
	rig_turn(&rig);
	expect_trace("accept:");
	EXPECT(monitor.accept_later && monitor.listener.events == 0);
	faults.accept = false;
	while (monitor.client_count == 0)
		rig_turn(&rig);
	EXPECT(!monitor.accept_later);
	close_fd(&client);
	rig_exit(0);
	rig_close(&rig);
}

/* An unfinished line outlives the memory that goes back in silence. */
static void test_half_line(void)
{
	struct rig rig;
	start(&rig, 0);
	produce(&rig, "half");
	while (monitor.log.streams[0].length == 0)
		rig_turn(&rig);
	rig_turn(&rig);
	EXPECT(!monitor.log.batch);
	rig_exit(0);
	rig_close(&rig);
	EXPECT(size_of("log") > 4);
}

/* An engine that comes later has no other way to learn of it while the process lives. */
static void test_late_watch(void)
{
	struct rig rig;
	start(&rig, 0);
	monitor.oom_killed = true;
	int client = rig_connect(&options);
	const uint32_t watching[2] = { FRAME_WATCH, 0 };
	EXPECT(write(client, watching, sizeof watching) == sizeof watching);
	uint8_t answer[256];
	ssize_t length = -1;
	for (int turns = 0; turns < 10 && length < 0; turns++) {
		rig_turn(&rig);
		length = read(client, answer, sizeof answer);
	}
	EXPECT(length == 24 && get_u32(answer) == FRAME_OK && get_u32(answer + FRAME_HEADER) == FRAME_OOM);
	close_fd(&client);
	rig_exit(0);
	rig_close(&rig);
}

static void test_given_client(void)
{
	struct rig rig;
	options.client = true;
	start(&rig, 0);
	options.client = false;
	produce(&rig, "first");
	uint8_t output[64];
	ssize_t length = -1;
	for (int turns = 0; turns < 10 && length < 0; turns++) {
		rig_turn(&rig);
		length = read(rig.client, output, sizeof output);
	}
	EXPECT(length == 8 + 5 && output[0] == 1 && memcmp(output + 8, "first", 5) == 0);
	rig_exit(0);
	while (rig_turn(&rig))
		;
	EXPECT(read(rig.client, output, sizeof output) == 0);
	rig_close(&rig);
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	tracing = true;
	test_exit_record();
	test_socket_mode();
	test_rotation();
	test_compressed();
	test_held_rotation();
	test_limits();
	test_failed_rotation();
	test_accept();
	test_half_line();
	test_late_watch();
	test_given_client();
	remove_files();
	rmdir(directory);
	if (failures)
		fprintf(stderr, "monitor: %d failures\n", failures);
	return failures != 0;
}
