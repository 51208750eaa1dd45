/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_synth.h - a full Internet table for tests and benchmarks: read from a file when there is one, otherwise
 * generated from a seed with the same number of prefixes of each length and a like clustering. One thread.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

/* Environment variable that names a file of prefixes, one a line, plain or .gz. */
#define FIB_SYNTH_ENV "DWCP_TABLE"

/* The size of a full table; what fib_synth_load() asks for without a file. */
#define FIB_SYNTH_N4  901000u
#define FIB_SYNTH_N6  160000u

/* Small and seeded; every user keeps its own state. */
struct fib_rng {
	u64 state;
};

dwcp_inline u64 fib_rng_next(struct fib_rng *r)
{
	u64 z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Uniform in [0, n), n > 0. */
dwcp_inline u32 fib_rng_below(struct fib_rng *r, u32 n)
{
	return (fib_rng_next(r) >> 32) * n >> 32;
}

/* vrf 0; IPv4 first, each family in address order, shorter first, no duplicates. */
struct fib_synth {
	struct fib_prefix *prefix; /* [n4 + n6] owned */
	u32 n4, n6;
	const char *source; /* for messages: the file's name or "synthetic" */
};

/**
 * fib_synth_load() - the table named by $DWCP_TABLE, else a synthetic one.
 * Return: 0; -ENOENT, -EINVAL (a line that is no prefix), -EIO, -ENOMEM.
 */
int fib_synth_load(u64 seed, struct fib_synth *ret);
/** fib_synth_generate() - about @n4 and @n6 prefixes. The same seed gives the same table. */
int fib_synth_generate(u64 seed, u32 n4, u32 n6, struct fib_synth *ret);
void fib_synth_free(struct fib_synth *s);
/** fib_synth_addr() - a random address inside a prefix. */
struct fib_addr fib_synth_addr(const struct fib_prefix *p, struct fib_rng *rng);
