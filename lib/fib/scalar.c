/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scalar.c - lookup of a burst, portable. Worker threads; no state.
 *
 * A burst goes down level by level, so that the loads of one level overlap. The keys that go on are kept in a
 * packed list written without branches: whether a key ends at this level is not predictable.
 */
#include "lookup.h"

#define BURST 64

struct walk {
	u32 idx; /* of a node, then of a leaf */
	u32 i;	 /* in the burst */
};

/* One level. Keys that end go to @done, the others stay, packed. @key: [n of the burst] the next 64 bits.
 * Return: how many stay. */
dwcp_inline u32 level(const struct dwcp_fib_node *node, const u64 *key, u32 shift, struct walk *w,
		      u32 n, struct walk *done, u32 *n_done)
{
	u32 stay = 0, end = *n_done;

	for (u32 j = 0; j < n; j++) {
		const struct dwcp_fib_node *nd = &node[w[j].idx];
		u32 i = w[j].i;
		u32 up = ~(u32)(key[i] >> shift) & 63;
		u64 child = nd->child_bits << up;
		u64 is_child = child >> 63;

		done[end].idx = nd->leaf_base + __builtin_popcountll(nd->leaf_bits << up);
		done[end].i = i;
		w[stay].idx = nd->child_base + __builtin_popcountll(child) - 1;
		w[stay].i = i;
		stay += is_child;
		end += is_child ^ 1;
	}
	*n_done = end;
	return stay;
}

dwcp_inline u32 direct(const u32 *entry, const u64 *key, u32 shift, u32 *ret_slot, struct walk *w,
		       u32 n)
{
	u32 stay = 0;

	for (u32 i = 0; i < n; i++) {
		u32 e = entry[key[i] >> shift];

		ret_slot[i] = e;
		w[stay].idx = e & ~DWCP_FIB_NODE;
		w[stay].i = i;
		stay += e >> 31;
	}
	return stay;
}

dwcp_inline void finish(const u32 *leaf, const struct walk *done, u32 n_done, const struct walk *w,
			u32 n, u32 *ret_slot)
{
	for (u32 j = 0; j < n_done; j++)
		ret_slot[done[j].i] = leaf[done[j].idx];
	/* Only a table that no builder makes has children past the end of the address. */
	for (u32 j = 0; j < n; j++)
		ret_slot[w[j].i] = 0;
}

static void burst4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
		   u32 *ret_slot, u32 n)
{
	struct walk w[BURST + 1], done[BURST + 1];
	u64 key[BURST];
	u32 n_done = 0;

	for (u32 i = 0; i < n; i++)
		key[i] = (u64)dst[i] << 32;
	n = direct(v->direct + root->direct_base, key, 64 - root->direct_bits, ret_slot, w, n);
	for (u32 depth = root->direct_bits; n && depth < 32; depth += DWCP_FIB_STRIDE)
		n = level(v->node, key, 64 - DWCP_FIB_STRIDE - depth, w, n, done, &n_done);
	finish(v->leaf, done, n_done, w, n, ret_slot);
}

void fib_lookup4_scalar(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			u32 *ret_slot, unsigned int n)
{
	for (unsigned int at = 0; at < n; at += BURST)
		burst4(v, root, dst + at, ret_slot + at, DWCP_MIN(n - at, BURST));
}

/* The 64 bits at @depth ≥ 1; past the end 0. */
dwcp_inline u64 window(const struct fib_addr *a, u32 depth)
{
	return depth < 64 ? a->hi << depth | a->lo >> (64 - depth) : a->lo << (depth - 64);
}

static void burst6(const struct fib_view *v, const struct dwcp_fib_root *root,
		   const struct fib_addr *dst, u32 *ret_slot, u32 n)
{
	struct walk w[BURST + 1], done[BURST + 1];
	u64 key[BURST];
	u32 n_done = 0;
	u32 depth = root->direct_bits, base = 0;

	for (u32 i = 0; i < n; i++)
		key[i] = dst[i].hi;
	n = direct(v->direct + root->direct_base, key, 64 - root->direct_bits, ret_slot, w, n);
	for (; n && depth < 128; depth += DWCP_FIB_STRIDE) {
		if (depth - base > 64 - DWCP_FIB_STRIDE) {
			base = depth;
			for (u32 j = 0; j < n; j++)
				key[w[j].i] = window(&dst[w[j].i], depth);
		}
		n = level(v->node, key, 64 - DWCP_FIB_STRIDE - (depth - base), w, n, done, &n_done);
	}
	finish(v->leaf, done, n_done, w, n, ret_slot);
}

void fib_lookup6_scalar(const struct fib_view *v, const struct dwcp_fib_root *root,
			const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	for (unsigned int at = 0; at < n; at += BURST)
		burst6(v, root, dst + at, ret_slot + at, DWCP_MIN(n - at, BURST));
}
