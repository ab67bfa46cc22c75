/*
 * The json-file log, as Docker writes it: one object a line with log, stream and time;
 * lines beyond 16 KiB in parts without a newline; invalid UTF-8 as U+FFFD. Lines that the
 * disk refuses are dropped and counted: logging never stops a container.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 16384

/* The unfinished line of one stream. */
struct log_stream {
	uint8_t *line; /* LOG_LINE_MAX bytes, there while needed */
	size_t length;
	bool partial; /* an earlier part has been written */
	uint64_t partial_time;
};

struct log {
	int fd;
	const char *path; /* NULL: no log */
	const char *attributes; /* of every line, NULL: none */
	uint64_t size, max_size;
	uint32_t files;
	bool rotated; /* since the loop last looked */
	uint32_t holders; /* who look at the files: while there are any, a full file waits for its rotation */
	uint64_t dropped; /* lines */
	struct log_stream streams[2];
	char *batch;
	size_t batch_length;
};

/* `path` and `attributes`, a JSON object or NULL, must outlive the log. */
int log_open(struct log *log, const char *path, const char *attributes, uint64_t max_size, uint32_t files);

/* Bytes that stream 0 (stdout) or 1 (stderr) wrote; call log_flush when the batch is over. */
void log_bytes(struct log *log, int stream, const uint8_t *bytes, size_t length);

/* One write(2) for everything since the last. */
void log_flush(struct log *log);

/* The streams end: what stands without a newline is written so. */
void log_end(struct log *log);

/* Opens the path again, for a caller that has moved the file away. */
int log_reopen(struct log *log);

/*
 * Other limits from now on; rotated files beyond `files` are removed at once, and a file that is
 * too large is rotated with its next line. -ENOENT without a log.
 */
int log_limit(struct log *log, uint64_t max_size, uint32_t files);

/*
 * The rotated file of this inode has been compressed into path.gz: that takes its place, as
 * path.N.gz. The only hand that names rotated files is this one. -ENOENT when the file is gone.
 */
int log_compressed(struct log *log, uint64_t inode);

/* Gives the memory back that is not needed until more comes. */
void log_trim(struct log *log);

#endif
