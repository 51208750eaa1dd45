/* SPDX-License-Identifier: BSD-3-Clause */
/* agent.c - puts the agent together and takes it apart. Every failure is one line that says what to do. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "io/clock.h"
#include "io/log.h"

#define AGENT_SOCKET	      "agent.sock"
#define AGENT_MAX_CONNECTIONS 256
#define AGENT_MAX_BODY	      (1u << 20)
#define AGENT_TIMEOUT_S	      30
#define AGENT_HUGE_CHUNK      (2u << 20)

static int failed(const char *error, const char *what, int err, const char *hint)
{
	log_event("agent.start error=%s path=%s errno=\"%s\" hint=\"%s\"", error, what,
		  strerror(-err), hint);
	return err;
}

static int paths_make(struct agent *a)
{
	const char *dir = a->options.run_dir ? a->options.run_dir : a->started->cfg->node.run_dir;

	a->run_dir = strdup(dir);
	if (!a->run_dir || asprintf(&a->api_path, "%s/" AGENT_SOCKET, dir) < 0) {
		a->api_path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&a->link_path, "%s/" DWCP_LINK_SOCKET, dir) < 0) {
		a->link_path = NULL;
		return -ENOMEM;
	}
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return failed("run_dir", dir, -errno,
			      "create it for the service's user, or give --run-dir");
	return 0;
}

static void handler_timed(void *arg, const char *path, u64 ns)
{
	struct agent *a = arg;

	loop_account(&a->loop, path, ns, 0);
}

static int socket_open(struct agent *a)
{
	const struct http_server_cfg cfg = {
		.path = a->api_path,
		.mode = 0660,
		.gid = (gid_t)a->started->cfg->agent.socket_gid,
		.max_connections = AGENT_MAX_CONNECTIONS,
		.max_body_bytes = AGENT_MAX_BODY,
		.timeout_s = AGENT_TIMEOUT_S,
		.routes = api_routes,
		.n_routes = api_n_routes,
		.arg = a,
		.timed = handler_timed,
	};
	int err = http_server_open(a->loop.base, &cfg, &a->http);

	switch (err) {
	case 0:
		return 0;
	case -EADDRINUSE:
		log_event("agent.start error=already_running socket=%s hint=\"stop the other one, "
			  "or give this one its own --run-dir\"",
			  a->api_path);
		return err;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return failed("socket", a->api_path, err,
			      "make run_dir writable for the service's user; agent.socket_gid must "
			      "be one of its groups");
	case -ENAMETOOLONG:
		return failed("socket", a->api_path, err, "a shorter run_dir, of 90 bytes at most");
	case -EEXIST:
		return failed("socket", a->api_path, err, "a file is in the way: remove it");
	default:
		return failed("socket", a->api_path, err, "see errno");
	}
}

static int builder_start(struct agent *a)
{
	const struct dwcp_config *cfg = a->started->cfg;
	struct rib_cfg rib = {.chunk_bytes = cfg->agent.chunk_kb * 1024, .gateways = true};
	int err;

	/* a segment in huge pages is 2 MB whatever is in it: only worth it for chunks of that size */
	rib.huge = rib.chunk_bytes == AGENT_HUGE_CHUNK &&
		   cfg->dataplane.memory.huge_pages != CONFIG_HUGE_OFF;
	err = builder_create(a->builder_thread, &rib, cfg->node.state_dir, &a->builder);
	if (err < 0)
		return failed("state", cfg->node.state_dir, err,
			      "repair or remove " STORE_FILE " in node.state_dir, and make it "
			      "readable");
	a->facts = a->builder->facts; /* nothing runs on its thread yet */
	return 0;
}

static int threads_start(struct agent *a)
{
	struct loop *loop = a->options.threads ? &a->loop : NULL;
	int err = worker_create(loop, "builder", &a->builder_thread);

	if (!err)
		err = worker_create(loop, "loader", &a->loader_thread);
	return err;
}

int agent_open(struct agent *a, const struct agent_options *options, struct bundle *bundle)
{
	int err;

	memset(a, 0, sizeof(*a));
	a->options = *options;
	a->started = a->current = bundle;
	a->started_ns = clock_ns();
	err = paths_make(a);
	if (!err)
		err = loop_init(&a->loop);
	if (!err)
		err = socket_open(a);
	if (!err)
		err = threads_start(a);
	if (!err)
		err = builder_start(a);
	if (!err)
		err = publish_open(a);
	if (!err)
		err = reload_first(a);
	if (!err)
		err = mirror_open(a);
	if (err == -ENOMEM)
		failed("no_memory", a->api_path ? a->api_path : "", err, "give the machine more");
	if (err)
		agent_close(a);
	return err;
}

void agent_close(struct agent *a)
{
	a->closing = true;
	mirror_stop(a);
	/* what was accepted is finished and answered */
	worker_free(a->loader_thread);
	worker_free(a->builder_thread);
	if (a->http)
		event_base_loop(a->loop.base, EVLOOP_NONBLOCK);
	http_server_close(a->http);
	publish_close(a);
	mirror_close(a);
	neighbours_close(a);
	builder_free(a->builder);
	if (a->current != a->started)
		bundle_free(a->current);
	bundle_free(a->started);
	loop_fini(&a->loop);
	free(a->link_path);
	free(a->api_path);
	free(a->run_dir);
	memset(a, 0, sizeof(*a));
}
