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
	w->g.fib.direct = exact(g->fib.direct, g->fib.n_direct * sizeof(*g->fib.direct));
	w->g.fib.node = exact(g->fib.node, g->fib.n_node * sizeof(*g->fib.node));
	w->g.fib.leaf = exact(g->fib.leaf, g->fib.n_leaf * sizeof(*g->fib.leaf));
	w->g.nexthop = exact(g->nexthop, g->n_nexthop * sizeof(*g->nexthop));
	w->g.bucket = exact(g->bucket, g->n_bucket * sizeof(u32));
	w->g.nexthop_id = exact(g->nexthop_id, g->n_nexthop_id * sizeof(*g->nexthop_id));
	w->g.port_addr = exact(g->port_addr, g->n_port_addr * sizeof(*g->port_addr));
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
	free((void *)w->g.port_addr);
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

typedef unsigned __int128 addr128; /* the address's first bit is the highest, for both families */

#define BATCH 1024

/* Addresses to be looked up, and what the arrays say by the format's definition. */
struct batch {
	struct walker *w;
	const struct dwcp_fib_root *root;
	addr128 addr[BATCH];
	u32 want[BATCH];
	u32 n;
};

static void batch_flush(struct batch *b)
{
	struct fib_addr dst6[BATCH];
	u32 dst4[BATCH], slot[BATCH], scalar[BATCH];

	for (u32 i = 0; i < b->n; i++) {
		dst4[i] = (u32)(b->addr[i] >> 96);
		dst6[i] = (struct fib_addr){(u64)(b->addr[i] >> 64), (u64)b->addr[i]};
	}
	if (b->root->family == FIB_IP4) {
		fib_lookup4(&b->w->g.fib, b->root, dst4, slot, b->n);
		fib_lookup4_scalar(&b->w->g.fib, b->root, dst4, scalar, b->n);
	} else {
		fib_lookup6(&b->w->g.fib, b->root, dst6, slot, b->n);
		fib_lookup6_scalar(&b->w->g.fib, b->root, dst6, scalar, b->n);
	}
	for (u32 i = 0; i < b->n; i++) {
		assert_int_equal(slot[i], b->want[i]);
		assert_int_equal(scalar[i], b->want[i]);
		assert_true(slot[i] < b->w->g.n_nexthop);
	}
	b->n = 0;
}

static void batch_add(struct batch *b, addr128 addr, u32 want)
{
	b->addr[b->n] = addr;
	b->want[b->n] = want;
	if (++b->n == BATCH)
		batch_flush(b);
}

/* An element, and the address that leads to it. */
struct visit {
	addr128 addr;
	u32 depth; /* bits decided */
	u64 element;
};

struct tour {
	struct batch b;
	struct visit *todo; /* [n_node + 1] stack */
	u32 n;
	bool *seen; /* [n_node] */
	u32 width;
};

/* Nothing is decided behind this: all bits clear and set. */
static void probe(struct tour *t, addr128 addr, u32 depth, u32 slot)
{
	addr128 behind = depth < 128 ? ~(addr128)0 >> depth : 0;

	batch_add(&t->b, addr, slot);
	batch_add(&t->b, addr | behind, slot);
}

static void tour_slice(struct tour *t, const struct visit *at, u32 slice)
{
	const struct fib_view *v = &t->b.w->g.fib;
	u32 index = (u32)at->element & DWCP_FIB_INDEX, depth = at->depth + DWCP_FIB_STRIDE;
	addr128 addr = at->addr |
		       (depth <= 128 ? (addr128)slice << (128 - depth) : slice >> (depth - 128));
	u64 e;

	for (u32 below = 1; below <= slice; below++)
		index += at->element >> (63 - below) & 1;
	e = at->element & DWCP_FIB_LEAVES ? v->leaf[index] : v->node[index];
	if (!dwcp_fib_is_node(e)) {
		probe(t, addr, depth, (u32)e);
		return;
	}
	if (depth >= t->width) {
		probe(t, addr, depth, 0); /* past the end of the address */
		return;
	}
	if (t->seen[index])
		return;
	t->seen[index] = true;
	t->todo[t->n++] = (struct visit){addr, depth, e};
}

static void tour_element(struct tour *t, struct visit at)
{
	if (!dwcp_fib_is_node(at.element)) {
		probe(t, at.addr, at.depth, (u32)at.element);
		return;
	}
	for (;;) {
		/* slices whose last bits lie behind the address: those with these bits clear */
		u32 end = at.depth + DWCP_FIB_STRIDE,
		    step = end > t->width ? 1u << (end - t->width) : 1;

		for (u32 slice = 0; slice < 1u << DWCP_FIB_STRIDE; slice += step)
			tour_slice(t, &at, slice);
		if (t->n == 0)
			return;
		at = t->todo[--t->n];
	}
}

static void walk_root(struct walker *w, const struct dwcp_fib_root *r)
{
	struct tour *t;
	u32 n;

	if (r->family == 0)
		return;
	n = 1u << r->direct_bits;
	assert_true((u64)r->direct_base + n <= w->g.fib.n_direct);
	t = calloc(1, sizeof(*t));
	assert_non_null(t);
	t->b.w = w;
	t->b.root = r;
	t->width = r->family == FIB_IP4 ? 32 : 128;
	t->todo = calloc(w->g.fib.n_node + 1, sizeof(*t->todo));
	t->seen = calloc(w->g.fib.n_node + 1, sizeof(*t->seen));
	assert_true(t->todo && t->seen);
	for (u32 i = 0; i < n; i++)
		tour_element(t, (struct visit){(addr128)i << (128 - r->direct_bits), r->direct_bits,
					       w->g.fib.direct[r->direct_base + i]});
	batch_flush(&t->b);
	free(t->todo);
	free(t->seen);
	free(t);
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

/* What would be put into the source field of a packet. */
static void walk_port_addrs(struct walker *w)
{
	static const u8 none[16];

	assert_true(w->g.n_port_addr <= w->n_ports);
	for (u32 i = 0; i < w->g.n_port_addr; i++) {
		const struct dwcp_port_addr *a = &w->g.port_addr[i];

		w->ports[i]++;
		if (memcmp(a->addr4, none, 4) != 0)
			assert_true(a->addr4[0] != 0 && a->addr4[0] != 127 && a->addr4[0] < 224);
		if (memcmp(a->addr6, none, 16) != 0)
			assert_true(a->addr6[0] != 0xff &&
				    (a->addr6[0] != 0xfe || a->addr6[1] >> 6 != 2));
		if (memcmp(a->link_local, none, 16) != 0)
			assert_true(a->link_local[0] == 0xfe && a->link_local[1] >> 6 == 2);
	}
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
	walk_port_addrs(&w);
	walker_fini(&w);
}
