/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.c - see walk.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lookup.h"
#include "walk.h"

#define MAX_PROBED 256 /* direct entries of one root; more are sampled */

struct walker {
	struct generation g; /* arrays point to exact copies */
	u8 *ports;	     /* [n_ports] written to, as tx queues would be */
	u32 n_ports;
};

static void *exact(const void *from, size_t len)
{
	void *to = malloc(len ? len : 1);

	assert_non_null(to);
	memcpy(to, from, len);
	if (len == 0) {
		free(to);
		to = malloc(0); /* any read is a fault */
	}
	return to;
}

static void walker_init(struct walker *w, const struct generation *g, u32 n_ports)
{
	w->g = *g;
	w->g.fib.root = exact(g->fib.root, g->fib.n_root * sizeof(*g->fib.root));
	w->g.fib.direct = exact(g->fib.direct, g->fib.n_direct * sizeof(u32));
	w->g.fib.node = exact(g->fib.node, g->fib.n_node * sizeof(*g->fib.node));
	w->g.fib.leaf = exact(g->fib.leaf, g->fib.n_leaf * sizeof(u32));
	w->g.nexthop = exact(g->nexthop, g->n_nexthop * sizeof(*g->nexthop));
	w->g.bucket = exact(g->bucket, g->n_bucket * sizeof(u32));
	w->g.nexthop_id = exact(g->nexthop_id, g->n_nexthop_id * sizeof(*g->nexthop_id));
	w->ports = calloc(n_ports, 1);
	assert_non_null(w->ports);
	w->n_ports = n_ports;
}

static void walker_fini(struct walker *w)
{
	free((void *)w->g.fib.root);
	free((void *)w->g.fib.direct);
	free((void *)w->g.fib.node);
	free((void *)w->g.fib.leaf);
	free((void *)w->g.nexthop);
	free((void *)w->g.bucket);
	free((void *)w->g.nexthop_id);
	free(w->ports);
}

static void walk_port(struct walker *w, const struct dwcp_nexthop *h)
{
	u8 tags[8];

	assert_true(h->port < w->n_ports);
	assert_true(h->port <= w->g.max_port);
	w->ports[h->port]++;
	assert_true(h->n_tags <= 2);
	memcpy(tags, h->forward.vlan, h->n_tags * 4u);
}

/* What is done with a slot after the group, if any, was resolved. */
static void walk_final(struct walker *w, u32 slot)
{
	const struct dwcp_nexthop *h = &w->g.nexthop[slot];

	switch (h->type) {
	case DWCP_NEXTHOP_FORWARD:
		assert_false(h->forward.dst_mac[0] & 1);
		assert_false(h->forward.src_mac[0] & 1);
		walk_port(w, h);
		break;
	case DWCP_NEXTHOP_LOCAL:
	case DWCP_NEXTHOP_UNRESOLVED:
		walk_port(w, h);
		break;
	case DWCP_NEXTHOP_NONE:
	case DWCP_NEXTHOP_BLACKHOLE:
	case DWCP_NEXTHOP_UNREACHABLE:
	case DWCP_NEXTHOP_PROHIBIT:
		break;
	default:
		fail_msg("slot %u: type %u after resolving", slot, h->type);
	}
	assert_true(h->mtu == 0 || h->mtu >= 68);
}

static void walk_slot(struct walker *w, u32 slot)
{
	const struct dwcp_nexthop *h;
	u32 n;

	assert_true(slot < w->g.n_nexthop);
	h = &w->g.nexthop[slot];
	if (h->type != DWCP_NEXTHOP_GROUP) {
		walk_final(w, slot);
		return;
	}
	n = h->group.n_buckets;
	assert_true(n != 0);
	for (u32 hash = 0; hash<n; hash += n> 4096 ? 37 : 1) {
		u32 member = w->g.bucket[h->group.first_bucket + (hash & (n - 1))];

		assert_int_not_equal(member, 0);
		assert_true(member < w->g.n_nexthop);
		walk_final(w, member);
	}
	walk_final(w, w->g.bucket[h->group.first_bucket + (UINT32_MAX & (n - 1))]);
}

static void walk_answers(struct walker *w, const u32 *slot, u32 n)
{
	for (u32 i = 0; i < n; i++)
		assert_true(slot[i] < w->g.n_nexthop);
}

/* All slices below one direct entry, each with all bits behind it clear and set. */
static void walk_entry4(struct walker *w, const struct dwcp_fib_root *r, u32 entry)
{
	u32 base = entry << (32 - r->direct_bits);
	u32 rest = r->direct_bits == 32 ? 0 : UINT32_MAX >> r->direct_bits;
	u32 dst[128], scalar[128], slot[128];

	for (u32 i = 0; i < 128; i++) {
		u32 slice = i / 2 << 26 >> r->direct_bits;

		dst[i] = base | (slice & rest) | (i & 1 ? (rest >> 6) : 0);
	}
	fib_lookup4_scalar(&w->g.fib, r, dst, scalar, 128);
	fib_lookup4(&w->g.fib, r, dst, slot, 128);
	assert_memory_equal(slot, scalar, sizeof(slot));
	walk_answers(w, slot, 128);
}

static void walk_entry6(struct walker *w, const struct dwcp_fib_root *r, u32 entry)
{
	u64 base = (u64)entry << (64 - r->direct_bits), rest = UINT64_MAX >> r->direct_bits;
	struct fib_addr dst[128];
	u32 scalar[128], slot[128];

	for (u32 i = 0; i < 128; i++) {
		u64 slice = (u64)i / 2 << 58 >> r->direct_bits;

		dst[i].hi = base | (slice & rest) | (i & 1 ? (rest >> 6) : 0);
		dst[i].lo = i & 1 ? UINT64_MAX : 0;
	}
	fib_lookup6_scalar(&w->g.fib, r, dst, scalar, 128);
	fib_lookup6(&w->g.fib, r, dst, slot, 128);
	assert_memory_equal(slot, scalar, sizeof(slot));
	walk_answers(w, slot, 128);
}

static void walk_root(struct walker *w, const struct dwcp_fib_root *r)
{
	u32 n, step;

	if (r->family == 0)
		return;
	n = 1u << r->direct_bits;
	step = n > MAX_PROBED ? n / MAX_PROBED + 1 : 1;
	for (u32 i = 0; i < n; i += step) {
		/* the last entry always: it is where an array ends */
		u32 entry = i + step >= n ? n - 1 : i;

		assert_true((u64)r->direct_base + entry < w->g.fib.n_direct);
		if (r->family == FIB_IP4)
			walk_entry4(w, r, entry);
		else
			walk_entry6(w, r, entry);
	}
}

static void walk_ids(struct walker *w)
{
	for (u32 slot = 0; slot < w->g.n_nexthop; slot++) {
		u32 id = w->g.nexthop[slot].id;

		if (id)
			assert_int_equal(nexthop_by_id(&w->g, id), slot);
	}
	for (u32 i = 0; i < 64; i++) {
		u32 id = i * 0x01000193u + 1, slot = nexthop_by_id(&w->g, id);

		assert_true(slot < w->g.n_nexthop);
		assert_true(slot == 0 || w->g.nexthop[slot].id == id);
	}
	assert_int_equal(nexthop_by_id(&w->g, 0), 0);
}

void walk(const struct generation *g, u32 n_ports)
{
	struct walker w;

	walker_init(&w, g, n_ports);
	for (u32 i = 0; i < g->fib.n_root; i++)
		walk_root(&w, &w.g.fib.root[i]);
	for (u32 slot = 0; slot < g->n_nexthop; slot++)
		walk_slot(&w, slot);
	assert_int_equal(w.g.nexthop[0].type, DWCP_NEXTHOP_NONE);
	walk_ids(&w);
	walker_fini(&w);
}
