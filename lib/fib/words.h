/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * words.h - many small arrays of u32 in one growing block, each packed and in the order of somebody's bitmap.
 * Capacities are powers of two, so an array's length says which free list it belongs to. One thread.
 */
#pragma once

#include <dwcp/base.h>

#define FIB_WORDS_MAX	  512 /* elements an array */
#define FIB_WORDS_CLASSES 10

struct fib_words {
	u32 *mem;
	u32 n, cap;
	u32 free[FIB_WORDS_CLASSES];
};

void fib_words_init(struct fib_words *w);
void fib_words_fini(struct fib_words *w);
/** fib_words_insert() - put @x at @rank of the array of @n at *@off; may move it. Return: 0, -ENOMEM. */
int fib_words_insert(struct fib_words *w, u32 *off, u32 n, u32 rank, u32 x);
/** fib_words_remove() - close the gap at @rank of the array of @n. Needs no memory. */
void fib_words_remove(struct fib_words *w, u32 off, u32 n, u32 rank);
/** fib_words_drop() - free an array of @n. */
void fib_words_drop(struct fib_words *w, u32 off, u32 n);
