/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_count.c - a fixed workload under callgrind: the same packets through the same table in every run, no huge pages,
 * and nothing that depends on the clock. Instructions are collected inside the stages alone; each stage's go to a file of
 * their own, named by a description "STAGE/CASE". stdout says how many packets went through each.
 */
#include <stdio.h>
#include <stdlib.h>

#include <rte_version.h>
#include <valgrind/callgrind.h>

#include "stage_bench.h"

#define COUNT_FLOWS   2048u
#define COUNT_BATCHES 4u
#define MORE_PERCENT                                                                               \
	5u /* as with --slow: what is counted otherwise is the same to the instruction */

/* Counts are comparable between builds by the same ones only. */
#ifdef __clang__
#define COMPILER       "clang"
#define COMPILER_MAJOR __clang_major__
#else
#define COMPILER       "gcc"
#define COMPILER_MAJOR __GNUC__
#endif

static const struct stage_case cases[] = {
	{"ip4", STAGE_TABLE_SMALL, COUNT_FLOWS, .ip4 = true},
	{"ip6", STAGE_TABLE_SMALL, COUNT_FLOWS, .ip6 = true},
	{"mixed", STAGE_TABLE_MIXED, COUNT_FLOWS, .ip4 = true, .ip6 = true, .drops = true},
};
static const u32 burst_sizes[] = {1, 64};

static void probe_nothing(void *ctx, enum stage_subject s, stage_fn *fn, struct worker *w,
			  struct burst *bursts, u32 n)
{
	for (u32 i = 0; i < n; i++)
		fn(w, &bursts[i]);
}

static void probe_count(void *ctx, enum stage_subject s, stage_fn *fn, struct worker *w,
			struct burst *bursts, u32 n)
{
	const struct batch *b = ctx;
	char what[64];

	snprintf(what, sizeof(what), "%s/%s-burst%u", stage_name[s], b->c->name, b->burst_packets);
	if (s == STAGE_RX) { /* the driver's alone */
		probe_nothing(ctx, s, fn, w, bursts, n);
		return;
	}
	CALLGRIND_TOGGLE_COLLECT;
	for (u32 i = 0; i < n; i++)
		fn(w, &bursts[i]);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(what);
	printf("%s %u\n", what, b->n_packets);
}

static void count_case(struct stage_router *r, const struct stage_case *c, struct stage_flows *f,
		       u32 burst_packets, enum stage_subject slow, u32 slow_percent)
{
	struct batch b;

	batch_init(&b, r, c, f, burst_packets, slow,
		   slow == STAGE_NONE ? MORE_PERCENT : slow_percent);
	batch_stages(&b, probe_nothing, &b);
	f->next = 0;
	for (u32 i = 0; i < COUNT_BATCHES; i++)
		batch_stages(&b, probe_count, &b);
	batch_fini(&b);
}

int count_run(u32 cpu, enum stage_subject slow, u32 slow_percent)
{
	static struct stage_router router;
	static struct stage_flows flows[DWCP_ARRAY_LEN(cases)];

	if (!RUNNING_ON_VALGRIND) {
		fprintf(stderr,
			"stage_bench: --count is for valgrind --tool=callgrind: perf/gate\n");
		return 2;
	}
	router_open(&router, false, cpu);
	router.dp.worker[0]->tsc_hz = UINT64_MAX; /* drop samples: never the time for one */
	router_table(&router, STAGE_TABLE_SMALL, false);
	router_table(&router, STAGE_TABLE_MIXED, false);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(cases); i++)
		flows_make(&router, &cases[i], &flows[i]);
	printf("compiler %s %d\ndpdk %u.%02u.%u\n", COMPILER, COMPILER_MAJOR, RTE_VER_YEAR,
	       RTE_VER_MONTH, RTE_VER_MINOR);
	CALLGRIND_START_INSTRUMENTATION;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(cases); i++)
		for (u32 k = 0; k < DWCP_ARRAY_LEN(burst_sizes); k++)
			count_case(&router, &cases[i], &flows[i], burst_sizes[k], slow,
				   slow_percent);
	CALLGRIND_STOP_INSTRUMENTATION;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(cases); i++)
		free(flows[i].frame);
	router_close(&router);
	return 0;
}
