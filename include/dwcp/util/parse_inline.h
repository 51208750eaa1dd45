/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_inline.h - parse_packet() for hot loops: the common packet in one straight line, the rest in a call.
 *
 * The common packet is untagged, for our MAC, IPv4 without options and no fragment or IPv6 without extension
 * headers, TCP or UDP, whole in its first segment, from an ordinary source. Every test that fails, for whatever
 * reason, goes to parse_packet_slow() (lib/packet/parse.c), which starts over and finds the exact reason: so this
 * file only has to be right about what it passes, and it knows no drop reasons.
 *
 * TCP and UDP share one line without a branch between them: mixed traffic would mispredict it half the time.
 * Callers prefetch the frames: the first line of a burst's frames is the only memory touched here.
 */
#pragma once

#include <dwcp/packet.h>
#include <dwcp/util/checksum.h>

#define ETH_HDR_BYTES  14
#define VLAN_TAG_BYTES 4
#define IP4_HDR_BYTES  20
#define IP6_HDR_BYTES  40
#define TCP_HDR_BYTES  20
#define UDP_HDR_BYTES  8
#define ICMP_HDR_BYTES 8

enum ip_protocol {
	IP_PROTO_HOP_BY_HOP = 0,
	IP_PROTO_ICMP = 1,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_ROUTING = 43,
	IP_PROTO_FRAGMENT = 44,
	IP_PROTO_ESP = 50,
	IP_PROTO_AH = 51,
	IP_PROTO_ICMP6 = 58,
	IP_PROTO_NONE = 59,
	IP_PROTO_DESTINATION = 60,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

/*
 * Bit f is set when no stack sends the flags f (the low six): none at all, or SYN with FIN or RST. In each group
 * of eight (FIN, SYN, RST) those are 3, 6 and 7; 0 only when the other three are clear as well.
 * Other odd pairs (FIN without ACK, …) are left alone: some stacks and middleboxes do send them.
 */
#define TCP_FLAGS_IMPOSSIBLE UINT64_C(0xc8c8c8c8c8c8c8c9)

/** parse_packet_slow() - parse_packet() without the shortcut; complete on its own. Same arguments, same answers. */
u32 parse_packet_slow(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, u32 frame_len,
		      struct pkt *ret_pkt);

/* Ours, or any unicast address on a promiscuous port. */
dwcp_inline bool parse_mac_ok(const struct parse_cfg *cfg, const u8 *frame)
{
	u64 word = checksum_load64(frame) ^ checksum_load64((const u8 *)cfg);
	u64 mask = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? UINT64_C(0x0000ffffffffffff)
							     : UINT64_C(0xffffffffffff0000);

	return !(word & mask) || (cfg->promiscuous && !(frame[0] & 1));
}

/*
 * TCP or UDP at l4. @avail: bytes of the packet that are there from l4 on, ≥ need = 20 (TCP) or 8 (UDP).
 * One load serves both: data offset and flags of TCP, length of UDP.
 */
dwcp_inline bool parse_ports(const u8 *l4, bool is_tcp, u32 need, u32 avail, struct pkt *p)
{
	u32 word = be16_load(l4 + (is_tcp ? 12 : 4));
	u32 len = is_tcp ? word >> 12 << 2 : word;
	u32 flags = is_tcp ? word & 0xff : TCP_ACK;

	p->src_port = be16_load(l4);
	p->dst_port = be16_load(l4 + 2);
	p->tcp_flags = is_tcp ? (u8)flags : 0;
	return (len - need <= avail - need) & !(TCP_FLAGS_IMPOSSIBLE >> (flags & 63) & 1);
}

/* What the common packet does not have. */
dwcp_inline void parse_clear(struct pkt *p)
{
	p->reserved0 = 0;
	p->vlan = 0;
	p->svlan = 0;
	p->n_tags = 0;
	p->icmp_type = 0;
	p->inner_offset = 0;
	p->vrf = 0;
	p->tenant = 0;
}

/* An untagged frame of ≥ 42 bytes that begins an IPv4 header of 5 words. False: let parse_packet_slow() say. */
dwcp_inline bool parse_ip4_fast(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				struct pkt *p)
{
	const u8 *ip = frame + ETH_HDR_BYTES;
	u32 seg = seg_len - ETH_HDR_BYTES;
	u32 ip_len = be16_load(ip + 2);
	u32 frag = be16_load(ip + 6);
	u32 src = be32_load(ip + 12);
	bool is_tcp = ip[9] == IP_PROTO_TCP;
	u32 need = is_tcp ? TCP_HDR_BYTES : UDP_HDR_BYTES;
	/* 0/8 wraps to 255; 224 and above; and 127 */
	bool odd_source = ((u8)((src >> 24) - 1) >= 223) | (src >> 24 == 127);

	if (dwcp_unlikely((ip[9] != IP_PROTO_UDP) & !is_tcp))
		return false;
	if (dwcp_unlikely((ip_len > seg) | (ip_len < IP4_HDR_BYTES + need) |
			  ((frag & 0x3fff) != 0) | odd_source))
		return false;
	if (dwcp_unlikely(!cfg->checksum_verified && !ip4_checksum_ok_20(ip)))
		return false;

	p->dst.hi = 0;
	p->dst.lo = be32_load(ip + 16);
	p->src.hi = 0;
	p->src.lo = src;
	p->flags = (u16)(PKT_IP4 | PKT_L4 | (frag & 0x4000 ? PKT_DONT_FRAGMENT : 0) |
			 (src >> 16 == 0xa9fe ? PKT_LINK_LOCAL : 0));
	p->l3_offset = ETH_HDR_BYTES;
	p->l4_offset = ETH_HDR_BYTES + IP4_HDR_BYTES;
	p->ip_len = ip_len;
	p->protocol = ip[9];
	p->ttl = ip[8];
	p->dscp_ecn = ip[1];
	parse_clear(p);
	return parse_ports(ip + IP4_HDR_BYTES, is_tcp, need, ip_len - IP4_HDR_BYTES, p);
}

/* An untagged frame of ≥ 62 bytes that begins an IPv6 header. */
dwcp_inline bool parse_ip6_fast(const u8 *frame, u32 seg_len, struct pkt *p)
{
	const u8 *ip = frame + ETH_HDR_BYTES;
	u32 seg = seg_len - ETH_HDR_BYTES;
	u32 ip_len = IP6_HDR_BYTES + be16_load(ip + 4);
	u64 src_hi = be64_load(ip + 8);
	bool is_tcp = ip[6] == IP_PROTO_TCP;
	u32 need = is_tcp ? TCP_HDR_BYTES : UDP_HDR_BYTES;

	if (dwcp_unlikely((ip[6] != IP_PROTO_UDP) & !is_tcp))
		return false;
	if (dwcp_unlikely((ip_len > seg) | (ip_len < IP6_HDR_BYTES + need) |
			  (src_hi >> 56 == 0xff) | (src_hi == 0)))
		return false;

	p->dst.hi = be64_load(ip + 24);
	p->dst.lo = be64_load(ip + 32);
	p->src.hi = src_hi;
	p->src.lo = be64_load(ip + 16);
	p->flags = (u16)(PKT_IP6 | PKT_L4 | PKT_DONT_FRAGMENT |
			 (src_hi >> 54 == 0x3fa ? PKT_LINK_LOCAL : 0));
	p->l3_offset = ETH_HDR_BYTES;
	p->l4_offset = ETH_HDR_BYTES + IP6_HDR_BYTES;
	p->ip_len = ip_len;
	p->protocol = ip[6];
	p->ttl = ip[7];
	p->dscp_ecn = (u8)(be16_load(ip) >> 4);
	parse_clear(p);
	return parse_ports(ip + IP6_HDR_BYTES, is_tcp, need, ip_len - IP6_HDR_BYTES, p);
}

/** parse_packet_inline() - parse_packet(), see packet.h. */
dwcp_inline u32 parse_packet_inline(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				    u32 frame_len, struct pkt *ret_pkt)
{
	if (dwcp_likely(seg_len >= ETH_HDR_BYTES + IP4_HDR_BYTES + UDP_HDR_BYTES &&
			parse_mac_ok(cfg, frame))) {
		/* EtherType, version and IHL in one comparison; of IPv6 the version's nibble only. */
		u32 word = be32_load(frame + 12) >> 8;

		if (dwcp_likely(word == 0x080045)) {
			if (dwcp_likely(parse_ip4_fast(cfg, frame, seg_len, ret_pkt)))
				return VERDICT_PASS;
		} else if (dwcp_likely((word & 0xfffff0) == 0x86dd60 &&
				       seg_len >= ETH_HDR_BYTES + IP6_HDR_BYTES + UDP_HDR_BYTES)) {
			if (dwcp_likely(parse_ip6_fast(frame, seg_len, ret_pkt)))
				return VERDICT_PASS;
		}
	}
	return parse_packet_slow(cfg, frame, seg_len, frame_len, ret_pkt);
}
