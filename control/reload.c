/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reload.c - a new configuration: read whole on the loader's thread, taken in by the builder, told section by section.
 * A load with any error changes nothing, and says everything that is wrong with it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "io/clock.h"
#include "io/log.h"

#define RELOAD_MAX_SECTIONS 64

struct load {
	struct job job;
	struct agent *agent;
	struct bundle *bundle;
	char *path;
};

static void systemd_tell_reloading(void)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(clock_ns() / 1000));
	sd_notify(0, text);
}

static const char *change_name(enum config_change c)
{
	switch (c) {
	case CONFIG_KEPT:
		return "kept";
	case CONFIG_APPLIED:
		return "applied";
	case CONFIG_NEEDS_RESTART:
		return "needs_restart";
	}
	return "?";
}

static json_t *sections_json(const struct dwcp_config *from, const struct dwcp_config *to)
{
	struct config_diff_row rows[RELOAD_MAX_SECTIONS];
	u32 n = config_diff(from, to, rows, DWCP_ARRAY_LEN(rows));
	json_t *list = json_array();

	n = DWCP_MIN(n, DWCP_ARRAY_LEN(rows));
	for (u32 i = 0; i < n; i++) {
		json_array_append_new(list, json_pack("{s:s, s:s}", "section", rows[i].section,
						      "change", change_name(rows[i].change)));
		if (rows[i].change != CONFIG_KEPT)
			log_event("config.section name=%s change=%s", rows[i].section,
				  change_name(rows[i].change));
	}
	return list;
}

static void reload_answer(struct agent *a, struct http_response *rsp)
{
	struct http_deferred *d = a->reload.deferred;

	a->reload.deferred = NULL;
	a->reload.running = false;
	sd_notify(0, "READY=1");
	if (d)
		http_complete(d, rsp);
	else
		http_response_fini(rsp);
	if (a->reload.again && !a->closing) {
		a->reload.again = false;
		reload_start(a, NULL);
	}
}

static void reload_refuse(struct agent *a, const struct bundle *b)
{
	struct http_response rsp = {0};
	json_t *list = json_array();

	for (u32 i = 0; i < b->errors.n; i++) {
		log_event("config.error text=\"%s\"", b->errors.text[i]);
		/* a file may hold any bytes: what is not text is not shown */
		if (json_array_append_new(list, json_string(b->errors.text[i])) < 0)
			json_array_append_new(list, json_string("(not printable)"));
	}
	log_event("config.refused errors=%u next=keep_current", b->errors.n);
	snprintf(a->error_reload, sizeof(a->error_reload), "reload refused: %s",
		 b->errors.n ? b->errors.text[0] : strerror(-b->err));
	http_error(&rsp, 422, "config_invalid", "correct the file and reload; nothing was changed",
		   "%u errors", b->errors.n);
	json_object_set_new(rsp.body, "errors", list);
	reload_answer(a, &rsp);
}

static void config_use(struct agent *a, struct bundle *b)
{
	struct bundle *old = a->current;

	a->current = b;
	if (old != a->started && old != b)
		bundle_free(old); /* the builder has let go of it */
	publish_coalesce_set(a, b->cfg->agent.coalesce_ms);
	publish_hold_check(a);
	mirror_configure(a);
	neighbours_configure(a);
}

static void applied(struct builder_apply *p)
{
	struct agent *a = p->arg;
	struct http_response rsp = {.status = 200};
	json_t *sections = sections_json(a->current->cfg, p->bundle->cfg);
	bool first = p->bundle == a->started;

	a->facts = p->facts;
	a->error_reload[0] = 0;
	if (p->err)
		snprintf(a->error_reload, sizeof(a->error_reload), "tables are incomplete: %s",
			 strerror(-p->err));
	config_use(a, p->bundle);
	log_event("config.applied hash=%016llx intent_revision=%llu routes_rejected=%llu "
		  "api_routes=%u api_routes_unusable=%u read_us=%llu apply_us=%llu error=\"%s\"",
		  (unsigned long long)p->bundle->cfg->hash,
		  (unsigned long long)p->facts.intent_revision,
		  (unsigned long long)p->facts.n_rejected, p->facts.n_api, p->facts.n_api_unusable,
		  (unsigned long long)(p->bundle->read_ns / 1000),
		  (unsigned long long)(p->apply_ns / 1000), p->err ? strerror(-p->err) : "");
	rsp.etag = p->facts.intent_revision;
	rsp.body = json_pack("{s:o, s:I, s:I}", "sections", sections, "intent_revision",
			     (json_int_t)p->facts.intent_revision, "routes_rejected",
			     (json_int_t)p->facts.n_rejected);
	free(p);
	publish_changed(a);
	if (first)
		http_response_fini(&rsp);
	else
		reload_answer(a, &rsp);
}

static int bundle_submit(struct agent *a, struct bundle *b, u64 event_ns)
{
	struct builder_apply *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->bundle = b;
	p->event_ns = event_ns;
	p->done = applied;
	p->arg = a;
	builder_submit_apply(a->builder, p);
	return 0;
}

int reload_first(struct agent *a)
{
	return bundle_submit(a, a->started, a->started_ns);
}

static void load_run(struct job *j)
{
	struct load *l = (struct load *)j;

	l->bundle = bundle_load(l->path);
}

static void load_done(struct job *j)
{
	struct load *l = (struct load *)j;
	struct agent *a = l->agent;
	struct bundle *b = l->bundle;
	struct http_response rsp = {0};

	free(l->path);
	free(l);
	if (b && b->err) {
		reload_refuse(a, b);
		bundle_free(b);
	} else if (!b || bundle_submit(a, b, a->reload.event_ns) < 0) {
		bundle_free(b);
		http_error(&rsp, 500, "no_memory", NULL, "no memory for the configuration");
		reload_answer(a, &rsp);
	}
}

int reload_start(struct agent *a, struct http_deferred *deferred)
{
	struct load *l;

	if (a->reload.running) {
		a->reload.again = a->reload.again || !deferred;
		return deferred ? -EBUSY : 0;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->path = strdup(a->options.config_path);
	if (!l->path) {
		free(l);
		return -ENOMEM;
	}
	a->reload.running = true;
	a->reload.deferred = deferred;
	a->reload.event_ns = clock_ns();
	systemd_tell_reloading();
	l->agent = a;
	l->job.run = load_run;
	l->job.done = load_done;
	worker_submit(a->loader_thread, &l->job);
	return 0;
}
