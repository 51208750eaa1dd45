/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.c - the buckets of ECMP groups.
 *
 * Every bucket goes to the member with the highest random weight for it (Thaler and Ravishankar, 1998), weighted as
 * -log(u)/weight. A member that goes gives up its own buckets and nothing else moves; one that comes takes its share
 * and nothing else moves; and the answer depends on nothing but members and bucket numbers, so that every agent fills a
 * group the same way. Integers only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

/* Bits behind the point of a logarithm: 6 + 25 of the value and 32 of a weight fit 64 together. */
#define LOG_BITS  25
#define LOG_SHIFT 22 /* bits of a mantissa behind the table's step */

/* log2 of 1 + i / steps, by squaring. */
void rib_log_init(u32 table[RIB_LOG_STEPS + 1])
{
	for (u32 i = 0; i < RIB_LOG_STEPS; i++) {
		u64 m = (1ull << 31) + i * ((1ull << 31) / RIB_LOG_STEPS);
		u32 log = 0;

		for (int bit = 0; bit < LOG_BITS; bit++) {
			u64 square = m * m;

			log = log << 1 | square >> 63;
			m = square >> 63 ? square >> 32 : square >> 31;
		}
		table[i] = log;
	}
	table[RIB_LOG_STEPS] = 1u << LOG_BITS;
}

/*
 * -log2(h / 2^64), at least 1. Straight lines between the table's points: off by 2 in 10^7 at most, and never rising in
 * h, so that it orders equal weights as h itself does.
 */
static u64 neg_log2(const u32 *log, u64 h)
{
	u32 zeros = __builtin_clzll(h | 1);
	u32 mantissa = (h | 1) << zeros << 1 >> 32;
	u32 i = mantissa >> LOG_SHIFT;
	u64 rest = mantissa & ((1u << LOG_SHIFT) - 1);
	u64 frac = log[i] + (rest * (log[i + 1] - log[i]) >> LOG_SHIFT);

	return ((u64)(zeros + 1) << LOG_BITS) - frac;
}

struct rib_score {
	u64 h, cost;
	u32 weight;
};

/* cost / weight, least first; of equal ones the higher hash. */
static bool score_better(const struct rib_score *a, const struct rib_score *b)
{
	u64 x = a->cost * b->weight, y = b->cost * a->weight;

	return x != y ? x < y : a->h > b->h;
}

static bool weights_equal(const u32 *weights, u32 n)
{
	for (u32 i = 1; i < n; i++)
		if (weights[i] != weights[0])
			return false;
	return true;
}

void rib_group_choose(const u32 *log, const u64 *hashes, const u32 *weights, const bool *alive,
		      u32 n, u32 *ret, u32 n_buckets)
{
	bool plain = weights_equal(weights, n), any = false;

	for (u32 i = 0; i < n; i++)
		any = any || alive[i];
	for (u32 b = 0; b < n_buckets; b++) {
		u64 salt = rib_mix(b + 0x9e3779b97f4a7c15ull);
		struct rib_score best = {0};
		bool found = false;

		for (u32 i = 0; i < n; i++) {
			struct rib_score s = {.h = rib_mix(hashes[i] ^ salt), .weight = 1};

			if (any && !alive[i])
				continue;
			/* Of equal weights the order by cost is the order by hash. */
			if (!plain) {
				s.weight = weights[i];
				s.cost = neg_log2(log, s.h);
			}
			if (found && !score_better(&s, &best))
				continue;
			best = s;
			ret[b] = i;
			found = true;
		}
	}
}

/*
 * Shares of a draw are uneven: of n members over b buckets each is off by sqrt((n - 1) / b) of its share, one standard
 * deviation. 1,024 buckets (a page) keep two members within 3 %, eight within 8 %; 4,096 keep sixteen within 6 %. Few
 * sizes, because flows move when a group changes its size: here only between eight and nine members.
 */
u32 rib_group_n_buckets(u32 n_members)
{
	return n_members <= 8 ? RIB_BUCKET_FEW : RIB_BUCKET_MANY;
}

static u32 size_class(u32 n_buckets)
{
	return n_buckets == RIB_BUCKET_MANY;
}

int rib_group_alloc(struct rib *r, struct rib_nexthop *g)
{
	u32 n = rib_group_n_buckets(g->n_members), c = size_class(n);
	struct rib_nexthops *nhs = &r->nhs;
	u64 first = r->bucket.n;
	int err;

	if (nhs->n_free_buckets[c]) {
		first = nhs->free_buckets[c][--nhs->n_free_buckets[c]];
	} else {
		if (first + n > RIB_MAX_BUCKETS)
			return -ENOSPC;
		err = rib_array_grow(&r->bucket, first + n);
		if (err)
			return err;
	}
	g->group.first_bucket = first;
	g->group.n_buckets = n;
	rib_array_touch(&r->bucket, first, n);
	return 0;
}

void rib_group_free(struct rib *r, struct rib_nexthop *g)
{
	struct rib_nexthops *nhs = &r->nhs;
	u32 c = size_class(g->group.n_buckets);
	u32 cap = nhs->cap_free_buckets[c] ? 2 * nhs->cap_free_buckets[c] : 64, *free_list;

	memset((u32 *)r->bucket.bytes + g->group.first_bucket, 0, 4ull * g->group.n_buckets);
	rib_array_touch(&r->bucket, g->group.first_bucket, g->group.n_buckets);
	if (nhs->n_free_buckets[c] == nhs->cap_free_buckets[c]) {
		free_list = realloc(nhs->free_buckets[c], cap * sizeof(u32));
		if (!free_list)
			return; /* the range stays unused */
		nhs->free_buckets[c] = free_list;
		nhs->cap_free_buckets[c] = cap;
	}
	nhs->free_buckets[c][nhs->n_free_buckets[c]++] = g->group.first_bucket;
}

void rib_group_fill(struct rib *r, struct rib_nexthop *g)
{
	u32 *bucket = (u32 *)r->bucket.bytes + g->group.first_bucket;
	u32 choice[RIB_BUCKET_MANY], weights[CONFIG_MAX_PATHS], slots[CONFIG_MAX_PATHS];
	u64 hashes[CONFIG_MAX_PATHS];
	bool alive[CONFIG_MAX_PATHS];

	g->resolved = true;
	g->unreachable = false;
	for (u32 i = 0; i < g->n_members; i++) {
		const struct rib_nexthop *m = &r->nhs.nh[g->group.members[i].nh];

		hashes[i] = m->hash;
		weights[i] = g->group.members[i].weight;
		slots[i] = m->slot;
		alive[i] = m->resolved;
		g->resolved = g->resolved && m->resolved;
		g->unreachable = g->unreachable || m->unreachable;
	}
	rib_group_choose(r->log, hashes, weights, alive, g->n_members, choice, g->group.n_buckets);
	for (u32 b = 0; b < g->group.n_buckets; b++) {
		if (bucket[b] == slots[choice[b]])
			continue;
		bucket[b] = slots[choice[b]];
		rib_array_touch(&r->bucket, g->group.first_bucket + b, 1);
		r->dirty = true;
	}
}
