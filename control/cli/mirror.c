/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror.c - `routes mirror`: how well the kernel's routes are followed, and what of them is not ours.
 */
#include "mirror.h"

#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"

static const struct render_column columns_table[] = {
	{.key = "name", .header = "TABLE"},
	{.key = "vrf", .header = "VRF"},
	{.key = "ip4", .header = "IPv4", .kind = RENDER_COUNT},
	{.key = "ip6", .header = "IPv6", .kind = RENDER_COUNT},
};

static const char *count(const json_t *m, const char *path, char *buf)
{
	return format_count(render_integer(m, path, 0), buf, FORMAT_MAX);
}

static bool is(const json_t *m, const char *state)
{
	return strcmp(render_string(m, "state", ""), state) == 0;
}

void mirror_line_print(const struct cli *cli, const json_t *m)
{
	char ip4[FORMAT_MAX], ip6[FORMAT_MAX], more[FORMAT_MAX], text[FORMAT_MAX + 40] = "";

	if (!json_is_object(m) || is(m, "off") || is(m, "no_twins"))
		return;
	if (render_integer(m, "pending", 0))
		snprintf(text, sizeof(text), ", %s under way", count(m, "pending", more));
	render_fact(cli, "kernel", is(m, "following") ? STYLE_NONE : STYLE_WARN,
		    "%s, %s IPv4 and %s IPv6 routes%s", render_string(m, "state", "?"),
		    count(m, "ip4", ip4), count(m, "ip6", ip6), text);
}

static void state_print(const struct cli *cli, const json_t *m)
{
	char a[FORMAT_MAX], b[FORMAT_MAX];

	render_fact(cli, "state", is(m, "following") ? STYLE_GOOD : STYLE_WARN, "%s%s",
		    render_string(m, "state", "?"),
		    json_is_true(json_object_get(m, "comparing")) ? ", comparing" : "");
	if (is(m, "off"))
		return;
	render_fact(cli, "twins", STYLE_NONE, "%s of %s interfaces", count(m, "twins", a),
		    count(m, "netlink.links", b));
	render_fact(cli, "routes", STYLE_NONE, "%s IPv4 and %s IPv6 in the table",
		    count(m, "ip4", a), count(m, "ip6", b));
	render_fact(cli, "pending", STYLE_NONE, "%s", count(m, "pending", a));
	render_fact(cli, "elsewhere", STYLE_NONE,
		    "%s of them unreachable: by an interface that is no twin, or a tunnel",
		    count(m, "elsewhere", a));
}

static void ago_print(const struct cli *cli, const char *label, const json_t *m, const char *key)
{
	char text[FORMAT_MAX];

	if (json_is_integer(json_object_get(m, key)))
		render_fact(cli, label, STYLE_NONE, "%s ago",
			    format_span((u64)render_integer(m, key, 0), text, sizeof(text)));
	else
		render_fact(cli, label, STYLE_NONE, "not yet");
}

static void agreement_print(const struct cli *cli, const json_t *m)
{
	char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

	ago_print(cli, "read whole", m, "read_s_ago");
	ago_print(cli, "compared", m, "compared_s_ago");
	render_fact(cli, "divergence", render_integer(m, "divergence", 0) ? STYLE_WARN : STYLE_NONE,
		    "%s prefixes in %s comparisons; %s that the kernel changed silently with a "
		    "link",
		    count(m, "divergence", a), count(m, "reconciles", b),
		    count(m, "silent_changes", c));
	render_fact(cli, "messages", STYLE_NONE, "%s, of these malformed %s",
		    count(m, "netlink.messages", a), count(m, "netlink.malformed", b));
	render_fact(cli, "overruns",
		    render_integer(m, "netlink.overruns", 0) ? STYLE_WARN : STYLE_NONE,
		    "%s (messages lost), read again %s times", count(m, "netlink.overruns", a),
		    count(m, "netlink.resyncs", b));
	render_fact(cli, "memory", STYLE_NONE, "%s bytes; receive buffer %s bytes",
		    count(m, "memory_bytes", a), count(m, "netlink.receive_buffer_bytes", b));
}

static void skipped_print(const struct cli *cli, const json_t *m)
{
	const char *reason, *label = "not mirrored";
	char text[FORMAT_MAX];
	json_t *n;

	json_object_foreach (json_object_get(m, "skipped"), reason, n) {
		if (!json_integer_value(n))
			continue;
		render_fact(cli, label, STYLE_NONE, "%s: %s", reason,
			    format_count(json_integer_value(n), text, sizeof(text)));
		label = "";
	}
}

int routes_mirror_run(struct cli *cli)
{
	struct client_reply reply;
	int rc = client_get(cli, &reply, "/v1/routes/mirror");

	if (rc != CLI_OK)
		return rc;
	if (cli->json) {
		rc = render_json(reply.body, false);
	} else {
		state_print(cli, reply.body);
		if (!is(reply.body, "off")) {
			agreement_print(cli, reply.body);
			skipped_print(cli, reply.body);
			putchar('\n');
			rc = render_table(cli, columns_table, DWCP_ARRAY_LEN(columns_table),
					  json_object_get(reply.body, "tables"), "no tables");
		}
	}
	client_reply_fini(&reply);
	return rc;
}
