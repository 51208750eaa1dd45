/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_ip6.c - IPv6 and its extension headers (RFC 8200), up to the transport header. Pure, any thread.
 *
 * What is judged, and what is not, in a router that is not the packet's destination:
 * - Order and repetition of extension headers are the receiver's business (RFC 8200 §4.1: "must accept and attempt
 *   to process extension headers in any order"), except that hop-by-hop options come first.
 * - Options: their lengths must add up. Unknown ones pass whatever their action bits say: a router obeys those
 *   only when configured to look at hop-by-hop options (RFC 8200 §4), and destination options aren't for it.
 * - Routing headers: type 0 dies (RFC 5095); others pass (RFC 5095 §4.2 warns of blocking them all).
 * - The chain ends at ESP, at "no next header", at a later fragment, and at the first header that is none.
 * - Jumbograms (RFC 2675) need links of more than 65,575 bytes; there are none here.
 *
 * Cost is bounded: 8 headers, and 64 options over all of them (RFC 8504 §5.3 allows such limits), so that a packet
 * full of one-byte paddings costs no more than a few hundred cycles.
 */
#include "parse_internal.h"

#define IP6_OPTION_PAD1	 0x00
#define IP6_OPTION_JUMBO 0xc2

struct chain {
	struct parse_ip *ip;
	u32 at;	       /* offset of the header to read, from the IP header */
	u32 n_headers; /* so far */
	u32 n_options;
	u8 next; /* its type */
	bool end;
};

/* A header of the chain runs past the packet: of a first fragment that is RFC 7112's case. */
static u32 chain_short(const struct pkt *p)
{
	return VERDICT_DROP(p->flags & PKT_FRAGMENT ? DROP_TINY_FRAGMENT : DROP_IP6_EXTENSION);
}

/* Are @need bytes of the header at c->at there? */
static u32 chain_need(const struct chain *c, u32 need, const struct pkt *p)
{
	if (c->at + need > c->ip->len)
		return chain_short(p);
	return c->at + need > c->ip->readable ? VERDICT_DROP(DROP_IP6_EXTENSION) : VERDICT_PASS;
}

/* Type-length-value options from @at to @end, both inside what is readable. */
static u32 parse_options6(struct chain *c, u32 at, u32 end)
{
	const u8 *bytes = c->ip->bytes;

	while (at < end) {
		if (c->n_options++ >= IP6_MAX_OPTIONS)
			return VERDICT_DROP(DROP_IP6_OPTION);
		if (bytes[at] == IP6_OPTION_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || end - at < 2u + bytes[at + 1])
			return VERDICT_DROP(DROP_IP6_OPTION);
		if (bytes[at] == IP6_OPTION_JUMBO && c->next == IP_PROTO_HOP_BY_HOP)
			return VERDICT_DROP(DROP_IP6_PAYLOAD_LENGTH);
		at += 2u + bytes[at + 1];
	}
	return VERDICT_PASS;
}

/*
 * A fragment with offset 0 and no more to come is a whole packet ("atomic", RFC 6946) and no fragment to us.
 * What a fragment claims must be possible: data, a multiple of 8 unless it is the last, inside 65,535 bytes.
 */
static u32 parse_fragment6(struct chain *c, struct pkt *p)
{
	const u8 *hdr = c->ip->bytes + c->at;
	u32 word = be16_load(hdr + 2);
	u32 offset = word & 0xfff8;
	bool more = word & 1;
	u32 data_bytes = c->ip->len - c->at - 8;

	c->next = hdr[0];
	c->at += 8;
	if (!offset && !more)
		return VERDICT_PASS;
	if (!data_bytes || (more && data_bytes % 8) || offset + data_bytes > 65535)
		return VERDICT_DROP(DROP_IP6_FRAGMENT);
	p->flags |= PKT_FRAGMENT;
	if (!offset)
		return VERDICT_PASS;
	if (parse_fragment_overlaps_tcp(c->next, offset))
		return VERDICT_DROP(DROP_TINY_FRAGMENT);
	p->flags |= PKT_LATER_FRAGMENT;
	c->end = true;
	return VERDICT_PASS;
}

/* A header whose length counts units of 8 bytes after the first 8, or (AH) units of 4 after the first 8. */
static u32 parse_extension(struct chain *c, struct pkt *p)
{
	const u8 *hdr = c->ip->bytes + c->at;
	u32 hdr_bytes = 8 + hdr[1] * (c->next == IP_PROTO_AH ? 4u : 8u);
	u32 verdict = chain_need(c, hdr_bytes, p);

	if (verdict != VERDICT_PASS)
		return verdict;
	if (c->next == IP_PROTO_ROUTING && hdr[2] == 0)
		return VERDICT_DROP(DROP_IP6_ROUTING_0);
	if (c->next == IP_PROTO_HOP_BY_HOP || c->next == IP_PROTO_DESTINATION)
		verdict = parse_options6(c, c->at + 2, c->at + hdr_bytes);
	c->next = hdr[0];
	c->at += hdr_bytes;
	return verdict;
}

static u32 parse_chain(struct chain *c, struct pkt *p)
{
	u32 verdict = VERDICT_PASS;

	while (verdict == VERDICT_PASS && !c->end && is_extension6(c->next)) {
		if (c->next == IP_PROTO_HOP_BY_HOP && c->n_headers)
			return VERDICT_DROP(DROP_IP6_EXTENSION_ORDER);
		if (c->n_headers++ == IP6_MAX_EXTENSIONS)
			return VERDICT_DROP(DROP_IP6_EXTENSION_COUNT);
		p->flags |= PKT_OPTIONS;
		verdict = chain_need(c, 8, p);
		if (verdict != VERDICT_PASS)
			return verdict;
		verdict = c->next == IP_PROTO_FRAGMENT ? parse_fragment6(c, p)
						       : parse_extension(c, p);
	}
	return verdict;
}

static bool is_loopback_or_multicast(const struct fib_addr *a)
{
	return a->hi >> 56 == 0xff || (a->hi == 0 && a->lo == 1);
}

/* The fixed header. The unspecified source is for pkt_forward_check(): duplicate address detection uses it. */
static u32 parse_fixed6(struct parse_ip *ip, struct pkt *p)
{
	const u8 *hdr = ip->bytes;
	u32 payload;

	if (ip->readable < IP6_HDR_BYTES)
		return VERDICT_DROP(DROP_IP6_TRUNCATED);
	if (hdr[0] >> 4 != 6)
		return VERDICT_DROP(DROP_IP6_VERSION);
	payload = be16_load(hdr + 4);
	if (payload > ip->len - IP6_HDR_BYTES || (payload == 0 && hdr[6] == IP_PROTO_HOP_BY_HOP))
		return VERDICT_DROP(DROP_IP6_PAYLOAD_LENGTH);
	parse_ip_trim(ip, IP6_HDR_BYTES + payload);

	p->src = (struct fib_addr){be64_load(hdr + 8), be64_load(hdr + 16)};
	p->dst = (struct fib_addr){be64_load(hdr + 24), be64_load(hdr + 32)};
	p->flags = PKT_IP6 | PKT_DONT_FRAGMENT | (p->src.hi >> 54 == 0x3fa ? PKT_LINK_LOCAL : 0);
	p->ip_len = ip->len;
	p->ttl = hdr[7];
	p->dscp_ecn = (u8)(be16_load(hdr) >> 4);
	return is_loopback_or_multicast(&p->src) ? VERDICT_DROP(DROP_IP6_SOURCE) : VERDICT_PASS;
}

u32 parse_ip6(struct parse_ip *ip, struct pkt *p)
{
	struct chain c = {.ip = ip, .at = IP6_HDR_BYTES};
	u32 verdict = parse_fixed6(ip, p);

	if (verdict != VERDICT_PASS)
		return verdict;
	c.next = ip->bytes[6];
	verdict = parse_chain(&c, p);
	if (verdict != VERDICT_PASS)
		return verdict;
	p->protocol = c.next;
	p->l4_offset = (u16)(p->l3_offset + c.at);
	return c.end ? VERDICT_PASS : parse_l4(ip, c.at, p);
}
