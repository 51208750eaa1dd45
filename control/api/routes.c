/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes.c - reading routes: lookup, list, count. The rib is the builder thread's, so each is a query that runs there
 * between two jobs and is answered when it is back.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define LIST_VISIT_MAX                                                                             \
	200000 /* a rare source in a full table: answer with what was found, and where to go on */

struct routes_query {
	struct builder_query query;
	u8 family;
	u32 vrf, limit;
	struct fib_addr addr;
	char address[ADDR_TEXT_MAX];
	struct fib_prefix after;
	bool has_after;
	int source;   /* -1 = all */
	int protocol; /* of the kernel's routes; -1 = all */
	/* of a list that is being made */
	json_t *list;
	u32 n, n_visited;
	struct fib_prefix last;
};

/* ---- words ------------------------------------------------------------------------------------------------- */

static const char *source_name(const struct dwcp_config *cfg, u8 source)
{
	static const char *const names[] = {
		[RIB_LOCAL] = "local", [RIB_CONNECTED] = "connected", [RIB_STATIC] = "static",
		[RIB_API] = "api",     [RIB_KERNEL] = "kernel",
	};

	if (source < RIB_FILE)
		return names[source];
	if (source - RIB_FILE < (int)cfg->n_route_files)
		return cfg->route_files[source - RIB_FILE].name;
	return "file";
}

static int source_find(const struct dwcp_config *cfg, const char *name)
{
	for (u8 i = 0; i < RIB_FILE + cfg->n_route_files; i++) {
		if (strcmp(source_name(cfg, i), name) == 0)
			return i;
	}
	return -ENOENT;
}

/* Who put a route of the kernel there, as rt_protos of iproute2 has it. Return: NULL: no name. */
static const char *protocol_name(u8 protocol)
{
	static const char *const names[256] = {
		[RTPROT_REDIRECT] = "redirect", [RTPROT_KERNEL] = "kernel",
		[RTPROT_BOOT] = "boot",		[RTPROT_STATIC] = "static",
		[RTPROT_GATED] = "gated",	[RTPROT_RA] = "ra",
		[RTPROT_MRT] = "mrt",		[RTPROT_ZEBRA] = "zebra",
		[RTPROT_BIRD] = "bird",		[RTPROT_DNROUTED] = "dnrouted",
		[RTPROT_XORP] = "xorp",		[RTPROT_NTK] = "ntk",
		[RTPROT_DHCP] = "dhcp",		[RTPROT_KEEPALIVED] = "keepalived",
		[RTPROT_BABEL] = "babel",	[99] = "openr",
		[RTPROT_BGP] = "bgp",		[RTPROT_ISIS] = "isis",
		[RTPROT_OSPF] = "ospf",		[RTPROT_RIP] = "rip",
		[RTPROT_EIGRP] = "eigrp",
	};

	return names[protocol];
}

static json_t *protocol_json(u8 protocol)
{
	const char *name = protocol_name(protocol);

	return name ? json_string(name) : json_sprintf("%u", protocol);
}

static json_t *port_json(const struct dwcp_config *cfg, u16 port)
{
	return port < cfg->n_ports ? json_string(cfg->ports[port].name) : json_null();
}

static json_t *gateway_json(const struct path_cfg *p)
{
	char text[ADDR_TEXT_MAX];

	if (!p->gateway.family)
		return json_null();
	return json_string(addr_format(p->gateway.family, &p->gateway.addr, text, sizeof(text)));
}

static json_t *path_json(const struct dwcp_config *cfg, const struct path_cfg *p)
{
	json_t *o = json_pack("{s:o, s:o, s:I}", "gateway", gateway_json(p), "port",
			      port_json(cfg, p->port_idx), "weight", (json_int_t)p->weight);

	if (p->vlan)
		json_object_set_new(o, "vlan", json_integer(p->vlan));
	if (p->svlan)
		json_object_set_new(o, "svlan", json_integer(p->svlan));
	return o;
}

/* With the neighbour behind it: for a lookup, not for a thousand rows. */
static json_t *path_full_json(const struct builder *b, const struct path_cfg *p)
{
	struct rib_gateway g = {.addr = p->gateway, .port_idx = p->port_idx};
	json_t *o = path_json(b->cfg, p);
	char mac[18];

	if (p->gateway.family)
		rib_gateway_look(b->rib, &g);
	json_object_set_new(o, "mac",
			    g.resolved ? json_string(mac_format(g.mac, mac, sizeof(mac)))
				       : json_null());
	json_object_set_new(o, "resolved", json_boolean(g.resolved));
	return o;
}

static json_t *route_json(const struct builder *b, const struct rib_route *r, bool full)
{
	const struct dwcp_config *cfg = b->cfg;
	json_t *paths = json_array();
	char prefix[ADDR_TEXT_MAX];
	json_t *o;

	for (u32 i = 0; i < r->n_paths; i++)
		json_array_append_new(paths, full ? path_full_json(b, &r->paths[i])
						  : path_json(cfg, &r->paths[i]));
	o = json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:b, s:o}", "prefix",
		      prefix_format(&r->prefix, prefix, sizeof(prefix)), "vrf",
		      (json_int_t)r->prefix.vrf, "source", source_name(cfg, r->source), "type",
		      route_type_name(r->type), "slot", (json_int_t)r->slot, "nexthop_id",
		      (json_int_t)r->nexthop_id, "resolved", (int)r->resolved, "paths", paths);
	if (r->source == RIB_KERNEL)
		json_object_set_new(o, "protocol", protocol_json(r->protocol));
	return o;
}

/* ---- submitting -------------------------------------------------------------------------------------------- */

static void query_release(struct builder_query *q)
{
	free(q);
}

static struct routes_query *query_new(struct http_response *rsp)
{
	struct routes_query *q = calloc(1, sizeof(*q));

	if (!q) {
		http_error(rsp, 500, "no_memory", NULL, "no memory for the request");
		return NULL;
	}
	q->query.release = query_release;
	return q;
}

static void query_submit(struct agent *a, const struct http_request *req, struct http_response *rsp,
			 struct routes_query *q)
{
	q->query.deferred = defer_or_fail(req, rsp);
	if (q->query.deferred)
		builder_submit_query(a->builder, &q->query);
	else
		free(q);
}

/* ---- lookup ------------------------------------------------------------------------------------------------ */

static void lookup_read(struct builder_query *bq)
{
	struct routes_query *q = (struct routes_query *)bq;
	struct rib_route *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	if (rib_lookup(bq->builder->rib, q->vrf, q->family, &q->addr, r) < 0) {
		bq->rsp.body = json_pack("{s:s, s:n, s:n, s:s, s:i, s:i, s:[]}", "address",
					 q->address, "prefix", "source", "type", "no_route", "slot",
					 0, "nexthop_id", 0, "paths");
	} else {
		bq->rsp.body = route_json(bq->builder, r, true);
		json_object_set_new(bq->rsp.body, "address", json_string(q->address));
	}
	free(r);
}

void lookup_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const char *text = http_query(req, "address");
	struct routes_query *q;
	struct fib_addr addr;
	u8 family;
	u32 vrf;

	if (!text || addr_parse(text, &addr, &family) < 0) {
		http_error(rsp, 400, "query_invalid", "?address=192.0.2.1 or ?address=2001:db8::1",
			   "address: expected an IPv4 or IPv6 address, got \"%s\"",
			   text ? text : "");
		return;
	}
	if (!query_u32(req, rsp, "vrf", 0, UINT32_MAX, &vrf))
		return;
	q = query_new(rsp);
	if (!q)
		return;
	q->family = family;
	q->addr = addr;
	q->vrf = vrf;
	addr_format(family, &addr, q->address, sizeof(q->address));
	q->query.read = lookup_read;
	query_submit(arg, req, rsp, q);
}

/* ---- list -------------------------------------------------------------------------------------------------- */

static bool prefix_same(const struct fib_prefix *a, const struct fib_prefix *b)
{
	return a->family == b->family && a->vrf == b->vrf && a->len == b->len &&
	       a->addr.hi == b->addr.hi && a->addr.lo == b->addr.lo;
}

static int route_visit(void *arg, const struct rib_route *r)
{
	struct routes_query *q = arg;

	if (q->has_after && prefix_same(&r->prefix, &q->after))
		return 0;
	if (q->n == q->limit || q->n_visited == LIST_VISIT_MAX)
		return 1;
	q->n_visited++;
	q->last = r->prefix;
	if ((q->family && r->prefix.family != q->family) ||
	    (q->source >= 0 && r->source != q->source) ||
	    (q->protocol >= 0 && (r->source != RIB_KERNEL || r->protocol != q->protocol)))
		return 0;
	json_array_append_new(q->list, route_json(q->query.builder, r, false));
	q->n++;
	return 0;
}

static void list_read(struct builder_query *bq)
{
	struct routes_query *q = (struct routes_query *)bq;
	char next[ADDR_TEXT_MAX];
	int stopped;

	q->list = json_array();
	stopped = rib_each(bq->builder->rib, q->has_after ? &q->after : NULL, route_visit, q);
	bq->rsp.body = json_pack("{s:o}", "routes", q->list);
	if (stopped < 0) {
		http_error(&bq->rsp, 500, "no_memory", NULL, "routes cannot be put into order");
		return;
	}
	json_object_set_new(bq->rsp.body, "next",
			    stopped ? json_string(prefix_format(&q->last, next, sizeof(next)))
				    : json_null());
	json_object_set_new(bq->rsp.body, "next_vrf",
			    stopped ? json_integer(q->last.vrf) : json_null());
}

static int protocol_find(const char *text)
{
	u32 number = 0;

	for (u32 i = 0; i < 256; i++)
		if (protocol_name((u8)i) && strcmp(protocol_name((u8)i), text) == 0)
			return (int)i;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || number > 255)
			return -ENOENT;
		number = number * 10 + (u32)(*c - '0');
	}
	return *text && number <= 255 ? (int)number : -ENOENT;
}

static bool protocol_read(const struct http_request *req, struct http_response *rsp,
			  struct routes_query *q)
{
	const char *text = http_query(req, "protocol");

	q->protocol = text ? protocol_find(text) : -1;
	if (!text || q->protocol >= 0)
		return true;
	http_error(rsp, 400, "query_invalid", "bird, zebra, static, kernel, … or a number",
		   "protocol: there is no \"%s\"", text);
	return false;
}

static bool list_filters_read(const struct agent *a, const struct http_request *req,
			      struct http_response *rsp, struct routes_query *q)
{
	const char *after = http_query(req, "after"), *source = http_query(req, "source");
	u32 family;

	if (!query_u32(req, rsp, "family", 0, 6, &family) ||
	    !query_u32(req, rsp, "limit", LIST_DEFAULT, LIST_MAX, &q->limit) ||
	    !query_u32(req, rsp, "vrf", 0, UINT32_MAX, &q->vrf) || !protocol_read(req, rsp, q))
		return false;
	q->family = (u8)family;
	if (family != 0 && family != FIB_IP4 && family != FIB_IP6) {
		http_error(rsp, 400, "query_invalid", NULL, "family: expected 4 or 6");
		return false;
	}
	if (after && prefix_parse(after, &q->after) < 0) {
		http_error(rsp, 400, "query_invalid", "give back `next` of the answer before",
			   "after: expected a prefix, got \"%s\"", after);
		return false;
	}
	q->has_after = after != NULL;
	q->after.vrf = q->vrf;
	q->source = source ? source_find(a->current->cfg, source) : -1;
	if (source && q->source < 0) {
		http_error(rsp, 400, "query_invalid", "see by_source of /v1/routes/count",
			   "source: there is no \"%s\"", source);
		return false;
	}
	return true;
}

void routes_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct routes_query *q = query_new(rsp);

	if (!q)
		return;
	if (!list_filters_read(arg, req, rsp, q)) {
		free(q);
		return;
	}
	q->query.read = list_read;
	query_submit(arg, req, rsp, q);
}

/* ---- count ------------------------------------------------------------------------------------------------- */

static void count_read(struct builder_query *q)
{
	const struct builder *b = q->builder;
	json_t *sources = json_object();

	for (u32 i = 0; i < RIB_FILE + b->cfg->n_route_files && i < RIB_N_SOURCES; i++) {
		u64 ip4 = rib_source_count(b->rib, (u8)i, FIB_IP4);
		u64 ip6 = rib_source_count(b->rib, (u8)i, FIB_IP6);

		json_object_set_new(sources, source_name(b->cfg, (u8)i),
				    json_pack("{s:I, s:I, s:I}", "ip4", (json_int_t)ip4, "ip6",
					      (json_int_t)ip6, "rejected",
					      (json_int_t)b->n_rejected[i]));
	}
	q->rsp.body =
		json_pack("{s:I, s:I, s:o}", "ip4", (json_int_t)rib_count(b->rib, FIB_IP4), "ip6",
			  (json_int_t)rib_count(b->rib, FIB_IP6), "by_source", sources);
}

void routes_count_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct routes_query *q = query_new(rsp);

	if (!q)
		return;
	q->query.read = count_read;
	query_submit(arg, req, rsp, q);
}
