/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * missing.h - which of the packets that lack a neighbour are worth an event: each destination now and then, all together
 * at a bounded rate, half of which is kept for destinations that were dropped before. Somebody who walks through a
 * prefix sees to events about addresses that come once; whoever really waits sends again, and is told of.
 */
#pragma once

#include <dwcp/base.h>

#define MISSING_SLOTS	    1024u
#define MISSING_AGAIN_PER_S 5u /* a destination */
#define MISSING_EVENTS_PER_S                                                                       \
	250u /* of either kind: all together half of what a ring of 1,024 holds */
#define MISSING_BURST 32u

struct missing_slot {
	u64 hash, told_tsc; /* 0 = not told yet */
	u32 n;		    /* packets since */
	u32 reserved;
};

struct missing {
	u64 key[2];
	u64 tsc_hz;
	u64 refill_tsc;
	u32 tokens[2]; /* seen for the first time, seen before */
	struct missing_slot slot[MISSING_SLOTS];
};

/** missing_init() - @key: random, so that nobody can aim at a destination's slot. */
void missing_init(struct missing *m, const u64 key[2], u64 tsc_hz, u64 now_tsc);
/** missing_packet() - one was dropped. Return: packets to tell of in an event now; 0 = no event. Thread: the owner's. */
u32 missing_packet(struct missing *m, u64 dst_hi, u64 dst_lo, u64 now_tsc);
