/* SPDX-License-Identifier: BSD-3-Clause */
/* test_icmp_limit.c - how many errors go out, on a clock of the test's: in all, to one, in bursts, and to whom besides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <dwcp/util/icmp_limit.h>

#define SECOND 1000000u

static struct icmp_limit l;

static void limit_of(u32 pps, u32 burst, u32 destination_pps, u32 destination_burst)
{
	struct icmp_limit_cfg cfg = {.ticks_per_s = SECOND,
				     .errors_pps = pps,
				     .errors_burst = burst,
				     .destination_pps = destination_pps,
				     .destination_burst = destination_burst,
				     .key = {0x1234567, 0x89abcdef}};

	icmp_limit_init(&l, &cfg);
}

static bool take4(u32 dst, u64 now)
{
	struct fib_addr a = {0, dst};

	return icmp_limit_take(&l, ICMP_ERROR_TIME, FIB_IP4, &a, now);
}

static u32 taken(u32 n, u32 dst, u64 now)
{
	u32 got = 0;

	for (u32 i = 0; i < n; i++)
		got += take4(dst, now);
	return got;
}

static void to_one(void **state)
{
	u64 now = SECOND;
	u32 got = 0;

	limit_of(1000, 1000, 10, 4);
	assert_int_equal(taken(100, 7, now), 4);
	assert_int_equal(taken(100, 7, now + SECOND / 10 - 1), 0);
	assert_int_equal(taken(100, 7, now + SECOND / 10), 1);
	now += 100 * SECOND; /* however long it was: one burst */
	assert_int_equal(taken(100, 7, now), 4);
	for (u32 ms = 0; ms < 10000; ms++)
		got += take4(7, now + SECOND + ms * (SECOND / 1000));
	assert_in_range(got, 99 + 4, 100 + 4);
}

static void in_all(void **state)
{
	u32 got = 0;

	limit_of(100, 20, 100, 20);
	for (u32 dst = 1; dst <= 1000; dst++)
		got += take4(dst, SECOND);
	assert_int_equal(got, 20);
	got = 0;
	for (u32 ms = 0; ms < 10000; ms++)
		got += take4(100000 + ms, 2 * SECOND + ms * (SECOND / 1000));
	assert_in_range(got, 1000, 1020);
}

/* What one refuses doesn't use up the other. */
static void refused_is_free(void **state)
{
	limit_of(100, 10, 1, 1);
	assert_int_equal(taken(1000, 7, SECOND), 1);
	for (u32 dst = 100; dst < 109; dst++)
		assert_true(take4(dst, SECOND));
	assert_false(take4(200, SECOND));
	limit_of(1, 1, 10, 1);
	assert_true(take4(7, SECOND));
	assert_false(take4(8, SECOND));
	assert_true(take4(8, 2 * SECOND));
}

/* A flood of other errors doesn't hang connections. */
static void path_mtu_has_its_own(void **state)
{
	struct fib_addr a = {0, 7};

	limit_of(100, 10, 100, 10);
	assert_int_equal(taken(1000, 7, SECOND), 10);
	for (u32 i = 0; i < 10; i++)
		assert_true(icmp_limit_take(&l, ICMP_ERROR_TOO_BIG, FIB_IP4, &a, SECOND));
	assert_false(icmp_limit_take(&l, ICMP_ERROR_TOO_BIG, FIB_IP4, &a, SECOND));
}

/* Hosts of one IPv6 network are one; two networks, and the families, are two. */
static void networks6(void **state)
{
	struct fib_addr a = {0x20010db800000001, 1}, same = {0x20010db800000001, 99},
			other = {0x20010db800000002, 1};

	limit_of(1000, 1000, 1, 1);
	assert_true(icmp_limit_take(&l, ICMP_ERROR_TIME, FIB_IP6, &a, SECOND));
	assert_false(icmp_limit_take(&l, ICMP_ERROR_TIME, FIB_IP6, &same, SECOND));
	assert_true(icmp_limit_take(&l, ICMP_ERROR_TIME, FIB_IP6, &other, SECOND));
	assert_true(take4(1, SECOND));
}

/* Without the key nobody knows who shares a bucket: with another one it is others. */
static void the_key_decides(void **state)
{
	u32 shared[2] = {0, 0};

	for (u32 k = 0; k < 2; k++) {
		limit_of(1000000, 1000000, 1, 1);
		l.key[0] ^= k * 0x9e3779b97f4a7c15ull;
		assert_true(take4(7, SECOND));
		for (u32 dst = 1000; dst < 1000 + 64 * ICMP_LIMIT_BUCKETS && !shared[k]; dst++) {
			if (!take4(dst, SECOND)) {
				shared[k] = dst;
			}
		}
	}
	assert_true(shared[0] != 0 && shared[1] != 0);
	assert_int_not_equal(shared[0], shared[1]);
}

static void none_at_all(void **state)
{
	limit_of(0, 10, 10, 10);
	assert_false(take4(7, SECOND));
	assert_false(take4(7, 1000ull * SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_one),	   cmocka_unit_test(in_all),
		cmocka_unit_test(refused_is_free), cmocka_unit_test(path_mtu_has_its_own),
		cmocka_unit_test(networks6),	   cmocka_unit_test(the_key_decides),
		cmocka_unit_test(none_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
