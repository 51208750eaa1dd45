/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_open.c - twins, rings, rates and blanks, before the host thread and the workers run and after they have ended. Control
 * thread; the other half is host.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_ring.h>

#include "host_private.h"
#include "log.h"
#include "twin.h"

#define TAGS_BYTES 4 /* what a frame of the kernel may have above the MTU */

u32 host_need_mbufs(const struct dwcp_config *cfg)
{
	return cfg->dataplane.n_workers * (cfg->dataplane.host.queue * HOST_QUEUE_N + HOST_BLANKS);
}

static struct rte_ring *ring_create(const char *what, u32 worker, u32 size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "host_%s_%u", what, worker);
	return rte_ring_create(name, size, SOCKET_ID_ANY,
			       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int blanks_first(struct dataplane *dp, struct host_end *e)
{
	struct rte_mbuf *m[HOST_BLANKS];

	if (rte_pktmbuf_alloc_bulk(dp->pool, m, HOST_BLANKS))
		return -ENOMEM;
	rte_ring_sp_enqueue_bulk(e->blank, (void **)m, HOST_BLANKS, NULL);
	return 0;
}

static void rate_set(const struct worker *w, u64 pps, struct host_rates *r)
{
	u64 burst = DWCP_MAX(pps / 20, (u64)16); /* 50 ms */
	u64 share_pps = pps ? DWCP_MAX(pps / HOST_SHARE_PART, (u64)1) : 0;

	r->cfg = policer_cfg_of(pps, burst, w->tsc_hz);
	r->share_cfg =
		policer_cfg_of(share_pps, DWCP_MAX(burst / HOST_SHARE_PART, (u64)8), w->tsc_hz);
}

/* A peer's packets all come by one worker, so that what is for peers isn't divided; there are few, and they are known. */
static void rates_set(const struct dataplane *dp, struct worker *w)
{
	for (u32 c = 0; c < HOST_CLASS_N; c++) {
		u64 pps = dp->cfg->dataplane.host.pps[c], mine = pps / dp->n_workers;

		if (pps && !mine)
			mine = 1;
		w->stats->host[c].limit_pps = mine;
		rate_set(w, mine, &w->host.rates[c][HOST_LANE_OTHERS]);
		rate_set(w, pps, &w->host.rates[c][HOST_LANE_PEERS]);
	}
}

static int end_open(struct dataplane *dp, struct worker *w)
{
	u32 queue = dp->cfg->dataplane.host.queue;
	struct host_end *e = &w->host;

	e->peers = &dp->host->peers;
	rates_set(dp, w);
	e->to[HOST_QUEUE_CONTROL] = ring_create("control", w->idx, queue);
	e->to[HOST_QUEUE_REST] = ring_create("rest", w->idx, queue);
	e->blank = ring_create("blank", w->idx, HOST_BLANKS);
	/* all that can be on its way */
	e->back = ring_create("back", w->idx,
			      HOST_QUEUE_N * (queue + HOST_TURN_CONTROL) + 2 * HOST_BLANKS);
	if (!e->to[0] || !e->to[1] || !e->blank || !e->back)
		return -ENOMEM;
	return blanks_first(dp, e);
}

static void ring_close(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

/* A twin may have given its port a MAC: its VLANs and the stats page have it from there. */
static void mac_share(struct dataplane *dp, const struct port *port)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		if (dp->port[i].parent != port->parent)
			continue;
		memcpy(dp->port[i].mac, port->mac, sizeof(port->mac));
		memcpy(dwcp_stats_port_at(dp->stats_page, i)->mac, port->mac, sizeof(port->mac));
	}
}

/* Return: 0 with or without a twin; -E… when it was insisted on. */
static int twin_add(struct host *h, u32 i)
{
	struct host_twin *t = &h->twin[i];
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u32 = i};
	bool must = t->port->cfg->twin == CONFIG_TWIN_ON;
	const char *hint;

	if (t->port->cfg->twin == CONFIG_TWIN_OFF)
		return 0;
	snprintf(t->stats->twin_name, sizeof(t->stats->twin_name), "%s",
		 config_twin_name(t->port->cfg));
	t->fd = twin_open(t->port, &hint);
	if (t->fd < 0) {
		log_event("twin.open port=%s twin=%s error='%s' hint='%s' next=%s",
			  t->port->cfg->name, config_twin_name(t->port->cfg), strerror(-t->fd),
			  hint, must ? "stop" : "no_twin");
		dwcp_store_relaxed(&t->stats->twin_errno, (u32)-t->fd);
		return must ? t->fd : 0;
	}
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, t->fd, &e) < 0)
		return -errno;
	t->port->twin = true;
	t->frame_max = t->port->mtu + RTE_ETHER_HDR_LEN + TAGS_BYTES;
	t->n_segs =
		t->frame_max / (rte_pktmbuf_data_room_size(h->dp->pool) - RTE_PKTMBUF_HEADROOM) + 1;
	mac_share(h->dp, t->port);
	t->worker = h->dp->worker[i % h->dp->n_workers];
	t->readable = true;
	dwcp_store_relaxed(&t->stats->twin, DWCP_TWIN_DOWN);
	h->n_twins++;
	log_event("twin.open port=%s twin=%s", t->port->cfg->name, config_twin_name(t->port->cfg));
	return 0;
}

int host_open(struct dataplane *dp)
{
	struct host *h = calloc(1, sizeof(*h));
	int err = 0;

	if (!h)
		return -ENOMEM;
	dp->host = h;
	h->dp = dp;
	peers_init(&h->peers, dp->worker[0]->hash_key);
	h->stall_ns = (u64)dp->cfg->dataplane.host.stall_ms * 1000000u;
	for (u32 i = 0; i < PORT_MAX; i++)
		h->twin[i].fd = -1;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll_fd < 0)
		return -errno;
	for (u32 i = 0; !err && i < dp->n_ports; i++) {
		h->twin[i].port = &dp->port[i];
		h->twin[i].stats = dwcp_stats_port_at(dp->stats_page, i);
		err = twin_add(h, i);
	}
	for (u32 i = 0; !err && h->n_twins && i < dp->n_workers; i++)
		err = end_open(dp, dp->worker[i]);
	if (err == -ENOMEM)
		log_event("host.open error=no_memory hint='raise dataplane.memory.size_mb, or "
			  "lower dataplane.host.queue'");
	return err;
}

void host_close(struct dataplane *dp)
{
	struct host *h = dp->host;

	if (!h)
		return;
	for (u32 i = 0; i < dp->n_ports; i++)
		if (h->twin[i].fd >= 0)
			close(h->twin[i].fd);
	for (u32 i = 0; i < dp->n_workers; i++)
		rte_pktmbuf_free_bulk(h->lent[i].m, h->lent[i].n);
	for (u32 i = 0; i < dp->n_workers; i++) {
		struct host_end *e = &dp->worker[i]->host;

		ring_close(e->to[HOST_QUEUE_CONTROL]);
		ring_close(e->to[HOST_QUEUE_REST]);
		ring_close(e->blank);
		ring_close(e->back);
		memset(e, 0, sizeof(*e));
	}
	if (h->epoll_fd >= 0)
		close(h->epoll_fd);
	free(h);
	dp->host = NULL;
}
