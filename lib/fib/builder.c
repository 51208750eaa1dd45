/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder.c - renders the prefixes of trie.h into the arrays that readers get. One thread.
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
#include "trie.h"

#define CHUNK_BYTES_MIN 4096u

struct fib_builder {
	struct trie trie;
	struct pool pool[FIB_N_ARRAYS];
	struct u32_vec work;		       /* nodes to render */
	bool broken;			       /* the last commit failed: lay out afresh */
	u32 paint[1u << TRIE_DIRECT_BITS_MAX]; /* slots of direct nodes */
};

static struct pool *place_pool(struct fib_builder *b, const struct trie_node *nd)
{
	return &b->pool[nd->flags & TRIE_TOP ? FIB_DIRECT : FIB_NODE];
}

static void run_release(struct fib_builder *b, struct trie_node *nd)
{
	if (nd->n_run)
		pool_release(&b->pool[nd->flags & TRIE_LEAVES ? FIB_LEAF : FIB_NODE], nd->run,
			     nd->n_run);
	nd->n_run = 0;
}

static void node_forget(void *arg, struct trie_node *nd)
{
	run_release(arg, nd);
}

/* What readers no longer use must not name slots that may go away. */
static void table_forget(void *arg, const struct trie_table *t)
{
	static const u64 zero;
	struct fib_builder *b = arg;

	for (u32 i = 0; t->rendered && i < 1u << t->direct_bits; i++)
		pool_write(&b->pool[FIB_DIRECT], t->direct_base + i, &zero, 1);
}

struct fib_builder *fib_builder_create(const struct fib_builder_cfg *cfg)
{
	static const u32 elem_bytes[FIB_N_ARRAYS] = {
		[FIB_ROOT] = sizeof(struct dwcp_fib_root),
		[FIB_DIRECT] = sizeof(u64),
		[FIB_NODE] = sizeof(u64),
		[FIB_LEAF] = sizeof(u32),
	};
	struct fib_builder *b;

	if (cfg->chunk_bytes < CHUNK_BYTES_MIN || cfg->chunk_bytes & (cfg->chunk_bytes - 1))
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	trie_init(&b->trie);
	b->trie.on_free = node_forget;
	b->trie.on_drop = table_forget;
	b->trie.on_free_arg = b;
	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_init(&b->pool[i], elem_bytes[i], cfg->chunk_bytes);
	b->broken = true;
	return b;
}

void fib_builder_free(struct fib_builder *b)
{
	if (!b)
		return;
	trie_fini(&b->trie);
	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_fini(&b->pool[i]);
	free(b->work.v);
	free(b);
}

int fib_builder_set(struct fib_builder *b, const struct fib_prefix *p, u32 slot)
{
	return trie_set(&b->trie, p, slot);
}

int fib_builder_del(struct fib_builder *b, const struct fib_prefix *p)
{
	return trie_del(&b->trie, p);
}

int fib_builder_get(const struct fib_builder *b, const struct fib_prefix *p, u32 *ret_slot)
{
	return trie_get(&b->trie, p, ret_slot);
}

int fib_builder_match(const struct fib_builder *b, u32 vrf, u8 family, const struct fib_addr *a,
		      struct fib_prefix *ret_prefix, u32 *ret_slot)
{
	return trie_match(&b->trie, vrf, family, a, ret_prefix, ret_slot);
}

int fib_builder_each(const struct fib_builder *b,
		     int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg)
{
	return trie_each(&b->trie, cb, arg);
}

u64 fib_builder_count(const struct fib_builder *b, u8 family)
{
	u64 n = 0;

	for (u32 i = 0; i < b->trie.n_table; i++) {
		if (b->trie.table[i]->family == family)
			n += b->trie.table[i]->n_prefix;
	}
	return n;
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

/* The slot of every slice, from the node's own prefixes and what it inherits; shorter prefixes come first. */
static void node_paint(const struct trie *r, const struct trie_node *nd, u64 *ret_slice)
{
	const u32 *slot = trie_slots(r, nd);

	for (u32 v = 0; v < TRIE_SLICES; v++)
		ret_slice[v] = nd->inherit;
	for (u64 bits = nd->own; bits; bits &= bits - 1) {
		u32 pos = __builtin_ctzll(bits);
		u32 rel = 31 - __builtin_clz(pos);
		u32 n = TRIE_SLICES >> rel;
		u64 *at = ret_slice + (pos - (1u << rel)) * n;

		for (u32 i = 0; i < n; i++)
			at[i] = *slot;
		slot++;
	}
}

/* Where the slices change. Two children are never one run, even if what they hold looks the same. */
static u32 runs_cut(const u64 *slice, u32 kids)
{
	u32 bits = 1;

	for (u32 v = 1; v < TRIE_SLICES; v++)
		bits |= (u32)(slice[v] != slice[v - 1]) << v;
	return bits | kids | kids << 1;
}

/* An even number, so that a route that comes or goes seldom moves the run. */
static u32 run_room(u32 n)
{
	return (n + 1) & ~1u;
}

/* Room for @n contents. What is there is not kept. */
static int run_reserve(struct fib_builder *b, struct trie_node *nd, u32 n, bool leaves)
{
	u32 room = run_room(n);

	if (nd->n_run == room && !(nd->flags & TRIE_LEAVES) == !leaves)
		return 0;
	run_release(b, nd);
	nd->flags = leaves ? nd->flags | TRIE_LEAVES : nd->flags & ~TRIE_LEAVES;
	nd->run = pool_alloc(&b->pool[leaves ? FIB_LEAF : FIB_NODE], room);
	if (nd->run == POOL_NONE)
		return -ENOMEM;
	nd->n_run = room;
	return 0;
}

static void leaves_write(struct fib_builder *b, const struct trie_node *nd, const u64 *slice,
			 u32 bits)
{
	u32 leaf[TRIE_SLICES] = {0};
	u32 n = 0;

	for (; bits; bits &= bits - 1)
		leaf[n++] = slice[__builtin_ctz(bits)];
	pool_write(&b->pool[FIB_LEAF], nd->run, leaf, nd->n_run);
}

/* Children keep what they hold, at their new places. Those that are new or inherit something else than before
 * become work, the first on top. */
static int kids_write(struct fib_builder *b, const struct trie_node *nd, u64 *slice, u32 bits)
{
	const u32 *ids = trie_kid_ids(&b->trie, nd) + trie_kid_count(nd);
	u64 run[TRIE_SLICES] = {0};
	u32 n = 0;

	for (u32 kids = nd->kids; kids;) {
		u32 v = 31 - __builtin_clz(kids);
		struct trie_node *kid = &b->trie.node[*--ids];

		kids &= ~(1u << v);
		if (kid->place == TRIE_NONE || kid->inherit != slice[v]) {
			kid->inherit = slice[v];
			if (u32_vec_push(&b->work, *ids) != 0)
				return -ENOMEM;
		}
		kid->place = nd->run + __builtin_popcount(bits & ((2u << v) - 1)) - 1;
		slice[v] = kid->element;
	}
	for (; bits; bits &= bits - 1)
		run[n++] = slice[__builtin_ctz(bits)];
	pool_write(&b->pool[FIB_NODE], nd->run, run, nd->n_run);
	return 0;
}

/* Bit 63 - v for slice v. */
static u64 bits_mirror(u32 bits)
{
	u64 to = 0;

	for (; bits; bits &= bits - 1)
		to |= 1ull << (63 - __builtin_ctz(bits));
	return to;
}

static int runs_write(struct fib_builder *b, struct trie_node *nd, u64 *slice, u32 bits)
{
	u32 n = __builtin_popcount(bits);
	int ret;

	if (n == 1 && !nd->kids) {
		run_release(b, nd);
		nd->element = slice[0];
		return 0;
	}
	ret = run_reserve(b, nd, n, !nd->kids);
	if (ret != 0)
		return ret;
	nd->element = bits_mirror(bits) | (nd->kids ? 0 : DWCP_FIB_LEAVES) | nd->run;
	if (nd->kids)
		return kids_write(b, nd, slice, bits);
	leaves_write(b, nd, slice, bits);
	return 0;
}

static int node_render(struct fib_builder *b, u32 id)
{
	struct trie_node *nd = &b->trie.node[id];
	u64 slice[TRIE_SLICES];
	int ret;

	node_paint(&b->trie, nd, slice);
	ret = runs_write(b, nd, slice, runs_cut(slice, nd->kids));
	if (ret != 0)
		return ret;
	pool_write(place_pool(b, nd), nd->place, &nd->element, 1);
	nd->flags &= ~TRIE_PENDING;
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

static u32 top_inherit(const struct trie_table *t, u32 pos)
{
	for (; pos; pos >>= 1) {
		if (trie_top_has(t, pos))
			return t->top_slot[pos];
	}
	return 0;
}

/* The slots of the direct entries under @pos, whose first is entry @lo. */
static void top_paint(const struct trie_table *t, u32 pos, u32 lo, u32 n, u32 *ret_slot)
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

/* A direct node that has prefixes of its own is rendered if it is new or inherits something new. */
static int top_kid_render(struct fib_builder *b, struct trie_table *t, u32 i, u32 slot)
{
	struct trie_node *nd = &b->trie.node[t->kid[i]];

	if (nd->place != TRIE_NONE && nd->inherit == slot)
		return 0;
	nd->place = t->direct_base + i;
	nd->flags |= TRIE_TOP;
	nd->inherit = slot;
	return tree_render(b, t->kid[i]);
}

static int top_render(struct fib_builder *b, struct trie_table *t, u32 pos)
{
	u32 len = 31 - __builtin_clz(pos);
	u32 n = 1u << (t->direct_bits - len);
	u32 lo = (pos - (1u << len)) * n;
	int ret = 0;

	top_paint(t, pos, lo, n, b->paint);
	for (u32 i = 0; i < n && ret == 0; i++) {
		if (t->kid[lo + i]) {
			ret = top_kid_render(b, t, lo + i, b->paint[i]);
		} else {
			u64 slot = b->paint[i];

			pool_write(&b->pool[FIB_DIRECT], t->direct_base + lo + i, &slot, 1);
		}
	}
	return ret;
}

static int table_render(struct fib_builder *b, struct trie_table *t)
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

static int roots_write(struct fib_builder *b)
{
	struct pool *pool = &b->pool[FIB_ROOT];

	if (pool->n < b->trie.n_table && pool_extend(pool, b->trie.n_table - pool->n) == POOL_NONE)
		return -ENOMEM;
	for (u32 i = 0; i < b->trie.n_table; i++) {
		const struct trie_table *t = b->trie.table[i];
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
	struct trie *r = &b->trie;
	int ret = 0;

	for (u32 i = 0; i < r->n_table && ret == 0; i++)
		ret = table_render(b, r->table[i]);
	for (u32 i = 0; i < r->pending.n && ret == 0; i++) {
		const struct trie_node *nd = &r->node[r->pending.v[i]];

		/* One without a place in the FIB is rendered by its parent, which is pending too. */
		if (nd->flags & TRIE_PENDING && nd->place != TRIE_NONE)
			ret = tree_render(b, r->pending.v[i]);
	}
	b->work.n = 0;
	if (ret != 0)
		return ret;
	r->pending.n = 0;
	return roots_write(b);
}

/* Lay everything out afresh. */
static int all_render(struct fib_builder *b)
{
	struct trie *r = &b->trie;
	int ret = trie_settle(r);

	if (ret != 0)
		return ret;
	for (u32 i = 0; i < FIB_N_ARRAYS; i++)
		pool_reset(&b->pool[i]);
	for (u32 i = 0; i < r->n_table; i++)
		r->table[i]->rendered = 0;
	for (u32 i = 1; i < r->n_node; i++) {
		struct trie_node *nd = &r->node[i];

		if (!(nd->flags & TRIE_LIVE))
			continue;
		nd->place = TRIE_NONE;
		nd->n_run = 0;
		nd->element = 0;
		nd->flags = TRIE_LIVE;
	}
	r->pending.n = 0;
	/* Leaf 0 belongs to nobody: see abi/fib.h. */
	if (pool_extend(&b->pool[FIB_LEAF], 1) == POOL_NONE)
		return -ENOMEM;
	b->pool[FIB_NODE].in_order = b->pool[FIB_LEAF].in_order = true;
	ret = pending_render(b);
	b->pool[FIB_NODE].in_order = b->pool[FIB_LEAF].in_order = false;
	return ret;
}

static bool mostly_free(const struct pool *p)
{
	return p->n > 4096 && p->n_free > p->n / 3;
}

static bool wants_all(const struct fib_builder *b)
{
	return b->broken || b->trie.pending.n > 64 + b->trie.n_live / 4 ||
	       mostly_free(&b->pool[FIB_NODE]) || mostly_free(&b->pool[FIB_LEAF]);
}

int fib_builder_commit(struct fib_builder *b)
{
	int ret = wants_all(b) ? all_render(b) : pending_render(b);

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
