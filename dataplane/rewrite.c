/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rewrite.c - stage rewrite: may it go on (addresses, TTL, MTU), then TTL, checksum, MACs and tags in place.
 * Decide is rewrite_decide(); commit is rewrite_commit(). Thread: worker.
 */
#include <dwcp/util/forward.h>
#include <dwcp/util/parse_inline.h>
#include <dwcp/util/rewrite.h>

#include "adjacency.h"
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

static u32 rewrite_decide(const struct pkt *p, u32 mtu)
{
	u32 verdict = pkt_forward_check(p);

	if (verdict != VERDICT_PASS)
		return verdict;
	return p->ip_len > mtu ? VERDICT_DROP(DROP_MTU_EXCEEDED) : VERDICT_PASS;
}

static u32 rewrite_commit(const struct dataplane *dp, struct rte_mbuf *m,
			  const struct dwcp_nexthop *nh, const struct pkt *p)
{
	static const u8 none[6];
	const struct port *port = &dp->port[nh->port];
	struct rewrite_l2 l2 = {.n_tags = nh->n_tags};
	const u8 *tags = (const u8 *)nh->forward.vlan;
	s32 delta;
	u32 verdict;

	memcpy(l2.dmac, nh->forward.dst_mac, 6);
	memcpy(l2.smac, memcmp(nh->forward.src_mac, none, 6) ? nh->forward.src_mac : port->mac, 6);
	if (port->tags_bytes) { /* a VLAN has its own, whatever the next hop says */
		tags = port->tags;
		l2.n_tags = port->tags_bytes / VLAN_TAG_BYTES;
	}
	for (u32 i = 0; i < l2.n_tags; i++) {
		l2.tag[i].tpid = be16_load(tags + 4 * i);
		l2.tag[i].tci = be16_load(tags + 4 * i + 2);
	}
	verdict =
		rewrite_packet(rte_pktmbuf_mtod(m, u8 *), rte_pktmbuf_headroom(m), p, &l2, &delta);
	if (verdict != VERDICT_PASS)
		return verdict;
	m->data_off = (u16)(m->data_off + delta);
	m->data_len = (u16)(m->data_len - delta);
	m->pkt_len = (u32)((s32)m->pkt_len - delta);
	return VERDICT_PASS;
}

/* Any packet to any next hop that forwards. */
static dwcp_noinline u32 rewrite_any(const struct dataplane *dp, struct burst *b, u32 i)
{
	const struct dwcp_nexthop *nh = &b->gen->nexthop[b->slot[i]];
	u32 mtu = nexthop_mtu(dp, nh), verdict;
	const struct pkt *p = burst_pkt(b, i);
	struct rte_mbuf *m = b->mbuf[i];

	b->port[i] = nh->port;
	verdict = rewrite_decide(p, mtu);
	if (verdict != VERDICT_PASS)
		return verdict;
	if (m->pkt_len > p->l3_offset + mtu)
		mbuf_trim_tail(m, (u32)p->l3_offset + p->ip_len);
	verdict = rewrite_commit(dp, m, nh, p);
	b->bytes += (u64)m->pkt_len - b->frame_len[i];
	b->frame_len[i] = m->pkt_len;
	return verdict;
}

/*
 * Both MACs in two stores, behind loads of the adjacency alone: reading back what was stored in smaller pieces waits for
 * the stores (8 cycles a packet of the whole program).
 */
dwcp_inline void rewrite_macs(u8 *frame, const struct adjacency *a)
{
	u64 first;
	u32 rest;

	memcpy(&first, a->mac, sizeof(first));
	memcpy(&rest, a->mac + 8, sizeof(rest));
	memcpy(frame, &first, sizeof(first));
	memcpy(frame + 8, &rest, sizeof(rest));
}

/* One comparison: an adjacency that isn't simple has an MTU of 0, and no IP length is above the frame's. */
dwcp_inline bool rewrite_fits(const struct burst *b, u32 i, const struct adjacency *a)
{
	return b->frame_len[i] <= ETH_HDR_BYTES + (u32)a->mtu;
}

/* An untagged packet that fits, to an untagged next hop. Return: false when it isn't one. */
dwcp_inline bool rewrite_untagged(struct burst *b, u32 i, const struct adjacency *a)
{
	const struct pkt *p = &b->pkt[i];

	if (p->n_tags || !rewrite_fits(b, i, a) || pkt_forward_check(p) != VERDICT_PASS)
		return false;
	rewrite_macs(b->frame[i], a);
	rewrite_ttl(b->frame[i], p);
	b->port[i] = a->port;
	return true;
}

/* MACs and TTL of common packet @i. */
dwcp_inline void rewrite_columns(struct burst *b, u32 i, const struct adjacency *a, bool ip6)
{
	u8 *frame = b->frame[i];
	u32 ttl_word = b->col.ttl_word[i];

	b->port[i] = a->port;
	rewrite_macs(frame, a);
	memcpy(frame + (ip6 ? PKT_TTL_WORD6_AT : PKT_TTL_WORD4_AT), &ttl_word, sizeof(ttl_word));
}

/* Common packets, @ip6: those of IPv6. Return: bit i set: packet i has not been rewritten. */
dwcp_inline u64 rewrite_common(struct burst *b, const struct adjacency *adjacency, u64 ip6)
{
	u32 n = b->n;
	u64 left = 0;

	for (u32 i = 0; i < n; i++) {
		const struct adjacency *a = &adjacency[b->slot[i]];

		if (dwcp_unlikely(!rewrite_fits(b, i, a)))
			left |= 1ull << i;
		else
			rewrite_columns(b, i, a, ip6 >> i & 1);
	}
	return left;
}

static dwcp_noinline u64 rewrite_mixed(struct burst *b, const struct adjacency *adjacency)
{
	u64 left = 0;

	for (u32 i = 0; i < b->n; i++) {
		const struct adjacency *a = &adjacency[b->slot[i]];

		if (!burst_is_common(b, i))
			left |= (u64)!rewrite_untagged(b, i, a) << i;
		else if (rewrite_fits(b, i, a))
			rewrite_columns(b, i, a, burst_is_ip6(b, i));
		else
			left |= 1ull << i;
	}
	return left;
}

/* The same loop twice: one whose packets are all IPv4 has nothing to choose. */
static u64 rewrite_plain(struct burst *b)
{
	const struct adjacency *adjacency = b->gen->reader;

	if (dwcp_unlikely(!burst_all_common(b)))
		return rewrite_mixed(b, adjacency);
	return dwcp_likely(b->ip6 == 0) ? rewrite_common(b, adjacency, 0)
					: rewrite_common(b, adjacency, b->ip6);
}

static dwcp_noinline void rewrite_left(struct worker *w, struct burst *b, u64 left)
{
	u32 dead = 0;

	for (; left; left &= left - 1) {
		u32 i = (u32)__builtin_ctzll(left);

		b->verdict[i] = rewrite_any(w->dp, b, i);
		dead += b->verdict[i] != VERDICT_PASS;
	}
	b->n_dead = (u16)dead;
	burst_sweep(w, b);
}

void stage_rewrite(struct worker *w, struct burst *b)
{
	u64 left;

	if (dwcp_unlikely(b->n == 0))
		return;
	left = rewrite_plain(b);
	if (dwcp_unlikely(left))
		rewrite_left(w, b, left);
}
