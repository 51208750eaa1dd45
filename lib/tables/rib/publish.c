/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.c - from arrays to sealed segments and a manifest.
 *
 * A new image is put together beside the one before and takes its place when it is whole: a publish that fails leaves
 * the image before, with its fds, and everything that is dirty stays so. A chunk that was written to and has the bytes
 * of before keeps its segment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../hash.h"
#include "rib_private.h"

struct section_spec_row {
	u16 section, version;
	u32 element_bytes;
};

#define FIB_ELEMENT(array) sizeof(*((struct fib_view *)0)->array)

static const struct section_spec_row rows[RIB_N_SECTIONS] = {
	[RIB_FIB_ROOT] = {DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, FIB_ELEMENT(root)},
	[RIB_FIB_DIRECT] = {DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, FIB_ELEMENT(direct)},
	[RIB_FIB_NODE] = {DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, FIB_ELEMENT(node)},
	[RIB_FIB_LEAF] = {DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, FIB_ELEMENT(leaf)},
	[RIB_NEXTHOP] = {DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_nexthop)},
	[RIB_BUCKET] = {DWCP_SECTION_NEXTHOP_BUCKET, DWCP_NEXTHOP_VERSION, sizeof(u32)},
	[RIB_ID] = {DWCP_SECTION_NEXTHOP_ID, DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_id_entry)},
	[RIB_PORT_ADDR] = {DWCP_SECTION_PORT_ADDR, DWCP_PORT_ADDR_VERSION,
			   sizeof(struct dwcp_port_addr)},
};

/* An array as it is now, wherever it comes from. */
struct source_array {
	const u8 *bytes;
	u64 len;
	enum fib_array fib; /* when own is NULL */
	const struct rib_array *own;
};

/* What a publish makes, until it is known to be whole. */
struct draft {
	struct table_segment *segments;
	struct dwcp_segment_desc *descs;
	u64 n_elements[RIB_N_SECTIONS];
	u32 first[RIB_N_SECTIONS], count[RIB_N_SECTIONS];
	u32 n;
	struct dwcp_manifest *manifest;
	int manifest_fd;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

static void array_get(const struct rib *r, u32 s, struct source_array *ret)
{
	static const enum fib_array fib[] = {FIB_ROOT, FIB_DIRECT, FIB_NODE, FIB_LEAF};
	const struct rib_array *own[] = {&r->nexthop, &r->bucket, &r->id, &r->port_addr};
	size_t len;

	if (s < DWCP_ARRAY_LEN(fib)) {
		ret->own = NULL;
		ret->fib = fib[s];
		ret->bytes = fib_builder_array(r->fib, ret->fib, &len);
		ret->len = len;
	} else {
		ret->own = own[s - DWCP_ARRAY_LEN(fib)];
		ret->bytes = ret->own->bytes;
		ret->len = ret->own->n * ret->own->element_bytes;
	}
}

static bool chunk_dirty(const struct rib *r, const struct source_array *a, u64 chunk)
{
	return a->own ? rib_array_dirty(a->own, chunk) : fib_builder_dirty(r->fib, a->fib, chunk);
}

/* Has @old exactly these bytes? Its size tells which pages it was sealed into. */
static bool segment_same(const struct table_segment *old, const u8 *bytes, u64 len)
{
	u32 padded = old->desc.bytes;

	if (padded != DWCP_ALIGN_UP(len, DWCP_SEGMENT_ALIGN) &&
	    (padded != DWCP_SEGMENT_MAX_BYTES || len > padded))
		return false;
	return table_hash_padded(bytes, len, padded) == old->desc.id;
}

/* 2 MB pages carry 2 MB chunks; a short last one would waste most of its page. */
static bool chunk_huge(const struct rib *r, u64 len)
{
	return r->cfg.huge && r->cfg.chunk_bytes == DWCP_SEGMENT_MAX_BYTES &&
	       len > DWCP_SEGMENT_MAX_BYTES / 2;
}

static int chunk_publish(struct rib *r, u32 s, const struct source_array *a, u32 chunk,
			 struct table_segment *ret)
{
	const struct rib_segments *before = &r->published[s];
	u64 at = (u64)chunk * r->cfg.chunk_bytes;
	u64 len = DWCP_MIN(a->len - at, r->cfg.chunk_bytes);
	const struct table_segment *old = chunk < before->n ? &before->s[chunk] : NULL;
	u64 old_len =
		old ? DWCP_MIN(before->n_elements * rows[s].element_bytes - at, r->cfg.chunk_bytes)
		    : 0;

	if (old && ((old_len == len && !chunk_dirty(r, a, chunk)) ||
		    segment_same(old, a->bytes + at, len))) {
		*ret = *old;
		ret->fresh = false;
		return 0;
	}
	ret->fd = segment_seal(rows[s].section, a->bytes + at, len, chunk_huge(r, len), &ret->desc);
	ret->fresh = true;
	return ret->fd < 0 ? ret->fd : 0;
}

static u64 chunks_of(const struct rib *r, u64 len)
{
	return DWCP_DIV_UP(len, r->cfg.chunk_bytes);
}

static bool section_left_out(const struct manifest_cfg *cfg, u32 s)
{
	return cfg->without >> rows[s].section & 1;
}

static int section_publish(struct rib *r, u32 s, struct draft *d)
{
	struct source_array a;
	u64 n;
	int err = 0;

	array_get(r, s, &a);
	n = chunks_of(r, a.len);
	d->first[s] = d->n;
	d->n_elements[s] = a.len / rows[s].element_bytes;
	for (u64 i = 0; i < n && !err; i++) {
		err = chunk_publish(r, s, &a, i, &d->segments[d->n]);
		if (err)
			break;
		d->descs[d->n] = d->segments[d->n].desc;
		d->n++;
		d->count[s]++;
	}
	return err;
}

/* Fresh, but the same bytes are in the image before or earlier in this one: nobody needs them sent. */
struct id_set {
	u64 *ids;
	u64 mask;
};

static bool id_set_add(struct id_set *set, u64 id)
{
	u64 pos = id & set->mask;

	while (set->ids[pos] && set->ids[pos] != id)
		pos = (pos + 1) & set->mask;
	if (set->ids[pos])
		return false;
	set->ids[pos] = id;
	return true;
}

static int fresh_settle(const struct rib *r, struct draft *d)
{
	u32 n_before = r->image.manifest ? r->image.manifest->n_segments : 0;
	struct id_set set = {.mask = 63};

	while (set.mask < 2ull * (n_before + d->n))
		set.mask = 2 * set.mask + 1;
	set.ids = calloc(set.mask + 1, sizeof(*set.ids));
	if (!set.ids)
		return -ENOMEM;
	for (u32 i = 0; i < n_before; i++)
		id_set_add(&set, r->image.segments[i].desc.id);
	for (u32 i = 0; i < d->n; i++)
		if (d->segments[i].fresh)
			d->segments[i].fresh = id_set_add(&set, d->segments[i].desc.id);
	free(set.ids);
	return 0;
}

static int draft_manifest(struct rib *r, const struct manifest_cfg *cfg, struct draft *d)
{
	struct manifest_section sections[RIB_N_SECTIONS];
	u32 n = 0;
	int err;

	for (u32 s = 0; s < RIB_N_SECTIONS; s++) {
		if (section_left_out(cfg, s))
			continue;
		sections[n++] = (struct manifest_section){
			.section = rows[s].section,
			.version = rows[s].version,
			.element_bytes = rows[s].element_bytes,
			.n_elements = d->n_elements[s],
			.chunk_bytes = r->cfg.chunk_bytes,
			.segments = d->descs + d->first[s],
			.n_segments = d->count[s],
		};
	}
	err = manifest_build(cfg, sections, n, &d->manifest);
	if (err)
		return err == -E2BIG ? -ENOSPC : err;
	d->manifest_fd = manifest_seal(d->manifest);
	return d->manifest_fd < 0 ? d->manifest_fd : 0;
}

/* Is this fd one of the image before? */
static bool fd_kept(const struct rib *r, const struct draft *d, u32 s, u32 i)
{
	const struct rib_segments *before = &r->published[s];

	return i < before->n && before->s[i].fd == d->segments[d->first[s] + i].fd;
}

static void draft_discard(struct rib *r, struct draft *d)
{
	for (u32 s = 0; s < RIB_N_SECTIONS; s++)
		for (u32 i = 0; i < d->count[s]; i++)
			if (!fd_kept(r, d, s, i))
				close(d->segments[d->first[s] + i].fd);
	if (d->manifest_fd >= 0)
		close(d->manifest_fd);
	free(d->manifest);
	free(d->segments);
	free(d->descs);
}

static void draft_adopt(struct rib *r, struct draft *d)
{
	struct table_image image = {.manifest = d->manifest,
				    .manifest_fd = d->manifest_fd,
				    .segments = d->segments};

	for (u32 s = 0; s < RIB_N_SECTIONS; s++) {
		struct rib_segments *p = &r->published[s];

		for (u32 i = 0; i < p->n; i++)
			if (i >= d->count[s] || !fd_kept(r, d, s, i))
				close(p->s[i].fd);
		*p = (struct rib_segments){d->segments + d->first[s], d->count[s],
					   d->n_elements[s]};
	}
	for (u32 i = 0; i < d->n; i++) {
		image.total_bytes += d->descs[i].bytes;
		image.n_fresh += d->segments[i].fresh;
		image.fresh_bytes += d->segments[i].fresh ? d->descs[i].bytes : 0;
	}
	if (r->image.manifest_fd >= 0)
		close(r->image.manifest_fd);
	free(r->image.manifest);
	free(r->image.segments);
	free(d->descs);
	r->image = image;
	fib_builder_clean(r->fib);
	rib_array_clean(&r->nexthop);
	rib_array_clean(&r->bucket);
	rib_array_clean(&r->id);
	rib_array_clean(&r->port_addr);
	r->dirty = false;
}

static int draft_alloc(const struct rib *r, struct draft *d)
{
	u64 n = 0;

	for (u32 s = 0; s < RIB_N_SECTIONS; s++) {
		struct source_array a;

		array_get(r, s, &a);
		n += chunks_of(r, a.len);
	}
	if (n > DWCP_MANIFEST_MAX_SEGMENTS)
		return -ENOSPC;
	d->segments = calloc(n + 1, sizeof(*d->segments));
	d->descs = calloc(n + 1, sizeof(*d->descs));
	return d->segments && d->descs ? 0 : -ENOMEM;
}

int rib_publish(struct rib *r, const struct manifest_cfg *cfg, const struct table_image **ret_image)
{
	struct draft d = {.manifest_fd = -1};
	u64 start = now_ns(), committed;
	int err;

	err = fib_builder_commit(r->fib);
	committed = now_ns();
	if (!err)
		err = draft_alloc(r, &d);
	for (u32 s = 0; s < RIB_N_SECTIONS && !err; s++)
		if (!section_left_out(cfg, s))
			err = section_publish(r, s, &d);
	if (!err)
		err = fresh_settle(r, &d);
	if (!err)
		err = draft_manifest(r, cfg, &d);
	if (err) {
		draft_discard(r, &d);
		return err;
	}
	draft_adopt(r, &d);
	r->times.commit_ns = committed - start;
	r->times.seal_ns = now_ns() - committed;
	*ret_image = &r->image;
	return 0;
}

void rib_publish_fini(struct rib *r)
{
	for (u32 s = 0; s < RIB_N_SECTIONS; s++)
		for (u32 i = 0; i < r->published[s].n; i++)
			close(r->published[s].s[i].fd);
	if (r->image.manifest_fd >= 0)
		close(r->image.manifest_fd);
	free(r->image.manifest);
	free(r->image.segments);
}
