/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lookup.c - picks the lookup for this CPU when the program starts, and finds roots. Any thread.
 *
 * Later rows of the table are faster where they run: docs/decisions/0001-fib-format.md.
 */
#include <string.h>

#include "lookup.h"

static bool always(void)
{
	return true;
}

static const struct fib_variant variants[] = {
	{"scalar", fib_lookup4_scalar, fib_lookup6_scalar, always},
#if defined(__x86_64__)
	{"avx2", fib_lookup4_avx2, fib_lookup6_avx2, fib_avx2_supported},
	{"avx512", fib_lookup4_avx512, fib_lookup6_avx512, fib_avx512_supported},
#endif
};

static const struct fib_variant *chosen = &variants[0];

/* Before main(), so that a lookup needs no test whether the choice was made. */
__attribute__((constructor)) static void variant_choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	for (u32 i = 0; i < DWCP_ARRAY_LEN(variants); i++) {
		if (variants[i].supported())
			chosen = &variants[i];
	}
}

const struct fib_variant *fib_variant_at(unsigned int i)
{
	return i < DWCP_ARRAY_LEN(variants) ? &variants[i] : NULL;
}

const struct fib_variant *fib_variant_chosen(void)
{
	return chosen;
}

void fib_lookup4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
		 u32 *ret_slot, unsigned int n)
{
	if (dwcp_unlikely(!root)) {
		memset(ret_slot, 0, n * sizeof(*ret_slot));
		return;
	}
	chosen->lookup4(v, root, dst, ret_slot, n);
}

void fib_lookup6(const struct fib_view *v, const struct dwcp_fib_root *root,
		 const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	if (dwcp_unlikely(!root)) {
		memset(ret_slot, 0, n * sizeof(*ret_slot));
		return;
	}
	chosen->lookup6(v, root, dst, ret_slot, n);
}

/* Unused entries sort last, as the array does. */
static bool root_before(const struct dwcp_fib_root *r, u32 vrf, u8 family)
{
	return r->family && (r->vrf < vrf || (r->vrf == vrf && r->family < family));
}

const struct dwcp_fib_root *fib_root_find(const struct fib_view *v, u32 vrf, u8 family)
{
	u32 lo = 0, hi = v->n_root;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (root_before(&v->root[mid], vrf, family))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == v->n_root || v->root[lo].vrf != vrf || v->root[lo].family != family || !family)
		return NULL;
	return &v->root[lo];
}
