/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.h - the variants of the lookup, for the dispatcher, the tests and the benchmarks. Any thread.
 */
#pragma once

#include <dwcp/util/fib.h>

typedef void fib_lookup4_fn(const struct fib_view *v, const struct dwcp_fib_root *root,
			    const u32 *dst, u32 *ret_slot, unsigned int n);
typedef void fib_lookup6_fn(const struct fib_view *v, const struct dwcp_fib_root *root,
			    const struct fib_addr *dst, u32 *ret_slot, unsigned int n);

struct fib_variant {
	const char *name;
	fib_lookup4_fn *lookup4;
	fib_lookup6_fn *lookup6;
	bool (*supported)(void);
};

/** fib_variant_at() - the @i-th variant of this build, slowest first. Return: NULL past the end. */
const struct fib_variant *fib_variant_at(unsigned int i);
/** fib_variant_chosen() - the one that fib_lookup4/6 use on this CPU. */
const struct fib_variant *fib_variant_chosen(void);

fib_lookup4_fn fib_lookup4_scalar;
fib_lookup6_fn fib_lookup6_scalar;

#if defined(__x86_64__)
fib_lookup4_fn fib_lookup4_avx2;
fib_lookup6_fn fib_lookup6_avx2;
bool fib_avx2_supported(void);
fib_lookup4_fn fib_lookup4_avx512;
fib_lookup6_fn fib_lookup6_avx512;
bool fib_avx512_supported(void);
#endif
