/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.h - the local API's server: HTTP/1.1 + JSON on a unix socket, so that curl works. Used by the agent and, for
 * the same nouns, by the dataplane itself when the agent is dead. One event_base, one thread; never a worker.
 * evhttp (libevent) speaks the protocol; this adds peer credentials, a table of routes, JSON bodies and JSON errors.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>
#include <sys/types.h>

#include <dwcp/base.h>

struct http_request {
	const char *method; /* "GET", "PUT", … */
	const char *path;
	const char *if_match; /* value without quotes, or NULL */
	json_t *body;	      /* parsed, or NULL when there was none; borrowed */
	uid_t uid;	      /* of the peer */
	gid_t gid;
	pid_t pid;
	void *private;
};

struct http_response {
	int status;			/* 200 unless set */
	json_t *body;			/* owned: taken by the server */
	u64 etag;			/* 0 = none */
	u32 retry_after_s;		/* 0 = none; with 503 */
	struct http_deferred *deferred; /* the server's own: see http_defer() */
};

struct http_route {
	const char *method, *path; /* exact path */
	/* answers at once; must not block. Errors: http_error(). */
	void (*fn)(void *arg, const struct http_request *req, struct http_response *rsp);
	bool privileged; /* root or our own uid only (mutations) */
};

struct http_server_cfg {
	const char *
		path; /* of the socket; a dead one left behind is replaced, a live one is -EADDRINUSE */
	mode_t mode; /* 0660 */
	gid_t gid;   /* -1 = leave */
	u32 max_connections;
	u32 max_body_bytes;
	u32 timeout_s;
	const struct http_route *routes;
	u32 n_routes;
	void *arg;
	void (*timed)(void *arg, const char *path,
		      u64 ns); /* NULL, or told how long each handler took */
};

struct http_server;

/** http_server_open() - the program must ignore SIGPIPE. Return: 0, -EADDRINUSE (another instance answers there), -EACCES, -errno. */
int http_server_open(struct event_base *base, const struct http_server_cfg *cfg,
		     struct http_server **ret_server);
void http_server_close(struct http_server *s); /* unlinks the socket */

/* One request as bytes, however it came. */
struct http_input {
	const char *method, *uri; /* uri: path and query, percent-encoded */
	const char *if_match;	  /* header value, or NULL */
	const void *body;
	size_t body_len;
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/**
 * http_dispatch() - from the bytes of a request to its response, without any socket: the server's own way in, and the
 * fuzzer's. @cfg: routes, n_routes, arg and max_body_bytes are used. @ret_rsp: released with http_response_fini().
 */
void http_dispatch(const struct http_server_cfg *cfg, const struct http_input *in,
		   struct http_response *ret_rsp);
void http_response_fini(struct http_response *rsp);

/**
 * http_defer() - the handler returns without an answer; http_complete() gives it later, from the server's thread.
 * Nothing of the request may be used after the handler has returned. Return: NULL without memory: answer 500.
 */
struct http_deferred *http_defer(const struct http_request *req);
/** http_complete() - takes rsp->body and @d. A client that has gone meanwhile is no error. */
void http_complete(struct http_deferred *d, struct http_response *rsp);

/** http_query() - a parameter of the URL, decoded; NULL = not given. Valid until the response is sent. */
const char *http_query(const struct http_request *req, const char *name);
/** http_error() - {"error": code, "message": text, "hint": what to do (or NULL)} */
void http_error(struct http_response *rsp, int status, const char *code, const char *hint,
		const char *fmt, ...) dwcp_printf(5, 6);

/* ---- the stats page as JSON: the same nouns from the agent and from the dataplane itself ------------------- */

/**
 * stats_page_check() - is this mapping a stats page we can read? Of any version: what an older dataplane does not count is
 * 0 or null in what follows. Return: NULL or what is wrong.
 */
const char *stats_page_check(const void *page, size_t bytes);
/* Each returns a new object, NULL without memory. @page: mapped, checked. */
json_t *stats_ports_json(const void *page); /* array */
json_t *stats_drops_json(const void *page); /* {"drops": array, "total"} */
json_t *stats_exceptions_json(
	const void *page); /* {"classes", "twins": arrays, "to_host", "from_host", "icmp"} */
json_t *stats_twin_json(const void *page, u32 port); /* {"name", "state", "reason"} */
json_t *stats_workers_json(
	const void *
		page); /* array; per worker: packets, cycles a stage, latency percentiles, sleeps, gaps */
json_t *
stats_tables_json(const void *page); /* generation, adoptions, refusals, mapped bytes, stored */
/** stats_accounting_json() - {"rx":…, "from_host", "originated", "tx", "to_host", "dropped", "queued", "difference"} */
json_t *stats_accounting_json(const void *page);
/**
 * stats_icmp_json() - {"errors": [{"error", "family", "sent", "limited"}…], "unsent": {"forbidden", "forbidden_by":
 * {rule: n}, "no_source", "no_room"}, "fragmentation": {"packets", "fragments", "failed"}}; null of a dataplane that doesn't count them.
 */
json_t *stats_icmp_json(const void *page);
/** stats_drop_name() - the name of a drop reason as the API and the CLI show it ("ip4_ttl"). Return: @buf. */
const char *stats_drop_name(u32 reason, char *buf, size_t size);
