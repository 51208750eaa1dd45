/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status.c - `status`: what an engineer on call needs first, the verdict on top. Everything shown is in the document
 * that status_collect() made.
 */
#include "status.h"

#include <string.h>

#include "client.h"
#include "format.h"
#include "mirror.h"
#include "neighbours.h"
#include "render.h"

static enum render_style health_style(const char *health)
{
	if (strcmp(health, "ok") == 0)
		return STYLE_GOOD;
	return strcmp(health, "down") == 0 ? STYLE_BAD : STYLE_WARN;
}

static void verdict_print(const struct cli *cli, const json_t *doc)
{
	const char *health = render_string(doc, "health", "?");
	const json_t *problems = json_object_get(doc, "problems");
	char node[80];
	json_t *text;
	size_t i;

	snprintf(node, sizeof(node), "%s", render_string(doc, "node", "(no name)"));
	printf("%s%s%s: %s%s%s\n", render_style_on(cli, STYLE_BOLD), cli_text_clean(node),
	       render_style_off(cli), render_style_on(cli, health_style(health)), health,
	       render_style_off(cli));
	json_array_foreach ((json_t *)problems, i, text)
		render_fact(cli, "  problem", health_style(health), "%s", json_string_value(text));
	putchar('\n');
}

static void program_print(const struct cli *cli, const char *label, const json_t *p)
{
	char up[FORMAT_MAX];

	if (!json_is_object(p) && cli->socket_path)
		render_fact(cli, label, STYLE_NONE, "not asked");
	else if (!json_is_object(p))
		render_fact(cli, label, STYLE_BAD, "no answer");
	else
		render_fact(cli, label, STYLE_NONE, "up %s, version %s, pid %lld",
			    format_span((u64)render_integer(p, "uptime_s", 0), up, sizeof(up)),
			    render_string(p, "version", "?"),
			    (long long)render_integer(p, "pid", 0));
}

static void generation_print(const struct cli *cli, const json_t *doc)
{
	const json_t *store = render_member(doc, "dataplane.store");
	char age[FORMAT_MAX], disk[FORMAT_MAX + 40] = "";

	if (render_integer(store, "generation", 0))
		snprintf(disk, sizeof(disk), "; on disk %lld, %s old",
			 (long long)render_integer(store, "generation", 0),
			 format_span((u64)render_integer(store, "age_s", 0), age, sizeof(age)));
	if (render_integer(doc, "generation.number", 0) == 0)
		render_fact(cli, "generation", STYLE_BAD, "none");
	else if (render_member(doc, "generation.adopted_unix_ns"))
		render_fact(cli, "generation", STYLE_NONE, "%lld, adopted %s%s",
			    (long long)render_integer(doc, "generation.number", 0),
			    format_age((u64)render_integer(doc, "generation.adopted_unix_ns", 0),
				       age, sizeof(age)),
			    disk);
	else
		render_fact(cli, "generation", STYLE_NONE, "%lld%s",
			    (long long)render_integer(doc, "generation.number", 0), disk);
	if (render_member(doc, "intent_revision"))
		render_fact(cli, "revision", STYLE_NONE, "intent %lld, observation %lld",
			    (long long)render_integer(doc, "intent_revision", 0),
			    (long long)render_integer(doc, "observation_revision", 0));
}

static void ports_print(const struct cli *cli, const json_t *doc)
{
	const json_t *down = render_member(doc, "ports.down");
	size_t n_down = json_array_size(down), i;
	char names[512] = "";
	json_t *name;

	if (!json_is_object(json_object_get(doc, "ports"))) {
		render_fact(cli, "ports", STYLE_NONE, "unknown");
		return;
	}
	json_array_foreach ((json_t *)down, i, name) {
		size_t len = strlen(names);

		snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
			 json_string_value(name));
	}
	if (n_down)
		render_fact(cli, "ports", STYLE_BAD, "%lld up, %zu DOWN: %s",
			    (long long)render_integer(doc, "ports.up", 0), n_down, names);
	else
		render_fact(cli, "ports", STYLE_NONE, "%lld up",
			    (long long)render_integer(doc, "ports.up", 0));
}

static void twins_print(const struct cli *cli, const json_t *doc)
{
	const json_t *down = render_member(doc, "twins.down"),
		     *none = render_member(doc, "twins.none");
	s64 up = render_integer(doc, "twins.up", 0);
	char text[512];
	json_t *row;
	size_t i;

	if (!up && !json_array_size(down) && !json_array_size(none))
		return; /* an older dataplane */
	snprintf(text, sizeof(text), "%lld up", (long long)up);
	json_array_foreach ((json_t *)down, i, row) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : ", DOWN: ",
			 json_string_value(row) ? json_string_value(row) : "?");
	}
	json_array_foreach ((json_t *)none, i, row) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s%s (%s)",
			 i ? ", " : "; none: ", render_string(row, "port", "?"),
			 render_string(row, "reason", "?"));
	}
	render_fact(cli, "twins", json_array_size(down) ? STYLE_BAD : STYLE_NONE, "%s", text);
}

static void traffic_print(const struct cli *cli, const json_t *doc)
{
	char rx[FORMAT_MAX], tx[FORMAT_MAX], drop[FORMAT_MAX];

	if (!json_is_object(json_object_get(doc, "rates")))
		return;
	render_fact(cli, "packets/s", STYLE_NONE, "received %s, sent %s, dropped %s",
		    format_count(render_integer(doc, "rates.rx_pps", 0), rx, sizeof(rx)),
		    format_count(render_integer(doc, "rates.tx_pps", 0), tx, sizeof(tx)),
		    format_count(render_integer(doc, "rates.drop_pps", 0), drop, sizeof(drop)));
}

static void exceptions_print(const struct cli *cli, const json_t *doc)
{
	char to[FORMAT_MAX], from[FORMAT_MAX], policed[FORMAT_MAX];

	if (!json_is_object(json_object_get(doc, "exceptions")))
		return;
	render_fact(cli, "exceptions/s", STYLE_NONE, "to the host %s, from it %s, policed %s",
		    format_count(render_integer(doc, "exceptions.to_host_pps", 0), to, sizeof(to)),
		    format_count(render_integer(doc, "exceptions.from_host_pps", 0), from,
				 sizeof(from)),
		    format_count(render_integer(doc, "exceptions.policed_pps", 0), policed,
				 sizeof(policed)));
}

static void drops_print(const struct cli *cli, const json_t *doc)
{
	const json_t *rows = json_object_get(doc, "drops");
	char packets[FORMAT_MAX], rate[FORMAT_MAX];
	json_t *row;
	size_t i;

	if (json_is_array(rows) && json_array_size(rows) == 0)
		render_fact(cli, "drops", STYLE_NONE, "none");
	json_array_foreach ((json_t *)rows, i, row)
		render_fact(cli, i ? "" : "drops", STYLE_NONE, "%s %s (%s/s): %s",
			    render_string(row, "reason", "?"),
			    format_count(render_integer(row, "packets", 0), packets,
					 sizeof(packets)),
			    format_count(render_integer(row, "packets_per_s", 0), rate,
					 sizeof(rate)),
			    render_string(row, "text", ""));
}

static void accounting_print(const struct cli *cli, const json_t *doc)
{
	s64 difference = render_integer(doc, "accounting.difference", 0);
	char text[FORMAT_MAX];

	if (!json_is_object(json_object_get(doc, "accounting")))
		return;
	if (difference == 0)
		render_fact(cli, "accounting", STYLE_NONE, "every packet accounted for");
	else
		render_fact(cli, "accounting", STYLE_WARN, "%s packets unaccounted for",
			    format_count(difference, text, sizeof(text)));
}

static void refusal_print(const struct cli *cli, const json_t *doc)
{
	const json_t *r = json_object_get(doc, "last_refusal");
	char age[FORMAT_MAX];

	if (!json_is_object(r))
		render_fact(cli, "refusals", STYLE_NONE, "none");
	else
		render_fact(cli, "last refusal", STYLE_WARN, "generation %lld, %s: %s",
			    (long long)render_integer(r, "generation", 0),
			    format_age((u64)render_integer(r, "unix_ns", 0), age, sizeof(age)),
			    render_string(r, "reason", "?"));
}

int status_run(struct cli *cli)
{
	json_t *doc;
	bool ok;
	int rc = status_collect(cli, &doc);

	if (rc != CLI_OK)
		return rc;
	if (cli->json) {
		rc = render_json(doc, false);
	} else {
		verdict_print(cli, doc);
		program_print(cli, "agent", json_object_get(doc, "agent"));
		program_print(cli, "dataplane", json_object_get(doc, "dataplane"));
		generation_print(cli, doc);
		ports_print(cli, doc);
		twins_print(cli, doc);
		traffic_print(cli, doc);
		exceptions_print(cli, doc);
		drops_print(cli, doc);
		accounting_print(cli, doc);
		mirror_line_print(cli, render_member(doc, "agent.mirror"));
		neighbours_line_print(cli, render_member(doc, "agent.neighbours"));
		refusal_print(cli, doc);
	}
	ok = strcmp(render_string(doc, "health", ""), "ok") == 0;
	json_decref(doc);
	return rc == CLI_OK && args_flag(cli, "check") && !ok ? CLI_FAILED : rc;
}
