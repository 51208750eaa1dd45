/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status_collect.c - ask both programs, each on its own socket, twice a quarter of a second apart, and judge.
 */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "drops.h"
#include "format.h"
#include "render.h"
#include "watch.h"

#define SAMPLE_MS  250
#define TIMEOUT_MS 2000
#define TOP_DROPS  3

struct sample {
	json_t *ports, *drops, *status; /* NULL = no answer */
	u64 ports_ns, drops_ns, status_ns;
};

struct status {
	struct cli *cli;
	int rc[CLIENT_N_PEERS]; /* why there was no answer */
	json_t *agent, *dataplane, *tables;
	enum client_peer source; /* who is asked for what both know */
	struct sample before, after;
	json_t *doc, *problems;
};

/* The body of a successful answer, or NULL. */
static json_t *status_ask(struct status *s, enum client_peer peer, const char *path, u64 *ret_at_ns)
{
	struct client_req req = {.method = "GET", .path = path, .timeout_ms = TIMEOUT_MS};
	struct client_reply reply;
	int rc = client_send(s->cli, peer, &req, &reply);

	s->rc[peer] = rc;
	if (rc < 0)
		return NULL;
	if (ret_at_ns)
		*ret_at_ns = reply.at_ns;
	if (reply.status >= 400)
		client_reply_fini(&reply);
	return reply.body;
}

/* With --socket only one is asked, and its answer says who it is. */
static void programs_ask(struct status *s)
{
	s->source = CLIENT_AGENT;
	s->agent = status_ask(s, CLIENT_AGENT, "/v1/status", &s->before.status_ns);
	if (s->cli->socket_path) {
		if (strcmp(render_string(s->agent, "program", ""), "dwcp-dataplane") != 0)
			return;
		s->dataplane = s->agent;
		s->agent = NULL;
		return;
	}
	s->dataplane = status_ask(s, CLIENT_DATAPLANE, "/v1/status", &s->before.status_ns);
	if (s->dataplane)
		s->source = CLIENT_DATAPLANE;
}

static int unreachable_report(struct status *s)
{
	const struct cli *cli = s->cli;

	if (!s->agent && !s->dataplane) {
		if (cli->socket_path || s->rc[CLIENT_AGENT] == -EACCES ||
		    s->rc[CLIENT_AGENT] == -EPROTO)
			return client_unreachable(cli, CLIENT_AGENT, s->rc[CLIENT_AGENT]);
		return client_both_unreachable(cli, s->rc[CLIENT_AGENT], s->rc[CLIENT_DATAPLANE]);
	}
	if (!s->agent && !cli->socket_path)
		cli_note(cli, "answered_by_dataplane",
			 "agent not reachable: answered by the dataplane");
	if (!s->dataplane && !cli->socket_path)
		cli_note(cli, "answered_by_agent",
			 "dataplane not reachable: answered by the agent");
	return CLI_OK;
}

static void sample_take(struct status *s, struct sample *ret)
{
	json_t *ports = status_ask(s, s->source, "/v1/ports", &ret->ports_ns);
	json_t *drops = status_ask(s, s->source, "/v1/drops", &ret->drops_ns);

	ret->ports = json_incref(json_object_get(ports, "ports"));
	ret->drops = json_incref(json_object_get(drops, "drops"));
	json_decref(ports);
	json_decref(drops);
}

static void sample_fini(struct sample *sample)
{
	json_decref(sample->ports);
	json_decref(sample->drops);
	json_decref(sample->status);
}

/* ---- the document -------------------------------------------------------------------------------------------------- */

static dwcp_printf(2, 3) void problem_add(struct status *s, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(s->problems, json_string(text));
}

static s64 rows_sum(const json_t *rows, const char *key)
{
	u64 sum = 0; /* wraps rather than overflows, whatever a peer says */
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)rows, i, row)
		sum += (u64)render_integer(row, key, 0);
	return (s64)sum;
}

/* VLANs are contained in the port whose device they share. */
static s64 ports_sum(const json_t *ports, const char *key)
{
	u64 sum = 0;
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)ports, i, row)
		if (!json_is_string(json_object_get(row, "parent")))
			sum += (u64)render_integer(row, key, 0);
	return (s64)sum;
}

static s64 ports_rate(const struct status *s, const char *key)
{
	return rate_per_s(ports_sum(s->before.ports, key), ports_sum(s->after.ports, key),
			  s->after.ports_ns - s->before.ports_ns);
}

static void rates_fill(struct status *s)
{
	s64 drop_pps;

	if (!s->before.ports || !s->after.ports) {
		json_object_set_new(s->doc, "rates", json_null());
		return;
	}
	drop_pps = rate_per_s(rows_sum(s->before.drops, "packets"),
			      rows_sum(s->after.drops, "packets"),
			      s->after.drops_ns - s->before.drops_ns);
	json_object_set_new(s->doc, "rates",
			    json_pack("{s:I, s:I, s:I}", "rx_pps",
				      (json_int_t)ports_rate(s, "rx_packets"), "tx_pps",
				      (json_int_t)ports_rate(s, "tx_packets"), "drop_pps",
				      (json_int_t)drop_pps));
}

static void ports_fill(struct status *s)
{
	json_t *down = json_array(), *row;
	size_t i;
	int n_up = 0;

	if (!s->after.ports) {
		json_decref(down);
		json_object_set_new(s->doc, "ports", json_null());
		return;
	}
	json_array_foreach (s->after.ports, i, row) {
		const char *name = render_string(row, "name", "?");

		if (json_is_true(json_object_get(row, "up"))) {
			n_up++;
			continue;
		}
		json_array_append_new(down, json_string(name));
		problem_add(s, "port %s is down", name);
	}
	json_object_set_new(s->doc, "ports", json_pack("{s:i, s:o}", "up", n_up, "down", down));
}

/* The ports' interfaces in the kernel. Why one that was wanted is not there, the dataplane's warnings say. */
static void twins_fill(struct status *s)
{
	json_t *down = json_array(), *none = json_array(), *row;
	size_t i;
	int n_up = 0;

	json_array_foreach (s->after.ports, i, row) {
		const char *name = render_string(row, "name", "?");
		const char *state = render_string(row, "twin.state", "");

		n_up += strcmp(state, "up") == 0;
		if (strcmp(state, "none") == 0)
			json_array_append_new(none,
					      json_pack("{s:s, s:s}", "port", name, "reason",
							render_string(row, "twin.reason", "?")));
		if (strcmp(state, "down") != 0)
			continue;
		json_array_append_new(down, json_string(name));
		/* a port that is down is a problem of its own */
		if (json_is_true(json_object_get(row, "up")))
			problem_add(s, "the twin of port %s is down: a worker stands still", name);
	}
	json_object_set_new(s->doc, "twins",
			    json_pack("{s:i, s:o, s:o}", "up", n_up, "down", down, "none", none));
}

static s64 accounting_rate(const struct status *s, const char *key)
{
	return rate_per_s(render_integer(s->before.status, key, 0),
			  render_integer(s->after.status, key, 0),
			  s->after.status_ns - s->before.status_ns);
}

static s64 reason_rate(const json_t *drops, const char *reason)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)drops, i, row)
		if (strcmp(render_string(row, "reason", ""), reason) == 0)
			return render_integer(row, "packets_per_s", 0);
	return 0;
}

/* What goes to the kernel and comes from it. After drops_fill(), which knows the rates. */
static void exceptions_fill(struct status *s)
{
	if (!s->before.status || !s->after.status || !s->after.drops) {
		json_object_set_new(s->doc, "exceptions", json_null());
		return;
	}
	json_object_set_new(s->doc, "exceptions",
			    json_pack("{s:I, s:I, s:I, s:I}", "to_host_pps",
				      (json_int_t)accounting_rate(s, "accounting.to_host"),
				      "from_host_pps",
				      (json_int_t)accounting_rate(s, "accounting.from_host"),
				      "policed_pps",
				      (json_int_t)reason_rate(s->after.drops, "host_policed"),
				      "full_pps",
				      (json_int_t)reason_rate(s->after.drops, "host_full")));
}

static void drops_fill(struct status *s)
{
	json_t *sorted;

	if (!s->after.drops) {
		json_object_set_new(s->doc, "drops", json_null());
		return;
	}
	drops_rate(s->after.drops, s->before.drops, s->after.drops_ns - s->before.drops_ns);
	sorted = drops_sorted(s->after.drops, false);
	while (json_array_size(sorted) > TOP_DROPS)
		json_array_remove(sorted, json_array_size(sorted) - 1);
	json_object_set_new(s->doc, "drops", sorted ? sorted : json_null());
}

/* Two looks: counters read in the middle of a burst differ for a moment; a leak stays. */
static void accounting_fill(struct status *s)
{
	const json_t *first = render_member(s->before.status, "accounting");
	const json_t *second = render_member(s->after.status, "accounting");
	s64 a = render_integer(first, "difference", 0), b = render_integer(second, "difference", 0);
	const json_t *calmer = llabs(a) < llabs(b) ? first : second;
	char text[FORMAT_MAX];

	json_object_set_new(s->doc, "accounting",
			    json_is_object(calmer) ? json_incref((json_t *)calmer) : json_null());
	if (a != 0 && b != 0)
		problem_add(s, "%s packets are unaccounted for",
			    format_count(render_integer(calmer, "difference", 0), text,
					 sizeof(text)));
}

static void generation_fill(struct status *s)
{
	const json_t *running = s->dataplane ? s->dataplane : s->agent;
	s64 number = render_integer(running, "generation", 0);
	s64 published = render_integer(s->agent, "generation", number);
	json_t *g = json_pack("{s:I}", "number", (json_int_t)number);
	const json_t *adopted = render_member(s->tables, "adopted_unix_ns");

	if (adopted)
		json_object_set(g, "adopted_unix_ns", (json_t *)adopted);
	json_object_set_new(s->doc, "generation", g);
	/* the dataplane says that itself, among its warnings */
	if (number == 0 && !s->dataplane &&
	    json_is_true(render_member(s->agent, "dataplane.connected")))
		problem_add(s, "no tables adopted yet: every packet is dropped");
	else if (published > number)
		problem_add(s, "the agent is at generation %lld, the dataplane still at %lld",
			    (long long)published, (long long)number);
}

static void refusal_fill(struct status *s)
{
	const json_t *r = render_member(s->dataplane, "last_refusal");

	if (!json_is_object(r))
		r = render_member(s->agent, "last_refusal");
	json_object_set_new(s->doc, "last_refusal",
			    json_is_object(r) ? json_incref((json_t *)r) : json_null());
	/* one that newer tables have overtaken is history */
	if (json_is_object(r) &&
	    render_integer(r, "generation", 0) > render_integer(s->doc, "generation.number", 0))
		problem_add(s, "generation %lld was refused: %s",
			    (long long)render_integer(r, "generation", 0),
			    render_string(r, "reason", "?"));
}

/* A string, or an object with one in it. */
static const char *error_text(const json_t *error)
{
	if (json_is_string(error))
		return json_string_value(error);
	return render_string(error, "message", render_string(error, "reason", NULL));
}

static void warnings_fill(struct status *s)
{
	const char *last_error = error_text(render_member(s->agent, "last_error"));
	const char *store_error = error_text(render_member(s->dataplane, "store.error"));
	const json_t *warnings = render_member(s->dataplane, "warnings");
	size_t i;
	json_t *w;

	if (last_error && *last_error)
		problem_add(s, "agent: %s", last_error);
	if (store_error && *store_error)
		problem_add(s, "tables are not being stored: %s", store_error);
	json_array_foreach ((json_t *)warnings, i, w)
		problem_add(s, "%s", error_text(w) ? error_text(w) : "?");
}

static void programs_judge(struct status *s)
{
	bool connected = json_is_true(render_member(s->agent, "dataplane.connected"));

	if (!s->agent && !s->cli->socket_path)
		problem_add(s, "the agent does not answer");
	if (!s->dataplane && !s->cli->socket_path)
		problem_add(s, "the dataplane does not answer%s",
			    connected ? ", but holds the agent's connection" : "");
	else if (s->agent && !connected && !s->dataplane)
		problem_add(s, "the agent has no connection to the dataplane: tables stay as they "
			       "are");
}

/* What the agent knows to be unfinished. */
static void agent_judge(struct status *s)
{
	const json_t *restart = render_member(s->agent, "needs_restart");
	s64 stats = render_integer(s->agent, "dataplane.stats.version", 0);
	s64 n_rejected = render_integer(s->agent, "routes.rejected", 0) +
			 render_integer(s->agent, "routes.api_unusable", 0);
	char text[FORMAT_MAX];
	size_t i;
	json_t *section;

	if (n_rejected)
		problem_add(s, "%s routes are not used: their gateway is on no port",
			    format_count(n_rejected, text, sizeof(text)));
	if (strcmp(render_string(s->agent, "mirror.state", ""), "failed") == 0)
		problem_add(s, "the kernel's routes are not followed any more");
	if (json_is_false(render_member(s->agent, "dataplane.same_config")))
		problem_add(s, "the dataplane was started with another configuration than the "
			       "agent's");
	if (stats && stats < render_integer(s->agent, "dataplane.stats.known", 0))
		problem_add(s, "the dataplane is older than the agent: what it does not count yet "
			       "shows as 0 or not at all, until it is restarted");
	json_array_foreach ((json_t *)restart, i, section)
		problem_add(s, "a restart is needed for the change of %s",
			    json_string_value(section) ? json_string_value(section) : "?");
}

static void programs_fill(struct status *s)
{
	const json_t *any = s->agent ? s->agent : s->dataplane;

	json_object_set(s->doc, "node", json_object_get(any, "node"));
	json_object_set(s->doc, "intent_revision", json_object_get(any, "intent_revision"));
	json_object_set(s->doc, "observation_revision",
			json_object_get(any, "observation_revision"));
	json_object_set_new(s->doc, "agent", s->agent ? json_incref(s->agent) : json_null());
	json_object_set_new(s->doc, "dataplane",
			    s->dataplane ? json_incref(s->dataplane) : json_null());
	programs_judge(s);
}

static const char *status_health(const struct status *s)
{
	bool connected = json_is_true(render_member(s->agent, "dataplane.connected"));

	if ((!s->dataplane && !connected) || render_integer(s->doc, "generation.number", 0) == 0)
		return "down";
	if (s->after.ports && render_integer(s->doc, "ports.up", 0) == 0)
		return "down";
	return json_array_size(s->problems) ? "degraded" : "ok";
}

static int status_build(struct status *s)
{
	s->doc = json_pack("{s:s, s:o?}", "health", "", "problems", s->problems = json_array());
	if (!s->doc)
		return cli_error(s->cli, CLI_FAILED, "no_memory", NULL, "no memory");
	programs_fill(s);
	generation_fill(s);
	ports_fill(s);
	twins_fill(s);
	rates_fill(s);
	drops_fill(s);
	exceptions_fill(s);
	accounting_fill(s);
	refusal_fill(s);
	agent_judge(s);
	warnings_fill(s);
	json_object_set_new(s->doc, "health", json_string(status_health(s)));
	return CLI_OK;
}

int status_collect(struct cli *cli, json_t **ret_doc)
{
	struct status s = {.cli = cli};
	int rc;

	programs_ask(&s);
	rc = unreachable_report(&s);
	if (rc == CLI_OK) {
		s.tables = status_ask(&s, s.source, "/v1/tables", NULL);
		s.before.status = json_incref(s.dataplane);
		sample_take(&s, &s.before);
		watch_sleep_ms(SAMPLE_MS);
		sample_take(&s, &s.after);
		if (s.dataplane)
			s.after.status = status_ask(&s, s.source, "/v1/status", &s.after.status_ns);
		rc = status_build(&s);
	}
	if (rc == CLI_OK)
		*ret_doc = s.doc;
	sample_fini(&s.before);
	sample_fini(&s.after);
	json_decref(s.agent);
	json_decref(s.dataplane);
	json_decref(s.tables);
	return rc;
}
