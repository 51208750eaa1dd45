/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_host.c - packets for the router itself: what goes to the kernel and at what rate, what the kernel sends, VLANs that
 * are ports, carriers; with real TAP interfaces in a network namespace of the test's own. Most of it steps the worker by
 * hand with no host thread running, so that rings can be looked into; the last tests run the thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_cycles.h>

#include "engine.h"
#include "packet_build.h"

static const char config[] =
	"node: { name = \"t\"; state_dir = \"/tmp\"; run_dir = \"/tmp\"; };\n"
	"dataplane: { workers = [0]; memory: { huge_pages = \"off\"; size_mb = 64; mbufs = 4096; "
	"};\n"
	"  host: { queue = 64; stall_ms = 50; icmp_pps = 400; bfd_pps = 200; bgp_pps = 1000000; "
	"igp_pps = "
	"1000000; "
	"}; };\n"
	"ports: ( { name = \"p0\"; device = \"ring\"; mtu = 9000; twin = \"on\"; addresses = [ "
	"\"192.0.4.1/24\", \"2001:db8:4::1/64\" ]; rx_ring = 512; tx_ring = 512; },\n"
	"  { name = \"p1\"; device = \"ring\"; twin = \"off\"; addresses = [ \"192.0.2.1/24\" ]; "
	"rx_ring = 512; tx_ring = 512; },\n"
	"  { name = \"v7\"; device = \"vlan\"; parent = \"p0\"; vlan = 7; twin = \"on\"; addresses "
	"= [ "
	"\"192.0.7.1/24\" ]; },\n"
	"  { name = \"v89\"; device = \"vlan\"; parent = \"p0\"; vlan = 9; svlan = 8; twin = "
	"\"on\"; } "
	");\n"
	"neighbours: ( { port = \"p1\"; address = \"192.0.2.2\"; mac = \"02:00:00:00:02:02\"; },\n"
	"  { port = \"v7\"; address = \"192.0.7.2\"; mac = \"02:00:00:00:07:02\"; } );\n"
	"routes: ( { prefix = \"0.0.0.0/0\"; gateway = \"192.0.2.2\"; },\n"
	"  { prefix = \"::/0\"; gateway = \"2001:db8:4::99\"; } );\n";

enum { P0, P1, V7, V89 };

static struct engine engine;

static struct dwcp_stats_worker *stats(void)
{
	return engine.dp.worker[0]->stats;
}

static struct host_end *end(void)
{
	return &engine.dp.worker[0]->host;
}

/* Frames that a worker has for the host thread. */
static struct rte_mbuf *handed(enum host_queue q)
{
	void *m;

	return rte_ring_sc_dequeue(end()->to[q], &m) ? NULL : m;
}

static void handed_free_all(void)
{
	struct rte_mbuf *m;

	for (u32 q = 0; q < HOST_QUEUE_N; q++)
		while ((m = handed(q)) != NULL)
			rte_pktmbuf_free(m);
}

static void balance(void)
{
	const struct dwcp_stats_worker *s = stats();
	u64 rx = s->port[P0].rx_packets + s->port[P1].rx_packets;
	u64 tx = s->port[P0].tx_packets + s->port[P1].tx_packets;

	assert_int_equal(rx + s->from_host + s->originated,
			 tx + s->to_host + engine_drops_all(&engine) + s->queued);
}

static void arp(struct packet_build *b)
{
	static const u8 request[] = {0,	  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,	  0, 4, 2,
				     192, 0, 4, 2, 0, 0, 0, 0, 0, 0, 192, 0, 4, 1};

	memset(b->bytes, 0xff, 6);
	memcpy(b->bytes + 6, request + 8, 6);
	memcpy(b->bytes + 12, "\x08\x06", 2);
	memcpy(b->bytes + 14, request, sizeof(request));
	b->len = 14 + sizeof(request);
}

static void udp_to(struct packet_build *b, u32 dst, u32 tags)
{
	build_eth(b);
	if (tags)
		build_tag(b, 0x8100, (u16)tags);
	build_ip4(b);
	build_udp(b);
	build_payload(b, 18);
	be32_store(b->bytes + b->l3 + 16, dst);
	build_fix(b);
	memcpy(b->bytes, engine.dp.port[P0].mac, 6);
}

static void one(u32 port, const u8 *bytes, u32 len)
{
	struct rte_mbuf *m = engine_mbuf(&engine, bytes, len, len);

	engine_burst(&engine, port, &m, 1);
}

static void test_arp_to_host(void **state)
{
	static struct packet_build b;
	u64 to_host = stats()->to_host, arps = engine_drops(&engine, DROP_L2_ARP);
	struct rte_mbuf *m;

	arp(&b);
	one(P0, b.bytes, b.len);
	assert_int_equal(stats()->to_host, to_host + 1);
	assert_int_equal(engine_drops(&engine, DROP_L2_ARP), arps);
	m = handed(HOST_QUEUE_CONTROL);
	assert_non_null(m);
	assert_int_equal(m->port, P0);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *), b.bytes, b.len);
	rte_pktmbuf_free(m);
	/* a port without a twin drops it as ever */
	one(P1, b.bytes, b.len);
	assert_int_equal(engine_drops(&engine, DROP_L2_ARP), arps + 1);
	balance();
}

static void test_local_to_host(void **state)
{
	static struct packet_build b;
	u64 management = stats()->host[HOST_CLASS_MANAGEMENT].punted;
	struct rte_mbuf *m;

	udp_to(&b, 0xc0000401, 0);
	one(P0, b.bytes, b.len);
	m = handed(HOST_QUEUE_REST);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *), b.bytes,
			    b.len); /* TTL and MACs as they were */
	rte_pktmbuf_free(m);
	assert_int_equal(stats()->host[HOST_CLASS_MANAGEMENT].punted, management + 1);
	/* for another host: not ours to see */
	udp_to(&b, 0x08080808, 0);
	one(P0, b.bytes, b.len);
	assert_null(handed(HOST_QUEUE_REST));
	m = engine_sent(&engine, P1);
	assert_non_null(m);
	rte_pktmbuf_free(m);
	balance();
}

/*
 * No route leads to a link-local address; with a default route it would die as not forwardable, and with one whose gateway
 * is not resolved as unresolved: for ever, when it is the gateway's own answer.
 */
static void test_link_local_to_host(void **state)
{
	u64 unresolved = engine_drops(&engine, DROP_UNRESOLVED);
	static struct packet_build b;
	struct rte_mbuf *m;

	build_eth(&b);
	build_ip6(&b);
	build_udp(&b);
	build_payload(&b, 2);
	memcpy(b.bytes + b.l3 + 24, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	build_fix(&b);
	memcpy(b.bytes, engine.dp.port[P0].mac, 6);
	one(P0, b.bytes, b.len);
	m = handed(HOST_QUEUE_REST);
	assert_non_null(m);
	rte_pktmbuf_free(m);
	memcpy(b.bytes + b.l3 + 24, "\x20\x01\xd\xb8\0\x7f", 6);
	one(P0, b.bytes, b.len);
	assert_null(handed(HOST_QUEUE_REST));
	assert_int_equal(engine_drops(&engine, DROP_UNRESOLVED), unresolved + 1);
	balance();
}

static void test_policed(void **state)
{
	static struct packet_build b;
	u64 policed = engine_drops(&engine, DROP_HOST_POLICED);

	build_eth(&b);
	build_ip4(&b);
	build_icmp(&b, 8, 0, 0);
	be32_store(b.bytes + b.l3 + 16, 0xc0000401);
	build_fix(&b);
	memcpy(b.bytes, engine.dp.port[P0].mac, 6);
	for (u32 i = 0; i < 200; i++) {
		one(P0, b.bytes, b.len);
		handed_free_all();
	}
	/* a single sender: a quarter of 400 a second, and eight at once */
	assert_in_range(engine_drops(&engine, DROP_HOST_POLICED) - policed, 150, 192);
	assert_int_equal(stats()->host[HOST_CLASS_ICMP].policed,
			 engine_drops(&engine, DROP_HOST_POLICED) - policed);
	/* the others have their own */
	arp(&b);
	one(P0, b.bytes, b.len);
	assert_int_equal(rte_ring_count(end()->to[HOST_QUEUE_CONTROL]), 1);
	handed_free_all();
	balance();
}

static void bfd_from(struct packet_build *b, u32 src)
{
	memset(b, 0, sizeof(*b));
	build_eth(b);
	build_ip4(b);
	build_udp(b);
	build_payload(b, 24);
	be32_store(b->bytes + b->l3 + 12, src);
	be32_store(b->bytes + b->l3 + 16, 0xc0000401);
	b->bytes[b->l3 + 8] = 255;
	be16_store(b->bytes + b->l4 + 2, 3784);
	build_fix(b);
	memcpy(b->bytes, engine.dp.port[P0].mac, 6);
}

/* How many of @n packets are handed over. */
static u32 bfd_handed(u32 src, u32 n, u32 n_sources)
{
	static struct packet_build b;
	u64 before = stats()->to_host;

	for (u32 i = 0; i < n; i++) {
		bfd_from(&b, src + i % n_sources);
		one(P0, b.bytes, b.len);
		handed_free_all();
	}
	return (u32)(stats()->to_host - before);
}

/* A flood that looks like a session, from everywhere, uses up its class; whom the router talks to has rates of its own. */
static void test_peer(void **state)
{
	static const u32 peer = 0xc0000402;
	struct peers *known = (struct peers *)end()->peers;

	assert_in_range(bfd_handed(0x0a000000, 2000, 2000), 16, 400);
	assert_in_range(bfd_handed(peer, 8, 1), 0, 2);
	peers_note(known, HOST_CLASS_BFD, peer, (u32)(rte_rdtsc() / engine.dp.worker[0]->tsc_hz));
	assert_int_equal(bfd_handed(peer, 8, 1), 8);
	/* one of them alone doesn't get all of it */
	assert_in_range(bfd_handed(peer, 200, 1), 0, 60);
	assert_true(engine_drops(&engine, DROP_HOST_POLICED) > 1000);
	balance();
}

/* Questions to everybody in a storm leave the answers alone. */
static void test_arp_storm(void **state)
{
	static struct packet_build b;
	u64 before;

	for (u32 i = 0; i < 20000; i++) {
		arp(&b);
		be32_store(b.bytes + 8, i * 2654435761u);
		one(P0, b.bytes, b.len);
		handed_free_all();
	}
	assert_true(stats()->host[HOST_CLASS_NEIGHBOUR].policed > 10000);
	before = stats()->to_host;
	arp(&b);
	memcpy(b.bytes, engine.dp.port[P0].mac, 6);
	one(P0, b.bytes, b.len);
	handed_free_all();
	assert_int_equal(stats()->to_host, before + 1);
	balance();
}

/* The kernel reads nothing: the queue of one kind fills, the other one doesn't. */
static void test_full(void **state)
{
	static struct packet_build b;
	u64 full = engine_drops(&engine, DROP_HOST_FULL);

	build_eth(&b);
	build_ip4(&b);
	build_payload(&b, 30);
	b.bytes[b.l3 + 9] = 89;
	be32_store(b.bytes + b.l3 + 16, 0xc0000401);
	build_fix(&b);
	memcpy(b.bytes, engine.dp.port[P0].mac, 6);
	for (u32 i = 0; i < 80; i++) {
		be32_store(b.bytes + b.l3 + 12, 0xc0000402 + i); /* each has a share */
		build_fix(&b);
		one(P0, b.bytes, b.len);
	}
	/* half of it is for peers */
	assert_int_equal(engine_drops(&engine, DROP_HOST_FULL), full + 80 - 32);
	memcpy(b.bytes, "\x01\x00\x5e\x00\x00\x05", 6);
	for (u32 i = 0; i < 40; i++)
		one(P0, b.bytes, b.len);
	assert_int_equal(engine_drops(&engine, DROP_HOST_FULL), full + 80 - 32 + 40 - 32);
	udp_to(&b, 0xc0000401, 0);
	one(P0, b.bytes, b.len);
	assert_int_equal(rte_ring_count(end()->to[HOST_QUEUE_REST]), 1);
	handed_free_all();
	balance();
}

static void test_vlan(void **state)
{
	static struct packet_build b;
	const struct dwcp_stats_io *v = &stats()->port[V7], *p = &stats()->port[P0];
	u64 rx = v->rx_packets, parent = p->rx_packets, drops = engine_drops(&engine, DROP_L2_VLAN);
	struct rte_mbuf *m;

	udp_to(&b, 0x08080808, 7);
	one(P0, b.bytes, b.len);
	assert_int_equal(v->rx_packets, rx + 1);
	assert_int_equal(p->rx_packets, parent + 1);
	m = engine_sent(&engine, P1);
	assert_non_null(m); /* forwarded, without its tag */
	assert_int_equal(m->pkt_len, b.len - 4);
	rte_pktmbuf_free(m);
	udp_to(&b, 0x08080808, 6);
	one(P0, b.bytes, b.len);
	assert_int_equal(engine_drops(&engine, DROP_L2_VLAN), drops + 1);
	assert_null(engine_sent(&engine, P1));
	/* a priority and no VLAN: the port's own */
	udp_to(&b, 0x08080808, 0xe000);
	one(P0, b.bytes, b.len);
	m = engine_sent(&engine, P1);
	assert_non_null(m);
	rte_pktmbuf_free(m);
	/* to the router itself: its own twin */
	udp_to(&b, 0xc0000701, 7);
	one(P0, b.bytes, b.len);
	m = handed(HOST_QUEUE_REST);
	assert_non_null(m);
	assert_int_equal(m->port, V7);
	rte_pktmbuf_free(m);
	balance();
}

/* Host path and forwarding take a frame's tags for the same, whatever they are. */
static void test_vlan_odd_tags(void **state)
{
	static const struct {
		u16 outer_type, outer, inner; /* 0: one tag */
		int port;		      /* -1: nobody's */
	} rows[] = {
		{0x8100, 7, 0, V7},  {0x9100, 7, 0, V7},      {0x88a8, 8, 9, V89},
		{0x9100, 8, 9, V89}, {0x8100, 0xe000, 7, V7}, {0x8100, 7, 0xe000, -1},
		{0x8100, 6, 0, -1},  {0x88a8, 9, 8, -1},      {0x9100, 0xe000, 0, P0},
	};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		u64 vlan = engine_drops(&engine, DROP_L2_VLAN);
		struct dwcp_stats_io before = {0};
		struct rte_mbuf *m;

		if (rows[i].port >= 0)
			before = stats()->port[rows[i].port];
		memset(&b, 0, sizeof(b));
		build_eth(&b);
		build_tag(&b, rows[i].outer_type, rows[i].outer);
		if (rows[i].inner)
			build_tag(&b, 0x8100, rows[i].inner);
		build_ethertype(&b, 0x0806);
		build_payload(&b, 28);
		memcpy(b.bytes, engine.dp.port[P0].mac, 6);
		one(P0, b.bytes, b.len);
		m = handed(HOST_QUEUE_CONTROL);
		if (rows[i].port < 0) {
			assert_null(m);
			assert_int_equal(engine_drops(&engine, DROP_L2_VLAN), vlan + 1);
			continue;
		}
		if (!m || m->port != rows[i].port)
			fail_msg("row %u: port %d", i, m ? m->port : -1);
		rte_pktmbuf_free(m);
		/* ARP is the VLAN's to count, too */
		assert_int_equal(stats()->port[rows[i].port].rx_packets, before.rx_packets + 1);
		assert_int_equal(stats()->port[rows[i].port].rx_bytes, before.rx_bytes + b.len);
	}
	balance();
}

static void test_vlan_out(void **state)
{
	static struct packet_build b;
	u64 tx = stats()->port[V7].tx_packets, parent = stats()->port[P0].tx_packets;
	struct rte_mbuf *m;
	const u8 *f;

	udp_to(&b, 0xc0000702, 0);
	memcpy(b.bytes, engine.dp.port[P1].mac, 6);
	one(P1, b.bytes, b.len);
	m = engine_sent(&engine, P0);
	assert_non_null(m);
	f = rte_pktmbuf_mtod(m, const u8 *);
	assert_memory_equal(f, "\2\0\0\0\7\2", 6);
	assert_memory_equal(f + 12, "\x81\0\0\7\x08\0", 6);
	rte_pktmbuf_free(m);
	assert_int_equal(stats()->port[V7].tx_packets, tx + 1);
	assert_int_equal(stats()->port[P0].tx_packets, parent + 1);
	balance();
}

/* Who answers for a tagged packet is the VLAN's address, as its sender knows the router. */
static void test_vlan_error(void **state)
{
	static struct packet_build b;
	u64 originated = stats()->originated;
	struct rte_mbuf *m;
	const u8 *ip;

	udp_to(&b, 0x08080808, 7);
	b.bytes[b.l3 + 8] = 1;
	build_fix(&b);
	one(P0, b.bytes, b.len);
	m = engine_sent(&engine, P1);
	assert_non_null(m);
	ip = rte_pktmbuf_mtod(m, const u8 *) + 14;
	assert_int_equal(ip[9], 1);
	assert_int_equal(be32_load(ip + 12), 0xc0000701);
	assert_int_equal(ip[20], 11); /* time exceeded */
	rte_pktmbuf_free(m);
	assert_int_equal(stats()->originated, originated + 1);
	balance();
}

/* As the host thread does it: a lent mbuf filled, and handed back. */
static void test_from_host(void **state)
{
	static struct packet_build b;
	u64 from_host = stats()->from_host, tx = stats()->port[P0].tx_packets;
	u32 lent = rte_ring_count(end()->blank);
	struct rte_mbuf *m;
	void *blank = NULL;

	arp(&b);
	assert_int_equal(rte_ring_sc_dequeue(end()->blank, &blank), 0);
	m = blank;
	memcpy(rte_pktmbuf_append(m, (u16)b.len), b.bytes, b.len);
	m->port = P0;
	assert_int_equal(rte_ring_sp_enqueue(end()->back, m), 0);
	host_take(engine.dp.worker[0]);
	assert_int_equal(stats()->from_host, from_host + 1);
	assert_int_equal(stats()->port[P0].tx_packets, tx + 1);
	assert_int_equal(rte_ring_count(end()->blank), lent);
	m = engine_sent(&engine, P0);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, u8 *), b.bytes, b.len);
	rte_pktmbuf_free(m);
	balance();
}

/* The pool is empty when what was used is to be lent again: made good as soon as it isn't, whatever comes meanwhile. */
static void test_blanks_owed(void **state)
{
	static struct rte_mbuf *all[8192];
	u32 lent = rte_ring_count(end()->blank), n = 0;
	void *blank = NULL;
	struct rte_mbuf *m;

	assert_int_equal(rte_ring_sc_dequeue(end()->blank, &blank), 0);
	m = blank;
	rte_pktmbuf_append(m, 60);
	m->port = P0;
	assert_false(host_due(end()));
	assert_int_equal(rte_ring_sp_enqueue(end()->back, m), 0);
	while (n < DWCP_ARRAY_LEN(all) && (all[n] = rte_pktmbuf_alloc(engine.dp.pool)) != NULL)
		n++;
	assert_true(host_due(end()));
	host_take(engine.dp.worker[0]);
	assert_int_equal(rte_ring_count(end()->blank), lent - 1);
	assert_true(host_due(end()));
	rte_pktmbuf_free_bulk(all, n);
	host_take(engine.dp.worker[0]);
	assert_int_equal(rte_ring_count(end()->blank), lent);
	assert_false(host_due(end()));
	rte_pktmbuf_free(engine_sent(&engine, P0));
	balance();
}

/* ---- with the thread ------------------------------------------------------------------------------------------- */

static bool twin_running(const char *name)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {0};
	bool running;

	assert_true(sock >= 0);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	running = ioctl(sock, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_RUNNING);
	close(sock);
	return running;
}

static void twin_address(const char *name, u32 addr)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {0};
	struct sockaddr_in *sin = (struct sockaddr_in *)&r.ifr_addr;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(addr);
	assert_int_equal(ioctl(sock, SIOCSIFADDR, &r), 0);
	close(sock);
}

/* The worker's loop in short, for at most @ms. @beat: it is alive. */
static bool loop_until(bool (*done)(void), u32 ms, bool beat)
{
	for (u32 i = 0; i < ms * 4; i++) {
		if (beat)
			dwcp_count(&stats()->heartbeat, 1);
		host_take(engine.dp.worker[0]);
		if (done())
			return true;
		usleep(250);
	}
	return false;
}

static bool both_up(void)
{
	return twin_running("p0") && twin_running("v7");
}

static bool both_down(void)
{
	return !twin_running("p0") && !twin_running("v7");
}

static struct rte_mbuf *answer;

/* Asks again and again, as hosts do: the kernel sets a new link up at its own pace. */
static bool answered(void)
{
	static struct packet_build b;
	static u32 turn;
	struct rte_mbuf *m;

	if (turn++ % 200 == 0) {
		arp(&b);
		one(P0, b.bytes, b.len);
	}

	while ((m = engine_sent(&engine, P0)) != NULL) {
		const u8 *f = rte_pktmbuf_mtod(m, const u8 *);

		if (f[12] == 8 && f[13] == 6 && f[21] == 2) {
			answer = m;
			return true;
		}
		rte_pktmbuf_free(m); /* the kernel's own: router solicitations, listener reports */
	}
	return false;
}

/* The kernel answers an ARP request; the answer leaves by the port. */
static void test_thread_arp(void **state)
{
	assert_int_equal(host_start(&engine.dp), 0);
	assert_true(loop_until(both_up, 2000, true));
	twin_address("p0", 0xc0000401);
	assert_true(loop_until(answered, 2000, true));
	assert_memory_equal(rte_pktmbuf_mtod(answer, u8 *) + 6, engine.dp.port[P0].mac, 6);
	rte_pktmbuf_free(answer);
	balance();
}

static char sysctl6(const char *ifname, const char *key)
{
	char path[128], value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, key);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fread(&value, 1, 1, f), 1);
	fclose(f);
	return value;
}

static void checksum6_set(struct packet_build *b)
{
	u32 len = b->len - b->l4, sum = len + 58;

	for (u32 i = 8; i < 40; i += 2)
		sum += be16_load(b->bytes + b->l3 + i);
	be16_store(b->bytes + b->l4 + 2, 0);
	for (u32 i = 0; i < len; i += 2)
		sum += be16_load(b->bytes + b->l4 + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	be16_store(b->bytes + b->l4 + 2, (u16)~sum);
}

/* fe80::<EUI-64 of the MAC>, as the kernel makes it. */
static void link_local_of(const u8 mac[6], u8 ret[16])
{
	memset(ret, 0, 16);
	be16_store(ret, 0xfe80);
	memcpy(ret + 8, mac, 3);
	ret[8] ^= 2;
	be16_store(ret + 11, 0xfffe);
	memcpy(ret + 13, mac + 3, 3);
}

/* Who has p0's link-local address? */
static void solicit(void)
{
	static const u8 option[8] = {1, 1, 2, 0, 0, 0, 0, 0x99};
	static const u8 from[16] = {0xfe, 0x80, [15] = 0x99};
	static struct packet_build b;
	u8 target[16];

	link_local_of(engine.dp.port[P0].mac, target);
	memset(&b, 0, sizeof(b));
	build_eth(&b);
	build_ip6(&b);
	b.bytes[b.l3 + 7] = 255;
	memcpy(b.bytes + b.l3 + 8, from, 16);
	memcpy(b.bytes + b.l3 + 24, "\xff\2\0\0\0\0\0\0\0\0\0\1\xff", 13);
	memcpy(b.bytes + b.l3 + 37, target + 13, 3);
	build_icmp6(&b, 135, 0, 0);
	build_bytes(&b, target, 16);
	build_bytes(&b, option, 8);
	build_fix(&b);
	checksum6_set(&b);
	memcpy(b.bytes, "\x33\x33\xff", 3);
	memcpy(b.bytes + 3, target + 13, 3);
	one(P0, b.bytes, b.len);
}

static bool advertised(void)
{
	static u32 turn;
	struct rte_mbuf *m;

	if (turn++ % 200 == 0)
		solicit();
	while ((m = engine_sent(&engine, P0)) != NULL) {
		const u8 *f = rte_pktmbuf_mtod(m, const u8 *);

		if (f[12] == 0x86 && f[20] == 58 && f[54] == 136) {
			answer = m;
			return true;
		}
		rte_pktmbuf_free(m);
	}
	return false;
}

/*
 * Neighbours are told that we are a router, or those that have us from router advertisements drop us; the kernel forwards
 * nothing all the same. And what other interfaces are made like is as it was.
 */
static void test_thread_router_flag(void **state)
{
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		skip(); /* a kernel without IPv6 */
	assert_int_equal(sysctl6("p0", "forwarding"), '1');
	assert_int_equal(sysctl6("v7", "forwarding"), '1');
	assert_int_equal(sysctl6("p0", "accept_ra"), '0');
	assert_int_equal(sysctl6("default", "forwarding"), '0');
	assert_int_equal(sysctl6("all", "forwarding"), '0');
	assert_true(loop_until(advertised, 3000, true));
	assert_int_equal(rte_pktmbuf_mtod(answer, u8 *)[58] & 0x80, 0x80);
	rte_pktmbuf_free(answer);
	balance();
}

static void neighbour_add(const char *name, u32 addr)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct arpreq r = {.arp_flags = ATF_COM | ATF_PERM};
	struct sockaddr_in *sin = (struct sockaddr_in *)&r.arp_pa;

	snprintf(r.arp_dev, sizeof(r.arp_dev), "%s", name);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(addr);
	r.arp_ha.sa_family = ARPHRD_ETHER;
	memcpy(r.arp_ha.sa_data, "\2\0\0\0\0\x4d", 6);
	assert_int_equal(ioctl(sock, SIOCSARP, &r), 0);
	close(sock);
}

static void mtu_set(const char *name, int mtu)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_mtu = mtu};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(sock, SIOCSIFMTU, &r), 0);
	close(sock);
}

/* A datagram of the kernel's to 192.0.4.77, of bytes that say where they are. */
static void datagram_send(u16 port, u32 bytes)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(0xc000044d)};
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	static u8 data[65536];

	for (u32 i = 0; i < bytes; i++)
		data[i] = (u8)(i ^ i >> 8);
	assert_int_equal(sendto(sock, data, bytes, 0, (struct sockaddr *)&to, sizeof(to)), bytes);
	close(sock);
}

static u32 frame_want; /* bytes of the frame that is waited for */

static bool frame_sent(void)
{
	struct rte_mbuf *m;

	while ((m = engine_sent(&engine, P0)) != NULL) {
		if (m->pkt_len == frame_want) {
			answer = m;
			return true;
		}
		rte_pktmbuf_free(m);
	}
	return false;
}

/* The port's MTU is above what one mbuf holds: what the kernel sends takes several, and no byte is lost or moved. */
static void test_thread_jumbo(void **state)
{
	static const u32 sizes[] = {9000 - 28, 2048 - 42, 2048 - 41, 4096 - 42};
	static u8 copy[10000];

	neighbour_add("p0", 0xc000044d);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(sizes); i++) {
		const u8 *f;

		frame_want = sizes[i] + 42;
		datagram_send(9, sizes[i]);
		assert_true(loop_until(frame_sent, 2000, true));
		assert_int_equal(rte_mbuf_check(answer, 1, &(const char *){NULL}), 0);
		assert_int_equal(answer->nb_segs, (frame_want + 2047) / 2048);
		f = rte_pktmbuf_read(answer, 0, frame_want, copy);
		for (u32 k = 0; k < sizes[i]; k++)
			if (f[42 + k] != (u8)(k ^ k >> 8))
				fail_msg("byte %u of %u", k, sizes[i]);
		rte_pktmbuf_free(answer);
	}
	balance();
}

static bool oversized(void)
{
	return dwcp_stats_port_at(engine.dp.stats_page, P0)->twin_oversized != 0;
}

static bool bfd_is_known(void)
{
	/* what the kernel sends is sent on, and looked at on the way */
	struct rte_mbuf *m = engine_sent(&engine, P0);

	rte_pktmbuf_free(m);
	return peers_has(end()->peers, HOST_CLASS_BFD, 0xc000044d,
			 (u32)(rte_rdtsc() / engine.dp.worker[0]->tsc_hz));
}

/* A daemon sends BFD to 192.0.4.77: it is a peer from then on. */
static void test_thread_peer(void **state)
{
	assert_false(bfd_is_known());
	datagram_send(3784, 24);
	assert_true(loop_until(bfd_is_known, 2000, true));
	frame_want = 0;
	assert_false(loop_until(frame_sent, 20, true));
	balance();
}

/* Somebody gives the twin a larger MTU than the port has: what doesn't fit the port isn't sent, cut even less. */
static void test_thread_oversized(void **state)
{
	u64 from_host = stats()->from_host;

	mtu_set("p0", 9400);
	frame_want = 0;
	assert_false(loop_until(frame_sent, 20, true));
	from_host = stats()->from_host;
	datagram_send(9, 9400 - 28);
	assert_true(loop_until(oversized, 2000, true));
	frame_want = 1042;
	datagram_send(9, 1000);
	assert_true(loop_until(frame_sent, 2000, true));
	rte_pktmbuf_free(answer);
	assert_int_equal(stats()->from_host, from_host + 1);
	mtu_set("p0", 9000);
	balance();
}

/* Carriers follow the worker's heartbeat, and the port's link. */
static void test_thread_carrier(void **state)
{
	assert_true(loop_until(both_up, 2000, true));
	assert_true(loop_until(both_down, 2000, false));
	assert_true(loop_until(both_up, 2000, true));
	for (u32 i = 0; i < engine.dp.n_ports; i++)
		dwcp_store_relaxed(&engine.dp.port[i].up, 0);
	assert_true(loop_until(both_down, 2000, true));
	for (u32 i = 0; i < engine.dp.n_ports; i++)
		dwcp_store_relaxed(&engine.dp.port[i].up, 1);
	assert_true(loop_until(both_up, 2000, true));
}

static void ospf(struct packet_build *b)
{
	memset(b, 0, sizeof(*b));
	build_eth(b);
	build_ip4(b);
	build_protocol(b, 89);
	build_payload(b, 24);
	build_fix(b);
	memcpy(b->bytes, "\x01\x00\x5e\x00\x00\x05", 6);
}

/*
 * A worker that hands over and takes nothing back: its queue becomes full, and nothing else happens. That no mbuf was lost
 * on the way, test_close() sees.
 */
static void test_thread_nothing_taken(void **state)
{
	u64 full = engine_drops(&engine, DROP_HOST_FULL), to_host = stats()->to_host;
	u32 room = rte_ring_get_capacity(end()->back);
	struct packet_build b;

	ospf(&b);
	for (u32 i = 0; i < 4 * room; i++) {
		one(P0, b.bytes, b.len);
		if (i % 16 == 15) {
			dwcp_count(&stats()->heartbeat, 1);
			usleep(1000);
		}
	}
	assert_true(engine_drops(&engine, DROP_HOST_FULL) > full);
	assert_in_range(stats()->to_host - to_host, room / 4, room + 2 * 64);
	assert_true(loop_until(both_up, 2000, true));
	balance();
}

static bool v89_is_gone(void)
{
	return dwcp_stats_port_at(engine.dp.stats_page, V89)->twin == DWCP_TWIN_NONE;
}

/* `ip link del` by somebody: it is said, and the others go on. */
static void test_thread_deleted(void **state)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
	} q = {{sizeof(q), RTM_DELLINK, NLM_F_REQUEST, 1, 0}, {.ifi_family = AF_UNSPEC}};
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	q.link.ifi_index = (int)if_nametoindex("v89");
	assert_true(q.link.ifi_index > 0);
	assert_int_equal(send(sock, &q, sizeof(q), 0), sizeof(q));
	close(sock);
	assert_true(loop_until(v89_is_gone, 2000, true));
	assert_int_equal(dwcp_stats_port_at(engine.dp.stats_page, V89)->twin_errno, EIDRM);
	assert_true(loop_until(both_up, 2000, true));
	frame_want = 1042;
	datagram_send(9, 1000);
	assert_true(loop_until(frame_sent, 2000, true));
	rte_pktmbuf_free(answer);
	balance();
}

/* What was lent, and what the thread had, is in the pool again; the interfaces are gone. */
static void test_close(void **state)
{
	struct rte_mbuf *m;

	host_stop(&engine.dp);
	assert_true(loop_until(both_down, 3000, true));
	host_take(engine.dp.worker[0]);
	balance();
	host_close(&engine.dp);
	for (u32 i = 0; i < engine.dp.n_ports; i++)
		while ((m = engine_sent(&engine, i)) != NULL)
			rte_pktmbuf_free(m);
	assert_int_equal(rte_mempool_in_use_count(engine.dp.pool), 0);
	assert_int_equal(if_nametoindex("p0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_to_host),
		cmocka_unit_test(test_local_to_host),
		cmocka_unit_test(test_link_local_to_host),
		cmocka_unit_test(test_policed),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_arp_storm),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_vlan_odd_tags),
		cmocka_unit_test(test_vlan_out),
		cmocka_unit_test(test_vlan_error),
		cmocka_unit_test(test_from_host),
		cmocka_unit_test(test_blanks_owed),
		cmocka_unit_test(test_thread_arp),
		cmocka_unit_test(test_thread_router_flag),
		cmocka_unit_test(test_thread_jumbo),
		cmocka_unit_test(test_thread_oversized),
		cmocka_unit_test(test_thread_peer),
		cmocka_unit_test(test_thread_carrier),
		cmocka_unit_test(test_thread_nothing_taken),
		cmocka_unit_test(test_thread_deleted),
		cmocka_unit_test(test_close),
	};
	int failed;

	if (unshare(CLONE_NEWNET) < 0) {
		printf("needs root: a network namespace of its own\n");
		return 77;
	}
	engine_open(&engine, config);
	engine_publish(&engine);
	if (host_open(&engine.dp)) {
		printf("needs /dev/net/tun\n");
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	engine_close(&engine);
	return failed;
}
