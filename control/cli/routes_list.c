/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes_list.c - `routes list`: page by page, in the agent's order. Pages are printed as they come, so that a million
 * routes take no more memory than one page.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "render.h"
#include "route_words.h"

#define PAGE_ROUTES 1000 /* the most that the agent gives at a time */

/* Where the next page starts. */
struct list_place {
	char prefix[80]; /* "" = at the beginning */
	u64 vrf;
};

struct list {
	struct cli *cli;
	const char *family, *source, *protocol; /* NULL = all */
	struct list_place after;
	u64 left; /* routes still wanted */
	u64 printed;
	bool opened; /* JSON: the list's head is out */
};

static void prefix_put(const json_t *row, FILE *out)
{
	s64 vrf = render_integer(row, "vrf", 0);

	fputs(render_string(row, "prefix", "?"), out);
	if (vrf)
		fprintf(out, " vrf %lld", (long long)vrf);
}

/* Of the kernel's routes also who gave them to it. */
static void source_put(const json_t *row, FILE *out)
{
	const char *protocol = render_string(row, "protocol", NULL);

	fputs(render_string(row, "source", "?"), out);
	if (protocol)
		fprintf(out, "/%s", protocol);
}

static void via_put(const json_t *row, FILE *out)
{
	char *text = route_via_format(row);

	fputs(text ? text : "?", out);
	free(text);
}

/* Least widths, so that pages after the first line up with it. */
static const struct render_column columns[] = {
	{.header = "PREFIX", .format = prefix_put, .min_width = 18},
	{.header = "SOURCE", .format = source_put, .min_width = 11, .rank = 2},
	{.key = "type", .header = "TYPE", .min_width = 11, .rank = 1},
	{.header = "NEXT HOPS", .format = via_put, .wrap = true},
};

static int query_add(char *path, size_t len, int at, const char *name, const char *value)
{
	char escaped[256];

	if (!value || !*value || at < 0 || (size_t)at >= len)
		return at;
	return at + snprintf(path + at, len - (size_t)at, "&%s=%s", name,
			     client_escape(value, escaped, sizeof(escaped)));
}

static int list_ask(struct list *l, struct client_reply *ret_reply)
{
	char path[1024], vrf[24] = "";
	int at = snprintf(path, sizeof(path), "/v1/routes?limit=%llu",
			  (unsigned long long)DWCP_MIN(l->left, (u64)PAGE_ROUTES));

	if (l->after.vrf)
		snprintf(vrf, sizeof(vrf), "%llu", (unsigned long long)l->after.vrf);
	at = query_add(path, sizeof(path), at, "family", l->family);
	at = query_add(path, sizeof(path), at, "source", l->source);
	at = query_add(path, sizeof(path), at, "protocol", l->protocol);
	at = query_add(path, sizeof(path), at, "after", l->after.prefix);
	query_add(path, sizeof(path), at, "vrf", vrf);
	return client_get(l->cli, ret_reply, "%s", path);
}

static void page_print_json(struct list *l, const json_t *rows)
{
	size_t i;
	json_t *row;

	if (!l->opened)
		fputs("{\n  \"routes\": [", stdout);
	l->opened = true;
	json_array_foreach ((json_t *)rows, i, row) {
		fputs(l->printed + i ? ",\n    " : "\n    ", stdout);
		json_dumpf(row, stdout, 0);
	}
}

static int page_print(struct list *l, const json_t *rows)
{
	if (l->cli->json)
		page_print_json(l, rows);
	else if (json_array_size(rows))
		return render_rows(l->cli, columns, DWCP_ARRAY_LEN(columns), rows, l->printed == 0);
	return CLI_OK;
}

/* A page may be empty and still say where to go on (a rare source in a full table), but it must get on. */
static void list_advance(struct list *l, const json_t *body)
{
	struct list_place next = {.vrf = (u64)render_integer(body, "next_vrf", 0)};

	snprintf(next.prefix, sizeof(next.prefix), "%s", render_string(body, "next", ""));
	if (next.vrf == l->after.vrf && strcmp(next.prefix, l->after.prefix) == 0)
		next.prefix[0] = 0;
	l->after = next;
}

static int list_page(struct list *l)
{
	struct client_reply reply;
	const json_t *rows;
	int rc = list_ask(l, &reply);

	if (rc != CLI_OK)
		return rc;
	rows = json_object_get(reply.body, "routes");
	rc = page_print(l, rows);
	l->printed += json_array_size(rows);
	l->left -= DWCP_MIN(l->left, json_array_size(rows));
	list_advance(l, reply.body);
	client_reply_fini(&reply);
	return rc;
}

static void list_finish(struct list *l)
{
	json_t *next = l->after.prefix[0] ? json_string(l->after.prefix) : json_null();
	const char *vrf = l->after.vrf ? " --vrf " : "";

	if (l->cli->json) {
		printf("%s],\n  \"next\": ", l->printed ? "\n  " : "");
		json_dumpf(next, stdout, JSON_ENCODE_ANY);
		printf(",\n  \"next_vrf\": %llu\n}\n", (unsigned long long)l->after.vrf);
	} else if (l->printed == 0) {
		printf("no routes\n");
	} else if (l->after.prefix[0]) {
		printf("more: --all, --limit N, or --after %s%s", l->after.prefix, vrf);
		if (*vrf)
			printf("%llu", (unsigned long long)l->after.vrf);
		putchar('\n');
	}
	json_decref(next);
}

int routes_list_run(struct cli *cli)
{
	struct list l = {.cli = cli,
			 .family = args_value(cli, "family", 0),
			 .source = args_value(cli, "source", 0),
			 .protocol = args_value(cli, "protocol", 0)};
	const char *after = args_value(cli, "after", 0);
	int rc = args_number(cli, "limit", 1, UINT32_MAX, args_flag(cli, "all") ? UINT64_MAX : 100,
			     &l.left);

	if (rc == CLI_OK)
		rc = args_number(cli, "vrf", 0, UINT32_MAX, 0, &l.after.vrf);
	if (rc != CLI_OK)
		return rc;
	snprintf(l.after.prefix, sizeof(l.after.prefix), "%s", after ? after : "");
	do {
		rc = list_page(&l);
	} while (rc == CLI_OK && l.left && l.after.prefix[0]);
	/* a list broken off stays open, so that no program takes it for whole */
	if (rc == CLI_OK)
		list_finish(&l);
	return rc;
}
