/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * prefilter.bpf.c - the XDP program of an AF_XDP port: look at a frame, count it once, hand it to the socket of its queue.
 *
 * Runs in the driver, before the kernel has spent anything on the frame. It drops only what the dataplane's parser would drop
 * as well, and never passes a frame to the kernel: where a queue has no socket the frame dies here, counted, because the
 * kernel would forward it unscreened. Linux 6.1 or newer. Names, counters and knobs: include/dwcp/abi/xdp.h.
 */
#include "maps.bpf.h"
#include "parse.bpf.h"

SEC("xdp")
int dwcp_prefilter(struct xdp_md *ctx)
{
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end,
			   (u32)bpf_xdp_get_buff_len(ctx)};
	u32 queue = ctx->rx_queue_index, key;
	u32 what = parse_frame(&c);
	int action = XDP_DROP;
	u64 *counter;

	if (what >= DWCP_XDP_N_KINDS && !xdp_knobs.drop_malformed)
		what = DWCP_XDP_MALFORMED;

	if (what < DWCP_XDP_N_KINDS) {
		action = (int)bpf_redirect_map(&xsks_map, queue, XDP_DROP);
		if (action != XDP_REDIRECT)
			what = DWCP_XDP_NO_SOCKET;
	}

	key = dwcp_xdp_key(queue, what);
	counter = bpf_map_lookup_elem(&xdp_counters, &key);
	if (counter)
		(*counter)++;
	return action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
