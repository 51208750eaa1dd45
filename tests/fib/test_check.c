/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_check.c - the validator: every byte of small arrays spoiled, and every one of its conditions taken out.
 *
 * This program has a copy of lib/fib/check.c of its own, built with FIB_CHECK_TESTED: a condition whose id is in
 * fib_check_off always holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "arrays.h"
#include "check.h"
#include "fib_synth.h"
#include "strict.h"

#define N_SLOTS	 40u
#define N_SEARCH 64u

/* Values tried for each byte; under sanitizers the first few. */
#if defined(__SANITIZE_ADDRESS__)
#define N_VALUES 3u
#else
#define N_VALUES 10u
#endif

enum fib_check_id fib_check_off;

static struct {
	struct arrays arrays;
	struct fib_addr v4[N_SEARCH], v6[N_SEARCH];
	struct fib_rng rng;
	u64 seed;
} t;

/* ---- the arrays to spoil ------------------------------------------------------------------------------- */

static void put(struct fib_builder *b, u32 vrf, u8 family, u64 hi, u64 lo, u8 len)
{
	struct fib_prefix p = {.addr = {hi, lo}, .vrf = vrf, .family = family, .len = len};

	assert_int_equal(fib_builder_set(b, &p, 1 + fib_rng_below(&t.rng, N_SLOTS - 1)), 0);
}

/* Short prefixes, dense ones and some to the last bit, in two VRFs. */
static void fill(struct fib_builder *b)
{
	put(b, 0, FIB_IP4, 0, 0, 0);
	for (u32 i = 0; i < 20; i++) {
		put(b, 0, FIB_IP4, 0, 0xc0000200 + i * 3, 32);
		put(b, 0, FIB_IP4, 0, 0xc6336400 + (i << 8), 24);
		put(b, 5, FIB_IP4, 0, (u64)i << 27, 5);
		put(b, 0, FIB_IP6, 0x20010db8ull << 32 | (u64)i << 17, 0, 48);
	}
	put(b, 0, FIB_IP6, 0x20010db8ull << 32, 1, 128);
	put(b, 0, FIB_IP6, 0x20010db8ull << 32, 0, 127);
	put(b, 0, FIB_IP6, 0x20010db8ull << 32 | 7, 0, 64);
}

/* Addresses with an answer, their neighbours, and others. */
static void addresses(void)
{
	for (u32 i = 0; i < N_SEARCH; i++) {
		u64 x = fib_rng_next(&t.rng);

		t.v4[i].lo = i % 3 == 0	  ? x >> 32
			     : i % 3 == 1 ? 0xc0000200 + (x & 63)
					  : 0xc6336400 + (x & 0x1fff);
		t.v6[i].hi =
			i % 3 == 0 ? x : 0x20010db8ull << 32 | (i % 3 == 1 ? 0 : (x & 31) << 16);
		t.v6[i].lo = i % 3 == 2 ? x : x & 3;
	}
}

static int setup(void **state)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = 4096};
	struct fib_builder *b = fib_builder_create(&cfg);
	const char *seed = getenv("DWCP_SEED");
	const void *from[FIB_N_ARRAYS];
	struct dwcp_fib_root root[8] = {0};
	size_t len[FIB_N_ARRAYS], total = 0;

	t.seed = seed ? strtoull(seed, NULL, 0) : (u64)time(NULL);
	t.rng.state = t.seed;
	fill(b);
	addresses();
	if (fib_builder_commit(b) != 0)
		return -1;
	for (int a = 0; a < FIB_N_ARRAYS; a++)
		from[a] = fib_builder_array(b, a, &len[a]);
	/* One root more, unused. */
	memcpy(root, from[FIB_ROOT], len[FIB_ROOT]);
	from[FIB_ROOT] = root;
	len[FIB_ROOT] += sizeof(root[0]);
	for (int a = 0; a < FIB_N_ARRAYS; a++)
		total += len[a];
	print_message("DWCP_SEED=%lu, %zu bytes, %u values each\n", t.seed, total, N_VALUES);
	if (total > 65536 || arrays_init(&t.arrays, from, len) != 0)
		return -1;
	fib_builder_free(b);
	return 0;
}

static int teardown(void **state)
{
	arrays_fini(&t.arrays);
	return 0;
}

static u8 value(u8 byte, u32 i)
{
	/* Sanitized runs see the first: a random bit, all bits, none. */
	if (N_VALUES < 10 && i == 0)
		return byte ^ 1u << fib_rng_below(&t.rng, 8);
	if (N_VALUES < 10)
		return i == 1 ? 0xff : 0;
	return i < 8 ? byte ^ 1u << i : i == 8 ? 0xff : 0;
}

static const char *fault(void)
{
	struct fib_view v;
	const char *why;

	arrays_view(&t.arrays, false, &v);
	why = strict_walk(&v, N_SLOTS);
	return why ? why : strict_form(&v);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void test_sound(void **state)
{
	assert_null(arrays_validate(&t.arrays, N_SLOTS));
	assert_null(fault());
	assert_null(arrays_search(&t.arrays, t.v4, t.v6, N_SEARCH));
}

/* What is accepted is safe and well formed, and all variants find the same in it. */
static void test_mutants(void **state)
{
	u32 n_accepted = 0, n_refused = 0;

	for (int a = 0; a < FIB_N_ARRAYS; a++) {
		for (size_t at = 0; at < t.arrays.len[a] * N_VALUES; at++) {
			u8 byte = t.arrays.heap[a][at / N_VALUES];
			const char *why;

			arrays_put(&t.arrays, a, at / N_VALUES, value(byte, at % N_VALUES));
			if (arrays_validate(&t.arrays, N_SLOTS)) {
				n_refused++;
			} else {
				n_accepted++;
				why = fault();
				if (!why)
					why = arrays_search(&t.arrays, t.v4, t.v6, N_SEARCH);
				if (why)
					fail_msg("array %d byte %zu = %u: %s", a, at / N_VALUES,
						 t.arrays.heap[a][at / N_VALUES], why);
			}
			arrays_put(&t.arrays, a, at / N_VALUES, byte);
		}
	}
	print_message("%u mutants accepted, %u refused\n", n_accepted, n_refused);
	assert_true(n_accepted > 1000 && n_refused > 1000);
}

/* Random spoiling of several elements at once: what single bytes don't reach. */
static void test_scrambled(void **state)
{
	u32 n_accepted = 0;

	for (u32 round = 0; round < 20000 * N_VALUES / 10; round++) {
		u32 n = 1 + fib_rng_below(&t.rng, 6);
		struct {
			int array;
			size_t at;
			u8 byte;
		} undo[8];

		for (u32 i = 0; i < n; i++) {
			undo[i].array = FIB_NODE - (int)fib_rng_below(&t.rng, 2);
			undo[i].at = fib_rng_below(&t.rng, t.arrays.len[undo[i].array] / 8) * 8;
			/* Low index bytes and bitmaps: the rest is refused soon. */
			undo[i].at += fib_rng_below(&t.rng, 3) ? fib_rng_below(&t.rng, 2)
							       : 4 + fib_rng_below(&t.rng, 4);
			undo[i].byte = t.arrays.heap[undo[i].array][undo[i].at];
			arrays_put(&t.arrays, undo[i].array, undo[i].at, fib_rng_next(&t.rng));
		}
		if (!arrays_validate(&t.arrays, N_SLOTS)) {
			n_accepted++;
			assert_null(fault());
			assert_null(arrays_search(&t.arrays, t.v4, t.v6, N_SEARCH));
		}
		for (u32 i = n; i > 0; i--)
			arrays_put(&t.arrays, undo[i - 1].array, undo[i - 1].at, undo[i - 1].byte);
	}
	print_message("%u scrambled arrays accepted\n", n_accepted);
	assert_true(n_accepted > 10);
}

/* Is there a mutant that only this condition keeps out, and that does harm? */
static const char *harm_without(enum fib_check_id id)
{
	for (int a = 0; a < FIB_N_ARRAYS; a++) {
		for (size_t bit = 0; bit < t.arrays.len[a] * 8; bit++) {
			u8 byte = t.arrays.heap[a][bit / 8];
			const char *why = NULL;

			arrays_put(&t.arrays, a, bit / 8, byte ^ 1u << bit % 8);
			fib_check_off = FIB_CHECK_NONE;
			if (arrays_validate(&t.arrays, N_SLOTS)) {
				fib_check_off = id;
				if (!arrays_validate(&t.arrays, N_SLOTS))
					why = fault();
				fib_check_off = FIB_CHECK_NONE;
			}
			arrays_put(&t.arrays, a, bit / 8, byte);
			if (why)
				return why;
		}
	}
	return NULL;
}

/* An element that lies across two chunks is in neither of them whole: nobody would look at it. */
static const char *harm_without_len(void)
{
	const u64 node[3] = {0, DWCP_FIB_NODE | 0x7ffffff0, 0};
	const struct dwcp_fib_root root = {.family = FIB_IP4, .direct_bits = 1};
	const u64 direct[2] = {node[1], 0};
	const struct fib_view v = {.root = &root,
				   .direct = direct,
				   .node = node,
				   .n_root = 1,
				   .n_direct = 2,
				   .n_node = 3};
	const size_t cut = 15;
	struct fib_facts facts = {0};
	u8 *first = malloc(cut), *second = malloc(sizeof(node) - cut);
	bool taken;

	assert_non_null(first);
	assert_non_null(second);
	memcpy(first, node, cut);
	memcpy(second, (const u8 *)node + cut, sizeof(node) - cut);
	fib_check_off = FIB_CHECK_NONE;
	assert_non_null(fib_chunk_check(FIB_NODE, first, cut, &facts));
	fib_check_off = FIB_CHECK_LEN;
	taken = !fib_chunk_check(FIB_NODE, first, cut, &facts) &&
		!fib_chunk_check(FIB_NODE, second, sizeof(node) - cut, &facts) &&
		facts.need_node <= 3;
	fib_check_off = FIB_CHECK_NONE;
	free(first);
	free(second);
	return taken ? strict_walk(&v, N_SLOTS) : NULL;
}

static void test_each_condition(void **state)
{
	for (enum fib_check_id id = FIB_CHECK_NONE + 1; id < FIB_CHECK_N; id++) {
		const char *harm = id == FIB_CHECK_LEN ? harm_without_len() : harm_without(id);

		if (!harm)
			fail_msg("condition %d can be taken out and nothing happens", id);
		print_message("without condition %2d: %s\n", id, harm);
	}
}

/* Facts are raised on success only, and never lowered. */
static void test_facts(void **state)
{
	const u64 fine[2] = {DWCP_FIB_NODE | 99, 17}, bad[2] = {DWCP_FIB_NODE | 5000, 1ull << 40};
	const u32 leaf[3] = {1, 30, 2};
	struct fib_facts f = {.need_node = 50, .max_slot = 20};
	struct fib_view sizes = {.n_node = 100, .n_leaf = 0};

	assert_non_null(fib_chunk_check(FIB_NODE, bad, sizeof(bad), &f));
	assert_int_equal(f.need_node, 50);
	assert_null(fib_chunk_check(FIB_NODE, fine, sizeof(fine), &f));
	assert_int_equal(f.need_node, 100);
	assert_int_equal(f.max_slot, 20);
	assert_null(fib_chunk_check(FIB_LEAF, leaf, sizeof(leaf), &f));
	assert_int_equal(f.max_slot, 30);
	assert_null(fib_facts_check(&f, &sizes, 31));
	assert_string_equal(fib_facts_check(&f, &sizes, 30), "fib_slot_missing");
	sizes.n_node = 99;
	assert_string_equal(fib_facts_check(&f, &sizes, 31), "fib_node_missing");
	assert_string_equal(fib_chunk_check(FIB_LEAF, leaf, 11, &f), "fib_chunk_len");
	assert_null(fib_chunk_check(FIB_LEAF, NULL, 0, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),	  cmocka_unit_test(test_mutants),
		cmocka_unit_test(test_scrambled), cmocka_unit_test(test_each_condition),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
