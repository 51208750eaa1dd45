/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c - see pool.h. */
#include <stdlib.h>
#include <string.h>

#include "pool.h"

void pool_init(struct pool *p, u32 elem_bytes, u32 chunk_bytes)
{
	*p = (struct pool){.elem_bytes = elem_bytes};
	p->chunk_shift = 31 - __builtin_clz(chunk_bytes / elem_bytes);
}

void pool_fini(struct pool *p)
{
	free(p->mem);
	free(p->next);
	free(p->chunk);
}

static void chunk_clear(struct pool_chunk *c)
{
	*c = (struct pool_chunk){.dirty = 1};
	memset(c->head, 0xff, sizeof(c->head));
}

void pool_reset(struct pool *p)
{
	for (u32 i = 0; i < p->n_chunk; i++)
		chunk_clear(&p->chunk[i]);
	p->n = 0;
	p->n_free = 0;
	p->n_chunk = 0;
	p->cur = 0;
}

/* Each array is replaced on its own, so that a failure half-way leaves a pool that still works. */
static int pool_reserve(struct pool *p, u64 n)
{
	u64 cap = p->cap ? p->cap : 64;
	u64 n_chunk;
	void *mem;

	if (n <= p->cap)
		return 0;
	while (cap < n)
		cap += cap / 2;
	if (cap >= POOL_NONE)
		return -1;
	mem = realloc(p->mem, cap * p->elem_bytes);
	if (!mem)
		return -1;
	p->mem = mem;
	mem = realloc(p->next, cap * sizeof(*p->next));
	if (!mem)
		return -1;
	p->next = mem;
	n_chunk = DWCP_DIV_UP(cap, 1ull << p->chunk_shift);
	mem = realloc(p->chunk, n_chunk * sizeof(*p->chunk));
	if (!mem)
		return -1;
	p->chunk = mem;
	p->cap = cap;
	return 0;
}

static void mark_dirty(struct pool *p, u32 base, u32 n)
{
	for (u32 c = base >> p->chunk_shift; c <= (base + n - 1) >> p->chunk_shift; c++)
		p->chunk[c].dirty = 1;
}

u32 pool_extend(struct pool *p, u32 n)
{
	u32 base = p->n;

	if (pool_reserve(p, (u64)base + n) != 0)
		return POOL_NONE;
	memset(pool_at(p, base), 0, (size_t)n * p->elem_bytes);
	p->n += n;
	while ((u64)p->n_chunk << p->chunk_shift < p->n)
		chunk_clear(&p->chunk[p->n_chunk++]);
	mark_dirty(p, base, n);
	return base;
}

static void chunk_put(struct pool *p, u32 base, u32 n)
{
	struct pool_chunk *c = &p->chunk[base >> p->chunk_shift];

	p->next[base] = c->head[n - 1];
	c->head[n - 1] = base;
	c->sizes |= 1u << (n - 1);
	c->n_free += n;
	p->n_free += n;
}

void pool_release(struct pool *p, u32 base, u32 n)
{
	static const u8 zero[POOL_RUN_MAX * sizeof(u64)];

	pool_write(p, base, zero, n);
	chunk_put(p, base, n);
	p->cur = base >> p->chunk_shift;
}

/* The smallest free run of at least @n. Return: its size, 0: none. */
static u32 chunk_size(const struct pool *p, u32 chunk, u32 n)
{
	u32 fits = chunk < p->n_chunk ? p->chunk[chunk].sizes >> (n - 1) << (n - 1) : 0;

	return fits ? __builtin_ctz(fits) + 1 : 0;
}

static u32 chunk_take(struct pool *p, u32 chunk, u32 size, u32 n)
{
	struct pool_chunk *c = &p->chunk[chunk];
	u32 base = c->head[size - 1];

	c->head[size - 1] = p->next[base];
	if (c->head[size - 1] == POOL_NONE)
		c->sizes &= ~(1u << (size - 1));
	c->n_free -= size;
	p->n_free -= size;
	if (size > n)
		chunk_put(p, base + n, size - n);
	p->cur = chunk;
	return base;
}

/* The emptiest has most room for what comes next. */
static u32 best_chunk(const struct pool *p, u32 n)
{
	u32 best = POOL_NONE;

	for (u32 i = 0; i < p->n_chunk; i++) {
		if (!chunk_size(p, i, n))
			continue;
		if (best == POOL_NONE || p->chunk[i].n_free > p->chunk[best].n_free)
			best = i;
	}
	return best;
}

/* At the end, but the last part of each chunk stays free: a run that grows then finds room where it is. */
static u32 run_append(struct pool *p, u32 n)
{
	u32 per = 1u << p->chunk_shift;
	u32 used = p->n & (per - 1), rest = per - used;

	if (used + n > per - per / POOL_SLACK) {
		u32 base = pool_extend(p, rest);

		if (base == POOL_NONE)
			return POOL_NONE;
		for (u32 i = 0; i < rest; i += POOL_RUN_MAX)
			chunk_put(p, base + i, DWCP_MIN(rest - i, POOL_RUN_MAX));
	}
	return pool_extend(p, n);
}

u32 pool_alloc(struct pool *p, u32 n)
{
	u32 size;

	if (p->in_order)
		return run_append(p, n);
	size = chunk_size(p, p->cur, n);
	if (size)
		return chunk_take(p, p->cur, size, n);
	if (p->n_free > p->n / 8) {
		u32 best = best_chunk(p, n);

		if (best != POOL_NONE)
			return chunk_take(p, best, chunk_size(p, best, n), n);
	}
	return run_append(p, n);
}

void pool_write(struct pool *p, u32 base, const void *src, u32 n)
{
	const u8 *from = src;

	while (n > 0) {
		u32 c = base >> p->chunk_shift;
		u32 part = DWCP_MIN(n, ((c + 1) << p->chunk_shift) - base);
		size_t bytes = (size_t)part * p->elem_bytes;

		if (memcmp(pool_at(p, base), from, bytes) != 0) {
			memcpy(pool_at(p, base), from, bytes);
			p->chunk[c].dirty = 1;
		}
		base += part;
		from += bytes;
		n -= part;
	}
}
