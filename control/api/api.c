/* SPDX-License-Identifier: BSD-3-Clause */
#include "api.h"

#include <string.h>

const struct http_route api_routes[] = {
	{"GET", "/v1/status", status_get, false},
	{"GET", "/v1/ports", ports_get, false},
	{"GET", "/v1/stats", stats_get, false},
	{"GET", "/v1/drops", drops_get, false},
	{"GET", "/v1/exceptions", exceptions_get, false},
	{"GET", "/v1/tables", tables_get, false},
	{"GET", "/v1/tables/history", history_get, false},
	{"GET", "/v1/neighbours", neighbours_get, false},
	{"GET", "/v1/routes", routes_get, false},
	{"GET", "/v1/routes/lookup", lookup_get, false},
	{"GET", "/v1/routes/count", routes_count_get, false},
	{"GET", "/v1/routes/mirror", routes_mirror_get, false},
	{"PUT", "/v1/routes", route_put, true},
	{"DELETE", "/v1/routes", route_delete, true},
	{"GET", "/v1/config", config_get, false},
	{"POST", "/v1/config/reload", config_reload_post, true},
	{"GET", "/v1/events", events_get, false},
};
const u32 api_n_routes = DWCP_ARRAY_LEN(api_routes);

static bool u32_parse(const char *text, u32 max, u32 *ret_value)
{
	u64 v = 0;

	if (!*text)
		return false;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return false;
		v = v * 10 + (u64)(*c - '0');
		if (v > max)
			return false;
	}
	*ret_value = (u32)v;
	return true;
}

bool query_u32(const struct http_request *req, struct http_response *rsp, const char *name,
	       u32 fallback, u32 max, u32 *ret_value)
{
	const char *text = http_query(req, name);

	*ret_value = fallback;
	if (!text || u32_parse(text, max, ret_value))
		return true;
	http_error(rsp, 400, "query_invalid", NULL,
		   "%s: expected a number from 0 to %u, got \"%s\"", name, max, text);
	return false;
}

const void *page_get(const struct agent *a, struct http_response *rsp)
{
	const void *page = a->connected ? link_pages(a->link)->stats : NULL;

	if (!page) {
		http_error(rsp, 503, "dataplane_disconnected",
			   "is dwcp-dataplane running? its own socket is dataplane.sock",
			   "the dataplane is not connected");
		rsp->retry_after_s = 1;
	}
	return page;
}

struct http_deferred *defer_or_fail(const struct http_request *req, struct http_response *rsp)
{
	struct http_deferred *d = http_defer(req);

	if (!d)
		http_error(rsp, 500, "no_memory", NULL, "no memory for the request");
	return d;
}
