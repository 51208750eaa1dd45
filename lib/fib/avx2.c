/* SPDX-License-Identifier: BSD-3-Clause */
/* avx2.c - the portable lookup compiled for CPUs that shift and count without flags (Haswell, Zen and later). */
#include "scalar.h"

#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

TARGET void fib_lookup4_avx2(const struct fib_view *v, const struct dwcp_fib_root *root,
			     const u32 *dst, u32 *ret_slot, unsigned int n)
{
	lookup4(v, root, dst, ret_slot, n);
}

TARGET void fib_lookup6_avx2(const struct fib_view *v, const struct dwcp_fib_root *root,
			     const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	lookup6(v, root, dst, ret_slot, n);
}

bool fib_avx2_supported(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}
#endif
