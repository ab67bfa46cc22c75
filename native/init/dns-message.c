#include "dns-message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FLAG_RESPONSE 0x8000u
#define FLAG_TRUNCATED 0x0200u
#define FLAG_RECURSION_DESIRED 0x0100u
#define FLAG_RECURSION_AVAILABLE 0x0080u
#define OPCODE 0x7800u
/* The question's name, to which all answers point. */
#define QUESTION_POINTER 0xc00cu
/* A name may belong to another container a moment later. */
#define TTL 0u
#define OPT_SIZE 11u
/* Type, class, time to live and the length of the data. */
#define FIELDS 10u

static uint16_t get_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_be16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Behind the name at `at`, or 0 where it is cut off. Pointers end a name and are not followed. */
static size_t skip_name(const uint8_t *bytes, size_t length, size_t at)
{
	while (at < length) {
		uint8_t size = bytes[at];
		if (size == 0)
			return at + 1;
		if (size >= 0xc0)
			return at + 2 <= length ? at + 2 : 0;
		if (size > 63)
			return 0;
		at += 1u + size;
	}
	return 0;
}

static char lower(uint8_t byte)
{
	return (char)(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
}

/* The question's name, which may not be compressed. Returns the place behind it, or 0. */
static size_t read_name(const uint8_t *bytes, size_t length, char *name)
{
	size_t at = DNS_HEADER, end = 0;
	bool plain = true;
	while (at < length && bytes[at] != 0) {
		uint8_t size = bytes[at++];
		if (size > 63 || at + size > length || end + size + 1 > DNS_NAME_SIZE)
			return 0;
		if (end)
			name[end - 1] = '.';
		for (uint8_t i = 0; i < size; i++, at++) {
			plain = plain && bytes[at] != '.' && bytes[at] > ' ' && bytes[at] < 127;
			name[end++] = lower(bytes[at]);
		}
		name[end++] = 0;
	}
	if (!plain)
		name[0] = 0;
	return at < length ? at + 1 : 0;
}

/* Looks for OPT among the records that follow the question; those that are cut off are passed over. */
static void read_edns(const uint8_t *bytes, size_t length, struct dns_query *query)
{
	size_t records = (size_t)get_be16(bytes + 6) + get_be16(bytes + 8) + get_be16(bytes + 10);
	size_t at = query->question_end;
	for (; records > 0; records--) {
		at = skip_name(bytes, length, at);
		if (at == 0 || at + 10 > length)
			return;
		if (get_be16(bytes + at) == DNS_OPT) {
			uint16_t size = get_be16(bytes + at + 2);
			query->has_edns = true;
			query->udp_size = size < DNS_UDP_PLAIN ? DNS_UDP_PLAIN : size > DNS_UDP_MAX ? DNS_UDP_MAX : size;
			return;
		}
		at += 10u + get_be16(bytes + at + 8);
	}
}

int dns_parse_query(const uint8_t *bytes, size_t length, struct dns_query *query)
{
	*query = (struct dns_query){ .question_end = DNS_HEADER, .udp_size = DNS_UDP_PLAIN };
	if (length < DNS_HEADER || length > DNS_MESSAGE_MAX)
		return -EINVAL;
	query->id = get_be16(bytes);
	query->flags = get_be16(bytes + 2);
	if (query->flags & FLAG_RESPONSE)
		return -EINVAL;
	if (get_be16(bytes + 4) != 1)
		return -EBADMSG;
	size_t end = read_name(bytes, length, query->name);
	if (end == 0 || end + 4 > length)
		return -EBADMSG;
	query->type = get_be16(bytes + end);
	query->class = get_be16(bytes + end + 2);
	query->question_end = end + 4;
	read_edns(bytes, length, query);
	return 0;
}

bool dns_answers(const uint8_t *answer, size_t length, const uint8_t *query, size_t query_length)
{
	if (length < DNS_HEADER || query_length < DNS_HEADER || !(get_be16(answer + 2) & FLAG_RESPONSE))
		return false;
	/* Servers that understand nothing answer with a header alone. */
	if (get_be16(answer + 4) == 0)
		return length == DNS_HEADER;
	size_t end = skip_name(query, query_length, DNS_HEADER) + 4;
	if (get_be16(answer + 4) != 1 || end < DNS_HEADER + 5 || end > query_length || end > length)
		return false;
	for (size_t i = DNS_HEADER; i < end; i++)
		if (lower(answer[i]) != lower(query[i]))
			return false;
	return true;
}

void dns_answer_begin(struct dns_answer *answer, const uint8_t *request, const struct dns_query *query, int code)
{
	memcpy(answer->bytes, request, query->question_end);
	uint16_t kept = query->flags & (OPCODE | FLAG_RECURSION_DESIRED);
	put_be16(answer->bytes + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | (uint16_t)code);
	put_be16(answer->bytes + 4, query->question_end > DNS_HEADER);
	memset(answer->bytes + 6, 0, 6);
	answer->length = query->question_end;
	answer->records = 0;
	answer->additional = 0;
	answer->truncated = false;
}

/* The labels of a name, length + 2 bytes. */
static void put_name(uint8_t *at, const char *name)
{
	for (;;) {
		size_t size = strcspn(name, ".");
		*at++ = (uint8_t)size;
		memcpy(at, name, size);
		at += size;
		if (!name[size]) {
			*at = 0;
			return;
		}
		name += size + 1;
	}
}

/* The fields of a record behind its name; gives the place of its data. */
static uint8_t *put_fields(uint8_t *at, uint16_t type, size_t data)
{
	put_be16(at, type);
	put_be16(at + 2, DNS_CLASS_IN);
	put_be16(at + 4, 0);
	put_be16(at + 6, TTL);
	put_be16(at + 8, (uint16_t)data);
	return at + FIELDS;
}

static bool fits(const struct dns_answer *answer, size_t record)
{
	return answer->length + record + OPT_SIZE <= answer->room;
}

/* A record of the question's name, but for its data; NULL where it does not fit. */
static uint8_t *add_record(struct dns_answer *answer, uint16_t type, size_t data)
{
	size_t size = 2 + FIELDS + data;
	if (answer->truncated || !fits(answer, size)) {
		answer->truncated = true;
		return NULL;
	}
	uint8_t *at = answer->bytes + answer->length;
	put_be16(at, QUESTION_POINTER);
	answer->length += size;
	answer->records++;
	return put_fields(at + 2, type, data);
}

void dns_answer_address(struct dns_answer *answer, const uint8_t *address, size_t length)
{
	uint8_t *at = add_record(answer, length == 4 ? DNS_A : DNS_AAAA, length);
	if (at)
		memcpy(at, address, length);
}

void dns_answer_name(struct dns_answer *answer, const char *name)
{
	uint8_t *at = add_record(answer, DNS_PTR, strlen(name) + 2);
	if (at)
		put_name(at, name);
}

void dns_answer_service(struct dns_answer *answer, const char *name, uint16_t port)
{
	uint8_t *at = add_record(answer, DNS_SRV, 6 + strlen(name) + 2);
	if (!at)
		return;
	/* Priority and weight: all are alike. */
	memset(at, 0, 4);
	put_be16(at + 4, port);
	put_name(at + 6, name);
}

void dns_answer_additional(struct dns_answer *answer, const char *name, const uint8_t *address, size_t length)
{
	size_t name_size = strlen(name) + 2, size = name_size + FIELDS + length;
	if (answer->truncated || !fits(answer, size))
		return;
	uint8_t *at = answer->bytes + answer->length;
	put_name(at, name);
	memcpy(put_fields(at + name_size, length == 4 ? DNS_A : DNS_AAAA, length), address, length);
	answer->length += size;
	answer->additional++;
}

size_t dns_answer_end(struct dns_answer *answer, const struct dns_query *query)
{
	put_be16(answer->bytes + 6, answer->records);
	if (answer->truncated)
		put_be16(answer->bytes + 2, get_be16(answer->bytes + 2) | FLAG_TRUNCATED);
	if (query->has_edns && answer->length + OPT_SIZE <= answer->room) {
		uint8_t *at = answer->bytes + answer->length;
		memset(at, 0, OPT_SIZE);
		put_be16(at + 1, DNS_OPT);
		put_be16(at + 3, DNS_UDP_MAX);
		answer->additional++;
		answer->length += OPT_SIZE;
	}
	put_be16(answer->bytes + 10, answer->additional);
	return answer->length;
}

size_t dns_reverse_name(const uint8_t *address, size_t length, char *name)
{
	if (length == 4)
		return (size_t)sprintf(name, "%u.%u.%u.%u.in-addr.arpa", address[3], address[2], address[1], address[0]);
	if (length != 16)
		return 0;
	size_t end = 0;
	for (size_t i = 16; i-- > 0;)
		end += (size_t)sprintf(name + end, "%x.%x.", address[i] & 15u, address[i] >> 4u);
	strcpy(name + end, "ip6.arpa");
	return end + strlen("ip6.arpa");
}
