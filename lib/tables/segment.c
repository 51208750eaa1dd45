/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * segment.c - the segments that are held: taken in one by one, checked once, shared between generations.
 *
 * Runs on the control thread. What comes in is hostile until segment_take() has returned 0: its fd may be anything, its
 * description may lie. Nothing is mapped before its length is known to be what was announced.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "hash.h"
#include "manifest.h"
#include "segment.h"

#define SET_MAX_BUCKETS 16384u

struct segment_set *segment_set_create(const struct segment_set_cfg *cfg)
{
	struct segment_set *s = calloc(1, sizeof(*s));
	u32 n = 16;

	if (!s)
		return NULL;
	while (n < cfg->max_segments && n < SET_MAX_BUCKETS)
		n *= 2;
	s->bucket = calloc(n, sizeof(*s->bucket));
	if (!s->bucket) {
		free(s);
		return NULL;
	}
	s->n_buckets = n;
	s->cfg = *cfg;
	return s;
}

static void segment_free(struct segment *seg)
{
	while (seg->facts) {
		struct segment_facts *f = seg->facts;

		seg->facts = f->next;
		free(f);
	}
	close(seg->fd);
	free(seg);
}

void segment_set_free(struct segment_set *s)
{
	if (!s)
		return;
	for (u32 i = 0; i < s->n_buckets; i++) {
		while (s->bucket[i]) {
			struct segment *seg = s->bucket[i];

			s->bucket[i] = seg->next;
			segment_free(seg);
		}
	}
	free(s->bucket);
	free(s->scratch);
	free(s);
}

static struct segment **segment_slot(const struct segment_set *s, u64 id)
{
	struct segment **at = &s->bucket[id & (s->n_buckets - 1)];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

struct segment *segment_find(const struct segment_set *s, u64 id)
{
	return *segment_slot(s, id);
}

static void segment_remove(struct segment_set *s, struct segment *seg)
{
	pages_forget(&s->pages);
	*segment_slot(s, seg->id) = seg->next;
	s->n_segments--;
	s->bytes -= seg->bytes;
	segment_free(seg);
}

void segment_ref(struct segment_set *s, struct segment *seg)
{
	if (seg->refs++ == 0)
		s->staged_bytes -= seg->bytes;
	seg->staged = false;
}

void segment_unref(struct segment_set *s, struct segment *seg)
{
	if (--seg->refs != 0)
		return;
	s->staged_bytes += seg->bytes;
	/* sent again for a generation to come: the sender counts on it */
	if (!seg->staged)
		segment_drop(s, seg->id);
}

void segment_drop(struct segment_set *s, u64 id)
{
	struct segment *seg = segment_find(s, id);

	if (!seg || seg->refs)
		return;
	s->staged_bytes -= seg->bytes;
	segment_remove(s, seg);
}

void segment_set_drop_staged(struct segment_set *s)
{
	pages_forget(&s->pages);
	for (u32 i = 0; i < s->n_buckets; i++) {
		struct segment *next;

		for (struct segment *seg = s->bucket[i]; seg; seg = next) {
			next = seg->next;
			seg->staged = false;
			segment_drop(s, seg->id);
		}
	}
}

bool segment_set_has(const struct segment_set *s, u64 id)
{
	return segment_find(s, id) != NULL;
}

u32 segment_set_ids(const struct segment_set *s, u64 *ret_ids, u32 cap)
{
	u32 n = 0;

	for (u32 i = 0; i < s->n_buckets; i++) {
		for (struct segment *seg = s->bucket[i]; seg; seg = seg->next, n++) {
			if (n < cap)
				ret_ids[n] = seg->id;
		}
	}
	return n;
}

u64 segment_set_bytes(const struct segment_set *s)
{
	return s->bytes;
}

u64 segment_set_staged_bytes(const struct segment_set *s)
{
	return s->staged_bytes;
}

u64 segment_set_mapped_bytes(const struct segment_set *s)
{
	return s->mapped_bytes;
}

u64 segment_set_page_bytes(const struct segment_set *s)
{
	return (u64)pages_count(&s->pages) * TABLE_PAGE_BYTES;
}

/* Bytes up to the last one that isn't 0. */
static u32 bytes_used(const u8 *bytes, u32 len)
{
	const u64 *word = (const void *)bytes;
	u32 n = len / 8;

	while (n && word[n - 1] == 0)
		n--;
	for (n *= 8; n && bytes[n - 1] == 0;)
		n--;
	return n;
}

static int facts_add(struct segment *seg, u16 section, const void *bytes, struct refusal *r)
{
	struct segment_facts *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return refusal_set_errno(r, "segment_memory", ENOMEM);
	r->section = section;
	err = section_check(section, bytes, seg->bytes, &f->facts, r);
	if (err) {
		free(f);
		return err;
	}
	f->section = section;
	f->next = seg->facts;
	seg->facts = f;
	return 0;
}

static const struct table_facts *facts_find(const struct segment *seg, u16 section)
{
	for (const struct segment_facts *f = seg->facts; f; f = f->next)
		if (f->section == section)
			return &f->facts;
	return NULL;
}

/* Through a hole of a huge memfd too: without MAP_NORESERVE its pages are reserved here, or this fails. */
static const void *segment_map(const struct segment *seg)
{
	return mmap(NULL, seg->bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, seg->fd, 0);
}

int segment_facts_get(struct segment *seg, u16 section, const struct table_facts **ret_facts,
		      struct refusal *r)
{
	const struct table_facts *known = facts_find(seg, section);
	const void *bytes;
	int err;

	if (!known) {
		bytes = segment_map(seg);
		if (bytes == MAP_FAILED)
			return refusal_set_errno(r, "segment_map", errno);
		err = facts_add(seg, section, bytes, r);
		munmap((void *)bytes, seg->bytes);
		if (err)
			return err;
		known = &seg->facts->facts;
	}
	*ret_facts = known;
	return 0;
}

/*
 * Read, not mapped: unmapping interrupts every CPU that runs one of our threads, and a full table has 50 segments and more.
 * Return: 0, -errno.
 */
int segment_read(const struct segment *seg, u8 *ret_bytes)
{
	for (u32 at = 0; at < seg->bytes;) {
		ssize_t n = pread(seg->fd, ret_bytes + at, seg->bytes - at, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (u32)n;
	}
	return 0;
}

/* Kept from segment to segment, as large as the largest so far. */
static u8 *scratch_get(struct segment_set *s, u32 bytes)
{
	if (bytes > s->scratch_bytes) {
		free(s->scratch);
		s->scratch =
			aligned_alloc(DWCP_SEGMENT_ALIGN, DWCP_ALIGN_UP(bytes, DWCP_SEGMENT_ALIGN));
		s->scratch_bytes = s->scratch ? bytes : 0;
	}
	return s->scratch;
}

static int content_check(struct segment_set *s, struct segment *seg, u16 section, struct refusal *r)
{
	u8 *slot = s->cfg.huge && !seg->huge ? page_slot(&s->pages, section, seg->bytes) : NULL;
	u8 *bytes = slot ? slot : scratch_get(s, seg->bytes);
	int err = bytes ? segment_read(seg, bytes) : -ENOMEM;

	if (err)
		return refusal_set_errno(r, "segment_read", -err);
	if (!GEN_CHECK(SEGMENT_HASH, table_hash(bytes, seg->bytes) == seg->id))
		return refusal_set(r, GEN_SEGMENT_HASH, -EINVAL);
	seg->used = bytes_used(bytes, seg->bytes);
	err = facts_add(seg, section, bytes, r);
	if (!err && slot)
		page_slot_keep(&s->pages, seg->id, seg->bytes);
	return err;
}

static bool memfd_is_huge(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

static int desc_check(const struct dwcp_segment_desc *d, struct refusal *r)
{
	r->section = d->section;
	GEN_REQUIRE(r, SEGMENT_FLAGS, d->flags == 0);
	GEN_REQUIRE(r, SEGMENT_ALIGN, d->bytes != 0 && d->bytes % DWCP_SEGMENT_ALIGN == 0);
	GEN_REQUIRE(r, SEGMENT_MAX, d->bytes <= DWCP_SEGMENT_MAX_BYTES);
	return section_readable(d->section, r);
}

static int caps_check(const struct segment_set *s, u32 bytes, struct refusal *r)
{
	if (!GEN_CHECK(SET_SEGMENTS, s->n_segments < s->cfg.max_segments))
		return refusal_set(r, GEN_SET_SEGMENTS, -ENOSPC);
	if (!GEN_CHECK(SET_BYTES, s->bytes + bytes <= s->cfg.max_bytes))
		return refusal_set(r, GEN_SET_BYTES, -ENOSPC);
	return 0;
}

static int segment_check(struct segment_set *s, struct segment *seg, u16 section, struct refusal *r)
{
	u64 size;
	int err = memfd_check(seg->fd, &size, r);

	if (err)
		return err;
	GEN_REQUIRE(r, SEGMENT_SIZE, size == seg->bytes);
	err = caps_check(s, seg->bytes, r);
	if (err)
		return err;
	seg->huge = memfd_is_huge(seg->fd);
	return content_check(s, seg, section, r);
}

/* Takes fd. */
static int segment_take(struct segment_set *s, const struct dwcp_segment_desc *d, int fd,
			struct refusal *r)
{
	struct segment *seg = calloc(1, sizeof(*seg));
	int err;

	if (!seg) {
		close(fd);
		return refusal_set_errno(r, "segment_memory", ENOMEM);
	}
	seg->id = d->id;
	seg->bytes = d->bytes;
	seg->fd = fd;
	seg->staged = true;
	err = segment_check(s, seg, d->section, r);
	if (err) {
		segment_free(seg);
		return err;
	}
	*segment_slot(s, seg->id) = seg;
	s->n_segments++;
	s->bytes += seg->bytes;
	s->staged_bytes += seg->bytes;
	return 0;
}

/* What is held is used, not what came: the fd needs no look. */
static int segment_take_held(struct segment *seg, const struct dwcp_segment_desc *d,
			     struct refusal *r)
{
	const struct table_facts *facts;
	int err;

	GEN_REQUIRE(r, SEGMENT_HELD, d->bytes == seg->bytes);
	err = segment_facts_get(seg, d->section, &facts, r);
	if (!err)
		seg->staged = true;
	return err;
}

int segment_set_stage(struct segment_set *s, const struct dwcp_segment_desc *desc, int fd,
		      char *ret_reason)
{
	struct segment *held = segment_find(s, desc->id);
	struct refusal r = {0};
	int err = desc_check(desc, &r);

	if (err || held) {
		if (!err)
			err = segment_take_held(held, desc, &r);
		close(fd);
	} else {
		err = segment_take(s, desc, fd, &r);
	}
	if (err)
		refusal_format(&r, ret_reason);
	return err;
}
