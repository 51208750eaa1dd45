/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/fib.h - layout of the four arrays of the `fib` section. Written by the agent's builder, read by workers.
 * See util/fib.h for what the arrays mean and who checks them.
 */
#pragma once

#include <dwcp/base.h>

#define DWCP_FIB_VERSION 1

struct dwcp_fib_root {
	u32 vrf;
	u8 family; /* 4 or 6; 0 = unused entry */
	u8 direct_bits;
	u16 reserved0;
	u32 direct_base; /* first entry in `direct`; 1 << direct_bits entries follow */
	u32 reserved1;
};

struct dwcp_fib_node {
	u64 child_bits; /* bit i: the i-th slice continues in a child node */
	u64 leaf_bits;  /* bit i: a new leaf begins at slice i */
	u32 child_base;
	u32 leaf_base;
	u64 reserved;
};

_Static_assert(sizeof(struct dwcp_fib_root) == 16, "abi");
_Static_assert(sizeof(struct dwcp_fib_node) == 32, "abi");
