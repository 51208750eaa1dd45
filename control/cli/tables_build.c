/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables_build.c - `tables build`: configuration and route files → a generation file, by the agent's own builder, with
 * no agent. All inputs are read and all their errors collected before anything is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dwcp/util/rib.h>

#include "client.h"
#include "errors.h"
#include "format.h"
#include "render.h"
#include "sections.h"

#define MAX_REJECTED_SHOWN 20

struct build {
	const struct cli *cli;
	struct dwcp_config *cfg;
	struct rib *rib;
	struct config_errors errors;
	u64 n_read, routes_ns, publish_ns, write_ns, start_ns;
	const struct table_image *image;
};

static void progress(const struct build *b, const char *step, const char *what)
{
	if (!b->cli->json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s%s%s", step, *what ? " " : "", what);
}

/* Which routes of the list had no port for their gateway: each by its line. */
static void rejected_report(struct build *b, const char *path, u8 source,
			    const struct route_list *list, u64 n_rejected)
{
	u64 n = 0;

	for (u64 i = 0; i < list->n && n < n_rejected; i++) {
		char prefix[ADDR_TEXT_MAX];

		if (rib_route_set(b->rib, source, &list->routes[i]) != -EINVAL)
			continue;
		if (n++ < MAX_REJECTED_SHOWN)
			config_errors_add(&b->errors, "%s:%u: %s: its gateway is on no port", path,
					  list->routes[i].line,
					  prefix_format(&list->routes[i].prefix, prefix,
							sizeof(prefix)));
	}
	if (n > MAX_REJECTED_SHOWN)
		config_errors_add(&b->errors, "%s: and %llu more routes like these", path,
				  (unsigned long long)(n - MAX_REJECTED_SHOWN));
}

static int build_source(struct build *b, const char *path, u8 source, const struct route_list *list)
{
	u64 n_rejected = 0;
	int rc = rib_source_replace(b->rib, source, list->routes, list->n, &n_rejected);

	b->n_read += list->n;
	if (rc == 0 && n_rejected)
		rejected_report(b, path, source, list, n_rejected);
	return rc;
}

static int build_file(struct build *b, const char *path, u32 index)
{
	struct route_list list = {0};
	int rc;

	if (RIB_FILE + index >= RIB_N_SOURCES) {
		config_errors_add(&b->errors, "%s: more than %d route files", path,
				  RIB_N_SOURCES - RIB_FILE);
		return 0;
	}
	progress(b, "reading", path);
	if (route_file_load(path, b->cfg, &list, &b->errors) < 0)
		return 0; /* said in the errors; the next file may have some too */
	rc = build_source(b, path, (u8)(RIB_FILE + index), &list);
	route_list_fini(&list);
	return rc;
}

static int build_routes(struct build *b)
{
	const struct route_list fixed = {.routes = (struct route_cfg *)b->cfg->routes,
					 .n = b->cfg->n_routes};
	const char *path;
	u32 n = 0;
	int rc = rib_configure(b->rib, b->cfg);

	if (rc == 0)
		rc = build_source(b, b->cfg->path, RIB_STATIC, &fixed);
	for (u32 i = 0; rc == 0 && i < b->cfg->n_route_files; i++)
		rc = build_file(b, b->cfg->route_files[i].path, n++);
	for (u32 i = 0; rc == 0 && (path = args_value(b->cli, "routes", i)); i++)
		rc = build_file(b, path, n++);
	b->routes_ns = client_now_ns() - b->start_ns;
	return rc;
}

static int build_publish(struct build *b, u64 generation)
{
	struct manifest_cfg cfg = {.generation = generation,
				   .ports_hash = b->cfg->ports_hash,
				   .created_unix_ns = format_now_unix_ns()};
	u64 start_ns = client_now_ns();
	int rc;

	progress(b, "building", "");
	rc = rib_publish(b->rib, &cfg, &b->image);
	b->publish_ns = client_now_ns() - start_ns;
	return rc;
}

static int build_write(struct build *b, const char *path)
{
	u32 n = b->image->manifest->n_segments;
	int *fds = calloc(n + 1, sizeof(*fds)), rc;
	u64 start_ns = client_now_ns();

	if (!fds)
		return -ENOMEM;
	progress(b, "writing", path);
	for (u32 i = 0; i < n; i++)
		fds[i] = b->image->segments[i].fd;
	rc = generation_file_write(b->image->manifest, fds, path);
	b->write_ns = client_now_ns() - start_ns;
	free(fds);
	return rc;
}

static json_t *build_doc(const struct build *b, const char *path)
{
	const struct dwcp_manifest *m = b->image->manifest;
	json_t *doc =
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:o}", "path", path, "generation",
			  (json_int_t)m->generation, "routes_read", (json_int_t)b->n_read, "ip4",
			  (json_int_t)rib_count(b->rib, FIB_IP4), "ip6",
			  (json_int_t)rib_count(b->rib, FIB_IP6), "bytes",
			  (json_int_t)b->image->total_bytes, "segments", (int)m->n_segments,
			  "sections", sections_rows(m));

	if (doc)
		json_object_set_new(doc, "took_us",
				    json_pack("{s:I, s:I, s:I, s:I}", "routes",
					      (json_int_t)(b->routes_ns / 1000), "tables",
					      (json_int_t)(b->publish_ns / 1000), "write",
					      (json_int_t)(b->write_ns / 1000), "total",
					      (json_int_t)((client_now_ns() - b->start_ns) /
							   1000)));
	return doc;
}

static void took_print(const struct cli *cli, const json_t *doc)
{
	static const char *const keys[] = {"took_us.routes", "took_us.tables", "took_us.write",
					   "took_us.total"};
	char t[DWCP_ARRAY_LEN(keys)][FORMAT_MAX];

	for (u32 i = 0; i < DWCP_ARRAY_LEN(keys); i++)
		format_us((u64)render_integer(doc, keys[i], 0), t[i], sizeof(t[i]));
	render_fact(cli, "took", STYLE_NONE, "%s: routes %s, tables %s, writing %s", t[3], t[0],
		    t[1], t[2]);
}

static int build_print(const struct build *b, const char *path)
{
	const struct cli *cli = b->cli;
	json_t *doc = build_doc(b, path);
	char n[3][FORMAT_MAX];
	int rc;

	if (!doc)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	if (cli->json) {
		rc = render_json(doc, false);
	} else {
		render_fact(cli, "written", STYLE_BOLD, "%s, generation %lld", path,
			    (long long)render_integer(doc, "generation", 0));
		render_fact(cli, "routes", STYLE_NONE,
			    "%s IPv4, %s IPv6 in the table, from %s read",
			    format_count(render_integer(doc, "ip4", 0), n[0], sizeof(n[0])),
			    format_count(render_integer(doc, "ip6", 0), n[1], sizeof(n[1])),
			    format_count(render_integer(doc, "routes_read", 0), n[2],
					 sizeof(n[2])));
		render_fact(cli, "size", STYLE_NONE, "%s in %lld segments",
			    format_bytes(b->image->total_bytes, n[0], sizeof(n[0])),
			    (long long)render_integer(doc, "segments", 0));
		took_print(cli, doc);
		putchar('\n');
		rc = sections_print(cli, json_object_get(doc, "sections"));
	}
	json_decref(doc);
	return rc;
}

/* Return: an exit code; everything is said. */
static int build_all(struct build *b, const char *config, const char *output, u64 generation)
{
	struct rib_cfg rib_cfg = {.huge = false};
	int rc = config_load(config, &b->cfg, &b->errors);

	if (rc < 0)
		return errors_report(b->cli, &b->errors, "input_invalid", "nothing written");
	rib_cfg.chunk_bytes = b->cfg->agent.chunk_kb * 1024;
	b->rib = rib_create(&rib_cfg);
	rc = b->rib ? build_routes(b) : -ENOMEM;
	if (rc == 0 && b->errors.n == 0)
		rc = build_publish(b, generation);
	if (rc == 0 && b->errors.n == 0)
		rc = build_write(b, output);
	progress(b, "", "");
	if (b->errors.n)
		return errors_report(b->cli, &b->errors, "input_invalid", "nothing written");
	if (rc < 0)
		return cli_error(b->cli, CLI_FAILED, "build_failed", "nothing written", "%s: %s",
				 output, strerror(-rc));
	return build_print(b, output);
}

int tables_build_run(struct cli *cli)
{
	struct build b = {.cli = cli, .start_ns = client_now_ns()};
	const char *config = cli->config_path ? cli->config_path : args_value(cli, "config", 0);
	const char *output = args_value(cli, "output", 0);
	u64 generation;
	int rc = args_number(cli, "generation", 1, INT64_MAX, 1, &generation);

	if (rc != CLI_OK)
		return rc;
	if (!config || !output)
		return cli_error(cli, CLI_USAGE, "missing_option", NULL,
				 "tables build needs --%s FILE", config ? "output" : "config");
	rc = build_all(&b, config, output, generation);
	rib_free(b.rib);
	config_free(b.cfg);
	config_errors_fini(&b.errors);
	return rc;
}
