/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse.c - stage parse: the bytes of each frame → columns, or struct pkt for what is not common. The parsers
 * themselves are lib/packet (pure, no DPDK); here are prefetching, what mbufs say, and the counting of what arrived.
 * Thread: worker.
 */
#include <rte_prefetch.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_inline.h>

#include "dataplane.h"

/*
 * Frames on their way into the cache at a time, and how many are parsed meanwhile. A core has about two dozen misses
 * under way; with all 64 asked for at once the first frames wait for the last (docs/decisions/0004-burst-metadata.md).
 */
#define PARSE_AHEAD 16u
#define PARSE_STEP  16u

/* Where frames [from, to) are and how long; they are being fetched from here on. Return: bytes in them. */
dwcp_inline u64 burst_frames(struct burst *b, u32 from, u32 to)
{
	u64 bytes = 0;

	for (u32 i = from; i < to; i++) {
		const struct rte_mbuf *m = b->mbuf[i];

		b->frame[i] = (u8 *)m->buf_addr + m->data_off;
		rte_prefetch0(b->frame[i]);
		b->seg_len[i] = m->data_len;
		b->frame_len[i] = m->pkt_len;
		bytes += m->pkt_len;
	}
	return bytes;
}

/* Can it go on as it is, with nothing between Ethernet, IP and TCP or UDP? */
dwcp_inline bool pkt_is_common(const struct pkt *p)
{
	const u16 may = PKT_IP4 | PKT_IP6 | PKT_DONT_FRAGMENT;

	return (p->flags & ~may) == PKT_L4 && p->l3_offset == ETH_HDR_BYTES &&
	       (p->protocol == IP_PROTO_TCP || p->protocol == IP_PROTO_UDP) &&
	       pkt_forward_check(p) == VERDICT_PASS;
}

static void columns_fill4(struct burst *b, u32 i)
{
	const u8 *frame = b->frame[i];
	u8 ip[IP4_HDR_BYTES];

	memcpy(ip, frame + ETH_HDR_BYTES, sizeof(ip));
	ip4_ttl_decrement(ip);
	b->col.src4[i] = (u32)b->pkt[i].src.lo;
	b->col.ports[i] = checksum_load32(frame + ETH_HDR_BYTES + IP4_HDR_BYTES);
	b->col.ttl_word[i] = checksum_load32(ip + PKT_TTL_WORD4_AT - ETH_HDR_BYTES);
}

static void columns_fill6(struct burst *b, u32 i)
{
	const u8 *frame = b->frame[i];

	b->col.src6[i] = b->pkt[i].src;
	b->col.ports[i] = checksum_load32(frame + ETH_HDR_BYTES + IP6_HDR_BYTES);
	b->col.ttl_word[i] = checksum_load32(frame + PKT_TTL_WORD6_AT) - (1u << 24);
}

/*
 * Columns of a packet that was parsed by itself. The destination's always: the FIB asks for all of a burst. The others
 * when it is common, however it was parsed: bursts have tails, CPUs may lack AVX2.
 */
static void parse_to_columns(struct burst *b, u32 i)
{
	const struct pkt *p = &b->pkt[i];
	u64 common = (u64)pkt_is_common(p) << i;

	if (p->flags & PKT_IP4) {
		b->col.dst4[i] = (u32)p->dst.lo;
		if (common)
			columns_fill4(b, i);
	} else {
		b->ip6 |= 1ull << i;
		b->col.dst6[i] = p->dst;
		if (common)
			columns_fill6(b, i);
	}
	b->common |= common;
}

/* What is not common yet, one by one. */
static dwcp_noinline void parse_others(struct worker *w, const struct port *port, struct burst *b)
{
	struct parse_cfg cfg[2] = {port->parse, port->parse};
	u32 n = DWCP_MIN(b->n, BURST_MAX), dead = 0; /* what the compiler can't know */
	bool vlans = port->n_vlans != 0;

	/* two copies and no byte changed between packets: reading the whole would wait for it */
	cfg[0].checksum_verified = false;
	cfg[1].checksum_verified = true;
	for (u32 i = 0; i < n; i++) {
		u64 checksum = b->mbuf[i]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

		if (burst_is_common(b, i))
			continue;
		b->verdict[i] = parse_packet_inline(&cfg[checksum == RTE_MBUF_F_RX_IP_CKSUM_GOOD],
						    b->frame[i], b->seg_len[i], b->frame_len[i],
						    &b->pkt[i]);
		if (dwcp_unlikely(vlans && b->pkt[i].n_tags))
			b->verdict[i] =
				vlan_rx(w, port, &b->pkt[i], b->frame_len[i], b->verdict[i]);
		if (b->verdict[i] != VERDICT_PASS)
			dead++;
		else
			parse_to_columns(b, i);
	}
	b->n_dead = (u16)dead;
}

/* Frames, and of them what is common, eight at a time while the next ones are being fetched. */
static dwcp_noinline void parse_eights(const struct port *port, struct burst *b)
{
	const u8 *const *frame = (const u8 *const *)b->frame;
	u32 at = 0, ahead = DWCP_MIN(b->n, PARSE_AHEAD), to;
	u64 bytes = burst_frames(b, 0, ahead), ip4 = 0, ip6 = 0;
	struct parse_common c;

	for (; ahead < b->n; ahead = to, at += PARSE_STEP) {
		to = DWCP_MIN(b->n, ahead + PARSE_STEP);
		bytes += burst_frames(b, ahead, to);
		c = parse_burst(&port->parse, frame, b->seg_len, at, at + PARSE_STEP, &b->col);
		ip4 |= c.ip4;
		ip6 |= c.ip6;
	}
	c = parse_burst(&port->parse, frame, b->seg_len, at, b->n, &b->col);
	b->ip6 = ip6 | c.ip6;
	b->common = ip4 | c.ip4 | b->ip6;
	b->bytes = bytes;
}

void stage_parse(struct worker *w, struct burst *b)
{
	const struct port *port = &w->dp->port[b->rx_port_idx];
	struct dwcp_stats_io *io = &w->stats->port[b->rx_port_idx];

	if (dwcp_unlikely(port->strips_tags))
		vlan_restore(b);
	if (dwcp_likely(b->n >= PARSE_BURST_MIN)) {
		parse_eights(port, b);
	} else {
		b->bytes = burst_frames(b, 0, b->n);
		b->common = 0;
		b->ip6 = 0;
	}
	dwcp_count(&io->rx_packets, b->n);
	dwcp_count(&io->rx_bytes, b->bytes);
	if (dwcp_likely(burst_all_common(b)))
		return;
	parse_others(w, port, b);
	burst_sweep(w, b);
}
