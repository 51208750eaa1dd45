/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.c - may a packet that died be answered? See util/icmp.h; the answer is built in icmp_build.c.
 *
 * Everything is read anew from the bytes, with its own bounds: a frame may have died anywhere in parse, and then its
 * struct pkt is not complete. What can't be judged is not answered.
 */
#include "icmp_internal.h"

#include <dwcp/abi/tables.h>

#ifdef ICMP_RULE_TESTED
enum icmp_rule icmp_rule_off;
#define FORBID(name, cond) ((cond) && icmp_rule_off != ICMP_RULE_##name)
#else
#define FORBID(name, cond) (cond)
#endif

/* RFC 1122 §3.2.2.1 ff: only queries and their replies are no errors; what nobody knows counts as one. */
static bool icmp4_is_query(u8 type)
{
	const u32 queries = 1u << 0 | 1u << 8 | 1u << 9 | 1u << 10 | 0x3fu << 13;

	return type < 32 ? queries >> type & 1 : type == 42 || type == 43;
}

/* RFC 4443 §2.1: errors have the high bit clear; §2.4 e.2 adds redirects. */
static bool icmp6_is_informational(u8 type)
{
	return type >= 128 && type != 137;
}

static enum icmp_rule offender4_read(const u8 *ip, u32 readable, struct icmp_offender *o)
{
	u32 fragment;

	o->family = FIB_IP4;
	o->src.lo = be32_load(ip + 12);
	o->dst.lo = be32_load(ip + 16);
	o->hdr_bytes = (ip[0] & 15) * 4u;
	fragment = be16_load(ip + 6) & 0x1fff;
	if (FORBID(UNREADABLE, o->hdr_bytes < IP4_HDR_BYTES || o->hdr_bytes > readable))
		return ICMP_RULE_UNREADABLE;
	if (FORBID(SOURCE, !dwcp_addr4_is_global((u32)o->src.lo)))
		return ICMP_RULE_SOURCE;
	if (FORBID(DESTINATION, !dwcp_addr4_is_global((u32)o->dst.lo)))
		return ICMP_RULE_DESTINATION;
	if (FORBID(LATER_FRAGMENT, fragment != 0))
		return ICMP_RULE_LATER_FRAGMENT;
	if (fragment == 0 && ip[9] == IP_PROTO_ICMP &&
	    FORBID(ICMP, o->hdr_bytes >= readable || !icmp4_is_query(ip[o->hdr_bytes])))
		return ICMP_RULE_ICMP;
	return ICMP_RULE_NONE;
}

bool icmp_chain_next(struct icmp_chain *c)
{
	const u8 *hdr = c->ip + c->at;

	if (!is_extension6(c->next) || c->n == ICMP_MAX_CHAIN)
		return false;
	c->cut = c->at + 8 > c->readable;
	if (c->cut)
		return false;
	c->type = c->next;
	c->header_at = c->at;
	c->named_at = c->next_named_at;
	c->next_named_at = c->at;
	c->next = hdr[0];
	c->at +=
		c->type == IP_PROTO_FRAGMENT ? 8u : 8 + hdr[1] * (c->type == IP_PROTO_AH ? 4u : 8u);
	c->n++;
	return true;
}

static enum icmp_rule offender6_read(const u8 *ip, u32 readable, struct icmp_offender *o)
{
	struct icmp_chain c = icmp_chain_init(ip, readable);
	bool later = false;

	o->family = FIB_IP6;
	o->src = (struct fib_addr){be64_load(ip + 8), be64_load(ip + 16)};
	o->dst = (struct fib_addr){be64_load(ip + 24), be64_load(ip + 32)};
	if (FORBID(SOURCE, !dwcp_addr6_is_global(o->src.hi, o->src.lo)))
		return ICMP_RULE_SOURCE;
	if (FORBID(DESTINATION, !dwcp_addr6_is_global(o->dst.hi, o->dst.lo)))
		return ICMP_RULE_DESTINATION;
	while (!later && icmp_chain_next(&c))
		later = c.type == IP_PROTO_FRAGMENT && be16_load(ip + c.header_at + 2) & 0xfff8;
	o->hdr_bytes = c.at;
	if (FORBID(LATER_FRAGMENT, later))
		return ICMP_RULE_LATER_FRAGMENT;
	/* the chain has to end where it can be seen, or what it carries is unknown */
	if (!later && FORBID(UNREADABLE, c.cut || is_extension6(c.next)))
		return ICMP_RULE_UNREADABLE;
	if (!later && c.next == IP_PROTO_ICMP6 &&
	    FORBID(ICMP, c.at >= readable || !icmp6_is_informational(ip[c.at])))
		return ICMP_RULE_ICMP;
	return ICMP_RULE_NONE;
}

/* Where the IP header begins; 0 = there is none. */
static u32 l3_find(const u8 *frame, u32 seg_len, u16 *ret_type)
{
	u32 at = ETH_HDR_BYTES;

	if (seg_len < ETH_HDR_BYTES)
		return 0;
	*ret_type = be16_load(frame + 12);
	for (u32 i = 0;
	     i < 2 && (*ret_type == 0x8100 || *ret_type == 0x88a8 || *ret_type == 0x9100); i++) {
		if (seg_len < at + VLAN_TAG_BYTES)
			return 0;
		*ret_type = be16_load(frame + at + 2);
		at += VLAN_TAG_BYTES;
	}
	return at;
}

enum icmp_rule icmp_offender_read(const u8 *frame, u32 seg_len, u32 frame_len,
				  struct icmp_offender *ret)
{
	u16 type = 0;
	u32 at = l3_find(frame, seg_len, &type), least, readable, len;
	const u8 *ip = frame + at;

	memset(ret, 0, sizeof(*ret));
	least = type == 0x0800 ? IP4_HDR_BYTES : IP6_HDR_BYTES;
	/* never optional: what follows reads the headers */
	if (!at || (type != 0x0800 && type != 0x86dd) || seg_len < at + least ||
	    ip[0] >> 4 != (type == 0x0800 ? 4 : 6))
		return ICMP_RULE_UNREADABLE;
	if (FORBID(LINK_GROUP, frame[0] & 1))
		return ICMP_RULE_LINK_GROUP;
	len = type == 0x0800 ? be16_load(ip + 2) : IP6_HDR_BYTES + be16_load(ip + 4);
	readable = DWCP_MIN(DWCP_MIN(len, frame_len - at), seg_len - at);
	if (readable < least)
		return ICMP_RULE_UNREADABLE;
	ret->l3_offset = (u16)at;
	ret->bytes = readable;
	return type == 0x0800 ? offender4_read(ip, readable, ret)
			      : offender6_read(ip, readable, ret);
}
