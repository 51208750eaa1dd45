/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - `config check`, `show`, `reload`. Checking is the loader of agent and dataplane itself, run here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

#include "client.h"
#include "errors.h"
#include "format.h"
#include "render.h"

#define CONFIG_PATH_DEFAULT "/etc/dwcp/dwcp.conf"

static const struct render_column columns_reload[] = {
	{.key = "section", .header = "SECTION"},
	{.key = "change", .header = "CHANGE"},
};

static const struct render_column columns_check[] = {
	{.key = "what", .header = "CONTENT"},
	{.key = "count", .header = "COUNT", .kind = RENDER_COUNT},
};

static const char *config_path(const struct cli *cli)
{
	if (cli->n_args)
		return cli->args[0];
	return cli->config_path ? cli->config_path : CONFIG_PATH_DEFAULT;
}

/* ---- check -------------------------------------------------------------------------------------------------------- */

static json_t *check_rows(const struct dwcp_config *cfg, u64 n_file_routes)
{
	return json_pack("[{s:s, s:i}, {s:s, s:i}, {s:s, s:i}, {s:s, s:i}, {s:s, s:i}, {s:s, s:I}]",
			 "what", "workers", "count", (int)cfg->dataplane.n_workers, "what", "ports",
			 "count", (int)cfg->n_ports, "what", "neighbours", "count",
			 (int)cfg->n_neighbours, "what", "static routes", "count",
			 (int)cfg->n_routes, "what", "route files", "count",
			 (int)cfg->n_route_files, "what", "routes in them", "count",
			 (json_int_t)n_file_routes);
}

static int check_print(const struct cli *cli, const struct dwcp_config *cfg, u64 n_file_routes)
{
	json_t *rows = check_rows(cfg, n_file_routes), *doc;
	char hash[24];
	int rc;

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)cfg->hash);
	doc = json_pack("{s:s, s:s, s:b, s:o}", "path", cfg->path, "hash", hash, "valid", 1,
			"content", rows);
	if (!doc)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	if (cli->json) {
		rc = render_json(doc, false);
	} else {
		printf("%s: valid\n\n", cfg->path);
		rc = render_table(cli, columns_check, DWCP_ARRAY_LEN(columns_check), rows, "");
	}
	json_decref(doc);
	return rc;
}

static u64 check_route_files(const struct dwcp_config *cfg, struct config_errors *errors)
{
	u64 n = 0;

	for (u32 i = 0; i < cfg->n_route_files; i++) {
		struct route_list list = {0};

		if (route_file_load(cfg->route_files[i].path, cfg, &list, errors) < 0)
			continue;
		n += list.n;
		route_list_fini(&list);
	}
	return n;
}

int config_check_run(struct cli *cli)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg = NULL;
	const char *path = config_path(cli);
	u64 n_file_routes = 0;
	int rc = config_load(path, &cfg, &errors);

	if (rc == 0)
		n_file_routes = check_route_files(cfg, &errors);
	if (rc < 0 || errors.n)
		rc = errors_report(cli, &errors, "config_invalid", path);
	else
		rc = check_print(cli, cfg, n_file_routes);
	config_free(cfg);
	config_errors_fini(&errors);
	return rc;
}

/* ---- show --------------------------------------------------------------------------------------------------------- */

static int text_print(const struct cli *cli, const char *path, const char *text)
{
	json_t *doc;
	int rc;

	if (!cli->json) {
		fputs(text, stdout);
		return CLI_OK;
	}
	doc = json_pack("{s:s?, s:s}", "path", path, "text", text);
	if (!doc)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory, or not UTF-8");
	rc = render_json(doc, false);
	json_decref(doc);
	return rc;
}

/* What config_print() or, without @cfg, config_reference() writes. */
static int printed_print(const struct cli *cli, const struct dwcp_config *cfg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc = f ? 0 : -ENOMEM;

	if (f) {
		rc = cfg ? config_print(cfg, f) : config_reference(f);
		if (fclose(f) != 0)
			rc = -ENOMEM;
	}
	if (rc == 0)
		rc = text_print(cli, cfg ? cfg->path : NULL, text);
	else
		rc = cli_error(cli, CLI_FAILED, "no_memory", NULL, "cannot print: %s",
			       strerror(-rc));
	free(text);
	return rc;
}

/* @text NULL: from the file at @path. */
static int effective_print(const struct cli *cli, const char *path, const char *text)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg = NULL;
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int rc;

	if (slash)
		*slash = 0;
	if (text)
		rc = config_parse(text, strlen(text), path, slash ? dir : "/", &cfg, &errors);
	else
		rc = config_load(path, &cfg, &errors);
	rc = rc < 0 ? errors_report(cli, &errors, "config_invalid", path) : printed_print(cli, cfg);
	config_free(cfg);
	config_errors_fini(&errors);
	free(dir);
	return rc;
}

static int file_print(const struct cli *cli, const char *path)
{
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return cli_error(cli, CLI_FAILED, "no_file", NULL, "%s: %s", path, strerror(errno));
	/* a text file has no 0 in it: up to there is all of it */
	if (getdelim(&text, &cap, 0, f) < 0 && ferror(f))
		rc = cli_error(cli, CLI_FAILED, "no_file", NULL, "%s: %s", path, strerror(errno));
	else
		rc = text_print(cli, path, text ? text : "");
	fclose(f);
	free(text);
	return rc;
}

int config_show_run(struct cli *cli)
{
	bool effective = args_flag(cli, "effective");
	struct client_reply reply;
	const char *text, *path;
	int rc;

	if (args_flag(cli, "reference"))
		return printed_print(cli, NULL);
	if (cli->n_args)
		return effective ? effective_print(cli, cli->args[0], NULL)
				 : file_print(cli, cli->args[0]);
	rc = client_get(cli, &reply, "/v1/config");
	if (rc != CLI_OK)
		return rc;
	text = render_string(reply.body, "text", "# not UTF-8\n");
	path = render_string(reply.body, "path", CONFIG_PATH_DEFAULT);
	if (effective)
		rc = effective_print(cli, path, text);
	else if (cli->json)
		rc = render_json(reply.body, false);
	else
		fputs(text, stdout);
	client_reply_fini(&reply);
	return rc;
}

/* ---- reload ------------------------------------------------------------------------------------------------------- */

static int reload_errors(const struct cli *cli, const json_t *body)
{
	struct config_errors errors = {0};
	size_t i;
	json_t *text;
	int rc;

	json_array_foreach (json_object_get(body, "errors"), i, text)
		config_errors_add(&errors, "%s",
				  json_string_value(text) ? json_string_value(text) : "?");
	rc = errors_report(cli, &errors, "config_invalid", "nothing changed");
	config_errors_fini(&errors);
	return rc;
}

static int reload_print(const struct cli *cli, const json_t *body)
{
	int rc = render_table(cli, columns_reload, DWCP_ARRAY_LEN(columns_reload),
			      json_object_get(body, "sections"), "nothing changed");
	s64 n_rejected = render_integer(body, "routes_rejected", 0);
	char text[FORMAT_MAX];

	if (n_rejected > 0)
		cli_note(cli, "routes_rejected",
			 "%s routes are not used: their gateway is on no port",
			 format_count(n_rejected, text, sizeof(text)));
	return rc;
}

int config_reload_run(struct cli *cli)
{
	struct client_req req = {.method = "POST", .path = "/v1/config/reload"};
	struct client_reply reply;
	int rc = client_change(cli, &req, &reply);

	if (rc != CLI_OK)
		return rc;
	if (reply.status == 422 && json_array_size(json_object_get(reply.body, "errors")))
		rc = reload_errors(cli, reply.body);
	else if (reply.status >= 400)
		rc = client_reply_error(cli, &reply);
	else if (cli->json)
		rc = render_json(reply.body, false);
	else
		rc = reload_print(cli, reply.body);
	client_reply_fini(&reply);
	return rc;
}
