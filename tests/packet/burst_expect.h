/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * burst_expect.h - what parse_burst() must say of a packet, from parse_packet_slow() and pkt_forward_check(): which are
 * common, to the bit, and their columns. Shared by the test and the fuzz target; pure.
 */
#pragma once

#include <string.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_burst.h>
#include <dwcp/util/parse_inline.h>

/* Sources that parser and forward check let pass, and the vectors leave to them: 240/4, the ends of IPv6's space. */
static inline bool burst_expect_rare(const struct pkt *p)
{
	const struct fib_addr *both[] = {&p->src, &p->dst};

	if (p->flags & PKT_IP4)
		return p->src.lo >= 0xe0000000;
	for (u32 i = 0; i < 2; i++) {
		if (both[i]->hi == 0 || both[i]->hi >> 56 >= 0xfe)
			return true;
	}
	return false;
}

/* Is it the kind that parse_burst.h describes? *ret_pkt is what the parser said. */
static inline bool burst_expect_common(const struct parse_cfg *port, const u8 *frame, u32 seg_len,
				       u32 frame_len, struct pkt *ret_pkt)
{
	const u16 other = PKT_DONT_FRAGMENT | PKT_IP4 | PKT_IP6;
	struct parse_cfg cfg = *port;

	cfg.checksum_verified = false;
	if (seg_len < ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES ||
	    parse_packet_slow(&cfg, frame, seg_len, frame_len, ret_pkt) != VERDICT_PASS)
		return false;
	return (ret_pkt->flags & ~other) == PKT_L4 && ret_pkt->l3_offset == ETH_HDR_BYTES &&
	       (ret_pkt->protocol == IP_PROTO_TCP || ret_pkt->protocol == IP_PROTO_UDP) &&
	       ret_pkt->ip_len + ETH_HDR_BYTES <= seg_len && !burst_expect_rare(ret_pkt) &&
	       pkt_forward_check(ret_pkt) == VERDICT_PASS;
}

static inline bool burst_expect_addr(const struct fib_addr *found, const struct fib_addr *expected)
{
	return found->hi == expected->hi && found->lo == expected->lo;
}

/* Do the columns of packet @i hold what @p says, and the header that rewriting would have made? */
static inline bool burst_expect_columns(const struct pkt_columns *c, u32 i, const u8 *frame,
					const struct pkt *p)
{
	u8 ip[IP4_HDR_BYTES];

	if (memcmp(&c->ports[i], frame + p->l4_offset, 4) != 0)
		return false;
	memcpy(ip, frame + ETH_HDR_BYTES, sizeof(ip));
	if (p->flags & PKT_IP6) {
		ip[7]--;
		return burst_expect_addr(&c->dst6[i], &p->dst) &&
		       burst_expect_addr(&c->src6[i], &p->src) &&
		       memcmp(&c->ttl_word[i], ip + 4, 4) == 0;
	}
	ip4_ttl_decrement(ip);
	return c->dst4[i] == (u32)p->dst.lo && c->src4[i] == (u32)p->src.lo &&
	       memcmp(&c->ttl_word[i], ip + 8, 4) == 0;
}
