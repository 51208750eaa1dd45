/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * endian.h - byte order as a type: a be32_t can't be added to or compared with a u32 by accident.
 * Loads and stores are unaligned-safe: packets have no alignment.
 */
#pragma once

#include <string.h>

#include <dwcp/base.h>

typedef struct {
	u16 raw;
} be16_t;

typedef struct {
	u32 raw;
} be32_t;

dwcp_inline u16 be16_get(be16_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(v.raw) : v.raw;
}

dwcp_inline u32 be32_get(be32_t v)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v.raw) : v.raw;
}

dwcp_inline be16_t be16_make(u16 v)
{
	return (be16_t){__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(v) : v};
}

dwcp_inline be32_t be32_make(u32 v)
{
	return (be32_t){__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v};
}

/* be*_load(): host-order value of big-endian bytes at any address. */
dwcp_inline u16 be16_load(const void *p)
{
	be16_t v;

	memcpy(&v, p, sizeof(v));
	return be16_get(v);
}

dwcp_inline u32 be32_load(const void *p)
{
	be32_t v;

	memcpy(&v, p, sizeof(v));
	return be32_get(v);
}

dwcp_inline u64 be64_load(const void *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

dwcp_inline void be16_store(void *p, u16 v)
{
	be16_t b = be16_make(v);

	memcpy(p, &b, sizeof(b));
}

dwcp_inline void be32_store(void *p, u32 v)
{
	be32_t b = be32_make(v);

	memcpy(p, &b, sizeof(b));
}
