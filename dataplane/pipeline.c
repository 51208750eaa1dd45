/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.c - THE PATH. What happens to a packet, in order, on the worker that received it.
 *
 * One function is the whole list. Compiled twice: a timed form that reads the TSC between stages for one burst in
 * 2^sample_shift, and the plain form, so that measuring costs the plain one nothing.
 */
#include <rte_cycles.h>

#include "dataplane.h"

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
	stage_route(w,
		    b); /* longest prefix → next hop; no route, blackhole and their kin die here */
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
}

/* A sample of the dropped, at most one a reason and 100 ms: enough to see what, too little to hurt. */
static void drop_event(struct worker *w, enum drop_reason reason, const struct rte_mbuf *m,
		       const struct pkt *p)
{
	u64 now = rte_rdtsc();
	struct dwcp_event e = {.type = DWCP_EVENT_DROP_SAMPLE, .a = reason, .worker = (u8)w->idx};
	u32 len = m->data_len;

	w->drop_event_count[reason]++;
	if (now - w->drop_event_tsc[reason] < w->tsc_hz / 10)
		return;
	if (reason == DROP_UNRESOLVED && p) {
		e.type = DWCP_EVENT_UNRESOLVED;
		e.family = p->flags & PKT_IP4 ? FIB_IP4 : FIB_IP6;
		memcpy(e.data, &p->dst, sizeof(p->dst));
	} else {
		memcpy(e.data, rte_pktmbuf_mtod(m, const u8 *), DWCP_MIN(len, (u32)sizeof(e.data)));
	}
	e.time_ns = w->epoch_ns + (now - w->epoch_tsc) * 1000 / (w->tsc_hz / 1000000);
	e.b = w->drop_event_count[reason];
	e.port = w->burst.rx_port_idx;
	w->drop_event_tsc[reason] = now;
	w->drop_event_count[reason] = 0;
	if (!dwcp_ring_push(w->ring, w->ring_tail, &e))
		dwcp_count(&w->stats->events_lost, 1);
}

static void drop_one(struct worker *w, struct rte_mbuf *m, enum drop_reason reason,
		     const struct pkt *p)
{
	dwcp_count(&w->stats->drop[reason], 1);
	drop_event(w, reason, m, p);
}

void burst_drop_mbufs(struct worker *w, struct rte_mbuf **mbufs, u32 n, enum drop_reason reason)
{
	for (u32 i = 0; i < n; i++)
		drop_one(w, mbufs[i], reason, NULL);
	rte_pktmbuf_free_bulk(mbufs, n);
}

void burst_sweep(struct worker *w, struct burst *b)
{
	struct rte_mbuf *dead[BURST_MAX];
	u32 n = 0, n_dead = 0;

	if (dwcp_likely(b->n_dead == 0))
		return;
	for (u32 i = 0; i < b->n; i++) {
		if (b->verdict[i] >= VERDICT_DROP_BASE) {
			drop_one(w, b->mbuf[i], b->verdict[i] - VERDICT_DROP_BASE, &b->pkt[i]);
			dead[n_dead++] = b->mbuf[i];
			continue;
		}
		if (n != i) {
			b->mbuf[n] = b->mbuf[i];
			b->slot[n] = b->slot[i];
			b->nexthop[n] = b->nexthop[i];
			b->pkt[n] = b->pkt[i];
		}
		b->verdict[n++] = VERDICT_PASS;
	}
	b->n = (u16)n;
	b->n_dead = 0;
	rte_pktmbuf_free_bulk(dead, n_dead);
}
