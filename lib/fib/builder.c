/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder.c - renders the prefixes of rib.h into the arrays that readers get. One thread.
 *
 * A commit renders what is pending: ranges of direct entries, then nodes. Rendering a node paints its prefixes
 * over its 64 slices, shorter first, and goes down into a child only when what the child inherits has changed.
 * When much is pending, or much of the arrays is free, everything is laid out afresh in address order: the
 * result then depends on the set of prefixes alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "rib.h"

#define CHUNK_BYTES_MIN 4096u

struct fib_builder {
	struct rib rib;
	struct pool pool[FIB_N_ARRAYS];
	struct u32_vec work; /* nodes to render */
	u32 *paint;	     /* [1 << DWCP_FIB_DIRECT_BITS_MAX at most] new direct entries */
	u32 paint_cap;
	bool broken; /* the last commit failed: lay out afresh */
};

static void node_forget(void *arg, const struct rib_node *nd, bool top)
{
	struct fib_builder *b = arg;
	const struct dwcp_fib_node *fn;

	if (nd->fib_node == RIB_NONE)
		return;
	fn = pool_at(&b->pool[FIB_NODE], nd->fib_node);
	if (nd->n_leaf)
		pool_release(&b->pool[FIB_LEAF], fn->leaf_base, nd->n_leaf);
	if (nd->n_kid)
		pool_release(&b->pool[FIB_NODE], fn->child_base, nd->n_kid);
	if (top)
		pool_release(&b->pool[FIB_NODE], nd->fib_node, 1);
}

struct fib_builder *fib_builder_create(const struct fib_builder_cfg *cfg)
{
	static const u32 elem_bytes[FIB_N_ARRAYS] = {
		[FIB_ROOT] = sizeof(struct dwcp_fib_root),
		[FIB_DIRECT] = sizeof(u32),
		[FIB_NODE] = sizeof(struct dwcp_fib_node),
		[FIB_LEAF] = sizeof(u32),
	};
	struct fib_builder *b;

	if (cfg->chunk_bytes < CHUNK_BYTES_MIN || cfg->chunk_bytes & (cfg->chunk_bytes - 1))
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	rib_init(&b->rib);
	b->rib.on_free = node_forget;
	b->rib.on_free_arg = b;
	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_init(&b->pool[i], elem_bytes[i], cfg->chunk_bytes);
	b->broken = true;
	return b;
}

void fib_builder_free(struct fib_builder *b)
{
	if (!b)
		return;
	rib_fini(&b->rib);
	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_fini(&b->pool[i]);
	free(b->work.v);
	free(b->paint);
	free(b);
}

int fib_builder_set(struct fib_builder *b, const struct fib_prefix *p, u32 slot)
{
	return rib_set(&b->rib, p, slot);
}

int fib_builder_del(struct fib_builder *b, const struct fib_prefix *p)
{
	return rib_del(&b->rib, p);
}

int fib_builder_get(const struct fib_builder *b, const struct fib_prefix *p, u32 *ret_slot)
{
	return rib_get(&b->rib, p, ret_slot);
}

int fib_builder_match(const struct fib_builder *b, u32 vrf, u8 family, const struct fib_addr *a,
		      struct fib_prefix *ret_prefix, u32 *ret_slot)
{
	return rib_match(&b->rib, vrf, family, a, ret_prefix, ret_slot);
}

int fib_builder_each(const struct fib_builder *b,
		     int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg)
{
	return rib_walk(&b->rib, cb, arg);
}

u64 fib_builder_count(const struct fib_builder *b, u8 family)
{
	u64 n = 0;

	for (u32 i = 0; i < b->rib.n_table; i++) {
		if (b->rib.table[i]->family == family)
			n += b->rib.table[i]->n_prefix;
	}
	return n;
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

/* The slot of every slice, from the node's own prefixes and what it inherits. */
static void node_paint(const struct rib *r, const struct rib_node *nd, u32 *ret_slot)
{
	const u32 *slot = rib_slots(r, nd);

	for (u32 v = 0; v < RIB_SLICES; v++)
		ret_slot[v] = nd->inherit;
	for (u32 half = 0; half < 2; half++) {
		for (u64 bits = nd->own[half]; bits; bits &= bits - 1) {
			u32 pos = half * 64 + __builtin_ctzll(bits);
			u32 rel = 31 - __builtin_clz(pos);
			u32 n = RIB_SLICES >> rel;
			u32 *at = ret_slot + (pos - (1u << rel)) * n;

			for (u32 i = 0; i < n; i++)
				at[i] = *slot;
			slot++;
		}
	}
}

static int leaves_write(struct fib_builder *b, struct rib_node *nd, struct dwcp_fib_node *fn,
			const u32 *slot)
{
	struct pool *pool = &b->pool[FIB_LEAF];
	u32 leaf[RIB_SLICES];
	u32 n = 0;

	fn->leaf_bits = 0;
	for (u64 bits = ~nd->kids; bits; bits &= bits - 1) {
		u32 v = __builtin_ctzll(bits);

		if (n && slot[v] == leaf[n - 1])
			continue;
		if (n)
			fn->leaf_bits |= 1ull << v;
		leaf[n++] = slot[v];
	}
	if (n != nd->n_leaf) {
		if (nd->n_leaf)
			pool_release(pool, fn->leaf_base, nd->n_leaf);
		nd->n_leaf = 0;
		fn->leaf_base = n ? pool_alloc(pool, n) : 0;
		if (fn->leaf_base == POOL_NONE)
			return -ENOMEM;
		nd->n_leaf = n;
	}
	pool_write(pool, fn->leaf_base, leaf, n);
	return 0;
}

/* Lay the block of children out anew; children that were there keep their contents. */
static int kids_move(struct fib_builder *b, struct rib_node *nd, struct dwcp_fib_node *fn)
{
	struct pool *pool = &b->pool[FIB_NODE];
	struct dwcp_fib_node old[RIB_SLICES], new[RIB_SLICES];
	const u32 *ids = rib_kid_ids(&b->rib, nd);
	u32 n = __builtin_popcountll(nd->kids);
	u32 old_base = fn->child_base;

	if (nd->n_kid) {
		memcpy(old, pool_at(pool, old_base), nd->n_kid * sizeof(*old));
		pool_release(pool, old_base, nd->n_kid);
	}
	nd->n_kid = 0;
	fn->child_base = n ? pool_alloc(pool, n) : 0;
	if (fn->child_base == POOL_NONE)
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		struct rib_node *kid = &b->rib.node[ids[i]];

		if (kid->fib_node == RIB_NONE) {
			new[i] = (struct dwcp_fib_node){0};
			kid->flags |= RIB_FRESH;
		} else {
			new[i] = old[kid->fib_node - old_base];
		}
		kid->fib_node = fn->child_base + i;
	}
	pool_write(pool, fn->child_base, new, n);
	fn->child_bits = nd->kids;
	nd->n_kid = n;
	return 0;
}

/* In address order when taken from the end of the work list. */
static int kids_push(struct fib_builder *b, const struct rib_node *nd, const u32 *slot)
{
	const u32 *ids = rib_kid_ids(&b->rib, nd) + __builtin_popcountll(nd->kids);

	for (u64 bits = nd->kids; bits;) {
		u32 v = 63 - __builtin_clzll(bits);
		struct rib_node *kid = &b->rib.node[*--ids];

		bits &= ~(1ull << v);
		if (!(kid->flags & RIB_FRESH) && kid->inherit == slot[v])
			continue;
		kid->inherit = slot[v];
		kid->flags &= ~RIB_FRESH;
		if (u32_vec_push(&b->work, *ids) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int node_render(struct fib_builder *b, u32 id)
{
	struct rib_node *nd = &b->rib.node[id];
	struct dwcp_fib_node fn =
		*(struct dwcp_fib_node *)pool_at(&b->pool[FIB_NODE], nd->fib_node);
	u32 slot[RIB_SLICES];
	int ret;

	node_paint(&b->rib, nd, slot);
	ret = leaves_write(b, nd, &fn, slot);
	if (ret == 0 && nd->flags & RIB_KIDS)
		ret = kids_move(b, nd, &fn);
	if (ret == 0 && nd->kids)
		ret = kids_push(b, nd, slot);
	if (ret != 0)
		return ret;
	pool_write(&b->pool[FIB_NODE], nd->fib_node, &fn, 1);
	nd->flags &= ~(RIB_PENDING | RIB_KIDS);
	return 0;
}

/* A node and all below it that inherit something else than before. */
static int tree_render(struct fib_builder *b, u32 id)
{
	int ret = node_render(b, id);

	while (ret == 0 && b->work.n > 0)
		ret = node_render(b, b->work.v[--b->work.n]);
	return ret;
}

/* ---- direct entries ------------------------------------------------------------------------------------ */

static u32 top_inherit(const struct rib_table *t, u32 pos)
{
	for (; pos; pos >>= 1) {
		if (rib_top_has(t, pos))
			return t->top_slot[pos];
	}
	return 0;
}

/* The slots of the direct entries under @pos, whose first is entry @lo. */
static void top_paint(const struct rib_table *t, u32 pos, u32 lo, u32 n, u32 *ret_slot)
{
	u32 len = 31 - __builtin_clz(pos);
	u32 inherit = top_inherit(t, pos);

	for (u32 i = 0; i < n; i++)
		ret_slot[i] = inherit;
	for (u32 l = len + 1; l <= t->direct_bits; l++) {
		u32 first = pos << (l - len), last = first + (1u << (l - len)) - 1;
		u32 span = 1u << (t->direct_bits - l);

		for (u32 w = first >> 6; w <= last >> 6; w++) {
			for (u64 bits = t->top_own[w]; bits; bits &= bits - 1) {
				u32 p = w * 64 + __builtin_ctzll(bits);
				u32 *at = ret_slot + (u64)(p - (1u << l)) * span - lo;

				if (p < first || p > last)
					continue;
				for (u32 i = 0; i < span; i++)
					at[i] = t->top_slot[p];
			}
		}
	}
}

/* Entry of a direct slot that has a node; the node is rendered if it is new or inherits something new. */
static int top_kid_render(struct fib_builder *b, struct rib_table *t, u32 i, u32 slot)
{
	struct rib_node *nd = &b->rib.node[t->kid[i]];

	if (nd->fib_node == RIB_NONE) {
		static const struct dwcp_fib_node zero;
		u32 at = pool_alloc(&b->pool[FIB_NODE], 1);

		if (at == POOL_NONE)
			return -ENOMEM;
		pool_write(&b->pool[FIB_NODE], at, &zero, 1);
		nd->fib_node = at;
	} else if (nd->inherit == slot) {
		return 0;
	}
	nd->inherit = slot;
	return tree_render(b, t->kid[i]);
}

static int top_render(struct fib_builder *b, struct rib_table *t, u32 pos)
{
	u32 len = 31 - __builtin_clz(pos);
	u32 n = 1u << (t->direct_bits - len);
	u32 lo = (pos - (1u << len)) * n;

	top_paint(t, pos, lo, n, b->paint);
	memcpy(t->eff + lo, b->paint, n * sizeof(u32));
	for (u32 i = 0; i < n; i++) {
		int ret;

		if (!t->kid[lo + i])
			continue;
		ret = top_kid_render(b, t, lo + i, b->paint[i]);
		if (ret != 0)
			return ret;
		b->paint[i] = DWCP_FIB_NODE | b->rib.node[t->kid[lo + i]].fib_node;
	}
	pool_write(&b->pool[FIB_DIRECT], t->direct_base + lo, b->paint, n);
	return 0;
}

static int table_render(struct fib_builder *b, struct rib_table *t)
{
	int ret = 0;

	if (!t->rendered) {
		t->direct_base = pool_extend(&b->pool[FIB_DIRECT], 1u << t->direct_bits);
		if (t->direct_base == POOL_NONE)
			return -ENOMEM;
		t->rendered = 1;
		t->pending_span = UINT64_MAX;
	}
	if (t->pending_span > 1ull << t->direct_bits) {
		ret = top_render(b, t, 1);
	} else {
		for (u32 i = 0; i < t->pending.n && ret == 0; i++)
			ret = top_render(b, t, t->pending.v[i]);
	}
	if (ret != 0)
		return ret;
	t->pending.n = 0;
	t->pending_span = 0;
	return 0;
}

/* ---- commit -------------------------------------------------------------------------------------------- */

static int paint_reserve(struct fib_builder *b)
{
	u32 n = 1;

	for (u32 i = 0; i < b->rib.n_table; i++)
		n = DWCP_MAX(n, 1u << b->rib.table[i]->direct_bits);
	if (n > b->paint_cap) {
		u32 *mem = realloc(b->paint, n * sizeof(*mem));

		if (!mem)
			return -ENOMEM;
		b->paint = mem;
		b->paint_cap = n;
	}
	return 0;
}

static int roots_write(struct fib_builder *b)
{
	struct pool *pool = &b->pool[FIB_ROOT];

	if (pool->n < b->rib.n_table && pool_extend(pool, b->rib.n_table - pool->n) == POOL_NONE)
		return -ENOMEM;
	for (u32 i = 0; i < b->rib.n_table; i++) {
		const struct rib_table *t = b->rib.table[i];
		struct dwcp_fib_root root = {
			.vrf = t->vrf,
			.family = t->family,
			.direct_bits = t->direct_bits,
			.direct_base = t->direct_base,
		};

		pool_write(pool, i, &root, 1);
	}
	return 0;
}

static int pending_render(struct fib_builder *b)
{
	struct rib *r = &b->rib;
	int ret = 0;

	for (u32 i = 0; i < r->n_table && ret == 0; i++)
		ret = table_render(b, r->table[i]);
	for (u32 i = 0; i < r->pending.n && ret == 0; i++) {
		const struct rib_node *nd = &r->node[r->pending.v[i]];

		/* One without a place in the FIB is rendered by its parent, which is pending too. */
		if (nd->flags & RIB_PENDING && nd->fib_node != RIB_NONE)
			ret = tree_render(b, r->pending.v[i]);
	}
	b->work.n = 0;
	if (ret != 0)
		return ret;
	r->pending.n = 0;
	return roots_write(b);
}

/* Tables without prefixes go away here and only here, so that one route can't flap a table in and out. */
static void tables_reset(struct rib *r)
{
	u32 n = 0;

	for (u32 i = 0; i < r->n_table; i++) {
		if (r->table[i]->n_prefix) {
			r->table[i]->rendered = 0;
			r->table[n++] = r->table[i];
		} else {
			rib_table_free(r->table[i]);
		}
	}
	r->n_table = n;
}

/* Lay everything out afresh. Element 0 of nodes and leaves is what unused elements refer to. */
static int all_render(struct fib_builder *b)
{
	struct rib *r = &b->rib;

	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_reset(&b->pool[i]);
	tables_reset(r);
	for (u32 i = 1; i < r->n_node; i++) {
		struct rib_node *nd = &r->node[i];

		if (!(nd->flags & RIB_LIVE))
			continue;
		nd->fib_node = RIB_NONE;
		nd->n_leaf = 0;
		nd->n_kid = 0;
		nd->flags = RIB_LIVE | (nd->kids ? RIB_KIDS : 0);
	}
	r->pending.n = 0;
	if (pool_extend(&b->pool[FIB_NODE], 1) == POOL_NONE ||
	    pool_extend(&b->pool[FIB_LEAF], 1) == POOL_NONE)
		return -ENOMEM;
	return pending_render(b);
}

static bool mostly_free(const struct pool *p)
{
	return p->n > 4096 && p->n_free > p->n / 3;
}

static bool wants_all(const struct fib_builder *b)
{
	return b->broken || b->rib.pending.n > 64 + b->rib.n_live / 4 ||
	       mostly_free(&b->pool[FIB_NODE]) || mostly_free(&b->pool[FIB_LEAF]);
}

int fib_builder_commit(struct fib_builder *b)
{
	int ret = paint_reserve(b);

	if (ret == 0)
		ret = wants_all(b) ? all_render(b) : pending_render(b);
	b->broken = ret != 0;
	return ret;
}

const void *fib_builder_array(const struct fib_builder *b, enum fib_array a, size_t *ret_bytes)
{
	*ret_bytes = (size_t)b->pool[a].n * b->pool[a].elem_bytes;
	return b->pool[a].mem;
}

bool fib_builder_dirty(const struct fib_builder *b, enum fib_array a, size_t chunk)
{
	return chunk < b->pool[a].n_chunk && b->pool[a].chunk[chunk].dirty;
}

void fib_builder_clean(struct fib_builder *b)
{
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		for (u32 c = 0; c < b->pool[a].n_chunk; c++)
			b->pool[a].chunk[c].dirty = 0;
	}
}

void fib_builder_view(const struct fib_builder *b, struct fib_view *ret_view)
{
	*ret_view = (struct fib_view){
		.root = (const void *)b->pool[FIB_ROOT].mem,
		.direct = (const void *)b->pool[FIB_DIRECT].mem,
		.node = (const void *)b->pool[FIB_NODE].mem,
		.leaf = (const void *)b->pool[FIB_LEAF].mem,
		.n_root = b->pool[FIB_ROOT].n,
		.n_direct = b->pool[FIB_DIRECT].n,
		.n_node = b->pool[FIB_NODE].n,
		.n_leaf = b->pool[FIB_LEAF].n,
	};
}
