/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet_build.h - packets written as they are read: Ethernet, tags, IP, extensions, transport, then build_fix().
 *
 * Every step appends its header, tells the header before it what follows, and notes the span of bytes that a
 * reader needs, with the drop reason of a packet cut inside it. So the expectations of the tests come from how a
 * packet was made and not from the parser. Nothing here uses the code under test but the drop reasons' names.
 */
#pragma once

#include <dwcp/endian.h>
#include <dwcp/packet.h>

#define BUILD_MAX_BYTES 4096
#define BUILD_MAX_SPANS 24

/* The router's MAC and the addresses of every packet, unless a row changes them. */
extern const u8 build_our_mac[6];
extern const u8 build_peer_mac[6];
#define BUILD_SRC4 0xc6336407u		 /* 198.51.100.7 */
#define BUILD_DST4 0xcb007109u		 /* 203.0.113.9 */
extern const struct fib_addr build_src6; /* 2001:db8:1::7 */
extern const struct fib_addr build_dst6; /* 2001:db8:2::9 */

/* A packet whose IP length ends inside [start, end) lacks cut; one readable up to there only lacks seg. */
struct build_span {
	u32 start, end;
	enum drop_reason cut, seg;
};

struct packet_build {
	u8 bytes[BUILD_MAX_BYTES];
	u32 len;
	u32 l3;	      /* offset of the IP header */
	u32 l4;	      /* of what follows IP header, options and extensions */
	u32 next_at;  /* of the byte that names the next header */
	u32 udp_at;   /* of the UDP header, 0 = none */
	u32 data_at;  /* fragments: where the fragment's data begins, 0 = no fragment */
	u32 fragment; /* offset in bytes of its data */
	bool more;
	u8 family; /* 4, 6 */
	u32 n_tags;
	u32 n_spans;
	struct build_span span[BUILD_MAX_SPANS];
};

void build_eth(struct packet_build *b);
void build_tag(struct packet_build *b, u16 tpid, u16 tci);
void build_ethertype(struct packet_build *b, u16 type);

void build_ip4(struct packet_build *b);
/* @n: any; padded with END to a multiple of 4. */
void build_ip4_options(struct packet_build *b, const void *options, u32 n);
void build_ip4_fragment(struct packet_build *b, u32 offset_bytes, bool more);

void build_ip6(struct packet_build *b);
/* A header {next, length, body}; @n + 2 must be a multiple of 8. */
void build_ext(struct packet_build *b, u8 type, const void *body, u32 n);
/* Hop-by-hop or destination options, padded with PadN to a multiple of 8. */
void build_ext_options(struct packet_build *b, u8 type, const void *options, u32 n);
void build_ip6_fragment(struct packet_build *b, u32 offset_bytes, bool more);
void build_ah(struct packet_build *b);

void build_tcp(struct packet_build *b, u8 flags, const void *options, u32 n);
void build_udp(struct packet_build *b);
/* @rest: the second word (echo: identifier, sequence). */
void build_icmp(struct packet_build *b, u8 type, u8 code, u32 rest);
void build_icmp6(struct packet_build *b, u8 type, u8 code, u32 rest);
/* Names the next header without building one: unknown protocols, ESP, "no next header". */
void build_protocol(struct packet_build *b, u8 protocol);

void build_bytes(struct packet_build *b, const void *bytes, u32 n);
/* n bytes 0, 1, 2, … */
void build_payload(struct packet_build *b, u32 n);
/* Sets lengths (IP, UDP) to what is there, and the IPv4 header checksum. */
void build_fix(struct packet_build *b);
/* IP lengths and checksum only: what a cut packet needs. */
void build_fix_ip(struct packet_build *b);
void build_fix_checksum(struct packet_build *b);

#define BUILD_SPORT 40000
#define BUILD_DPORT 443
#define BUILD_ECHO  0x1234 /* identifier */
