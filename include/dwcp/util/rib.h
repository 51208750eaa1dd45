/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib.h - from routes, ports and neighbours to a generation: the table builder.
 *
 * Holds every route of every source, picks the best a prefix, interns path sets as next hops and ECMP groups with ids
 * that are never reused, and keeps the FIB. rib_publish() brings the arrays up to date and seals only the chunks that
 * changed. One thread (the agent's builder thread, or the CLI's main). No sockets, no logging.
 *
 * An id is made of what a path set means (gateways, names of ports, tags, weights): an agent that starts again gives the
 * same ids, a path set that returns has its own id again, and while a rib lives no id ever means anything else. The same
 * calls in the same order make the same segments, byte for byte.
 *
 * A path set is resolved anew when the configuration changes: its id, its slot and the FIB stay. Ports are known by
 * name. A path whose port is gone, or whose gateway has no neighbour, is unresolved; a group gives the buckets of
 * unresolved members to the others, unless all are.
 */
#pragma once

#include <dwcp/abi/tables.h>
#include <dwcp/base.h>
#include <dwcp/util/config.h>
#include <dwcp/util/generation.h>

/* Lower wins when two sources have the same prefix. */
enum rib_source {
	RIB_LOCAL,     /* the router's own addresses */
	RIB_CONNECTED, /* prefixes of ports, host routes of neighbours */
	RIB_STATIC,    /* configuration */
	RIB_API,       /* added by an operator */
	RIB_KERNEL,    /* mirrored: what routing daemons say */
	RIB_FILE,      /* route files, in the order of the configuration: RIB_FILE + index */
	RIB_N_SOURCES = RIB_FILE + 32
};

struct rib;

struct rib_publish_times {
	u64 commit_ns; /* bringing the FIB's arrays up to date */
	u64 seal_ns;   /* hashing, sealing, manifest */
};

struct rib_usage {
	u64 n_nexthops, n_groups; /* path sets of one path or of a type without any; of several */
	u64 n_slots;		  /* elements of the nexthop section, free ones included */
	u64 n_ids_given;	  /* since the rib was created */
	u64 route_bytes;	  /* heap: prefixes and sources, without the FIB's */
	u64 nexthop_bytes;	  /* heap: path sets, slots, buckets, ids */
	struct rib_publish_times times; /* of the last publish */
};

struct rib_cfg {
	u32 chunk_bytes; /* of published sections */
	bool huge;	 /* seal into 2 MB pages where there are some */
	bool gateways;	 /* remember whose use changes, for rib_gateways_take() */
};

struct rib *rib_create(const struct rib_cfg *cfg);
void rib_free(struct rib *r);

/**
 * rib_configure() - ports, addresses and neighbours from the configuration: local and connected routes, adjacencies.
 * Replaces what an earlier call set; path sets whose neighbour changed are rewritten in place.
 * @cfg: borrowed for the call.
 * Return: 0; -EINVAL (bad index, address or tag: nothing has changed); -ENOMEM (call again: routes may be incomplete).
 */
int rib_configure(struct rib *r, const struct dwcp_config *cfg);

/* ---- neighbours that were seen, beside the configured ones ---------------------------------------------------- */

enum rib_neighbour_state {
	RIB_NEIGHBOUR_INCOMPLETE, /* asked for, no answer yet */
	RIB_NEIGHBOUR_RESOLVED,
	RIB_NEIGHBOUR_FAILED, /* asked for in vain: senders may be told */
	RIB_NEIGHBOUR_N_STATES
};

/**
 * rib_neighbour_set() - what is known of a neighbour. Every next hop that names it is rewritten in place, and has a host
 * route when its address lies in a prefix of the port. A configured neighbour of the same port and address wins.
 * It outlives rib_configure() as long as a port of that name is configured.
 * @n: port_idx as configured last, no tags; mac counts when @state is RESOLVED.
 * Cost: O(1), and filling each group that lost or won a member by it.
 * Return: 0; -EINVAL; -ENOSPC, -ENOMEM (nothing has changed, or the host route is missing: call again).
 */
int rib_neighbour_set(struct rib *r, const struct neighbour_cfg *n, u32 state);
/** rib_neighbour_del() - Return: 0, -ENOENT, -ENOMEM (call again). */
int rib_neighbour_del(struct rib *r, const struct neighbour_cfg *n);
u32 rib_neighbour_count(const struct rib *r);

/* Who is asked for by routes. */
struct rib_gateway {
	struct config_addr addr;
	u16 port_idx;	 /* as configured last */
	u64 n_users;	 /* routes and groups that send there, its own host route not counted */
	bool configured; /* the configuration knows its address: there is nothing to ask */
	bool resolved;
	u8 mac[6]; /* when it is resolved */
};

/** rib_gateway_look() - fills the rest of @g, of its address and port. */
void rib_gateway_look(const struct rib *r, struct rib_gateway *g);
/**
 * rib_gateways_take() - gateways whose use may have changed since they were taken last; some twice. Those whose port is
 * not configured any more are left out. Needs rib_cfg.gateways.
 * Return: how many, at most @max; 0 = that was all.
 */
u32 rib_gateways_take(struct rib *r, struct rib_gateway *ret, u32 max);
/** rib_gateways_again() - all of them are to be taken again (port indices have changed). */
void rib_gateways_again(struct rib *r);

/**
 * rib_port_addresses_set() - addresses that a port has beside the configured ones (on its twin, as the kernel says).
 *
 * @a: [n], borrowed for the call; replaces what an earlier call said of this port. Those that are configured too may be
 * among them. They outlive rib_configure() as long as a port of that name is configured.
 * They become local and connected routes and sources of ICMP errors, as configured ones do.
 * Return: 0; -EINVAL (port, family, length: nothing has changed); -ENOMEM (call again).
 */
int rib_port_addresses_set(struct rib *r, u16 port_idx, const struct config_addr *a, u32 n);

/**
 * rib_port_link_set() - does anything leave by the port? Until it is told, it does. While nothing does, its prefixes and
 * the hosts on them are no connected routes: others for the same addresses count. The router's own addresses stay, and
 * gateways are found by its prefixes as before. Outlives rib_configure() as long as a port of that name is configured.
 * Return: 0; -EINVAL (port: nothing has changed); -ENOMEM (call again).
 */
int rib_port_link_set(struct rib *r, u16 port_idx, bool up);

/** rib_route_set() - add or replace the route of one source. Return: 0, -EINVAL (gateway not reachable on any port), -ENOMEM. */
int rib_route_set(struct rib *r, u8 source, const struct route_cfg *route);
/** rib_route_del() - Return: 0, -ENOENT. */
int rib_route_del(struct rib *r, u8 source, const struct fib_prefix *prefix);
/**
 * rib_source_replace() - replace all routes of a source by a list, changing only what differs.
 * @routes: borrowed for the call; of a prefix that is there twice the last counts. In address order it is fastest.
 * @ret_rejected: how many could not be used (their gateway is on no port), 0 otherwise; NULL is fine.
 * Return: 0; -EINVAL (source), -ENOMEM, -ENOSPC: some routes may be replaced, none is lost that wasn't to be.
 */
int rib_source_replace(struct rib *r, u8 source, const struct route_cfg *routes, u64 n,
		       u64 *ret_rejected);

struct rib_route {
	struct fib_prefix prefix;
	u8 source;
	u8 type;     /* enum route_type */
	u8 protocol; /* RIB_KERNEL: who put it there (RTPROT_…) */
	u32 nexthop_id;
	u32 slot;
	u32 n_paths;
	struct path_cfg paths[CONFIG_MAX_PATHS];
	bool resolved; /* every path has a neighbour, or is on link */
};

/** rib_lookup() - longest match, as the table will answer. Return: 0, -ENOENT. */
int rib_lookup(const struct rib *r, u32 vrf, u8 family, const struct fib_addr *a,
	       struct rib_route *ret_route);
/**
 * rib_each() - best routes in address order: IPv4 first, then by VRF, address, length.
 * @from: the first that is given, or what would follow it; NULL = all. @cb: must not change the rib; nonzero stops.
 * Return: what cb returned, 0, -EINVAL (from), -ENOMEM.
 */
int rib_each(const struct rib *r, const struct fib_prefix *from,
	     int (*cb)(void *arg, const struct rib_route *route), void *arg);
u64 rib_count(const struct rib *r, u8 family);
u64 rib_source_count(const struct rib *r, u8 source, u8 family);
/** rib_usage() - sizes and times, for metrics. */
void rib_usage(const struct rib *r, struct rib_usage *ret_usage);
/** rib_dirty() - has anything changed since the last publish? */
bool rib_dirty(const struct rib *r);

/* A table ready to be sent: what the manifest names, and which segments are new since the image before. */
struct table_segment {
	struct dwcp_segment_desc desc;
	int fd; /* owned by the rib; valid until the next publish that replaces it */
	bool fresh;
};

struct table_image {
	struct dwcp_manifest *manifest; /* owned by the rib */
	int manifest_fd;
	struct table_segment *segments; /* [manifest->n_segments], in its order */
	u32 n_fresh;
	u64 fresh_bytes, total_bytes;
};

/**
 * rib_publish() - bring the arrays up to date and seal what changed.
 * @ret_image: borrowed from the rib until the next publish. Fds may be passed over sockets from another thread as long
 * as no publish runs meanwhile.
 * On failure the image before stays as it is, fds included, and the rib stays dirty.
 * Return: 0, -ENOMEM, -ENOSPC (more next hops or chunks than a manifest holds), -errno of memfd.
 */
int rib_publish(struct rib *r, const struct manifest_cfg *cfg,
		const struct table_image **ret_image);
/** rib_renumber() - give every next hop another slot (tests; compaction): ids stay. */
int rib_renumber(struct rib *r, u64 seed);
