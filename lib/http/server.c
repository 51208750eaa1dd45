/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - evhttp on a unix socket, bounded in connections, bytes and time.
 *
 * evhttp has a timeout for silence only: a client that sends one byte now and then would keep its connection for ever.
 * So every connection also has a deadline for its next complete request, swept once a second. evhttp does not tell when
 * it lets go of a connection either: we hold a reference to each bufferevent, and see that its callbacks are gone.
 * One thread: that of the event_base.
 */
#include <dwcp/util/http.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "dispatch.h"
#include "listen.h"

#define SERVER_HEADERS_MAX 16384
#define SERVER_SWEEP_MS	   1000
#define SERVER_FULL_MS	   50 /* between sweeps while no connection is accepted */
/* Past this evhttp answers 413 by itself, without JSON; up to it we read the body and explain. */
#define SERVER_BODY_SLACK  65536

struct connection {
	struct bufferevent *stream; /* a reference */
	time_t since_s;		    /* of its last complete request, or of its accept */
};

struct http_server {
	struct http_server_cfg cfg;
	char *path;
	int fd, lock;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *sweep;
	struct connection *connections; /* [cfg.max_connections] */
	u32 n_connections;
	bool paused;
};

static u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static time_t clock_s(void)
{
	return (time_t)(clock_ns() / 1000000000u);
}

static void sweep_arm(struct http_server *s)
{
	u32 ms = s->paused ? SERVER_FULL_MS : SERVER_SWEEP_MS;
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(s->sweep, &tv);
}

static void accept_pause(struct http_server *s)
{
	if (s->paused)
		return;
	s->paused = true;
	evconnlistener_disable(s->listener);
	sweep_arm(s);
}

static void accept_failed(struct evconnlistener *l, void *arg)
{
	(void)l;
	accept_pause(arg); /* out of file descriptors: wait until some are back */
}

/* bufferevent_free() takes the callbacks away before it drops evhttp's reference. */
static bool connection_alive(const struct connection *c)
{
	bufferevent_event_cb event = NULL;

	bufferevent_getcb(c->stream, NULL, NULL, &event, NULL);
	return event != NULL;
}

/* Let go of what evhttp has let go of. */
static void connections_release(struct http_server *s)
{
	u32 kept = 0;

	for (u32 i = 0; i < s->n_connections; i++) {
		if (connection_alive(&s->connections[i]))
			s->connections[kept++] = s->connections[i];
		else
			bufferevent_decref(s->connections[i].stream);
	}
	s->n_connections = kept;
}

static void connections_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;
	time_t now = clock_s();

	(void)fd, (void)what;
	connections_release(s);
	for (u32 i = 0; i < s->n_connections; i++) {
		const struct connection *c = &s->connections[i];

		if (now - c->since_s > (time_t)s->cfg.timeout_s)
			shutdown(bufferevent_getfd(c->stream), SHUT_RDWR); /* evhttp sees the end */
	}
	if (s->paused && s->n_connections < s->cfg.max_connections) {
		s->paused = false;
		evconnlistener_enable(s->listener);
	}
	sweep_arm(s);
}

static struct bufferevent *connection_new(struct event_base *base, void *arg)
{
	struct http_server *s = arg;
	struct bufferevent *b;

	connections_release(s);
	b = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!b || s->n_connections == s->cfg.max_connections)
		return b; /* not reached when full: the listener stops within a batch */
	bufferevent_incref(b);
	s->connections[s->n_connections++] = (struct connection){b, clock_s()};
	if (s->n_connections >= s->cfg.max_connections)
		accept_pause(s);
	return b;
}

static void connection_touch(struct http_server *s, const struct bufferevent *b)
{
	for (u32 i = 0; i < s->n_connections; i++) {
		if (s->connections[i].stream == b)
			s->connections[i].since_s = clock_s();
	}
}

static const char *method_name(enum evhttp_cmd_type cmd)
{
	switch (cmd) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	default:
		return "?";
	}
}

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Payload Too Large"},
		{422, "Unprocessable Entity"},
		{428, "Precondition Required"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
		{507, "Insufficient Storage"},
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(texts); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return status < 400 ? "OK" : "Error";
}

static void text_free(const void *data, size_t len, void *arg)
{
	(void)data, (void)len;
	free(arg);
}

static void response_send(struct evhttp_request *req, const struct http_response *rsp)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *out = evhttp_request_get_output_buffer(req);
	char *text = json_dumps(rsp->body, JSON_COMPACT | JSON_ENCODE_ANY);
	char value[32];

	if (!text) {
		evhttp_send_error(req, 500, "no memory");
		return;
	}
	evhttp_add_header(headers, "Content-Type", "application/json");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (rsp->etag) {
		snprintf(value, sizeof(value), "\"%llu\"", (unsigned long long)rsp->etag);
		evhttp_add_header(headers, "ETag", value);
	}
	if (rsp->retry_after_s) {
		snprintf(value, sizeof(value), "%u", rsp->retry_after_s);
		evhttp_add_header(headers, "Retry-After", value);
	}
	if (evbuffer_add_reference(out, text, strlen(text), text_free, text) < 0)
		free(text);
	evhttp_send_reply(req, rsp->status, status_text(rsp->status), NULL);
}

static int peer_get(struct evhttp_request *req, struct http_input *in)
{
	struct bufferevent *b =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = bufferevent_getfd(b);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	in->uid = peer.uid;
	in->gid = peer.gid;
	in->pid = peer.pid;
	return 0;
}

/* The answer of a handler that took its time, or the end of a client that did not wait for it. */
static void deferred_send(struct http_deferred *d, const struct http_response *rsp)
{
	evhttp_connection_set_closecb(evhttp_request_get_connection(d->transport), NULL, NULL);
	response_send(d->transport, rsp);
}

static void deferred_closed(struct evhttp_connection *c, void *arg)
{
	struct http_deferred *d = arg;

	(void)c;
	d->abandoned = true;
}

static void deferred_wait(struct http_deferred *d, struct evhttp_request *req)
{
	d->transport = req;
	d->send = deferred_send;
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), deferred_closed, d);
}

static void request_answer(struct http_server *s, struct evhttp_request *req,
			   const struct http_input *in)
{
	struct http_response rsp;
	u64 start = clock_ns();

	http_dispatch(&s->cfg, in, &rsp);
	if (s->cfg.timed)
		s->cfg.timed(s->cfg.arg, in->uri, clock_ns() - start);
	if (rsp.deferred) {
		deferred_wait(rsp.deferred, req);
		return;
	}
	response_send(req, &rsp);
	http_response_fini(&rsp);
}

static void request_arrived(struct evhttp_request *req, void *arg)
{
	struct http_server *s = arg;
	struct evbuffer *body = evhttp_request_get_input_buffer(req);
	struct http_input in = {
		.method = method_name(evhttp_request_get_command(req)),
		.uri = evhttp_request_get_uri(req),
		.if_match = evhttp_find_header(evhttp_request_get_input_headers(req), "If-Match"),
		.body_len = evbuffer_get_length(body),
	};

	if (peer_get(req, &in) < 0) {
		evhttp_send_error(req, 403, "no peer credentials");
		return;
	}
	connection_touch(s, evhttp_connection_get_bufferevent(evhttp_request_get_connection(req)));
	if (in.body_len)
		in.body = evbuffer_pullup(body, -1);
	if (in.body_len && !in.body) {
		evhttp_send_error(req, 500, "no memory");
		return;
	}
	request_answer(s, req, &in);
}

static int evhttp_start(struct http_server *s, struct event_base *base)
{
	struct evhttp_bound_socket *bound;

	s->http = evhttp_new(base);
	s->sweep = evtimer_new(base, connections_sweep, s);
	if (!s->http || !s->sweep)
		return -ENOMEM;
	evhttp_set_max_headers_size(s->http, SERVER_HEADERS_MAX);
	evhttp_set_max_body_size(s->http, (ev_ssize_t)s->cfg.max_body_bytes + SERVER_BODY_SLACK);
	evhttp_set_timeout(s->http, (int)s->cfg.timeout_s);
	/* all that evhttp can read: which of them a path takes is the dispatcher's to say */
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_bevcb(s->http, connection_new, s);
	evhttp_set_gencb(s->http, request_arrived, s);
	bound = evhttp_accept_socket_with_handle(s->http, s->fd);
	if (!bound)
		return -ENOMEM;
	s->fd = -1; /* the listener's from here on */
	s->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(s->listener, accept_failed);
	sweep_arm(s);
	return 0;
}

int http_server_open(struct event_base *base, const struct http_server_cfg *cfg,
		     struct http_server **ret_server)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->cfg = *cfg;
	s->fd = s->lock = -1;
	s->path = strdup(cfg->path);
	s->connections = calloc(cfg->max_connections, sizeof(*s->connections));
	if (!s->path || !s->connections)
		goto fail;
	s->cfg.path = s->path;
	err = listen_open(s->path, cfg->mode, cfg->gid, &s->lock);
	if (err < 0)
		goto fail;
	s->fd = err;
	err = evhttp_start(s, base);
	if (err < 0)
		goto fail;
	*ret_server = s;
	return 0;
fail:
	http_server_close(s);
	return err;
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	if (s->http)
		evhttp_free(s->http);
	for (u32 i = 0; i < s->n_connections; i++)
		bufferevent_decref(s->connections[i].stream);
	if (s->sweep)
		event_free(s->sweep);
	if (s->lock >= 0)
		listen_close(s->path, s->fd, s->lock);
	free(s->connections);
	free(s->path);
	free(s);
}
