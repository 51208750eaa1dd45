/* SPDX-License-Identifier: BSD-3-Clause */
/* test_http.c - the local API's server against clients that do as they like. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwcp/util/http.h>

#include "client.h"

#define N_CLIENTS 100

static char dir[64], path[100];

/* ---- a server on a thread of its own ------------------------------------------------------------------------- */

struct fixture {
	struct event_base *base;
	struct http_server *server;
	struct http_server_cfg cfg;
	pthread_t thread;
	int stop[2];
	struct http_deferred *later;
	struct event *later_event, *stop_event;
	u32 n_timed;
};

static void echo(void *arg, const struct http_request *req, struct http_response *rsp)
{
	(void)arg;
	rsp->etag = 12;
	rsp->body = json_pack("{s:s, s:s?, s:s?, s:I, s:O?}", "method", req->method, "q",
			      http_query(req, "q"), "if_match", req->if_match, "pid",
			      (json_int_t)req->pid, "body", req->body);
}

static void silent(void *arg, const struct http_request *req, struct http_response *rsp)
{
	(void)arg, (void)req, (void)rsp;
}

static void big(void *arg, const struct http_request *req, struct http_response *rsp)
{
	json_t *list = json_array();

	(void)arg, (void)req;
	for (u32 i = 0; i < 100000; i++)
		json_array_append_new(list, json_integer(i));
	rsp->body = list;
}

static void busy(void *arg, const struct http_request *req, struct http_response *rsp)
{
	(void)arg, (void)req;
	http_error(rsp, 503, "busy", "wait", "bytes \xff that are not text");
	rsp->retry_after_s = 3;
}

static void later_fired(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;
	struct http_response rsp = {.body = json_pack("{s:b}", "late", 1), .etag = 5};

	(void)fd, (void)what;
	http_complete(f->later, &rsp);
	f->later = NULL;
}

static void later(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct fixture *f = arg;
	struct timeval tv = {0, 50000};

	(void)rsp;
	if (f->later) {
		http_error(rsp, 503, "busy", NULL, "one at a time");
		return;
	}
	f->later = http_defer(req);
	evtimer_add(f->later_event, &tv);
}

static void at_once(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct http_response now = {.body = json_pack("{s:b}", "late", 0)};

	(void)arg, (void)rsp;
	http_complete(http_defer(req), &now);
}

static void timed(void *arg, const char *uri, u64 ns)
{
	struct fixture *f = arg;

	assert_non_null(uri);
	assert_true(ns < 10000000000u);
	f->n_timed++;
}

static const struct http_route routes[] = {
	{"GET", "/v1/echo", echo, false},   {"PUT", "/v1/echo", echo, false},
	{"DELETE", "/v1/echo", echo, true}, {"GET", "/v1/silent", silent, false},
	{"GET", "/v1/big", big, false},	    {"GET", "/v1/busy", busy, false},
	{"GET", "/v1/later", later, false}, {"GET", "/v1/at/once", at_once, false},
};

static void stopped(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	event_base_loopbreak(arg);
}

static void *serve(void *arg)
{
	struct fixture *f = arg;

	event_base_dispatch(f->base);
	return NULL;
}

static struct fixture *start(u32 max_connections, u32 timeout_s)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->cfg = (struct http_server_cfg){.path = path,
					  .mode = 0660,
					  .gid = (gid_t)-1,
					  .max_connections = max_connections,
					  .max_body_bytes = 1000,
					  .timeout_s = timeout_s,
					  .routes = routes,
					  .n_routes = DWCP_ARRAY_LEN(routes),
					  .arg = f,
					  .timed = timed};
	assert_int_equal(http_server_open(f->base, &f->cfg, &f->server), 0);
	assert_int_equal(pipe(f->stop), 0);
	f->stop_event = event_new(f->base, f->stop[0], EV_READ, stopped, f->base);
	event_add(f->stop_event, NULL);
	f->later_event = evtimer_new(f->base, later_fired, f);
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	pthread_setname_np(f->thread, "server");
	return f;
}

static void stop(struct fixture *f)
{
	struct stat st;

	assert_int_equal(write(f->stop[1], "x", 1), 1);
	pthread_join(f->thread, NULL);
	http_server_close(f->server);
	if (f->later) {
		struct http_response rsp = {.body = json_true()};

		http_complete(f->later, &rsp); /* its client went with the server */
	}
	event_free(f->later_event);
	event_free(f->stop_event);
	event_base_free(f->base);
	close(f->stop[0]);
	close(f->stop[1]);
	free(f);
	assert_int_equal(stat(path, &st), -1);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Raw bytes in, status out; the connection is closed after it. */
static int raw(const char *bytes, size_t len, char **ret_head, char **ret_body)
{
	int fd = client_connect(path), status;

	assert_true(fd >= 0);
	client_send(fd, bytes, len); /* the server may answer and close before it has all */
	status = client_read(fd, ret_head, ret_body);
	close(fd);
	return status;
}

static int raw_text(const char *text)
{
	return raw(text, strlen(text), NULL, NULL);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* ---- what a client may do ------------------------------------------------------------------------------------- */

static void requests_are_answered(void **state)
{
	struct fixture *f = start(8, 5);
	char *head = NULL, *body = NULL;
	json_t *o;

	(void)state;
	assert_int_equal(client_call(path, "GET", "/v1/echo?q=a%20b%2F&r=1", "34", NULL, &o), 200);
	assert_string_equal(text_of(o, "method"), "GET");
	assert_string_equal(text_of(o, "q"), "a b/");
	assert_string_equal(text_of(o, "if_match"), "34");
	assert_int_equal(json_integer_value(json_object_get(o, "pid")), getpid());
	json_decref(o);
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, "{\"a\": [1, 2]}", &o), 200);
	assert_int_equal(json_array_size(json_object_get(json_object_get(o, "body"), "a")), 2);
	json_decref(o);
	assert_int_equal(raw("GET /v1/echo HTTP/1.1\r\n\r\n", 25, &head, &body), 200);
	assert_non_null(strstr(head, "Content-Type: application/json"));
	assert_non_null(strstr(head, "ETag: \"12\""));
	free(head);
	free(body);
	assert_int_equal(client_call(path, "GET", "/v1/big", NULL, NULL, &o), 200);
	assert_int_equal(json_array_size(o), 100000);
	json_decref(o);
	assert_int_equal(client_call(path, "GET", "/v1/silent", NULL, NULL, NULL), 500);
	assert_true(f->n_timed >= 5);
	stop(f);
}

static void errors_say_what_to_do(void **state)
{
	struct fixture *f = start(8, 5);
	char *head = NULL, *body = NULL;
	json_t *o;

	(void)state;
	assert_int_equal(client_call(path, "GET", "/v1/ecko", NULL, NULL, &o), 404);
	assert_string_equal(text_of(o, "error"), "path_unknown");
	assert_non_null(strstr(text_of(o, "hint"), "nearest: /v1/echo,"));
	json_decref(o);
	assert_int_equal(client_call(path, "POST", "/v1/echo", NULL, "{}", &o), 405);
	assert_string_equal(text_of(o, "error"), "method_not_allowed");
	assert_string_equal(text_of(o, "hint"), "allowed: GET, PUT, DELETE");
	json_decref(o);
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, "{\"a\": }", &o), 400);
	assert_string_equal(text_of(o, "error"), "json_invalid");
	json_decref(o);
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, "{\"a\":1,\"a\":2}", &o), 400);
	json_decref(o);
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, "{}{}", &o), 400);
	json_decref(o);
	assert_int_equal(raw("GET /v1/busy HTTP/1.1\r\n\r\n", 25, &head, &body), 503);
	assert_non_null(strstr(head, "Retry-After: 3"));
	o = json_loads(body, 0, NULL);
	assert_string_equal(text_of(o, "error"), "busy"); /* whatever stood in the message */
	json_decref(o);
	free(head);
	free(body);
	stop(f);
}

static void odd_requests(void **state)
{
	struct fixture *f = start(8, 5);
	static char long_uri[20000];

	(void)state;
	assert_int_equal(raw_text("GET /v1/%65cho HTTP/1.1\r\n\r\n"), 200); /* decoded */
	assert_int_equal(raw_text("GET /v1/echo%00x HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(raw_text("GET /v1/echo?q HTTP/1.1\r\n\r\n"), 400);
	assert_int_equal(raw_text("GET /v1/echo?q=%ff HTTP/1.1\r\n\r\n"),
			 500); /* not text: no JSON */
	assert_int_equal(raw_text("GET // HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(raw_text("GET /v1/../v1/echo HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(raw_text("GET http://x/v1/echo HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	assert_int_equal(raw_text("PATCH /v1/echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 405);
	/* what is not HTTP ends with a 400, a 501 or the end of the connection, never with silence */
	assert_true(raw_text("TRACE /v1/echo HTTP/1.1\r\n\r\n") != -EAGAIN);
	assert_true(raw_text("\x16\x03\x01 hello\r\n\r\n") != -EAGAIN);
	assert_true(raw_text("GET /v1/echo\r\n\r\n") != -EAGAIN);
	assert_true(raw_text("GET /v1/echo HTTP/9.9\r\n\r\n") != -EAGAIN);
	assert_true(raw_text("PUT /v1/echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n") != -EAGAIN);
	assert_true(raw_text("PUT /v1/echo HTTP/1.1\r\nContent-Length: x\r\n\r\n") != -EAGAIN);
	memset(long_uri, 'a', sizeof(long_uri) - 1);
	memcpy(long_uri, "GET /", 5);
	memcpy(long_uri + sizeof(long_uri) - 14, " HTTP/1.1\r\n\r\n", 13);
	assert_true(raw_text(long_uri) != 200);
	/* after all that it still answers */
	assert_int_equal(raw_text("GET /v1/echo HTTP/1.1\r\n\r\n"), 200);
	stop(f);
}

static void bodies_are_bounded(void **state)
{
	struct fixture *f = start(8, 5);
	static char text[300000];
	json_t *o;

	(void)state;
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "{}", 2);
	text[1000] = 0;
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, text, NULL), 200);
	text[1000] = ' ';
	text[1001] = 0;
	assert_int_equal(client_call(path, "PUT", "/v1/echo", NULL, text, &o), 413);
	assert_string_equal(text_of(o, "error"), "body_too_large");
	json_decref(o);
	text[1001] = ' ';
	/* far too large: refused by its announcement, before it is sent */
	assert_int_equal(raw_text("PUT /v1/echo HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{}"),
			 413);
	/* and in chunks, without an announcement */
	assert_int_equal(raw_text("PUT /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "2\r\n{}\r\n0\r\n\r\n"),
			 200);
	assert_int_equal(raw_text("PUT /v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				  "fffffff\r\n{}\r\n0\r\n\r\n"),
			 413);
	stop(f);
}

static void connections_are_kept_for_more_requests(void **state)
{
	struct fixture *f = start(8, 5);
	const char *two = "GET /v1/echo HTTP/1.1\r\n\r\nGET /v1/nope HTTP/1.1\r\n\r\n";
	int fd = client_connect(path);

	(void)state;
	for (u32 i = 0; i < 50; i++) {
		client_send(fd, "GET /v1/echo HTTP/1.1\r\n\r\n", 25);
		assert_int_equal(client_read(fd, NULL, NULL), 200);
	}
	client_send(fd, two, strlen(two)); /* pipelined */
	assert_int_equal(client_read(fd, NULL, NULL), 200);
	assert_int_equal(client_read(fd, NULL, NULL), 404);
	close(fd);
	stop(f);
}

static void answers_may_come_later(void **state)
{
	struct fixture *f = start(8, 5);
	json_t *o;
	int fd;

	(void)state;
	assert_int_equal(client_call(path, "GET", "/v1/at/once", NULL, NULL, &o), 200);
	json_decref(o);
	assert_int_equal(client_call(path, "GET", "/v1/later", NULL, NULL, &o), 200);
	assert_true(json_is_true(json_object_get(o, "late")));
	json_decref(o);
	/* a client that does not wait */
	fd = client_connect(path);
	client_send(fd, "GET /v1/later HTTP/1.1\r\n\r\n", 26);
	assert_int_equal(client_call(path, "GET", "/v1/echo", NULL, NULL, NULL), 200);
	close(fd);
	while (client_call(path, "GET", "/v1/later", NULL, NULL, NULL) == 503)
		poll(NULL, 0, 10);
	/* and one that is still waiting when the server goes */
	fd = client_connect(path);
	client_send(fd, "GET /v1/later HTTP/1.1\r\n\r\n", 26);
	assert_int_equal(client_call(path, "GET", "/v1/echo", NULL, NULL, NULL), 200);
	stop(f);
	close(fd);
}

static void a_hundred_clients_at_once(void **state)
{
	struct fixture *f = start(256, 10);
	int fd[N_CLIENTS];

	(void)state;
	for (u32 i = 0; i < N_CLIENTS; i++) {
		fd[i] = client_connect(path);
		assert_true(fd[i] >= 0);
	}
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < N_CLIENTS; i++)
			client_send(fd[i], "GET /v1/echo HTTP/1.1\r\n\r\n", 25);
		for (u32 i = 0; i < N_CLIENTS; i++)
			assert_int_equal(client_read(fd[i], NULL, NULL), 200);
	}
	for (u32 i = 0; i < N_CLIENTS; i++)
		close(fd[i]);
	stop(f);
}

/* Half a request never ends; the connection does, and the others are served meanwhile. */
static void slow_clients_are_cut_off(void **state)
{
	struct fixture *f = start(64, 1);
	struct pollfd p;
	double begin = seconds(), took;
	char c;
	int fd = client_connect(path), idle = client_connect(path);

	(void)state;
	client_send(fd, "GET /v1/echo HTTP/1.1\r\nX: ", 26);
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	/* a byte now and then, more often than any timeout for silence */
	while (seconds() - begin < 20) {
		if (poll(&p, 1, 200) > 0 && recv(fd, &c, 1, MSG_PEEK) <= 0)
			break;
		if (client_send(fd, "x", 1) < 0)
			break;
	}
	took = seconds() - begin;
	print_message("dripping client cut off after %.1f s\n", took);
	assert_true(took > 0.9 && took < 10);
	assert_int_equal(recv(idle, &c, 1, 0), 0); /* said nothing at all */
	assert_int_equal(client_call(path, "GET", "/v1/echo", NULL, NULL, NULL), 200);
	close(idle);
	close(fd);
	stop(f);
}

static u32 n_answered(int *fd, u32 n)
{
	u32 answered = 0;
	char c;

	for (u32 i = 0; i < n; i++)
		answered += recv(fd[i], &c, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
	return answered;
}

/* More connections than are allowed: only so many are served, until those have been cut off. */
static void connections_are_bounded(void **state)
{
	struct fixture *f = start(8, 2);
	int fd[24];
	double begin;

	(void)state;
	for (u32 i = 0; i < 24; i++) {
		fd[i] = client_connect(path);
		client_send(fd[i], "GET /v1/echo HTTP/1.1\r\n\r\n", 25);
	}
	begin = seconds();
	while (n_answered(fd, 24) < 8 && seconds() - begin < 5)
		poll(NULL, 0, 10);
	/* long enough for a ninth, shorter than the time after which places become free */
	poll(NULL, 0, 300);
	assert_int_equal(n_answered(fd, 24), 8);
	assert_int_equal(client_call(path, "GET", "/v1/echo", NULL, NULL, NULL), 200);
	assert_true(seconds() - begin > 1);
	for (u32 i = 0; i < 24; i++)
		close(fd[i]);
	stop(f);
}

/* The same when they are all there before the server looks. */
static void a_batch_of_connections_is_bounded(void **state)
{
	struct event_base *base = event_base_new();
	struct http_server_cfg cfg = {.path = path,
				      .mode = 0600,
				      .gid = (gid_t)-1,
				      .max_connections = 8,
				      .max_body_bytes = 10,
				      .timeout_s = 10,
				      .routes = routes,
				      .n_routes = DWCP_ARRAY_LEN(routes)};
	struct http_server *s;
	int fd[24];

	(void)state;
	assert_int_equal(http_server_open(base, &cfg, &s), 0);
	for (u32 i = 0; i < 24; i++) {
		fd[i] = client_connect(path);
		client_send(fd[i], "GET /v1/echo HTTP/1.1\r\n\r\n", 25);
	}
	for (u32 i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(n_answered(fd, 24), 8);
	/* the places of those that leave are taken by those that wait */
	for (u32 i = 0; i < 8; i++)
		close(fd[i]);
	for (u32 i = 0; i < 500 && n_answered(fd + 8, 16) < 8; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 5);
	}
	assert_int_equal(n_answered(fd + 8, 16), 8);
	for (u32 i = 8; i < 24; i++)
		close(fd[i]);
	http_server_close(s);
	event_base_free(base);
}

/* ---- the socket ------------------------------------------------------------------------------------------------ */

static int open_again(struct event_base *base, struct http_server **ret)
{
	struct http_server_cfg cfg = {.path = path,
				      .mode = 0600,
				      .gid = (gid_t)-1,
				      .max_connections = 4,
				      .max_body_bytes = 10,
				      .timeout_s = 1,
				      .routes = routes,
				      .n_routes = 1};

	return http_server_open(base, &cfg, ret);
}

static void a_live_socket_is_not_taken(void **state)
{
	struct fixture *f = start(8, 5);
	struct event_base *base = event_base_new();
	struct http_server *s;

	(void)state;
	assert_int_equal(open_again(base, &s), -EADDRINUSE);
	assert_int_equal(client_call(path, "GET", "/v1/echo", NULL, NULL, NULL), 200);
	stop(f);
	assert_int_equal(open_again(base, &s), 0);
	http_server_close(s);
	event_base_free(base);
}

static int foreign_socket(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void a_socket_without_lock_is_asked(void **state)
{
	struct event_base *base = event_base_new();
	struct http_server *s;
	struct stat st;
	int fd = foreign_socket();

	(void)state;
	assert_int_equal(open_again(base, &s), -EADDRINUSE);
	close(fd); /* dead, but its file is there */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(open_again(base, &s), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	http_server_close(s);
	event_base_free(base);
}

static void a_file_in_the_way_stays(void **state)
{
	struct event_base *base = event_base_new();
	struct http_server *s;
	struct stat st;

	(void)state;
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(open_again(base, &s), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	event_base_free(base);
}

/* Many starts at the same moment: exactly one gets it. */
static pthread_barrier_t opened;

static void *race(void *arg)
{
	struct event_base *base = event_base_new();
	struct http_server *s = NULL;

	*(int *)arg = open_again(base, &s);
	pthread_barrier_wait(&opened); /* the winner holds it until all have tried */
	http_server_close(s);
	event_base_free(base);
	return NULL;
}

static void starts_race(void **state)
{
	pthread_t thread[8];
	int err[8], n_won;

	(void)state;
	pthread_barrier_init(&opened, NULL, 8);
	for (u32 round = 0; round < 5; round++) {
		n_won = 0;
		for (u32 i = 0; i < 8; i++)
			pthread_create(&thread[i], NULL, race, &err[i]);
		for (u32 i = 0; i < 8; i++) {
			pthread_join(thread[i], NULL);
			assert_true(err[i] == 0 || err[i] == -EADDRINUSE);
			n_won += err[i] == 0;
		}
		assert_int_equal(n_won, 1);
	}
	pthread_barrier_destroy(&opened);
}

/* ---- without sockets ------------------------------------------------------------------------------------------- */

static int dispatch_as(uid_t uid, const char *method)
{
	struct http_server_cfg cfg = {.routes = routes, .n_routes = DWCP_ARRAY_LEN(routes)};
	struct http_input in = {.method = method, .uri = "/v1/echo", .uid = uid};
	struct http_response rsp;
	int status;

	http_dispatch(&cfg, &in, &rsp);
	status = rsp.status;
	http_response_fini(&rsp);
	return status;
}

static void mutations_need_privilege(void **state)
{
	uid_t stranger = geteuid() + 12345;

	(void)state;
	assert_int_equal(dispatch_as(0, "DELETE"), 200);
	assert_int_equal(dispatch_as(geteuid(), "DELETE"), 200);
	assert_int_equal(dispatch_as(stranger, "DELETE"), 403);
	assert_int_equal(dispatch_as(stranger, "GET"), 200);
	assert_int_equal(dispatch_as(stranger, "HEAD"), 200);
}

/* Over the socket: the kernel says who it is. */
static void strangers_may_only_read(void **state)
{
	struct fixture *f;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root to become somebody else\n");
		skip();
	}
	f = start(8, 5);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) < 0 ||
		    client_call(path, "GET", "/v1/echo", NULL, NULL, NULL) != 200 ||
		    client_call(path, "DELETE", "/v1/echo", NULL, NULL, NULL) != 403)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	stop(f);
}

static int dir_make(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/dwcp-http-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/agent.sock", dir);
	return 0;
}

static int dir_remove(void **state)
{
	(void)state;
	return rmdir(dir); /* fails if anything was left behind */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered),
		cmocka_unit_test(errors_say_what_to_do),
		cmocka_unit_test(odd_requests),
		cmocka_unit_test(bodies_are_bounded),
		cmocka_unit_test(connections_are_kept_for_more_requests),
		cmocka_unit_test(answers_may_come_later),
		cmocka_unit_test(a_hundred_clients_at_once),
		cmocka_unit_test(slow_clients_are_cut_off),
		cmocka_unit_test(connections_are_bounded),
		cmocka_unit_test(a_batch_of_connections_is_bounded),
		cmocka_unit_test(a_live_socket_is_not_taken),
		cmocka_unit_test(a_socket_without_lock_is_asked),
		cmocka_unit_test(a_file_in_the_way_stays),
		cmocka_unit_test(starts_race),
		cmocka_unit_test(mutations_need_privilege),
		cmocka_unit_test(strangers_may_only_read),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
