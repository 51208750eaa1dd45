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

static void route_lookup4(const struct generation *g, const u32 *dst, u32 *ret_slot, u32 n)
{
	if (n && dwcp_likely(g->ip4 != NULL))
		fib_lookup4(&g->fib, g->ip4, dst, ret_slot, n);
	else
		memset(ret_slot, 0, n * sizeof(*ret_slot));
}

static void route_lookup6(const struct generation *g, const struct fib_addr *dst, u32 *ret_slot,
			  u32 n)
{
	if (n && dwcp_likely(g->ip6 != NULL))
		fib_lookup6(&g->fib, g->ip6, dst, ret_slot, n);
	else
		memset(ret_slot, 0, n * sizeof(*ret_slot));
}

/* Both families, wherever they stand in the burst: apart, looked up, and back. No branch on what a packet is. */
static dwcp_noinline void route_lookup_mixed(struct burst *b)
{
	struct fib_addr key6[BURST_MAX];
	u32 key4[BURST_MAX], slot[2][BURST_MAX];
	u8 at[BURST_MAX];
	u32 n4 = 0, n6 = 0;

	for (u32 i = 0; i < b->n; i++) {
		bool ip6 = burst_is_ip6(b, i);

		at[i] = (u8)(ip6 ? n6 : n4);
		key4[n4] = b->col.dst4[i];
		key6[n6] = b->col.dst6[i];
		n4 += !ip6;
		n6 += ip6;
	}
	route_lookup4(b->gen, key4, slot[0], n4);
	route_lookup6(b->gen, key6, slot[1], n6);
	for (u32 i = 0; i < b->n; i++)
		b->slot[i] = slot[burst_is_ip6(b, i)][at[i]];
}

/* Slots of all packets. */
static void route_lookup(struct burst *b)
{
	if (dwcp_likely(b->ip6 == 0))
		route_lookup4(b->gen, b->col.dst4, b->slot, b->n);
	else if (b->ip6 == burst_all(b))
		route_lookup6(b->gen, b->col.dst6, b->slot, b->n);
	else
		route_lookup_mixed(b);
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
