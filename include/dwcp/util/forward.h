/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forward.h - may this well-formed packet be forwarded? Asked after the route is known and only when it leads to
 * another host: a packet for the router itself may have TTL 1, come from the unspecified address, or go to a
 * link-local or multicast one. Inline and pure, any thread.
 */
#pragma once

#include <dwcp/packet.h>

/* RFC 1812 §5.3.7: 0/8, 127/8, multicast, 240/4 and broadcast; RFC 3927 §7: 169.254/16, source and destination. */
dwcp_inline u32 pkt_forward_check4(const struct pkt *p)
{
	u32 dst = (u32)p->dst.lo;
	bool bad = ((u8)((dst >> 24) - 1) >= 223) | (dst >> 24 == 127) | (dst >> 16 == 0xa9fe);

	if (dwcp_likely(!(bad | (p->ttl <= 1) | ((p->flags & PKT_LINK_LOCAL) != 0))))
		return VERDICT_PASS;
	if (p->flags & PKT_LINK_LOCAL)
		return VERDICT_DROP(DROP_IP4_SOURCE);
	return bad ? VERDICT_DROP(DROP_IP4_DESTINATION) : VERDICT_DROP(DROP_IP4_TTL);
}

/* RFC 4291 §2.5.2, §2.5.3, §2.5.6: unspecified and loopback never leave a node, link-local never leaves its link. */
dwcp_inline u32 pkt_forward_check6(const struct pkt *p)
{
	bool bad_src = ((p->flags & PKT_LINK_LOCAL) != 0) | ((p->src.hi | p->src.lo) == 0);
	bool bad_dst = (p->dst.hi >> 56 == 0xff) | (p->dst.hi >> 54 == 0x3fa) |
		       ((p->dst.hi == 0) & (p->dst.lo <= 1));

	if (dwcp_likely(!(bad_src | bad_dst | (p->ttl <= 1))))
		return VERDICT_PASS;
	if (bad_src)
		return VERDICT_DROP(DROP_IP6_SOURCE);
	return bad_dst ? VERDICT_DROP(DROP_IP6_DESTINATION) : VERDICT_DROP(DROP_IP6_HOP_LIMIT);
}

/**
 * pkt_forward_check() - addresses first, then TTL: only a packet that could have gone on is worth an ICMP error.
 *
 * Return: VERDICT_PASS, or VERDICT_DROP of IP4_SOURCE, IP4_DESTINATION, IP4_TTL, or the IP6 ones.
 */
dwcp_inline u32 pkt_forward_check(const struct pkt *p)
{
	return dwcp_likely(p->flags & PKT_IP4) ? pkt_forward_check4(p) : pkt_forward_check6(p);
}
