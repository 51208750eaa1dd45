/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - a section's segments side by side in one reservation of address space, read-only and populated, so that a worker
 * sees one array and never faults.
 *
 * In groups of 2 MB: one that fills more than half of a 2 MB page is copied into one (page.c), where the set has some; else
 * its segments are mapped as they are. Pages always fit: a group begins at a multiple of 2 MB, and a segment that is itself
 * in a 2 MB page is at least that large, a chunk at most, so in a section that has one every chunk is exactly that.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "segment.h"

#define HUGE_BYTES ((size_t)TABLE_PAGE_BYTES)

/* What is mapped at once. */
struct group {
	struct segment *const *seg;
	u32 n;
	size_t bytes;
};

/* Aligned for the largest pages in it. */
static int section_reserve(struct section_map *map, size_t bytes, size_t align)
{
	size_t head, all = bytes + align - DWCP_SEGMENT_ALIGN;
	u8 *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	head = (size_t)(-(uintptr_t)at & (align - 1));
	if (head)
		munmap(at, head);
	if (all - head > bytes)
		munmap(at + head + bytes, all - head - bytes);
	map->base = at + head;
	map->bytes = bytes;
	return 0;
}

/* Segments of a group; all that there are when chunks don't divide a page. */
static u32 group_segments(u32 n, u32 chunk_bytes)
{
	return chunk_bytes && HUGE_BYTES % chunk_bytes == 0 ? (u32)(HUGE_BYTES / chunk_bytes) : n;
}

static struct group group_at(struct segment *const *seg, u32 n, u32 per_group, u32 i)
{
	struct group g = {.seg = seg + i * per_group, .n = DWCP_MIN(n - i * per_group, per_group)};

	for (u32 k = 0; k < g.n; k++)
		g.bytes += g.seg[k]->bytes;
	return g;
}

static struct table_page *group_page(struct segment_set *s, const struct group *g)
{
	/* a short one would waste most of its page */
	if (!s->cfg.huge || g->bytes > HUGE_BYTES || g->bytes <= HUGE_BYTES / 2 || g->seg[0]->huge)
		return NULL;
	return page_get(&s->pages, g->seg, g->n);
}

static int fd_map(u8 *at, size_t bytes, int fd)
{
	return mmap(at, bytes, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) ==
			       MAP_FAILED
		       ? -errno
		       : 0;
}

static int segments_map(u8 *at, const struct group *g)
{
	for (u32 i = 0; i < g->n; i++) {
		int err = fd_map(at, g->seg[i]->bytes, g->seg[i]->fd);

		if (err)
			return err;
		at += g->seg[i]->bytes;
	}
	return 0;
}

static int group_map(struct section_map *map, u8 *at, const struct table_page *page,
		     const struct group *g)
{
	bool huge = page || g->seg[0]->huge;

	map->n_huge += huge ? g->n : 0;
	map->huge_bytes += huge ? g->bytes : 0;
	return page ? fd_map(at, HUGE_BYTES, page->fd) : segments_map(at, g);
}

static struct section_map *map_alloc(u32 n_groups)
{
	struct section_map *map = calloc(1, sizeof(*map) + n_groups * sizeof(map->page[0]));

	if (map) {
		map->refs = 1;
		map->n_groups = n_groups;
	}
	return map;
}

/* The pages first: they say how it is aligned and how long it is. */
static int map_make(struct segment_set *s, struct section_map *map, struct segment *const *seg,
		    u32 n, u32 per_group)
{
	size_t bytes = 0, align = DWCP_SEGMENT_ALIGN, at = 0;
	int err;

	for (u32 i = 0; i < map->n_groups; i++) {
		struct group g = group_at(seg, n, per_group, i);

		map->page[i] = group_page(s, &g);
		if (map->page[i] || g.seg[0]->huge)
			align = HUGE_BYTES;
		bytes += map->page[i] ? HUGE_BYTES : g.bytes;
	}
	err = section_reserve(map, bytes, align);
	s->mapped_bytes += map->bytes;
	for (u32 i = 0; i < map->n_groups && !err; i++) {
		struct group g = group_at(seg, n, per_group, i);

		err = group_map(map, (u8 *)map->base + at, map->page[i], &g);
		at += g.bytes;
	}
	return err;
}

int section_map_create(struct segment_set *s, struct segment *const *seg, u32 n, u32 chunk_bytes,
		       struct section_map **ret_map)
{
	u32 per_group = group_segments(n, chunk_bytes);
	struct section_map *map = map_alloc(DWCP_DIV_UP(n, per_group));
	int err;

	if (!map)
		return -ENOMEM;
	err = map_make(s, map, seg, n, per_group);
	if (err) {
		section_map_unref(s, map);
		return err;
	}
	/* beyond the limit the pages stay populated, only not pinned */
	if (s->cfg.lock)
		(void)mlock(map->base, map->bytes);
	*ret_map = map;
	return 0;
}

void section_map_unref(struct segment_set *s, struct section_map *map)
{
	if (!map || --map->refs != 0)
		return;
	if (map->bytes)
		munmap(map->base, map->bytes);
	for (u32 i = 0; i < map->n_groups; i++)
		page_put(&s->pages, map->page[i]);
	s->mapped_bytes -= map->bytes;
	free(map);
}
