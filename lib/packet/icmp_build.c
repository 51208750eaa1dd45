/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp_build.c - the bytes of an ICMP or ICMPv6 error, around the packet that it quotes. See util/icmp.h.
 *
 *     [Ethernet 14][IP 20 or 40][ICMP 8][quote …][zeros up to 128 bytes of quote][extension]
 *                                       ^ where the packet already is          `- only together -'
 */
#include "icmp_internal.h"

#define IP4_ERROR_MAX	576  /* RFC 1812 §4.3.2.3 */
#define IP6_ERROR_MAX	1280 /* RFC 4443 §2.4 c */
#define EXTENDED_QUOTE	128  /* RFC 4884 §3: least when an extension follows */
#define CLASS_SELECTOR6 0xc0 /* RFC 1812 §4.3.2.5: precedence 6 */

struct icmp_kind {
	u8 type4, code4, type6, code6;
	bool extended4, extended6; /* RFC 4884 §4.6 */
};

static const struct icmp_kind kinds[ICMP_N_ERRORS] = {
	[ICMP_ERROR_TIME] = {11, 0, 3, 0, true, true},
	[ICMP_ERROR_NO_ROUTE] = {3, 0, 1, 0, true, true},
	[ICMP_ERROR_UNREACHABLE] = {3, 1, 1, 0, true, true},
	[ICMP_ERROR_NEIGHBOUR] = {3, 1, 1, 3, true, true},
	[ICMP_ERROR_PROHIBITED] = {3, 13, 1, 1, true, true},
	[ICMP_ERROR_TOO_BIG] = {3, 4, 2, 0, true, false},
	[ICMP_ERROR_PARAMETER] = {12, 0, 4, 0, true, false},
};

/* Sum of 16-bit words as they lie in memory, of any number of bytes (RFC 1071). */
static u64 sum_add(u64 sum, const u8 *bytes, u32 n)
{
	u16 word;

	for (; n >= 4; bytes += 4, n -= 4)
		sum += checksum_load32(bytes);
	for (; n > 0; bytes += 2) {
		word = 0;
		memcpy(&word, bytes, n >= 2 ? 2 : 1);
		sum += word;
		n -= DWCP_MIN(n, 2u);
	}
	return sum;
}

static void sum_store(u8 *at, u64 sum)
{
	u16 rest = (u16)(sum % 0xffff), folded = (u16) ~(rest ? rest : 0xffff);

	memcpy(at, &folded, sizeof(folded));
}

/* How much of what goes where. */
struct layout {
	u32 hdr_bytes;	    /* of the new IP header */
	u32 quote, padding; /* bytes of the packet, and of zeros behind them */
	u32 extension;
};

static struct layout layout_plain(const struct icmp_offender *o)
{
	bool ip4 = o->family == FIB_IP4;
	struct layout l = {.hdr_bytes = ip4 ? IP4_HDR_BYTES : IP6_HDR_BYTES};
	u32 max = (ip4 ? IP4_ERROR_MAX : IP6_ERROR_MAX) - l.hdr_bytes - ICMP_HDR_BYTES;

	l.quote = DWCP_MIN(o->bytes, max);
	return l;
}

/* @room: bytes from the packet on that may be written. */
static struct layout layout_of(const struct icmp_offender *o, const struct icmp_request *req,
			       u32 room)
{
	bool ip4 = o->family == FIB_IP4;
	const struct icmp_kind *k = &kinds[req->error];
	struct layout plain = layout_plain(o), l = plain;
	u32 unit = ip4 ? 4 : 8, max;

	if (!req->extension || !(ip4 ? k->extended4 : k->extended6))
		return plain;
	max = (ip4 ? IP4_ERROR_MAX : IP6_ERROR_MAX) - l.hdr_bytes - ICMP_HDR_BYTES;
	max = (max - req->extension_bytes) / unit * unit;
	l.extension = req->extension_bytes;
	l.quote = DWCP_MIN(o->bytes, max);
	l.padding = DWCP_MAX(DWCP_ALIGN_UP(l.quote, unit), (u32)EXTENDED_QUOTE) - l.quote;
	return l.quote + l.padding + l.extension <= room ? l : plain;
}

/* @icmp: 8 bytes, zero. */
static void icmp_header(u8 *icmp, const struct icmp_offender *o, const struct icmp_request *req,
			const struct layout *l)
{
	const struct icmp_kind *k = &kinds[req->error];
	bool ip4 = o->family == FIB_IP4, parameter = req->error == ICMP_ERROR_PARAMETER;
	u32 quote = l->quote + l->padding;

	icmp[0] = ip4 ? k->type4 : k->type6;
	icmp[1] = parameter ? req->problem.code : ip4 ? k->code4 : k->code6;
	if (l->extension)
		icmp[ip4 ? 5 : 4] = (u8)(quote / (ip4 ? 4 : 8));
	if (req->error == ICMP_ERROR_TOO_BIG && ip4)
		be16_store(icmp + 6, (u16)DWCP_MIN(req->mtu, 65535u));
	else if (req->error == ICMP_ERROR_TOO_BIG)
		be32_store(icmp + 4, req->mtu);
	else if (parameter && ip4)
		icmp[4] = (u8)req->problem.pointer;
	else if (parameter)
		be32_store(icmp + 4, req->problem.pointer);
}

static void ip4_header(u8 *ip, const struct icmp_offender *o, const struct icmp_request *req,
		       u32 ip_len)
{
	ip[0] = 0x45;
	ip[1] = CLASS_SELECTOR6;
	be16_store(ip + 2, (u16)ip_len);
	be16_store(ip + 4, req->ip_id);
	ip[8] = req->ttl;
	ip[9] = IP_PROTO_ICMP;
	memcpy(ip + 12, req->src, 4);
	be32_store(ip + 16, (u32)o->src.lo);
	ip4_checksum_set(ip, IP4_HDR_BYTES);
}

static void ip6_header(u8 *ip, const struct icmp_offender *o, const struct icmp_request *req,
		       u32 ip_len)
{
	be32_store(ip, 6u << 28 | CLASS_SELECTOR6 << 20);
	be16_store(ip + 4, (u16)(ip_len - IP6_HDR_BYTES));
	ip[6] = IP_PROTO_ICMP6;
	ip[7] = req->ttl;
	memcpy(ip + 8, req->src, 16);
	be32_store(ip + 24, (u32)(o->src.hi >> 32));
	be32_store(ip + 28, (u32)o->src.hi);
	be32_store(ip + 32, (u32)(o->src.lo >> 32));
	be32_store(ip + 36, (u32)o->src.lo);
}

/* RFC 8200 §8.1: both addresses, the length and the protocol are under the checksum. */
static u64 pseudo6(const u8 *ip, u32 icmp_bytes)
{
	u8 tail[8] = {[7] = IP_PROTO_ICMP6};

	be32_store(tail, icmp_bytes);
	return sum_add(sum_add(0, ip + 8, 32), tail, sizeof(tail));
}

bool icmp_build(u8 *frame, u32 headroom_bytes, u32 tailroom_bytes, u32 seg_len,
		const struct icmp_offender *o, const struct icmp_request *req,
		struct icmp_frame *ret)
{
	u8 *quoted = frame + o->l3_offset;
	struct layout l = layout_of(o, req, seg_len - o->l3_offset + tailroom_bytes);
	u32 before = ETH_HDR_BYTES + l.hdr_bytes + ICMP_HDR_BYTES;
	u32 icmp_bytes = ICMP_HDR_BYTES + l.quote + l.padding + l.extension;
	u8 *icmp = quoted - ICMP_HDR_BYTES, *ip = icmp - l.hdr_bytes;
	u32 ip_len = l.hdr_bytes + icmp_bytes;

	if (o->l3_offset + headroom_bytes < before)
		return false;
	memset(quoted - before, 0, before);
	be16_store(ip - 2, o->family == FIB_IP4 ? 0x0800 : 0x86dd);
	memset(quoted + l.quote, 0, l.padding);
	if (l.extension)
		memcpy(quoted + l.quote + l.padding, req->extension, l.extension);
	icmp_header(icmp, o, req, &l);
	if (o->family == FIB_IP4) {
		ip4_header(ip, o, req, ip_len);
		sum_store(icmp + 2, sum_add(0, icmp, icmp_bytes));
	} else {
		ip6_header(ip, o, req, ip_len);
		sum_store(icmp + 2, sum_add(pseudo6(ip, icmp_bytes), icmp, icmp_bytes));
	}
	*ret = (struct icmp_frame){.delta = (s32)o->l3_offset - (s32)before,
				   .bytes = ETH_HDR_BYTES + ip_len,
				   .ip_len = ip_len};
	return true;
}

u32 icmp_extension_port(const char *name, u32 mtu, u8 *ret)
{
	u32 name_bytes = (u32)strnlen(name, 31);
	/* RFC 5837 §4.3: length byte, name, zeros up to 4 bytes; 64 at most */
	u32 name_field = DWCP_ALIGN_UP(1 + name_bytes, 4u);
	u32 object = 4 + name_field + 4, n = 4 + object;

	memset(ret, 0, n);
	ret[0] = 2 << 4; /* RFC 4884 §7: version */
	be16_store(ret + 4, (u16)object);
	ret[6] = 2;    /* class: interface information */
	ret[7] = 0x03; /* role: it came in here; name, MTU */
	ret[8] = (u8)name_field;
	memcpy(ret + 9, name, name_bytes);
	be32_store(ret + 8 + name_field, mtu);
	sum_store(ret + 2, sum_add(0, ret, n));
	return n;
}
