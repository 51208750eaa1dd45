/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.c - what a command does with a request: agent first, the dataplane in its place, revisions of mutations, and
 * every failure said in words that help.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

/* With a peer that can stand in, don't make people wait for one that hangs. */
#define GET_DATAPLANE_MS 3000
#define GET_MS		 30000
#define CHANGE_MS	 120000 /* a reload reads route files of a million lines */

static const char *const peer_names[CLIENT_N_PEERS] = {"agent", "dataplane"};

static const char *peer_name(const struct cli *cli, enum client_peer peer)
{
	return cli->socket_path ? "peer" : peer_names[peer];
}

int client_unreachable(const struct cli *cli, enum client_peer peer, int rc)
{
	char path[512], hint[160];
	const char *name = peer_name(cli, peer);

	client_socket(cli, peer, path, sizeof(path));
	if (rc == -EPROTO)
		return cli_error(cli, CLI_VERSION, "not_this_api", "compare 'dwcp-cli version'",
				 "what answers at %s does not speak version 1 of this API", path);
	if (rc == -EACCES || rc == -EPERM)
		return cli_error(cli, CLI_NOT_CONNECTED, "no_permission",
				 "be root, or in the group of agent.socket_gid", "%s: %s", path,
				 strerror(-rc));
	if (rc == -ETIMEDOUT)
		return cli_error(cli, CLI_NOT_CONNECTED, "no_answer",
				 "it is alive but stuck: see its log",
				 "%s accepted, but did not answer in time", path);
	if (rc == -EIO)
		return cli_error(cli, CLI_NOT_CONNECTED, "no_answer", "see its log",
				 "%s broke the connection off without an answer", path);
	if (cli->socket_path)
		snprintf(hint, sizeof(hint), "is there a server at this path?");
	else
		snprintf(hint, sizeof(hint),
			 "is it running? 'systemctl status dwcp-%s'; other sockets: --run-dir DIR",
			 name);
	return cli_error(cli, CLI_NOT_CONNECTED, "not_connected", hint, "%s not reachable: %s: %s",
			 name, path, strerror(-rc));
}

int client_both_unreachable(const struct cli *cli, int rc_agent, int rc_dataplane)
{
	char agent[512], dataplane[512];

	client_socket(cli, CLIENT_AGENT, agent, sizeof(agent));
	client_socket(cli, CLIENT_DATAPLANE, dataplane, sizeof(dataplane));
	return cli_error(cli, CLI_NOT_CONNECTED, "not_connected",
			 "are they running? 'systemctl status dwcp-agent dwcp-dataplane'; other "
			 "sockets: --run-dir DIR",
			 "neither agent nor dataplane is reachable: %s: %s; %s: %s", agent,
			 strerror(-rc_agent), dataplane, strerror(-rc_dataplane));
}

int client_reply_error(const struct cli *cli, const struct client_reply *reply)
{
	const char *token = json_string_value(json_object_get(reply->body, "error"));
	const char *message = json_string_value(json_object_get(reply->body, "message"));
	const char *hint = json_string_value(json_object_get(reply->body, "hint"));
	enum cli_exit code = CLI_FAILED;

	/* a path or method that we know and it doesn't: it is of another time */
	if (token &&
	    (strcmp(token, "path_unknown") == 0 || strcmp(token, "method_not_allowed") == 0)) {
		code = CLI_VERSION;
		hint = "it is of another version than this program: compare 'dwcp-cli version'";
	}
	return cli_error(cli, code, token ? token : "http_error", hint, "%s (%s, status %ld)",
			 message ? message : "refused", peer_name(cli, reply->peer), reply->status);
}

static int reply_check(const struct cli *cli, struct client_reply *reply)
{
	int rc = CLI_OK;

	if (reply->status >= 400) {
		rc = client_reply_error(cli, reply);
		client_reply_fini(reply);
	}
	return rc;
}

/* Is the dataplane asked in the agent's place? Not when the agent refused us: it is there. */
static bool call_falls_back(const struct cli *cli, int rc)
{
	return cli->command->dataplane && !cli->socket_path && rc != -EACCES && rc != -EPERM &&
	       rc != -ENOMEM;
}

static void fallback_note(struct cli *cli, const char *why)
{
	if (!cli->fallback_noted)
		cli_note(cli, "answered_by_dataplane", "%s: answered by the dataplane", why);
	cli->fallback_noted = true;
}

/* The agent is there, but is not connected to the dataplane, which may well answer for itself. */
static void call_unavailable(struct cli *cli, const struct client_req *req,
			     struct client_reply *reply)
{
	struct client_reply other;

	if (!call_falls_back(cli, 0) || client_send(cli, CLIENT_DATAPLANE, req, &other) < 0)
		return;
	if (other.status >= 400) {
		client_reply_fini(&other);
		return;
	}
	fallback_note(cli, "agent has no connection to the dataplane");
	client_reply_fini(reply);
	*reply = other;
}

int client_get(struct cli *cli, struct client_reply *ret_reply, const char *path_fmt, ...)
{
	char path[1536];
	struct client_req req = {.method = "GET", .path = path};
	va_list args;
	int rc, rc_dataplane;

	va_start(args, path_fmt);
	vsnprintf(path, sizeof(path), path_fmt, args);
	va_end(args);
	req.timeout_ms = cli->command->dataplane ? GET_DATAPLANE_MS : GET_MS;
	rc = client_send(cli, CLIENT_AGENT, &req, ret_reply);
	if (rc == 0) {
		if (ret_reply->status == 503)
			call_unavailable(cli, &req, ret_reply);
		return reply_check(cli, ret_reply);
	}
	if (!call_falls_back(cli, rc))
		return client_unreachable(cli, CLIENT_AGENT, rc);
	rc_dataplane = client_send(cli, CLIENT_DATAPLANE, &req, ret_reply);
	if (rc_dataplane == -EACCES || rc_dataplane == -EPROTO)
		return client_unreachable(cli, CLIENT_DATAPLANE, rc_dataplane);
	if (rc_dataplane < 0)
		return client_both_unreachable(cli, rc, rc_dataplane);
	fallback_note(cli, "agent not reachable");
	return reply_check(cli, ret_reply);
}

static int revision_read(struct cli *cli, char *buf, size_t len)
{
	struct client_req req = {.method = "GET", .path = "/v1/status", .timeout_ms = GET_MS};
	struct client_reply reply;
	const json_t *revision;
	int rc = client_send(cli, CLIENT_AGENT, &req, &reply);

	if (rc < 0)
		return client_unreachable(cli, CLIENT_AGENT, rc);
	rc = reply_check(cli, &reply);
	if (rc != CLI_OK)
		return rc;
	revision = json_object_get(reply.body, "intent_revision");
	if (json_is_integer(revision))
		snprintf(buf, len, "%lld", (long long)json_integer_value(revision));
	else
		rc = cli_error(cli, CLI_VERSION, "not_this_api", "compare 'dwcp-cli version'",
			       "the agent's status has no intent_revision");
	client_reply_fini(&reply);
	return rc;
}

static int revision_stale(struct cli *cli, const struct client_req *req,
			  const struct client_reply *reply)
{
	char now[64] = "";

	if (reply->etag)
		snprintf(now, sizeof(now), "; it is at %llu now", (unsigned long long)reply->etag);
	return cli_error(cli, CLI_FAILED, "revision_stale",
			 "look at what is there now, then repeat the command",
			 "nothing changed: this was planned on intent revision %s, and somebody "
			 "has changed the "
			 "intent since%s",
			 req->if_match, now);
}

int client_change(struct cli *cli, struct client_req *req, struct client_reply *ret_reply)
{
	char revision[32];
	u64 wanted;
	int rc;

	rc = args_number(cli, "revision", 0, INT64_MAX, 0, &wanted);
	if (rc != CLI_OK)
		return rc;
	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)wanted);
	if (!args_value(cli, "revision", 0))
		rc = revision_read(cli, revision, sizeof(revision));
	if (rc != CLI_OK)
		return rc;
	req->if_match = revision;
	req->timeout_ms = CHANGE_MS;
	rc = client_send(cli, CLIENT_AGENT, req, ret_reply);
	if (rc < 0)
		return client_unreachable(cli, CLIENT_AGENT, rc);
	if (ret_reply->status == 412) {
		rc = revision_stale(cli, req, ret_reply);
		client_reply_fini(ret_reply);
	}
	req->if_match = NULL; /* it points into this function */
	return rc;
}
