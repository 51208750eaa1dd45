/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * order.c - the entries of a table in address order. The list is made when somebody walks the table, and brought up to
 * date by merging what was added since; entries that went carry no ROUTE_ORDERED any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

void rib_order_fini(struct route_table *t)
{
	free(t->sorted);
	free(t->added);
}

void rib_order_add(struct route_table *t, u32 i)
{
	u32 cap = t->cap_added ? 2 * t->cap_added : 256;
	u32 *added;

	if (!t->sorted || t->resort)
		return;
	if (t->n_added == t->cap_added) {
		/* More than an eighth is new (or no memory): sorting afresh costs about the same. */
		added = cap > 512 + t->n_sorted / 8 ? NULL
						    : realloc(t->added, cap * sizeof(*added));
		if (!added) {
			t->resort = true;
			return;
		}
		t->added = added;
		t->cap_added = cap;
	}
	t->added[t->n_added++] = i;
}

static int order_cmp(const struct route_table *t, const struct route_entry *a,
		     const struct route_entry *b)
{
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf ? -1 : 1;
	for (u32 w = 0; w < t->words; w++)
		if (a->addr[w] != b->addr[w])
			return a->addr[w] < b->addr[w] ? -1 : 1;
	return (int)a->len - (int)b->len;
}

static int order_cmp_r(const void *a, const void *b, void *table)
{
	const struct route_table *t = table;

	return order_cmp(t, route_at(t, *(const u32 *)a), route_at(t, *(const u32 *)b));
}

/* ---- sorting by address ----------------------------------------------------------------------- */

struct sort_item {
	u64 key; /* what is sorted by first; then cmp settles runs of equal ones; then VRFs */
	u32 i;
};

struct sort {
	struct sort_item *items, *room; /* [n] each */
	u32 n;
	bool runs, vrfs; /* keys don't hold all of the address; not everything is in VRF 0 */
	int (*cmp)(const void *a, const void *b, void *arg); /* of two items */
	u32 (*vrf)(const void *arg, u32 i);
	const void *arg;
};

/* Least significant byte first, so stable; bytes that all keys share cost one pass of counting. */
static void radix_sort(struct sort *s)
{
	for (u32 shift = 0; shift < 64; shift += 8) {
		u32 count[256] = {0}, sum = 0;
		struct sort_item *to = s->room;

		for (u32 k = 0; k < s->n; k++)
			count[s->items[k].key >> shift & 255]++;
		if (count[s->items[0].key >> shift & 255] == s->n)
			continue;
		for (u32 c = 0; c < 256; c++) {
			u32 have = count[c];

			count[c] = sum;
			sum += have;
		}
		for (u32 k = 0; k < s->n; k++)
			to[count[s->items[k].key >> shift & 255]++] = s->items[k];
		s->room = s->items;
		s->items = to;
	}
}

/* Few prefixes share their first 64 bits. */
static void run_insert(struct sort *s, u32 first, u32 end)
{
	for (u32 k = first + 1; k < end; k++) {
		struct sort_item item = s->items[k];
		u32 at = k;

		for (; at > first && s->cmp(&item, &s->items[at - 1], (void *)s->arg) < 0; at--)
			s->items[at] = s->items[at - 1];
		s->items[at] = item;
	}
}

static void runs_sort(struct sort *s)
{
	for (u32 k = 0, end; k < s->n; k = end) {
		for (end = k + 1; end < s->n && s->items[end].key == s->items[k].key;)
			end++;
		if (end - k > 16)
			qsort_r(s->items + k, end - k, sizeof(*s->items), s->cmp, (void *)s->arg);
		else
			run_insert(s, k, end);
	}
}

static void sort_run(struct sort *s)
{
	if (!s->n)
		return;
	radix_sort(s);
	if (s->runs)
		runs_sort(s);
	if (!s->vrfs)
		return;
	for (u32 k = 0; k < s->n; k++)
		s->items[k].key = s->vrf(s->arg, s->items[k].i);
	radix_sort(s);
}

static u32 entry_vrf(const void *arg, u32 i)
{
	const struct route_table *t = arg;

	return route_at(t, i)->vrf;
}

static int entry_item_cmp(const void *a, const void *b, void *arg)
{
	const struct route_table *t = arg;
	const struct sort_item *x = a, *y = b;

	return order_cmp(t, route_at(t, x->i), route_at(t, y->i));
}

static int sort_afresh(struct route_table *t)
{
	struct sort_item *items = malloc((u64)(t->used + 1) * 2 * sizeof(*items));
	u32 *sorted = malloc((u64)(t->used + 1) * sizeof(*sorted));
	struct sort s = {.items = items,
			 .room = items + t->used,
			 .runs = t->words > 1,
			 .cmp = entry_item_cmp,
			 .vrf = entry_vrf,
			 .arg = t};

	if (!items || !sorted) {
		free(items);
		free(sorted);
		return -ENOMEM;
	}
	for (u32 i = 1; i < t->n; i++) {
		struct route_entry *e = route_at(t, i);
		u64 key = t->words == 1 ? (u64)e->addr[0] << 8 | e->len
					: (u64)e->addr[0] << 32 | e->addr[1];

		if (!e->nh)
			continue;
		s.vrfs = s.vrfs || e->vrf;
		e->flags |= ROUTE_ORDERED;
		items[s.n++] = (struct sort_item){key, i};
	}
	sort_run(&s);
	for (u32 k = 0; k < s.n; k++)
		sorted[k] = s.items[k].i;
	free(items);
	free(t->sorted);
	t->sorted = sorted;
	t->n_sorted = s.n;
	t->n_added = 0;
	t->resort = false;
	t->gone = false;
	return 0;
}

/* ---- lists of routes and of changes ----------------------------------------------------------- */

static int prefix_cmp(const struct fib_prefix *a, const struct fib_prefix *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf ? -1 : 1;
	if (a->addr.hi != b->addr.hi)
		return a->addr.hi < b->addr.hi ? -1 : 1;
	if (a->addr.lo != b->addr.lo)
		return a->addr.lo < b->addr.lo ? -1 : 1;
	return (int)a->len - (int)b->len;
}

void rib_order_look(const struct route_cfg *routes, u64 n, struct rib_list_shape *ret)
{
	struct rib_list_shape s = {.ordered = true, .strict = true};

	for (u64 i = 0; i < n; i++) {
		const struct fib_prefix *p = &routes[i].prefix;
		int order = i ? prefix_cmp(&routes[i - 1].prefix, p) : -1;

		s.n4 += p->family == FIB_IP4;
		s.n6 += p->family == FIB_IP6;
		s.ordered = s.ordered && order <= 0;
		s.strict = s.strict && order < 0;
	}
	*ret = s;
}

static u32 change_vrf(const void *arg, u32 i)
{
	return ((const struct route_change *)arg)[i].k.vrf;
}

/* Of equal prefixes the one that came first stays first. */
static int change_item_cmp(const void *a, const void *b, void *arg)
{
	const struct sort_item *x = a, *y = b;
	const struct route_key *k = &((const struct route_change *)arg)[x->i].k;
	const struct route_key *l = &((const struct route_change *)arg)[y->i].k;

	for (u32 w = 0; w < 4; w++)
		if (k->addr[w] != l->addr[w])
			return k->addr[w] < l->addr[w] ? -1 : 1;
	if (k->len != l->len)
		return (int)k->len - (int)l->len;
	return x->i < y->i ? -1 : 1;
}

static void changes_sort_family(const struct route_change *changes, u32 n, bool ip4,
				struct sort_item *items, u32 *order, u32 *n_order)
{
	struct sort s = {.items = items,
			 .room = items + n,
			 .runs = !ip4,
			 .cmp = change_item_cmp,
			 .vrf = change_vrf,
			 .arg = changes};

	for (u32 i = 0; i < n; i++) {
		const struct route_key *k = &changes[i].k;

		if ((k->family == FIB_IP4) != ip4)
			continue;
		s.vrfs = s.vrfs || k->vrf;
		items[s.n++] = (struct sort_item){ip4 ? (u64)k->addr[0] << 8 | k->len
						      : (u64)k->addr[0] << 32 | k->addr[1],
						  i};
	}
	sort_run(&s);
	for (u32 k = 0; k < s.n; k++)
		order[(*n_order)++] = s.items[k].i;
}

int rib_order_changes(const struct route_change *changes, u32 n, u32 **ret_order)
{
	struct sort_item *items = malloc(((u64)n + 1) * 2 * sizeof(*items));
	u32 *order = malloc(((u64)n + 1) * sizeof(*order)), n_order = 0;

	if (!items || !order) {
		free(items);
		free(order);
		return -ENOMEM;
	}
	changes_sort_family(changes, n, true, items, order, &n_order);
	changes_sort_family(changes, n, false, items, order, &n_order);
	free(items);
	*ret_order = order;
	return 0;
}

/* ---- keeping the list of a table -------------------------------------------------------------- */

/* Added entries that live and aren't in the list yet, each once (an entry may have come, gone and come again). */
static u32 added_settle(struct route_table *t)
{
	u32 n = 0;

	for (u32 k = 0; k < t->n_added; k++) {
		struct route_entry *e = route_at(t, t->added[k]);

		if (!e->nh || e->flags & ROUTE_ORDERED)
			continue;
		e->flags |= ROUTE_ORDERED;
		t->added[n++] = t->added[k];
	}
	return n;
}

static u32 sorted_settle(struct route_table *t)
{
	u32 n = 0;

	for (u32 k = 0; k < t->n_sorted; k++)
		if (route_at(t, t->sorted[k])->flags & ROUTE_ORDERED)
			t->sorted[n++] = t->sorted[k];
	return n;
}

int rib_order_sort(struct route_table *t)
{
	u32 *merged, n, m, k = 0, j = 0, out = 0;

	if (!t->sorted || t->resort)
		return sort_afresh(t);
	/* Before the added are marked: some of them stand on entries that were freed. */
	if (t->gone)
		t->n_sorted = sorted_settle(t);
	t->gone = false;
	n = t->n_sorted;
	if (!t->n_added)
		return 0;
	merged = malloc((u64)(n + t->n_added + 1) * sizeof(*merged));
	if (!merged)
		return -ENOMEM;
	m = added_settle(t);
	if (m)
		qsort_r(t->added, m, sizeof(u32), order_cmp_r, t);
	while (k < n || j < m) {
		bool old = j == m || (k < n && order_cmp(t, route_at(t, t->sorted[k]),
							 route_at(t, t->added[j])) < 0);

		merged[out++] = old ? t->sorted[k++] : t->added[j++];
	}
	free(t->sorted);
	t->sorted = merged;
	t->n_sorted = out;
	t->n_added = 0;
	return 0;
}

int rib_order_compare(const struct route_table *t, const struct route_entry *e,
		      const struct route_key *k)
{
	if (e->vrf != k->vrf)
		return e->vrf < k->vrf ? -1 : 1;
	for (u32 w = 0; w < t->words; w++)
		if (e->addr[w] != k->addr[w])
			return e->addr[w] < k->addr[w] ? -1 : 1;
	return (int)e->len - (int)k->len;
}

int rib_order_begin(struct route_table *t)
{
	int err = rib_order_sort(t);

	t->resort = t->resort || !err;
	return err;
}

void rib_order_end(struct route_table *t, u32 *sorted, u32 n)
{
	free(t->sorted);
	t->sorted = sorted;
	t->n_sorted = n;
	t->n_added = 0;
	t->resort = false;
	t->gone = false;
}

u32 rib_order_seek(const struct route_table *t, const struct route_key *k)
{
	u32 lo = 0, hi = t->n_sorted;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (rib_order_compare(t, route_at(t, t->sorted[mid]), k) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
