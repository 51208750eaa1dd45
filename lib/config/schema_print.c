/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_print.c - a struct back to the file's syntax by its rows, and comparison of two structs by what they print:
 * so that "equal" means what an operator would call equal, and padding or list order of references can't matter.
 * Lists in lists are walked with a stack of frames of fixed depth. Any thread; reads only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema_engine.h"

/* One struct being printed: the root, or the current element of a list. */
struct frame {
	const struct schema_table *table;
	const char *base;
	u32 row;     /* next */
	u32 elem, n; /* of the list that it is an element of */
};

struct printer {
	FILE *out;
	const void *root;
	struct frame frames[SCHEMA_MAX_DEPTH];
	u32 depth, indent;
	char group[128]; /* dotted path of the open group of the root */
};

static const struct schema_row *row_at(const struct schema_table *t, u32 i)
{
	return i < t->n_rows ? &t->rows[i] : NULL;
}

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static void line_open(struct printer *p)
{
	u32 i;

	for (i = 0; i < p->indent; i++)
		fputc('\t', p->out);
}

static const char *elem_at(const struct schema_row *r, const char *base, u32 i)
{
	const char *array = base + r->offset;

	if (!(r->flags & SCHEMA_INLINE))
		array = *(const char *const *)array;
	return array + (size_t)i * (r->kind == SCHEMA_LIST ? r->table->bytes : r->bytes);
}

static void print_array(struct printer *p, const struct schema_row *r, const char *base)
{
	u32 n = *(const u32 *)(base + r->n_offset), i;
	char text[4 * SCHEMA_TEXT_MAX];

	line_open(p);
	fprintf(p->out, "%s = [", last_name(r->path));
	for (i = 0; i < n; i++)
		if (schema_scalar_format(r, p->root, elem_at(r, base, i), text, sizeof(text)))
			fprintf(p->out, "%s%s", i ? ", " : "", text);
	fputs("];\n", p->out);
}

static void print_scalar(struct printer *p, const struct schema_row *r, const char *base)
{
	char text[4 * SCHEMA_TEXT_MAX + 8];

	if (!schema_scalar_format(r, p->root, base + r->offset, text, sizeof(text)))
		return;
	line_open(p);
	fprintf(p->out, "%s = %s;\n", last_name(r->path), text);
}

static void group_open(struct printer *p, const char *path)
{
	line_open(p);
	fprintf(p->out, "%s:\n", last_name(path));
	line_open(p);
	fputs("{\n", p->out);
	p->indent++;
	snprintf(p->group, sizeof(p->group), "%s", path);
}

/* Closes open groups that @path is not in. */
static void group_close(struct printer *p, const char *path)
{
	size_t n;

	for (;;) {
		n = strlen(p->group);
		if (!n || (!strncmp(path, p->group, n) && path[n] == '.'))
			return;
		p->indent--;
		line_open(p);
		fputs("};\n", p->out);
		*(strrchr(p->group, '.') ? strrchr(p->group, '.') : p->group) = 0;
	}
}

static void list_open(struct printer *p, const struct schema_row *r, const char *base)
{
	u32 n = *(const u32 *)(base + r->n_offset);

	if (!n && r->n_min)
		return; /* not set */
	line_open(p);
	if (!n || p->depth == SCHEMA_MAX_DEPTH) {
		fprintf(p->out, "%s = ();\n", last_name(r->path));
		return;
	}
	fprintf(p->out, "%s = (\n", last_name(r->path));
	p->indent++;
	line_open(p);
	fputs("{\n", p->out);
	p->indent++;
	p->frames[p->depth++] = (struct frame){r->table, elem_at(r, base, 0), 0, 0, n};
}

/* All rows of the top frame are out: on to the list's next element, or out of the list. */
static void elem_close(struct printer *p)
{
	struct frame *f = &p->frames[p->depth - 1];

	if (p->depth == 1) { /* the root has no braces */
		p->depth = 0;
		return;
	}
	p->indent--;
	line_open(p);
	if (++f->elem < f->n) {
		fputs("}, {\n", p->out);
		p->indent++;
		f->base += f->table->bytes;
		f->row = 0;
		return;
	}
	fputs("}\n", p->out);
	p->indent--;
	line_open(p);
	fputs(");\n", p->out);
	p->depth--;
}

static void print_row(struct printer *p, const struct schema_row *r, const char *base)
{
	if (r->kind == SCHEMA_GROUP)
		group_open(p, r->path);
	else if (r->kind == SCHEMA_LIST)
		list_open(p, r, base);
	else if (r->flags & SCHEMA_ARRAY)
		print_array(p, r, base);
	else
		print_scalar(p, r, base);
}

/* Prints until the frames are down to @depth. */
static void print_run(struct printer *p, u32 depth)
{
	const struct schema_row *r;
	struct frame *f;

	while (p->depth > depth) {
		f = &p->frames[p->depth - 1];
		r = row_at(f->table, f->row++);
		if (p->depth == 1)
			group_close(p, r ? r->path : "");
		if (r)
			print_row(p, r, f->base);
		else
			elem_close(p);
	}
}

int schema_print(const struct schema_table *t, const void *base, FILE *out)
{
	struct printer p = {.out = out, .root = base, .depth = 1};

	p.frames[0] = (struct frame){.table = t, .base = base, .n = 1};
	print_run(&p, 0);
	return ferror(out) ? -EIO : 0;
}

/* ---- comparison ---- */

/* The text of one row; a list with all that is in it. Owned by the caller. */
static char *row_text(const struct schema_row *r, const void *root, const void *base)
{
	char *text = NULL;
	size_t len = 0;
	struct printer p = {.out = open_memstream(&text, &len), .root = root, .depth = 1};

	if (!p.out)
		return NULL;
	print_row(&p, r, base);
	print_run(&p, 1);
	if (fclose(p.out)) {
		free(text);
		return NULL;
	}
	return text;
}

static int row_diff(const struct schema_row *r, const void *root_a, const void *root_b,
		    const void *a, const void *b)
{
	char *x = row_text(r, root_a, a), *y = row_text(r, root_b, b);
	int rc = -ENOMEM;

	if (x && y)
		rc = !strcmp(x, y)	      ? SCHEMA_KEPT
		     : r->flags & SCHEMA_LIVE ? SCHEMA_CHANGED_LIVE
					      : SCHEMA_CHANGED;
	free(x);
	free(y);
	return rc;
}

/* A list whose own row is not live may still have live keys: then only those may differ. */
static int list_diff(const struct schema_row *list, const void *a, const void *b)
{
	const struct schema_table *t = list->table;
	u32 n = *(const u32 *)((const char *)a + list->n_offset), i, k;
	int worst = SCHEMA_KEPT, rc;

	if (list->flags & SCHEMA_LIVE)
		return row_diff(list, a, b, a, b);
	if (n != *(const u32 *)((const char *)b + list->n_offset))
		return SCHEMA_CHANGED;
	for (i = 0; i < n; i++)
		for (k = 0; k < t->n_rows; k++) {
			rc = row_diff(&t->rows[k], a, b, elem_at(list, a, i), elem_at(list, b, i));
			if (rc < 0)
				return rc;
			worst = DWCP_MAX(worst, rc);
		}
	return worst;
}

static int group_diff(const struct schema_table *t, const struct schema_row *group, const void *a,
		      const void *b)
{
	size_t n = strlen(group->path);
	const struct schema_row *r;
	int worst = SCHEMA_KEPT, rc;

	for (r = t->rows; r < t->rows + t->n_rows; r++) {
		if (r->kind == SCHEMA_GROUP || strncmp(r->path, group->path, n) ||
		    r->path[n] != '.' || strchr(r->path + n + 1, '.'))
			continue;
		rc = row_diff(r, a, b, a, b);
		if (rc < 0)
			return rc;
		worst = DWCP_MAX(worst, rc);
	}
	return worst;
}

int schema_diff(const struct schema_table *t, const struct schema_row *row, const void *a,
		const void *b)
{
	return row->kind == SCHEMA_LIST ? list_diff(row, a, b) : group_diff(t, row, a, b);
}
