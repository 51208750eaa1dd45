/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_errors.c - the errors of a load: which key of which element, on which line, told in the order of the file. The
 * first SCHEMA_MAX_ERRORS are kept, the others counted, so that a million mistakes cost no memory. One thread a load.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "schema_load.h"

/* "routes[3].paths[0].gateway"; elem -1: a key of the element, i: an element of the key's array. */
static void path_write(const struct schema_load *l, const struct schema_at *at, const char *key,
		       int elem, FILE *out)
{
	u32 chain[SCHEMA_MAX_DEPTH][2], n = 0, job = at->job, e = at->elem;
	const char *dot = "";

	for (; l->jobs[job].row && n < SCHEMA_MAX_DEPTH; n++) {
		chain[n][0] = job;
		chain[n][1] = e;
		e = l->jobs[job].owner_elem;
		job = l->jobs[job].owner;
	}
	while (n--) {
		fprintf(out, "%s%s[%u]", dot, l->jobs[chain[n][0]].row->path, chain[n][1]);
		dot = ".";
	}
	if (key)
		fprintf(out, "%s%s", dot, key);
	if (elem >= 0)
		fprintf(out, "[%d]", elem);
}

static void error_vadd(struct schema_load *l, const struct schema_at *at, u32 line, const char *key,
		       int elem, const char *fmt, va_list args)
{
	struct schema_entry *e;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	l->jobs[at->job].failed[at->elem] = 1;
	if (l->n_errors == SCHEMA_MAX_ERRORS) {
		l->n_lost++;
		return;
	}
	if (!l->errors)
		l->errors = calloc(SCHEMA_MAX_ERRORS, sizeof(*l->errors));
	out = l->errors ? open_memstream(&text, &len) : NULL;
	if (!out) {
		l->rc = -ENOMEM;
		return;
	}
	path_write(l, at, key, elem, out);
	fputs(": ", out);
	vfprintf(out, fmt, args);
	if (fclose(out) || !text) {
		free(text);
		l->rc = -ENOMEM;
		return;
	}
	e = &l->errors[l->n_errors];
	*e = (struct schema_entry){line, l->n_errors, text};
	l->n_errors++;
}

void schema_error_add(struct schema_load *l, const struct schema_at *at, u32 line, const char *key,
		      int elem, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error_vadd(l, at, line, key, elem, fmt, args);
	va_end(args);
}

const config_setting_t *schema_member(const config_setting_t *group, const char *path)
{
	const char *dot;
	char name[64];

	while (group && group->type == CONFIG_TYPE_GROUP) {
		dot = strchr(path, '.');
		if (!dot)
			return config_setting_get_member(group, path);
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		group = config_setting_get_member(group, name);
		path = dot + 1;
	}
	return NULL;
}

u32 schema_key_line(const config_setting_t *group, const char *path)
{
	const config_setting_t *s;
	char prefix[128];
	char *dot;

	snprintf(prefix, sizeof(prefix), "%s", path ? path : "");
	while (*prefix) {
		s = schema_member(group, prefix);
		if (s)
			return s->line;
		dot = strrchr(prefix, '.');
		*(dot ? dot : prefix) = 0;
	}
	return group && group->line ? group->line : 1;
}

void schema_error(struct schema_load *l, const struct schema_at *at, const char *key,
		  const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	error_vadd(l, at, schema_key_line(at->group, key), key, -1, fmt, args);
	va_end(args);
}

void schema_error_in(struct schema_load *l, const struct schema_at *at, const char *list, u32 i,
		     const char *key, const char *fmt, ...)
{
	const config_setting_t *s = schema_member(at->group, list), *elem;
	char path[192];
	va_list args;

	elem = s ? config_setting_get_elem(s, i) : NULL;
	snprintf(path, sizeof(path), "%s[%u].%s", list, i, key);
	va_start(args, fmt);
	error_vadd(l, at, elem ? schema_key_line(elem, key) : schema_key_line(at->group, list),
		   path, -1, fmt, args);
	va_end(args);
}

bool schema_failed(const struct schema_load *l, const struct schema_at *at)
{
	return l->jobs[at->job].failed[at->elem];
}

bool schema_list_failed(const struct schema_load *l, const char *path)
{
	const struct schema_job *j;

	for (j = l->jobs; j < l->jobs + l->n_jobs; j++)
		if (j->row && !j->owner && !strcmp(j->row->path, path))
			return memchr(j->failed, 1, j->n);
	return false;
}

const char *schema_where(struct schema_load *l, u32 line, char *buf, size_t len)
{
	u32 file_line;
	const char *file = l->where(l->where_arg, line, &file_line);

	snprintf(buf, len, "%s:%u", file, file_line);
	return buf;
}

static int error_compare(const void *a, const void *b)
{
	const struct schema_entry *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void schema_load_report(const struct schema_load *l, void (*sink)(void *arg, const char *text),
			void *arg)
{
	u32 i, line;
	const char *file;
	char *text;

	if (l->n_errors)
		qsort(l->errors, l->n_errors, sizeof(*l->errors), error_compare);
	for (i = 0; i < l->n_errors; i++) {
		file = l->where(l->where_arg, l->errors[i].line, &line);
		if (asprintf(&text, "%s:%u: %s", file, line, l->errors[i].text) < 0)
			return;
		sink(arg, text);
		free(text);
	}
	if (l->n_lost && asprintf(&text, "%u more errors", l->n_lost) >= 0) {
		sink(arg, text);
		free(text);
	}
}
