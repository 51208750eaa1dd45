/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/link.h - the socket between agent and dataplane: <run_dir>/dataplane.link, SOCK_SEQPACKET, one message a packet.
 *
 * The dataplane listens; the peer's credentials must be root or our own uid. One agent at a
 * time: a newer connection from a permitted peer replaces the older one (the older one may be a corpse).
 *
 *     dataplane → agent   HELLO (+ fds: stats page, rings, ring tails, wake-up socket), HELD… (segments it holds)
 *     agent → dataplane   SEGMENTS (+ fds), …, PUBLISH (+ fd of the sealed manifest)
 *     dataplane → agent   SEGMENT_REFUSED …, then ADOPTED or REFUSED for each PUBLISH, in order
 *
 * A segment is staged until a PUBLISH names it; what no manifest names is dropped at the next ADOPTED. Unknown message
 * types and wrong lengths end the connection; tables in use are never touched by it.
 */
#pragma once

#include <dwcp/abi/tables.h>
#include <dwcp/base.h>

#define DWCP_LINK_MAGIC	     0x4b4e4c44u /* "DLNK" */
#define DWCP_LINK_VERSION    1
#define DWCP_LINK_MAX_BYTES  65536u
#define DWCP_LINK_MAX_FDS    128u
#define DWCP_LINK_ABI_MAX    32u /* room for sections in the hello */
#define DWCP_LINK_SOCKET     "dataplane.link"
#define DWCP_LINK_REASON_MAX 96

enum dwcp_link_type {
	DWCP_LINK_HELLO = 1,
	DWCP_LINK_HELD = 2,
	DWCP_LINK_SEGMENTS = 3,
	DWCP_LINK_SEGMENT_REFUSED = 4,
	DWCP_LINK_PUBLISH = 5,
	DWCP_LINK_ADOPTED = 6,
	DWCP_LINK_REFUSED = 7,
};

struct dwcp_link_hdr {
	u32 magic;
	u16 version;
	u16 type;
	u32 bytes; /* whole message */
	u32 n_fds;
};

struct dwcp_link_abi {
	u16 section;
	u16 version_min,
		version_max; /* element layouts that can be read; 0,0 = section not read here */
	u16 reserved;
};

/* fds, in this order. */
enum dwcp_link_hello_fd {
	DWCP_HELLO_FD_STATS,
	DWCP_HELLO_FD_RINGS,
	DWCP_HELLO_FD_TAILS,
	DWCP_HELLO_FD_EVENT,
	DWCP_HELLO_N_FDS
};

struct dwcp_link_hello {
	struct dwcp_link_hdr hdr;
	u64 incarnation;
	u64 generation; /* adopted; 0 = none */
	u64 manifest_hash;
	u64 config_hash;
	u32 pid;
	u32 n_workers, n_ports;
	u32 n_held; /* ids that the HELD messages behind this will name */
	u64 max_table_bytes;
	u64 stats_bytes, rings_bytes, tails_bytes;
	struct dwcp_link_abi abi[32]; /* by section number */
};

struct dwcp_link_held {
	struct dwcp_link_hdr hdr;
	u32 n;
	u32 reserved;
	u64 id[];
};

struct dwcp_link_segments {
	struct dwcp_link_hdr hdr;
	u32 n; /* = hdr.n_fds */
	u32 reserved;
	struct dwcp_segment_desc desc[];
};

struct dwcp_link_segment_refused {
	struct dwcp_link_hdr hdr;
	u64 id;
	char reason[DWCP_LINK_REASON_MAX];
};

struct dwcp_link_publish {
	struct dwcp_link_hdr hdr;
	u64 generation;
	u64 event_ns; /* CLOCK_MONOTONIC of the last input that is in it; 0 = unknown */
	u64 sent_ns;
};

struct dwcp_link_adopted {
	struct dwcp_link_hdr hdr;
	u64 generation;
	u64 manifest_hash;
	u64 received_ns, validated_ns, swapped_ns, quiescent_ns; /* CLOCK_MONOTONIC */
	u64 mapped_bytes;
	u32 n_segments, n_new_segments;
};

struct dwcp_link_refused {
	struct dwcp_link_hdr hdr;
	u64 generation; /* the refused one */
	u64 current;	/* what stays in force */
	char reason[DWCP_LINK_REASON_MAX];
};

_Static_assert(sizeof(struct dwcp_link_hdr) == 16, "abi");
_Static_assert(DWCP_SECTION_N <= 32, "abi");
_Static_assert(sizeof(struct dwcp_link_hello) == 16 + 9 * 8 + 16 - 8 + 8 * 32, "abi");
