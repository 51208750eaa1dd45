/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_fib.c - fuzz target: four arrays out of the input are validated, and searched if accepted.
 *
 * Input: one byte a log2 of the slots, then four u16 (little-endian) element counts in the order of enum fib_array,
 * then the elements. What is missing at the end is 0. Build with -fsanitize=fuzzer to search; fuzz_replay.c runs the
 * corpus in every test run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrays.h"
#include "fib_synth.h"
#include "strict.h"

#define HEADER	 9u
#define MAX_ELEM 2048u
#define N_SEARCH 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Addresses that depend on the input, so that a finding repeats. */
static void addresses(struct fib_rng *rng, struct fib_addr *v4, struct fib_addr *v6)
{
	for (u32 i = 0; i < N_SEARCH; i++) {
		/* Few bits set or clear: the edges of slices. */
		u64 few = i & 1 ? ~0ull << fib_rng_below(rng, 64) : 1ull << fib_rng_below(rng, 64);

		v4[i] = (struct fib_addr){.lo = (i & 2 ? few : fib_rng_next(rng)) & 0xffffffff};
		v6[i].hi = i & 2 ? few : fib_rng_next(rng);
		v6[i].lo = i & 4 ? few : fib_rng_next(rng);
	}
}

static void arrays_try(const struct arrays *a, u32 n_slots, u64 seed)
{
	struct fib_rng rng = {seed};
	struct fib_addr v4[N_SEARCH], v6[N_SEARCH];
	struct fib_view v;
	const char *why;

	if (arrays_validate(a, n_slots))
		return;
	arrays_view(a, false, &v);
	why = strict_walk(&v, n_slots);
	if (!why)
		why = strict_form(&v);
	addresses(&rng, v4, v6);
	if (!why)
		why = arrays_search(a, v4, v6, N_SEARCH);
	if (why) {
		fprintf(stderr, "accepted, but: %s\n", why);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u32 elem_bytes[FIB_N_ARRAYS] = {16, 8, 8, 4};
	static u8 elems[FIB_N_ARRAYS][MAX_ELEM * 16];
	const void *from[FIB_N_ARRAYS];
	size_t len[FIB_N_ARRAYS], at = HEADER;
	struct arrays a;

	if (size < HEADER)
		return 0;
	for (u32 i = 0; i < FIB_N_ARRAYS; i++) {
		u32 n = DWCP_MIN(data[1 + 2 * i] | (u32)data[2 + 2 * i] << 8, MAX_ELEM);
		size_t have;

		len[i] = (size_t)n * elem_bytes[i];
		have = DWCP_MIN(len[i], size - at);
		memset(elems[i], 0, len[i]);
		memcpy(elems[i], data + at, have);
		from[i] = elems[i];
		at += have;
	}
	if (arrays_init(&a, from, len) != 0)
		abort();
	arrays_try(&a, 1u << (data[0] & 31), size);
	arrays_fini(&a);
	return 0;
}
