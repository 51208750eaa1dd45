/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes_edit.c - adding and deleting routes. JSON becomes one line of route-file syntax, which is parsed, checked and
 * stored by the same code as a route file: one grammar, one set of messages.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/clock.h"
#include "api.h"

/* A word of a line: nothing that could begin another word, a comment or a line. */
static bool word_ok(const char *s)
{
	if (!*s || strlen(s) > ADDR_TEXT_MAX)
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == '#')
			return false;
	}
	return true;
}

/* Reads one object: every key must be taken, so that a misspelt one is an error and not ignored. */
struct reader {
	const json_t *object;
	size_t n_taken;
	struct http_response *rsp;
	bool failed;
};

static void reader_fail(struct reader *r, const char *key, const char *expected)
{
	if (!r->failed)
		http_error(r->rsp, 400, "body_invalid",
			   "{\"prefix\": \"192.0.2.0/24\", \"paths\": [{\"gateway\": "
			   "\"198.51.100.1\"}]}",
			   "%s: expected %s", key, expected);
	r->failed = true;
}

static const char *read_word(struct reader *r, const char *key)
{
	const json_t *v = json_object_get(r->object, key);

	if (!v)
		return NULL;
	r->n_taken++;
	if (json_is_null(v))
		return NULL;
	if (!json_is_string(v) || !word_ok(json_string_value(v))) {
		reader_fail(r, key, "a word");
		return NULL;
	}
	return json_string_value(v);
}

static json_int_t read_number(struct reader *r, const char *key, json_int_t fallback)
{
	const json_t *v = json_object_get(r->object, key);

	if (!v)
		return fallback;
	r->n_taken++;
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > UINT32_MAX) {
		reader_fail(r, key, "a number");
		return fallback;
	}
	return json_integer_value(v);
}

static void reader_end(struct reader *r, const char *what)
{
	if (!r->failed && json_object_size(r->object) != r->n_taken)
		reader_fail(r, what, "known keys only");
}

static void path_print(const json_t *path, bool many, FILE *f, struct http_response *rsp,
		       bool *ret_failed)
{
	struct reader r = {.object = path, .rsp = rsp};
	const char *gateway, *port;
	json_int_t vlan, svlan, weight;

	gateway = read_word(&r, "gateway");
	port = read_word(&r, "port");
	vlan = read_number(&r, "vlan", 0);
	svlan = read_number(&r, "svlan", 0);
	weight = read_number(&r, "weight", 1);
	reader_end(&r, "paths");
	if (!r.failed && !gateway && !port)
		reader_fail(&r, "paths", "a gateway, a port, or both");
	*ret_failed = r.failed;
	if (r.failed)
		return;
	fprintf(f, "%s", many ? " nexthop" : "");
	if (gateway)
		fprintf(f, " via %s", gateway);
	if (port)
		fprintf(f, " dev %s", port);
	if (vlan)
		fprintf(f, " vlan %lld", (long long)vlan);
	if (svlan)
		fprintf(f, " svlan %lld", (long long)svlan);
	if (weight != 1)
		fprintf(f, " weight %lld", (long long)weight);
}

static void paths_print(struct reader *r, FILE *f)
{
	const json_t *paths = json_object_get(r->object, "paths");

	if (!paths)
		return;
	r->n_taken++;
	if (!json_is_array(paths) || json_array_size(paths) > CONFIG_MAX_PATHS) {
		reader_fail(r, "paths", "a list of at most 64");
		return;
	}
	for (size_t i = 0; i < json_array_size(paths) && !r->failed; i++) {
		const json_t *path = json_array_get(paths, i);

		if (!json_is_object(path))
			reader_fail(r, "paths", "a list of objects");
		else
			path_print(path, json_array_size(paths) > 1, f, r->rsp, &r->failed);
	}
}

static void line_print(struct reader *r, FILE *f)
{
	const char *prefix = read_word(r, "prefix"), *type = read_word(r, "type");
	json_int_t vrf = read_number(r, "vrf", 0);

	if (!prefix)
		reader_fail(r, "prefix", "a prefix, as 192.0.2.0/24");
	if (r->failed)
		return;
	if (type && strcmp(type, route_type_name(ROUTE_UNICAST)) != 0)
		fprintf(f, "%s ", type);
	fprintf(f, "%s", prefix);
	if (vrf)
		fprintf(f, " vrf %lld", (long long)vrf);
	paths_print(r, f);
	reader_end(r, "body");
}

/* Return: the line, NULL after http_error(). */
static char *line_make(const json_t *body, struct http_response *rsp)
{
	struct reader r = {.object = body, .rsp = rsp};
	char *line = NULL;
	size_t len;
	FILE *f;

	if (!json_is_object(body)) {
		reader_fail(&r, "body", "an object");
		return NULL;
	}
	f = open_memstream(&line, &len);
	if (f) {
		line_print(&r, f);
		if (fclose(f) == 0 && !r.failed)
			return line;
	}
	free(line);
	if (!r.failed)
		http_error(rsp, 500, "no_memory", NULL, "no memory for the route");
	return NULL;
}

static void mutated(struct builder_mutate *m)
{
	struct agent *a = m->arg;

	a->facts = m->facts;
	if (m->applied)
		publish_changed(a);
	http_complete(m->deferred, &m->rsp);
	memset(&m->rsp, 0, sizeof(m->rsp)); /* taken */
	builder_mutate_free(m);
}

/* @line: taken; NULL = delete @prefix. */
static void mutation_submit(struct agent *a, const struct http_request *req,
			    struct http_response *rsp, char *line, const struct fib_prefix *prefix)
{
	struct builder_mutate *m = calloc(1, sizeof(*m));
	struct http_deferred *d = m ? defer_or_fail(req, rsp) : NULL;

	if (!d) {
		if (!m)
			http_error(rsp, 500, "no_memory", NULL, "no memory for the request");
		free(line);
		free(m);
		return;
	}
	m->line = line;
	if (prefix)
		m->prefix = *prefix;
	m->has_if_match = req->if_match != NULL;
	if (m->has_if_match)
		snprintf(m->if_match, sizeof(m->if_match), "%s", req->if_match);
	m->event_ns = clock_ns();
	m->deferred = d;
	m->done = mutated;
	m->arg = a;
	builder_submit_mutate(a->builder, m);
}

void route_put(void *arg, const struct http_request *req, struct http_response *rsp)
{
	char *line = line_make(req->body, rsp);

	if (line)
		mutation_submit(arg, req, rsp, line, NULL);
}

void route_delete(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const char *text = http_query(req, "prefix");
	struct fib_prefix prefix;

	if (!text || prefix_parse(text, &prefix) < 0) {
		http_error(rsp, 400, "query_invalid", "?prefix=192.0.2.0/24",
			   "prefix: expected a prefix, got \"%s\"", text ? text : "");
		return;
	}
	if (query_u32(req, rsp, "vrf", 0, UINT32_MAX, &prefix.vrf))
		mutation_submit(arg, req, rsp, NULL, &prefix);
}
