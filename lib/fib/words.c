/* SPDX-License-Identifier: BSD-3-Clause */
/* words.c - see words.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

#define NONE 0xffffffffu

void fib_words_init(struct fib_words *w)
{
	*w = (struct fib_words){0};
	memset(w->free, 0xff, sizeof(w->free));
}

void fib_words_fini(struct fib_words *w)
{
	free(w->mem);
}

static u32 class_of(u32 n)
{
	return n <= 1 ? 0 : 32 - __builtin_clz(n - 1);
}

static u32 array_alloc(struct fib_words *w, u32 class)
{
	u32 off = w->free[class];

	if (off != NONE) {
		w->free[class] = w->mem[off];
		return off;
	}
	if ((u64)w->n + (1u << class) > w->cap) {
		u64 cap = w->cap ? (u64)w->cap * 2 : 4096;
		u32 *mem = cap < NONE ? realloc(w->mem, cap * sizeof(*mem)) : NULL;

		if (!mem)
			return NONE;
		w->mem = mem;
		w->cap = cap;
	}
	off = w->n;
	w->n += 1u << class;
	return off;
}

static void array_free(struct fib_words *w, u32 off, u32 class)
{
	w->mem[off] = w->free[class];
	w->free[class] = off;
}

int fib_words_insert(struct fib_words *w, u32 *off, u32 n, u32 rank, u32 x)
{
	u32 class = class_of(n + 1);
	u32 *at;

	if (n == 0 || class != class_of(n)) {
		u32 to = array_alloc(w, class);

		if (to == NONE)
			return -ENOMEM;
		if (n) {
			memcpy(w->mem + to, w->mem + *off, n * sizeof(u32));
			array_free(w, *off, class_of(n));
		}
		*off = to;
	}
	at = w->mem + *off + rank;
	memmove(at + 1, at, (n - rank) * sizeof(u32));
	*at = x;
	return 0;
}

void fib_words_remove(struct fib_words *w, u32 off, u32 n, u32 rank)
{
	u32 *at = w->mem + off + rank;
	u32 class = class_of(n);

	memmove(at, at + 1, (n - rank - 1) * sizeof(u32));
	if (n == 1)
		array_free(w, off, class);
	else if (class_of(n - 1) != class)
		array_free(w, off + (1u << (class - 1)), class - 1);
}

void fib_words_drop(struct fib_words *w, u32 off, u32 n)
{
	if (n)
		array_free(w, off, class_of(n));
}
