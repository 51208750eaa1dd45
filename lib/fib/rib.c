/* SPDX-License-Identifier: BSD-3-Clause */
/* rib.c - see rib.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "rib.h"

/* Every level of a table ends on a multiple of the stride, so that both families share the code. */
#define RIB_DIRECT_BITS 18

int u32_vec_push(struct u32_vec *v, u32 x)
{
	if (v->n == v->cap) {
		u32 cap = v->cap ? v->cap * 2 : 64;
		u32 *mem = realloc(v->v, (size_t)cap * sizeof(*mem));

		if (!mem)
			return -ENOMEM;
		v->v = mem;
		v->cap = cap;
	}
	v->v[v->n++] = x;
	return 0;
}

/* ---- words: packed arrays of 1 … 128 ------------------------------------------------------------------- */

static u32 words_class(u32 n)
{
	return n <= 1 ? 0 : 32 - __builtin_clz(n - 1);
}

static u32 words_alloc(struct rib_words *w, u32 class)
{
	u32 off = w->free[class];

	if (off != RIB_NONE) {
		w->free[class] = w->mem[off];
		return off;
	}
	if (w->n + (1u << class) > w->cap) {
		u64 cap = w->cap ? (u64)w->cap * 2 : 4096;
		u32 *mem = cap < RIB_NONE ? realloc(w->mem, cap * sizeof(*mem)) : NULL;

		if (!mem)
			return RIB_NONE;
		w->mem = mem;
		w->cap = cap;
	}
	off = w->n;
	w->n += 1u << class;
	return off;
}

static void words_free(struct rib_words *w, u32 off, u32 n)
{
	u32 class = words_class(n);

	if (n == 0)
		return;
	w->mem[off] = w->free[class];
	w->free[class] = off;
}

/* Put @x at @rank of a run of @n. */
static int words_insert(struct rib_words *w, u32 *off, u32 n, u32 rank, u32 x)
{
	u32 class = words_class(n + 1);
	u32 *run;

	if (n == 0 || class != words_class(n)) {
		u32 to = words_alloc(w, class);

		if (to == RIB_NONE)
			return -ENOMEM;
		if (n)
			memcpy(w->mem + to, w->mem + *off, n * sizeof(u32));
		words_free(w, *off, n);
		*off = to;
	}
	run = w->mem + *off;
	memmove(run + rank + 1, run + rank, (n - rank) * sizeof(u32));
	run[rank] = x;
	return 0;
}

/* Needs no memory: a run that has become too large is cut in two, and its second half is free. */
static void words_remove(struct rib_words *w, u32 *off, u32 n, u32 rank)
{
	u32 *run = w->mem + *off;
	u32 old = words_class(n);

	memmove(run + rank, run + rank + 1, (n - rank - 1) * sizeof(u32));
	if (n == 1) {
		words_free(w, *off, n);
	} else if (words_class(n - 1) != old) {
		u32 half = 1u << (old - 1);

		words_free(w, *off + half, half);
	}
}

/* ---- nodes --------------------------------------------------------------------------------------------- */

static u32 own_rank(const struct rib_node *nd, u32 p)
{
	u64 below = (1ull << (p & 63)) - 1;

	if (p < 64)
		return __builtin_popcountll(nd->own[0] & below);
	return __builtin_popcountll(nd->own[0]) + __builtin_popcountll(nd->own[1] & below);
}

static u32 own_count(const struct rib_node *nd)
{
	return __builtin_popcountll(nd->own[0]) + __builtin_popcountll(nd->own[1]);
}

static bool own_has(const struct rib_node *nd, u32 p)
{
	return nd->own[p >> 6] >> (p & 63) & 1;
}

static u32 kid_rank(const struct rib_node *nd, u32 v)
{
	return __builtin_popcountll(nd->kids & ((1ull << v) - 1));
}

int rib_mark(struct rib *r, u32 id)
{
	if (r->node[id].flags & RIB_PENDING)
		return 0;
	if (u32_vec_push(&r->pending, id) != 0)
		return -ENOMEM;
	r->node[id].flags |= RIB_PENDING;
	return 0;
}

static u32 node_alloc(struct rib *r)
{
	u32 id = r->free_node;

	if (id) {
		r->free_node = r->node[id].inherit;
	} else {
		if (r->n_node == r->cap_node) {
			u32 cap = r->cap_node ? r->cap_node * 2 : 1024;
			void *mem = realloc(r->node, (size_t)cap * sizeof(*r->node));

			if (!mem)
				return 0;
			r->node = mem;
			r->cap_node = cap;
			if (r->n_node == 0)
				r->node[r->n_node++] = (struct rib_node){0};
		}
		id = r->n_node++;
	}
	r->node[id] = (struct rib_node){.fib_node = RIB_NONE, .flags = RIB_LIVE};
	r->n_live++;
	return id;
}

static void node_free(struct rib *r, u32 id, bool top)
{
	r->on_free(r->on_free_arg, &r->node[id], top);
	r->node[id] = (struct rib_node){.inherit = r->free_node};
	r->free_node = id;
	r->n_live--;
}

/* ---- tables -------------------------------------------------------------------------------------------- */

void rib_table_free(struct rib_table *t)
{
	if (!t)
		return;
	free(t->top_own);
	free(t->top_slot);
	free(t->eff);
	free(t->kid);
	free(t->pending.v);
	free(t);
}

static struct rib_table *table_create(u32 vrf, u8 family)
{
	struct rib_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->vrf = vrf;
	t->family = family;
	t->max_len = family == FIB_IP4 ? 32 : 128;
	t->direct_bits = RIB_DIRECT_BITS;
	t->top_own = calloc((2u << t->direct_bits) / 64, sizeof(u64));
	t->top_slot = calloc(2u << t->direct_bits, sizeof(u32));
	t->eff = calloc(1u << t->direct_bits, sizeof(u32));
	t->kid = calloc(1u << t->direct_bits, sizeof(u32));
	if (!t->top_own || !t->top_slot || !t->eff || !t->kid) {
		rib_table_free(t);
		return NULL;
	}
	return t;
}

/* Index of (vrf, family), or where it would have to be inserted. */
static u32 table_index(const struct rib *r, u32 vrf, u8 family)
{
	u32 lo = 0, hi = r->n_table;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		const struct rib_table *t = r->table[mid];

		if (t->vrf < vrf || (t->vrf == vrf && t->family < family))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct rib_table *table_find(const struct rib *r, u32 vrf, u8 family)
{
	u32 i = table_index(r, vrf, family);

	if (i == r->n_table || r->table[i]->vrf != vrf || r->table[i]->family != family)
		return NULL;
	return r->table[i];
}

static struct rib_table *table_get_or_create(struct rib *r, u32 vrf, u8 family)
{
	struct rib_table *t = table_find(r, vrf, family);
	u32 i = table_index(r, vrf, family);
	void *mem;

	if (t)
		return t;
	mem = realloc(r->table, (r->n_table + 1) * sizeof(struct rib_table *));
	if (!mem)
		return NULL;
	r->table = mem;
	t = table_create(vrf, family);
	if (!t)
		return NULL;
	memmove(&r->table[i + 1], &r->table[i], (r->n_table - i) * sizeof(struct rib_table *));
	r->table[i] = t;
	r->n_table++;
	return t;
}

static int top_mark(struct rib_table *t, u32 pos)
{
	u32 len = 31 - __builtin_clz(pos);

	if (u32_vec_push(&t->pending, pos) != 0)
		return -ENOMEM;
	t->pending_span += 1ull << (t->direct_bits - len);
	return 0;
}

/* ---- one prefix ---------------------------------------------------------------------------------------- */

/* Where a prefix is kept: a top position (node = 0), or a position in a node. */
struct place {
	u32 node;
	u32 pos;
	u32 depth; /* of the node */
};

static u32 node_pos(const struct fib_addr *key, u32 depth, u32 len)
{
	return 1u << (len - depth) | key_bits(key, depth, len - depth);
}

/* The child of @id at the slice of @key, created if need be. Return: 0: no memory. */
static u32 kid_get_or_create(struct rib *r, u32 id, u32 v)
{
	struct rib_node *nd = &r->node[id];
	u32 kid;

	if (nd->kids >> v & 1)
		return rib_kid_ids(r, nd)[kid_rank(nd, v)];
	if (rib_mark(r, id) != 0)
		return 0;
	kid = node_alloc(r);
	if (!kid)
		return 0;
	nd = &r->node[id];
	if (words_insert(&r->words, &nd->kid_ids, __builtin_popcountll(nd->kids), kid_rank(nd, v),
			 kid) != 0) {
		node_free(r, kid, false);
		return 0;
	}
	nd->kids |= 1ull << v;
	nd->flags |= RIB_KIDS;
	return kid;
}

static u32 top_kid_get_or_create(struct rib *r, struct rib_table *t, u32 i)
{
	if (!t->kid[i]) {
		if (top_mark(t, 1u << t->direct_bits | i) != 0)
			return 0;
		t->kid[i] = node_alloc(r);
	}
	return t->kid[i];
}

/* A failure leaves empty nodes behind, which are harmless: they render as their parent's slot. */
static int place_create(struct rib *r, struct rib_table *t, const struct fib_addr *key, u32 len,
			struct place *ret)
{
	u32 depth = t->direct_bits;
	u32 id;

	if (len <= depth) {
		*ret = (struct place){.pos = 1u << len | key_bits(key, 0, len)};
		return 0;
	}
	id = top_kid_get_or_create(r, t, key_bits(key, 0, depth));
	while (id && len > depth + RIB_STRIDE) {
		id = kid_get_or_create(r, id, key_bits(key, depth, RIB_STRIDE));
		depth += RIB_STRIDE;
	}
	if (!id)
		return -ENOMEM;
	*ret = (struct place){.node = id, .pos = node_pos(key, depth, len), .depth = depth};
	return 0;
}

/* @path: [RIB_LEVELS_MAX] ids from the top to the node; @ret_n of them. */
static int place_find(const struct rib *r, const struct rib_table *t, const struct fib_addr *key,
		      u32 len, struct place *ret, u32 *path, u32 *ret_n)
{
	u32 depth = t->direct_bits;
	u32 id, n = 0;

	*ret_n = 0;
	if (len <= depth) {
		*ret = (struct place){.pos = 1u << len | key_bits(key, 0, len)};
		return rib_top_has(t, ret->pos) ? 0 : -ENOENT;
	}
	for (id = t->kid[key_bits(key, 0, depth)]; id; depth += RIB_STRIDE) {
		const struct rib_node *nd = &r->node[id];
		u32 v = key_bits(key, depth, RIB_STRIDE);

		path[n++] = id;
		if (len <= depth + RIB_STRIDE) {
			*ret = (struct place){id, node_pos(key, depth, len), depth};
			*ret_n = n;
			return own_has(nd, ret->pos) ? 0 : -ENOENT;
		}
		id = nd->kids >> v & 1 ? rib_kid_ids(r, nd)[kid_rank(nd, v)] : 0;
	}
	return -ENOENT;
}

static int prefix_check(const struct fib_prefix *p, struct fib_addr *ret_key)
{
	if (p->family != FIB_IP4 && p->family != FIB_IP6)
		return -EINVAL;
	if (p->len > (p->family == FIB_IP4 ? 32 : 128))
		return -EINVAL;
	if (p->family == FIB_IP4 && (p->addr.hi || p->addr.lo >> 32))
		return -EINVAL;
	*ret_key = key_make(p->family, &p->addr);
	return key_fits(ret_key, p->len) ? 0 : -EINVAL;
}

static int top_set(struct rib_table *t, u32 pos, u32 slot)
{
	bool had = rib_top_has(t, pos);

	if (had && t->top_slot[pos] == slot)
		return 0;
	if (top_mark(t, pos) != 0)
		return -ENOMEM;
	t->top_own[pos >> 6] |= 1ull << (pos & 63);
	t->top_slot[pos] = slot;
	t->n_prefix += !had;
	return 0;
}

static int node_set(struct rib *r, struct rib_table *t, const struct place *pl, u32 slot)
{
	struct rib_node *nd = &r->node[pl->node];
	u32 rank = own_rank(nd, pl->pos);

	if (own_has(nd, pl->pos) && rib_slots(r, nd)[rank] == slot)
		return 0;
	if (rib_mark(r, pl->node) != 0)
		return -ENOMEM;
	if (own_has(nd, pl->pos)) {
		r->words.mem[nd->slots + rank] = slot;
		return 0;
	}
	if (words_insert(&r->words, &nd->slots, own_count(nd), rank, slot) != 0)
		return -ENOMEM;
	nd->own[pl->pos >> 6] |= 1ull << (pl->pos & 63);
	t->n_prefix++;
	return 0;
}

int rib_set(struct rib *r, const struct fib_prefix *p, u32 slot)
{
	struct rib_table *t;
	struct fib_addr key;
	struct place pl;
	int ret = prefix_check(p, &key);

	if (ret != 0 || slot & DWCP_FIB_NODE)
		return -EINVAL;
	t = table_get_or_create(r, p->vrf, p->family);
	if (!t)
		return -ENOMEM;
	ret = place_create(r, t, &key, p->len, &pl);
	if (ret != 0)
		return ret;
	return pl.node ? node_set(r, t, &pl, slot) : top_set(t, pl.pos, slot);
}

static bool node_empty(const struct rib_node *nd)
{
	return !nd->own[0] && !nd->own[1] && !nd->kids;
}

/* Take away the nodes at the end of @path that hold nothing any more. All marks are made before. */
static void path_prune(struct rib *r, struct rib_table *t, const struct fib_addr *key,
		       const u32 *path, u32 n)
{
	while (n > 0 && node_empty(&r->node[path[n - 1]])) {
		u32 depth = t->direct_bits + (n - 1) * RIB_STRIDE;
		struct rib_node *up;
		u32 v;

		node_free(r, path[n - 1], n == 1);
		if (n == 1) {
			t->kid[key_bits(key, 0, t->direct_bits)] = 0;
			return;
		}
		up = &r->node[path[n - 2]];
		v = key_bits(key, depth - RIB_STRIDE, RIB_STRIDE);
		words_remove(&r->words, &up->kid_ids, __builtin_popcountll(up->kids),
			     kid_rank(up, v));
		up->kids &= ~(1ull << v);
		up->flags |= RIB_KIDS;
		n--;
	}
}

/* Everything that a deletion along @path may change, so that it can't fail half-way. */
static int path_mark(struct rib *r, struct rib_table *t, const struct fib_addr *key,
		     const u32 *path, u32 n)
{
	for (u32 i = n; i > 0; i--) {
		const struct rib_node *nd = &r->node[path[i - 1]];
		u32 left = own_count(nd) + __builtin_popcountll(nd->kids) - 1;

		if (rib_mark(r, path[i - 1]) != 0)
			return -ENOMEM;
		if (left)
			return 0;
	}
	return top_mark(t, 1u << t->direct_bits | key_bits(key, 0, t->direct_bits));
}

static int node_del(struct rib *r, struct rib_table *t, const struct fib_addr *key,
		    const struct place *pl, const u32 *path, u32 n)
{
	struct rib_node *nd = &r->node[pl->node];

	if (path_mark(r, t, key, path, n) != 0)
		return -ENOMEM;
	words_remove(&r->words, &nd->slots, own_count(nd), own_rank(nd, pl->pos));
	nd->own[pl->pos >> 6] &= ~(1ull << (pl->pos & 63));
	t->n_prefix--;
	path_prune(r, t, key, path, n);
	return 0;
}

int rib_del(struct rib *r, const struct fib_prefix *p)
{
	u32 path[RIB_LEVELS_MAX];
	struct rib_table *t;
	struct fib_addr key;
	struct place pl;
	u32 n;

	if (prefix_check(p, &key) != 0)
		return -ENOENT;
	t = table_find(r, p->vrf, p->family);
	if (!t || place_find(r, t, &key, p->len, &pl, path, &n) != 0)
		return -ENOENT;
	if (pl.node)
		return node_del(r, t, &key, &pl, path, n);
	if (top_mark(t, pl.pos) != 0)
		return -ENOMEM;
	t->top_own[pl.pos >> 6] &= ~(1ull << (pl.pos & 63));
	t->n_prefix--;
	return 0;
}

int rib_get(const struct rib *r, const struct fib_prefix *p, u32 *ret_slot)
{
	u32 path[RIB_LEVELS_MAX];
	const struct rib_table *t;
	const struct rib_node *nd;
	struct fib_addr key;
	struct place pl;
	u32 n;

	if (prefix_check(p, &key) != 0)
		return -ENOENT;
	t = table_find(r, p->vrf, p->family);
	if (!t || place_find(r, t, &key, p->len, &pl, path, &n) != 0)
		return -ENOENT;
	nd = &r->node[pl.node];
	*ret_slot = pl.node ? rib_slots(r, nd)[own_rank(nd, pl.pos)] : t->top_slot[pl.pos];
	return 0;
}

/* ---- longest match ------------------------------------------------------------------------------------- */

struct match {
	u32 len, slot;
	bool found;
};

static void match_top(const struct rib_table *t, const struct fib_addr *key, struct match *m)
{
	u32 pos = 1u << t->direct_bits | key_bits(key, 0, t->direct_bits);

	for (; pos; pos >>= 1) {
		if (!rib_top_has(t, pos))
			continue;
		*m = (struct match){31 - __builtin_clz(pos), t->top_slot[pos], true};
		return;
	}
}

static void match_node(const struct rib *r, const struct rib_node *nd, u32 depth, u32 v,
		       struct match *m)
{
	for (u32 pos = RIB_SLICES | v; pos > 1; pos >>= 1) {
		if (!own_has(nd, pos))
			continue;
		*m = (struct match){depth + 31 - __builtin_clz(pos),
				    rib_slots(r, nd)[own_rank(nd, pos)], true};
		return;
	}
}

static struct fib_addr key_cut(const struct fib_addr *key, u32 len)
{
	struct fib_addr k = *key;

	if (len < 64) {
		k.hi = len ? k.hi >> (64 - len) << (64 - len) : 0;
		k.lo = 0;
	} else if (len < 128) {
		k.lo = len > 64 ? k.lo >> (128 - len) << (128 - len) : 0;
	}
	return k;
}

int rib_match(const struct rib *r, u32 vrf, u8 family, const struct fib_addr *a,
	      struct fib_prefix *ret_prefix, u32 *ret_slot)
{
	const struct rib_table *t = table_find(r, vrf, family);
	struct fib_addr key = key_make(family, a);
	struct match m = {0};
	u32 depth, id;

	if (!t)
		return -ENOENT;
	match_top(t, &key, &m);
	depth = t->direct_bits;
	for (id = t->kid[key_bits(&key, 0, depth)]; id; depth += RIB_STRIDE) {
		const struct rib_node *nd = &r->node[id];
		u32 v = key_bits(&key, depth, RIB_STRIDE);

		match_node(r, nd, depth, v, &m);
		id = nd->kids >> v & 1 ? rib_kid_ids(r, nd)[kid_rank(nd, v)] : 0;
	}
	if (!m.found)
		return -ENOENT;
	key = key_cut(&key, m.len);
	*ret_prefix = (struct fib_prefix){key_addr(family, &key), vrf, family, m.len};
	*ret_slot = m.slot;
	return 0;
}

/* ---- in order ------------------------------------------------------------------------------------------ */

struct each {
	const struct rib *r;
	const struct rib_table *t;
	int (*cb)(void *arg, const struct fib_prefix *p, u32 slot);
	void *arg;
};

/* Next heap position in the order "shorter first, then by address"; 1 is the root, 0 the end. */
static u32 preorder_next(u32 pos, bool deeper)
{
	if (deeper)
		return pos << 1;
	while (pos & 1)
		pos >>= 1;
	return pos ? pos + 1 : 0;
}

static int each_emit(const struct each *e, const struct fib_addr *key, u32 len, u32 slot)
{
	struct fib_prefix p = {key_addr(e->t->family, key), e->t->vrf, e->t->family, len};

	return e->cb(e->arg, &p, slot);
}

struct frame {
	u32 id, pos;
	struct fib_addr key; /* bits above the node */
};

/* One node up to its next child. Return: 0, and *ret_v = RIB_SLICES when it is done. */
static int each_node(const struct each *e, struct frame *f, u32 depth, u32 *ret_v)
{
	const struct rib_node *nd = &e->r->node[f->id];

	while (f->pos) {
		u32 pos = f->pos;
		u32 rel = 31 - __builtin_clz(pos);
		int ret = 0;

		f->pos = pos == 1 ? 2 : preorder_next(pos, rel < RIB_STRIDE);
		if (pos > 1 && own_has(nd, pos)) {
			struct fib_addr key = f->key;

			key_put(&key, depth, rel, pos - (1u << rel));
			ret = each_emit(e, &key, depth + rel,
					rib_slots(e->r, nd)[own_rank(nd, pos)]);
		}
		if (ret != 0)
			return ret;
		if (rel == RIB_STRIDE && nd->kids >> (pos - RIB_SLICES) & 1) {
			*ret_v = pos - RIB_SLICES;
			return 0;
		}
	}
	*ret_v = RIB_SLICES;
	return 0;
}

static int each_subtree(const struct each *e, u32 id, const struct fib_addr *key)
{
	struct frame stack[RIB_LEVELS_MAX];
	u32 n = 1;

	stack[0] = (struct frame){id, 1, *key};
	while (n > 0) {
		struct frame *f = &stack[n - 1];
		u32 depth = e->t->direct_bits + (n - 1) * RIB_STRIDE;
		const struct rib_node *nd = &e->r->node[f->id];
		u32 v;
		int ret = each_node(e, f, depth, &v);

		if (ret != 0)
			return ret;
		if (v == RIB_SLICES) {
			n--;
			continue;
		}
		stack[n] = (struct frame){rib_kid_ids(e->r, nd)[kid_rank(nd, v)], 1, f->key};
		key_put(&stack[n].key, depth, RIB_STRIDE, v);
		n++;
	}
	return 0;
}

static int each_table(const struct each *e)
{
	const struct rib_table *t = e->t;
	u32 pos = 1;

	while (pos) {
		u32 len = 31 - __builtin_clz(pos);
		struct fib_addr key = {0};
		int ret = 0;

		key_put(&key, 0, len, pos - (1u << len));
		if (rib_top_has(t, pos))
			ret = each_emit(e, &key, len, t->top_slot[pos]);
		if (ret == 0 && len == t->direct_bits && t->kid[pos - (1u << len)])
			ret = each_subtree(e, t->kid[pos - (1u << len)], &key);
		if (ret != 0)
			return ret;
		pos = preorder_next(pos, len < t->direct_bits);
	}
	return 0;
}

int rib_walk(const struct rib *r, int (*cb)(void *arg, const struct fib_prefix *p, u32 slot),
	     void *arg)
{
	for (u32 i = 0; i < r->n_table; i++) {
		struct each e = {r, r->table[i], cb, arg};
		int ret = each_table(&e);

		if (ret != 0)
			return ret;
	}
	return 0;
}

void rib_init(struct rib *r)
{
	*r = (struct rib){0};
	memset(r->words.free, 0xff, sizeof(r->words.free));
}

void rib_fini(struct rib *r)
{
	for (u32 i = 0; i < r->n_table; i++)
		rib_table_free(r->table[i]);
	free(r->table);
	free(r->node);
	free(r->words.mem);
	free(r->pending.v);
}
