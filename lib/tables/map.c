/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - a section's segments side by side in one reservation of address space, read-only and populated, so that a worker
 * sees one array and never faults.
 *
 * A 2 MB page always fits: a huge segment is at least 2 MB, a chunk at most 2 MB, so in a section that has one every
 * chunk is exactly that.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "segment.h"

#define HUGE_BYTES (2ull << 20)
_Static_assert(DWCP_SEGMENT_MAX_BYTES == HUGE_BYTES, "huge pages may not fit side by side");

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

static int section_fill(const struct section_map *map, struct segment *const *seg, u32 n)
{
	u8 *at = map->base;

	for (u32 i = 0; i < n; i++) {
		if (mmap(at, seg[i]->bytes, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
			 seg[i]->fd, 0) == MAP_FAILED)
			return -errno;
		at += seg[i]->bytes;
	}
	return 0;
}

int section_map_create(struct segment_set *s, struct segment *const *seg, u32 n,
		       struct section_map **ret_map)
{
	struct section_map *map = calloc(1, sizeof(*map));
	size_t bytes = 0, align = DWCP_SEGMENT_ALIGN;
	int err;

	if (!map)
		return -ENOMEM;
	map->refs = 1;
	for (u32 i = 0; i < n; i++) {
		bytes += seg[i]->bytes;
		if (seg[i]->huge)
			align = HUGE_BYTES;
	}
	err = section_reserve(map, bytes, align);
	s->mapped_bytes += map->bytes;
	if (!err)
		err = section_fill(map, seg, n);
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
	s->mapped_bytes -= map->bytes;
	free(map);
}
