/* SPDX-License-Identifier: BSD-3-Clause */
#include <dwcp/util/generation.h>

#include "api.h"

static json_t *sections_json(const struct agent_tables *t)
{
	json_t *list = json_array();

	for (u32 i = 0; i < t->n_sections; i++) {
		const struct agent_section *s = &t->section[i];

		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "section",
						      section_name(s->section), "elements",
						      (json_int_t)s->n_elements, "bytes",
						      (json_int_t)s->bytes, "segments",
						      (json_int_t)s->n_segments));
	}
	return list;
}

void tables_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const struct agent *a = arg;
	const void *page = page_get(a, rsp);

	(void)req;
	if (!page)
		return;
	rsp->body = stats_tables_json(page);
	/* what the sections are is known of our own generations; of one that was there before us, only its number */
	json_object_set_new(rsp->body, "intent_revision",
			    json_integer((json_int_t)a->adopted.intent_revision));
	json_object_set_new(rsp->body, "sections", sections_json(&a->adopted));
}

static json_t *us_json(bool known, u64 us)
{
	return known ? json_integer((json_int_t)us) : json_null();
}

static json_t *row_json(const struct history_row *r)
{
	bool adopted = r->result == HISTORY_ADOPTED;

	return json_pack("{s:I, s:s, s:s?, s:I, s:o, s:I, s:o, s:o, s:o, s:I}", "generation",
			 (json_int_t)r->generation, "result", history_result_name(r->result),
			 "reason", r->reason[0] ? r->reason : NULL, "unix_ns",
			 (json_int_t)r->unix_ns, "event_to_adopted_us",
			 us_json(adopted && r->has_event, r->event_to_adopted_us), "build_us",
			 (json_int_t)r->build_us, "send_us", us_json(adopted, r->send_us),
			 "validate_us", us_json(adopted, r->validate_us), "quiesce_us",
			 us_json(adopted, r->quiesce_us), "bytes_sent", (json_int_t)r->bytes_sent);
}

void history_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const struct agent *a = arg;
	const struct history_row *row;
	json_t *list;
	u32 limit;

	if (!query_u32(req, rsp, "limit", HISTORY_ROWS, UINT32_MAX, &limit))
		return;
	list = json_array();
	for (u32 i = 0; i < limit && (row = history_at(&a->core.history, i)) != NULL; i++)
		json_array_append_new(list, row_json(row));
	rsp->body = json_pack("{s:o}", "history", list);
}
