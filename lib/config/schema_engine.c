/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_engine.c - fills structs from libconfig's tree by rows and collects every error on the way.
 *
 * Lists are jobs in a queue: pass one fills jobs first to last (so a list's elements exist before rows of later lists
 * refer to them), pass two checks them last to first (so elements are whole before their owner is looked at).
 * One thread a load. Never stops at an error; the caller throws the struct away when there was one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema_load.h"

static const struct schema_row no_row = {.kind = SCHEMA_GROUP};

struct schema_load *schema_load_open(const struct schema_table *root, struct arena *arena,
				     const char *dir,
				     const char *(*where)(void *arg, u32 line, u32 *ret_line),
				     void *where_arg)
{
	struct schema_load *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->root = root;
	l->scope = (struct schema_scope){.dir = dir, .arena = arena};
	l->where = where;
	l->where_arg = where_arg;
	return l;
}

void schema_load_close(struct schema_load *l)
{
	u32 i;

	if (!l)
		return;
	for (i = 0; i < l->n_jobs; i++)
		free(l->jobs[i].failed);
	for (i = 0; i < l->n_errors; i++)
		free(l->errors[i].text);
	free(l->jobs);
	free(l->errors);
	free(l);
}

void schema_no_memory(struct schema_load *l)
{
	l->rc = -ENOMEM;
}

/* ---- pass one: fill ---- */

static const config_setting_t *job_group(const struct schema_job *j, u32 elem)
{
	return j->row ? config_setting_get_elem(j->list, elem) : j->list;
}

static void expected_error(struct schema_load *l, const struct schema_at *at,
			   const struct schema_row *r, int elem, const config_setting_t *s,
			   const char *what)
{
	bool whole_array = elem < 0 && r->flags & SCHEMA_ARRAY;
	char expected[640], got[128];

	if (!what)
		what = schema_expected(r, elem < 0, expected, sizeof(expected));
	schema_error_add(l, at, s->line, r->path, elem, "expected %s, got %s", what,
			 schema_got(whole_array ? &no_row : r, s, got, sizeof(got)));
}

static void scalar_fill(struct schema_load *l, const struct schema_at *at,
			const struct schema_row *r, int elem, const config_setting_t *s,
			void *field)
{
	char buf[512];
	const char *what;
	int rc = schema_scalar_parse(r, &l->scope, s, field, buf, sizeof(buf), &what);

	if (rc == -ENOMEM)
		l->rc = rc;
	else if (rc)
		expected_error(l, at, r, elem, s, what);
}

static bool is_sequence(const config_setting_t *s)
{
	return s->type == CONFIG_TYPE_LIST || s->type == CONFIG_TYPE_ARRAY;
}

static bool count_check(struct schema_load *l, const struct schema_at *at,
			const struct schema_row *r, const config_setting_t *s)
{
	char expected[640];
	u32 n;

	if (!is_sequence(s)) {
		expected_error(l, at, r, -1, s, NULL);
		return false;
	}
	n = (u32)config_setting_length(s);
	if (n < r->n_min || n > r->n_max)
		schema_error_add(l, at, s->line, r->path, -1, "expected %s, got %u of them",
				 schema_expected(r, true, expected, sizeof(expected)), n);
	return true;
}

static void array_fill(struct schema_load *l, const struct schema_at *at,
		       const struct schema_row *r, const config_setting_t *s, char *base)
{
	char *array = base + r->offset;
	u32 i, n;

	if (!count_check(l, at, r, s))
		return;
	n = DWCP_MIN((u32)config_setting_length(s), r->n_max);
	if (r->flags & SCHEMA_INLINE) {
		memset(array, 0, (size_t)r->bytes * r->n_max);
	} else {
		array = arena_alloc(l->scope.arena, n, r->bytes);
		if (!array) {
			l->rc = -ENOMEM;
			return;
		}
		*(void **)(base + r->offset) = array;
	}
	*(u32 *)(base + r->n_offset) = n;
	for (i = 0; i < n; i++)
		scalar_fill(l, at, r, (int)i, config_setting_get_elem(s, i), array + i * r->bytes);
}

static void job_add(struct schema_load *l, struct schema_job j)
{
	u32 cap = l->cap_jobs ? l->cap_jobs * 2 : 64;
	struct schema_job *grown;

	j.failed = calloc(DWCP_MAX(j.n, 1u), 1);
	if (!j.failed)
		goto fail;
	if (l->n_jobs == l->cap_jobs) {
		grown = realloc(l->jobs, cap * sizeof(*grown));
		if (!grown)
			goto fail;
		l->jobs = grown;
		l->cap_jobs = cap;
	}
	l->jobs[l->n_jobs++] = j;
	return;
fail:
	free(j.failed);
	l->rc = -ENOMEM;
}

static void list_fill(struct schema_load *l, const struct schema_at *at, const struct schema_row *r,
		      const config_setting_t *s, char *base)
{
	struct schema_job j = {.row = r, .table = r->table, .list = s};

	if (!count_check(l, at, r, s))
		return;
	j.owner = at->job;
	j.owner_elem = at->elem;
	j.n = DWCP_MIN((u32)config_setting_length(s), r->n_max);
	j.base = arena_alloc(l->scope.arena, j.n, r->table->bytes);
	if (!j.base) {
		l->rc = -ENOMEM;
		return;
	}
	*(void **)(base + r->offset) = j.base;
	*(u32 *)(base + r->n_offset) = j.n;
	job_add(l, j);
}

/* Is @path directly below @prefix? Returns its last name. */
static const char *child_of(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n && (strncmp(path, prefix, n) || path[n++] != '.'))
		return NULL;
	return strchr(path + n, '.') ? NULL : path + n;
}

static void unknown_check(struct schema_load *l, const struct schema_at *at,
			  const struct schema_table *t, const char *prefix,
			  const config_setting_t *group)
{
	const config_setting_t *s;
	const char *names[64], *near;
	char key[320];
	u32 i, k, n = 0;

	for (k = 0; k < t->n_rows && n < DWCP_ARRAY_LEN(names); k++) {
		names[n] = child_of(t->rows[k].path, prefix);
		n += names[n] != NULL;
	}
	for (i = 0; (s = config_setting_get_elem(group, i)); i++) {
		for (k = 0; k < n && strcmp(names[k], s->name); k++)
			;
		if (k < n)
			continue;
		near = schema_nearest(s->name, names, n);
		snprintf(key, sizeof(key), "%s%s%.*s", prefix, *prefix ? "." : "", 64, s->name);
		schema_error_add(l, at, s->line, key, -1, "unknown key%s%s%s",
				 near ? ", did you mean '" : "", near ? near : "",
				 near ? "'?" : "");
	}
}

static void row_missing(struct schema_load *l, const struct schema_at *at,
			const struct schema_row *r)
{
	char expected[640];

	schema_error_add(l, at, schema_key_line(at->group, r->path), r->path, -1,
			 "missing from the group that starts here, expected %s",
			 schema_expected(r, true, expected, sizeof(expected)));
}

static void row_fill(struct schema_load *l, const struct schema_at *at,
		     const struct schema_table *t, const struct schema_row *r, char *base)
{
	const config_setting_t *s = schema_member(at->group, r->path);

	if (!s) {
		if (r->flags & SCHEMA_REQUIRED)
			row_missing(l, at, r);
	} else if (r->kind == SCHEMA_GROUP) {
		if (s->type == CONFIG_TYPE_GROUP)
			unknown_check(l, at, t, r->path, s);
		else
			expected_error(l, at, r, -1, s, NULL);
	} else if (r->kind == SCHEMA_LIST) {
		list_fill(l, at, r, s, base);
	} else if (r->flags & SCHEMA_ARRAY) {
		array_fill(l, at, r, s, base);
	} else {
		scalar_fill(l, at, r, -1, s, base + r->offset);
	}
}

static void elem_fill(struct schema_load *l, u32 job, u32 elem)
{
	const struct schema_job *j = &l->jobs[job];
	const struct schema_table *t = j->table;
	struct schema_at at = {job_group(j, elem), job, elem};
	char *base = j->base + (size_t)elem * t->bytes;
	u32 i, line;

	for (i = 0; i < t->n_rows; i++)
		if (schema_row_default(&t->rows[i], &l->scope, base))
			l->rc = -ENOMEM;
	if (at.group && at.group->type != CONFIG_TYPE_GROUP) {
		expected_error(l, &at, &no_row, -1, at.group, NULL);
		return;
	}
	if (t->line_offset != SCHEMA_NOTHING && at.group) {
		l->where(l->where_arg, at.group->line, &line);
		*(u32 *)(base + t->line_offset) = line;
	}
	if (at.group)
		unknown_check(l, &at, t, "", at.group);
	for (i = 0; i < t->n_rows && !l->rc; i++)
		row_fill(l, &at, t, &t->rows[i], base);
}

/* ---- pass two: check ---- */

static void unique_check(struct schema_load *l, const struct schema_at *at)
{
	const struct schema_job *j = &l->jobs[at->job];
	const struct schema_row *r;
	const char *mine, *other;
	char first[512];
	u32 i, k;

	for (i = 0; i < j->table->n_rows; i++) {
		r = &j->table->rows[i];
		if (!(r->flags & SCHEMA_UNIQUE))
			continue;
		mine = j->base + (size_t)at->elem * j->table->bytes + r->offset;
		for (k = 0; k < at->elem && *mine; k++) {
			other = j->base + (size_t)k * j->table->bytes + r->offset;
			if (strcmp(mine, other))
				continue;
			schema_where(l, schema_key_line(job_group(j, k), r->path), first,
				     sizeof(first));
			schema_error(l, at, r->path,
				     "expected one of its own, got \"%s\" again (the first is at "
				     "%s)",
				     mine, first);
			break;
		}
	}
}

static void job_check(struct schema_load *l, u32 job, void *root)
{
	const struct schema_job *j = &l->jobs[job];
	struct schema_at at = {.job = job};
	u32 e;

	for (e = 0; e < j->n && !l->rc; e++) {
		at.elem = e;
		at.group = job_group(j, e);
		if (j->table->check)
			j->table->check(l, &at, root, j->base + (size_t)e * j->table->bytes);
		if (j->row)
			unique_check(l, &at);
	}
}

int schema_load_run(struct schema_load *l, const config_setting_t *tree, void *ret_root)
{
	u32 i, e;

	memset(ret_root, 0, l->root->bytes);
	l->scope.root = ret_root;
	job_add(l, (struct schema_job){.table = l->root, .list = tree, .base = ret_root, .n = 1});
	for (i = 0; i < l->n_jobs && !l->rc; i++)
		for (e = 0; e < l->jobs[i].n && !l->rc; e++)
			elem_fill(l, i, e);
	for (i = l->n_jobs; i-- && !l->rc;)
		job_check(l, i, ret_root);
	if (l->rc)
		return l->rc;
	return l->n_errors ? -EINVAL : 0;
}
