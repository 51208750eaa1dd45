/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/xdp.h - what the XDP pre-filter (ebpf/) and its readers agree on: names, counters, knobs.
 *
 * One copy of the object is loaded for each interface, so all of its maps speak of that interface alone; nothing is pinned.
 * Written by: the program (xdp_counters), whoever attaches it (xsks_map; the knobs, before loading).
 * Read by: the dataplane's control thread, through the ids of the attached program's maps.
 * A change of the counters' order or of a struct changes DWCP_XDP_VERSION; names of counters are appended.
 */
#pragma once

#include <dwcp/base.h>

#define DWCP_XDP_MAGIC                                                                             \
	0x3150445850435744ull /* "DWCPXDP1": makes a program ours, whatever its version */
#define DWCP_XDP_VERSION 1
#define DWCP_XDP_PROGRAM "dwcp_prefilter"
#define DWCP_XDP_MAP_SOCKETS                                                                       \
	"xsks_map" /* the name that DPDK's af_xdp driver looks for; key: receive queue */
#define DWCP_XDP_MAP_COUNTERS "xdp_counters" /* per-CPU array of u64; key: dwcp_xdp_key() */
#define DWCP_XDP_MAX_QUEUES   256 /* counters of all further queues share the slot behind these */
#define DWCP_XDP_COUNTERS_MAX 32

/*
 * Each packet is counted under exactly one of these. First those that go to a socket, by kind; then what was dropped.
 * A drop carries the name of the reason under which the dataplane's parser would have dropped the same packet
 * (drop_reasons.h), but for NO_SOCKET, which is the program's own.
 */
/* clang-format off */
#define DWCP_XDP_KINDS(X) \
	X(IP4,       "IPv4, for a socket") \
	X(IP6,       "IPv6, for a socket") \
	X(ARP,       "ARP, for a socket") \
	X(GROUP,     "multicast or broadcast, for a socket, unread") \
	X(OTHER,     "any other EtherType or LLC, for a socket") \
	X(MALFORMED, "malformed, for a socket all the same: dropping is switched off")
#define DWCP_XDP_DROPS(X) \
	X(NO_SOCKET,          "its queue has no socket: the kernel must not forward it unscreened") \
	X(L2_TRUNCATED,       "frame shorter than its Ethernet header") \
	X(L2_VLAN_TRUNCATED,  "frame ends inside a VLAN tag") \
	X(L2_VLAN_DEPTH,      "more than two VLAN tags") \
	X(IP4_TRUNCATED,      "frame ends inside the IPv4 header") \
	X(IP4_VERSION,        "version field is not 4") \
	X(IP4_HEADER_LENGTH,  "IHL below 5 or past the packet") \
	X(IP4_TOTAL_LENGTH,   "total length below the header or past the frame") \
	X(IP4_SOURCE,         "source can't be a host: multicast, loopback, 0/8, broadcast") \
	X(IP6_TRUNCATED,      "frame ends inside the IPv6 header") \
	X(IP6_VERSION,        "version field is not 6") \
	X(IP6_PAYLOAD_LENGTH, "payload length past the frame, or a jumbogram") \
	X(IP6_SOURCE,         "source can't be a host: multicast, loopback")
/* clang-format on */

enum dwcp_xdp_counter {
#define X(name, text) DWCP_XDP_##name,
	DWCP_XDP_KINDS(X) DWCP_XDP_N_KINDS,
	DWCP_XDP_BEFORE_DROPS = DWCP_XDP_N_KINDS - 1, /* so that the drops follow without a gap */
	DWCP_XDP_DROPS(X)
#undef X
		DWCP_XDP_N_COUNTERS
};

#define DWCP_XDP_N_KEYS ((DWCP_XDP_MAX_QUEUES + 1) * DWCP_XDP_COUNTERS_MAX)

/*
 * Where the counter of a receive queue is. A key for each counter, not one for a struct of them: indexing into a value would
 * take CAP_PERFMON to load.
 */
dwcp_inline u32 dwcp_xdp_key(u32 queue, u32 counter)
{
	return (queue < DWCP_XDP_MAX_QUEUES ? queue : DWCP_XDP_MAX_QUEUES) * DWCP_XDP_COUNTERS_MAX +
	       counter;
}

/* What readers make of them: of a queue or of all, every CPU together. */
struct dwcp_xdp_counters {
	u64 packets[DWCP_XDP_COUNTERS_MAX];
};

/* The program's read-only data: set before it is loaded, frozen then. */
struct dwcp_xdp_knobs {
	u64 magic;
	u32 version;
	u32 drop_malformed; /* 0 = count and pass on: what would it drop? */
};

_Static_assert(DWCP_XDP_N_COUNTERS <= DWCP_XDP_COUNTERS_MAX, "abi");
_Static_assert(sizeof(struct dwcp_xdp_knobs) == 16, "abi");
_Static_assert(sizeof(DWCP_XDP_PROGRAM) <= 16 && sizeof(DWCP_XDP_MAP_COUNTERS) <= 16,
	       "BPF_OBJ_NAME_LEN");
