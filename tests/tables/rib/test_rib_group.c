/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rib_group.c - buckets of ECMP groups: shares, and what moves when members come and go. The properties are exact
 * (no bucket moves that needn't); the shares are those of a draw, so the bounds are what 1,024 and 4,096 buckets give.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rib_fixture.h"
#include "rib_private.h"

#define ROUNDS 60

static u32 log_table[RIB_LOG_STEPS + 1];

struct group {
	u64 hash[CONFIG_MAX_PATHS];
	u32 weight[CONFIG_MAX_PATHS];
	bool alive[CONFIG_MAX_PATHS];
	u32 n, n_buckets;
	u32 choice[RIB_BUCKET_MANY];
};

static void group_init(struct group *g, struct rng *rng, u32 n, u32 max_weight)
{
	*g = (struct group){.n = n, .n_buckets = rib_group_n_buckets(n)};
	for (u32 i = 0; i < n; i++) {
		g->hash[i] = rng_next(rng);
		g->weight[i] = 1 + rng_below(rng, max_weight);
		g->alive[i] = true;
	}
}

static void group_choose(struct group *g)
{
	memset(g->choice, 0xff, sizeof(g->choice));
	rib_group_choose(log_table, g->hash, g->weight, g->alive, g->n, g->choice, g->n_buckets);
	for (u32 b = 0; b < g->n_buckets; b++)
		assert_true(g->choice[b] < g->n);
}

static struct group group_without(const struct group *g, u32 gone)
{
	struct group less = *g;

	less.n--;
	memmove(&less.hash[gone], &less.hash[gone + 1], (less.n - gone) * sizeof(less.hash[0]));
	memmove(&less.weight[gone], &less.weight[gone + 1],
		(less.n - gone) * sizeof(less.weight[0]));
	return less;
}

/* A member that leaves the set gives up its own buckets, and the set with it takes back just those. */
static void test_membership(void **state)
{
	struct rng rng = {1};
	struct group g, less;

	for (u32 round = 0; round < ROUNDS; round++) {
		u32 n = 2 + rng_below(&rng, 40), gone = rng_below(&rng, n);

		group_init(&g, &rng, n, round & 1 ? 1 : 20);
		less = group_without(&g, gone);
		group_choose(&g);
		group_choose(&less);
		for (u32 b = 0; b < g.n_buckets; b++) {
			u32 moved = less.choice[b] + (less.choice[b] >= gone);

			if (g.choice[b] != gone)
				assert_int_equal(moved, g.choice[b]);
		}
	}
}

/* The same for members whose neighbour goes, one after another, and back again. */
static void test_liveness(void **state)
{
	struct rng rng = {2};
	struct group g, before, all;

	for (u32 round = 0; round < ROUNDS; round++) {
		u32 n = 3 + rng_below(&rng, 20), order[CONFIG_MAX_PATHS];

		group_init(&g, &rng, n, round & 1 ? 1 : 20);
		group_choose(&g);
		all = g;
		for (u32 i = 0; i + 1 < n; i++) {
			do
				order[i] = rng_below(&rng, n);
			while (!g.alive[order[i]]);
			before = g;
			g.alive[order[i]] = false;
			group_choose(&g);
			for (u32 b = 0; b < g.n_buckets; b++) {
				assert_true(g.alive[g.choice[b]]);
				if (before.choice[b] != order[i])
					assert_int_equal(g.choice[b], before.choice[b]);
			}
		}
		for (u32 i = n - 1; i-- > 0;) {
			g.alive[order[i]] = true;
			before = g;
			group_choose(&g);
			for (u32 b = 0; b < g.n_buckets; b++)
				if (g.choice[b] != order[i])
					assert_int_equal(g.choice[b], before.choice[b]);
		}
		assert_memory_equal(g.choice, all.choice, sizeof(g.choice));
		for (u32 i = 0; i < n; i++)
			g.alive[i] = false;
		group_choose(&g); /* nobody: as if all were there */
		assert_memory_equal(g.choice, all.choice, sizeof(g.choice));
	}
}

/* A member that gets more weight only wins, one that gets less only loses. */
static void test_weight_change(void **state)
{
	struct rng rng = {3};
	struct group g, more;

	for (u32 round = 0; round < ROUNDS; round++) {
		u32 n = 2 + rng_below(&rng, 20), who = rng_below(&rng, n);

		group_init(&g, &rng, n, 20);
		more = g;
		more.weight[who] += 1 + rng_below(&rng, 20);
		group_choose(&g);
		group_choose(&more);
		for (u32 b = 0; b < g.n_buckets; b++)
			if (more.choice[b] != who)
				assert_int_equal(more.choice[b], g.choice[b]);
	}
}

/* Equal weights are equal whatever they are, and members may be listed in any order. */
static void test_order_and_scale(void **state)
{
	struct rng rng = {4};
	struct group g, other;

	for (u32 round = 0; round < ROUNDS; round++) {
		u32 n = 2 + rng_below(&rng, 20);

		group_init(&g, &rng, n, round & 1 ? 1 : 9);
		other = g;
		for (u32 i = 0; i < n; i++) {
			other.hash[i] = g.hash[n - 1 - i];
			other.weight[i] = 1000 * g.weight[n - 1 - i];
		}
		group_choose(&g);
		group_choose(&other);
		for (u32 b = 0; b < g.n_buckets; b++)
			assert_int_equal(other.choice[b], n - 1 - g.choice[b]);
	}
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* By how much the busiest member exceeds its share: the median and the 99th percentile of many groups. */
static void imbalance(u32 n, u32 max_weight, double *ret_median, double *ret_p99)
{
	enum { GROUPS = 400 };
	static double worst[GROUPS];
	struct rng rng = {n};
	struct group g;

	for (u32 i = 0; i < GROUPS; i++) {
		double total = 0;
		u32 count[CONFIG_MAX_PATHS] = {0};

		group_init(&g, &rng, n, max_weight);
		group_choose(&g);
		for (u32 m = 0; m < n; m++)
			total += g.weight[m];
		for (u32 b = 0; b < g.n_buckets; b++)
			count[g.choice[b]]++;
		worst[i] = 0;
		for (u32 m = 0; m < n; m++)
			worst[i] =
				fmax(worst[i], count[m] / (g.n_buckets * g.weight[m] / total) - 1);
	}
	qsort(worst, GROUPS, sizeof(worst[0]), double_cmp);
	*ret_median = worst[GROUPS / 2];
	*ret_p99 = worst[GROUPS * 99 / 100];
}

static void test_shares(void **state)
{
	static const struct {
		u32 n, max_weight;
		double median, p99;
	} rows[] = {
		{2, 1, .03, .10}, {3, 1, .05, .14},  {4, 1, .07, .18},	{8, 1, .14, .28},
		{9, 1, .07, .14}, {16, 1, .13, .22}, {64, 1, .35, .60}, {4, 4, .10, .40},
	};
	double median, p99;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		imbalance(rows[i].n, rows[i].max_weight, &median, &p99);
		print_message("members=%u weights=1..%u buckets=%u busiest over its share: "
			      "median %.1f %%, 99th percentile %.1f %%\n",
			      rows[i].n, rows[i].max_weight, rib_group_n_buckets(rows[i].n),
			      100 * median, 100 * p99);
		assert_true(median <= rows[i].median);
		assert_true(p99 <= rows[i].p99);
	}
}

/* The logarithm never rises and is right: otherwise weights would be off. */
static void test_log(void **state)
{
	u64 hash[2] = {0x1234, 0x9876543210abcdef};
	struct rng rng = {5};

	for (u32 i = 0; i < RIB_LOG_STEPS; i++) {
		double exact = log2(1 + (double)i / RIB_LOG_STEPS) * (1 << 25);

		assert_true(log_table[i] < log_table[i + 1]);
		assert_true(fabs(exact - log_table[i]) <= 2);
	}
	/* 1 : 1,000,000 over many draws: the light one gets next to nothing, but the sum is right. */
	for (u32 round = 0; round < 20; round++) {
		u32 weight[2] = {1, 1000000}, choice[RIB_BUCKET_MANY], light = 0;
		bool alive[2] = {true, true};

		hash[0] = rng_next(&rng);
		hash[1] = rng_next(&rng);
		rib_group_choose(log_table, hash, weight, alive, 2, choice, RIB_BUCKET_MANY);
		for (u32 b = 0; b < RIB_BUCKET_MANY; b++)
			light += choice[b] == 0;
		assert_true(light <= 1);
	}
}

/* ---- through the rib ------------------------------------------------------------------------------------------- */

static const char *const addresses[] = {"10.0.0.1/16", NULL};
static const char *const *const ports[] = {addresses};

/* Neighbour @dead has no address of its own: its host route stays, and nothing is sent to it. */
static struct dwcp_config *ecmp_config(u32 n, u32 dead)
{
	struct dwcp_config *c = config_make(1, ports);
	char text[32];

	for (u32 i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "10.0.1.%u", i);
		config_neighbour(c, 0, text, i == dead ? 0 : 0x020000000000 + i, 0, 0);
	}
	return c;
}

/* The MAC's last byte of every bucket, 255 = unresolved. */
static u32 buckets_get(const struct fixture *f, u8 *ret)
{
	struct fib_addr a = addr_of("203.0.113.1");
	const struct dwcp_nexthop *g = fixture_nexthop(f, 0, FIB_IP4, &a);

	assert_int_equal(g->type, DWCP_NEXTHOP_GROUP);
	for (u32 b = 0; b < g->group.n_buckets; b++) {
		const struct dwcp_nexthop *n =
			&f->g->nexthop[f->g->bucket[g->group.first_bucket + b]];

		ret[b] = n->type == DWCP_NEXTHOP_FORWARD ? n->forward.dst_mac[5] : 255;
	}
	return g->group.n_buckets;
}

static void test_neighbour_dies(void **state)
{
	enum { N = 5 };
	struct path_cfg paths[N] = {0};
	struct route_cfg route = route_via("203.0.113.0/24", paths, N);
	static u8 before[RIB_BUCKET_MANY], after[RIB_BUCKET_MANY];
	struct dwcp_config *c = ecmp_config(N, N), *dead = ecmp_config(N, 3),
			   *none = ecmp_config(0, 0);
	struct fixture f;
	char text[32];
	u32 n;

	for (u32 i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "10.0.1.%u", i);
		paths[i] = path_via(text, PATH_AUTO, 1 + i);
	}
	fixture_init(&f, 4096);
	assert_int_equal(rib_configure(f.r, c), 0);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	n = buckets_get(&f, before);
	assert_int_equal(rib_configure(f.r, dead), 0);
	fixture_publish(&f);
	buckets_get(&f, after);
	for (u32 b = 0; b < n; b++) {
		assert_int_not_equal(after[b], 255);
		assert_int_not_equal(after[b], 3);
		if (before[b] != 3)
			assert_int_equal(after[b], before[b]);
	}
	/* Fresh: the bucket's chunk and the next hop's; the FIB and the ids stay. */
	for (u32 i = 0; i < f.image->manifest->n_segments; i++) {
		u16 section = f.image->segments[i].desc.section;

		if (f.image->segments[i].fresh)
			assert_true(section == DWCP_SECTION_NEXTHOP ||
				    section == DWCP_SECTION_NEXTHOP_BUCKET);
	}
	assert_int_equal(f.image->n_fresh, 2);
	assert_int_equal(rib_configure(f.r, none), 0);
	fixture_publish(&f);
	buckets_get(&f, after);
	for (u32 b = 0; b < n; b++)
		assert_int_equal(after[b], 255);
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	buckets_get(&f, after);
	assert_memory_equal(before, after, n);
	config_drop(c);
	config_drop(dead);
	config_drop(none);
	fixture_fini(&f);
}

/* One path taken out of a route: another set, another id, and flows of the others stay where they are. */
static void test_path_leaves_route(void **state)
{
	enum { N = 6 };
	struct path_cfg paths[N] = {0};
	struct route_cfg route = route_via("203.0.113.0/24", paths, N);
	static u8 before[RIB_BUCKET_MANY], after[RIB_BUCKET_MANY];
	struct dwcp_config *c = ecmp_config(N, N);
	struct fixture f;
	char text[32];
	u32 n;

	for (u32 i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "10.0.1.%u", i);
		paths[i] = path_via(text, PATH_AUTO, 1);
	}
	fixture_init(&f, 4096);
	assert_int_equal(rib_configure(f.r, c), 0);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	n = buckets_get(&f, before);
	route.paths++;
	route.n_paths--;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_int_equal(buckets_get(&f, after), n);
	for (u32 b = 0; b < n; b++)
		assert_true(before[b] == 0 ? after[b] != 0 : after[b] == before[b]);
	config_drop(c);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_membership),     cmocka_unit_test(test_liveness),
		cmocka_unit_test(test_weight_change),  cmocka_unit_test(test_order_and_scale),
		cmocka_unit_test(test_shares),	       cmocka_unit_test(test_log),
		cmocka_unit_test(test_neighbour_dies), cmocka_unit_test(test_path_leaves_route),
	};

	rib_log_init(log_table);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
