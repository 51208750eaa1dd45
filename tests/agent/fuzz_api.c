/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_api.c - the agent's API from a request's bytes to its JSON, without sockets or threads.
 * Input: METHOD URI\n[If-Match value]\nbody. Whatever comes in, there is one answer, it is JSON, an error has its token,
 * and the agent answers the next request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "api/api.h"
#include "io/log.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct agent agent;
static char dir[64];

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_api: %s\n", what);
	abort();
}

static void dir_remove(void)
{
	char command[128];

	agent_close(&agent);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "fuzz_api: %s is left\n", dir);
}

static void agent_make(void)
{
	static char conf[96];
	struct agent_options options = {.config_path = conf};
	struct bundle *b;
	FILE *f;

	snprintf(dir, sizeof(dir), "/tmp/dwcp-fuzz-api-XXXXXX");
	require(mkdtemp(dir) != NULL, "no directory");
	snprintf(conf, sizeof(conf), "%s/dwcp.conf", dir);
	f = fopen(conf, "w");
	require(f != NULL, "no configuration");
	fprintf(f,
		"node: { name = \"fuzz\"; state_dir = \"%s/state\"; run_dir = \"%s\"; };\n"
		"dataplane: { workers = [0]; };\n"
		"ports = ({ name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/16\", "
		"\"2001:db8::1/64\"]; });\n"
		"neighbours = ({ port = \"p0\"; address = \"10.0.0.2\"; mac = "
		"\"02:00:00:00:00:02\"; });\n"
		"routes = ({ prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.2\"; });\n",
		dir, dir);
	fclose(f);
	b = bundle_load(conf);
	require(b && !b->err, "configuration is bad");
	log_to(-1);
	require(agent_open(&agent, &options, b) == 0, "agent does not open");
	atexit(dir_remove);
}

/* Return: the line, cut at its end; @at moves behind it. */
static char *line_take(char **at, char *end)
{
	char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

	if (!stop) {
		*at = end;
		return line;
	}
	*stop = 0;
	*at = stop + 1;
	return line;
}

static void answer_check(const struct http_response *rsp)
{
	char *text;

	require(!rsp->deferred, "still owed");
	require(rsp->status >= 200 && rsp->status < 600, "no status");
	require(rsp->body != NULL, "no body");
	text = json_dumps(rsp->body, JSON_COMPACT);
	require(text != NULL, "not JSON");
	free(text);
	if (rsp->status >= 400)
		require(json_is_string(json_object_get(rsp->body, "error")),
			"an error without token");
}

static void revision_fill(char *match, char *buf, size_t size)
{
	/* "=" stands for the revision of now, so that mutations get through */
	if (strcmp(match, "=") == 0)
		snprintf(buf, size, "\"%llu\"", (unsigned long long)agent.facts.intent_revision);
	else
		snprintf(buf, size, "%s", match);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct http_server_cfg cfg = {.routes = api_routes,
				      .n_routes = api_n_routes,
				      .arg = &agent,
				      .max_body_bytes = 65536};
	struct http_response rsp;
	struct http_input in = {0};
	char *copy, *at, *end, *uri, *match, buf[256];

	if (!agent.started)
		agent_make();
	copy = malloc(size + 1);
	memcpy(copy, data, size);
	copy[size] = 0;
	at = copy;
	end = copy + size;
	in.method = line_take(&at, end);
	uri = strchr(in.method, ' ');
	if (uri)
		*uri++ = 0;
	in.uri = uri ? uri : "";
	match = line_take(&at, end);
	revision_fill(match, buf, sizeof(buf));
	in.if_match = *match ? buf : NULL;
	in.body = at;
	in.body_len = (size_t)(end - at);
	http_dispatch(&cfg, &in, &rsp);
	answer_check(&rsp);
	http_response_fini(&rsp);
	free(copy);
	return 0;
}
