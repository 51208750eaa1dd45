/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse.c - stage parse: the bytes of each frame → struct pkt. The parser itself is lib/packet (pure, no DPDK);
 * here are prefetching, the mbuf's offload flags and the counting of what arrived. Thread: worker.
 */
#include <rte_prefetch.h>

#include <dwcp/util/parse_inline.h>

#include "dataplane.h"

/* Headers of the packet this many places ahead are being fetched. Not compared with other distances yet. */
#define PARSE_PREFETCH 4

/*
 * The port's configuration without and with a checksum that the NIC has verified. Two copies a burst and a pointer a
 * packet: changing the one byte a packet makes the parser's read of the whole wait for it (9 cycles).
 */
dwcp_inline void parse_cfg_init(struct parse_cfg cfg[2], const struct port *port)
{
	cfg[0] = port->parse;
	cfg[0].checksum_verified = false;
	cfg[1] = port->parse;
	cfg[1].checksum_verified = true;
}

dwcp_inline u32 parse_mbuf(const struct parse_cfg cfg[2], struct rte_mbuf *m, struct pkt *p)
{
	bool verified = (m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;

	return parse_packet_inline(&cfg[verified], rte_pktmbuf_mtod(m, const u8 *), m->data_len,
				   m->pkt_len, p);
}

void stage_parse(struct worker *w, struct burst *b)
{
	const struct port *port = &w->dp->port[b->rx_port_idx];
	struct dwcp_stats_io *io = &w->stats->port[b->rx_port_idx];
	struct parse_cfg cfg[2];
	u32 n = b->n, dead = 0;
	u64 bytes = 0;

	parse_cfg_init(cfg, port);
	for (u32 i = 0; i < DWCP_MIN(n, (u32)PARSE_PREFETCH); i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->mbuf[i], const u8 *));
	for (u32 i = 0; i < n; i++) {
		if (i + PARSE_PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(b->mbuf[i + PARSE_PREFETCH], const u8 *));
		b->verdict[i] = parse_mbuf(cfg, b->mbuf[i], &b->pkt[i]);
		dead += b->verdict[i] != VERDICT_PASS;
		bytes += b->mbuf[i]->pkt_len;
	}
	dwcp_count(&io->rx_packets, n);
	dwcp_count(&io->rx_bytes, bytes);
	b->n_dead = (u16)dead;
	burst_sweep(w, b);
}
