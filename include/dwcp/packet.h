/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.h - what parse learns of a packet, and what every later stage reads instead of the bytes.
 * One cache line a packet. Filled by parse_packet(); pure data, any thread.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/drop_reasons.h>
#include <dwcp/util/fib.h>

enum pkt_flag {
	PKT_IP4 = 1 << 0,
	PKT_IP6 = 1 << 1,
	PKT_FRAGMENT = 1 << 2,	     /* any fragment, first included; not IPv6 "atomic" ones */
	PKT_LATER_FRAGMENT = 1 << 3, /* has no transport header */
	PKT_OPTIONS = 1 << 4,	     /* IPv4 options or IPv6 extension headers */
	PKT_L4 = 1 << 5,	     /* ports are valid (ICMP echo: identifier in both) */
	PKT_DONT_FRAGMENT = 1 << 6,  /* IPv4 DF; every IPv6 packet */
	PKT_LINK_LOCAL = 1 << 7,     /* link-local source, both families: never forwarded */
	PKT_ICMP_ERROR = 1 << 8,     /* inner_offset: a whole quoted IP header + 8 bytes */
};

/* VERDICT_DROP_BASE + drop_reason: one integer says what becomes of a packet. */
enum pkt_verdict {
	VERDICT_PASS = 0,
	VERDICT_TO_HOST = 1,
	VERDICT_QUEUED = 2,
	VERDICT_DROP_BASE = 16,
};

#define VERDICT_DROP(reason) (VERDICT_DROP_BASE + (reason))

struct pkt {
	struct fib_addr dst; /* host order; IPv4 in the low 32 bits of .lo */
	struct fib_addr src;
	u16 flags;     /* enum pkt_flag */
	u16 l3_offset; /* bytes from the start of the frame */
	u16 l4_offset; /* what follows the IP header and its options or extension headers */
	u16 reserved0;
	u16 src_port, dst_port; /* host order; 0 without PKT_L4 */
	u8 protocol; /* behind the extension headers; later fragment: as its fragment header says */
	u8 ttl;
	u8 dscp_ecn;
	u8 tcp_flags;
	u16 vlan, svlan; /* tag ids; .svlan is the outer of two; 0 = none or priority tag */
	u8 n_tags;
	u8 icmp_type;
	u16 inner_offset; /* ICMP error: the quoted IP header */
	u16 vrf;
	u16 tenant;
	u32 ip_len; /* IP header + payload as the header says (padding excluded); IPv6 can pass 65,535 */
} dwcp_aligned(64);

_Static_assert(sizeof(struct pkt) == 64, "one cache line a packet");

/* What the port tells parse: nothing here changes while the port runs. */
struct parse_cfg {
	u8 mac[6];
	bool promiscuous;	/* accept frames for any unicast MAC (capture to capture, tests) */
	bool checksum_verified; /* the NIC has checked the IPv4 header checksum of this packet */
};

_Static_assert(sizeof(struct parse_cfg) == 8, "read as one word by parse_inline.h");

/**
 * parse_packet() - bytes of a frame → struct pkt, or the reason why it is malformed.
 *
 * @frame: start of the Ethernet header. Borrowed; never read past @seg_len.
 * @seg_len: bytes readable at @frame (the first segment of a chain).
 * @frame_len: bytes of the whole frame, ≥ seg_len.
 * @ret_pkt: written (only complete when the verdict is VERDICT_PASS).
 *
 * Headers that do not lie inside the first segment count as truncated. Judged is what is wrong for everybody;
 * what only a forwarder minds (TTL, destinations that are not routed) is pkt_forward_check() in util/forward.h.
 * Hot loops use parse_packet_inline() (util/parse_inline.h), which is the same.
 * Thread: any. Pure. Return: VERDICT_PASS or VERDICT_DROP(reason).
 */
u32 parse_packet(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, u32 frame_len,
		 struct pkt *ret_pkt);
