/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* flood.bpf.c - sends each frame of a test run out of the interface that it pretends to have come in by. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int dwcp_flood(struct xdp_md *ctx)
{
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
