/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replace.c - replacing everything that one source says by a list, changing only what differs. A long list in address
 * order goes to merge.c; here each route is looked up.
 *
 * What a replace has seen carries the phase of its source, one bit that turns over with each replace, so that nothing
 * has to be cleared before or after. Changes of a list that isn't in address order are kept back and made in that
 * order: the FIB builder takes a full table in a third of the time then, and lays it out the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

/* Routes whose words are on their way from memory while others are worked on. */
#define REPLACE_BATCH 16u

struct replace {
	struct rib *r;
	u8 source;
	bool keep_first; /* of a prefix that is there twice; else the last stays */
	bool defer;
	u64 seen, rejected;
	struct route_change *changes; /* [n_changes], when deferred */
	u64 n_changes, cap_changes;
};

struct replace_item {
	const struct route_cfg *route;
	struct route_key k;
	u64 hash, path_hash;
	bool good;
};

static bool flags_seen(const struct rib *r, u8 flags)
{
	return !!(flags & ROUTE_PHASE) == r->phase[flags & ROUTE_SOURCE];
}

/* ---- changes: a reference to the next hop goes with each ------------------------------------------------------ */

static int change_apply(struct replace *x, const struct route_change *c)
{
	struct rib *r = x->r;
	struct route_table *t = rib_table(r, c->k.family);
	u32 i = route_table_find(t, &c->k, c->hash);
	bool there = false;
	u8 *flags;
	int err;

	if (c->added) {
		there = i && rib_entry_find(r, route_at(t, i), x->source, &flags);
		x->seen += !there;
	}
	if (there && x->keep_first) {
		rib_nexthop_unref(r, c->nh);
		return 0;
	}
	err = rib_entry_put(r, x->source, &c->k, c->hash, c->nh);
	if (err)
		rib_nexthop_unref(r, c->nh);
	return err;
}

static int change_add(struct replace *x, const struct route_change *c)
{
	u64 cap = x->cap_changes ? 2 * x->cap_changes : 1024;
	struct route_change *changes;

	rib_nexthop_ref(x->r, c->nh);
	if (!x->defer)
		return change_apply(x, c);
	if (x->n_changes == x->cap_changes) {
		changes = realloc(x->changes, cap * sizeof(*changes));
		if (!changes) {
			rib_nexthop_unref(x->r, c->nh);
			return -ENOMEM;
		}
		x->changes = changes;
		x->cap_changes = cap;
	}
	x->changes[x->n_changes++] = *c;
	return 0;
}

/* Fetch what the changes behind this one will need: the change itself, then its index word, then its entry. */
static void changes_prefetch(const struct replace *x, const u32 *order, u64 i)
{
	const struct route_change *c;
	const struct route_table *t;

	if (i + REPLACE_BATCH >= x->n_changes)
		return;
	__builtin_prefetch(&x->changes[order[i + REPLACE_BATCH]]);
	c = &x->changes[order[i + REPLACE_BATCH / 2]];
	t = rib_table_const(x->r, c->k.family);
	__builtin_prefetch(&t->index[c->hash & t->mask]);
	c = &x->changes[order[i + REPLACE_BATCH / 4]];
	route_table_prefetch(rib_table_const(x->r, c->k.family), c->hash);
}

static int changes_apply(struct replace *x)
{
	u32 *order = NULL;
	u64 i = 0;
	int err = x->n_changes > UINT32_MAX ? -ENOSPC : 0;

	if (!err)
		err = rib_order_changes(x->changes, x->n_changes, &order);
	for (; i < x->n_changes && !err; i++) {
		changes_prefetch(x, order, i);
		err = change_apply(x, &x->changes[order[i]]);
	}
	/* What a failure left undone gives its references back. */
	for (; i < x->n_changes; i++)
		rib_nexthop_unref(x->r, x->changes[order ? order[i] : i].nh);
	free(order);
	free(x->changes);
	x->changes = NULL;
	x->n_changes = 0;
	return err;
}

/* ---- the list --------------------------------------------------------------------------------------------------- */

static int route_put(struct replace *x, const struct replace_item *item, u32 nh)
{
	struct rib *r = x->r;
	struct route_table *t = rib_table(r, item->k.family);
	struct route_change c = {.k = item->k, .hash = item->hash, .nh = nh, .added = true};
	u32 i = route_table_find(t, &item->k, item->hash), *have = NULL;
	bool again;
	u8 *flags;

	if (i)
		have = rib_entry_find(r, route_at(t, i), x->source, &flags);
	if (!have)
		return change_add(x, &c);
	again = flags_seen(r, *flags);
	if (again && x->keep_first)
		return 0;
	if (!again) {
		*flags ^= ROUTE_PHASE;
		x->seen++;
		if (*have == nh)
			return 0;
	}
	/* The second of a prefix always is a change: the first one's may be kept back yet. */
	c.added = false;
	return change_add(x, &c);
}

static int route_one(struct replace *x, const struct replace_item *item)
{
	u32 nh = 0;
	int err = item->good ? rib_nexthop_find(x->r, item->route, &nh) : -EINVAL;

	if (err == -EINVAL) {
		x->rejected++;
		return 0;
	}
	if (err)
		return err;
	/* Held meanwhile: when the route turns out to need no change, a set made for it goes again. */
	rib_nexthop_ref(x->r, nh);
	err = route_put(x, item, nh);
	rib_nexthop_unref(x->r, nh);
	return err;
}

static void item_prepare(const struct rib *r, struct replace_item *item)
{
	const struct route_table *t;

	item->good = !route_key_of(&item->route->prefix, &item->k);
	if (!item->good)
		return;
	t = rib_table_const(r, item->k.family);
	item->hash = route_hash(&item->k);
	__builtin_prefetch(&t->index[item->hash & t->mask]);
	item->path_hash = rib_nexthop_hash(r, item->route);
	__builtin_prefetch(&r->nhs.index[item->path_hash & r->nhs.mask]);
}

static void item_prefetch(const struct rib *r, const struct replace_item *item)
{
	const struct route_table *t = rib_table_const(r, item->k.family);

	if (!item->good)
		return;
	route_table_prefetch(t, item->hash);
	__builtin_prefetch(&r->nhs.nh[r->nhs.index[item->path_hash & r->nhs.mask]]);
}

static int list_put(struct replace *x, const struct route_cfg *routes, u64 n)
{
	struct replace_item items[REPLACE_BATCH];
	int err = 0;

	for (u64 first = 0; first < n && !err; first += REPLACE_BATCH) {
		u32 batch = DWCP_MIN(n - first, REPLACE_BATCH);

		for (u32 i = 0; i < batch; i++) {
			items[i].route = &routes[first + i];
			item_prepare(x->r, &items[i]);
		}
		for (u32 i = 0; i < batch; i++)
			item_prefetch(x->r, &items[i]);
		for (u32 i = 0; i < batch && !err; i++)
			err = route_one(x, &items[i]);
	}
	return err;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

/* Take out what the list didn't have; after a failure keep it, as if it had been seen. */
static int table_sweep(struct replace *x, struct route_table *t, bool del)
{
	struct rib *r = x->r;
	int err = 0;

	for (u32 i = 1; i < t->n && !err; i++) {
		struct route_entry *e = route_at(t, i);
		u8 *flags;

		if (!e->nh || ((e->flags & ROUTE_SOURCE) != x->source && !e->more))
			continue;
		if (!rib_entry_find(r, e, x->source, &flags) || flags_seen(r, *flags))
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

static int replace_reserve(struct rib *r, const struct rib_list_shape *shape)
{
	int err = route_table_reserve(&r->t4, shape->n4);

	return err ? err : route_table_reserve(&r->t6, shape->n6);
}

/* A merge walks the whole table: for a list in order that is, or was, a good part of it. */
static bool merge_pays(const struct rib *r, u8 source, u64 n, const struct rib_list_shape *shape)
{
	u64 had = r->counts[source][0] + r->counts[source][1];

	return shape->strict && shape->n4 + shape->n6 == n &&
	       8 * DWCP_MAX(n, had) >= (u64)r->t4.used + r->t6.used;
}

static int replace_run(struct replace *x, const struct route_cfg *routes, u64 n)
{
	struct rib *r = x->r;
	struct rib_list_shape shape;
	int err, later;

	if (!n && !r->counts[x->source][0] && !r->counts[x->source][1])
		return 0;
	rib_order_look(routes, n, &shape);
	err = replace_reserve(r, &shape);
	if (err)
		return err;
	if (merge_pays(r, x->source, n, &shape))
		return rib_source_merge(r, x->source, routes, shape.n4, shape.n6, &x->rejected);
	x->defer = !shape.ordered;
	r->phase[x->source] = !r->phase[x->source];
	err = list_put(x, routes, n);
	later = changes_apply(x);
	err = err ? err : later;
	if (!err && !replace_complete(x))
		err = table_sweep(x, &r->t4, true);
	if (!err && !replace_complete(x))
		err = table_sweep(x, &r->t6, true);
	if (err) {
		table_sweep(x, &r->t4, false);
		table_sweep(x, &r->t6, false);
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
