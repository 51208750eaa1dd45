/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flood.c - frames as fast as one CPU can put them into a veth, by a test run with live frames: no socket, no skb. The other
 * end must have an XDP program, or they are lost.
 *
 *	flood OBJECT INTERFACE SECONDS DST_MAC SRC_IP DST_IP      60-byte UDP to port 9; prints frames and seconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packet_build.h"

#define BATCH 64
#define RUNS  8192

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int frame_build(struct packet_build *b, char **argv)
{
	memset(b, 0, sizeof(*b));
	build_eth(b);
	build_ip4(b);
	build_udp(b);
	build_payload(b, 18);
	b->bytes[b->l4 + 2] = 0;
	b->bytes[b->l4 + 3] = 9;
	if (sscanf(argv[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &b->bytes[0], &b->bytes[1],
		   &b->bytes[2], &b->bytes[3], &b->bytes[4], &b->bytes[5]) != 6 ||
	    inet_pton(AF_INET, argv[5], b->bytes + b->l3 + 12) != 1 ||
	    inet_pton(AF_INET, argv[6], b->bytes + b->l3 + 16) != 1)
		return -EINVAL;
	build_fix(b);
	return 0;
}

int main(int argc, char **argv)
{
	struct xdp_md md = {0};
	struct packet_build b;
	struct bpf_object *obj;
	double begin, end;
	u64 frames = 0;

	if (argc != 7 || frame_build(&b, argv)) {
		fprintf(stderr, "usage: flood OBJECT INTERFACE SECONDS DST_MAC SRC_IP DST_IP\n");
		return 2;
	}
	md.data_end = b.len;
	md.ingress_ifindex = if_nametoindex(argv[2]);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj))
		return 1;
	begin = now_s();
	end = begin + (double)strtoul(argv[3], NULL, 10);
	while (now_s() < end) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b.bytes, .data_size_in = b.len,
			    .ctx_in = &md, .ctx_size_in = sizeof(md), .repeat = RUNS,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

		if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__next_program(obj, NULL)),
					   &opts)) {
			fprintf(stderr, "flood: %s\n", strerror(errno));
			return 1;
		}
		frames += RUNS;
	}
	printf("%lu frames in %.3f s\n", frames, now_s() - begin);
	bpf_object__close(obj);
	return 0;
}
