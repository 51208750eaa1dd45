/* SPDX-License-Identifier: BSD-3-Clause */
/* test_missing.c - events about destinations without a neighbour, on a counter that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dwcp/util/missing.h>

#define HZ 1000000ull

static const u64 key[2] = {0x1d8e4e27c47d124full, 0xeb44accab455d165ull};
static struct missing m;

static void test_one(void **state)
{
	u32 told = 0, packets = 0;

	missing_init(&m, key, HZ, HZ);
	/* 1,000 packets a second for 10 s */
	for (u64 i = 0; i < 10000; i++) {
		u32 n = missing_packet(&m, 0, 0x0a000001, HZ + i * HZ / 1000);

		told += n != 0;
		packets += n;
	}
	assert_in_range(told, 10 * MISSING_AGAIN_PER_S - 1, 10 * MISSING_AGAIN_PER_S + 1);
	assert_in_range(packets, 10000 - 1000 / MISSING_AGAIN_PER_S, 10000);
}

/* Whoever has just come is told of at once, as long as there are few. */
static void test_first(void **state)
{
	missing_init(&m, key, HZ, HZ);
	for (u64 i = 0; i < MISSING_BURST; i++)
		assert_int_equal(missing_packet(&m, 0, i, HZ), 1);
	assert_int_equal(missing_packet(&m, 0, 99, HZ), 0);
	assert_int_equal(missing_packet(&m, 0, 99, HZ), 2); /* it is known by now */
	assert_int_equal(missing_packet(&m, 1, 99, HZ), 0); /* another one */
}

/* A walk through 65,536 addresses at 10,000 a second, and a host that sends ten times a second. */
static void test_scan(void **state)
{
	u32 told = 0, host_told = 0;
	u64 first = 0;

	missing_init(&m, key, HZ, HZ);
	for (u64 i = 0; i < 200000; i++) {
		u64 now = HZ + i * HZ / 10000;

		told += missing_packet(&m, 0, 0x0a000000 + (i & 0xffff), now) != 0;
		if (i < 20000 || i % 1000 != 0)
			continue;
		if (missing_packet(&m, 0, 0xc0a80001, now)) {
			first = first ? first : i - 20000 + 1;
			host_told++;
		}
	}
	print_message("scan: %u events in 20 s, %u of the host, its first after %lu ms\n", told,
		      host_told, first / 10);
	assert_in_range(told, 1000, 20 * 2 * MISSING_EVENTS_PER_S + 2 * MISSING_BURST);
	assert_true(first && first <= 10000); /* a second */
	assert_true(host_told >= 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_first),
					   cmocka_unit_test(test_scan)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
