/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.h - the text forms of addresses on spans that no 0 ends: what a tokenizer has in its hands.
 * The forms on C strings are in dwcp/util/config.h.
 */
#pragma once

#include <dwcp/util/config.h>

struct span {
	const char *at, *end;
};

int addr_parse_span(struct span s, struct fib_addr *ret_addr, u8 *ret_family);

/**
 * prefix_parse_span() - ADDR/LEN, or ADDR alone for a host route.
 * Return: 0; -EINVAL: no prefix; -ERANGE: one with host bits set, and *ret_prefix is what was meant.
 */
int prefix_parse_span(struct span s, struct fib_prefix *ret_prefix);

/**
 * prefix_scan() - a prefix with its length and a blank behind it, in the usual form and quickly.
 * @limit: the end of the memory that may be looked at; near it nothing is found.
 * Return: the blank; NULL: it may be a prefix or not, ask prefix_parse_span().
 */
const char *prefix_scan(const char *at, const char *limit, struct fib_prefix *ret_prefix);

/** addr_mask() - clear the bits past len. */
struct fib_addr addr_mask(u8 family, struct fib_addr a, u8 len);
bool addr_equal(const struct fib_addr *a, const struct fib_addr *b);
/** addr_covers() - does net/len hold a? */
bool addr_covers(u8 family, struct fib_addr net, u8 len, struct fib_addr a);
/** addr_bits() - 32 or 128. */
u8 addr_bits(u8 family);

dwcp_inline struct span span_of(const char *text)
{
	return (struct span){text, text + __builtin_strlen(text)};
}

/** u32_parse_span() - plain decimal digits, no sign, no leading zeros. Return: 0, -EINVAL, -ERANGE (above max). */
int u32_parse_span(struct span s, u32 max, u32 *ret_value);
