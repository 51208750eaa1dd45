/* SPDX-License-Identifier: BSD-3-Clause */
/* mirror.c - how the kernel's routes are followed: a copy of the netlink thread's own figures. */
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "../io/clock.h"
#include "api.h"

static const char *state_name(const struct mirror_facts *f)
{
	if (!f->enabled)
		return "off";
	if (f->netlink.err)
		return "failed";
	if (!f->synced)
		return "reading";
	return f->netlink.n_twins ? "following" : "no_twins";
}

static json_t *table_name_json(u32 table)
{
	switch (table) {
	case RT_TABLE_MAIN:
		return json_string("main");
	case RT_TABLE_LOCAL:
		return json_string("local");
	case RT_TABLE_DEFAULT:
		return json_string("default");
	default:
		return json_sprintf("%u", table);
	}
}

static json_t *tables_json(const struct kernel_facts *k)
{
	json_t *list = json_array();

	for (u32 i = 0; i < k->n_tables; i++) {
		const struct kernel_table_facts *t = &k->tables[i];

		json_array_append_new(list,
				      json_pack("{s:I, s:o, s:I, s:I, s:I}", "table",
						(json_int_t)t->table, "name",
						table_name_json(t->table), "vrf",
						(json_int_t)t->vrf, "ip4", (json_int_t)t->n_ip4,
						"ip6", (json_int_t)t->n_ip6));
	}
	return list;
}

static json_t *skipped_json(const struct kernel_facts *k)
{
	json_t *o = json_object();

	for (u32 i = 0; i < KERNEL_N_SKIPS; i++)
		json_object_set_new(o, kernel_skip_name(i),
				    json_integer((json_int_t)k->skipped[i]));
	return o;
}

static json_t *ago_json(u64 then_ns)
{
	u64 now_ns = clock_ns();

	if (!then_ns)
		return json_null();
	return json_integer((json_int_t)((now_ns - DWCP_MIN(then_ns, now_ns)) / 1000000000u));
}

static json_t *netlink_json(const struct netlink_facts *n)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages",
			 (json_int_t)n->n_messages, "malformed", (json_int_t)n->n_malformed,
			 "overruns", (json_int_t)n->n_enobufs, "resyncs", (json_int_t)n->n_resyncs,
			 "dumps", (json_int_t)n->n_dumps, "dumps_again",
			 (json_int_t)n->n_dumps_again, "receive_buffer_bytes",
			 (json_int_t)n->rcvbuf_bytes, "links", (json_int_t)n->n_links);
}

json_t *mirror_json(const struct agent *a)
{
	struct mirror_facts *f = calloc(1, sizeof(*f));
	json_t *o = NULL;

	if (f && mirror_facts(a, f)) {
		const struct kernel_facts *k = &f->kernel;

		o = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, "
			      "s:o, "
			      "s:o, s:o}",
			      "state", state_name(f), "comparing", (int)f->comparing, "twins",
			      (json_int_t)f->netlink.n_twins, "ip4", (json_int_t)k->n_prefixes[0],
			      "ip6", (json_int_t)k->n_prefixes[1], "elsewhere",
			      (json_int_t)k->n_elsewhere, "pending",
			      (json_int_t)k->n_dirty + f->in_flight, "divergence",
			      (json_int_t)f->n_divergence, "silent_changes",
			      (json_int_t)f->n_silent, "reconciles", (json_int_t)f->n_reconciles,
			      "read_s_ago", ago_json(f->netlink.synced_ns), "compared_s_ago",
			      ago_json(f->reconciled_ns), "memory_bytes", (json_int_t)k->bytes,
			      "tables", tables_json(k), "skipped", skipped_json(k), "netlink",
			      netlink_json(&f->netlink));
	}
	free(f);
	return o ? o : json_pack("{s:s}", "state", "off");
}

void routes_mirror_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	(void)req;
	rsp->body = mirror_json(arg);
}
