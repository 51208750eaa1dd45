/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <stdio.h>

#include "api.h"

#define EVENTS_DEFAULT 100

static json_t *port_json(const struct agent *a, u16 port)
{
	const struct dwcp_config *cfg = a->current->cfg;

	return port < cfg->n_ports ? json_string(cfg->ports[port].name) : json_integer(port);
}

static json_t *address_json(const struct dwcp_event *e)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(e->family == FIB_IP6 ? AF_INET6 : AF_INET, e->data, text, sizeof(text)))
		return json_null();
	return json_string(text);
}

static json_t *bytes_json(const struct dwcp_event *e)
{
	char hex[2 * sizeof(e->data) + 1];

	for (u32 i = 0; i < sizeof(e->data); i++)
		snprintf(hex + 2 * i, 3, "%02x", e->data[i]);
	return json_string(hex);
}

static void details_add(const struct agent *a, const struct dwcp_event *e, json_t *o)
{
	char name[64];

	switch (e->type) {
	case DWCP_EVENT_DROP_SAMPLE:
		json_object_set_new(o, "reason",
				    json_string(stats_drop_name(e->a, name, sizeof(name))));
		json_object_set_new(o, "packets", json_integer((json_int_t)e->b));
		json_object_set_new(o, "port", port_json(a, e->port));
		json_object_set_new(o, "bytes", bytes_json(e));
		break;
	case DWCP_EVENT_UNRESOLVED:
		json_object_set_new(o, "slot", json_integer(e->a));
		json_object_set_new(o, "nexthop_id", json_integer((json_int_t)e->b));
		json_object_set_new(o, "port", port_json(a, e->port));
		json_object_set_new(o, "address", address_json(e));
		break;
	case DWCP_EVENT_LINK:
		json_object_set_new(o, "port", port_json(a, e->port));
		json_object_set_new(o, "up", json_boolean(e->a));
		break;
	case DWCP_EVENT_ADOPTED:
	case DWCP_EVENT_REFUSED:
		json_object_set_new(o, "generation", json_integer((json_int_t)e->b));
		break;
	case DWCP_EVENT_STALL:
		json_object_set_new(o, "stalled_worker", json_integer(e->a));
		json_object_set_new(o, "stalled_ns", json_integer((json_int_t)e->b));
		break;
	default:
		json_object_set_new(o, "number", json_integer(e->type));
		break;
	}
}

void events_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const struct agent *a = arg;
	const struct dwcp_event *e;
	json_t *list;
	u32 limit;
	u64 at;

	if (!query_u32(req, rsp, "limit", EVENTS_DEFAULT, UINT32_MAX, &limit))
		return;
	list = json_array();
	for (u32 i = 0; i < limit && (e = events_at(a->events, i, &at)) != NULL; i++) {
		json_t *o = json_pack("{s:I, s:I, s:s, s:i}", "unix_ns", (json_int_t)at, "time_ns",
				      (json_int_t)e->time_ns, "type", event_type_name(e->type),
				      "worker", (int)e->worker);

		details_add(a, e, o);
		json_array_append_new(list, o);
	}
	rsp->body =
		json_pack("{s:o, s:I}", "events", list, "lost", (json_int_t)events_lost(a->events));
}
