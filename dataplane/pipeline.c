/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.c - THE PATH. What happens to a packet, in order, on the worker that received it.
 *
 * One function is the whole list. Compiled twice: a timed form that reads the TSC between stages for one burst in
 * 2^sample_shift, and the plain form, so that measuring costs the plain one nothing.
 */
#include <rte_cycles.h>

#include <dwcp/endian.h>
#include <dwcp/util/parse_inline.h>

#include "dataplane.h"
#include "icmp.h"
#include "originate.h"

/* Cycles since the last mark go to a stage. */
static void stage_mark(struct worker *w, enum dwcp_stage stage)
{
	u64 now = rte_rdtsc();

	dwcp_count(&w->stats->stage_cycles[stage], now - w->sample_tsc);
	w->sample_tsc = now;
}

dwcp_inline void pipeline_path(struct worker *w, struct burst *b, const bool timed)
{
	stage_parse(w, b); /* bytes → struct pkt; malformed dies here, with its reason */
	if (timed)
		stage_mark(w, DWCP_STAGE_PARSE);
	/* screen:   block, allow, country, bogons */
	/* guard:    per-source windows, detectors, challenge */
	/* classify: policies → class, DSCP, priority */
	/* steer:    VIP → endpoint */
	stage_route(w, b); /* longest prefix → next hop; no route and its kin die here */
	if (timed)
		stage_mark(w, DWCP_STAGE_ROUTE);
	stage_rewrite(w, b); /* TTL, checksum, MACs, tags; too large dies here */
	if (timed)
		stage_mark(w, DWCP_STAGE_REWRITE);
	/* shape:    class → release time and queue */
	stage_tx(w, b); /* out, by port; what a queue does not take dies here */
	if (timed)
		stage_mark(w, DWCP_STAGE_TX);
}

static dwcp_noinline void pipeline_timed(struct worker *w, struct burst *b)
{
	u32 n = b->n;

	w->sample_tsc = rte_rdtsc();
	dwcp_count(&w->stats->stage_cycles[DWCP_STAGE_RX], w->sample_tsc - b->start_tsc);
	pipeline_path(w, b, true);
	dwcp_count(&w->stats->sampled_bursts, 1);
	dwcp_count(&w->stats->sampled_packets, n);
	dwcp_count(&w->stats->latency.bucket[dwcp_hist_bucket(w->sample_tsc - b->start_tsc)], 1);
}

void pipeline_run(struct worker *w, struct burst *b)
{
	if (dwcp_unlikely(b->timed))
		pipeline_timed(w, b);
	else
		pipeline_path(w, b, false);
	if (dwcp_unlikely(b->originates))
		originate_flush(w);
}

/* CLOCK_MONOTONIC from the TSC. */
static u64 worker_clock_ns(const struct worker *w, u64 tsc)
{
	return w->epoch_ns +
	       (u64)((unsigned __int128)(tsc - w->epoch_tsc) * 1000000000u / w->tsc_hz);
}

static void event_push(struct worker *w, const struct dwcp_event *e)
{
	if (!dwcp_ring_push(w->ring, w->ring_tail, e))
		dwcp_count(&w->stats->events_lost, 1);
}

/* Which next hop, and for whom: network order, IPv4 in the first four bytes. */
static void unresolved_fill(struct burst *b, u32 i, struct dwcp_event *e)
{
	const struct dwcp_nexthop *nh = &b->gen->nexthop[b->slot[i]];
	const struct pkt *p = burst_pkt(b, i);

	e->a = b->slot[i];
	e->b = nh->id;
	e->family = p->flags & PKT_IP4 ? FIB_IP4 : FIB_IP6;
	e->port = nh->port;
	if (e->family == FIB_IP4) {
		be32_store(e->data, (u32)p->dst.lo);
		return;
	}
	be32_store(e->data, (u32)(p->dst.hi >> 32));
	be32_store(e->data + 4, (u32)p->dst.hi);
	be32_store(e->data + 8, (u32)(p->dst.lo >> 32));
	be32_store(e->data + 12, (u32)p->dst.lo);
}

/* Whoever lacks a neighbour is told of by destination, so that it can be asked for (missing.h). */
static void unresolved_event(struct worker *w, struct burst *b, u32 at)
{
	const struct pkt *p = burst_pkt(b, at);
	u64 now = rte_rdtsc();
	struct dwcp_event e = {.type = DWCP_EVENT_UNRESOLVED, .worker = (u8)w->idx};

	e.n = missing_packet(&w->missing, p->dst.hi, p->dst.lo, now);
	if (!e.n)
		return;
	e.time_ns = worker_clock_ns(w, now);
	unresolved_fill(b, at, &e);
	event_push(w, &e);
}

/*
 * A sample of the dropped, at most one a reason and 100 ms: enough to see what, too little to hurt.
 */
static void drop_event(struct worker *w, enum drop_reason reason, const struct rte_mbuf *m)
{
	u64 now = rte_rdtsc();
	struct dwcp_event e = {.type = DWCP_EVENT_DROP_SAMPLE,
			       .a = reason,
			       .worker = (u8)w->idx,
			       .port = w->burst.rx_port_idx};

	w->drop_event_count[reason]++;
	if (now - w->drop_event_tsc[reason] < w->tsc_hz / 10)
		return;
	e.time_ns = worker_clock_ns(w, now);
	e.b = w->drop_event_count[reason];
	memcpy(e.data, rte_pktmbuf_mtod(m, const u8 *),
	       DWCP_MIN((u32)m->data_len, (u32)sizeof(e.data)));
	w->drop_event_tsc[reason] = now;
	w->drop_event_count[reason] = 0;
	event_push(w, &e);
}

static void drop_one(struct worker *w, const struct rte_mbuf *m, enum drop_reason reason)
{
	dwcp_count(&w->stats->drop[reason], 1);
	drop_event(w, reason, m);
}

/* Packet @at of a burst, ours or one of what we send ourselves. */
static void drop_at(struct worker *w, struct burst *b, u32 at, enum drop_reason reason)
{
	if (reason != DROP_UNRESOLVED) {
		drop_one(w, b->mbuf[at], reason);
		return;
	}
	dwcp_count(&w->stats->drop[reason], 1);
	unresolved_event(w, b, at);
}

void burst_drop_mbufs(struct worker *w, struct rte_mbuf **mbufs, u32 n, enum drop_reason reason)
{
	for (u32 i = 0; i < n; i++)
		drop_one(w, mbufs[i], reason);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void pkt_fill4(const struct burst *b, u32 i, struct pkt *ret)
{
	const u8 *ip = b->frame[i] + ETH_HDR_BYTES, *l4 = ip + IP4_HDR_BYTES;
	u32 word = b->col.ttl_word[i];

	*ret = (struct pkt){
		.dst.lo = b->col.dst4[i],
		.src.lo = b->col.src4[i],
		.flags = PKT_IP4 | PKT_L4 | (ip[6] & PKT_DONT_FRAGMENT),
		.l3_offset = ETH_HDR_BYTES,
		.l4_offset = ETH_HDR_BYTES + IP4_HDR_BYTES,
		.src_port = be16_load(l4),
		.dst_port = be16_load(l4 + 2),
		.protocol = (u8)(word >> 8),
		.ttl = (u8)(word + 1),
		.dscp_ecn = ip[1],
		.tcp_flags = (u8)(word >> 8) == IP_PROTO_TCP ? l4[13] : 0,
		.ip_len = be16_load(ip + 2),
	};
}

static void pkt_fill6(const struct burst *b, u32 i, struct pkt *ret)
{
	const u8 *ip = b->frame[i] + ETH_HDR_BYTES, *l4 = ip + IP6_HDR_BYTES;
	u32 word = b->col.ttl_word[i];

	*ret = (struct pkt){
		.dst = b->col.dst6[i],
		.src = b->col.src6[i],
		.flags = PKT_IP6 | PKT_L4 | PKT_DONT_FRAGMENT,
		.l3_offset = ETH_HDR_BYTES,
		.l4_offset = ETH_HDR_BYTES + IP6_HDR_BYTES,
		.src_port = be16_load(l4),
		.dst_port = be16_load(l4 + 2),
		.protocol = (u8)(word >> 16),
		.ttl = (u8)((word >> 24) + 1),
		.dscp_ecn = (u8)(be16_load(ip) >> 4),
		.tcp_flags = (u8)(word >> 16) == IP_PROTO_TCP ? l4[13] : 0,
		.ip_len = IP6_HDR_BYTES + be16_load(ip + 4),
	};
}

void burst_pkt_fill(struct burst *b, u32 i)
{
	if (burst_is_ip6(b, i))
		pkt_fill6(b, i, &b->pkt[i]);
	else
		pkt_fill4(b, i, &b->pkt[i]);
}

/* What is known of packet @from goes to place @to. */
dwcp_inline void burst_move(struct burst *b, u32 to, u32 from)
{
	b->mbuf[to] = b->mbuf[from];
	b->frame[to] = b->frame[from];
	b->seg_len[to] = b->seg_len[from];
	b->frame_len[to] = b->frame_len[from];
	b->slot[to] = b->slot[from];
	b->port[to] = b->port[from];
	b->col.ports[to] = b->col.ports[from];
	b->col.ttl_word[to] = b->col.ttl_word[from];
	if (burst_is_ip6(b, from)) {
		b->col.dst6[to] = b->col.dst6[from];
		b->col.src6[to] = b->col.src6[from];
	} else {
		b->col.dst4[to] = b->col.dst4[from];
		b->col.src4[to] = b->col.src4[from];
	}
	if (!burst_is_common(b, from))
		b->pkt[to] = b->pkt[from];
}

/* A death that may be told to the sender, or be none yet. Return: true when the mbuf is in use again. */
static dwcp_noinline bool burst_mourn(struct worker *w, struct burst *b, u32 i,
				      enum drop_reason reason)
{
	/* of what we have made ourselves no sender is told */
	if (b != &w->burst) {
		drop_at(w, b, i, reason);
		return false;
	}
	if (reason == DROP_MTU_EXCEEDED && icmp_fragment(w, i))
		return false;
	drop_at(w, b, i, reason);
	return icmp_answer(w, i, reason);
}

/* Packet i can't go on: the kernel may want it, its sender may be told. Return: true when the mbuf is in use again. */
static bool burst_bury(struct worker *w, struct burst *b, u32 i)
{
	u32 verdict = b->verdict[i];
	enum drop_reason reason;

	if (b == &w->burst)
		verdict = host_punt(w, b->mbuf[i], b->rx_port_idx, verdict - VERDICT_DROP_BASE);
	if (verdict == VERDICT_TO_HOST)
		return true;
	reason = verdict - VERDICT_DROP_BASE;
	if (icmp_concerns(reason))
		return burst_mourn(w, b, i, reason);
	drop_at(w, b, i, reason);
	return false;
}

void burst_sweep(struct worker *w, struct burst *b)
{
	struct rte_mbuf *dead[BURST_MAX];
	u32 n = 0, n_dead = 0;
	u64 common = 0, ip6 = 0;

	if (dwcp_likely(b->n_dead == 0))
		return;
	for (u32 i = 0; i < b->n; i++) {
		if (b->verdict[i] >= VERDICT_DROP_BASE) {
			b->bytes -= b->frame_len[i];
			if (!burst_bury(w, b, i))
				dead[n_dead++] = b->mbuf[i];
			continue;
		}
		if (n != i)
			burst_move(b, n, i);
		common |= (u64)burst_is_common(b, i) << n;
		ip6 |= (u64)burst_is_ip6(b, i) << n;
		n++;
	}
	memset(b->verdict, 0, b->n * sizeof(*b->verdict));
	b->n = (u16)n;
	b->common = common;
	b->ip6 = ip6;
	b->n_dead = 0;
	rte_pktmbuf_free_bulk(dead, n_dead);
}
