/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rewrite.c - stage rewrite: may it go on (addresses, TTL, MTU), then TTL, checksum, MACs and tags in place.
 * Decide is rewrite_decide(); commit is rewrite_commit(). Thread: worker.
 */
#include <dwcp/util/forward.h>
#include <dwcp/util/rewrite.h>

#include "dataplane.h"

/* Bytes behind the packet (padding, or a sender's mischief) don't count, and don't leave when they would not fit. */
static dwcp_noinline void mbuf_trim_tail(struct rte_mbuf *m, u32 frame_len)
{
	struct rte_mbuf *seg = m;
	u32 left = frame_len;

	m->pkt_len = frame_len;
	while (left > seg->data_len) {
		left -= seg->data_len;
		seg = seg->next;
	}
	seg->data_len = (u16)left;
	rte_pktmbuf_free(seg->next);
	seg->next = NULL;
	m->nb_segs = 1;
	for (struct rte_mbuf *s = m; s != seg; s = s->next)
		m->nb_segs++;
}

dwcp_inline u32 rewrite_mtu(const struct port *port, const struct dwcp_nexthop *nh)
{
	return nh->mtu && nh->mtu < port->mtu ? nh->mtu : port->mtu;
}

dwcp_inline u32 rewrite_decide(const struct dataplane *dp, const struct dwcp_nexthop *nh,
			       const struct pkt *p)
{
	u32 verdict = pkt_forward_check(p);

	if (dwcp_unlikely(verdict != VERDICT_PASS))
		return verdict;
	return p->ip_len > rewrite_mtu(&dp->port[nh->port], nh) ? VERDICT_DROP(DROP_MTU_EXCEEDED)
								: VERDICT_PASS;
}

static dwcp_noinline u32 rewrite_commit_tags(struct rte_mbuf *m, const struct dwcp_nexthop *nh,
					     const struct pkt *p, struct rewrite_l2 *l2)
{
	s32 delta;
	u32 verdict;

	l2->n_tags = nh->n_tags;
	for (u32 i = 0; i < nh->n_tags; i++) {
		l2->tag[i].tpid = be16_load(&nh->forward.vlan[2 * i]);
		l2->tag[i].tci = be16_load(&nh->forward.vlan[2 * i + 1]);
	}
	verdict = rewrite_packet(rte_pktmbuf_mtod(m, u8 *), rte_pktmbuf_headroom(m), p, l2, &delta);
	if (verdict != VERDICT_PASS)
		return verdict;
	m->data_off = (u16)(m->data_off + delta);
	m->data_len = (u16)(m->data_len - delta);
	m->pkt_len = (u32)((s32)m->pkt_len - delta);
	return VERDICT_PASS;
}

dwcp_inline u32 rewrite_commit(const struct dataplane *dp, struct rte_mbuf *m,
			       const struct dwcp_nexthop *nh, const struct pkt *p)
{
	static const u8 none[6];
	struct rewrite_l2 l2;
	s32 delta;

	if (dwcp_unlikely(m->pkt_len > p->l3_offset + rewrite_mtu(&dp->port[nh->port], nh)))
		mbuf_trim_tail(m, (u32)p->l3_offset + p->ip_len);

	memcpy(l2.dmac, nh->forward.dst_mac, 6);
	memcpy(l2.smac,
	       memcmp(nh->forward.src_mac, none, 6) ? nh->forward.src_mac : dp->port[nh->port].mac,
	       6);
	if (dwcp_unlikely(p->n_tags | nh->n_tags))
		return rewrite_commit_tags(m, nh, p, &l2);
	l2.n_tags = 0;
	return rewrite_packet(rte_pktmbuf_mtod(m, u8 *), 0, p, &l2, &delta);
}

void stage_rewrite(struct worker *w, struct burst *b)
{
	const struct dataplane *dp = w->dp;
	u32 dead = 0;

	for (u32 i = 0; i < b->n; i++) {
		u32 verdict = rewrite_decide(dp, b->nexthop[i], &b->pkt[i]);

		if (dwcp_likely(verdict == VERDICT_PASS))
			verdict = rewrite_commit(dp, b->mbuf[i], b->nexthop[i], &b->pkt[i]);
		b->verdict[i] = verdict;
		dead += verdict != VERDICT_PASS;
	}
	b->n_dead = (u16)dead;
	burst_sweep(w, b);
}
