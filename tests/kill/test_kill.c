/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kill.c - kill -9. The agent at random instants, while it publishes too: nothing is lost and the right table is in
 * force ≤ 2 s after its restart. The dataplane: it forwards again without any agent, from the file and from the fds that a
 * service manager kept, and says in how many milliseconds. $DWCP_TEST_FULL: 100 and 20 kills instead of 8 and 3.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <dwcp/util/checksum.h>
#include <dwcp/util/config.h>

#include "fdstore.h"
#include "harness.h"
#include "swap_probe.h"

#define RATE_PPS	 100000
#define N_PREFIXES	 20000
#define RIGHT_TABLE_MS	 2000
#define WAIT_MS		 30000
#define FORWARD_AGAIN_MS 10000

static struct lab lab;
static const struct memif_cfg memif_cfg = {.idle = "poll", .n_prefixes = N_PREFIXES};
static const struct memif_cfg capture_cfg = {.idle = "poll",
					     .n_prefixes = N_PREFIXES,
					     .capture = true};
static struct swap_probe probe; /* any one: its next hop names the table */
static u32 n_agent_kills, n_dataplane_kills, n_peer_kills;
static u64 rng = 20261121;

static u32 random_below(u32 n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (u32)((rng >> 33) % n);
}

/* ---- which table is in force? ------------------------------------------------------------------------------------- */

static int table_in_force(void)
{
	struct fib_addr a = {probe.hi, probe.lo};
	char text[ADDR_TEXT_MAX], path[160];
	const char *mac;
	unsigned int j;
	json_t *o;

	snprintf(path, sizeof(path), "/v1/routes/lookup?address=%s",
		 addr_format((u8)probe.family, &a, text, sizeof(text)));
	o = api_get(&lab, "dataplane.sock", path);
	mac = json_string_value(
		json_object_get(json_array_get(json_object_get(o, "paths"), 0), "mac"));
	if (!mac || sscanf(mac, "02:00:00:00:01:%x", &j) != 1)
		j = UINT32_MAX;
	json_decref(o);
	return j == UINT32_MAX ? -1
			       : (int)((j + SWAP_N_NEXTHOPS - probe.index % SWAP_N_NEXTHOPS) %
				       SWAP_N_NEXTHOPS);
}

static bool table_is(void *arg)
{
	return table_in_force() == *(int *)arg;
}

static void probe_read(void)
{
	FILE *f = fopen(lab_path(&lab, "probes"), "re");

	assert_non_null(f);
	assert_int_equal(fread(&probe, sizeof(probe), 1, f), 1);
	fclose(f);
}

/* Six tables, made beforehand; K of the one that is in place. */
static int table_place(u32 k)
{
	char name[32], copy[1200];

	snprintf(name, sizeof(name), "table%u", k);
	snprintf(copy, sizeof(copy), "ln -f %s %s.new && mv %s.new %s", lab_path(&lab, name),
		 lab.routes, lab.routes, lab.routes);
	assert_int_equal(system(copy), 0);
	return (int)k;
}

static void test_start(void **state)
{
	int k;

	memif_lab_config(&lab, &memif_cfg);
	probe_read();
	for (u32 i = 0; i < 6; i++) {
		char name[32];

		snprintf(name, sizeof(name), "table%u", i);
		memif_lab_routes(&lab, &memif_cfg, i, name);
	}
	k = table_place(0);
	memif_lab_dataplane(&lab);
	memif_lab_agent(&lab);
	assert_true(wait_until(table_is, &k, WAIT_MS));
}

/* ---- the agent ----------------------------------------------------------------------------------------------------- */

static void test_kill_agent(void **state)
{
	u64 worst_ms = 0, while_publishing = 0;
	json_t *r;

	memif_lab_generator(&lab, RATE_PPS, 3600);
	for (u32 i = 0; i < n_agent_kills; i++) {
		int k = table_place(1 + i % 5);
		u64 restarted;
		u32 wait_us = random_below(120000);

		proc_signal(
			&lab.agent,
			SIGHUP); /* it reads, builds, sends, waits: the kill falls anywhere in that */
		usleep(wait_us);
		while_publishing += table_in_force() != k;
		proc_stop(&lab.agent, SIGKILL, 2000);
		assert_true(proc_alive(&lab.dataplane));
		restarted = now_ns();
		memif_lab_agent(&lab);
		if (!wait_until(table_is, &k, WAIT_MS)) {
			proc_print_log(&lab.agent);
			fail_msg("kill %u: table %d never came", i, k);
		}
		worst_ms = DWCP_MAX(worst_ms, (now_ns() - restarted) / 1000000u);
	}
	proc_signal(&lab.generator, SIGTERM);
	r = memif_lab_result(&lab, 20000);
	assert_non_null(r);
	printf("  %u kills of the agent, %lu of them before its table was in force; right table "
	       "after its restart: at most %lu ms\n",
	       n_agent_kills, while_publishing, worst_ms);
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS));
	assert_int_equal(memif_lab_accounting(&lab), 0);
	assert_true(while_publishing > 0); /* else the kills came too late to mean anything */
	assert_true(worst_ms <= RIGHT_TABLE_MS);
	json_decref(r);
}

/* ---- a neighbour over memif ---------------------------------------------------------------------------------------- */

/* Its rings go away under the worker's hands: without grace.c this ends in SIGSEGV sooner or later. */
static void test_kill_peer(void **state)
{
	for (u32 i = 0; i < n_peer_kills; i++) {
		memif_lab_generator(&lab, RATE_PPS, 3600);
		sleep_ms(20 + random_below(60));
		proc_stop(&lab.generator, i % 2 ? SIGKILL : SIGTERM, 3000);
		if (!proc_alive(&lab.dataplane))
			fail_msg("the dataplane died of its neighbour's death, kill %u", i);
	}
	assert_int_equal(memif_lab_accounting(&lab), 0);
	printf("  %u kills of the neighbour on both memif ports: the dataplane runs on\n",
	       n_peer_kills);
}

/* ---- the dataplane -------------------------------------------------------------------------------------------------- */

static json_int_t packets_sent(void)
{
	json_t *o = api_get(&lab, "dataplane.sock", "/v1/stats");
	json_int_t n = o ? json_at(o, "accounting", "tx") : -1;

	json_decref(o);
	return n;
}

static bool forwards(void *arg)
{
	return packets_sent() > 0;
}

static bool stored_on_disk(void *arg)
{
	json_t *o = api_get(&lab, "dataplane.sock", "/v1/status");
	bool stored = o && json_at(o, "store", "generation") == json_at(o, "generation", NULL);

	json_decref(o);
	return stored;
}

/* An Ethernet frame to the probe's prefix; a capture of it, replayed without end, is traffic that needs no peer. */
static void capture_write(const char *name, bool empty)
{
	u8 frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};
	const u32 file[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1},
		  packet[] = {0, 0, sizeof(frame), sizeof(frame)};
	FILE *f = fopen(lab_path(&lab, name), "we");

	assert_non_null(f);
	be16_store(frame + 16, 46);
	frame[22] = 64;
	frame[23] = 253; /* for experiments, RFC 3692 */
	be32_store(frame + 26, 0x0a000102);
	be32_store(frame + 30, (u32)probe.lo);
	ip4_checksum_set(frame + 14, 20);
	fwrite(file, sizeof(file), 1, f);
	if (!empty) {
		fwrite(packet, sizeof(packet), 1, f);
		fwrite(frame, sizeof(frame), 1, f);
	}
	assert_int_equal(fclose(f), 0);
}

static void kill_and_forward(struct fdstore *store, const char *from)
{
	const char *argv[] = {program("dwcp-dataplane"), "--config", lab.config, NULL};
	int k = table_in_force();
	u64 worst_ms = 0, sum_ms = 0;

	for (u32 i = 0; i < n_dataplane_kills; i++) {
		u64 killed, ms;
		char text[64];
		long log;

		fdstore_settle(store);
		log = proc_log_size(&lab.dataplane);
		killed = now_ns();
		proc_stop(&lab.dataplane, SIGKILL, 5000);
		fdstore_start(store, &lab, &lab.dataplane, "dataplane", argv);
		if (!proc_wait_log(&lab.dataplane, "control.ready", log, 20000) ||
		    !wait_until(forwards, NULL, FORWARD_AGAIN_MS)) {
			proc_print_log(&lab.dataplane);
			fail_msg("kill %u: does not forward again", i);
		}
		ms = (now_ns() - killed) / 1000000u;
		snprintf(text, sizeof(text), "from=%s", from);
		if (!proc_log_has(&lab.dataplane, text, log)) {
			proc_print_log(&lab.dataplane);
			fail_msg("kill %u: tables did not come from %s", i, from);
		}
		assert_int_equal(table_in_force(), k);
		worst_ms = DWCP_MAX(worst_ms, ms);
		sum_ms += ms;
	}
	printf("  %u kills of the dataplane: killed to forwarding again without agent, tables from "
	       "%s: mean %lu ms, at most "
	       "%lu ms\n",
	       n_dataplane_kills, from, sum_ms / n_dataplane_kills, worst_ms);
}

static void test_kill_dataplane_disk(void **state)
{
	struct fdstore none;

	assert_true(wait_until(stored_on_disk, NULL, WAIT_MS));
	proc_stop(&lab.agent, SIGTERM, 5000);
	proc_stop(&lab.dataplane, SIGTERM, 10000);
	capture_write("in.pcap", false);
	capture_write("out.pcap", true);
	memif_lab_config(&lab, &capture_cfg);
	memif_lab_dataplane(&lab);
	fdstore_open(&none, &lab);
	/* a manager that keeps nothing */
	unlink(none.path);
	kill_and_forward(&none, "disk");
	fdstore_close(&none);
}

static void test_kill_dataplane_fds(void **state)
{
	const char *argv[] = {program("dwcp-dataplane"), "--config", lab.config, NULL};
	struct fdstore store;
	long log = proc_log_size(&lab.dataplane);

	fdstore_open(&store, &lab);
	assert_int_equal(proc_stop(&lab.dataplane, SIGTERM, 10000), 0);
	fdstore_start(&store, &lab, &lab.dataplane, "dataplane", argv);
	assert_true(proc_wait_log(&lab.dataplane, "control.ready", log, 20000));
	assert_true(fdstore_settle(&store) > 4);
	unlink(lab_path(&lab, "state/generation"));
	kill_and_forward(&store, "fd_store");
	fdstore_close(&store);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_kill_agent),
		cmocka_unit_test(test_kill_peer),
		cmocka_unit_test(test_kill_dataplane_disk),
		cmocka_unit_test(test_kill_dataplane_fds),
	};
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	n_agent_kills = test_full() ? 100 : 8;
	n_dataplane_kills = test_full() ? 20 : 3;
	n_peer_kills = test_full() ? 50 : 5;
	printf("kills: agent %u of 100, dataplane %u of 20 (from disk and from kept fds each)\n",
	       n_agent_kills, n_dataplane_kills);
	programs_init(argc, argv);
	lab_open(&lab, "kill");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		proc_print_log(&lab.dataplane);
	lab_close(&lab);
	return failed;
}
