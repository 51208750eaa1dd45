/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.h - what a worker does about a packet that has just died: tell its sender, or cut it to pieces that fit. Only
 * reached from burst_sweep() with a dead packet in hand; the bytes and rules are lib/packet (util/icmp.h, icmp_limit.h,
 * fragment4.h). Thread: worker.
 */
#pragma once

#include <dwcp/util/icmp_limit.h>

#include "dataplane.h"

struct icmp {
	struct icmp_limit limit;
	u64 (*ticks)(void); /* the TSC; tests have a clock of their own */
	u16 ip_id;
	u32 extension_bytes[PORT_MAX]; /* 0 = none is sent */
	u8 extension[PORT_MAX][ICMP_EXTENSION_BYTES];
};

#define ICMP_REASONS                                                                               \
	(1ull << DROP_IP4_TTL | 1ull << DROP_IP6_HOP_LIMIT | 1ull << DROP_NO_ROUTE |               \
	 1ull << DROP_UNREACHABLE | 1ull << DROP_PROHIBIT | 1ull << DROP_UNRESOLVED |              \
	 1ull << DROP_MTU_EXCEEDED | 1ull << DROP_IP4_OPTION | 1ull << DROP_IP6_EXTENSION_ORDER |  \
	 1ull << DROP_IP6_EXTENSION_COUNT | 1ull << DROP_IP6_OPTION | 1ull << DROP_IP6_ROUTING_0 | \
	 1ull << DROP_IP6_FRAGMENT | 1ull << DROP_TINY_FRAGMENT)

/** icmp_concerns() - may there be something to do about a packet that died so? All others cost this much. */
dwcp_inline bool icmp_concerns(enum drop_reason reason)
{
	return reason < 64 && ICMP_REASONS >> reason & 1;
}

/** icmp_open() - limits and room of one worker. Thread: control. Return: 0, -ENOMEM. */
int icmp_open(struct worker *w);
/**
 * icmp_answer() - packet @i of the worker's burst was dropped for @reason: make an error of it, where there is to be one.
 * Return: true when its mbuf is on its way as the error; false: it is the caller's still.
 */
bool icmp_answer(struct worker *w, u32 i, enum drop_reason reason);
/**
 * icmp_fragment() - packet @i is larger than the MTU of its next hop: send it in pieces, copies in mbufs of their own.
 * Return: false when that can't be (not IPv4, DF, no mbufs): it is to be dropped.
 */
bool icmp_fragment(struct worker *w, u32 i);
