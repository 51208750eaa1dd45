/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_bench.c - lookup, memory, build and update of the FIB against rte_lpm, rte_fib and rte_fib6.
 *
 *   fib_bench [options] [-- EAL options]
 *     -r N   rounds (11)         -n N   next hops (65535)
 *     -f F   family 4 or 6 (4)   -H     our arrays in 2 MB pages (else 4 kB)
 *     -F     other formats too   -P     without DPDK's tables
 *     -u     updates too
 *
 * Subjects are interleaved inside each round; medians over parts of 16 k lookups are printed. The table is $DWCP_TABLE
 * or synthetic. Cycles are of the TSC.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "fib_subject.h"
#include "lookup.h"

#define SEED	 42
#define HOT_N	 65536u
#define ZIPF_N	 1000000u
#define ROUNDS	 101
#define PART	 16384u
#define N_KEYS4	 (1u << 22)
#define N_KEYS6	 (1u << 20)
#define KEY_SETS 4

struct options {
	u32 rounds, next_hops;
	u8 family;
	bool huge, formats, peers, updates;
};

struct bench {
	struct options opt;
	struct fib_synth table;
	u32 *slot; /* [table.n4 + n6] */
	struct fib_builder *builder;
	struct fib_view view;
	struct keys keys[KEY_SETS];
	struct subjects subjects;
};

u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static int u64_cmp(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void percentiles_print(const char *name, u64 *ns, u32 n)
{
	qsort(ns, n, sizeof(*ns), u64_cmp);
	printf("update %-22s p50 %8.2f us  p99 %8.2f us  max %8.2f us  (n = %u)\n", name,
	       ns[n / 2] / 1e3, ns[(u64)n * 99 / 100] / 1e3, ns[n - 1] / 1e3, n);
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

static const struct fib_prefix *random_prefix(const struct bench *b, struct fib_rng *rng)
{
	if (b->opt.family == FIB_IP4)
		return &b->table.prefix[fib_rng_below(rng, b->table.n4)];
	return &b->table.prefix[b->table.n4 + fib_rng_below(rng, b->table.n6)];
}

static struct fib_addr table_addr(const struct bench *b, struct fib_rng *rng)
{
	return fib_synth_addr(random_prefix(b, rng), rng);
}

/* All of IPv4; of IPv6 what is given out at all. */
static struct fib_addr uniform_addr(const struct bench *b, struct fib_rng *rng)
{
	u64 hi = fib_rng_next(rng);

	if (b->opt.family == FIB_IP4)
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
		k->v4 = malloc(n * sizeof(*k->v4));
		return k->v4 ? 0 : -1;
	}
	k->v6 = malloc(n * sizeof(*k->v6));
	k->v6_bytes = malloc(n * sizeof(*k->v6_bytes));
	return k->v6 && k->v6_bytes ? 0 : -1;
}

/* Zipf with exponent 1 over ranks 1 … n, by inverting its (continuous) distribution: rank = n^u. */
static u32 zipf_rank(struct fib_rng *rng, u32 n)
{
	double u = (double)(fib_rng_next(rng) >> 11) / (1ull << 53);
	double rank = __builtin_exp(u * __builtin_log(n));

	return DWCP_MIN((u32)rank, n) - 1;
}

static int keys_fill(struct bench *b)
{
	u8 family = b->opt.family;
	u32 n = family == FIB_IP4 ? N_KEYS4 : N_KEYS6;
	struct fib_addr *pop = malloc(ZIPF_N * sizeof(*pop));
	struct fib_rng rng = {SEED};

	if (!pop || keys_alloc(&b->keys[0], "hot64k", family, HOT_N) != 0 ||
	    keys_alloc(&b->keys[1], "zipf", family, n) != 0 ||
	    keys_alloc(&b->keys[2], "table", family, n) != 0 ||
	    keys_alloc(&b->keys[3], "uniform", family, n) != 0)
		return -1;
	for (u32 i = 0; i < ZIPF_N; i++)
		pop[i] = table_addr(b, &rng);
	for (u32 i = 0; i < HOT_N; i++)
		key_put_at(&b->keys[0], i, &pop[i]);
	for (u32 i = 0; i < n; i++) {
		struct fib_addr t = table_addr(b, &rng), u = uniform_addr(b, &rng);

		key_put_at(&b->keys[1], i, &pop[zipf_rank(&rng, ZIPF_N)]);
		key_put_at(&b->keys[2], i, &t);
		key_put_at(&b->keys[3], i, &u);
	}
	free(pop);
	return 0;
}

/* ---- ours ---------------------------------------------------------------------------------------------- */

static u64 run_ours4(const struct subject *s, const struct keys *k)
{
	const struct fib_variant *variant = s->ctx2;
	const struct fib_view *v = s->ctx;
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP4);
	u32 slot[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		variant->lookup4(v, root, k->v4 + i, slot, SUBJECT_BURST);
		sum += burst_sum(slot);
	}
	return sum;
}

static u64 run_ours6(const struct subject *s, const struct keys *k)
{
	const struct fib_variant *variant = s->ctx2;
	const struct fib_view *v = s->ctx;
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP6);
	u32 slot[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		variant->lookup6(v, root, k->v6 + i, slot, SUBJECT_BURST);
		sum += burst_sum(slot);
	}
	return sum;
}

static int ours_build(struct bench *b)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = 256 * 1024};
	bool v4 = b->opt.family == FIB_IP4;
	u32 lo = v4 ? 0 : b->table.n4, hi = v4 ? b->table.n4 : b->table.n4 + b->table.n6;
	u64 t0, t1, t2;

	b->builder = fib_builder_create(&cfg);
	if (!b->builder)
		return -1;
	t0 = clock_ns();
	for (u32 i = lo; i < hi; i++) {
		if (fib_builder_set(b->builder, &b->table.prefix[i], b->slot[i]) != 0)
			return -1;
	}
	t1 = clock_ns();
	if (fib_builder_commit(b->builder) != 0)
		return -1;
	t2 = clock_ns();
	printf("build  v%u ours: set %.1f ms, commit %.1f ms\n", b->opt.family, (t1 - t0) / 1e6,
	       (t2 - t1) / 1e6);
	fib_builder_view(b->builder, &b->view);
	return 0;
}

static void *copy_pages(const void *from, size_t bytes, bool huge)
{
	size_t len = DWCP_ALIGN_UP(bytes, 2ul << 20);
	void *to = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0), -1, 0);

	if (to == MAP_FAILED)
		return NULL;
	memcpy(to, from, bytes);
	return to;
}

/* What the dataplane has: the arrays in mappings of their own, not on the builder's heap. */
static int view_map(struct fib_view *v, bool huge)
{
	v->direct = copy_pages(v->direct, v->n_direct * sizeof(*v->direct), huge);
	v->node = copy_pages(v->node, v->n_node * sizeof(*v->node), huge);
	v->leaf = copy_pages(v->leaf, v->n_leaf * sizeof(*v->leaf), huge);
	return v->direct && v->node && v->leaf ? 0 : -1;
}

static void ours_add(struct bench *b)
{
	const struct fib_variant *variant;
	u64 bytes = b->view.n_direct * sizeof(u64) + b->view.n_node * sizeof(*b->view.node) +
		    b->view.n_leaf * sizeof(*b->view.leaf);

	printf("memory v%u ours: direct %lu, nodes %lu (%u), leaves %lu (%u)\n", b->opt.family,
	       b->view.n_direct * sizeof(u64), b->view.n_node * sizeof(u64), b->view.n_node,
	       b->view.n_leaf * sizeof(u32), b->view.n_leaf);
	for (u32 i = 0; (variant = fib_variant_at(i)); i++) {
		if (!variant->supported())
			continue;
		b->subjects.row[b->subjects.n++] =
			(struct subject){variant->name,
					 b->opt.family,
					 bytes,
					 b->opt.family == FIB_IP4 ? run_ours4 : run_ours6,
					 &b->view,
					 variant};
	}
}

static void ours_update(struct bench *b)
{
	enum { N = 20000 };
	struct fib_rng rng = {7};
	u64 *ns = calloc(N, sizeof(*ns));
	u64 chunks = 0, worst = 0;

	fib_builder_clean(b->builder);
	for (u32 i = 0; ns && i < N; i++) {
		struct fib_prefix p = *random_prefix(b, &rng);
		u32 slot = 1 + fib_rng_below(&rng, b->opt.next_hops), n = 0;
		u64 t0 = clock_ns();

		/* A third each: withdrawn, replaced (or back), a more specific one announced. */
		if (i % 3 == 2)
			p.len = DWCP_MIN(p.len + 1, p.family == FIB_IP4 ? 32 : 128);
		if (i % 3 == 0)
			fib_builder_del(b->builder, &p);
		else
			fib_builder_set(b->builder, &p, slot);
		fib_builder_commit(b->builder);
		ns[i] = clock_ns() - t0;
		for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
			for (u32 c = 0; c < 256; c++)
				n += fib_builder_dirty(b->builder, a, c);
		}
		chunks += n;
		worst = DWCP_MAX(worst, n);
		fib_builder_clean(b->builder);
	}
	if (ns)
		percentiles_print(b->opt.family == FIB_IP4 ? "v4 ours set/del+commit"
							   : "v6 ours set/del+commit",
				  ns, N);
	printf("update dirty chunks of 256 kB: mean %.2f, most %lu\n", (double)chunks / N, worst);
	free(ns);
}

/* ---- measuring ----------------------------------------------------------------------------------------- */

/* Sums agree, or a subject answers wrongly and its time is worth nothing. */
static int subjects_agree(const struct bench *b, const struct keys *k)
{
	u64 want = b->subjects.row[0].run(&b->subjects.row[0], k);

	for (u32 i = 1; i < b->subjects.n; i++) {
		const struct subject *s = &b->subjects.row[i];

		if (s->run(s, k) != want) {
			fprintf(stderr, "%s disagrees on %s\n", s->name, k->name);
			return -1;
		}
	}
	return 0;
}

/* A part of the keys, short against the scheduler's time slice. */
static struct keys keys_part(const struct keys *k, u32 at)
{
	struct keys part = *k;

	part.n = DWCP_MIN(k->n - at, PART);
	if (k->family == FIB_IP4) {
		part.v4 += at;
	} else {
		part.v6 += at;
		part.v6_bytes += at;
	}
	return part;
}

struct samples {
	u64 *cycles; /* a part each */
	u32 n;
};

/* All keys once, each part timed on its own: another task on the CPU spoils a few samples, not a round. */
static void subject_measure(const struct subject *s, const struct keys *k, struct samples *sm,
			    volatile u64 *sink)
{
	for (u32 at = 0; at < k->n; at += PART) {
		struct keys part = keys_part(k, at);
		u64 t0 = rte_rdtsc_precise();

		*sink += s->run(s, &part);
		sm->cycles[sm->n++] = (rte_rdtsc_precise() - t0) * 1000 / part.n;
	}
}

static int keys_measure(const struct bench *b, const struct keys *k)
{
	u32 passes = DWCP_MAX(1u, (b->opt.family == FIB_IP4 ? N_KEYS4 : N_KEYS6) / k->n);
	u32 n = DWCP_DIV_UP(k->n, PART) * passes * b->opt.rounds;
	double per_ns = rte_get_tsc_hz() / 1e9;
	struct samples sm[SUBJECTS_MAX] = {0};
	volatile u64 sink = 0;

	for (u32 i = 0; i < b->subjects.n; i++) {
		sm[i].cycles = malloc(n * sizeof(u64));
		if (!sm[i].cycles)
			return -1;
	}
	for (u32 r = 0; r < b->opt.rounds; r++) {
		for (u32 i = 0; i < b->subjects.n; i++) {
			/* Not counted: what the subject before left in the caches. */
			if (k->n == HOT_N)
				sink += b->subjects.row[i].run(&b->subjects.row[i], k);
			for (u32 pass = 0; pass < passes; pass++)
				subject_measure(&b->subjects.row[i], k, &sm[i], &sink);
		}
	}
	for (u32 i = 0; i < b->subjects.n; i++) {
		double c, best;

		qsort(sm[i].cycles, sm[i].n, sizeof(u64), u64_cmp);
		c = sm[i].cycles[sm[i].n / 2] / 1e3;
		best = sm[i].cycles[sm[i].n / 20] / 1e3;
		printf("lookup v%u %-8s %-16s %7.2f cycles %6.2f ns  p5 %6.2f  %8.2f MB\n",
		       k->family, k->name, b->subjects.row[i].name, c, c / per_ns, best,
		       b->subjects.row[i].bytes / 1e6);
		free(sm[i].cycles);
	}
	return 0;
}

static int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = {.rounds = 11, .next_hops = 65535, .family = FIB_IP4, .peers = true};
	int c;

	while ((c = getopt(argc, argv, "r:n:f:HFPu")) != -1) {
		if (c == 'r')
			o.rounds = strtoul(optarg, NULL, 10);
		else if (c == 'n')
			o.next_hops = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			o.family = strtoul(optarg, NULL, 10);
		else if (c == 'H')
			o.huge = true;
		else if (c == 'F')
			o.formats = true;
		else if (c == 'P')
			o.peers = false;
		else if (c == 'u')
			o.updates = true;
		else
			return -1;
	}
	if (!o.rounds || o.rounds > ROUNDS || !o.next_hops ||
	    (o.family != FIB_IP4 && o.family != FIB_IP6))
		return -1;
	*ret = o;
	return 0;
}

/* EAL without a NIC; what follows "--" is added. */
static int eal_start(int argc, char **argv, int from)
{
	static const char *const fixed[] = {"fib_bench",  "--in-memory",
					    "--no-pci",	  "--no-telemetry",
					    "--lcores=0", "--force-max-simd-bitwidth=512"};
	char *args[32];
	int n = 0;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(fixed); i++)
		args[n++] = (char *)fixed[i];
	while (from < argc && n < 31)
		args[n++] = argv[from++];
	args[n] = NULL;
	return rte_eal_init(n, args);
}

static int bench_prepare(struct bench *b)
{
	struct fib_rng rng = {SEED + 1};

	if (fib_synth_load(SEED, &b->table) != 0)
		return -1;
	printf("table  %s: %u IPv4, %u IPv6; %u next hops\n", b->table.source, b->table.n4,
	       b->table.n6, b->opt.next_hops);
	b->slot = malloc((b->table.n4 + b->table.n6) * sizeof(*b->slot));
	if (!b->slot)
		return -1;
	for (u32 i = 0; i < b->table.n4 + b->table.n6; i++)
		b->slot[i] = 1 + fib_rng_below(&rng, b->opt.next_hops);
	if (ours_build(b) != 0 || keys_fill(b) != 0)
		return -1;
	if (view_map(&b->view, b->opt.huge) != 0)
		return -1;
	ours_add(b);
	if (b->opt.formats && b->opt.family == FIB_IP4 &&
	    formats_add(&b->subjects, &b->table, &b->view) != 0)
		return -1;
	return b->opt.peers ? peers_add(&b->subjects, &b->table, b->slot, &b->view, b->opt.family)
			    : 0;
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (options_parse(argc, argv, &b.opt) != 0) {
		fprintf(stderr, "usage: fib_bench [-r rounds] [-n next_hops] [-f 4|6] [-HFPu] [-- "
				"EAL options]\n");
		return 2;
	}
	if (eal_start(argc, argv, optind) < 0 || bench_prepare(&b) != 0) {
		fprintf(stderr, "fib_bench: could not prepare\n");
		return 1;
	}
	for (u32 i = 0; i < KEY_SETS; i++) {
		if (subjects_agree(&b, &b.keys[i]) != 0 || keys_measure(&b, &b.keys[i]) != 0)
			return 1;
	}
	if (b.opt.updates) {
		ours_update(&b);
		if (b.opt.peers)
			peers_update(&b.table, 20000, b.opt.family);
	}
	rte_eal_cleanup();
	return 0;
}
