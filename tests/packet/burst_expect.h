/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst_expect.h - what parse_burst4() must say of a packet, from parse_packet_slow() and pkt_forward_check(): which are
 * common, to the bit, and their columns. Shared by the test and the fuzz target; pure.
 */
#pragma once

#include <string.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_burst.h>
#include <dwcp/util/parse_inline.h>

/* Is it the kind that parse_burst.h describes? *ret_pkt is what the parser said. */
static inline bool burst_expect_common(const struct parse_cfg *port, const u8 *frame, u32 seg_len,
				       u32 frame_len, struct pkt *ret_pkt)
{
	const u16 must = PKT_IP4 | PKT_L4, other = PKT_DONT_FRAGMENT;
	struct parse_cfg cfg = *port;

	cfg.checksum_verified = false;
	if (seg_len < ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES ||
	    parse_packet_slow(&cfg, frame, seg_len, frame_len, ret_pkt) != VERDICT_PASS)
		return false;
	return (ret_pkt->flags & ~other) == must && ret_pkt->l3_offset == ETH_HDR_BYTES &&
	       (ret_pkt->protocol == IP_PROTO_TCP || ret_pkt->protocol == IP_PROTO_UDP) &&
	       ret_pkt->ip_len + ETH_HDR_BYTES <= seg_len &&
	       ret_pkt->src.lo < 0xe0000000 && /* 240/4 as a source is let pass, but rare */
	       pkt_forward_check(ret_pkt) == VERDICT_PASS;
}

/* Do the columns of packet @i hold what @p says, and the header that rewriting would have made? */
static inline bool burst_expect_columns(const struct pkt_columns *c, u32 i, const u8 *frame,
					const struct pkt *p)
{
	u8 ip[IP4_HDR_BYTES];

	memcpy(ip, frame + ETH_HDR_BYTES, sizeof(ip));
	ip4_ttl_decrement(ip);
	return c->dst4[i] == (u32)p->dst.lo && c->src4[i] == (u32)p->src.lo &&
	       memcmp(&c->ports[i], frame + ETH_HDR_BYTES + IP4_HDR_BYTES, 4) == 0 &&
	       memcmp(&c->ttl_word[i], ip + 8, 4) == 0;
}
