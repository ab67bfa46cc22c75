#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base.h"

/*
 * A line may grow sixfold and has the log's attributes; several of usual length fit. Only
 * touched pages cost memory.
 */
#define BATCH_SIZE (LOG_LINE_MAX * 6 + 65536)
#define ENVELOPE 128
#define HELD_MAX (16u << 20)

static int open_file(struct log *log, int flags)
{
	close_fd(&log->fd);
	log->fd = check(open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
	struct stat stat;
	log->size = log->fd >= 0 && fstat(log->fd, &stat) == 0 ? (uint64_t)stat.st_size : 0;
	return log->fd < 0 ? log->fd : 0;
}

int log_open(struct log *log, const char *path, const char *attributes, uint64_t max_size, uint32_t files)
{
	*log = (struct log){ .fd = -1, .path = path, .attributes = attributes, .max_size = max_size, .files = files };
	return path ? open_file(log, 0) : 0;
}

int log_reopen(struct log *log)
{
	log_flush(log);
	return log->path ? open_file(log, 0) : 0;
}

#define NAME_MAX_LENGTH 4096

/* The name of a rotated file; whether it fits. */
static bool rotated_name(char *name, const struct log *log, uint32_t index, const char *suffix)
{
	return snprintf(name, NAME_MAX_LENGTH, "%s.%u%s", log->path, index, suffix) < NAME_MAX_LENGTH;
}

/* One place on, if it is there. */
static void move_rotated(const struct log *log, uint32_t index, const char *suffix)
{
	char from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	if (rotated_name(from, log, index, suffix) && rotated_name(to, log, index + 1, suffix))
		rename(from, to);
}

static void remove_rotated(const struct log *log, uint32_t index, const char *suffix)
{
	char name[NAME_MAX_LENGTH];
	if (rotated_name(name, log, index, suffix))
		unlink(name);
}

/*
 * path -> path.1 -> path.2 ..., plain or compressed; with one file only, a new one takes
 * its place, and a reader reads the old one to its end. A file that cannot be moved starts
 * anew, for the limit holds.
 */
static void rotate(struct log *log)
{
	char first[NAME_MAX_LENGTH];
	bool moved = log->files <= 1 && unlink(log->path) == 0;
	if (log->files > 1) {
		remove_rotated(log, log->files - 1, "");
		remove_rotated(log, log->files - 1, ".gz");
		for (uint32_t i = log->files - 1; i-- > 1;) {
			move_rotated(log, i, "");
			move_rotated(log, i, ".gz");
		}
		moved = rotated_name(first, log, 1, "") && rename(log->path, first) == 0;
	}
	log->rotated = true;
	open_file(log, moved ? 0 : O_TRUNC);
}

int log_limit(struct log *log, uint64_t max_size, uint32_t files)
{
	if (!log->path)
		return -ENOENT;
	if (files < 1)
		return -EINVAL;
	for (uint32_t i = files; i < log->files; i++) {
		remove_rotated(log, i, "");
		remove_rotated(log, i, ".gz");
	}
	log->max_size = max_size;
	log->files = files;
	return 0;
}

int log_compressed(struct log *log, uint64_t inode)
{
	char plain[NAME_MAX_LENGTH], from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	struct stat stat;
	for (uint32_t i = 1; log->path && i < log->files; i++) {
		if (!rotated_name(plain, log, i, "") || !rotated_name(to, log, i, ".gz"))
			break;
		if (lstat(plain, &stat) < 0 || stat.st_ino != inode)
			continue;
		if (snprintf(from, sizeof from, "%s.gz", log->path) >= (int)sizeof from)
			break;
		/* In this order a reader finds one of the two at any time. */
		int result = check(rename(from, to));
		return result < 0 ? result : check(unlink(plain));
	}
	return -ENOENT;
}

/* After a failed write: the file keeps the whole lines that it took. Its own size counts, since others may have cut it. */
static void repair(struct log *log, size_t written)
{
	size_t whole = written;
	while (whole > 0 && log->batch[whole - 1] != '\n')
		whole--;
	for (size_t i = whole; i < log->batch_length; i++)
		log->dropped += log->batch[i] == '\n';
	struct stat stat;
	if (log->fd >= 0 && written > whole && fstat(log->fd, &stat) == 0 && stat.st_size >= (off_t)(written - whole))
		ftruncate(log->fd, stat.st_size - (off_t)(written - whole));
	log->size += whole;
}

void log_flush(struct log *log)
{
	if (!log->batch_length)
		return;
	if (log->fd < 0)
		open_file(log, 0);
	size_t written = 0;
	while (log->fd >= 0 && written < log->batch_length) {
		int count = check(write(log->fd, log->batch + written, log->batch_length - written));
		if (count <= 0 && count != -EINTR)
			break;
		written += count > 0 ? (size_t)count : 0;
	}
	if (written < log->batch_length)
		repair(log, written);
	else
		log->size += written;
	log->batch_length = 0;
}

/* The length of the UTF-8 sequence at `at`, 0 when the bytes are not one. */
static size_t sequence(const uint8_t *at, size_t left)
{
	uint8_t first = at[0];
	size_t length = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
	bool outside = (first == 0xed && at[1] >= 0xa0) || (first == 0xf4 && at[1] >= 0x90);
	return overlong || outside ? 0 : length;
}

static char *put_text(char *to, const char *text)
{
	size_t length = strlen(text);
	memcpy(to, text, length);
	return to + length;
}

/* Bytes that stand for themselves in JSON, and that Docker's encoder leaves alone. */
static bool is_plain(uint8_t byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' && byte != '>' && byte != '&';
}

static char *put_control(char *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";
	if (byte == '"' || byte == '\\') {
		*to++ = '\\';
		*to++ = (char)byte;
	} else if (byte == '\n') {
		to = put_text(to, "\\n");
	} else if (byte == '\r') {
		to = put_text(to, "\\r");
	} else {
		to = put_text(to, "\\u00");
		*to++ = digits[byte >> 4];
		*to++ = digits[byte & 15];
	}
	return to;
}

/* A JSON string's inside, with exactly the escapes that Docker's encoder makes; at most six times as long. */
static char *put_escaped(char *to, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t plain = i;
		while (plain < length && is_plain(bytes[plain]))
			plain++;
		if (plain > i) {
			memcpy(to, bytes + i, plain - i);
			to += plain - i;
			i = plain;
			continue;
		}
		size_t size = bytes[i] < 0x80 ? 1 : sequence(bytes + i, length - i);
		bool separator = size == 3 && bytes[i] == 0xe2 && bytes[i + 1] == 0x80 && (bytes[i + 2] | 1) == 0xa9;
		if (size == 1) {
			to = put_control(to, bytes[i]);
		} else if (size == 0) {
			to = put_text(to, "\\ufffd");
			size = 1;
		} else if (separator) {
			to = put_text(to, bytes[i + 2] & 1 ? "\\u2029" : "\\u2028");
		} else {
			memcpy(to, bytes + i, size);
			to += size;
		}
		i += size;
	}
	return to;
}

static char *put_number(char *to, unsigned value, int width)
{
	for (int i = width; i-- > 0; value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + width;
}

/* RFC 3339 in UTC, its fraction without trailing zeros, as Go prints it. */
static char *put_time(char *to, uint64_t nanoseconds)
{
	uint64_t seconds = nanoseconds / 1000000000u;
	unsigned fraction = (unsigned)(nanoseconds % 1000000000u), second = (unsigned)(seconds % 86400);
	/* Days since 1970-01-01 to a date: eras of 400 years that begin in March (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
	unsigned days = (unsigned)(seconds / 86400) + 719468;
	unsigned era = days / 146097, of_era = days % 146097;
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100), shifted = (5 * of_year + 2) / 153;
	unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
	to = put_number(to, year + era * 400 + (month <= 2), 4);
	*to++ = '-';
	to = put_number(to, month, 2);
	*to++ = '-';
	to = put_number(to, of_year - (153 * shifted + 2) / 5 + 1, 2);
	*to++ = 'T';
	to = put_number(to, second / 3600, 2);
	*to++ = ':';
	to = put_number(to, second / 60 % 60, 2);
	*to++ = ':';
	to = put_number(to, second % 60, 2);
	if (fraction) {
		*to++ = '.';
		to = put_number(to, fraction, 9);
		while (to[-1] == '0')
			to--;
	}
	*to++ = 'Z';
	return to;
}

/* Beyond the limit, as long as somebody holds it back; but not for ever, should that be stopped. */
static bool is_full(const struct log *log, uint64_t size)
{
	return log->max_size && size >= log->max_size && (!log->holders || size - log->max_size >= HELD_MAX);
}

static void put_line(struct log *log, int stream, uint64_t time, const uint8_t *bytes, size_t length, bool newline)
{
	/* Here and nowhere else: an unfinished line may outlive the batch, which log_trim gives back. */
	if (!log->batch && !(log->batch = pages(BATCH_SIZE))) {
		log->dropped++;
		return;
	}
	size_t attributes = log->attributes ? strlen(log->attributes) : 0;
	if (log->batch_length + length * 6 + attributes + ENVELOPE > BATCH_SIZE)
		log_flush(log);
	if (is_full(log, log->size + log->batch_length)) {
		log_flush(log);
		rotate(log);
	}
	char *to = log->batch + log->batch_length;
	to = put_text(to, "{\"log\":\"");
	to = put_escaped(to, bytes, length);
	to = put_text(to, newline ? "\\n\",\"stream\":\"" : "\",\"stream\":\"");
	to = put_text(to, stream ? "stderr\"," : "stdout\",");
	if (log->attributes) {
		to = put_text(to, "\"attrs\":");
		to = put_text(to, log->attributes);
		*to++ = ',';
	}
	to = put_text(to, "\"time\":\"");
	to = put_time(to, time);
	to = put_text(to, "\"}\n");
	log->batch_length = (size_t)(to - log->batch);
}

/* All parts of one long line carry the time of its first. */
static void end_line(struct log *log, int index, uint64_t time, const uint8_t *bytes, size_t length, bool newline)
{
	struct log_stream *stream = &log->streams[index];
	if (!stream->partial)
		stream->partial_time = time;
	put_line(log, index, stream->partial_time, bytes, length, newline);
	stream->partial = !newline;
	stream->length = 0;
}

static size_t add_to_line(struct log_stream *stream, const uint8_t *bytes, size_t length)
{
	size_t room = LOG_LINE_MAX - stream->length;
	if (length > room)
		length = room;
	memcpy(stream->line + stream->length, bytes, length);
	stream->length += length;
	return length;
}

void log_bytes(struct log *log, int index, const uint8_t *bytes, size_t length)
{
	struct log_stream *stream = &log->streams[index];
	if (!log->path)
		return;
	if (!stream->line && !(stream->line = pages(LOG_LINE_MAX))) {
		log->dropped++;
		return;
	}
	uint64_t time = now();
	while (length > 0) {
		const uint8_t *newline = memchr(bytes, '\n', length);
		size_t size = newline ? (size_t)(newline - bytes) : length;
		if (newline && stream->length == 0 && size < LOG_LINE_MAX) {
			end_line(log, index, time, bytes, size, true);
		} else {
			size_t added = add_to_line(stream, bytes, size);
			/* A full buffer is written before its newline is seen, as Docker's reader does it. */
			bool ended = newline && added == size && stream->length < LOG_LINE_MAX;
			if (ended || stream->length == LOG_LINE_MAX)
				end_line(log, index, time, stream->line, stream->length, ended);
			newline = ended ? newline : NULL;
			size = added;
		}
		size += newline != NULL;
		bytes += size;
		length -= size;
	}
}

void log_end(struct log *log)
{
	for (int i = 0; i < 2; i++)
		if (log->streams[i].length > 0)
			end_line(log, i, now(), log->streams[i].line, log->streams[i].length, false);
	log_flush(log);
}

void log_trim(struct log *log)
{
	log_flush(log);
	drop_pages(log->batch, BATCH_SIZE);
	log->batch = NULL;
	for (int i = 0; i < 2; i++) {
		if (log->streams[i].length > 0)
			continue;
		drop_pages(log->streams[i].line, LOG_LINE_MAX);
		log->streams[i].line = NULL;
	}
}
