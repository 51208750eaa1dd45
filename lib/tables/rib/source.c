/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - routes of sources: the chain behind a prefix. The FIB hears of a prefix only when its best entry changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

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

int rib_entry_new(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh, u32 *ret_i)
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
	e->protocol = r->protocol;
	err = fib_set(r, k, nh);
	if (err) {
		route_table_del(t, i);
		return err;
	}
	count_add(r, source, k->family, 1);
	*ret_i = i;
	return 0;
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
	r->pool.e[m] = (struct route_more){e->nh, e->more, e->flags & (ROUTE_SOURCE | ROUTE_PHASE),
					   e->protocol};
	e->nh = nh;
	e->more = m;
	e->flags = source_flags(r, source) | (e->flags & ROUTE_ORDERED);
	e->protocol = r->protocol;
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
	e->protocol = r->protocol;
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
		r->pool.e[at].protocol = r->protocol;
		rib_nexthop_unref(r, old);
		return 0;
	}
	m = route_pool_alloc(&r->pool);
	if (!m)
		return -ENOMEM;
	r->pool.e[m] = (struct route_more){nh, at, source_flags(r, source), r->protocol};
	if (before)
		r->pool.e[before].next = m;
	else
		e->more = m;
	count_add(r, source, k->family, 1);
	return 0;
}

u32 *rib_entry_find(struct rib *r, struct route_entry *e, u8 source, u8 **ret_flags)
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

int rib_entry_change(struct rib *r, u8 source, const struct route_key *k, u32 i, u32 nh)
{
	struct route_entry *e = route_at(rib_table(r, k->family), i);
	u8 best = e->flags & ROUTE_SOURCE;

	if (source < best)
		return entry_push(r, source, k, e, nh);
	if (source == best)
		return entry_replace(r, k, e, nh);
	return more_put(r, source, k, e, nh);
}

int rib_entry_put(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh)
{
	u32 i = route_table_find(rib_table(r, k->family), k, hash);

	return i ? rib_entry_change(r, source, k, i, nh)
		 : rib_entry_new(r, source, k, hash, nh, &i);
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
		e->protocol = r->pool.e[m].protocol;
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
