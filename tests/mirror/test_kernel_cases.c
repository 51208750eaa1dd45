/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kernel_cases.c - what the store of the kernel's routes does with next-hop objects, races, tables, and no twins. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel_model.h"

static void route4(struct kernel_routes *kr, enum mirror_verb verb, u16 flags, u32 nexthop, u8 type)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN,
				 .prefix = model_prefix(0),
				 .type = type,
				 .nexthop_id = nexthop};

	assert_int_equal(kernel_routes_route(kr, verb, flags, &r), 0);
}

static struct kernel_change take_one(struct kernel_routes *kr, u32 *ret_n, u32 *ret_weight)
{
	struct kernel_change c = {0};
	struct kernel_batch b;

	assert_int_equal(kernel_routes_take(kr, 10, &b), 0);
	*ret_n = b.n;
	if (b.n)
		c = b.changes[0];
	*ret_weight = c.n_paths ? b.paths[c.first_path].weight : 0;
	kernel_batch_fini(&b);
	return c;
}

static void nexthop(struct kernel_routes *kr, enum mirror_verb verb, u32 id, u32 ifindex,
		    u32 member, u32 weight)
{
	struct mirror_nexthop n = {.id = id};

	n.path = (struct mirror_path){.ifindex = ifindex, .weight = 1, .family = FIB_IP4};
	n.path.gateway.lo = 0x0a000002;
	n.n_members = member ? 1 : 0;
	n.members[0] = (struct mirror_member){member, weight};
	assert_int_equal(kernel_routes_nexthop(kr, verb, &n), 0);
}

/* A group that is replaced changes its routes, and none of them is told again. */
static void test_nexthop_objects(void **state)
{
	struct model m = {0};
	struct kernel_change c;
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = m.up[2] = m.carrier[2] = true;
	model_link_tell(&m, 1);
	model_link_tell(&m, 2);
	nexthop(m.kr, MIRROR_NEW, 7, 1, 0, 0);
	nexthop(m.kr, MIRROR_NEW, 9, 0, 7, 3);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 9, RTN_UNICAST);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_int_equal(c.type, ROUTE_UNICAST);
	assert_int_equal(weight, 3);
	nexthop(m.kr, MIRROR_NEW, 9, 0, 7, 5);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_int_equal(weight, 5);
	m.up[1] = false; /* takes the object along, with it its group, with that the route */
	model_link_tell(&m, 1);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_true(c.del);
	m.up[1] = true;
	model_link_tell(&m, 1);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	kernel_routes_free(m.kr);
}

/* The kernel tells of the object that is deleted, then of its IPv6 routes: none of them is another's. */
static void test_nexthop_deleted(void **state)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN,
				 .prefix = model_prefix(1),
				 .type = RTN_UNICAST,
				 .nexthop_id = 7};
	struct model m = {0};
	struct kernel_change c;
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	model_link_tell(&m, 1);
	nexthop(m.kr, MIRROR_NEW, 7, 1, 0, 0);
	nexthop(m.kr, MIRROR_NEW, 8, 1, 0, 0);
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	r.nexthop_id = 8;
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, &r);
	nexthop(m.kr, MIRROR_DEL, 7, 0, 0, 0);
	r.nexthop_id = 7;
	kernel_routes_route(m.kr, MIRROR_DEL, 0, &r);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_false(c.del);
	assert_int_equal(c.type, ROUTE_UNICAST);
	kernel_routes_free(m.kr);
}

/* A prefix that was told of while the dump's part was read is not judged by it. */
static void test_dump_race(void **state)
{
	struct kernel_dump_result r;
	struct model m = {0};
	struct mirror_route old = {.table = RT_TABLE_MAIN,
				   .prefix = model_prefix(0),
				   .type = RTN_BLACKHOLE};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	model_link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	route4(m.kr, MIRROR_DEL, 0, 0, RTN_BLACKHOLE);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &old); /* read before it was deleted */
	kernel_routes_dump_end(m.kr, true, &r);
	assert_true(r.again);
	assert_int_equal(r.n_changed, 0);
	assert_true(take_one(m.kr, &n, &weight).del);
	kernel_routes_free(m.kr);
}

/* A difference is repaired and counted; when the kernel tells of it after all, it was late. */
static void test_divergence(void **state)
{
	struct mirror_route now = {.table = RT_TABLE_MAIN,
				   .prefix = model_prefix(0),
				   .type = RTN_PROHIBIT};
	struct kernel_dump_result r;
	struct model m = {0};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	model_link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &now);
	kernel_routes_dump_end(m.kr, true, &r);
	assert_int_equal(r.n_changed, 1);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 0);
	route4(m.kr, MIRROR_NEW, NLM_F_REPLACE, 0, RTN_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 1);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_end(m.kr, true, &r);
	assert_int_equal(r.n_gone, 1);
	assert_true(take_one(m.kr, &n, &weight).del);
	route4(m.kr, MIRROR_DEL, 0, 0, RTN_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 2);
	kernel_routes_free(m.kr);
}

static u64 held4(const struct kernel_routes *kr)
{
	struct kernel_facts facts;

	kernel_routes_facts(kr, &facts);
	return facts.tables[1].n_ip4;
}

/* What a dump was faster to find is told once more; later the same means another route that looks like it. */
static void test_dump_was_faster(void **state)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN,
				 .prefix = model_prefix(0),
				 .type = RTN_PROHIBIT};
	struct kernel_dump_result result;
	struct model m = {0};

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &r);
	r.prefix = model_prefix(2);
	kernel_routes_dump_route(m.kr, &r);
	kernel_routes_dump_end(m.kr, true, &result);
	assert_int_equal(held4(m.kr), 2);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, 0, RTN_PROHIBIT);
	assert_int_equal(held4(m.kr), 2);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, 0, RTN_PROHIBIT);
	assert_int_equal(held4(m.kr), 3);
	kernel_routes_dump_settled(m.kr);
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, &r);
	assert_int_equal(held4(m.kr), 4);
	kernel_routes_free(m.kr);
}

/* What changes while the first dump is read costs none of the routes at the ends of its parts. */
static void test_first_dump_torn(void **state)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN, .type = RTN_PROHIBIT};
	struct kernel_dump_result result;
	struct model m = {0};

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	for (u32 i = 2; i <= 8; i += 2) {
		r.prefix = model_prefix(i);
		kernel_routes_dump_part(m.kr);
		kernel_routes_dump_route(m.kr, &r);
		route4(m.kr, MIRROR_NEW, NLM_F_REPLACE, 0, RTN_PROHIBIT);
	}
	kernel_routes_dump_end(m.kr, true, &result);
	assert_int_equal(held4(m.kr), 5);
	assert_true(result.again);
	kernel_routes_free(m.kr);
}

/* Without a twin there is no router: what was given out is taken back. */
static void test_no_twins(void **state)
{
	struct mirror_link gone = {.ifindex = 1};
	struct model m = {0};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	m.up[1] = m.carrier[1] = true;
	model_link_tell(&m, 1);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_BLACKHOLE);
	kernel_routes_link(m.kr, MIRROR_DEL, &gone);
	assert_true(take_one(m.kr, &n, &weight).del);
	kernel_routes_free(m.kr);
}

/* The local table's routes win, and tables that serve no VRF are not held. */
static void test_tables(void **state)
{
	static const struct mirror_table_cfg tables[] = {{.table = 100, .vrf = 3},
							 {.table = 254, .vrf = 0}};
	struct mirror_route r = {.table = RT_TABLE_LOCAL,
				 .prefix = model_prefix(0),
				 .type = RTN_LOCAL};
	struct kernel_facts facts;
	struct model m = {0};
	struct kernel_change c;
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(tables, 2, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	model_link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_BLACKHOLE);
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_LOCAL);
	r.table = 100;
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(c.prefix.vrf, 3);
	r.table = 101;
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	kernel_routes_facts(m.kr, &facts);
	assert_int_equal(facts.tables[0].n_ip4 + facts.tables[1].n_ip4 + facts.tables[2].n_ip4, 3);
	kernel_routes_free(m.kr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {

		cmocka_unit_test(test_nexthop_objects), cmocka_unit_test(test_nexthop_deleted),
		cmocka_unit_test(test_dump_race),	cmocka_unit_test(test_divergence),
		cmocka_unit_test(test_dump_was_faster), cmocka_unit_test(test_first_dump_torn),
		cmocka_unit_test(test_no_twins),	cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
