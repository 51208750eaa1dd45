/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_routes.h - the kernel's routing tables, followed by its notifications, and what of them is for our tables.
 *
 * Holds every route of the tables that are mirrored, in the kernel's own order of preference, and the links and next-hop
 * objects that they leave by. A prefix whose best usable route changes becomes dirty; kernel_routes_take() hands dirty
 * prefixes out in batches, each once with its latest state, however often it changed. Pure: no sockets, no clock.
 *
 * What the kernel does without saying so is done here as well: with a link that goes down (or loses its last IPv4
 * address) go the routes and next-hop objects that have no other way; a path without carrier is not used. A dump that
 * is compared (kernel_routes_dump_…) finds whatever else there is.
 *
 * While no interface is the twin of a port, nothing is given out: there is no router to be mirrored.
 * Thread: netlink's. When memory runs out a call says so once and the store must be filled afresh by dumps.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>

#include "mirror.h"

/* Why a route of the kernel is not held. */
enum kernel_skip {
	KERNEL_SKIP_TABLE,	/* no VRF of ours */
	KERNEL_SKIP_TOS,	/* for one traffic class only */
	KERNEL_SKIP_LINK_LOCAL, /* fe80::/10: never forwarded */
	KERNEL_SKIP_MULTICAST,
	KERNEL_SKIP_TYPE, /* not of unicast forwarding */
	KERNEL_N_SKIPS
};

#define KERNEL_MAX_TABLES (MIRROR_MAX_TABLES + 1)

struct kernel_routes;

/** kernel_routes_create() - @tables: borrowed; none = RT_TABLE_MAIN for VRF 0. RT_TABLE_LOCAL serves VRF 0 unless it
 * stands there. Where several tables serve one VRF, the local one's routes win, then the earlier table's.
 */
int kernel_routes_create(const struct mirror_table_cfg *tables, u32 n,
			 struct kernel_routes **ret_kr);
void kernel_routes_free(struct kernel_routes *kr);
/** kernel_routes_tables_set() - other tables: every route is dropped; dump them again. */
void kernel_routes_tables_set(struct kernel_routes *kr, const struct mirror_table_cfg *tables,
			      u32 n);
/** kernel_routes_clear() - no tables at all. */
void kernel_routes_clear(struct kernel_routes *kr);

/* ---- what the kernel says: 0, -ENOMEM ------------------------------------------------------------------------- */

int kernel_routes_link(struct kernel_routes *kr, enum mirror_verb verb,
		       const struct mirror_link *l);
int kernel_routes_addr(struct kernel_routes *kr, enum mirror_verb verb,
		       const struct mirror_addr *a);
int kernel_routes_nexthop(struct kernel_routes *kr, enum mirror_verb verb,
			  const struct mirror_nexthop *n);
/** kernel_routes_route() - a notification. @nlmsg_flags: of its message. */
int kernel_routes_route(struct kernel_routes *kr, enum mirror_verb verb, u16 nlmsg_flags,
			const struct mirror_route *r);

/*
 * A dump of one family, compared with what is held. A prefix that a notification changed between the dump's part before
 * and this one may have been read on either side of the change: it is left as it is, and the dump is to be repeated.
 */
void kernel_routes_dump_begin(struct kernel_routes *kr, u8 family);
void kernel_routes_dump_part(struct kernel_routes *kr); /* the next buffer of the dump */
int kernel_routes_dump_route(struct kernel_routes *kr, const struct mirror_route *r);

struct kernel_dump_result {
	u64 n_changed, n_gone; /* prefixes that were not as the kernel has them */
	bool again;	       /* some could not be judged */
};

/** kernel_routes_dump_end() - @complete: false: nothing is swept. */
int kernel_routes_dump_end(struct kernel_routes *kr, bool complete, struct kernel_dump_result *ret);
/** kernel_routes_dump_settled() - what a dump was faster to find than its message has been told by now, if ever. */
void kernel_routes_dump_settled(struct kernel_routes *kr);

/* Dumps of links, addresses and next hops: what is not told between mark and sweep is gone. */
enum kernel_kind { KERNEL_LINKS, KERNEL_ADDRS, KERNEL_NEXTHOPS };

void kernel_routes_mark(struct kernel_routes *kr, enum kernel_kind kind);
int kernel_routes_sweep(struct kernel_routes *kr, enum kernel_kind kind);

/* ---- what is for our tables ------------------------------------------------------------------------------------ */

struct kernel_change {
	struct fib_prefix prefix;
	u8 type; /* enum route_type */
	u8 protocol;
	bool del;
	u16 n_paths;
	u32 first_path;
};

struct kernel_batch {
	u32 n, n_paths, cap_paths;
	struct kernel_change *changes; /* [n] */
	struct path_cfg *paths;	       /* port_idx: index into ports; shared by changes */
	char (*ports)[CONFIG_NAME_MAX];
	u32 n_ports;
};

/**
 * kernel_routes_take() - up to @max dirty prefixes.
 * @ret_batch: owned by the caller: kernel_batch_fini(). n = 0: there is nothing.
 * Return: 0, -ENOMEM (nothing was taken).
 */
int kernel_routes_take(struct kernel_routes *kr, u32 max, struct kernel_batch *ret_batch);
void kernel_batch_fini(struct kernel_batch *b);
bool kernel_routes_dirty(const struct kernel_routes *kr);
/** kernel_routes_again() - give out everything once more: a batch was lost. */
void kernel_routes_again(struct kernel_routes *kr);

/** kernel_routes_late() - counts the prefixes that a dump repaired and a notification has then told of. */
u64 kernel_routes_late(const struct kernel_routes *kr);
/**
 * kernel_routes_losses() - counts the changes of links and addresses at which the kernel may change routes silently, and
 * deletions of which the message leaves open what was deleted.
 */
u64 kernel_routes_losses(const struct kernel_routes *kr);

/* ---- questions -------------------------------------------------------------------------------------------------- */

struct kernel_table_facts {
	u32 table, vrf;
	u64 n_ip4, n_ip6; /* routes held */
};

struct kernel_facts {
	u64 n_prefixes[2]; /* given out, IPv4 and IPv6 */
	u64 n_elsewhere; /* of these: unreachable, because their interface is no twin or the path needs a tunnel */
	u64 n_unknown;		     /* deletions of what was not held */
	u64 n_cut;		     /* routes with more paths than we take */
	u64 skipped[KERNEL_N_SKIPS]; /* as of the last dump */
	u64 bytes;
	u64 n_dirty; /* prefixes to be given out */
	u32 n_path_sets, n_nexthops, n_twins;
	u32 n_tables;
	struct kernel_table_facts tables[KERNEL_MAX_TABLES];
};

void kernel_routes_facts(const struct kernel_routes *kr, struct kernel_facts *ret);
const char *kernel_skip_name(enum kernel_skip s);
