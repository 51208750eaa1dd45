/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render.c - tables that fit the terminal, and JSON, from the same rows. Cells are made first, then measured, then
 * printed; a column that does not fit is left out by rank and named in a last line.
 */
#include "render.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#define LABEL_WIDTH 13
#define GAP	    2
#define WRAP_MIN    24 /* a wrapped column narrower than this is unreadable: let it run over instead */

struct table {
	const struct render_column *columns;
	u32 n_columns;
	size_t n_rows;
	char **cells; /* [n_rows * n_columns] */
	u32 *width;   /* [n_columns] */
	bool *hidden; /* [n_columns] for want of room */
	bool *absent; /* [n_columns] optional, and in no row */
};

static const char *const style_codes[] = {"",	      "\033[1m",  "\033[2m",
					  "\033[32m", "\033[33m", "\033[1;31m"};

const char *render_style_on(const struct cli *cli, enum render_style style)
{
	return cli->color ? style_codes[style] : "";
}

const char *render_style_off(const struct cli *cli)
{
	return cli->color ? "\033[0m" : "";
}

int render_json(const json_t *doc, bool line)
{
	int rc = json_dumpf(doc, stdout, line ? JSON_COMPACT : JSON_INDENT(2));

	putchar('\n');
	if (line)
		fflush(stdout);
	return rc == 0 && !ferror(stdout) ? CLI_OK : CLI_FAILED;
}

const json_t *render_member(const json_t *row, const char *path)
{
	char name[64];

	while (row && *path) {
		size_t n = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		row = json_object_get(row, name);
		path += n + (path[n] == '.');
	}
	return row;
}

s64 render_integer(const json_t *row, const char *path, s64 fallback)
{
	const json_t *v = render_member(row, path);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

const char *render_string(const json_t *row, const char *path, const char *fallback)
{
	const char *s = json_string_value(render_member(row, path));

	return s ? s : fallback;
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

static void tenths_put(s64 thousandths, FILE *out)
{
	char whole[FORMAT_MAX];
	s64 tenths = thousandths / 100 + (thousandths % 100 >= 50);

	fprintf(out, "%s.%lld", format_count(tenths / 10, whole, sizeof(whole)),
		(long long)tenths % 10);
}

static void integer_put(enum render_kind kind, s64 n, FILE *out)
{
	char buf[FORMAT_MAX];

	if (kind == RENDER_COUNT)
		fputs(format_count(n, buf, sizeof(buf)), out);
	else if (kind == RENDER_MILLI || kind == RENDER_NS_US)
		tenths_put(n, out);
	else if (kind == RENDER_AGE)
		fputs(format_age((u64)n, buf, sizeof(buf)), out);
	else if (kind == RENDER_TIME)
		fputs(format_time((u64)n, buf, sizeof(buf)), out);
	else
		fprintf(out, "%lld", (long long)n);
}

static void cell_put(const struct render_column *c, const json_t *row, FILE *out)
{
	const json_t *v = c->key ? render_member(row, c->key) : NULL;

	if (c->format)
		c->format(row, out);
	else if (json_is_string(v))
		fputs(json_string_value(v), out);
	else if (json_is_integer(v))
		integer_put(c->kind, json_integer_value(v), out);
	else if (json_is_real(v))
		fprintf(out, "%.1f", json_real_value(v));
	else if (json_is_boolean(v) && c->kind == RENDER_UP)
		fputs(json_is_true(v) ? "up" : "DOWN", out);
	else if (json_is_boolean(v))
		fputs(json_is_true(v) ? "yes" : "no", out);
	else
		fputs("-", out);
}

static char *cell_format(const struct render_column *c, const json_t *row)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	cell_put(c, row, f);
	if (fclose(f) != 0 || !text)
		return NULL;
	cli_text_clean(text);
	return text;
}

/* Columns on a terminal: bytes that begin a character. */
static u32 text_width(const char *text)
{
	u32 n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool column_is_right(const struct render_column *c)
{
	return !c->format &&
	       (c->kind == RENDER_COUNT || c->kind == RENDER_MILLI || c->kind == RENDER_NS_US);
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static bool column_is_absent(const struct render_column *c, const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)rows, i, row)
		if (render_member(row, c->key) && !json_is_null(render_member(row, c->key)))
			return false;
	return true;
}

static void table_fini(struct table *t)
{
	for (size_t i = 0; t->cells && i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->width);
	free(t->hidden);
	free(t->absent);
}

static int table_init(struct table *t, const struct render_column *columns, u32 n_columns,
		      const json_t *rows)
{
	*t = (struct table){.columns = columns,
			    .n_columns = n_columns,
			    .n_rows = json_array_size(rows)};
	t->cells = calloc(t->n_rows * n_columns + 1, sizeof(*t->cells));
	t->width = calloc(n_columns, sizeof(*t->width));
	t->hidden = calloc(n_columns, sizeof(*t->hidden));
	t->absent = calloc(n_columns, sizeof(*t->absent));
	if (!t->cells || !t->width || !t->hidden || !t->absent)
		return -1;
	for (u32 j = 0; j < n_columns; j++) {
		t->width[j] = DWCP_MAX(text_width(columns[j].header), columns[j].min_width);
		t->absent[j] = columns[j].optional && column_is_absent(&columns[j], rows);
		t->hidden[j] = t->absent[j];
	}
	for (size_t i = 0; i < t->n_rows * n_columns; i++) {
		u32 j = (u32)(i % n_columns), width;

		t->cells[i] = cell_format(&columns[j], json_array_get(rows, i / n_columns));
		if (!t->cells[i])
			return -1;
		width = text_width(t->cells[i]);
		t->width[j] = DWCP_MAX(t->width[j], width);
	}
	return 0;
}

static u32 table_width(const struct table *t)
{
	u32 width = 0;

	for (u32 j = 0; j < t->n_columns; j++)
		if (!t->hidden[j])
			width += t->width[j] + (width ? GAP : 0);
	return width;
}

/* Return: the highest rank that is still shown; 0 = nothing may go. */
static u32 table_worst_rank(const struct table *t)
{
	u32 worst = 0;

	for (u32 j = 0; j < t->n_columns; j++)
		if (!t->hidden[j])
			worst = DWCP_MAX(worst, t->columns[j].rank);
	return worst;
}

/* First the wrapped column shrinks, then columns go by rank, those of one rank together. */
static void table_fit(struct table *t, u32 columns)
{
	u32 last = t->n_columns - 1, over, worst;

	while (columns && table_width(t) > columns) {
		over = table_width(t) - columns;
		if (t->columns[last].wrap && !t->hidden[last] &&
		    t->width[last] >= WRAP_MIN + over) {
			t->width[last] -= over;
			return;
		}
		worst = table_worst_rank(t);
		if (worst == 0)
			return;
		for (u32 j = 0; j < t->n_columns; j++)
			t->hidden[j] |= t->columns[j].rank == worst;
	}
}

/* Where a line of at most @width ends: at the last blank that fits, else inside the word. */
static size_t wrap_cut(const char *text, u32 width)
{
	size_t cut = 0, n = 0;
	u32 columns = 0;

	for (; text[n]; n++) {
		columns += ((unsigned char)text[n] & 0xc0) != 0x80;
		if (text[n] == ' ') /* may itself stand past the end */
			cut = n;
		if (columns > width)
			return cut ? cut : n;
	}
	return n;
}

void render_wrap(const char *text, u32 indent, u32 width, FILE *out)
{
	for (;;) {
		size_t n = width ? wrap_cut(text, width) : strlen(text);

		if (n == 0)
			n = strlen(text);
		fprintf(out, "%.*s\n", (int)n, text);
		text += n;
		text += strspn(text, " ");
		if (!*text)
			return;
		fprintf(out, "%*s", (int)indent, "");
	}
}

static enum render_style cell_style(const struct render_column *c, const char *text)
{
	if (c->kind != RENDER_UP || c->format)
		return STYLE_NONE;
	return strcmp(text, "up") == 0 ? STYLE_GOOD : STYLE_BAD;
}

static void cell_print(const struct cli *cli, const struct table *t, u32 j, const char *text,
		       enum render_style style)
{
	u32 pad = t->width[j] > text_width(text) ? t->width[j] - text_width(text) : 0;
	bool right = column_is_right(&t->columns[j]);

	printf("%*s%s%s%s", right ? (int)pad : 0, "", style ? render_style_on(cli, style) : "",
	       text, style ? render_style_off(cli) : "");
	if (!right)
		printf("%*s", (int)pad, "");
}

static u32 table_last(const struct table *t)
{
	u32 last = 0;

	for (u32 j = 0; j < t->n_columns; j++)
		if (!t->hidden[j])
			last = j;
	return last;
}

static void table_print_header(const struct cli *cli, const struct table *t)
{
	u32 last = table_last(t);

	fputs(render_style_on(cli, STYLE_BOLD), stdout);
	for (u32 j = 0; j <= last; j++) {
		if (t->hidden[j])
			continue;
		if (j == last && !column_is_right(&t->columns[j]))
			fputs(t->columns[j].header, stdout);
		else
			cell_print(cli, t, j, t->columns[j].header, STYLE_NONE);
		if (j != last)
			printf("%*s", GAP, "");
	}
	printf("%s\n", render_style_off(cli));
}

static void table_print_row(const struct cli *cli, const struct table *t, size_t row)
{
	u32 last = table_last(t), at = 0;

	for (u32 j = 0; j <= last; j++) {
		const char *text = t->cells[row * t->n_columns + j];
		enum render_style style = cell_style(&t->columns[j], text);

		if (t->hidden[j])
			continue;
		if (j == last && !column_is_right(&t->columns[j]) && !style) {
			render_wrap(text, at, t->columns[j].wrap ? t->width[j] : 0, stdout);
			return;
		}
		cell_print(cli, t, j, text, style);
		at += t->width[j] + GAP;
		fputs(j == last ? "\n" : "  ", stdout);
	}
}

static void table_print_hidden(const struct cli *cli, const struct table *t)
{
	u32 n = 0;

	for (u32 j = 0; j < t->n_columns; j++) {
		if (!t->hidden[j] || t->absent[j])
			continue;
		if (n++ == 0)
			printf("%snot shown in %u columns: ", render_style_on(cli, STYLE_DIM),
			       cli->columns);
		else
			fputs(", ", stdout);
		fputs(t->columns[j].header, stdout);
	}
	if (n)
		printf("%s\n", render_style_off(cli));
}

int render_rows(const struct cli *cli, const struct render_column *columns, u32 n_columns,
		const json_t *rows, bool header)
{
	struct table t;

	if (table_init(&t, columns, n_columns, rows) < 0) {
		table_fini(&t);
		return cli_error(cli, CLI_FAILED, "no_memory", NULL,
				 "no memory for a table of %zu rows", json_array_size(rows));
	}
	table_fit(&t, cli->columns);
	if (header)
		table_print_header(cli, &t);
	for (size_t i = 0; i < t.n_rows; i++)
		table_print_row(cli, &t, i);
	if (header)
		table_print_hidden(cli, &t);
	table_fini(&t);
	return CLI_OK;
}

int render_table(const struct cli *cli, const struct render_column *columns, u32 n_columns,
		 const json_t *rows, const char *empty)
{
	if (json_array_size(rows))
		return render_rows(cli, columns, n_columns, rows, true);
	printf("%s\n", empty);
	return CLI_OK;
}

void render_fact(const struct cli *cli, const char *label, enum render_style style, const char *fmt,
		 ...)
{
	u32 width = cli->columns > LABEL_WIDTH + WRAP_MIN ? cli->columns - LABEL_WIDTH : 0;
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	cli_text_clean(text);
	printf("%-*s%s", LABEL_WIDTH, label, render_style_on(cli, style));
	render_wrap(text, LABEL_WIDTH, width, stdout);
	fputs(style ? render_style_off(cli) : "", stdout);
	free(text);
}
