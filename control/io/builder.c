/* SPDX-License-Identifier: BSD-3-Clause */
#include "builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/revision.h"
#include "clock.h"

int builder_create(struct worker *worker, const struct rib_cfg *cfg, const char *state_dir,
		   struct builder **ret_builder)
{
	struct builder *b = calloc(1, sizeof(*b));
	int err = -ENOMEM;

	if (!b)
		return -ENOMEM;
	b->worker = worker;
	b->rib = rib_create(cfg);
	if (b->rib)
		err = store_load(&b->store, state_dir);
	if (err < 0) {
		builder_free(b);
		return err;
	}
	b->facts.intent_revision = b->store.revision;
	*ret_builder = b;
	return 0;
}

void builder_free(struct builder *b)
{
	if (!b)
		return;
	rib_free(b->rib);
	store_fini(&b->store);
	free(b);
}

void builder_event_note(struct builder *b, u64 event_ns)
{
	b->event_ns = DWCP_MAX(b->event_ns, event_ns);
}

static void facts_sum(struct builder *b)
{
	b->facts.n_rejected = 0;
	for (u32 i = 0; i < RIB_N_SOURCES; i++)
		b->facts.n_rejected += b->n_rejected[i];
	b->facts.n_api = b->store.n;
	/* kept in the store, but not in the rib: the configuration of today has no use for them */
	b->facts.n_api_unusable = b->store.n - (u32)rib_source_count(b->rib, RIB_API, FIB_IP4) -
				  (u32)rib_source_count(b->rib, RIB_API, FIB_IP6);
}

/* ---- apply ------------------------------------------------------------------------------------------------- */

/* Each line by itself: one that fits no longer must not take the others with it. */
static u64 api_routes_parse(struct builder *b, struct route_list *lists, struct route_cfg *routes)
{
	u64 n = 0;

	for (u32 i = 0; i < b->store.n; i++) {
		const char *line = b->store.rows[i].line;
		struct config_errors errors = {0};

		if (route_file_parse(line, strlen(line), STORE_FILE, b->cfg, &lists[i], &errors) ==
			    0 &&
		    lists[i].n == 1)
			routes[n++] = lists[i].routes[0];
		config_errors_fini(&errors);
	}
	return n;
}

static int api_routes_apply(struct builder *b)
{
	u32 n_lines = b->store.n;
	struct route_list *lists = calloc(n_lines + 1, sizeof(*lists));
	struct route_cfg *routes = calloc(n_lines + 1, sizeof(*routes));
	int err = -ENOMEM;

	if (lists && routes)
		err = rib_source_replace(b->rib, RIB_API, routes,
					 api_routes_parse(b, lists, routes),
					 &b->n_rejected[RIB_API]);
	for (u32 i = 0; lists && i < n_lines; i++)
		route_list_fini(&lists[i]);
	free(lists);
	free(routes);
	return err;
}

static int bundle_apply(struct builder *b, struct bundle *bundle)
{
	int err = rib_configure(b->rib, bundle->cfg);

	rib_gateways_again(b->rib); /* the same names, maybe other places */

	b->cfg = bundle->cfg; /* even then: the one before is on its way out */
	if (!err)
		err = rib_source_replace(b->rib, RIB_STATIC, b->cfg->routes, b->cfg->n_routes,
					 &b->n_rejected[RIB_STATIC]);
	if (!err)
		err = api_routes_apply(b);
	for (u32 i = 0; i < BUNDLE_MAX_FILES && !err; i++) {
		const struct route_list *l = &bundle->files[i];
		u8 source = (u8)(RIB_FILE + i);

		if (i < bundle->n_files)
			err = rib_source_replace(b->rib, source, l->routes, l->n,
						 &b->n_rejected[source]);
		else
			err = rib_source_replace(b->rib, source, NULL, 0, &b->n_rejected[source]);
	}
	bundle_drop_routes(bundle);
	return err;
}

static void apply_run(struct job *j)
{
	struct builder_apply *a = (struct builder_apply *)j;
	struct builder *b = a->builder;
	u64 start_ns = clock_ns();

	a->err = bundle_apply(b, a->bundle);
	b->facts.intent_revision++;
	builder_event_note(b, a->event_ns);
	facts_sum(b);
	/* so that a revision is never given out twice, whatever happens; mutations insist on it, a reload does not */
	store_save(&b->store, b->facts.intent_revision);
	a->facts = b->facts;
	a->apply_ns = clock_ns() - start_ns;
}

static void apply_done(struct job *j)
{
	struct builder_apply *a = (struct builder_apply *)j;

	a->done(a);
}

void builder_submit_apply(struct builder *b, struct builder_apply *a)
{
	a->builder = b;
	a->job.run = apply_run;
	a->job.done = apply_done;
	worker_submit(b->worker, &a->job);
}

/* ---- mutate ------------------------------------------------------------------------------------------------ */

static bool revision_accept(const struct builder_mutate *m, struct http_response *rsp)
{
	u64 now = m->builder->facts.intent_revision;

	switch (revision_check(now, m->has_if_match ? m->if_match : NULL)) {
	case REVISION_OK:
		return true;
	case REVISION_MISSING:
		http_error(rsp, 428, "revision_missing",
			   "send If-Match: \"<intent_revision>\", as told by /v1/status",
			   "a change must name the revision that it was planned on; it is %llu now",
			   (unsigned long long)now);
		break;
	case REVISION_STALE:
		http_error(rsp, 412, "revision_stale",
			   "look at what has changed, then send the change again with this "
			   "revision",
			   "planned on revision %s, but it is %llu now", m->if_match,
			   (unsigned long long)now);
		break;
	}
	rsp->etag = now;
	return false;
}

static int state_save(struct builder *b, struct http_response *rsp)
{
	int err = store_save(&b->store, b->facts.intent_revision + 1);

	if (!err)
		return 0;
	http_error(rsp, err == -ENOSPC || err == -EDQUOT ? 507 : 500, "state_not_written",
		   "make node.state_dir writable for the agent, with free space", "%s: %s",
		   b->store.path, strerror(-err));
	return err;
}

static void mutation_accept(struct builder_mutate *m, const struct fib_prefix *p)
{
	struct builder *b = m->builder;
	char text[ADDR_TEXT_MAX];

	b->facts.intent_revision++;
	builder_event_note(b, m->event_ns);
	facts_sum(b);
	m->applied = true;
	m->rsp.status = 200;
	m->rsp.etag = b->facts.intent_revision;
	m->rsp.body = json_pack("{s:s, s:I, s:I}", "prefix", prefix_format(p, text, sizeof(text)),
				"vrf", (json_int_t)p->vrf, "intent_revision",
				(json_int_t)b->facts.intent_revision);
}

/* Put back what stood in the rib before. Memory for it was there a moment ago. */
static void rib_restore(struct builder *b, const struct fib_prefix *p, const char *old_line)
{
	struct config_errors errors = {0};
	struct route_list l = {0};

	if (old_line &&
	    route_file_parse(old_line, strlen(old_line), STORE_FILE, b->cfg, &l, &errors) == 0)
		rib_route_set(b->rib, RIB_API, &l.routes[0]);
	else
		rib_route_del(b->rib, RIB_API, p);
	route_list_fini(&l);
	config_errors_fini(&errors);
}

static void route_keep(struct builder_mutate *m, const struct fib_prefix *p)
{
	struct builder *b = m->builder;
	char *line = m->line, *old = NULL;

	m->line = NULL;
	if (store_set(&b->store, p, line, &old) < 0) {
		http_error(&m->rsp, 500, "no_memory", NULL, "no memory for the route");
		rib_restore(b, p, NULL);
		return;
	}
	if (state_save(b, &m->rsp) == 0) {
		mutation_accept(m, p);
	} else {
		rib_restore(b, p, old);
		if (old)
			store_set(&b->store, p, old, &line);
		else
			line = store_del(&b->store, p);
		old = line;
	}
	free(old);
}

static void route_put(struct builder_mutate *m, const struct route_cfg *route)
{
	int err = rib_route_set(m->builder->rib, RIB_API, route);

	if (err == -EINVAL)
		http_error(&m->rsp, 422, "gateway_not_on_a_port",
			   "name the port, or give a gateway inside a port's address range",
			   "a gateway of this route is on no port");
	else if (err)
		http_error(&m->rsp, 500, "not_applied", NULL, "the route cannot be held: %s",
			   strerror(-err));
	else
		route_keep(m, &route->prefix);
}

static void put_run(struct builder_mutate *m)
{
	struct config_errors errors = {0};
	struct route_list l = {0};
	int err =
		route_file_parse(m->line, strlen(m->line), "request", m->builder->cfg, &l, &errors);

	if (err || l.n != 1)
		http_error(&m->rsp, 422, "route_invalid", NULL, "%s",
			   errors.n ? errors.text[0] : "not one route");
	else
		route_put(m, &l.routes[0]);
	route_list_fini(&l);
	config_errors_fini(&errors);
}

static void del_run(struct builder_mutate *m)
{
	struct builder *b = m->builder;
	char *old = store_del(&b->store, &m->prefix), *none;
	char text[ADDR_TEXT_MAX];

	if (!old) {
		http_error(&m->rsp, 404, "route_unknown",
			   "only routes that were added through the API can be deleted here",
			   "no such route: %s vrf %u",
			   prefix_format(&m->prefix, text, sizeof(text)), m->prefix.vrf);
		return;
	}
	if (state_save(b, &m->rsp) < 0) {
		store_set(&b->store, &m->prefix, old, &none); /* room was just freed */
		return;
	}
	rib_route_del(b->rib, RIB_API, &m->prefix); /* -ENOENT: its line was unusable */
	free(old);
	mutation_accept(m, &m->prefix);
}

static void mutate_run(struct job *j)
{
	struct builder_mutate *m = (struct builder_mutate *)j;

	if (revision_accept(m, &m->rsp)) {
		if (m->line)
			put_run(m);
		else
			del_run(m);
	}
	m->facts = m->builder->facts;
}

static void mutate_done(struct job *j)
{
	struct builder_mutate *m = (struct builder_mutate *)j;

	m->done(m);
}

void builder_submit_mutate(struct builder *b, struct builder_mutate *m)
{
	m->builder = b;
	m->job.run = mutate_run;
	m->job.done = mutate_done;
	worker_submit(b->worker, &m->job);
}

void builder_mutate_free(struct builder_mutate *m)
{
	if (!m)
		return;
	http_response_fini(&m->rsp);
	free(m->line);
	free(m);
}

/* ---- publish and query ------------------------------------------------------------------------------------- */

static void publish_run(struct job *j)
{
	struct builder_publish *p = (struct builder_publish *)j;
	struct builder *b = p->builder;
	struct manifest_cfg cfg = {.generation = p->generation,
				   .intent_revision = b->facts.intent_revision,
				   .ports_hash = b->cfg->ports_hash,
				   .created_unix_ns = clock_unix_ns(),
				   .without = p->without};

	p->start_ns = clock_ns();
	p->err = rib_publish(b->rib, &cfg, &p->image);
	p->end_ns = clock_ns();
	p->intent_revision = cfg.intent_revision;
	p->event_ns = DWCP_MAX(p->event_ns, b->event_ns); /* it may run twice */
	if (!p->err)
		b->event_ns = 0;
}

static void publish_done(struct job *j)
{
	struct builder_publish *p = (struct builder_publish *)j;

	p->done(p);
}

void builder_submit_publish(struct builder *b, struct builder_publish *p)
{
	p->builder = b;
	p->job.run = publish_run;
	p->job.done = publish_done;
	worker_submit(b->worker, &p->job);
}

static void query_run(struct job *j)
{
	struct builder_query *q = (struct builder_query *)j;

	q->rsp.etag = q->builder->facts.intent_revision;
	q->read(q);
}

static void query_done(struct job *j)
{
	struct builder_query *q = (struct builder_query *)j;

	http_complete(q->deferred, &q->rsp);
	q->release(q);
}

void builder_submit_query(struct builder *b, struct builder_query *q)
{
	q->builder = b;
	q->job.run = query_run;
	q->job.done = query_done;
	worker_submit(b->worker, &q->job);
}
