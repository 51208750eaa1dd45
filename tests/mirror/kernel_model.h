/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_model.h - a kernel that keeps its routes the kernel's way: IPv4 ones in a list by metric, IPv6 ones each with one
 * path, joined only when they are told. It tells a store what the kernel would tell (and keeps silent where it would),
 * has an answer for every prefix, and is read in parts as the kernel's tables are.
 */
#pragma once

#include "core/kernel_routes.h"

#define MODEL_PREFIXES                                                                             \
	12 /* half of them IPv6, the last of which covers the others and is read after them */
#define MODEL_LINKS	 3 /* 1 and 2 are twins of p1 and p2 */
#define MODEL_MAX_ROUTES 256

struct model_route {
	u32 prefix, metric;
	u8 type, protocol;
	u8 hidden; /* IPv4: what makes it another route and isn't told, as the weight of its single path */
	u32 n_paths; /* IPv6: 1 or 0 */
	struct mirror_path paths[3];
};

struct model {
	struct model_route r[MODEL_MAX_ROUTES];
	u32 n;
	bool up[MODEL_LINKS + 1], carrier[MODEL_LINKS + 1];
	struct kernel_routes *kr;
	bool lossy;   /* notifications are lost at random */
	u64 version6; /* of the IPv6 tables */
	bool unclear; /* several that look the same: which of them has gone was not told */
	u64 rng;
};

struct model_answer {
	bool there;
	u8 type, protocol;
	u32 n_paths;
	u64 sum; /* of paths, whatever their order */
};

/* Of a dump in parts: where it is. */
struct model_reader {
	u8 family;
	u32 at;	     /* IPv4: the prefix to go on from; IPv6: how many are through */
	u32 in_node; /* how many of its routes are through */
	u64 version; /* of the IPv6 tables when the part before was read */
	bool done;
};

u32 model_below(struct model *m, u32 n); /* random */
struct fib_prefix model_prefix(u32 i);
u32 model_prefix_index(const struct fib_prefix *p);
bool model_six(const struct model_route *r);
/* The message of a route: an IPv6 one has the paths of all that are joined with it, itself first. */
void model_message(const struct model *m, const struct model_route *r, struct mirror_route *ret);

void model_add_random(struct model *m);
void model_del(struct model *m, u32 at);
void model_link_tell(struct model *m, u32 i);
void model_link_random(struct model *m);

struct model_answer model_expected(const struct model *m, u32 prefix);
/* A dump of IPv6 routes has those that are joined once. */
bool model_dumped_before(const struct model *m, u32 at);
/* As fib6_dump_table() and fn_trie_dump_leaf() find back to where they were. Return: how many routes were read. */
u32 model_part_read(const struct model *m, struct model_reader *r, u32 max,
		    struct mirror_route *ret);
