/* SPDX-License-Identifier: BSD-3-Clause */
/* test_twin_addresses.c - the addresses of a twin: which are put there, taken away, left alone, and told. */
#include <errno.h>
#include <linux/if_addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/twin_addresses.h"

#define SECOND	1000000000ull
#define IFINDEX 9u
#define START	(100 * SECOND)

static const struct config_addr one = {{0, 0x0a000101}, FIB_IP4, 24};
static const struct config_addr two = {{0, 0x0a000201}, FIB_IP4, 24};
static const struct config_addr six = {{0xfd00000100000000, 1}, FIB_IP6, 64};
static const struct config_addr local6 = {{0xfe80000000000000, 1}, FIB_IP6, 64};

static void says(struct twin_addresses *t, enum mirror_verb verb, const struct config_addr *a,
		 u32 flags, u8 protocol)
{
	const struct mirror_addr m = {.ifindex = IFINDEX,
				      .flags = flags,
				      .addr = a->addr,
				      .family = a->family,
				      .prefix_len = a->prefix_len,
				      .protocol = protocol};

	assert_int_equal(twin_addresses_kernel(t, verb, &m), 0);
}

/* Exactly one thing is to be done, and it is this. */
static void next_is(struct twin_addresses *t, u64 now_ns, bool del, const struct config_addr *a)
{
	struct twin_addresses_act act;
	u64 due = UINT64_MAX;

	assert_true(twin_addresses_next(t, now_ns, &act, &due));
	assert_int_equal(act.del, del);
	assert_int_equal(act.ifindex, IFINDEX);
	assert_int_equal(act.addr.addr.lo, a->addr.lo);
	assert_false(twin_addresses_next(t, now_ns, &act, &due));
	assert_true(due > now_ns && due != UINT64_MAX);
}

static void nothing(struct twin_addresses *t, u64 now_ns)
{
	struct twin_addresses_act act;
	u64 due = UINT64_MAX;

	assert_false(twin_addresses_next(t, now_ns, &act, &due));
}

static void test_put_and_take(void **state)
{
	struct twin_addresses t = {0};

	(void)state;
	assert_int_equal(twin_addresses_want(&t, &one, 1), 0);
	nothing(&t, START); /* no twin yet */
	twin_addresses_link(&t, IFINDEX, true);
	next_is(&t, START, false, &one);
	nothing(&t, START + SECOND);
	next_is(&t, START + 6 * SECOND, false, &one); /* it didn't come: again */
	says(&t, MIRROR_NEW, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	nothing(&t, START + 60 * SECOND);
	/* somebody deletes it: put back at once */
	says(&t, MIRROR_DEL, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	next_is(&t, START + 60 * SECOND, false, &one);
	/* and again, and again: not in a race with whoever does that */
	says(&t, MIRROR_NEW, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	says(&t, MIRROR_DEL, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	nothing(&t, START + 61 * SECOND);
	says(&t, MIRROR_NEW, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	/* another configuration */
	assert_int_equal(twin_addresses_want(&t, &two, 1), 0);
	says(&t, MIRROR_NEW, &two, 0, TWIN_ADDRESSES_PROTOCOL);
	next_is(&t, START + 61 * SECOND, true, &one);
	says(&t, MIRROR_DEL, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	nothing(&t, START + 90 * SECOND);
	/* another twin: everything is put there again */
	twin_addresses_link(&t, 0, false);
	nothing(&t, START + 91 * SECOND);
	twin_addresses_link(&t, IFINDEX, true);
	next_is(&t, START + 91 * SECOND, false, &two);
	twin_addresses_fini(&t);
}

static void test_others(void **state)
{
	struct twin_addresses t = {0};
	struct config_addr list[4];

	(void)state;
	twin_addresses_link(&t, IFINDEX, true);
	says(&t, MIRROR_NEW, &one, 0, 0);
	says(&t, MIRROR_NEW, &six, IFA_F_TENTATIVE, 0);
	assert_true(t.changed);
	assert_int_equal(twin_addresses_list(&t, list, 4),
			 1); /* what is tentative is no address yet */
	assert_int_equal(list[0].addr.lo, one.addr.lo);
	nothing(&t, START); /* an operator's: left alone */
	t.changed = false;
	says(&t, MIRROR_NEW, &six, 0, 0);
	assert_true(t.changed);
	assert_int_equal(twin_addresses_list(&t, list, 4), 2);
	t.changed = false;
	says(&t, MIRROR_NEW, &six, 0, 0);
	assert_false(t.changed);
	/* wanted and then not: it was there before us, and stays */
	assert_int_equal(twin_addresses_want(&t, &one, 1), 0);
	assert_int_equal(twin_addresses_want(&t, NULL, 0), 0);
	nothing(&t, START);
	/* one that an agent before has left behind */
	says(&t, MIRROR_NEW, &two, 0, TWIN_ADDRESSES_PROTOCOL);
	next_is(&t, START, true, &two);
	twin_addresses_fini(&t);
}

static void test_dump(void **state)
{
	struct twin_addresses t = {0};
	struct config_addr list[4];

	(void)state;
	twin_addresses_link(&t, IFINDEX, true);
	says(&t, MIRROR_NEW, &one, 0, 0);
	says(&t, MIRROR_NEW, &two, 0, 0);
	twin_addresses_dump(&t, true, false);
	says(&t, MIRROR_NEW, &two, 0, 0);
	twin_addresses_dump(&t, false, false); /* cut short: nothing is known */
	assert_int_equal(twin_addresses_list(&t, list, 4), 2);
	twin_addresses_dump(&t, true, false);
	says(&t, MIRROR_NEW, &two, 0, 0);
	t.changed = false;
	twin_addresses_dump(&t, false, true);
	assert_true(t.changed);
	assert_int_equal(twin_addresses_list(&t, list, 4), 1);
	assert_int_equal(list[0].addr.lo, two.addr.lo);
	twin_addresses_fini(&t);
}

/* What bears a port's name and is no TAP is somebody's interface. */
static void test_not_ours(void **state)
{
	struct twin_addresses t = {0};

	(void)state;
	assert_int_equal(twin_addresses_want(&t, &one, 1), 0);
	twin_addresses_link(&t, IFINDEX, false);
	nothing(&t, START);
	says(&t, MIRROR_NEW, &two, 0, TWIN_ADDRESSES_PROTOCOL);
	nothing(&t, START);
	twin_addresses_fini(&t);
}

static void test_ready(void **state)
{
	struct twin_addresses t = {0};

	(void)state;
	twin_addresses_link(&t, IFINDEX, true);
	assert_true(twin_addresses_ready(&t, FIB_IP4)); /* unnumbered */
	assert_int_equal(twin_addresses_want(&t, &one, 1), 0);
	assert_false(twin_addresses_ready(&t, FIB_IP4));
	says(&t, MIRROR_NEW, &one, 0, TWIN_ADDRESSES_PROTOCOL);
	assert_true(twin_addresses_ready(&t, FIB_IP4));
	says(&t, MIRROR_NEW, &six, 0, 0);
	assert_false(twin_addresses_ready(&t, FIB_IP6));
	says(&t, MIRROR_NEW, &local6, IFA_F_TENTATIVE, 0);
	assert_false(twin_addresses_ready(&t, FIB_IP6));
	says(&t, MIRROR_NEW, &local6, 0, 0);
	assert_true(twin_addresses_ready(&t, FIB_IP6));
	twin_addresses_fini(&t);
}

/* Nothing leaves by a twin that is down; without one the configuration counts. */
static void test_carrier(void **state)
{
	struct twin_addresses t = {0};

	(void)state;
	twin_addresses_carrier(&t, false);
	assert_false(t.down || t.changed);
	twin_addresses_link(&t, IFINDEX, true);
	twin_addresses_carrier(&t, true);
	assert_false(t.down || t.changed);
	twin_addresses_carrier(&t, false);
	assert_true(t.down && t.changed);
	t.changed = false;
	twin_addresses_carrier(&t, false);
	assert_true(t.down && !t.changed);
	twin_addresses_link(&t, 0, false);
	twin_addresses_carrier(&t, false);
	assert_true(!t.down && t.changed);
	twin_addresses_fini(&t);
}

static void test_many(void **state)
{
	struct twin_addresses t = {0};
	struct config_addr a = one;

	(void)state;
	twin_addresses_link(&t, IFINDEX, true);
	for (u32 i = 0; i < 2 * TWIN_ADDRESSES_MAX; i++) {
		a.addr.lo = i + 1;
		says(&t, MIRROR_NEW, &a, 0, 0);
	}
	assert_int_equal(t.n, TWIN_ADDRESSES_MAX);
	assert_int_equal(t.n_ignored, TWIN_ADDRESSES_MAX);
	assert_int_equal(twin_addresses_want(&t, &two, 1), 0); /* ours always has room */
	next_is(&t, START, false, &two);
	twin_addresses_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_take), cmocka_unit_test(test_others),
		cmocka_unit_test(test_dump),	     cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_ready),	     cmocka_unit_test(test_carrier),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
