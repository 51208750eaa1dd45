/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/ring.h - events from the dataplane to the agent: one single-producer single-consumer ring a producer.
 *
 * Ring 0 belongs to the control thread, ring 1 + i to worker i. The rings lie in a memfd that only the dataplane can
 * write; the consumer indices lie in a second memfd that the agent writes. Both are made by the dataplane and sealed
 * against shrinking, so neither side can make the other fault. Whatever stands in a consumer index, the producer only
 * computes head - tail with it: a lie makes the ring look full (events are counted as lost) or empty (the liar reads
 * overwritten events).
 */
#pragma once

#include <dwcp/abi/atomic.h>
#include <dwcp/base.h>

#define DWCP_RING_MAGIC	    0x474e495250435744ull /* "DWCPRING" */
#define DWCP_RING_VERSION   1
#define DWCP_RING_SLOTS	    1024u /* power of two */
#define DWCP_RING_MAX_RINGS 65u

enum dwcp_event_type {
	DWCP_EVENT_NONE = 0,
	DWCP_EVENT_DROP_SAMPLE =
		1, /* a = drop reason, b = count since the last sample, data = first bytes */
	DWCP_EVENT_UNRESOLVED =
		2, /* a = next-hop slot, b = next-hop id; port, family, data = destination, n = packets */
	DWCP_EVENT_LINK = 3,	/* a = 1 up, 0 down; port */
	DWCP_EVENT_ADOPTED = 4, /* b = generation */
	DWCP_EVENT_REFUSED = 5, /* b = generation */
	DWCP_EVENT_STALL = 6,	/* a = worker, b = ns without a heartbeat */
};

struct dwcp_event {
	u64 time_ns; /* CLOCK_MONOTONIC */
	u32 type;
	u32 a;
	u64 b;
	u16 port;
	u8 worker;
	u8 family;
	u32 n; /* UNRESOLVED: for this destination since its last event; else 0 */
	u8 data[32];
};

struct dwcp_ring {
	/* written by: the producer; read by: the agent */
	u64 head;
	u64 lost;
	u8 pad[DWCP_SHARED_LINE - 16];
	struct dwcp_event slot[DWCP_RING_SLOTS];
} dwcp_aligned(DWCP_SHARED_LINE);

struct dwcp_ring_page {
	/* written by: control thread, once; read by: the agent */
	u64 magic;
	u32 version, n_rings;
	u8 pad[DWCP_SHARED_LINE - 16];
	struct dwcp_ring ring[];
};

/* The agent's page: tail of ring i, each on its own lines. */
struct dwcp_ring_tail {
	u64 tail;
	u8 pad[DWCP_SHARED_LINE - 8];
} dwcp_aligned(DWCP_SHARED_LINE);

_Static_assert(sizeof(struct dwcp_event) == 64, "abi");
_Static_assert(sizeof(struct dwcp_ring_page) == DWCP_SHARED_LINE, "abi");

/** dwcp_ring_push() - producer side. Return: false when full (counted). Thread: the ring's producer only. */
dwcp_inline bool dwcp_ring_push(struct dwcp_ring *r, const struct dwcp_ring_tail *t,
				const struct dwcp_event *e)
{
	u64 head = r->head;
	/* acquire: the consumer has finished reading the slot before it moved its tail */
	u64 used = head - dwcp_load_acquire(&t->tail);

	if (used >= DWCP_RING_SLOTS) {
		dwcp_count(&r->lost, 1);
		return false;
	}
	r->slot[head & (DWCP_RING_SLOTS - 1)] = *e;
	dwcp_store_release(&r->head, head + 1); /* the event before its index */
	return true;
}

/** dwcp_ring_pop() - consumer side. Return: false when empty. Thread: the agent's reader only. */
dwcp_inline bool dwcp_ring_pop(const struct dwcp_ring *r, struct dwcp_ring_tail *t,
			       struct dwcp_event *ret_event)
{
	u64 tail = t->tail;

	if (tail == dwcp_load_acquire(&r->head))
		return false;
	*ret_event = r->slot[tail & (DWCP_RING_SLOTS - 1)];
	dwcp_store_release(&t->tail, tail + 1); /* the copy before the slot is given back */
	return true;
}
