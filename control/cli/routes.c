/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes.c - `routes lookup`, `count`, `add`, `del`. Listing is in routes_list.c.
 */
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

#include "client.h"
#include "format.h"
#include "render.h"
#include "route_words.h"

static const struct render_column columns_path[] = {
	{.key = "gateway", .header = "GATEWAY", .optional = true},
	{.key = "port", .header = "PORT"},
	{.key = "mac", .header = "MAC"},
	{.key = "vlan", .header = "VLAN", .optional = true},
	{.key = "svlan", .header = "SVLAN", .optional = true},
	{.key = "weight", .header = "WEIGHT", .kind = RENDER_COUNT, .optional = true},
	{.key = "buckets", .header = "BUCKETS", .kind = RENDER_COUNT, .optional = true},
	{.key = "resolved", .header = "RESOLVED", .kind = RENDER_YES},
};

static const struct render_column columns_count[] = {
	{.key = "source", .header = "SOURCE"},
	{.key = "ip4", .header = "IPv4", .kind = RENDER_COUNT},
	{.key = "ip6", .header = "IPv6", .kind = RENDER_COUNT},
	{.key = "rejected", .header = "NOT USABLE", .kind = RENDER_COUNT},
};

static bool lookup_missed(const json_t *r)
{
	return strcmp(render_string(r, "type", ""), "no_route") == 0;
}

static void lookup_print(const struct cli *cli, const json_t *r)
{
	const json_t *paths = json_object_get(r, "paths");

	render_fact(cli, "address", STYLE_BOLD, "%s", render_string(r, "address", "-"));
	if (lookup_missed(r)) {
		render_fact(cli, "route", STYLE_BAD, "none: packets are dropped as no_route");
		return;
	}
	if (render_string(r, "prefix", NULL))
		render_fact(cli, "prefix", STYLE_NONE, "%s", render_string(r, "prefix", "-"));
	if (render_string(r, "source", NULL))
		render_fact(cli, "source", STYLE_NONE, "%s%s%s", render_string(r, "source", "-"),
			    render_string(r, "protocol", NULL) ? "/" : "",
			    render_string(r, "protocol", ""));
	render_fact(cli, "type", STYLE_NONE, "%s", render_string(r, "type", "-"));
	render_fact(cli, "next hop", STYLE_NONE, "id %lld, slot %lld",
		    (long long)render_integer(r, "nexthop_id", 0),
		    (long long)render_integer(r, "slot", 0));
	if (json_array_size(paths) == 0)
		return;
	putchar('\n');
	render_table(cli, columns_path, DWCP_ARRAY_LEN(columns_path), paths, "");
}

int routes_lookup_run(struct cli *cli)
{
	struct client_reply reply;
	struct fib_addr addr;
	char text[ADDR_TEXT_MAX];
	u8 family;
	u64 vrf;
	int rc = args_number(cli, "vrf", 0, UINT32_MAX, 0, &vrf);

	if (rc == CLI_OK && addr_parse(cli->args[0], &addr, &family) < 0)
		rc = cli_error(cli, CLI_USAGE, "bad_argument", NULL,
			       "expected an IPv4 or IPv6 address, not '%s'", cli->args[0]);
	if (rc != CLI_OK)
		return rc;
	addr_format(family, &addr, text, sizeof(text));
	rc = client_get(cli, &reply, "/v1/routes/lookup?address=%s&vrf=%llu", text,
			(unsigned long long)vrf);
	if (rc != CLI_OK)
		return rc;
	if (cli->json)
		rc = render_json(reply.body, false);
	else
		lookup_print(cli, reply.body);
	if (rc == CLI_OK && lookup_missed(reply.body))
		rc = CLI_FAILED;
	client_reply_fini(&reply);
	return rc;
}

/* Sources that have something to say, in the order in which they beat each other. */
static json_t *count_rows(const json_t *by_source)
{
	json_t *rows = json_array(), *value, *row;
	const char *source;

	json_object_foreach ((json_t *)by_source, source, value) {
		if (!render_integer(value, "ip4", 0) && !render_integer(value, "ip6", 0) &&
		    !render_integer(value, "rejected", 0))
			continue;
		row = json_copy(value);
		json_object_set_new(row, "source", json_string(source));
		json_array_append_new(rows, row);
	}
	return rows;
}

int routes_count_run(struct cli *cli)
{
	struct client_reply reply;
	char ip4[FORMAT_MAX], ip6[FORMAT_MAX];
	json_t *rows;
	int rc = client_get(cli, &reply, "/v1/routes/count");

	if (rc != CLI_OK)
		return rc;
	if (cli->json) {
		rc = render_json(reply.body, false);
	} else {
		rows = count_rows(json_object_get(reply.body, "by_source"));
		printf("%s IPv4 and %s IPv6 routes in the table. By source, beaten ones too:\n\n",
		       format_count(render_integer(reply.body, "ip4", 0), ip4, sizeof(ip4)),
		       format_count(render_integer(reply.body, "ip6", 0), ip6, sizeof(ip6)));
		rc = render_table(cli, columns_count, DWCP_ARRAY_LEN(columns_count), rows,
				  "no source has routes");
		json_decref(rows);
	}
	client_reply_fini(&reply);
	return rc;
}

/* ---- changes ------------------------------------------------------------------------------------------------------ */

static int change_finish(struct cli *cli, struct client_reply *reply, const char *what,
			 const char *prefix)
{
	int rc = CLI_OK;

	if (reply->status >= 400)
		rc = client_reply_error(cli, reply);
	else if (cli->json)
		rc = render_json(reply->body, false);
	else
		printf("%s %s, intent revision %lld\n", what, prefix,
		       (long long)render_integer(reply->body, "intent_revision", 0));
	client_reply_fini(reply);
	return rc;
}

int routes_add_run(struct cli *cli)
{
	struct client_req req = {.method = "PUT", .path = "/v1/routes"};
	struct client_reply reply;
	char error[ROUTE_WORDS_ERROR_MAX];
	json_t *route;
	int rc;

	if (route_words_parse(cli->args, cli->n_args, &route, error) < 0)
		return cli_error(cli, CLI_USAGE, "bad_route",
				 "for example: 192.0.2.0/24 via 198.51.100.1 dev wan0", "%s",
				 error);
	req.body = route;
	rc = client_change(cli, &req, &reply);
	if (rc == CLI_OK)
		rc = change_finish(cli, &reply, "set",
				   json_string_value(json_object_get(route, "prefix")));
	json_decref(route);
	return rc;
}

int routes_del_run(struct cli *cli)
{
	struct fib_prefix prefix;
	struct client_req req = {.method = "DELETE"};
	struct client_reply reply;
	char text[ADDR_TEXT_MAX], escaped[3 * ADDR_TEXT_MAX], path[4 * ADDR_TEXT_MAX];
	u64 vrf;
	int rc = args_number(cli, "vrf", 0, UINT32_MAX, 0, &vrf);

	if (rc == CLI_OK && prefix_parse(cli->args[0], &prefix) < 0)
		rc = cli_error(cli, CLI_USAGE, "bad_argument", NULL,
			       "expected a prefix with no bits behind its length, not '%s'",
			       cli->args[0]);
	if (rc != CLI_OK)
		return rc;
	prefix_format(&prefix, text, sizeof(text));
	snprintf(path, sizeof(path), "/v1/routes?prefix=%s&vrf=%llu",
		 client_escape(text, escaped, sizeof(escaped)), (unsigned long long)vrf);
	req.path = path;
	rc = client_change(cli, &req, &reply);
	return rc == CLI_OK ? change_finish(cli, &reply, "deleted", text) : rc;
}
