/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * originate.h - packets that a worker makes itself: ICMP errors, fragments. They go through route, rewrite and tx as
 * any other, in a burst of their own behind the one that they came from; what dies there is counted and never answered.
 */
#pragma once

#include "dataplane.h"

struct originate {
	struct burst burst;
};

/**
 * originate_add() - one more packet to be sent behind the burst that is under way.
 *
 * @m: taken; its data begins with an untagged Ethernet header whose MACs are still to be written.
 * @p: l3_offset ETH_HDR_BYTES; the TTL is one more than is to leave.
 * @counted: false for the first piece of a packet that was received: it is no new one.
 * Thread: worker.
 */
void originate_add(struct worker *w, struct rte_mbuf *m, const struct pkt *p, bool counted);
/** originate_flush() - send what waits. Not from inside a stage of the burst that is under way. */
void originate_flush(struct worker *w);
