/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.h - one of the builder's arrays: elements of a fixed size, handed out in runs of 1 … 32, with a dirty
 * flag a chunk. Builder's thread only.
 *
 * Nothing is ever renumbered, and what is free is all zero. An allocation stays in the chunk that the one or the
 * release before it used as long as it can, so that a commit dirties few chunks. Bookkeeping is kept beside the
 * array, never inside it, because readers get the array as it is, unused elements included.
 */
#pragma once

#include <dwcp/base.h>

#define POOL_RUN_MAX 32
#define POOL_NONE    0xffffffffu
#define POOL_SLACK   32 /* one part in this many of a chunk is left free at first */

struct pool_chunk {
	u32 sizes; /* bit k - 1: a free run of k elements begins in this chunk */
	u32 n_free;
	u32 dirty;
	u32 head[POOL_RUN_MAX];
};

struct pool {
	u8 *mem;
	u32 *next; /* [cap] link of free runs, by their first element */
	struct pool_chunk *chunk;
	u32 elem_bytes;
	u32 chunk_shift; /* elements a chunk, log2 */
	u32 n, cap;
	u32 n_chunk;
	u32 n_free;
	u32 cur;       /* chunk to allocate in */
	bool in_order; /* append only: addresses follow allocations */
};

void pool_init(struct pool *p, u32 elem_bytes, u32 chunk_bytes);
void pool_fini(struct pool *p);
/** pool_reset() - forget every run and start over; the memory is kept, all that is written from now on is dirty. */
void pool_reset(struct pool *p);
/** pool_alloc() - a run of @n zeroed elements. Return: first index, POOL_NONE: no memory. */
u32 pool_alloc(struct pool *p, u32 n);
/** pool_extend() - @n zeroed elements at the end, any number. Return: first index, POOL_NONE: no memory. */
u32 pool_extend(struct pool *p, u32 n);
/** pool_release() - zero a run and keep it for pool_alloc(), which will prefer its chunk. */
void pool_release(struct pool *p, u32 base, u32 n);
/** pool_write() - store @n elements; chunks become dirty only where bytes differ. */
void pool_write(struct pool *p, u32 base, const void *src, u32 n);

dwcp_inline void *pool_at(const struct pool *p, u32 i)
{
	return p->mem + (size_t)i * p->elem_bytes;
}
