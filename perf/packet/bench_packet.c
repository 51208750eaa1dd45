/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_packet.c - cycles a packet of parse, flow hash and rewrite, in bursts of 64 frames that lie in the cache.
 *
 * Frames are 64 bytes in buffers of 2,368 (so that they spread over the sets of the first-level cache, where they
 * all fit: the engine has prefetched them). Addresses and ports are random, TCP and UDP mixed at random; 256 frames
 * are few enough for a predictor to learn, so a branch between the two would cost more outside than here.
 * Reported: median and least of the windows.
 *
 * Usage: bench_packet [WINDOWS]. Cycles are those of the time-stamp counter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_inline.h>
#include <dwcp/util/rewrite.h>

#define N_FRAMES     256
#define FRAME_BYTES  64
#define FRAME_STRIDE 2368
#define HEADROOM     128
#define BURST	     64
#define ROUNDS	     2000 /* bursts a window */

static u8 pool[N_FRAMES][FRAME_STRIDE] dwcp_aligned(64);
static struct parse_cfg cfg = {.mac = {2, 0, 0, 0, 0, 1}};
static u64 sink;

static u64 rnd_state = 88172645463325252u;

static u64 rnd(void)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return rnd_state;
}

static void make_l4(u8 *l4, u32 kind, u32 len)
{
	be32_store(l4, (u32)rnd() | 1);
	if (kind == 6) {
		l4[12] = 0x50;
		l4[13] = 0x10;
	} else {
		be16_store(l4 + 4, (u16)len);
	}
}

static u32 pick(u32 kind)
{
	return kind ? kind : rnd() & 1 ? 6 : 17;
}

static u8 *make_eth(u8 *f, u16 type, u32 n_tags)
{
	memset(f, 0, FRAME_STRIDE - HEADROOM);
	memcpy(f, cfg.mac, 6);
	f[6] = 2;
	f += 12;
	for (; n_tags; n_tags--, f += 4) {
		be16_store(f, 0x8100);
		be16_store(f + 2, (u16)(rnd() & 0xfff));
	}
	be16_store(f, type);
	return f + 2;
}

static void make4(u8 *f, u32 kind, u32 n_tags)
{
	u8 *ip = make_eth(f, 0x0800, n_tags);

	kind = pick(kind);
	ip[0] = 0x45;
	be16_store(ip + 2, 46);
	ip[8] = 64;
	ip[9] = (u8)kind;
	be32_store(ip + 12, 0x0a000000 | ((u32)rnd() & 0xffffff));
	be32_store(ip + 16, 0xc0000000 | ((u32)rnd() & 0xffffff));
	make_l4(ip + 20, kind, 26);
	ip4_checksum_set(ip, 20);
}

static void make6(u8 *f, u32 kind, u32 n_tags)
{
	u8 *ip = make_eth(f, 0x86dd, n_tags);

	kind = pick(kind);
	ip[0] = 0x60;
	be16_store(ip + 4, kind == 6 ? 20 : 10);
	ip[6] = (u8)kind;
	ip[7] = 64;
	be32_store(ip + 8, 0x20010db8);
	be32_store(ip + 20, (u32)rnd());
	be32_store(ip + 24, 0x20010db8);
	be32_store(ip + 36, (u32)rnd());
	make_l4(ip + 40, kind, 10);
}

/* Half IPv4, half IPv6, at random. */
static void make46(u8 *f, u32 kind, u32 n_tags)
{
	(rnd() & 1 ? make4 : make6)(f, kind, n_tags);
}

static u32 burst_frame(u32 round, u32 i)
{
	return (round * BURST + i) % N_FRAMES;
}

/* A 64-byte frame, or 74 for IPv6 with TCP. */
static u32 frame_len[N_FRAMES];

static dwcp_noinline void run_parse(u32 round, struct pkt *pkts)
{
	u64 sum = 0;

	for (u32 i = 0; i < BURST; i++) {
		u32 k = burst_frame(round, i);

		sum += parse_packet_inline(&cfg, pool[k] + HEADROOM, frame_len[k], frame_len[k],
					   &pkts[i]);
	}
	sink += sum;
}

static dwcp_noinline void run_slow(u32 round, struct pkt *pkts)
{
	u64 sum = 0;

	for (u32 i = 0; i < BURST; i++) {
		u32 k = burst_frame(round, i);

		sum += parse_packet_slow(&cfg, pool[k] + HEADROOM, frame_len[k], frame_len[k],
					 &pkts[i]);
	}
	sink += sum;
}

static dwcp_noinline void run_hash(u32 round, struct pkt *pkts)
{
	u64 sum = 0;
	static const u64 key[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	for (u32 i = 0; i < BURST; i++)
		sum += flow_hash(&pkts[i], key);
	sink += sum;
}

static dwcp_noinline void run_forward(u32 round, struct pkt *pkts)
{
	u64 sum = 0;

	for (u32 i = 0; i < BURST; i++)
		sum += pkt_forward_check(&pkts[i]);
	sink += sum;
}

/* TTLs wrap; nobody looks. The MAC stays ours, so that the frames can be parsed again. */
static dwcp_noinline void run_rewrite(u32 round, struct pkt *pkts)
{
	u64 sum = 0;
	static const struct rewrite_l2 l2 = {.dmac = {2, 0, 0, 0, 0, 1},
					     .smac = {2, 0, 0, 0, 0, 9}};
	s32 delta = 0;

	for (u32 i = 0; i < BURST; i++) {
		sum += rewrite_packet(pool[burst_frame(round, i)] + HEADROOM, HEADROOM, &pkts[i],
				      &l2, &delta);
		sum += (u64)delta;
	}
	sink += sum;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, void (*run)(u32, struct pkt *), u32 n_windows)
{
	static struct pkt pkts[BURST];
	double *cycles = calloc(n_windows, sizeof(*cycles));

	if (!cycles)
		abort();
	run_parse(0, pkts);
	for (u32 w = 0; w < n_windows; w++) {
		u64 start = __rdtsc();

		for (u32 r = 0; r < ROUNDS; r++)
			run(r, pkts);
		cycles[w] = (double)(__rdtsc() - start) / ROUNDS / BURST;
	}
	qsort(cycles, n_windows, sizeof(*cycles), compare);
	printf("%-28s %6.2f median %6.2f least, cycles/packet\n", name, cycles[n_windows / 2],
	       cycles[0]);
	free(cycles);
}

static void fill(void (*make)(u8 *, u32, u32), u32 kind, u32 n_tags)
{
	for (u32 i = 0; i < N_FRAMES; i++) {
		struct pkt p;

		make(pool[i] + HEADROOM, kind, n_tags);
		frame_len[i] = FRAME_BYTES;
		if (parse_packet(&cfg, pool[i] + HEADROOM, FRAME_BYTES, FRAME_BYTES, &p) !=
		    VERDICT_PASS)
			frame_len[i] = 74 + 4 * n_tags;
		if (parse_packet(&cfg, pool[i] + HEADROOM, frame_len[i], frame_len[i], &p) !=
		    VERDICT_PASS)
			abort();
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(u8 *, u32, u32);
		u32 kind, n_tags;
	} sets[] = {
		{"ip4 udp", make4, 17, 0},	   {"ip4 tcp", make4, 6, 0},
		{"ip4 tcp|udp", make4, 0, 0},	   {"ip6 udp", make6, 17, 0},
		{"ip6 tcp (74 B)", make6, 6, 0},   {"ip6 tcp|udp", make6, 0, 0},
		{"ip4|ip6 tcp|udp", make46, 0, 0}, {"ip4 tcp|udp, 1 tag", make4, 0, 1},
		{"ip6 udp, 1 tag", make6, 17, 1},
	};
	u32 n_windows = argc > 1 ? (u32)strtoul(argv[1], NULL, 10) : 101;
	char name[64];

	if (!n_windows)
		return 2;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(sets); i++) {
		fill(sets[i].make, sets[i].kind, sets[i].n_tags);
		snprintf(name, sizeof(name), "parse %s", sets[i].name);
		measure(name, run_parse, n_windows);
	}
	fill(make4, 0, 0);
	measure("parse ip4, slow path only", run_slow, n_windows);
	measure("forward check ip4", run_forward, n_windows);
	measure("flow hash ip4", run_hash, n_windows);
	measure("rewrite ip4, untagged", run_rewrite, n_windows);
	fill(make6, 0, 0);
	measure("parse ip6, slow path only", run_slow, n_windows);
	measure("forward check ip6", run_forward, n_windows);
	measure("flow hash ip6", run_hash, n_windows);
	measure("rewrite ip6, untagged", run_rewrite, n_windows);
	return sink == 42 ? 3 : 0;
}
