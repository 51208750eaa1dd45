/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * originate.h - packets that a worker makes itself, in bursts of their own behind the one that they came from: ICMP errors,
 * which go through route, rewrite and tx as any other, and fragments, which go the way that their packet was to go (they have
 * no ports, so a flow hash of theirs could be another member's). What dies there is counted and never answered.
 */
#pragma once

#include "dataplane.h"

struct originate {
	struct burst errors, fragments;
};

/**
 * originate_error() - one more packet to be sent behind the burst that is under way.
 *
 * @m: taken; its data begins with an untagged Ethernet header whose MACs are still to be written.
 * @p: l3_offset ETH_HDR_BYTES; the TTL is one more than is to leave.
 * Thread: worker.
 */
void originate_error(struct worker *w, struct rte_mbuf *m, const struct pkt *p);
/**
 * originate_fragment() - likewise, of a packet that is cut.
 * @slot: its next hop, which forwards. @first: of a packet that was received: it is no new one.
 */
void originate_fragment(struct worker *w, struct rte_mbuf *m, const struct pkt *p, u32 slot,
			bool first);
/** originate_flush() - send what waits. Not from inside a stage of the burst that is under way. */
void originate_flush(struct worker *w);
