/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables_check.c - `tables check`: a generation file through the very checks of the dataplane.
 */
#include <errno.h>
#include <string.h>

#include <dwcp/util/config.h>
#include <dwcp/util/generation.h>

#include "errors.h"
#include "format.h"
#include "render.h"
#include "sections.h"

static void check_facts(const struct cli *cli, const json_t *doc, const char *path)
{
	char age[FORMAT_MAX], size[FORMAT_MAX];

	render_fact(cli, "valid", STYLE_GOOD, "%s", path);
	render_fact(cli, "generation", STYLE_NONE, "%lld, made %s",
		    (long long)render_integer(doc, "generation", 0),
		    format_age((u64)render_integer(doc, "created_unix_ns", 0), age, sizeof(age)));
	render_fact(cli, "size", STYLE_NONE, "%s in %lld segments",
		    format_bytes((u64)render_integer(doc, "mapped_bytes", 0), size, sizeof(size)),
		    (long long)render_integer(doc, "segments", 0));
	render_fact(cli, "next hops", STYLE_NONE, "%lld, highest port index %lld",
		    (long long)render_integer(doc, "nexthops", 0),
		    (long long)render_integer(doc, "max_port", 0));
}

static int check_print(const struct cli *cli, const struct generation *g, const char *path)
{
	json_t *doc = json_pack("{s:s, s:b, s:I, s:I, s:I, s:i, s:I, s:I, s:o}", "path", path,
				"valid", 1, "generation", (json_int_t)g->number, "created_unix_ns",
				(json_int_t)g->manifest->created_unix_ns, "mapped_bytes",
				(json_int_t)g->mapped_bytes, "segments", (int)g->n_segments,
				"nexthops", (json_int_t)g->n_nexthop, "max_port",
				(json_int_t)g->max_port, "sections", sections_rows(g->manifest));
	int rc;

	if (!doc)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	if (cli->json) {
		rc = render_json(doc, false);
	} else {
		check_facts(cli, doc, path);
		putchar('\n');
		rc = sections_print(cli, json_object_get(doc, "sections"));
	}
	json_decref(doc);
	return rc;
}

/* Versions are told apart from damage: a file of another version is no fault of the disk. */
static int check_refused(const struct cli *cli, const char *path, const char *reason, int rc)
{
	char token[GENERATION_REASON_MAX];

	if (rc == -ENOENT && !*reason)
		return cli_error(cli, CLI_FAILED, "no_file", NULL, "%s: %s", path, strerror(-rc));
	if (!*reason)
		return cli_error(cli, CLI_FAILED, "unreadable", NULL, "%s: %s", path,
				 strerror(-rc));
	snprintf(token, sizeof(token), "%.*s", (int)strcspn(reason, " "), reason);
	if (strstr(token, "version"))
		return cli_error(cli, CLI_VERSION, token,
				 "write it again with 'dwcp-cli tables build'", "%s: refused: %s",
				 path, reason);
	return cli_error(cli, CLI_FAILED, token, "the dataplane would refuse it too",
			 "%s: refused: %s", path, reason);
}

/* The configuration's ports, by name; else --ports N; else as many as a next hop can name. */
static int check_limits(const struct cli *cli, struct generation_limits *ret_limits)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg;
	u64 n_ports;
	int rc = args_number(cli, "ports", 1, UINT16_MAX + 1, UINT16_MAX + 1, &n_ports);

	if (rc == CLI_OK && cli->config_path && !args_value(cli, "ports", 0)) {
		if (config_load(cli->config_path, &cfg, &errors) < 0) {
			rc = errors_report(cli, &errors, "config_invalid", cli->config_path);
		} else {
			n_ports = cfg->n_ports;
			ret_limits->ports_hash = cfg->ports_hash;
			config_free(cfg);
		}
		config_errors_fini(&errors);
	}
	ret_limits->n_ports = (u32)n_ports;
	return rc;
}

int tables_check_run(struct cli *cli)
{
	const struct segment_set_cfg set_cfg = {.max_bytes = UINT64_MAX,
						.max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	const char *path = cli->args[0];
	struct generation_limits limits = {0};
	char reason[GENERATION_REASON_MAX] = "";
	struct generation *g = NULL;
	struct segment_set *set;
	int rc = check_limits(cli, &limits);

	if (rc != CLI_OK)
		return rc;
	set = segment_set_create(&set_cfg);
	if (!set)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	rc = generation_load(set, path, &limits, &g, reason);
	rc = rc < 0 ? check_refused(cli, path, reason, rc) : check_print(cli, g, path);
	generation_close(g);
	segment_set_free(set);
	return rc;
}
