/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - validates chunks that somebody else wrote. Control threads.
 *
 * The dataplane trusts nothing but what is checked here: a chunk is judged by its own bytes, and what its
 * elements refer to is summed up in fib_facts, which are compared with the sizes of the arrays once all chunks
 * are known. Sums are made in 64 bits, so they can't wrap into range.
 */
#include <assert.h>
#include <string.h>

#include "check.h"
#include <dwcp/util/fib.h>

static u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}

static const char *root_check(const struct dwcp_fib_root *r, struct fib_facts *f)
{
	static const struct dwcp_fib_root unused;

	if (!FIB_CHECK(FIB_CHECK_ROOT_RESERVED, !r->reserved0 && !r->reserved1))
		return "fib_root_reserved";
	if (r->family == 0)
		return FIB_CHECK(FIB_CHECK_ROOT_UNUSED, memcmp(r, &unused, sizeof(*r)) == 0)
			       ? NULL
			       : "fib_root_unused";
	if (!FIB_CHECK(FIB_CHECK_ROOT_FAMILY, r->family == FIB_IP4 || r->family == FIB_IP6))
		return "fib_root_family";
	if (!FIB_CHECK(FIB_CHECK_ROOT_BITS,
		       r->direct_bits >= 1 && r->direct_bits <= DWCP_FIB_DIRECT_BITS_MAX))
		return "fib_root_bits";
	f->need_direct = max_u64(f->need_direct, r->direct_base + (1ull << (r->direct_bits & 63)));
	return NULL;
}

/* Strictly ascending, unused entries last. */
static bool root_ordered(const struct dwcp_fib_root *a, const struct dwcp_fib_root *b)
{
	if (!b->family)
		return true;
	if (!a->family)
		return false;
	return a->vrf < b->vrf || (a->vrf == b->vrf && a->family < b->family);
}

static const char *roots_check(const struct dwcp_fib_root *r, size_t n, struct fib_facts *f)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = root_check(&r[i], f);

		if (why)
			return why;
		if (i && !FIB_CHECK(FIB_CHECK_ROOT_ORDER, root_ordered(&r[i - 1], &r[i])))
			return "fib_root_order";
	}
	return NULL;
}

static const char *element_check(u64 e, struct fib_facts *f)
{
	u64 need = (e & DWCP_FIB_INDEX) + (u64)dwcp_fib_n_runs(e);

	if (!dwcp_fib_is_node(e)) {
		if (!FIB_CHECK(FIB_CHECK_ELEMENT_SLOT, e <= DWCP_FIB_INDEX))
			return "fib_element_slot";
		f->max_slot = DWCP_MAX(f->max_slot, (u32)e);
	} else if (e & DWCP_FIB_LEAVES) {
		if (!FIB_CHECK(FIB_CHECK_ELEMENT_LEAF, e & DWCP_FIB_INDEX))
			return "fib_element_leaf";
		f->need_leaf = max_u64(f->need_leaf, need);
	} else {
		f->need_node = max_u64(f->need_node, need);
	}
	return NULL;
}

/* ---- elements that are as they should be, many at a time ------------------------------------------------------- */

/* Compiled for vectors, too: a table of 12 MB has a million elements, and this is most of its check. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MANY __attribute__((target_clones("avx2", "default")))
#else
#define MANY
#endif

#define BLOCK 64u

struct element_max {
	u32 slot, leaf, node; /* largest index of each kind; 0: none */
	u32 wrong;	      /* not 0: look at each by itself */
};

/* All ones or all zeros. */
dwcp_inline u32 top_bit(u32 x)
{
	return (u32)((s32)x >> 31);
}

MANY static void elements_max(const u64 *e, size_t n, struct element_max *ret)
{
	u32 slot = 0, leaf = 0, node = 0, wrong = 0;

	for (size_t i = 0; i < n; i++) {
		u32 low = (u32)e[i], high = (u32)(e[i] >> 32), index = low & DWCP_FIB_INDEX;
		u32 is_node = top_bit(high), has_leaves = is_node & top_bit(low);

		wrong |= ~is_node & (high | (low ^ index));
		wrong |= has_leaves & -(u32)(index == 0);
		slot = DWCP_MAX(slot, ~is_node & index);
		leaf = DWCP_MAX(leaf, has_leaves & index);
		node = DWCP_MAX(node, is_node & ~has_leaves & index);
	}
	*ret = (struct element_max){slot, leaf, node, wrong};
}

/* Has one of them an index that may reach further than all others? */
MANY static u32 block_reaches(const u64 *e, u32 leaf_from, u32 node_from)
{
	u32 any = 0;

	for (u32 i = 0; i < BLOCK; i++) {
		u32 low = (u32)e[i], high = (u32)(e[i] >> 32), index = low & DWCP_FIB_INDEX;
		u32 has_leaves = top_bit(low);
		u32 from = (has_leaves & leaf_from) | (~has_leaves & node_from);

		any |= top_bit(high) & -(u32)(index >= from);
	}
	return any;
}

static void reach_add(u64 e, struct fib_facts *f)
{
	u64 need = (e & DWCP_FIB_INDEX) + (u64)dwcp_fib_n_runs(e);

	if (!dwcp_fib_is_node(e))
		return;
	if (e & DWCP_FIB_LEAVES)
		f->need_leaf = max_u64(f->need_leaf, need);
	else
		f->need_node = max_u64(f->need_node, need);
}

/* Of a node with the largest index, and of those so near before it that more runs may reach further. */
static u32 reach_from(u32 largest)
{
	return largest > 31 ? largest - 31 : 0;
}

/* Return: false when one of them may be wrong; then @f is not written. */
static bool elements_pass(const u64 *e, size_t n, struct fib_facts *f)
{
	struct element_max max;
	u32 leaf_from, node_from;
	size_t i = 0;

	elements_max(e, n, &max);
	if (max.wrong)
		return false;
	f->max_slot = DWCP_MAX(f->max_slot, max.slot);
	leaf_from = reach_from(max.leaf);
	node_from = reach_from(max.node);
	for (; i + BLOCK <= n; i += BLOCK) {
		if (!block_reaches(e + i, leaf_from, node_from))
			continue;
		for (u32 k = 0; k < BLOCK; k++)
			reach_add(e[i + k], f);
	}
	for (; i < n; i++)
		reach_add(e[i], f);
	return true;
}

static const char *elements_check(const u64 *e, size_t n, struct fib_facts *f)
{
	if (dwcp_likely(elements_pass(e, n, f)))
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *why = element_check(e[i], f);

		if (why)
			return why;
	}
	return NULL;
}

/* Every value of a leaf is a slot. */
static void leaves_check(const u32 *leaf, size_t n, struct fib_facts *f)
{
	u32 slot = f->max_slot;

	for (size_t i = 0; i < n; i++)
		slot = DWCP_MAX(slot, leaf[i]);
	f->max_slot = slot;
}

const char *fib_chunk_check(enum fib_array array, const void *bytes, size_t len,
			    struct fib_facts *facts)
{
	static const u8 elem_bytes[FIB_N_ARRAYS] = {
		[FIB_ROOT] = sizeof(struct dwcp_fib_root),
		[FIB_DIRECT] = sizeof(u64),
		[FIB_NODE] = sizeof(u64),
		[FIB_LEAF] = sizeof(u32),
	};
	struct fib_facts f = *facts;
	const char *why = NULL;
	size_t n;

	assert((unsigned int)array < FIB_N_ARRAYS);
	if (!FIB_CHECK(FIB_CHECK_LEN, len % elem_bytes[array] == 0))
		return "fib_chunk_len";
	n = len / elem_bytes[array];
	if (array == FIB_ROOT)
		why = roots_check(bytes, n, &f);
	else if (array == FIB_LEAF)
		leaves_check(bytes, n, &f);
	else
		why = elements_check(bytes, n, &f);
	if (!why)
		*facts = f;
	return why;
}

const char *fib_facts_check(const struct fib_facts *facts, const struct fib_view *sizes,
			    u32 n_slots)
{
	if (!FIB_CHECK(FIB_CHECK_NEED_DIRECT, facts->need_direct <= sizes->n_direct))
		return "fib_direct_missing";
	if (!FIB_CHECK(FIB_CHECK_NEED_NODE, facts->need_node <= sizes->n_node))
		return "fib_node_missing";
	if (!FIB_CHECK(FIB_CHECK_NEED_LEAF, facts->need_leaf <= sizes->n_leaf))
		return "fib_leaf_missing";
	if (!FIB_CHECK(FIB_CHECK_MAX_SLOT, facts->max_slot < n_slots))
		return "fib_slot_missing";
	return NULL;
}
