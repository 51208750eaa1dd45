/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * generation.h - sealed segments and the generations that are made of them: seal, check, map, store, restore.
 *
 * Used by the dataplane's control thread (stage, open, close), by the agent's builder and the CLI (seal, write files)
 * and by tests. Never by a worker: a worker only reads the arrays of an open generation. Nothing here logs; every
 * refusal has a reason token with detail ("nexthop_bucket_slot section=nexthop_bucket segment=3 ...").
 */
#pragma once

#include <dwcp/abi/tables.h>
#include <dwcp/base.h>
#include <dwcp/util/fib.h>

#define GENERATION_REASON_MAX 96

/* ---- writing ------------------------------------------------------------------------------------------------ */

/**
 * segment_seal() - copy bytes into a new sealed memfd.
 * @len: > 0; the memfd is padded with zeros to DWCP_SEGMENT_ALIGN (2 MB when @huge).
 * @huge: try 2 MB pages; falls back to 4 kB pages silently (see the size of the fd's pages).
 * @ret_desc: id, bytes, section; written on success.
 * Return: the fd (owned by the caller), or -errno.
 */
int segment_seal(u16 section, const void *bytes, size_t len, bool huge,
		 struct dwcp_segment_desc *ret_desc);

/* One section to be written: its array is cut into chunk_bytes pieces by whoever calls. */
struct manifest_section {
	u16 section, version;
	u32 element_bytes;
	u64 n_elements;
	u32 chunk_bytes;
	const struct dwcp_segment_desc *segments;
	u32 n_segments;
};

struct manifest_cfg {
	u64 generation, intent_revision, observation_revision, created_unix_ns;
	u64 ports_hash; /* dwcp_config.ports_hash of the configuration that the port indices come from */
	u32 without; /* rib_publish(): bit s = leave section s out, the reader doesn't know it */
};

/** manifest_build() - the manifest's bytes, heap, owned by the caller (free). Return: 0, -ENOMEM, -EINVAL, -E2BIG. */
int manifest_build(const struct manifest_cfg *cfg, const struct manifest_section *sections,
		   u32 n_sections, struct dwcp_manifest **ret_manifest);
/** manifest_seal() - into a sealed memfd (exact size, not padded). Return: fd or -errno. */
int manifest_seal(const struct dwcp_manifest *m);
/**
 * manifest_check() - header, sizes, hash, section and segment lists of untrusted bytes.
 * @bytes: 8-byte aligned. Return: NULL or reason token.
 */
const char *manifest_check(const void *bytes, size_t len);
const struct dwcp_section_desc *manifest_sections(const struct dwcp_manifest *m);
const struct dwcp_segment_desc *manifest_segments(const struct dwcp_manifest *m);

/* ---- reading ------------------------------------------------------------------------------------------------ */

/* Segments that are held: staged by the link, or named by an open generation. One thread. */
struct segment_set;

struct segment_set_cfg {
	u64 max_bytes; /* of all segments held; beyond it staging is refused */
	u32 max_segments;
	bool lock; /* mlock what gets mapped, where the limit allows it */
	bool huge; /* what workers read lies in 2 MB pages, where there are some: copies of smaller segments */
};

struct segment_set *segment_set_create(const struct segment_set_cfg *cfg);
void segment_set_free(struct segment_set *s); /* generations must be closed */

/**
 * segment_set_stage() - take a segment in after checking fd type, seals, exact size, hash, and every element of it.
 * @fd: taken (closed on failure too). A segment that is held already is closed and counts as success.
 * @ret_reason: [GENERATION_REASON_MAX] written on failure.
 * Return: 0, -EINVAL (refused), -ENOSPC (cap), -errno.
 */
int segment_set_stage(struct segment_set *s, const struct dwcp_segment_desc *desc, int fd,
		      char *ret_reason);
bool segment_set_has(const struct segment_set *s, u64 id);
/** segment_set_ids() - ids of all held segments. Return: how many there are; at most cap are written. */
u32 segment_set_ids(const struct segment_set *s, u64 *ret_ids, u32 cap);
/** segment_set_drop_staged() - let go of what no open generation names. */
void segment_set_drop_staged(struct segment_set *s);
u64 segment_set_bytes(const struct segment_set *s);
u64 segment_set_staged_bytes(const struct segment_set *s);
/** segment_set_mapped_bytes() - address space mapped by open generations. A section that two share counts once. */
u64 segment_set_mapped_bytes(const struct segment_set *s);
/** segment_set_page_bytes() - 2 MB pages taken for copies, those that wait for the next table included. */
u64 segment_set_page_bytes(const struct segment_set *s);

/* An open generation: arrays mapped, everything in it checked. Immutable; workers read it until it is closed. */
struct generation {
	struct fib_view fib;
	const struct dwcp_fib_root *ip4, *ip6; /* of vrf 0; NULL = none */
	const struct dwcp_nexthop *nexthop;
	const u32 *bucket;
	const struct dwcp_id_entry *nexthop_id;
	const struct dwcp_port_addr
		*port_addr; /* by port; of those behind n_port_addr nothing is known */
	u32 n_nexthop, n_bucket, n_nexthop_id, n_port_addr;
	u32 max_port; /* largest port index named by a next hop */

	u64 number;
	const struct dwcp_manifest *manifest; /* owned copy */
	int manifest_fd;  /* sealed; for the fd store; -1 when opened from memory */
	u64 mapped_bytes; /* of its sections, whether shared with another generation or not */
	u64 huge_bytes;	  /* of its segments that 2 MB pages back */
	u32 n_segments, n_new_segments, n_huge_segments;
	struct segment_set *set;
	void *reader; /* whatever the reader attaches; it detaches it before closing */
	void *private;
};

struct generation_limits {
	u32 n_ports;	/* next hops may name ports below this */
	u64 ports_hash; /* refuse a manifest made for other ports; 0 = don't compare */
};

/**
 * generation_open() - check a manifest against the held segments and map its sections.
 * @manifest_fd: sealed memfd, borrowed (dup'ed on success).
 * @ret_reason: [GENERATION_REASON_MAX] on failure.
 * Checks the references between sections. Return: 0, -EINVAL (refused), -ENOENT (segments missing), -errno.
 */
int generation_open(struct segment_set *s, int manifest_fd, const struct generation_limits *limits,
		    struct generation **ret_generation, char *ret_reason);
/** generation_close() - unmap; segments that nothing names any more are closed. NULL is fine. */
void generation_close(struct generation *g);
/** generation_fd() - the fd of the i-th segment of the manifest (borrowed), for the fd store and for storing. */
int generation_fd(const struct generation *g, u32 i);

/** nexthop_by_id() - slot of an id in this generation; 0 (no route) when it isn't there. Thread: any. */
u32 nexthop_by_id(const struct generation *g, u32 id);

/* ---- files -------------------------------------------------------------------------------------------------- */

/**
 * generation_store() - write an open generation to @path: beside it, fsync, rename. Thread: any, while g is open.
 * Return: 0, -errno (the old file stays; no temporary is left).
 */
int generation_store(const struct generation *g, const char *path);
/** generation_file_write() - the same from parts: a manifest and the segment fds in its order. */
int generation_file_write(const struct dwcp_manifest *m, const int *segment_fds, const char *path);
/**
 * generation_load() - read a file, stage its segments and open it: the same checks as over the link.
 * Return: as generation_open(); -ENOENT when there is no file.
 */
int generation_load(struct segment_set *s, const char *path, const struct generation_limits *limits,
		    struct generation **ret_generation, char *ret_reason);

const char *section_name(u16 section);
