/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arrays.h - small FIB arrays of exact size, to be spoiled and searched. Each array exists twice: on the heap, where
 * ASan sees the scalar lookup's every byte, and right before a page that faults, which stops vector gathers too.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

struct arrays {
	u8 *heap[FIB_N_ARRAYS], *guard[FIB_N_ARRAYS];
	void *map[FIB_N_ARRAYS];
	size_t map_len[FIB_N_ARRAYS];
	size_t len[FIB_N_ARRAYS];
};

/** arrays_init() - owned copies of @from; @len in bytes. Return: 0, -ENOMEM. */
int arrays_init(struct arrays *a, const void *const *from, const size_t *len);
void arrays_fini(struct arrays *a);
void arrays_put(struct arrays *a, enum fib_array array, size_t at, u8 byte);
/** arrays_validate() - as the dataplane would. Return: NULL or the reason. */
const char *arrays_validate(const struct arrays *a, u32 n_slots);
void arrays_view(const struct arrays *a, bool guard, struct fib_view *ret_view);
/**
 * arrays_search() - all roots, by every variant, for @n addresses of each family; answers are compared with those of
 * strict_lookup().
 * Return: NULL, or what differed.
 */
const char *arrays_search(const struct arrays *a, const struct fib_addr *v4,
			  const struct fib_addr *v6, u32 n);
