/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_engine.h - a configuration described by rows: one row a key, and that row parses, checks, documents, prints,
 * compares and defaults it. The engine knows libconfig and C structs, and nothing of what is configured.
 *
 *	schema_engine.c  libconfig tree → struct, all errors at once
 *	schema_errors.c  what was wrong, by element and line
 *	schema_value.c   one scalar: parse, format, describe
 *	schema_print.c   struct → text; compare
 *	schema_doc.c     rows → reference
 *
 * A table describes one struct. A row's path may be dotted: each prefix has a GROUP row before its members, which
 * stand together. A LIST row has a table for its elements; a reference to an element of another list resolves when
 * that list's row stands earlier, because the engine fills lists breadth first in the order of the rows.
 */
#pragma once

#include <libconfig.h>
#include <stdio.h>

#include <dwcp/base.h>

#include "arena.h"

#define SCHEMA_TEXT_MAX	  4096 /* longest string value */
#define SCHEMA_MAX_DEPTH  4    /* lists in lists */
#define SCHEMA_MAX_ERRORS 1000 /* kept; the others are counted */
#define SCHEMA_NOTHING	  UINT32_MAX

enum schema_kind {
	SCHEMA_GROUP,
	SCHEMA_INT,    /* 1, 2, 4 or 8 bytes; signed when min < 0 */
	SCHEMA_BOOL,   /* bool */
	SCHEMA_ENUM,   /* 4 bytes, index into names */
	SCHEMA_STRING, /* char[bytes], 0-terminated; min = least length */
	SCHEMA_VALUE,  /* a string to the file, a type of its own to us */
	SCHEMA_LIST,   /* pointer and count; elements in the arena */
};

enum {
	SCHEMA_REQUIRED = 1 << 0,
	SCHEMA_LIVE = 1 << 1,	/* a change needs no restart */
	SCHEMA_ARRAY = 1 << 2,	/* of scalars: pointer and count, elements in the arena */
	SCHEMA_INLINE = 1 << 3, /* with ARRAY: the elements are in the struct, n_max of them */
	SCHEMA_UNIQUE = 1 << 4, /* STRING in a list: no two elements have the same */
};

struct schema_load;

/* Whose field a value is: types resolve references and relative paths by it. */
struct schema_scope {
	const void *root; /* the struct of the root table, filled as far as the rows before */
	const char *dir;  /* of relative paths; NULL = there is none */
	struct arena *arena;
};

struct schema_type {
	const char *what; /* "expected …" */
	/* Return: 0; -EINVAL: `what` was expected, or *ret_what when set (static, or written to buf); -ENOMEM. */
	int (*parse)(const struct schema_scope *scope, const char *text, void *field, char *buf,
		     size_t len, const char **ret_what);
	/* Return: the text; NULL = the field is not set. */
	const char *(*format)(const void *root, const void *field, char *buf, size_t len);
	void (*clear)(void *field); /* NULL: zero means not set */
};

struct schema_table;

struct schema_row {
	const char *path;
	const char *unit; /* "bytes", "ms" */
	const char *help;
	const char *example;   /* LIST: a whole one; others: shown when there is no default */
	const char *def_text;  /* STRING, VALUE */
	const char *fill_text; /* what fill() does, for the reference */
	void (*fill)(void *field, void *count); /* a default that must be computed */
	/* Return: NULL, or what was expected. Called with an element of an array, else the field. */
	const char *(*check)(const void *field);
	const char *const *names; /* ENUM, ends with NULL */
	const struct schema_type *type;
	const struct schema_table *table;
	s64 min, max, def;
	u32 offset, bytes; /* bytes of a scalar or of an array's element */
	u32 n_offset, n_min, n_max;
	enum schema_kind kind;
	u32 flags;
};

/* An element while its check runs: to report errors by. */
struct schema_at {
	const config_setting_t *group; /* may be NULL: the root of an empty file */
	u32 job, elem;
};

struct schema_table {
	const struct schema_row *rows;
	u32 n_rows;
	u32 bytes;	 /* of the struct */
	u32 line_offset; /* of a u32: the line in its file; SCHEMA_NOTHING = none */
	/* After all rows of all lists are filled, elements before their owner. @root: the struct of the root table. */
	void (*check)(struct schema_load *l, const struct schema_at *at, void *root, void *elem);
};

/** schema_load_open() - @where maps a line of the text to a name and line for errors. NULL when out of memory. */
struct schema_load *schema_load_open(const struct schema_table *root, struct arena *arena,
				     const char *dir,
				     const char *(*where)(void *arg, u32 line, u32 *ret_line),
				     void *where_arg);
/**
 * schema_load_run() - fill @ret_root from the tree, check all of it.
 * Return: 0; -EINVAL and errors to be had from schema_load_report(); -ENOMEM.
 */
int schema_load_run(struct schema_load *l, const config_setting_t *tree, void *ret_root);
/** schema_load_report() - each error as "file:line: path: what", in the order of the file. */
void schema_load_report(const struct schema_load *l, void (*sink)(void *arg, const char *text),
			void *arg);
void schema_load_close(struct schema_load *l);

/** schema_error() - from a check: an error at @key of the element (NULL: the element itself). */
void schema_error(struct schema_load *l, const struct schema_at *at, const char *key,
		  const char *fmt, ...) dwcp_printf(4, 5);
/** schema_error_in() - the same at @key of element @i of the list @list of the element. */
void schema_error_in(struct schema_load *l, const struct schema_at *at, const char *list, u32 i,
		     const char *key, const char *fmt, ...) dwcp_printf(6, 7);
/** schema_where() - "file:line" of the element, for a message about another one. */
const char *schema_where(struct schema_load *l, u32 line, char *buf, size_t len);
/** schema_failed() - was any row of this element refused? Its fields hold defaults then. */
bool schema_failed(const struct schema_load *l, const struct schema_at *at);
/** schema_list_failed() - was any row of any element of the root's list @path refused while filling? */
bool schema_list_failed(const struct schema_load *l, const char *path);
void schema_no_memory(struct schema_load *l);

/** schema_print() - the whole struct, in the file's syntax; rows that are not set are left out. */
int schema_print(const struct schema_table *t, const void *base, FILE *out);
/** schema_reference() - every row with its type, unit, range, default and help. */
int schema_reference(const struct schema_table *t, FILE *out);

enum schema_change { SCHEMA_KEPT, SCHEMA_CHANGED_LIVE, SCHEMA_CHANGED };
/** schema_diff() - of the row at @path: a LIST, or the keys of a GROUP without its groups. -ENOMEM or a change. */
int schema_diff(const struct schema_table *t, const struct schema_row *row, const void *a,
		const void *b);

/* ---- one value (schema_value.c) ---- */

void schema_int_store(const struct schema_row *r, void *field, s64 v);
s64 schema_int_load(const struct schema_row *r, const void *field);
/** schema_scalar_parse() - @buf takes the text of *ret_what, "expected …", when it is made up. 0, -EINVAL, -ENOMEM. */
int schema_scalar_parse(const struct schema_row *r, const struct schema_scope *scope,
			const config_setting_t *s, void *field, char *buf, size_t len,
			const char **ret_what);
/** schema_scalar_format() - in the file's syntax. false = not set. */
bool schema_scalar_format(const struct schema_row *r, const void *root, const void *field,
			  char *buf, size_t len);
/** schema_row_default() - fill a row's field of @base. */
int schema_row_default(const struct schema_row *r, const struct schema_scope *scope, void *base);
/** schema_expected() - "an integer 68..9600 (bytes)"; @whole: the array, not its element. */
const char *schema_expected(const struct schema_row *r, bool whole, char *buf, size_t len);
/** schema_got() - the value, and its type when that is not the row's. */
const char *schema_got(const struct schema_row *r, const config_setting_t *s, char *buf,
		       size_t len);

/** schema_nearest() - of @names the one that was probably meant, or NULL. */
const char *schema_nearest(const char *name, const char *const *names, u32 n);
