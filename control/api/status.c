/* SPDX-License-Identifier: BSD-3-Clause */
#include <unistd.h>

#include <dwcp/abi/stats.h>

#include "../io/clock.h"
#include "api.h"

#define STATUS_MAX_SECTIONS 64

static json_t *dataplane_json(const struct agent *a)
{
	const struct dwcp_stats_hdr *page;
	char hex[17];

	if (!a->connected)
		return json_pack("{s:b}", "connected", 0);
	page = link_pages(a->link)->stats;
	snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)a->hello.incarnation);
	return json_pack("{s:b, s:I, s:s, s:I, s:I, s:b, s:{s:I, s:I}}", "connected", 1, "pid",
			 (json_int_t)a->hello.pid, "incarnation", hex, "workers",
			 (json_int_t)a->hello.n_workers, "ports", (json_int_t)a->hello.n_ports,
			 "same_config", a->hello.config_hash == a->current->cfg->hash, "stats",
			 "version", (json_int_t)page->version, "known",
			 (json_int_t)DWCP_STATS_VERSION);
}

static json_t *refusal_json(const struct agent *a)
{
	const struct core_refusal *r = &a->core.refusal;

	if (!r->generation)
		return json_null();
	return json_pack("{s:I, s:s, s:I}", "generation", (json_int_t)r->generation, "reason",
			 r->reason, "unix_ns", (json_int_t)r->unix_ns);
}

static json_t *error_json(const struct agent *a)
{
	const char *const errors[] = {a->error_hold, a->error_reload, a->error_link};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(errors); i++) {
		if (errors[i][0])
			return json_string(errors[i]);
	}
	if (a->core.build_err)
		return json_sprintf("tables cannot be built: error %d", -a->core.build_err);
	return json_null();
}

/* Sections that were reloaded, but are in force only after a restart. */
static json_t *restart_json(const struct agent *a)
{
	struct config_diff_row rows[STATUS_MAX_SECTIONS];
	json_t *list = json_array();
	u32 n;

	if (a->started == a->current)
		return list;
	n = config_diff(a->started->cfg, a->current->cfg, rows, DWCP_ARRAY_LEN(rows));
	for (u32 i = 0; i < n && i < DWCP_ARRAY_LEN(rows); i++) {
		if (rows[i].change == CONFIG_NEEDS_RESTART)
			json_array_append_new(list, json_string(rows[i].section));
	}
	return list;
}

static json_t *routes_json(const struct agent *a)
{
	return json_pack("{s:I, s:I, s:I}", "rejected", (json_int_t)a->facts.n_rejected, "api",
			 (json_int_t)a->facts.n_api, "api_unusable",
			 (json_int_t)a->facts.n_api_unusable);
}

static const char *phase_name(const struct core *c)
{
	switch (c->phase) {
	case CORE_IDLE:
		return c->hold ? "held" : c->quiet ? "refused" : c->pending ? "waiting" : "idle";
	case CORE_COALESCE:
		return "coalescing";
	case CORE_BUILD:
		return "building";
	case CORE_SEND:
		return "sending";
	}
	return "?";
}

void status_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct agent *a = arg;
	const struct dwcp_config *cfg = a->current->cfg;

	(void)req;
	rsp->etag = a->facts.intent_revision;
	rsp->body =
		json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, "
			  "s:o, s:o, s:o, s:I, s:s, s:I}",
			  "program", "dwcp-agent", "version", DWCP_VERSION, "node", cfg->node.name,
			  "pid", (json_int_t)getpid(), "uptime_s",
			  (json_int_t)((clock_ns() - a->started_ns) / 1000000000u), "generation",
			  (json_int_t)a->core.adopted, "intent_revision",
			  (json_int_t)a->facts.intent_revision, "observation_revision",
			  (json_int_t)0, "publish", phase_name(&a->core), "dataplane",
			  dataplane_json(a), "last_refusal", refusal_json(a), "last_error",
			  error_json(a), "needs_restart", restart_json(a), "routes", routes_json(a),
			  "mirror", mirror_json(a), "neighbours", neighbours_json(a),
			  "loop_stall_max_us", (json_int_t)(a->loop.stall_max_ns / 1000),
			  "loop_stall_where", a->loop.stall_where, "loop_cpu_max_us",
			  (json_int_t)(a->loop.cpu_max_ns / 1000));
}
