/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sections.c - the sections of a generation as rows.
 */
#include "sections.h"

#include <dwcp/util/generation.h>

#include "render.h"

static const struct render_column columns[] = {
	{.key = "section", .header = "SECTION"},
	{.key = "elements", .header = "ELEMENTS", .kind = RENDER_COUNT},
	{.key = "bytes", .header = "BYTES", .kind = RENDER_COUNT},
	{.key = "segments", .header = "SEGMENTS", .kind = RENDER_COUNT},
};

json_t *sections_rows(const struct dwcp_manifest *m)
{
	const struct dwcp_section_desc *sections = manifest_sections(m);
	json_t *rows = json_array();

	for (u32 i = 0; i < m->n_sections; i++) {
		const struct dwcp_section_desc *d = &sections[i];

		json_array_append_new(rows,
				      json_pack("{s:s, s:I, s:I, s:i}", "section",
						section_name(d->section), "elements",
						(json_int_t)d->n_elements, "bytes",
						(json_int_t)(d->n_elements * d->element_bytes),
						"segments", (int)d->n_segments));
	}
	return rows;
}

int sections_print(const struct cli *cli, const json_t *rows)
{
	return render_table(cli, columns, DWCP_ARRAY_LEN(columns), rows, "no sections");
}
