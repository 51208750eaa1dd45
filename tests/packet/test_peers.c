/* SPDX-License-Identifier: BSD-3-Clause */
/* test_peers.c - whom the router has sessions with: by class, for a while, and in a table that doesn't grow. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dwcp/util/peers.h>

static const u64 key[2] = {0x123456789abcdef0, 0xfedcba9876543210};

static void is_known_by_class(void **state)
{
	struct peers *p = *state;

	peers_init(p, key);
	assert_false(peers_has(p, 1, 0xc0000202, 100));
	assert_false(peers_has(p, 0, 0, 0));
	peers_note(p, 1, 0xc0000202, 100);
	assert_true(peers_has(p, 1, 0xc0000202, 100));
	assert_false(peers_has(p, 2, 0xc0000202, 100));
	assert_false(peers_has(p, 1, 0xc0000203, 100));
}

static void is_forgotten(void **state)
{
	const u32 wrap = (1u << 20) - 5; /* seconds go round here */
	struct peers *p = *state;

	peers_init(p, key);
	for (u32 at = 100; at <= wrap; at += wrap - 100) {
		peers_note(p, 1, 7, at);
		assert_true(peers_has(p, 1, 7, at + PEERS_KEPT_S));
		assert_false(peers_has(p, 1, 7, at + PEERS_KEPT_S + 1));
		peers_note(p, 1, 7, at + 500);
		assert_true(peers_has(p, 1, 7, at + 500 + PEERS_KEPT_S));
	}
}

/* As many as a large router has are all there; of more than there is room for the latest are. */
static void has_room(void **state)
{
	const u32 many = 4 * PEERS_BUCKETS * PEERS_WAYS;
	struct peers *p = *state;
	u32 n = 0;

	peers_init(p, key);
	for (u32 i = 0; i < 500; i++)
		peers_note(p, 1, 0xc0000200 + i, 100 + i / 10);
	for (u32 i = 0; i < 500; i++)
		n += peers_has(p, 1, 0xc0000200 + i, 160);
	assert_int_equal(n, 500);
	for (u32 i = 0; i < many; i++)
		peers_note(p, 1, 0x0a000000 + i, 200 + i / 64);
	for (u32 i = 0; i < 500; i++)
		n -= !peers_has(p, 1, 0x0a000000 + many - 1 - i, 200 + many / 64);
	assert_int_equal(n, 500);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct peers));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_known_by_class),
		cmocka_unit_test(is_forgotten),
		cmocka_unit_test(has_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
