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

#define DWCP_MANIFEST_MAGIC	   0x314e454750435744ull /* "DWCPGEN1" */
#define DWCP_MANIFEST_VERSION	   1
#define DWCP_SEGMENT_MAX_BYTES	   (2u << 20)
#define DWCP_SEGMENT_ALIGN	   4096u
#define DWCP_MANIFEST_MAX_BYTES	   (1u << 20)
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
	DWCP_SECTION_NEXTHOP_ID = 7,	 /* id → slot */
	DWCP_SECTION_SOURCE_ROOT = 8,
	DWCP_SECTION_SOURCE_DIRECT = 9,
	DWCP_SECTION_SOURCE_NODE = 10,
	DWCP_SECTION_SOURCE_LEAF = 11, /* u32 index into SOURCE_ATTR */
	DWCP_SECTION_SOURCE_ATTR = 12,
	DWCP_SECTION_BLOCK = 13,
	DWCP_SECTION_VIP = 14,
	DWCP_SECTION_WEIGHTSET = 15,
	DWCP_SECTION_WEIGHTSET_REGION = 16, /* (group, region) → weight set id */
	DWCP_SECTION_WEIGHTROW = 17,
	DWCP_SECTION_ENDPOINT = 18,
	DWCP_SECTION_POLICY = 19,
	DWCP_SECTION_POLICY_SET = 20,
	DWCP_SECTION_CLASS = 21,
	DWCP_SECTION_LIMITS = 22,
	DWCP_SECTION_PORT_ADDR = 23, /* whom the router says it is, a port */
	DWCP_SECTION_N
};

/* One segment, as the manifest describes it. The id of a segment is its content: two equal segments are one. */
struct dwcp_segment_desc {
	u64 id;	   /* XXH3-64 of the segment's bytes, all of them; never 0 */
	u32 bytes; /* of the memfd and of the mapping: a multiple of DWCP_SEGMENT_ALIGN */
	u16 section;
	u16 flags; /* 0 */
};

/* One section: which segments, in order, make its array. */
struct dwcp_section_desc {
	u16 section;
	u16 version; /* of the element layout */
	u32 element_bytes;
	u64 n_elements;	   /* the rest of the last segment is zero */
	u32 first_segment; /* index into the manifest's segment list */
	u32 n_segments;
	u32 chunk_bytes; /* bytes of every segment but the last */
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
	DWCP_NEXTHOP_NONE = 0,	  /* no route */
	DWCP_NEXTHOP_FORWARD = 1, /* rewrite and send */
	DWCP_NEXTHOP_GROUP = 2,	  /* choose a bucket by flow hash */
	DWCP_NEXTHOP_BLACKHOLE = 3,
	DWCP_NEXTHOP_UNREACHABLE = 4,
	DWCP_NEXTHOP_PROHIBIT = 5,
	DWCP_NEXTHOP_LOCAL = 6, /* to the host through the port's TAP twin */
	DWCP_NEXTHOP_UNRESOLVED =
		7, /* link-layer address unknown (or glean: on link, no neighbour yet) */
	DWCP_NEXTHOP_N_TYPES
};

/* An UNRESOLVED next hop that the kernel has asked for in vain: senders may be told (host unreachable). */
#define DWCP_NEXTHOP_FAILED 1u

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
			u32 n_buckets;	  /* power of two */
			u32 reserved[3];
		} group;
	};
	u32 id;	 /* agent-assigned, never reused; 0 = anonymous */
	u16 mtu; /* bytes of IP; 0 = the port's */
	u16 flags;
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

/*
 * What follows is layout only, PORT_ADDR aside: no code reads or writes these sections yet, and a dataplane refuses
 * them. "Checked" says what the dataplane's validator has to establish before a generation is adopted; a reader relies on that and on
 * nothing else. Reserved fields are 0, and are checked to be. A section that is absent or empty holds nothing: no
 * source is known, none is blocked, there are no VIPs.
 *
 * Tables by id (WEIGHTSET, ENDPOINT, POLICY_SET, CLASS): n_elements is a power of two; an id stands at most
 * DWCP_ID_MAX_PROBES elements behind dwcp_id_home(id, n_elements), wrapping at n_elements; element id 0 = free and
 * ends a search. Checked: n_elements; every id is found by that walk, hence is there once. Ids are the agent's, never
 * reused; an id that isn't there is a miss, never an error of the packet path.
 */

/* ---- keyed hash of addresses -------------------------------------------------------------------------------- */

/* Elements looked at from the home position on, wrapping at the table's power-of-two size. A free one ends a search. */
#define DWCP_HASH_MAX_PROBES 64u
#define DWCP_HASH_LOG2_MAX   26u

/* Both halves of the product of two words: each bit of either reaches the result. */
dwcp_inline u64 dwcp_hash_fold(u64 a, u64 b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/*
 * Hash of 16 bytes in network order; an IPv4 address is the IPv4-mapped IPv6 one (::ffff:a.b.c.d). Two rounds, since
 * one alone maps the mapped addresses, whose upper half is constant, to multiples of one number.
 *
 * The salt keeps strangers from aiming at one position: they see neither it nor the table. It is no secret of the
 * federation, lies in stored generations, and the hash is no message authentication. The agent draws it from
 * getrandom() whenever it lays the table out afresh: at its start, when the table would be more than half full, and
 * when an entry would stand beyond DWCP_HASH_MAX_PROBES (twice as large if a second salt doesn't help). In between the
 * salt stays, so that one more entry is one changed segment. Neither word is 0 (checked), since a word that is 0 and an
 * address half that is 0 make the first product 0 for whatever stands in the other half.
 */
dwcp_inline u64 dwcp_addr_hash(const u8 addr[16], const u64 salt[2])
{
	__uint128_t product;
	u64 half[2];

	__builtin_memcpy(half, addr, sizeof(half));
	product = (__uint128_t)(half[0] ^ salt[0]) * (half[1] ^ salt[1]);
	return dwcp_hash_fold((u64)product ^ salt[1] ^ 0x9e3779b97f4a7c15ull,
			      (u64)(product >> 64) ^ salt[0]);
}

/* Of a service: @port in host order. */
dwcp_inline u64 dwcp_vip_hash(const u8 addr[16], u8 protocol, u16 port, const u64 salt[2])
{
	return dwcp_hash_fold(dwcp_addr_hash(addr, salt) ^ salt[1],
			      ((u64)protocol << 16 | port) ^ salt[0]);
}

/* Index of the @probe-th element to look at (0 = home) in a table of 2^@log2 elements behind a header element. */
dwcp_inline u32 dwcp_hash_position(u64 hash, u32 log2, u32 probe)
{
	return 1 + (u32)((hash + probe) & ((1ull << log2) - 1));
}

/* ---- source: what is known of a source prefix; one lookup a packet ----------------------------------------- */

#define DWCP_SOURCE_VERSION 1 /* of SOURCE_ATTR; the trie's four arrays are of DWCP_FIB_VERSION */

enum dwcp_source_verdict {
	DWCP_SOURCE_NONE = 0,
	DWCP_SOURCE_ALLOW = 1,
	DWCP_SOURCE_BLOCK = 2,
	DWCP_SOURCE_NEVER_BLOCK = 3, /* outranks BLOCK here, the block section and every detector */
};

/*
 * The trie over sources is the FIB's, array by array, and read with the same walk (abi/fib.h, util/fib.h): SOURCE_ROOT
 * are struct dwcp_fib_root, SOURCE_DIRECT and SOURCE_NODE u64 elements, SOURCE_LEAF u32. Where the FIB's walk ends
 * with a next-hop slot, this one ends with an index into SOURCE_ATTR. Overlapping lists are merged by the agent: the
 * walk's one answer is all there is to know.
 *
 * Checked: the trie as the FIB's, with n_elements of SOURCE_ATTR in place of NEXTHOP's; element 0 exists and is all
 * zero ("nothing known"); verdict; limit_class < n_elements of LIMITS, or 0; policy_set is in POLICY_SET, or 0.
 */
struct dwcp_source_attr {
	u8 verdict;	 /* enum dwcp_source_verdict */
	u8 reason;	 /* which list, for events and counters */
	u16 country;	 /* ISO 3166-1 alpha-2, first letter in the low byte; 0 = unknown */
	u16 region;	 /* source region, for WEIGHTSET_REGION; 0 = unknown */
	u16 limit_class; /* index into LIMITS; 0 = none */
	u32 tenant;	 /* owner of the source prefix; 0 = none */
	u32 policy_set;	 /* id in POLICY_SET; 0 = none */
};

_Static_assert(sizeof(struct dwcp_source_attr) == 16, "abi");

/* ---- block: dynamic, exact match, with expiry -------------------------------------------------------------- */

#define DWCP_BLOCK_VERSION 1

/*
 * Element 0 is the header, elements 1 … 2^log2_size the table: (address, prefix_len) stands at dwcp_hash_position() of
 * dwcp_addr_hash(addr). A reader looks for {address, 128}; for IPv6 and n_net64 > 0 also for {address with its low
 * half 0, 64}. An entry counts while expires_unix_ns is later than the reader's wall clock: it ends on time with the
 * agent dead, too. Expired entries are passed over by a search, not taken for free; the agent removes them by moving
 * back what stands behind.
 *
 * Checked: n_elements = 1 + 2^log2_size, log2_size ≤ DWCP_HASH_LOG2_MAX; salt; n_used, n_net64 as counted; each entry
 * is found by the walk above, hence is there once; prefix_len 128, or 64 with a low half of 0 and not IPv4-mapped.
 */
struct dwcp_block_header {
	u64 salt[2];
	u32 log2_size;
	u32 n_used;
	u32 n_net64; /* of n_used: prefix_len 64 */
	u32 reserved;
};

struct dwcp_block {
	u8 addr[16];	     /* network order; IPv4 as the IPv4-mapped IPv6 address */
	u64 expires_unix_ns; /* wall time; 0 = free entry, then all of it is 0 */
	u32 id;		     /* the agent's name of it, for lifting and events */
	u8 reason;
	u8 proven; /* 1 = by handshake or cookie: may be dropped whole; 0 = challenge or limit only */
	u8 prefix_len; /* 128 = this address; 64 = the IPv6 /64, as sources are counted */
	u8 reserved;
};

_Static_assert(sizeof(struct dwcp_block_header) == sizeof(struct dwcp_block), "abi");
_Static_assert(sizeof(struct dwcp_block) == 32, "abi");

/* ---- vip, weightset, endpoint: steering -------------------------------------------------------------------- */

#define DWCP_VIP_VERSION 1

enum dwcp_vip_flag {
	DWCP_VIP_PROTECT_ONLY = 1 << 0,	 /* a protected service: guarded, not steered */
	DWCP_VIP_DIRECT_RETURN = 1 << 1, /* one direction only passes here */
	DWCP_VIP_CHALLENGE = 1 << 2,
};

/*
 * Element 0 is the header. The exact part follows: one protocol and one port an entry, at dwcp_hash_position() of
 * dwcp_vip_hash(). Then the entries with a range of ports, any port or any protocol, sorted by (addr as bytes, rank):
 * a reader finds the first of the address by bisection and takes the first that matches, so lower ranks win. Any exact
 * entry outranks any of these. Ranks of different addresses never meet.
 *
 * Checked: exact_first = 1, range_first = exact_first + 2^exact_log2, n_elements = range_first + n_ranges; exact_log2
 * ≤ DWCP_HASH_LOG2_MAX; salt; n_exact as counted; each exact entry is found by its walk, hence is there once; the order
 * of the others, no two equal (addr, rank), and at most DWCP_VIP_MAX_RANGES an address; port_first ≤ port_last; flags;
 * family and addr agree; limits < n_elements of LIMITS; policy_set in POLICY_SET, or 0; weightset in WEIGHTSET (0 only
 * with PROTECT_ONLY).
 */
#define DWCP_VIP_MAX_RANGES 64u

struct dwcp_vip_header {
	u64 salt[2];
	u32 exact_first, exact_log2; /* 2^exact_log2 elements from exact_first on */
	u32 n_exact;		     /* of them in use */
	u32 range_first, n_ranges;
	u32 reserved[7];
};

struct dwcp_vip {
	u8 addr[16];		   /* network order; IPv4 as the IPv4-mapped IPv6 address */
	u32 id;			   /* never reused; 0 = free entry, then all of it is 0 */
	u32 group;		   /* of endpoints, for WEIGHTSET_REGION */
	u16 port_first, port_last; /* host order; exact: both the port; 0..65535 = any */
	u8 protocol;		   /* 0 = any */
	u8 family;		   /* 4 or 6 */
	u16 flags;		   /* enum dwcp_vip_flag */
	u32 weightset;		   /* id of the set when (group, region) has none of its own */
	u32 limits;		   /* index into LIMITS; 0 = none */
	u32 tenant;		   /* owner; 0 = none */
	u32 policy_set;		   /* id in POLICY_SET; 0 = none */
	u32 rank;		   /* lower wins; exact entries: 0 */
	u32 reserved[3];
};

_Static_assert(sizeof(struct dwcp_vip_header) == sizeof(struct dwcp_vip), "abi");
_Static_assert(sizeof(struct dwcp_vip) == 64, "abi");

#define DWCP_WEIGHTSET_VERSION 1 /* of WEIGHTSET, WEIGHTSET_REGION and WEIGHTROW */

/*
 * By id. A flow's row is WEIGHTROW[first_row + row hash % n_rows]; the row hash and its key are the federation's, so
 * that every router picks the same row. Sets may share rows.
 *
 * Checked: first_row + n_rows (as u64) ≤ n_elements of WEIGHTROW; n_rows is prime, hence not 0.
 */
struct dwcp_weightset {
	u32 id; /* 0 = free entry */
	u32 first_row, n_rows;
	u16 region; /* what it was built for, for people; readers go by WEIGHTSET_REGION */
	u16 flags;  /* 0 */
	u32 group;  /* likewise */
	u32 reserved[3];
};

/*
 * The set of a group for sources of a region. Power-of-two size, home position dwcp_weightset_region_home(), probes and
 * wrap as the tables by id; weightset 0 = free. A miss: the VIP's own weightset.
 *
 * Checked: n_elements; each (group, region) found by the walk, hence there once; region not 0; weightset in WEIGHTSET.
 */
struct dwcp_weightset_region {
	u32 group;
	u16 region; /* of the source, from SOURCE_ATTR */
	u16 reserved0;
	u32 weightset; /* id; 0 = free entry */
	u32 reserved1;
};

dwcp_inline u32 dwcp_weightset_region_home(u32 group, u16 region, u64 n_entries)
{
	return dwcp_id_home(group ^ (u32)region << 16, n_entries);
}

/* Checked: primary and secondary are in ENDPOINT, or 0. Whether they are up is asked of ENDPOINT for each new flow. */
struct dwcp_weightrow {
	u32 primary; /* endpoint ids: no node-local index, so that routers of a federation build the same bytes */
	u32 secondary; /* when the primary is dead; 0 = none */
};

_Static_assert(sizeof(struct dwcp_weightset) == 32 && sizeof(struct dwcp_weightrow) == 8, "abi");
_Static_assert(sizeof(struct dwcp_weightset_region) == 16, "abi");

#define DWCP_ENDPOINT_VERSION 1

enum dwcp_delivery {
	DWCP_DELIVERY_ROUTED = 0,
	DWCP_DELIVERY_L2 = 1,
	DWCP_DELIVERY_IPIP = 2,
	DWCP_DELIVERY_GRE = 3,
	DWCP_DELIVERY_GUE = 4,
};

enum dwcp_endpoint_state {
	DWCP_ENDPOINT_UP = 0,
	DWCP_ENDPOINT_DRAINING = 1, /* keeps its flows, gets no new ones */
	DWCP_ENDPOINT_DEAD = 2,	    /* flows go to their row's secondary */
};

/*
 * By id: kilobytes, so that a death is a tiny publish.
 *
 * Checked: state, delivery, family; addr not 0; nexthop_id in NEXTHOP_ID, or 0, and not 0 for L2; port not 0 for GUE.
 */
struct dwcp_endpoint {
	u32 id;		    /* 0 = free entry */
	u8 state, delivery; /* enum dwcp_endpoint_state, enum dwcp_delivery */
	u8 family;	    /* 4 or 6 */
	u8 reserved0;
	u8 addr[16];	/* network order; IPv4 as the IPv4-mapped IPv6 address */
	u32 nexthop_id; /* 0 = by a route lookup of addr */
	u16 port;	/* of the service or tunnel, host order; 0 = the packet's */
	u16 reserved1;
};

_Static_assert(sizeof(struct dwcp_endpoint) == 32, "abi");

/* ---- policy, class and limits ------------------------------------------------------------------------------- */

#define DWCP_POLICY_VERSION    1 /* of POLICY and POLICY_SET */

#define DWCP_POLICY_SET_ALL    1u /* id of the set that every packet is held against; may be absent */
#define DWCP_POLICY_DSCP_ANY   255u /* matches all; as a result: leave it */
#define DWCP_POLICY_PRIORITIES 8u

enum dwcp_policy_action {
	DWCP_POLICY_PASS = 0,
	DWCP_POLICY_DROP = 1,
	DWCP_POLICY_CLASS = 2, /* the rate is the class's */
};

/*
 * A rule. It matches when every field above the line does; it says what to do below. Which rules a packet is held
 * against: the sets named by its source's attributes and by its VIP, and DWCP_POLICY_SET_ALL; of all that match the
 * lowest rank wins, then the lowest id. These records define the answer; a classifier that finds it faster is a
 * section of its own and has to agree with them.
 *
 * Checked: prefix lengths by family (0 with family 0), bits behind them 0; port_first ≤ port_last; ports other than any
 * only with protocol 6, 17, 132 or 136; dscp < 64 or ANY; limit_class < n_elements of LIMITS; source_set and
 * destination_set in POLICY_SET, or 0; action; class_id in CLASS for ACTION CLASS, else 0; priority.
 */
struct dwcp_policy {
	u8 src_addr[16], dst_addr[16]; /* network order; IPv4 as the IPv4-mapped IPv6 address */
	u8 src_len, dst_len; /* bits of the family's own address: 0..32 or 0..128; 0 = any */
	u8 family;	     /* 4, 6; 0 = both, then both lengths are 0 */
	u8 protocol;	     /* last header's; 0 = any */
	u16 src_port_first,
		src_port_last; /* host order; 0..65535 = any, also packets without ports */
	u16 dst_port_first, dst_port_last;
	u32 source_set;	     /* the policy_set of the source's attributes; 0 = any */
	u32 destination_set; /* the policy_set of the VIP; 0 = any */
	u32 tenant;	     /* 0 = any */
	u16 limit_class;     /* the source's; 0 = any */
	u8 match_dscp;	     /* traffic class that the packet came with */
	u8 reserved0;
	/* ---- */
	u32 id;
	u32 rank;     /* lower wins */
	u32 class_id; /* id in CLASS; 0 = none */
	u8 action;    /* enum dwcp_policy_action */
	u8 dscp;      /* to mark: 0..63 or DWCP_POLICY_DSCP_ANY */
	u8 priority;  /* 0 = first, < DWCP_POLICY_PRIORITIES; 255 = the class's */
	u8 flags;     /* 0 */
	u32 reserved1[13];
};

_Static_assert(sizeof(struct dwcp_policy) == 128, "abi");

/*
 * By id. Rules of a set are neighbours in POLICY, by (rank, id); sets may share rules.
 *
 * Checked: first_rule + n_rules (as u64) ≤ n_elements of POLICY; the order.
 */
struct dwcp_policy_set {
	u32 id; /* 0 = free entry */
	u32 first_rule, n_rules;
	u32 reserved;
};

_Static_assert(sizeof(struct dwcp_policy_set) == 16, "abi");

#define DWCP_CLASS_VERSION   1
#define DWCP_CLASS_MAX_DEPTH 4u

/*
 * By id. What the shaper keeps of a class (tokens, queue) is its own and found by id, so that it outlives generations.
 *
 * Checked: rate_bps not 0, ceil_bps 0 or ≥ rate_bps; burst_bytes and queue_packets not 0; parent in CLASS, or 0, and
 * after at most DWCP_CLASS_MAX_DEPTH parents comes 0; priority.
 */
struct dwcp_class {
	u32 id;	      /* 0 = free entry */
	u32 parent;   /* id; 0 = right below the port */
	u64 rate_bps; /* bits a second, of L2 bytes + frame_overhead: its own */
	u64 ceil_bps; /* with what the parent has to lend; 0 = doesn't borrow */
	u32 tenant;   /* 0 = none */
	u32 burst_bytes;
	u32 queue_packets;			/* most that wait, over all workers */
	u32 codel_target_us, codel_interval_us; /* 0 = drop at the end of the queue only */
	u16 frame_overhead; /* bytes added to each frame: preamble, gap, checksum */
	u8 priority;	    /* 0 = first, < DWCP_POLICY_PRIORITIES */
	u8 flags;	    /* 0 */
	u32 reserved[4];
};

_Static_assert(sizeof(struct dwcp_class) == 64, "abi");

#define DWCP_LIMITS_VERSION 1

/*
 * By index, from SOURCE_ATTR (limit_class) and VIP (limits); element 0 is all zero and means none. 0 = no limit. Rates
 * are a window's admitted count; see the sliding window of the guard stage.
 *
 * Checked: element 0; window_ms not 0 where requests, packets, bytes or new_connections isn't.
 */
struct dwcp_limits {
	u32 id;	       /* for events and counters over generations */
	u32 window_ms; /* W */
	u64 requests, packets, bytes, new_connections; /* a window */
	u32 concurrent_connections;
	u32 syn_flood_pps, udp_flood_pps, icmp_flood_pps, fragment_flood_pps; /* packets a second */
	u32 block_seconds; /* how long a block lasts; 0 = never block */
};

_Static_assert(sizeof(struct dwcp_limits) == 64, "abi");

/* ---- port_addr: source addresses of what the router itself sends ------------------------------------------- */

#define DWCP_PORT_ADDR_VERSION 1

/*
 * By port index: the addresses that ICMP errors about packets of this port come from. All zero = none of the family.
 *
 * Checked: n_elements ≤ the dataplane's ports; addr4 and addr6 are 0 or an address that goes over a router
 * (dwcp_addr4_is_global(), dwcp_addr6_is_global()); link_local 0 or in fe80::/10; reserved fields and flags.
 */
struct dwcp_port_addr {
	u8 addr4[4]; /* network order, as all of these */
	u8 reserved0[12];
	u8 addr6[16];
	u8 link_local[16];
	u32 flags; /* 0 */
	u32 reserved1[3];
};

_Static_assert(sizeof(struct dwcp_port_addr) == 64, "abi");

/* One host's, and good beyond its link: not 0/8, loopback, 169.254/16, a group, 240/4. @a: host order. */
dwcp_inline bool dwcp_addr4_is_global(u32 a)
{
	u32 top = a >> 24;

	return top != 0 && top != 127 && top < 224 && a >> 16 != 0xa9fe;
}

/* Likewise: not unspecified, loopback, IPv4-mapped, link-local, a group. Upper and lower half, host order. */
dwcp_inline bool dwcp_addr6_is_global(u64 hi, u64 lo)
{
	return !(hi == 0 && (lo <= 1 || lo >> 32 == 0xffff)) && hi >> 54 != 0x3fa &&
	       hi >> 56 != 0xff;
}
_Static_assert(sizeof(struct dwcp_manifest) == 96, "abi");
_Static_assert(sizeof(struct dwcp_section_desc) == 32, "abi");
_Static_assert(sizeof(struct dwcp_segment_desc) == 16, "abi");
