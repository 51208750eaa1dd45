/* SPDX-License-Identifier: BSD-3-Clause */
/* icmp_internal.h - what the files of ICMP errors share. Private to lib/packet. */
#pragma once

#include <dwcp/util/icmp.h>

#include "parse_internal.h"

#define ICMP_MAX_CHAIN 32 /* headers of an IPv6 chain that are looked at */

#ifdef ICMP_RULE_TESTED
extern enum icmp_rule icmp_rule_off; /* tests take one rule out at a time */
#endif

/* A walk over the extension headers of an IPv6 packet, one a call of icmp_chain_next(). */
struct icmp_chain {
	const u8 *ip;
	u32 readable;
	u32 n;		   /* headers so far */
	u32 header_at;	   /* the header that the last call found, from the IP header */
	u32 named_at;	   /* of the byte that says what it is */
	u32 next_named_at; /* the same of the next one */
	u32 at;		   /* of what follows it */
	u8 type, next;	   /* of it, and of what follows */
	bool cut;	   /* the next one isn't all there */
};

dwcp_inline struct icmp_chain icmp_chain_init(const u8 *ip, u32 readable)
{
	return (struct icmp_chain){.ip = ip,
				   .readable = readable,
				   .at = IP6_HDR_BYTES,
				   .next_named_at = 6,
				   .next = ip[6]};
}

/* Return: false at the end of the extension headers, or of what can be read. 8 bytes at header_at are readable. */
bool icmp_chain_next(struct icmp_chain *c);
