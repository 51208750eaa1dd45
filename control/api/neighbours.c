/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.c - whose link-layer address is known, or asked for, and who needs it. What the kernel and packets say is
 * the loop's (core/neighbours.h); how many routes use one, the rib knows: rows are copied, then finished there.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "../core/neighbours.h"
#include "../io/clock.h"
#include "api.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000 /* rows are made while others wait */
#define VISIT_MAX    20000

struct row {
	char port[CONFIG_NAME_MAX];
	bool configured;
	u16 vlan, svlan;
	struct neighbour n;
};

struct neighbours_query {
	struct builder_query query;
	struct neighbours_facts facts;
	u64 now_ns;
	u32 n, cap, next; /* next: where to go on; 0 = that was all */
	struct row rows[];
};

struct filter {
	const char *port, *state;
	struct fib_prefix prefix;
	bool has_prefix;
	u32 limit, after;
};

static const char *state_name(const struct row *r)
{
	static const char *const names[] = {[NEIGHBOUR_UNTOLD] = "unresolved",
					    [NEIGHBOUR_TOLD_RESOLVED] = "resolved",
					    [NEIGHBOUR_TOLD_FAILED] = "failed"};

	return r->configured ? "configured" : names[r->n.told];
}

static const char *kernel_name(const struct neighbour *n)
{
	static const struct {
		u16 bit;
		const char *name;
	} names[] = {{NUD_PERMANENT, "permanent"}, {NUD_REACHABLE, "reachable"},
		     {NUD_STALE, "stale"},	   {NUD_DELAY, "delay"},
		     {NUD_PROBE, "probe"},	   {NUD_INCOMPLETE, "incomplete"},
		     {NUD_FAILED, "failed"}};

	for (u32 i = 0; n->present && i < DWCP_ARRAY_LEN(names); i++)
		if (n->nud & names[i].bit)
			return names[i].name;
	return n->present ? "none" : "absent";
}

static json_t *ago_json(u64 now_ns, u64 then_ns)
{
	return then_ns ? json_integer((json_int_t)((now_ns - DWCP_MIN(then_ns, now_ns)) / 1000000))
		       : json_null();
}

static json_t *mac_json(bool has, const u8 mac[6])
{
	char text[18];

	return has ? json_string(mac_format(mac, text, sizeof(text))) : json_null();
}

/* ---- filters, on the loop ------------------------------------------------------------------------------------ */

static bool covers(const struct fib_prefix *p, u8 family, const struct fib_addr *a)
{
	u32 bits = family == FIB_IP4 ? 96u + p->len : p->len;
	u64 hi = bits >= 64 ? ~0ull : bits ? ~0ull << (64 - bits) : 0;
	u64 lo = bits >= 128 ? ~0ull : bits > 64 ? ~0ull << (128 - bits) : 0;

	return p->family == family && (a->hi & hi) == p->addr.hi && (a->lo & lo) == p->addr.lo;
}

static bool filter_read(const struct http_request *req, struct http_response *rsp,
			struct filter *ret)
{
	const char *address = http_query(req, "address");

	*ret = (struct filter){.port = http_query(req, "port"), .state = http_query(req, "state")};
	if (!query_u32(req, rsp, "limit", LIST_DEFAULT, LIST_MAX, &ret->limit) ||
	    !query_u32(req, rsp, "after", 0, UINT32_MAX, &ret->after))
		return false;
	if (ret->state && strcmp(ret->state, "resolved") && strcmp(ret->state, "unresolved") &&
	    strcmp(ret->state, "failed") && strcmp(ret->state, "configured")) {
		http_error(rsp, 400, "query_invalid", "resolved, unresolved, failed or configured",
			   "state: there is no \"%s\"", ret->state);
		return false;
	}
	ret->has_prefix = address != NULL;
	if (!address)
		return true;
	if (addr_parse(address, &ret->prefix.addr, &ret->prefix.family) == 0) {
		ret->prefix.len = ret->prefix.family == FIB_IP4 ? 32 : 128;
		return true;
	}
	if (prefix_parse(address, &ret->prefix) == 0)
		return true;
	http_error(rsp, 400, "query_invalid", "192.0.2.1 or 192.0.2.0/24",
		   "address: expected an address or a prefix, got \"%s\"", address);
	return false;
}

static bool row_matches(const struct filter *f, const struct row *r)
{
	return (!f->port || strcmp(f->port, r->port) == 0) &&
	       (!f->state || strcmp(f->state, state_name(r)) == 0) &&
	       (!f->has_prefix || covers(&f->prefix, r->n.family, &r->n.addr));
}

/* The i-th of all: those of the state machine from 1 on, then those of the configuration. Return: false: none there. */
static bool row_at(const struct agent *a, u32 i, struct row *ret)
{
	const struct neighbours *s = neighbours_state(a);
	const struct dwcp_config *cfg = a->current->cfg;
	const struct neighbour *n = s ? neighbours_at(s, i) : NULL;
	u32 k = i - (s ? s->n : 1);

	memset(ret, 0, sizeof(*ret));
	if (n) {
		ret->n = *n;
		memcpy(ret->port, s->ports[n->port].name, sizeof(ret->port));
		return true;
	}
	if ((s && i < s->n) || k >= cfg->n_neighbours)
		return false;
	ret->configured = true;
	ret->n.addr = cfg->neighbours[k].addr.addr;
	ret->n.family = cfg->neighbours[k].addr.family;
	ret->n.has_mac = true;
	ret->vlan = cfg->neighbours[k].vlan;
	ret->svlan = cfg->neighbours[k].svlan;
	memcpy(ret->n.mac, cfg->neighbours[k].mac, sizeof(ret->n.mac));
	memcpy(ret->port, cfg->ports[cfg->neighbours[k].port_idx].name, sizeof(ret->port));
	return true;
}

static u32 rows_end(const struct agent *a)
{
	const struct neighbours *s = neighbours_state(a);

	return (s ? s->n : 1) + a->current->cfg->n_neighbours;
}

static void rows_take(const struct agent *a, const struct filter *f, struct neighbours_query *q)
{
	u32 end = rows_end(a), i = DWCP_MAX(f->after, 1u);
	u32 n_visited = 0;

	for (; i < end && q->n < f->limit && n_visited < VISIT_MAX; i++, n_visited++)
		if (row_at(a, i, &q->rows[q->n]) && row_matches(f, &q->rows[q->n]))
			q->n++;
	q->next = i < end ? i : 0;
}

/* ---- the answer, on the builder's thread ---------------------------------------------------------------------- */

static json_t *row_json(const struct builder *b, const struct row *r, u64 now_ns)
{
	const struct neighbour *n = &r->n;
	struct rib_gateway g = {.addr = {.addr = n->addr, .family = n->family}};
	int port = config_port_idx(b->cfg, r->port);
	char address[ADDR_TEXT_MAX];
	json_t *o;

	if (port >= 0) {
		g.port_idx = (u16)port;
		rib_gateway_look(b->rib, &g);
	}
	o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:I}", "port", r->port, "address",
		      addr_format(n->family, &n->addr, address, sizeof(address)), "mac",
		      mac_json(n->has_mac && (r->configured || n->told == NEIGHBOUR_TOLD_RESOLVED),
			       n->mac),
		      "state", state_name(r), "use", g.n_users ? "gateway" : "host", "routes",
		      (json_int_t)g.n_users);
	if (r->vlan)
		json_object_set_new(o, "vlan", json_integer(r->vlan));
	if (r->svlan)
		json_object_set_new(o, "svlan", json_integer(r->svlan));
	if (r->configured)
		return o;
	json_object_set_new(o, "kernel", json_string(kernel_name(n)));
	json_object_set_new(o, "managed", json_boolean(n->managed));
	json_object_set_new(o, "router", json_boolean(n->router));
	json_object_set_new(o, "age_ms", ago_json(now_ns, n->since_ns));
	json_object_set_new(o, "moves", json_integer(n->moves));
	json_object_set_new(o, "moved_ms_ago", ago_json(now_ns, n->moved_ns));
	json_object_set_new(o, "mac_before", mac_json(n->has_before, n->mac_before));
	json_object_set_new(o, "duplicate", json_boolean(n->duplicate));
	json_object_set_new(o, "dropped", json_integer((json_int_t)n->n_dropped));
	json_object_set_new(o, "error", n->err ? json_string(strerror(-n->err)) : json_null());
	return o;
}

static json_t *facts_json(const struct neighbours_facts *f)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "resolved",
			 (json_int_t)f->n_resolved, "failed", (json_int_t)f->n_failed, "unresolved",
			 (json_int_t)f->n_incomplete, "gateways", (json_int_t)f->n_gateways,
			 "hosts", (json_int_t)f->n_hosts, "asked", (json_int_t)f->n_asked,
			 "asked_again", (json_int_t)f->n_again, "moves", (json_int_t)f->n_moves,
			 "duplicates", (json_int_t)f->n_duplicates, "suppressed",
			 (json_int_t)f->n_suppressed, "refused", (json_int_t)f->n_refused);
}

static void list_read(struct builder_query *bq)
{
	struct neighbours_query *q = (struct neighbours_query *)bq;
	json_t *list = json_array();

	for (u32 i = 0; i < q->n; i++)
		json_array_append_new(list, row_json(bq->builder, &q->rows[i], q->now_ns));
	bq->rsp.body = json_pack("{s:o, s:o, s:o}", "neighbours", list, "next",
				 q->next ? json_integer(q->next) : json_null(), "summary",
				 facts_json(&q->facts));
}

static void query_release(struct builder_query *q)
{
	free(q);
}

void neighbours_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct agent *a = arg;
	struct neighbours_query *q;
	struct filter f;

	if (!filter_read(req, rsp, &f))
		return;
	f.limit = DWCP_MIN(f.limit, rows_end(a));
	/* one more: where a row is put before it is judged */
	q = calloc(1, sizeof(*q) + (f.limit + 1ull) * sizeof(q->rows[0]));
	if (!q) {
		http_error(rsp, 500, "no_memory", NULL, "no memory for the request");
		return;
	}
	q->now_ns = clock_ns();
	if (neighbours_state(a))
		neighbours_facts(neighbours_state(a), &q->facts);
	rows_take(a, &f, q);
	q->query.read = list_read;
	q->query.release = query_release;
	q->query.deferred = defer_or_fail(req, rsp);
	if (q->query.deferred)
		builder_submit_query(a->builder, &q->query);
	else
		free(q);
}

json_t *neighbours_json(const struct agent *a)
{
	const struct neighbours *s = neighbours_state(a);
	struct neighbours_facts f;
	json_t *o;
	int err;

	if (!s)
		return json_null();
	neighbours_facts(s, &f);
	err = neighbours_addresses_error(a);
	o = facts_json(&f);
	json_object_set_new(o, "error", f.err ? json_string(strerror(-f.err)) : json_null());
	json_object_set_new(o, "addresses_error", err ? json_string(strerror(-err)) : json_null());
	return o;
}
