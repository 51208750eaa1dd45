/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * parse.bpf.h - bytes of a frame → what it is, or why it is malformed: a part of what lib/packet/parse.c checks, in its order
 * and under its names, so that a packet dropped here would have been dropped there. tests/ebpf holds them together.
 *
 * What depends on a port's configuration or may be for the router itself is not judged: whose MAC it is, ARP, anything for a
 * group. Nor are checksums, options and transport headers: the dataplane does that faster, and has them all in cache then.
 * Pointers into the frame are moved by constants only, never subtracted nor compared with NULL: that would take CAP_PERFMON.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <dwcp/abi/xdp.h>

#define ETHERTYPE_QINQ	    0x9100 /* before 802.1ad, still sent */
#define MAX_TAGS	    2
#define IP6_NEXT_HOP_BY_HOP 0

struct eth_hdr {
	u8 dst[6], src[6];
	u16 type;
};

struct vlan_tag {
	u16 tci, type;
};

struct ip4_hdr {
	u8 version_ihl, tos;
	u16 total_len, id, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 src, dst;
};

struct ip6_hdr {
	u32 version_class_flow;
	u16 payload_len;
	u8 next, hop_limit;
	u32 src[4], dst[4];
};

/* What is left of the frame. */
struct cursor {
	void *at, *end;
	u32 left; /* end - at, in bytes */
};

/* The next header, or false where the frame ends inside it. */
#define cursor_take(c, ret_header)                                                                 \
	cursor_take_bytes(c, (void **)(ret_header), sizeof(**(ret_header)))

dwcp_inline bool cursor_take_bytes(struct cursor *c, void **ret_header, u32 bytes)
{
	void *header = c->at;

	if (header + bytes > c->end)
		return false;
	*ret_header = header;
	c->at = header + bytes;
	c->left -= bytes;
	return true;
}

dwcp_inline bool is_tag(u16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD) ||
	       type == bpf_htons(ETHERTYPE_QINQ);
}

dwcp_inline u32 parse_ip4(struct cursor *c)
{
	struct ip4_hdr *ip;
	u32 hdr_bytes, total, top, left = c->left;

	if (!cursor_take(c, &ip))
		return DWCP_XDP_IP4_TRUNCATED;
	if (ip->version_ihl >> 4 != 4)
		return DWCP_XDP_IP4_VERSION;
	hdr_bytes = (ip->version_ihl & 15) * 4u;
	total = bpf_ntohs(ip->total_len);
	if (hdr_bytes < sizeof(*ip))
		return DWCP_XDP_IP4_HEADER_LENGTH;
	if (total < sizeof(*ip))
		return DWCP_XDP_IP4_TOTAL_LENGTH;
	if (hdr_bytes > total)
		return DWCP_XDP_IP4_HEADER_LENGTH;
	if (hdr_bytes > left)
		return DWCP_XDP_IP4_TRUNCATED;
	if (total > left)
		return DWCP_XDP_IP4_TOTAL_LENGTH;
	top = bpf_ntohl(ip->src) >> 24;
	if (top == 0 || top == 127 || top >> 4 == 14 || ip->src == 0xffffffff)
		return DWCP_XDP_IP4_SOURCE;
	return DWCP_XDP_IP4;
}

/* Multicast or loopback. */
dwcp_inline bool ip6_source_bad(const struct ip6_hdr *ip)
{
	if ((ip->src[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000))
		return true;
	return !(ip->src[0] | ip->src[1] | ip->src[2]) && ip->src[3] == bpf_htonl(1);
}

/* For the router itself, whose kernel may have a word in it. */
dwcp_inline bool ip6_to_link_local(const struct ip6_hdr *ip)
{
	return (ip->dst[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

dwcp_inline u32 parse_ip6(struct cursor *c)
{
	struct ip6_hdr *ip;
	u32 payload;

	if (!cursor_take(c, &ip))
		return DWCP_XDP_IP6_TRUNCATED;
	if (bpf_ntohl(ip->version_class_flow) >> 28 != 6)
		return DWCP_XDP_IP6_VERSION;
	payload = bpf_ntohs(ip->payload_len);
	if (payload > c->left)
		return DWCP_XDP_IP6_PAYLOAD_LENGTH;
	if (payload == 0 && ip->next == IP6_NEXT_HOP_BY_HOP)
		return DWCP_XDP_IP6_PAYLOAD_LENGTH;
	if (ip6_source_bad(ip) && !ip6_to_link_local(ip))
		return DWCP_XDP_IP6_SOURCE;
	return DWCP_XDP_IP6;
}

/* Return: enum dwcp_xdp_counter, a kind or a drop. */
dwcp_inline u32 parse_frame(struct cursor *c)
{
	struct eth_hdr *eth;
	u16 type;

	if (!cursor_take(c, &eth))
		return DWCP_XDP_L2_TRUNCATED;
	if (eth->dst[0] & 1)
		return DWCP_XDP_GROUP;
	type = eth->type;
#pragma unroll
	for (u32 i = 0; i <= MAX_TAGS; i++) {
		struct vlan_tag *tag;

		if (!is_tag(type))
			break;
		if (i == MAX_TAGS)
			return DWCP_XDP_L2_VLAN_DEPTH;
		if (!cursor_take(c, &tag))
			return DWCP_XDP_L2_VLAN_TRUNCATED;
		type = tag->type;
	}
	if (type == bpf_htons(ETH_P_IP))
		return parse_ip4(c);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ip6(c);
	return type == bpf_htons(ETH_P_ARP) ? DWCP_XDP_ARP : DWCP_XDP_OTHER;
}
