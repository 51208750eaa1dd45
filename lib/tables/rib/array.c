/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * array.c - an array that gets published: elements keep their positions while it grows, and every write marks its chunk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

void rib_array_init(struct rib_array *a, u32 element_bytes, u32 chunk_bytes)
{
	memset(a, 0, sizeof(*a));
	a->element_bytes = element_bytes;
	a->chunk_bytes = chunk_bytes;
}

void rib_array_fini(struct rib_array *a)
{
	free(a->bytes);
	a->bytes = NULL;
}

int rib_array_grow(struct rib_array *a, u64 n)
{
	u64 cap = a->cap ? a->cap : DWCP_SEGMENT_ALIGN / a->element_bytes;
	u8 *bytes;

	if (n <= a->n)
		return 0;
	while (cap < n)
		cap *= 2;
	if (cap != a->cap) {
		bytes = realloc(a->bytes, cap * a->element_bytes);
		if (!bytes)
			return -ENOMEM;
		memset(bytes + a->cap * a->element_bytes, 0, (cap - a->cap) * a->element_bytes);
		a->bytes = bytes;
		a->cap = cap;
	}
	a->n = n;
	return 0;
}

void rib_array_touch(struct rib_array *a, u64 first, u64 n)
{
	u64 c = first * a->element_bytes / a->chunk_bytes;
	u64 last = ((first + n) * a->element_bytes - 1) / a->chunk_bytes;

	/* What no manifest can hold is refused by the publish, not here. */
	for (; c <= last && c < DWCP_MANIFEST_MAX_SEGMENTS; c++)
		a->dirty[c / 64] |= 1ull << c % 64;
}

bool rib_array_dirty(const struct rib_array *a, u64 chunk)
{
	return chunk < DWCP_MANIFEST_MAX_SEGMENTS && (a->dirty[chunk / 64] >> chunk % 64 & 1);
}

void rib_array_clean(struct rib_array *a)
{
	memset(a->dirty, 0, sizeof(a->dirty));
}
