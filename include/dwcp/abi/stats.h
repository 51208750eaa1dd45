/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/stats.h - the stats page: a memfd made by the dataplane, sealed against shrinking, growing and foreign writing.
 *
 * Written by: the dataplane; each worker its own block, the control thread the header and the port blocks.
 * Read by: the agent, the dataplane's own socket, tests. Layout: dwcp_stats_hdr, then n_workers dwcp_stats_worker,
 * then n_ports dwcp_stats_port. All counters only grow; a restart of the dataplane changes `incarnation`.
 *
 * Fields are appended, into padding (which is 0) or at the end of a block, and never moved: a reader takes pages of any
 * version by the strides that the header gives, and what a page has no room for is not counted there. A change that breaks
 * this is another magic (docs/decisions/0006-stats-pages-of-other-versions.md).
 *
 * Accounting, exact for each worker whenever it is quiescent (one burst later, all columns have moved):
 *     sum(port.rx) + from_host + originated = sum(port.tx) + to_host + sum(drop) + queued
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/abi/xdp.h>
#include <dwcp/drop_reasons.h>

#define DWCP_STATS_MAGIC     0x5441545350435744ull /* "DWCPSTAT" */
#define DWCP_STATS_VERSION   4			   /* of what is appended: 1 … so far */

#define DWCP_STATS_MAX_PORTS 64
/* Half of what 4,096 slots hold at 400,000 packets a second: from here on an absence may lose packets. */
#define DWCP_GAP_LONG_NS     5000000u
#define DWCP_STATS_N_BUCKETS 192

/* The stages of the path, in its order; a stage without code yet keeps its place. */
#define DWCP_STAGES(X)                                                                             \
	X(RX, "rx")                                                                                \
	X(PARSE, "parse")                                                                          \
	X(SCREEN, "screen")                                                                        \
	X(GUARD, "guard")                                                                          \
	X(CLASSIFY, "classify")                                                                    \
	X(STEER, "steer")                                                                          \
	X(ROUTE, "route")                                                                          \
	X(REWRITE, "rewrite")                                                                      \
	X(SHAPE, "shape")                                                                          \
	X(TX, "tx")

enum dwcp_stage {
#define X(name, text) DWCP_STAGE_##name,
	DWCP_STAGES(X)
#undef X
		DWCP_STAGE_N
};

/* Log-linear: 8 buckets an octave from 16 cycles up; bucket of v: see dwcp_hist_bucket(). */
struct dwcp_hist {
	u64 bucket[DWCP_STATS_N_BUCKETS];
};

dwcp_inline u32 dwcp_hist_bucket(u64 v)
{
	u32 octave, sub;

	if (v < 16)
		return 0;
	octave = 63 - (u32)__builtin_clzll(v);
	sub = (u32)(v >> (octave - 3)) & 7;
	octave = (octave - 4) * 8 + sub;
	return octave < DWCP_STATS_N_BUCKETS ? octave : DWCP_STATS_N_BUCKETS - 1;
}

/* Smallest value that falls into a bucket. */
dwcp_inline u64 dwcp_hist_floor(u32 bucket)
{
	return bucket == 0 ? 0 : (u64)(8 + (bucket & 7)) << (bucket / 8 + 1);
}

struct dwcp_stats_hdr {
	/* written by: control thread, before the page is shown to anyone; read by: all */
	u64 magic;
	u32 version;
	u32 header_bytes, worker_bytes, port_bytes; /* strides */
	u32 n_workers, n_ports;
	u32 n_drop_reasons, n_stages;
	u64 tsc_hz;
	u64 incarnation; /* random at each start */
	u64 started_unix_ns;
	u32 pid;
	u32 reserved0;
	u8 pad0[DWCP_SHARED_LINE - 72];

	/* written by: control thread; read by: all */
	u64 generation; /* adopted; 0 = none */
	u64 generation_created_unix_ns;
	u64 adopted_unix_ns;
	u64 adoptions, refusals;
	u64 mapped_bytes; /* segments of live and of retiring generations, once each */
	u64 staged_bytes; /* segments received and in no generation */
	u64 stored_generation, stored_unix_ns; /* on disk */
	u64 heartbeat_ns;		       /* CLOCK_MONOTONIC */
	u64 huge_segments;
	u8 pad1[DWCP_SHARED_LINE - 88];
} dwcp_aligned(DWCP_SHARED_LINE);

/* Per worker and class of packets for the router itself (util/host_class.h). */
#define DWCP_STATS_HOST_CLASSES 16

struct dwcp_stats_host {
	u64 punted;  /* wanted by the kernel: policed + full + handed over */
	u64 policed; /* over the rate of the class, or of the source's share of it */
	u64 full;    /* the queue to the host thread was */
	u64 limit_pps; /* this worker's share of what is configured; written by: control thread, before workers run */
};

/* Per worker and port: who received and sent what. */
struct dwcp_stats_io {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
};

#define DWCP_STATS_ICMP_MAX   16
#define DWCP_STATS_ICMP_RULES 8

/* ICMP errors: [0] IPv4, [1] IPv6, then by enum icmp_error of util/icmp.h (append only). */
struct dwcp_stats_icmp {
	u64 sent[2][DWCP_STATS_ICMP_MAX];
	u64 limited[2][DWCP_STATS_ICMP_MAX]; /* not sent, since there were too many */
	u64 forbidden; /* not sent: a packet that nobody answers; the sum of forbidden_by */
	u64 no_source; /* not sent: no address of the family on any port, or no way back */
	u64 no_room;   /* not sent: no room in the buffer for the headers */
	/* IPv4 packets that were larger than the MTU and may be cut */
	u64 fragmented, fragments, fragment_failed;
	u64 forbidden_by
		[DWCP_STATS_ICMP_RULES]; /* enum icmp_rule - 1 of util/icmp.h (append only) */
	u64 reserved[2];
};

struct dwcp_stats_worker {
	/* written by: this worker at the end of each burst; read by: all */
	u64 heartbeat; /* loop iterations */
	u64 bursts, packets;
	u64 generation; /* the one the last burst was run with */
	u64 sleeps, sleep_ns;
	u64 from_host, to_host, originated, queued;
	u64 max_gap_ns;	 /* longest time between two polls, since the start */
	u64 gaps;	 /* polls that came more than gap_threshold late */
	u64 events_lost; /* event ring was full */
	u32 cpu, lcore;
	u64 long_gaps, long_gap_ns; /* gaps of at least DWCP_GAP_LONG_NS, and their sum */

	u64 drop[DWCP_DROP_REASONS_MAX];

	/* sampled: one burst in 2^sample_shift */
	u64 sampled_bursts, sampled_packets;
	u64 stage_cycles[16];
	u8 pad1[DWCP_SHARED_LINE - 16];
	struct dwcp_hist latency; /* cycles from rx to tx of a burst */
	struct dwcp_hist gap;	  /* ns between two polls */

	struct dwcp_stats_io port[DWCP_STATS_MAX_PORTS];
	struct dwcp_stats_host host[DWCP_STATS_HOST_CLASSES];
	struct dwcp_stats_icmp icmp;
} dwcp_aligned(DWCP_SHARED_LINE);

/* Of a port's twin. */
enum dwcp_twin { DWCP_TWIN_NONE = 0, DWCP_TWIN_DOWN = 1, DWCP_TWIN_UP = 2 };

/* What the XDP program of an AF_XDP port has counted, and what was lost between it and the sockets. */
struct dwcp_stats_xdp {
	u32 n_counters; /* 0 = not an AF_XDP port, or its program counts nothing that we know */
	u32 program_id;
	u32 native; /* 1 = in the driver, 0 = generic: behind it, slower */
	u32 reserved0;
	u64 lost;			    /* redirected, never received; a second late */
	u64 packets[DWCP_XDP_COUNTERS_MAX]; /* by enum dwcp_xdp_counter */
};

struct dwcp_stats_port {
	/* written by: control thread, once a second; read by: all */
	char name[32];
	char device[64];
	u32 up;
	u32 speed_mbps;
	u16 mtu, n_rx_queues, n_tx_queues, reserved0;
	u8 mac[6];
	u8 reserved1[2];
	u64 link_changes;
	/* what the device itself says (rte_eth_stats) */
	u64 hw_rx_packets, hw_rx_bytes, hw_rx_missed, hw_rx_errors, hw_rx_nombuf, hw_tx_packets,
		hw_tx_bytes, hw_tx_errors;
	u16 parent; /* 1 + index of the port that this VLAN is a part of and whose counters contain its own; 0 = none */
	u8 reserved2[6];
	/* written by: host thread; read by: all */
	u32 twin;	/* enum dwcp_twin */
	u32 twin_errno; /* why there is none; 0 = it was not asked for */
	u64 twin_changes;
	u64 twin_delivered, twin_failed; /* frames that the kernel took, and did not take */
	u64 twin_received;		 /* frames that it sent */
	char twin_name[16];		 /* the kernel's interface; written by: control thread */
	struct dwcp_stats_xdp xdp;	 /* written by: control thread */
	u64 twin_oversized; /* frames of the kernel that the port's MTU does not allow: not sent; written by: host thread */
	u8 pad2[128 - 32];
} dwcp_aligned(DWCP_SHARED_LINE);

_Static_assert(sizeof(struct dwcp_stats_hdr) == 2 * DWCP_SHARED_LINE, "abi");
_Static_assert(offsetof(struct dwcp_stats_hdr, generation) == DWCP_SHARED_LINE, "abi");
_Static_assert(offsetof(struct dwcp_stats_worker, drop) == DWCP_SHARED_LINE, "abi");
_Static_assert(sizeof(struct dwcp_stats_worker) % DWCP_SHARED_LINE == 0, "abi");
_Static_assert(sizeof(struct dwcp_stats_port) == 640, "abi");
_Static_assert(DWCP_STAGE_N <= 16, "abi");

/* What pages of version 1 have, and all later ones. */
#define DWCP_STATS_WORKER_BYTES_MIN offsetof(struct dwcp_stats_worker, host)
#define DWCP_STATS_PORT_BYTES_MIN   offsetof(struct dwcp_stats_port, xdp)

/* Does a page with this header have a field of struct dwcp_stats_worker (of its block `worker`) or dwcp_stats_port? */
#define DWCP_STATS_HAS(hdr, block, field)                                                          \
	((hdr)->block##_bytes >= offsetof(struct dwcp_stats_##block, field) +                      \
					 sizeof(((struct dwcp_stats_##block *)0)->field))

/* Where things are; @base is the mapping. */
dwcp_inline struct dwcp_stats_worker *dwcp_stats_worker_at(void *base, u32 i)
{
	struct dwcp_stats_hdr *h = base;

	return (void *)((u8 *)base + h->header_bytes + (size_t)i * h->worker_bytes);
}

dwcp_inline struct dwcp_stats_port *dwcp_stats_port_at(void *base, u32 i)
{
	struct dwcp_stats_hdr *h = base;

	return (void *)((u8 *)base + h->header_bytes + (size_t)h->n_workers * h->worker_bytes +
			(size_t)i * h->port_bytes);
}
