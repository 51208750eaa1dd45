/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.h - a burst and the stages it goes through.
 *
 * What the path knows of a packet lies in columns, not in a struct a packet: eight of a column are one load for a vector
 * unit. Packets of the common kind (parse_burst.h) have columns only; whatever else there is has its struct pkt too.
 * burst_pkt() is the one of any packet.
 *
 * Packets alive stand densely at [0, n): a stage that kills one swaps nothing, it marks the verdict, and burst_sweep()
 * closes the gaps when any was marked. So every loop of every stage is branch-free over what is alive, and a burst
 * without a drop pays nothing.
 */
#pragma once

#include <rte_mbuf.h>

#include <dwcp/abi/stats.h>
#include <dwcp/endian.h>
#include <dwcp/packet.h>
#include <dwcp/util/parse_burst.h>

#define BURST_MAX PARSE_BURST_MAX

struct worker;
struct port;
struct generation;
struct dwcp_nexthop;

struct burst {
	u16 n;	    /* alive */
	u16 n_dead; /* marked since the last sweep */
	u16 rx_port_idx;
	bool timed;	 /* this burst is sampled */
	bool originates; /* packets of our own wait to be sent behind it (originate.h) */
	u64 common;	 /* bit i: packet i is common: .col is right, .pkt is not filled */
	u64 ip6;	 /* bit i: packet i is IPv6 */
	u64 bytes;	 /* of all alive */
	u64 start_tsc;
	const struct generation *gen;
	struct rte_mbuf *mbuf[BURST_MAX];
	u8 *frame[BURST_MAX];	  /* of the Ethernet header */
	u32 seg_len[BURST_MAX];	  /* bytes readable there */
	u32 frame_len[BURST_MAX]; /* bytes of the whole frame */
	u32 verdict
		[BURST_MAX]; /* VERDICT_PASS, but for what a stage has marked and not swept yet */
	u32 slot[BURST_MAX];
	u16 port[BURST_MAX];	/* out */
	struct pkt_columns col; /* destinations: of all packets; the rest: of common ones */
	struct pkt pkt[BURST_MAX];
};

dwcp_inline bool burst_is_common(const struct burst *b, u32 i)
{
	return b->common >> i & 1;
}

dwcp_inline bool burst_is_ip6(const struct burst *b, u32 i)
{
	return b->ip6 >> i & 1;
}

/** pipeline_run() - take the burst of w->burst (n mbufs received) through every stage. Thread: worker. */
void pipeline_run(struct worker *w, struct burst *b);

/* The stages, in the path's order. Each reads and writes the burst; none allocates, blocks, locks or logs. */
void stage_parse(struct worker *w, struct burst *b);
void stage_route(struct worker *w, struct burst *b);
void stage_rewrite(struct worker *w, struct burst *b);
void stage_tx(struct worker *w, struct burst *b);
/** tx_send() - packets out by one port, past the stages. @bytes: of all of them. */
void tx_send(struct worker *w, u32 port_idx, struct rte_mbuf **mbufs, u32 n, u64 bytes);

/** burst_kill() - mark packet i; counted and freed by burst_sweep(). */
dwcp_inline void burst_kill(struct burst *b, u32 i, u32 verdict)
{
	b->verdict[i] = verdict;
	b->n_dead++;
}

/* All packets' bits. @n > 0. */
dwcp_inline u64 burst_all(const struct burst *b)
{
	return ~0ull >> (BURST_MAX - b->n);
}

dwcp_inline bool burst_all_common(const struct burst *b)
{
	return b->common == burst_all(b);
}

/* ---- vlan.c --------------------------------------------------------------------------------------------------- */

/**
 * vlan_rx() - a tagged packet that came in by @port: its VLAN counts it, whatever becomes of it.
 * @verdict: of parse. Return: the same, but DROP_L2_VLAN for one that passed and is in nobody's VLAN.
 */
u32 vlan_rx(struct worker *w, const struct port *port, const struct pkt *p, u32 frame_len,
	    u32 verdict);
/** vlan_tags_bytes() - of the (at most two) tags that a frame begins with. Thread: any. */
u32 vlan_tags_bytes(const u8 *frame, u32 len);
/** vlan_restore() - put the tags back that the driver has taken out of the frames. */
void vlan_restore(struct burst *b);

/** burst_pkt_fill() - what parse_packet() would have said of common packet i, into b->pkt[i]. */
void burst_pkt_fill(struct burst *b, u32 i);

dwcp_inline const struct pkt *burst_pkt(struct burst *b, u32 i)
{
	if (burst_is_common(b, i))
		burst_pkt_fill(b, i);
	return &b->pkt[i];
}

/** burst_sweep() - count and free the marked, close the gaps. */
void burst_sweep(struct worker *w, struct burst *b);
/** burst_drop_mbufs() - count and free mbufs that a queue did not take. */
void burst_drop_mbufs(struct worker *w, struct rte_mbuf **mbufs, u32 n, enum drop_reason reason);

/* ---- decide: pure, shared with explain and the lookup API ----------------------------------------------------- */

/**
 * route_resolve() - a FIB slot to the next hop that forwards: through a group by flow hash.
 * Return: the next hop (type never GROUP).
 */
const struct dwcp_nexthop *route_resolve(const struct generation *g, u32 slot, const struct pkt *p,
					 const u64 hash_key[2]);
/** route_verdict() - what a next hop that does not forward means. */
u32 route_verdict(const struct dwcp_nexthop *nh);
