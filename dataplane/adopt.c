/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adopt.c - see adopt.h. One publish at a time: its answer is sent when the last worker has passed a quiescent state,
 * so an agent that waits for answers has at most one generation in the air. The wait is a 0.5 ms timer, never a spin:
 * a worker that the scheduler took away delays an answer, not the control thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adjacency.h"
#include "adopt.h"
#include "log.h"
#include "store.h"

#define RETIRE_POLL_US	500
#define NO_TABLE_EFFECT "packets are dropped (no_table) until an agent publishes"

struct adopt {
	struct dataplane *dp;
	struct segment_set *set;
	struct generation *current;
	struct generation *retired; /* the old one, while workers may hold it */
	uint64_t token;
	bool answered;
	struct event *timer;
	struct adopt_row row; /* of the publish under way */
	struct adopt_row history[ADOPT_HISTORY];
	u64 n_history;
	struct adopt_row last_refusal;
	adopt_done_fn done;
	void *done_arg;
};

/* No worker holds it any more. NULL is fine. */
static void adopt_generation_close(struct generation *g)
{
	adjacency_detach(g);
	generation_close(g);
}

static void adopt_finish(struct adopt *a)
{
	a->row.unix_ns = clock_unix_ns();
	a->history[a->n_history++ % ADOPT_HISTORY] = a->row;
	if (a->row.refused)
		a->last_refusal = a->row;
	if (a->done)
		a->done(a->done_arg, &a->row);
}

static void adopt_publish_stats(struct adopt *a)
{
	struct dwcp_stats_hdr *h = dataplane_stats(a->dp);

	dwcp_store_relaxed(&h->mapped_bytes, segment_set_mapped_bytes(a->set));
	dwcp_store_relaxed(&h->staged_bytes, segment_set_staged_bytes(a->set));
}

static void adopt_refuse(struct adopt *a, const char *reason)
{
	struct dwcp_event e = {.type = DWCP_EVENT_REFUSED, .b = a->row.generation};

	a->row.refused = true;
	snprintf(a->row.reason, sizeof(a->row.reason), "%s", reason);
	log_event("tables.refused generation=%lu reason='%s' current=%lu", a->row.generation,
		  reason, a->current ? a->current->number : 0);
	dwcp_count(&dataplane_stats(a->dp)->refusals, 1);
	counters_event(a->dp, &e);
	adopt_publish_stats(a);
	adopt_finish(a);
}

static void adopt_swap(struct adopt *a, struct generation *g)
{
	struct dwcp_stats_hdr *h = dataplane_stats(a->dp);

	a->retired = a->current;
	a->current = g;
	/* release: the tables before the pointer to them */
	dwcp_store_release(&a->dp->gen, g);
	a->row.swapped_ns = clock_ns();
	a->token = rte_rcu_qsbr_start(a->dp->qsbr);
	a->answered = false;
	dwcp_store_relaxed(&h->generation, g->number);
	dwcp_store_relaxed(&h->generation_created_unix_ns, g->manifest->created_unix_ns);
	dwcp_store_relaxed(&h->adopted_unix_ns, clock_unix_ns());
	dwcp_count(&h->adoptions, 1);
}

static void adopt_answer(struct adopt *a)
{
	struct dwcp_event e = {.type = DWCP_EVENT_ADOPTED, .b = a->current->number};

	a->answered = true;
	a->row.quiescent_ns = clock_ns();
	a->row.mapped_bytes = a->current->mapped_bytes;
	a->row.n_segments = a->current->n_segments;
	a->row.n_new_segments = a->current->n_new_segments;
	counters_event(a->dp, &e);
	dwcp_store_relaxed(&dataplane_stats(a->dp)->huge_segments, a->current->n_huge_segments);
	adopt_finish(a);
	store_request(a->dp->store, a->current);
}

static void adopt_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = {0, RETIRE_POLL_US};
	struct adopt *a = arg;

	if (rte_rcu_qsbr_check(a->dp->qsbr, a->token, false) != 1) {
		evtimer_add(a->timer, &tv);
		return;
	}
	adopt_generation_close(a->retired);
	a->retired = NULL;
	segment_set_drop_staged(a->set);
	adopt_publish_stats(a);
	adopt_answer(a);
}

int adopt_stage(struct dataplane *dp, const struct dwcp_segment_desc *desc, int fd,
		char *ret_reason)
{
	int err = segment_set_stage(dp->adopt->set, desc, fd, ret_reason);

	adopt_publish_stats(dp->adopt);
	return err;
}

bool adopt_pending(const struct dataplane *dp)
{
	return !dp->adopt->answered;
}

void adopt_publish(struct dataplane *dp, int fd, u64 generation, u64 event_ns, u64 sent_ns)
{
	struct adopt *a = dp->adopt;
	struct generation_limits limits = {.n_ports = dp->n_ports,
					   .ports_hash = dp->cfg->ports_hash};
	struct timeval now = {0, 0};
	struct generation *g = NULL;
	char reason[GENERATION_REASON_MAX] = "";
	struct adopt_row row = {.generation = generation, .event_ns = event_ns, .sent_ns = sent_ns};
	int err;

	if (adopt_pending(dp)) {
		/* only a peer that does not wait for answers gets here; the row under way must not be lost */
		struct adopt_row keep = a->row;

		a->row = row;
		adopt_refuse(a, "busy: the generation before has not been answered yet");
		a->row = keep;
		close(fd);
		return;
	}
	a->row = row;
	a->row.received_ns = clock_ns();
	err = generation_open(a->set, fd, &limits, &g, reason);
	close(fd);
	a->row.validated_ns = clock_ns();
	if (!err && generation != g->number) {
		snprintf(reason, sizeof(reason), "manifest_generation message=%lu manifest=%lu",
			 generation, g->number);
		generation_close(g);
		err = -EINVAL;
	}
	if (!err) {
		err = adjacency_attach(dp, g);
		if (err)
			generation_close(g);
	}
	if (err) {
		adopt_refuse(a, reason[0] ? reason : strerror(-err));
		return;
	}
	adopt_swap(a, g);
	event_add(a->timer, &now);
}

void adopt_note_refusal(struct dataplane *dp, const char *what, const char *reason)
{
	struct adopt_row *row = &dp->adopt->last_refusal;

	*row = (struct adopt_row){.refused = true, .unix_ns = clock_unix_ns()};
	snprintf(row->reason, sizeof(row->reason), "%s: %s", what, reason);
	dwcp_count(&dataplane_stats(dp)->refusals, 1);
}

/* What was kept is not good: it is in status like any other refusal. */
static void adopt_restore_refused(struct adopt *a, const char *from, const char *reason,
				  const char *effect)
{
	log_event("tables.restore from=%s refused='%s' effect='%s'", from, reason, effect);
	adopt_note_refusal(a->dp, "restore", reason);
}

static int adopt_restored(struct adopt *a, struct generation *g, const char *from)
{
	a->current = g;
	if (adjacency_attach(a->dp, g)) {
		/* as without tables: nothing is forwarded, and it is said */
		adopt_restore_refused(a, from, "out of memory", NO_TABLE_EFFECT);
		generation_close(g);
		a->current = NULL;
		return -ENOMEM;
	}
	a->dp->gen = g; /* no worker runs yet */
	a->answered = true;
	dwcp_store_relaxed(&dataplane_stats(a->dp)->huge_segments, g->n_huge_segments);
	dwcp_store_relaxed(&dataplane_stats(a->dp)->generation, g->number);
	dwcp_store_relaxed(&dataplane_stats(a->dp)->generation_created_unix_ns,
			   g->manifest->created_unix_ns);
	dwcp_store_relaxed(&dataplane_stats(a->dp)->adopted_unix_ns, clock_unix_ns());
	adopt_publish_stats(a);
	log_event("tables.restored generation=%lu from=%s age_s=%lu segments=%u", g->number, from,
		  (clock_unix_ns() - g->manifest->created_unix_ns) / 1000000000u, g->n_segments);
	return 0;
}

int adopt_restore(struct dataplane *dp)
{
	struct adopt *a = dp->adopt;
	struct generation_limits limits = {.n_ports = dp->n_ports,
					   .ports_hash = dp->cfg->ports_hash};
	struct generation *g = NULL;
	char reason[GENERATION_REASON_MAX] = "";
	int err = store_fds_load(dp->store, a->set, &limits, &g, reason);

	if (err == 0) {
		err = adopt_restored(a, g, "fd_store");
		if (err == 0)
			store_adopted(dp->store, g, false);
		return err;
	}
	if (err != -ENOENT)
		adopt_restore_refused(a, "fd_store", reason, "trying the file");
	reason[0] = 0;
	err = generation_load(a->set, store_path(dp->store), &limits, &g, reason);
	segment_set_drop_staged(a->set);
	if (err == 0) {
		err = adopt_restored(a, g, "disk");
		if (err == 0)
			store_adopted(dp->store, g, true);
		return err;
	}
	if (err == -ENOENT || err == -ENOTDIR)
		log_event("tables.restore from=%s state=none effect='" NO_TABLE_EFFECT "'",
			  store_path(dp->store));
	else
		adopt_restore_refused(a, store_path(dp->store), reason[0] ? reason : strerror(-err),
				      NO_TABLE_EFFECT);
	return err;
}

void adopt_drop_staged(struct dataplane *dp)
{
	segment_set_drop_staged(dp->adopt->set);
	adopt_publish_stats(dp->adopt);
}

int adopt_open(struct dataplane *dp)
{
	struct segment_set_cfg cfg = {
		.max_bytes = (u64)dp->cfg->dataplane.tables.memory_max_mb << 20,
		.max_segments = DWCP_MANIFEST_MAX_SEGMENTS,
		.lock = dp->cfg->dataplane.tables.lock,
		.huge = dp->cfg->dataplane.memory.huge_pages != CONFIG_HUGE_OFF,
	};
	struct adopt *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->dp = dp;
	a->answered = true;
	a->set = segment_set_create(&cfg);
	a->timer = evtimer_new(dp->base, adopt_timer, a);
	dp->adopt = a;
	return a->set && a->timer ? 0 : -ENOMEM;
}

/* Workers have stopped. */
void adopt_close(struct dataplane *dp)
{
	struct adopt *a = dp->adopt;

	if (!a)
		return;
	if (a->timer)
		event_free(a->timer);
	dp->gen = NULL;
	adopt_generation_close(a->retired);
	adopt_generation_close(a->current);
	segment_set_free(a->set);
	free(a);
	dp->adopt = NULL;
}

void adopt_on_done(struct dataplane *dp, adopt_done_fn fn, void *arg)
{
	dp->adopt->done = fn;
	dp->adopt->done_arg = arg;
}

u64 adopt_page_bytes(const struct dataplane *dp)
{
	return segment_set_page_bytes(dp->adopt->set);
}

u32 adopt_held_ids(const struct dataplane *dp, u64 *ret_ids, u32 cap)
{
	return segment_set_ids(dp->adopt->set, ret_ids, cap);
}

const struct adopt_row *adopt_last_refusal(const struct dataplane *dp)
{
	return dp->adopt->last_refusal.unix_ns ? &dp->adopt->last_refusal : NULL;
}

static u64 us_between(u64 from_ns, u64 to_ns)
{
	return from_ns && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

static json_t *adopt_row_json(const struct adopt_row *r)
{
	json_t *o =
		json_pack("{s:I, s:s, s:I}", "generation", (json_int_t)r->generation, "result",
			  r->refused ? "refused" : "adopted", "unix_ns", (json_int_t)r->unix_ns);

	json_object_set_new(o, "reason", r->refused ? json_string(r->reason) : json_null());
	if (r->refused)
		return o;
	json_object_set_new(o, "event_to_adopted_us",
			    json_integer((json_int_t)us_between(r->event_ns, r->quiescent_ns)));
	json_object_set_new(o, "send_us",
			    json_integer((json_int_t)us_between(r->sent_ns, r->received_ns)));
	json_object_set_new(o, "validate_us",
			    json_integer((json_int_t)us_between(r->received_ns, r->validated_ns)));
	json_object_set_new(o, "quiesce_us",
			    json_integer((json_int_t)us_between(r->swapped_ns, r->quiescent_ns)));
	/* CLOCK_MONOTONIC: the old tables were in use until quiescent_ns, the new ones from swapped_ns */
	json_object_set_new(o, "swapped_ns", json_integer((json_int_t)r->swapped_ns));
	json_object_set_new(o, "quiescent_ns", json_integer((json_int_t)r->quiescent_ns));
	json_object_set_new(o, "segments", json_integer(r->n_segments));
	json_object_set_new(o, "new_segments", json_integer(r->n_new_segments));
	json_object_set_new(o, "mapped_bytes", json_integer((json_int_t)r->mapped_bytes));
	return o;
}

json_t *adopt_history_json(const struct dataplane *dp, u32 limit)
{
	const struct adopt *a = dp->adopt;
	json_t *rows = json_array();
	u64 n = DWCP_MIN(DWCP_MIN(a->n_history, (u64)ADOPT_HISTORY), (u64)limit);

	for (u64 i = 0; i < n; i++)
		json_array_append_new(rows,
				      adopt_row_json(
					      &a->history[(a->n_history - 1 - i) % ADOPT_HISTORY]));
	return rows;
}

json_t *adopt_sections_json(const struct dataplane *dp)
{
	const struct generation *g = dp->adopt->current;
	const struct dwcp_section_desc *s = g ? manifest_sections(g->manifest) : NULL;
	const struct dwcp_segment_desc *seg = g ? manifest_segments(g->manifest) : NULL;
	json_t *rows = json_array();

	for (u32 i = 0; g && i < g->manifest->n_sections; i++) {
		u64 bytes = 0;

		for (u32 k = 0; k < s[i].n_segments; k++)
			bytes += seg[s[i].first_segment + k].bytes;
		json_array_append_new(rows, json_pack("{s:s, s:I, s:I, s:I, s:i}", "section",
						      section_name(s[i].section), "elements",
						      (json_int_t)s[i].n_elements, "bytes",
						      (json_int_t)bytes, "segments",
						      (json_int_t)s[i].n_segments, "version",
						      s[i].version));
	}
	return rows;
}
