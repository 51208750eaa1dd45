/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.c - see api.h. Nouns and shapes as in include/dwcp/api/README.md. Control thread; reads the stats page and the
 * generation in force, never a worker's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dwcp/util/config.h>
#include <dwcp/util/http.h>

#include "adopt.h"
#include "api.h"
#include "link.h"
#include "log.h"
#include "store.h"

#define SMALL_TABLE_BYTES (4u << 20)

#ifndef DWCP_VERSION
#define DWCP_VERSION "0"
#endif

struct api {
	struct http_server *server;
	char path[108];
};

static json_t *refusal_json(const struct dataplane *dp)
{
	const struct adopt_row *r = adopt_last_refusal(dp);

	if (!r)
		return json_null();
	return json_pack("{s:I, s:s, s:I}", "generation", (json_int_t)r->generation, "reason",
			 r->reason, "unix_ns", (json_int_t)r->unix_ns);
}

/* A port that should have a twin and can't: whatever is for the router itself dies there. */
static void warnings_add_twins(const struct dataplane *dp, json_t *w)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		const struct dwcp_stats_port *s = dwcp_stats_port_at(dp->stats_page, i);

		if (s->twin_errno)
			json_array_append_new(
				w, json_sprintf("port %s has no interface in the kernel (%s): what "
						"is for the router itself is dropped there",
						s->name, strerror((int)s->twin_errno)));
	}
}

static void warn_xdp(const struct dataplane *dp, json_t *w)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		const struct dwcp_stats_xdp *x = &dwcp_stats_port_at(dp->stats_page, i)->xdp;

		if (x->packets[DWCP_XDP_NO_SOCKET])
			json_array_append_new(
				w, json_sprintf("port %s: %lu packets came in by queues without a "
						"socket and were dropped (ethtool -L or -X)",
						dp->cfg->ports[i].name,
						x->packets[DWCP_XDP_NO_SOCKET]));
		if (x->n_counters && !x->native)
			json_array_append_new(w, json_sprintf("port %s: XDP is generic on this "
							      "interface, behind "
							      "the driver: slower",
							      dp->cfg->ports[i].name));
	}
}

/* Most of a table that is larger than what the TLB covers. The short end of a section is never on a huge page. */
static bool tables_on_small_pages(const struct dataplane *dp)
{
	return dp->gen->mapped_bytes > SMALL_TABLE_BYTES &&
	       dp->gen->huge_bytes < dp->gen->mapped_bytes / 2;
}

static json_t *warnings_json(const struct dataplane *dp)
{
	json_t *w = json_array();

	if (!dp->huge)
		json_array_append_new(
			w, json_sprintf("packet memory is not on huge pages (%s): slower",
					dp->huge_reason ? dp->huge_reason : "unknown"));
	if (!dp->gen)
		json_array_append_new(w, json_string("no tables yet: every packet is dropped as "
						     "no_table"));
	if (dp->gen && tables_on_small_pages(dp))
		json_array_append_new(w,
				      json_string("tables are not on huge pages: more TLB misses "
						  "with a full table, and slower while they are "
						  "swapped (free 2 MB pages, and "
						  "dataplane.memory.huge_pages)"));
	warnings_add_twins(dp, w);
	if (!link_connected(dp))
		json_array_append_new(w,
				      json_string("no agent connected: tables stay as they are"));
	warn_xdp(dp, w);
	return w;
}

static void get_status(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;
	const struct generation *g = dp->gen;

	rsp->body = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I}", "program",
			      "dwcp-dataplane", "version", DWCP_VERSION, "node", dp->cfg->node.name,
			      "pid", (json_int_t)getpid(), "uptime_s",
			      (json_int_t)((clock_ns() - dp->started_ns) / 1000000000u),
			      "generation", (json_int_t)(g ? g->number : 0), "intent_revision",
			      (json_int_t)(g ? g->manifest->intent_revision : 0),
			      "observation_revision",
			      (json_int_t)(g ? g->manifest->observation_revision : 0),
			      "agent_connected", link_connected(dp), "agent_messages_refused",
			      (json_int_t)link_refused_count(dp));
	json_object_set_new(rsp->body, "memory",
			    json_pack("{s:b, s:i, s:I}", "huge_pages", dp->huge, "mbufs_in_use",
				      (int)rte_mempool_in_use_count(dp->pool), "table_page_bytes",
				      (json_int_t)adopt_page_bytes(dp)));
	json_object_set_new(rsp->body, "tables", stats_tables_json(dp->stats_page));
	json_object_set_new(rsp->body, "store", store_json(dp->store));
	json_object_set_new(rsp->body, "last_refusal", refusal_json(dp));
	json_object_set_new(rsp->body, "accounting", stats_accounting_json(dp->stats_page));
	json_object_set_new(rsp->body, "warnings", warnings_json(dp));
}

static void get_ports(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;

	ports_refresh(dp);
	rsp->body = json_pack("{s:o}", "ports", stats_ports_json(dp->stats_page));
}

static void get_stats(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;

	rsp->body = json_pack("{s:o, s:o, s:o}", "workers", stats_workers_json(dp->stats_page),
			      "accounting", stats_accounting_json(dp->stats_page), "icmp",
			      stats_icmp_json(dp->stats_page));
}

static void get_drops(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;

	rsp->body = stats_drops_json(dp->stats_page);
}

static void get_exceptions(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;

	rsp->body = stats_exceptions_json(dp->stats_page);
}

static void get_tables(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;

	rsp->body = stats_tables_json(dp->stats_page);
	json_object_set_new(rsp->body, "sections", adopt_sections_json(dp));
	json_object_set_new(rsp->body, "stored", store_json(dp->store));
}

static void get_history(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;
	const char *limit = http_query(req, "limit");

	rsp->body = json_pack("{s:o}", "history",
			      adopt_history_json(dp, limit ? (u32)strtoul(limit, NULL, 10)
							   : ADOPT_HISTORY));
}

static const char *nexthop_type_name(u32 type)
{
	static const char *const names[DWCP_NEXTHOP_N_TYPES] = {
		[DWCP_NEXTHOP_NONE] = "no_route",
		[DWCP_NEXTHOP_FORWARD] = "unicast",
		[DWCP_NEXTHOP_GROUP] = "unicast",
		[DWCP_NEXTHOP_BLACKHOLE] = "blackhole",
		[DWCP_NEXTHOP_UNREACHABLE] = "unreachable",
		[DWCP_NEXTHOP_PROHIBIT] = "prohibit",
		[DWCP_NEXTHOP_LOCAL] = "local",
		[DWCP_NEXTHOP_UNRESOLVED] = "unresolved",
	};

	return type < DWCP_NEXTHOP_N_TYPES ? names[type] : "unknown";
}

static json_t *path_json(const struct dataplane *dp, const struct dwcp_nexthop *nh)
{
	char mac[32];
	json_t *o = json_pack("{s:I, s:b}", "nexthop_id", (json_int_t)nh->id, "resolved",
			      nh->type == DWCP_NEXTHOP_FORWARD);

	if (nh->type != DWCP_NEXTHOP_FORWARD)
		return o;
	json_object_set_new(o, "port", json_string(dp->cfg->ports[nh->port].name));
	json_object_set_new(o, "mac",
			    json_string(mac_format(nh->forward.dst_mac, mac, sizeof(mac))));
	return o;
}

struct member {
	u32 slot, n_buckets;
};

/* The members of a group, each once with the number of its buckets. */
static json_t *paths_json(const struct dataplane *dp, const struct generation *g,
			  const struct dwcp_nexthop *nh)
{
	struct member member[CONFIG_MAX_PATHS];
	json_t *paths = json_array();
	u32 n = 0;

	if (nh->type != DWCP_NEXTHOP_GROUP) {
		json_array_append_new(paths, path_json(dp, nh));
		return paths;
	}
	for (u32 i = 0; i < nh->group.n_buckets; i++) {
		u32 slot = g->bucket[nh->group.first_bucket + i], k = 0;

		while (k < n && member[k].slot != slot)
			k++;
		if (k == n && n == CONFIG_MAX_PATHS)
			continue;
		if (k == n)
			member[n++] = (struct member){slot, 0};
		member[k].n_buckets++;
	}
	for (u32 k = 0; k < n; k++) {
		json_t *o = path_json(dp, &g->nexthop[member[k].slot]);

		json_object_set_new(o, "buckets", json_integer(member[k].n_buckets));
		json_array_append_new(paths, o);
	}
	return paths;
}

static void get_lookup(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct dataplane *dp = arg;
	const struct generation *g = dp->gen;
	const char *text = http_query(req, "address"), *vrf = http_query(req, "vrf");
	const struct dwcp_fib_root *root;
	const struct dwcp_nexthop *nh;
	struct fib_addr addr;
	u32 key, slot = 0;
	u8 family;

	if (!text || addr_parse(text, &addr, &family)) {
		http_error(rsp, 400, "bad_address",
			   "give ?address=192.0.2.1 or ?address=2001:db8::1",
			   "'%s' is not an address", text ? text : "");
		return;
	}
	if (!g) {
		http_error(rsp, 503, "no_tables",
			   "start dwcp-agent, or put a generation file into the state directory",
			   "no generation of tables is in force");
		return;
	}
	root = fib_root_find(&g->fib, vrf ? (u32)strtoul(vrf, NULL, 10) : 0, family);
	key = (u32)addr.lo;
	if (root && family == FIB_IP4)
		fib_lookup4(&g->fib, root, &key, &slot, 1);
	else if (root)
		fib_lookup6(&g->fib, root, &addr, &slot, 1);
	nh = &g->nexthop[slot];
	rsp->body = json_pack("{s:s, s:I, s:s, s:I, s:I, s:o}", "address", text, "slot",
			      (json_int_t)slot, "type", nexthop_type_name(nh->type), "nexthop_id",
			      (json_int_t)nh->id, "generation", (json_int_t)g->number, "paths",
			      paths_json(dp, g, nh));
}

static const struct http_route api_routes[] = {
	{"GET", "/v1/status", get_status, false},
	{"GET", "/v1/ports", get_ports, false},
	{"GET", "/v1/stats", get_stats, false},
	{"GET", "/v1/drops", get_drops, false},
	{"GET", "/v1/exceptions", get_exceptions, false},
	{"GET", "/v1/tables", get_tables, false},
	{"GET", "/v1/tables/history", get_history, false},
	{"GET", "/v1/routes/lookup", get_lookup, false},
};

int api_open(struct dataplane *dp)
{
	struct api *api = calloc(1, sizeof(*api));
	struct http_server_cfg cfg = {
		.mode = 0660,
		.gid = (gid_t)dp->cfg->agent.socket_gid,
		.max_connections = 32,
		.max_body_bytes = 4096,
		.timeout_s = 5,
		.routes = api_routes,
		.n_routes = DWCP_ARRAY_LEN(api_routes),
		.arg = dp,
	};
	int err;

	if (!api)
		return -ENOMEM;
	dp->api = api;
	snprintf(api->path, sizeof(api->path), "%s/dataplane.sock", dp->run_dir);
	cfg.path = api->path;
	err = http_server_open(dp->base, &cfg, &api->server);
	if (err)
		log_event("api.listen path=%s error='%s' hint='is run_dir there and writable? "
			  "--run-dir'",
			  api->path, strerror(-err));
	return err;
}

void api_close(struct dataplane *dp)
{
	if (!dp->api)
		return;
	http_server_close(dp->api->server);
	free(dp->api);
	dp->api = NULL;
}
