/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse.c - every frame that is not the common one: link layer and IPv4, step by step, each failure by its name.
 * See packet.h for the contract, util/parse_inline.h for the common frame. Pure, any thread. Reads nothing past
 * the first segment, and nothing of the padding behind the IP packet.
 *
 * What is judged in IPv4, and what is not, in a router that is not the packet's destination:
 * - Header: version, lengths and checksum (RFC 1812 §5.2.2). Trailing bytes behind the packet are padding.
 * - Options: their lengths must add up. Source routes die (RFC 7126 §4.3, §4.4). Record route and timestamp must be
 *   what RFC 791 describes, and then pass unfilled; all others pass, known or not (RFC 1812 §5.3.13).
 * - Fragments: those that no reassembly could use die (empty, past 65,535 bytes, not a multiple of 8 and not the
 *   last). DF on a fragment is legal; the reserved flag is ignored.
 * - Sources that no host has die (RFC 1122 §3.2.1.3, RFC 1812 §5.3.7). 240/4 passes: networks do use it inside.
 */
#include "parse_internal.h"

#define ETHERTYPE_IP4	 0x0800
#define ETHERTYPE_ARP	 0x0806
#define ETHERTYPE_IP6	 0x86dd
#define ETHERTYPE_8021Q	 0x8100
#define ETHERTYPE_8021AD 0x88a8
#define ETHERTYPE_QINQ	 0x9100 /* before 802.1ad, still sent */

#define MAX_TAGS	 2

enum ip4_option {
	IP4_OPTION_END = 0,
	IP4_OPTION_NOP = 1,
	IP4_OPTION_RECORD_ROUTE = 7,
	IP4_OPTION_TIMESTAMP = 68,
	IP4_OPTION_LSRR = 131,
	IP4_OPTION_SSRR = 137,
};

static bool is_tag(u16 ethertype)
{
	return ethertype == ETHERTYPE_8021Q || ethertype == ETHERTYPE_8021AD ||
	       ethertype == ETHERTYPE_QINQ;
}

/* Leaves the EtherType of what the tags wrap in *ret_type, and p->l3_offset behind it. */
static u32 parse_tags(const u8 *frame, u32 seg_len, struct pkt *p, u16 *ret_type)
{
	u32 at = ETH_HDR_BYTES;
	u16 type = be16_load(frame + 12);

	while (is_tag(type)) {
		if (p->n_tags == MAX_TAGS)
			return VERDICT_DROP(DROP_L2_VLAN_DEPTH);
		if (seg_len < at + VLAN_TAG_BYTES)
			return VERDICT_DROP(DROP_L2_VLAN_TRUNCATED);
		p->svlan = p->vlan;
		p->vlan = be16_load(frame + at) & 0xfff;
		p->n_tags++;
		type = be16_load(frame + at + 2);
		at += VLAN_TAG_BYTES;
	}
	p->l3_offset = (u16)at;
	*ret_type = type;
	return VERDICT_PASS;
}

/* ARP is named before "broadcast", because that is what an operator looks for. */
static u32 parse_l2(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, struct pkt *p,
		    u16 *ret_type)
{
	bool group;
	u32 verdict;

	if (seg_len < ETH_HDR_BYTES)
		return VERDICT_DROP(DROP_L2_TRUNCATED);
	group = frame[0] & 1;
	if (!group && !parse_mac_ok(cfg, frame))
		return VERDICT_DROP(DROP_L2_NOT_OURS);
	verdict = parse_tags(frame, seg_len, p, ret_type);
	if (verdict != VERDICT_PASS)
		return verdict;
	if (*ret_type == ETHERTYPE_ARP)
		return VERDICT_DROP(DROP_L2_ARP);
	return group ? VERDICT_DROP(DROP_L2_MULTICAST) : VERDICT_PASS;
}

/* Lengths and pointers that RFC 791 fixes: the pointer counts from 1, behind the fields before the data. */
static u32 parse_option4(const u8 *opt, u32 len)
{
	switch (opt[0]) {
	case IP4_OPTION_LSRR:
	case IP4_OPTION_SSRR:
		return VERDICT_DROP(DROP_IP4_SOURCE_ROUTE);
	case IP4_OPTION_RECORD_ROUTE:
		return len < 3 || opt[2] < 4 ? VERDICT_DROP(DROP_IP4_OPTION) : VERDICT_PASS;
	case IP4_OPTION_TIMESTAMP:
		return len < 4 || opt[2] < 5 ? VERDICT_DROP(DROP_IP4_OPTION) : VERDICT_PASS;
	default:
		return VERDICT_PASS;
	}
}

/* Bytes behind "end of options" are padding of any value. */
static u32 parse_options4(const u8 *ip, u32 hdr_bytes)
{
	u32 at = IP4_HDR_BYTES;
	u32 verdict;

	while (at < hdr_bytes && ip[at] != IP4_OPTION_END) {
		if (ip[at] == IP4_OPTION_NOP) {
			at++;
			continue;
		}
		if (hdr_bytes - at < 2 || ip[at + 1] < 2 || ip[at + 1] > hdr_bytes - at)
			return VERDICT_DROP(DROP_IP4_OPTION);
		verdict = parse_option4(ip + at, ip[at + 1]);
		if (verdict != VERDICT_PASS)
			return verdict;
		at += ip[at + 1];
	}
	return VERDICT_PASS;
}

/*
 * The whole datagram is at least this fragment's own header, its offset and its data: what passes 65,535 with that
 * can't be reassembled. (The first fragment's header may be longer, never shorter: options are copied or not.)
 */
static u32 parse_fragment4(const struct parse_ip *ip, u32 hdr_bytes, struct pkt *p)
{
	u32 word = be16_load(ip->bytes + 6);
	u32 offset = (word & 0x1fff) * 8;
	bool more = word & 0x2000;
	u32 data_bytes = ip->len - hdr_bytes;

	p->flags |= word & 0x4000 ? PKT_DONT_FRAGMENT : 0;
	if (!offset && !more)
		return VERDICT_PASS;
	if (!data_bytes || (more && data_bytes % 8) || offset + ip->len > 65535)
		return VERDICT_DROP(DROP_IP4_FRAGMENT);
	if (offset && parse_fragment_overlaps_tcp(p->protocol, offset))
		return VERDICT_DROP(DROP_TINY_FRAGMENT);
	p->flags |= PKT_FRAGMENT | (offset ? PKT_LATER_FRAGMENT : 0);
	return VERDICT_PASS;
}

static u32 parse_source4(u32 src)
{
	u32 top = src >> 24;

	if (top == 0 || top == 127 || top >> 4 == 14 || src == 0xffffffff)
		return VERDICT_DROP(DROP_IP4_SOURCE);
	return VERDICT_PASS;
}

/* Lengths, in an order that gives each fault one name; then the checksum, before anything else is believed. */
static u32 parse_lengths4(const struct parse_cfg *cfg, struct parse_ip *ip, u32 *ret_hdr_bytes)
{
	const u8 *hdr = ip->bytes;
	u32 hdr_bytes, total;

	if (ip->readable < IP4_HDR_BYTES)
		return VERDICT_DROP(DROP_IP4_TRUNCATED);
	if (hdr[0] >> 4 != 4)
		return VERDICT_DROP(DROP_IP4_VERSION);
	hdr_bytes = (hdr[0] & 15) * 4u;
	if (hdr_bytes < IP4_HDR_BYTES)
		return VERDICT_DROP(DROP_IP4_HEADER_LENGTH);
	total = be16_load(hdr + 2);
	if (total < IP4_HDR_BYTES)
		return VERDICT_DROP(DROP_IP4_TOTAL_LENGTH);
	if (hdr_bytes > total)
		return VERDICT_DROP(DROP_IP4_HEADER_LENGTH);
	if (hdr_bytes > ip->readable)
		return VERDICT_DROP(DROP_IP4_TRUNCATED);
	if (total > ip->len)
		return VERDICT_DROP(DROP_IP4_TOTAL_LENGTH);
	if (!cfg->checksum_verified && !ip4_checksum_ok(hdr, hdr_bytes))
		return VERDICT_DROP(DROP_IP4_CHECKSUM);
	parse_ip_trim(ip, total);
	*ret_hdr_bytes = hdr_bytes;
	return VERDICT_PASS;
}

static void parse_fields4(const u8 *hdr, u32 hdr_bytes, u32 ip_len, struct pkt *p)
{
	p->src.lo = be32_load(hdr + 12);
	p->dst.lo = be32_load(hdr + 16);
	p->flags = PKT_IP4 | (p->src.lo >> 16 == 0xa9fe ? PKT_LINK_LOCAL : 0) |
		   (hdr_bytes > IP4_HDR_BYTES ? PKT_OPTIONS : 0);
	p->l4_offset = (u16)(p->l3_offset + hdr_bytes);
	p->ip_len = ip_len;
	p->protocol = hdr[9];
	p->ttl = hdr[8];
	p->dscp_ecn = hdr[1];
}

static u32 parse_ip4(const struct parse_cfg *cfg, struct parse_ip *ip, struct pkt *p)
{
	u32 hdr_bytes;
	u32 verdict = parse_lengths4(cfg, ip, &hdr_bytes);

	if (verdict != VERDICT_PASS)
		return verdict;
	parse_fields4(ip->bytes, hdr_bytes, ip->len, p);
	verdict = parse_options4(ip->bytes, hdr_bytes);
	if (verdict != VERDICT_PASS)
		return verdict;
	verdict = parse_source4((u32)p->src.lo);
	if (verdict != VERDICT_PASS)
		return verdict;
	verdict = parse_fragment4(ip, hdr_bytes, p);
	if (verdict != VERDICT_PASS || p->flags & PKT_LATER_FRAGMENT)
		return verdict;
	return parse_l4(ip, hdr_bytes, p);
}

dwcp_noinline u32 parse_packet_slow(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				    u32 frame_len, struct pkt *ret_pkt)
{
	struct parse_ip ip;
	u16 type;
	u32 verdict;

	memset(ret_pkt, 0, sizeof(*ret_pkt));
	verdict = parse_l2(cfg, frame, seg_len, ret_pkt, &type);
	if (verdict != VERDICT_PASS)
		return verdict;
	ip.bytes = frame + ret_pkt->l3_offset;
	ip.readable = seg_len - ret_pkt->l3_offset;
	ip.len = frame_len - ret_pkt->l3_offset;
	if (type == ETHERTYPE_IP4)
		return parse_ip4(cfg, &ip, ret_pkt);
	if (type == ETHERTYPE_IP6)
		return parse_ip6(&ip, ret_pkt);
	return VERDICT_DROP(DROP_L2_ETHERTYPE);
}

/* Where the tags end, if there are one or two of them; else 0. */
static u32 tags_bytes(const u8 *frame)
{
	if (!is_tag(be16_load(frame + 12)))
		return 0;
	return is_tag(be16_load(frame + 16)) ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES;
}

/* What parse_common() took for an untagged frame, said of the whole. */
static void parse_shift(const u8 *frame, u32 tag_bytes, struct pkt *p)
{
	p->l3_offset = (u16)(p->l3_offset + tag_bytes);
	p->l4_offset = (u16)(p->l4_offset + tag_bytes);
	p->n_tags = (u8)(tag_bytes / VLAN_TAG_BYTES);
	p->vlan = be16_load(frame + 10 + tag_bytes) & 0xfff;
	p->svlan = tag_bytes > VLAN_TAG_BYTES ? be16_load(frame + 14) & 0xfff : 0;
}

dwcp_inline bool parse_tagged_inline(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				     struct pkt *p)
{
	u32 tag_bytes;

	if (seg_len < ETH_HDR_BYTES + 2 * VLAN_TAG_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES)
		return false;
	tag_bytes = tags_bytes(frame);
	if (!tag_bytes || !parse_mac_ok(cfg, frame) ||
	    !parse_common(cfg, frame + tag_bytes, seg_len - tag_bytes, p))
		return false;
	parse_shift(frame, tag_bytes, p);
	return true;
}

bool parse_tagged(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, struct pkt *p)
{
	return parse_tagged_inline(cfg, frame, seg_len, p);
}

dwcp_noinline u32 parse_packet_other(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				     u32 frame_len, struct pkt *ret_pkt)
{
	if (parse_tagged_inline(cfg, frame, seg_len, ret_pkt))
		return VERDICT_PASS;
	return parse_packet_slow(cfg, frame, seg_len, frame_len, ret_pkt);
}

u32 parse_packet(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, u32 frame_len,
		 struct pkt *ret_pkt)
{
	return parse_packet_inline(cfg, frame, seg_len, frame_len, ret_pkt);
}
