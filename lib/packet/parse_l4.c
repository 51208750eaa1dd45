/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_l4.c - the transport headers: TCP, UDP, ICMP, ICMPv6 and the packet that an ICMP error quotes.
 *
 * Other protocols pass unread: a router forwards what it doesn't know (RFC 1812 §5.2). Checksums of the transport
 * are the receiver's business, and NICs verify them wrongly often enough that dropping for one hurts.
 *
 * A first fragment must hold the whole transport header. RFC 1858 asks it for TCP's first 16 bytes, RFC 7112 for
 * every header of IPv6; we ask it of every protocol we read, since what is split can't be filtered by anybody.
 */
#include "parse_internal.h"

const struct parse_l4_kind parse_l4_kinds[256] = {
	[IP_PROTO_TCP] = {.word_at = 12, /* × 64 / 65,536: the top 4 bits, × 4 */
			  .scale = 64,
			  .mask = 0x3c,
			  .need = TCP_HDR_BYTES,
			  .possible = ~TCP_FLAGS_IMPOSSIBLE,
			  .flag_mask = 0xff},
	[IP_PROTO_UDP] = {.word_at = 4,
			  .scale = 0x10000,
			  .mask = 0xffff,
			  .need = UDP_HDR_BYTES,
			  .possible = ~UINT64_C(0)},
};

/* What is missing: of a fragment it is in the next one, of anything else it is nowhere. */
static u32 parse_l4_short(const struct pkt *p, enum drop_reason reason)
{
	return VERDICT_DROP(p->flags & PKT_FRAGMENT ? DROP_TINY_FRAGMENT : reason);
}

static void parse_l4_ports(const u8 *l4, struct pkt *p)
{
	p->src_port = be16_load(l4);
	p->dst_port = be16_load(l4 + 2);
	p->flags |= PKT_L4;
}

static u32 parse_tcp(const u8 *l4, u32 readable, u32 len, struct pkt *p)
{
	u32 hdr_bytes;

	if (len < TCP_HDR_BYTES)
		return parse_l4_short(p, DROP_TCP_TRUNCATED);
	if (readable < TCP_HDR_BYTES)
		return VERDICT_DROP(DROP_TCP_TRUNCATED);
	hdr_bytes = (l4[12] >> 4) * 4u;
	if (hdr_bytes < TCP_HDR_BYTES)
		return VERDICT_DROP(DROP_TCP_OFFSET);
	if (hdr_bytes > len)
		return parse_l4_short(p, DROP_TCP_OFFSET);
	if (hdr_bytes > readable)
		return VERDICT_DROP(DROP_TCP_TRUNCATED);
	if (TCP_FLAGS_IMPOSSIBLE >> (l4[13] & 63) & 1)
		return VERDICT_DROP(DROP_TCP_FLAGS);
	p->tcp_flags = l4[13];
	parse_l4_ports(l4, p);
	return VERDICT_PASS;
}

/*
 * The length of a fragmented datagram can't be compared with one fragment. It may be less than the packet (what
 * follows is a trailer that the receiver ignores), and 0 only in a jumbogram (RFC 2675 §4), which we don't carry.
 */
static u32 parse_udp(const u8 *l4, u32 readable, u32 len, struct pkt *p)
{
	u32 udp_len;

	if (len < UDP_HDR_BYTES)
		return parse_l4_short(p, DROP_UDP_TRUNCATED);
	if (readable < UDP_HDR_BYTES)
		return VERDICT_DROP(DROP_UDP_TRUNCATED);
	udp_len = be16_load(l4 + 4);
	if (udp_len < UDP_HDR_BYTES || (udp_len > len && !(p->flags & PKT_FRAGMENT)))
		return VERDICT_DROP(DROP_UDP_LENGTH);
	parse_l4_ports(l4, p);
	return VERDICT_PASS;
}

/*
 * An ICMP error quotes as much as its sender liked. The quote counts as valid when its IP header is whole and 8
 * bytes follow (RFC 792's minimum: TCP and UDP ports lie there); a shorter one is forwarded like any ICMP message.
 * It is not judged further: it is payload, and old routers return lengths and checksums in host order.
 */
static void parse_icmp_quote(const struct parse_ip *ip, u32 offset, struct pkt *p)
{
	const u8 *quote = ip->bytes + offset;
	u32 left = ip->readable - offset;
	u32 hdr_bytes;

	if (p->flags & PKT_FRAGMENT || left < IP4_HDR_BYTES)
		return;
	if (p->flags & PKT_IP4) {
		hdr_bytes = (quote[0] & 15) * 4u;
		if (quote[0] >> 4 != 4 || hdr_bytes < IP4_HDR_BYTES)
			return;
	} else {
		hdr_bytes = IP6_HDR_BYTES;
		if (quote[0] >> 4 != 6)
			return;
	}
	if (left < hdr_bytes + 8)
		return;
	p->flags |= PKT_ICMP_ERROR;
	p->inner_offset = (u16)(p->l3_offset + offset);
}

static u32 parse_icmp(const struct parse_ip *ip, u32 offset, u32 need, bool is_echo, bool is_error,
		      struct pkt *p)
{
	const u8 *l4 = ip->bytes + offset;

	if (ip->len - offset < need)
		return parse_l4_short(p, DROP_ICMP_TRUNCATED);
	if (ip->readable - offset < need)
		return VERDICT_DROP(DROP_ICMP_TRUNCATED);
	if (is_echo) {
		p->src_port = be16_load(l4 + 4);
		p->dst_port = p->src_port;
		p->flags |= PKT_L4;
	}
	if (is_error)
		parse_icmp_quote(ip, offset + ICMP_HDR_BYTES, p);
	return VERDICT_PASS;
}

/* Every ICMP message has 8 bytes (RFC 792). Errors: unreachable, source quench, redirect, time exceeded, parameter. */
static u32 parse_icmp4(const struct parse_ip *ip, u32 offset, struct pkt *p)
{
	u8 type = ip->readable > offset ? ip->bytes[offset] : 0;
	bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

	p->icmp_type = type;
	return parse_icmp(ip, offset, ICMP_HDR_BYTES, type == 0 || type == 8, is_error, p);
}

/* RFC 4443 §2.1 promises 4 bytes of every message; errors (1 to 4) and echo have 8. */
static u32 parse_icmp6(const struct parse_ip *ip, u32 offset, struct pkt *p)
{
	u8 type = ip->readable > offset ? ip->bytes[offset] : 0;
	bool is_error = type >= 1 && type <= 4;
	bool is_echo = type == 128 || type == 129;

	p->icmp_type = type;
	return parse_icmp(ip, offset, is_error || is_echo ? ICMP_HDR_BYTES : 4, is_echo, is_error,
			  p);
}

u32 parse_l4(const struct parse_ip *ip, u32 offset, struct pkt *p)
{
	const u8 *l4 = ip->bytes + offset;
	u32 readable = ip->readable > offset ? ip->readable - offset : 0;
	bool ip6 = p->flags & PKT_IP6;

	switch (p->protocol) {
	case IP_PROTO_TCP:
		return parse_tcp(l4, readable, ip->len - offset, p);
	case IP_PROTO_UDP:
		return parse_udp(l4, readable, ip->len - offset, p);
	case IP_PROTO_ICMP:
		return ip6 ? VERDICT_PASS : parse_icmp4(ip, offset, p);
	case IP_PROTO_ICMP6:
		return ip6 ? parse_icmp6(ip, offset, p) : VERDICT_PASS;
	default:
		return VERDICT_PASS;
	}
}

/*
 * RFC 1858 §4, RFC 3128: a fragment at offset 8 overwrites the flags of a TCP header that has passed. One at 16
 * overwrites the rest of the fixed header. Neither can exist beside a first fragment that we let through.
 */
bool parse_fragment_overlaps_tcp(u8 protocol, u32 fragment_bytes)
{
	return protocol == IP_PROTO_TCP && fragment_bytes < TCP_HDR_BYTES;
}
