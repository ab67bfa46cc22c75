/*
 * Fuzz target of the resolver's input: questions of containers, answers of name servers,
 * frames of the engine. The first byte says which; the rest is the message, or bends one
 * that is right: pairs of a place and a byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns-resolve.h"
#include "expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dns_view *asker(void)
{
	static struct dns_view *view;
	if (view)
		return view;
	static struct dns_client_frame client = { .id = { "a", 1 }, .network_count = 1, .networks = { { "n", 1 } } };
	static struct dns_endpoint_frame endpoint = { .network = { "n", 1 }, .name_count = 1, .names = { { "web", 3 } },
						    .port_count = 2, .ports = { { 80, 6 }, { 53, 17 } } };
	for (char id = '0'; id <= 'z'; id++) {
		const char address[4] = { 10, 0, 0, id };
		endpoint.id = (struct dns_text){ &id, 1 };
		endpoint.ipv4 = (struct dns_text){ address, 4 };
		EXPECT(dns_set_endpoint(&endpoint) == 0);
	}
	EXPECT((view = dns_set_view(&client)));
	return view;
}

/* Whatever is asked, the answer has its question, fits, and can be read. */
static void ask(const uint8_t *bytes, size_t size)
{
	static uint8_t room[DNS_UDP_MAX];
	struct dns_query query;
	struct dns_answer answer = { .bytes = room };
	if (dns_parse_query(bytes, size, &query) < 0) {
		EXPECT(query.question_end == DNS_HEADER);
		return;
	}
	EXPECT(strlen(query.name) < DNS_NAME_SIZE && query.question_end <= size);
	EXPECT(query.udp_size >= DNS_UDP_PLAIN && query.udp_size <= DNS_UDP_MAX);
	answer.room = query.udp_size;
	dns_answer_begin(&answer, bytes, &query, DNS_NOERROR);
	bool known = dns_resolve(asker(), &query, &answer);
	EXPECT(known || answer.records == 0);
	size_t length = dns_answer_end(&answer, &query);
	EXPECT(length <= query.udp_size && dns_answers(room, length, bytes, size));
}

static void tell(const uint8_t *bytes, size_t size, bool is_client)
{
	static struct dns_endpoint_frame endpoint;
	static struct dns_client_frame client;
	if (!is_client) {
		if (dns_read_endpoint(bytes, size, &endpoint) < 0 || endpoint.id.length == 1)
			return;
		EXPECT(dns_set_endpoint(&endpoint) == 0);
		dns_drop_endpoint(endpoint.id);
	} else if (dns_read_client(bytes, size, &client) == 0 && client.id.length > 1) {
		struct dns_view *view = dns_set_view(&client);
		EXPECT(view && dns_find_view(client.id) == view);
		dns_drop_view(view);
	}
}

struct right {
	const char *bytes;
	size_t size;
};

#define RIGHT(text) { text, sizeof(text) - 1 }
#define QUESTION "\0\1\1\0\0\1\0\0\0\0\0\0"
#define WITH_EDNS "\0\1\1\0\0\1\0\0\0\0\0\1"
#define EDNS "\0\0\x29\x10\0\0\0\0\0\0\0"

static const struct right questions[] = {
	RIGHT(QUESTION "\3wEb\0\0\1\0\1"),
	RIGHT(WITH_EDNS "\3web\0\0\1\0\1" EDNS),
	RIGHT(QUESTION "\3www\7example\3com\0\0\x1c\0\1"),
	RIGHT(QUESTION "\3_80\4_tcp\3web\0\0\x21\0\1"),
	RIGHT(WITH_EDNS "\4_udp\3web\0\0\x21\0\1" EDNS),
	RIGHT(QUESTION "\2" "97\1" "0\1" "0\2" "10\7in-addr\4arpa\0\0\x0c\0\1"),
	RIGHT(WITH_EDNS "\1" "1\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0"
			"\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "0\1" "d\1" "f"
			"\3ip6\4arpa\0\0\x0c\0\1" EDNS),
};

static const struct right endpoints[] = {
	RIGHT("\2\0aa\1\0n\4\0\x0a\0\0\1\x10\0" "0123456789abcdef\2\0\3\0web\5\0web.n\2\0\x50\0\6\0\x35\0\x11\0"),
};

static const struct right clients[] = {
	RIGHT("\2\0bb\1\0\1\0\1\0n\1\0\x35\0\4\0\x7f\0\0\1\1\0\2\0ln\3\0web"),
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* A copy of exactly its size, so that a read beyond it is seen. */
static uint8_t *copy(const void *bytes, size_t size)
{
	uint8_t *made = malloc(size ? size : 1);
	EXPECT(made);
	memcpy(made, bytes, size);
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 8192)
		return 0;
	uint8_t kind = data[0], which = data[1];
	bool is_question = kind % 4 < 2;
	const struct right *right = is_question ? &questions[which % COUNT(questions)] :
				    kind % 4 == 2 ? &clients[which % COUNT(clients)] :
						    &endpoints[which % COUNT(endpoints)];
	bool bends = kind & 16;
	size_t length = bends ? right->size : size - 1;
	uint8_t *bytes = bends ? copy(right->bytes, right->size) : copy(data + 1, size - 1);
	for (size_t at = 2; bends && at + 1 < size && at < 8; at += 2)
		bytes[data[at] % length] = data[at + 1];
	if (is_question)
		ask(bytes, length);
	if (kind % 4 == 1)
		dns_answers(bytes, length, bytes, length / 2);
	if (!is_question)
		tell(bytes, length, kind % 4 == 2);
	free(bytes);
	return 0;
}
