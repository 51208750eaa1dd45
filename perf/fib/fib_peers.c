/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_peers.c - rte_lpm, rte_fib (DIR24_8) and rte_fib6 (TRIE) as subjects. Benchmark only.
 *
 * rte_lpm_add() searches its rules linearly, which takes minutes for a full table, so its tables, which are
 * public, are filled from lookups of ours. Lookups in it are its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_malloc.h>

#include <dwcp/endian.h>

#include "fib_subject.h"

static struct rte_fib *fib4;
static struct rte_fib6 *fib6;

/* Blocks of 256 entries of 4 bytes that the routes need below the first 24 bits. What was reserved is more. */
static u64 blocks_bytes(const struct fib_prefix *p, u32 n)
{
	u64 blocks = 0;

	for (u32 depth = 24; depth < 128; depth += 8) {
		struct fib_addr last = {~0ull, ~0ull};

		for (u32 i = 0; i < n; i++) {
			u32 bits = p[i].family == FIB_IP4 ? depth + 96 : depth;
			struct fib_addr a = p[i].addr;

			if (p[i].len <= depth)
				continue;
			a.hi = bits < 64 ? a.hi >> (64 - bits) << (64 - bits) : a.hi;
			a.lo = bits > 64 ? a.lo >> (128 - bits) << (128 - bits) : 0;
			blocks += a.hi != last.hi || a.lo != last.lo;
			last = a;
		}
	}
	return blocks * 1024;
}

/* The first 24 bits directly, 4 bytes each, and the blocks. */
static u64 dir24_bytes(const struct fib_prefix *p, u32 n)
{
	return (4ull << 24) + blocks_bytes(p, n);
}

static u64 heap_bytes(void)
{
	struct rte_malloc_socket_stats st;

	return rte_malloc_get_socket_stats(0, &st) == 0 ? st.heap_allocsz_bytes : 0;
}

static void bytes6(const struct fib_addr *a, u8 *ret)
{
	u64 hi = __builtin_bswap64(a->hi), lo = __builtin_bswap64(a->lo);

	memcpy(ret, &hi, 8);
	memcpy(ret + 8, &lo, 8);
}

/* ---- rte_lpm ------------------------------------------------------------------------------------------- */

static u64 run_lpm(const struct subject *s, const struct keys *k)
{
	u32 hop[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_lpm_lookup_bulk(s->ctx, k->v4 + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j] & RTE_LPM_LOOKUP_SUCCESS ? hop[j] & 0xffffff : 0;
	}
	return sum;
}

static u64 run_lpmx4(const struct subject *s, const struct keys *k)
{
	u32 hop[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		for (u32 j = 0; j < SUBJECT_BURST; j += 4) {
			xmm_t ip = _mm_loadu_si128((const xmm_t *)(k->v4 + i + j));

			rte_lpm_lookupx4(s->ctx, ip, hop + j, 0);
		}
		sum += burst_sum(hop);
	}
	return sum;
}

static struct rte_lpm_tbl_entry lpm_entry(u32 slot)
{
	return (struct rte_lpm_tbl_entry){.next_hop = slot, .valid = slot != 0, .depth = 24};
}

/* Mark the /24s that hold longer prefixes. */
static u8 *deep_map(const struct fib_synth *t)
{
	u8 *deep = calloc(1u << 24, 1);

	for (u32 i = 0; deep && i < t->n4; i++) {
		if (t->prefix[i].len > 24)
			deep[t->prefix[i].addr.lo >> 8] = 1;
	}
	return deep;
}

static struct rte_lpm *lpm_fill(const struct fib_synth *t, const struct fib_view *v)
{
	const struct rte_lpm_config cfg = {.max_rules = 1024, .number_tbl8s = 2048};
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP4);
	struct rte_lpm *lpm = rte_lpm_create("bench", 0, &cfg);
	u8 *deep = deep_map(t);
	u32 n_deep = 0;

	for (u32 i = 0; lpm && deep && i < 1u << 24; i++) {
		u32 dst = i << 8, slot;

		fib_lookup4(v, root, &dst, &slot, 1);
		lpm->tbl24[i] = lpm_entry(slot);
		if (!deep[i] || n_deep == cfg.number_tbl8s)
			continue;
		lpm->tbl24[i] = (struct rte_lpm_tbl_entry){.next_hop = n_deep,
							   .valid = 1,
							   .valid_group = 1,
							   .depth = 24};
		for (u32 j = 0; j < 256; j++, dst++) {
			fib_lookup4(v, root, &dst, &slot, 1);
			lpm->tbl8[n_deep * 256 + j] = lpm_entry(slot);
		}
		n_deep++;
	}
	free(deep);
	return lpm;
}

/* ---- rte_fib, rte_fib6 --------------------------------------------------------------------------------- */

static u64 run_fib(const struct subject *s, const struct keys *k)
{
	u64 hop[SUBJECT_BURST];
	u64 sum = 0;

	rte_fib_select_lookup(s->ctx, (enum rte_fib_lookup_type)(uintptr_t)s->ctx2);
	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_fib_lookup_bulk(s->ctx, k->v4 + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j];
	}
	return sum;
}

static u64 run_fib6(const struct subject *s, const struct keys *k)
{
	u64 hop[SUBJECT_BURST];
	u64 sum = 0;

	rte_fib6_select_lookup(s->ctx, (enum rte_fib6_lookup_type)(uintptr_t)s->ctx2);
	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_fib6_lookup_bulk(s->ctx, k->v6_bytes + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j];
	}
	return sum;
}

static void row_add(struct subjects *s, struct subject row)
{
	if (s->n < SUBJECTS_MAX)
		s->row[s->n++] = row;
}

static int peers4_add(struct subjects *s, const struct fib_synth *t, const u32 *slot,
		      const struct fib_view *view)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.max_routes = 1 << 20,
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 4096},
	};
	u64 before = heap_bytes(), bytes = dir24_bytes(t->prefix, t->n4), ns;
	struct rte_lpm *lpm = lpm_fill(t, view);

	if (!lpm)
		return -ENOMEM;
	printf("memory v4 rte_lpm: heap %lu\n", heap_bytes() - before);
	row_add(s, (struct subject){"rte_lpm bulk", FIB_IP4, bytes, run_lpm, lpm});
	row_add(s, (struct subject){"rte_lpm x4", FIB_IP4, bytes, run_lpmx4, lpm});
	before = heap_bytes();
	fib4 = rte_fib_create("bench", 0, &conf);
	if (!fib4)
		return -ENOMEM;
	printf("memory v4 rte_fib: heap %lu, with the routes that it keeps\n",
	       heap_bytes() - before);
	ns = clock_ns();
	for (u32 i = 0; i < t->n4; i++) {
		if (rte_fib_add(fib4, t->prefix[i].addr.lo, t->prefix[i].len, slot[i]) != 0)
			return -EIO;
	}
	printf("build  v4 rte_fib: %.1f ms\n", (clock_ns() - ns) / 1e6);
	row_add(s, (struct subject){"rte_fib scalar", FIB_IP4, bytes, run_fib, fib4,
				    (void *)RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO});
	if (rte_fib_select_lookup(fib4, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512) == 0)
		row_add(s, (struct subject){"rte_fib avx512", FIB_IP4, bytes, run_fib, fib4,
					    (void *)RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512});
	return 0;
}

static int peers6_add(struct subjects *s, const struct fib_synth *t, const u32 *slot)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.max_routes = 1 << 19,
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = 1 << 18},
	};
	u64 before = heap_bytes(), bytes = dir24_bytes(t->prefix + t->n4, t->n6), ns;

	fib6 = rte_fib6_create("bench", 0, &conf);
	if (!fib6)
		return -ENOMEM;
	printf("memory v6 rte_fib6: heap %lu, with the routes that it keeps\n",
	       heap_bytes() - before);
	ns = clock_ns();
	for (u32 i = t->n4; i < t->n4 + t->n6; i++) {
		u8 ip[16];

		bytes6(&t->prefix[i].addr, ip);
		if (rte_fib6_add(fib6, ip, t->prefix[i].len, slot[i]) != 0)
			return -EIO;
	}
	printf("build  v6 rte_fib6: %.1f ms\n", (clock_ns() - ns) / 1e6);
	row_add(s, (struct subject){"rte_fib6 scalar", FIB_IP6, bytes, run_fib6, fib6,
				    (void *)RTE_FIB6_LOOKUP_TRIE_SCALAR});
	if (rte_fib6_select_lookup(fib6, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512) == 0)
		row_add(s, (struct subject){"rte_fib6 avx512", FIB_IP6, bytes, run_fib6, fib6,
					    (void *)RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512});
	return 0;
}

int peers_add(struct subjects *s, const struct fib_synth *t, const u32 *slot,
	      const struct fib_view *view, u8 family)
{
	return family == FIB_IP4 ? peers4_add(s, t, slot, view) : peers6_add(s, t, slot);
}

void peers_update(const struct fib_synth *t, u32 n, u8 family)
{
	struct fib_rng rng = {7};
	u64 *ns = calloc(n, sizeof(*ns));

	for (u32 i = 0; ns && i < n; i++) {
		u32 at = family == FIB_IP4 ? fib_rng_below(&rng, t->n4)
					   : t->n4 + fib_rng_below(&rng, t->n6);
		const struct fib_prefix *p = &t->prefix[at];
		u32 hop = 1 + fib_rng_below(&rng, 65535);
		u64 t0;
		u8 ip[16];

		bytes6(&p->addr, ip);
		t0 = clock_ns();
		if (family == FIB_IP4)
			rte_fib_add(fib4, p->addr.lo, p->len, hop);
		else
			rte_fib6_add(fib6, ip, p->len, hop);
		ns[i] = clock_ns() - t0;
	}
	if (ns)
		percentiles_print(family == FIB_IP4 ? "v4 rte_fib replace" : "v6 rte_fib6 replace",
				  ns, n);
	free(ns);
}
