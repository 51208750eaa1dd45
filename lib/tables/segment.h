/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * segment.h - held segments and what is known of them. Private to the folder.
 *
 * A segment is known by its content, and equal content may stand in two sections (an empty chunk is zeros everywhere).
 * So a segment is held once, and carries what its check as each section has found.
 */
#pragma once

#include <dwcp/util/generation.h>

#include "check.h"

/* What one segment demands of the others: compared with the sizes when a generation is opened. */
struct table_facts {
	struct fib_facts fib;
	u64 need_buckets; /* elements of NEXTHOP_BUCKET that groups reach */
	u64 n_ids;	  /* next hops that have an id */
	u32 need_ports;	  /* largest port named + 1 */
	u32 max_slot;	  /* largest slot named by a bucket */
};

struct segment_facts {
	struct segment_facts *next;
	u16 section; /* checked as this */
	struct table_facts facts;
};

struct segment {
	struct segment *next; /* in its bucket */
	u64 id;
	u32 bytes;
	u32 used; /* bytes up to the last one that isn't 0 */
	u32 refs; /* open generations that name it */
	u32 mark; /* the last count of unique segments that saw it */
	int fd;
	bool huge;
	bool staged; /* by the link since the last drop: outlives the close of an older generation */
	struct segment_facts *facts;
};

struct generation_state;

/* ---- page.c: 2 MB pages with copies of segments -------------------------------------------------------------- */

#define TABLE_PAGE_BYTES DWCP_SEGMENT_MAX_BYTES

/*
 * Copies of n segments, side by side from the page's beginning, zeros behind them. Known by their ids: equal ids are equal
 * bytes as long as an open generation holds the segments, which it does as long as it maps the page.
 */
struct table_page {
	struct table_page *next; /* in use, or spare */
	u8 *bytes; /* writable; workers read through their generation's mapping, which is not */
	int fd;
	u32 refs; /* mappings of it */
	u32 n;
	u64 *ids; /* [n] */
};

struct table_pages {
	struct table_page *used, *spare;
	u32 n_used, n_spare, n_ready;
	/* Segments of a full table come in the order that they are mapped in: they are read to where they will stay. */
	struct table_page *ready, *filling;
	u32 filling_bytes;
	u16 filling_section;
};

/* One more reference to a page with copies of @seg[@n], not more than fit. NULL: there is none, or they can't be read. */
struct table_page *page_get(struct table_pages *pages, struct segment *const *seg, u32 n);
/* NULL is fine. Spare ones are kept, about as many as are in use. */
void page_put(struct table_pages *pages, struct table_page *p);
/*
 * Where a segment that comes in may be read to, behind those that came before it: [bytes], to be written before anything else
 * is asked of pages. NULL: nowhere.
 */
u8 *page_slot(struct table_pages *pages, u16 section, u32 bytes);
/* It is good, and held from now on. */
void page_slot_keep(struct table_pages *pages, u64 id, u32 bytes);
/* No page is ready any more: a segment is held no longer, and so its id means nothing. */
void pages_forget(struct table_pages *pages);
/* 2 MB each, in use or not. */
u32 pages_count(const struct table_pages *pages);

/* ---- map.c --------------------------------------------------------------------------------------------------- */

/*
 * Segments side by side in one piece of address space; shared by the open generations whose section is the same. It is cut
 * into groups of 2 MB, which are in one page each or mapped as they are.
 */
struct section_map {
	u32 refs;
	void *base;
	size_t bytes;
	u32 n_huge;	/* segments that 2 MB pages back */
	u64 huge_bytes; /* of them */
	u32 n_groups;
	struct table_page *page[]; /* [n_groups]; NULL = mapped as they are */
};

struct segment_set {
	struct segment_set_cfg cfg;
	struct segment **bucket;
	u32 n_buckets; /* power of two */
	u32 n_segments;
	u32 mark;
	u64 bytes, staged_bytes, mapped_bytes;
	struct generation_state *open; /* all generations that are open */
	struct table_pages pages;
	u8 *scratch; /* what is being checked */
	u32 scratch_bytes;
};

struct segment *segment_find(const struct segment_set *s, u64 id);
/* What the segment demands as this section; checks its elements if that was never done. Return: 0, -EINVAL, -errno. */
int segment_facts_get(struct segment *seg, u16 section, const struct table_facts **ret_facts,
		      struct refusal *r);
void segment_ref(struct segment_set *s, struct segment *seg);
void segment_unref(struct segment_set *s, struct segment *seg);
/* Let go of one segment if nothing but its staging holds it. */
void segment_drop(struct segment_set *s, u64 id);

/* All of its bytes. Return: 0, -errno. */
int segment_read(const struct segment *seg, u8 *ret_bytes);
/* @chunk_bytes: of all but the last. Return: 0 and a map with one reference, or -errno. */
int section_map_create(struct segment_set *s, struct segment *const *seg, u32 n, u32 chunk_bytes,
		       struct section_map **ret_map);
/* NULL is fine. */
void section_map_unref(struct segment_set *s, struct section_map *map);

/* validate.c: all elements of one segment, whatever the other segments hold. */
int section_check(u16 section, const void *bytes, size_t len, struct table_facts *facts,
		  struct refusal *r);
/* Raise facts by those of one more segment. */
void facts_merge(struct table_facts *facts, const struct table_facts *more);
/* validate.c: references between the sections of a mapped generation. */
struct cross_check {
	const struct generation *g;
	struct table_facts facts; /* of all sections */
	const struct generation_limits *limits;
	bool nexthops_known; /* next hops, buckets and ids are those of a generation that is open */
};
int sizes_check(const struct cross_check *c, struct refusal *r);
int references_check(const struct cross_check *c, struct refusal *r);
