/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats_host.c - packets for the router itself, as JSON: by class what was offered, policed and handed over, by port what
 * its twin took and sent. Read while it is written, as stats.c does.
 */
#include <dwcp/util/host_class.h>
#include <dwcp/util/http.h>

#include <dwcp/abi/atomic.h>
#include <errno.h>
#include <string.h>

#include "stats_private.h"

_Static_assert(HOST_CLASS_N <= DWCP_STATS_HOST_CLASSES, "abi");

static const struct {
	const char *name, *text;
	enum host_queue queue;
} classes[] = {
#define X(name, word, in_queue, pps, help) {word, help, HOST_QUEUE_##in_queue},
	HOST_CLASSES(X)
#undef X
};

static struct dwcp_stats_host host_sum(const void *page, u32 class)
{
	const struct dwcp_stats_hdr *h = page;
	struct dwcp_stats_host sum = {0};

	for (u32 i = 0; i < h->n_workers && DWCP_STATS_HAS(h, worker, host); i++) {
		const struct dwcp_stats_host *s = &worker_at(page, i)->host[class];

		sum.punted += dwcp_load_relaxed(&s->punted);
		sum.policed += dwcp_load_relaxed(&s->policed);
		sum.full += dwcp_load_relaxed(&s->full);
		sum.limit_pps += dwcp_load_relaxed(&s->limit_pps);
	}
	return sum;
}

static json_t *class_json(const void *page, u32 i)
{
	struct dwcp_stats_host s = host_sum(page, i);
	u64 lost = s.policed + s.full;

	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "class", classes[i].name,
			 "text", classes[i].text, "queue",
			 classes[i].queue == HOST_QUEUE_CONTROL ? "control" : "rest", "limit_pps",
			 (json_int_t)s.limit_pps, "packets", (json_int_t)s.punted, "to_host",
			 (json_int_t)(s.punted > lost ? s.punted - lost : 0), "policed",
			 (json_int_t)s.policed, "full", (json_int_t)s.full);
}

/* Why a port has no twin, in one word where it is a usual one. */
static const char *twin_reason(u32 error)
{
	switch (error) {
	case 0:
		return "off";
	case EPERM:
	case EACCES:
		return "not_permitted";
	case EEXIST:
	case EBUSY:
		return "name_taken";
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return "no_tun_driver";
	case EIDRM:
		return "deleted";
	default:
		return strerrordesc_np((int)error) ? strerrordesc_np((int)error) : "unknown_error";
	}
}

json_t *stats_twin_json(const void *page, u32 port)
{
	static const char *const states[] = {"none", "down", "up"};
	const struct dwcp_stats_port *p = port_at(page, port);
	u32 state = dwcp_load_relaxed(&p->twin);
	char name[sizeof(p->twin_name)];
	json_t *o = json_pack("{s:s, s:s}", "name",
			      stats_text(p->twin_name, sizeof(p->twin_name), name), "state",
			      state < DWCP_ARRAY_LEN(states) ? states[state] : "unknown");

	json_object_set_new(o, "reason",
			    state == DWCP_TWIN_NONE
				    ? json_string(twin_reason(dwcp_load_relaxed(&p->twin_errno)))
				    : json_null());
	return o;
}

static json_t *port_twin_json(const void *page, u32 i)
{
	const struct dwcp_stats_hdr *h = page;
	const struct dwcp_stats_port *p = port_at(page, i);
	u64 oversized =
		DWCP_STATS_HAS(h, port, twin_oversized) ? dwcp_load_relaxed(&p->twin_oversized) : 0;
	char name[sizeof(p->name)];
	json_t *o;

	o = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "port",
		      stats_text(p->name, sizeof(p->name), name), "twin", stats_twin_json(page, i),
		      "delivered", (json_int_t)dwcp_load_relaxed(&p->twin_delivered), "failed",
		      (json_int_t)dwcp_load_relaxed(&p->twin_failed), "received",
		      (json_int_t)dwcp_load_relaxed(&p->twin_received), "changes",
		      (json_int_t)dwcp_load_relaxed(&p->twin_changes));
	if (oversized)
		json_object_set_new(o, "oversized", json_integer((json_int_t)oversized));
	return o;
}

json_t *stats_exceptions_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	json_t *list = json_array(), *twins = json_array();
	u64 to_host = 0, from_host = 0;

	for (u32 i = 0; i < HOST_CLASS_N; i++)
		json_array_append_new(list, class_json(page, i));
	for (u32 i = 0; i < h->n_ports; i++)
		json_array_append_new(twins, port_twin_json(page, i));
	for (u32 i = 0; i < h->n_workers; i++) {
		to_host += dwcp_load_relaxed(&worker_at(page, i)->to_host);
		from_host += dwcp_load_relaxed(&worker_at(page, i)->from_host);
	}
	return json_pack("{s:o, s:o, s:I, s:I, s:o}", "classes", list, "twins", twins, "to_host",
			 (json_int_t)to_host, "from_host", (json_int_t)from_host, "icmp",
			 stats_icmp_json(page));
}
