/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.h - what the rows of dwcp fill, and the pieces that its value types and checks share with route files.
 */
#pragma once

#include <dwcp/util/config.h>

#include "prefix_set.h"
#include "schema_engine.h"

/* A route as it is written: one path in the group itself, or a list of them. */
struct route_form {
	struct fib_prefix prefix; /* first: prefix_set reads it */
	u32 type, line;
	struct path_cfg single;
	const struct path_cfg *paths;
	u32 n_paths;
};

/* The struct of the root table. */
struct config_form {
	struct dwcp_config cfg;
	const struct route_form *routes;
	u32 n_routes;
	struct prefix_set seen;
	u32 *seen_lines; /* [n_routes] lines of the text */
};

extern const struct schema_table config_schema;

/* ---- value types (types.c) ---- */

extern const struct schema_type type_port_addr; /* struct config_addr: address/length of a port */
extern const struct schema_type type_host_addr; /* struct config_addr: a neighbour, a gateway */
extern const struct schema_type type_prefix;	/* struct fib_prefix but its vrf */
extern const struct schema_type type_mac;	/* u8[6] */
extern const struct schema_type type_port;	/* u16 index into ports */
extern const struct schema_type type_path;	/* const char *, absolute */

/* ---- checks (checks.c) ---- */

const char *check_name(const void *field);
const char *check_device(const void *field);
const char *check_power_of_two_2(const void *field);
const char *check_power_of_two_4(const void *field);
void check_port(struct schema_load *l, const struct schema_at *at, void *root, void *elem);
void check_neighbour(struct schema_load *l, const struct schema_at *at, void *root, void *elem);
void check_mirror_table(struct schema_load *l, const struct schema_at *at, void *root, void *elem);
void check_route(struct schema_load *l, const struct schema_at *at, void *root, void *elem);

/** host_refusal() - why this can't be a neighbour's or gateway's address: what was expected, or NULL. */
const char *host_refusal(const struct config_addr *a);
/** path_refusal() - what was expected of a path of a route of @family, or NULL. */
const char *path_refusal(const struct dwcp_config *cfg, u8 family, const struct path_cfg *p);
