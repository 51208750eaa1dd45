/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - routes of sources: the chain behind a prefix, and replacing everything that one source says.
 *
 * The FIB hears of a prefix only when its best entry changes. What a replace has seen carries the phase of its source,
 * one bit that turns over with each replace, so that nothing has to be cleared before or after.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

/* Routes whose index words and entries are on their way from memory while others are worked on. */
#define REPLACE_BATCH 16u

static int fib_set(struct rib *r, const struct route_key *k, u32 nh)
{
	struct fib_prefix p = {.vrf = k->vrf, .family = k->family, .len = k->len};

	if (k->family == FIB_IP4) {
		p.addr.lo = k->addr[0];
	} else {
		p.addr.hi = (u64)k->addr[0] << 32 | k->addr[1];
		p.addr.lo = (u64)k->addr[2] << 32 | k->addr[3];
	}
	r->dirty = true;
	return fib_builder_set(r->fib, &p, r->nhs.nh[nh].slot);
}

static void count_add(struct rib *r, u8 source, u8 family, s64 n)
{
	r->counts[source][family == FIB_IP6] += n;
}

static u8 source_flags(const struct rib *r, u8 source)
{
	return source | (r->phase[source] ? ROUTE_PHASE : 0);
}

static bool flags_seen(const struct rib *r, u8 flags)
{
	return !!(flags & ROUTE_PHASE) == r->phase[flags & ROUTE_SOURCE];
}

static int entry_new(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh)
{
	struct route_table *t = rib_table(r, k->family);
	u32 i = route_table_add(t, k, hash);
	struct route_entry *e;
	int err;

	if (!i)
		return t->used >= RIB_MAX_ROUTES ? -ENOSPC : -ENOMEM;
	e = route_at(t, i);
	e->nh = nh;
	e->flags = source_flags(r, source);
	err = fib_set(r, k, nh);
	if (err)
		route_table_del(t, i);
	else
		count_add(r, source, k->family, 1);
	return err;
}

/* A better source than the best so far: its entry goes in front. */
static int entry_push(struct rib *r, u8 source, const struct route_key *k, struct route_entry *e,
		      u32 nh)
{
	u32 m = route_pool_alloc(&r->pool);
	int err;

	if (!m)
		return -ENOMEM;
	err = fib_set(r, k, nh);
	if (err) {
		route_pool_free(&r->pool, m);
		return err;
	}
	r->pool.e[m] = (struct route_more){e->nh, e->more, e->flags & (ROUTE_SOURCE | ROUTE_PHASE)};
	e->nh = nh;
	e->more = m;
	e->flags = source_flags(r, source) | (e->flags & ROUTE_ORDERED);
	count_add(r, source, k->family, 1);
	return 0;
}

static int entry_replace(struct rib *r, const struct route_key *k, struct route_entry *e, u32 nh)
{
	u32 old = e->nh;
	int err;

	if (old != nh) {
		err = fib_set(r, k, nh);
		if (err)
			return err;
	}
	e->nh = nh;
	e->flags = source_flags(r, e->flags & ROUTE_SOURCE) | (e->flags & ROUTE_ORDERED);
	rib_nexthop_unref(r, old);
	return 0;
}

/* Behind the best: the FIB doesn't change. */
static int more_put(struct rib *r, u8 source, const struct route_key *k, struct route_entry *e,
		    u32 nh)
{
	u32 before = 0, at = e->more, m, old;

	while (at && (r->pool.e[at].flags & ROUTE_SOURCE) < source) {
		before = at;
		at = r->pool.e[at].next;
	}
	if (at && (r->pool.e[at].flags & ROUTE_SOURCE) == source) {
		old = r->pool.e[at].nh;
		r->pool.e[at].nh = nh;
		r->pool.e[at].flags = source_flags(r, source);
		rib_nexthop_unref(r, old);
		return 0;
	}
	m = route_pool_alloc(&r->pool);
	if (!m)
		return -ENOMEM;
	r->pool.e[m] = (struct route_more){nh, at, source_flags(r, source)};
	if (before)
		r->pool.e[before].next = m;
	else
		e->more = m;
	count_add(r, source, k->family, 1);
	return 0;
}

static u32 *entry_find(struct rib *r, struct route_entry *e, u8 source, u8 **ret_flags)
{
	u32 m;

	*ret_flags = &e->flags;
	if ((e->flags & ROUTE_SOURCE) == source)
		return &e->nh;
	for (m = e->more; m; m = r->pool.e[m].next)
		if ((r->pool.e[m].flags & ROUTE_SOURCE) == source) {
			*ret_flags = &r->pool.e[m].flags;
			return &r->pool.e[m].nh;
		}
	return NULL;
}

int rib_entry_put(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh)
{
	struct route_table *t = rib_table(r, k->family);
	u32 i = route_table_find(t, k, hash);
	struct route_entry *e = route_at(t, i);
	u8 best = i ? e->flags & ROUTE_SOURCE : 0;

	if (!i)
		return entry_new(r, source, k, hash, nh);
	if (source < best)
		return entry_push(r, source, k, e, nh);
	if (source == best)
		return entry_replace(r, k, e, nh);
	return more_put(r, source, k, e, nh);
}

static int best_del(struct rib *r, struct route_table *t, u32 i)
{
	struct route_entry *e = route_at(t, i);
	struct fib_prefix p;
	struct route_key k;
	u32 m = e->more, old = e->nh;
	int err;

	route_prefix(t, e, &p);
	if (!m) {
		err = fib_builder_del(r->fib, &p);
		if (err)
			return err;
		r->dirty = true;
		route_table_del(t, i);
	} else {
		if (r->pool.e[m].nh != old) {
			route_key_of(&p, &k);
			err = fib_set(r, &k, r->pool.e[m].nh);
			if (err)
				return err;
		}
		e->nh = r->pool.e[m].nh;
		e->more = r->pool.e[m].next;
		e->flags = r->pool.e[m].flags | (e->flags & ROUTE_ORDERED);
		route_pool_free(&r->pool, m);
	}
	rib_nexthop_unref(r, old);
	return 0;
}

static int more_del(struct rib *r, struct route_entry *e, u8 source)
{
	u32 *at = &e->more, m, nh;

	while (*at && (r->pool.e[*at].flags & ROUTE_SOURCE) != source)
		at = &r->pool.e[*at].next;
	m = *at;
	if (!m)
		return -ENOENT;
	nh = r->pool.e[m].nh;
	*at = r->pool.e[m].next;
	route_pool_free(&r->pool, m);
	rib_nexthop_unref(r, nh);
	return 0;
}

int rib_entry_del(struct rib *r, struct route_table *t, u32 i, u8 source)
{
	struct route_entry *e = route_at(t, i);
	int err = (e->flags & ROUTE_SOURCE) == source ? best_del(r, t, i) : more_del(r, e, source);

	if (!err)
		count_add(r, source, t->family, -1);
	return err;
}

/* ---- replacing a source ---------------------------------------------------------------------------------------- */

struct replace {
	struct rib *r;
	u8 source;
	bool keep_first;
	u64 seen, rejected;
	/* Neighbouring routes of a list often share their paths: one look at the path set serves them all. */
	const struct path_cfg *paths;
	u32 n_paths, nh;
	enum route_type type;
};

struct replace_item {
	struct route_key k;
	u64 hash;
	bool good;
};

static void replace_prefetch(const struct rib *r, const struct route_cfg *route,
			     struct replace_item *item)
{
	const struct route_table *t;

	item->good = !route_key_of(&route->prefix, &item->k);
	if (!item->good)
		return;
	t = rib_table_const(r, item->k.family);
	item->hash = route_hash(&item->k);
	__builtin_prefetch(&t->index[item->hash & t->mask]);
}

static void replace_prefetch_entry(const struct rib *r, const struct replace_item *item)
{
	const struct route_table *t = rib_table_const(r, item->k.family);

	if (item->good)
		__builtin_prefetch(route_at(t, t->index[item->hash & t->mask] & 0xffffff));
}

static int replace_nexthop(struct replace *x, const struct route_cfg *route, u32 *ret_nh)
{
	u32 nh;
	int err;

	/* Held by the route before this one, which is in the table. */
	if (x->nh && route->type == x->type && route->paths == x->paths &&
	    route->n_paths == x->n_paths) {
		*ret_nh = x->nh;
		return 0;
	}
	err = rib_nexthop_find(x->r, route, &nh);
	if (!err)
		*ret_nh = nh;
	return err;
}

static int replace_put(struct replace *x, const struct route_cfg *route,
		       const struct replace_item *item, u32 nh)
{
	struct rib *r = x->r;
	struct route_table *t = rib_table(r, item->k.family);
	u32 i = route_table_find(t, &item->k, item->hash), *have = NULL;
	u8 *flags;
	int err;

	if (i)
		have = entry_find(r, route_at(t, i), x->source, &flags);
	if (have && flags_seen(r, *flags)) {
		if (*have == nh || x->keep_first)
			return 0;
	} else {
		x->seen++;
	}
	if (have && *have == nh) {
		*flags ^= flags_seen(r, *flags) ? 0 : ROUTE_PHASE;
		return 0;
	}
	rib_nexthop_ref(r, nh);
	err = rib_entry_put(r, x->source, &item->k, item->hash, nh);
	if (err)
		r->nhs.nh[nh].refs--;
	return err;
}

static int replace_one(struct replace *x, const struct route_cfg *route,
		       const struct replace_item *item)
{
	u32 nh;
	int err = item->good ? replace_nexthop(x, route, &nh) : -EINVAL;

	if (err == -EINVAL) {
		x->rejected++;
		return 0;
	}
	if (err)
		return err;
	err = replace_put(x, route, item, nh);
	x->nh = 0;
	if (!x->r->nhs.nh[nh].refs) {
		rib_nexthop_reap(x->r, nh);
		return err;
	}
	x->nh = nh;
	x->paths = route->paths;
	x->n_paths = route->n_paths;
	x->type = route->type;
	return err;
}

static int replace_all(struct replace *x, const struct route_cfg *routes, u64 n)
{
	struct replace_item items[REPLACE_BATCH];
	int err = 0;

	for (u64 first = 0; first < n && !err; first += REPLACE_BATCH) {
		u32 batch = DWCP_MIN(n - first, REPLACE_BATCH);

		for (u32 i = 0; i < batch; i++)
			replace_prefetch(x->r, &routes[first + i], &items[i]);
		for (u32 i = 0; i < batch; i++)
			replace_prefetch_entry(x->r, &items[i]);
		for (u32 i = 0; i < batch && !err; i++)
			err = replace_one(x, &routes[first + i], &items[i]);
	}
	return err;
}

/* Take out what the list didn't have; after a failure keep it, as if it had been seen. */
static int replace_sweep(struct replace *x, struct route_table *t, bool del)
{
	struct rib *r = x->r;
	int err = 0;

	for (u32 i = 1; i < t->n && !err; i++) {
		struct route_entry *e = route_at(t, i);
		u8 *flags;

		if (!e->nh || ((e->flags & ROUTE_SOURCE) != x->source && !e->more))
			continue;
		if (!entry_find(r, e, x->source, &flags) || flags_seen(r, *flags))
			continue;
		if (del)
			err = rib_entry_del(r, t, i, x->source);
		else
			*flags ^= ROUTE_PHASE;
	}
	return err;
}

static bool replace_complete(const struct replace *x)
{
	return x->seen == x->r->counts[x->source][0] + x->r->counts[x->source][1];
}

static int replace_reserve(struct rib *r, const struct route_cfg *routes, u64 n)
{
	u64 n4 = 0;
	int err;

	for (u64 i = 0; i < n; i++)
		n4 += routes[i].prefix.family == FIB_IP4;
	err = route_table_reserve(&r->t4, n4);
	return err ? err : route_table_reserve(&r->t6, n - n4);
}

static int replace_run(struct replace *x, const struct route_cfg *routes, u64 n)
{
	struct rib *r = x->r;
	int err = replace_reserve(r, routes, n);

	if (err)
		return err;
	r->phase[x->source] = !r->phase[x->source];
	err = replace_all(x, routes, n);
	if (!err && !replace_complete(x))
		err = replace_sweep(x, &r->t4, true);
	if (!err && !replace_complete(x))
		err = replace_sweep(x, &r->t6, true);
	if (err) {
		replace_sweep(x, &r->t4, false);
		replace_sweep(x, &r->t6, false);
	}
	return err;
}

int rib_source_replace(struct rib *r, u8 source, const struct route_cfg *routes, u64 n,
		       u64 *ret_rejected)
{
	struct replace x = {.r = r, .source = source};
	int err = source < RIB_N_SOURCES ? replace_run(&x, routes, n) : -EINVAL;

	if (!err && ret_rejected)
		*ret_rejected = x.rejected;
	return err;
}

int rib_source_replace_first(struct rib *r, u8 source, const struct route_cfg *routes, u64 n)
{
	struct replace x = {.r = r, .source = source, .keep_first = true};

	return replace_run(&x, routes, n);
}
