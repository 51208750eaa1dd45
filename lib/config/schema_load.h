/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_load.h - a load in progress: shared by schema_engine.c (fills) and schema_errors.c (remembers what was wrong).
 */
#pragma once

#include "schema_engine.h"

/* A list whose elements are to be filled, then checked. */
struct schema_job {
	const struct schema_row *row; /* NULL: the root */
	const struct schema_table *table;
	const config_setting_t *list; /* the root: its group */
	char *base;
	u8 *failed; /* [n] */
	u32 n;
	u32 owner, owner_elem;
};

struct schema_entry {
	u32 line, seq;
	char *text;
};

struct schema_load {
	const struct schema_table *root;
	struct schema_scope scope;
	const char *(*where)(void *arg, u32 line, u32 *ret_line);
	void *where_arg;
	struct schema_job *jobs;
	u32 n_jobs, cap_jobs;
	struct schema_entry *errors;
	u32 n_errors, n_lost;
	int rc; /* -ENOMEM sticks */
};

/** schema_member() - the setting at a dotted path below a group, or NULL. */
const config_setting_t *schema_member(const config_setting_t *group, const char *path);
/** schema_key_line() - where a key is, or would be: in the innermost group on its path that exists. */
u32 schema_key_line(const config_setting_t *group, const char *path);
/** schema_error_add() - @key of the element (NULL: itself), @elem of the key's array (-1: the key itself). */
void schema_error_add(struct schema_load *l, const struct schema_at *at, u32 line, const char *key,
		      int elem, const char *fmt, ...) dwcp_printf(6, 7);
