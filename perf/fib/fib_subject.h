/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_subject.h - what fib_bench compares: one row a thing that can look addresses up. Benchmark only.
 */
#pragma once

#include <dwcp/util/fib.h>

#include "fib_synth.h"

#define SUBJECT_BURST	32
#define SUBJECTS_MAX	32
#define KEY_SETS	4
#define ROUNDS_MAX	101

/* A vector that crosses a line costs each subject what its place on the stack happens to be: nobody is to pay that. */
#define SUBJECT_ALIGNED _Alignas(64)

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
	/* All keys in bursts of SUBJECT_BURST. Return: sum of the slots, to be compared between subjects. */
	u64 (*run)(const struct subject *s, const struct keys *k);
	void *ctx;
	const void *ctx2;
};

struct subjects {
	struct subject row[SUBJECTS_MAX];
	u32 n;
};

/* What is looked up in: prefixes of one family. */
struct table {
	const struct fib_prefix *prefix; /* [n] in address order, shorter first */
	const u32 *slot;		 /* [n] */
	u32 n, n_slots;
	u8 family;
};

/* One figure a round. */
struct figures {
	double v[ROUNDS_MAX];
	u32 n;
};

dwcp_inline u64 burst_sum(const u32 *slot)
{
	u64 sum = 0;

	for (u32 i = 0; i < SUBJECT_BURST; i++)
		sum += slot[i];
	return sum;
}

dwcp_inline void subject_add(struct subjects *s, struct subject row)
{
	if (s->n < SUBJECTS_MAX)
		s->row[s->n++] = row;
}

/* ---- fib_keys.c ---------------------------------------------------------------------------------------- */

/** keys_fill() - the addresses to look up: hot, zipf, table, uniform. Return: 0, -ENOMEM. */
int keys_fill(const struct table *t, struct keys keys[KEY_SETS]);

/* ---- fib_ours.c ---------------------------------------------------------------------------------------- */

/** ours_add() - build the table @rounds times and say what that takes; the last one's lookups become subjects. */
int ours_add(struct subjects *s, const struct table *t, u32 rounds, bool huge,
	     struct fib_view *ret_view);
/** ours_update() - replace routes one by one, @rounds times @n; then a mix, and the chunks that it dirties. */
void ours_update(const struct table *t, u32 rounds, u32 n);

/* ---- fib_peers.c --------------------------------------------------------------------------------------- */

/** peers_add() - DPDK's tables with the same routes as @view. EAL must be up. */
int peers_add(struct subjects *s, const struct table *t, u32 rounds, const struct fib_view *view);
/** peers_update() - the same replacements as ours_update() in rte_fib or rte_fib6. */
void peers_update(const struct table *t, u32 rounds, u32 n);

/* ---- fib_formats.c ------------------------------------------------------------------------------------- */

/** formats_add() - other layouts of the same IPv4 table, for docs/decisions/0001-fib-format.md. */
int formats_add(struct subjects *s, const struct table *t, const struct fib_view *view);

/* ---- fib_rows.c ---------------------------------------------------------------------------------------- */

/** rows_start() - JSON lines on stdout and all else on stderr, or text on stdout. Return: 0, -errno. */
int rows_start(bool json, u8 family, u32 size);
/** row_print() - one row: min, median and max over the rounds. Sorts @f. */
void row_print(const char *what, const char *subject, const char *unit, struct figures *f);
/** row_print_one() - a row that needs no rounds. */
void row_print_one(const char *what, const char *subject, const char *unit, double value);
/** rows_note() - a line for people. */
__attribute__((format(printf, 1, 2))) void rows_note(const char *format, ...);

/* ---- fib_bench.c --------------------------------------------------------------------------------------- */

void u64_sort(u64 *v, u32 n);
u64 clock_ns(void);
