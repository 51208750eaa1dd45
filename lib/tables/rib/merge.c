/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * merge.c - replacing what a source says by a list in address order: the list and the table's own order are walked side
 * by side, so that no prefix has to be looked up, and the table's order of afterwards falls out. What the list doesn't
 * have goes at the end, as in replace.c: a failure before that takes nothing away.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../huge.h"
#include "rib_private.h"

#define MERGE_AHEAD  12u  /* entries on their way from memory */
#define MERGE_KNOWN  1024 /* path sets */
#define MERGE_GOLDEN 0x9e3779b97f4a7c15ull

/* Routes of a file that go the same way share their paths: which set those are is found once. */
struct merge_known {
	const struct path_cfg *paths;
	u32 n_paths;
	u32 nh; /* 0 = free; holds a reference */
	enum route_type type;
};

struct merge {
	struct rib *r;
	u8 source;
	u64 rejected;
	struct merge_known *known; /* [MERGE_KNOWN] */

	/* of the family at hand */
	struct route_table *t;
	u32 at;	     /* in t->sorted */
	u32 *sorted; /* the order of afterwards */
	u32 n_sorted;
	u32 *gone; /* what the list doesn't have */
	u32 n_gone, cap_gone;
};

static int nexthop_find(struct merge *m, const struct route_cfg *route, u32 *ret_nh)
{
	u64 hash = ((u64)(uintptr_t)route->paths + route->type) * MERGE_GOLDEN;
	struct merge_known *k = &m->known[hash >> 32 & (MERGE_KNOWN - 1)];
	u32 nh;
	int err;

	if (dwcp_likely(k->nh && k->paths == route->paths && k->n_paths == route->n_paths &&
			k->type == route->type)) {
		*ret_nh = k->nh;
		return 0;
	}
	err = rib_nexthop_find(m->r, route, &nh);
	if (err)
		return err;
	rib_nexthop_ref(m->r, nh);
	if (k->nh)
		rib_nexthop_unref(m->r, k->nh);
	*k = (struct merge_known){route->paths, route->n_paths, nh, route->type};
	*ret_nh = nh;
	return 0;
}

static int gone_add(struct merge *m, u32 i)
{
	u32 cap = m->cap_gone ? 2 * m->cap_gone : 1024, *gone;

	if (m->n_gone == m->cap_gone) {
		gone = realloc(m->gone, cap * sizeof(*gone));
		if (!gone)
			return -ENOMEM;
		m->gone = gone;
		m->cap_gone = cap;
	}
	m->gone[m->n_gone++] = i;
	return 0;
}

/* An entry that the list doesn't have. */
static int entry_pass(struct merge *m, u32 i)
{
	struct route_entry *e = route_at(m->t, i);
	bool ours = (e->flags & ROUTE_SOURCE) == m->source;
	u8 *flags;

	if (!ours || e->more)
		m->sorted[m->n_sorted++] = i;
	if (ours || (e->more && rib_entry_find(m->r, e, m->source, &flags)))
		return gone_add(m, i);
	return 0;
}

static void entry_prefetch(const struct merge *m)
{
	if (m->at + MERGE_AHEAD < m->t->n_sorted)
		__builtin_prefetch(route_at(m->t, m->t->sorted[m->at + MERGE_AHEAD]), 1);
}

/* Everything below the key. Return: 0 and the entry of the key or 0, -ENOMEM. */
static int entries_pass(struct merge *m, const struct route_key *k, u32 *ret_i)
{
	int order, err;
	u32 i;

	*ret_i = 0;
	for (; m->at < m->t->n_sorted; m->at++) {
		entry_prefetch(m);
		i = m->t->sorted[m->at];
		order = k ? rib_order_compare(m->t, route_at(m->t, i), k) : -1;
		if (order > 0)
			break;
		if (order == 0) {
			*ret_i = i;
			m->at++;
			break;
		}
		err = entry_pass(m, i);
		if (err)
			return err;
	}
	return 0;
}

static int entry_put(struct merge *m, const struct route_key *k, u32 i, u32 nh)
{
	struct route_entry *e = route_at(m->t, i);
	int err;

	if (i && e->nh == nh && (e->flags & ROUTE_SOURCE) == m->source) {
		m->sorted[m->n_sorted++] = i;
		return 0;
	}
	rib_nexthop_ref(m->r, nh);
	err = i ? rib_entry_change(m->r, m->source, k, i, nh)
		: rib_entry_new(m->r, m->source, k, route_hash(k), nh, &i);
	if (err) {
		rib_nexthop_unref(m->r, nh);
		return err;
	}
	route_at(m->t, i)->flags |= ROUTE_ORDERED;
	m->sorted[m->n_sorted++] = i;
	return 0;
}

static int route_merge(struct merge *m, const struct route_cfg *route)
{
	struct route_key k;
	u32 nh, i;
	int err;

	err = route_key_of(&route->prefix, &k);
	if (!err)
		err = nexthop_find(m, route, &nh);
	if (err == -EINVAL) {
		m->rejected++;
		return 0;
	}
	if (!err)
		err = entries_pass(m, &k, &i);
	return err ? err : entry_put(m, &k, i, nh);
}

static int gone_del(struct merge *m)
{
	int err = 0;

	for (u32 i = 0; i < m->n_gone && !err; i++)
		err = rib_entry_del(m->r, m->t, m->gone[i], m->source);
	return err;
}

static int family_merge(struct merge *m, struct route_table *t, const struct route_cfg *routes,
			u64 n)
{
	u64 most;
	u32 none;
	int err;

	if (!n && !m->r->counts[m->source][t->family == FIB_IP6])
		return 0;
	err = rib_order_begin(t);
	if (err)
		return err;
	most = t->n_sorted + n + 1;
	m->t = t;
	m->at = m->n_sorted = m->n_gone = 0;
	m->sorted = malloc(most * sizeof(*m->sorted));
	if (!m->sorted)
		return -ENOMEM;
	pages_huge(m->sorted, most * sizeof(*m->sorted));
	for (u64 i = 0; i < n && !err; i++)
		err = route_merge(m, &routes[i]);
	if (!err)
		err = entries_pass(m, NULL, &none);
	if (!err)
		err = gone_del(m);
	if (err)
		free(m->sorted);
	else
		rib_order_end(t, m->sorted, m->n_sorted);
	return err;
}

int rib_source_merge(struct rib *r, u8 source, const struct route_cfg *routes, u64 n4, u64 n6,
		     u64 *ret_rejected)
{
	struct merge m = {.r = r, .source = source};
	int err = -ENOMEM;

	m.known = calloc(MERGE_KNOWN, sizeof(*m.known));
	if (m.known)
		err = family_merge(&m, &r->t4, routes, n4);
	if (!err)
		err = family_merge(&m, &r->t6, routes + n4, n6);
	for (u32 i = 0; m.known && i < MERGE_KNOWN; i++)
		if (m.known[i].nh)
			rib_nexthop_unref(r, m.known[i].nh);
	free(m.known);
	free(m.gone);
	*ret_rejected = m.rejected;
	return err;
}
