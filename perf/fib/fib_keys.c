/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_keys.c - the addresses that fib_bench looks up. Benchmark only.
 *
 *   hot      65,536 addresses again and again, each a random one in a random prefix
 *   zipf     exponent 1 over 1 M such addresses
 *   table    a random prefix, a random address in it
 *   uniform  all of IPv4; of IPv6 2000::/3
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fib_subject.h"

#define SEED	42
#define HOT_N	65536u
#define ZIPF_N	1000000u
#define N_KEYS4 (1u << 22)
#define N_KEYS6 (1u << 20)

static struct fib_addr table_addr(const struct table *t, struct fib_rng *rng)
{
	return fib_synth_addr(&t->prefix[fib_rng_below(rng, t->n)], rng);
}

static struct fib_addr uniform_addr(u8 family, struct fib_rng *rng)
{
	u64 hi = fib_rng_next(rng);

	if (family == FIB_IP4)
		return (struct fib_addr){.lo = hi >> 32};
	return (struct fib_addr){1ull << 61 | hi >> 3, fib_rng_next(rng)};
}

static void key_put_at(struct keys *k, u32 i, const struct fib_addr *a)
{
	u64 hi = __builtin_bswap64(a->hi), lo = __builtin_bswap64(a->lo);

	if (k->family == FIB_IP4) {
		k->v4[i] = a->lo;
		return;
	}
	k->v6[i] = *a;
	memcpy(k->v6_bytes[i], &hi, 8);
	memcpy(k->v6_bytes[i] + 8, &lo, 8);
}

static int keys_alloc(struct keys *k, const char *name, u8 family, u32 n)
{
	*k = (struct keys){.name = name, .family = family, .n = n};
	if (family == FIB_IP4) {
		k->v4 = aligned_alloc(64, n * sizeof(*k->v4));
		return k->v4 ? 0 : -ENOMEM;
	}
	k->v6 = aligned_alloc(64, n * sizeof(*k->v6));
	k->v6_bytes = aligned_alloc(64, n * sizeof(*k->v6_bytes));
	return k->v6 && k->v6_bytes ? 0 : -ENOMEM;
}

/* Zipf with exponent 1 over ranks 1 … n, by inverting its (continuous) distribution: rank = n^u. */
static u32 zipf_rank(struct fib_rng *rng, u32 n)
{
	double u = (double)(fib_rng_next(rng) >> 11) / (1ull << 53);
	double rank = __builtin_exp(u * __builtin_log(n));

	return DWCP_MIN((u32)rank, n) - 1;
}

int keys_fill(const struct table *t, struct keys keys[KEY_SETS])
{
	u32 n = t->family == FIB_IP4 ? N_KEYS4 : N_KEYS6;
	struct fib_addr *pop = malloc(ZIPF_N * sizeof(*pop));
	struct fib_rng rng = {SEED};

	if (!pop || keys_alloc(&keys[0], "hot", t->family, HOT_N) != 0 ||
	    keys_alloc(&keys[1], "zipf", t->family, n) != 0 ||
	    keys_alloc(&keys[2], "table", t->family, n) != 0 ||
	    keys_alloc(&keys[3], "uniform", t->family, n) != 0)
		return -ENOMEM;
	for (u32 i = 0; i < ZIPF_N; i++)
		pop[i] = table_addr(t, &rng);
	for (u32 i = 0; i < HOT_N; i++)
		key_put_at(&keys[0], i, &pop[i]);
	for (u32 i = 0; i < n; i++) {
		struct fib_addr in = table_addr(t, &rng), any = uniform_addr(t->family, &rng);

		key_put_at(&keys[1], i, &pop[zipf_rank(&rng, ZIPF_N)]);
		key_put_at(&keys[2], i, &in);
		key_put_at(&keys[3], i, &any);
	}
	free(pop);
	return 0;
}
