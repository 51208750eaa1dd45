/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scalar.h - the portable lookup of a burst, as inline code: scalar.c and avx2.c compile it for different CPUs.
 * Worker threads; no state.
 *
 * A burst goes down level by level, so that the loads of one level overlap. The keys that go on are kept in a
 * list packed without branches: whether a key ends at this level is not predictable.
 */
#pragma once

#include "lookup.h"

#define SCALAR_BURST 64

struct walk {
	u64 element;
	u32 i; /* in the burst */
};

/* Where element @e continues; ~@key >> @shift ends with the inverted slice. */
dwcp_inline u64 element_next(const struct fib_view *v, u64 e, u64 not_key, u32 shift)
{
	u32 at = (e & DWCP_FIB_INDEX) + __builtin_popcountll(e >> (32 | (not_key >> shift & 31))) -
		 1;

	return e & DWCP_FIB_LEAVES ? v->leaf[at] : v->node[at];
}

/* One level. Elements are slots when they are not nodes. Return: how many go on. */
dwcp_inline u32 level(const struct fib_view *v, const u64 *not_key, u32 shift, struct walk *w,
		      u32 n, u32 *ret_slot)
{
	u32 stay = 0;

	for (u32 j = 0; j < n; j++) {
		u32 i = w[j].i;
		u64 e = element_next(v, w[j].element, not_key[i], shift);

		ret_slot[i] = e;
		w[stay] = (struct walk){e, i};
		stay += e >> 63;
	}
	return stay;
}

dwcp_inline u32 level_direct(const u64 *direct, const u64 *not_key, u32 shift, struct walk *w,
			     u32 n, u32 *ret_slot)
{
	u32 stay = 0;

	for (u32 i = 0; i < n; i++) {
		u64 e = direct[~not_key[i] >> shift];

		ret_slot[i] = e;
		w[stay] = (struct walk){e, i};
		stay += e >> 63;
	}
	return stay;
}

/* What is a node past the end of the address comes from no builder: no route. */
dwcp_inline void walk_end(const struct walk *w, u32 n, u32 *ret_slot)
{
	for (u32 j = 0; j < n; j++)
		ret_slot[w[j].i] = 0;
}

dwcp_inline void burst4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			u32 *ret_slot, u32 n)
{
	struct walk w[SCALAR_BURST + 1];
	u64 not_key[SCALAR_BURST];

	for (u32 i = 0; i < n; i++)
		not_key[i] = ~((u64)dst[i] << 32);
	n = level_direct(v->direct + root->direct_base, not_key, 64 - root->direct_bits, w, n,
			 ret_slot);
	for (u32 depth = root->direct_bits; n && depth < 32; depth += DWCP_FIB_STRIDE)
		n = level(v, not_key, 64 - DWCP_FIB_STRIDE - depth, w, n, ret_slot);
	walk_end(w, n, ret_slot);
}

/* The 64 bits at @depth ≥ 1; past the end 0. */
dwcp_inline u64 window(const struct fib_addr *a, u32 depth)
{
	return depth < 64 ? a->hi << depth | a->lo >> (64 - depth) : a->lo << (depth - 64);
}

dwcp_inline void burst6(const struct fib_view *v, const struct dwcp_fib_root *root,
			const struct fib_addr *dst, u32 *ret_slot, u32 n)
{
	struct walk w[SCALAR_BURST + 1];
	u64 not_key[SCALAR_BURST];
	u32 base = 0;

	for (u32 i = 0; i < n; i++)
		not_key[i] = ~dst[i].hi;
	n = level_direct(v->direct + root->direct_base, not_key, 64 - root->direct_bits, w, n,
			 ret_slot);
	for (u32 depth = root->direct_bits; n && depth < 128; depth += DWCP_FIB_STRIDE) {
		if (depth + DWCP_FIB_STRIDE > base + 64) {
			base = depth;
			for (u32 j = 0; j < n; j++)
				not_key[w[j].i] = ~window(&dst[w[j].i], depth);
		}
		n = level(v, not_key, base + 64 - DWCP_FIB_STRIDE - depth, w, n, ret_slot);
	}
	walk_end(w, n, ret_slot);
}

dwcp_inline void lookup4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			 u32 *ret_slot, unsigned int n)
{
	for (unsigned int at = 0; at < n; at += SCALAR_BURST)
		burst4(v, root, dst + at, ret_slot + at, DWCP_MIN(n - at, SCALAR_BURST));
}

dwcp_inline void lookup6(const struct fib_view *v, const struct dwcp_fib_root *root,
			 const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	for (unsigned int at = 0; at < n; at += SCALAR_BURST)
		burst6(v, root, dst + at, ret_slot + at, DWCP_MIN(n - at, SCALAR_BURST));
}
