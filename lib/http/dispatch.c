/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dispatch.c - which handler answers a request, and every answer that is the same for all of them: unknown path, wrong
 * method, no permission, too large, not JSON. Pure but for the peer's identity; the fuzzer enters here.
 */
#include <dwcp/util/http.h>

#include <errno.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dispatch.h"

#define DISPATCH_PATH_MAX 256 /* of what is compared and shown; longer paths are unknown ones */
#define DISPATCH_NEAR	  3

struct request_private {
	struct evkeyvalq query;
	struct http_deferred *deferred;
};

void http_error(struct http_response *rsp, int status, const char *code, const char *hint,
		const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_decref(rsp->body);
	rsp->status = status;
	/* what the caller sent may be quoted in it: never let bad UTF-8 turn the answer into nothing */
	rsp->body = json_pack("{s:s, s:s, s:s?}", "error", code, "message", text, "hint", hint);
	if (!rsp->body)
		rsp->body = json_pack("{s:s, s:s, s:s?}", "error", code, "message",
				      "(not printable)", "hint", hint);
}

void http_response_fini(struct http_response *rsp)
{
	json_decref(rsp->body);
	rsp->body = NULL;
	if (rsp->deferred)
		rsp->deferred->abandoned = true;
	rsp->deferred = NULL;
}

struct http_deferred *http_defer(const struct http_request *req)
{
	struct request_private *p = req->private;

	if (!p->deferred)
		p->deferred = calloc(1, sizeof(*p->deferred));
	return p->deferred;
}

void http_complete(struct http_deferred *d, struct http_response *rsp)
{
	if (!rsp->status)
		rsp->status = 200;
	if (!rsp->body)
		http_error(rsp, 500, "no_memory", NULL, "no answer could be built");
	if (!d->abandoned && !d->send) { /* the handler has not even returned */
		d->rsp = *rsp;
		d->completed = true;
		return;
	}
	if (!d->abandoned)
		d->send(d, rsp);
	http_response_fini(rsp);
	free(d);
}

/* Back from the handler: answered, or to be answered. */
static void deferred_settle(struct http_deferred *d, struct http_response *rsp)
{
	if (d->completed) {
		*rsp = d->rsp;
		free(d);
	} else {
		rsp->deferred = d;
	}
}

const char *http_query(const struct http_request *req, const char *name)
{
	struct request_private *p = req->private;
	const struct evkeyval *kv;

	TAILQ_FOREACH(kv, &p->query, next)
	{
		if (strcmp(kv->key, name) == 0)
			return kv->value;
	}
	return NULL;
}

/* Levenshtein, one row at a time. */
static u32 edit_distance(const char *a, const char *b)
{
	u32 row[DISPATCH_PATH_MAX + 1];
	size_t n = strnlen(b, DISPATCH_PATH_MAX);

	for (size_t j = 0; j <= n; j++)
		row[j] = (u32)j;
	for (size_t i = 0; a[i]; i++) {
		u32 diagonal = row[0];

		row[0] = (u32)i + 1;
		for (size_t j = 0; j < n; j++) {
			u32 above = row[j + 1];
			u32 best = diagonal + (a[i] != b[j]);

			best = DWCP_MIN(best, above + 1);
			row[j + 1] = DWCP_MIN(best, row[j] + 1);
			diagonal = above;
		}
	}
	return row[n];
}

static bool listed_before(const struct http_server_cfg *cfg, u32 i)
{
	for (u32 j = 0; j < i; j++) {
		if (strcmp(cfg->routes[j].path, cfg->routes[i].path) == 0)
			return true;
	}
	return false;
}

static void path_unknown(const struct http_server_cfg *cfg, const char *path,
			 struct http_response *rsp)
{
	const char *near[DISPATCH_NEAR] = {0};
	u32 distance[DISPATCH_NEAR];
	char hint[DISPATCH_NEAR * DISPATCH_PATH_MAX] = "";
	size_t len = 0;

	for (u32 i = 0; i < cfg->n_routes; i++) {
		u32 d = edit_distance(path, cfg->routes[i].path), at = DISPATCH_NEAR;

		if (listed_before(cfg, i))
			continue;
		while (at > 0 && (!near[at - 1] || d < distance[at - 1])) {
			if (at < DISPATCH_NEAR) {
				near[at] = near[at - 1];
				distance[at] = distance[at - 1];
			}
			at--;
		}
		if (at < DISPATCH_NEAR) {
			near[at] = cfg->routes[i].path;
			distance[at] = d;
		}
	}
	for (u32 i = 0; i < DISPATCH_NEAR && near[i] && len < sizeof(hint); i++)
		len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%s",
					i ? ", " : "nearest: ", near[i]);
	http_error(rsp, 404, "path_unknown", hint, "no such path: %s", path);
}

static void method_wrong(const struct http_server_cfg *cfg, const char *method, const char *path,
			 struct http_response *rsp)
{
	char hint[128] = "";
	size_t len = 0;

	for (u32 i = 0; i < cfg->n_routes && len < sizeof(hint); i++) {
		if (strcmp(cfg->routes[i].path, path) == 0)
			len += (size_t)snprintf(hint + len, sizeof(hint) - len, "%s%s",
						len ? ", " : "allowed: ", cfg->routes[i].method);
	}
	http_error(rsp, 405, "method_not_allowed", hint, "%s is not for %s", method, path);
}

static const struct http_route *route_find(const struct http_server_cfg *cfg, const char *method,
					   const char *path, struct http_response *rsp)
{
	bool known = false;

	for (u32 i = 0; i < cfg->n_routes; i++) {
		if (strcmp(cfg->routes[i].path, path) != 0)
			continue;
		if (strcmp(cfg->routes[i].method, method) == 0)
			return &cfg->routes[i];
		known = true;
	}
	if (known)
		method_wrong(cfg, method, path, rsp);
	else
		path_unknown(cfg, path, rsp);
	return NULL;
}

/* `"7"` → 7; what is not quoted is taken as it stands. */
static const char *etag_unquote(const char *value, char *buf, size_t size)
{
	size_t len;

	if (!value)
		return NULL;
	len = strlen(value);
	if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
		value++;
		len -= 2;
	}
	if (len >= size)
		len = size - 1;
	memcpy(buf, value, len);
	buf[len] = 0;
	return buf;
}

static int body_parse(const struct http_input *in, json_t **ret_body, struct http_response *rsp)
{
	json_error_t err;

	if (in->body_len == 0)
		return 0;
	*ret_body = json_loadb(in->body, in->body_len, JSON_REJECT_DUPLICATES, &err);
	if (*ret_body)
		return 0;
	http_error(rsp, 400, "json_invalid", "the body must be one JSON object",
		   "line %d, column %d: %s", err.line, err.column, err.text);
	return -EINVAL;
}

static void route_call(const struct http_server_cfg *cfg, const struct http_input *in,
		       const struct http_route *route, struct http_request *req,
		       struct http_response *rsp)
{
	struct request_private *private = req->private;
	json_t *body = NULL;

	if (route->privileged && in->uid != 0 && in->uid != geteuid()) {
		http_error(rsp, 403, "not_permitted", "run as root or as the user of the service",
			   "%s %s is not for uid %u", in->method, req->path, (unsigned int)in->uid);
		return;
	}
	if (body_parse(in, &body, rsp) < 0)
		return;
	req->body = body;
	route->fn(cfg->arg, req, rsp);
	json_decref(body);
	if (private->deferred)
		deferred_settle(private->deferred, rsp);
	else if (!rsp->body)
		http_error(rsp, 500, "no_memory", NULL, "no answer could be built");
}

static void uri_dispatch(const struct http_server_cfg *cfg, const struct http_input *in,
			 struct evhttp_uri *uri, struct http_response *rsp)
{
	/* HEAD is a GET whose body is not sent */
	const char *method = strcmp(in->method, "HEAD") == 0 ? "GET" : in->method;
	const char *query = evhttp_uri_get_query(uri);
	struct request_private private = {.query = TAILQ_HEAD_INITIALIZER(private.query)};
	const struct http_route *route;
	char etag[32];
	size_t len = 0;
	char *path = evhttp_uridecode(evhttp_uri_get_path(uri), 0, &len);

	if (!path) {
		http_error(rsp, 500, "no_memory", NULL, "no memory for the path");
		return;
	}
	if (strlen(path) != len || len >= DISPATCH_PATH_MAX) {
		http_error(rsp, 404, "path_unknown", NULL, "no path is like that");
	} else if (query && evhttp_parse_query_str(query, &private.query) < 0) {
		http_error(rsp, 400, "query_invalid", "write ?name=value&name=value",
			   "the query cannot be read");
	} else if ((route = route_find(cfg, method, path, rsp)) != NULL) {
		struct http_request req = {.method = method,
					   .path = path,
					   .if_match =
						   etag_unquote(in->if_match, etag, sizeof(etag)),
					   .uid = in->uid,
					   .gid = in->gid,
					   .pid = in->pid,
					   .private = &private};

		route_call(cfg, in, route, &req, rsp);
	}
	evhttp_clear_headers(&private.query);
	free(path);
}

void http_dispatch(const struct http_server_cfg *cfg, const struct http_input *in,
		   struct http_response *ret_rsp)
{
	struct evhttp_uri *uri;

	memset(ret_rsp, 0, sizeof(*ret_rsp));
	ret_rsp->status = 200;
	if (cfg->max_body_bytes && in->body_len > cfg->max_body_bytes) {
		http_error(ret_rsp, 413, "body_too_large", NULL,
			   "the body has %zu bytes, at most %u are taken", in->body_len,
			   cfg->max_body_bytes);
		return;
	}
	uri = evhttp_uri_parse_with_flags(in->uri, EVHTTP_URI_NONCONFORMANT);
	if (!uri) {
		http_error(ret_rsp, 400, "uri_invalid", NULL, "the URI cannot be parsed");
		return;
	}
	uri_dispatch(cfg, in, uri, ret_rsp);
	evhttp_uri_free(uri);
}
