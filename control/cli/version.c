/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * version.c - `version`: this program and those it talks to. All three come from one package: another version there
 * means a half-done upgrade.
 */
#include <errno.h>
#include <string.h>

#include "client.h"
#include "render.h"

static const char *const programs[CLIENT_N_PEERS] = {"dwcp-agent", "dwcp-dataplane"};

static const struct render_column columns[] = {
	{.key = "program", .header = "PROGRAM"},
	{.key = "version", .header = "VERSION"},
	{.key = "state", .header = "STATE", .wrap = true},
};

/* Return: does the row say that somebody answers with another version? */
static bool version_ask(struct cli *cli, enum client_peer peer, json_t *rows)
{
	struct client_req req = {.method = "GET", .path = "/v1/status", .timeout_ms = 2000};
	struct client_reply reply;
	const char *version;
	char state[128];
	bool other;
	int rc = client_send(cli, peer, &req, &reply);

	if (rc < 0) {
		if (rc == -EPROTO)
			snprintf(state, sizeof(state),
				 "answers, but not with version 1 of the API");
		else
			snprintf(state, sizeof(state), "not reachable: %s", strerror(-rc));
		json_array_append_new(rows, json_pack("{s:s, s:n, s:s}", "program", programs[peer],
						      "version", "state", state));
		return rc == -EPROTO;
	}
	version = render_string(reply.body, "version", "?");
	other = strcmp(version, CLI_VERSION_TEXT) != 0;
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "program",
					      render_string(reply.body, "program", programs[peer]),
					      "version", version, "state",
					      other ? "OTHER VERSION" : "running"));
	client_reply_fini(&reply);
	return other;
}

int version_run(struct cli *cli)
{
	json_t *rows = json_pack("[{s:s, s:s, s:s}]", "program", "dwcp-cli", "version",
				 CLI_VERSION_TEXT, "state", "this program");
	json_t *doc = json_pack("{s:i, s:o}", "api", 1, "programs", rows);
	bool other = false;
	int rc;

	if (!doc)
		return cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	other |= version_ask(cli, CLIENT_AGENT, rows);
	if (!cli->socket_path)
		other |= version_ask(cli, CLIENT_DATAPLANE, rows);
	rc = cli->json ? render_json(doc, false)
		       : render_table(cli, columns, DWCP_ARRAY_LEN(columns), rows, "");
	json_decref(doc);
	if (other && rc == CLI_OK)
		rc = cli_error(cli, CLI_VERSION, "other_version", "restart what was upgraded",
			       "not all programs are of version %s", CLI_VERSION_TEXT);
	return rc;
}
