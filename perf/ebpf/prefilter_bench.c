/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefilter_bench.c - what the XDP program costs a frame, as the kernel's test run measures it: without a driver, the frame in
 * cache, one frame again and again. A redirect ends where the socket would be looked up; handing over is the kernel's.
 *
 *	prefilter_bench OBJECT [RUNS]      a row a kind: ns a frame, median of 9
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prefilter.h"
#include "rows.h"

#define ROUNDS 9

static int compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static int measure(struct prefilter *p, const char *name, const struct packet_build *b, u32 runs)
{
	u32 ns[ROUNDS];
	int action = 0;

	for (u32 i = 0; i < ROUNDS; i++)
		action = prefilter_run(p, b->bytes, b->len, 0, 0, runs, &ns[i]);
	if (action < 0)
		return action;
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_u32);
	printf("%-34s %-8s %4u %4u %4u\n", name, action == XDP_REDIRECT ? "redirect" : "drop",
	       ns[0], ns[ROUNDS / 2], ns[ROUNDS - 1]);
	return 0;
}

static void build(struct packet_build *b, u32 tags, bool ip6)
{
	memset(b, 0, sizeof(*b));
	build_eth(b);
	for (u32 i = 0; i < tags; i++)
		build_tag(b, i + 1 == tags ? 0x8100 : 0x88a8, (u16)(100 + i));
	if (ip6)
		build_ip6(b);
	else
		build_ip4(b);
	build_udp(b);
	build_payload(b, 18);
	build_fix(b);
}

int main(int argc, char **argv)
{
	u32 runs = argc > 2 ? (u32)strtoul(argv[2], NULL, 10) : 1000000;
	struct packet_build b;
	struct prefilter p;

	if (argc < 2) {
		fprintf(stderr, "usage: prefilter_bench OBJECT [RUNS]\n");
		return 2;
	}
	if (prefilter_open(&p, argv[1], true))
		return 77;
	printf("%-34s %-8s %4s %4s %4s ns a frame\n", "frame", "verdict", "min", "med", "max");
	prefilter_socket(&p, 0, true);
	build(&b, 0, false);
	measure(&p, "IPv4", &b, runs);
	build(&b, 2, false);
	measure(&p, "IPv4 behind two VLAN tags", &b, runs);
	build(&b, 0, true);
	measure(&p, "IPv6", &b, runs);
	build(&b, 0, false);
	b.bytes[b.l3] = 0x55;
	measure(&p, "IPv4, malformed", &b, runs);
	prefilter_socket(&p, 0, false);
	build(&b, 0, false);
	measure(&p, "IPv4, no socket", &b, runs);
	prefilter_close(&p);
	return 0;
}
