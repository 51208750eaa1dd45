/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_small.h - a hand-made table of 32 kB that has everything: two families, two VRFs, every type of next hop, groups,
 * holes. And the way from bytes to an open generation and back to sealed fds, with nothing checked on the way, so that
 * tests can break any of it.
 */
#pragma once

#include <dwcp/util/generation.h>

#define SMALL_N_PORTS	   4
#define SMALL_N_NODE	   11
#define SMALL_N_LEAF	   41
#define SMALL_N_SEGMENTS   8
#define SMALL_LEAF_SEGMENT 3
#define SMALL_BYTES	   (SMALL_N_SEGMENTS * 4096)
#define SMALL_PORTS	   0x1234567890abcdefull /* ports_hash */

struct part {
	u16 section, version;
	u32 element_bytes, chunk_bytes;
	u64 n_elements;
	u8 *bytes;
	u32 len; /* multiple of DWCP_SEGMENT_ALIGN */
};

struct table {
	struct part part[DWCP_SECTION_N];
	u32 n_parts;
};

void table_init_small(struct table *t);
/* From the arrays of a builder: parts of chunk_bytes, plus next hops from the small table. */
void table_init_fib(struct table *t, const struct fib_builder *b, u32 chunk_bytes);
void table_fini(struct table *t);
struct part *table_part(struct table *t, u16 section);
/* Element i of a part. */
void *part_at(const struct part *p, u32 i);
struct part *table_add(struct table *t, u16 section, u16 version, u32 element_bytes,
		       u64 n_elements);

/* What would be sent: a manifest and its segments. */
struct sealed {
	struct dwcp_manifest *m; /* room for DWCP_MANIFEST_MAX_BYTES */
	size_t len;
	int *fds; /* [n] one a segment */
	u32 n;
};

void sealed_init(struct sealed *x, const struct table *t, u64 number);
void sealed_fini(struct sealed *x);
/* The hash field anew, over x->len bytes. */
void sealed_rehash(struct sealed *x);
struct dwcp_section_desc *sealed_section(const struct sealed *x, u16 section);
struct dwcp_segment_desc *sealed_segments(const struct sealed *x);

/* A memfd with these bytes and these seals. */
int memfd_with(const void *bytes, size_t len, int seals);
u64 bytes_hash(const void *bytes, size_t len);

/* Stage all segments. Return: as segment_set_stage(). */
int sealed_stage(struct segment_set *s, const struct sealed *x, char *ret_reason);
/* Stage and open. */
int sealed_open(struct segment_set *s, const struct sealed *x,
		const struct generation_limits *limits, struct generation **ret_generation,
		char *ret_reason);

struct segment_set *set_create_big(void);
extern const struct generation_limits small_limits;

/* Does this reason begin with this token? */
bool reason_is(const char *reason, const char *token);

/* Open fds of this process; mappings of table memfds. */
u32 count_fds(void);
u32 count_maps(void);
