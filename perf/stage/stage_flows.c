/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_flows.c - one frame a flow, in the order in which they arrive: random addresses inside random prefixes of the
 * table, so that consecutive packets have nothing in common. The same seed gives the same frames.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/forward.h>

#include "fib_synth.h"
#include "packet_build.h"
#include "stage_bench.h"

#define SEED	   7
#define DROP_CYCLE 32u /* packets */

enum flow_kind { FLOW_LIVE, FLOW_CHECKSUM, FLOW_BLACKHOLE, FLOW_TTL };

/* Even places: those are IPv4 in a case of both families. */
static enum flow_kind flow_kind(const struct stage_case *c, u32 i)
{
	if (!c->drops)
		return FLOW_LIVE;
	switch (i % DROP_CYCLE) {
	case 6:
		return FLOW_CHECKSUM;
	case 14:
		return FLOW_BLACKHOLE;
	case 22:
		return FLOW_TTL;
	default:
		return FLOW_LIVE;
	}
}

/* A next hop that forwards, and an address that may be forwarded. */
static bool flow_usable(const struct generation *g, u8 family, const struct fib_addr *dst)
{
	struct pkt p = {.ttl = 64,
			.dst = *dst,
			.src = {1, 1},
			.flags = family == FIB_IP4 ? PKT_IP4 : PKT_IP6};
	u32 key = (u32)dst->lo, slot;

	if (family == FIB_IP4)
		fib_lookup4(&g->fib, g->ip4, &key, &slot, 1);
	else
		fib_lookup6(&g->fib, g->ip6, dst, &slot, 1);
	return g->nexthop[slot].type == DWCP_NEXTHOP_FORWARD &&
	       pkt_forward_check(&p) == VERDICT_PASS;
}

static struct fib_addr flow_dst(const struct table *t, u8 family, struct fib_rng *rng)
{
	struct fib_addr a;

	do {
		u32 i = family == FIB_IP4 ? fib_rng_below(rng, t->n4)
					  : t->n4 + fib_rng_below(rng, t->n6);

		a = fib_synth_addr(&t->prefix[i], rng);
	} while (!flow_usable(t->gen, family, &a));
	return a;
}

static void frame_ip4(struct packet_build *b, u32 dst, enum flow_kind kind, struct fib_rng *rng)
{
	build_ip4(b);
	be32_store(b->bytes + b->l3 + 12,
		   0xc6120000u | fib_rng_below(rng, 1 << 16)); /* 198.18/16 */
	be32_store(b->bytes + b->l3 + 16, kind == FLOW_BLACKHOLE ? STAGE_BLACKHOLE : dst);
	if (kind == FLOW_TTL)
		b->bytes[b->l3 + 8] = 1;
}

static void frame_ip6(struct packet_build *b, const struct fib_addr *dst, struct fib_rng *rng)
{
	u8 *at;

	build_ip6(b);
	at = b->bytes + b->l3 + 24;
	be32_store(at - 4, fib_rng_below(rng, 1 << 16)); /* the source's last bytes */
	be32_store(at, (u32)(dst->hi >> 32));
	be32_store(at + 4, (u32)dst->hi);
	be32_store(at + 8, (u32)(dst->lo >> 32));
	be32_store(at + 12, (u32)dst->lo);
}

static void frame_make(const struct stage_router *r, const struct stage_case *c, u32 i,
		       struct fib_rng *rng, u8 *ret_frame)
{
	u8 family = c->ip4 && (!c->ip6 || i % 2 == 0) ? FIB_IP4 : FIB_IP6;
	struct fib_addr dst = flow_dst(&r->table[c->table], family, rng);
	enum flow_kind kind = flow_kind(c, i);
	static struct packet_build b;

	build_eth(&b);
	memcpy(b.bytes, r->dp.port[STAGE_PORT_IN].mac, 6);
	if (family == FIB_IP4)
		frame_ip4(&b, (u32)dst.lo, kind, rng);
	else
		frame_ip6(&b, &dst, rng);
	build_udp(&b);
	be16_store(b.bytes + b.l4, (u16)fib_rng_below(rng, 1 << 16));
	build_payload(&b, STAGE_FRAME_BYTES - b.len);
	build_fix(&b);
	if (kind == FLOW_CHECKSUM)
		b.bytes[b.l3 + 10] ^= 0x55;
	memcpy(ret_frame, b.bytes, STAGE_FRAME_BYTES);
}

void flows_make(const struct stage_router *r, const struct stage_case *c, struct stage_flows *ret)
{
	struct fib_rng rng = {SEED};

	*ret = (struct stage_flows){.n = c->n_flows};
	ret->frame = aligned_alloc(64, (size_t)c->n_flows * STAGE_FRAME_BYTES);
	if (!ret->frame)
		stage_die("flows", ENOMEM);
	for (u32 i = 0; i < c->n_flows; i++) {
		frame_make(r, c, i, &rng, ret->frame[i]);
		ret->n_dead += flow_kind(c, i) != FLOW_LIVE;
	}
}
