/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.c - a chain of blocks, filled from the front. Large requests get a block of their own.
 * Any thread; one owner at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define ARENA_BLOCK_BYTES 16384
#define ARENA_ALIGN	  16

struct arena_block {
	struct arena_block *next;
	size_t cap;
	dwcp_aligned(ARENA_ALIGN) char bytes[];
};

static struct arena_block *block_create(size_t cap)
{
	struct arena_block *b = calloc(1, sizeof(*b) + cap);

	if (b)
		b->cap = cap;
	return b;
}

void *arena_alloc(struct arena *a, size_t n, size_t bytes)
{
	struct arena_block *b;
	size_t len;
	void *p;

	if (__builtin_mul_overflow(n, bytes, &len) || len > SIZE_MAX / 2)
		return NULL;
	len = DWCP_ALIGN_UP(DWCP_MAX(len, 1), ARENA_ALIGN);
	if (!a->head || a->head->cap - a->used < len) {
		b = block_create(DWCP_MAX(len, ARENA_BLOCK_BYTES));
		if (!b)
			return NULL;
		b->next = a->head;
		a->head = b;
		a->used = 0;
	}
	p = a->head->bytes + a->used;
	a->used += len;
	return p;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *p = arena_alloc(a, len + 1, 1);

	if (p)
		memcpy(p, text, len);
	return p;
}

void arena_fini(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->head; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){0};
}
