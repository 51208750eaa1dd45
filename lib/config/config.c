/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - loads, prints and compares the configuration: source (includes) → libconfig → rows → one immutable struct
 * in an arena of its own. Whatever fails, the caller's outputs stay as they were and the errors say all of it.
 * Any thread. The rows are in schema.c.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "schema.h"
#include "source.h"

#define CONFIG_MAX_BYTES (64u << 20)

struct config_owner {
	struct dwcp_config cfg; /* first: config_free() gets its address */
	struct arena arena;
};

/* ---- errors ---- */

void config_errors_add(struct config_errors *e, const char *fmt, ...)
{
	u32 cap = e->cap ? e->cap * 2 : 16;
	char *text, **grown;
	va_list args;
	int n;

	if (e->n == e->cap) {
		grown = realloc(e->text, cap * sizeof(*grown));
		if (!grown)
			return;
		e->text = grown;
		e->cap = cap;
	}
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n >= 0)
		e->text[e->n++] = text;
}

void config_errors_fini(struct config_errors *e)
{
	u32 i;

	for (i = 0; i < e->n; i++)
		free(e->text[i]);
	free(e->text);
	*e = (struct config_errors){0};
}

static void error_sink(void *arg, const char *text)
{
	config_errors_add(arg, "%s", text);
}

/* ---- load ---- */

static const char *where(void *arg, u32 line, u32 *ret_line)
{
	return source_where(arg, line, ret_line);
}

/* The line that libconfig stopped at is the best that it tells us. */
static void syntax_error(const struct source *src, const config_t *tree,
			 struct config_errors *errors)
{
	int at = config_error_line(tree), n = 1;
	const char *p = src->text, *end, *text = config_error_text(tree);
	u32 line;
	const char *file = source_where(src, (u32)DWCP_MAX(at, 1), &line);

	for (; n < at && (end = strchr(p, '\n')); n++)
		p = end + 1;
	p += strspn(p, " \t\r");
	n = (int)strcspn(p, "\r\n");
	config_errors_add(errors, "%s:%u: %s, at or just before: %.*s", file, line,
			  text ? text : "syntax error", DWCP_MIN(n, 60), p);
}

static int tree_load(struct config_form *form, struct arena *arena, const struct source *src,
		     const config_t *tree, const char *dir, struct config_errors *errors)
{
	struct schema_load *l = schema_load_open(&config_schema, arena, dir, where, (void *)src);
	int rc;

	if (!l)
		return -ENOMEM;
	rc = schema_load_run(l, tree->root, form);
	if (rc)
		schema_load_report(l, error_sink, errors);
	prefix_set_fini(&form->seen);
	free(form->seen_lines);
	schema_load_close(l);
	return rc;
}

static int routes_from_form(struct config_form *form, struct arena *arena)
{
	struct route_cfg *routes = arena_alloc(arena, form->n_routes, sizeof(*routes));
	const struct route_form *f;
	struct path_cfg *single;
	u32 i;

	if (!routes)
		return -ENOMEM;
	for (i = 0; i < form->n_routes; i++) {
		f = &form->routes[i];
		routes[i] = (struct route_cfg){.prefix = f->prefix,
					       .type = f->type,
					       .paths = f->paths,
					       .n_paths = f->n_paths,
					       .line = f->line};
		if (f->type != ROUTE_UNICAST || f->n_paths)
			continue;
		single = arena_alloc(arena, 1, sizeof(*single));
		if (!single)
			return -ENOMEM;
		*single = f->single;
		single->weight = 1;
		routes[i].paths = single;
		routes[i].n_paths = 1;
	}
	form->cfg.routes = routes;
	form->cfg.n_routes = form->n_routes;
	return 0;
}

/* As rows see the routes of a loaded configuration. @ret: owned by the caller: free(ret->routes). */
static int form_from_config(const struct dwcp_config *cfg, struct config_form *ret)
{
	struct route_form *forms = calloc(DWCP_MAX(cfg->n_routes, 1u), sizeof(*forms));
	const struct route_cfg *r;
	u32 i;

	if (!forms)
		return -ENOMEM;
	for (i = 0; i < cfg->n_routes; i++) {
		r = &cfg->routes[i];
		forms[i] =
			(struct route_form){.prefix = r->prefix, .type = r->type, .line = r->line};
		forms[i].single.port_idx = UINT16_MAX;
		if (r->n_paths == 1 && r->paths->weight == 1) {
			forms[i].single = *r->paths;
		} else {
			forms[i].paths = r->paths;
			forms[i].n_paths = r->n_paths;
		}
	}
	*ret = (struct config_form){.cfg = *cfg, .routes = forms, .n_routes = cfg->n_routes};
	return 0;
}

static char *absolute_path(struct arena *arena, const char *path, const char *dir)
{
	size_t len = strlen(path) + (dir ? strlen(dir) : 0) + 2;
	char *text = arena_alloc(arena, len, 1);

	if (text)
		snprintf(text, len, "%s%s%s", *path == '/' || !dir ? "" : dir,
			 *path == '/' || !dir ? "" : "/", path);
	return text;
}

static u64 ports_hash(const struct dwcp_config *cfg)
{
	char names[CONFIG_MAX_PORTS * CONFIG_NAME_MAX];
	size_t len = 0, n;
	u32 i;

	for (i = 0; i < cfg->n_ports; i++) {
		n = strlen(cfg->ports[i].name) + 1;
		memcpy(names + len, cfg->ports[i].name, n);
		len += n;
	}
	return XXH3_64bits(names, len);
}

static int owner_fill(struct config_owner *o, const struct source *src, const config_t *tree,
		      const char *path, const char *dir, struct config_errors *errors)
{
	struct config_form form;
	int rc = tree_load(&form, &o->arena, src, tree, dir, errors);

	if (!rc)
		rc = routes_from_form(&form, &o->arena);
	if (rc)
		return rc;
	o->cfg = form.cfg;
	o->cfg.hash = src->hash;
	o->cfg.ports_hash = ports_hash(&o->cfg);
	o->cfg.path = absolute_path(&o->arena, path, dir);
	return o->cfg.path ? 0 : -ENOMEM;
}

/* @name: in errors; @path: what .path shall be, absolute or relative to @dir. */
static int text_load(const char *text, size_t len, const char *name, const char *path,
		     const char *dir, struct dwcp_config **ret_cfg, struct config_errors *errors)
{
	struct config_owner *o = calloc(1, sizeof(*o));
	struct source src;
	config_t tree;
	int rc;

	if (!o)
		return -ENOMEM;
	config_init(&tree);
	rc = source_load(&src, text, len, name, dir, errors);
	if (!rc && config_read_string(&tree, src.text) != CONFIG_TRUE) {
		syntax_error(&src, &tree, errors);
		rc = -EINVAL;
	}
	if (!rc)
		rc = owner_fill(o, &src, &tree, path, dir, errors);
	config_destroy(&tree);
	source_fini(&src);
	if (rc)
		config_free(&o->cfg);
	else
		*ret_cfg = &o->cfg;
	return rc;
}

int config_parse(const char *text, size_t len, const char *name, const char *dir,
		 struct dwcp_config **ret_cfg, struct config_errors *errors)
{
	return text_load(text, len, name, name, dir, ret_cfg, errors);
}

/* The directory of a file, absolute, symbolic links left alone. Owned by the caller. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *cwd = NULL, *dir = NULL;
	int n = slash ? (int)(slash - path) : 0;

	if (*path == '/')
		return strndup(path, DWCP_MAX(n, 1));
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return NULL;
	if (asprintf(&dir, "%s%s%.*s", cwd, n ? "/" : "", n, path) < 0)
		dir = NULL;
	free(cwd);
	return dir;
}

int config_load(const char *path, struct dwcp_config **ret_cfg, struct config_errors *errors)
{
	const char *slash = strrchr(path, '/');
	char *text, *dir;
	size_t len;
	int rc = file_read(path, CONFIG_MAX_BYTES, &text, &len);

	if (rc) {
		config_errors_add(errors, "%s: %s", path,
				  rc == -EINVAL ? "expected a regular file" : strerror(-rc));
		return rc;
	}
	dir = dir_of(path);
	rc = dir ? text_load(text, len, path, *path == '/' || !slash ? path : slash + 1, dir,
			     ret_cfg, errors)
		 : -errno;
	free(dir);
	free(text);
	return rc;
}

void config_free(struct dwcp_config *cfg)
{
	struct config_owner *o = (struct config_owner *)cfg;

	if (!o)
		return;
	arena_fini(&o->arena);
	free(o);
}

int config_port_idx(const struct dwcp_config *cfg, const char *name)
{
	u32 i;

	for (i = 0; i < cfg->n_ports; i++)
		if (!strcmp(cfg->ports[i].name, name))
			return (int)i;
	return -ENOENT;
}

const char *config_twin_name(const struct port_cfg *p)
{
	return p->twin_name[0] ? p->twin_name : p->name;
}

/* ---- print, compare ---- */

int config_print(const struct dwcp_config *cfg, FILE *out)
{
	struct config_form form;
	int rc = form_from_config(cfg, &form);

	if (rc)
		return rc;
	rc = schema_print(&config_schema, &form, out);
	free((void *)form.routes);
	return rc;
}

int config_reference(FILE *out)
{
	fputs("# SPDX-License-Identifier: BSD-3-Clause\n"
	      "# dwcp.conf: every key. Generated from the schema; a copy of it loads and gives "
	      "the\n"
	      "# defaults. A '#' that no blank follows hides a setting or an example: take it away "
	      "to\n"
	      "# use them.\n"
	      "#\n"
	      "# Syntax: libconfig. name = value; groups { } hold keys, lists ( ) hold groups, "
	      "arrays [ ]\n"
	      "# hold values of one type; comments are #, // and /* */; @include \"file\" at the "
	      "start of\n"
	      "# a line is relative to the file that it stands in.\n",
	      out);
	return schema_reference(&config_schema, out);
}

u32 config_diff(const struct dwcp_config *from, const struct dwcp_config *to,
		struct config_diff_row *ret_rows, u32 cap)
{
	static const enum config_change changes[] = {
		[SCHEMA_KEPT] = CONFIG_KEPT,
		[SCHEMA_CHANGED_LIVE] = CONFIG_APPLIED,
		[SCHEMA_CHANGED] = CONFIG_NEEDS_RESTART,
	};
	struct config_form a = {0}, b = {0};
	bool known = !form_from_config(from, &a) && !form_from_config(to, &b);
	const struct schema_row *r = config_schema.rows;
	u32 n = 0, i;
	int rc;

	for (i = 0; i < config_schema.n_rows && n < cap; i++, r++) {
		if (r->kind != SCHEMA_GROUP && r->kind != SCHEMA_LIST)
			continue;
		rc = known ? schema_diff(&config_schema, r, &a, &b) : -ENOMEM;
		/* without memory to look: say the worst */
		ret_rows[n++] = (struct config_diff_row){r->path, rc < 0 ? CONFIG_NEEDS_RESTART
									 : changes[rc]};
	}
	free((void *)a.routes);
	free((void *)b.routes);
	return n;
}
