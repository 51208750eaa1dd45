/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_burst.h - the common packets of a burst, eight at a time; everything else is parse_packet()'s.
 *
 * What is common here: untagged IPv4 without options and no fragment, or IPv6 without extension headers; for our MAC, TCP
 * or UDP, whole in its first segment, and nothing that a forwarder would mind (addresses, TTL). For those parse_packet()
 * and pkt_forward_check() say VERDICT_PASS, and the columns hold what they would have said; of all others nothing is
 * said. So this has to be right about what it takes, and knows no drop reasons.
 *
 * Columns and not a struct a packet: a vector of eight addresses is one store, and the FIB reads it as it lies
 * (docs/decisions/0004-burst-metadata.md has both shapes measured).
 */
#pragma once

#include <dwcp/packet.h>

#define PARSE_BURST_MAX 64
#define PARSE_BURST_MIN 3u /* fewer are cheaper one by one, and none of them is taken */

struct pkt_columns {
	/* host order; of a packet those of its family */
	u32 dst4[PARSE_BURST_MAX];
	u32 src4[PARSE_BURST_MAX];
	struct fib_addr dst6[PARSE_BURST_MAX];
	struct fib_addr src6[PARSE_BURST_MAX];
	/* as in the frame: source and destination port */
	u32 ports[PARSE_BURST_MAX];
	/* the word of the header that forwarding changes, as it leaves: see PKT_TTL_WORD4_AT and 6 */
	u32 ttl_word[PARSE_BURST_MAX];
};

/* Where ttl_word belongs in the frame. IPv4: TTL, protocol, checksum; IPv6: payload length, next header, hop limit. */
#define PKT_TTL_WORD4_AT 22u
#define PKT_TTL_WORD6_AT 18u

/* Bit i of either: packet i is common, and of that family. */
struct parse_common {
	u64 ip4, ip6;
};

/**
 * parse_burst() - which of packets [@from, @to) of a burst are common, and their columns.
 *
 * @frame:   [to] start of each Ethernet header. Borrowed.
 * @seg_len: [to] bytes readable there.
 * @from:    a multiple of 8; @to ≤ PARSE_BURST_MAX.
 * @ret:     entries of packets that are not common are left in any state.
 *
 * Thread: any. Pure. Return: none without AVX2: then parse_packet() takes all.
 */
struct parse_common parse_burst(const struct parse_cfg *cfg, const u8 *const *frame,
				const u32 *seg_len, u32 from, u32 to, struct pkt_columns *ret);
