/* SPDX-License-Identifier: BSD-3-Clause */
/* scalar.c - the lookup for any CPU. See scalar.h. */
#include "scalar.h"

void fib_lookup4_scalar(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			u32 *ret_slot, unsigned int n)
{
	lookup4(v, root, dst, ret_slot, n);
}

void fib_lookup6_scalar(const struct fib_view *v, const struct dwcp_fib_root *root,
			const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	lookup6(v, root, dst, ret_slot, n);
}
