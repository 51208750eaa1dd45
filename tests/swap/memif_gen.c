/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memif_gen.c - a free-running traffic source and sink over two memif ports, with sequence numbers and send times.
 *
 * It sends at its own clock: a packet that the router's ring has no room for is lost, and counted so, as on a wire.
 * When the scheduler takes the generator itself away, its clock is moved on instead of caught up with, and that is
 * reported (a burst of the missing packets would test our own absence and not the router). Each received packet says
 * by its destination MAC which table forwarded it; for each table the first arrival and the last sending are kept.
 * One JSON object on stdout.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <dwcp/endian.h>
#include <dwcp/util/checksum.h>

#include "swap_probe.h"

#define BURST	    32
#define N_MBUFS	    32768
#define RING	    4096
#define BEHIND_MAX  256 /* packets; more means that we were away */
#define MAX_TABLES  1024
#define STAMP_MAGIC 0x64776370u
#define REST_NS	    50000 /* 10 packets at 200,000 a second */
#define SETTLE_NS   200000000u
#define DRAIN_NS    300000000u

struct stamp {
	u32 magic;
	u64 seq;
	u64 sent_ns;
} dwcp_packed;

struct table_seen {
	u64 packets, first_arrival_ns, last_sent_ns;
};

struct gen {
	u16 tx_port, rx_port;
	u16 n_queues; /* of both ports: packets are spread over them burst by burst */
	u64 bursts;
	struct rte_mempool *pool;
	struct swap_probe *probe;
	u8 router_mac[6];
	u64 rate_pps, seconds;
	u64 seq, rejected, received, lost, reordered, foreign, away, max_away_ns, alien_nexthop;
	u64 expected; /* next sequence number at the receiver */
	u64 accepted_bytes;
	u32 k; /* unwrapped number of the table seen last */
	struct table_seen table[MAX_TABLES];
	u64 latency_max_ns;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u32 build_ip4(u8 *ip, const struct swap_probe *p)
{
	u32 udp_len = 8 + sizeof(struct stamp);

	memset(ip, 0, 28);
	ip[0] = 0x45;
	be16_store(ip + 2, (u16)(20 + udp_len));
	ip[8] = 64;
	ip[9] = 17;
	be32_store(ip + 12, 0x0a000102);
	be32_store(ip + 16, (u32)p->lo);
	ip4_checksum_set(ip, 20);
	be16_store(ip + 20, 4000);
	be16_store(ip + 22, 9);
	be16_store(ip + 24, (u16)udp_len);
	return 28;
}

static u32 build_ip6(u8 *ip, const struct swap_probe *p)
{
	u32 udp_len = 8 + sizeof(struct stamp);

	memset(ip, 0, 48);
	ip[0] = 0x60;
	be16_store(ip + 4, (u16)udp_len);
	ip[6] = 17;
	ip[7] = 64;
	be32_store(ip + 8, 0xfd000001);
	ip[23] = 2;
	be32_store(ip + 24, (u32)(p->hi >> 32));
	be32_store(ip + 28, (u32)p->hi);
	be32_store(ip + 32, (u32)(p->lo >> 32));
	be32_store(ip + 36, (u32)p->lo);
	be16_store(ip + 40, 4000);
	be16_store(ip + 42, 9);
	be16_store(ip + 44, (u16)udp_len);
	be16_store(ip + 46, 0x1234); /* nobody verifies it here; 0 would be malformed */
	return 48;
}

static void build_packet(struct gen *g, struct rte_mbuf *m, u64 now)
{
	const struct swap_probe *p = &g->probe[g->seq % SWAP_N_PROBES];
	u8 *f = rte_pktmbuf_mtod(m, u8 *);
	struct stamp s = {STAMP_MAGIC, g->seq, now};
	u32 len = 14;

	memcpy(f, g->router_mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x01", 6);
	be16_store(f + 12, p->family == 4 ? 0x0800 : 0x86dd);
	len += p->family == 4 ? build_ip4(f + 14, p) : build_ip6(f + 14, p);
	memcpy(f + len, &s, sizeof(s));
	m->data_len = (u16)(len + sizeof(s));
	m->pkt_len = m->data_len;
	g->seq++;
}

static void gen_send(struct gen *g, u32 n, u64 now)
{
	struct rte_mbuf *m[BURST];
	u32 sent;

	if (rte_pktmbuf_alloc_bulk(g->pool, m, n)) {
		fprintf(stderr, "memif_gen: out of mbufs\n");
		exit(1);
	}
	for (u32 i = 0; i < n; i++)
		build_packet(g, m[i], now);
	sent = rte_eth_tx_burst(g->tx_port, (u16)(g->bursts++ % g->n_queues), m, (u16)n);
	g->rejected += n - sent;
	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
}

/* Next hop j of prefix i says table (j - i) mod 64; tables only move on, so the full number follows. */
static void gen_table(struct gen *g, const u8 *mac, const struct stamp *s, u64 now)
{
	u32 index = g->probe[s->seq % SWAP_N_PROBES].index;
	u32 k = (mac[5] + SWAP_N_NEXTHOPS - index % SWAP_N_NEXTHOPS) % SWAP_N_NEXTHOPS;
	struct table_seen *t;
	u32 ahead;

	if (memcmp(mac, "\x02\x00\x00\x00\x01", 5) != 0 || mac[5] >= SWAP_N_NEXTHOPS) {
		g->alien_nexthop++;
		return;
	}
	if (g->received == 1)
		g->k = k;
	ahead = (k + SWAP_N_NEXTHOPS - g->k % SWAP_N_NEXTHOPS) % SWAP_N_NEXTHOPS;
	if (ahead < SWAP_N_NEXTHOPS / 2 && g->k + ahead < MAX_TABLES)
		g->k += ahead;
	else if (g->k + ahead >= SWAP_N_NEXTHOPS)
		ahead -=
			SWAP_N_NEXTHOPS; /* an older table: recorded against it, and judged by the reader */
	t = &g->table[ahead < SWAP_N_NEXTHOPS / 2 ? g->k : g->k + ahead];
	if (t->packets++ == 0)
		t->first_arrival_ns = now;
	t->last_sent_ns = DWCP_MAX(t->last_sent_ns, s->sent_ns);
}

static void gen_receive_one(struct gen *g, const struct rte_mbuf *m, u64 now)
{
	const u8 *f = rte_pktmbuf_mtod(m, const u8 *);
	u32 at = be16_load(f + 12) == 0x0800 ? 14 + 28 : 14 + 48;
	struct stamp s;

	if (m->data_len < at + sizeof(s) ||
	    (memcpy(&s, f + at, sizeof(s)), s.magic != STAMP_MAGIC)) {
		g->foreign++;
		return;
	}
	g->received++;
	if (s.seq >= g->expected)
		g->expected = s.seq + 1;
	else
		g->reordered++;
	if (now > s.sent_ns)
		g->latency_max_ns = DWCP_MAX(g->latency_max_ns, now - s.sent_ns);
	gen_table(g, f, &s, now);
}

static u32 gen_receive_queue(struct gen *g, u16 queue)
{
	struct rte_mbuf *m[BURST];
	u32 n = rte_eth_rx_burst(g->rx_port, queue, m, BURST);
	u64 now;

	if (n == 0)
		return 0;
	now = now_ns();
	for (u32 i = 0; i < n; i++)
		gen_receive_one(g, m[i], now);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static u32 gen_receive(struct gen *g)
{
	u32 n = 0;

	for (u16 q = 0; q < g->n_queues; q++)
		n += gen_receive_queue(g, q);
	return n;
}

/*
 * It shares its CPU with the agent that is being tested: polling without end would starve it. And each time it wakes it
 * costs the agent about 10 µs of cache and timer on top: every 20 µs that was half of the agent's time.
 */
static void gen_rest(void)
{
	struct timespec ts = {.tv_nsec = REST_NS};

	nanosleep(&ts, NULL);
}

static u64 gen_run(struct gen *g)
{
	u64 begin = now_ns(), end = begin + g->seconds * 1000000000u, base = begin, base_seq = 0,
	    now, drained;
	u32 busy;

	for (now = begin; now < end && !stop; now = now_ns()) {
		u64 due = base_seq +
			  (u64)((unsigned __int128)(now - base) * g->rate_pps / 1000000000u);

		if (due > g->seq + BEHIND_MAX) {
			u64 away = (due - g->seq) * 1000000000u / g->rate_pps;

			g->away++;
			g->max_away_ns = DWCP_MAX(g->max_away_ns, away);
			base = now;
			base_seq = g->seq;
			due = g->seq;
		}
		if (due > g->seq)
			gen_send(g, (u32)DWCP_MIN(due - g->seq, (u64)BURST), now);
		for (busy = 0; busy < 4 && gen_receive(g); busy++)
			;
		if (!busy)
			gen_rest();
	}
	for (drained = now_ns(); now_ns() - drained < DRAIN_NS;)
		gen_receive(g);
	return now - begin;
}

static int gen_port(struct gen *g, const char *name, const char *socket, u16 *ret_port)
{
	struct rte_eth_conf conf = {0};
	char args[256];
	int err;

	snprintf(args, sizeof(args),
		 "role=client,id=0,socket=%s,socket-abstract=no,bsize=2048,rsize=12", socket);
	err = rte_eal_hotplug_add("vdev", name, args);
	if (err || rte_eth_dev_get_port_by_name(name, ret_port)) {
		fprintf(stderr, "memif_gen: %s: %s\n", socket, strerror(-err));
		return -1;
	}
	if (rte_eth_dev_configure(*ret_port, g->n_queues, g->n_queues, &conf))
		return -1;
	for (u16 q = 0; q < g->n_queues; q++) {
		if (rte_eth_rx_queue_setup(*ret_port, q, RING, SOCKET_ID_ANY, NULL, g->pool) ||
		    rte_eth_tx_queue_setup(*ret_port, q, RING, SOCKET_ID_ANY, NULL))
			return -1;
	}
	if (rte_eth_dev_start(*ret_port))
		return -1;
	return 0;
}

static bool gen_connected(struct gen *g)
{
	for (u32 i = 0; i < 500 && !stop; i++) {
		struct rte_eth_link a = {0}, b = {0};

		rte_eth_link_get_nowait(g->tx_port, &a);
		rte_eth_link_get_nowait(g->rx_port, &b);
		if (a.link_status && b.link_status)
			return true;
		gen_receive(g);
		rte_delay_us_sleep(10000);
	}
	return false;
}

static void gen_print(const struct gen *g, u64 elapsed_ns)
{
	bool first = true;
	u64 sent = g->seq - g->rejected;

	printf("{\"sent\": %lu, \"rejected\": %lu, \"received\": %lu, \"lost\": %ld, "
	       "\"reordered\": %lu, \"foreign\": %lu, "
	       "\"alien_nexthop\": %lu, \"rate_pps\": %lu, \"away\": %lu, \"max_away_us\": %lu, "
	       "\"latency_max_us\": %lu, "
	       "\"tables\": [",
	       g->seq, g->rejected, g->received, (long)(g->seq - g->received), g->reordered,
	       g->foreign, g->alien_nexthop,
	       (u64)((unsigned __int128)sent * 1000000000u / elapsed_ns), g->away,
	       g->max_away_ns / 1000, g->latency_max_ns / 1000);
	for (u32 k = 0; k < MAX_TABLES; k++) {
		const struct table_seen *t = &g->table[k];

		if (t->packets == 0)
			continue;
		printf("%s{\"k\": %u, \"packets\": %lu, \"first_arrival_ns\": %lu, "
		       "\"last_sent_ns\": %lu}",
		       first ? "" : ", ", k, t->packets, t->first_arrival_ns, t->last_sent_ns);
		first = false;
	}
	printf("]}\n");
}

static int probes_read(struct gen *g, const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n;

	g->probe = calloc(SWAP_N_PROBES, sizeof(*g->probe));
	if (!f || !g->probe) {
		fprintf(stderr, "memif_gen: %s: %s\n", path, strerror(errno));
		return -1;
	}
	n = fread(g->probe, sizeof(*g->probe), SWAP_N_PROBES, f);
	fclose(f);
	return n == SWAP_N_PROBES ? 0 : -1;
}

static int eal_start(const char *cpu, const char *prefix)
{
	char lcores[32], file_prefix[64];
	const char *args[] = {"memif_gen",
			      lcores,
			      file_prefix,
			      "--no-shconf",
			      "--no-huge",
			      "--no-pci",
			      "--no-telemetry",
			      "--iova-mode=va",
			      "--log-level=*:4",
			      "-m",
			      "256",
			      NULL};

	snprintf(lcores, sizeof(lcores), "--lcores=0@%s", cpu);
	snprintf(file_prefix, sizeof(file_prefix), "--file-prefix=%s", prefix);
	return rte_eal_init(DWCP_ARRAY_LEN(args) - 1, (char **)(uintptr_t)args);
}

int main(int argc, char **argv)
{
	static const struct option table[] = {
		{"in", required_argument, NULL, 'i'},
		{"out", required_argument, NULL, 'o'},
		{"probes", required_argument, NULL, 'p'},
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"cpu", required_argument, NULL, 'c'},
		{"mac", required_argument, NULL, 'm'},
		{"queues", required_argument, NULL, 'q'},
		{NULL, 0, NULL, 0},
	};
	static struct gen g = {.rate_pps = 1000000, .seconds = 10, .n_queues = 1};
	const char *in = NULL, *out = NULL, *probes = NULL, *cpu = "0", *mac = NULL;
	char prefix[32];
	u64 elapsed;
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		in = c == 'i' ? optarg : in;
		out = c == 'o' ? optarg : out;
		probes = c == 'p' ? optarg : probes;
		cpu = c == 'c' ? optarg : cpu;
		mac = c == 'm' ? optarg : mac;
		if (c == 'r')
			g.rate_pps = strtoull(optarg, NULL, 10);
		if (c == 's')
			g.seconds = strtoull(optarg, NULL, 10);
		if (c == 'q')
			g.n_queues = (u16)strtoul(optarg, NULL, 10);
		if (c == '?')
			return 2;
	}
	if (!in || !out || !probes || !mac ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &g.router_mac[0], &g.router_mac[1],
		   &g.router_mac[2], &g.router_mac[3], &g.router_mac[4], &g.router_mac[5]) != 6) {
		fprintf(stderr, "usage: memif_gen --in SOCKET --out SOCKET --probes FILE --mac "
				"ROUTER_MAC [--rate PPS] "
				"[--seconds N] [--cpu N] [--queues N]\n");
		return 2;
	}
	snprintf(prefix, sizeof(prefix), "memif_gen%d", getpid());
	if (probes_read(&g, probes) || eal_start(cpu, prefix) < 0)
		return 1;
	g.pool = rte_pktmbuf_pool_create("gen", N_MBUFS, 256, 0, 2176, SOCKET_ID_ANY);
	if (!g.pool || gen_port(&g, "net_memif_tx", in, &g.tx_port) ||
	    gen_port(&g, "net_memif_rx", out, &g.rx_port))
		return 1;
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (!gen_connected(&g)) {
		fprintf(stderr, "memif_gen: the router did not take the connection\n");
		return 1;
	}
	for (u64 begin = now_ns(); now_ns() - begin < SETTLE_NS;)
		gen_receive(&g); /* the router may need a moment to see its links */
	fprintf(stderr, "memif_gen: connected\n");
	prctl(PR_SET_TIMERSLACK, 1UL);
	elapsed = gen_run(&g);
	gen_print(&g, elapsed);
	rte_eal_cleanup();
	return 0;
}
