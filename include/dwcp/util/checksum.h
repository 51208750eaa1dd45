/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checksum.h - the Internet checksum of IPv4 headers: verify, compute, and follow a TTL decrement; and the
 * keyed flow hash. All inline and pure, any thread; no alignment is assumed.
 *
 * One's complement sums do not care about byte order (RFC 1071 §2B), so everything here sums native words
 * and never swaps: a sum that is all ones is all ones in either order.
 */
#pragma once

#include <dwcp/endian.h>
#include <dwcp/packet.h>

dwcp_inline u64 checksum_load64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

dwcp_inline u32 checksum_load32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/**
 * ip4_checksum_ok_20() - is the checksum of an IPv4 header without options right?
 *
 * Two 64-bit words and one of 32 bits, carries going round. Such a sum is right modulo 2^64 - 1, hence modulo its
 * divisor 0xffff; and "divisible by a constant" is one multiplication and one comparison. The sum of a right header
 * is a multiple of 0xffff and not 0: the version field (the caller has checked it) is not 0.
 */
dwcp_inline bool ip4_checksum_ok_20(const u8 *hdr)
{
	u64 sum;
	bool carry = __builtin_add_overflow(checksum_load64(hdr), checksum_load64(hdr + 8), &sum);

	sum += carry; /* can't overflow: a sum that did is at most 2^64 - 2 */
	carry = __builtin_add_overflow(sum, (u64)checksum_load32(hdr + 16), &sum);
	sum += carry;
	return sum % 0xffff == 0;
}

/**
 * ip4_checksum_sum() - one's complement sum of a header that is not all zeros, native order: 1 to 0xffff.
 * @hdr_bytes: a multiple of 4.
 */
dwcp_inline u16 ip4_checksum_sum(const u8 *hdr, u32 hdr_bytes)
{
	u64 sum = 0;
	u16 rest;

	for (u32 i = 0; i < hdr_bytes; i += 4)
		sum += checksum_load32(hdr + i);
	rest = (u16)(sum % 0xffff);
	return rest ? rest : 0xffff;
}

/** ip4_checksum_ok() - the same for any header length. @hdr_bytes: IHL × 4, 20 to 60. */
dwcp_inline bool ip4_checksum_ok(const u8 *hdr, u32 hdr_bytes)
{
	return ip4_checksum_sum(hdr, hdr_bytes) == 0xffff;
}

/** ip4_checksum_set() - compute and store the checksum of a header built or changed by us. */
dwcp_inline void ip4_checksum_set(u8 *hdr, u32 hdr_bytes)
{
	u16 sum = 0;

	memcpy(hdr + 10, &sum, sizeof(sum));
	sum = (u16)~ip4_checksum_sum(hdr, hdr_bytes);
	memcpy(hdr + 10, &sum, sizeof(sum));
}

/**
 * ip4_ttl_decrement() - TTL - 1 and the checksum that goes with it (RFC 1624, equation 3).
 *
 * HC' = ~(~HC + ~m + m'), and ~m + m' is the constant 0xfeff when m' = m - 0x0100. The shorter HC + 0x0100 gives
 * 0xffff where a full computation gives 0x0000 (RFC 1624 §3), so it is not used.
 * The TTL must not be 0.
 */
dwcp_inline void ip4_ttl_decrement(u8 *hdr)
{
	u16 hc;
	u32 sum;

	memcpy(&hc, hdr + 10, sizeof(hc));
	sum = (u32)(u16)~hc + be16_make(0xfeff).raw;
	sum = (sum & 0xffff) + (sum >> 16);
	hc = (u16)~sum;
	memcpy(hdr + 10, &hc, sizeof(hc));
	hdr[8]--;
}

/* 64 × 64 → 128 multiply, both halves folded: every input bit reaches every output bit. */
dwcp_inline u64 flow_hash_mix(u64 a, u64 b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (u64)m ^ (u64)(m >> 64);
}

/**
 * flow_hash() - keyed hash of what makes a flow: addresses, protocol, and ports.
 *
 * @key: secret, random, the same on every node that must choose alike.
 *
 * Ports count only when the packet has them (PKT_L4) and is no fragment: every fragment of a datagram hashes to
 * the same value, the first included. Not symmetric: the two directions of a flow hash differently.
 * A multiply-mix, not a cryptographic hash: without the key nobody can aim at a bucket, but whoever can see many
 * outputs could work the key out. Outputs never leave the router. All 64 bits are good, the low and the high.
 * Cost: 2 multiplications (IPv4), 4 (IPv6).
 */
dwcp_inline u64 flow_hash(const struct pkt *p, const u64 key[2])
{
	bool ports = (p->flags & (PKT_L4 | PKT_FRAGMENT)) == PKT_L4;
	u64 l4 = p->protocol | (ports ? (u64)p->src_port << 8 | (u64)p->dst_port << 24 : 0);
	u64 h;

	if (dwcp_likely(p->flags & PKT_IP4)) {
		h = flow_hash_mix((p->src.lo << 32 | p->dst.lo) ^ key[0], l4 ^ key[1]);
	} else {
		/* Each product has two unknown factors, so that no choice of addresses cancels out. */
		h = flow_hash_mix(p->src.hi ^ key[0], p->src.lo ^ key[1]);
		h += flow_hash_mix(p->dst.hi ^ (key[0] + 0x9e3779b97f4a7c15),
				   p->dst.lo ^ (key[1] + 0xc2b2ae3d27d4eb4f));
		h = flow_hash_mix(h ^ key[1], l4 ^ (key[0] + 0x165667b19e3779f9));
	}
	return flow_hash_mix(h ^ 0xd6e8feb86659fd93, 0xa0761d6478bd642f ^ key[1]);
}
