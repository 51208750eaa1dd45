/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/fib.h - layout of the four arrays of the `fib` section. Written by the agent's builder, read by workers.
 * See util/fib.h for what the arrays mean and who checks them.
 *
 * A lookup takes the first direct_bits bits of the address as an index into the root's range of `direct`. An
 * entry is a next-hop slot, or DWCP_FIB_NODE | index of a node. A node decides the next DWCP_FIB_STRIDE bits
 * (slice v = 0 … 63; bits past the end of the address count as 0):
 *
 *   child_bits has bit v:  node[child_base + number of bits set in child_bits below v]
 *   otherwise:             leaf[leaf_base  + number of bits set in leaf_bits at or below v]
 *
 * Neither sum can leave [base, base + number of bits set], whatever the bits are: that is what makes a node safe
 * on its own. A reader stops after as many nodes as the address has strides, so children can't lead it round.
 * All zero is a valid root (unused), entry and leaf (no route) and node (leaf[0] for every slice).
 */
#pragma once

#include <dwcp/base.h>

#define DWCP_FIB_VERSION	 1

#define DWCP_FIB_NODE		 0x80000000u /* in a direct entry: the rest is a node's index */
#define DWCP_FIB_STRIDE		 6
#define DWCP_FIB_DIRECT_BITS_MAX 24

/* Sorted by (vrf, family); unused entries, if any, last. */
struct dwcp_fib_root {
	u32 vrf;
	u8 family;	/* 4 or 6; 0 = unused entry */
	u8 direct_bits; /* 1 … DWCP_FIB_DIRECT_BITS_MAX */
	u16 reserved0;
	u32 direct_base; /* first entry in `direct`; 1 << direct_bits entries follow */
	u32 reserved1;
};

struct dwcp_fib_node {
	u64 child_bits; /* bit v: slice v continues in a child node */
	u64 leaf_bits;	/* bit v: a new leaf begins at slice v; bit 0 is never set */
	u32 child_base;
	u32 leaf_base;
	u64 reserved;
};

_Static_assert(sizeof(struct dwcp_fib_root) == 16, "abi");
_Static_assert(sizeof(struct dwcp_fib_node) == 32, "abi");
