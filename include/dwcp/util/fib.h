/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib.h - longest-prefix match: the builder (heap, agent or CLI thread) and the readers (any worker).
 *
 * The reader's tables are four flat arrays of fixed-size elements (abi/fib.h), position independent:
 * indices, never pointers. An array is cut into chunks of a fixed number of bytes, each published as a sealed
 * segment, so one changed route dirties a few chunks and not the table. Every element of an array is safe
 * on its own: any index inside the array, used or not, leads to indices inside the arrays. Therefore one
 * chunk can be validated without looking at another (fib_chunk_check), and a whole table by comparing the
 * largest indices with the sizes (fib_facts). What is not used is zero, so no stale slot lingers anywhere.
 *
 * Leaves are u32 slots of the `nexthop` section; slot 0 is "no route".
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/abi/fib.h>

enum fib_array {
	FIB_ROOT,   /* directory: (vrf, family) → direct table */
	FIB_DIRECT, /* u64 elements, indexed by the first bits of the address */
	FIB_NODE,   /* u64 elements */
	FIB_LEAF,   /* u32 next-hop slots */
	FIB_N_ARRAYS
};

enum fib_family { FIB_IP4 = 4, FIB_IP6 = 6 };

/* Host order; IPv4 in the low 32 bits of .lo, .hi = 0. */
struct fib_addr {
	u64 hi, lo;
};

struct fib_prefix {
	struct fib_addr addr; /* bits past len must be 0 */
	u32 vrf;
	u8 family; /* enum fib_family */
	u8 len;
};

struct fib_view {
	const struct dwcp_fib_root *root;
	const u64 *direct;
	const u64 *node;
	const u32 *leaf;
	u32 n_root, n_direct, n_node, n_leaf;
};

/* What validation of chunks has found, to be compared across arrays. Merge by taking the maximum of each. */
struct fib_facts {
	u64 need_direct, need_node, need_leaf; /* elements that must exist: largest index + 1 */
	u32 max_slot; /* largest next-hop slot named by a leaf or direct entry */
};

/**
 * fib_root_find() - the root of (vrf, family).
 *
 * @v: borrowed; the result points into v->root.
 *
 * Thread: any. Allocates: no. Cost: O(log n_root); once a burst is enough.
 * Return: NULL when the table has none.
 */
const struct dwcp_fib_root *fib_root_find(const struct fib_view *v, u32 vrf, u8 family);

/**
 * fib_lookup4() - next-hop slots for a burst of IPv4 destinations.
 *
 * @root:     from fib_root_find() of the same view; NULL: every answer is slot 0.
 * @dst:      [n] host order.
 * @ret_slot: [n] slot 0 = no route. May not overlap @dst.
 * @n:        any; multiples of 32 are fastest.
 *
 * The code is chosen for the CPU when the program starts (scalar, AVX2, AVX-512); all give the same answer. The
 * view must have been validated: nothing is checked here.
 *
 * Thread: any. Allocates: no. Cost: see docs/decisions/0001-fib-format.md.
 */
void fib_lookup4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
		 u32 *ret_slot, unsigned int n);

/** fib_lookup6() - the same for IPv6. */
void fib_lookup6(const struct fib_view *v, const struct dwcp_fib_root *root,
		 const struct fib_addr *dst, u32 *ret_slot, unsigned int n);

/**
 * fib_chunk_check() - is every element of a chunk safe, whatever the other chunks hold?
 *
 * @array: which array the chunk belongs to.
 * @bytes: [len] the chunk, aligned to the element size.
 * @len:   exactly; a multiple of the element size, or it is refused.
 * @facts: maxima, raised (never lowered) on success only.
 *
 * Thread: any. Allocates: no. Cost: about 0.2 ns a byte.
 * Return: NULL, or a static string naming what is wrong (a reason token, e.g. "fib_element_slot").
 */
const char *fib_chunk_check(enum fib_array array, const void *bytes, size_t len,
			    struct fib_facts *facts);

/**
 * fib_facts_check() - do the arrays hold all that their elements refer to?
 *
 * @facts:   of all chunks of all four arrays.
 * @sizes:   only the counts are looked at.
 * @n_slots: entries of the `nexthop` section.
 *
 * Thread: any. Allocates: no.
 * Return: NULL or the reason token.
 */
const char *fib_facts_check(const struct fib_facts *facts, const struct fib_view *sizes,
			    u32 n_slots);

/* ---- builder: one thread ------------------------------------------------------------------------------- */

struct fib_builder;

struct fib_builder_cfg {
	u32 chunk_bytes; /* dirty granularity; power of two, ≥ 4096 */
};

/**
 * fib_builder_create() - an empty builder.
 *
 * Return: owned, for fib_builder_free(); NULL: out of memory, or chunk_bytes is not as it has to be.
 */
struct fib_builder *fib_builder_create(const struct fib_builder_cfg *cfg);
void fib_builder_free(struct fib_builder *b);

/**
 * fib_builder_set() - add or replace one prefix.
 *
 * @p:    bits past len must be 0.
 * @slot: ≤ DWCP_FIB_INDEX; 0 is a prefix whose answer is "no route".
 *
 * Cost: on a full table about 70 ns in address order, 250 ns in any other.
 * Return: 0; -EINVAL (prefix or slot); -ENOMEM, and nothing has changed.
 */
int fib_builder_set(struct fib_builder *b, const struct fib_prefix *p, u32 slot);

/** fib_builder_del() - take one prefix away. Return: 0; -ENOENT; -ENOMEM, and nothing has changed. */
int fib_builder_del(struct fib_builder *b, const struct fib_prefix *p);

/** fib_builder_get() - exact match among the prefixes. Return: 0 and *ret_slot, or -ENOENT. */
int fib_builder_get(const struct fib_builder *b, const struct fib_prefix *p, u32 *ret_slot);

/** fib_builder_match() - longest match, straight from the prefixes (not from the arrays). 0 or -ENOENT. */
int fib_builder_match(const struct fib_builder *b, u32 vrf, u8 family, const struct fib_addr *a,
		      struct fib_prefix *ret_prefix, u32 *ret_slot);

/**
 * fib_builder_each() - every prefix by vrf, family, address, shorter first.
 *
 * @cb: must not change the builder; nonzero stops.
 *
 * Return: what the last cb returned.
 */
int fib_builder_each(const struct fib_builder *b,
		     int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg);

/** fib_builder_count() - prefixes of a family in all VRFs. */
u64 fib_builder_count(const struct fib_builder *b, u8 family);

/**
 * fib_builder_commit() - bring the arrays up to date with the prefixes.
 *
 * Renders what has changed; lays everything out afresh when that is much (a quarter of the nodes), when a third of
 * an array has become free, or after a failure. Laid out afresh, the arrays depend on the set of prefixes alone.
 *
 * Cost: about 1 µs a changed route, more for a short prefix by what it covers; afresh 50 ms for a full table.
 * Return: 0; -ENOMEM: the arrays are worthless until a commit succeeds, the prefixes are as they were.
 */
int fib_builder_commit(struct fib_builder *b);

/**
 * fib_builder_array() - an array as of the last commit.
 *
 * Return: borrowed, valid until the next set, del or commit; NULL or anything if *ret_bytes is 0.
 */
const void *fib_builder_array(const struct fib_builder *b, enum fib_array a, size_t *ret_bytes);

/** fib_builder_dirty() - did a commit change this chunk since fib_builder_clean()? New chunks are dirty. */
bool fib_builder_dirty(const struct fib_builder *b, enum fib_array a, size_t chunk);
void fib_builder_clean(struct fib_builder *b);

/** fib_builder_view() - the arrays as a reader sees them; as long-lived as fib_builder_array()'s. */
void fib_builder_view(const struct fib_builder *b, struct fib_view *ret_view);
