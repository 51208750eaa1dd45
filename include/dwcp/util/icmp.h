/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.h - ICMP and ICMPv6 errors about a packet that died: may it be answered, and the error's bytes, built in place
 * around what is quoted of it. Pure, any thread; reads no more than is there and believes nothing parse has not said.
 *
 * RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3, RFC 1191; RFC 4443, RFC 8201; RFC 4884 (length and extensions), RFC 5837.
 * Redirects are never sent. How many errors may go out is icmp_limit.h's business.
 */
#pragma once

#include <dwcp/packet.h>

/* Why: type and code are the family's. */
enum icmp_error {
	ICMP_ERROR_TIME,	/* TTL or hop limit ran out */
	ICMP_ERROR_NO_ROUTE,	/* net unreachable; no route */
	ICMP_ERROR_UNREACHABLE, /* a route says so: host unreachable; no route */
	ICMP_ERROR_NEIGHBOUR, /* nobody answers for the address: host unreachable; address unreachable */
	ICMP_ERROR_PROHIBITED, /* administratively */
	ICMP_ERROR_TOO_BIG,    /* fragmentation needed; packet too big */
	ICMP_ERROR_PARAMETER,
	ICMP_N_ERRORS
};

/* Rules that forbid an answer (RFC 1122 §3.2.2, RFC 1812 §4.3.2.7, RFC 4443 §2.4 e). */
#define ICMP_RULES(X)                                                                              \
	X(LINK_GROUP, "link_group")	    /* came as a multicast or broadcast frame */           \
	X(UNREADABLE, "unreadable")	    /* its headers aren't there to be judged */            \
	X(SOURCE, "source")		    /* no single host, or good on its own link only */     \
	X(DESTINATION, "destination")	    /* to many hosts, to none, or to the link */           \
	X(LATER_FRAGMENT, "later_fragment") /* not the first */                                    \
	X(ICMP, "icmp")			    /* is an ICMP error itself, or nobody knows */

enum icmp_rule {
	ICMP_RULE_NONE, /* it may be answered */
#define X(name, text) ICMP_RULE_##name,
	ICMP_RULES(X)
#undef X
		ICMP_N_RULES
};

/* What is known of the packet that died. */
struct icmp_offender {
	struct fib_addr src, dst; /* host order, as in struct pkt */
	u8 family;		  /* FIB_IP4, FIB_IP6 */
	u16 l3_offset;		  /* of its IP header in the frame */
	u32 hdr_bytes;		  /* of the IP header with options; IPv6: of the whole chain */
	u32 bytes;		  /* of the packet that lie in the first segment */
};

/**
 * icmp_offender_read() - look at a dead frame and say whether it may be answered.
 *
 * @frame: of the Ethernet header, as it was received. Borrowed; never read past @seg_len.
 * @ret: complete only when the answer is ICMP_RULE_NONE.
 */
enum icmp_rule icmp_offender_read(const u8 *frame, u32 seg_len, u32 frame_len,
				  struct icmp_offender *ret);

/* A parameter problem: which byte of the packet, and RFC 792's, 8200's, 7112's or 8883's code. */
struct icmp_problem {
	u8 code;
	u32 pointer;
};

/**
 * icmp_problem_find() - what a drop reason of parse points at.
 * @frame, @o: as icmp_offender_read() had and said them.
 * Return: false when no RFC asks for a parameter problem here.
 */
bool icmp_problem_find(const u8 *frame, const struct icmp_offender *o, enum drop_reason reason,
		       struct icmp_problem *ret_problem);

#define ICMP_TTL	     64
#define ICMP_EXTENSION_BYTES 96 /* room for what icmp_extension_port() writes */

struct icmp_request {
	enum icmp_error error;
	struct icmp_problem problem; /* ICMP_ERROR_PARAMETER */
	u32 mtu;		     /* ICMP_ERROR_TOO_BIG */
	u8 src[16]; /* the router's address, network order; IPv4 in the first four */
	u16 ip_id;
	u8 ttl;
	const u8 *extension; /* RFC 4884, header included; NULL = none */
	u32 extension_bytes; /* a multiple of 4 */
};

/* The error: an untagged frame whose MACs are still to be written. */
struct icmp_frame {
	s32 delta; /* it begins at frame + delta: in front of the quoted packet, headroom included */
	u32 bytes; /* of the whole frame */
	u32 ip_len;
};

/**
 * icmp_build() - the error around the packet that it quotes: Ethernet and IP headers are written into the bytes before
 * it, and behind the quote only padding and extension.
 *
 * @headroom_bytes, @tailroom_bytes: that may be written before @frame and behind @seg_len.
 * IPv4 quotes what fits 576 bytes, IPv6 what fits 1280. Extensions are left out where the type has none (RFC 4884
 * §4.6) or there is no room.
 * Return: false when there is no room for the headers; nothing is written then.
 */
bool icmp_build(u8 *frame, u32 headroom_bytes, u32 tailroom_bytes, u32 seg_len,
		const struct icmp_offender *o, const struct icmp_request *req,
		struct icmp_frame *ret);

/**
 * icmp_extension_port() - RFC 5837: the interface that the packet came in by, its name and MTU.
 * @ret: [ICMP_EXTENSION_BYTES]. Return: bytes written, a multiple of 4.
 */
u32 icmp_extension_port(const char *name, u32 mtu, u8 *ret);
