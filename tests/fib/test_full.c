/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_full.c - a full Internet table against the oracle, before and after a hundred thousand changes.
 *
 * The table is $DWCP_TABLE or synthetic. All counts are full unless the build is sanitized (DWCP_TEST_FULL=1 makes
 * them full there too); the first line says how much is run. DWCP_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fib_synth.h"
#include "subject.h"

#define CHUNK	  (256u * 1024)
#define N_SLOTS	  65536u
#define N_RANDOM  1000000u
#define N_CHANGES 100000u
#define N_LINEAR  200u

/* Under sanitizers, one of this many. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define QUICK_SHARE 16u
#else
#define QUICK_SHARE 1u
#endif

static struct full {
	struct fib_synth table;
	struct fib_builder *builder;
	struct oracle oracle;
	struct fib_rng rng;
	u64 seed;
	u32 share;
	/* What somebody would have who copies dirty chunks only. */
	u8 *copy[FIB_N_ARRAYS];
	size_t copy_len[FIB_N_ARRAYS];
} full;

static u32 random_slot(void)
{
	return 1 + fib_rng_below(&full.rng, N_SLOTS - 1);
}

static void put(const struct fib_prefix *p, u32 slot)
{
	assert_int_equal(fib_builder_set(full.builder, p, slot), 0);
	oracle_set(&full.oracle, p, slot);
}

/* ---- dirty chunks -------------------------------------------------------------------------------------- */

/* Bring the copy of an array up to date from dirty chunks, and see whether that was all. */
static u32 copy_dirty(enum fib_array a)
{
	size_t len;
	const u8 *now = fib_builder_array(full.builder, a, &len);
	u32 n = 0;

	full.copy[a] = realloc(full.copy[a], len + 1);
	assert_non_null(full.copy[a]);
	if (len > full.copy_len[a])
		memset(full.copy[a] + full.copy_len[a], 0xee, len - full.copy_len[a]);
	full.copy_len[a] = len;
	for (size_t at = 0; at < len; at += CHUNK) {
		if (!fib_builder_dirty(full.builder, a, at / CHUNK))
			continue;
		memcpy(full.copy[a] + at, now + at, DWCP_MIN(len - at, CHUNK));
		n++;
	}
	if (memcmp(full.copy[a], now, len) != 0)
		fail_msg("array %d changed in a chunk that is not dirty", a);
	return n;
}

static u32 copy_all(void)
{
	u32 n = 0;

	for (int a = 0; a < FIB_N_ARRAYS; a++)
		n += copy_dirty(a);
	fib_builder_clean(full.builder);
	return n;
}

/* ---- comparing ----------------------------------------------------------------------------------------- */

static struct fib_addr random_addr(u8 family)
{
	struct fib_addr a = {.hi = fib_rng_next(&full.rng)};

	a.lo = fib_rng_next(&full.rng);
	if (family == FIB_IP4)
		return (struct fib_addr){.lo = a.lo & 0xffffffff};
	/* Half of them where there are routes at all. */
	if (a.lo & 1)
		a.hi = 1ull << 61 | a.hi >> 3;
	return a;
}

static u64 compare(u8 family, u32 share)
{
	static struct ask q;
	const struct fib_synth *t = &full.table;
	u32 lo = family == FIB_IP4 ? 0 : t->n4, hi = family == FIB_IP4 ? t->n4 : t->n4 + t->n6;

	ask_init(&q, &full.oracle, full.builder, family);
	for (u32 i = lo; i < hi; i++) {
		if (share == 1 || fib_rng_below(&full.rng, share) == 0)
			ask_around(&q, &t->prefix[i]);
	}
	for (u32 i = 0; i < N_RANDOM / share; i++)
		ask_add(&q, random_addr(family));
	ask_flush(&q);
	return q.n_asked;
}

static void test_table(void **state)
{
	for (u32 i = 0; i < full.table.n4 + full.table.n6; i++)
		put(&full.table.prefix[i], random_slot());
	assert_int_equal(fib_builder_count(full.builder, FIB_IP4), full.table.n4);
	assert_int_equal(fib_builder_count(full.builder, FIB_IP6), full.table.n6);
	assert_int_equal(fib_builder_commit(full.builder), 0);
	arrays_check(full.builder, N_SLOTS);
	copy_all();
	print_message("compared %lu IPv4 addresses\n", compare(FIB_IP4, full.share));
	print_message("compared %lu IPv6 addresses\n", compare(FIB_IP6, full.share));
}

/* The oracle itself, against looking at every prefix. */
static void test_oracle(void **state)
{
	const struct fib_synth *t = &full.table;

	for (u32 i = 0; i < N_LINEAR; i++) {
		const struct fib_prefix *in = &t->prefix[fib_rng_below(&full.rng, t->n4 + t->n6)];
		struct fib_addr a = i % 4 ? fib_synth_addr(in, &full.rng) : random_addr(in->family);
		u32 lo = in->family == FIB_IP4 ? 0 : t->n4;
		u32 hi = in->family == FIB_IP4 ? t->n4 : t->n4 + t->n6;
		u32 want = 0, want_len = 0, len, slot;

		for (u32 j = lo; j < hi; j++) {
			const struct fib_prefix *p = &t->prefix[j];

			if (!prefix_covers(p, &a) || (want && p->len < want_len))
				continue;
			assert_true(oracle_get(&full.oracle, p, &want));
			want_len = p->len;
		}
		slot = oracle_match(&full.oracle, in->family, &a, &len);
		assert_int_equal(slot, want);
		assert_int_equal(len, want_len);
	}
}

/* ---- changes ------------------------------------------------------------------------------------------- */

/* A prefix of the table, or one near it that may or may not be there. */
static struct fib_prefix some_prefix(void)
{
	const struct fib_synth *t = &full.table;
	struct fib_prefix p = t->prefix[fib_rng_below(&full.rng, t->n4 + t->n6)];
	u32 max = p.family == FIB_IP4 ? 32 : 128;
	struct fib_addr inside = fib_synth_addr(&p, &full.rng);
	u32 kind = fib_rng_below(&full.rng, 8), more = fib_rng_below(&full.rng, kind == 5 ? 20 : 4);

	if (kind < 4)
		return p;
	if (kind == 4)
		p.len = max;
	else
		p.len = DWCP_MIN(max, p.len + more);
	if (kind == 7 && p.len > 3)
		p.len -= fib_rng_below(&full.rng, 3);
	p.addr = inside;
	if (p.family == FIB_IP4) {
		p.addr.lo &= p.len ? 0xffffffffull << (32 - p.len) & 0xffffffffull : 0;
	} else if (p.len <= 64) {
		p.addr = (struct fib_addr){p.len ? inside.hi & ~0ull << (64 - p.len) : 0, 0};
	} else {
		p.addr.lo &= ~0ull << (128 - p.len);
	}
	return p;
}

static void change(void)
{
	struct fib_prefix p = some_prefix();
	u32 slot, got;
	bool had = oracle_get(&full.oracle, &p, &slot);

	assert_int_equal(fib_builder_get(full.builder, &p, &got), had ? 0 : -2);
	if (had)
		assert_int_equal(got, slot);
	if (fib_rng_below(&full.rng, 5) < 2) {
		assert_int_equal(fib_builder_del(full.builder, &p), had ? 0 : -2);
		assert_int_equal(oracle_del(&full.oracle, &p), had);
	} else {
		put(&p, random_slot());
	}
}

static void match_some(u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u8 family = i % 2 ? FIB_IP6 : FIB_IP4;
		const struct fib_synth *t = &full.table;
		u32 at = family == FIB_IP4 ? fib_rng_below(&full.rng, t->n4)
					   : t->n4 + fib_rng_below(&full.rng, t->n6);
		struct fib_addr a = fib_synth_addr(&t->prefix[at], &full.rng);
		struct fib_prefix p;
		u32 len, slot = 0, want = oracle_match(&full.oracle, family, &a, &len);
		bool found = fib_builder_match(full.builder, 0, family, &a, &p, &slot) == 0;

		assert_int_equal(slot, want);
		if (found)
			assert_int_equal(p.len, len);
		if (found)
			assert_true(prefix_covers(&p, &a));
	}
}

/* A few hundred between commits for the most part, single ones often, and a burst that is laid out afresh. */
static u32 batch_size(u32 commit)
{
	if (commit % 200 == 199)
		return 40000;
	return commit % 2 ? 1 : fib_rng_below(&full.rng, 400);
}

static void test_changes(void **state)
{
	u32 n_changes = N_CHANGES / full.share, n_commits = 0, n_single = 0, chunks = 0, most = 0;

	for (u32 done = 0; done < n_changes; n_commits++) {
		u32 batch = DWCP_MIN(batch_size(n_commits), n_changes - done), dirty;

		for (u32 i = 0; i < batch; i++)
			change();
		done += batch;
		assert_int_equal(fib_builder_commit(full.builder), 0);
		dirty = copy_all();
		if (batch == 1) {
			n_single++;
			chunks += dirty;
			most = DWCP_MAX(most, dirty);
		}
		if (n_commits % 64 == 0)
			arrays_check(full.builder, N_SLOTS);
		match_some(16);
	}
	print_message("%u changes in %u commits; single changes: %.2f dirty chunks, most %u\n",
		      n_changes, n_commits, (double)chunks / n_single, most);
	arrays_check(full.builder, N_SLOTS);
	print_message("compared %lu IPv4 addresses\n", compare(FIB_IP4, full.share));
	print_message("compared %lu IPv6 addresses\n", compare(FIB_IP6, full.share));
}

struct each {
	struct fib_builder *fresh;
	u64 n;
};

static int each_one(void *arg, const struct fib_prefix *p, u32 slot)
{
	struct each *e = arg;
	u32 want;

	assert_true(oracle_get(&full.oracle, p, &want));
	assert_int_equal(slot, want);
	e->n++;
	return fib_builder_set(e->fresh, p, slot);
}

/* What is left after all changes is the same set, and lays out to something that looks up the same. */
static void test_each(void **state)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = CHUNK};
	struct each e = {fib_builder_create(&cfg), 0};
	struct fib_builder *changed = full.builder;
	u64 n = 0;

	assert_non_null(e.fresh);
	assert_int_equal(fib_builder_each(full.builder, each_one, &e), 0);
	for (u32 i = 0; i <= 32; i++)
		n += full.oracle.v4[i].n;
	for (u32 i = 0; i <= 128; i++)
		n += full.oracle.v6[i].n;
	assert_int_equal(e.n, n);
	assert_int_equal(fib_builder_count(changed, FIB_IP4) + fib_builder_count(changed, FIB_IP6),
			 n);
	assert_int_equal(fib_builder_commit(e.fresh), 0);
	full.builder = e.fresh;
	compare(FIB_IP4, 50 * full.share);
	compare(FIB_IP6, 50 * full.share);
	full.builder = changed;
	fib_builder_free(e.fresh);
}

static int setup(void **state)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = CHUNK};
	const char *seed = getenv("DWCP_SEED"), *all = getenv("DWCP_TEST_FULL");

	full.seed = seed ? strtoull(seed, NULL, 0) : (u64)time(NULL);
	full.rng.state = full.seed;
	full.share = all && *all == '1' ? 1 : QUICK_SHARE;
	full.builder = fib_builder_create(&cfg);
	oracle_init(&full.oracle);
	if (!full.builder || fib_synth_load(1, &full.table) != 0)
		return -1;
	print_message("DWCP_SEED=%lu, table %s: %u IPv4 + %u IPv6; runs 1/%u of the full count\n",
		      full.seed, full.table.source, full.table.n4, full.table.n6, full.share);
	return 0;
}

static int teardown(void **state)
{
	for (int a = 0; a < FIB_N_ARRAYS; a++)
		free(full.copy[a]);
	fib_builder_free(full.builder);
	oracle_fini(&full.oracle);
	fib_synth_free(&full.table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
