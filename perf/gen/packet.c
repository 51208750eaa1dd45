/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.c - what is sent. The template lies in every mbuf of the pool from the beginning, and no driver changes what
 * it sends: a packet costs its addresses, ports, checksum and stamp, and nothing is copied. Only captures are copied,
 * frame by frame, each with 18 bytes more behind its IP packet (padding for a router) that hold the stamp.
 *
 * One's complement sums do not care about byte order (RFC 1071 §2B): they add native words.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_memcpy.h>

#include <dwcp/endian.h>

#include "capture.h"
#include "gen.h"

#define ETH_BYTES    14
#define IP4_STAMP_AT (ETH_BYTES + 20 + 8)
#define IP6_STAMP_AT (ETH_BYTES + 40 + 8)
#define SOURCE4	     0x14000000u /* 20.0.0.0/10 */
#define PORT_FIRST   1024u
#define PORTS	     32768u
#define TSC_SHIFT                                                                                  \
	6 /* a SYN's stamp has 32 bits for the time: 64 cycles each, three minutes in all */

/* Frames of IMIX: 7 of 60, 4 of 590, 1 of 1514 bytes, spread out. */
static const u16 imix_size[12] = {60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 590, 60};

static const u8 source6[12] = {0x24, 0x00, 0x00, 0x64};

dwcp_inline void store16(u8 *p, u16 v)
{
	memcpy(p, &v, sizeof(v));
}

dwcp_inline void store32(u8 *p, u32 v)
{
	memcpy(p, &v, sizeof(v));
}

dwcp_inline u32 load32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Native 16-bit words, any even or odd number of bytes. */
static u64 sum_bytes(const u8 *p, u32 bytes)
{
	u64 sum = 0;
	u16 word;

	for (u32 i = 0; i + 1 < bytes; i += 2) {
		memcpy(&word, p + i, sizeof(word));
		sum += word;
	}
	return sum + (bytes & 1 ? p[bytes - 1] : 0);
}

dwcp_inline u16 sum_fold(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

dwcp_inline u64 sum64(u64 v)
{
	return (v & 0xffffffff) + (v >> 32);
}

/* ---- templates --------------------------------------------------------------------------------------------------- */

static void template_eth(const struct gen *g, u8 *f, u16 type)
{
	memcpy(f, g->cfg.router_mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x01", 6);
	be16_store(f + 12, type);
}

static void template_ip4(struct gen *g, u8 *f, u32 len)
{
	u8 *ip = f + ETH_BYTES, *l4 = ip + 20;
	bool tcp = g->cfg.pattern == GEN_SYN;
	u32 ip_len = tcp ? 40 : len - ETH_BYTES;

	template_eth(g, f, 0x0800);
	ip[0] = 0x45;
	be16_store(ip + 2, (u16)ip_len);
	be16_store(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = tcp ? 6 : 17;
	if (tcp) {
		be16_store(l4 + 2, 80);
		l4[12] = 0x50;
		l4[13] = 0x02;
		store16(l4 + 14, GEN_STAMP_MAGIC);
		g->l4_sum = sum_bytes(l4, 20) + be16_make(6).raw + be16_make(20).raw;
	} else {
		be16_store(l4 + 4, (u16)(ip_len - 20));
		store16(l4 + 8, GEN_STAMP_MAGIC); /* checksum 0: none */
	}
	if (g->cfg.pattern == GEN_IMIX)
		be16_store(ip + 2, 0); /* added a packet */
	g->ip_sum = sum_bytes(ip, 20);
}

static void template_ip6(struct gen *g, u8 *f, u32 len)
{
	u8 *ip = f + ETH_BYTES, *udp = ip + 40;
	u16 udp_len = (u16)(len - ETH_BYTES - 40);

	template_eth(g, f, 0x86dd);
	ip[0] = 0x60;
	be16_store(ip + 4, udp_len);
	ip[6] = 17;
	ip[7] = 64;
	memcpy(ip + 8, source6, sizeof(source6));
	be16_store(udp + 4, udp_len);
	store16(udp + 8, GEN_STAMP_MAGIC);
	g->l4_sum = sum_bytes(source6, sizeof(source6)) + be16_make(17).raw +
		    be16_make(udp_len).raw + sum_bytes(udp, 10);
}

static void template_write(struct rte_mempool *pool, void *arg, void *obj, unsigned int index)
{
	const struct gen *g = arg;
	struct rte_mbuf *m = obj;

	(void)pool;
	(void)index;
	memcpy(rte_pktmbuf_mtod(m, u8 *), g->template[0].frame, g->template[0].len);
}

static int template_built(struct gen *g)
{
	u32 len = g->cfg.pattern == GEN_IMIX ? GEN_FRAME_MAX : g->cfg.size;

	g->template = calloc(1, sizeof(*g->template));
	if (!g->template || !(g->template[0].frame = calloc(1, GEN_FRAME_MAX)))
		return -ENOMEM;
	g->n_templates = 1;
	g->template[0].len = len;
	if (g->cfg.pattern == GEN_UDP6)
		template_ip6(g, g->template[0].frame, len);
	else
		template_ip4(g, g->template[0].frame, len);
	return 0;
}

int packet_init(struct gen *g)
{
	int err = g->cfg.pattern == GEN_PCAP
			  ? capture_load(g->cfg.pcap, &g->template, &g->n_templates)
			  : template_built(g);

	if (err) {
		if (err == -ENOMEM)
			fprintf(stderr, "traffic_gen: out of memory\n");
		return -1;
	}
	if (g->cfg.pattern != GEN_PCAP)
		rte_mempool_obj_iter(g->tx_pool, template_write, g);
	return 0;
}

void packet_fini(struct gen *g)
{
	for (u32 i = 0; i < g->n_templates; i++)
		free(g->template[i].frame);
	free(g->template);
	g->template = NULL;
}

/* ---- a packet ---------------------------------------------------------------------------------------------------- */

/* Which source: distinct within n_sources, and not one after the other. */
dwcp_inline u32 flow_source(const struct gen *g, u32 flow)
{
	return (flow * 0x9e3779b1u) & (g->cfg.n_sources - 1);
}

/* Flows of one source differ in their source port, then in the destination port. Both, as they lie in the packet. */
dwcp_inline u32 flow_ports(const struct gen *g, u32 flow, u16 dport)
{
	u32 nth = flow >> __builtin_ctz(g->cfg.n_sources);

	return be16_make((u16)(PORT_FIRST + nth % PORTS)).raw |
	       (u32)be16_make((u16)(dport + nth / PORTS)).raw << 16;
}

dwcp_inline u32 flow_dst4(const struct gen *g, u32 flow, u32 dst)
{
	u32 h = flow * 0x9e3779b1u;

	if (g->n_dst)
		return g->dst4[dst];
	return load32(g->prefix.byte) | be32_make(g->prefix_len < 32 ? h >> g->prefix_len : 0).raw;
}

dwcp_inline void flow_dst6(const struct gen *g, u32 flow, u32 dst, u8 *ret)
{
	u64 h = flow * 0x9e3779b97f4a7c15ull, hi;

	if (g->n_dst) {
		memcpy(ret, g->dst6[dst].byte, 16);
		return;
	}
	memcpy(ret, g->prefix.byte, 16);
	hi = g->prefix_len < 64 ? h >> g->prefix_len : 0;
	store32(ret, load32(ret) | be32_make((u32)(hi >> 32)).raw);
	store32(ret + 4, load32(ret + 4) | be32_make((u32)hi).raw);
	store32(ret + 12, be32_make((u32)h).raw);
}

dwcp_inline void stamp_write(u8 *at, u64 seq, u64 tsc)
{
	memcpy(at + 2, &seq, sizeof(seq));
	memcpy(at + 10, &tsc, sizeof(tsc));
}

dwcp_inline void stamp_udp4(const struct gen *g, u8 *f, u32 flow, u32 dst_idx, u32 extra, u64 seq,
			    u64 tsc)
{
	u32 src = be32_make(SOURCE4 + flow_source(g, flow)).raw;
	u32 dst = flow_dst4(g, flow, dst_idx);
	u8 *ip = f + ETH_BYTES;

	store16(ip + 10, sum_fold(g->ip_sum + src + dst + extra));
	store32(ip + 12, src);
	store32(ip + 16, dst);
	store32(ip + 20, flow_ports(g, flow, 9));
	stamp_write(f + IP4_STAMP_AT, seq, tsc);
}

dwcp_inline void stamp_syn(const struct gen *g, u8 *f, u32 flow, u32 dst_idx, u64 seq, u64 tsc)
{
	u32 src = be32_make(SOURCE4 + flow_source(g, flow)).raw;
	u32 dst = flow_dst4(g, flow, dst_idx);
	u32 ports = flow_ports(g, flow, 80), when = (u32)(tsc >> TSC_SHIFT);
	u8 *ip = f + ETH_BYTES, *tcp = ip + 20;
	u64 l4 = g->l4_sum - be16_make(80).raw + src + dst + ports + (u32)seq + when;

	store16(ip + 10, sum_fold(g->ip_sum + src + dst));
	store32(ip + 12, src);
	store32(ip + 16, dst);
	store32(tcp, ports);
	store32(tcp + 4, (u32)seq);
	store32(tcp + 8, when);
	store16(tcp + 16, sum_fold(l4));
}

dwcp_inline void stamp_udp6(const struct gen *g, u8 *f, u32 flow, u32 dst_idx, u64 seq, u64 tsc)
{
	u32 src = be32_make(flow_source(g, flow)).raw, ports = flow_ports(g, flow, 9);
	u8 *ip = f + ETH_BYTES, *udp = ip + 40;
	u64 sum = g->l4_sum + src + ports + sum64(seq) + sum64(tsc);
	u16 check;

	store32(ip + 20, src);
	flow_dst6(g, flow, dst_idx, ip + 24);
	for (u32 i = 0; i < 16; i += 4)
		sum += load32(ip + 24 + i);
	check = sum_fold(sum);
	store32(udp, ports);
	store16(udp + 6, check ? check : 0xffff);
	stamp_write(f + IP6_STAMP_AT, seq, tsc);
}

dwcp_inline void stamp_pcap(struct gen *g, struct rte_mbuf *m, u8 *f, u64 seq, u64 tsc)
{
	const struct gen_template *t = &g->template[g->template_next];
	u16 magic = GEN_STAMP_MAGIC;

	g->template_next = g->template_next + 1 == g->n_templates ? 0 : g->template_next + 1;
	rte_memcpy(f, t->frame, t->len - GEN_STAMP_BYTES);
	memcpy(f + t->len - GEN_STAMP_BYTES, &magic, sizeof(magic));
	stamp_write(f + t->len - GEN_STAMP_BYTES, seq, tsc);
	m->data_len = (u16)t->len;
	m->pkt_len = t->len;
}

dwcp_inline void stamp_imix(struct gen *g, struct rte_mbuf *m, u8 *f, u32 flow, u64 seq, u64 tsc)
{
	u16 size = imix_size[g->imix_next];
	u16 ip_len = be16_make((u16)(size - ETH_BYTES)).raw;

	g->imix_next = g->imix_next + 1 == DWCP_ARRAY_LEN(imix_size) ? 0 : g->imix_next + 1;
	store16(f + ETH_BYTES + 2, ip_len);
	be16_store(f + ETH_BYTES + 20 + 4, (u16)(size - ETH_BYTES - 20));
	stamp_udp4(g, f, flow, g->dst_next, ip_len, seq, tsc);
	m->data_len = size;
	m->pkt_len = size;
}

/* Compiled once a pattern. */
dwcp_inline void stamp_burst(struct gen *g, struct rte_mbuf **m, u32 n, u64 tsc,
			     const enum gen_pattern pattern)
{
	u32 mask = g->cfg.n_flows - 1;
	u64 seq = g->seq;

	for (u32 i = 0; i < n; i++, seq++) {
		u8 *f = rte_pktmbuf_mtod(m[i], u8 *);
		u32 flow = (u32)seq & mask;

		if (flow == 0)
			g->dst_next = 0; /* so that a flow keeps its destination */
		if (pattern == GEN_PCAP)
			stamp_pcap(g, m[i], f, seq, tsc);
		else if (pattern == GEN_IMIX)
			stamp_imix(g, m[i], f, flow, seq, tsc);
		else if (pattern == GEN_UDP6)
			stamp_udp6(g, f, flow, g->dst_next, seq, tsc);
		else if (pattern == GEN_SYN)
			stamp_syn(g, f, flow, g->dst_next, seq, tsc);
		else
			stamp_udp4(g, f, flow, g->dst_next, 0, seq, tsc);
		if (pattern != GEN_PCAP && pattern != GEN_IMIX) {
			m[i]->data_len = (u16)g->cfg.size;
			m[i]->pkt_len = g->cfg.size;
		}
		g->dst_next = g->dst_next + 1 >= g->n_dst ? 0 : g->dst_next + 1;
	}
	g->seq = seq;
}

void packet_stamp(struct gen *g, struct rte_mbuf **m, u32 n, u64 tsc)
{
	switch (g->cfg.pattern) {
	case GEN_UDP:
		stamp_burst(g, m, n, tsc, GEN_UDP);
		break;
	case GEN_UDP6:
		stamp_burst(g, m, n, tsc, GEN_UDP6);
		break;
	case GEN_SYN:
		stamp_burst(g, m, n, tsc, GEN_SYN);
		break;
	case GEN_IMIX:
		stamp_burst(g, m, n, tsc, GEN_IMIX);
		break;
	case GEN_PCAP:
		stamp_burst(g, m, n, tsc, GEN_PCAP);
		break;
	}
}

/* ---- and back ---------------------------------------------------------------------------------------------------- */

/* 32 bits of each came back; the rest follows from where we are. */
static bool syn_read(const struct gen *g, const u8 *f, u64 now, u64 *ret_seq, u64 *ret_tsc)
{
	const u8 *tcp = f + ETH_BYTES + 20;
	u16 magic;

	memcpy(&magic, tcp + 14, sizeof(magic));
	if (magic != GEN_STAMP_MAGIC)
		return false;
	*ret_seq = g->seq - (u32)((u32)g->seq - load32(tcp + 4));
	*ret_tsc = now - ((u64)(u32)((u32)(now >> TSC_SHIFT) - load32(tcp + 8)) << TSC_SHIFT);
	return true;
}

bool packet_read(const struct gen *g, const struct rte_mbuf *m, u64 now, u64 *ret_seq, u64 *ret_tsc)
{
	const u8 *f = rte_pktmbuf_mtod(m, const u8 *);
	u32 at = g->cfg.pattern == GEN_UDP6 ? IP6_STAMP_AT : IP4_STAMP_AT;
	u16 magic;

	if (dwcp_unlikely(m->data_len < 60))
		return false;
	if (g->cfg.pattern == GEN_SYN)
		return syn_read(g, f, now, ret_seq, ret_tsc);
	if (g->cfg.pattern == GEN_PCAP)
		at = m->data_len - GEN_STAMP_BYTES;
	if (dwcp_unlikely(m->data_len < at + GEN_STAMP_BYTES))
		return false;
	memcpy(&magic, f + at, sizeof(magic));
	memcpy(ret_seq, f + at + 2, sizeof(*ret_seq));
	memcpy(ret_tsc, f + at + 10, sizeof(*ret_tsc));
	return magic == GEN_STAMP_MAGIC;
}
