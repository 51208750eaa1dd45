/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_private.h - the parts of the kernel's routes: kernel_routes.c (prefix → variants, notifications) and
 * kernel_dump.c (comparing; kernel_gaps.c: what a dump leaves out) stand on kernel_paths.c (path sets, and the links and
 * next-hop objects behind them); kernel_take.c gives out what is dirty. One thread.
 */
#pragma once

#include "kernel_routes.h"

#define KERNEL_NO_PORT UINT16_MAX
#define KERNEL_NO_RANK UINT8_MAX

/* ---- kernel_paths.c ------------------------------------------------------------------------------------------- */

struct kernel_link {
	u32 ifindex;
	bool up, carrier, marked;
	bool ip4_off; /* while what goes with its last IPv4 address is dropped */
	u16 port;     /* into ports; KERNEL_NO_PORT = no twin */
};

struct kernel_addr {
	u32 ifindex, addr;
	u8 len;
	bool marked;
};

struct kernel_nexthop {
	u32 id;
	bool blackhole, fdb, marked;
	struct mirror_path path;
	u32 n_members;
	struct mirror_member *members;
};

/* What a route says of its next hops; routes that say the same share one. */
struct kernel_set {
	u64 hash;
	u32 n_refs, first; /* variants */
	u32 chain;	   /* next set of the hash bucket; of a free one: the next free */
	u32 nexthop_id;	   /* then there are no paths of its own */
	u8 family;	   /* of the routes */
	/* resolved */
	bool usable;	/* some path can be used, wherever it leads */
	bool elsewhere; /* by none of our ports: unreachable */
	u8 type;	/* ROUTE_UNICAST, or ROUTE_BLACKHOLE of a next-hop object */
	u16 n_out;
	u32 cap_out;
	struct path_cfg *out; /* port_idx: into ports */
	u64 out_hash; /* of the above; what the set's routes were given out with, if they are not dirty */
	u32 batch, batch_at; /* where its paths stand in the batch that is being made */
	u32 n_paths;
	struct mirror_path paths[];
};

/* ---- kernel_routes.c ------------------------------------------------------------------------------------------ */

struct kernel_variant {
	u32 entry,
		next; /* chain of the prefix: by rank of the table, metric, and the kernel's order */
	u32 set, set_next, set_prev;
	u32 metric;
	u32 seen : 31;	/* number of the dump that held it last */
	u32 untold : 1; /* that dump found it, and no message has told of it */
	u8 rank;	/* of its table: into tables */
	u8 type, protocol, scope;
};

enum {
	ENTRY_DIRTY = 1 << 0,
	ENTRY_OUT = 1 << 1,	  /* given out */
	ENTRY_ELSEWHERE = 1 << 2, /* as unreachable for want of a port */
	ENTRY_USED = 1 << 3,
	ENTRY_REPAIRED =
		1 << 4, /* by the last dump; kept so that a notification that was late is known */
};

struct kernel_entry {
	struct fib_prefix prefix;
	u8 flags;
	u8 protocol;  /* given out */
	u32 first;    /* variant */
	u32 touched;  /* part in which a notification changed it */
	u32 chain;    /* of the hash bucket; of a free one: the next free */
	u32 dirty;    /* next dirty one */
	u64 out_hash; /* of what was given out; 0 = nothing */
};

struct kernel_pool {
	void *e;
	u32 n, cap, free; /* 1 … n - 1 have been used; element 0 is none */
};

struct kernel_group {
	struct kernel_variant *v; /* [n] of one prefix of a dump */
	u32 n, cap;
	bool torn; /* the tables changed while it was read: it may be short, or have some twice */
};

/* Of a table, behind one prefix and before another, in the order of reading. */
struct kernel_gap {
	struct fib_prefix after, before;
	u8 rank;
	bool to_end; /* there is no other */
};

struct kernel_gaps {
	struct kernel_gap *gap;
	u32 n, cap;
	bool lost;		/* there was no memory for one */
	bool any, open;		/* a route was read; the next one ends a gap */
	u8 rank;		/* of the last route that was read; KERNEL_NO_RANK = not mirrored */
	struct fib_prefix last; /* and its prefix */
};

struct kernel_dump {
	bool running;
	u8 family;
	u32 number;	/* of the dump */
	u32 begin;	/* part in which it began */
	u32 group_part; /* in which the group began */
	struct fib_prefix prefix;
	u8 rank;
	struct kernel_group group;
	struct kernel_gaps gaps;
	struct kernel_dump_result result;
	u64 skipped[KERNEL_N_SKIPS];
};

struct kernel_routes {
	struct mirror_table_cfg tables[KERNEL_MAX_TABLES];
	u64 n_routes[KERNEL_MAX_TABLES][2];
	u32 n_tables;

	struct kernel_entry *entries;
	struct kernel_variant *variants;
	struct kernel_set **sets;
	struct kernel_pool entry_pool, variant_pool, set_pool;
	u32 *entry_index, entry_mask, n_entries;
	u32 *set_index, set_mask, n_sets;
	u64 set_bytes;

	struct kernel_link *links;
	u32 n_links, cap_links;
	struct kernel_addr *addrs;
	u32 n_addrs, cap_addrs;
	struct kernel_nexthop *nexthops;
	u32 n_nexthops, cap_nexthops;
	char (*ports)[CONFIG_NAME_MAX];
	u32 n_ports;
	u32 n_twins;
	bool stale;  /* sets must be resolved anew */
	bool active; /* as of the last time that everything was looked at */

	u32 dirty_first, dirty_last, n_dirty;
	u32 part, batch;
	u32 told_part
		[2]; /* in which a route of the family was told of last, whatever became of it */
	u32 settled; /* number of the last dump whose late messages must have come */
	struct kernel_dump dump;
	u64 skipped[2][KERNEL_N_SKIPS];
	u64 n_prefixes[2], n_elsewhere, n_unknown, n_cut, n_losses, n_late;
};

/* Room for one more; element 0 is never used. Return: its index, 0 = no memory. */
u32 kernel_pool_grow(struct kernel_pool *p, u32 bytes);
int kernel_list_grow(void **list, u32 n, u32 *cap, u32 bytes);

/* kernel_paths.c */
/* The set of a route, made when there is none. The caller has a reference to it. Return: 0 = no memory. */
u32 kernel_set_find(struct kernel_routes *kr, const struct mirror_route *r);
u32 kernel_set_of(struct kernel_routes *kr, u8 family, u32 nexthop_id,
		  const struct mirror_path *paths, u32 n);
void kernel_set_ref(struct kernel_routes *kr, u32 set);
void kernel_set_unref(struct kernel_routes *kr, u32 set);
void kernel_set_link(struct kernel_routes *kr, u32 variant);
void kernel_set_unlink(struct kernel_routes *kr, u32 variant);
int kernel_sets_resolve(struct kernel_routes *kr);
void kernel_paths_fini(struct kernel_routes *kr);

/* kernel_gaps.c */
void kernel_gaps_begin(struct kernel_gaps *g);
void kernel_gaps_part(struct kernel_routes *kr);
/* Of every route that is read, whether it is held or not. */
void kernel_gaps_route(struct kernel_gaps *g, u8 rank, const struct fib_prefix *p);
void kernel_gaps_end(struct kernel_gaps *g);
/* May the dump have left it out? */
bool kernel_gaps_hide(const struct kernel_gaps *g, u8 rank, const struct fib_prefix *p);

/* kernel_routes.c */
u32 kernel_entry_find(const struct kernel_routes *kr, const struct fib_prefix *p);
u32 kernel_entry_get(struct kernel_routes *kr, const struct fib_prefix *p);
/* Takes over the caller's reference to the set of @from. @after: 0 = in front. */
u32 kernel_variant_add(struct kernel_routes *kr, u32 entry, const struct kernel_variant *from,
		       u32 after);
void kernel_variant_del(struct kernel_routes *kr, u32 variant);
bool kernel_variant_same(const struct kernel_routes *kr, const struct kernel_variant *a,
			 const struct kernel_variant *b);
/* Frees an entry that nobody needs. */
void kernel_entry_settle(struct kernel_routes *kr, u32 entry);
void kernel_dirty(struct kernel_routes *kr, u32 entry);
void kernel_all_dirty(struct kernel_routes *kr);
/* The rank of a table; KERNEL_NO_RANK = it is not mirrored. */
u8 kernel_table_rank(const struct kernel_routes *kr, u32 table);
/* Which table it is in, and whether it is one to hold. Return: the rank, -1. */
int kernel_route_accept(struct kernel_routes *kr, const struct mirror_route *r, u64 *skipped,
			struct fib_prefix *ret_prefix);

dwcp_inline u64 kernel_mix(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

dwcp_inline u32 kernel_family(u8 family)
{
	return family == FIB_IP6;
}
