/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_bench.c - what each stage of the packet path costs a packet: cycles, or (--count, under callgrind) instructions.
 *
 *	stage_bench [-j] [-r ROUNDS] [-c CASE]… [-C CPU] [-H] [--slow STAGE:PERCENT]
 *	stage_bench --count [--slow STAGE:PERCENT]
 *	  -j     JSON lines on stdout, all else on stderr
 *	  -r N   rounds (21); a row is their min, median and max
 *	  -c C   only cases and bursts with C in their name
 *	  -C N   the CPU to stay on (the last that may be used)
 *	  -H     tables in 2 MB pages, and in pieces as large (else 256 kB pieces on 4 kB pages)
 *	  --slow STAGE:PERCENT   that stage costs so much more: does the harness see it? In time it waits at the end of a batch for
 *	                         so many percent of what the batch took, so that it is exact whatever the CPU does at the moment
 *
 * A round is a pass over 64 k packets a case, cases in turn; its figure is the mean of the middle half of its batches of
 * 512 packets, so what the scheduler or the hypervisor takes spoils a batch and not a round. Cycles are of the TSC. The
 * full table is the file named by $DWCP_TABLE, else a synthetic one. Uses huge pages for packets when enough are free.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "stage_bench.h"

#define ROUNDS_MAX     101u
#define ROUND_PACKETS  65536u
#define FLOWS_HOT      65536u
#define FLOWS_FULL     524288u
#define BATCHES_MAX    (ROUND_PACKETS / BATCH_BURSTS)
#define SELECT_MAX     16u
#define SLOW_MAX       50ul
#define CLOCK_READINGS 1001u

static const struct stage_case cases[] = {
	{"ip4-64k", STAGE_TABLE_SMALL, FLOWS_HOT, .ip4 = true},
	{"ip4-full", STAGE_TABLE_FULL, FLOWS_FULL, .ip4 = true},
	{"ip6-full", STAGE_TABLE_FULL, FLOWS_FULL, .ip6 = true},
	{"mixed", STAGE_TABLE_MIXED, FLOWS_HOT, .ip4 = true, .ip6 = true, .drops = true},
	{"ip4-64k-cold", STAGE_TABLE_SMALL, FLOWS_HOT, .ip4 = true, .cold = true},
};
static const u32 burst_sizes[] = {1, 8, 32, 64};

#define N_CASES DWCP_ARRAY_LEN(cases)
#define N_SIZES DWCP_ARRAY_LEN(burst_sizes)

struct options {
	bool json, huge, count;
	u32 rounds, cpu, n_select, slow_percent;
	enum stage_subject slow;
	const char *select[SELECT_MAX];
};

/* One a case and burst size. */
struct measurement {
	bool wanted;
	char name[48];
	struct batch batch;
	u32 cycles[STAGE_N_SUBJECTS][BATCHES_MAX]; /* of a batch, in the round that runs */
	u32 n[STAGE_N_SUBJECTS];
	double round[STAGE_N_SUBJECTS][ROUNDS_MAX]; /* a packet */
	enum stage_subject slow;
	u32 slow_percent;
	/* of the slowed stage: what the clock is too coarse for goes to the next batch, in hundredths of a cycle */
	s64 owed;
	u64 worked, waited; /* cycles, of all batches */
};

static struct measurement measurement[N_CASES * N_SIZES];
static struct stage_flows flows[N_CASES];
static u32 clock_cycles; /* of reading it */

static int u32_cmp(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */

/* Waits for its share of [begin, end). Return: when it was over. */
static u64 slow_down(struct measurement *m, u64 begin, u64 end)
{
	u64 now = end, worked = end - begin - clock_cycles, waited;

	m->worked += worked;
	m->owed += (s64)worked * m->slow_percent;
	if (m->owed < (s64)clock_cycles * 100)
		return end;
	while ((s64)(now - end) * 100 < m->owed)
		now = rte_rdtsc();
	/* when the CPU was away meanwhile, that is no debt of the batches to come */
	waited = DWCP_MIN(now - end, (u64)m->owed / 100 + 2 * clock_cycles);
	m->owed -= (s64)waited * 100;
	m->waited += waited;
	return now;
}

static void probe_clock(void *ctx, enum stage_subject s, stage_fn *fn, struct worker *w,
			struct burst *bursts, u32 n)
{
	struct measurement *m = ctx;
	u64 begin = rte_rdtsc_precise(), end;

	for (u32 i = 0; i < n; i++)
		fn(w, &bursts[i]);
	end = rte_rdtsc_precise();
	if (s == m->slow)
		end = slow_down(m, begin, end);
	m->cycles[s][m->n[s]++] = (u32)(end - begin) - clock_cycles;
}

static void clock_calibrate(void)
{
	static u32 reading[CLOCK_READINGS];

	for (u32 i = 0; i < CLOCK_READINGS; i++) {
		u64 begin = rte_rdtsc_precise();

		reading[i] = (u32)(rte_rdtsc_precise() - begin);
	}
	qsort(reading, CLOCK_READINGS, sizeof(reading[0]), u32_cmp);
	clock_cycles = reading[CLOCK_READINGS / 2];
}

/* The mean of the middle half of sorted values: like a median, but finer than the steps of 26 that some TSCs make. */
static double middle_mean(const u32 *v, u32 n)
{
	u32 from = n / 4, to = n - n / 4;
	u64 sum = 0;

	for (u32 i = from; i < to; i++)
		sum += v[i];
	return (double)sum / (to - from);
}

static void round_run(struct measurement *m, u32 round)
{
	u32 n = ROUND_PACKETS / m->batch.n_packets;

	memset(m->n, 0, sizeof(m->n));
	batch_stages(&m->batch, probe_clock, m);
	batch_path(&m->batch, probe_clock, m);
	memset(m->n, 0, sizeof(m->n)); /* those two only brought it all back into the caches */
	for (u32 i = 0; i < n; i++) {
		batch_stages(&m->batch, probe_clock, m);
		batch_path(&m->batch, probe_clock, m);
	}
	for (u32 s = 0; s < STAGE_N_SUBJECTS; s++) {
		qsort(m->cycles[s], n, sizeof(m->cycles[s][0]), u32_cmp);
		m->round[s][round] = middle_mean(m->cycles[s], n) / m->batch.n_packets;
	}
}

static void rows_print(struct measurement *m, const struct options *o)
{
	for (u32 s = 0; s < STAGE_N_SUBJECTS; s++) {
		double *v = m->round[s];

		qsort(v, o->rounds, sizeof(v[0]), double_cmp);
		if (o->json)
			printf("{\"case\":\"%s\",\"subject\":\"%s\",\"unit\":\"cycles\",\"min\":%."
			       "3f,"
			       "\"median\":%.3f,\"max\":%.3f,\"n\":%u,\"floor\":null}\n",
			       m->name, stage_name[s], v[0], v[o->rounds / 2], v[o->rounds - 1],
			       o->rounds);
		else
			printf("%-22s %-8s %8.2f cycles  (%.2f … %.2f)\n", m->name, stage_name[s],
			       v[o->rounds / 2], v[0], v[o->rounds - 1]);
	}
}

/* What --slow has come to. */
static void slowed_print(const struct measurement *m)
{
	if (m->slow != STAGE_NONE && m->worked)
		fprintf(stderr, "stage_bench: %s: %s slower by %.2f %%\n", m->name,
			stage_name[m->slow], 100.0 * (double)m->waited / (double)m->worked);
}

static bool wanted(const struct options *o, const char *name)
{
	for (u32 i = 0; i < o->n_select; i++)
		if (strstr(name, o->select[i]))
			return true;
	return o->n_select == 0;
}

/* Return: how many are wanted. */
static u32 measurements_prepare(struct stage_router *r, const struct options *o)
{
	u32 n = 0;

	for (u32 i = 0; i < N_CASES * N_SIZES; i++) {
		const struct stage_case *c = &cases[i / N_SIZES];
		struct stage_flows *f = &flows[i / N_SIZES];
		struct measurement *m = &measurement[i];
		u32 size = burst_sizes[i % N_SIZES];

		snprintf(m->name, sizeof(m->name), "%s-burst%u", c->name, size);
		m->wanted = wanted(o, m->name);
		if (!m->wanted)
			continue;
		n++;
		if (!r->table[c->table].gen)
			router_table(r, c->table, o->huge);
		if (!f->frame)
			flows_make(r, c, f);
		m->slow = o->slow;
		m->slow_percent = o->slow_percent;
		batch_init(&m->batch, r, c, f, size, STAGE_NONE, 0);
	}
	return n;
}

static int measure(const struct options *o)
{
	static struct stage_router router;

	router_open(&router, true, o->cpu);
	if (measurements_prepare(&router, o) == 0)
		stage_die("no case has such a name", 0);
	clock_calibrate();
	fprintf(stderr, "stage_bench: CPU %u, packets on %s pages, reading the clock %u cycles\n",
		o->cpu, router.dp.huge ? "2 MB" : "4 kB", clock_cycles);
	for (u32 round = 0; round < o->rounds; round++)
		for (u32 i = 0; i < N_CASES * N_SIZES; i++)
			if (measurement[i].wanted)
				round_run(&measurement[i], round);
	for (u32 i = 0; i < N_CASES * N_SIZES; i++) {
		if (!measurement[i].wanted)
			continue;
		rows_print(&measurement[i], o);
		slowed_print(&measurement[i]);
		batch_fini(&measurement[i].batch);
	}
	for (u32 i = 0; i < N_CASES; i++)
		free(flows[i].frame);
	router_close(&router);
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------- */

static u32 cpu_last(void)
{
	cpu_set_t set;
	u32 last = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (u32 i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			last = i;
	return last;
}

static int number_parse(const char *text, unsigned long min, unsigned long max, u32 *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end || v < min || v > max)
		return -EINVAL;
	*ret = (u32)v;
	return 0;
}

/* PATH is made of the others: it can't be slowed by itself. */
static int slow_parse(const char *text, struct options *o)
{
	for (u32 s = 0; s < STAGE_PATH; s++) {
		size_t n = strlen(stage_name[s]);

		if (strncmp(text, stage_name[s], n) != 0 || text[n] != ':')
			continue;
		o->slow = s;
		return number_parse(text + n + 1, 1, SLOW_MAX, &o->slow_percent);
	}
	return -EINVAL;
}

static int option_parse(int c, struct options *o)
{
	switch (c) {
	case 'j':
		o->json = true;
		return 0;
	case 'H':
		o->huge = true;
		return 0;
	case 'N':
		o->count = true;
		return 0;
	case 'r':
		return number_parse(optarg, 1, ROUNDS_MAX, &o->rounds);
	case 'C':
		return number_parse(optarg, 0, CPU_SETSIZE - 1, &o->cpu);
	case 'c':
		if (o->n_select == SELECT_MAX)
			return -EINVAL;
		o->select[o->n_select++] = optarg;
		return 0;
	case 'S':
		return slow_parse(optarg, o);
	default:
		return -EINVAL;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"count", no_argument, NULL, 'N'},
					      {"slow", required_argument, NULL, 'S'},
					      {0}};
	struct options o = {.rounds = 21, .cpu = cpu_last(), .slow = STAGE_NONE};
	int c;

	while ((c = getopt_long(argc, argv, "jHr:c:C:", longs, NULL)) != -1) {
		if (option_parse(c, &o) == 0)
			continue;
		fprintf(stderr, "usage: stage_bench [-j] [-r ROUNDS] [-c CASE]… [-C CPU] [-H] "
				"[--slow STAGE:PERCENT]\n"
				"       stage_bench --count [--slow STAGE:PERCENT]\n");
		return 2;
	}
	return o.count ? count_run(o.cpu, o.slow, o.slow_percent) : measure(&o);
}
