/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib.h - the builder's own record of the prefixes, one table a (vrf, family).
 *
 * A table has the same shape as what readers get: prefixes up to the direct bits live in one binary heap
 * (position 1 << len | first len bits), longer ones in multiway nodes that correspond one to one to the nodes
 * of the FIB. So a changed prefix names the node to render anew, and rendering needs nothing else than that
 * node and the slot it inherits from above.
 *
 * A node at depth d holds the prefixes of lengths d + 1 … d + 6 in a bitmap of heap positions 2 … 127, their
 * slots packed in the bitmap's order, and its children likewise: about 4 bytes a prefix plus 56 a node.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

#define RIB_STRIDE     DWCP_FIB_STRIDE
#define RIB_SLICES     (1u << RIB_STRIDE)
#define RIB_NONE       0xffffffffu
/* Depth of the deepest node's parents, and one: (128 - 12) / 6 rounded up. */
#define RIB_LEVELS_MAX 22

enum rib_flag {
	RIB_LIVE = 1,
	RIB_PENDING = 2, /* is on the pending list */
	RIB_KIDS = 4,	 /* the set of children changed */
	RIB_FRESH = 8,	 /* has a place in the FIB, but nothing in it yet */
};

struct rib_node {
	u64 own[2]; /* heap positions of the prefixes that end in this node */
	u64 kids;   /* slices that have a child */
	u32 slots;  /* run of words, one an own bit */
	u32 kid_ids;
	u32 inherit;  /* slot of the longest prefix that covers the whole node */
	u32 fib_node; /* its place in the FIB, RIB_NONE: not rendered yet */
	u16 n_leaf;   /* leaves it owns in the FIB */
	u8 n_kid;     /* size of its child block in the FIB */
	u8 flags;
	u32 reserved;
};

/* Packed small arrays, power-of-two capacities, one growing block. */
struct rib_words {
	u32 *mem;
	u32 n, cap;
	u32 free[8];
};

struct u32_vec {
	u32 *v;
	u32 n, cap;
};

struct rib_table {
	u32 vrf;
	u8 family;
	u8 max_len;
	u8 direct_bits;
	u8 rendered; /* has a range in the FIB's direct array */
	u32 direct_base;
	u64 n_prefix;
	u64 *top_own;  /* bitmap [2 << direct_bits] */
	u32 *top_slot; /* [2 << direct_bits] */
	u32 *eff;      /* [1 << direct_bits] slot of the longest top prefix, as last rendered */
	u32 *kid;      /* [1 << direct_bits] node id, 0: none */
	struct u32_vec pending; /* heap positions to render */
	u64 pending_span;	/* direct entries they cover */
};

struct rib {
	struct rib_table **table; /* sorted by (vrf, family) */
	u32 n_table;
	struct rib_node *node; /* id 0 is not used */
	u32 n_node, cap_node, free_node, n_live;
	struct rib_words words;
	struct u32_vec pending; /* node ids */
	/* A node went away: its places in the FIB are free. */
	void (*on_free)(void *arg, const struct rib_node *node, bool top);
	void *on_free_arg;
};

int u32_vec_push(struct u32_vec *v, u32 x);

void rib_init(struct rib *r);
void rib_fini(struct rib *r);
int rib_set(struct rib *r, const struct fib_prefix *p, u32 slot);
int rib_del(struct rib *r, const struct fib_prefix *p);
int rib_get(const struct rib *r, const struct fib_prefix *p, u32 *ret_slot);
int rib_match(const struct rib *r, u32 vrf, u8 family, const struct fib_addr *a,
	      struct fib_prefix *ret_prefix, u32 *ret_slot);
int rib_walk(const struct rib *r, int (*cb)(void *arg, const struct fib_prefix *p, u32 slot),
	     void *arg);
int rib_mark(struct rib *r, u32 id);
void rib_table_free(struct rib_table *t);

dwcp_inline bool rib_top_has(const struct rib_table *t, u32 pos)
{
	return t->top_own[pos >> 6] >> (pos & 63) & 1;
}

/* Ids of a node's children, in the order of their slices. */
dwcp_inline const u32 *rib_kid_ids(const struct rib *r, const struct rib_node *nd)
{
	return r->words.mem + nd->kid_ids;
}

dwcp_inline const u32 *rib_slots(const struct rib *r, const struct rib_node *nd)
{
	return r->words.mem + nd->slots;
}
