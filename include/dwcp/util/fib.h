/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib.h - longest-prefix match: the builder (heap, agent or CLI thread) and the readers (any worker).
 *
 * The reader's tables are four flat arrays of fixed-size elements (abi/fib.h), position independent:
 * indices, never pointers. An array is cut into chunks of a fixed number of bytes, each published as a sealed
 * segment, so one changed route dirties a few chunks and not the table. Every element of an array is safe
 * on its own: any index inside the array, used or not, leads to indices inside the arrays. Therefore one
 * chunk can be validated without looking at another (fib_chunk_check), and a whole table by comparing the
 * largest indices with the sizes (fib_facts).
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
	FIB_LEAF, /* u32 next-hop slots */
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

/** fib_root_find() - the root of (vrf, family). Return: NULL when the table has none. Thread: any. */
const struct dwcp_fib_root *fib_root_find(const struct fib_view *v, u32 vrf, u8 family);

/**
 * fib_lookup4() - next-hop slots for a burst of IPv4 destinations.
 * @dst: [n] host order. @ret_slot: [n] u32, slot 0 = no route.
 * Thread: any. Allocates: no. Chosen at load time for the CPU (scalar, AVX2, AVX-512); all give the same answer.
 */
void fib_lookup4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
		 u32 *ret_slot, unsigned int n);
void fib_lookup6(const struct fib_view *v, const struct dwcp_fib_root *root,
		 const struct fib_addr *dst, u32 *ret_slot, unsigned int n);

/**
 * fib_chunk_check() - is every element of a chunk safe, whatever the other chunks hold?
 * @array: which array the chunk belongs to. @bytes/@len: the chunk, exactly; len is a multiple of the element size.
 * @facts: maxima, raised (never lowered) on success only.
 * Return: NULL, or a static string naming what is wrong (a reason token, e.g. "fib_node_child_overflow").
 */
const char *fib_chunk_check(enum fib_array array, const void *bytes, size_t len,
			    struct fib_facts *facts);

/** fib_facts_check() - do the arrays hold all that their elements refer to? Return: NULL or the reason token. */
const char *fib_facts_check(const struct fib_facts *facts, const struct fib_view *sizes,
			    u32 n_slots);

/* ---- builder: one thread ------------------------------------------------------------------------------- */

struct fib_builder;

struct fib_builder_cfg {
	u32 chunk_bytes; /* dirty granularity; power of two, ≥ 4096 */
};

struct fib_builder *fib_builder_create(const struct fib_builder_cfg *cfg);
void fib_builder_free(struct fib_builder *b);

/** fib_builder_set() - add or replace one prefix. Return: 0, -EINVAL, -ENOMEM, -ENOSPC. */
int fib_builder_set(struct fib_builder *b, const struct fib_prefix *p, u32 slot);
/** fib_builder_del() - Return: 0, -ENOENT. */
int fib_builder_del(struct fib_builder *b, const struct fib_prefix *p);
/** fib_builder_get() - exact match. Return: 0 and *ret_slot, or -ENOENT. */
int fib_builder_get(const struct fib_builder *b, const struct fib_prefix *p, u32 *ret_slot);
/** fib_builder_match() - longest match, straight from the prefixes (not from the arrays). 0 or -ENOENT. */
int fib_builder_match(const struct fib_builder *b, u32 vrf, u8 family, const struct fib_addr *a,
		      struct fib_prefix *ret_prefix, u32 *ret_slot);
/** fib_builder_each() - every prefix in address order (shorter first); stops when cb returns nonzero and returns it. */
int fib_builder_each(const struct fib_builder *b,
		     int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg);
u64 fib_builder_count(const struct fib_builder *b, u8 family);

/** fib_builder_commit() - bring the arrays up to date with the prefixes. Cost: by what changed, or one bulk build. */
int fib_builder_commit(struct fib_builder *b);
/** fib_builder_array() - bytes of an array after commit; valid until the next set/del/commit. */
const void *fib_builder_array(const struct fib_builder *b, enum fib_array a, size_t *ret_bytes);
/** fib_builder_dirty() - did commit change this chunk since fib_builder_clean()? */
bool fib_builder_dirty(const struct fib_builder *b, enum fib_array a, size_t chunk);
void fib_builder_clean(struct fib_builder *b);
/** fib_builder_view() - the arrays as a reader sees them. */
void fib_builder_view(const struct fib_builder *b, struct fib_view *ret_view);
