/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_packet.c - frames by number, the same on every run. Plain and slow on purpose: it judges the router's code
 * and shares none of it.
 */
#include <string.h>

#include "capture_packet.h"

#define ETH_BYTES	 14u
#define IP4_BYTES	 20u
#define IP6_BYTES	 40u
#define UDP_BYTES	 8u
#define PAYLOAD_MAX	 (CAPTURE_FRAME_MAX - ETH_BYTES - IP6_BYTES - UDP_BYTES)
#define ETHERTYPE_OFFSET 12u

static const u8 host_mac[6] = {0x02, 0, 0, 0, 1, 2};

static void put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static void put64(u8 *p, u64 v)
{
	for (u32 i = 0; i < 8; i++)
		p[i] = (u8)(v >> (56 - 8 * i));
}

static u32 sum16(const u8 *p, u32 len, u32 sum)
{
	for (u32 i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (u32)p[i] << 8;
	return sum;
}

static u16 sum_finish(u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

static void ip4_checksum_write(u8 *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, sum_finish(sum16(ip, IP4_BYTES, 0)));
}

enum capture_fate capture_fate(u32 i, u32 family)
{
	u32 kind = i * 2654435761u >> 26; /* 64 kinds */

	if (kind >= CAPTURE_N_FATES || (kind == CAPTURE_CHECKSUM && family != 4))
		return CAPTURE_FORWARD;
	return (enum capture_fate)kind;
}

static u32 ip4_header(u8 *ip, const struct swap_probe *probe, u32 payload, u8 ttl)
{
	static const u8 src[4] = {10, 0, 1, 2};

	memset(ip, 0, IP4_BYTES);
	ip[0] = 0x45;
	put16(ip + 2, IP4_BYTES + UDP_BYTES + payload);
	ip[8] = ttl;
	ip[9] = 17;
	memcpy(ip + 12, src, sizeof(src));
	put16(ip + 16, (u32)probe->lo >> 16);
	put16(ip + 18, (u32)probe->lo);
	ip4_checksum_write(ip);
	return IP4_BYTES;
}

static u32 ip6_header(u8 *ip, const struct swap_probe *probe, u32 payload, u8 hop_limit)
{
	static const u8 src[16] = {0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

	memset(ip, 0, IP6_BYTES);
	ip[0] = 0x60;
	put16(ip + 4, UDP_BYTES + payload);
	ip[6] = 17;
	ip[7] = hop_limit;
	memcpy(ip + 8, src, sizeof(src));
	put64(ip + 24, probe->hi);
	put64(ip + 32, probe->lo);
	return IP6_BYTES;
}

static void udp_datagram(u8 *udp, u32 i, u32 payload, u32 pseudo_sum)
{
	u32 len = UDP_BYTES + payload;
	u16 sum;

	put16(udp, 1024 + i % 60000);
	put16(udp + 2, 9);
	put16(udp + 4, len);
	put16(udp + 6, 0);
	for (u32 b = 0; b < payload; b++)
		udp[UDP_BYTES + b] = (u8)(i >> 8 * (b % 4));
	sum = sum_finish(sum16(udp, len, pseudo_sum + 17 + len));
	put16(udp + 6, sum ? sum : 0xffff);
}

u32 capture_frame(u32 i, const struct swap_probe *probe, const u8 port_mac[6], u8 *ret)
{
	enum capture_fate fate = capture_fate(i, probe->family);
	u32 payload = 18 + i * 40503u % (PAYLOAD_MAX - 17);
	u8 ttl = fate == CAPTURE_TTL ? 1 : 2 + i % 254;
	u8 *ip = ret + ETH_BYTES;
	u32 len;

	memcpy(ret, port_mac, 6);
	memcpy(ret + 6, host_mac, 6);
	if (fate == CAPTURE_OTHER_HOST)
		ret[5] ^= 0xff;
	if (fate == CAPTURE_MULTICAST_L2)
		ret[0] |= 1;
	if (probe->family == 4) {
		put16(ret + ETHERTYPE_OFFSET, 0x0800);
		len = ip4_header(ip, probe, payload, ttl);
		udp_datagram(ip + len, i, payload, sum16(ip + 12, 8, 0));
		if (fate == CAPTURE_CHECKSUM)
			ip[10] ^= 0x40;
	} else {
		put16(ret + ETHERTYPE_OFFSET, 0x86dd);
		len = ip6_header(ip, probe, payload, ttl);
		udp_datagram(ip + len, i, payload, sum16(ip + 8, 32, 0));
	}
	return ETH_BYTES + len + UDP_BYTES + payload;
}

void capture_forwarded(u8 *frame, const u8 src_mac[6], const u8 dst_mac[6])
{
	u8 *ip = frame + ETH_BYTES;

	memcpy(frame, dst_mac, 6);
	memcpy(frame + 6, src_mac, 6);
	if (frame[ETHERTYPE_OFFSET] == 0x08) {
		ip[8]--;
		ip4_checksum_write(ip);
	} else {
		ip[7]--;
	}
}
