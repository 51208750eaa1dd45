/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - the real engine inside a test: EAL without huge pages, ring ports, real tables, one worker that the test
 * steps by hand. A ring port gives back what was sent to it, so the test sees each outgoing frame.
 */
#pragma once

#include <adjacency.h>
#include <dataplane.h>

#include <dwcp/util/rib.h>

struct engine {
	struct dataplane dp;
	struct dwcp_config *cfg;
	struct rib *rib;
	struct segment_set *set;
	struct generation *gen;
	u64 number;
};

/** engine_open() - once a process. @text: a configuration with ring ports. Aborts on failure. */
void engine_open(struct engine *e, const char *text);
void engine_close(struct engine *e);
/** engine_generation_close() - one that engine_stage_and_open() opened. NULL is fine. */
void engine_generation_close(struct generation *g);
/** engine_stage_and_open() - a generation from the rib, open in e->gen and not yet in force; the old one stays open. */
void engine_stage_and_open(struct engine *e);
/** engine_publish() - a generation from the rib, mapped through seals and validation; the one before is closed. */
void engine_publish(struct engine *e);
/** engine_mbuf() - a packet whose first segment holds seg_len bytes, the rest of frame_len zeros behind it. */
struct rte_mbuf *engine_mbuf(struct engine *e, const u8 *bytes, u32 seg_len, u32 frame_len);
/** engine_burst() - run n packets, received on a port, through the path. */
void engine_burst(struct engine *e, u32 port_idx, struct rte_mbuf **mbufs, u32 n);
/** engine_sent() - take one frame that was sent to a port. NULL = none. */
struct rte_mbuf *engine_sent(struct engine *e, u32 port_idx);
u64 engine_drops(const struct engine *e, enum drop_reason reason);
u64 engine_drops_all(const struct engine *e);
/** engine_check_accounting() - rx = tx + drops, and no mbuf is missing. Asserts. */
void engine_check_accounting(struct engine *e);
