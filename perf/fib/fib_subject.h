/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_subject.h - what fib_bench compares: one row a thing that can look addresses up. Benchmark only.
 */
#pragma once

#include <dwcp/util/fib.h>

#include "fib_synth.h"

#define SUBJECT_BURST 32
#define SUBJECTS_MAX  32

/* Keys in every form that a subject wants. */
struct keys {
	const char *name;
	u8 family;
	u32 n; /* a multiple of SUBJECT_BURST */
	u32 *v4;
	struct fib_addr *v6;
	u8 (*v6_bytes)[16];
};

struct subject {
	const char *name;
	u8 family;
	u64 bytes; /* what a lookup can touch */
	/* All keys in bursts of SUBJECT_BURST. Return: sum of the slots, to be compared between subjects. */
	u64 (*run)(const struct subject *s, const struct keys *k);
	void *ctx;
	const void *ctx2;
};

struct subjects {
	struct subject row[SUBJECTS_MAX];
	u32 n;
};

/** peers_add() - DPDK's tables with the same routes as @view. EAL must be up. */
int peers_add(struct subjects *s, const struct fib_synth *t, const u32 *slot,
	      const struct fib_view *view, u8 family);
/** peers_update() - time @n single route changes in DPDK's fibs. */
void peers_update(const struct fib_synth *t, u32 n, u8 family);
/** formats_add() - other layouts of the same IPv4 table, for docs/decisions/0001-fib-format.md. */
int formats_add(struct subjects *s, const struct fib_synth *t, const struct fib_view *view);

dwcp_inline u64 burst_sum(const u32 *slot)
{
	u64 sum = 0;

	for (u32 i = 0; i < SUBJECT_BURST; i++)
		sum += slot[i];
	return sum;
}

/** percentiles_print() - p50, p99, max of @n durations in ns; sorts them. */
void percentiles_print(const char *name, u64 *ns, u32 n);
u64 clock_ns(void);
