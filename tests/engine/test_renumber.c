/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_renumber.c - state that outlives generations names ids, never slots. A flow table of this test's own remembers for
 * each of 20,000 flows the id of its next hop; generations that give every next hop another slot are swapped under it, and
 * nothing moves: each flow resolves, by id, to the same router and leaves for the same MAC. Another worker thread forwards
 * and reports quiescence all the while, so unmapping too early is a sanitizer's report.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "engine.h"
#include "packet_build.h"

#define N_FLOWS	   20000
#define N_NEXTHOPS 200
#define N_SWAPS	   50

struct flow {
	u32 dst;
	u32 nexthop_id;
	u8 mac[6];
};

static struct engine engine;
static struct flow flow[N_FLOWS];
static atomic_bool stop;
static atomic_ulong looked_up, wrong;

static void config_write(char *text, size_t len)
{
	int at = snprintf(text, len,
			  "node: { name = \"t\"; state_dir = \"/tmp\"; run_dir = \"/tmp\"; };\n"
			  "dataplane: { workers = [0]; memory: { huge_pages = \"off\"; size_mb = "
			  "64; mbufs = 4096; }; };\n"
			  "ports: ( { name = \"p0\"; device = \"ring\"; addresses = [ "
			  "\"10.9.0.1/16\" ]; } );\nneighbours: (\n");

	for (u32 i = 0; i < N_NEXTHOPS; i++)
		at += snprintf(text + at, len - (size_t)at,
			       "%s { port = \"p0\"; address = \"10.9.1.%u\"; mac = "
			       "\"02:00:00:00:05:%02x\"; }",
			       i ? ",\n" : "", i + 1, i);
	at += snprintf(text + at, len - (size_t)at, " );\nroutes: (\n");
	for (u32 i = 0; i < N_NEXTHOPS; i++)
		at += snprintf(text + at, len - (size_t)at,
			       "%s { prefix = \"20.%u.0.0/16\"; gateway = \"10.9.1.%u\"; }",
			       i ? ",\n" : "", i, i + 1);
	snprintf(text + at, len - (size_t)at, " );\n");
}

static const struct dwcp_nexthop *lookup(const struct generation *g, u32 dst)
{
	u32 slot;

	fib_lookup4(&g->fib, g->ip4, &dst, &slot, 1);
	return &g->nexthop[slot];
}

static void flows_learn(void)
{
	for (u32 i = 0; i < N_FLOWS; i++) {
		const struct dwcp_nexthop *nh;

		flow[i].dst = 20u << 24 | (i % N_NEXTHOPS) << 16 | i;
		nh = lookup(engine.gen, flow[i].dst);
		assert_int_equal(nh->type, DWCP_NEXTHOP_FORWARD);
		assert_int_not_equal(nh->id, 0);
		flow[i].nexthop_id = nh->id;
		memcpy(flow[i].mac, nh->forward.dst_mac, 6);
	}
}

/* What a steering stage does with a flow entry: id → slot in whatever generation is in force. */
static void *flows_run(void *arg)
{
	struct rte_rcu_qsbr *qsbr = engine.dp.qsbr;
	u64 n = 0, bad = 0;

	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	while (!stop) {
		const struct generation *g = dwcp_load_acquire(&engine.dp.gen);

		for (u32 i = 0; i < 256; i++, n++) {
			const struct flow *f = &flow[n % N_FLOWS];
			const struct dwcp_nexthop *by_id =
				&g->nexthop[nexthop_by_id(g, f->nexthop_id)];

			bad += by_id->id != f->nexthop_id ||
			       memcmp(by_id->forward.dst_mac, f->mac, 6) != 0;
			bad += memcmp(lookup(g, f->dst)->forward.dst_mac, f->mac, 6) != 0;
		}
		rte_rcu_qsbr_quiescent(qsbr, 0);
	}
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	rte_rcu_qsbr_thread_unregister(qsbr, 0);
	looked_up = n;
	wrong = bad;
	return NULL;
}

static u32 slots_moved(const struct generation *from, const struct generation *to)
{
	u32 moved = 0;

	for (u32 i = 0; i < N_FLOWS; i += N_FLOWS / N_NEXTHOPS + 1)
		moved += nexthop_by_id(from, flow[i].nexthop_id) !=
			 nexthop_by_id(to, flow[i].nexthop_id);
	return moved;
}

static void swap_renumbered(u32 round)
{
	struct generation *old = engine.gen;
	uint64_t token;

	assert_int_equal(rib_renumber(engine.rib, 1000 + round), 0);
	engine_stage_and_open(&engine);
	assert_true(slots_moved(old, engine.gen) > N_NEXTHOPS / 2);
	dwcp_store_release(&engine.dp.gen, engine.gen);
	token = rte_rcu_qsbr_start(engine.dp.qsbr);
	while (rte_rcu_qsbr_check(engine.dp.qsbr, token, false) != 1)
		sched_yield();
	engine_generation_close(old);
}

static void test_renumber(void **state)
{
	pthread_t thread;
	u64 mapped = segment_set_mapped_bytes(engine.set);

	flows_learn();
	assert_int_equal(pthread_create(&thread, NULL, flows_run, NULL), 0);
	for (u32 i = 0; i < N_SWAPS; i++)
		swap_renumbered(i);
	stop = true;
	pthread_join(thread, NULL);
	print_message("renumber: %u swaps under %lu lookups of %u flows, %lu moved\n", N_SWAPS,
		      looked_up, N_FLOWS, wrong);
	assert_true(looked_up > 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(segment_set_staged_bytes(engine.set), 0);
	assert_true(segment_set_mapped_bytes(engine.set) <= mapped + (1 << 20));
}

/* An id that is gone is a miss, not somebody else's slot. */
static void test_id_gone(void **state)
{
	struct fib_prefix p;
	u32 id = flow[7].nexthop_id;
	struct route_cfg r = engine.cfg->routes[7];

	assert_int_equal(prefix_parse("20.7.0.0/16", &p), 0);
	assert_int_equal(rib_route_del(engine.rib, RIB_STATIC, &p), 0);
	engine_publish(&engine);
	/* the neighbour itself keeps its host route, so the id may live on: but only as what it was */
	if (nexthop_by_id(engine.gen, id))
		assert_memory_equal(engine.gen->nexthop[nexthop_by_id(engine.gen, id)]
					    .forward.dst_mac,
				    flow[7].mac, 6);
	assert_int_equal(nexthop_by_id(engine.gen, 0x7fffffff), 0);
	assert_int_equal(rib_route_set(engine.rib, RIB_STATIC, &r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renumber),
		cmocka_unit_test(test_id_gone),
	};
	static char text[1 << 16];
	int failed;

	config_write(text, sizeof(text));
	engine_open(&engine, text);
	engine_publish(&engine);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	engine_close(&engine);
	return failed;
}
