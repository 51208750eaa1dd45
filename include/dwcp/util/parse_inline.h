/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_inline.h - parse_packet() for hot loops: the common packet in one straight line, the rest in a call.
 *
 * The common packet is untagged, for our MAC, IPv4 without options and no fragment or IPv6 without extension
 * headers, TCP or UDP, whole in its first segment, from an ordinary source. Every test that fails, for whatever
 * reason, ends in parse_packet_slow() (lib/packet/parse.c), which starts over and finds the exact reason: so this
 * file only has to be right about what it passes, and it knows no drop reasons. The same packet behind one or two
 * VLAN tags is one call away (parse_packet_other()).
 *
 * How it gets fast (perf/packet has the figures):
 * - TCP and UDP are one line with different constants: a branch between them would be mispredicted half the time.
 * - Checks are branches that are never taken: compare and jump are one operation, collecting conditions three.
 * - struct pkt is written in 16-byte pieces, shuffled out of the header, and a few bytes over them.
 * Callers prefetch the frames: of a frame only its first cache line (IPv6 with TCP: two) is touched here.
 */
#pragma once

#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#include <dwcp/packet.h>
#include <dwcp/util/checksum.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the pieces of struct pkt are put together so");

#define ETH_HDR_BYTES  14
#define VLAN_TAG_BYTES 4
#define IP4_HDR_BYTES  20
#define IP6_HDR_BYTES  40
#define TCP_HDR_BYTES  20
#define UDP_HDR_BYTES  8
#define ICMP_HDR_BYTES 8

enum ip_protocol {
	IP_PROTO_HOP_BY_HOP = 0,
	IP_PROTO_ICMP = 1,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_ROUTING = 43,
	IP_PROTO_FRAGMENT = 44,
	IP_PROTO_ESP = 50,
	IP_PROTO_AH = 51,
	IP_PROTO_ICMP6 = 58,
	IP_PROTO_NONE = 59,
	IP_PROTO_DESTINATION = 60,
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

/*
 * Bit f is set when no stack sends the flags f (the low six): none at all, or SYN with FIN or RST. In each group
 * of eight (FIN, SYN, RST) those are 3, 6 and 7; 0 only when the other three are clear as well.
 * Other odd pairs (FIN without ACK, …) are left alone: some stacks and middleboxes do send them.
 */
#define TCP_FLAGS_IMPOSSIBLE UINT64_C(0xc8c8c8c8c8c8c8c9)

/** parse_packet_slow() - parse_packet() without shortcuts; complete on its own. Same arguments, same answers. */
u32 parse_packet_slow(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, u32 frame_len,
		      struct pkt *ret_pkt);

/** parse_tagged() - the common packet behind one or two VLAN tags. False: let parse_packet_slow() say. */
bool parse_tagged(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, struct pkt *p);

/** parse_packet_other() - parse_tagged(), else parse_packet_slow(). Same arguments, same answers. */
u32 parse_packet_other(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len, u32 frame_len,
		       struct pkt *ret_pkt);

/* Ours, or any unicast address on a promiscuous port. */
dwcp_inline bool parse_mac_ok(const struct parse_cfg *cfg, const u8 *frame)
{
	u64 differ = (checksum_load64(frame) ^ checksum_load64((const u8 *)cfg)) << 16;

	return dwcp_likely(!differ) || (cfg->promiscuous && !(frame[0] & 1));
}

/*
 * What the fast path knows of a transport protocol, so that TCP and UDP are the same instructions on different
 * constants: the 16-bit word at .word_at holds TCP's data offset and flags, or UDP's length. Entries of all other
 * protocols are 0, and as no flags are possible then, nothing passes.
 */
struct parse_l4_kind {
	u32 word_at;
	u32 scale; /* header bytes = word × scale / 2^16 & mask */
	u32 mask;
	u32 need;      /* least that they can be */
	u64 possible;  /* bit f: the word may end in f (its low 6 bits) */
	u64 flag_mask; /* of the word: what goes to .tcp_flags */
};

extern const struct parse_l4_kind parse_l4_kinds[256];

/*
 * TCP or UDP at l4, of which 14 bytes can be read. @avail: bytes of the packet from l4 on, perhaps negative.
 * *ret_tcp_flags as struct pkt has them.
 */
dwcp_inline bool parse_l4_fast(const struct parse_l4_kind *kind, const u8 *l4, s32 avail,
			       u8 *ret_tcp_flags)
{
	u32 word = be16_load(l4 + kind->word_at);
	s32 len = (s32)(word * kind->scale >> 16 & kind->mask);

	*ret_tcp_flags = (u8)(word & kind->flag_mask);
	if (dwcp_unlikely(len > avail))
		return false;
	if (dwcp_unlikely(len < (s32)kind->need))
		return false;
	return dwcp_likely(kind->possible >> (word & 63) & 1);
}

/* What is the same for both families; the shuffled parts have been stored before. */
dwcp_inline void parse_store_rest(struct pkt *p, u32 ip_len, u8 dscp_ecn, u8 tcp_flags)
{
	p->dscp_ecn = dscp_ecn;
	p->tcp_flags = tcp_flags;
	memset(&p->vlan, 0, 16);
	p->ip_len = ip_len;
}

_Static_assert(offsetof(struct pkt, dst) == 0 && offsetof(struct pkt, src) == 16 &&
		       offsetof(struct pkt, flags) == 32 && offsetof(struct pkt, l3_offset) == 34 &&
		       offsetof(struct pkt, l4_offset) == 36 &&
		       offsetof(struct pkt, src_port) == 40 &&
		       offsetof(struct pkt, dst_port) == 42 &&
		       offsetof(struct pkt, protocol) == 44 && offsetof(struct pkt, ttl) == 45 &&
		       offsetof(struct pkt, vlan) == 48 && offsetof(struct pkt, ip_len) == 60,
	       "written in pieces");

#ifdef __SSSE3__

/* One shuffle for each 16 bytes of struct pkt; Z makes a byte 0. */
#define Z (char)0x80

/* @ip: bytes 8 to 23 are TTL, protocol, checksum, addresses, ports. */
dwcp_inline void parse_store4(struct pkt *p, const u8 *ip)
{
	const __m128i dst = _mm_setr_epi8(Z, Z, Z, Z, Z, Z, Z, Z, 11, 10, 9, 8, Z, Z, Z, Z);
	const __m128i src = _mm_setr_epi8(Z, Z, Z, Z, Z, Z, Z, Z, 7, 6, 5, 4, Z, Z, Z, Z);
	const __m128i mid = _mm_setr_epi8(Z, Z, Z, Z, Z, Z, Z, Z, 13, 12, 15, 14, 1, 0, Z, Z);
	const __m128i offsets = _mm_setr_epi16(PKT_IP4 | PKT_L4, ETH_HDR_BYTES,
					       ETH_HDR_BYTES + IP4_HDR_BYTES, 0, 0, 0, 0, 0);
	__m128i v = _mm_loadu_si128((const __m128i *)(ip + 8));

	_mm_storeu_si128((__m128i *)&p->dst, _mm_shuffle_epi8(v, dst));
	_mm_storeu_si128((__m128i *)&p->src, _mm_shuffle_epi8(v, src));
	_mm_storeu_si128((__m128i *)&p->flags, _mm_or_si128(_mm_shuffle_epi8(v, mid), offsets));
}

dwcp_inline void parse_store6(struct pkt *p, const u8 *ip)
{
	const __m128i addr = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
	const __m128i mid = _mm_setr_epi8(Z, Z, Z, Z, Z, Z, Z, Z, 9, 8, 11, 10, 6, 7, Z, Z);
	const __m128i offsets = _mm_setr_epi16(PKT_IP6 | PKT_L4 | PKT_DONT_FRAGMENT, ETH_HDR_BYTES,
					       ETH_HDR_BYTES + IP6_HDR_BYTES, 0, 0, 0, 0, 0);
	__m128i v = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)ip),
				       _mm_loadl_epi64((const __m128i *)(ip + IP6_HDR_BYTES)));

	_mm_storeu_si128((__m128i *)&p->dst,
			 _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(ip + 24)), addr));
	_mm_storeu_si128((__m128i *)&p->src,
			 _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(ip + 8)), addr));
	_mm_storeu_si128((__m128i *)&p->flags, _mm_or_si128(_mm_shuffle_epi8(v, mid), offsets));
}
#undef Z

#else

dwcp_inline void parse_store_mid(struct pkt *p, u16 flags, u16 l4_offset, u8 protocol, u8 ttl,
				 const u8 *ip)
{
	const u8 *l4 = ip + l4_offset - ETH_HDR_BYTES;

	p->flags = flags;
	p->l3_offset = ETH_HDR_BYTES;
	p->l4_offset = l4_offset;
	p->reserved0 = 0;
	p->src_port = be16_load(l4);
	p->dst_port = be16_load(l4 + 2);
	p->protocol = protocol;
	p->ttl = ttl;
}

dwcp_inline void parse_store4(struct pkt *p, const u8 *ip)
{
	p->dst = (struct fib_addr){0, be32_load(ip + 16)};
	p->src = (struct fib_addr){0, be32_load(ip + 12)};
	parse_store_mid(p, PKT_IP4 | PKT_L4, ETH_HDR_BYTES + IP4_HDR_BYTES, ip[9], ip[8], ip);
}

dwcp_inline void parse_store6(struct pkt *p, const u8 *ip)
{
	p->dst = (struct fib_addr){be64_load(ip + 24), be64_load(ip + 32)};
	p->src = (struct fib_addr){be64_load(ip + 8), be64_load(ip + 16)};
	parse_store_mid(p, PKT_IP6 | PKT_L4 | PKT_DONT_FRAGMENT, ETH_HDR_BYTES + IP6_HDR_BYTES,
			ip[6], ip[7], ip);
}

#endif

/* An untagged frame of ≥ 54 bytes that begins an IPv4 header of 5 words. False: let parse_packet_slow() say. */
dwcp_inline bool parse_ip4_fast(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				struct pkt *p)
{
	const u8 *ip = frame + ETH_HDR_BYTES;
	u32 ip_len = be16_load(ip + 2);
	u32 src = checksum_load32(ip + 12); /* as it is: the first byte is the low one */
	u8 tcp_flags;

	/* More fragments, or an offset. */
	if (dwcp_unlikely(checksum_load32(ip + 4) & 0xff3f0000))
		return false;
	if (dwcp_unlikely(ip_len > seg_len - ETH_HDR_BYTES))
		return false;
	/* 0/8 wraps to 255; 224 and above; then loopback and link-local */
	if (dwcp_unlikely((u8)((u8)src - 1) >= 223))
		return false;
	if (dwcp_unlikely((u8)src == 127))
		return false;
	if (dwcp_unlikely((src & 0xffff) == 0xfea9))
		return false;
	if (!cfg->checksum_verified && dwcp_unlikely(!ip4_checksum_ok_20(ip)))
		return false;
	if (dwcp_unlikely(!parse_l4_fast(&parse_l4_kinds[ip[9]], ip + IP4_HDR_BYTES,
					 (s32)ip_len - IP4_HDR_BYTES, &tcp_flags)))
		return false;
	parse_store4(p, ip);
	p->flags = PKT_IP4 | PKT_L4 | (ip[6] & PKT_DONT_FRAGMENT);
	parse_store_rest(p, ip_len, ip[1], tcp_flags);
	return true;
}

_Static_assert(PKT_DONT_FRAGMENT == 0x40, "DF in the byte it is in");

/* An untagged frame of ≥ 62 bytes that begins an IPv6 header. */
dwcp_inline bool parse_ip6_fast(const u8 *frame, u32 seg_len, struct pkt *p)
{
	const u8 *ip = frame + ETH_HDR_BYTES;
	const struct parse_l4_kind *kind = &parse_l4_kinds[ip[6]];
	u32 payload = be16_load(ip + 4);
	u64 src_hi = checksum_load64(ip + 8); /* as it is */
	u32 seg = seg_len - ETH_HDR_BYTES - IP6_HDR_BYTES;
	u8 tcp_flags;

	/* Behind this TCP's header can be read, if it is TCP. */
	if (dwcp_unlikely(seg < kind->need))
		return false;
	if (dwcp_unlikely(payload > seg))
		return false;
	/* Multicast, link-local and what else begins with 1111111; unspecified, loopback, mapped */
	if (dwcp_unlikely((u8)src_hi >= 0xfe))
		return false;
	if (dwcp_unlikely(src_hi == 0))
		return false;
	if (dwcp_unlikely(!parse_l4_fast(kind, ip + IP6_HDR_BYTES, (s32)payload, &tcp_flags)))
		return false;
	parse_store6(p, ip);
	parse_store_rest(p, IP6_HDR_BYTES + payload, (u8)(be16_load(ip) >> 4), tcp_flags);
	return true;
}

/*
 * The common packet behind a link-layer header that ends with the EtherType at frame + 12. Reads nothing before it,
 * so that a tagged frame is parsed as the untagged one that begins 4 bytes a tag later.
 */
dwcp_inline bool parse_common(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
			      struct pkt *p)
{
	/* EtherType, version and IHL in one comparison; of IPv6 the version's nibble only. */
	u32 word = checksum_load32(frame + 12);

	if (dwcp_likely((word & 0xffffff) == 0x450008))
		return parse_ip4_fast(cfg, frame, seg_len, p);
	if (dwcp_unlikely((word & 0xf0ffff) != 0x60dd86))
		return false;
	if (dwcp_unlikely(seg_len < ETH_HDR_BYTES + IP6_HDR_BYTES + UDP_HDR_BYTES))
		return false;
	return parse_ip6_fast(frame, seg_len, p);
}

/** parse_packet_inline() - parse_packet(), see packet.h. */
dwcp_inline u32 parse_packet_inline(const struct parse_cfg *cfg, const u8 *frame, u32 seg_len,
				    u32 frame_len, struct pkt *ret_pkt)
{
	if (dwcp_likely(seg_len >= ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES) &&
	    dwcp_likely(parse_mac_ok(cfg, frame)) &&
	    dwcp_likely(parse_common(cfg, frame, seg_len, ret_pkt)))
		return VERDICT_PASS;
	return parse_packet_other(cfg, frame, seg_len, frame_len, ret_pkt);
}
