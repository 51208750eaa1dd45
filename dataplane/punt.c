/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * punt.c - the worker's side of host.h: what of the packets that can't be forwarded is for the kernel, at what rate, and
 * what the kernel sends. Thread: worker; no syscall, no lock, nothing waits.
 */
#include <rte_cycles.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_inline.h>

#include "dataplane.h"
#include "host.h"

#define TAKE_MAX 32

/* Of a frame as it lies there: link-local unicast, which no route leads to. */
static bool dst_is_link_local6(const struct rte_mbuf *m)
{
	const u8 *f = rte_pktmbuf_mtod(m, const u8 *);
	u32 at = 12 + vlan_tags_bytes(f, m->data_len);

	return m->data_len >= at + 2 + IP6_HDR_BYTES && be16_load(f + at) == 0x86dd &&
	       be16_load(f + at + 2 + 24) >> 6 == 0xfe80 >> 6;
}

/* Is a packet that died for this reason something that the kernel has to see? */
static bool host_wants(const struct rte_mbuf *m, u32 reason)
{
	switch (reason) {
	case DROP_L2_ARP:
	case DROP_L2_MULTICAST:
	case DROP_TO_HOST:
		return true;
	case DROP_NO_TABLE:
	case DROP_NO_ROUTE:
	case DROP_UNRESOLVED: /* the answer of a gateway that the default route waits for */
	case DROP_IP6_DESTINATION:
	case DROP_IP6_SOURCE:
	case DROP_UNREACHABLE:
	case DROP_BLACKHOLE:
	case DROP_PROHIBIT:
		return dst_is_link_local6(m);
	default:
		return false;
	}
}

static u32 share_of(const struct worker *w, u64 source)
{
	u64 h = (source ^ w->hash_key[0]) * 0x9e3779b97f4a7c15ull ^ w->hash_key[1];

	return (u32)((h * 0xd6e8feb86659fd93ull) >> 58);
}

static bool is_peer(const struct worker *w, enum host_class c, u64 source, u64 now)
{
	return peers_has(w->host.peers, c, source, (u32)(now / w->tsc_hz));
}

static enum host_lane lane_of(const struct worker *w, enum host_class c, u64 source, bool group,
			      u64 now)
{
	bool peer;

	switch (c) {
	case HOST_CLASS_NEIGHBOUR: /* answers, not questions to everybody */
		peer = !group;
		break;
	case HOST_CLASS_IGP: /* hellos are from the link */
		peer = group || is_peer(w, c, source, now);
		break;
	case HOST_CLASS_BGP_OPEN:
		peer = is_peer(w, HOST_CLASS_BGP, source, now);
		break;
	case HOST_CLASS_BGP:
	case HOST_CLASS_BFD:
		peer = is_peer(w, c, source, now);
		break;
	default:
		peer = false;
	}
	return peer ? HOST_LANE_PEERS : HOST_LANE_OTHERS;
}

/* The source's share first: what it has too much must not be taken from the class. */
static bool rates_take(const struct worker *w, struct host_rates *r, u64 source, u64 now)
{
	return policer_take(&r->share[share_of(w, source)], &r->share_cfg, now) &&
	       policer_take(&r->all, &r->cfg, now);
}

/* Half of the control queue is kept for peers: others may fill theirs while the host thread is away. */
static bool queue_put(struct worker *w, enum host_queue q, enum host_lane lane, struct rte_mbuf *m)
{
	struct rte_ring *r = w->host.to[q];

	if (q == HOST_QUEUE_CONTROL && lane == HOST_LANE_OTHERS &&
	    rte_ring_count(r) >= rte_ring_get_capacity(r) / 2)
		return false;
	return rte_ring_sp_enqueue(r, m) == 0;
}

/* A frame that the kernel wants to see. @port: whose twin it goes to. */
static u32 host_offer(struct worker *w, struct rte_mbuf *m, const struct port *port)
{
	const u8 *frame = rte_pktmbuf_mtod(m, const u8 *);
	u64 now = rte_rdtsc(), source;
	enum host_class c = host_class_of(frame, m->data_len, &source);
	enum host_lane lane = lane_of(w, c, source, frame[0] & 1, now);
	struct dwcp_stats_host *s = &w->stats->host[c];

	dwcp_count(&s->punted, 1);
	if (!rates_take(w, &w->host.rates[c][lane], source, now)) {
		dwcp_count(&s->policed, 1);
		return VERDICT_DROP(DROP_HOST_POLICED);
	}
	m->port = port->idx;
	if (!queue_put(w, host_class_queue[c], lane, m)) {
		dwcp_count(&s->full, 1);
		return VERDICT_DROP(DROP_HOST_FULL);
	}
	dwcp_count(&w->stats->to_host, 1);
	return VERDICT_TO_HOST;
}

u32 host_punt(struct worker *w, struct rte_mbuf *m, u32 port_idx, u32 reason)
{
	const struct port *port = &w->dp->port[port_idx];

	if (!w->host.back || !host_wants(m, reason))
		return VERDICT_DROP(reason);
	port = port_of_frame(w->dp, port, rte_pktmbuf_mtod(m, const u8 *), m->data_len);
	if (!port || !port->twin)
		return VERDICT_DROP(port ? reason : DROP_L2_VLAN);
	return host_offer(w, m, port);
}

/* Lend as many as were used, as far as the pool has them; the rest when it has more (worker.c). */
static void blanks_lend(struct worker *w)
{
	struct rte_mbuf *m[TAKE_MAX];

	while (w->host.blanks_owed) {
		u32 n = DWCP_MIN(w->host.blanks_owed, (u32)TAKE_MAX);

		if (rte_pktmbuf_alloc_bulk(w->dp->pool, m, n))
			return;
		rte_ring_sp_enqueue_bulk(w->host.blank, (void **)m, n, NULL);
		w->host.blanks_owed -= n;
	}
}

/* Runs of one port go out together, in order. */
static void host_send(struct worker *w, struct rte_mbuf **m, u32 n)
{
	for (u32 i = 0, first = 0; i < n; first = i) {
		u64 bytes = 0;

		for (; i < n && m[i]->port == m[first]->port; i++)
			bytes += m[i]->pkt_len;
		tx_send(w, m[first]->port, m + first, i - first, bytes);
	}
}

void host_take(struct worker *w)
{
	struct rte_mbuf *got[TAKE_MAX], *send[TAKE_MAX], *done[TAKE_MAX];
	u32 n, n_send = 0, n_done = 0;

	n = rte_ring_sc_dequeue_burst(w->host.back, (void **)got, TAKE_MAX, NULL);
	for (u32 i = 0; i < n; i++) {
		if (got[i]->port == HOST_FREE) {
			done[n_done++] = got[i];
			continue;
		}
		w->host.blanks_owed += got[i]->nb_segs;
		send[n_send++] = got[i];
	}
	if (n_done)
		rte_pktmbuf_free_bulk(done, n_done);
	if (n_send) {
		w->empty_polls = 0;
		dwcp_count(&w->stats->from_host, n_send);
		host_send(w, send, n_send);
	}
	blanks_lend(w);
}
