/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dataplane.h - the engine's state: ports, workers, the live generation, and which thread owns what.
 *
 * One control thread (libevent; everything that may block or fail) and n workers (poll loops that never allocate, lock,
 * log or make a syscall, sleeping in `adaptive` aside). Between them: one pointer (gen, released by the control thread,
 * acquired by workers once a loop), one QSBR variable, the stats page and the event rings (abi/). Nothing else.
 */
#pragma once

#include <event2/event.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include <dwcp/abi/ring.h>
#include <dwcp/abi/stats.h>
#include <dwcp/base.h>
#include <dwcp/util/config.h>
#include <dwcp/util/generation.h>
#include <dwcp/util/missing.h>

#include "host.h"
#include "pipeline.h"

#define PORT_MAX       CONFIG_MAX_PORTS
#define WORKER_MAX     CONFIG_MAX_WORKERS
#define WORKER_MAX_RXQ 64

/* A port as workers see it; read only after start but for `up`. */
struct port {
	u16 id;	 /* of the ethdev */
	u16 idx; /* in the configuration; what next hops name */
	u16 mtu;
	u16 n_rxq, n_txq;
	u8 mac[6];
	u32 up;			/* written by: control thread; read by: workers */
	struct parse_cfg parse; /* checksum not yet verified */
	u64 rx_offloads, tx_offloads;
	u32 speed_mbps;
	bool vdev;
	bool twin;	  /* the kernel has an end of it; set before workers run */
	bool strips_tags; /* the driver takes the outer tag out of the frame */
	u16 parent;	  /* itself, or the port whose tagged frames are this one's */
	u16 n_vlans;	  /* ports that are VLANs of this one: then other tags are nobody's */
	u16 vlan, svlan;
	u8 tags_bytes; /* a VLAN's tags as they stand in a frame, outer first */
	u8 tags[8];
	char vdev_name[128];
	char kernel_if[CONFIG_IFNAME_MAX]; /* af_xdp, af_packet: whose link is the port's */
	struct af_xdp *af_xdp;		   /* port_af_xdp.c */
	const struct port_cfg *cfg;
};

struct rx_queue {
	u16 port_idx, port_id, queue;
};

/* A packet's way out, while a burst collects packets of the same port. */
struct tx_stage {
	u16 n;
	u64 bytes;
	struct rte_mbuf *mbuf[BURST_MAX];
};

struct originate;
struct icmp;

struct worker {
	/* read mostly */
	u32 idx;
	u32 lcore;
	struct dataplane *dp;
	struct dwcp_stats_worker *stats;
	struct dwcp_ring *ring;
	const struct dwcp_ring_tail *ring_tail;
	u64 hash_key[2];
	u32 n_rxq;
	u32 sample_mask;
	u64 gap_threshold_tsc;
	u64 tsc_hz;
	u64 epoch_tsc,
		epoch_ns; /* one moment on both clocks: events carry CLOCK_MONOTONIC without a syscall */
	u64 sleep_max_ns; /* 0 = poll */
	struct originate
		*originate; /* this worker's alone, as icmp; NULL: it sends nothing of its own */
	struct icmp *icmp;
	struct rx_queue rxq[WORKER_MAX_RXQ];

	/* written every burst, by this worker alone */
	const struct generation *gen dwcp_aligned(DWCP_SHARED_LINE);
	u64 burst_no;
	u64 last_poll_tsc;
	u32 empty_polls;
	u64 sample_tsc; /* last stage mark of a timed burst */
	struct burst burst;
	struct tx_stage tx[PORT_MAX];
	struct host_end host;
	u64 drop_event_tsc[DWCP_DROP_REASONS_MAX]; /* when a reason last sent a sample */
	u64 drop_event_count[DWCP_DROP_REASONS_MAX];
	struct missing missing; /* destinations without a neighbour */
} dwcp_aligned(DWCP_SHARED_LINE);

struct dataplane {
	const struct dwcp_config *cfg;
	const char *run_dir;
	struct event_base *base;

	struct port port[PORT_MAX];
	u32 n_ports;
	struct worker *worker[WORKER_MAX];
	u32 n_workers;
	struct rte_mempool *pool;
	bool eal;  /* is initialised */
	bool huge; /* packet memory is on huge pages */
	const char *huge_reason;

	/* written by: control thread; read by: workers, once a loop */
	const struct generation *gen dwcp_aligned(DWCP_SHARED_LINE);
	u32 stop;
	struct rte_rcu_qsbr *qsbr dwcp_aligned(DWCP_SHARED_LINE);

	/* pages that are shown to the agent */
	void *stats_page;
	size_t stats_bytes, rings_bytes, tails_bytes;
	struct dwcp_ring_page *rings;
	struct dwcp_ring_tail *tails;
	int stats_fd, rings_fd, tails_fd;
	int event_fd,
		event_send_fd; /* the agent's end and ours: a datagram says that a ring has moved */
	u64 rings_head_seen;
	int link_wake_fd;    /* eventfd: a port's link has changed */
	int kernel_watch_fd; /* netlink: so has an interface's of the kernel */
	struct event *kernel_watch;

	struct adopt *adopt;
	struct link *link;
	struct store *store;
	struct api *api;
	struct host *host;
	u64 started_ns;
};

/* Of a next hop that forwards: bytes of IP. */
dwcp_inline u32 nexthop_mtu(const struct dataplane *dp, const struct dwcp_nexthop *nh)
{
	const struct port *port = &dp->port[nh->port];

	return nh->mtu && nh->mtu < port->mtu ? nh->mtu : port->mtu;
}

dwcp_inline struct dwcp_stats_hdr *dataplane_stats(const struct dataplane *dp)
{
	return dp->stats_page;
}

/* ---- port.c: control thread, before workers run ------------------------------------------------------------- */

/** ports_open() - probe, configure and start every port of the configuration. Return: 0 or -E…, one line logged. */
int ports_open(struct dataplane *dp);
void ports_close(struct dataplane *dp);
/** ports_refresh() - link state and device counters into the stats page. */
void ports_refresh(struct dataplane *dp);
/** ports_need_mbufs() - mbufs that rings, bursts and caches can hold at once. */
u32 ports_need_mbufs(const struct dwcp_config *cfg);
/** ports_need_mbuf_bytes() - what memory.mbuf_bytes says, or more where a driver can't do with it. */
u32 ports_need_mbuf_bytes(const struct dwcp_config *cfg);

/**
 * port_of_frame() - which port a frame that came in by @port belongs to: itself, or one of its VLANs.
 * Thread: any. Return: NULL for a VLAN that the port does not have.
 */
const struct port *port_of_frame(const struct dataplane *dp, const struct port *port,
				 const u8 *frame, u32 len);
/** port_vlan() - the VLAN of @parent with these ids. Return: NULL = there is none. */
const struct port *port_vlan(const struct dataplane *dp, const struct port *parent, u16 svlan,
			     u16 vlan);

/* ---- memory.c ------------------------------------------------------------------------------------------------ */

/** memory_init() - EAL, from the configuration. Return: 0 or -E…, one line logged. */
int memory_init(struct dataplane *dp, const char *program);
int memory_pool_create(struct dataplane *dp);

/* ---- counters.c ---------------------------------------------------------------------------------------------- */

/** counters_open() - make the stats page, the rings and the tails, sealed. */
int counters_open(struct dataplane *dp);
void counters_close(struct dataplane *dp);
/** counters_event() - from the control thread, into ring 0. */
void counters_event(struct dataplane *dp, const struct dwcp_event *e);
/** counters_signal() - wake the agent when a ring has moved since the last call. */
void counters_signal(struct dataplane *dp);

/* ---- worker.c ------------------------------------------------------------------------------------------------ */

int workers_create(struct dataplane *dp);
int workers_start(struct dataplane *dp);
void workers_stop(struct dataplane *dp);
/** workers_retune() - the longest sleep follows the speed of the ports. */
void workers_retune(struct dataplane *dp);
/** workers_watch() - log and send an event for a worker whose heartbeat stands still. */
void workers_watch(struct dataplane *dp);
