/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kernel_routes.c - random histories against a model of the kernel (kernel_model.h): the store's answers, gathered
 * from its batches, must be the model's, after lost messages and a dump too, and whatever happens while it dumps.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "kernel_model.h"

static struct model_answer given[MODEL_PREFIXES];

static void take_all(struct model *m)
{
	struct kernel_batch b;

	do {
		assert_int_equal(kernel_routes_take(m->kr, 1 + model_below(m, 8), &b), 0);
		for (u32 i = 0; i < b.n; i++) {
			const struct kernel_change *c = &b.changes[i];
			u32 prefix = model_prefix_index(&c->prefix);
			struct model_answer *a = &given[prefix];

			*a = (struct model_answer){!c->del, c->del ? 0 : c->type, c->protocol,
						   c->n_paths, 0};
			for (u32 k = 0; k < c->n_paths; k++) {
				const struct path_cfg *p = &b.paths[c->first_path + k];
				u32 ifindex = (u32)(b.ports[p->port_idx][1] - '0');

				a->sum += p->gateway.addr.lo * 31 * (p->weight + 7) * ifindex;
			}
		}
		kernel_batch_fini(&b);
	} while (kernel_routes_dirty(m->kr));
}

static u64 dump_all(struct model *m)
{
	u64 n = 0;

	for (u8 family = FIB_IP4; family <= FIB_IP6; family += 2) {
		struct kernel_dump_result r;

		kernel_routes_dump_begin(m->kr, family);
		for (u32 i = 0; i < m->n; i++) {
			struct mirror_route msg;

			if (model_six(&m->r[i]) != (family == FIB_IP6) || model_dumped_before(m, i))
				continue;
			model_message(m, &m->r[i], &msg);
			kernel_routes_dump_part(m->kr);
			assert_int_equal(kernel_routes_dump_route(m->kr, &msg), 0);
		}
		assert_int_equal(kernel_routes_dump_end(m->kr, true, &r), 0);
		assert_false(r.again);
		n += r.n_changed + r.n_gone;
	}
	return n;
}

/* What the store can't know it asks for: it counts a loss, and a comparison repairs. */
static void unclear_dump(struct model *m, u64 losses)
{
	if (!m->unclear)
		return;
	if (dump_all(m))
		assert_int_not_equal(kernel_routes_losses(m->kr), losses);
	m->unclear = false;
}

static void compare(struct model *m, u64 seed, u32 step)
{
	take_all(m);
	for (u32 i = 0; i < MODEL_PREFIXES; i++) {
		struct model_answer e = model_expected(m, i), *g = &given[i];
		/* IPv6 routes that were joined are one: whose protocol it shows is of no account */
		bool protocol = i % 2 || !e.there || e.protocol == g->protocol;

		if (e.there == g->there &&
		    (!e.there ||
		     (e.type == g->type && protocol && e.n_paths == g->n_paths && e.sum == g->sum)))
			continue;
		fail_msg("seed %llu step %u prefix %u: expected %d type %u paths %u, got %d type "
			 "%u "
			 "paths %u",
			 (unsigned long long)seed, step, i, e.there, e.type, e.n_paths, g->there,
			 g->type, g->n_paths);
	}
}

static void history_run(u64 seed, bool lossy)
{
	struct model m = {.rng = seed * 0x9e3779b97f4a7c15ull + 1};

	memset(given, 0, sizeof(given));
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	for (u32 i = 1; i <= MODEL_LINKS; i++) {
		m.up[i] = m.carrier[i] = true;
		model_link_tell(&m, i);
	}
	for (u32 step = 0; step < 400; step++) {
		u32 what = model_below(&m, 100);
		u64 losses = kernel_routes_losses(m.kr);

		m.lossy = lossy;
		if (what < 55)
			model_add_random(&m);
		else if (what < 95 && m.n)
			model_del(&m, model_below(&m, m.n));
		else if (!lossy)
			model_link_random(&m);
		m.lossy = false;
		if (!lossy)
			unclear_dump(&m, losses);
		if (lossy && step % 20 == 19)
			dump_all(&m);
		if (!lossy || step % 20 == 19)
			compare(&m, seed, step);
	}
	if (!lossy)
		assert_int_equal(dump_all(&m), 0); /* nothing that a comparison has to say */
	compare(&m, seed, 1000);
	kernel_routes_free(m.kr);
}

/* ---- a dump in parts, while routes change ---------------------------------------------------------------------------- */

static void some_changes(struct model *m)
{
	for (u32 i = model_below(m, 3); i > 0; i--) {
		if (model_below(m, 2))
			model_add_random(m);
		else if (m->n)
			model_del(m, model_below(m, m->n));
	}
}

/* A part is read, and then queued: what is told between is before it in the queue. */
static u64 dump_changing(struct model *m, u8 family)
{
	struct model_reader r = {.family = family, .version = m->version6};
	static struct mirror_route part[4];
	struct kernel_dump_result result;

	kernel_routes_dump_begin(m->kr, family);
	while (!r.done) {
		u32 n = model_part_read(m, &r, 1 + model_below(m, 4), part);

		some_changes(m);
		kernel_routes_dump_part(m->kr);
		for (u32 i = 0; i < n; i++)
			assert_int_equal(kernel_routes_dump_route(m->kr, &part[i]), 0);
		some_changes(m);
	}
	assert_int_equal(kernel_routes_dump_end(m->kr, true, &result), 0);
	return result.n_changed + result.n_gone;
}

static void history_dumped(u64 seed)
{
	struct model m = {.rng = seed * 0x9e3779b97f4a7c15ull + 1};

	memset(given, 0, sizeof(given));
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	for (u32 i = 1; i <= MODEL_LINKS; i++) {
		m.up[i] = m.carrier[i] = true;
		model_link_tell(&m, i);
	}
	for (u32 step = 0; step < 60; step++) {
		u64 found;

		m.unclear = false;
		some_changes(&m);
		found = dump_changing(&m, step % 2 ? FIB_IP4 : FIB_IP6);
		kernel_routes_dump_settled(m.kr);
		if (found && !m.unclear)
			fail_msg("seed %llu step %u: found what was told", (unsigned long long)seed,
				 step);
		if (m.unclear)
			dump_all(&m);
		compare(&m, seed, step);
	}
	kernel_routes_free(m.kr);
}

static u64 seed_first(void)
{
	const char *text = getenv("DWCP_TEST_SEED");

	return text ? strtoull(text, NULL, 0) : (u64)time(NULL);
}

static void test_followed(void **state)
{
	u64 seed = seed_first();

	(void)state;
	print_message("DWCP_TEST_SEED=%llu\n", (unsigned long long)seed);
	for (u32 i = 0; i < 300; i++)
		history_run(seed + i, false);
}

static void test_dumped_while_changing(void **state)
{
	u64 seed = seed_first();

	(void)state;
	for (u32 i = 0; i < 300; i++)
		history_dumped(seed + i);
}

static void test_lost_and_dumped(void **state)
{
	u64 seed = seed_first();

	(void)state;
	for (u32 i = 0; i < 300; i++)
		history_run(seed + i, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_followed),
		cmocka_unit_test(test_dumped_while_changing),
		cmocka_unit_test(test_lost_and_dumped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
