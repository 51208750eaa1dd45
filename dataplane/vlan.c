/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vlan.c - tagged links of a port that are ports themselves: which one a frame belongs to, and tags that a driver took out.
 * Off the common path: a frame without a tag on a port whose driver leaves frames alone comes by none of this.
 * Thread: worker; port_vlan() and port_of_frame() any.
 */
#include <rte_ether.h>

#include <dwcp/util/parse_inline.h>

#include "dataplane.h"

#define VLAN_ID_MASK   0xfff
#define ETHERTYPE_QINQ 0x9100 /* before 802.1ad, still sent */

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
	return type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ || type == ETHERTYPE_QINQ;
}

u32 vlan_tags_bytes(const u8 *frame, u32 len)
{
	if (!is_tag(frame, len, 12))
		return 0;
	return is_tag(frame, len, 12 + VLAN_TAG_BYTES) ? 2 * VLAN_TAG_BYTES : VLAN_TAG_BYTES;
}

/* As parse names them: of two tags the outer one is svlan, and a tag of id 0 is a priority and no VLAN. */
const struct port *port_of_frame(const struct dataplane *dp, const struct port *port,
				 const u8 *frame, u32 len)
{
	u32 tags = port->n_vlans ? vlan_tags_bytes(frame, len) : 0;
	u16 svlan = 0, vlan;

	if (!tags)
		return port;
	vlan = be16_load(frame + 10 + tags) & VLAN_ID_MASK;
	if (tags > VLAN_TAG_BYTES)
		svlan = be16_load(frame + 14) & VLAN_ID_MASK;
	return vlan | svlan ? port_vlan(dp, port, svlan, vlan) : port;
}

u32 vlan_rx(struct worker *w, const struct port *port, const struct pkt *p, u32 frame_len,
	    u32 verdict)
{
	const struct port *v;

	if (!(p->vlan | p->svlan))
		return verdict;
	v = port_vlan(w->dp, port, p->svlan, p->vlan);
	if (!v)
		return verdict == VERDICT_PASS ? VERDICT_DROP(DROP_L2_VLAN) : verdict;
	dwcp_count(&w->stats->port[v->idx].rx_packets, 1);
	dwcp_count(&w->stats->port[v->idx].rx_bytes, frame_len);
	return verdict;
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
