/*
 * Questions to a name server by UDP, from as many clients as told, each of which asks the next
 * one as soon as it has an answer (RFC 1035).
 *
 *   dns-load ADDRESS PORT CLIENTS QUESTIONS NAME...
 *
 * Each client has a socket of its own and asks for the addresses (A) of the names in turn.
 * Prints JSON: seconds; the median and the 99th percentile of the time until an answer, in
 * milliseconds; the questions without an answer within a second, and the answers that name no
 * address; its own seconds of processor time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define HEADER 12
#define PATIENCE 1.0 /* seconds */

struct client {
	int fd;
	uint16_t id;
	double asked; /* 0: it has nothing more to ask */
};

static struct question {
	uint8_t bytes[HEADER + 256 + 4];
	size_t size;
} *questions;
static int names, asked, total, lost, wrong;
static double *times;
static int answered;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct question question_for(const char *name)
{
	struct question question = {.bytes = {[2] = 1, [5] = 1}, .size = HEADER};
	if (strlen(name) > 253)
		errx(1, "%s is too long for a name", name);
	while (*name) {
		size_t label = strcspn(name, ".");
		if (label == 0 || label > 63)
			errx(1, "%s has a label that no question can have", name);
		question.bytes[question.size++] = (uint8_t)label;
		memcpy(question.bytes + question.size, name, label);
		question.size += label;
		name += label + (name[label] == '.');
	}
	/* The root, type A, class IN. */
	memcpy(question.bytes + question.size, (const uint8_t[]){0, 0, 1, 0, 1}, 5);
	question.size += 5;
	return question;
}

static void ask(struct client *client)
{
	client->asked = 0;
	if (asked == total)
		return;
	struct question *question = &questions[asked++ % names];
	client->id++;
	question->bytes[0] = (uint8_t)(client->id >> 8);
	question->bytes[1] = (uint8_t)client->id;
	client->asked = now();
	if (send(client->fd, question->bytes, question->size, 0) < 0 && errno != ECONNREFUSED)
		err(1, "send");
}

static void take_answer(struct client *client)
{
	uint8_t answer[4096];
	ssize_t size = recv(client->fd, answer, sizeof answer, MSG_DONTWAIT);
	if (size < 0 && errno != EAGAIN && errno != ECONNREFUSED)
		err(1, "recv");
	/* A late answer to a question that was given up. */
	if (size < HEADER || client->asked == 0 || answer[0] << 8 != (client->id & 0xff00) || answer[1] != (client->id & 255))
		return;
	times[answered++] = now() - client->asked;
	if ((answer[3] & 15) != 0 || (answer[6] == 0 && answer[7] == 0))
		wrong++;
	ask(client);
}

static int is_waiting(const struct client *clients, int count)
{
	for (int i = 0; i < count; i++)
		if (clients[i].asked != 0)
			return 1;
	return 0;
}

static void give_up_late(struct client *clients, int count)
{
	double time = now();
	for (int i = 0; i < count; i++)
		if (clients[i].asked != 0 && time - clients[i].asked > PATIENCE) {
			lost++;
			ask(&clients[i]);
		}
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;
	return first < second ? -1 : first > second;
}

static double percentile(double part)
{
	return answered ? times[(size_t)(part * (answered - 1))] * 1e3 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(2, "usage: dns-load ADDRESS PORT CLIENTS QUESTIONS NAME...");
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
	if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", argv[1]);
	int count = atoi(argv[3]);
	total = atoi(argv[4]);
	names = argc - 5;
	if (count < 1 || total < 1)
		errx(2, "both numbers must be at least 1");
	struct client *clients = calloc((size_t)count, sizeof *clients);
	times = calloc((size_t)total, sizeof *times);
	questions = calloc((size_t)names, sizeof *questions);
	int loop = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !times || !questions || loop < 0)
		err(1, "prepare");
	for (int i = 0; i < names; i++)
		questions[i] = question_for(argv[5 + i]);
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
		clients[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (clients[i].fd < 0 || connect(clients[i].fd, (struct sockaddr *)&to, sizeof to) < 0 ||
		    epoll_ctl(loop, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
			err(1, "connect to %s:%s", argv[1], argv[2]);
	}
	double begun = now(), looked = begun;
	for (int i = 0; i < count; i++)
		ask(&clients[i]);
	while (is_waiting(clients, count)) {
		struct epoll_event events[64];
		int ready = epoll_wait(loop, events, 64, 100);
		for (int i = 0; i < ready; i++)
			take_answer(events[i].data.ptr);
		if (now() - looked > PATIENCE / 10) {
			give_up_late(clients, count);
			looked = now();
		}
	}
	double seconds = now() - begun;
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	qsort(times, (size_t)answered, sizeof *times, compare);
	printf("{\"seconds\":%.6f,\"p50\":%.4f,\"p99\":%.4f,\"lost\":%d,\"wrong\":%d,\"ownSeconds\":%.3f}\n", seconds, percentile(0.5), percentile(0.99), lost, wrong,
	       usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	return 0;
}
