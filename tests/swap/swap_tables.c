/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swap_tables.c - full tables whose next hops tell which table they are.
 *
 *     swap_tables probes FILE [N]      destinations, each with the index of the prefix that matches it longest
 *     swap_tables routes K FILE [N]    route file of table K: prefix i goes to next hop (i + K) mod 64
 *
 * N: a small synthetic table of so many IPv4 prefixes instead of the full one.
 *
 * Every table lacks another 2 % of the prefixes that no probe needs, so tables differ in shape and not only in leaves.
 * The same prefixes ($DWCP_TABLE, else synthetic) give the same files.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>
#include <dwcp/util/fib.h>

#include "fib_synth.h"
#include "swap_probe.h"

#define SEED	   20261121
#define DROP_SHARE 50 /* one in … */

struct tables {
	struct fib_synth synth;
	struct fib_builder *builder;
	u8 *kept;
	struct swap_probe *probe;
	u32 n_probes;
};

static u32 mix(u32 a, u32 b)
{
	u64 h = ((u64)a << 32 | b) * 0x9e3779b97f4a7c15ull;

	return (u32)((h ^ h >> 29) * 0xbf58476d1ce4e5b9ull >> 32);
}

/* What a router would not forward makes a bad probe. */
static bool probe_forwardable(u8 family, const struct fib_addr *a)
{
	u32 ip4 = (u32)a->lo;

	if (family == FIB_IP6)
		return a->hi >> 61 == 1; /* 2000::/3 */
	return ip4 >> 24 > 0 && ip4 >> 24 < 224 && ip4 >> 24 != 127 && ip4 >> 16 != 0xa9fe &&
	       ip4 >> 24 != 10;
}

static int probes_make(struct tables *t)
{
	struct fib_rng rng = {SEED};
	u32 n = t->synth.n4 + t->synth.n6;

	for (u32 i = 0; i < n; i++) {
		int err = fib_builder_set(t->builder, &t->synth.prefix[i], i + 1);

		if (err)
			return err;
	}
	for (u32 tries = 0; t->n_probes < SWAP_N_PROBES && tries < 8 * SWAP_N_PROBES; tries++) {
		bool want6 = t->synth.n6 && tries % 8 == 7;
		u32 at = want6 ? t->synth.n4 + fib_rng_below(&rng, t->synth.n6)
			       : fib_rng_below(&rng, t->synth.n4);
		const struct fib_prefix *p = &t->synth.prefix[at];
		struct fib_addr a = fib_synth_addr(p, &rng);
		struct fib_prefix match;
		u32 slot;

		if (!probe_forwardable(p->family, &a) ||
		    fib_builder_match(t->builder, 0, p->family, &a, &match, &slot))
			continue;
		t->kept[slot - 1] = 1;
		t->probe[t->n_probes++] = (struct swap_probe){a.hi, a.lo, slot - 1, p->family};
	}
	return t->n_probes == SWAP_N_PROBES ? 0 : -ENODATA;
}

static int routes_write(const struct tables *t, u32 k, FILE *out)
{
	char text[ADDR_TEXT_MAX];
	u32 n = t->synth.n4 + t->synth.n6;

	for (u32 i = 0; i < n; i++) {
		if (!t->kept[i] && mix(i, k) % DROP_SHARE == 0)
			continue;
		fprintf(out,
			t->synth.prefix[i].family == FIB_IP4 ? "%s via 10.0.2.%u\n"
							     : "%s via fd00:2::%x\n",
			prefix_format(&t->synth.prefix[i], text, sizeof(text)),
			SWAP_FIRST_HOST + (i + k) % SWAP_N_NEXTHOPS);
	}
	return ferror(out) ? -EIO : 0;
}

static int tables_run(struct tables *t, int argc, char **argv)
{
	const char *path = argv[argv[1][0] == 'p' ? 2 : 3];
	FILE *out = fopen(path, "we");
	int err;

	if (!out) {
		fprintf(stderr, "swap_tables: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (strcmp(argv[1], "probes") == 0)
		err = fwrite(t->probe, sizeof(*t->probe), t->n_probes, out) == t->n_probes ? 0
											   : -EIO;
	else
		err = routes_write(t, (u32)strtoul(argv[2], NULL, 10), out);
	if (fclose(out))
		err = -EIO;
	return err ? 1 : 0;
}

static void tables_fini(struct tables *t)
{
	fib_builder_free(t->builder);
	fib_synth_free(&t->synth);
	free(t->kept);
	free(t->probe);
}

int main(int argc, char **argv)
{
	struct fib_builder_cfg cfg = {.chunk_bytes = 1 << 18};
	struct tables t = {0};
	const char *limit;
	int ret = 1;
	u32 n;

	if (argc < 3 || (strcmp(argv[1], "probes") && (strcmp(argv[1], "routes") || argc < 4))) {
		fprintf(stderr, "usage: swap_tables probes FILE [N] | routes K FILE [N]\n");
		return 2;
	}
	limit = argv[1][0] == 'p' ? argv[3] : argv[4];
	n = limit ? (u32)strtoul(limit, NULL, 10) : 0;
	if (n ? fib_synth_generate(SEED, n, n / 6 + 1, &t.synth) : fib_synth_load(SEED, &t.synth))
		return 1;
	n = t.synth.n4 + t.synth.n6;
	t.builder = fib_builder_create(&cfg);
	t.kept = calloc(n, 1);
	t.probe = calloc(SWAP_N_PROBES, sizeof(*t.probe));
	if (!t.builder || !t.kept || !t.probe || probes_make(&t)) {
		fprintf(stderr, "swap_tables: could not choose %u probes of %u prefixes\n",
			SWAP_N_PROBES, n);
	} else {
		ret = tables_run(&t, argc, argv);
	}
	tables_fini(&t);
	return ret;
}
