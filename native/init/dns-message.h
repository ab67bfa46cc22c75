/*
 * DNS messages as a resolver's front needs them: RFC 1035 and, for the size of answers,
 * EDNS (RFC 6891). Nothing here does I/O.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER 12u
/* A name in text without its last dot, and its NUL. */
#define DNS_NAME_SIZE 254u
/* The size of a UDP answer to a query without EDNS, and the most for one with it. */
#define DNS_UDP_PLAIN 512u
#define DNS_UDP_MAX 4096u
#define DNS_MESSAGE_MAX 65535u

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41 };
enum { DNS_CLASS_IN = 1 };
enum { DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

struct dns_query {
	uint16_t id, flags, type, class;
	char name[DNS_NAME_SIZE]; /* in lower case; "" for one that is none of ours, such as one with a dot in a label */
	size_t question_end; /* of the message: what follows is no part of the question */
	bool has_edns;
	uint16_t udp_size; /* what the asker takes by UDP */
};

/*
 * 0, -EINVAL for bytes that are not a query and must not be answered, or -EBADMSG for a
 * query that is to be refused with DNS_FORMERR (`id` and `flags` are set, `question_end`
 * is the header's).
 */
int dns_parse_query(const uint8_t *bytes, size_t length, struct dns_query *query);

/* Whether a message is the answer to this question: the same question, byte for byte but for case. */
bool dns_answers(const uint8_t *answer, size_t length, const uint8_t *query, size_t query_length);

/* An answer in the making. Records that do not fit are left out, and the answer says so (TC). */
struct dns_answer {
	uint8_t *bytes;
	size_t room, length;
	uint16_t records, additional;
	bool truncated;
};

/* The header and the question of `request`, in `bytes` of at least DNS_UDP_PLAIN. */
void dns_answer_begin(struct dns_answer *answer, const uint8_t *request, const struct dns_query *query, int code);
void dns_answer_address(struct dns_answer *answer, const uint8_t *address, size_t length);
void dns_answer_name(struct dns_answer *answer, const char *name);
/* Where a service is (SRV, RFC 2782). */
void dns_answer_service(struct dns_answer *answer, const char *name, uint16_t port);
/* Behind all others, the address of a name that they give; left out where it does not fit. */
void dns_answer_additional(struct dns_answer *answer, const char *name, const uint8_t *address, size_t length);
/* The length of the whole answer. */
size_t dns_answer_end(struct dns_answer *answer, const struct dns_query *query);

/*
 * The name below in-addr.arpa or ip6.arpa of an address of 4 or 16 bytes, in DNS_NAME_SIZE
 * bytes: its length, 0 for an address of another size.
 */
size_t dns_reverse_name(const uint8_t *address, size_t length, char *name);

#endif
