/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_nomem.c - the builder when memory runs out: each allocation in turn fails, nothing leaks or is lost, and the
 * next commit makes up for it. Linked with --wrap for malloc, calloc and realloc.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fib_synth.h"
#include "subject.h"

#define N_SLOTS 100u

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

/* Allocations that still succeed; negative: no limit. */
static long left = -1;
static u32 n_failed;

static bool fails(void)
{
	if (left < 0)
		return false;
	if (left > 0) {
		left--;
		return false;
	}
	n_failed++;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static struct fib_synth table;
static struct oracle oracle;

/* Enough to grow every array, and past the size where a table gets more direct bits. */
static u32 slot_of(u32 i)
{
	return 1 + i * 7 % (N_SLOTS - 1);
}

static void all_compare(const struct fib_builder *b)
{
	static struct ask q;

	for (u32 pass = 0; pass < 2; pass++) {
		u8 family = pass ? FIB_IP6 : FIB_IP4;

		ask_init(&q, &oracle, b, family);
		for (u32 i = 0; i < table.n4 + table.n6; i++) {
			if (table.prefix[i].family == family)
				ask_around(&q, &table.prefix[i]);
		}
		ask_flush(&q);
	}
	arrays_check(b, N_SLOTS);
}

/* One life of a builder in which the @at-th allocation fails, and those after it in a row of @row. */
static u32 life(long at, u32 row)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = 4096};
	u32 n = table.n4 + table.n6, half = n / 2, n_nomem = 0;
	struct fib_builder *b;
	int ret;

	oracle_init(&oracle);
	left = at;
	n_failed = 0;
	b = fib_builder_create(&cfg);
	if (!b) {
		left = -1;
		b = fib_builder_create(&cfg);
		n_nomem++;
	}
	assert_non_null(b);
	for (u32 i = 0; i < n + half; i++) {
		const struct fib_prefix *p = &table.prefix[i < n ? i : (i - n) * 2];

		do {
			ret = i < n ? fib_builder_set(b, p, slot_of(i)) : fib_builder_del(b, p);
			if (ret != 0)
				assert_int_equal(ret, -ENOMEM);
			if (n_failed >= row)
				left = -1;
			n_nomem += ret != 0;
		} while (ret != 0);
		if (i % 400 == 399) {
			while ((ret = fib_builder_commit(b)) != 0) {
				assert_int_equal(ret, -ENOMEM);
				n_nomem++;
				if (n_failed >= row)
					left = -1;
			}
		}
	}
	left = -1;
	assert_int_equal(fib_builder_commit(b), 0);
	for (u32 i = 0; i < n; i++)
		oracle_set(&oracle, &table.prefix[i], slot_of(i));
	for (u32 i = 0; i < half; i++)
		oracle_del(&oracle, &table.prefix[i * 2]);
	assert_int_equal(fib_builder_count(b, FIB_IP4) + fib_builder_count(b, FIB_IP6), n - half);
	all_compare(b);
	fib_builder_free(b);
	oracle_fini(&oracle);
	return n_nomem;
}

static void test_each_allocation(void **state)
{
	u32 n_nomem = 0;
	long at;

	for (at = 0;; at++) {
		u32 failed = life(at, 1);

		n_nomem += failed;
		/* So late that none was left to fail. */
		if (!n_failed)
			break;
	}
	print_message("%ld allocations failed one by one, %u calls said -ENOMEM\n", at, n_nomem);
	assert_true(at > 20 && n_nomem > 10);
}

static void test_rows(void **state)
{
	u32 n_nomem = 0;

	for (long at = 0; at < 60; at += 7)
		n_nomem += life(at, 5);
	assert_true(n_nomem > 10);
}

static int setup(void **state)
{
	return fib_synth_generate(3, 700, 350, &table);
}

static int teardown(void **state)
{
	fib_synth_free(&table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
