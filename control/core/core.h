/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core.h - when tables are built and sent, and what became of them: a state machine and nothing else.
 *
 * core_step() takes an event and the time and says what is to be done; it does no I/O and reads no clock, so every rule
 * below is tested by calling it. control/io/ delivers the events and carries out the actions.
 *
 *   - changes within the window after the first one are published together; what arrives later waits for its own window
 *   - and no more than half of the time goes into publishing: after one that took long the next waits as long
 *   - one publish is in flight, from the build to the answer: the segments of an image are valid until the next build
 *   - a generation's number is larger than any the dataplane has told us or we have used
 *   - a refusal is kept for `status` and nothing is tried again until something changes or the dataplane comes back;
 *     only "segments are missing" is answered by sending everything, once
 *   - what was built or sent when the dataplane went away is published when it is back
 *
 * Deliver CHANGED and BUILT in the order in which the builder did them: a change that comes before BUILT is in it.
 */
#pragma once

#include <dwcp/base.h>

#include "history.h"

enum core_phase {
	CORE_IDLE,
	CORE_COALESCE, /* changes wait for their window to close */
	CORE_BUILD,    /* the builder is at it */
	CORE_SEND      /* on its way, until it is adopted or refused */
};

enum core_evt_type {
	CORE_EVT_TICK,
	CORE_EVT_CHANGED, /* the builder has taken in a change */
	CORE_EVT_LINK_UP,
	CORE_EVT_LINK_DOWN,
	CORE_EVT_HOLD, /* the dataplane runs, but must not be sent what we would build */
	CORE_EVT_RELEASE,
	CORE_EVT_BUILT,
	CORE_EVT_SENT,
	CORE_EVT_ADOPTED,
	CORE_EVT_REFUSED,
};

struct core_evt {
	enum core_evt_type type;
	u64 unix_ns; /* ADOPTED, REFUSED, LINK_DOWN: for the history */
	union {
		struct {
			u64 generation; /* that the dataplane has adopted; 0 = none */
		} up;
		struct {
			int err; /* 0 or -E… */
			u64 event_ns; /* of the last change that is in it; 0 = none since the build before */
			u64 start_ns, end_ns;
		} built;
		struct {
			u64 bytes;
		} sent;
		struct {
			u64 generation;
			u64 received_ns, validated_ns, swapped_ns, quiescent_ns;
		} adopted;
		struct {
			u64 generation, current;
			const char *reason; /* borrowed */
			bool missing;	    /* segments that we thought were there were not */
		} refused;
	};
};

enum core_act_type {
	CORE_ACT_BUILD,
	CORE_ACT_SEND,
	CORE_ACT_LINK_RESET, /* no answer in time: start over with a new connection */
};

struct core_act {
	enum core_act_type type;
	u64 generation;
	u64 event_ns; /* SEND */
	bool all;     /* SEND: whatever the dataplane said it holds */
};

#define CORE_MAX_ACTS	 2
#define CORE_LAST_MAX_NS 1000000000u

struct core_acts {
	u32 n;
	struct core_act act[CORE_MAX_ACTS];
};

struct core_cfg {
	u64 coalesce_ns; /* from build to build: the first change goes at once, those behind it together */
	u64 ack_timeout_ns; /* for the answer to a publish */
	u64 retry_ns;	    /* after a build that failed */
};

struct core_refusal {
	u64 generation, unix_ns; /* generation 0 = there was none */
	char reason[HISTORY_REASON_MAX];
};

struct core {
	struct core_cfg cfg;
	enum core_phase phase;
	bool up, hold;
	bool pending;  /* something that no adopted generation contains */
	bool quiet;    /* what is pending was refused: wait for a change */
	bool resent;   /* the image in flight was sent whole already */
	u64 window_ns; /* when the last build began: the next waits until coalesce_ns later */
	u64 last_ns; /* from the last build's beginning to its adoption: the next waits for twice that */
	u64 due_ns;	/* end of the phase by time; UINT64_MAX = none */
	u64 generation; /* largest number used or seen */
	u64 adopted;	/* by the dataplane; 0 = none or not connected */
	int build_err;
	struct history_row row; /* of the publish in flight */
	u64 send_ns;
	struct core_refusal refusal;
	struct history history;
};

void core_init(struct core *c, const struct core_cfg *cfg);
/** core_step() - @ret_acts: to be done in order. Thread: agent. Allocates: no. */
void core_step(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *ret_acts);
/** core_due_ns() - when the next TICK is needed; UINT64_MAX = not. */
u64 core_due_ns(const struct core *c);
