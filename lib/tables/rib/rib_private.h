/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib_private.h - the parts of a rib, and who may call whom: rib.c, replace.c, merge.c and source.c (routes of sources) stand on route.c
 * (prefix → chain) and nexthop.c (path sets); nexthop.c stands on group.c (buckets), id.c (ids), adjacency.c (ports,
 * configured neighbours) and observed.c (neighbours that were seen); publish.c reads what they leave in the arrays. One
 * thread; nothing here is shared.
 */
#pragma once

#include <dwcp/util/rib.h>

#define RIB_NO_PORT	UINT16_MAX
#define RIB_MAX_SLOTS	(1u << 22)
/* A family; the index keeps 8 bits of hash beside 24 of position. */
#define RIB_MAX_ROUTES	((1u << 24) - 2)
#define RIB_MAX_BUCKETS (1u << 26)
#define RIB_BUCKET_FEW	1024u
#define RIB_BUCKET_MANY 4096u

/* ---- array.c: the bytes of one published section ------------------------------------------------------------ */

struct rib_array {
	u8 *bytes; /* [cap * element_bytes], zero behind n */
	u64 n, cap;
	u32 element_bytes, chunk_bytes;
	u64 dirty[DWCP_MANIFEST_MAX_SEGMENTS / 64];
};

void rib_array_init(struct rib_array *a, u32 element_bytes, u32 chunk_bytes);
void rib_array_fini(struct rib_array *a);
/* Elements keep their positions; new ones are zero. */
int rib_array_grow(struct rib_array *a, u64 n);
void rib_array_touch(struct rib_array *a, u64 first, u64 n);
bool rib_array_dirty(const struct rib_array *a, u64 chunk);
void rib_array_clean(struct rib_array *a);

/* ---- route.c: prefix → chain of one entry a source ---------------------------------------------------------- */

#define ROUTE_SOURCE  0x3fu
#define ROUTE_PHASE   0x40u /* equals the source's phase: seen by the replace that runs */
#define ROUTE_ORDERED 0x80u /* stands in the sorted list of order.c */

/* The best source stands in the entry, the others in the pool behind it, by source. */
struct route_entry {
	u32 nh; /* 0 = free; then `more` is the next free entry */
	u32 more;
	u32 vrf;
	u8 len;
	u8 flags;
	u8 protocol;
	u8 reserved;
	u32 addr[]; /* 1 word or 4, most significant first */
};

struct route_more {
	u32 nh, next;
	u8 flags;
	u8 protocol;
};

struct route_key {
	u32 addr[4];
	u32 vrf;
	u8 len, family;
};

struct route_table {
	u8 *slab;
	u32 *index; /* hash's top 8 bits << 24 | entry; 0 = free */
	u32 mask, stride, words;
	u32 n, cap, free, used;
	u8 family;
	/* order.c */
	u32 *sorted, *added;
	u32 n_sorted, n_added, cap_added;
	bool resort, gone; /* sort afresh; some of sorted[] were deleted */
};

struct route_pool {
	struct route_more *e;
	u32 n, cap, free, used;
};

int route_key_of(const struct fib_prefix *p, struct route_key *ret_key);
void route_prefix(const struct route_table *t, const struct route_entry *e,
		  struct fib_prefix *ret_prefix);
u64 route_hash(const struct route_key *k);
int route_table_init(struct route_table *t, u8 family);
void route_table_fini(struct route_table *t);
int route_table_reserve(struct route_table *t, u64 n);
/* When the index word of the hash is in the cache: fetch the entry that a find would look at. */
void route_table_prefetch(const struct route_table *t, u64 hash);
u32 route_table_find(const struct route_table *t, const struct route_key *k, u64 hash);
/* Return: the entry, 0 = no memory. The key must be new. */
u32 route_table_add(struct route_table *t, const struct route_key *k, u64 hash);
void route_table_del(struct route_table *t, u32 i);
u32 route_pool_alloc(struct route_pool *p);
void route_pool_free(struct route_pool *p, u32 i);

dwcp_inline struct route_entry *route_at(const struct route_table *t, u32 i)
{
	return (struct route_entry *)(t->slab + (u64)i * t->stride);
}

/* ---- order.c: entries in address order, sorted when asked for ------------------------------------------------ */

void rib_order_add(struct route_table *t, u32 i);
int rib_order_sort(struct route_table *t);
/* First position in t->sorted whose key is not below @k. */
u32 rib_order_seek(const struct route_table *t, const struct route_key *k);
void rib_order_fini(struct route_table *t);

/* What a list of routes is like. */
struct rib_list_shape {
	u64 n4, n6;   /* of each family; others are neither */
	bool ordered; /* by address */
	bool strict;  /* and no prefix twice */
};

void rib_order_look(const struct route_cfg *routes, u64 n, struct rib_list_shape *ret);
/* <0, 0, >0: where the entry stands to the key. */
int rib_order_compare(const struct route_table *t, const struct route_entry *e,
		      const struct route_key *k);
/* A walk that makes a new list: entries that come are not noted, and a walk that isn't ended leaves no order. */
int rib_order_begin(struct route_table *t);
/* @sorted: taken, [n] live entries. */
void rib_order_end(struct route_table *t, u32 *sorted, u32 n);

/* One entry to be put: see replace.c. */
struct route_change {
	struct route_key k;
	u32 nh;
	u64 hash;
	bool added; /* the source had no route for the prefix */
};

/* Positions in address order, of equal prefixes the first first. Owned by the caller (free). */
int rib_order_changes(const struct route_change *changes, u32 n, u32 **ret_order);

/* ---- adjacency.c: ports, connected prefixes, neighbours ------------------------------------------------------ */

/* A port is known by its name, so that a path survives ports moving in the configuration's order. */
struct rib_port {
	char name[CONFIG_NAME_MAX];
	u64 hash;  /* of the name */
	u16 index; /* now; RIB_NO_PORT = not configured */
	bool down; /* by rib_port_link_set() */
};

/* One of the router's own. */
struct rib_address {
	struct config_addr addr;
	u16 port;      /* into rib_ports.ports */
	bool observed; /* by rib_port_addresses_set(); else configured */
};

struct rib_connected {
	struct fib_addr addr;
	u16 port; /* into rib_ports.ports */
	u8 family, len;
};

struct rib_neighbour {
	struct fib_addr addr;
	u16 port, vlan, svlan;
	u8 family;
	u8 mac[6];
};

struct rib_adjacency {
	struct rib_port *ports; /* every port that ever was */
	u32 n_ports;
	u16 by_index[CONFIG_MAX_PORTS];
	u32 n_index;
	struct rib_address *addresses; /* configured ones first, by port; then the observed */
	u32 n_addresses;
	struct rib_connected *connected;
	u32 n_connected;
	struct rib_neighbour *neighbours;
	u32 n_neighbours;
	u32 *neighbour_index; /* position + 1, open addressing over the address */
	u32 neighbour_mask;
};

struct rib_path {
	struct fib_addr gateway;
	u16 port; /* into rib_adjacency.ports; RIB_NO_PORT = by the gateway */
	u16 vlan, svlan;
	u8 family; /* 0 = on link */
};

void rib_adjacency_fini(struct rib_adjacency *a);
void rib_addr_mask(u8 family, struct fib_addr *a, u8 len);
void rib_host_prefix(struct fib_prefix *p, u8 family, const struct fib_addr *a);
int rib_connected_replace(struct rib *r);
/* The port (into ports) that a path leaves by; RIB_NO_PORT = none. */
u16 rib_path_port(const struct rib_adjacency *a, const struct rib_path *p);
const struct rib_neighbour *rib_path_neighbour(const struct rib_adjacency *a,
					       const struct rib_path *p, u16 port);
bool rib_addr_is_link_local(u8 family, const struct fib_addr *a);
bool rib_mac_is_host(const u8 mac[6]);
/* Has the configuration a neighbour of this address, on any port? */
bool rib_neighbour_configured(const struct rib_adjacency *a, u8 family,
			      const struct fib_addr *addr);

/* ---- observed.c: neighbours that were seen, and who asks for them --------------------------------------------- */

#define RIB_MAX_OBSERVED (1u << 20)

struct rib_observed_entry {
	struct fib_addr addr;
	u16 port;  /* into rib_adjacency.ports */
	u8 family; /* 0 = free; then `next_free` is the next free entry */
	u8 state;  /* enum rib_neighbour_state */
	u8 mac[6];
	u32 next_free;
};

struct rib_observed {
	struct rib_observed_entry *e;
	u32 n, cap, free, used;
	u32 *index; /* position + 1, open addressing over (port, address), salted: others choose the addresses */
	u32 mask;
	u64 salt;
};

/* A gateway of which someone should be told that its use has changed. */
struct rib_gateway_note {
	struct fib_addr addr;
	u16 port; /* into rib_adjacency.ports */
	u8 family;
};

struct rib_gateway_notes {
	struct rib_gateway_note *note;
	u32 n, cap;
	bool lost; /* no memory for some: all are to be told again */
};

int rib_observed_init(struct rib *r);
void rib_observed_fini(struct rib *r);
/* Of untagged paths only: what the kernel sees has no tags. NULL: nothing was seen. */
const struct rib_observed_entry *rib_observed_find(const struct rib *r, const struct rib_path *p,
						   u16 port);
/* Should an observed neighbour have a host route, as ports and configuration are now? */
bool rib_observed_has_host(const struct rib *r, const struct rib_observed_entry *e);
/* What was seen on ports that are not configured any more is forgotten. */
void rib_observed_prune(struct rib *r);
/* The use of a next hop has changed, or where it leaves by. */
void rib_gateway_note(struct rib *r, u32 nh);

/* ---- address.c: the router's own addresses -------------------------------------------------------------------- */

/* @a: its ports are known. Those of @cfg, and what was observed before. Return: 0, -EINVAL, -ENOMEM. */
int rib_addresses_build(struct rib_adjacency *a, const struct rib_adjacency *old,
			const struct dwcp_config *cfg);
/* Local routes and the port_addr section follow the addresses. */
int rib_addresses_apply(struct rib *r);

/* ---- path_set.c: what a route says, in canonical form ------------------------------------------------------- */

struct rib_path_key {
	struct rib_path path;
	u64 hash;
	u32 weight;
};

struct rib_set_key {
	u64 hash;
	u32 n; /* of paths; 0 = a type without any */
	u8 type;
	struct rib_path_key paths[CONFIG_MAX_PATHS];
};

bool rib_path_equal(const struct rib_path *a, const struct rib_path *b);
u64 rib_path_hash(const struct rib *r, const struct rib_path *p);
int rib_path_key_of(const struct rib *r, const struct path_cfg *p, struct rib_path_key *ret);
/* Return: 0, -EINVAL (indices, tags, addresses that can't be). Whether a gateway is on a port is not asked. */
int rib_set_key_of(const struct rib *r, const struct route_cfg *route, struct rib_set_key *ret);

/* ---- nexthop.c, group.c: path sets --------------------------------------------------------------------------- */

struct rib_member {
	u32 nh;
	u32 weight;
	/* All members, of any group, that are the same next hop: whom to tell when it is resolved. */
	u32 group;
	struct rib_member *prev, *next;
};

struct rib_nexthop {
	u64 hash; /* of what it means, the same in every agent */
	u32 refs;
	u32 id, slot;
	u8 type;	  /* FORWARD: one path; GROUP; or one of the constant types; NONE: free */
	bool resolved;	  /* one path: it can be sent on, or is on link; group: all members can */
	bool unreachable; /* a gateway is on no port: no new route may use it */
	bool flipped;	  /* the last write changed `resolved` or `unreachable` */
	bool noted;	  /* waits in rib_gateway_notes */
	u16 n_members;
	union {
		struct {
			struct rib_path path;
			struct rib_member *member_of; /* first */
			u16 via; /* the port that it was last found to leave by */
		};
		struct {
			struct rib_member *members; /* by path */
			u32 first_bucket, n_buckets;
		} group;
		u32 next_free;
	};
};

struct rib_id_ledger {
	struct dwcp_id_entry *e; /* id → upper half of the hash, of every id ever given */
	u32 n, mask;
};

struct rib_nexthops {
	struct rib_nexthop *nh; /* nh[0] is unused */
	u32 n, cap, free, used, n_groups;
	u32 *index; /* by hash; 0 = free */
	u32 mask;
	u32 *free_slots;
	u32 n_free_slots, cap_free_slots;
	u32 *free_buckets[2];
	u32 n_free_buckets[2], cap_free_buckets[2];
	u32 n_ids;
	struct rib_id_ledger ledger;
};

/**
 * rib_nexthop_find() - the path set of a route, made when there is none.
 * Takes no reference: a set that is made has none until rib_nexthop_ref() (or goes by rib_nexthop_reap()).
 * Return: 0 and *ret_nh, -EINVAL (a gateway is on no port), -ENOMEM, -ENOSPC.
 */
int rib_nexthop_find(struct rib *r, const struct route_cfg *route, u32 *ret_nh);
/* Where the search of a route's set begins, for prefetching; of sets of several any place. */
u64 rib_nexthop_hash(const struct rib *r, const struct route_cfg *route);
void rib_nexthop_ref(struct rib *r, u32 nh);
void rib_nexthop_unref(struct rib *r, u32 nh);
void rib_nexthop_reap(struct rib *r, u32 nh); /* free it when nobody refers to it */
/* Look at every path again, and at every group that lost or won a member. */
void rib_nexthop_refresh(struct rib *r);
/* The next hop of one path, or 0. */
u32 rib_nexthop_of_path(const struct rib *r, const struct rib_path *p);
/* Look again at one path, and at its groups if it was lost or won. */
void rib_nexthop_resolve(struct rib *r, u32 nh);
int rib_nexthop_init(struct rib *r);
void rib_nexthop_fini(struct rib *r);
void rib_nexthop_write(struct rib *r, u32 nh);
int rib_nexthop_spare(struct rib *r); /* one more free slot */

u32 rib_group_n_buckets(u32 n_members);
int rib_group_alloc(struct rib *r, struct rib_nexthop *g);
void rib_group_free(struct rib *r, struct rib_nexthop *g);
void rib_group_fill(struct rib *r, struct rib_nexthop *g);

#define RIB_LOG_STEPS 1024u
void rib_log_init(u32 table[RIB_LOG_STEPS + 1]);
/* Choose a member for every bucket; alive[] may be all false. ret[b] = index into hashes. */
void rib_group_choose(const u32 *log, const u64 *hashes, const u32 *weights, const bool *alive,
		      u32 n, u32 *ret, u32 n_buckets);

/* ---- id.c ----------------------------------------------------------------------------------------------------- */

int rib_id_assign(struct rib *r, u64 hash, u32 *ret_id);
int rib_id_put(struct rib *r, u32 id, u32 slot);
void rib_id_del(struct rib *r, u32 id);
void rib_id_fini(struct rib *r);

/* ---- the whole ------------------------------------------------------------------------------------------------ */

struct rib_segments {
	struct table_segment *s;
	u32 n;
	u64 n_elements;
};

enum rib_section {
	RIB_FIB_ROOT,
	RIB_FIB_DIRECT,
	RIB_FIB_NODE,
	RIB_FIB_LEAF,
	RIB_NEXTHOP,
	RIB_BUCKET,
	RIB_ID,
	RIB_PORT_ADDR,
	RIB_N_SECTIONS
};

struct rib {
	struct rib_cfg cfg;
	struct fib_builder *fib;
	struct route_table t4, t6;
	struct route_pool pool;
	struct rib_adjacency adj;
	struct rib_observed seen;
	struct rib_gateway_notes notes;
	struct rib_nexthops nhs;
	struct rib_array nexthop, bucket, id, port_addr;
	u64 counts[RIB_N_SOURCES][2];
	bool phase[RIB_N_SOURCES];
	u8 protocol; /* of the route that is being put */
	bool dirty;
	bool addresses_stale;	    /* routes don't follow the addresses yet: memory was short */
	bool connected_stale;	    /* nor the links */
	u32 log[RIB_LOG_STEPS + 1]; /* group.c */
	struct rib_segments published[RIB_N_SECTIONS];
	struct table_image image;
	struct rib_publish_times times;
};

dwcp_inline struct route_table *rib_table(struct rib *r, u8 family)
{
	return family == FIB_IP4 ? &r->t4 : &r->t6;
}

dwcp_inline const struct route_table *rib_table_const(const struct rib *r, u8 family)
{
	return family == FIB_IP4 ? &r->t4 : &r->t6;
}

/* publish.c */
void rib_publish_fini(struct rib *r);

/*
 * source.c: one source's entry of one prefix. put, new (a prefix that isn't in the table) and change (one that stands
 * at @i) take over one reference to @nh on success.
 */
int rib_entry_put(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh);
int rib_entry_new(struct rib *r, u8 source, const struct route_key *k, u64 hash, u32 nh,
		  u32 *ret_i);
int rib_entry_change(struct rib *r, u8 source, const struct route_key *k, u32 i, u32 nh);
int rib_entry_del(struct rib *r, struct route_table *t, u32 i, u8 source);
u32 *rib_entry_find(struct rib *r, struct route_entry *e, u8 source, u8 **ret_flags);
/* replace.c: as rib_source_replace(), of prefixes that appear twice the first stays. */
int rib_source_replace_first(struct rib *r, u8 source, const struct route_cfg *routes, u64 n);
/* merge.c: as rib_source_replace(), of @n4 IPv4 routes and @n6 IPv6 ones, in strict order, with room reserved. */
int rib_source_merge(struct rib *r, u8 source, const struct route_cfg *routes, u64 n4, u64 n6,
		     u64 *ret_rejected);

dwcp_inline u64 rib_mix(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}
