/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables.c - `tables show` and `tables history`: the generation in use, and how those before it fared.
 */
#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"
#include "sections.h"

static const struct render_column columns_history[] = {
	{.key = "generation", .header = "GENERATION", .kind = RENDER_COUNT},
	{.key = "unix_ns", .header = "TIME (UTC)", .kind = RENDER_TIME},
	{.key = "event_to_adopted_us", .header = "TOTAL us", .kind = RENDER_COUNT, .rank = 1},
	{.key = "build_us", .header = "BUILD us", .kind = RENDER_COUNT, .rank = 3},
	{.key = "send_us", .header = "SEND us", .kind = RENDER_COUNT, .rank = 4},
	{.key = "validate_us", .header = "CHECK us", .kind = RENDER_COUNT, .rank = 4},
	{.key = "quiesce_us", .header = "QUIESCE us", .kind = RENDER_COUNT, .rank = 4},
	{.key = "bytes_sent", .header = "BYTES SENT", .kind = RENDER_COUNT, .rank = 2},
	{.key = "result", .header = "RESULT"},
	{.key = "reason", .header = "REASON", .wrap = true, .optional = true},
};

static void stored_print(const struct cli *cli, const json_t *stored)
{
	char age[FORMAT_MAX];

	if (render_integer(stored, "generation", 0))
		render_fact(cli, "on disk", STYLE_NONE, "generation %lld, %s old",
			    (long long)render_integer(stored, "generation", 0),
			    format_span((u64)render_integer(stored, "age_s", 0), age, sizeof(age)));
	else
		render_fact(cli, "on disk", STYLE_NONE, "nothing");
}

static void show_print(const struct cli *cli, const json_t *t)
{
	char mapped[FORMAT_MAX], staged[FORMAT_MAX], age[FORMAT_MAX];

	render_fact(cli, "generation", STYLE_BOLD, "%lld",
		    (long long)render_integer(t, "generation", 0));
	if (render_member(t, "adopted_unix_ns"))
		render_fact(cli, "adopted", STYLE_NONE,
			    "%s; %lld adopted and %lld refused since the start",
			    format_age((u64)render_integer(t, "adopted_unix_ns", 0), age,
				       sizeof(age)),
			    (long long)render_integer(t, "adoptions", 0),
			    (long long)render_integer(t, "refusals", 0));
	render_fact(cli, "memory", STYLE_NONE, "%s mapped, %s staged",
		    format_bytes((u64)render_integer(t, "mapped_bytes", 0), mapped, sizeof(mapped)),
		    format_bytes((u64)render_integer(t, "staged_bytes", 0), staged,
				 sizeof(staged)));
	stored_print(cli, json_object_get(t, "stored"));
}

int tables_show_run(struct cli *cli)
{
	struct client_reply reply;
	const json_t *sections;
	int rc = client_get(cli, &reply, "/v1/tables");

	if (rc != CLI_OK)
		return rc;
	sections = json_object_get(reply.body, "sections");
	if (cli->json) {
		rc = render_json(reply.body, false);
	} else {
		show_print(cli, reply.body);
		if (json_array_size(sections)) {
			putchar('\n');
			rc = sections_print(cli, sections);
		}
	}
	client_reply_fini(&reply);
	return rc;
}

static void history_cut(json_t *rows, u64 limit)
{
	while (json_array_size(rows) > limit)
		json_array_remove(rows, json_array_size(rows) - 1);
}

int tables_history_run(struct cli *cli)
{
	struct client_reply reply;
	json_t *rows;
	u64 limit;
	int rc = args_number(cli, "limit", 1, 256, 20, &limit);

	if (rc == CLI_OK)
		rc = client_get(cli, &reply, "/v1/tables/history");
	if (rc != CLI_OK)
		return rc;
	rows = json_object_get(reply.body, "history");
	history_cut(rows, limit);
	if (cli->json)
		rc = render_json(reply.body, false);
	else
		rc = render_table(cli, columns_history, DWCP_ARRAY_LEN(columns_history), rows,
				  "no generation was offered yet");
	client_reply_fini(&reply);
	return rc;
}
