/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/tables.h - sealed generations: manifest, segments, and the element layouts of every section.
 *
 * Written by: the agent (or `dwcp-cli tables build`). Read by: the dataplane. Lifetime: a segment is sealed before
 * anyone else sees it and never changes; a generation is a manifest that names its segments.
 *
 * A section is one flat array of fixed-size elements, cut into segments of `chunk_bytes` (the last may be shorter).
 * Segments hold elements and nothing else, so that they map side by side as one array. All that describes a segment
 * stands in the manifest. Integers are little-endian; addresses of packets are kept in network order where a packet's
 * bytes are compared with them, and in host order where they are computed with (each field says which).
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/abi/fib.h>

#define DWCP_MANIFEST_MAGIC      0x314e454750435744ull /* "DWCPGEN1" */
#define DWCP_MANIFEST_VERSION    1
#define DWCP_SEGMENT_MAX_BYTES   (2u << 20)
#define DWCP_SEGMENT_ALIGN       4096u
#define DWCP_MANIFEST_MAX_BYTES  (1u << 20)
#define DWCP_MANIFEST_MAX_SEGMENTS 8192u

/* One number a section, for ever. Sections a dataplane doesn't know are refused, so the agent asks its hello first. */
enum dwcp_section {
	DWCP_SECTION_NONE = 0,
	DWCP_SECTION_FIB_ROOT = 1,
	DWCP_SECTION_FIB_DIRECT = 2,
	DWCP_SECTION_FIB_NODE = 3,
	DWCP_SECTION_FIB_LEAF = 4,
	DWCP_SECTION_NEXTHOP = 5,
	DWCP_SECTION_NEXTHOP_BUCKET = 6, /* u32 next-hop slots of ECMP groups */
	DWCP_SECTION_NEXTHOP_ID = 7,     /* id → slot */
	DWCP_SECTION_SOURCE_NODE = 8,
	DWCP_SECTION_SOURCE_LEAF = 9,
	DWCP_SECTION_SOURCE_ATTR = 10,
	DWCP_SECTION_BLOCK = 11,
	DWCP_SECTION_VIP = 12,
	DWCP_SECTION_WEIGHTSET = 13,
	DWCP_SECTION_WEIGHTROW = 14,
	DWCP_SECTION_ENDPOINT = 15,
	DWCP_SECTION_POLICY = 16,
	DWCP_SECTION_LIMITS = 17,
	DWCP_SECTION_N
};

/* One segment, as the manifest describes it. The id of a segment is its content: two equal segments are one. */
struct dwcp_segment_desc {
	u64 id;    /* XXH3-64 of the segment's bytes, all of them; never 0 */
	u32 bytes; /* of the memfd and of the mapping: a multiple of DWCP_SEGMENT_ALIGN */
	u16 section;
	u16 flags; /* 0 */
};

/* One section: which segments, in order, make its array. */
struct dwcp_section_desc {
	u16 section;
	u16 version;       /* of the element layout */
	u32 element_bytes;
	u64 n_elements;    /* the rest of the last segment is zero */
	u32 first_segment; /* index into the manifest's segment list */
	u32 n_segments;
	u32 chunk_bytes;   /* bytes of every segment but the last */
	u32 reserved;
};

/* A manifest: this header, then n_sections dwcp_section_desc, then n_segments dwcp_segment_desc; nothing behind. */
struct dwcp_manifest {
	u64 magic;
	u32 version;
	u32 bytes; /* of the whole manifest */
	u64 hash;  /* XXH3-64 of the whole manifest with this field 0 */
	u64 generation;
	u64 intent_revision, observation_revision;
	u64 created_unix_ns;
	u32 n_sections, n_segments;
	u64 ports_hash; /* XXH3-64 of the port names in order, each with its 0: what port indices mean */
	u64 reserved[3]; /* secrets come over the link, never in a generation */
};

/*
 * On disk: the manifest, zero-padded to DWCP_SEGMENT_ALIGN, then the segments in the manifest's order, each at the next
 * multiple of DWCP_SEGMENT_ALIGN. The file is complete or not there: it is written beside and renamed.
 */

/* ---- nexthop: one 32-byte element a slot; slot 0 is "no route" -------------------------------------------- */

#define DWCP_NEXTHOP_VERSION 1

enum dwcp_nexthop_type {
	DWCP_NEXTHOP_NONE = 0,    /* no route */
	DWCP_NEXTHOP_FORWARD = 1, /* rewrite and send */
	DWCP_NEXTHOP_GROUP = 2,   /* choose a bucket by flow hash */
	DWCP_NEXTHOP_BLACKHOLE = 3,
	DWCP_NEXTHOP_UNREACHABLE = 4,
	DWCP_NEXTHOP_PROHIBIT = 5,
	DWCP_NEXTHOP_LOCAL = 6,      /* to the host through the port's TAP twin */
	DWCP_NEXTHOP_UNRESOLVED = 7, /* link-layer address unknown (or glean: on link, no neighbour yet) */
	DWCP_NEXTHOP_N_TYPES
};

/* vlan[] as it goes onto the wire: {tpid, tci} big-endian, outer first. */
struct dwcp_nexthop {
	u8 type; /* enum dwcp_nexthop_type */
	u8 n_tags;
	u16 port; /* index of the port in the configuration's order */
	union {
		struct {
			u8 dst_mac[6];
			u8 src_mac[6]; /* all zero = the port's own */
			u16 vlan[4];
		} forward;
		struct {
			u32 first_bucket; /* into NEXTHOP_BUCKET */
			u32 n_buckets;    /* power of two */
			u32 reserved[3];
		} group;
	};
	u32 id; /* agent-assigned, never reused; 0 = anonymous */
	u16 mtu; /* bytes of IP; 0 = the port's */
	u16 reserved;
};

_Static_assert(sizeof(struct dwcp_nexthop) == 32, "abi");

/* Open addressing, linear probing, power-of-two size, ≤ DWCP_ID_MAX_PROBES from the home position. id 0 = free. */
#define DWCP_ID_MAX_PROBES 64u
struct dwcp_id_entry {
	u32 id, slot;
};

/* Home position of an id: the multiplicative hash of Knuth, 6.4. */
dwcp_inline u32 dwcp_id_home(u32 id, u64 n_entries)
{
	return (u32)(((u64)id * 0x9e3779b1u) & (n_entries - 1));
}

/* ---- source: what is known of a source prefix; one lookup a packet ----------------------------------------- */

#define DWCP_SOURCE_VERSION 1

enum dwcp_source_verdict { DWCP_SOURCE_NONE, DWCP_SOURCE_ALLOW, DWCP_SOURCE_BLOCK, DWCP_SOURCE_NEVER_BLOCK };

/* The trie over sources has the FIB's node layout (SOURCE_NODE = struct dwcp_fib_node, SOURCE_LEAF = u32 attr index). */
struct dwcp_source_attr {
	u8 verdict; /* enum dwcp_source_verdict */
	u8 reason;  /* which list, for events and counters */
	u16 country; /* ISO 3166-1 alpha-2, first letter in the low byte; 0 = unknown */
	u16 region;
	u16 limit_class; /* index into LIMITS */
	u32 tenant;
	u32 policy_set;
};

_Static_assert(sizeof(struct dwcp_source_attr) == 16, "abi");

/* ---- block: dynamic, exact match, with expiry -------------------------------------------------------------- */

#define DWCP_BLOCK_VERSION 1

/* Open addressing as NEXTHOP_ID. An IPv4 source is the IPv4-mapped IPv6 address. */
struct dwcp_block {
	u8 addr[16]; /* network order */
	u64 expires_unix_ns; /* 0 = free entry */
	u32 id;
	u8 reason;
	u8 proven; /* 1 = by handshake or cookie */
	u16 reserved;
};

_Static_assert(sizeof(struct dwcp_block) == 32, "abi");

/* ---- vip, weightset, endpoint: steering -------------------------------------------------------------------- */

#define DWCP_VIP_VERSION 1

enum dwcp_vip_flag {
	DWCP_VIP_PROTECT_ONLY = 1 << 0, /* a protected service: guarded, not steered */
	DWCP_VIP_DIRECT_RETURN = 1 << 1, /* one direction only passes here */
	DWCP_VIP_CHALLENGE = 1 << 2,
};

/* Open addressing over (address, protocol, port); wildcard and range entries follow the exact ones, by priority. */
struct dwcp_vip {
	u8 addr[16];
	u32 id;
	u32 group;
	u16 port_first, port_last; /* host order; 0..65535 = any */
	u8 protocol;               /* 0 = any */
	u8 family;
	u16 flags;
	u32 weightset; /* default set; (region, group) may override */
	u32 limits;    /* index into LIMITS */
	u32 tenant;
	u32 policy_set;
	u64 reserved[2];
};

_Static_assert(sizeof(struct dwcp_vip) == 64, "abi");

#define DWCP_WEIGHTSET_VERSION 1

/* Rows of a set: n_rows (prime) elements of WEIGHTROW. Indices are positions in ENDPOINT through its id. */
struct dwcp_weightset {
	u32 id;
	u32 first_row, n_rows;
	u16 region; /* source region this set is for; 0 = any */
	u16 flags;
	u32 group;
	u32 reserved[3];
};

struct dwcp_weightrow {
	u32 primary, secondary; /* endpoint ids: no node-local index, so that routers of a federation build the same bytes */
};

_Static_assert(sizeof(struct dwcp_weightset) == 32 && sizeof(struct dwcp_weightrow) == 8, "abi");

#define DWCP_ENDPOINT_VERSION 1

enum dwcp_delivery {
	DWCP_DELIVERY_ROUTED,
	DWCP_DELIVERY_L2,
	DWCP_DELIVERY_IPIP,
	DWCP_DELIVERY_GRE,
	DWCP_DELIVERY_GUE,
};

enum dwcp_endpoint_state { DWCP_ENDPOINT_UP, DWCP_ENDPOINT_DRAINING, DWCP_ENDPOINT_DEAD };

/* Open addressing by id, as NEXTHOP_ID: kilobytes, so that a death is a tiny publish. */
struct dwcp_endpoint {
	u32 id; /* 0 = free entry */
	u8 state, delivery;
	u8 family;
	u8 reserved0;
	u8 addr[16];
	u32 nexthop_id;
	u16 port; /* of the service or tunnel, host order */
	u16 reserved1;
};

_Static_assert(sizeof(struct dwcp_endpoint) == 32, "abi");

/* ---- policy and limits -------------------------------------------------------------------------------------- */

#define DWCP_POLICY_VERSION 1

enum dwcp_policy_action {
	DWCP_POLICY_PASS,
	DWCP_POLICY_DROP,
	DWCP_POLICY_CLASS, /* rate_limit and priority are properties of the class */
};

struct dwcp_policy {
	u32 id;
	u32 class_id;
	u8 action;
	u8 dscp; /* 0..63; 255 = leave */
	u8 priority;
	u8 flags;
	u32 rank; /* lower wins */
};

_Static_assert(sizeof(struct dwcp_policy) == 16, "abi");

#define DWCP_LIMITS_VERSION 1

/* 0 = no limit. Rates are a window's admitted count; see the sliding window of the guard stage. */
struct dwcp_limits {
	u32 id;
	u32 window_ms;
	u64 requests, packets, bytes, new_connections; /* a window */
	u32 concurrent_connections;
	u32 syn_flood_pps, udp_flood_pps, icmp_flood_pps, fragment_flood_pps;
	u32 block_seconds;
};

_Static_assert(sizeof(struct dwcp_limits) == 64, "abi");
_Static_assert(sizeof(struct dwcp_manifest) == 96, "abi");
_Static_assert(sizeof(struct dwcp_section_desc) == 32, "abi");
_Static_assert(sizeof(struct dwcp_segment_desc) == 16, "abi");
