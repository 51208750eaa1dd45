/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_batch.c - a batch of bursts through the stages: received from a ring port as from any driver, measured stage by
 * stage, taken back from the rings they were sent to.
 *
 * All bursts go through one stage before any goes through the next, so that one reading of the clock stands for the
 * whole batch; `path` is the other way round, a burst after the other through everything, in the worker's own struct
 * burst. A batch and what belongs to it (bursts, mbufs, headers: 170 kB) stays in L2, where the worker's one burst
 * stays in L1: the stages' sum can be above the path.
 *
 * A batch that is counted has more packets than the figures are divided by (5 %, or what --slow says). They go through the
 * same stages, but outside what is counted. The slowed stage does them inside: so it costs that much more a packet, and no
 * other instruction differs from a run without. One that is timed has none: stage_bench.c makes a stage slower.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <immintrin.h>

#include <rte_malloc.h>

#include "stage_bench.h"

#define SPARE_MAX (2 * BATCH_PACKETS)

/* mbufs in hand: the same few again and again, as a driver's ring has them. */
static struct rte_mbuf *spare[SPARE_MAX];
static u32 n_spare;

const char *const stage_name[] = {
	[STAGE_RX] = "rx",	     [STAGE_PARSE] = "parse", [STAGE_ROUTE] = "route",
	[STAGE_REWRITE] = "rewrite", [STAGE_TX] = "tx",	      [STAGE_PATH] = "path",
};

void batch_init(struct batch *b, struct stage_router *r, const struct stage_case *c,
		struct stage_flows *flows, u32 burst_packets, enum stage_subject slow,
		u32 more_percent)
{
	u32 n = DWCP_MIN(BATCH_PACKETS / burst_packets, BATCH_BURSTS);
	u32 more = (n * burst_packets * more_percent + 50) / 100;

	*b = (struct batch){.router = r,
			    .c = c,
			    .flows = flows,
			    .burst_packets = burst_packets,
			    .n_bursts = n,
			    .n_packets = n * burst_packets,
			    .slow = slow,
			    .slow_packets = more,
			    .slow_bursts = DWCP_DIV_UP(more, burst_packets)};
	b->burst = rte_zmalloc("bursts", (n + b->slow_bursts) * sizeof(*b->burst), 64);
	if (!b->burst)
		stage_die("bursts", ENOMEM);
}

void batch_fini(struct batch *b)
{
	rte_free(b->burst);
}

/* ---- a batch comes and goes ---------------------------------------------------------------------------------- */

static struct rte_mbuf *mbuf_take(struct batch *b)
{
	struct rte_mbuf *m = n_spare ? spare[--n_spare] : rte_pktmbuf_alloc(b->router->dp.pool);

	if (!m)
		stage_die("out of mbufs", 0);
	return m;
}

/* What a driver writes when a packet arrives. */
static struct rte_mbuf *mbuf_receive(struct batch *b)
{
	struct rte_mbuf *m = mbuf_take(b);
	struct stage_flows *f = b->flows;

	rte_pktmbuf_reset(m);
	m->pkt_len = STAGE_FRAME_BYTES;
	m->data_len = STAGE_FRAME_BYTES;
	memcpy(rte_pktmbuf_mtod(m, u8 *), f->frame[f->next], STAGE_FRAME_BYTES);
	f->next = f->next + 1 == f->n ? 0 : f->next + 1;
	return m;
}

static void headers_evict(struct rte_mbuf **mbufs, u32 n)
{
	for (u32 i = 0; i < n; i++)
		_mm_clflush(rte_pktmbuf_mtod(mbufs[i], u8 *));
	_mm_mfence();
}

/* @n packets into the port's ring, from where the engine receives them. */
static void batch_offer(struct batch *b, u32 n)
{
	static struct rte_mbuf *mbuf[SPARE_MAX];

	for (u32 i = 0; i < n; i++)
		mbuf[i] = mbuf_receive(b);
	if (b->c->cold)
		headers_evict(mbuf, n);
	if (rte_eth_tx_burst(b->router->dp.port[STAGE_PORT_IN].id, 0, mbuf, (u16)n) != n)
		stage_die("the ring port does not hold a batch", 0);
}

static void burst_start(const struct batch *b, struct burst *burst, u32 n)
{
	burst->n = (u16)n;
	burst->n_dead = 0;
	burst->timed = false;
	burst->rx_port_idx = STAGE_PORT_IN;
	burst->gen = b->router->table[b->c->table].gen;
}

static void bursts_start(struct batch *b)
{
	u32 left = b->slow_packets;

	for (u32 i = 0; i < b->n_bursts; i++)
		burst_start(b, &b->burst[i], b->burst_packets);
	for (u32 i = 0; i < b->slow_bursts; i++) {
		u32 n = DWCP_MIN(left, b->burst_packets);

		burst_start(b, &b->burst[b->n_bursts + i], n);
		left -= n;
	}
}

/* What was sent comes back; a packet that neither left nor was to die makes every figure worthless. */
static void batch_collect(struct batch *b, u32 n_in)
{
	struct dataplane *dp = &b->router->dp;
	u32 n_out = 0;
	u16 n;

	for (u32 i = 0; i < dp->n_ports; i++) {
		while (n_spare + BURST_MAX <= SPARE_MAX &&
		       (n = rte_eth_rx_burst(dp->port[i].id, 0, &spare[n_spare], BURST_MAX)) > 0) {
			n_spare += n;
			n_out += n;
		}
	}
	if (n_out > n_in || (n_out < n_in && !b->c->drops) || n_out < n_in - n_in / 8)
		stage_die("packets are missing behind the stages", 0);
	b->batches++;
}

/* ---- what is measured ---------------------------------------------------------------------------------------- */

/* Expects in n how many packets are wanted. */
static void receive(struct worker *w, struct burst *b)
{
	b->n = rte_eth_rx_burst(w->dp->port[STAGE_PORT_IN].id, 0, b->mbuf, b->n);
}

/* worker_poll_queue() without its statistics; @b only says how many packets, and of which generation. */
static void path(struct worker *w, struct burst *b)
{
	struct burst *own = &w->burst;

	own->n = rte_eth_rx_burst(w->dp->port[STAGE_PORT_IN].id, 0, own->mbuf, b->n);
	own->timed = false;
	own->rx_port_idx = STAGE_PORT_IN;
	own->n_dead = 0;
	own->gen = b->gen;
	pipeline_run(w, own);
}

static stage_fn *const stage_call[] = {
	[STAGE_RX] = receive,	     [STAGE_PARSE] = stage_parse,
	[STAGE_ROUTE] = stage_route, [STAGE_REWRITE] = stage_rewrite,
	[STAGE_TX] = stage_tx,	     [STAGE_PATH] = path,
};

static void stages_unmeasured(struct worker *w, struct burst *bursts, u32 n, u32 from, u32 to)
{
	for (u32 s = from; s < to; s++)
		for (u32 i = 0; i < n; i++)
			stage_call[s](w, &bursts[i]);
}

void batch_stages(struct batch *b, batch_probe *probe, void *ctx)
{
	struct worker *w = b->router->dp.worker[0];
	u32 n_in = b->n_packets + b->slow_packets;

	bursts_start(b);
	batch_offer(b, n_in);
	for (u32 s = STAGE_RX; s <= STAGE_TX; s++) {
		bool slow = s == b->slow;
		u32 n = b->n_bursts + (slow ? b->slow_bursts : 0);

		probe(ctx, s, stage_call[s], w, b->burst, n);
		if (!slow)
			stages_unmeasured(w, b->burst + b->n_bursts, b->slow_bursts, s, s + 1);
	}
	batch_collect(b, n_in);
}

void batch_path(struct batch *b, batch_probe *probe, void *ctx)
{
	struct worker *w = b->router->dp.worker[0];

	bursts_start(b);
	batch_offer(b, b->n_packets);
	probe(ctx, STAGE_PATH, path, w, b->burst, b->n_bursts);
	batch_collect(b, b->n_packets);
}
