/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_icmp_engine.c - packets that can't go on, through the whole path: the error leaves by the right port for the right
 * router, in the name of the port that the packet came in by; who isn't answered; limits, on a clock of the test's; and
 * packets in pieces. The accounting holds after each test.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <icmp.h>

#include "engine.h"
#include "packet_build.h"

#define TICKS_PER_BUCKET_DRAIN 1000000000000ull

static const char config[] =
	"node: { name = \"t\"; state_dir = \"/tmp\"; run_dir = \"/tmp\"; };\n"
	"dataplane: { workers = [0]; memory: { huge_pages = \"off\"; size_mb = 64; mbufs = 4096; "
	"};\n"
	"  icmp: { errors_pps = 1000; errors_burst = 100; destination_pps = 10; destination_burst "
	"= 5; }; };\n"
	"ports: ( { name = \"in\"; device = \"ring\"; rx_ring = 512; tx_ring = 512; mtu = 9000;\n"
	"    addresses = [ \"192.0.4.1/24\", \"2001:db8:e::1/64\" ]; },\n"
	"  { name = \"out\"; device = \"ring\"; rx_ring = 512; tx_ring = 512;\n"
	"    addresses = [ \"192.0.2.1/24\", \"2001:db8:f::1/64\" ]; },\n"
	"  { name = \"small\"; device = \"ring\"; rx_ring = 512; tx_ring = 512; mtu = 1280;\n"
	"    addresses = [ \"192.0.3.1/24\", \"2001:db8:10::1/64\" ]; },\n"
	"  { name = \"bare\"; device = \"ring\"; rx_ring = 512; tx_ring = 512; },\n"
	"  { name = \"tagged\"; device = \"vlan\"; parent = \"out\"; vlan = 7; addresses = [ "
	"\"192.0.7.1/24\" ]; } );\n"
	"neighbours: ( { port = \"in\"; address = \"192.0.4.2\"; mac = \"02:00:00:00:04:02\"; },\n"
	"  { port = \"in\"; address = \"2001:db8:e::2\"; mac = \"02:00:00:00:04:06\"; },\n"
	"  { port = \"out\"; address = \"192.0.2.2\"; mac = \"02:00:00:00:02:02\"; },\n"
	"  { port = \"out\"; address = \"2001:db8:f::2\"; mac = \"02:00:00:00:02:06\"; },\n"
	"  { port = \"small\"; address = \"192.0.3.2\"; mac = \"02:00:00:00:03:02\"; },\n"
	"  { port = \"bare\"; address = \"192.0.9.9\"; mac = \"02:00:00:00:09:09\"; },\n"
	"  { port = \"small\"; address = \"2001:db8:10::2\"; mac = \"02:00:00:00:03:06\"; } );\n"
	"routes: ( { prefix = \"198.51.100.0/24\"; gateway = \"192.0.4.2\"; },\n"
	"  { prefix = \"198.18.0.0/24\"; gateway = \"192.0.9.9\"; port = \"bare\"; },\n"
	"  { prefix = \"2001:db8:1::/48\"; gateway = \"2001:db8:e::2\"; },\n"
	"  { prefix = \"203.0.113.0/24\"; gateway = \"192.0.2.2\"; },\n"
	"  { prefix = \"2001:db8:2::/48\"; gateway = \"2001:db8:f::2\"; },\n"
	"  { prefix = \"100.64.0.0/24\"; type = \"blackhole\"; },\n"
	"  { prefix = \"100.64.1.0/24\"; type = \"unreachable\"; },\n"
	"  { prefix = \"100.64.2.0/24\"; type = \"prohibit\"; },\n"
	"  { prefix = \"100.64.3.0/24\"; gateway = \"192.0.2.99\"; },\n"
	"  { prefix = \"100.64.4.0/24\"; gateway = \"192.0.3.2\"; },\n"
	"  { prefix = \"100.64.5.0/24\"; paths = ( { gateway = \"192.0.2.2\"; }, { gateway = "
	"\"192.0.3.2\"; } ); },\n"
	"  { prefix = \"2001:db8:100::/64\"; type = \"blackhole\"; },\n"
	"  { prefix = \"2001:db8:100:1::/64\"; type = \"unreachable\"; },\n"
	"  { prefix = \"2001:db8:100:2::/64\"; type = \"prohibit\"; },\n"
	"  { prefix = \"2001:db8:100:3::/64\"; gateway = \"2001:db8:f::99\"; },\n"
	"  { prefix = \"2001:db8:100:4::/64\"; gateway = \"2001:db8:10::2\"; } );\n";

enum { IN, OUT, SMALL, BARE, TAGGED };

static struct engine engine;
static struct packet_build b;
static u64 now = TICKS_PER_BUCKET_DRAIN;

static u64 test_ticks(void)
{
	return now;
}

static u64 second(const struct engine *e)
{
	return e->dp.worker[0]->tsc_hz;
}

static const struct dwcp_stats_icmp *stats(const struct engine *e)
{
	return &e->dp.worker[0]->stats->icmp;
}

/* ---- packets --------------------------------------------------------------------------------------------------- */

static void packet4(u32 dst, u32 payload, u8 ttl, bool df)
{
	build_eth(&b);
	build_ip4(&b);
	be32_store(b.bytes + b.l3 + 16, dst);
	b.bytes[b.l3 + 8] = ttl;
	b.bytes[b.l3 + 6] = df ? 0x40 : 0;
	build_udp(&b);
	build_payload(&b, payload);
	build_fix(&b);
}

/* To 2001:db8:100:<net>::9, or the usual address when net is -1. */
static void packet6(int net, u32 payload, u8 hop_limit)
{
	build_eth(&b);
	build_ip6(&b);
	b.bytes[b.l3 + 7] = hop_limit;
	if (net >= 0) {
		be32_store(b.bytes + b.l3 + 28, 0x01000000 | (u32)net);
	}
	build_udp(&b);
	build_payload(&b, payload);
	build_fix(&b);
}

static void send_it(struct engine *e, u32 port)
{
	struct rte_mbuf *m;

	/* more than one segment holds: zeros there */
	if (b.len > 1500)
		memset(b.bytes + 1500, 0, b.len - 1500);
	m = engine_mbuf(e, b.bytes, DWCP_MIN(b.len, 1500u), b.len);
	memcpy(rte_pktmbuf_mtod(m, u8 *), e->dp.port[port].mac, 6);
	engine_burst(e, port, &m, 1);
}

static void pause_long(struct engine *e)
{
	now += 100 * second(e);
}

struct error_row {
	const char *what;
	enum drop_reason reason;
	u8 family; /* 0: nothing is sent */
	u8 type, code;
	u32 rest;
};

static void nothing_else(struct engine *e)
{
	for (u32 i = IN; i <= BARE; i++)
		assert_null(engine_sent(e, i));
}

/* What left by the incoming port is that error about the packet in b, from the port's address. */
static void expect_error(struct engine *e, const struct error_row *r)
{
	static const u8 mac4[6] = {2, 0, 0, 0, 4, 2}, mac6[6] = {2, 0, 0, 0, 4, 6};
	static const u8 from4[4] = {192, 0, 4, 1};
	static const u8 from6[16] = {0x20, 1, 0xd, 0xb8, 0, 0xe, [15] = 1};
	struct rte_mbuf *m = engine_sent(e, IN);
	bool ip4 = r->family == 4;
	const u8 *f, *ip, *icmp;
	u32 quote;

	if (!r->family) {
		if (m)
			fail_msg("%s: answered", r->what);
		return;
	}
	if (!m)
		fail_msg("%s: not answered", r->what);
	f = rte_pktmbuf_mtod(m, const u8 *);
	ip = f + 14;
	icmp = ip + (ip4 ? 20 : 40);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	assert_memory_equal(f, ip4 ? mac4 : mac6, 6);
	assert_memory_equal(f + 6, e->dp.port[IN].mac, 6);
	assert_int_equal(be16_load(f + 12), ip4 ? 0x0800 : 0x86dd);
	assert_memory_equal(ip + (ip4 ? 12 : 8), ip4 ? from4 : from6, ip4 ? 4 : 16);
	assert_memory_equal(ip + (ip4 ? 16 : 24), b.bytes + b.l3 + (ip4 ? 12 : 8), ip4 ? 4 : 16);
	assert_int_equal(ip[ip4 ? 8 : 7], 64);
	if (icmp[0] != r->type || icmp[1] != r->code || be32_load(icmp + 4) != r->rest)
		fail_msg("%s: type %u code %u rest %u", r->what, icmp[0], icmp[1],
			 be32_load(icmp + 4));
	quote = m->data_len - (u32)(icmp + 8 - f);
	assert_int_equal(quote, DWCP_MIN(b.len - b.l3, ip4 ? 548u : 1232u));
	assert_memory_equal(icmp + 8, b.bytes + b.l3, quote);
	rte_pktmbuf_free(m);
}

/* The packet in b dies for the reason and is counted so; the error, if any, is counted as ours. */
static void expect(struct engine *e, const struct error_row *r)
{
	const struct dwcp_stats_worker *s = e->dp.worker[0]->stats;
	u64 drops = engine_drops(e, r->reason), all = engine_drops_all(e), ours = s->originated;

	pause_long(e);
	send_it(e, IN);
	if (engine_drops(e, r->reason) != drops + 1)
		fail_msg("%s: died of something else", r->what);
	assert_int_equal(engine_drops_all(e), all + 1);
	assert_int_equal(s->originated, ours + (r->family != 0));
	expect_error(e, r);
	nothing_else(e);
}

/* A copy of the table whose unresolved next hops were asked for in vain. */
static struct dwcp_nexthop *neighbours_failed(struct engine *e, bool failed)
{
	size_t bytes = e->gen->n_nexthop * sizeof(struct dwcp_nexthop);
	struct dwcp_nexthop *copy = malloc(bytes);

	memcpy(copy, e->gen->nexthop, bytes);
	for (u32 i = 0; i < e->gen->n_nexthop; i++)
		if (copy[i].type == DWCP_NEXTHOP_UNRESOLVED && failed)
			copy[i].flags = DWCP_NEXTHOP_FAILED;
	return copy;
}

static void errors4(void **state)
{
	struct engine *e = *state;
	const struct dwcp_nexthop *table = e->gen->nexthop;
	struct dwcp_nexthop *failed = neighbours_failed(e, true);

	packet4(BUILD_DST4, 30, 1, false);
	expect(e, &(struct error_row){"TTL 1", DROP_IP4_TTL, 4, 11, 0, 0});
	packet4(BUILD_DST4, 1400, 0, true);
	expect(e, &(struct error_row){"TTL 0", DROP_IP4_TTL, 4, 11, 0, 0});
	packet4(0x08080808, 30, 64, false);
	expect(e, &(struct error_row){"no route", DROP_NO_ROUTE, 4, 3, 0, 0});
	packet4(0x64400001, 30, 64, false);
	expect(e, &(struct error_row){"blackhole", DROP_BLACKHOLE, 0});
	packet4(0x64400101, 30, 64, false);
	expect(e, &(struct error_row){"unreachable", DROP_UNREACHABLE, 4, 3, 1, 0});
	packet4(0x64400201, 30, 64, false);
	expect(e, &(struct error_row){"prohibit", DROP_PROHIBIT, 4, 3, 13, 0});
	packet4(0x64400301, 30, 64, false);
	expect(e, &(struct error_row){"neighbour not asked yet", DROP_UNRESOLVED, 0});
	e->gen->nexthop = failed;
	expect(e, &(struct error_row){"neighbour failed", DROP_UNRESOLVED, 4, 3, 1, 0});
	e->gen->nexthop = table;
	free(failed);
	packet4(0x64400401, 1300, 64, true);
	expect(e, &(struct error_row){"DF", DROP_MTU_EXCEEDED, 4, 3, 4, 1280});
	packet4(0x7f000001, 30, 64, false);
	expect(e, &(struct error_row){"to loopback", DROP_NO_ROUTE, 0});
	engine_check_accounting(e);
}

static void errors6(void **state)
{
	struct engine *e = *state;
	const struct dwcp_nexthop *table = e->gen->nexthop;
	struct dwcp_nexthop *failed = neighbours_failed(e, true);
	static const u8 routing[6] = {0, 1};

	packet6(-1, 30, 1);
	expect(e, &(struct error_row){"hop limit 1", DROP_IP6_HOP_LIMIT, 6, 3, 0, 0});
	packet6(9, 30, 64);
	expect(e, &(struct error_row){"no route", DROP_NO_ROUTE, 6, 1, 0, 0});
	packet6(0, 30, 64);
	expect(e, &(struct error_row){"blackhole", DROP_BLACKHOLE, 0});
	packet6(1, 30, 64);
	expect(e, &(struct error_row){"unreachable", DROP_UNREACHABLE, 6, 1, 0, 0});
	packet6(2, 30, 64);
	expect(e, &(struct error_row){"prohibit", DROP_PROHIBIT, 6, 1, 1, 0});
	packet6(3, 30, 64);
	expect(e, &(struct error_row){"neighbour not asked yet", DROP_UNRESOLVED, 0});
	e->gen->nexthop = failed;
	expect(e, &(struct error_row){"neighbour failed", DROP_UNRESOLVED, 6, 1, 3, 0});
	e->gen->nexthop = table;
	free(failed);
	packet6(4, 1300, 64);
	expect(e, &(struct error_row){"too big", DROP_MTU_EXCEEDED, 6, 2, 0, 1280});

	build_eth(&b);
	build_ip6(&b);
	build_ext(&b, 43, routing, 6);
	build_udp(&b);
	build_fix(&b);
	expect(e, &(struct error_row){"routing type 0", DROP_IP6_ROUTING_0, 6, 4, 0, 42});
	engine_check_accounting(e);
}

static void options4(void **state)
{
	static const u8 bad[4] = {7, 20, 4, 0};
	struct engine *e = *state;

	build_eth(&b);
	build_ip4(&b);
	build_ip4_options(&b, bad, 4);
	build_udp(&b);
	build_fix(&b);
	expect(e, &(struct error_row){"option", DROP_IP4_OPTION, 4, 12, 0, 21u << 24});
	engine_check_accounting(e);
}

/* Rules are lib/packet's; here: that they are asked, and counted. */
static void never(void **state)
{
	struct engine *e = *state;
	u64 forbidden = stats(e)->forbidden, icmp = stats(e)->forbidden_by[ICMP_RULE_ICMP - 1],
	    later = stats(e)->forbidden_by[ICMP_RULE_LATER_FRAGMENT - 1];

	build_eth(&b);
	build_ip4(&b);
	b.bytes[b.l3 + 8] = 1;
	build_icmp(&b, 11, 0, 0);
	build_payload(&b, 30);
	build_fix(&b);
	expect(e, &(struct error_row){"an error", DROP_IP4_TTL, 0});
	assert_int_equal(stats(e)->forbidden, forbidden + 1);

	packet4(BUILD_DST4, 32, 1, false);
	build_ip4_fragment(&b, 80, true);
	build_fix_checksum(&b);
	expect(e, &(struct error_row){"later fragment", DROP_IP4_TTL, 0});
	assert_int_equal(stats(e)->forbidden, forbidden + 2);
	assert_int_equal(stats(e)->forbidden_by[ICMP_RULE_ICMP - 1], icmp + 1);
	assert_int_equal(stats(e)->forbidden_by[ICMP_RULE_LATER_FRAGMENT - 1], later + 1);
	engine_check_accounting(e);
}

/* A tagged packet, a packet in several segments, and one that stands among living ones. */
static void odd_mbufs(void **state)
{
	struct engine *e = *state;
	struct rte_mbuf *m[3], *out;

	build_eth(&b);
	build_tag(&b, 0x8100, 5);
	build_ip4(&b);
	b.bytes[b.l3 + 8] = 1;
	build_udp(&b);
	build_payload(&b, 100);
	build_fix(&b);
	expect(e, &(struct error_row){"tagged", DROP_IP4_TTL, 4, 11, 0, 0});

	pause_long(e);
	packet4(BUILD_DST4, 2000, 1, false);
	m[0] = engine_mbuf(e, b.bytes, 114, b.len);
	memcpy(rte_pktmbuf_mtod(m[0], u8 *), e->dp.port[IN].mac, 6);
	engine_burst(e, IN, m, 1);
	out = engine_sent(e, IN);
	assert_non_null(out);
	assert_int_equal(out->nb_segs, 1);
	assert_int_equal(out->pkt_len, 14 + 28 + 100); /* what lay in the first segment */
	rte_pktmbuf_free(out);

	for (u32 i = 0; i < 3; i++) {
		packet4(BUILD_DST4, 30, i == 1 ? 1 : 64, false);
		m[i] = engine_mbuf(e, b.bytes, b.len, b.len);
		memcpy(rte_pktmbuf_mtod(m[i], u8 *), e->dp.port[IN].mac, 6);
	}
	engine_burst(e, IN, m, 3);
	for (u32 i = 0; i < 2; i++) {
		out = engine_sent(e, OUT);
		assert_non_null(out);
		rte_pktmbuf_free(out);
	}
	out = engine_sent(e, IN);
	assert_non_null(out);
	rte_pktmbuf_free(out);
	nothing_else(e);
	engine_check_accounting(e);
}

/* Without an address where it came in, the one where the error leaves, then any; without a way back, nothing. */
static void source_address(void **state)
{
	static const u8 from[4] = {192, 0, 4, 1};
	struct engine *e = *state;
	struct rte_mbuf *m;
	u64 no_source = stats(e)->no_source, ours = e->dp.worker[0]->stats->originated;

	pause_long(e);
	packet4(BUILD_DST4, 30, 1, false);
	send_it(e, BARE);
	m = engine_sent(e, IN);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *) + 26, from, 4);
	rte_pktmbuf_free(m);
	assert_int_equal(e->dp.worker[0]->stats->originated, ours + 1);

	pause_long(e);
	packet4(0x64400401, 1300, 64, true);
	be32_store(b.bytes + b.l3 + 12,
		   0xc6120005); /* came and is answered by a port without one */
	build_fix_checksum(&b);
	send_it(e, BARE);
	m = engine_sent(e, BARE);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *) + 26, from, 4);
	assert_int_equal(rte_pktmbuf_mtod(m, u8 *)[35], 4); /* fragmentation needed */
	rte_pktmbuf_free(m);

	pause_long(e);
	packet4(BUILD_DST4, 30, 1, false);
	be32_store(b.bytes + b.l3 + 12, 0x08080808); /* nobody knows the way there */
	build_fix_checksum(&b);
	send_it(e, BARE);
	nothing_else(e);
	assert_int_equal(stats(e)->no_source, no_source + 1);
	engine_check_accounting(e);
}

/* A VLAN of a port has a name of its own. */
static void source_of_a_vlan(void **state)
{
	static const u8 from[4] = {192, 0, 7, 1};
	struct engine *e = *state;
	struct rte_mbuf *m;

	pause_long(e);
	build_eth(&b);
	build_tag(&b, 0x8100, 7);
	build_ip4(&b);
	b.bytes[b.l3 + 8] = 1;
	build_udp(&b);
	build_payload(&b, 30);
	build_fix(&b);
	send_it(e, OUT);
	m = engine_sent(e, IN);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *) + 26, from, 4);
	rte_pktmbuf_free(m);
	nothing_else(e);
	engine_check_accounting(e);
}

/* An error that can't be sent back was made all the same, and is dropped like any packet: and not answered. */
static void no_way_back(void **state)
{
	struct engine *e = *state;
	u64 no_route = engine_drops(e, DROP_NO_ROUTE), ours = e->dp.worker[0]->stats->originated;

	pause_long(e);
	packet4(BUILD_DST4, 30, 1, false);
	be32_store(b.bytes + b.l3 + 12, 0x08080808);
	build_fix_checksum(&b);
	send_it(e, IN);
	nothing_else(e);
	assert_int_equal(engine_drops(e, DROP_NO_ROUTE), no_route + 1);
	assert_int_equal(e->dp.worker[0]->stats->originated, ours + 1);
	engine_check_accounting(e);
}

/* Return: was somebody reported to lack a neighbour? */
static bool missing_take(struct engine *e, struct dwcp_event *ret)
{
	while (dwcp_ring_pop(e->dp.worker[0]->ring, &e->dp.tails[1], ret))
		if (ret->type == DWCP_EVENT_UNRESOLVED)
			return true;
	return false;
}

/* The sender is on link, and nobody has needed its neighbour before: it is asked for, as for any other packet. */
static void sender_unresolved(void **state)
{
	static const u8 sender[4] = {192, 0, 4, 77};
	struct engine *e = *state;
	u64 unresolved = engine_drops(e, DROP_UNRESOLVED);
	struct dwcp_event v;

	while (missing_take(e, &v))
		;
	pause_long(e);
	packet4(BUILD_DST4, 30, 1, false);
	memcpy(b.bytes + b.l3 + 12, sender, 4);
	build_fix_checksum(&b);
	send_it(e, IN);
	nothing_else(e);
	assert_int_equal(engine_drops(e, DROP_UNRESOLVED), unresolved + 1);
	assert_true(missing_take(e, &v));
	assert_memory_equal(v.data, sender, 4);
	assert_int_equal(v.port, IN);
	engine_check_accounting(e);
}

static u32 flood(struct engine *e, u32 n, u32 n_sources)
{
	struct rte_mbuf *m;
	u32 got = 0;

	for (u32 i = 0; i < n; i++) {
		packet4(BUILD_DST4, 18, 1, false);
		be32_store(b.bytes + b.l3 + 12, 0xc6336401 + i % n_sources);
		build_fix_checksum(&b);
		send_it(e, IN);
		while ((m = engine_sent(e, IN)) != NULL) {
			rte_pktmbuf_free(m);
			got++;
		}
	}
	return got;
}

static void limits(void **state)
{
	struct engine *e = *state;
	u64 limited = stats(e)->limited[0][ICMP_ERROR_TIME],
	    sent = stats(e)->sent[0][ICMP_ERROR_TIME];

	pause_long(e);
	assert_int_equal(flood(e, 200, 1), 5); /* destination_burst */
	assert_int_equal(stats(e)->limited[0][ICMP_ERROR_TIME], limited + 195);
	assert_int_equal(stats(e)->sent[0][ICMP_ERROR_TIME], sent + 5);
	now += second(e) / 10;
	assert_int_equal(flood(e, 200, 1), 1); /* destination_pps */
	pause_long(e);
	assert_in_range(flood(e, 2000, 200), 95, 100); /* errors_burst; few share a bucket */

	/* what tells the path MTU still goes out */
	packet4(0x64400401, 1300, 64, true);
	send_it(e, IN);
	expect_error(e, &(struct error_row){"path MTU", DROP_MTU_EXCEEDED, 4, 3, 4, 1280});
	engine_check_accounting(e);
}

/* A burst of nothing but dying packets, through the burst of errors and over its end. */
static void whole_bursts(void **state)
{
	struct engine *e = *state;
	struct rte_mbuf *m[BURST_MAX], *out;
	u32 got = 0;

	pause_long(e);
	for (u32 i = 0; i < BURST_MAX; i++) {
		packet4(BUILD_DST4, 18, 1, false);
		be32_store(b.bytes + b.l3 + 12, 0xc6336401 + i);
		build_fix_checksum(&b);
		m[i] = engine_mbuf(e, b.bytes, b.len, b.len);
		memcpy(rte_pktmbuf_mtod(m[i], u8 *), e->dp.port[IN].mac, 6);
	}
	engine_burst(e, IN, m, BURST_MAX);
	while ((out = engine_sent(e, IN)) != NULL) {
		rte_pktmbuf_free(out);
		got++;
	}
	assert_in_range(got, BURST_MAX - 4, BURST_MAX);
	assert_false(e->dp.worker[0]->burst.originates);
	engine_check_accounting(e);
}

/* ---- fragments ------------------------------------------------------------------------------------------------- */

/* Takes the pieces that left by the small port; they are what was in b, one hop older. */
static u32 pieces_take(struct engine *e)
{
	static const u8 mac[6] = {2, 0, 0, 0, 3, 2};
	static u8 whole[BUILD_MAX_BYTES];
	u32 n = 0, bytes = 0, hdr_bytes = (b.bytes[b.l3] & 15) * 4u;
	struct rte_mbuf *m;

	for (; (m = engine_sent(e, SMALL)) != NULL; n++) {
		const u8 *f = rte_pktmbuf_mtod(m, u8 *), *ip = f + 14;
		u32 at = (be16_load(ip + 6) & 0x1fff) * 8u, len = be16_load(ip + 2) - 20u;

		assert_memory_equal(f, mac, 6);
		assert_memory_equal(f + 6, e->dp.port[SMALL].mac, 6);
		assert_true(m->pkt_len <= 14 + 1280);
		assert_int_equal(m->pkt_len, 14 + be16_load(ip + 2));
		assert_int_equal(ip[8], 63);
		assert_true(ip4_checksum_ok(ip, 20));
		memcpy(whole + at, ip + 20, len);
		bytes += len;
		rte_pktmbuf_free(m);
	}
	assert_int_equal(bytes, b.len - b.l3 - hdr_bytes);
	assert_memory_equal(whole, b.bytes + b.l3 + hdr_bytes, bytes);
	return n;
}

static void fragments(void **state)
{
	struct engine *e = *state;
	const struct dwcp_stats_worker *s = e->dp.worker[0]->stats;
	u64 drops = engine_drops_all(e), ours = s->originated, pieces = s->icmp.fragments;
	struct rte_mbuf *m;

	packet4(0x64400401, 1272, 64, false); /* 1,300 bytes */
	send_it(e, IN);
	assert_int_equal(pieces_take(e), 2);
	assert_int_equal(s->originated, ours + 1);
	packet4(0x64400401, 3500, 64, false);
	send_it(e, IN);
	assert_int_equal(pieces_take(e), 3);
	assert_int_equal(s->originated, ours + 3);
	assert_int_equal(s->icmp.fragments, pieces + 5);

	/* in two segments, so that data is gathered */
	packet4(0x64400401, 1300, 64, false);
	memset(b.bytes + 200, 0, b.len - 200);
	m = engine_mbuf(e, b.bytes, 200, b.len);
	memcpy(rte_pktmbuf_mtod(m, u8 *), e->dp.port[IN].mac, 6);
	engine_burst(e, IN, &m, 1);
	assert_int_equal(pieces_take(e), 2);
	assert_int_equal(engine_drops_all(e), drops);
	nothing_else(e);
	engine_check_accounting(e);
}

/* More pieces than one burst holds, among packets that need none. */
static void many_fragments(void **state)
{
	struct engine *e = *state;
	struct rte_mbuf *m[BURST_MAX], *out;
	u32 pieces = 0, whole = 0;

	for (u32 i = 0; i < BURST_MAX; i++) {
		packet4(i % 2 ? 0x64400401 : BUILD_DST4, i % 2 ? 3500 : 100, 64, false);
		m[i] = engine_mbuf(e, b.bytes, DWCP_MIN(b.len, 1500u), b.len);
		memcpy(rte_pktmbuf_mtod(m[i], u8 *), e->dp.port[IN].mac, 6);
	}
	engine_burst(e, IN, m, BURST_MAX);
	for (; (out = engine_sent(e, SMALL)) != NULL; pieces++)
		rte_pktmbuf_free(out);
	for (; (out = engine_sent(e, OUT)) != NULL; whole++)
		rte_pktmbuf_free(out);
	assert_int_equal(pieces, BURST_MAX / 2 * 3);
	assert_int_equal(whole, BURST_MAX / 2);
	engine_check_accounting(e);
}

/*
 * Pieces have no ports, so a hash of theirs may be another member's than their packet's, and too narrow for them: they
 * all leave where their packet was to leave, and fit there.
 */
static void pieces_of_a_group(void **state)
{
	struct engine *e = *state;
	u64 packets = stats(e)->fragmented, drops = engine_drops_all(e);
	u32 by[SMALL + 1] = {0};
	struct rte_mbuf *out;

	for (u32 i = 0; i < 64; i++) {
		u32 left[SMALL + 1] = {0};

		packet4(0x64400500 + i, 1960, 64, false);
		be16_store(b.bytes + b.l3 + 20, (u16)(1000 + i));
		send_it(e, IN);
		for (u32 k = OUT; k <= SMALL; k++)
			while ((out = engine_sent(e, k)) != NULL) {
				left[k]++;
				rte_pktmbuf_free(out);
			}
		assert_int_equal(left[OUT] + left[SMALL], 2);
		assert_true(left[OUT] == 0 || left[SMALL] == 0);
		by[OUT] += left[OUT];
		by[SMALL] += left[SMALL];
	}
	assert_int_equal(stats(e)->fragmented, packets + 64);
	assert_int_equal(engine_drops_all(e), drops);
	assert_true(by[OUT] && by[SMALL]);
	nothing_else(e);
	engine_check_accounting(e);
}

/* No mbufs for the pieces: the packet dies of its size, and nothing is lost of the pool. */
static void fragments_without_mbufs(void **state)
{
	struct engine *e = *state;
	struct rte_mbuf **taken = calloc(8192, sizeof(*taken)), *m;
	u64 drops = engine_drops(e, DROP_MTU_EXCEEDED), failed = stats(e)->fragment_failed;
	u32 n = 0;

	packet4(0x64400401, 3500, 64, false);
	m = engine_mbuf(e, b.bytes, 1500, b.len);
	memcpy(rte_pktmbuf_mtod(m, u8 *), e->dp.port[IN].mac, 6);
	while (n < 8192 && (taken[n] = rte_pktmbuf_alloc(e->dp.pool)) != NULL)
		n++;
	rte_pktmbuf_free(taken[--n]);
	rte_pktmbuf_free(taken[--n]); /* two of three pieces */
	engine_burst(e, IN, &m, 1);
	assert_int_equal(engine_drops(e, DROP_MTU_EXCEEDED), drops + 1);
	assert_int_equal(stats(e)->fragment_failed, failed + 1);
	nothing_else(e);
	rte_pktmbuf_free_bulk(taken, n);
	free(taken);
	engine_check_accounting(e);
}

static int open_engine(void **state)
{
	engine_open(&engine, config);
	/* ring ports have none */
	for (u32 i = 0; i < engine.dp.n_ports; i++) {
		const u8 mac[6] = {2, 0, 0, 0, 0, (u8)(0x10 + i)};

		memcpy(engine.dp.port[i].mac, mac, 6);
		memcpy(engine.dp.port[i].parse.mac, mac, 6);
	}
	engine_publish(&engine);
	engine.dp.worker[0]->icmp->ticks = test_ticks;
	*state = &engine;
	return 0;
}

static int close_engine(void **state)
{
	engine_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors4),
		cmocka_unit_test(errors6),
		cmocka_unit_test(options4),
		cmocka_unit_test(never),
		cmocka_unit_test(odd_mbufs),
		cmocka_unit_test(source_address),
		cmocka_unit_test(source_of_a_vlan),
		cmocka_unit_test(no_way_back),
		cmocka_unit_test(sender_unresolved),
		cmocka_unit_test(limits),
		cmocka_unit_test(whole_bursts),
		cmocka_unit_test(fragments),
		cmocka_unit_test(many_fragments),
		cmocka_unit_test(pieces_of_a_group),
		cmocka_unit_test(fragments_without_mbufs),
	};

	return cmocka_run_group_tests(tests, open_engine, close_engine);
}
