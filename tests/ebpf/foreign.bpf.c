/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/* foreign.bpf.c - somebody else's XDP program, which even has the name of ours: it must never be touched. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int dwcp_prefilter(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
