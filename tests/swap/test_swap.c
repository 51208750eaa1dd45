/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_swap.c - full tables swapped under a free-running generator, by the real agent in the real dataplane: runs with and
 * without swaps in turn. Nothing lost (or the scheduler's own doing, see memif_lab_lossless()), each packet forwarded by a
 * table that was in force between its sending and its arrival, then one route at a time, times of both, bytes sent, and
 * memory back where it was. $DWCP_TEST_FULL: 200 swaps instead of 4; $DWCP_SWAPS: as many as it says, 2 to 200.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"

#define RATE_PPS      200000
#define TABLES_MAX    256
#define ADOPT_WAIT_MS 60000
#define SAMPLES_MAX   512
#define PUBLISH_US    50000 /* a change is in force within this */

struct samples {
	u32 n;
	json_int_t v[SAMPLES_MAX];
};

static struct lab lab;
static const struct memif_cfg memif_cfg = {.idle = "poll"};
static u32 n_swaps, n_rounds, n_single;
static u32 next_table = 1; /* K of the next one */
static struct {
	u64 generation, swapped_ns, replaced_ns;
} live[TABLES_MAX]; /* by K */
static u32 last_k;
static json_int_t mapped_baseline;
static u32 fds_baseline;
static json_int_t median_us; /* of the figures printed last */

static json_int_t dataplane_at(const char *path, const char *a, const char *b)
{
	json_t *o = api_get(&lab, "dataplane.sock", path);
	json_int_t v = o ? json_at(o, a, b) : -1;

	json_decref(o);
	return v;
}

static json_int_t generation_now(void)
{
	return dataplane_at("/v1/status", "generation", NULL);
}

struct wait_generation {
	json_int_t at_least;
};

/* Its answer has been sent: every worker has left the table before. */
static bool generation_settled(void *arg)
{
	struct wait_generation *w = arg;
	json_t *o = api_get(&lab, "dataplane.sock", "/v1/tables/history?limit=1");
	const json_t *row = o ? json_array_get(json_object_get(o, "history"), 0) : NULL;
	bool settled = row && json_at(row, "generation", NULL) >= w->at_least;

	json_decref(o);
	return settled;
}

static void wait_generation(json_int_t at_least)
{
	struct wait_generation w = {at_least};

	if (wait_until(generation_settled, &w, ADOPT_WAIT_MS))
		return;
	proc_print_log(&lab.agent);
	fail_msg("generation %lld was not adopted", (long long)at_least);
}

/* The times of the newest generation, which carries table K. */
static void live_record(u32 k)
{
	json_t *o = api_get(&lab, "dataplane.sock", "/v1/tables/history?limit=1");
	const json_t *row = o ? json_array_get(json_object_get(o, "history"), 0) : NULL;

	assert_non_null(row);
	assert_string_equal(json_string_value(json_object_get(row, "result")), "adopted");
	live[k].generation = (u64)json_at(row, "generation", NULL);
	live[k].swapped_ns = (u64)json_at(row, "swapped_ns", NULL);
	live[k].replaced_ns = UINT64_MAX;
	if (k)
		live[k - 1].replaced_ns = (u64)json_at(row, "quiescent_ns", NULL);
	last_k = k;
	json_decref(o);
}

static void swap_table(u32 k)
{
	json_int_t before = generation_now();
	int status;

	memif_lab_routes(&lab, &memif_cfg, k, "next.routes");
	assert_int_equal(rename(lab_path(&lab, "next.routes"), lab.routes), 0);
	json_decref(api_call(&lab, "agent.sock", "POST", "/v1/config/reload", -1, NULL, &status));
	assert_int_equal(status, 200);
	wait_generation(before + 1);
	live_record(k);
}

/* ---- figures ---------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	json_int_t x = *(const json_int_t *)a, y = *(const json_int_t *)b;

	return (x > y) - (x < y);
}

static void samples_print(struct samples *s, const char *what, const char *unit)
{
	if (s->n == 0)
		return;
	qsort(s->v, s->n, sizeof(s->v[0]), compare);
	printf("  %-44s p50 %lld, p99 %lld, max %lld %s (n = %u)\n", what,
	       (long long)s->v[s->n / 2], (long long)s->v[(s->n * 99 - 1) / 100],
	       (long long)s->v[s->n - 1], unit, s->n);
}

static void samples_add(struct samples *s, json_int_t v)
{
	if (s->n < SAMPLES_MAX)
		s->v[s->n++] = v;
}

/* Agent's history of the last n publishes. Return: the most bytes that one of them sent. */
static json_int_t history_figures(u32 n, const char *what)
{
	static struct samples total, build, send, check, quiesce, bytes;
	json_t *o = api_get(&lab, "agent.sock", "/v1/tables/history?limit=256"), *row;
	char text[64];
	json_int_t most = 0;
	size_t i;

	assert_non_null(o);
	total.n = build.n = send.n = check.n = quiesce.n = bytes.n = 0;
	json_array_foreach (json_object_get(o, "history"), i, row) {
		if (i >= n)
			break;
		assert_string_equal(json_string_value(json_object_get(row, "result")), "adopted");
		samples_add(&total, json_at(row, "event_to_adopted_us", NULL));
		samples_add(&build, json_at(row, "build_us", NULL));
		samples_add(&send, json_at(row, "send_us", NULL));
		samples_add(&check, json_at(row, "validate_us", NULL));
		samples_add(&quiesce, json_at(row, "quiesce_us", NULL));
		samples_add(&bytes, json_at(row, "bytes_sent", NULL));
		most = DWCP_MAX(most, json_at(row, "bytes_sent", NULL));
	}
	json_decref(o);
	snprintf(text, sizeof(text), "%s: last input event to adopted", what);
	samples_print(&total, text, "us");
	median_us = total.v[total.n / 2];
	samples_print(&build, "    of it building", "us");
	samples_print(&send, "    sending", "us");
	samples_print(&check, "    checking and mapping", "us");
	samples_print(&quiesce, "    until every worker had moved", "us");
	samples_print(&bytes, "    bytes sent", "bytes");
	return most;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void test_start(void **state)
{
	memif_lab_config(&lab, &memif_cfg);
	memif_lab_dataplane(&lab);
	memif_lab_agent(&lab);
	wait_generation(1);
	live_record(0);
	mapped_baseline = dataplane_at("/v1/status", "tables", "mapped_bytes");
	assert_true(mapped_baseline > 0);
	sleep_ms(1500);
	fds_baseline = proc_n_fds(&lab.dataplane);
}

/* Packets of table k came between its swap and the next one's last quiescence. */
static void check_live(const json_t *result, u32 k_first)
{
	json_t *row;
	size_t i;

	assert_true(json_array_size(json_object_get(result, "tables")) > 0);
	assert_int_equal(json_at(result, "alien_nexthop", NULL), 0);
	json_array_foreach (json_object_get(result, "tables"), i, row) {
		/* the generator counts from what it saw first, modulo the number of next hops */
		u32 k = (u32)json_at(row, "k", NULL);
		u64 first = (u64)json_at(row, "first_arrival_ns", NULL);
		u64 last = (u64)json_at(row, "last_sent_ns", NULL);

		k += k_first / 64 * 64;
		assert_true(k <= last_k);
		if (first < live[k].swapped_ns || last > live[k].replaced_ns)
			fail_msg("table %u: in force %lu … %lu, but a packet arrived at %lu or was "
				 "sent at %lu",
				 k, live[k].swapped_ns, live[k].replaced_ns, first, last);
	}
}

static void run_without(void)
{
	json_t *r;

	memif_lab_generator(&lab, RATE_PPS, 5);
	r = memif_lab_result(&lab, 20000);
	assert_non_null(r);
	printf("  without swaps:\n");
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS));
	check_live(r, last_k);
	json_decref(r);
}

static void run_with(u32 swaps)
{
	u32 k_first = last_k;
	json_t *r;

	memif_lab_generator(&lab, RATE_PPS, 3600);
	for (u32 i = 0; i < swaps; i++)
		swap_table(next_table++);
	proc_signal(&lab.generator, SIGTERM);
	r = memif_lab_result(&lab, 20000);
	assert_non_null(r);
	printf("  with %u swaps:\n", swaps);
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS));
	assert_true(json_array_size(json_object_get(r, "tables")) >= swaps);
	check_live(r, k_first);
	json_decref(r);
}

static void test_swaps(void **state)
{
	for (u32 i = 0; i < n_rounds; i++) {
		run_without();
		run_with(n_swaps / n_rounds);
	}
	history_figures(n_swaps, "full table");
	assert_int_equal(memif_lab_accounting(&lab), 0);
}

static s64 revision_now(void)
{
	json_t *o = api_get(&lab, "agent.sock", "/v1/status");
	s64 r = o ? json_at(o, "intent_revision", NULL) : -1;

	json_decref(o);
	return r;
}

/* One route more, one less, under traffic. */
static void test_one_route(void **state)
{
	json_int_t most;
	json_t *r;
	int status;

	memif_lab_generator(&lab, RATE_PPS, 3600);
	for (u32 i = 0; i < n_single; i++) {
		json_int_t before = generation_now();
		char path[128], body[160];

		snprintf(body, sizeof(body),
			 "{\"prefix\": \"198.18.%u.0/24\", \"type\": \"unicast\", \"paths\": "
			 "[{\"gateway\": \"10.0.2.%u\"}]}",
			 i / 2 % 256, 16 + i % 64);
		snprintf(path, sizeof(path), "/v1/routes?prefix=198.18.%u.0/24", i / 2 % 256);
		json_decref(api_call(&lab, "agent.sock", i % 2 ? "DELETE" : "PUT",
				     i % 2 ? path : "/v1/routes", revision_now(),
				     i % 2 ? NULL : body, &status));
		assert_int_equal(status, 200);
		wait_generation(before + 1);
	}
	proc_signal(&lab.generator, SIGTERM);
	r = memif_lab_result(&lab, 20000);
	assert_non_null(r);
	printf("  with %u changes of one route:\n", n_single);
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS));
	json_decref(r);
	most = history_figures(n_single, "one route");
	assert_true(median_us <= PUBLISH_US);
	assert_true(most > 0 && most <= 1 << 20);
}

/* An agent that starts anew builds the first table as the first one did: what is mapped and open is what was then. */
static void test_memory_back(void **state)
{
	json_int_t before = generation_now(), mapped, staged;
	u32 fds;

	proc_stop(&lab.agent, SIGTERM, 5000);
	memif_lab_routes(&lab, &memif_cfg, 0, "next.routes");
	assert_int_equal(rename(lab_path(&lab, "next.routes"), lab.routes), 0);
	memif_lab_agent(&lab);
	wait_generation(before + 1);
	sleep_ms(1500); /* the store thread has its file open for a moment */
	mapped = dataplane_at("/v1/status", "tables", "mapped_bytes");
	staged = dataplane_at("/v1/status", "tables", "staged_bytes");
	fds = proc_n_fds(&lab.dataplane);
	printf("  mapped %lld bytes, at the beginning %lld; staged %lld; open fds %u, at the "
	       "beginning %u\n",
	       (long long)mapped, (long long)mapped_baseline, (long long)staged, fds, fds_baseline);
	assert_int_equal(mapped, mapped_baseline);
	assert_int_equal(staged, 0);
	assert_true(fds <= fds_baseline + 4);
}

/* Two workers, each with queues of its own, asleep when there is nothing: swaps wait for both, nothing is lost. */
static void test_two_workers(void **state)
{
	static const struct memif_cfg two = {.idle = "adaptive",
					     .n_prefixes = 2000,
					     .n_workers = 2};
	json_t *r, *stats;
	const json_t *w;
	size_t i;

	lab_close(&lab);
	lab_open(&lab, "swap2");
	memif_lab_config(&lab, &two);
	memif_lab_dataplane(&lab);
	memif_lab_agent(&lab);
	wait_generation(1);
	memif_lab_generator(&lab, RATE_PPS / 2, 3600);
	for (u32 k = 1; k <= 10; k++) {
		json_int_t before = generation_now();

		memif_lab_routes(&lab, &two, k, "table.routes");
		proc_signal(&lab.agent, SIGHUP);
		wait_generation(before + 1);
	}
	proc_signal(&lab.generator, SIGTERM);
	r = memif_lab_result(&lab, 20000);
	assert_non_null(r);
	printf("  two workers, adaptive, 10 swaps:\n");
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS / 2));
	assert_true(json_array_size(json_object_get(r, "tables")) >= 10);
	assert_int_equal(memif_lab_accounting(&lab), 0);
	stats = api_get(&lab, "dataplane.sock", "/v1/stats");
	assert_int_equal(json_array_size(json_object_get(stats, "workers")), 2);
	json_array_foreach (json_object_get(stats, "workers"), i, w) {
		assert_true(json_at(w, "packets", NULL) > 0);
		assert_true(json_at(w, "sleeps", NULL) > 0);
	}
	json_decref(stats);
	json_decref(r);
}

static void counts_choose(void)
{
	const char *wanted = getenv("DWCP_SWAPS");
	unsigned long n = wanted ? strtoul(wanted, NULL, 10) : 0;

	n_swaps = test_full() ? 200 : 4;
	n_rounds = test_full() ? 8 : 1;
	n_single = test_full() ? 200 : 20;
	if (n < 2 || n > 200)
		return;
	n_rounds = 2;
	n_swaps = (u32)n / n_rounds * n_rounds;
	n_single = DWCP_MAX(n_swaps, 50u);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),	    cmocka_unit_test(test_swaps),
		cmocka_unit_test(test_one_route),   cmocka_unit_test(test_memory_back),
		cmocka_unit_test(test_two_workers),
	};
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	counts_choose();
	printf("swaps: %u of 200, single routes: %u of 200\n", n_swaps, n_single);
	programs_init(argc, argv);
	lab_open(&lab, "swap");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		proc_print_log(&lab.dataplane);
	lab_close(&lab);
	return failed;
}
