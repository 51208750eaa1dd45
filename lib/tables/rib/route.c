/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route.c - the table of prefixes: a slab of entries and an open-addressing index over it, one a family. 20 bytes an
 * IPv4 entry, 32 an IPv6 one, and 4 to 8 bytes of index; the tag in an index word saves the look at the entry that
 * doesn't match.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../huge.h"
#include "rib_private.h"

int route_key_of(const struct fib_prefix *p, struct route_key *ret_key)
{
	u64 hi = p->addr.hi, lo = p->addr.lo;
	struct route_key k = {.vrf = p->vrf, .len = p->len, .family = p->family};

	if (p->family == FIB_IP4) {
		if (p->len > 32 || hi || lo >> 32 || (p->len < 32 && (u32)lo << p->len))
			return -EINVAL;
		k.addr[0] = (u32)lo;
	} else if (p->family == FIB_IP6) {
		if (p->len > 128)
			return -EINVAL;
		if (p->len < 64 ? hi << p->len || lo : p->len < 128 && lo << (p->len - 64))
			return -EINVAL;
		k.addr[0] = hi >> 32;
		k.addr[1] = (u32)hi;
		k.addr[2] = lo >> 32;
		k.addr[3] = (u32)lo;
	} else {
		return -EINVAL;
	}
	*ret_key = k;
	return 0;
}

void route_prefix(const struct route_table *t, const struct route_entry *e,
		  struct fib_prefix *ret_prefix)
{
	struct fib_prefix p = {.vrf = e->vrf, .family = t->family, .len = e->len};

	if (t->words == 1) {
		p.addr.lo = e->addr[0];
	} else {
		p.addr.hi = (u64)e->addr[0] << 32 | e->addr[1];
		p.addr.lo = (u64)e->addr[2] << 32 | e->addr[3];
	}
	*ret_prefix = p;
}

static u64 hash_of(const u32 *addr, u32 words, u32 vrf, u8 len)
{
	u64 h = (u64)vrf << 8 | len;

	if (words == 1)
		return rib_mix(h << 32 ^ addr[0] ^ h >> 32);
	h = rib_mix(h ^ ((u64)addr[2] << 32 | addr[3]));
	return rib_mix(h ^ ((u64)addr[0] << 32 | addr[1]));
}

u64 route_hash(const struct route_key *k)
{
	return hash_of(k->addr, k->family == FIB_IP4 ? 1 : 4, k->vrf, k->len);
}

static u64 entry_hash(const struct route_table *t, const struct route_entry *e)
{
	return hash_of(e->addr, t->words, e->vrf, e->len);
}

int route_table_init(struct route_table *t, u8 family)
{
	memset(t, 0, sizeof(*t));
	t->family = family;
	t->words = family == FIB_IP4 ? 1 : 4;
	t->stride = sizeof(struct route_entry) + 4 * t->words;
	t->n = 1; /* entry 0 is none */
	return route_table_reserve(t, 64);
}

void route_table_fini(struct route_table *t)
{
	rib_order_fini(t);
	free(t->slab);
	free(t->index);
}

static void index_put(u32 *index, u32 mask, u64 hash, u32 i)
{
	u32 pos = hash & mask;

	while (index[pos])
		pos = (pos + 1) & mask;
	index[pos] = (u32)(hash >> 56) << 24 | i;
}

static int index_grow(struct route_table *t, u64 n)
{
	u64 size = t->index ? (u64)t->mask + 1 : 64;
	u32 *index;

	while (size * 3 < n * 4)
		size *= 2;
	if (t->index && size == (u64)t->mask + 1)
		return 0;
	index = calloc(size, sizeof(*index));
	if (!index)
		return -ENOMEM;
	pages_huge(index, size * sizeof(*index));
	for (u32 i = 1; i < t->n; i++)
		if (route_at(t, i)->nh)
			index_put(index, size - 1, entry_hash(t, route_at(t, i)), i);
	free(t->index);
	t->index = index;
	t->mask = size - 1;
	return 0;
}

int route_table_reserve(struct route_table *t, u64 n)
{
	u64 cap = t->cap ? t->cap : 64;
	u8 *slab;

	if (n > RIB_MAX_ROUTES)
		return -ENOSPC;
	/* Steps of a quarter: half a table of slack is what a power of two would cost. */
	while (cap < n + 1)
		cap += cap / 4;
	if (cap != t->cap) {
		slab = realloc(t->slab, cap * t->stride);
		if (!slab)
			return -ENOMEM;
		pages_huge(slab, cap * t->stride);
		t->slab = slab;
		t->cap = cap;
	}
	return index_grow(t, n);
}

static bool key_equal(const struct route_table *t, const struct route_entry *e,
		      const struct route_key *k)
{
	if (e->addr[0] != k->addr[0] || e->len != k->len || e->vrf != k->vrf)
		return false;
	return t->words == 1 ||
	       (e->addr[1] == k->addr[1] && e->addr[2] == k->addr[2] && e->addr[3] == k->addr[3]);
}

void route_table_prefetch(const struct route_table *t, u64 hash)
{
	u32 v;

	for (u32 pos = hash & t->mask; (v = t->index[pos]); pos = (pos + 1) & t->mask)
		if (v >> 24 == hash >> 56) {
			__builtin_prefetch(route_at(t, v & 0xffffff));
			return;
		}
}

u32 route_table_find(const struct route_table *t, const struct route_key *k, u64 hash)
{
	u32 v;

	for (u32 pos = hash & t->mask; (v = t->index[pos]); pos = (pos + 1) & t->mask)
		if (v >> 24 == hash >> 56 && key_equal(t, route_at(t, v & 0xffffff), k))
			return v & 0xffffff;
	return 0;
}

u32 route_table_add(struct route_table *t, const struct route_key *k, u64 hash)
{
	struct route_entry *e;
	u32 i = t->free;

	if (route_table_reserve(t, (u64)t->used + 1) ||
	    (!i && route_table_reserve(t, DWCP_MAX(t->n, t->used + 1))))
		return 0;
	if (i)
		t->free = route_at(t, i)->more;
	else
		i = t->n++;
	e = route_at(t, i);
	memset(e, 0, sizeof(*e));
	memcpy(e->addr, k->addr, 4 * t->words);
	e->vrf = k->vrf;
	e->len = k->len;
	t->used++;
	index_put(t->index, t->mask, hash, i);
	rib_order_add(t, i);
	return i;
}

/* Close the gap: move back whatever would no longer be found from its home position. */
static void index_del(struct route_table *t, u32 pos)
{
	u32 hole = pos, v;

	for (u32 k = (pos + 1) & t->mask; (v = t->index[k]); k = (k + 1) & t->mask) {
		u32 home = entry_hash(t, route_at(t, v & 0xffffff)) & t->mask;

		if (((k - home) & t->mask) < ((k - hole) & t->mask))
			continue;
		t->index[hole] = v;
		hole = k;
	}
	t->index[hole] = 0;
}

void route_table_del(struct route_table *t, u32 i)
{
	struct route_entry *e = route_at(t, i);
	u32 pos = entry_hash(t, e) & t->mask;

	while ((t->index[pos] & 0xffffff) != i)
		pos = (pos + 1) & t->mask;
	index_del(t, pos);
	e->nh = 0;
	e->flags = 0;
	e->more = t->free;
	t->free = i;
	t->used--;
	t->gone = true;
}

u32 route_pool_alloc(struct route_pool *p)
{
	u32 i = p->free, cap = p->cap ? p->cap + p->cap / 2 : 256;
	struct route_more *e;

	if (i) {
		p->free = p->e[i].next;
		p->used++;
		return i;
	}
	if (p->n + 1 >= p->cap) {
		e = realloc(p->e, cap * sizeof(*e));
		if (!e)
			return 0;
		p->e = e;
		p->cap = cap;
	}
	p->used++;
	return ++p->n;
}

void route_pool_free(struct route_pool *p, u32 i)
{
	p->e[i] = (struct route_more){.next = p->free};
	p->free = i;
	p->used--;
}
