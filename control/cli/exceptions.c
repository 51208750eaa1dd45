/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exceptions.c - `exceptions`: what is for the router itself, by class: at what rate it comes, what the policers and
 * full queues took of it; the twins that it goes to; and the ICMP errors that the router sends, or does not and why. Rates
 * over a quarter of a second, or between two rounds.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"
#include "watch.h"

#define SAMPLE_MS 250

static const struct render_column columns[] = {
	{.key = "class", .header = "CLASS"},
	{.key = "limit_pps", .header = "LIMIT/s", .kind = RENDER_COUNT},
	{.key = "packets_per_s", .header = "PACKETS/s", .kind = RENDER_COUNT},
	{.key = "packets", .header = "PACKETS", .kind = RENDER_COUNT},
	{.key = "to_host", .header = "TO HOST", .kind = RENDER_COUNT, .rank = 2},
	{.key = "policed", .header = "POLICED", .kind = RENDER_COUNT},
	{.key = "full", .header = "QUEUE FULL", .kind = RENDER_COUNT},
	{.key = "queue", .header = "QUEUE", .rank = 3},
	{.key = "text", .header = "WHAT", .wrap = true, .rank = 1},
};

static const struct render_column columns_twins[] = {
	{.key = "port", .header = "PORT"},
	{.key = "twin.name", .header = "TWIN"},
	{.key = "twin.state", .header = "STATE"},
	{.key = "delivered", .header = "TO HOST", .kind = RENDER_COUNT},
	{.key = "failed", .header = "REFUSED", .kind = RENDER_COUNT},
	{.key = "received", .header = "FROM HOST", .kind = RENDER_COUNT},
	{.key = "oversized", .header = "TOO LARGE", .kind = RENDER_COUNT, .optional = true},
	{.key = "changes", .header = "CHANGES", .kind = RENDER_COUNT, .rank = 1},
	{.key = "twin.reason", .header = "WHY NONE", .optional = true},
};

static void family_put(const json_t *row, FILE *out)
{
	fprintf(out, "IPv%lld", (long long)render_integer(row, "family", 0));
}

static const struct render_column columns_icmp[] = {
	{.key = "error", .header = "ICMP ERROR", .min_width = 17},
	{.header = "FAMILY", .format = family_put},
	{.key = "sent", .header = "SENT", .kind = RENDER_COUNT},
	{.key = "limited", .header = "OVER LIMIT", .kind = RENDER_COUNT},
};

struct exceptions {
	json_t *before; /* classes[] of the round before; NULL = none yet */
	u64 at_ns;
};

static s64 class_before(const json_t *before, const char *class, const char *key, s64 fallback)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)before, i, row)
		if (strcmp(render_string(row, "class", ""), class) == 0)
			return render_integer(row, key, fallback);
	return fallback;
}

static void rate_add(json_t *row, const json_t *before, const char *key, const char *rate_key,
		     u64 ns)
{
	s64 now = render_integer(row, key, 0);
	s64 then = class_before(before, render_string(row, "class", ""), key, now);

	json_object_set_new(row, rate_key, json_integer(rate_per_s(then, now, ns)));
}

static void rates_add(json_t *rows, const json_t *before, u64 ns)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		rate_add(row, before, "packets", "packets_per_s", ns);
		rate_add(row, before, "policed", "policed_per_s", ns);
	}
}

/* Errors that there were; of seven kinds in two families most never are. */
static json_t *icmp_rows(const json_t *icmp)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach (json_object_get(icmp, "errors"), i, row)
		if (render_integer(row, "sent", 0) || render_integer(row, "limited", 0))
			json_array_append(rows, row);
	return rows;
}

/* "link_group 12, icmp 3" */
static const char *reasons_text(const json_t *by, char *buf, size_t size)
{
	char count[FORMAT_MAX];
	const char *name;
	json_t *value;
	size_t at = 0;

	buf[0] = 0;
	json_object_foreach ((json_t *)by, name, value) {
		if (json_integer_value(value) <= 0 || at >= size)
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%s %s", at ? ", " : "", name,
				       format_count(json_integer_value(value), count,
						    sizeof(count)));
	}
	return buf;
}

static void icmp_facts_print(const struct cli *cli, const json_t *icmp)
{
	s64 forbidden = render_integer(icmp, "unsent.forbidden", 0);
	s64 no_source = render_integer(icmp, "unsent.no_source", 0);
	s64 no_room = render_integer(icmp, "unsent.no_room", 0);
	s64 cut = render_integer(icmp, "fragmentation.packets", 0);
	s64 uncut = render_integer(icmp, "fragmentation.failed", 0);
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], reasons[256];

	if (forbidden)
		render_fact(cli, "no answer", STYLE_NONE, "to %s packets that get none: %s",
			    format_count(forbidden, a, sizeof(a)),
			    reasons_text(render_member(icmp, "unsent.forbidden_by"), reasons,
					 sizeof(reasons)));
	if (no_source || no_room)
		render_fact(cli, "not sent", STYLE_WARN,
			    "%s without an address to come from or a way back, %s without room",
			    format_count(no_source, a, sizeof(a)),
			    format_count(no_room, b, sizeof(b)));
	if (cut || uncut)
		render_fact(cli, "fragments", STYLE_NONE,
			    "%s packets were cut into %s, %s could not be",
			    format_count(cut, a, sizeof(a)),
			    format_count(render_integer(icmp, "fragmentation.fragments", 0), b,
					 sizeof(b)),
			    format_count(uncut, c, sizeof(c)));
}

static int icmp_print(const struct cli *cli, const json_t *icmp)
{
	json_t *rows;
	int rc;

	if (!json_is_object(icmp))
		return CLI_OK; /* an older dataplane */
	rows = icmp_rows(icmp);
	putchar('\n');
	rc = render_table(cli, columns_icmp, DWCP_ARRAY_LEN(columns_icmp), rows,
			  "no ICMP errors sent");
	json_decref(rows);
	icmp_facts_print(cli, icmp);
	return rc;
}

static int exceptions_print(const struct cli *cli, const struct watch *w, const json_t *doc)
{
	int rc;

	if (cli->json)
		return render_json(doc, w->on);
	watch_title(w, cli, "exceptions");
	rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns), json_object_get(doc, "classes"),
			  "no classes");
	putchar('\n');
	if (rc == CLI_OK)
		rc = render_table(cli, columns_twins, DWCP_ARRAY_LEN(columns_twins),
				  json_object_get(doc, "twins"), "no ports");
	return rc == CLI_OK ? icmp_print(cli, json_object_get(doc, "icmp")) : rc;
}

/* The first answer is only what the rates are measured against. */
static int exceptions_sample(struct cli *cli, struct exceptions *x)
{
	struct client_reply reply;
	int rc = client_get(cli, &reply, "/v1/exceptions");

	if (rc != CLI_OK)
		return rc;
	x->before = json_incref(json_object_get(reply.body, "classes"));
	x->at_ns = reply.at_ns;
	client_reply_fini(&reply);
	watch_sleep_ms(SAMPLE_MS);
	return CLI_OK;
}

static int exceptions_round(struct cli *cli, struct watch *w, struct exceptions *x)
{
	struct client_reply reply;
	json_t *rows;
	int rc = client_get(cli, &reply, "/v1/exceptions");

	if (rc != CLI_OK)
		return rc;
	rows = json_incref(json_object_get(reply.body, "classes"));
	rates_add(rows, x->before, reply.at_ns - x->at_ns);
	json_decref(x->before);
	x->before = rows;
	x->at_ns = w->last_ns = reply.at_ns;
	rc = exceptions_print(cli, w, reply.body);
	client_reply_fini(&reply);
	return rc;
}

int exceptions_run(struct cli *cli)
{
	struct exceptions x = {0};
	struct watch w;
	int rc = watch_init(&w, cli);

	if (rc == CLI_OK)
		rc = exceptions_sample(cli, &x);
	while (rc == CLI_OK) {
		rc = exceptions_round(cli, &w, &x);
		if (!watch_next(&w))
			break;
	}
	json_decref(x.before);
	return rc;
}
