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

/* The keys of a burst that are still on their way. */
struct walk {
	u64 element[SCALAR_BURST];
	u32 i[SCALAR_BURST + 1]; /* in the burst */
	u32 n;
};

/* Where element @e continues; ~key >> @shift ends with the inverted slice. */
dwcp_inline u64 element_next(const struct fib_view *v, u64 e, u64 not_key, u32 shift)
{
	u32 at = (e & DWCP_FIB_INDEX) + __builtin_popcountll(e >> (32 | (not_key >> shift & 31))) -
		 1;

	return e & DWCP_FIB_LEAVES ? v->leaf[at] : v->node[at];
}

/*
 * Keep those whose element is a node; the others have their slot. A loop of its own: where it stores depends on
 * what was loaded, and in one loop with loads that miss the cache every later load would have to wait.
 */
dwcp_inline void walk_pack(struct walk *w, u32 *ret_slot)
{
	u32 stay = 0;

	for (u32 j = 0; j < w->n; j++) {
		u64 e = w->element[j];
		u32 i = w->i[j];

		ret_slot[i] = e;
		w->element[stay] = e;
		w->i[stay] = i;
		stay += e >> 63;
	}
	w->n = stay;
}

dwcp_inline void walk_direct(const u64 *direct, const u64 *not_key, u32 shift, struct walk *w,
			     u32 n)
{
	for (u32 i = 0; i < n; i++) {
		w->element[i] = direct[~not_key[i] >> shift];
		w->i[i] = i;
	}
	w->n = n;
}

dwcp_inline void walk_level(const struct fib_view *v, const u64 *not_key, u32 shift, struct walk *w)
{
	for (u32 j = 0; j < w->n; j++)
		w->element[j] = element_next(v, w->element[j], not_key[w->i[j]], shift);
}

/* What is a node past the end of the address comes from no builder: no route. */
dwcp_inline void walk_end(const struct walk *w, u32 *ret_slot)
{
	for (u32 j = 0; j < w->n; j++)
		ret_slot[w->i[j]] = 0;
}

dwcp_inline void burst4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			u32 *ret_slot, u32 n)
{
	u64 not_key[SCALAR_BURST];
	struct walk w;

	for (u32 i = 0; i < n; i++)
		not_key[i] = ~((u64)dst[i] << 32);
	walk_direct(v->direct + root->direct_base, not_key, 64 - root->direct_bits, &w, n);
	walk_pack(&w, ret_slot);
	for (u32 depth = root->direct_bits; w.n && depth < 32; depth += DWCP_FIB_STRIDE) {
		walk_level(v, not_key, 64 - DWCP_FIB_STRIDE - depth, &w);
		walk_pack(&w, ret_slot);
	}
	walk_end(&w, ret_slot);
}

/* The 64 bits at @depth ≥ 1; past the end 0. */
dwcp_inline u64 window(const struct fib_addr *a, u32 depth)
{
	return depth < 64 ? a->hi << depth | a->lo >> (64 - depth) : a->lo << (depth - 64);
}

dwcp_inline void burst6(const struct fib_view *v, const struct dwcp_fib_root *root,
			const struct fib_addr *dst, u32 *ret_slot, u32 n)
{
	u64 not_key[SCALAR_BURST];
	struct walk w;
	u32 base = 0;

	for (u32 i = 0; i < n; i++)
		not_key[i] = ~dst[i].hi;
	walk_direct(v->direct + root->direct_base, not_key, 64 - root->direct_bits, &w, n);
	walk_pack(&w, ret_slot);
	for (u32 depth = root->direct_bits; w.n && depth < 128; depth += DWCP_FIB_STRIDE) {
		if (depth + DWCP_FIB_STRIDE > base + 64) {
			base = depth;
			for (u32 j = 0; j < w.n; j++)
				not_key[w.i[j]] = ~window(&dst[w.i[j]], depth);
		}
		walk_level(v, not_key, base + 64 - DWCP_FIB_STRIDE - depth, &w);
		walk_pack(&w, ret_slot);
	}
	walk_end(&w, ret_slot);
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
