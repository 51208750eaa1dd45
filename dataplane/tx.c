/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c - stage tx: packets to their ports, in order, one rte_eth_tx_burst() a port. What a queue does not take is
 * dropped and counted: a retry would trade loss here for loss at our own rx ring, unseen. Thread: worker.
 */
#include "dataplane.h"

/* A VLAN's packets are its parent's, too. */
static dwcp_noinline void tx_count_parent(struct worker *w, u32 parent, u64 packets, u64 bytes)
{
	dwcp_count(&w->stats->port[parent].tx_packets, packets);
	dwcp_count(&w->stats->port[parent].tx_bytes, bytes);
}

/* @bytes: of all n; a sent mbuf is not ours any more. */
void tx_send(struct worker *w, u32 port_idx, struct rte_mbuf **mbufs, u32 n, u64 bytes)
{
	const struct port *port = &w->dp->port[port_idx];
	struct dwcp_stats_io *io = &w->stats->port[port_idx];
	u64 unsent = 0;
	u32 sent;

	if (dwcp_unlikely(!dwcp_load_relaxed(&port->up))) {
		/* a NIC without link would take them into its ring and count them as sent */
		burst_drop_mbufs(w, mbufs, n, DROP_TX_PORT_DOWN);
		return;
	}

	sent = rte_eth_tx_burst(port->id, (u16)(w->idx % port->n_txq), mbufs, (u16)n);
	for (u32 i = sent; i < n; i++)
		unsent += mbufs[i]->pkt_len;
	dwcp_count(&io->tx_packets, sent);
	dwcp_count(&io->tx_bytes, bytes - unsent);
	if (dwcp_unlikely(port->parent != port_idx))
		tx_count_parent(w, port->parent, sent, bytes - unsent);
	if (dwcp_unlikely(sent < n))
		burst_drop_mbufs(w, mbufs + sent, n - sent, DROP_TX_FULL);
}

/* Several ports: collect by port, then flush those that were touched, in the order of their first packet. */
static dwcp_noinline void tx_mixed(struct worker *w, struct burst *b)
{
	u16 touched[PORT_MAX];
	u32 n_touched = 0;

	for (u32 i = 0; i < b->n; i++) {
		struct tx_stage *t = &w->tx[b->port[i]];

		if (t->n == 0)
			touched[n_touched++] = b->port[i];
		t->mbuf[t->n++] = b->mbuf[i];
		t->bytes += b->frame_len[i];
	}
	for (u32 i = 0; i < n_touched; i++) {
		struct tx_stage *t = &w->tx[touched[i]];

		tx_send(w, touched[i], t->mbuf, t->n, t->bytes);
		t->n = 0;
		t->bytes = 0;
	}
}

void stage_tx(struct worker *w, struct burst *b)
{
	u16 differ = 0;

	if (b->n == 0)
		return;
	for (u32 i = 1; i < b->n; i++)
		differ |= b->port[i] ^ b->port[0];
	if (dwcp_likely(!differ))
		tx_send(w, b->port[0], b->mbuf, b->n, b->bytes);
	else
		tx_mixed(w, b);
}
