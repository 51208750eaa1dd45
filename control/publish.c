/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.c - carries out what core.h decides: has generations built, sends them, and feeds back what happened.
 * The only place where core_step() is called.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/abi/stats.h>
#include <dwcp/util/generation.h>

#include "agent.h"
#include "io/clock.h"
#include "io/log.h"

#define PUBLISH_ACK_NS	 30000000000u /* a full table is validated in about a second */
#define PUBLISH_RETRY_NS 5000000000u

static void act(struct agent *a, const struct core_act *act);

static void step(struct agent *a, const struct core_evt *e)
{
	struct core_acts acts;
	u64 now = clock_ns(), due;

	if (a->closing)
		return;
	core_step(&a->core, e, now, &acts);
	for (u32 i = 0; i < acts.n; i++)
		act(a, &acts.act[i]);
	due = core_due_ns(&a->core);
	if (due == UINT64_MAX)
		loop_event_del(a->core_timer);
	else
		loop_event_add(a->core_timer, due > now ? due - now : 0);
}

static void step_simple(struct agent *a, enum core_evt_type type)
{
	step(a, &(struct core_evt){.type = type, .unix_ns = clock_unix_ns()});
}

/* ---- actions ----------------------------------------------------------------------------------------------- */

static void tables_note(struct agent_tables *t, const struct table_image *image, u64 revision)
{
	const struct dwcp_manifest *m = image->manifest;
	const struct dwcp_section_desc *d = manifest_sections(m);
	const struct dwcp_segment_desc *seg = manifest_segments(m);

	memset(t, 0, sizeof(*t));
	t->generation = m->generation;
	t->intent_revision = revision;
	for (u32 i = 0; i < m->n_sections && i < DWCP_ARRAY_LEN(t->section); i++) {
		struct agent_section *s = &t->section[t->n_sections++];

		s->section = d[i].section;
		s->n_elements = d[i].n_elements;
		s->n_segments = d[i].n_segments;
		for (u32 k = 0; k < d[i].n_segments; k++)
			s->bytes += seg[d[i].first_segment + k].bytes;
	}
}

static void built(struct builder_publish *p)
{
	struct agent *a = p->arg;
	struct core_evt e = {.type = CORE_EVT_BUILT,
			     .unix_ns = clock_unix_ns(),
			     .built = {.err = p->err,
				       .event_ns = p->event_ns,
				       .start_ns = p->start_ns,
				       .end_ns = p->end_ns}};

	if (!p->err && p->without != a->without && !a->closing) {
		/* another dataplane has come meanwhile, which reads more, or less */
		p->without = a->without;
		builder_submit_publish(a->builder, p);
		return;
	}
	if (p->err) {
		log_event("tables.build_failed generation=%llu error=\"%s\" next=retry_in_5s",
			  (unsigned long long)p->generation, strerror(-p->err));
	} else {
		a->image = p->image;
		tables_note(&a->built, p->image, p->intent_revision);
	}
	free(p);
	step(a, &e);
}

static void build(struct agent *a, u64 generation)
{
	struct builder_publish *p = calloc(1, sizeof(*p));

	if (!p) {
		step(a, &(struct core_evt){.type = CORE_EVT_BUILT, .built = {.err = -ENOMEM}});
		return;
	}
	a->image = NULL;
	p->generation = generation;
	p->without = a->without;
	p->done = built;
	p->arg = a;
	builder_submit_publish(a->builder, p);
}

static void act(struct agent *a, const struct core_act *act)
{
	int err;

	switch (act->type) {
	case CORE_ACT_BUILD:
		build(a, act->generation);
		break;
	case CORE_ACT_SEND:
		err = link_publish(a->link, a->image, act->event_ns, act->all);
		if (err < 0) /* no memory: start over, with fewer things in hand */
			link_reset(a->link, "send_failed");
		break;
	case CORE_ACT_LINK_RESET:
		link_reset(a->link, "answer_timeout");
		break;
	}
}

static void timed(void *arg, short what)
{
	(void)what;
	step_simple(arg, CORE_EVT_TICK);
}

/* ---- what the link tells ------------------------------------------------------------------------------------- */

/* Next hops name ports by their place in the configuration: both sides must have the same list. */
static bool ports_same(const struct agent *a)
{
	void *page = (void *)(uintptr_t)link_pages(a->link)->stats;
	const struct dwcp_config *cfg = a->current->cfg;

	if (a->hello.n_ports != cfg->n_ports)
		return false;
	for (u32 i = 0; i < cfg->n_ports && i < ((struct dwcp_stats_hdr *)page)->n_ports; i++) {
		const char *name = dwcp_stats_port_at(page, i)->name;

		if (name[0] && strncmp(name, cfg->ports[i].name, CONFIG_NAME_MAX) != 0)
			return false;
	}
	return true;
}

void publish_hold_check(struct agent *a)
{
	bool hold, differ;

	if (!link_pages(a->link)->stats)
		return;
	differ = !ports_same(a);
	hold = differ || a->mirror_wait || a->neighbours_wait;
	if (!differ)
		a->error_hold[0] = 0;
	if (hold == a->core.hold && differ == (a->error_hold[0] != 0))
		return;
	if (!differ && hold) {
		log_event("tables.hold reason=kernel_is_read");
	} else if (hold) {
		snprintf(a->error_hold, sizeof(a->error_hold),
			 "the dataplane runs with other ports than the configuration has: tables "
			 "are kept as they are until dwcp-dataplane is restarted");
		log_event("tables.hold reason=ports_differ next=until_dataplane_restart");
	} else {
		log_event("tables.release");
	}
	step_simple(a, hold ? CORE_EVT_HOLD : CORE_EVT_RELEASE);
}

static void link_came_up(void *arg, const struct dwcp_link_hello *hello)
{
	struct agent *a = arg;
	struct core_evt e = {.type = CORE_EVT_LINK_UP, .up = {.generation = hello->generation}};

	a->hello = *hello;
	a->without = link_without(hello);
	if (a->without)
		log_event("link.sections without=0x%x effect='an older dataplane: what they are "
			  "for is off'",
			  a->without);
	a->connected = true;
	a->error_link[0] = 0;
	log_event("link.up pid=%u incarnation=%016llx generation=%llu held=%u", hello->pid,
		  (unsigned long long)hello->incarnation, (unsigned long long)hello->generation,
		  hello->n_held);
	if (hello->config_hash != a->current->cfg->hash)
		log_event("link.config_differs dataplane=%016llx agent=%016llx",
			  (unsigned long long)hello->config_hash,
			  (unsigned long long)a->current->cfg->hash);
	if (events_open(a->events) < 0)
		log_event("events.off error=no_memory");
	publish_hold_check(a);
	step(a, &e);
}

static void link_went_down(void *arg, const char *reason, bool was_up)
{
	struct agent *a = arg;

	log_event("link.down reason=%s was_up=%d next=reconnect", reason, was_up);
	snprintf(a->error_link, sizeof(a->error_link), "dataplane not connected: %s", reason);
	a->error_hold[0] = 0;
	a->connected = false;
	memset(&a->adopted, 0, sizeof(a->adopted));
	if (!was_up)
		return;
	events_close(a->events);
	step_simple(a, CORE_EVT_LINK_DOWN);
}

static void link_sent(void *arg, u64 bytes, u32 n_segments)
{
	(void)n_segments;
	step(arg, &(struct core_evt){.type = CORE_EVT_SENT, .sent = {.bytes = bytes}});
}

static void link_adopted(void *arg, const struct dwcp_link_adopted *m)
{
	struct agent *a = arg;
	const struct history_row *row;

	if (a->built.generation == m->generation)
		a->adopted = a->built;
	step(a, &(struct core_evt){.type = CORE_EVT_ADOPTED,
				   .unix_ns = clock_unix_ns(),
				   .adopted = {.generation = m->generation,
					       .received_ns = m->received_ns,
					       .validated_ns = m->validated_ns,
					       .swapped_ns = m->swapped_ns,
					       .quiescent_ns = m->quiescent_ns}});
	row = history_at(&a->core.history, 0);
	if (row && row->generation == m->generation)
		log_event("tables.adopted generation=%llu event_to_adopted_us=%llu build_us=%llu "
			  "send_us=%llu validate_us=%llu quiesce_us=%llu bytes=%llu segments=%u "
			  "new=%u",
			  (unsigned long long)row->generation,
			  (unsigned long long)row->event_to_adopted_us,
			  (unsigned long long)row->build_us, (unsigned long long)row->send_us,
			  (unsigned long long)row->validate_us, (unsigned long long)row->quiesce_us,
			  (unsigned long long)row->bytes_sent, m->n_segments, m->n_new_segments);
}

static void link_refused(void *arg, const struct dwcp_link_refused *m, const char *reason,
			 bool missing)
{
	struct agent *a = arg;

	log_event("tables.refused generation=%llu current=%llu reason=\"%s\" next=%s",
		  (unsigned long long)m->generation, (unsigned long long)m->current, reason,
		  missing ? "send_all" : "wait_for_change");
	step(a, &(struct core_evt){.type = CORE_EVT_REFUSED,
				   .unix_ns = clock_unix_ns(),
				   .refused = {.generation = m->generation,
					       .current = m->current,
					       .reason = reason,
					       .missing = missing}});
}

static const struct link_ops link_ops = {
	.up = link_came_up,
	.down = link_went_down,
	.sent = link_sent,
	.adopted = link_adopted,
	.refused = link_refused,
};

/* ---- */

void publish_changed(struct agent *a)
{
	step_simple(a, CORE_EVT_CHANGED);
	neighbours_changed(a);
}

void publish_coalesce_set(struct agent *a, u32 coalesce_ms)
{
	a->core.cfg.coalesce_ns = coalesce_ms * 1000000ull;
}

int publish_open(struct agent *a)
{
	const struct core_cfg cfg = {
		.coalesce_ns = a->current->cfg->agent.coalesce_ms * 1000000ull,
		.ack_timeout_ns = PUBLISH_ACK_NS,
		.retry_ns = PUBLISH_RETRY_NS,
	};
	int err;

	core_init(&a->core, &cfg);
	a->core_timer = loop_event_create(&a->loop, "core.timer", -1, 0, timed, a);
	if (!a->core_timer)
		return -ENOMEM;
	err = link_create(&a->loop, a->link_path, &link_ops, a, &a->link);
	if (err < 0)
		return err;
	a->events = events_create(&a->loop, link_pages(a->link));
	if (a->events)
		events_unresolved_set(a->events, neighbours_unresolved, a);
	return a->events ? 0 : -ENOMEM;
}

void publish_close(struct agent *a)
{
	events_free(a->events);
	link_free(a->link);
	loop_event_free(a->core_timer);
	a->events = NULL;
	a->link = NULL;
	a->core_timer = NULL;
}
