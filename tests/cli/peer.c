/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.c - what dwcp-cli talks to in its tests: the project's own HTTP server, answering from files.
 *
 *     cli_peer SOCKET LOG DIR...      answer from the first DIR that has the file; log each request; print the pid
 *     cli_peer --raw FILE SOCKET      answer every connection with these bytes
 *     cli_peer --hang SOCKET          accept and never answer
 *
 * GET /v1/routes?family=4 is the file GET_v1_routes_family=4.json: a JSON object, of which "http_status" and "http_etag"
 * are taken out.
 * The second request of the same name takes NAME.2.json where there is one. "@ago N" is the time N seconds before now.
 * It listens before it prints, and ends by itself after a minute.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/util/http.h>

#define MAX_SECONDS 60
#define MAX_NAMES   64
#define NAME_LEN    200

struct peer {
	char **dirs;
	int n_dirs;
	FILE *log;
	char names[MAX_NAMES][NAME_LEN]; /* requests so far */
	u32 n_names;
};

/* limit is logged, but asks for nothing else */
static const char *const query_keys[] = {"address", "prefix",	"vrf",	"family", "after",
					 "source",  "protocol", "port", "state"};

static u32 name_count(struct peer *p, const char *name)
{
	u32 n = 1;

	for (u32 i = 0; i < p->n_names; i++)
		n += strcmp(p->names[i], name) == 0;
	if (p->n_names < MAX_NAMES)
		snprintf(p->names[p->n_names++], NAME_LEN, "%s", name);
	return n;
}

static void request_name(const struct http_request *req, char *name, size_t len)
{
	size_t n = (size_t)snprintf(name, len, "%s%s", req->method, req->path);

	for (u32 i = 0; i < DWCP_ARRAY_LEN(query_keys) && n < len; i++) {
		const char *value = http_query(req, query_keys[i]);

		if (value)
			n += (size_t)snprintf(name + n, len - n, "_%s=%s", query_keys[i], value);
	}
	for (char *c = name; *c; c++)
		*c = *c == '/' || *c == ':' ? '_' : *c;
}

/* "@ago N" → nanoseconds since the epoch. */
static char *times_fill(const char *text)
{
	static const char mark[] = "\"@ago ";
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	const char *at;

	if (!f)
		return NULL;
	while ((at = strstr(text, mark))) {
		char *end;
		long ago = strtol(at + strlen(mark), &end, 10);

		fprintf(f, "%.*s%lld000000000", (int)(at - text), text,
			(long long)time(NULL) - ago);
		text = end + 1; /* the closing quote */
	}
	fputs(text, f);
	return fclose(f) == 0 ? out : NULL;
}

static json_t *answer_load(const struct peer *p, const char *name)
{
	char path[4096], *text, *filled;
	size_t n = 0, cap = 1 << 20;
	json_t *body;
	FILE *f = NULL;

	for (int i = 0; i < p->n_dirs && !f; i++) {
		snprintf(path, sizeof(path), "%s/%s.json", p->dirs[i], name);
		f = fopen(path, "re");
	}
	if (!f)
		return NULL;
	text = calloc(1, cap);
	if (text)
		n = fread(text, 1, cap - 1, f);
	fclose(f);
	filled = n ? times_fill(text) : NULL;
	body = filled ? json_loads(filled, 0, NULL) : NULL;
	if (!body)
		fprintf(stderr, "%s: not JSON\n", path);
	free(filled);
	free(text);
	return body;
}

static void request_log(struct peer *p, const struct http_request *req, const char *name)
{
	const char *limit = http_query(req, "limit");

	fputs(name, p->log);
	if (limit)
		fprintf(p->log, " limit=%s", limit);
	if (req->if_match)
		fprintf(p->log, " if-match=%s", req->if_match);
	if (req->body) {
		fputc(' ', p->log);
		json_dumpf(req->body, p->log, JSON_COMPACT | JSON_SORT_KEYS);
	}
	fputc('\n', p->log);
	fflush(p->log);
}

static void peer_answer(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct peer *p = arg;
	char name[NAME_LEN], nth[NAME_LEN + 16];
	const json_t *status;

	request_name(req, name, sizeof(name));
	request_log(p, req, name);
	snprintf(nth, sizeof(nth), "%s.%u", name, name_count(p, name));
	rsp->body = answer_load(p, nth);
	if (!rsp->body)
		rsp->body = answer_load(p, name);
	if (!rsp->body) {
		http_error(rsp, 404, "path_unknown", NULL, "no such path: %s", req->path);
		return;
	}
	status = json_object_get(rsp->body, "http_status");
	if (status)
		rsp->status = (int)json_integer_value(status);
	rsp->etag = (u64)json_integer_value(json_object_get(rsp->body, "http_etag"));
	json_object_del(rsp->body, "http_status");
	json_object_del(rsp->body, "http_etag");
}

#define ROUTE(m, p)                                                                                \
	{                                                                                          \
		.method = (m), .path = (p), .fn = peer_answer                                      \
	}

static const struct http_route routes[] = {
	ROUTE("GET", "/v1/status"),	   ROUTE("GET", "/v1/ports"),
	ROUTE("GET", "/v1/routes/lookup"), ROUTE("GET", "/v1/routes"),
	ROUTE("GET", "/v1/routes/mirror"), ROUTE("GET", "/v1/routes/count"),
	ROUTE("PUT", "/v1/routes"),	   ROUTE("DELETE", "/v1/routes"),
	ROUTE("GET", "/v1/tables"),	   ROUTE("GET", "/v1/tables/history"),
	ROUTE("GET", "/v1/stats"),	   ROUTE("GET", "/v1/drops"),
	ROUTE("GET", "/v1/exceptions"),	   ROUTE("GET", "/v1/config"),
	ROUTE("GET", "/v1/events"),	   ROUTE("POST", "/v1/config/reload"),
	ROUTE("GET", "/v1/neighbours"),
};

/* ---- the three ways of listening; each tells @ready when it does ------------------------------------------------ */

static void ready_tell(int ready)
{
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
}

static int serve_http(char **args, int n, int ready)
{
	struct peer p = {.dirs = args + 2, .n_dirs = n - 2, .log = fopen(args[1], "we")};
	struct http_server_cfg cfg = {.path = args[0],
				      .mode = 0600,
				      .gid = (gid_t)-1,
				      .max_connections = 8,
				      .max_body_bytes = 1 << 20,
				      .timeout_s = MAX_SECONDS,
				      .routes = routes,
				      .n_routes = DWCP_ARRAY_LEN(routes),
				      .arg = &p};
	struct event_base *base = event_base_new();
	struct http_server *server;

	if (!p.log || !base || http_server_open(base, &cfg, &server) < 0)
		return 1;
	ready_tell(ready);
	event_base_dispatch(base);
	return 0;
}

static int socket_listen(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		return -1;
	return fd;
}

static int serve_raw(const char *file, const char *path, int ready)
{
	char request[65536], bytes[65536];
	int in = open(file, O_RDONLY | O_CLOEXEC), fd = socket_listen(path), peer;
	ssize_t n = in < 0 ? -1 : read(in, bytes, sizeof(bytes));

	if (n < 0 || fd < 0)
		return 1;
	ready_tell(ready);
	while ((peer = accept(fd, NULL, NULL)) >= 0) {
		if (read(peer, request, sizeof(request)) > 0 && write(peer, bytes, (size_t)n) != n)
			return 1;
		close(peer);
	}
	return 0;
}

static int serve_nothing(const char *path, int ready)
{
	int fd = socket_listen(path);

	if (fd < 0)
		return 1;
	ready_tell(ready);
	while (accept(fd, NULL, NULL) >= 0)
		;
	return 0;
}

static int peer_serve(int argc, char **argv, int ready)
{
	alarm(MAX_SECONDS);
	if (argc == 4 && strcmp(argv[1], "--raw") == 0)
		return serve_raw(argv[2], argv[3], ready);
	if (argc == 3 && strcmp(argv[1], "--hang") == 0)
		return serve_nothing(argv[2], ready);
	return argc >= 4 ? serve_http(argv + 1, argc - 1, ready) : 2;
}

int main(int argc, char **argv)
{
	int ready[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char byte;
	pid_t pid;

	if (null < 0 || pipe(ready) < 0 || (pid = fork()) < 0)
		return 1;
	if (pid == 0) {
		close(ready[0]);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		_exit(peer_serve(argc, argv, ready[1]));
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		fprintf(stderr, "cli_peer: cannot listen: %s\n", argv[argc - 1]);
		return 1;
	}
	printf("%d\n", (int)pid);
	return 0;
}
