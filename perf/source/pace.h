/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.h - a receive ring that fills by the clock: packets come at a given rate whatever the worker does, a poll gets
 * what has come since, and what finds the ring full is lost and counted. No second CPU, no device, nothing between.
 *
 * Every packet has a number; the packets that come back through net_ring are checked to be these numbers in turn, so
 * what the program itself loses, repeats or swaps is seen, too. The timeline says for every 100 us what was lost,
 * how full the ring was, how long the worker did not poll and how much of that its thread was not running.
 *
 * perf/run writes the orders and reads the rest (perf/harness/paced.py has the same layout). Little-endian, mapped.
 */
#pragma once

#include <dwcp/base.h>

#include <rte_mbuf.h>

#define PACE_SLICE_NS 100000u
#define PACE_SLICES   (1u << 19) /* 52 s */
#define PACE_MAX      UINT64_MAX /* as fast as they are taken: nothing can be lost */

struct pace_slice {
	u32 lost;
	u32 backlog; /* most that waited at a poll, before anything was lost; with PACE_MAX: taken */
	u32 gap_ns;  /* longest time between two polls that ended here */
	u32 off_ns; /* of it, the thread was not running: another one was, or the host has taken the CPU and says so */
};

struct pace_page {
	/* written by: perf/run; read by: the polling thread, which acts when .order changes */
	u64 order;
	u64 rate_pps; /* 0: no more, what was counted stays; PACE_MAX */
	u64 ring;
	u64 reserved0[13];
	/* written by: the polling thread; read by: perf/run. Counts are since the last order that had a rate. */
	u64 order_seen;
	u64 arrived, lost, given, returned, disorder;
	u64 now_ns;   /* CLOCK_MONOTONIC, every ms */
	u64 begin_ns; /* of slice[0] */
	u64 first;    /* the first number of this order */
	u64 no_mbuf;  /* polls for which the pool was empty: a failure of the harness */
	/* at the order that ended it; the TSC's rate is known to 0.2 % only, so slices are placed by both clocks */
	u64 end_ns, elapsed_tsc, slice_tsc;
	u64 reserved1[3];
	struct pace_slice slice[PACE_SLICES]; /* zeroed by perf/run before an order */
};

struct pace;

/** pace_open() - maps the file @path, which must have the page's size. Return: owned, or NULL. */
struct pace *pace_open(const char *path);
/**
 * pace_poll() - checks the @n packets that came back and counts what has come by now.
 * Return: how many the poll gets, ≤ @max.
 */
u32 pace_poll(struct pace *p, struct rte_mbuf *const *back, u16 n, u16 max);
/** pace_mbufs() - @pkts[@n] become @want mbufs: the rest is kept for later. Return: how many there are. */
u16 pace_mbufs(struct pace *p, struct rte_mempool *pool, struct rte_mbuf **pkts, u16 n, u16 want);
/** pace_number() - writes the next number behind the headers of a frame of 60 bytes or more. */
void pace_number(struct pace *p, struct rte_mbuf *m);
