/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_agent.c - the program itself, started, killed and reloaded, between its API's clients and a peer that stages and
 * opens what it is sent (peer.h). Usage: test_agent PATH-OF-DWCP-AGENT.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwcp/abi/stats.h>
#include <dwcp/util/config.h>
#include <dwcp/util/fib.h>

#include "client.h"
#include "peer.h"

#define N_FILE_ROUTES 50000
#define START_MS      20000 /* sanitizers are slow; the times that matter are asserted apart */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 10
#else
#define SLOWER 1
#endif

static const char *agent_path;
static struct fixture *open_fixture; /* of a test that failed: its agent must not outlive it */

struct fixture {
	char dir[64], conf[128], routes[128], run[128], state[128], api[128], link[128], log[128];
	pid_t agent;
	struct peer *peer;
	const char *ports[2];
	u32 coalesce_ms;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static void config_write(const struct fixture *f, const char *second_port, const char *extra)
{
	FILE *c = fopen(f->conf, "w");

	assert_non_null(c);
	fprintf(c,
		"node: { name = \"test\"; state_dir = \"%s\"; run_dir = \"%s\"; };\n"
		"dataplane: { workers = [0]; };\n"
		"agent: { coalesce_ms = %u; };\n"
		"ports = ({ name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/16\"]; },\n"
		"         { name = \"%s\"; device = \"null\"; addresses = [\"192.0.2.1/24\"]; });\n"
		"neighbours = ({ port = \"p0\"; address = \"10.0.0.2\"; mac = "
		"\"02:00:00:00:00:02\"; });\n"
		"route_files = ({ name = \"table\"; path = \"%s\"; });\n"
		"%s",
		f->state, f->run, f->coalesce_ms, second_port, f->routes, extra);
	fclose(c);
}

static void routes_write(const struct fixture *f, u32 n, const char *extra)
{
	FILE *r = fopen(f->routes, "w");

	assert_non_null(r);
	for (u32 i = 0; i < n; i++)
		fprintf(r, "%u.%u.%u.0/24 via 10.0.0.2\n", 32 + (i >> 16), i >> 8 & 255, i & 255);
	fputs(extra, r);
	fclose(r);
}

static char *file_text(const char *path)
{
	char *text = calloc(1, 1 << 20);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, (1 << 20) - 1, f) : 0;

	text[n] = 0;
	if (f)
		fclose(f);
	return text;
}

static bool log_has(const struct fixture *f, const char *what)
{
	char *text = file_text(f->log);
	bool has = strstr(text, what) != NULL;

	free(text);
	return has;
}

/* ---- processes ------------------------------------------------------------------------------------------------------- */

static pid_t agent_spawn(const struct fixture *f, const char *option, const char *value)
{
	pid_t pid = fork();
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = open(f->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	execl(agent_path, agent_path, "--config", f->conf, option, value, NULL);
	_exit(127);
}

static int exit_wait(pid_t pid)
{
	u64 end = now_ns() + 20000000000ull;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ns() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
		poll(NULL, 0, 2);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static int run(const struct fixture *f, const char *option, const char *value)
{
	return exit_wait(agent_spawn(f, option, value));
}

static void agent_start(struct fixture *f)
{
	f->agent = agent_spawn(f, NULL, NULL);
}

static void agent_stop(struct fixture *f)
{
	struct stat st;

	if (!f->agent)
		return;
	kill(f->agent, SIGTERM);
	assert_int_equal(exit_wait(f->agent), 0);
	f->agent = 0;
	assert_int_equal(stat(f->api, &st), -1);
}

static void agent_kill(struct fixture *f)
{
	kill(f->agent, SIGKILL);
	assert_int_equal(exit_wait(f->agent), 256 + SIGKILL);
	f->agent = 0;
}

static void peer_start_as(struct fixture *f, u64 generation, bool old)
{
	struct peer_cfg cfg = {.path = f->link,
			       .n_ports = 2,
			       .port_names = f->ports,
			       .generation = generation,
			       .old = old};

	f->peer = peer_open(&cfg);
}

static void peer_start(struct fixture *f, u64 generation)
{
	peer_start_as(f, generation, false);
}

/* The agent connects and publishes. */
static struct peer_publish publish_expect(struct fixture *f)
{
	struct peer_publish p;
	int err = 0;

	if (!peer_connected(f->peer))
		err = peer_accept(f->peer, START_MS);
	assert_int_equal(err, 0);
	assert_int_equal(peer_serve(f->peer, PEER_HONEST, START_MS, &p), 0);
	if (!p.adopted)
		print_error("refused: %s\n", p.reason);
	assert_true(p.adopted);
	return p;
}

static struct fixture *fixture_open(u32 n_routes)
{
	struct fixture *f = calloc(1, sizeof(*f));

	open_fixture = f;
	snprintf(f->dir, sizeof(f->dir), "/tmp/dwcp-agent-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->conf, sizeof(f->conf), "%s/dwcp.conf", f->dir);
	snprintf(f->routes, sizeof(f->routes), "%s/table.routes", f->dir);
	snprintf(f->run, sizeof(f->run), "%s/run", f->dir);
	snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	snprintf(f->api, sizeof(f->api), "%s/run/agent.sock", f->dir);
	snprintf(f->link, sizeof(f->link), "%s/run/dataplane.link", f->dir);
	snprintf(f->log, sizeof(f->log), "%s/log", f->dir);
	f->coalesce_ms = 2;
	f->ports[0] = "p0";
	f->ports[1] = "p1";
	mkdir(f->run, 0755);
	config_write(f, "p1", "");
	routes_write(f, n_routes, "");
	return f;
}

static void fixture_remove(struct fixture *f)
{
	char command[128];

	open_fixture = NULL;
	if (f->peer)
		peer_close(f->peer);
	snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
}

static void fixture_close(struct fixture *f)
{
	agent_stop(f);
	fixture_remove(f);
}

static int failed_remove(void **state)
{
	struct fixture *f = open_fixture;
	char *text;

	(void)state;
	if (!f)
		return 0;
	text = file_text(f->log);
	print_error("the agent's log:\n%s", text);
	free(text);
	if (f->agent) {
		kill(f->agent, SIGKILL);
		waitpid(f->agent, NULL, 0);
	}
	fixture_remove(f);
	return 0;
}

/* ---- the API ---------------------------------------------------------------------------------------------------------- */

static json_t *get(const struct fixture *f, const char *uri)
{
	json_t *o = NULL;
	int status = client_call(f->api, "GET", uri, NULL, NULL, &o);

	if (status != 200)
		print_error("GET %s: %d\n", uri, status);
	assert_int_equal(status, 200);
	assert_non_null(o);
	return o;
}

static json_int_t status_int(const struct fixture *f, const char *key)
{
	json_t *o = get(f, "/v1/status");
	json_int_t v = json_integer_value(json_object_get(o, key));

	json_decref(o);
	return v;
}

static int call(const struct fixture *f, const char *method, const char *uri, const char *body)
{
	char revision[32];

	snprintf(revision, sizeof(revision), "%lld", (long long)status_int(f, "intent_revision"));
	return client_call(f->api, method, uri, revision, body, NULL);
}

/* Wait until GET /v1/status satisfies; the agent answers in order, so this is seldom more than one turn. */
static bool status_wait(const struct fixture *f, const char *key, const char *text)
{
	u64 end = now_ns() + 10000000000ull;
	bool found = false;

	while (!found && now_ns() < end) {
		json_t *o = get(f, "/v1/status");
		char *dump = json_dumps(json_object_get(o, key), JSON_ENCODE_ANY | JSON_COMPACT);

		found = dump && strstr(dump, text);
		free(dump);
		json_decref(o);
		if (!found)
			poll(NULL, 0, 5);
	}
	return found;
}

/* As a worker of the peer would forward it. */
static u32 slot_of(const struct fixture *f, u32 addr)
{
	const struct generation *g = peer_generation(f->peer);
	u32 slot;

	fib_lookup4(&g->fib, g->ip4, &addr, &slot, 1);
	return slot;
}

static u8 type_of(const struct fixture *f, u32 addr)
{
	return peer_generation(f->peer)->nexthop[slot_of(f, addr)].type;
}

/* ---- tests --------------------------------------------------------------------------------------------------------------- */

#define N_TRIES 21

static int u64_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void tables_are_published_and_one_route_is_cheap(void **state)
{
	struct fixture *f = fixture_open(N_FILE_ROUTES);
	u64 took_ns[N_TRIES], most_bytes = 0;
	struct peer_publish p;
	json_t *o;

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	p = publish_expect(f);
	assert_int_equal(p.generation, 1);
	assert_int_equal(type_of(f, 0x20000001), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_NONE);
	assert_int_equal(type_of(f, 0x0a000001), DWCP_NEXTHOP_LOCAL);
	for (u32 i = 0; i < N_TRIES; i++) {
		char body[160];

		snprintf(body, sizeof(body),
			 "{\"prefix\": \"48.0.%u.0/24\", \"paths\": [{\"gateway\": \"10.0.0.2\"}]}",
			 i);
		assert_int_equal(call(f, "PUT", "/v1/routes", body), 200);
		p = publish_expect(f);
		assert_int_equal(p.generation, 2 + i);
		assert_int_equal(type_of(f, 0x30000001 + (i << 8)), DWCP_NEXTHOP_FORWARD);
		assert_int_equal(type_of(f, 0x30000001 + ((i + 1) << 8)), DWCP_NEXTHOP_NONE);
		assert_true(p.event_ns != 0);
		took_ns[i] = p.swapped_ns - p.event_ns;
		most_bytes = DWCP_MAX(most_bytes, p.bytes_sent);
	}
	qsort(took_ns, N_TRIES, sizeof(took_ns[0]), u64_compare);
	print_message("one route of %u, event to adopted: median %.1f ms, worst %.1f ms; %llu "
		      "bytes\n",
		      N_FILE_ROUTES, (double)took_ns[N_TRIES / 2] / 1e6,
		      (double)took_ns[N_TRIES - 1] / 1e6, (unsigned long long)most_bytes);
	assert_true(took_ns[N_TRIES / 2] < 50000000u * SLOWER); /* the worst is the machine's */
	assert_true(most_bytes <= 1u << 20);

	o = get(f, "/v1/tables/history?limit=3");
	assert_int_equal(json_array_size(json_object_get(o, "history")), 3);
	json_decref(o);
	assert_true(status_wait(f, "generation", "22"));
	o = get(f, "/v1/routes/lookup?address=48.0.7.9");
	assert_string_equal(json_string_value(json_object_get(o, "prefix")), "48.0.7.0/24");
	assert_string_equal(json_string_value(json_object_get(o, "source")), "api");
	assert_int_equal(json_integer_value(json_object_get(o, "slot")), slot_of(f, 0x30000709));
	json_decref(o);

	assert_int_equal(call(f, "DELETE", "/v1/routes?prefix=48.0.7.0/24", NULL), 200);
	p = publish_expect(f);
	assert_int_equal(type_of(f, 0x30000709), DWCP_NEXTHOP_NONE);
	assert_int_equal(call(f, "DELETE", "/v1/routes?prefix=48.0.7.0/24", NULL), 404);
	print_message("longest callback of the loop: %lld us\n",
		      (long long)status_int(f, "loop_stall_max_us"));
	fixture_close(f);
}

static void a_burst_of_changes_is_few_publishes(void **state)
{
	struct fixture *f = fixture_open(1000);
	struct peer_publish p;
	u32 n_publishes = 0;
	u64 revision;

	(void)state;
	config_write(f, "p1", "agent: { coalesce_ms = 50; };\n");
	/* the section appears twice: replace it instead */
	{
		char command[300];

		config_write(f, "p1", "");
		snprintf(command, sizeof(command),
			 "sed -i 's/coalesce_ms = 2/coalesce_ms = 40/' '%s'", f->conf);
		assert_int_equal(system(command), 0);
	}
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	revision = (u64)status_int(f, "intent_revision");
	for (u32 i = 0; i < 50; i++) {
		char body[128], text[32];

		snprintf(body, sizeof(body),
			 "{\"prefix\": \"48.0.%u.0/24\", \"type\": \"blackhole\"}", i);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)revision + i);
		assert_int_equal(client_call(f->api, "PUT", "/v1/routes", text, body, NULL), 200);
	}
	do {
		p = publish_expect(f);
		n_publishes++;
	} while (p.intent_revision < revision + 50);
	print_message("50 changes, %u publishes\n", n_publishes);
	assert_true(n_publishes < 25);
	assert_int_equal(type_of(f, 0x30000001 + (49 << 8)), DWCP_NEXTHOP_BLACKHOLE);
	fixture_close(f);
}

static void mutations_name_their_revision(void **state)
{
	static const char good[] =
		"{\"prefix\": \"48.0.0.0/24\", \"paths\": [{\"gateway\": \"10.0.0.2\"}]}";
	struct fixture *f = fixture_open(10);
	json_t *o = NULL;
	u64 revision;
	char text[32];

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	revision = (u64)status_int(f, "intent_revision");
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", NULL, good, NULL), 428);
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", "99999", good, &o), 412);
	assert_string_equal(json_string_value(json_object_get(o, "error")), "revision_stale");
	json_decref(o);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)revision);
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", text, good, &o), 200);
	assert_int_equal(json_integer_value(json_object_get(o, "intent_revision")), revision + 1);
	json_decref(o);
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", text, good, NULL), 412);
	assert_int_equal(client_call(f->api, "DELETE", "/v1/routes?prefix=48.0.0.0/24", text, NULL,
				     NULL),
			 412);
	assert_int_equal(status_int(f, "intent_revision"), revision + 1);
	/* what is wrong does not count as a revision */
	assert_int_equal(call(f, "PUT", "/v1/routes", "{\"prefix\": \"48.0.0.1/24\"}"), 422);
	assert_int_equal(call(f, "PUT", "/v1/routes", "{\"prefix\": \"48.0.0.0/24\"}"), 422);
	assert_int_equal(call(f, "PUT", "/v1/routes", "{\"prefixes\": \"48.0.0.0/24\"}"), 400);
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"48.0.0.0/24\", \"paths\": [{\"gateway\": "
			      "\"11.0.0.1\"}]}"),
			 422);
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"48.0.0.0/24 via 10.0.0.2\\n1.0.0.0/8\"}"),
			 400);
	assert_int_equal(call(f, "PUT", "/v1/routes", "[]"), 400);
	assert_int_equal(call(f, "PUT", "/v1/routes", NULL), 400);
	assert_int_equal(status_int(f, "intent_revision"), revision + 1);
	fixture_close(f);
}

static void a_bad_reload_changes_nothing(void **state)
{
	struct fixture *f = fixture_open(1000);
	struct peer_publish p;
	json_t *o = NULL;

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);

	routes_write(f, 1000, "60.0.0.0/8 via 10.0.0.2\nnonsense here\n61.0.0.0/8 via 10.9\n");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, &o), 422);
	assert_int_equal(json_array_size(json_object_get(o, "errors")), 2);
	json_decref(o);
	assert_true(status_wait(f, "last_error", "reload refused"));
	assert_true(peer_quiet(f->peer, 200));
	o = get(f, "/v1/routes/count");
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(json_object_get(o, "by_source"),
								 "table"),
						 "ip4")),
			 1000);
	json_decref(o);

	/* a good route file, and a bad configuration */
	routes_write(f, 1000, "60.0.0.0/8 via 10.0.0.2\n");
	config_write(f, "p1", "rutes = ();\n");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, &o), 422);
	json_decref(o);
	assert_true(peer_quiet(f->peer, 200));
	assert_int_equal(type_of(f, 0x3c000001), DWCP_NEXTHOP_NONE);

	config_write(f, "p1", "routes = ({ prefix = \"62.0.0.0/8\"; type = \"blackhole\"; });\n");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, &o), 200);
	assert_true(json_array_size(json_object_get(o, "sections")) > 3);
	json_decref(o);
	p = publish_expect(f);
	assert_true(p.event_ns != 0);
	assert_int_equal(type_of(f, 0x3c000001), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(type_of(f, 0x3e000001), DWCP_NEXTHOP_BLACKHOLE);
	assert_true(status_wait(f, "last_error", "null"));

	/* the same by signal; what went out of the file goes out of the table */
	routes_write(f, 500, "");
	kill(f->agent, SIGHUP);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x3c000001), DWCP_NEXTHOP_NONE);
	assert_int_equal(type_of(f, 0x20000001 + (499 << 8)), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(type_of(f, 0x20000001 + (500 << 8)), DWCP_NEXTHOP_NONE);
	fixture_close(f);
}

static void a_killed_agent_comes_back_with_the_same_tables(void **state)
{
	struct fixture *f = fixture_open(N_FILE_ROUTES);
	struct peer_publish p;
	u64 begin, generation;

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"48.0.0.0/24\", \"type\": \"unreachable\"}"),
			 200);
	generation = publish_expect(f).generation;
	/* once a restart: from then on the order of events is the same */
	agent_kill(f);
	peer_disconnect(f->peer);
	agent_start(f);
	p = publish_expect(f);
	assert_true(p.generation > generation);
	assert_int_equal(type_of(f, 0x30000001),
			 DWCP_NEXTHOP_UNREACHABLE); /* answered with 200, so kept */

	agent_kill(f);
	peer_disconnect(f->peer);
	begin = now_ns();
	agent_start(f);
	p = publish_expect(f);
	print_message("restarted and published after %.0f ms, %u segments sent\n",
		      (double)(now_ns() - begin) / 1e6, p.n_sent);
	assert_true(now_ns() - begin < 2000000000ull * SLOWER);
	assert_int_equal(p.n_sent, 0); /* the same bytes: a manifest is enough */
	assert_true(p.n_segments > 0);
	fixture_close(f);
}

static void a_new_dataplane_gets_everything(void **state)
{
	struct fixture *f = fixture_open(1000);
	struct peer_publish p;
	u64 begin;

	(void)state;
	agent_start(f);
	peer_start(f, 0);
	publish_expect(f);
	peer_close(f->peer);
	begin = now_ns();
	peer_start(f, 77); /* it has something of its own, from disk */
	p = publish_expect(f);
	assert_int_equal(p.generation, 78);
	assert_true(p.n_sent > 0);
	assert_true(now_ns() - begin < 2000000000ull * SLOWER);
	assert_int_equal(type_of(f, 0x20000001), DWCP_NEXTHOP_FORWARD);
	fixture_close(f);
}

static void refusals_are_shown_and_not_repeated(void **state)
{
	struct fixture *f = fixture_open(1000);
	struct peer_publish p;

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	assert_int_equal(peer_accept(f->peer, START_MS), 0);
	assert_int_equal(peer_serve(f->peer, PEER_REFUSE, START_MS, &p), 0);
	assert_true(status_wait(f, "last_refusal", "test_refuses detail=7"));
	assert_true(status_wait(f, "publish", "refused"));
	assert_true(peer_quiet(f->peer, 500)); /* no hot loop */
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"48.0.0.0/24\", \"type\": \"prohibit\"}"),
			 200);
	p = publish_expect(f);
	assert_true(p.generation > 1);
	/* what the dataplane said it held is gone: everything is sent, at once */
	assert_int_equal(call(f, "DELETE", "/v1/routes?prefix=48.0.0.0/24", NULL), 200);
	assert_int_equal(peer_serve(f->peer, PEER_FORGET, START_MS, &p), 0);
	assert_false(p.adopted);
	p = publish_expect(f);
	assert_true(p.n_sent > 5);
	fixture_close(f);
}

static void other_ports_hold_publishing(void **state)
{
	struct fixture *f = fixture_open(100);

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	config_write(f, "renamed", "");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, NULL), 200);
	assert_true(status_wait(f, "publish", "held"));
	assert_true(status_wait(f, "last_error", "other ports"));
	assert_true(status_wait(f, "needs_restart", "ports"));
	assert_true(peer_quiet(f->peer, 200));
	/* back again: released */
	config_write(f, "p1", "");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, NULL), 200);
	publish_expect(f);
	/* or the dataplane is restarted with them */
	config_write(f, "renamed", "");
	assert_int_equal(client_call(f->api, "POST", "/v1/config/reload", NULL, NULL, NULL), 200);
	assert_true(peer_quiet(f->peer, 100));
	peer_close(f->peer);
	f->ports[1] = "renamed";
	peer_start(f, 0);
	publish_expect(f);
	fixture_close(f);
}

static void there_is_one_agent(void **state)
{
	struct fixture *f = fixture_open(10);

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(run(f, NULL, NULL), 1);
	assert_true(log_has(f, "agent.start error=already_running socket="));
	assert_int_equal(client_call(f->api, "GET", "/v1/status", NULL, NULL, NULL), 200);
	/* after kill -9 the socket's file is left, and no obstacle */
	agent_kill(f);
	assert_int_equal(access(f->api, F_OK), 0);
	peer_disconnect(f->peer);
	agent_start(f);
	publish_expect(f);
	fixture_close(f);
}

static void bad_starts_say_what_to_do(void **state)
{
	struct fixture *f = fixture_open(10);
	char path[200];

	(void)state;
	assert_int_equal(run(f, "--version", NULL), 0);
	assert_int_equal(run(f, "--check", NULL), 0);
	assert_true(log_has(f, "config.ok path="));
	assert_int_equal(run(f, "--nonsense", NULL), 2);
	snprintf(path, sizeof(path), "%s/not/there", f->dir);
	assert_int_equal(run(f, "--run-dir", path), 1);
	assert_true(log_has(f, "agent.start error=run_dir path="));
	snprintf(path, sizeof(path), "%s", f->conf); /* a file */
	assert_int_equal(run(f, "--run-dir", path), 1);
	assert_true(log_has(f, "agent.start error=socket path="));
	snprintf(path, sizeof(path), "%s/%0110d", f->dir, 1);
	assert_int_equal(run(f, "--run-dir", path), 1);
	assert_true(log_has(f, "a shorter run_dir"));

	routes_write(f, 10, "bad\nworse\n");
	assert_int_equal(run(f, "--check", NULL), 1);
	assert_true(log_has(f, "table.routes:11:"));
	assert_true(log_has(f, "table.routes:12:"));
	assert_true(log_has(f, "agent.check error=config_invalid"));
	assert_int_equal(run(f, NULL, NULL), 1);
	assert_true(log_has(f, "agent.start error=config_invalid"));
	routes_write(f, 10, "");
	config_write(f, "p1", "rutes = (); foo = 1;\n");
	assert_int_equal(run(f, NULL, NULL), 1);
	assert_true(log_has(f, "rutes"));
	assert_true(log_has(f, "foo"));
	unlink(f->conf);
	assert_int_equal(run(f, NULL, NULL), 1);
	fixture_close(f);
}

static void a_state_that_cannot_be_written_refuses_changes(void **state)
{
	static const char body[] = "{\"prefix\": \"48.0.0.0/24\", \"type\": \"blackhole\"}";
	struct fixture *f = fixture_open(10);
	json_t *o = NULL;
	char revision[32], temp[200];

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	snprintf(temp, sizeof(temp), "%s/routes.api.new", f->state);
	assert_int_equal(symlink("/dev/full", temp), 0);
	snprintf(revision, sizeof(revision), "%lld", (long long)status_int(f, "intent_revision"));
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", revision, body, &o), 507);
	assert_string_equal(json_string_value(json_object_get(o, "error")), "state_not_written");
	json_decref(o);
	assert_true(peer_quiet(f->peer, 200));
	o = get(f, "/v1/routes/lookup?address=48.0.0.1");
	assert_string_equal(json_string_value(json_object_get(o, "type")), "no_route");
	json_decref(o);
	/* the revision has not moved, and the next try goes through */
	assert_int_equal(client_call(f->api, "PUT", "/v1/routes", revision, body, NULL), 200);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_BLACKHOLE);
	/* deleting fails in the same way: nothing is lost */
	assert_int_equal(symlink("/dev/full", temp), 0);
	assert_int_equal(call(f, "DELETE", "/v1/routes?prefix=48.0.0.0/24", NULL), 507);
	assert_true(peer_quiet(f->peer, 200));
	assert_int_equal(call(f, "DELETE", "/v1/routes?prefix=48.0.0.0/24", NULL), 200);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_NONE);
	fixture_close(f);
}

static void api_routes_outlive_a_configuration_without_their_port(void **state)
{
	struct fixture *f = fixture_open(10);

	(void)state;
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"48.0.0.0/24\", \"paths\": [{\"gateway\": "
			      "\"192.0.2.2\", \"port\": \"p1\"}]}"),
			 200);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_UNRESOLVED);
	agent_stop(f);
	peer_close(f->peer);
	/* its port is called something else */
	config_write(f, "renamed", "");
	f->ports[1] = "renamed";
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_NONE);
	assert_true(status_wait(f, "routes", "\"api_unusable\":1"));
	assert_int_equal(call(f, "PUT", "/v1/routes",
			      "{\"prefix\": \"49.0.0.0/24\", \"type\": \"blackhole\"}"),
			 200);
	publish_expect(f);
	agent_stop(f);
	peer_close(f->peer);
	/* and back again */
	config_write(f, "p1", "");
	f->ports[1] = "p1";
	peer_start(f, 0);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x30000001), DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(type_of(f, 0x31000001), DWCP_NEXTHOP_BLACKHOLE);
	fixture_close(f);
}

static void nouns_are_answered(void **state)
{
	struct fixture *f = fixture_open(2500);
	struct dwcp_event e = {.type = DWCP_EVENT_UNRESOLVED,
			       .family = 4,
			       .a = 3,
			       .b = 17,
			       .port = 1,
			       .data = {192, 0, 2, 9}};
	u32 n = 0;
	json_t *o;
	char uri[200] = "/v1/routes?limit=1000&family=4";

	(void)state;
	agent_start(f);
	/* without a dataplane: what the agent knows is told, the rest says why not */
	for (u32 i = 0; i < 2000 && access(f->api, F_OK) < 0; i++)
		poll(NULL, 0, 5);
	assert_int_equal(client_call(f->api, "GET", "/v1/ports", NULL, NULL, NULL), 503);
	assert_int_equal(client_call(f->api, "GET", "/v1/tables", NULL, NULL, NULL), 503);
	o = get(f, "/v1/status");
	assert_true(json_is_false(json_object_get(json_object_get(o, "dataplane"), "connected")));
	json_decref(o);
	peer_start(f, 0);
	publish_expect(f);
	((struct dwcp_stats_hdr *)peer_stats(f->peer))->stored_generation = 1;
	assert_true(status_wait(f, "generation", "1"));
	o = get(f, "/v1/ports");
	assert_int_equal(json_array_size(json_object_get(o, "ports")), 2);
	json_decref(o);
	o = get(f, "/v1/tables");
	assert_true(json_array_size(json_object_get(o, "sections")) >= 5);
	json_decref(o);
	json_decref(get(f, "/v1/stats"));
	json_decref(get(f, "/v1/drops"));
	json_decref(get(f, "/v1/exceptions"));
	json_decref(get(f, "/v1/config"));
	/* all routes, page by page */
	for (;;) {
		const char *next;

		o = get(f, uri);
		n += (u32)json_array_size(json_object_get(o, "routes"));
		next = json_string_value(json_object_get(o, "next"));
		if (!next)
			break;
		snprintf(uri, sizeof(uri), "/v1/routes?limit=1000&family=4&after=%s", next);
		json_decref(o);
	}
	json_decref(o);
	o = get(f, "/v1/routes/count");
	assert_int_equal(json_integer_value(json_object_get(o, "ip4")), n);
	assert_true(n > 2500);
	json_decref(o);
	o = get(f, "/v1/routes?source=local");
	assert_int_equal(json_array_size(json_object_get(o, "routes")), 2);
	json_decref(o);
	assert_int_equal(client_call(f->api, "GET", "/v1/routes?family=5", NULL, NULL, NULL), 400);
	assert_int_equal(client_call(f->api, "GET", "/v1/routes?limit=1001", NULL, NULL, NULL),
			 400);
	assert_int_equal(client_call(f->api, "GET", "/v1/routes?source=x", NULL, NULL, NULL), 400);
	assert_int_equal(client_call(f->api, "GET", "/v1/routes?after=x", NULL, NULL, NULL), 400);
	assert_int_equal(client_call(f->api, "GET", "/v1/routes/lookup", NULL, NULL, NULL), 400);
	/* events of the dataplane */
	assert_true(peer_event(f->peer, &e));
	for (u32 i = 0; i < 400; i++) {
		o = get(f, "/v1/events?limit=1");
		if (json_array_size(json_object_get(o, "events")))
			break;
		json_decref(o);
		o = NULL;
		poll(NULL, 0, 5);
	}
	assert_non_null(o);
	{
		const json_t *row = json_array_get(json_object_get(o, "events"), 0);

		assert_string_equal(json_string_value(json_object_get(row, "type")), "unresolved");
		assert_string_equal(json_string_value(json_object_get(row, "address")),
				    "192.0.2.9");
		assert_string_equal(json_string_value(json_object_get(row, "port")), "p1");
	}
	json_decref(o);
	assert_true(log_has(f, "dataplane.unresolved"));
	fixture_close(f);
}

static void systemd_is_told(void **state)
{
	struct fixture *f = fixture_open(10);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct pollfd p;
	char text[256];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/notify", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	agent_start(f);
	unsetenv("NOTIFY_SOCKET");
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	assert_true(poll(&p, 1, START_MS) > 0);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = 0;
	assert_string_equal(text, "READY=1");
	assert_int_equal(client_call(f->api, "GET", "/v1/status", NULL, NULL, NULL), 200);
	kill(f->agent, SIGHUP);
	assert_true(poll(&p, 1, START_MS) > 0);
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n] = 0;
	assert_memory_equal(text, "RELOADING=1\nMONOTONIC_USEC=", 27);
	assert_true(poll(&p, 1, START_MS) > 0);
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n] = 0;
	assert_string_equal(text, "READY=1");
	agent_stop(f);
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n] = 0;
	assert_string_equal(text, "STOPPING=1");
	close(fd);
	fixture_close(f);
}

/* One that doesn't read the addresses of ports gets tables without them; a newer one that takes its place, with. */
static void an_older_dataplane_gets_tables(void **state)
{
	struct fixture *f = fixture_open(1000);

	(void)state;
	peer_start_as(f, 0, true);
	agent_start(f);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x20000001), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(peer_generation(f->peer)->n_port_addr, 0);

	peer_close(f->peer);
	peer_start(f, 0);
	publish_expect(f);
	assert_int_equal(type_of(f, 0x20000001), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(peer_generation(f->peer)->n_port_addr, 2);
	assert_int_equal(peer_generation(f->peer)->port_addr[0].addr4[0], 10);

	peer_close(f->peer);
	peer_start_as(f, 0, true);
	publish_expect(f);
	assert_int_equal(peer_generation(f->peer)->n_port_addr, 0);
	fixture_close(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_older_dataplane_gets_tables, failed_remove),
		cmocka_unit_test_teardown(tables_are_published_and_one_route_is_cheap,
					  failed_remove),
		cmocka_unit_test_teardown(a_burst_of_changes_is_few_publishes, failed_remove),
		cmocka_unit_test_teardown(mutations_name_their_revision, failed_remove),
		cmocka_unit_test_teardown(a_bad_reload_changes_nothing, failed_remove),
		cmocka_unit_test_teardown(a_killed_agent_comes_back_with_the_same_tables,
					  failed_remove),
		cmocka_unit_test_teardown(a_new_dataplane_gets_everything, failed_remove),
		cmocka_unit_test_teardown(refusals_are_shown_and_not_repeated, failed_remove),
		cmocka_unit_test_teardown(other_ports_hold_publishing, failed_remove),
		cmocka_unit_test_teardown(there_is_one_agent, failed_remove),
		cmocka_unit_test_teardown(bad_starts_say_what_to_do, failed_remove),
		cmocka_unit_test_teardown(a_state_that_cannot_be_written_refuses_changes,
					  failed_remove),
		cmocka_unit_test_teardown(api_routes_outlive_a_configuration_without_their_port,
					  failed_remove),
		cmocka_unit_test_teardown(nouns_are_answered, failed_remove),
		cmocka_unit_test_teardown(systemd_is_told, failed_remove),
	};

	if (argc < 2) {
		fprintf(stderr, "usage: %s PATH-OF-DWCP-AGENT [TEST]\n", argv[0]);
		return 2;
	}
	agent_path = argv[1];
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
