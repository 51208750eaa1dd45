/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/fib.h - layout of the four arrays of the `fib` section. Written by the agent's builder, read by workers.
 * See util/fib.h for what the arrays mean and who checks them; docs/decisions/0001-fib-format.md for why.
 *
 * Everything but the root is made of elements of 64 bits:
 *
 *   bit 63 clear: a next-hop slot in bits 30 … 0, all others 0
 *   bit 63 set:   a node for the next DWCP_FIB_STRIDE = 5 bits of the address
 *     63 … 32  bit 63 - v: a new run begins at slice v of the 32; slice 0 always begins one
 *     31       DWCP_FIB_LEAVES: the runs' contents are in the leaf array (slots only), else in the node array
 *     30 … 0   index of the first run's content; not 0 in the leaf array, so that a reader may load the 64 bits that
 *              end with a leaf
 *
 * Slice v continues at index + number of bits set at or above bit 63 - v, - 1. Since bit 63 is set this stays within
 * [index, index + number of bits set - 1] whatever the bits are: that is what makes an element safe on its own. A
 * reader stops after as many nodes as the address has strides, so elements can't lead it in circles.
 *
 * The first direct_bits bits of the address choose the first element, in the root's range of the direct array.
 * All zero is a valid root (unused), element and leaf (no route).
 */
#pragma once

#include <dwcp/base.h>

#define DWCP_FIB_VERSION	 2

#define DWCP_FIB_NODE		 (1ull << 63)
#define DWCP_FIB_LEAVES		 (1ull << 31)
#define DWCP_FIB_INDEX		 0x7fffffffu
#define DWCP_FIB_STRIDE		 5
#define DWCP_FIB_DIRECT_BITS_MAX 20

/* Sorted by (vrf, family); unused entries, if any, last. */
struct dwcp_fib_root {
	u32 vrf;
	u8 family;	/* 4 or 6; 0 = unused entry */
	u8 direct_bits; /* 1 … DWCP_FIB_DIRECT_BITS_MAX */
	u16 reserved0;
	u32 direct_base; /* first element in `direct`; 1 << direct_bits elements follow */
	u32 reserved1;
};

_Static_assert(sizeof(struct dwcp_fib_root) == 16, "abi");

dwcp_inline bool dwcp_fib_is_node(u64 element)
{
	return element >> 63;
}

/* Runs of a node. */
dwcp_inline u32 dwcp_fib_n_runs(u64 element)
{
	return (u32)__builtin_popcountll(element >> 32);
}
