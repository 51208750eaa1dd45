/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_bench.c - lookup, memory, build and update of the FIB against rte_lpm, rte_fib, rte_lpm6 and rte_fib6.
 *
 *   fib_bench [options] [-- EAL options]
 *     -f F   family 4 or 6 (4)
 *     -s N   prefixes: 1000, 100000 …, a random sample of the table, nothing added; 0 = the full table (0)
 *     -j     rows as JSON lines on stdout, all else on stderr; with updates
 *     -r N   rounds (11)         -n N   next hops at random (65535)
 *     -u     updates too         -H     our arrays in 2 MB pages (else 4 kB)
 *     -F     other formats too   -P     without DPDK's tables
 *
 * Rows are named ip4-full-hot and so on: the addresses are those of fib_keys.c. Subjects are interleaved inside each
 * round on one core, that on which the program starts (taskset). A subject's turn begins with all
 * addresses once, uncounted; its figure is the median of 256 parts of 16 k (IPv4) or 4 k (IPv6) lookups in bursts of 32,
 * each timed on its own, in cycles of the TSC. A row has min, median and max of the rounds' figures.
 *
 * The table is $DWCP_TABLE or synthetic. DPDK's tables lie in 2 MB pages when there are enough free ones (the full
 * IPv4 table wants 800, the full IPv6 table 900), else in 4 kB pages, which slows them; stderr says which. EAL
 * options after "--" are added.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "fib_subject.h"

#define SEED	     42
#define PART4	     16384u /* lookups; 64 kB of addresses */
#define PART6	     4096u
#define PARTS	     256u /* a round */
#define BUILD_ROUNDS 3u
#define UPDATES	     2000u /* a round */
#define HUGE_WANTED  900u
#define HUGE_FREE    "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

struct options {
	u32 rounds, next_hops, size;
	u8 family;
	bool json, huge, formats, peers, updates;
};

struct bench {
	struct options opt;
	struct fib_synth synth;
	struct table table;
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

void u64_sort(u64 *v, u32 n)
{
	qsort(v, n, sizeof(*v), u64_cmp);
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

/*
 * The addresses of a part come into the second-level cache before its time starts: a router has them there, and
 * whether a prefetcher follows them through memory is luck of a program's layout that costs up to ten cycles.
 */
static u64 keys_touch(const struct keys *k)
{
	u64 sum = 0;

	for (u32 i = 0; k->v4 && i < k->n; i += 64 / sizeof(*k->v4))
		sum += k->v4[i];
	for (u32 i = 0; k->v6 && i < k->n; i += 64 / sizeof(*k->v6))
		sum += k->v6[i].lo + k->v6_bytes[i][0];
	return sum;
}

/* A part of the keys, short against the scheduler's time slice. */
static struct keys keys_part(const struct keys *k, u32 at)
{
	struct keys part = *k;

	part.n = DWCP_MIN(k->n - at, k->family == FIB_IP4 ? PART4 : PART6);
	if (k->family == FIB_IP4) {
		part.v4 += at;
	} else {
		part.v6 += at;
		part.v6_bytes += at;
	}
	return part;
}

/* Each part timed on its own: another task on the CPU spoils a few parts, not a round. Return: their median. */
static double subject_measure(const struct subject *s, const struct keys *k, volatile u64 *sink)
{
	u64 cycles[PARTS];
	u32 at = 0;

	/* Not counted: what the subject before left in the caches. */
	*sink += s->run(s, k);
	for (u32 n = 0; n < PARTS; n++) {
		struct keys part = keys_part(k, at);
		u64 t0;

		*sink += keys_touch(&part);
		t0 = rte_rdtsc_precise();
		*sink += s->run(s, &part);
		cycles[n] = (rte_rdtsc_precise() - t0) * 1000 / part.n;
		at = (at + part.n) % k->n;
	}
	u64_sort(cycles, PARTS);
	return cycles[PARTS / 2] / 1e3;
}

static void keys_measure(const struct bench *b, const struct keys *k)
{
	struct figures f[SUBJECTS_MAX] = {0};
	volatile u64 sink = 0;

	for (u32 r = 0; r < b->opt.rounds; r++) {
		for (u32 i = 0; i < b->subjects.n; i++)
			f[i].v[f[i].n++] = subject_measure(&b->subjects.row[i], k, &sink);
	}
	for (u32 i = 0; i < b->subjects.n; i++)
		row_print(k->name, b->subjects.row[i].name, "cycles", &f[i]);
}

/* ---- start --------------------------------------------------------------------------------------------- */

static int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = {.rounds = 11, .next_hops = 65535, .family = FIB_IP4, .peers = true};
	int c;

	while ((c = getopt(argc, argv, "r:n:f:s:jHFPu")) != -1) {
		if (c == 'r')
			o.rounds = strtoul(optarg, NULL, 10);
		else if (c == 'n')
			o.next_hops = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			o.family = strtoul(optarg, NULL, 10);
		else if (c == 's')
			o.size = strtoul(optarg, NULL, 10);
		else if (c == 'j')
			o.json = o.updates = true;
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
	if (!o.rounds || o.rounds > ROUNDS_MAX || !o.next_hops ||
	    (o.family != FIB_IP4 && o.family != FIB_IP6))
		return -1;
	*ret = o;
	return 0;
}

static bool huge_enough(void)
{
	FILE *f = fopen(HUGE_FREE, "r");
	unsigned int n = 0;

	if (!f)
		return false;
	if (fscanf(f, "%u", &n) != 1)
		n = 0;
	fclose(f);
	return n >= HUGE_WANTED;
}

/* EAL without a NIC, on the CPU that we are on; what follows "--" is added. It prints on stderr. */
static int eal_start(int argc, char **argv, int from)
{
	static const char *const fixed[] = {"fib_bench", "--no-pci", "--no-telemetry",
					    "--force-max-simd-bitwidth=512"};
	/* --no-huge means EAL's legacy memory, which --in-memory excludes. */
	static const char *const small_pages[] = {"--no-huge", "--no-shconf", "-m2048"};
	static const char *const huge_pages[] = {"--in-memory"};
	bool huge = huge_enough();
	char lcores[32], *args[32];
	int n = 0;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(fixed); i++)
		args[n++] = (char *)fixed[i];
	for (u32 i = 0; huge && i < DWCP_ARRAY_LEN(huge_pages); i++)
		args[n++] = (char *)huge_pages[i];
	for (u32 i = 0; !huge && i < DWCP_ARRAY_LEN(small_pages); i++)
		args[n++] = (char *)small_pages[i];
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", sched_getcpu());
	args[n++] = lcores;
	while (from < argc && n < 31)
		args[n++] = argv[from++];
	args[n] = NULL;
	fprintf(stderr, "fib_bench: DPDK's tables are in pages of %s\n", huge ? "2 MB" : "4 kB");
	return rte_eal_init(n, args);
}

/* @n of the family's prefixes, each set of @n as likely as any other, in their order. Return: how many. */
static u32 prefixes_sample(struct fib_prefix *p, u32 have, u32 n, struct fib_rng *rng)
{
	u32 taken = 0;

	for (u32 i = 0; i < have && taken < n; i++) {
		if (fib_rng_below(rng, have - i) < n - taken)
			p[taken++] = p[i];
	}
	return taken;
}

static int table_prepare(struct bench *b)
{
	struct fib_rng rng = {SEED + 1};
	struct fib_prefix *p;
	u32 *slot, n;

	if (fib_synth_load(SEED, &b->synth) != 0)
		return -1;
	p = b->opt.family == FIB_IP4 ? b->synth.prefix : b->synth.prefix + b->synth.n4;
	n = b->opt.family == FIB_IP4 ? b->synth.n4 : b->synth.n6;
	if (b->opt.size)
		n = prefixes_sample(p, n, b->opt.size, &rng);
	slot = malloc(n * sizeof(*slot));
	if (!slot || n < b->opt.size)
		return -1;
	for (u32 i = 0; i < n; i++)
		slot[i] = 1 + fib_rng_below(&rng, b->opt.next_hops);
	b->table = (struct table){p, slot, n, b->opt.next_hops, b->opt.family};
	rows_note("table %s: %u IPv4, %u IPv6 prefixes, of which %u of IPv%u; %u next hops\n",
		  b->synth.source, b->synth.n4, b->synth.n6, n, b->opt.family, b->opt.next_hops);
	return 0;
}

static int bench_prepare(struct bench *b)
{
	if (table_prepare(b) != 0 || keys_fill(&b->table, b->keys) != 0 ||
	    ours_add(&b->subjects, &b->table, BUILD_ROUNDS, b->opt.huge, &b->view) != 0)
		return -1;
	if (b->opt.formats && b->opt.family == FIB_IP4 &&
	    formats_add(&b->subjects, &b->table, &b->view) != 0)
		return -1;
	return b->opt.peers ? peers_add(&b->subjects, &b->table, BUILD_ROUNDS, &b->view) : 0;
}

int main(int argc, char **argv)
{
	static struct bench b;

	if (options_parse(argc, argv, &b.opt) != 0) {
		fprintf(stderr, "usage: fib_bench [-f 4|6] [-s size] [-r rounds] [-n next_hops] "
				"[-jHFPu] [-- EAL options]\n");
		return 2;
	}
	if (rows_start(b.opt.json, b.opt.family, b.opt.size) != 0 ||
	    eal_start(argc, argv, optind) < 0 || bench_prepare(&b) != 0) {
		fprintf(stderr, "fib_bench: could not prepare\n");
		return 1;
	}
	for (u32 i = 0; i < KEY_SETS; i++) {
		if (subjects_agree(&b, &b.keys[i]) != 0)
			return 1;
		keys_measure(&b, &b.keys[i]);
	}
	if (b.opt.updates) {
		ours_update(&b.table, b.opt.rounds, UPDATES);
		if (b.opt.peers)
			peers_update(&b.table, b.opt.rounds, UPDATES);
	}
	rte_eal_cleanup();
	return 0;
}
