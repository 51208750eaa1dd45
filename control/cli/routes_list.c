/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes_list.c - `routes list`: page by page, IPv4 then IPv6. Pages are printed as they come, so that a million routes
 * take no more memory than one page.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "render.h"
#include "route_words.h"

#define PAGE_ROUTES 1000 /* most at a time */
#define FIRST_IP6   "::"

struct list {
	struct cli *cli;
	const char *source;
	char after
		[80]; /* where the next page starts; "" = at the beginning, FIRST_IP6 = at that of IPv6 */
	u64 left; /* routes still wanted */
	u64 printed;
	bool opened; /* JSON: the list's head is out */
};

static void via_put(const json_t *row, FILE *out)
{
	char *text = route_via_format(row);

	fputs(text ? text : "?", out);
	free(text);
}

/* Least widths, so that pages after the first line up with it. */
static const struct render_column columns[] = {
	{.key = "prefix", .header = "PREFIX", .min_width = 18},
	{.key = "source", .header = "SOURCE", .min_width = 9, .rank = 2},
	{.key = "type", .header = "TYPE", .min_width = 11, .rank = 1},
	{.header = "NEXT HOPS", .format = via_put, .wrap = true},
};

static int list_ask(struct list *l, u32 family, u64 n, struct client_reply *ret_reply)
{
	char after[256], source[128];

	client_escape(strcmp(l->after, FIRST_IP6) == 0 ? "" : l->after, after, sizeof(after));
	client_escape(l->source ? l->source : "", source, sizeof(source));
	return client_get(l->cli, ret_reply, "/v1/routes?family=%u&limit=%llu%s%s%s%s", family,
			  (unsigned long long)n, *after ? "&after=" : "", after,
			  *source ? "&source=" : "", source);
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

/* One page; l->after says where the next one starts, "" when there is none. */
static int list_page(struct list *l, u32 family)
{
	struct client_reply reply;
	const json_t *rows;
	int rc = list_ask(l, family, DWCP_MIN(l->left, (u64)PAGE_ROUTES), &reply);

	if (rc != CLI_OK)
		return rc;
	rows = json_object_get(reply.body, "routes");
	rc = page_print(l, rows);
	l->printed += json_array_size(rows);
	l->left -= DWCP_MIN(l->left, json_array_size(rows));
	snprintf(l->after, sizeof(l->after), "%s", render_string(reply.body, "next", ""));
	/* a page that is empty but promises another would never end */
	if (json_array_size(rows) == 0)
		l->after[0] = 0;
	client_reply_fini(&reply);
	return rc;
}

static int list_family(struct list *l, u32 family)
{
	int rc;

	do {
		rc = list_page(l, family);
	} while (rc == CLI_OK && l->left && l->after[0]);
	return rc;
}

static int list_families(struct list *l)
{
	const char *family = args_value(l->cli, "family", 0);
	bool v6 = strchr(l->after, ':') || (family && *family == '6');
	int rc = CLI_OK;

	if (!v6)
		rc = list_family(l, 4);
	if (rc != CLI_OK || (!v6 && (family || l->after[0])))
		return rc;
	if (l->left)
		return list_family(l, 6);
	snprintf(l->after, sizeof(l->after), FIRST_IP6);
	return CLI_OK;
}

static void list_finish(struct list *l)
{
	json_t *next = l->after[0] ? json_string(l->after) : json_null();

	if (l->cli->json) {
		printf("%s],\n  \"next\": ", l->printed ? "\n  " : "");
		json_dumpf(next, stdout, JSON_ENCODE_ANY);
		printf("\n}\n");
	} else if (l->printed == 0) {
		printf("no routes\n");
	} else if (l->after[0]) {
		printf("more: --all, --limit N, or --after %s\n", l->after);
	}
	json_decref(next);
}

int routes_list_run(struct cli *cli)
{
	struct list l = {.cli = cli, .source = args_value(cli, "source", 0)};
	const char *after = args_value(cli, "after", 0);
	int rc = args_number(cli, "limit", 1, UINT32_MAX, args_flag(cli, "all") ? UINT64_MAX : 100,
			     &l.left);

	if (rc != CLI_OK)
		return rc;
	snprintf(l.after, sizeof(l.after), "%s", after ? after : "");
	rc = list_families(&l);
	/* a list broken off stays open, so that no program takes it for whole */
	if (rc == CLI_OK)
		list_finish(&l);
	return rc;
}
