/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key.h - an address as 128 bits with the first bit on top, for both families: depths and lengths then mean
 * the same everywhere. Pure.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

dwcp_inline struct fib_addr key_make(u8 family, const struct fib_addr *a)
{
	if (family == FIB_IP4)
		return (struct fib_addr){.hi = a->lo << 32};
	return *a;
}

dwcp_inline struct fib_addr key_addr(u8 family, const struct fib_addr *key)
{
	if (family == FIB_IP4)
		return (struct fib_addr){.lo = key->hi >> 32};
	return *key;
}

/* 64 bits from @depth < 128 on; past the end they are 0. */
dwcp_inline u64 key_window(const struct fib_addr *k, u32 depth)
{
	if (depth == 0)
		return k->hi;
	if (depth < 64)
		return k->hi << depth | k->lo >> (64 - depth);
	return k->lo << (depth - 64);
}

/* @n < 64 bits from @depth < 128 on. */
dwcp_inline u32 key_bits(const struct fib_addr *k, u32 depth, u32 n)
{
	return n ? key_window(k, depth) >> (64 - n) : 0;
}

/* Are all bits from @len on 0? */
dwcp_inline bool key_fits(const struct fib_addr *k, u32 len)
{
	if (len >= 128)
		return true;
	return len < 64 ? !(k->hi << len) && !k->lo : !(k->lo << (len - 64));
}

/* Put the @n bits of @v at @depth of @k, where they were 0. */
dwcp_inline void key_put(struct fib_addr *k, u32 depth, u32 n, u64 v)
{
	u32 end = depth + n;

	if (n == 0)
		return;
	if (end <= 64) {
		k->hi |= v << (64 - end);
	} else if (depth >= 64) {
		k->lo |= end <= 128 ? v << (128 - end) : v >> (end - 128);
	} else {
		k->hi |= v >> (end - 64);
		k->lo |= v << (128 - end);
	}
}
