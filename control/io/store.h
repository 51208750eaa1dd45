/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h - routes that operators have added, kept in <state_dir>/routes.api: one route a line in the syntax of route
 * files, so that it can be read, moved and repaired by hand. What is answered with 200 is on disk.
 *
 * Lines are kept as text: one that does not fit the configuration (its port was renamed) is not used, but stays in the
 * file until somebody deletes it. Thread: the builder's.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

#define STORE_FILE "routes.api"

struct store_row {
	struct fib_prefix prefix; /* family 0 = cannot be read from the line */
	char *line;		  /* without the newline */
};

struct store {
	char *dir, *path;
	struct store_row *rows; /* by prefix */
	u32 n, cap;
	u64 revision; /* of the intent, when the file was written */
};

/** store_load() - @dir: created when it is not there. A missing file is an empty one. Return: 0, -errno, -ENOMEM. */
int store_load(struct store *s, const char *dir);
void store_fini(struct store *s);

/** store_find() - Return: the line, or NULL. */
const char *store_find(const struct store *s, const struct fib_prefix *p);
/** store_set() - @line: taken, also on failure. @ret_old: the line before, to be freed, or NULL. Return: 0, -ENOMEM. */
int store_set(struct store *s, const struct fib_prefix *p, char *line, char **ret_old);
/** store_del() - Return: the line, to be freed, or NULL when there was none. */
char *store_del(struct store *s, const struct fib_prefix *p);
/** store_save() - whole and atomically: beside it, fsync, rename. Return: 0, -errno (the file stays as it was). */
int store_save(const struct store *s, u64 revision);
