/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trie.h - the builder's own record of the prefixes, one table a (vrf, family). One thread.
 *
 * A table has the same shape as what readers get: prefixes up to the direct bits live in one binary heap
 * (position 1 << len | first len bits), longer ones in multiway nodes that correspond one to one to the nodes
 * of the FIB. So a changed prefix names the node to render anew, and rendering needs nothing else than that
 * node and the slot it inherits from above.
 *
 * A node at depth d holds the prefixes of lengths d + 1 … d + 5 in a bitmap of heap positions 2 … 63, their
 * slots packed in the bitmap's order, and its children likewise: about 5 bytes a prefix plus 48 a node.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

#include "words.h"

#define TRIE_DIRECT_BITS_MAX 19
#define TRIE_STRIDE	     DWCP_FIB_STRIDE
#define TRIE_SLICES	     (1u << TRIE_STRIDE)
#define TRIE_NONE	     0xffffffffu
/* From the fewest direct bits, 8, to 128. */
#define TRIE_LEVELS_MAX	     24

enum trie_flag {
	TRIE_LIVE = 1,
	TRIE_PENDING = 2, /* is on the pending list */
	TRIE_TOP = 4,	  /* its element is in the direct array, not in the node array */
	TRIE_LEAVES = 8,  /* its run is in the leaf array */
};

struct trie_node {
	u64 own;     /* heap positions of the prefixes that end in this node */
	u32 kids;    /* slices that have a child */
	u32 slots;   /* words: one an own bit */
	u32 kid_ids; /* words: one a child */
	u32 inherit; /* slot of the longest prefix that covers the whole node */
	u64 element; /* in the FIB, as last rendered */
	u32 place;   /* index of its element, TRIE_NONE: not rendered yet */
	u32 run;     /* index of its run */
	u16 n_run;   /* elements allocated for it, 0: none */
	u16 flags;
	u32 reserved;
};

struct u32_vec {
	u32 *v;
	u32 n, cap;
};

struct trie_table {
	u32 vrf;
	u8 family;
	u8 max_len;
	u8 direct_bits;
	u8 rendered; /* has a range in the FIB's direct array */
	u32 direct_base;
	u64 n_prefix;
	u64 *top_own;		/* bitmap [2 << direct_bits] */
	u32 *top_slot;		/* [2 << direct_bits] */
	u32 *kid;		/* [1 << direct_bits] node id, 0: none */
	struct u32_vec pending; /* heap positions to render */
	u64 pending_span;	/* direct entries they cover */
};

struct trie {
	struct trie_table **table; /* sorted by (vrf, family) */
	u32 n_table;
	struct trie_node *node; /* id 0 is not used */
	u32 n_node, cap_node, free_node, n_live;
	struct fib_words words;
	struct u32_vec pending; /* node ids */
	/* A node goes away: its places in the FIB become free. */
	void (*on_free)(void *arg, struct trie_node *node);
	/* A table leaves its range of the direct array. */
	void (*on_drop)(void *arg, const struct trie_table *t);
	void *on_free_arg;
};

int u32_vec_push(struct u32_vec *v, u32 x);

void trie_init(struct trie *r);
void trie_fini(struct trie *r);
int trie_set(struct trie *r, const struct fib_prefix *p, u32 slot);
int trie_del(struct trie *r, const struct fib_prefix *p);
int trie_get(const struct trie *r, const struct fib_prefix *p, u32 *ret_slot);
int trie_match(const struct trie *r, u32 vrf, u8 family, const struct fib_addr *a,
	       struct fib_prefix *ret_prefix, u32 *ret_slot);
int trie_each(const struct trie *r, int (*cb)(void *arg, const struct fib_prefix *p, u32 slot),
	      void *arg);
/** trie_settle() - drop empty tables, give every table the direct bits that suit its size. Return: 0, -ENOMEM. */
int trie_settle(struct trie *r);

/* ---- for trie_each.c ----------------------------------------------------------------------------------- */

struct trie_table *trie_table_find(const struct trie *r, u32 vrf, u8 family);
int trie_table_each(const struct trie *r, const struct trie_table *t,
		    int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg);

dwcp_inline bool trie_top_has(const struct trie_table *t, u32 pos)
{
	return t->top_own[pos >> 6] >> (pos & 63) & 1;
}

dwcp_inline bool bits_has(u64 bits, u32 i)
{
	return bits >> i & 1;
}

/* Bits set below bit @i. */
dwcp_inline u32 bits_rank(u64 bits, u32 i)
{
	return __builtin_popcountll(bits & ((1ull << i) - 1));
}

dwcp_inline u32 trie_own_count(const struct trie_node *nd)
{
	return __builtin_popcountll(nd->own);
}

dwcp_inline u32 trie_kid_count(const struct trie_node *nd)
{
	return __builtin_popcount(nd->kids);
}

/* Ids of a node's children, in the order of their slices. */
dwcp_inline const u32 *trie_kid_ids(const struct trie *r, const struct trie_node *nd)
{
	return r->words.mem + nd->kid_ids;
}

/* Slots of a node's prefixes, in the order of their positions. */
dwcp_inline const u32 *trie_slots(const struct trie *r, const struct trie_node *nd)
{
	return r->words.mem + nd->slots;
}

/* The child at slice @v. Return: its id, 0: none. */
dwcp_inline u32 trie_kid(const struct trie *r, const struct trie_node *nd, u32 v)
{
	return bits_has(nd->kids, v) ? trie_kid_ids(r, nd)[bits_rank(nd->kids, v)] : 0;
}
