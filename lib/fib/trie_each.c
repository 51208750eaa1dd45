/* SPDX-License-Identifier: BSD-3-Clause */
/* trie_each.c - reading the prefixes: longest match, and all of them in order. See trie.h. */
#include <errno.h>

#include "key.h"
#include "trie.h"

/* ---- longest match ------------------------------------------------------------------------------------- */

struct match {
	u32 len, slot;
	bool found;
};

static void match_top(const struct trie_table *t, const struct fib_addr *key, struct match *m)
{
	u32 pos = 1u << t->direct_bits | key_bits(key, 0, t->direct_bits);

	for (; pos; pos >>= 1) {
		if (!trie_top_has(t, pos))
			continue;
		*m = (struct match){31 - __builtin_clz(pos), t->top_slot[pos], true};
		return;
	}
}

static void match_node(const struct trie *r, const struct trie_node *nd, u32 depth, u32 v,
		       struct match *m)
{
	for (u32 pos = TRIE_SLICES | v; pos > 1; pos >>= 1) {
		if (!bits_has(nd->own, pos))
			continue;
		*m = (struct match){depth + 31 - __builtin_clz(pos),
				    trie_slots(r, nd)[bits_rank(nd->own, pos)], true};
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

int trie_match(const struct trie *r, u32 vrf, u8 family, const struct fib_addr *a,
	       struct fib_prefix *ret_prefix, u32 *ret_slot)
{
	const struct trie_table *t = trie_table_find(r, vrf, family);
	struct fib_addr key = key_make(family, a);
	struct match m = {0};
	u32 depth, id;

	if (!t)
		return -ENOENT;
	match_top(t, &key, &m);
	depth = t->direct_bits;
	for (id = t->kid[key_bits(&key, 0, depth)]; id; depth += TRIE_STRIDE) {
		const struct trie_node *nd = &r->node[id];
		u32 v = key_bits(&key, depth, TRIE_STRIDE);

		match_node(r, nd, depth, v, &m);
		id = trie_kid(r, nd, v);
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
	const struct trie *r;
	const struct trie_table *t;
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

/* One node up to its next child. Return: 0, and *ret_v = TRIE_SLICES when it is done. */
static int each_node(const struct each *e, struct frame *f, u32 depth, u32 *ret_v)
{
	const struct trie_node *nd = &e->r->node[f->id];

	while (f->pos) {
		u32 pos = f->pos;
		u32 rel = 31 - __builtin_clz(pos);
		int ret = 0;

		f->pos = pos == 1 ? 2 : preorder_next(pos, rel < TRIE_STRIDE);
		if (pos > 1 && bits_has(nd->own, pos)) {
			struct fib_addr key = f->key;

			key_put(&key, depth, rel, pos - (1u << rel));
			ret = each_emit(e, &key, depth + rel,
					trie_slots(e->r, nd)[bits_rank(nd->own, pos)]);
		}
		if (ret != 0)
			return ret;
		if (rel == TRIE_STRIDE && bits_has(nd->kids, pos - TRIE_SLICES)) {
			*ret_v = pos - TRIE_SLICES;
			return 0;
		}
	}
	*ret_v = TRIE_SLICES;
	return 0;
}

static int each_subtree(const struct each *e, u32 id, const struct fib_addr *key)
{
	struct frame stack[TRIE_LEVELS_MAX];
	u32 n = 1;

	stack[0] = (struct frame){id, 1, *key};
	while (n > 0) {
		struct frame *f = &stack[n - 1];
		u32 depth = e->t->direct_bits + (n - 1) * TRIE_STRIDE;
		const struct trie_node *nd = &e->r->node[f->id];
		u32 v;
		int ret = each_node(e, f, depth, &v);

		if (ret != 0)
			return ret;
		if (v == TRIE_SLICES) {
			n--;
			continue;
		}
		stack[n] = (struct frame){trie_kid(e->r, nd, v), 1, f->key};
		key_put(&stack[n].key, depth, TRIE_STRIDE, v);
		n++;
	}
	return 0;
}

static int each_table(const struct each *e)
{
	const struct trie_table *t = e->t;
	u32 pos = 1;

	while (pos) {
		u32 len = 31 - __builtin_clz(pos);
		struct fib_addr key = {0};
		int ret = 0;

		key_put(&key, 0, len, pos - (1u << len));
		if (trie_top_has(t, pos))
			ret = each_emit(e, &key, len, t->top_slot[pos]);
		if (ret == 0 && len == t->direct_bits && t->kid[pos - (1u << len)])
			ret = each_subtree(e, t->kid[pos - (1u << len)], &key);
		if (ret != 0)
			return ret;
		pos = preorder_next(pos, len < t->direct_bits);
	}
	return 0;
}

int trie_table_each(const struct trie *r, const struct trie_table *t,
		    int (*cb)(void *arg, const struct fib_prefix *p, u32 slot), void *arg)
{
	struct each e = {r, t, cb, arg};

	return each_table(&e);
}

int trie_each(const struct trie *r, int (*cb)(void *arg, const struct fib_prefix *p, u32 slot),
	      void *arg)
{
	for (u32 i = 0; i < r->n_table; i++) {
		int ret = trie_table_each(r, r->table[i], cb, arg);

		if (ret != 0)
			return ret;
	}
	return 0;
}
