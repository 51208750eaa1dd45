/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefix_set.c - open addressing at a load of at most 1/2, linear probing. One owner, freed whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

#include "prefix_set.h"

static const struct fib_prefix *prefix_at(const struct prefix_set *s, u64 idx)
{
	return (const struct fib_prefix *)((const char *)s->base + idx * s->stride);
}

static u64 prefix_hash(const struct fib_prefix *p)
{
	u64 key[3] = {p->addr.hi, p->addr.lo, (u64)p->vrf << 16 | (u64)p->family << 8 | p->len};

	return XXH3_64bits(key, sizeof(key));
}

int prefix_compare(const struct fib_prefix *a, const struct fib_prefix *b)
{
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->addr.hi != b->addr.hi)
		return a->addr.hi < b->addr.hi ? -1 : 1;
	if (a->addr.lo != b->addr.lo)
		return a->addr.lo < b->addr.lo ? -1 : 1;
	return a->len < b->len ? -1 : a->len > b->len;
}

int prefix_set_init(struct prefix_set *s, const void *base, size_t stride, u64 n)
{
	u64 cap = 16;

	while (cap < 2 * n)
		cap *= 2;
	*s = (struct prefix_set){base, stride, calloc(cap, sizeof(*s->slots)), cap - 1};
	return s->slots ? 0 : -ENOMEM;
}

void prefix_set_fini(struct prefix_set *s)
{
	free(s->slots);
	*s = (struct prefix_set){0};
}

int prefix_set_add(struct prefix_set *s, u32 idx, u32 *ret_first)
{
	const struct fib_prefix *p = prefix_at(s, idx);
	u64 at = prefix_hash(p) & s->mask;

	for (; s->slots[at]; at = (at + 1) & s->mask) {
		if (prefix_compare(prefix_at(s, s->slots[at] - 1), p))
			continue;
		*ret_first = s->slots[at] - 1;
		return -EEXIST;
	}
	s->slots[at] = idx + 1;
	return 0;
}
