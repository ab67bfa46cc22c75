/* What is answered to a question, from the table of names. */
#ifndef DNS_RESOLVE_H
#define DNS_RESOLVE_H

#include <stdbool.h>

#include "dns-table.h"

/*
 * Writes the records of the question into the answer. False when the view does not see the
 * name. Besides those of endpoints, there are names of the ports that they offer (SRV):
 * "_80._tcp.web" of one, "_tcp.web" of all.
 */
bool dns_resolve(const struct dns_view *view, const struct dns_query *query, struct dns_answer *answer);

#endif
