/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_peers.c - rte_lpm, rte_fib (DIR24_8), rte_lpm6 and rte_fib6 (TRIE) as subjects. Benchmark only.
 *
 * What each holds. Lookup structures: 2^24 entries of 4 bytes and the 1 kB blocks that these routes need. Heap: that,
 * the blocks reserved beyond (the smallest power of two that takes the routes, as all of them want their number in
 * advance), the routes they keep, with room for the next power of two. rte_lpm keeps no routes here: rte_lpm_add()
 * searches its rules linearly, which takes minutes for a full table, so its tables, which are public, are filled from
 * lookups of ours, and it has no row for build and update. Lookups in it are its own. Creating the empty table is
 * not counted as building.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>

#include "fib_subject.h"

#define BLOCKS_MIN (1u << 8)
#define BLOCKS_MAX (1u << 20)

static struct rte_fib *fib4;
static struct rte_fib6 *fib6;
static struct rte_lpm6 *lpm6;

/* Blocks of 256 entries of 4 bytes that the routes need below the first 24 bits. */
static u64 blocks_bytes(const struct table *t)
{
	u64 blocks = 0;

	for (u32 depth = 24; depth < 128; depth += 8) {
		struct fib_addr last = {~0ull, ~0ull};

		for (u32 i = 0; i < t->n; i++) {
			u32 bits = t->family == FIB_IP4 ? depth + 96 : depth;
			struct fib_addr a = t->prefix[i].addr;

			if (t->prefix[i].len <= depth)
				continue;
			a.hi = bits < 64 ? a.hi >> (64 - bits) << (64 - bits) : a.hi;
			a.lo = bits > 64 ? a.lo >> (128 - bits) << (128 - bits) : 0;
			blocks += a.hi != last.hi || a.lo != last.lo;
			last = a;
		}
	}
	return blocks * 1024;
}

static u64 heap_bytes(void)
{
	struct rte_malloc_socket_stats st;

	return rte_malloc_get_socket_stats(0, &st) == 0 ? st.heap_allocsz_bytes : 0;
}

static void memory_rows(const struct table *t, const char *name, u64 heap_before)
{
	row_print_one("memory", name, "bytes", (4ull << 24) + blocks_bytes(t));
	row_print_one("heap", name, "bytes", heap_bytes() - heap_before);
}

static u32 pow2_up(u32 n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
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
	SUBJECT_ALIGNED u32 hop[SUBJECT_BURST];
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
	SUBJECT_ALIGNED u32 hop[SUBJECT_BURST];
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

/* Mark the /24s that hold longer prefixes. Return: how many. */
static u32 deep_mark(const struct table *t, u8 *deep)
{
	u32 n = 0;

	for (u32 i = 0; i < t->n; i++) {
		u32 net = t->prefix[i].addr.lo >> 8;

		if (t->prefix[i].len <= 24)
			continue;
		n += !deep[net];
		deep[net] = 1;
	}
	return n;
}

static void lpm_fill(struct rte_lpm *lpm, const u8 *deep, const struct fib_view *v)
{
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP4);
	u32 n_deep = 0;

	for (u32 i = 0; i < 1u << 24; i++) {
		u32 dst = i << 8, slot;

		fib_lookup4(v, root, &dst, &slot, 1);
		lpm->tbl24[i] = lpm_entry(slot);
		if (!deep[i])
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
}

static int lpm_add(struct subjects *s, const struct table *t, const struct fib_view *view)
{
	struct rte_lpm_config cfg = {.max_rules = pow2_up(t->n)};
	u8 *deep = calloc(1u << 24, 1);
	u64 before = heap_bytes();
	struct rte_lpm *lpm;

	if (!deep)
		return -ENOMEM;
	cfg.number_tbl8s = DWCP_MAX(pow2_up(deep_mark(t, deep)), BLOCKS_MIN);
	lpm = rte_lpm_create("bench", 0, &cfg);
	if (lpm)
		lpm_fill(lpm, deep, view);
	free(deep);
	if (!lpm)
		return -ENOMEM;
	memory_rows(t, "rte_lpm", before);
	subject_add(s, (struct subject){"rte_lpm", run_lpm, lpm, NULL});
	subject_add(s, (struct subject){"rte_lpm-x4", run_lpmx4, lpm, NULL});
	return 0;
}

/* ---- rte_fib, rte_lpm6, rte_fib6 ----------------------------------------------------------------------- */

/* Only when it changes: it asks for CPU features, and CPUID takes microseconds in a virtual machine. */
static void fib_select(const struct subject *s)
{
	static const void *selected = (void *)-1;

	if (selected != s->ctx2)
		rte_fib_select_lookup(s->ctx, (enum rte_fib_lookup_type)(uintptr_t)s->ctx2);
	selected = s->ctx2;
}

static void fib6_select(const struct subject *s)
{
	static const void *selected = (void *)-1;

	if (selected != s->ctx2)
		rte_fib6_select_lookup(s->ctx, (enum rte_fib6_lookup_type)(uintptr_t)s->ctx2);
	selected = s->ctx2;
}

static u64 run_fib(const struct subject *s, const struct keys *k)
{
	SUBJECT_ALIGNED u64 hop[SUBJECT_BURST];
	u64 sum = 0;

	fib_select(s);
	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_fib_lookup_bulk(s->ctx, k->v4 + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j];
	}
	return sum;
}

static u64 run_fib6(const struct subject *s, const struct keys *k)
{
	SUBJECT_ALIGNED u64 hop[SUBJECT_BURST];
	u64 sum = 0;

	fib6_select(s);
	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_fib6_lookup_bulk(s->ctx, k->v6_bytes + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j];
	}
	return sum;
}

static u64 run_lpm6(const struct subject *s, const struct keys *k)
{
	SUBJECT_ALIGNED s32 hop[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		rte_lpm6_lookup_bulk_func(s->ctx, k->v6_bytes + i, hop, SUBJECT_BURST);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			sum += hop[j] < 0 ? 0 : hop[j];
	}
	return sum;
}

/* A table that is made for a number of blocks and filled route by route. */
struct peer {
	const char *name;
	int (*create)(const struct table *t, u32 n_blocks);
	void (*free)(void);
	int (*set)(const struct fib_prefix *p, u32 slot);
};

static int fib4_create(const struct table *t, u32 n_blocks)
{
	struct rte_fib_conf conf = {
		.type = RTE_FIB_DIR24_8,
		.max_routes = pow2_up(t->n),
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = n_blocks},
	};

	fib4 = rte_fib_create("bench", 0, &conf);
	return fib4 ? 0 : -rte_errno;
}

static void fib4_free(void)
{
	rte_fib_free(fib4);
}

static int fib4_set(const struct fib_prefix *p, u32 slot)
{
	return rte_fib_add(fib4, p->addr.lo, p->len, slot);
}

static int fib6_create(const struct table *t, u32 n_blocks)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.max_routes = pow2_up(t->n),
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = n_blocks},
	};

	fib6 = rte_fib6_create("bench", 0, &conf);
	return fib6 ? 0 : -rte_errno;
}

static void fib6_free(void)
{
	rte_fib6_free(fib6);
}

static int fib6_set(const struct fib_prefix *p, u32 slot)
{
	u8 ip[16];

	bytes6(&p->addr, ip);
	return rte_fib6_add(fib6, ip, p->len, slot);
}

static int lpm6_create(const struct table *t, u32 n_blocks)
{
	struct rte_lpm6_config conf = {.max_rules = pow2_up(t->n), .number_tbl8s = n_blocks};

	lpm6 = rte_lpm6_create("bench", 0, &conf);
	return lpm6 ? 0 : -rte_errno;
}

static void lpm6_free(void)
{
	rte_lpm6_free(lpm6);
}

static int lpm6_set(const struct fib_prefix *p, u32 slot)
{
	u8 ip[16];

	bytes6(&p->addr, ip);
	return rte_lpm6_add(lpm6, ip, p->len, slot);
}

static const struct peer peer_fib4 = {"rte_fib", fib4_create, fib4_free, fib4_set};
static const struct peer peer_fib6 = {"rte_fib6", fib6_create, fib6_free, fib6_set};
static const struct peer peer_lpm6 = {"rte_lpm6", lpm6_create, lpm6_free, lpm6_set};

/* Return: 0; -ENOSPC when @n_blocks are too few. */
static int peer_build(const struct peer *p, const struct table *t, u32 n_blocks, double *ret_ms)
{
	int ret = p->create(t, n_blocks);
	u64 t0 = clock_ns();

	if (ret != 0)
		return ret;
	for (u32 i = 0; ret == 0 && i < t->n; i++)
		ret = p->set(&t->prefix[i], t->slot[i]);
	*ret_ms = (clock_ns() - t0) / 1e6;
	if (ret != 0)
		p->free();
	return ret;
}

/* Build @rounds times and keep the last one. */
static int peer_add(const struct peer *p, const struct table *t, u32 rounds)
{
	u32 n_blocks = BLOCKS_MIN;
	struct figures ms = {0};
	u64 before = heap_bytes();
	int ret;

	while ((ret = peer_build(p, t, n_blocks, &ms.v[0])) == -ENOSPC && n_blocks < BLOCKS_MAX)
		n_blocks *= 2;
	for (ms.n = 1; ret == 0 && ms.n < rounds; ms.n++) {
		p->free();
		ret = peer_build(p, t, n_blocks, &ms.v[ms.n]);
	}
	if (ret != 0) {
		rows_note("%s: %s\n", p->name, strerror(-ret));
		return ret;
	}
	rows_note("memory %s: %u blocks reserved\n", p->name, n_blocks);
	memory_rows(t, p->name, before);
	row_print("build", p->name, "ms", &ms);
	return 0;
}

static int peers4_add(struct subjects *s, const struct table *t, u32 rounds,
		      const struct fib_view *view)
{
	int ret = lpm_add(s, t, view);

	if (ret == 0)
		ret = peer_add(&peer_fib4, t, rounds);
	if (ret != 0)
		return ret;
	subject_add(s, (struct subject){"rte_fib", run_fib, fib4,
					(void *)RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO});
	if (rte_fib_select_lookup(fib4, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512) == 0)
		subject_add(s, (struct subject){"rte_fib-avx512", run_fib, fib4,
						(void *)RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512});
	return 0;
}

static int peers6_add(struct subjects *s, const struct table *t, u32 rounds)
{
	int ret = peer_add(&peer_lpm6, t, rounds);

	if (ret == 0)
		ret = peer_add(&peer_fib6, t, rounds);
	if (ret != 0)
		return ret;
	subject_add(s, (struct subject){"rte_lpm6", run_lpm6, lpm6, NULL});
	subject_add(s, (struct subject){"rte_fib6", run_fib6, fib6,
					(void *)RTE_FIB6_LOOKUP_TRIE_SCALAR});
	if (rte_fib6_select_lookup(fib6, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512) == 0)
		subject_add(s, (struct subject){"rte_fib6-avx512", run_fib6, fib6,
						(void *)RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512});
	return 0;
}

int peers_add(struct subjects *s, const struct table *t, u32 rounds, const struct fib_view *view)
{
	return t->family == FIB_IP4 ? peers4_add(s, t, rounds, view) : peers6_add(s, t, rounds);
}

/* ---- updates ------------------------------------------------------------------------------------------- */

static void peer_update(const struct peer *peer, const struct table *t, u32 rounds, u32 n, u64 *ns)
{
	struct figures p50 = {0}, p99 = {0};
	struct fib_rng rng = {7};

	for (u32 r = 0; r < rounds; r++) {
		for (u32 i = 0; i < n; i++) {
			const struct fib_prefix *p = &t->prefix[fib_rng_below(&rng, t->n)];
			u32 slot = 1 + fib_rng_below(&rng, t->n_slots);
			u64 t0 = clock_ns();

			peer->set(p, slot);
			ns[i] = clock_ns() - t0;
		}
		u64_sort(ns, n);
		p50.v[p50.n++] = ns[n / 2] / 1e3;
		p99.v[p99.n++] = ns[(u64)n * 99 / 100] / 1e3;
	}
	row_print("update-p50", peer->name, "us", &p50);
	row_print("update-p99", peer->name, "us", &p99);
}

void peers_update(const struct table *t, u32 rounds, u32 n)
{
	u64 *ns = calloc(n, sizeof(*ns));

	if (!ns)
		return;
	if (t->family == FIB_IP4) {
		peer_update(&peer_fib4, t, rounds, n, ns);
	} else {
		peer_update(&peer_lpm6, t, rounds, n, ns);
		peer_update(&peer_fib6, t, rounds, n, ns);
	}
	free(ns);
}
