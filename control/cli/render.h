/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render.h - rows of JSON objects, shown to people as a table or to programs as they are. A command prepares its rows
 * once; both forms come from them.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "cli.h"

enum render_kind {
	RENDER_TEXT,  /* left; numbers without grouping (ids) */
	RENDER_COUNT, /* right, grouped */
	RENDER_MILLI, /* right: thousandths, shown with one decimal */
	RENDER_NS_US, /* right: ns, shown as microseconds with one decimal */
	RENDER_AGE,   /* unix_ns */
	RENDER_TIME,  /* unix_ns */
	RENDER_UP,    /* bool: up, DOWN in red */
	RENDER_YES,   /* bool: yes, no */
};

struct render_column {
	const char *key;    /* member of the row; dots go deeper */
	const char *header; /* with its unit */
	enum render_kind kind;
	u32 min_width;
	u32 rank; /* 0 = always shown; the highest is left out first when the terminal is narrow */
	bool optional; /* not a column at all when no row has it */
	bool wrap;     /* the last column: long text goes on in the next line */
	/* instead of kind: the cell's text, from the whole row */
	void (*format)(const json_t *row, FILE *out);
};

enum render_style { STYLE_NONE, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

/** render_json() - @doc to stdout, indented; one line when @line. Return: CLI_OK, CLI_FAILED (stdout broken). */
int render_json(const json_t *doc, bool line);
/**
 * render_table() - headers and one line a row.
 * @empty: what to say when there are no rows. Return: CLI_OK, CLI_FAILED (no memory).
 */
int render_table(const struct cli *cli, const struct render_column *columns, u32 n_columns,
		 const json_t *rows, const char *empty);
/** render_rows() - the same for one page of many: @header on the first only. */
int render_rows(const struct cli *cli, const struct render_column *columns, u32 n_columns,
		const json_t *rows, bool header);
/** render_fact() - "label  text", the text wrapped under itself. */
void render_fact(const struct cli *cli, const char *label, enum render_style style, const char *fmt,
		 ...) dwcp_printf(4, 5);
/** render_wrap() - text in lines of at most @width (0 = one line), the second and on indented. */
void render_wrap(const char *text, u32 indent, u32 width, FILE *out);
/** render_style_on() - the escape sequence, or "" without colour. */
const char *render_style_on(const struct cli *cli, enum render_style style);
const char *render_style_off(const struct cli *cli);
/** render_member() - a member by dotted path; NULL = not there. */
const json_t *render_member(const json_t *row, const char *path);
s64 render_integer(const json_t *row, const char *path, s64 fallback);
const char *render_string(const json_t *row, const char *path, const char *fallback);
