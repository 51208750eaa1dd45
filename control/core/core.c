/* SPDX-License-Identifier: BSD-3-Clause */
#include "core.h"

#include <stdio.h>
#include <string.h>

void core_init(struct core *c, const struct core_cfg *cfg)
{
	memset(c, 0, sizeof(*c));
	c->cfg = *cfg;
	c->due_ns = UINT64_MAX;
}

u64 core_due_ns(const struct core *c)
{
	return c->due_ns;
}

static struct core_act *act_add(struct core_acts *acts, enum core_act_type type)
{
	struct core_act *a = &acts->act[acts->n++];

	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

static void phase_set(struct core *c, enum core_phase phase, u64 due_ns)
{
	c->phase = phase;
	c->due_ns = due_ns;
}

static void build_start(struct core *c, u64 now_ns, struct core_acts *acts)
{
	c->window_ns = now_ns;
	memset(&c->row, 0, sizeof(c->row));
	c->row.generation = ++c->generation;
	c->quiet = false;
	phase_set(c, CORE_BUILD, UINT64_MAX);
	act_add(acts, CORE_ACT_BUILD)->generation = c->row.generation;
}

/* Nothing is in flight: is there something to wait for, or to build at once? */
static void work_find(struct core *c, u64 now_ns, struct core_acts *acts)
{
	/* in a burst half of the time is left for what makes the changes */
	u64 due_ns = c->window_ns + DWCP_MAX(c->cfg.coalesce_ns, 2 * c->last_ns);

	if (!c->up || c->hold || !c->pending || c->quiet)
		phase_set(c, CORE_IDLE, UINT64_MAX);
	else if (due_ns <= now_ns)
		build_start(c, now_ns, acts);
	else
		phase_set(c, CORE_COALESCE, due_ns);
}

static void changed(struct core *c, u64 now_ns, struct core_acts *acts)
{
	if (c->build_err)
		c->window_ns = now_ns;
	c->pending = true;
	c->quiet = false;
	c->build_err = 0;
	if (c->phase == CORE_IDLE || c->phase == CORE_COALESCE)
		work_find(c, now_ns, acts);
}

/* The whole state is to be published at once: there is nothing to wait for. */
static void publish_now(struct core *c, u64 now_ns, struct core_acts *acts)
{
	c->pending = true;
	c->quiet = false;
	c->window_ns = now_ns - DWCP_MIN(now_ns, c->cfg.coalesce_ns);
	c->last_ns = 0;
	if (c->phase == CORE_IDLE || c->phase == CORE_COALESCE)
		work_find(c, now_ns, acts);
}

static void row_end(struct core *c, enum history_result result, const char *reason, u64 unix_ns)
{
	c->row.result = result;
	c->row.unix_ns = unix_ns;
	snprintf(c->row.reason, sizeof(c->row.reason), "%s", reason);
	history_add(&c->history, &c->row);
}

static void link_up(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *acts)
{
	c->up = true;
	c->adopted = e->up.generation;
	c->generation = DWCP_MAX(c->generation, e->up.generation);
	publish_now(c, now_ns, acts);
}

static void link_down(struct core *c, const struct core_evt *e)
{
	c->up = false;
	c->hold = false;
	c->adopted = 0;
	c->pending = true;
	if (c->phase == CORE_SEND)
		row_end(c, HISTORY_LOST, "connection_lost", e->unix_ns);
	if (c->phase != CORE_BUILD) /* a build is let finish: its image is dropped */
		phase_set(c, CORE_IDLE, UINT64_MAX);
}

static void build_failed(struct core *c, const struct core_evt *e, u64 now_ns)
{
	char reason[32];

	c->build_err = e->built.err;
	c->pending = true;
	snprintf(reason, sizeof(reason), "build_error_%d", -e->built.err);
	row_end(c, HISTORY_FAILED, reason, e->unix_ns);
	/* memory or descriptors may come back by themselves: try again, but not at once */
	c->window_ns = now_ns + c->cfg.retry_ns - c->cfg.coalesce_ns;
	c->last_ns = 0;
	phase_set(c, CORE_COALESCE, now_ns + c->cfg.retry_ns);
}

static void send_start(struct core *c, bool all, u64 now_ns, struct core_acts *acts)
{
	struct core_act *a = act_add(acts, CORE_ACT_SEND);

	a->generation = c->row.generation;
	a->event_ns = c->row.event_ns;
	a->all = all;
	c->resent = all;
	c->send_ns = now_ns;
	phase_set(c, CORE_SEND, now_ns + c->cfg.ack_timeout_ns);
}

static void built(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *acts)
{
	if (c->phase != CORE_BUILD)
		return;
	if (e->built.err) {
		build_failed(c, e, now_ns);
		return;
	}
	c->build_err = 0;
	c->row.build_us = (e->built.end_ns - e->built.start_ns) / 1000;
	c->row.event_ns = e->built.event_ns;
	c->row.has_event = e->built.event_ns != 0;
	if (!c->up || c->hold) {
		phase_set(c, CORE_IDLE, UINT64_MAX); /* pending stays: published when it may be */
		c->pending = true;
	} else if (c->row.generation <= c->adopted) {
		build_start(c, now_ns,
			    acts); /* another dataplane than the one it was numbered for */
	} else {
		c->pending = false;
		send_start(c, false, now_ns, acts);
	}
}

static u64 span_us(u64 from_ns, u64 to_ns)
{
	return to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

static bool in_flight(const struct core *c, u64 generation)
{
	return c->phase == CORE_SEND && c->row.generation == generation;
}

static void adopted(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *acts)
{
	struct history_row *row = &c->row;

	if (!in_flight(c, e->adopted.generation))
		return;
	row->send_us = span_us(c->send_ns, e->adopted.received_ns);
	row->validate_us = span_us(e->adopted.received_ns, e->adopted.validated_ns);
	row->quiesce_us = span_us(e->adopted.swapped_ns, e->adopted.quiescent_ns);
	if (row->has_event)
		row->event_to_adopted_us = span_us(row->event_ns, e->adopted.quiescent_ns);
	row_end(c, HISTORY_ADOPTED, "", e->unix_ns);
	c->last_ns = DWCP_MIN(span_us(c->window_ns, now_ns) * 1000, CORE_LAST_MAX_NS);
	c->adopted = e->adopted.generation;
	work_find(c, now_ns, acts);
}

static void refused(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *acts)
{
	if (!in_flight(c, e->refused.generation))
		return;
	c->adopted = e->refused.current;
	c->generation = DWCP_MAX(c->generation, e->refused.current);
	if (e->refused.missing && !c->resent) {
		send_start(c, true, now_ns, acts);
		return;
	}
	row_end(c, HISTORY_REFUSED, e->refused.reason, e->unix_ns);
	c->refusal.generation = e->refused.generation;
	c->refusal.unix_ns = e->unix_ns;
	snprintf(c->refusal.reason, sizeof(c->refusal.reason), "%s", e->refused.reason);
	/* changes that came meanwhile are reason enough to try again; else wait for one */
	c->quiet = !c->pending;
	c->pending = true;
	work_find(c, now_ns, acts);
}

static void tick(struct core *c, u64 now_ns, struct core_acts *acts)
{
	if (now_ns < c->due_ns)
		return;
	if (c->phase == CORE_COALESCE) {
		work_find(c, now_ns, acts);
	} else if (c->phase == CORE_SEND) {
		c->due_ns = UINT64_MAX; /* the reset makes a LINK_DOWN of it */
		act_add(acts, CORE_ACT_LINK_RESET);
	}
}

void core_step(struct core *c, const struct core_evt *e, u64 now_ns, struct core_acts *ret_acts)
{
	ret_acts->n = 0;
	switch (e->type) {
	case CORE_EVT_TICK:
		tick(c, now_ns, ret_acts);
		break;
	case CORE_EVT_CHANGED:
		changed(c, now_ns, ret_acts);
		break;
	case CORE_EVT_LINK_UP:
		link_up(c, e, now_ns, ret_acts);
		break;
	case CORE_EVT_LINK_DOWN:
		link_down(c, e);
		break;
	case CORE_EVT_HOLD:
		c->hold = true;
		if (c->phase == CORE_COALESCE)
			work_find(c, now_ns, ret_acts);
		break;
	case CORE_EVT_RELEASE:
		c->hold = false;
		if (c->phase == CORE_IDLE)
			work_find(c, now_ns, ret_acts);
		break;
	case CORE_EVT_BUILT:
		built(c, e, now_ns, ret_acts);
		break;
	case CORE_EVT_SENT:
		if (c->phase == CORE_SEND)
			c->row.bytes_sent += e->sent.bytes;
		break;
	case CORE_EVT_ADOPTED:
		adopted(c, e, now_ns, ret_acts);
		break;
	case CORE_EVT_REFUSED:
		refused(c, e, now_ns, ret_acts);
		break;
	}
}
