/* SPDX-License-Identifier: BSD-3-Clause */
/* stats_icmp.c - ICMP errors and fragments of the stats page as JSON; of a dataplane that doesn't count them: null. */
#include <dwcp/util/http.h>

#include <dwcp/abi/atomic.h>
#include <dwcp/abi/stats.h>
#include <dwcp/util/icmp.h>

static const char *const error_names[ICMP_N_ERRORS] = {
	[ICMP_ERROR_TIME] = "time_exceeded",	      [ICMP_ERROR_NO_ROUTE] = "no_route",
	[ICMP_ERROR_UNREACHABLE] = "unreachable",     [ICMP_ERROR_NEIGHBOUR] = "neighbour_failed",
	[ICMP_ERROR_PROHIBITED] = "prohibited",	      [ICMP_ERROR_TOO_BIG] = "too_big",
	[ICMP_ERROR_PARAMETER] = "parameter_problem",
};

static const char *const rule_names[] = {
#define X(name, text) text,
	ICMP_RULES(X)
#undef X
};

_Static_assert(sizeof(struct dwcp_stats_icmp) % sizeof(u64) == 0, "summed as words");

/* All counters of all workers: every field is loaded once. */
static struct dwcp_stats_icmp icmp_sum(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	struct dwcp_stats_icmp sum = {0};
	u64 *to = (u64 *)&sum;

	for (u32 i = 0; i < h->n_workers; i++) {
		const struct dwcp_stats_worker *w =
			dwcp_stats_worker_at((void *)(uintptr_t)page, i);
		const u64 *from = (const u64 *)&w->icmp;

		for (u32 k = 0; k < sizeof(sum) / sizeof(u64); k++)
			to[k] += dwcp_load_relaxed(&from[k]);
	}
	return sum;
}

static json_t *errors_json(const struct dwcp_stats_icmp *s)
{
	json_t *list = json_array();

	for (u32 i = 0; i < 2 * ICMP_N_ERRORS; i++) {
		u32 family = i / ICMP_N_ERRORS, e = i % ICMP_N_ERRORS;

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:I, s:I}", "error", error_names[e],
						"family", family ? 6 : 4, "sent",
						(json_int_t)s->sent[family][e], "limited",
						(json_int_t)s->limited[family][e]));
	}
	return list;
}

/* Why packets are not answered. */
static json_t *rules_json(const struct dwcp_stats_icmp *s)
{
	json_t *o = json_object();

	for (u32 i = 0; i < DWCP_ARRAY_LEN(rule_names); i++)
		json_object_set_new(o, rule_names[i], json_integer((json_int_t)s->forbidden_by[i]));
	return o;
}

json_t *stats_icmp_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	struct dwcp_stats_icmp s;

	if (!DWCP_STATS_HAS(h, worker, icmp))
		return json_null();
	s = icmp_sum(page);
	return json_pack("{s:o, s:{s:I, s:o, s:I, s:I}, s:{s:I, s:I, s:I}}", "errors",
			 errors_json(&s), "unsent", "forbidden", (json_int_t)s.forbidden,
			 "forbidden_by", rules_json(&s), "no_source", (json_int_t)s.no_source,
			 "no_room", (json_int_t)s.no_room, "fragmentation", "packets",
			 (json_int_t)s.fragmented, "fragments", (json_int_t)s.fragments, "failed",
			 (json_int_t)s.fragment_failed);
}
