/* SPDX-License-Identifier: BSD-3-Clause */
/* trie.c - see trie.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "key.h"
#include "trie.h"

/*
 * Direct bits. Levels of IPv6 must end at bit 63, where readers change over to the address's second half. The
 * main table of a router is asked most, so it grows earlier.
 */
#define DIRECT_BITS4_SMALL 9
#define DIRECT_BITS4_LARGE 19
#define DIRECT_BITS6_SMALL 8
#define DIRECT_BITS6_LARGE 18
#define LARGE_FROM_MAIN	   256
#define LARGE_FROM	   4096

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

/* ---- nodes --------------------------------------------------------------------------------------------- */

static int node_mark(struct trie *r, u32 id)
{
	if (r->node[id].flags & TRIE_PENDING)
		return 0;
	if (u32_vec_push(&r->pending, id) != 0)
		return -ENOMEM;
	r->node[id].flags |= TRIE_PENDING;
	return 0;
}

static u32 node_alloc(struct trie *r)
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
				r->node[r->n_node++] = (struct trie_node){0};
		}
		id = r->n_node++;
	}
	r->node[id] = (struct trie_node){.place = TRIE_NONE, .flags = TRIE_LIVE};
	r->n_live++;
	return id;
}

static void node_free(struct trie *r, u32 id)
{
	r->on_free(r->on_free_arg, &r->node[id]);
	r->node[id] = (struct trie_node){.inherit = r->free_node};
	r->free_node = id;
	r->n_live--;
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static void table_free(struct trie_table *t)
{
	if (!t)
		return;
	free(t->top_own);
	free(t->top_slot);
	free(t->kid);
	free(t->pending.v);
	free(t);
}

static u8 direct_bits_for(u32 vrf, u8 family, u64 n_prefix)
{
	bool large = n_prefix >= (vrf == 0 ? LARGE_FROM_MAIN : LARGE_FROM);

	if (family == FIB_IP4)
		return large ? DIRECT_BITS4_LARGE : DIRECT_BITS4_SMALL;
	return large ? DIRECT_BITS6_LARGE : DIRECT_BITS6_SMALL;
}

static struct trie_table *table_create(u32 vrf, u8 family, u8 direct_bits)
{
	struct trie_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->vrf = vrf;
	t->family = family;
	t->max_len = family == FIB_IP4 ? 32 : 128;
	t->direct_bits = direct_bits;
	t->top_own = calloc((2u << t->direct_bits) / 64, sizeof(u64));
	t->top_slot = calloc(2u << t->direct_bits, sizeof(u32));
	t->kid = calloc(1u << t->direct_bits, sizeof(u32));
	if (!t->top_own || !t->top_slot || !t->kid) {
		table_free(t);
		return NULL;
	}
	return t;
}

/* Index of (vrf, family), or where it would have to be inserted. */
static u32 table_index(const struct trie *r, u32 vrf, u8 family)
{
	u32 lo = 0, hi = r->n_table;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		const struct trie_table *t = r->table[mid];

		if (t->vrf < vrf || (t->vrf == vrf && t->family < family))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct trie_table *trie_table_find(const struct trie *r, u32 vrf, u8 family)
{
	u32 i = table_index(r, vrf, family);

	if (i == r->n_table || r->table[i]->vrf != vrf || r->table[i]->family != family)
		return NULL;
	return r->table[i];
}

static struct trie_table *table_get_or_create(struct trie *r, u32 vrf, u8 family)
{
	struct trie_table *t = trie_table_find(r, vrf, family);
	u32 i = table_index(r, vrf, family);
	void *mem;

	if (t)
		return t;
	mem = realloc(r->table, (r->n_table + 1) * sizeof(struct trie_table *));
	if (!mem)
		return NULL;
	r->table = mem;
	t = table_create(vrf, family, direct_bits_for(vrf, family, 0));
	if (!t)
		return NULL;
	memmove(&r->table[i + 1], &r->table[i], (r->n_table - i) * sizeof(struct trie_table *));
	r->table[i] = t;
	r->n_table++;
	return t;
}

static int top_mark(struct trie_table *t, u32 pos)
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
static u32 kid_get_or_create(struct trie *r, u32 id, u32 v)
{
	struct trie_node *nd = &r->node[id];
	u32 kid;

	kid = trie_kid(r, nd, v);
	if (kid)
		return kid;
	if (node_mark(r, id) != 0)
		return 0;
	kid = node_alloc(r);
	if (!kid)
		return 0;
	nd = &r->node[id];
	if (fib_words_insert(&r->words, &nd->kid_ids, trie_kid_count(nd), bits_rank(nd->kids, v),
			     kid) != 0) {
		node_free(r, kid);
		return 0;
	}
	nd->kids |= 1u << v;
	return kid;
}

static u32 top_kid_get_or_create(struct trie *r, struct trie_table *t, u32 i)
{
	if (!t->kid[i]) {
		if (top_mark(t, 1u << t->direct_bits | i) != 0)
			return 0;
		t->kid[i] = node_alloc(r);
	}
	return t->kid[i];
}

/* A failure leaves empty nodes behind, which are harmless: they render as their parent's slot. */
static int place_create(struct trie *r, struct trie_table *t, const struct fib_addr *key, u32 len,
			struct place *ret)
{
	u32 depth = t->direct_bits;
	u32 id;

	if (len <= depth) {
		*ret = (struct place){.pos = 1u << len | key_bits(key, 0, len)};
		return 0;
	}
	id = top_kid_get_or_create(r, t, key_bits(key, 0, depth));
	while (id && len > depth + TRIE_STRIDE) {
		id = kid_get_or_create(r, id, key_bits(key, depth, TRIE_STRIDE));
		depth += TRIE_STRIDE;
	}
	if (!id)
		return -ENOMEM;
	*ret = (struct place){.node = id, .pos = node_pos(key, depth, len), .depth = depth};
	return 0;
}

/* @path: [TRIE_LEVELS_MAX] ids from the top to the node; @ret_n of them. */
static int place_find(const struct trie *r, const struct trie_table *t, const struct fib_addr *key,
		      u32 len, struct place *ret, u32 *path, u32 *ret_n)
{
	u32 depth = t->direct_bits;
	u32 id, n = 0;

	*ret_n = 0;
	if (len <= depth) {
		*ret = (struct place){.pos = 1u << len | key_bits(key, 0, len)};
		return trie_top_has(t, ret->pos) ? 0 : -ENOENT;
	}
	for (id = t->kid[key_bits(key, 0, depth)]; id; depth += TRIE_STRIDE) {
		const struct trie_node *nd = &r->node[id];
		u32 v = key_bits(key, depth, TRIE_STRIDE);

		path[n++] = id;
		if (len <= depth + TRIE_STRIDE) {
			*ret = (struct place){id, node_pos(key, depth, len), depth};
			*ret_n = n;
			return bits_has(nd->own, ret->pos) ? 0 : -ENOENT;
		}
		id = trie_kid(r, nd, v);
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

static int top_set(struct trie_table *t, u32 pos, u32 slot)
{
	bool had = trie_top_has(t, pos);

	if (had && t->top_slot[pos] == slot)
		return 0;
	if (top_mark(t, pos) != 0)
		return -ENOMEM;
	t->top_own[pos >> 6] |= 1ull << (pos & 63);
	t->top_slot[pos] = slot;
	t->n_prefix += !had;
	return 0;
}

static int node_set(struct trie *r, struct trie_table *t, const struct place *pl, u32 slot)
{
	struct trie_node *nd = &r->node[pl->node];
	u32 rank = bits_rank(nd->own, pl->pos);

	if (bits_has(nd->own, pl->pos) && trie_slots(r, nd)[rank] == slot)
		return 0;
	if (node_mark(r, pl->node) != 0)
		return -ENOMEM;
	if (bits_has(nd->own, pl->pos)) {
		r->words.mem[nd->slots + rank] = slot;
		return 0;
	}
	if (fib_words_insert(&r->words, &nd->slots, trie_own_count(nd), rank, slot) != 0)
		return -ENOMEM;
	nd->own |= 1ull << pl->pos;
	t->n_prefix++;
	return 0;
}

static int table_set(struct trie *r, struct trie_table *t, const struct fib_addr *key, u32 len,
		     u32 slot)
{
	struct place pl;
	int ret = place_create(r, t, key, len, &pl);

	if (ret != 0)
		return ret;
	return pl.node ? node_set(r, t, &pl, slot) : top_set(t, pl.pos, slot);
}

/* ---- direct bits --------------------------------------------------------------------------------------- */

static u8 bits_wanted(const struct trie_table *t)
{
	return direct_bits_for(t->vrf, t->family, t->n_prefix);
}

struct listed {
	struct fib_prefix prefix;
	u32 slot;
};

struct list {
	struct listed *at;
	u64 n;
};

static int list_add(void *arg, const struct fib_prefix *p, u32 slot)
{
	struct list *l = arg;

	l->at[l->n++] = (struct listed){*p, slot};
	return 0;
}

/* By way of a list: new nodes may move the block that the old ones are in. */
static int table_copy(struct trie *r, const struct trie_table *from, struct trie_table *to)
{
	struct list l = {malloc(from->n_prefix * sizeof(*l.at)), 0};
	int ret = 0;

	if (!l.at)
		return -ENOMEM;
	trie_table_each(r, from, list_add, &l);
	for (u64 i = 0; i < l.n && ret == 0; i++) {
		const struct fib_prefix *p = &l.at[i].prefix;
		struct fib_addr key = key_make(p->family, &p->addr);

		ret = table_set(r, to, &key, p->len, l.at[i].slot);
	}
	free(l.at);
	return ret;
}

/* All nodes of a table, from below the direct entries down. */
static void nodes_free(struct trie *r, struct trie_table *t)
{
	for (u32 i = 0; i < 1u << t->direct_bits; i++) {
		u32 stack[TRIE_LEVELS_MAX * TRIE_SLICES];
		u32 n = 0;

		if (t->kid[i])
			stack[n++] = t->kid[i];
		while (n > 0) {
			u32 id = stack[--n];
			struct trie_node *nd = &r->node[id];
			u32 n_kid = trie_kid_count(nd), n_own = trie_own_count(nd);

			for (u32 k = 0; k < n_kid; k++)
				stack[n++] = trie_kid_ids(r, nd)[k];
			fib_words_drop(&r->words, nd->kid_ids, n_kid);
			fib_words_drop(&r->words, nd->slots, n_own);
			node_free(r, id);
		}
	}
}

/* Move a table to other direct bits. Its old range of the direct array stays unused until the next settling. */
static int table_resize(struct trie *r, struct trie_table **t, u8 direct_bits)
{
	struct trie_table *to = table_create((*t)->vrf, (*t)->family, direct_bits);

	if (!to)
		return -ENOMEM;
	if (table_copy(r, *t, to) != 0) {
		nodes_free(r, to);
		table_free(to);
		return -ENOMEM;
	}
	nodes_free(r, *t);
	r->on_drop(r->on_free_arg, *t);
	table_free(*t);
	*t = to;
	return 0;
}

int trie_settle(struct trie *r)
{
	u32 n = 0;
	int ret = 0;

	for (u32 i = 0; i < r->n_table; i++) {
		struct trie_table **t = &r->table[i];

		if (ret == 0 && (*t)->n_prefix && (*t)->direct_bits != bits_wanted(*t))
			ret = table_resize(r, t, bits_wanted(*t));
		if ((*t)->n_prefix) {
			r->table[n++] = *t;
			continue;
		}
		nodes_free(r, *t);
		table_free(*t);
	}
	r->n_table = n;
	return ret;
}

int trie_set(struct trie *r, const struct fib_prefix *p, u32 slot)
{
	struct trie_table *t;
	struct fib_addr key;
	int ret = prefix_check(p, &key);

	if (ret != 0 || slot > DWCP_FIB_INDEX)
		return -EINVAL;
	t = table_get_or_create(r, p->vrf, p->family);
	if (!t)
		return -ENOMEM;
	ret = table_set(r, t, &key, p->len, slot);
	if (ret != 0)
		return ret;
	/* Growing is worth a try only: the small table answers as well. */
	if (dwcp_unlikely(t->direct_bits < bits_wanted(t)))
		table_resize(r, &r->table[table_index(r, p->vrf, p->family)], bits_wanted(t));
	return 0;
}

static bool node_empty(const struct trie_node *nd)
{
	return trie_own_count(nd) == 0 && trie_kid_count(nd) == 0;
}

/* Take away the nodes at the end of @path that hold nothing any more. All marks are made before. */
static void path_prune(struct trie *r, struct trie_table *t, const struct fib_addr *key,
		       const u32 *path, u32 n)
{
	while (n > 0 && node_empty(&r->node[path[n - 1]])) {
		u32 depth = t->direct_bits + (n - 1) * TRIE_STRIDE;
		struct trie_node *up;
		u32 v;

		node_free(r, path[n - 1]);
		if (n == 1) {
			t->kid[key_bits(key, 0, t->direct_bits)] = 0;
			return;
		}
		up = &r->node[path[n - 2]];
		v = key_bits(key, depth - TRIE_STRIDE, TRIE_STRIDE);
		fib_words_remove(&r->words, up->kid_ids, trie_kid_count(up),
				 bits_rank(up->kids, v));
		up->kids &= ~(1u << v);
		n--;
	}
}

/* Everything that a deletion along @path may change, so that it can't fail half-way. */
static int path_mark(struct trie *r, struct trie_table *t, const struct fib_addr *key,
		     const u32 *path, u32 n)
{
	for (u32 i = n; i > 0; i--) {
		const struct trie_node *nd = &r->node[path[i - 1]];
		u32 left = trie_own_count(nd) + trie_kid_count(nd) - 1;

		if (node_mark(r, path[i - 1]) != 0)
			return -ENOMEM;
		if (left)
			return 0;
	}
	return top_mark(t, 1u << t->direct_bits | key_bits(key, 0, t->direct_bits));
}

static int node_del(struct trie *r, struct trie_table *t, const struct fib_addr *key,
		    const struct place *pl, const u32 *path, u32 n)
{
	struct trie_node *nd = &r->node[pl->node];

	if (path_mark(r, t, key, path, n) != 0)
		return -ENOMEM;
	fib_words_remove(&r->words, nd->slots, trie_own_count(nd), bits_rank(nd->own, pl->pos));
	nd->own &= ~(1ull << pl->pos);
	t->n_prefix--;
	path_prune(r, t, key, path, n);
	return 0;
}

int trie_del(struct trie *r, const struct fib_prefix *p)
{
	u32 path[TRIE_LEVELS_MAX];
	struct trie_table *t;
	struct fib_addr key;
	struct place pl;
	u32 n;

	if (prefix_check(p, &key) != 0)
		return -ENOENT;
	t = trie_table_find(r, p->vrf, p->family);
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

int trie_get(const struct trie *r, const struct fib_prefix *p, u32 *ret_slot)
{
	u32 path[TRIE_LEVELS_MAX];
	const struct trie_table *t;
	const struct trie_node *nd;
	struct fib_addr key;
	struct place pl;
	u32 n;

	if (prefix_check(p, &key) != 0)
		return -ENOENT;
	t = trie_table_find(r, p->vrf, p->family);
	if (!t || place_find(r, t, &key, p->len, &pl, path, &n) != 0)
		return -ENOENT;
	nd = &r->node[pl.node];
	*ret_slot = pl.node ? trie_slots(r, nd)[bits_rank(nd->own, pl.pos)] : t->top_slot[pl.pos];
	return 0;
}

void trie_init(struct trie *r)
{
	*r = (struct trie){0};
	fib_words_init(&r->words);
}

void trie_fini(struct trie *r)
{
	for (u32 i = 0; i < r->n_table; i++)
		table_free(r->table[i]);
	free(r->table);
	free(r->node);
	fib_words_fini(&r->words);
	free(r->pending.v);
}
