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

/* Where the frames are and how long. All of them are being fetched by then: the first is needed after the last. */
static void burst_frames(struct burst *b)
{
	u64 bytes = 0;

	for (u32 i = 0; i < b->n; i++) {
		const struct rte_mbuf *m = b->mbuf[i];

		b->frame[i] = (u8 *)m->buf_addr + m->data_off;
		rte_prefetch0(b->frame[i]);
		b->seg_len[i] = m->data_len;
		b->frame_len[i] = m->pkt_len;
		bytes += m->pkt_len;
	}
	b->bytes = bytes;
}

/* Untagged IPv4 that can go on as it is gets columns however it was parsed: bursts have tails, CPUs may lack AVX2. */
static bool parse_to_columns(struct burst *b, u32 i)
{
	const u16 must = PKT_IP4 | PKT_L4, must_not = PKT_FRAGMENT | PKT_OPTIONS | PKT_ICMP_ERROR;
	const struct pkt *p = &b->pkt[i];
	u8 ip[IP4_HDR_BYTES];

	if ((p->flags & (must | must_not)) != must || p->l3_offset != ETH_HDR_BYTES ||
	    (p->protocol != IP_PROTO_TCP && p->protocol != IP_PROTO_UDP) ||
	    pkt_forward_check(p) != VERDICT_PASS)
		return false;
	memcpy(ip, b->frame[i] + ETH_HDR_BYTES, sizeof(ip));
	ip4_ttl_decrement(ip);
	b->col.ttl_word[i] = checksum_load32(ip + 8);
	b->col.dst4[i] = (u32)p->dst.lo;
	b->col.src4[i] = (u32)p->src.lo;
	b->col.ports[i] = checksum_load32(b->frame[i] + ETH_HDR_BYTES + IP4_HDR_BYTES);
	return true;
}

/* What is not common yet, one by one. */
static dwcp_noinline void parse_others(struct worker *w, const struct port *port, struct burst *b)
{
	struct parse_cfg cfg[2] = {port->parse, port->parse};
	u32 dead = 0;
	bool vlans = port->n_vlans != 0;

	/* two copies and no byte changed between packets: reading the whole would wait for it */
	cfg[0].checksum_verified = false;
	cfg[1].checksum_verified = true;
	for (u32 i = 0; i < b->n; i++) {
		u64 checksum = b->mbuf[i]->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

		if (burst_is_common(b, i))
			continue;
		b->verdict[i] = parse_packet_inline(&cfg[checksum == RTE_MBUF_F_RX_IP_CKSUM_GOOD],
						    b->frame[i], b->seg_len[i], b->frame_len[i],
						    &b->pkt[i]);
		if (dwcp_unlikely(vlans && b->verdict[i] == VERDICT_PASS && b->pkt[i].n_tags))
			b->verdict[i] = vlan_rx(w, port, &b->pkt[i], b->frame_len[i]);
		if (b->verdict[i] != VERDICT_PASS)
			dead++;
		else
			b->common |= (u64)parse_to_columns(b, i) << i;
	}
	b->n_dead = (u16)dead;
}

void stage_parse(struct worker *w, struct burst *b)
{
	const struct port *port = &w->dp->port[b->rx_port_idx];
	struct dwcp_stats_io *io = &w->stats->port[b->rx_port_idx];

	if (dwcp_unlikely(port->strips_tags))
		vlan_restore(b);
	burst_frames(b);
	dwcp_count(&io->rx_packets, b->n);
	dwcp_count(&io->rx_bytes, b->bytes);
	b->common =
		parse_burst4(&port->parse, (const u8 *const *)b->frame, b->seg_len, b->n, &b->col);
	if (dwcp_likely(burst_all_common(b)))
		return;
	parse_others(w, port, b);
	burst_sweep(w, b);
}
