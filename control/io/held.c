/* SPDX-License-Identifier: BSD-3-Clause */
#include "held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void held_fini(struct held *h)
{
	free(h->id);
	memset(h, 0, sizeof(*h));
}

void held_clear(struct held *h)
{
	h->n = 0;
	h->sorted = true;
}

int held_add(struct held *h, u64 id)
{
	if (h->n == h->cap) {
		u32 cap = h->cap ? h->cap * 2 : 256;
		u64 *ids = reallocarray(h->id, cap, sizeof(*ids));

		if (!ids)
			return -ENOMEM;
		h->id = ids;
		h->cap = cap;
	}
	h->id[h->n++] = id;
	h->sorted = false;
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static u64 *held_find(struct held *h, u64 id)
{
	if (!h->sorted && h->n)
		qsort(h->id, h->n, sizeof(*h->id), id_compare);
	h->sorted = true;
	return h->n ? bsearch(&id, h->id, h->n, sizeof(*h->id), id_compare) : NULL;
}

void held_del(struct held *h, u64 id)
{
	u64 *at;

	while ((at = held_find(h, id)) != NULL) {
		memmove(at, at + 1, (size_t)(h->id + h->n - at - 1) * sizeof(*at));
		h->n--;
	}
}

bool held_has(struct held *h, u64 id)
{
	return held_find(h, id) != NULL;
}
