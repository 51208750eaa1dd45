/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route_words.c - the grammar of one route, word by word. The same as of a route file's line (lib/config), but with
 * names of ports instead of their indices.
 */
#include "route_words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

struct words {
	char *const *at;
	u32 n, next;
	char *error;
	u8 family; /* of the prefix */
};

/* What may stand behind a next hop, with its largest value. */
static const struct {
	const char *word;
	u32 max;
} path_numbers[] = {{"vlan", 4094}, {"svlan", 4094}, {"weight", 65535}};

static const char *const no_path_types[] = {"blackhole", "unreachable", "prohibit"};

static dwcp_printf(2, 3) int words_fail(struct words *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->error, ROUTE_WORDS_ERROR_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

static const char *words_peek(const struct words *w)
{
	return w->next < w->n ? w->at[w->next] : NULL;
}

static bool words_accept(struct words *w, const char *word)
{
	const char *next = words_peek(w);

	if (!next || strcmp(next, word) != 0)
		return false;
	w->next++;
	return true;
}

static int words_number(struct words *w, const char *what, u32 max, json_t *into)
{
	const char *text = words_peek(w);
	char *end;
	unsigned long n;

	if (!text || *text < '0' || *text > '9')
		return words_fail(w, "%s: expected a number up to %u%s%s", what, max,
				  text ? ", not " : "", text ? text : "");
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n > max)
		return words_fail(w, "%s: expected a number up to %u, not %s", what, max, text);
	w->next++;
	return json_object_set_new(into, what, json_integer((json_int_t)n)) == 0 ? 0 : -ENOMEM;
}

static int words_gateway(struct words *w, json_t *path)
{
	const char *text = words_peek(w);
	struct fib_addr addr;
	u8 family;

	if (!text || addr_parse(text, &addr, &family) < 0)
		return words_fail(w, "via: expected an address%s%s", text ? ", not " : "",
				  text ? text : "");
	if (family != w->family)
		return words_fail(w, "via: %s is of another family than the prefix", text);
	w->next++;
	return json_object_set_new(path, "gateway", json_string(text)) == 0 ? 0 : -ENOMEM;
}

static int words_port(struct words *w, json_t *path)
{
	const char *text = words_peek(w);
	json_t *name;

	if (!text || !*text || strlen(text) >= CONFIG_NAME_MAX)
		return words_fail(w, "dev: expected the name of a port");
	name = json_string(text);
	if (!name)
		return words_fail(w, "dev: the name of a port is plain text");
	w->next++;
	return json_object_set_new(path, "port", name) == 0 ? 0 : -ENOMEM;
}

static int words_path_option(struct words *w, json_t *path)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(path_numbers); i++)
		if (words_accept(w, path_numbers[i].word))
			return words_number(w, path_numbers[i].word, path_numbers[i].max, path);
	return words_fail(w, "expected via, dev, vlan, svlan, weight or nexthop, not %s",
			  words_peek(w));
}

/* via ADDR, dev PORT and their options, up to the next nexthop or the end. */
static int words_path(struct words *w, json_t *paths)
{
	json_t *path = json_object();
	int rc = 0;

	if (!path || json_array_append_new(paths, path) < 0)
		return -ENOMEM;
	while (rc == 0 && words_peek(w) && strcmp(words_peek(w), "nexthop") != 0) {
		if (words_accept(w, "via"))
			rc = words_gateway(w, path);
		else if (words_accept(w, "dev"))
			rc = words_port(w, path);
		else
			rc = words_path_option(w, path);
	}
	if (rc == 0 && !json_object_get(path, "gateway") && !json_object_get(path, "port"))
		rc = words_fail(w, "a next hop needs via ADDRESS or dev PORT");
	return rc;
}

static int words_paths(struct words *w, json_t *paths)
{
	int rc;

	if (!words_peek(w))
		return words_fail(w, "expected via ADDRESS, dev PORT or nexthop");
	if (strcmp(words_peek(w), "nexthop") != 0) {
		rc = words_path(w, paths);
		return rc == 0 && words_peek(w)
			       ? words_fail(w,
					    "nexthop stands before the first next hop, or nowhere")
			       : rc;
	}
	do {
		if (json_array_size(paths) == CONFIG_MAX_PATHS)
			return words_fail(w, "more than %d next hops", CONFIG_MAX_PATHS);
		w->next++; /* nexthop */
		rc = words_path(w, paths);
	} while (rc == 0 && words_peek(w));
	return rc;
}

static const char *words_type(struct words *w)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(no_path_types); i++)
		if (words_accept(w, no_path_types[i]))
			return no_path_types[i];
	words_accept(w, "unicast");
	return "unicast";
}

static int words_prefix(struct words *w, char *buf, size_t len)
{
	const char *text = words_peek(w);
	struct fib_prefix prefix;

	if (!text)
		return words_fail(w, "expected a prefix");
	if (strcmp(text, "default") == 0) {
		/* of the family of the first gateway, as ip-route(8) has it */
		bool v6 = false;

		for (u32 i = w->next + 1; i + 1 < w->n; i++)
			v6 |= strcmp(w->at[i], "via") == 0 && strchr(w->at[i + 1], ':');
		text = v6 ? "::/0" : "0.0.0.0/0";
	}
	if (prefix_parse(text, &prefix) < 0)
		return words_fail(w, "expected a prefix with no bits behind its length, not %s",
				  text);
	w->family = prefix.family;
	w->next++;
	prefix_format(&prefix, buf, len);
	return 0;
}

static int words_route(struct words *w, json_t *route)
{
	char prefix[ADDR_TEXT_MAX];
	const char *type = words_type(w);
	json_t *paths = json_array();
	int rc;

	if (!paths || json_object_set_new(route, "paths", paths) < 0)
		return -ENOMEM;
	rc = words_prefix(w, prefix, sizeof(prefix));
	if (rc == 0 && words_accept(w, "vrf"))
		rc = words_number(w, "vrf", UINT32_MAX, route);
	if (rc < 0)
		return rc;
	if (json_object_set_new(route, "prefix", json_string(prefix)) < 0 ||
	    json_object_set_new(route, "type", json_string(type)) < 0)
		return -ENOMEM;
	if (strcmp(type, "unicast") == 0)
		return words_paths(w, paths);
	return words_peek(w) ? words_fail(w, "a %s route has no next hop", type) : 0;
}

int route_words_parse(char *const *words, u32 n, json_t **ret_route, char *ret_error)
{
	struct words w = {.at = words, .n = n, .error = ret_error};
	json_t *route = json_object();
	int rc = route ? words_route(&w, route) : -ENOMEM;

	if (rc == -ENOMEM)
		snprintf(ret_error, ROUTE_WORDS_ERROR_MAX, "no memory");
	if (rc < 0)
		json_decref(route);
	else
		*ret_route = route;
	return rc;
}

static void via_path_put(const json_t *path, FILE *out)
{
	const char *gateway = json_string_value(json_object_get(path, "gateway"));
	const char *port = json_string_value(json_object_get(path, "port"));
	json_int_t weight = json_integer_value(json_object_get(path, "weight"));

	fprintf(out, "%s%s", gateway ? "via " : "", gateway ? gateway : "");
	fprintf(out, "%s%s%s", gateway && port ? " " : "", port ? "dev " : "", port ? port : "");
	if (weight > 1)
		fprintf(out, " weight %lld", (long long)weight);
}

char *route_via_format(const json_t *route)
{
	const json_t *paths = json_object_get(route, "paths");
	bool through = false;
	char *text = NULL;
	size_t len = 0, i;
	json_t *path;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	json_array_foreach ((json_t *)paths, i, path) {
		if (i)
			fputs(", ", f);
		via_path_put(path, f);
		through |= json_is_string(json_object_get(path, "gateway"));
	}
	if (json_array_size(paths) == 0)
		fputc('-', f);
	/* what is on link has no one neighbour */
	if (through && json_is_false(json_object_get(route, "resolved")))
		fputs(" UNRESOLVED", f);
	return fclose(f) == 0 ? text : NULL;
}
