/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.c - `neighbours`: whose link-layer address is known, who was asked for in vain, and what needs them. Page by
 * page, as the agent gives them.
 */
#include "neighbours.h"

#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"

#define PAGE 1000

static void mac_put(const json_t *row, FILE *out)
{
	const char *mac = render_string(row, "mac", NULL);
	s64 vlan = render_integer(row, "vlan", 0), svlan = render_integer(row, "svlan", 0);

	fputs(mac ? mac : "-", out);
	if (svlan)
		fprintf(out, " svlan %lld", (long long)svlan);
	if (vlan)
		fprintf(out, " vlan %lld", (long long)vlan);
}

static void age_put(const json_t *row, FILE *out)
{
	char text[FORMAT_MAX];
	s64 ms = render_integer(row, "age_ms", -1);

	fputs(ms < 0 ? "-" : format_span((u64)ms / 1000, text, sizeof(text)), out);
}

static void use_put(const json_t *row, FILE *out)
{
	char text[FORMAT_MAX];
	s64 n = render_integer(row, "routes", 0);

	fputs(render_string(row, "use", "?"), out);
	if (n)
		fprintf(out, " of %s", format_count(n, text, sizeof(text)));
}

/* What an engineer should see, and nothing when all is well. */
static void notes_put(const json_t *row, FILE *out)
{
	const char *error = render_string(row, "error", NULL), *comma = "";
	s64 dropped = render_integer(row, "dropped", 0);
	char text[FORMAT_MAX];

	if (json_is_true(json_object_get(row, "duplicate"))) {
		fprintf(out, "duplicate: also %s", render_string(row, "mac_before", "?"));
		comma = ", ";
	}
	if (dropped) {
		fprintf(out, "%s%s packets dropped", comma,
			format_count(dropped, text, sizeof(text)));
		comma = ", ";
	}
	if (error)
		fprintf(out, "%skernel: %s", comma, error);
}

static const struct render_column columns[] = {
	{.key = "port", .header = "PORT", .min_width = 6},
	{.key = "address", .header = "ADDRESS", .min_width = 15},
	{.header = "MAC", .format = mac_put, .min_width = 17},
	{.key = "state", .header = "STATE", .min_width = 10},
	{.header = "USE", .format = use_put, .min_width = 7},
	{.header = "AGE", .format = age_put, .min_width = 5, .rank = 1},
	{.key = "moves", .header = "MOVES", .kind = RENDER_COUNT, .rank = 2},
	{.key = "kernel", .header = "KERNEL", .min_width = 10, .rank = 3},
	{.header = "NOTES", .format = notes_put, .wrap = true},
};

static int ask(struct cli *cli, s64 after, struct client_reply *ret_reply)
{
	static const char *const filters[] = {"port", "state", "address"};
	char path[1024], escaped[256];
	int at = snprintf(path, sizeof(path), "/v1/neighbours?limit=%d", PAGE);

	if (after)
		at += snprintf(path + at, sizeof(path) - (size_t)at, "&after=%lld",
			       (long long)after);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(filters) && (size_t)at < sizeof(path); i++) {
		const char *value = args_value(cli, filters[i], 0);

		if (value)
			at += snprintf(path + at, sizeof(path) - (size_t)at, "&%s=%s", filters[i],
				       client_escape(value, escaped, sizeof(escaped)));
	}
	return client_get(cli, ret_reply, "%s", path);
}

static void summary_print(const struct cli *cli, const json_t *s)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

	putchar('\n');
	render_fact(cli, "resolved", STYLE_NONE, "%s, unresolved %s, failed %s",
		    format_count(render_integer(s, "resolved", 0), a, sizeof(a)),
		    format_count(render_integer(s, "unresolved", 0), b, sizeof(b)),
		    format_count(render_integer(s, "failed", 0), c, sizeof(c)));
	render_fact(cli, "asked", STYLE_NONE, "%s times, of these %s for what the kernel had lost",
		    format_count(render_integer(s, "asked", 0), a, sizeof(a)),
		    format_count(render_integer(s, "asked_again", 0), b, sizeof(b)));
	if (render_integer(s, "suppressed", 0) || render_integer(s, "refused", 0))
		render_fact(cli, "not asked", STYLE_WARN,
			    "%s times: too many at a time; %s hosts are beyond what is kept",
			    format_count(render_integer(s, "suppressed", 0), a, sizeof(a)),
			    format_count(render_integer(s, "refused", 0), b, sizeof(b)));
}

/* All pages in one list: what a program reads is one document. */
static int pages_json(struct cli *cli)
{
	json_t *all = json_array(), *summary = NULL, *doc;
	struct client_reply reply;
	s64 after = 0, next;
	int rc;

	do {
		rc = ask(cli, after, &reply);
		if (rc != CLI_OK)
			break;
		json_array_extend(all, json_object_get(reply.body, "neighbours"));
		json_decref(summary);
		summary = json_incref(json_object_get(reply.body, "summary"));
		next = render_integer(reply.body, "next", 0);
		client_reply_fini(&reply);
		if (next <= after)
			next = 0; /* it must get on */
		after = next;
	} while (after);
	doc = json_pack("{s:o, s:o?}", "neighbours", all, "summary", summary);
	if (rc == CLI_OK)
		rc = render_json(doc, false);
	json_decref(doc);
	return rc;
}

static int pages_print(struct cli *cli)
{
	struct client_reply reply;
	s64 after = 0, next;
	u64 n = 0;
	int rc;

	do {
		const json_t *rows;

		rc = ask(cli, after, &reply);
		if (rc != CLI_OK)
			return rc;
		rows = json_object_get(reply.body, "neighbours");
		next = render_integer(reply.body, "next", 0);
		if (next <= after)
			next = 0;
		if (json_array_size(rows))
			rc = render_rows(cli, columns, DWCP_ARRAY_LEN(columns), rows, n == 0);
		n += json_array_size(rows);
		if (!next && !n)
			puts("no neighbours");
		if (!next)
			summary_print(cli, json_object_get(reply.body, "summary"));
		client_reply_fini(&reply);
		after = next;
	} while (after && rc == CLI_OK);
	return rc;
}

int neighbours_run(struct cli *cli)
{
	return cli->json ? pages_json(cli) : pages_print(cli);
}

void neighbours_line_print(const struct cli *cli, const json_t *n)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];
	s64 failed = render_integer(n, "failed", 0),
	    duplicates = render_integer(n, "duplicates", 0);
	const char *error;

	if (!json_is_object(n))
		return;
	render_fact(cli, "neighbours", failed || duplicates ? STYLE_WARN : STYLE_NONE,
		    "%s resolved, %s unresolved, %s failed; %s duplicates seen",
		    format_count(render_integer(n, "resolved", 0), a, sizeof(a)),
		    format_count(render_integer(n, "unresolved", 0), b, sizeof(b)),
		    format_count(failed, c, sizeof(c)), format_count(duplicates, d, sizeof(d)));
	error = render_string(n, "error", NULL);
	if (error)
		render_fact(cli, "", STYLE_WARN, "the kernel doesn't keep neighbours for us: %s",
			    error);
	error = render_string(n, "addresses_error", NULL);
	if (error)
		render_fact(cli, "", STYLE_WARN, "addresses are not on the twins: %s", error);
}
