/* SPDX-License-Identifier: BSD-3-Clause */
/* packet_build.c - see packet_build.h. Aborts on a packet that does not fit: the tests' own error. */
#include <stdio.h>
#include <stdlib.h>

#include "packet_build.h"

const u8 build_our_mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x20, 0x30};
const u8 build_peer_mac[6] = {0x02, 0x00, 0x5e, 0x99, 0x88, 0x77};
const struct fib_addr build_src6 = {0x20010db800010000, 7};
const struct fib_addr build_dst6 = {0x20010db800020000, 9};

static u8 *build_append(struct packet_build *b, u32 n)
{
	u8 *at = b->bytes + b->len;

	if (n > BUILD_MAX_BYTES - b->len) {
		fprintf(stderr, "packet_build: packet of more than %d bytes\n", BUILD_MAX_BYTES);
		abort();
	}
	memset(at, 0, n);
	b->len += n;
	return at;
}

static void build_span(struct packet_build *b, u32 start, u32 end, enum drop_reason cut,
		       enum drop_reason seg)
{
	if (b->n_spans == BUILD_MAX_SPANS)
		abort();
	b->span[b->n_spans++] = (struct build_span){start, end, cut, seg};
}

/* Transport headers: cut off by a fragment's end they are "tiny", otherwise truncated. */
static void build_l4_span(struct packet_build *b, u32 start, u32 end, enum drop_reason cut,
			  enum drop_reason seg)
{
	build_span(b, start, end, b->data_at ? DROP_TINY_FRAGMENT : cut, seg);
}

void build_eth(struct packet_build *b)
{
	u8 *at;

	memset(b, 0, sizeof(*b));
	at = build_append(b, 14);
	memcpy(at, build_our_mac, 6);
	memcpy(at + 6, build_peer_mac, 6);
	build_span(b, 0, 14, DROP_L2_TRUNCATED, DROP_L2_TRUNCATED);
}

void build_ethertype(struct packet_build *b, u16 type)
{
	be16_store(b->bytes + b->len - 2, type);
}

void build_tag(struct packet_build *b, u16 tpid, u16 tci)
{
	build_ethertype(b, tpid);
	build_span(b, b->len, b->len + 4, DROP_L2_VLAN_TRUNCATED, DROP_L2_VLAN_TRUNCATED);
	be16_store(build_append(b, 4), tci);
	b->n_tags++;
}

void build_ip4(struct packet_build *b)
{
	u8 *ip;

	build_ethertype(b, 0x0800);
	b->l3 = b->len;
	b->family = 4;
	ip = build_append(b, 20);
	ip[0] = 0x45;
	ip[1] = 0x28; /* AF11 */
	be16_store(ip + 4, 0xbeef);
	ip[8] = 64;
	be32_store(ip + 12, BUILD_SRC4);
	be32_store(ip + 16, BUILD_DST4);
	b->next_at = b->l3 + 9;
	b->l4 = b->len;
	build_span(b, b->l3, b->len, DROP_IP4_TRUNCATED, DROP_IP4_TRUNCATED);
}

void build_ip4_options(struct packet_build *b, const void *options, u32 n)
{
	memcpy(build_append(b, DWCP_ALIGN_UP(n, 4)), options, n);
	b->bytes[b->l3] = (u8)(0x40 | (b->len - b->l3) / 4);
	b->span[b->n_spans - 1].end = b->len;
	b->l4 = b->len;
}

void build_ip4_fragment(struct packet_build *b, u32 offset_bytes, bool more)
{
	be16_store(b->bytes + b->l3 + 6, (u16)(offset_bytes / 8 | (more ? 0x2000 : 0)));
	b->data_at = b->len;
	b->fragment = offset_bytes;
	b->more = more;
}

static void build_addr6(u8 *at, const struct fib_addr *a)
{
	be32_store(at, (u32)(a->hi >> 32));
	be32_store(at + 4, (u32)a->hi);
	be32_store(at + 8, (u32)(a->lo >> 32));
	be32_store(at + 12, (u32)a->lo);
}

void build_ip6(struct packet_build *b)
{
	u8 *ip;

	build_ethertype(b, 0x86dd);
	b->l3 = b->len;
	b->family = 6;
	ip = build_append(b, 40);
	be32_store(ip, 0x6282cafe); /* AF11, a flow label */
	ip[7] = 64;
	build_addr6(ip + 8, &build_src6);
	build_addr6(ip + 24, &build_dst6);
	b->next_at = b->l3 + 6;
	b->l4 = b->len;
	build_span(b, b->l3, b->len, DROP_IP6_TRUNCATED, DROP_IP6_TRUNCATED);
}

static u8 *build_extension(struct packet_build *b, u8 type, u32 n)
{
	u32 start = b->len;
	u8 *at = build_append(b, n);

	build_protocol(b, type);
	b->next_at = start;
	b->l4 = b->len;
	build_span(b, start, b->len, b->data_at ? DROP_TINY_FRAGMENT : DROP_IP6_EXTENSION,
		   DROP_IP6_EXTENSION);
	return at;
}

void build_ext(struct packet_build *b, u8 type, const void *body, u32 n)
{
	u8 *at = build_extension(b, type, n + 2);

	at[1] = (u8)((n + 2) / 8 - 1);
	memcpy(at + 2, body, n);
}

void build_ext_options(struct packet_build *b, u8 type, const void *options, u32 n)
{
	u32 bytes = DWCP_ALIGN_UP(n + 2, 8);
	u32 pad = bytes - n - 2;
	u8 *at = build_extension(b, type, bytes);

	at[1] = (u8)(bytes / 8 - 1);
	memcpy(at + 2, options, n);
	if (pad >= 2) {
		at[2 + n] = 1;
		at[3 + n] = (u8)(pad - 2);
	}
}

void build_ip6_fragment(struct packet_build *b, u32 offset_bytes, bool more)
{
	u8 *at = build_extension(b, 44, 8);

	be16_store(at + 2, (u16)(offset_bytes | more));
	be32_store(at + 4, 0xfeedbeef);
	if (!offset_bytes && !more)
		return;
	b->data_at = b->len;
	b->fragment = offset_bytes;
	b->more = more;
}

/* 12 fixed bytes and a check value of 12: payload length 24 / 4 - 2 */
void build_ah(struct packet_build *b)
{
	build_extension(b, 51, 24)[1] = 4;
}

void build_tcp(struct packet_build *b, u8 flags, const void *options, u32 n)
{
	u32 start = b->len;
	u8 *tcp = build_append(b, 20 + n);

	build_protocol(b, 6);
	be16_store(tcp, BUILD_SPORT);
	be16_store(tcp + 2, BUILD_DPORT);
	be32_store(tcp + 4, 0x01020304);
	tcp[12] = (u8)((20 + n) / 4 << 4);
	tcp[13] = flags;
	be16_store(tcp + 14, 0xffff);
	if (n)
		memcpy(tcp + 20, options, n);
	build_l4_span(b, start, start + 20, DROP_TCP_TRUNCATED, DROP_TCP_TRUNCATED);
	build_l4_span(b, start + 20, b->len, DROP_TCP_OFFSET, DROP_TCP_TRUNCATED);
}

void build_udp(struct packet_build *b)
{
	u8 *udp = build_append(b, 8);

	build_protocol(b, 17);
	b->udp_at = b->len - 8;
	be16_store(udp, BUILD_SPORT);
	be16_store(udp + 2, BUILD_DPORT);
	build_l4_span(b, b->udp_at, b->len, DROP_UDP_TRUNCATED, DROP_UDP_TRUNCATED);
}

static void build_icmp_any(struct packet_build *b, u8 protocol, u8 type, u8 code, u32 rest)
{
	u8 *icmp = build_append(b, 8);

	build_protocol(b, protocol);
	icmp[0] = type;
	icmp[1] = code;
	be32_store(icmp + 4, rest);
	build_l4_span(b, b->len - 8, b->len, DROP_ICMP_TRUNCATED, DROP_ICMP_TRUNCATED);
}

void build_icmp(struct packet_build *b, u8 type, u8 code, u32 rest)
{
	build_icmp_any(b, 1, type, code, rest);
}

void build_icmp6(struct packet_build *b, u8 type, u8 code, u32 rest)
{
	build_icmp_any(b, 58, type, code, rest);
}

void build_protocol(struct packet_build *b, u8 protocol)
{
	b->bytes[b->next_at] = protocol;
}

void build_bytes(struct packet_build *b, const void *bytes, u32 n)
{
	memcpy(build_append(b, n), bytes, n);
}

void build_payload(struct packet_build *b, u32 n)
{
	u8 *at = build_append(b, n);

	for (u32 i = 0; i < n; i++)
		at[i] = (u8)i;
}

/* RFC 1071's loop, word by word in network order. */
void build_fix_checksum(struct packet_build *b)
{
	u8 *ip = b->bytes + b->l3;
	u32 sum = 0;

	if (b->family != 4)
		return;
	be16_store(ip + 10, 0);
	for (u32 i = 0; i < (ip[0] & 15) * 4u; i += 2)
		sum += be16_load(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	be16_store(ip + 10, (u16)~sum);
}

void build_fix_ip(struct packet_build *b)
{
	if (b->family == 4)
		be16_store(b->bytes + b->l3 + 2, (u16)(b->len - b->l3));
	else
		be16_store(b->bytes + b->l3 + 4, (u16)(b->len - b->l3 - 40));
	build_fix_checksum(b);
}

void build_fix(struct packet_build *b)
{
	if (b->udp_at) {
		be16_store(b->bytes + b->udp_at + 4, (u16)(b->len - b->udp_at));
		if (!b->data_at)
			build_span(b, b->udp_at + 8, b->len, DROP_UDP_LENGTH, DROP_N_REASONS);
	}
	build_fix_ip(b);
}
