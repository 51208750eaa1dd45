/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes.h - the parser of route files, fed with pieces of whole lines: routes.c reads lines, route_file.c files.
 */
#pragma once

#include "arena.h"
#include "tails.h"
#include "text.h"

#define ROUTE_N_FAMILIES 2

struct route_parser {
	struct route_list list
		[ROUTE_N_FAMILIES]; /* IPv4, IPv6: each is mostly written in order, however they alternate */
	struct arena arena; /* of paths */
	struct tails tails;
	const struct dwcp_config *cfg;
	const char *name;
	struct config_errors *errors;
	u64 n_bad;
	u64 guess; /* of routes: memory that is not touched costs nothing, moving it does */
	u32 line;
	bool sorted; /* both so far, and so without duplicates */
	int rc;	     /* -ENOMEM sticks */
	/* The last path that was found good: next hops repeat. */
	struct path_cfg known;
	u8 known_family;
	struct path_cfg paths[CONFIG_MAX_PATHS]; /* of the line that is being read */
};

/** route_parser_init() - @text_bytes: that will come, about. Return: 0, -ENOMEM; route_parser_fini() in any case. */
int route_parser_init(struct route_parser *p, u64 text_bytes, const char *name,
		      const struct dwcp_config *cfg, struct config_errors *errors);
/** route_parser_feed() - @text: whole lines; only the last may lack its end. Errors are kept for the end. */
void route_parser_feed(struct route_parser *p, const char *text, size_t len);
/** route_parser_end() - what is wrong with the whole. Return: 0 and *ret_list, -EINVAL, -ENOMEM. */
int route_parser_end(struct route_parser *p, struct route_list *ret_list);
void route_parser_fini(struct route_parser *p);
