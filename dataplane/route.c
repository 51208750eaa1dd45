/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route.c - stage route: destination → FIB slot → next hop, groups by keyed flow hash. Thread: worker.
 * Decide is route_resolve() and route_verdict(); commit is the verdict that burst_sweep() counts.
 */
#include <dwcp/util/checksum.h>

#include "adjacency.h"
#include "dataplane.h"

static const u32 verdict_of_type[DWCP_NEXTHOP_N_TYPES] = {
	[DWCP_NEXTHOP_NONE] = VERDICT_DROP(DROP_NO_ROUTE),
	[DWCP_NEXTHOP_FORWARD] = VERDICT_PASS,
	[DWCP_NEXTHOP_GROUP] =
		VERDICT_DROP(DROP_NO_ROUTE), /* the validator refuses groups of groups */
	[DWCP_NEXTHOP_BLACKHOLE] = VERDICT_DROP(DROP_BLACKHOLE),
	[DWCP_NEXTHOP_UNREACHABLE] = VERDICT_DROP(DROP_UNREACHABLE),
	[DWCP_NEXTHOP_PROHIBIT] = VERDICT_DROP(DROP_PROHIBIT),
	[DWCP_NEXTHOP_LOCAL] = VERDICT_DROP(DROP_TO_HOST), /* until the port has a host interface */
	[DWCP_NEXTHOP_UNRESOLVED] = VERDICT_DROP(DROP_UNRESOLVED),
};

const struct dwcp_nexthop *route_resolve(const struct generation *g, u32 slot, const struct pkt *p,
					 const u64 hash_key[2])
{
	const struct dwcp_nexthop *nh = &g->nexthop[slot];
	u32 bucket;

	if (dwcp_likely(nh->type != DWCP_NEXTHOP_GROUP))
		return nh;
	bucket = (u32)flow_hash(p, hash_key) & (nh->group.n_buckets - 1);
	return &g->nexthop[g->bucket[nh->group.first_bucket + bucket]];
}

u32 route_verdict(const struct dwcp_nexthop *nh)
{
	return verdict_of_type[nh->type];
}

/* FIB slots of the packets of one family, wherever they stand in the burst. */
static void route_lookup_mixed(struct burst *b, u16 family_flag)
{
	const struct generation *g = b->gen;
	const struct dwcp_fib_root *root = family_flag == PKT_IP4 ? g->ip4 : g->ip6;
	struct fib_addr key[BURST_MAX];
	u32 key4[BURST_MAX], slot[BURST_MAX];
	u8 at[BURST_MAX];
	u32 n = 0;

	if (b->n == 0)
		return;
	for (u32 i = 0; i < b->n; i++) {
		bool common = burst_is_common(b, i);

		at[n] = (u8)i;
		key[n] = b->pkt[i].dst;
		key4[n] = common ? b->col.dst4[i] : (u32)b->pkt[i].dst.lo;
		n += ((common ? PKT_IP4 : b->pkt[i].flags) & family_flag) != 0;
	}
	if (n == 0)
		return;
	if (root && family_flag == PKT_IP4)
		fib_lookup4(&g->fib, root, key4, slot, n);
	else if (root)
		fib_lookup6(&g->fib, root, key, slot, n);
	for (u32 i = 0; i < n; i++)
		b->slot[at[i]] = root ? slot[i] : 0;
}

/* IPv6 alone. Return: false when it is not. */
static bool route_lookup_ip6(struct burst *b)
{
	const struct generation *g = b->gen;
	struct fib_addr key[BURST_MAX];
	u16 all = PKT_IP6;

	if (b->common || !g->ip6)
		return false;
	for (u32 i = 0; i < b->n; i++) {
		all &= b->pkt[i].flags;
		key[i] = b->pkt[i].dst;
	}
	if (!all)
		return false;
	fib_lookup6(&g->fib, g->ip6, key, b->slot, b->n);
	return true;
}

/* Slots of all packets; the usual burst is IPv4 of the common kind alone. */
static void route_lookup(struct burst *b)
{
	const struct generation *g = b->gen;

	if (dwcp_likely(burst_all_common(b)) && dwcp_likely(g->ip4 != NULL)) {
		fib_lookup4(&g->fib, g->ip4, b->col.dst4, b->slot, b->n);
		return;
	}
	if (route_lookup_ip6(b))
		return;
	route_lookup_mixed(b, PKT_IP4);
	route_lookup_mixed(b, PKT_IP6);
}

/* Groups become one of their members, what does not forward gets its verdict. */
static dwcp_noinline void route_others(struct worker *w, struct burst *b)
{
	const struct generation *g = b->gen;
	u32 dead = 0;

	for (u32 i = 0; i < b->n; i++) {
		const struct dwcp_nexthop *nh = &g->nexthop[b->slot[i]];

		if (nh->type == DWCP_NEXTHOP_GROUP)
			nh = route_resolve(g, b->slot[i], burst_pkt(b, i), w->hash_key);
		b->slot[i] = (u32)(nh - g->nexthop);
		b->verdict[i] = route_verdict(nh);
		dead += b->verdict[i] != VERDICT_PASS;
	}
	b->n_dead = (u16)dead;
	burst_sweep(w, b);
}

static void route_no_table(struct worker *w, struct burst *b)
{
	for (u32 i = 0; i < b->n; i++)
		burst_kill(b, i, VERDICT_DROP(DROP_NO_TABLE));
	burst_sweep(w, b);
}

void stage_route(struct worker *w, struct burst *b)
{
	const struct generation *g = b->gen;
	const struct adjacency *adjacency;
	u32 others = 0;

	if (dwcp_unlikely(!g)) {
		route_no_table(w, b);
		return;
	}
	if (dwcp_unlikely(b->n == 0))
		return;
	route_lookup(b);
	adjacency = g->reader;
	for (u32 i = 0; i < b->n; i++)
		others |= adjacency[b->slot[i]].mtu == 0;
	if (others)
		route_others(w, b);
}
