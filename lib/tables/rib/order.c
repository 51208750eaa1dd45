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

struct sort_item {
	u64 key; /* the address's first 64 bits */
	u32 i;
};

/* Least significant byte first; bytes that are equal in all keys cost one counting pass. */
static struct sort_item *radix_sort(struct sort_item *a, struct sort_item *b, u32 n)
{
	for (u32 shift = 0; shift < 64; shift += 8) {
		u32 count[256] = {0}, sum = 0;
		struct sort_item *swap = a;

		for (u32 k = 0; k < n; k++)
			count[a[k].key >> shift & 255]++;
		if (count[a[0].key >> shift & 255] == n)
			continue;
		for (u32 c = 0; c < 256; c++) {
			u32 have = count[c];

			count[c] = sum;
			sum += have;
		}
		for (u32 k = 0; k < n; k++)
			b[count[a[k].key >> shift & 255]++] = a[k];
		a = b;
		b = swap;
	}
	return a;
}

static u64 sort_key(const struct route_table *t, const struct route_entry *e)
{
	return t->words == 1 ? (u64)e->addr[0] << 8 | e->len : (u64)e->addr[0] << 32 | e->addr[1];
}

/* By the first 64 bits, then runs of equal ones by everything; the two need not agree about VRFs. */
static void sort_runs(struct route_table *t, const struct sort_item *items, u32 n, bool one_vrf)
{
	for (u32 k = 0; k < n; k++)
		t->sorted[k] = items[k].i;
	if (!one_vrf) {
		qsort_r(t->sorted, n, sizeof(u32), order_cmp_r, t);
		return;
	}
	if (t->words == 1)
		return;
	for (u32 k = 0, end; k < n; k = end) {
		for (end = k + 1; end < n && items[end].key == items[k].key;)
			end++;
		if (end - k > 1)
			qsort_r(t->sorted + k, end - k, sizeof(u32), order_cmp_r, t);
	}
}

static int sort_afresh(struct route_table *t)
{
	struct sort_item *a = malloc((u64)(t->used + 1) * 2 * sizeof(*a));
	u32 *sorted = malloc((u64)(t->used + 1) * sizeof(*sorted));
	bool one_vrf = true;
	u32 n = 0;

	if (!a || !sorted) {
		free(a);
		free(sorted);
		return -ENOMEM;
	}
	for (u32 i = 1; i < t->n; i++) {
		struct route_entry *e = route_at(t, i);

		if (!e->nh)
			continue;
		one_vrf = one_vrf && !e->vrf;
		e->flags |= ROUTE_ORDERED;
		a[n++] = (struct sort_item){sort_key(t, e), i};
	}
	free(t->sorted);
	t->sorted = sorted;
	t->n_sorted = n;
	if (n)
		sort_runs(t, radix_sort(a, a + n, n), n, one_vrf);
	free(a);
	t->n_added = 0;
	t->resort = false;
	t->gone = false;
	return 0;
}

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

u32 rib_order_seek(const struct route_table *t, const struct route_key *k)
{
	u32 lo = 0, hi = t->n_sorted;
	u64 room[(sizeof(struct route_entry) + sizeof(k->addr) + 7) / 8] = {0};
	struct route_entry *key = (struct route_entry *)room;

	memcpy(key->addr, k->addr, sizeof(k->addr));
	key->vrf = k->vrf;
	key->len = k->len;
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (order_cmp(t, route_at(t, t->sorted[mid]), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
