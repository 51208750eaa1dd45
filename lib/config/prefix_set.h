/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefix_set.h - finds the second of two equal prefixes in an array of structs that begin with a fib_prefix.
 * Holds indices only: the array may move, as long as .base follows.
 */
#pragma once

#include <dwcp/util/fib.h>

struct prefix_set {
	const void *base;
	size_t stride;
	u32 *slots; /* index + 1; 0 = free */
	u64 mask;
};

/** prefix_set_init() - for at most @n prefixes. Return: 0, -ENOMEM. */
int prefix_set_init(struct prefix_set *s, const void *base, size_t stride, u64 n);
void prefix_set_fini(struct prefix_set *s);
/** prefix_set_add() - Return: 0; -EEXIST and the index of the first. */
int prefix_set_add(struct prefix_set *s, u32 idx, u32 *ret_first);
/** prefix_compare() - total order: vrf, family, address, length. */
int prefix_compare(const struct fib_prefix *a, const struct fib_prefix *b);
