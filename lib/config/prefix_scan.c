/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefix_scan.c - the text of most prefixes of a table, without a branch a digit. Takes nothing that text.c's exact
 * parser would not, and takes it for the same; whatever is unusual is left to that.
 */
#include <endian.h>
#include <string.h>

#include "text.h"

/* 255.255.255.255/32 and a blank; 8 groups of 4, /128 and a blank. */
#define SCAN4_BYTES 20
#define SCAN6_BYTES 48

static u64 word_load(const char *at)
{
	u64 w;

	memcpy(&w, at, sizeof(w));
	return le64toh(w);
}

/* Bit i: byte i is no decimal digit. */
static u32 stops_of(u64 w)
{
	u64 x = w ^ 0x3030303030303030ull;

	x = ((x & 0x7f7f7f7f7f7f7f7full) + 0x7676767676767676ull) | x;
	return (x >> 7 & 0x0101010101010101ull) * 0x0102040810204080ull >> 56;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* @at: behind the slash. Return: behind the length, NULL: not in plain form. */
static const char *len_scan(const char *at, u32 max, u8 *ret_len)
{
	u32 len = (u8)*at - '0', digit;

	if (len > 9)
		return NULL;
	for (at++; (digit = (u8)*at - '0') <= 9; at++) {
		len = len * 10 + digit;
		if (len < 10 || len > max) /* a leading zero, or too much */
			return NULL;
	}
	*ret_len = (u8)len;
	return len <= max && is_blank(*at) ? at : NULL;
}

/* One to three digits that end before @stop. Return: above 255: none. */
static u32 octet_of(const char *at, u32 n)
{
	u32 w, v;

	if (n - 1 > 2)
		return 256;
	memcpy(&w, at, sizeof(w));
	w = le32toh(w) << (32 - 8 * n);
	v = (w >> 8 & 15) * 100 + (w >> 16 & 15) * 10 + (w >> 24 & 15);
	return n > 1 && *at == '0' ? 256 : v;
}

static const char *scan4(const char *at, struct fib_prefix *ret)
{
	u32 stops = stops_of(word_load(at)) | stops_of(word_load(at + 8)) << 8;
	u32 addr = 0, from = 0, octet, stop = 0;
	struct fib_prefix p = {.family = FIB_IP4};

	for (u32 i = 0; i < 4; i++) {
		if (!stops)
			return NULL;
		stop = __builtin_ctz(stops);
		stops &= stops - 1;
		octet = octet_of(at + from, stop - from);
		if (octet > 255 || at[stop] != (i < 3 ? '.' : '/'))
			return NULL;
		addr = addr << 8 | octet;
		from = stop + 1;
	}
	at = len_scan(at + from, 32, &p.len);
	if (!at || (u64)addr << p.len & UINT32_MAX)
		return NULL;
	p.addr.lo = addr;
	*ret = p;
	return at;
}

/* The digit's value + 1 */
static const u8 hex[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Groups in the order of the text, and how many stand before "::". */
struct groups {
	u16 v[8];
	u32 n, gap;
};

#define NO_GAP 8u

/* Return: behind the address, NULL: not in plain form. */
static const char *groups_scan(const char *at, struct groups *g)
{
	*g = (struct groups){.gap = NO_GAP};
	if (*at == ':') {
		if (at[1] != ':')
			return NULL;
		g->gap = 0;
		at += 2;
	}
	for (;;) {
		const char *first = at;
		u32 v = 0;

		for (; hex[(u8)*at] && at - first < 4; at++)
			v = v << 4 | (hex[(u8)*at] - 1u);
		if (at == first)
			return g->gap == g->n ? at : NULL;
		g->v[g->n++] = (u16)v;
		if (g->n == 8 || *at != ':')
			return at;
		at++;
		if (*at != ':')
			continue;
		if (g->gap != NO_GAP)
			return NULL;
		g->gap = g->n;
		at++;
	}
}

static u64 half_of(const u16 *v)
{
	return (u64)v[0] << 48 | (u64)v[1] << 32 | (u64)v[2] << 16 | v[3];
}

static const char *scan6(const char *at, struct fib_prefix *ret)
{
	struct fib_prefix p = {.family = FIB_IP6};
	struct fib_addr masked;
	struct groups g;
	u16 v[8] = {0};

	at = groups_scan(at, &g);
	if (!at || *at != '/' || (g.n == 8) != (g.gap == NO_GAP))
		return NULL;
	g.gap = DWCP_MIN(g.gap, g.n);
	memcpy(v, g.v, g.gap * sizeof(v[0]));
	memcpy(v + 8 - (g.n - g.gap), g.v + g.gap, (g.n - g.gap) * sizeof(v[0]));
	at = len_scan(at + 1, 128, &p.len);
	if (!at)
		return NULL;
	p.addr = (struct fib_addr){half_of(v), half_of(v + 4)};
	masked = addr_mask(FIB_IP6, p.addr, p.len);
	if (!addr_equal(&masked, &p.addr))
		return NULL;
	*ret = p;
	return at;
}

const char *prefix_scan(const char *at, const char *limit, struct fib_prefix *ret_prefix)
{
	const char *end = NULL;

	if (limit - at >= SCAN4_BYTES)
		end = scan4(at, ret_prefix);
	if (!end && limit - at >= SCAN6_BYTES)
		end = scan6(at, ret_prefix);
	return end;
}
