/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_dump.c - compares a dump with what is held, prefix by prefix, and repairs what differs.
 *
 * The socket's queue has dump and notifications in the kernel's order, but for one thing: a part of the dump is read
 * from the tables a moment before it is queued, and a change may be made and told within that moment. So a prefix that
 * was told of between the part before and this one cannot be judged by this one. And a writer may be stopped between
 * its change and telling of it: what is told after a repair was late, and no divergence. What a dump may have left out:
 * kernel_gaps.c.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel_private.h"

void kernel_routes_dump_begin(struct kernel_routes *kr, u8 family)
{
	struct kernel_dump *d = &kr->dump;
	struct kernel_group group = d->group;
	struct kernel_gaps gaps = d->gaps;
	u32 number = d->number + 1;

	kr->part += 2; /* what was told before is no longer recent */
	*d = (struct kernel_dump){.running = true,
				  .family = family,
				  .number = number,
				  .begin = kr->part,
				  .group = group,
				  .gaps = gaps};
	d->group.n = 0;
	kernel_gaps_begin(&d->gaps);
	for (u32 i = 1; i < kr->entry_pool.n; i++)
		if (kr->entries[i].prefix.family == family)
			kr->entries[i].flags &= (u8)~ENTRY_REPAIRED;
}

void kernel_routes_dump_settled(struct kernel_routes *kr)
{
	kr->settled = kr->dump.number;
}

void kernel_routes_dump_part(struct kernel_routes *kr)
{
	kr->part++;
	if (kr->dump.running)
		kernel_gaps_part(kr);
}

static bool recent(const struct kernel_routes *kr, const struct kernel_entry *e)
{
	return e->touched + 1 >= kr->dump.group_part && e->touched >= kr->dump.begin;
}

/* The variants of the dump's table stand together in the chain. */
static u32 table_first(const struct kernel_routes *kr, u32 entry, u32 *ret_before)
{
	u32 i = kr->entries[entry].first;

	*ret_before = 0;
	for (; i && kr->variants[i].rank < kr->dump.rank; i = kr->variants[i].next)
		*ret_before = i;
	return i && kr->variants[i].rank == kr->dump.rank ? i : 0;
}

static u32 table_next(const struct kernel_routes *kr, u32 i)
{
	u32 next = kr->variants[i].next;

	return next && kr->variants[next].rank == kr->variants[i].rank ? next : 0;
}

/* @but_protocol: of IPv6 routes that were joined it is one or another's. */
static bool group_equal(const struct kernel_routes *kr, u32 first, bool but_protocol)
{
	const struct kernel_group *g = &kr->dump.group;
	u32 n = 0;

	for (u32 i = first; i; i = table_next(kr, i), n++) {
		struct kernel_variant held = kr->variants[i];

		if (n == g->n || held.metric != g->v[n].metric)
			return false;
		held.protocol = but_protocol ? g->v[n].protocol : held.protocol;
		if (!kernel_variant_same(kr, &held, &g->v[n]))
			return false;
	}
	return n == g->n;
}

static void group_seen(struct kernel_routes *kr, u32 first)
{
	for (u32 i = first; i; i = table_next(kr, i)) {
		struct kernel_variant *v = &kr->variants[i];

		v->untold = v->untold && v->seen == kr->dump.number;
		v->seen = kr->dump.number;
	}
}

static void group_forget(struct kernel_routes *kr)
{
	struct kernel_group *g = &kr->dump.group;

	for (u32 i = 0; i < g->n; i++)
		kernel_set_unref(kr, g->v[i].set);
	g->n = 0;
}

/* What is held already has been told, wherever it stands. */
static void group_tell(struct kernel_routes *kr, u32 first)
{
	struct kernel_group *g = &kr->dump.group;

	for (u32 i = first; i; i = table_next(kr, i)) {
		const struct kernel_variant *held = &kr->variants[i];
		u32 k = 0;

		while (k < g->n && !(g->v[k].untold && g->v[k].metric == held->metric &&
				     kernel_variant_same(kr, held, &g->v[k])))
			k++;
		if (k < g->n)
			g->v[k].untold = false;
	}
}

/* The references of the group go over to the variants. */
static int group_repair(struct kernel_routes *kr, u32 entry, u32 first, u32 before)
{
	struct kernel_group *g = &kr->dump.group;
	u32 next, at = before, n = 0;

	group_tell(kr, first);
	for (u32 i = first; i; i = next) {
		next = table_next(kr, i);
		kernel_variant_del(kr, i);
	}
	for (; n < g->n; n++) {
		at = kernel_variant_add(kr, entry, &g->v[n], at);
		if (!at)
			break;
	}
	memmove(g->v, g->v + n, (g->n - n) * sizeof(*g->v));
	g->n -= n;
	return g->n ? -ENOMEM : 0;
}

static int group_close(struct kernel_routes *kr)
{
	struct kernel_dump *d = &kr->dump;
	u32 entry, first, before;
	int err = 0;

	if (!d->group.n)
		return 0;
	entry = kernel_entry_get(kr, &d->prefix);
	if (!entry) {
		group_forget(kr);
		return -ENOMEM;
	}
	first = table_first(kr, entry, &before);
	if (!group_equal(kr, first, false)) {
		/* Of what is not known at all, a part is better than nothing: at a start there is no other. */
		bool torn = d->group.torn, known = first;

		d->result.again = d->result.again || torn;
		if ((torn && known) || recent(kr, &kr->entries[entry])) {
			d->result.again = true;
		} else {
			if (!group_equal(kr, first, true)) {
				d->result.n_changed++;
				kr->entries[entry].flags |= ENTRY_REPAIRED;
			}
			err = group_repair(kr, entry, first, before);
			first = table_first(kr, entry, &before);
		}
	}
	group_seen(kr, first);
	group_forget(kr);
	return err;
}

static bool group_continues(const struct kernel_dump *d, const struct fib_prefix *p, u8 rank)
{
	return d->group.n && d->rank == rank && d->prefix.len == p->len &&
	       d->prefix.addr.lo == p->addr.lo && d->prefix.addr.hi == p->addr.hi &&
	       d->prefix.vrf == p->vrf;
}

int kernel_routes_dump_route(struct kernel_routes *kr, const struct mirror_route *r)
{
	struct kernel_dump *d = &kr->dump;
	bool torn = d->gaps.open;
	struct fib_prefix prefix;
	int rank, err = 0;
	u32 set;

	if (!d->running || r->prefix.family != d->family)
		return 0;
	kernel_gaps_route(&d->gaps, kernel_table_rank(kr, r->table), &r->prefix);
	rank = kernel_route_accept(kr, r, d->skipped, &prefix);
	if (rank < 0)
		return 0;
	if (!group_continues(d, &prefix, (u8)rank)) {
		err = group_close(kr);
		d->prefix = prefix;
		d->rank = (u8)rank;
		d->group_part = kr->part;
		d->group.torn = torn;
	}
	set = kernel_set_find(kr, r);
	if (!set)
		return -ENOMEM;
	if (kernel_list_grow((void **)&d->group.v, d->group.n, &d->group.cap, sizeof(*d->group.v)) <
	    0) {
		kernel_set_unref(kr, set);
		return -ENOMEM;
	}
	d->group.v[d->group.n++] = (struct kernel_variant){.set = set,
							   .metric = r->metric,
							   .seen = d->number,
							   .untold = true,
							   .rank = (u8)rank,
							   .type = r->type,
							   .protocol = r->protocol,
							   .scope = r->scope};
	return err;
}

/* What the dump didn't hold, unless it was told of since the dump began, or may have been left out. */
static void sweep(struct kernel_routes *kr, u32 entry)
{
	struct kernel_entry *e = &kr->entries[entry];
	struct kernel_dump *d = &kr->dump;
	bool gone = false;
	u32 i, next;

	for (i = e->touched < d->begin ? e->first : 0; i; i = next) {
		next = kr->variants[i].next;
		if (kr->variants[i].seen == d->number)
			continue;
		if (kernel_gaps_hide(&d->gaps, kr->variants[i].rank, &e->prefix)) {
			d->result.again = true;
			continue;
		}
		kernel_variant_del(kr, i);
		gone = true;
	}
	kr->dump.result.n_gone += gone;
	if (gone)
		e->flags |= ENTRY_REPAIRED;
}

int kernel_routes_dump_end(struct kernel_routes *kr, bool complete, struct kernel_dump_result *ret)
{
	struct kernel_dump *d = &kr->dump;
	int err = group_close(kr);

	d->running = false;
	kernel_gaps_end(&d->gaps);
	for (u32 i = 1; i < kr->entry_pool.n; i++) {
		if (!(kr->entries[i].flags & ENTRY_USED) ||
		    kr->entries[i].prefix.family != d->family)
			continue;
		if (complete && !err)
			sweep(kr, i);
		kernel_entry_settle(kr, i);
	}
	if (complete)
		memcpy(kr->skipped[kernel_family(d->family)], d->skipped, sizeof(d->skipped));
	*ret = d->result;
	return err;
}
