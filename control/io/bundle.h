/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bundle.h - the configuration and everything it names, read whole or not at all: nothing of a bad load is ever used.
 * Reading a full table takes long (a million lines in 40 ms), so it is done at start or on the loader's thread.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>
#include <dwcp/util/rib.h>

#define BUNDLE_MAX_FILES (RIB_N_SOURCES - RIB_FILE)

struct bundle {
	struct dwcp_config *cfg;
	char *text; /* the effective configuration, in the file's syntax */
	struct route_list files[BUNDLE_MAX_FILES];
	u32 n_files;
	struct config_errors errors; /* all of them */
	int err;
	u64 read_ns; /* what reading all of it took */
};

/** bundle_load() - Return: NULL without memory; else look at ->err. */
struct bundle *bundle_load(const char *path);
/** bundle_drop_routes() - the lists, once they are in the table. */
void bundle_drop_routes(struct bundle *b);
void bundle_free(struct bundle *b);
