/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_file.h - what perf/benches/forward.py writes for the source shim and reads from it. Little-endian, mapped.
 *
 * A frame is the template with one entry laid over it: what tells packets apart (addresses, ports, checksum) is 16 bytes
 * (IPv4) or 32 (IPv6), so that a million flows stream through the cache in 16 MB and not in 64.
 */
#pragma once

#include <dwcp/base.h>

#define SOURCE_MAGIC	    0x31637273u
#define SOURCE_TEMPLATE_MAX 128
#define SOURCE_LENGTHS_MAX  64

struct source_hdr {
	u32 magic;
	u32 n_entries;	 /* a power of two */
	u32 entry_bytes; /* 16 or 32 */
	u32 entry_at; /* where in the frame an entry is laid; entry_at + entry_bytes ≤ template_bytes */
	u32 template_bytes; /* of headers written into each mbuf: a multiple of 16 */
	u32 n_lengths;
	u16 length[SOURCE_LENGTHS_MAX]; /* frame bytes; packet i has length[i % n_lengths] */
	u8 template[SOURCE_TEMPLATE_MAX];
	u8 reserved0[8];
} dwcp_aligned(64);

/* written by: the polling thread, once in 1,024 polls; read by: perf/run. Odd .seq: being written. */
struct source_sample {
	u64 seq;
	u64 tsc;
	u64 packets;
	u64 polls;
	u64 fresh; /* mbufs taken from the pool instead of coming back through the ring: what the program kept or dropped */
	u64 reserved0[11];
} dwcp_aligned(128);

struct source_page {
	u64 tsc_hz;
	u64 n_queues;
	u64 opackets; /* what the device sent, every 100 ms */
	u64 reserved0[13];
	struct source_sample queue[8];
};
