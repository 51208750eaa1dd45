/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - one run: send by our own clock, take what comes back, drain, account.
 *
 * A packet that the router's ring has no room for is lost, as on a wire. When the scheduler takes us away, the clock is
 * moved on instead of caught up with, and that is counted: a burst of the missing packets would test our own absence
 * and not the router. When we are merely too slow for the rate, the rate that was really offered says so.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "gen.h"

#define AWAY_NS	     50000 /* a turn of the loop takes less than 10 µs */
#define BEHIND_MAX   1024  /* packets that may be caught up with */
#define RX_BURSTS    4	   /* a queue and turn, so that sending goes on */
#define QUIET_NS     200000000u
#define DRAIN_MAX_NS 2000000000u
#define RATE_SHIFT   40

struct pace {
	u64 base_tsc, base_seq;
	u64 scale; /* packets a cycle, × 2^RATE_SHIFT; 0 = no pace */
	u64 last_tsc;
	u64 away_tsc; /* threshold */
};

static volatile sig_atomic_t stopped;

void gen_stop(void)
{
	stopped = 1;
}

bool gen_stopped(void)
{
	return stopped;
}

static void gen_send(struct gen *g, u32 n, u64 now)
{
	struct rte_mbuf *m[GEN_BURST];
	u32 sent;

	if (dwcp_unlikely(rte_pktmbuf_alloc_bulk(g->tx_pool, m, n))) {
		g->seq += n; /* a device that keeps all of them has no room either */
		g->result.rejected += n;
		return;
	}
	packet_stamp(g, m, n, now);
	sent = rte_eth_tx_burst(g->tx_port, (u16)(g->bursts++ % g->cfg.n_queues), m, (u16)n);
	if (dwcp_unlikely(sent < n)) {
		g->result.rejected += n - sent;
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
}

dwcp_inline void gen_receive_one(struct gen *g, const struct rte_mbuf *m, u64 now)
{
	struct gen_result *r = &g->result;
	u64 seq, tsc;
	u32 *last;

	if (dwcp_unlikely(!packet_read(g, m, now, &seq, &tsc) || seq < g->run_first ||
			  seq >= g->seq)) {
		r->foreign++;
		return;
	}
	last = &g->flow_last[seq & (g->cfg.n_flows - 1)];
	if (dwcp_unlikely((s32)((u32)seq - *last) <= 0)) {
		if ((u32)seq == *last) { /* it would hide the loss of another */
			r->duplicates++;
			return;
		}
		r->reordered++;
	} else {
		*last = (u32)seq;
	}
	r->received++;
	histogram_add(&r->latency, now - tsc);
}

static u32 gen_receive_queue(struct gen *g, u16 queue)
{
	struct rte_mbuf *m[GEN_BURST];
	u32 n, total = 0;

	for (u32 turn = 0; turn < RX_BURSTS; turn++) {
		u64 now;

		n = rte_eth_rx_burst(g->rx_port, queue, m, GEN_BURST);
		if (n == 0)
			break;
		now = rte_rdtsc();
		for (u32 i = 0; i < n; i++)
			gen_receive_one(g, m[i], now);
		rte_pktmbuf_free_bulk(m, n);
		total += n;
		if (n < GEN_BURST)
			break;
	}
	return total;
}

static u32 gen_receive(struct gen *g)
{
	u32 n = 0;

	for (u16 q = 0; q < g->cfg.n_queues; q++)
		n += gen_receive_queue(g, q);
	return n;
}

static u64 pace_due(struct gen *g, struct pace *p, u64 now)
{
	u64 gap = now - p->last_tsc, due;

	p->last_tsc = now;
	if (dwcp_unlikely(gap > p->away_tsc)) {
		g->result.away++;
		g->result.away_tsc += gap;
		g->result.max_away_tsc = DWCP_MAX(g->result.max_away_tsc, gap);
		p->base_tsc += gap;
	}
	if (p->scale == 0)
		return g->seq + GEN_BURST;
	due = p->base_seq + (u64)((unsigned __int128)(now - p->base_tsc) * p->scale >> RATE_SHIFT);
	if (dwcp_unlikely(due > g->seq + BEHIND_MAX)) {
		p->base_seq -= due - g->seq - BEHIND_MAX;
		due = g->seq + BEHIND_MAX;
	}
	return due;
}

/* It may share its CPU with what it tests: polling without end would starve that. */
static void gen_rest(struct gen *g, struct pace *p)
{
	struct timespec ts = {.tv_nsec = (long)g->cfg.rest_us * 1000};
	u64 before = rte_rdtsc(), slept;

	nanosleep(&ts, NULL);
	slept = rte_rdtsc() - before;
	p->last_tsc += DWCP_MIN(slept, (u64)g->cfg.rest_us * g->tsc_hz / 1000000);
}

/* Return: TSC cycles that it took. */
static u64 gen_send_all(struct gen *g, u64 rate_pps, double seconds)
{
	u64 begin = rte_rdtsc(), now = begin, end = begin + (u64)(seconds * (double)g->tsc_hz);
	struct pace p = {
		.base_tsc = begin,
		.base_seq = g->seq,
		.scale = (u64)(((unsigned __int128)rate_pps << RATE_SHIFT) / g->tsc_hz),
		.last_tsc = begin,
		.away_tsc = AWAY_NS * (g->tsc_hz / 1000000) / 1000,
	};

	for (; now < end && !stopped; now = rte_rdtsc()) {
		u64 due = pace_due(g, &p, now);
		u32 busy = due > g->seq;

		if (busy)
			gen_send(g, (u32)DWCP_MIN(due - g->seq, (u64)GEN_BURST), now);
		busy += gen_receive(g);
		if (!busy && g->cfg.rest_us)
			gen_rest(g, &p);
	}
	return now - begin;
}

/* Until everything is back, or nothing comes any more. */
static void gen_drain(struct gen *g)
{
	u64 expected = g->seq - g->run_first - g->result.rejected;
	u64 begin = rte_rdtsc(), last = begin, now = begin;

	while (g->result.received < expected &&
	       now - last < QUIET_NS * (g->tsc_hz / 1000000) / 1000 &&
	       now - begin < DRAIN_MAX_NS * (g->tsc_hz / 1000000) / 1000) {
		now = rte_rdtsc();
		if (gen_receive(g))
			last = now;
	}
}

void gen_run(struct gen *g, u64 rate_pps, double seconds)
{
	struct gen_result *r = &g->result;

	g->run_first = g->seq;
	while (gen_receive(
		g)) /* of the run before, too late for it: foreign to this one, and not counted */
		;
	memset(r, 0, sizeof(*r));
	for (u32 i = 0; i < g->cfg.n_flows; i++)
		g->flow_last[i] = (u32)g->seq - 1;
	r->elapsed_tsc = gen_send_all(g, rate_pps, seconds);
	gen_drain(g);
	r->sent = g->seq - g->run_first;
	r->lost = r->sent > r->received ? r->sent - r->received : 0;
}
