/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rewrite.h - what forwarding changes in a frame: TTL and its checksum, both MACs, the VLAN tags. Pure, any thread.
 *
 * The EtherType of a frame lies right before its IP header however many tags there are, so nothing is moved: the
 * new frame begins 14 + 4 × tags bytes before the IP header, and MACs and tags are written from there.
 */
#pragma once

#include <dwcp/packet.h>
#include <dwcp/util/checksum.h>

#define REWRITE_MAX_TAGS 2

struct rewrite_tag {
	u16 tpid; /* 0x8100, 0x88a8, … */
	u16 tci;  /* priority, DEI and VLAN id */
};

struct rewrite_l2 {
	u8 dmac[6]; /* both MACs are copied as one: keep them together, in this order */
	u8 smac[6];
	struct rewrite_tag tag[REWRITE_MAX_TAGS]; /* host order, outermost first */
	u32 n_tags;				  /* ≤ REWRITE_MAX_TAGS */
};

_Static_assert(offsetof(struct rewrite_l2, smac) == 6 && offsetof(struct rewrite_l2, tag) == 12,
	       "MACs are copied together");

/** rewrite_ttl() - TTL or hop limit - 1, in the frame. It must be > 1 (pkt_forward_check). */
dwcp_inline void rewrite_ttl(u8 *frame, const struct pkt *p)
{
	u8 *ip = frame + p->l3_offset;

	if (dwcp_likely(p->flags & PKT_IP4))
		ip4_ttl_decrement(ip);
	else
		ip[7]--;
}

/** rewrite_packet_slow() - rewrite_packet() for any tags. */
u32 rewrite_packet_slow(u8 *frame, u32 headroom_bytes, const struct pkt *p,
			const struct rewrite_l2 *l2, s32 *ret_delta);

/**
 * rewrite_packet() - make a parsed frame ready for its next hop, in place.
 *
 * @frame: the frame that parse_packet() passed. Borrowed; [-headroom_bytes, l3_offset + IP header) may be written.
 * @p: what parse said about it. Not changed: its offsets and TTL still describe the old frame.
 * @l2: the new link-layer header; tags of the old one that are not in it are gone.
 * @ret_delta: the new frame begins at frame + delta, -8 … 8. Negative: it grew. Written only on VERDICT_PASS.
 *
 * Return: VERDICT_PASS, or VERDICT_DROP(DROP_NO_HEADROOM) with the frame untouched.
 */
dwcp_inline u32 rewrite_packet(u8 *frame, u32 headroom_bytes, const struct pkt *p,
			       const struct rewrite_l2 *l2, s32 *ret_delta)
{
	if (dwcp_unlikely(p->n_tags | l2->n_tags))
		return rewrite_packet_slow(frame, headroom_bytes, p, l2, ret_delta);
	rewrite_ttl(frame, p);
	memcpy(frame, l2, 12);
	*ret_delta = 0;
	return VERDICT_PASS;
}
