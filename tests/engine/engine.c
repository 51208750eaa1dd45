/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c - see engine.h */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_eal.h>

#include "engine.h"

static void die(const char *what, int err)
{
	fprintf(stderr, "engine: %s: %d\n", what, err);
	abort();
}

static struct dwcp_config *engine_config(const char *text)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg = NULL;
	int err = config_parse(text, strlen(text), "engine.conf", "/", &cfg, &errors);

	for (u32 i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	config_errors_fini(&errors);
	if (err)
		die("config", err);
	return cfg;
}

void engine_open(struct engine *e, const char *text)
{
	struct rib_cfg rib_cfg = {.chunk_bytes = 1 << 16};
	struct segment_set_cfg set_cfg = {.max_bytes = 1 << 30,
					  .max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	struct dataplane *dp = &e->dp;
	int err;

	memset(e, 0, sizeof(*e));
	e->cfg = engine_config(text);
	dp->cfg = e->cfg;
	dp->n_ports = e->cfg->n_ports;
	dp->n_workers = e->cfg->dataplane.n_workers;
	err = memory_init(dp, "engine");
	if (!err)
		err = memory_pool_create(dp);
	if (!err)
		err = counters_open(dp);
	if (!err)
		err = ports_open(dp);
	if (!err)
		err = workers_create(dp);
	if (err)
		die("open", err);
	e->rib = rib_create(&rib_cfg);
	e->set = segment_set_create(&set_cfg);
	if (!e->rib || !e->set || rib_configure(e->rib, e->cfg))
		die("rib", 0);
	for (u32 i = 0; i < e->cfg->n_routes; i++) {
		err = rib_route_set(e->rib, RIB_STATIC, &e->cfg->routes[i]);
		if (err)
			die("route", err);
	}
}

void engine_generation_close(struct generation *g)
{
	adjacency_detach(g);
	generation_close(g);
}

void engine_close(struct engine *e)
{
	e->dp.gen = NULL;
	engine_generation_close(e->gen);
	segment_set_free(e->set);
	rib_free(e->rib);
	ports_close(&e->dp);
	counters_close(&e->dp);
	config_free(e->cfg);
	rte_eal_cleanup();
}

void engine_stage_and_open(struct engine *e)
{
	struct manifest_cfg cfg = {.generation = ++e->number, .ports_hash = e->cfg->ports_hash};
	struct generation_limits limits = {.n_ports = e->cfg->n_ports,
					   .ports_hash = e->cfg->ports_hash};
	const struct table_image *image = NULL;
	char reason[GENERATION_REASON_MAX] = "";
	int err = rib_publish(e->rib, &cfg, &image);

	if (err)
		die("publish", err);
	for (u32 i = 0; i < image->manifest->n_segments; i++) {
		const struct table_segment *s = &image->segments[i];

		err = segment_set_stage(e->set, &s->desc, dup(s->fd), reason);
		if (err)
			die(reason, err);
	}
	err = generation_open(e->set, image->manifest_fd, &limits, &e->gen, reason);
	if (err)
		die(reason, err);
	if (adjacency_attach(&e->dp, e->gen))
		die("adjacency", 0);
}

void engine_publish(struct engine *e)
{
	struct generation *old = e->gen;

	engine_stage_and_open(e);
	e->dp.gen = e->gen;
	engine_generation_close(old);
}

struct rte_mbuf *engine_mbuf(struct engine *e, const u8 *bytes, u32 seg_len, u32 frame_len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(e->dp.pool), *more;

	if (!m)
		die("out of mbufs", 0);
	memcpy(rte_pktmbuf_append(m, (u16)seg_len), bytes, seg_len);
	for (u32 left = frame_len - seg_len; left; left -= more->data_len) {
		u16 n = (u16)DWCP_MIN(left, 1024u);

		more = rte_pktmbuf_alloc(e->dp.pool);
		if (!more || rte_pktmbuf_chain(m, more))
			die("out of mbufs", 0);
		memset(rte_pktmbuf_mtod(more, u8 *), 0, n);
		more->data_len = n;
		m->pkt_len += n;
	}
	return m;
}

void engine_burst(struct engine *e, u32 port_idx, struct rte_mbuf **mbufs, u32 n)
{
	struct worker *w = e->dp.worker[0];
	struct burst *b = &w->burst;

	memcpy(b->mbuf, mbufs, n * sizeof(*mbufs));
	b->n = (u16)n;
	b->n_dead = 0;
	b->timed = n & 1; /* both forms of the path are exercised */
	b->start_tsc = 0;
	b->rx_port_idx = (u16)port_idx;
	b->gen = e->dp.gen;
	pipeline_run(w, b);
}

struct rte_mbuf *engine_sent(struct engine *e, u32 port_idx)
{
	struct rte_mbuf *m;

	return rte_eth_rx_burst(e->dp.port[port_idx].id, 0, &m, 1) ? m : NULL;
}

u64 engine_drops(const struct engine *e, enum drop_reason reason)
{
	return e->dp.worker[0]->stats->drop[reason];
}

u64 engine_drops_all(const struct engine *e)
{
	u64 n = 0;

	for (u32 i = 0; i < DROP_N_REASONS; i++)
		n += engine_drops(e, i);
	return n;
}

void engine_check_accounting(struct engine *e)
{
	const struct dwcp_stats_worker *s = e->dp.worker[0]->stats;
	u64 rx = 0, tx = 0;
	struct rte_mbuf *m;

	for (u32 i = 0; i < e->dp.n_ports; i++) {
		if (e->dp.port[i].parent != i)
			continue;
		rx += s->port[i].rx_packets;
		tx += s->port[i].tx_packets;
		while ((m = engine_sent(e, i)) != NULL)
			rte_pktmbuf_free(m);
	}
	assert_int_equal(rx + s->from_host + s->originated,
			 tx + s->to_host + engine_drops_all(e) + s->queued);
	assert_int_equal(rte_mempool_in_use_count(e->dp.pool), 0);
}
