/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_internal.h - what the files of the slow parser share. Private to lib/packet.
 */
#pragma once

#include <dwcp/util/parse_inline.h>

#define IP6_MAX_EXTENSIONS 8
#define IP6_MAX_OPTIONS	   64

dwcp_inline bool is_extension6(u8 next)
{
	return next == IP_PROTO_HOP_BY_HOP || next == IP_PROTO_ROUTING ||
	       next == IP_PROTO_FRAGMENT || next == IP_PROTO_AH || next == IP_PROTO_DESTINATION;
}

/*
 * An IP packet inside a frame. Two lengths, never mixed up: what the packet has (judged by its headers), and how
 * much of that can be read, which is less when the frame is a chain of buffers.
 */
struct parse_ip {
	const u8 *bytes; /* the IP header */
	u32 readable;	 /* bytes from there in the first segment */
	u32 len; /* bytes from there in the frame; cut to what the IP header says once that is known */
};

/* Cuts both lengths to what the IP header says, so that nothing looks into the padding. */
dwcp_inline void parse_ip_trim(struct parse_ip *ip, u32 ip_len)
{
	ip->len = DWCP_MIN(ip->len, ip_len);
	ip->readable = DWCP_MIN(ip->readable, ip_len);
}

/* Transport header at @offset bytes from the IP header. p: protocol and flags are set. lib/packet/parse_l4.c */
u32 parse_l4(const struct parse_ip *ip, u32 offset, struct pkt *p);

/* A later fragment that would lie over a TCP header already judged. @fragment_bytes: its offset. */
bool parse_fragment_overlaps_tcp(u8 protocol, u32 fragment_bytes);

/* IPv6 from its fixed header on. lib/packet/parse_ip6.c */
u32 parse_ip6(struct parse_ip *ip, struct pkt *p);
