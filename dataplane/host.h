/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h - the way between workers and the kernel: twins (TAP interfaces), bounded rings, one thread.
 *
 *     worker ── to[control] ──►            write()         kernel: ARP, ND, ICMP, BGP, BFD
 *            ── to[rest] ─────► host thread ─────► twin ──►
 *            ── blank ────────►            read()
 *            ◄─ back ──────────            ◄────── twin ◄──
 *
 * A worker makes no syscall: it moves pointers in rings that only it and the host thread use. The host thread makes the
 * syscalls and never touches the packet pool, since a thread that the scheduler may take away in the middle of that
 * would make workers wait: it fills mbufs that the worker has lent to it (`blank`) and hands all of them back (`back`).
 * So memory is bounded by the rings, and a kernel that reads nothing costs the control path its packets and nobody else.
 *
 * The thread's own: file descriptors, carrier. The control thread makes and removes the twins before and after it runs.
 */
#pragma once

#include <rte_ring.h>

#include <dwcp/abi/stats.h>
#include <dwcp/util/host_class.h>
#include <dwcp/util/peers.h>
#include <dwcp/util/policer.h>

struct dataplane;
struct worker;
struct host;
struct rte_mbuf;

#define HOST_BLANKS	256    /* mbufs a worker lends for frames from the kernel */
#define HOST_FREE	0xffff /* mbuf->port of what comes back to be freed */
#define HOST_SHARES	64     /* a class's sources share it in so many parts… */
#define HOST_SHARE_PART 4      /* …each of which may have a quarter of it */

/*
 * Two rates a class, so that whoever fills the one leaves the other alone: of packets from peers that the router has sessions
 * with, from neighbours that answer us, and of hellos, which can only come from the link; and of all others.
 */
enum host_lane { HOST_LANE_PEERS, HOST_LANE_OTHERS, HOST_LANE_N };

struct host_rates {
	struct policer_cfg cfg, share_cfg;
	struct policer all;
	struct policer share[HOST_SHARES];
};

/* A worker's end. Written by: this worker, but for the rings, whose other end is the host thread's. */
struct host_end {
	struct rte_ring *to[HOST_QUEUE_N], *blank, *back;
	const struct peers *peers; /* written by: host thread */
	struct host_rates rates[HOST_CLASS_N][HOST_LANE_N];
	u32 blanks_owed; /* used, and not lent again: the pool was empty */
};

/**
 * host_open() - twins for the ports, rings for the workers. Ports are open, workers exist and don't run yet.
 * Thread: control. Return: 0, -E… (a twin that was insisted on can't be had, no memory), one line logged.
 */
int host_open(struct dataplane *dp);
/** host_start() - the thread. After it the twins' carriers follow ports and workers. Return: 0, -errno. */
int host_start(struct dataplane *dp);
/** host_stop() - end the thread. Before the workers are stopped. */
void host_stop(struct dataplane *dp);
/** host_close() - remove twins and rings, free what is in them. Workers have ended. NULL-safe, half-open too. */
void host_close(struct dataplane *dp);
/** host_need_mbufs() - that the rings of all workers can hold. */
u32 host_need_mbufs(const struct dwcp_config *cfg);

/* ---- worker's side (punt.c) ---------------------------------------------------------------------------------- */

/**
 * host_punt() - offer a packet that can't be forwarded to the kernel.
 * @reason: why it can't. @port_idx: where it came in (a VLAN's parent). The frame must be as received.
 * Return: VERDICT_TO_HOST: the mbuf is not ours any more; else VERDICT_DROP(reason) to be counted, @reason itself when
 * the kernel is not interested.
 */
u32 host_punt(struct worker *w, struct rte_mbuf *m, u32 port_idx, u32 reason);
/** host_due() - is there something for host_take(): from the host thread, or to be lent since the pool was empty? */
dwcp_inline bool host_due(const struct host_end *e)
{
	return e->back && (!rte_ring_empty(e->back) || e->blanks_owed);
}

/** host_take() - send what the kernel has given, free what it has taken, lend what is owed. */
void host_take(struct worker *w);
