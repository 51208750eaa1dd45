/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_doc.c - the reference: every row as a comment with type, unit, range and default, and as a setting.
 * What it writes loads as it stands and gives the defaults; a line whose '#' is followed by no blank becomes a
 * setting or an example when the '#' is taken away. Any thread; reads only.
 */
#include <errno.h>
#include <string.h>

#include "schema_engine.h"

#define DOC_WIDTH 96

static u32 depth_of(const char *path)
{
	u32 n = 0;

	for (; *path; path++)
		n += *path == '.';
	return n;
}

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static void tabs(FILE *out, u32 n)
{
	while (n--)
		fputc('\t', out);
}

/* "# text", wrapped. @lead: blanks after the '#'. */
static void comment(FILE *out, u32 indent, u32 lead, const char *text)
{
	u32 width = DOC_WIDTH - 8 * indent - lead, n, cut;

	while (*text) {
		n = (u32)strlen(text);
		cut = n;
		if (n > width) {
			for (cut = width; cut && text[cut] != ' '; cut--)
				;
			cut = cut ? cut : n;
		}
		tabs(out, indent);
		fprintf(out, "#%*s%.*s\n", (int)lead, "", (int)cut, text);
		text += cut;
		while (*text == ' ')
			text++;
	}
}

static void default_write(const struct schema_row *r, FILE *out)
{
	char field[SCHEMA_TEXT_MAX] = {0}, text[2 * SCHEMA_TEXT_MAX];

	if (r->flags & SCHEMA_REQUIRED)
		fputs("; required", out);
	else if (r->fill)
		fprintf(out, "; default: %s", r->fill_text);
	else if (r->kind == SCHEMA_VALUE && r->def_text)
		fprintf(out, "; default: \"%s\"", r->def_text);
	else if (r->flags & SCHEMA_ARRAY)
		fputs("; default: []", out);
	else if (r->kind == SCHEMA_VALUE)
		fputs("; default: none", out);
	else if (r->kind != SCHEMA_LIST && r->bytes <= sizeof(field) &&
		 !schema_row_default(&(struct schema_row){.kind = r->kind,
							  .names = r->names,
							  .def = r->def,
							  .def_text = r->def_text,
							  .min = r->min,
							  .bytes = r->bytes},
				     NULL, field) &&
		 schema_scalar_format(r, NULL, field, text, sizeof(text)))
		fprintf(out, "; default: %s", text);
}

static void type_write(const struct schema_row *r, u32 indent, u32 lead, FILE *out)
{
	char expected[640];

	tabs(out, indent);
	fprintf(out, "#%*s%s", (int)lead, "", schema_expected(r, true, expected, sizeof(expected)));
	default_write(r, out);
	fputs(r->flags & SCHEMA_LIVE ? "; applied without a restart\n" : "\n", out);
}

/* "name = default;", behind a '#' when the default is no constant. */
static void setting_write(const struct schema_row *r, u32 indent, FILE *out)
{
	char field[SCHEMA_TEXT_MAX] = {0}, text[2 * SCHEMA_TEXT_MAX];
	struct schema_row plain = *r;

	tabs(out, indent);
	plain.offset = 0;
	if (r->example) {
		fprintf(out, "#%s = %s;\n", last_name(r->path), r->example);
	} else if (r->kind == SCHEMA_VALUE || r->kind == SCHEMA_STRING) {
		fprintf(out, "%s = \"%s\";\n", last_name(r->path), r->def_text);
	} else if (!schema_row_default(&plain, NULL, field) &&
		   schema_scalar_format(r, NULL, field, text, sizeof(text))) {
		fprintf(out, "%s = %s;\n", last_name(r->path), text);
	}
}

static void list_keys(const struct schema_table *t, u32 lead, FILE *out)
{
	const struct schema_row *r;

	for (r = t->rows; r < t->rows + t->n_rows; r++) {
		fprintf(out, "#\n");
		fprintf(out, "#%*s%s\n", (int)lead, "", r->path);
		comment(out, 0, lead + 4, r->help);
		type_write(r, 0, lead + 4, out);
	}
}

static void list_write(const struct schema_row *r, FILE *out)
{
	const struct schema_row *k;
	const char *p, *end;

	comment(out, 0, 1, r->help);
	type_write(r, 0, 1, out);
	list_keys(r->table, 5, out);
	for (k = r->table->rows; k < r->table->rows + r->table->n_rows; k++) {
		if (k->kind != SCHEMA_LIST)
			continue;
		fprintf(out, "#\n# Each of %s[].%s:\n", r->path, k->path);
		list_keys(k->table, 5, out);
	}
	fputs("#\n", out);
	for (p = r->example; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		fprintf(out, "#%.*s\n", (int)(end - p), p);
	}
}

/* Closes groups until @path is a member of the open one. */
static void group_close(char *group, const char *path, FILE *out)
{
	size_t n;
	char *dot;

	while ((n = strlen(group)) && (strncmp(path, group, n) || path[n] != '.')) {
		tabs(out, depth_of(group));
		fputs("};\n", out);
		dot = strrchr(group, '.');
		*(dot ? dot : group) = 0;
	}
}

int schema_reference(const struct schema_table *t, FILE *out)
{
	const struct schema_row *r;
	char group[128] = "";
	bool first = false; /* of its group */
	u32 indent;

	for (r = t->rows; r < t->rows + t->n_rows; r++) {
		indent = depth_of(r->path);
		group_close(group, r->path, out);
		if (!first)
			fputc('\n', out);
		first = r->kind == SCHEMA_GROUP;
		if (r->kind == SCHEMA_LIST) {
			list_write(r, out);
			continue;
		}
		comment(out, indent, 1, r->help);
		if (r->kind == SCHEMA_GROUP) {
			tabs(out, indent);
			fprintf(out, "%s:\n", last_name(r->path));
			tabs(out, indent);
			fputs("{\n", out);
			snprintf(group, sizeof(group), "%s", r->path);
			continue;
		}
		type_write(r, indent, 1, out);
		setting_write(r, indent, out);
	}
	group_close(group, "", out);
	return ferror(out) ? -EIO : 0;
}
