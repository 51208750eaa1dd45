/* SPDX-License-Identifier: BSD-3-Clause */
/* test_builder.c - the builder's interface on small tables: what it keeps, refuses, changes and calls dirty. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fib_synth.h"
#include "subject.h"

#define CHUNK	4096u
#define N_SLOTS 1000u

static struct fib_builder *builder(void)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = CHUNK};
	struct fib_builder *b = fib_builder_create(&cfg);

	assert_non_null(b);
	return b;
}

static struct fib_prefix p4(u32 addr, u8 len)
{
	return (struct fib_prefix){.addr = {.lo = addr}, .family = FIB_IP4, .len = len};
}

static struct fib_prefix p6(u64 hi, u64 lo, u8 len)
{
	return (struct fib_prefix){.addr = {hi, lo}, .family = FIB_IP6, .len = len};
}

static u32 look4(const struct fib_builder *b, u32 vrf, u32 dst)
{
	const struct dwcp_fib_root *root;
	struct fib_view v;
	u32 slot = 77;

	fib_builder_view(b, &v);
	root = fib_root_find(&v, vrf, FIB_IP4);
	fib_lookup4(&v, root, &dst, &slot, 1);
	return slot;
}

static u32 look6(const struct fib_builder *b, u32 vrf, u64 hi, u64 lo)
{
	const struct fib_addr dst = {hi, lo};
	const struct dwcp_fib_root *root;
	struct fib_view v;
	u32 slot = 77;

	fib_builder_view(b, &v);
	root = fib_root_find(&v, vrf, FIB_IP6);
	fib_lookup6(&v, root, &dst, &slot, 1);
	return slot;
}

static void test_empty(void **state)
{
	struct fib_builder *b = builder();
	struct fib_view v;

	assert_int_equal(fib_builder_commit(b), 0);
	fib_builder_view(b, &v);
	assert_int_equal(v.n_root, 0);
	assert_null(fib_root_find(&v, 0, FIB_IP4));
	assert_int_equal(look4(b, 0, 0x01020304), 0);
	assert_int_equal(look6(b, 0, 1, 2), 0);
	arrays_check(b, 1);
	fib_builder_free(b);
	fib_builder_free(NULL);
}

static void test_refused(void **state)
{
	const struct fib_builder_cfg odd = {.chunk_bytes = 5000}, tiny = {.chunk_bytes = 2048};
	struct fib_builder *b = builder();
	struct fib_prefix p;
	u32 slot;

	assert_null(fib_builder_create(&odd));
	assert_null(fib_builder_create(&tiny));
	p = p4(0x0a000001, 24);
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p4(0x0a000000, 33);
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p6(0, 1, 64);
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p6(0, 0, 129);
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p4(0, 0);
	p.family = 5;
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p4(0, 0);
	p.addr.hi = 1;
	assert_int_equal(fib_builder_set(b, &p, 1), -EINVAL);
	p = p4(0, 0);
	assert_int_equal(fib_builder_set(b, &p, 0x80000000), -EINVAL);
	assert_int_equal(fib_builder_set(b, &p, 0x7fffffff), 0);
	assert_int_equal(fib_builder_get(b, &p, &slot), 0);
	assert_int_equal(slot, 0x7fffffff);
	p = p4(0, 1);
	assert_int_equal(fib_builder_get(b, &p, &slot), -ENOENT);
	assert_int_equal(fib_builder_del(b, &p), -ENOENT);
	p.vrf = 9;
	assert_int_equal(fib_builder_del(b, &p), -ENOENT);
	assert_int_equal(fib_builder_count(b, FIB_IP4), 1);
	fib_builder_free(b);
}

/* Every length, one inside the other, each with its own slot; then taken away from the middle out. */
static void nest(u8 family)
{
	struct fib_builder *b = builder();
	u32 max = family == FIB_IP4 ? 32 : 128;
	static struct oracle o;
	static struct ask q;

	oracle_init(&o);
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i <= max; i++) {
			u32 len = round == 1 ? max - i : i;
			struct fib_prefix p = family == FIB_IP4 ? p4(0, len) : p6(0, 0, len);

			if (round == 2 && len % 3 == 1) {
				assert_int_equal(fib_builder_del(b, &p), 0);
				assert_true(oracle_del(&o, &p));
			} else {
				assert_int_equal(fib_builder_set(b, &p, 1 + len + 200 * round), 0);
				oracle_set(&o, &p, 1 + len + 200 * round);
			}
			assert_int_equal(fib_builder_commit(b), 0);
			ask_init(&q, &o, b, family);
			for (u32 bit = 0; bit < max; bit++) {
				struct fib_addr a = {0};

				if (bit < 64)
					a.lo = 1ull << bit;
				else
					a.hi = 1ull << (bit - 64);
				ask_add(&q, a);
			}
			ask_add(&q, (struct fib_addr){0});
			ask_flush(&q);
		}
	}
	arrays_check(b, N_SLOTS);
	oracle_fini(&o);
	fib_builder_free(b);
}

static void test_nested(void **state)
{
	nest(FIB_IP4);
	nest(FIB_IP6);
}

struct count {
	u32 n;
	struct fib_prefix last;
};

static bool before(const struct fib_prefix *a, const struct fib_prefix *b)
{
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf;
	if (a->family != b->family)
		return a->family < b->family;
	if (a->addr.hi != b->addr.hi)
		return a->addr.hi < b->addr.hi;
	if (a->addr.lo != b->addr.lo)
		return a->addr.lo < b->addr.lo;
	return a->len < b->len;
}

static int count_one(void *arg, const struct fib_prefix *p, u32 slot)
{
	struct count *c = arg;

	if (c->n && !before(&c->last, p))
		fail_msg("out of order: /%u", p->len);
	c->last = *p;
	c->n++;
	return slot == 500 ? 42 : 0;
}

/* Three VRFs of different sizes; one crosses the size where a table gets more direct bits, and back. */
static void test_vrfs(void **state)
{
	struct fib_builder *b = builder();
	struct fib_rng rng = {11};
	struct count c = {0};
	struct fib_prefix p;
	u32 slot, n_large = 0;

	for (u32 i = 0; i < 6000; i++) {
		p = p4((u32)fib_rng_next(&rng) & 0xffffff00, 24);
		p.vrf = 7;
		n_large += fib_builder_get(b, &p, &slot) != 0;
		assert_int_equal(fib_builder_set(b, &p, 1 + i % 400), 0);
		if (i % 997 == 0)
			assert_int_equal(fib_builder_commit(b), 0);
	}
	p = p4(0x0a000000, 8);
	p.vrf = 3;
	assert_int_equal(fib_builder_set(b, &p, 401), 0);
	p.vrf = 0xffffffff;
	assert_int_equal(fib_builder_set(b, &p, 402), 0);
	p = p6(0x20010db8ull << 32, 0, 32);
	p.vrf = 3;
	assert_int_equal(fib_builder_set(b, &p, 403), 0);
	assert_int_equal(fib_builder_commit(b), 0);
	arrays_check(b, N_SLOTS);
	assert_int_equal(look4(b, 3, 0x0a010203), 401);
	assert_int_equal(look4(b, 0xffffffff, 0x0a010203), 402);
	assert_int_equal(look6(b, 3, 0x20010db8ull << 32 | 5, 9), 403);
	assert_int_equal(look4(b, 4, 0x0a010203), 0);
	assert_int_equal(fib_builder_count(b, FIB_IP4), n_large + 2);
	assert_int_equal(fib_builder_count(b, FIB_IP6), 1);
	assert_int_equal(fib_builder_each(b, count_one, &c), 0);
	assert_int_equal(c.n, n_large + 3);
	assert_int_equal(fib_builder_set(b, &p, 500), 0);
	assert_int_equal(fib_builder_each(b, count_one, &(struct count){0}), 42);
	fib_builder_free(b);
}

struct strip {
	struct fib_builder *b;
	struct fib_prefix *p;
	u32 n;
};

static int strip_one(void *arg, const struct fib_prefix *p, u32 slot)
{
	struct strip *s = arg;

	s->p[s->n++] = *p;
	return 0;
}

/* A table that empties stays searchable, leaves no stale slot behind, and can fill again. */
static void test_emptied(void **state)
{
	struct fib_builder *b = builder();
	struct strip s = {b, calloc(20000, sizeof(struct fib_prefix)), 0};
	struct fib_rng rng = {13};

	assert_non_null(s.p);
	for (u32 i = 0; i < 5000; i++) {
		struct fib_prefix v4 = p4((u32)fib_rng_next(&rng), 32);
		struct fib_prefix v6 = p6(fib_rng_next(&rng) & ~0xffffull, 0, 48);

		assert_int_equal(fib_builder_set(b, &v4, 900 + i % 100), 0);
		assert_int_equal(fib_builder_set(b, &v6, 900 + i % 100), 0);
	}
	assert_int_equal(fib_builder_commit(b), 0);
	arrays_check(b, N_SLOTS);
	assert_int_equal(fib_builder_each(b, strip_one, &s), 0);
	for (u32 i = 0; i < s.n; i++) {
		assert_int_equal(fib_builder_del(b, &s.p[i]), 0);
		if (i % 61 == 0)
			assert_int_equal(fib_builder_commit(b), 0);
	}
	assert_int_equal(fib_builder_commit(b), 0);
	assert_int_equal(fib_builder_count(b, FIB_IP4) + fib_builder_count(b, FIB_IP6), 0);
	/* No element, used or not, names a slot any more. */
	arrays_check(b, 1);
	for (u32 i = 0; i < s.n; i++) {
		if (s.p[i].family == FIB_IP4)
			assert_int_equal(look4(b, 0, s.p[i].addr.lo), 0);
	}
	assert_int_equal(fib_builder_set(b, &s.p[0], 3), 0);
	assert_int_equal(fib_builder_commit(b), 0);
	assert_int_equal(look4(b, 0, s.p[0].addr.lo), 3);
	free(s.p);
	fib_builder_free(b);
}

static void test_dirty(void **state)
{
	struct fib_builder *b = builder();
	struct fib_rng rng = {17};
	struct fib_prefix p;
	u32 n = 0;

	for (u32 i = 0; i < 3000; i++) {
		p = p4((u32)fib_rng_next(&rng) & 0xffffff00, 24);
		assert_int_equal(fib_builder_set(b, &p, 1 + i % 90), 0);
	}
	assert_int_equal(fib_builder_commit(b), 0);
	assert_true(fib_builder_dirty(b, FIB_DIRECT, 0));
	fib_builder_clean(b);
	assert_false(fib_builder_dirty(b, FIB_DIRECT, 0));
	assert_false(fib_builder_dirty(b, FIB_LEAF, 1u << 30));
	/* The same again changes nothing. */
	assert_int_equal(fib_builder_set(b, &p, 1 + 2999 % 90), 0);
	assert_int_equal(fib_builder_commit(b), 0);
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		for (u32 c = 0; c < 2000; c++)
			n += fib_builder_dirty(b, a, c);
	}
	assert_int_equal(n, 0);
	/* Another slot in place changes one chunk. */
	assert_int_equal(fib_builder_set(b, &p, 95), 0);
	assert_int_equal(fib_builder_commit(b), 0);
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		for (u32 c = 0; c < 2000; c++)
			n += fib_builder_dirty(b, a, c);
	}
	assert_int_equal(n, 1);
	fib_builder_free(b);
}

/* The order of arrival leaves no trace in a table that is laid out at once. */
static void test_deterministic(void **state)
{
	struct fib_builder *one = builder(), *two = builder();
	struct fib_synth s;

	assert_int_equal(fib_synth_generate(5, 20000, 5000, &s), 0);
	for (u32 i = 0; i < s.n4 + s.n6; i++) {
		u32 j = s.n4 + s.n6 - 1 - i;
		struct fib_prefix extra = p4(i << 12, 30);

		assert_int_equal(fib_builder_set(one, &s.prefix[i], 1 + i % 300), 0);
		extra.vrf = 5;
		assert_int_equal(fib_builder_set(two, &extra, 7), 0);
		assert_int_equal(fib_builder_set(two, &s.prefix[j], 400), 0);
		assert_int_equal(fib_builder_set(two, &s.prefix[j], 1 + j % 300), 0);
		assert_int_equal(fib_builder_del(two, &extra), 0);
	}
	assert_int_equal(fib_builder_commit(one), 0);
	assert_int_equal(fib_builder_commit(two), 0);
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		size_t n, m;
		const void *x = fib_builder_array(one, a, &n), *y = fib_builder_array(two, a, &m);

		assert_int_equal(n, m);
		assert_memory_equal(x, y, n);
	}
	fib_synth_free(&s);
	fib_builder_free(one);
	fib_builder_free(two);
}

static void test_match(void **state)
{
	struct fib_builder *b = builder();
	struct fib_addr a = {.lo = 0x0a0102ff};
	struct fib_prefix p = p4(0x0a000000, 8), got;
	u32 slot;

	assert_int_equal(fib_builder_match(b, 0, FIB_IP4, &a, &got, &slot), -ENOENT);
	assert_int_equal(fib_builder_set(b, &p, 5), 0);
	p = p4(0x0a010200, 24);
	assert_int_equal(fib_builder_set(b, &p, 6), 0);
	/* Straight from the prefixes: no commit needed. */
	assert_int_equal(fib_builder_match(b, 0, FIB_IP4, &a, &got, &slot), 0);
	assert_int_equal(slot, 6);
	assert_int_equal(got.len, 24);
	assert_int_equal(got.addr.lo, 0x0a010200);
	a.lo = 0x0a020000;
	assert_int_equal(fib_builder_match(b, 0, FIB_IP4, &a, &got, &slot), 0);
	assert_int_equal(slot, 5);
	assert_int_equal(got.len, 8);
	a.lo = 0x0b000000;
	assert_int_equal(fib_builder_match(b, 0, FIB_IP4, &a, &got, &slot), -ENOENT);
	fib_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nested),	cmocka_unit_test(test_vrfs),
		cmocka_unit_test(test_emptied), cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_match),	cmocka_unit_test(test_deterministic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
