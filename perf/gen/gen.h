/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gen.h - what the parts of traffic_gen share: ports.c (EAL and devices), packet.c (templates and stamps),
 * destinations.c (where to), run.c (the loop and what came back), main.c (options and commands). One thread.
 */
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <dwcp/base.h>

#include "histogram.h"

#define GEN_BURST	32
#define GEN_FRAME_MAX	1518
#define GEN_FLOWS_MAX	(1u << 22)
/* Behind a packet's headers: 2 bytes of magic, sequence number, TSC at sending. */
#define GEN_STAMP_BYTES 18
#define GEN_STAMP_MAGIC 0xd3c9

enum gen_pattern {
	GEN_UDP,
	GEN_UDP6,
	GEN_SYN,
	GEN_IMIX,
	GEN_PCAP,
};

struct gen_addr {
	u8 byte[16]; /* IPv4 in the first four */
};

struct gen_cfg {
	const char *in, *out;	     /* memif sockets */
	const char *tx_dev, *rx_dev; /* DPDK devices */
	bool loop;		     /* no router: what is sent comes back by a ring in memory */
	u32 cpu;
	u32 ring_log2;
	u32 wait_s; /* for the links */
	u16 n_queues;
	bool huge;
	u32 rest_us; /* when there is nothing to do */
	enum gen_pattern pattern;
	const char *pcap;
	u32 size;
	u32 n_sources, n_flows;	  /* powers of two; flows ≥ sources */
	const char *destinations; /* file */
	const char *prefix;
	u8 router_mac[6];
};

struct gen_result {
	u64 sent, rejected, received, lost, reordered, duplicates, foreign;
	u64 elapsed_tsc;
	u64 away, away_tsc, max_away_tsc;
	struct histogram latency; /* TSC cycles */
};

struct gen_template {
	u8 *frame;
	u32 len;
};

struct gen {
	struct gen_cfg cfg;
	u64 tsc_hz;
	u16 tx_port, rx_port;
	struct rte_mempool *tx_pool, *rx_pool;

	struct gen_template *template; /* pcap: one a frame; otherwise one */
	u32 n_templates;
	u64 ip_sum, l4_sum; /* one's complement, native order, of what all packets have in common */
	u32 *dst4;	    /* [n_dst] network order; one of the two, or none: prefix */
	struct gen_addr *dst6;
	u32 n_dst;
	struct gen_addr prefix;
	u32 prefix_len;

	/* The next packet is number seq, of flow seq mod n_flows. Numbers go on from run to run. */
	u64 seq;
	u32 dst_next, template_next, imix_next;
	u64 bursts;

	u64 run_first;	/* number of the run's first packet */
	u32 *flow_last; /* [n_flows] number seen last, low 32 bits */
	struct gen_result result;
};

/** ports_open() - EAL, pools and both devices up. Says what is wrong on stderr. Return: 0 or -1. */
int ports_open(struct gen *g);
/** ports_connected() - both links up within @timeout_s, or false. Takes and drops what arrives meanwhile. */
bool ports_connected(const struct gen *g, u32 timeout_s);
void ports_close(struct gen *g);

/** packet_init() - the templates of cfg, written into every mbuf of tx_pool. Return: 0 or -1 (said on stderr). */
int packet_init(struct gen *g);
/** packet_fini() - frees them. */
void packet_fini(struct gen *g);
/** packet_stamp() - the next @n packets: addresses, ports, checksums, sequence numbers, @tsc. */
void packet_stamp(struct gen *g, struct rte_mbuf **m, u32 n, u64 tsc);
/**
 * packet_read() - the stamp of a received frame.
 * @now: TSC.
 * Return: false when the frame is none of ours.
 */
bool packet_read(const struct gen *g, const struct rte_mbuf *m, u64 now, u64 *ret_seq,
		 u64 *ret_tsc);

/** destinations_load() - cfg's file or prefix. Return: 0 or -1 (said on stderr). */
int destinations_load(struct gen *g);

/**
 * gen_run() - send at @rate_pps (0: as fast as it goes) for @seconds, drain, account. The result is in g->result.
 */
void gen_run(struct gen *g, u64 rate_pps, double seconds);
/** gen_stop() - ends the run at the next packet. Async-signal-safe. */
void gen_stop(void);
bool gen_stopped(void);
