/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.h - the agent's nouns (include/dwcp/api/README.md). Handlers run on the loop and answer at once from what the
 * loop owns; what only the rib knows is asked of the builder's thread and answered later.
 */
#pragma once

#include <dwcp/util/http.h>

#include "../agent.h"

extern const struct http_route api_routes[];
extern const u32 api_n_routes;

/* status.c */
void status_get(void *arg, const struct http_request *req, struct http_response *rsp);
/* stats.c: from the dataplane's page */
void ports_get(void *arg, const struct http_request *req, struct http_response *rsp);
void stats_get(void *arg, const struct http_request *req, struct http_response *rsp);
void drops_get(void *arg, const struct http_request *req, struct http_response *rsp);
void exceptions_get(void *arg, const struct http_request *req, struct http_response *rsp);
/* tables.c */
void tables_get(void *arg, const struct http_request *req, struct http_response *rsp);
void history_get(void *arg, const struct http_request *req, struct http_response *rsp);
/* routes.c */
void lookup_get(void *arg, const struct http_request *req, struct http_response *rsp);
void routes_get(void *arg, const struct http_request *req, struct http_response *rsp);
void routes_count_get(void *arg, const struct http_request *req, struct http_response *rsp);
/* mirror.c */
void routes_mirror_get(void *arg, const struct http_request *req, struct http_response *rsp);
/** mirror_json() - owned by the caller. */
json_t *mirror_json(const struct agent *a);
/* neighbours.c */
void neighbours_get(void *arg, const struct http_request *req, struct http_response *rsp);
/** neighbours_json() - a summary; owned by the caller. */
json_t *neighbours_json(const struct agent *a);
/* routes_edit.c */
void route_put(void *arg, const struct http_request *req, struct http_response *rsp);
void route_delete(void *arg, const struct http_request *req, struct http_response *rsp);
/* config.c */
void config_get(void *arg, const struct http_request *req, struct http_response *rsp);
void config_reload_post(void *arg, const struct http_request *req, struct http_response *rsp);
/* events.c */
void events_get(void *arg, const struct http_request *req, struct http_response *rsp);

/* api.c: what several nouns need */

/** query_u32() - a number of the URL. Return: true; false after http_error(). */
bool query_u32(const struct http_request *req, struct http_response *rsp, const char *name,
	       u32 fallback, u32 max, u32 *ret_value);
/** page_get() - the stats page. Return: NULL after http_error(): the dataplane is not connected. */
const void *page_get(const struct agent *a, struct http_response *rsp);
/** defer_or_fail() - Return: NULL after http_error(). */
struct http_deferred *defer_or_fail(const struct http_request *req, struct http_response *rsp);
