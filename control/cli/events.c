/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c - `events`: what happened, newest first. An event is a time, a name, and whatever it carries.
 */
#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"

static const char *const name_keys[] = {"event", "name", "type"};

static const char *event_name(const json_t *row)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(name_keys); i++) {
		const char *name = json_string_value(json_object_get(row, name_keys[i]));

		if (name)
			return name;
	}
	return "?";
}

static void name_put(const json_t *row, FILE *out)
{
	fputs(event_name(row), out);
}

static void detail_put(const json_t *row, FILE *out)
{
	const char *key, *name = event_name(row), *gap = "";
	json_t *value;

	json_object_foreach ((json_t *)row, key, value) {
		if (strcmp(key, "unix_ns") == 0 || json_string_value(value) == name)
			continue;
		fprintf(out, "%s%s=", gap, key);
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
		gap = " ";
	}
}

static const struct render_column columns[] = {
	{.key = "unix_ns", .header = "TIME (UTC)", .kind = RENDER_TIME},
	{.header = "EVENT", .format = name_put},
	{.header = "DETAILS", .format = detail_put, .wrap = true},
};

/* The dataplane's own clock, and bytes of packets unless asked for, are of use to programs only. */
static void events_thin(const struct cli *cli, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)rows, i, row) {
		json_object_del(row, "time_ns");
		if (!args_flag(cli, "bytes"))
			json_object_del(row, "bytes");
	}
}

int events_run(struct cli *cli)
{
	struct client_reply reply;
	char lost[FORMAT_MAX];
	u64 limit;
	s64 n_lost;
	int rc = args_number(cli, "limit", 1, 1000000, 50, &limit);

	if (rc == CLI_OK)
		rc = client_get(cli, &reply, "/v1/events?limit=%llu", (unsigned long long)limit);
	if (rc != CLI_OK)
		return rc;
	if (cli->json) {
		rc = render_json(reply.body, false);
	} else {
		events_thin(cli, json_object_get(reply.body, "events"));
		rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns),
				  json_object_get(reply.body, "events"), "nothing happened yet");
		n_lost = render_integer(reply.body, "lost", 0);
		if (n_lost > 0)
			printf("lost: %s events, because a ring was full\n",
			       format_count(n_lost, lost, sizeof(lost)));
	}
	client_reply_fini(&reply);
	return rc;
}
