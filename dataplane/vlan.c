/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vlan.c - tagged links of a port that are ports themselves: which one a frame belongs to, and tags that a driver took out.
 * Off the common path: a frame without a tag on a port whose driver leaves frames alone comes by none of this.
 * Thread: worker; port_vlan() and port_of_frame() any.
 */
#include <rte_ether.h>

#include <dwcp/util/parse_inline.h>

#include "dataplane.h"

#define VLAN_ID_MASK 0xfff

const struct port *port_vlan(const struct dataplane *dp, const struct port *parent, u16 svlan,
			     u16 vlan)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		const struct port *p = &dp->port[i];

		if (p->parent == parent->idx && p != parent && p->vlan == vlan && p->svlan == svlan)
			return p;
	}
	return NULL;
}

static bool is_tag(const u8 *frame, u32 len, u32 at)
{
	u16 type;

	if (len < at + VLAN_TAG_BYTES + 2)
		return false;
	type = be16_load(frame + at);
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ;
}

const struct port *port_of_frame(const struct dataplane *dp, const struct port *port,
				 const u8 *frame, u32 len)
{
	u16 outer, inner = 0;

	if (!port->n_vlans || !is_tag(frame, len, 12))
		return port;
	outer = be16_load(frame + 14) & VLAN_ID_MASK;
	if (is_tag(frame, len, 16))
		inner = be16_load(frame + 18) & VLAN_ID_MASK;
	if (!(outer | inner))
		return port; /* a priority and nothing else */
	return inner ? port_vlan(dp, port, outer, inner) : port_vlan(dp, port, 0, outer);
}

u32 vlan_rx(struct worker *w, const struct port *port, const struct pkt *p, u32 frame_len)
{
	const struct port *v;

	if (!(p->vlan | p->svlan))
		return VERDICT_PASS;
	v = port_vlan(w->dp, port, p->svlan, p->vlan);
	if (!v)
		return VERDICT_DROP(DROP_L2_VLAN);
	dwcp_count(&w->stats->port[v->idx].rx_packets, 1);
	dwcp_count(&w->stats->port[v->idx].rx_bytes, frame_len);
	return VERDICT_PASS;
}

void vlan_restore(struct burst *b)
{
	for (u32 i = 0; i < b->n; i++) {
		struct rte_mbuf *m = b->mbuf[i];

		if (!(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
			continue;
		rte_vlan_insert(&b->mbuf[i]); /* headroom is never too small here */
		m->ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
	}
}
