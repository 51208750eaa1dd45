/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_engine.c - packets in → packets out + verdict + counter, through the whole path: every row of the packet table,
 * alone and in mixed bursts; every drop reason; the accounting invariant after each test.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine.h"
#include "rows.h"

static const char config[] =
	"node: { name = \"t\"; state_dir = \"/tmp\"; run_dir = \"/tmp\"; };\n"
	"dataplane: { workers = [0]; sample_shift = 1; icmp: { errors_pps = 0; }; memory: { "
	"huge_pages = \"off\"; size_mb = "
	"64; mbufs = 4096; }; };\n"
	"ports: ( { name = \"p0\"; device = \"ring\"; addresses = [ \"192.0.4.1/24\" ]; rx_ring = "
	"512; tx_ring = 512; },\n"
	"  { name = \"p1\"; device = \"ring\"; rx_ring = 512; tx_ring = 512;\n"
	"    addresses = [ \"192.0.2.1/24\", \"2001:db8:f::1/64\" ]; },\n"
	"  { name = \"p2\"; device = \"ring\"; rx_ring = 512; tx_ring = 512; mtu = 576; addresses "
	"= [ \"192.0.3.1/24\" ]; },\n"
	"  { name = \"any\"; device = \"ring\"; rx_ring = 512; tx_ring = 512; promiscuous = true; "
	"} );\n"
	"neighbours: (\n"
	"  { port = \"p1\"; address = \"192.0.2.2\"; mac = \"02:00:00:00:02:02\"; },\n"
	"  { port = \"p1\"; address = \"2001:db8:f::2\"; mac = \"02:00:00:00:02:06\"; },\n"
	"  { port = \"p1\"; address = \"192.0.2.3\"; mac = \"02:00:00:00:02:03\"; svlan = 200; "
	"vlan = 100; },\n"
	"  { port = \"p2\"; address = \"192.0.3.2\"; mac = \"02:00:00:00:03:02\"; } );\n"
	"routes: ( { prefix = \"0.0.0.0/0\"; gateway = \"192.0.2.2\"; }, { prefix = \"::/0\"; "
	"gateway = \"2001:db8:f::2\"; },\n"
	"  { prefix = \"100.64.0.0/24\"; type = \"blackhole\"; }, { prefix = \"100.64.1.0/24\"; "
	"type = \"unreachable\"; },\n"
	"  { prefix = \"100.64.2.0/24\"; type = \"prohibit\"; }, { prefix = \"100.64.3.0/24\"; "
	"gateway = \"192.0.2.99\"; },\n"
	"  { prefix = \"100.64.4.0/24\"; gateway = \"192.0.3.2\"; }, { prefix = \"100.64.5.0/24\"; "
	"gateway = \"192.0.2.3\";\n"
	"    vlan = 100; svlan = 200; },\n"
	"  { prefix = \"100.64.6.0/24\"; paths = ( { gateway = \"192.0.2.2\"; }, { gateway = "
	"\"192.0.3.2\"; } ); } );\n";

static struct engine engine;
static bool reached[DROP_N_REASONS];

static void note_reached(struct engine *e)
{
	for (u32 i = 0; i < DROP_N_REASONS; i++)
		reached[i] |= engine_drops(e, i) > 0;
}

static u32 port_of(const struct row *row)
{
	return row->promiscuous ? 3 : 0;
}

/* The rows know no MTU: what none of our ports takes is dropped for that. */
static u32 verdict_of(const struct row *row)
{
	return row->verdict == VERDICT_PASS && row->frame_len > 1600
		       ? VERDICT_DROP(DROP_MTU_EXCEEDED)
		       : row->verdict;
}

/* Rows leave by default routes; what a default route can't take is a verdict of the row. */
static void test_rows_alone(void **state)
{
	struct engine *e = *state;
	struct row_set *set = rows_create();
	u32 passed = 0;

	assert_true(set->n >= 500);
	for (u32 i = 0; i < set->n; i++) {
		const struct row *r = &set->row[i];
		struct rte_mbuf *m = engine_mbuf(e, r->bytes, r->seg_len, r->frame_len), *out;
		u32 verdict = verdict_of(r), reason = verdict - VERDICT_DROP_BASE;
		u64 before = engine_drops_all(e),
		    of_reason = verdict == VERDICT_PASS ? 0 : engine_drops(e, reason);

		engine_burst(e, port_of(r), &m, 1);
		out = engine_sent(e, 1);
		if (verdict != VERDICT_PASS) {
			if (out || engine_drops(e, reason) != of_reason + 1)
				fail_msg("row '%s': expected drop %s", r->name,
					 row_verdict_name(verdict));
			assert_int_equal(engine_drops_all(e), before + 1);
			continue;
		}
		if (!out)
			fail_msg("row '%s': expected to be sent", r->name);
		assert_memory_equal(rte_pktmbuf_mtod(out, u8 *) + 6, e->dp.port[1].mac, 6);
		passed++;
		rte_pktmbuf_free(out);
	}
	print_message("engine: %u rows, %u passed\n", set->n, passed);
	assert_true(passed > 20);
	rows_free(set);
	note_reached(e);
	engine_check_accounting(e);
}

/* The same rows in bursts of every size, the dead among the living: order and neighbours must not matter. */
static void test_rows_mixed(void **state)
{
	struct engine *e = *state;
	struct row_set *set = rows_create();
	u64 expect[DROP_N_REASONS] = {0}, got[DROP_N_REASONS], expect_sent = 0, sent = 0;
	u32 next = 0, size = 1;

	for (u32 i = 0; i < DROP_N_REASONS; i++)
		got[i] = engine_drops(e, i);
	while (next < 4 * set->n) {
		struct rte_mbuf *burst[BURST_MAX], *out;
		u32 n = 0;

		for (; n < size && next < 4 * set->n; next++) {
			const struct row *r = &set->row[(next * 7919u) % set->n];

			if (r->promiscuous)
				continue;
			burst[n++] = engine_mbuf(e, r->bytes, r->seg_len, r->frame_len);
			if (verdict_of(r) == VERDICT_PASS)
				expect_sent++;
			else
				expect[verdict_of(r) - VERDICT_DROP_BASE]++;
		}
		engine_burst(e, 0, burst, n);
		while ((out = engine_sent(e, 1)) != NULL) {
			sent++;
			rte_pktmbuf_free(out);
		}
		size = size % BURST_MAX + 1;
	}
	assert_int_equal(sent, expect_sent);
	for (u32 i = 0; i < DROP_N_REASONS; i++)
		assert_int_equal(engine_drops(e, i) - got[i], expect[i]);
	rows_free(set);
	engine_check_accounting(e);
}

static void udp4(struct packet_build *b, u32 dst, u32 payload)
{
	build_eth(b);
	build_ip4(b);
	be32_store(b->bytes + b->l3 + 16, dst);
	build_udp(b);
	build_payload(b, payload);
	build_fix(b);
}

static void expect_drop(struct engine *e, u32 dst, u32 payload, enum drop_reason reason)
{
	static struct packet_build b;
	struct rte_mbuf *m;
	u64 before = engine_drops(e, reason);

	udp4(&b, dst, payload);
	b.bytes[b.l3 + 6] = 0x40; /* DF: what is too large dies */
	build_fix_checksum(&b);
	m = engine_mbuf(e, b.bytes, b.len, b.len);
	engine_burst(e, 0, &m, 1);
	assert_int_equal(engine_drops(e, reason), before + 1);
}

static void test_route_reasons(void **state)
{
	struct engine *e = *state;
	struct fib_prefix all = {.family = FIB_IP4};

	expect_drop(e, 0x64400001, 18, DROP_BLACKHOLE);
	expect_drop(e, 0x64400101, 18, DROP_UNREACHABLE);
	expect_drop(e, 0x64400201, 18, DROP_PROHIBIT);
	expect_drop(e, 0x64400301, 18, DROP_UNRESOLVED);
	expect_drop(e, 0xc0000263, 18, DROP_UNRESOLVED); /* on link, nobody known there */
	expect_drop(e, 0xc0000201, 18, DROP_TO_HOST);
	expect_drop(e, 0x64400401, 600, DROP_MTU_EXCEEDED);
	assert_int_equal(rib_route_del(e->rib, RIB_STATIC, &all), 0);
	engine_publish(e);
	expect_drop(e, BUILD_DST4, 18, DROP_NO_ROUTE);
	assert_int_equal(rib_route_set(e->rib, RIB_STATIC, &e->cfg->routes[0]), 0);
	engine_publish(e);
	note_reached(e);
	engine_check_accounting(e);
}

static void test_no_table(void **state)
{
	struct engine *e = *state;

	e->dp.gen = NULL;
	expect_drop(e, BUILD_DST4, 18, DROP_NO_TABLE);
	e->dp.gen = e->gen;
	note_reached(e);
	engine_check_accounting(e);
}

static void test_tx_reasons(void **state)
{
	static struct packet_build b;
	struct engine *e = *state;
	u64 before = engine_drops(e, DROP_TX_FULL);

	e->dp.port[1].up = 0;
	expect_drop(e, BUILD_DST4, 18, DROP_TX_PORT_DOWN);
	e->dp.port[1].up = 1;
	udp4(&b, BUILD_DST4, 18);
	for (u32 i = 0; i < 40; i++) {
		struct rte_mbuf *burst[BURST_MAX];

		for (u32 k = 0; k < BURST_MAX; k++)
			burst[k] = engine_mbuf(e, b.bytes, b.len, b.len);
		engine_burst(e, 0, burst, BURST_MAX);
	}
	assert_true(engine_drops(e, DROP_TX_FULL) > before);
	note_reached(e);
	engine_check_accounting(e);
}

static void test_tags(void **state)
{
	static struct packet_build b;
	struct engine *e = *state;
	struct rte_mbuf *m, *out;
	const u8 *f;

	udp4(&b, 0x64400501, 18);
	m = engine_mbuf(e, b.bytes, b.len, b.len);
	engine_burst(e, 0, &m, 1);
	out = engine_sent(e, 1);
	assert_non_null(out);
	assert_int_equal(out->pkt_len, b.len + 8);
	f = rte_pktmbuf_mtod(out, const u8 *);
	assert_memory_equal(f, "\x02\x00\x00\x00\x02\x03", 6);
	assert_int_equal(be16_load(f + 12), 0x88a8);
	assert_int_equal(be16_load(f + 14), 200);
	assert_int_equal(be16_load(f + 16), 0x8100);
	assert_int_equal(be16_load(f + 18), 100);
	assert_int_equal(be16_load(f + 20), 0x0800);
	rte_pktmbuf_free(out);

	m = engine_mbuf(e, b.bytes, b.len, b.len);
	memmove(rte_pktmbuf_mtod(m, u8 *) - RTE_PKTMBUF_HEADROOM, rte_pktmbuf_mtod(m, u8 *), b.len);
	m->data_off = 0;
	engine_burst(e, 0, &m, 1);
	assert_int_equal(engine_drops(e, DROP_NO_HEADROOM), 1);
	note_reached(e);
	engine_check_accounting(e);
}

/* Flows of a group stay on their member; both members are used; losing one moves only its flows. */
static void test_ecmp(void **state)
{
	static struct packet_build b;
	static u8 member[512];
	struct engine *e = *state;
	struct fib_prefix group = e->cfg->routes[8].prefix;
	struct route_cfg one = e->cfg->routes[8];
	u32 count[4] = {0};

	assert_int_equal(prefix_parse("100.64.6.0/24", &group), 0);
	for (u32 pass = 0; pass < 3; pass++) {
		if (pass == 2) { /* only the second member is left */
			one.paths++;
			one.n_paths = 1;
			assert_int_equal(rib_route_set(e->rib, RIB_STATIC, &one), 0);
			engine_publish(e);
		}
		for (u32 i = 0; i < DWCP_ARRAY_LEN(member); i++) {
			struct rte_mbuf *m, *out;
			u8 at;

			udp4(&b, 0x64400600, 18);
			be16_store(b.bytes + b.l4, (u16)(1024 + i));
			m = engine_mbuf(e, b.bytes, b.len, b.len);
			engine_burst(e, 0, &m, 1);
			out = engine_sent(e, 1);
			at = out ? 1 : 2;
			if (!out)
				out = engine_sent(e, 2);
			assert_non_null(out);
			rte_pktmbuf_free(out);
			if (pass == 1)
				assert_int_equal(at, member[i]);
			if (pass == 2)
				assert_int_equal(at, 2);
			member[i] = at;
			count[at] += pass == 0;
		}
	}
	print_message("engine: ecmp members %u and %u of %zu flows\n", count[1], count[2],
		      DWCP_ARRAY_LEN(member));
	assert_in_range(count[1], DWCP_ARRAY_LEN(member) / 4, 3 * DWCP_ARRAY_LEN(member) / 4);
	assert_int_equal(rib_route_set(e->rib, RIB_STATIC, &e->cfg->routes[8]), 0);
	engine_publish(e);
	engine_check_accounting(e);
}

/* Jumbo frames in segments: only the first is touched, all of it leaves. */
static void test_segments(void **state)
{
	static struct packet_build b;
	struct engine *e = *state;
	u32 frame_len = 1400;
	struct rte_mbuf *m, *out;

	udp4(&b, BUILD_DST4, frame_len - 42);
	m = engine_mbuf(e, b.bytes, 64, frame_len);
	engine_burst(e, 0, &m, 1);
	out = engine_sent(e, 1);
	assert_non_null(out);
	assert_int_equal(out->pkt_len, frame_len);
	assert_int_equal(out->nb_segs, 3);
	rte_pktmbuf_free(out);
	engine_check_accounting(e);
}

/* The event of an unresolved next hop names the next hop and the destination, in network order. */
static void test_unresolved_event(void **state)
{
	static const u8 dst[4] = {100, 64, 3, 1};
	struct engine *e = *state;
	struct dwcp_event event;
	u32 found = 0;

	while (dwcp_ring_pop(&e->dp.rings->ring[1], &e->dp.tails[1], &event)) {
		if (event.type != DWCP_EVENT_UNRESOLVED || memcmp(event.data, dst, 4) != 0)
			continue;
		found++;
		assert_int_equal(event.family, FIB_IP4);
		assert_true(event.a < e->gen->n_nexthop);
		assert_int_equal(e->gen->nexthop[event.a].type, DWCP_NEXTHOP_UNRESOLVED);
		assert_int_equal(e->gen->nexthop[event.a].id, event.b);
	}
	assert_true(found > 0);
}

/* Padding far past the packet: it counts for no MTU, and does not leave by a port that it would not fit. */
static void test_padding(void **state)
{
	static struct packet_build b;
	struct engine *e = *state;

	udp4(&b, 0x64400401, 18);
	for (u32 seg_len = 64; seg_len <= 1200; seg_len += 1136) {
		static u8 frame[1200];
		struct rte_mbuf *m, *out;

		memset(frame, 0xee, sizeof(frame));
		memcpy(frame, b.bytes, b.len);
		m = engine_mbuf(e, frame, seg_len, sizeof(frame));
		engine_burst(e, 0, &m, 1);
		out = engine_sent(e, 2);
		assert_non_null(out);
		assert_int_equal(out->pkt_len, b.len);
		assert_int_equal(out->data_len, b.len);
		assert_int_equal(out->nb_segs, 1);
		rte_pktmbuf_free(out);
	}
	engine_check_accounting(e);
}

/* A checksum that the NIC says is good is not looked at again; without its word a wrong one is dropped. */
static void test_checksum_offload(void **state)
{
	static struct packet_build b;
	struct engine *e = *state;
	u64 before = engine_drops(e, DROP_IP4_CHECKSUM);

	udp4(&b, BUILD_DST4, 18);
	b.bytes[b.l3 + 10] ^= 0x55;
	for (u32 verified = 0; verified < 2; verified++) {
		struct rte_mbuf *m = engine_mbuf(e, b.bytes, b.len, b.len), *out;

		m->ol_flags |= verified ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0;
		engine_burst(e, 0, &m, 1);
		out = engine_sent(e, 1);
		assert_int_equal(out != NULL, verified);
		rte_pktmbuf_free(out);
	}
	assert_int_equal(engine_drops(e, DROP_IP4_CHECKSUM), before + 1);
	engine_check_accounting(e);
}

/* Their tests are test_host.c's, which has twins. */
static bool reached_elsewhere(u32 reason)
{
	return reason == DROP_L2_VLAN || reason == DROP_HOST_POLICED || reason == DROP_HOST_FULL;
}

static void test_every_reason_reached(void **state)
{
	static const char *const name[] = {
#define X(n, text) #n,
		DWCP_DROP_REASONS(X)
#undef X
	};
	u32 missing = 0;

	for (u32 i = 0; i < DROP_N_REASONS; i++) {
		if (reached[i] || reached_elsewhere(i))
			continue;
		print_error("engine: no test causes %s\n", name[i]);
		missing++;
	}
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_rows_alone, &engine),
		cmocka_unit_test_prestate(test_rows_mixed, &engine),
		cmocka_unit_test_prestate(test_route_reasons, &engine),
		cmocka_unit_test_prestate(test_no_table, &engine),
		cmocka_unit_test_prestate(test_tx_reasons, &engine),
		cmocka_unit_test_prestate(test_tags, &engine),
		cmocka_unit_test_prestate(test_ecmp, &engine),
		cmocka_unit_test_prestate(test_segments, &engine),
		cmocka_unit_test_prestate(test_unresolved_event, &engine),
		cmocka_unit_test_prestate(test_padding, &engine),
		cmocka_unit_test_prestate(test_checksum_offload, &engine),
		cmocka_unit_test(test_every_reason_reached),
	};
	int failed;

	engine_open(&engine, config);
	for (u32 i = 0; i < engine.dp.n_ports; i++) {
		/* the rows are for this MAC */
		struct parse_cfg *p = &engine.dp.port[i].parse;

		memcpy(p->mac, build_our_mac, 6);
	}
	engine_publish(&engine);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	engine_close(&engine);
	return failed;
}
