#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base.h"
#include "dns-resolve.h"
#include "dns-worker.h"
#include "syscalls.h"

/* Questions of one asker that are taken at a time, before it is the next one's turn. */
#define BATCH 16u

struct dns_counts counts;

int answer_here(const struct asker *asker, const uint8_t *bytes, size_t length, struct room room)
{
	struct dns_query query;
	struct dns_answer answer = { .bytes = room.bytes };
	int result = dns_parse_query(bytes, length, &query);
	if (result == -EINVAL)
		return result;
	bool is_tcp = room.size == DNS_MESSAGE_MAX;
	answer.room = is_tcp ? room.size : query.udp_size;
	bool can_ask = asker->view->forwards && asker->view->upstream_count > 0;
	/* What waits for a name server is kept: many long ones would be much memory. */
	bool is_long = !is_tcp && length > DNS_UDP_MAX;
	int code = result < 0 || is_long ? DNS_FORMERR : query.flags & 0x7800u ? DNS_NOTIMP : DNS_NOERROR;
	dns_answer_begin(&answer, bytes, &query, code);
	if (code == DNS_NOERROR && !dns_resolve(asker->view, &query, &answer)) {
		if (can_ask)
			return 0;
		dns_answer_begin(&answer, bytes, &query, DNS_NXDOMAIN);
	}
	counts.answered++;
	return (int)dns_answer_end(&answer, &query);
}

size_t answer_failure(const uint8_t *bytes, size_t length, uint8_t *to)
{
	struct dns_query query;
	struct dns_answer answer = { .bytes = to, .room = DNS_UDP_PLAIN };
	if (dns_parse_query(bytes, length, &query) < 0)
		return 0;
	dns_answer_begin(&answer, bytes, &query, DNS_SERVFAIL);
	return dns_answer_end(&answer, &query);
}

/* Both with their names and places; one byte more than a question may have shows that it is longer. */
static struct batch {
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_part[BATCH], out_part[BATCH];
	struct sockaddr_in from[BATCH];
	uint8_t questions[BATCH][DNS_UDP_MAX + 1];
	uint8_t answers[BATCH][DNS_UDP_MAX];
} batch;

static unsigned receive_batch(int fd)
{
	for (unsigned i = 0; i < BATCH; i++) {
		batch.in_part[i] = (struct iovec){ batch.questions[i], sizeof batch.questions[i] };
		batch.in[i].msg_hdr = (struct msghdr){
			.msg_name = &batch.from[i],
			.msg_namelen = sizeof batch.from[i],
			.msg_iov = &batch.in_part[i],
			.msg_iovlen = 1,
		};
	}
	int count = sys_recvmmsg(fd, batch.in, BATCH);
	return count < 0 ? 0 : (unsigned)count;
}

/* One that cannot be sent, such as to an asker that is gone, holds up no other. */
static void send_batch(int fd, unsigned count)
{
	for (unsigned sent = 0; sent < count;) {
		int more = sys_sendmmsg(fd, batch.out + sent, count - sent);
		sent += more > 0 ? (unsigned)more : 1;
	}
}

void take_questions(struct asker *asker)
{
	unsigned answers = 0, count = receive_batch(asker->udp.fd);
	for (unsigned i = 0; i < count; i++) {
		struct room room = { batch.answers[answers], DNS_UDP_MAX };
		int answer = answer_here(asker, batch.questions[i], batch.in[i].msg_len, room);
		if (answer == 0)
			pass_on(asker, &batch.from[i], batch.questions[i], batch.in[i].msg_len);
		if (answer <= 0)
			continue;
		batch.out_part[answers] = (struct iovec){ room.bytes, (size_t)answer };
		batch.out[answers].msg_hdr = (struct msghdr){
			.msg_name = &batch.from[i],
			.msg_namelen = sizeof batch.from[i],
			.msg_iov = &batch.out_part[answers],
			.msg_iovlen = 1,
		};
		answers++;
	}
	send_batch(asker->udp.fd, answers);
}
