/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_test.h - what the tests of the configuration share: load a text, look for an error, print to memory.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dwcp/util/config.h>

struct loaded {
	struct dwcp_config *cfg;
	struct config_errors errors;
	int rc;
};

static inline struct loaded text_load(const char *text)
{
	struct loaded l = {0};

	l.rc = config_parse(text, strlen(text), "t.conf", "/nowhere", &l.cfg, &l.errors);
	return l;
}

static inline void loaded_fini(struct loaded *l)
{
	config_free(l->cfg);
	config_errors_fini(&l->errors);
}

static inline void errors_show(const struct config_errors *e)
{
	u32 i;

	for (i = 0; i < e->n; i++)
		print_message("\t%s\n", e->text[i]);
}

/* How many errors have @part in them? */
static inline u32 errors_count(const struct config_errors *e, const char *part)
{
	u32 i, n = 0;

	for (i = 0; i < e->n; i++)
		n += strstr(e->text[i], part) != NULL;
	return n;
}

static inline struct loaded text_load_ok(const char *text)
{
	struct loaded l = text_load(text);

	if (l.rc) {
		print_message("refused:\n%s\n", text);
		errors_show(&l.errors);
	}
	assert_int_equal(l.rc, 0);
	assert_int_equal(l.errors.n, 0);
	assert_non_null(l.cfg);
	return l;
}

/* Exactly these errors, in this order; NULL ends. */
static inline void text_refused(const char *text, ...)
{
	struct loaded l = text_load(text);
	const char *want;
	va_list args;
	u32 i = 0;

	assert_int_equal(l.rc, -EINVAL);
	assert_null(l.cfg);
	va_start(args, text);
	for (; (want = va_arg(args, const char *)); i++) {
		if (i >= l.errors.n || strcmp(l.errors.text[i], want)) {
			print_message("text:\n%s\nwanted: %s\ngot:\n", text, want);
			errors_show(&l.errors);
			fail();
		}
	}
	va_end(args);
	if (l.errors.n != i)
		errors_show(&l.errors);
	assert_int_equal(l.errors.n, i);
	loaded_fini(&l);
}

/* Owned by the caller. */
static inline char *config_text(const struct dwcp_config *cfg)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(config_print(cfg, f), 0);
	fclose(f);
	return text;
}

/* A file below @dir; its path is static until the next call. */
static inline const char *file_write(const char *dir, const char *name, const char *text)
{
	static char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static inline char *dir_create(void)
{
	char *dir = strdup("/tmp/dwcp-test-XXXXXX");

	assert_non_null(mkdtemp(dir));
	return dir;
}

/* splitmix64: tests print their seed. */
static inline u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
