/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle.c - see oracle.h. Out of memory ends the test. */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

static struct fib_addr mask_of(u8 family, u32 len)
{
	struct fib_addr m = {0};

	if (family == FIB_IP4)
		m.lo = len ? 0xffffffffull << (32 - len) & 0xffffffffull : 0;
	else if (len <= 64)
		m.hi = len ? ~0ull << (64 - len) : 0;
	else
		m = (struct fib_addr){~0ull, ~0ull << (128 - len)};
	return m;
}

bool prefix_covers(const struct fib_prefix *p, const struct fib_addr *a)
{
	struct fib_addr m = mask_of(p->family, p->len);

	return (a->hi & m.hi) == p->addr.hi && (a->lo & m.lo) == p->addr.lo;
}

static struct oracle_len *len_of(const struct oracle *o, u8 family, u32 len)
{
	return (struct oracle_len *)(family == FIB_IP4 ? &o->v4[len] : &o->v6[len]);
}

static u32 hash(const struct fib_addr *a)
{
	u64 h = (a->hi ^ a->lo * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;

	return h >> 32;
}

/* The entry of @a, or the never used one where the search ended; NULL: the table is empty. */
static struct oracle_entry *entry_find(const struct oracle_len *l, const struct fib_addr *a)
{
	if (!l->cap)
		return NULL;
	for (u32 i = hash(a) & (l->cap - 1);; i = (i + 1) & (l->cap - 1)) {
		struct oracle_entry *e = &l->entry[i];

		if (e->state == 0 || (e->addr.hi == a->hi && e->addr.lo == a->lo))
			return e;
	}
}

static void len_grow(struct oracle_len *l)
{
	struct oracle_len old = *l;

	l->cap = old.cap ? old.cap * 2 : 16;
	l->entry = calloc(l->cap, sizeof(*l->entry));
	if (!l->entry)
		abort();
	l->n_used = l->n;
	for (u32 i = 0; i < old.cap; i++) {
		if (old.entry[i].state == 1)
			*entry_find(l, &old.entry[i].addr) = old.entry[i];
	}
	free(old.entry);
}

void oracle_init(struct oracle *o)
{
	memset(o, 0, sizeof(*o));
}

void oracle_fini(struct oracle *o)
{
	for (u32 i = 0; i <= 32; i++)
		free(o->v4[i].entry);
	for (u32 i = 0; i <= 128; i++)
		free(o->v6[i].entry);
}

void oracle_set(struct oracle *o, const struct fib_prefix *p, u32 slot)
{
	struct oracle_len *l = len_of(o, p->family, p->len);
	struct oracle_entry *e;

	if (2 * (l->n_used + 1) > l->cap)
		len_grow(l);
	e = entry_find(l, &p->addr);
	l->n += e->state != 1;
	l->n_used += e->state == 0;
	*e = (struct oracle_entry){p->addr, slot, 1};
}

bool oracle_del(struct oracle *o, const struct fib_prefix *p)
{
	struct oracle_len *l = len_of(o, p->family, p->len);
	struct oracle_entry *e = entry_find(l, &p->addr);

	if (!e || e->state != 1)
		return false;
	e->state = 2;
	l->n--;
	return true;
}

bool oracle_get(const struct oracle *o, const struct fib_prefix *p, u32 *ret_slot)
{
	const struct oracle_entry *e = entry_find(len_of(o, p->family, p->len), &p->addr);

	if (!e || e->state != 1)
		return false;
	*ret_slot = e->slot;
	return true;
}

u32 oracle_match(const struct oracle *o, u8 family, const struct fib_addr *a, u32 *ret_len)
{
	for (int len = family == FIB_IP4 ? 32 : 128; len >= 0; len--) {
		struct fib_addr m = mask_of(family, len);
		struct fib_addr net = {a->hi & m.hi, a->lo & m.lo};
		const struct oracle_entry *e;

		if (!len_of(o, family, len)->n)
			continue;
		e = entry_find(len_of(o, family, len), &net);
		if (e->state == 1) {
			*ret_len = len;
			return e->slot;
		}
	}
	*ret_len = 0;
	return 0;
}
