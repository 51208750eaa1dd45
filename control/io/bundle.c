/* SPDX-License-Identifier: BSD-3-Clause */
#include "bundle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

static int text_make(struct bundle *b)
{
	size_t len;
	FILE *f = open_memstream(&b->text, &len);
	int err;

	if (!f)
		return -ENOMEM;
	err = config_print(b->cfg, f);
	if (fclose(f) != 0)
		err = -ENOMEM;
	return err;
}

static int files_load(struct bundle *b)
{
	int err = 0;

	if (b->cfg->n_route_files > BUNDLE_MAX_FILES) {
		config_errors_add(&b->errors, "%s: at most %d route files, got %u", b->cfg->path,
				  BUNDLE_MAX_FILES, b->cfg->n_route_files);
		return -EINVAL;
	}
	for (u32 i = 0; i < b->cfg->n_route_files; i++) {
		int one = route_file_load(b->cfg->route_files[i].path, b->cfg, &b->files[i],
					  &b->errors);

		b->n_files = i + 1;
		err = err ? err : one; /* go on: all errors of all files are told at once */
	}
	return err;
}

struct bundle *bundle_load(const char *path)
{
	struct bundle *b = calloc(1, sizeof(*b));
	u64 start_ns = clock_ns();

	if (!b)
		return NULL;
	b->err = config_load(path, &b->cfg, &b->errors);
	if (!b->err)
		b->err = files_load(b);
	if (!b->err)
		b->err = text_make(b);
	b->read_ns = clock_ns() - start_ns;
	return b;
}

void bundle_drop_routes(struct bundle *b)
{
	for (u32 i = 0; i < b->n_files; i++)
		route_list_fini(&b->files[i]);
	b->n_files = 0;
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	bundle_drop_routes(b);
	config_free(b->cfg);
	config_errors_fini(&b->errors);
	free(b->text);
	free(b);
}
