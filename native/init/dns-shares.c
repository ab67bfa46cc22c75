#include "dns-worker.h"

static struct {
	unsigned held, of_all;
	const unsigned of_one;
} shares[SHARES] = {
	[LOOKUPS] = { .of_all = 4096, .of_one = 256 },
	[STREAMS] = { .of_all = 512, .of_one = 32 },
};

void fit_shares(size_t descriptors)
{
	/* A lookup has one, a connection up to two. */
	for (enum share share = 0; share < SHARES; share++)
		if (shares[share].of_all > descriptors / 8)
			shares[share].of_all = (unsigned)descriptors / 8;
}

static struct asker *richest(enum share share)
{
	struct asker *richest = NULL;
	for (const struct dns_view *view = dns_views(); view; view = view->next) {
		struct asker *asker = view->owner;
		if (asker && (!richest || asker->held[share] > richest->held[share]))
			richest = asker;
	}
	return richest;
}

bool has_share(const struct asker *asker, enum share share, struct asker **giver)
{
	*giver = NULL;
	if (asker->held[share] >= shares[share].of_one)
		return false;
	if (shares[share].held < shares[share].of_all)
		return true;
	*giver = richest(share);
	return *giver && (*giver)->held[share] > asker->held[share] + 1;
}

void take_share(struct asker *asker, enum share share)
{
	asker->held[share]++;
	shares[share].held++;
}

void give_back(struct asker *asker, enum share share)
{
	asker->held[share]--;
	shares[share].held--;
}
