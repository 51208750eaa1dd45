/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * generation.c - from a manifest and held segments to arrays that workers read.
 *
 * Runs on the control thread. Each section is one reservation of address space; its segments are mapped into it side by
 * side, or copied into 2 MB pages, so that a worker sees one array; generations whose section is the same share that (map.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"
#include "segment.h"

struct generation_state {
	struct generation *g;
	struct generation_state *next; /* open generations of the set */
	struct segment **segments;     /* in the manifest's order */
	u32 n_refs;		       /* segments[] that are counted as named */
	struct section_map *map[];     /* one a section of the manifest; NULL = empty */
};

/* Where an empty section points to. */
static const u8 empty[DWCP_SEGMENT_ALIGN] dwcp_aligned(DWCP_CACHE_LINE);

static void generation_free(struct generation *g)
{
	struct generation_state *st = g->private;

	if (st) {
		for (u32 i = 0; i < g->manifest->n_sections; i++)
			section_map_unref(g->set, st->map[i]);
		for (u32 i = 0; i < st->n_refs; i++)
			segment_unref(g->set, st->segments[i]);
		free(st->segments);
		free(st);
	}
	if (g->manifest_fd >= 0)
		close(g->manifest_fd);
	free((void *)g->manifest);
	free(g);
}

/* Takes m. */
static struct generation *generation_create(struct segment_set *s, struct dwcp_manifest *m)
{
	struct generation *g = calloc(1, sizeof(*g));
	struct generation_state *st;

	if (!g) {
		free(m);
		return NULL;
	}
	g->manifest = m;
	g->manifest_fd = -1;
	g->set = s;
	g->number = m->generation;
	g->n_segments = m->n_segments;
	st = calloc(1, sizeof(*st) + m->n_sections * sizeof(st->map[0]));
	g->private = st;
	if (st) {
		st->g = g;
		st->segments = calloc(m->n_segments + 1, sizeof(*st->segments));
	}
	if (!st || !st->segments) {
		generation_free(g);
		return NULL;
	}
	return g;
}

static int tail_check(const struct dwcp_section_desc *d, const struct segment *last,
		      struct refusal *r)
{
	u64 before = (u64)(d->n_segments - 1) * d->chunk_bytes;

	r->segment = d->n_segments - 1;
	GEN_REQUIRE(r, SECTION_TAIL, last->used <= d->n_elements * d->element_bytes - before);
	return 0;
}

static int section_resolve(struct generation *g, const struct dwcp_section_desc *d,
			   struct table_facts *facts, struct refusal *r)
{
	const struct dwcp_segment_desc *desc = manifest_segments(g->manifest) + d->first_segment;
	struct generation_state *st = g->private;
	struct segment **seg = st->segments + d->first_segment;
	const struct table_facts *more;
	int err;

	if (d->n_segments == 0)
		return 0;
	r->section = d->section;
	r->in_segment = true;
	for (u32 i = 0; i < d->n_segments; i++) {
		r->segment = i;
		seg[i] = segment_find(g->set, desc[i].id);
		if (!seg[i]) {
			r->token = "segment_missing";
			return -ENOENT;
		}
		GEN_REQUIRE(r, SEGMENT_HELD, desc[i].bytes == seg[i]->bytes);
		err = segment_facts_get(seg[i], d->section, &more, r);
		if (err)
			return err;
		facts_merge(facts, more);
		g->mapped_bytes += seg[i]->bytes;
	}
	err = tail_check(d, seg[d->n_segments - 1], r);
	if (err)
		return err;
	r->in_segment = false;
	return 0;
}

static void section_assign(struct generation *g, const struct dwcp_section_desc *d,
			   const void *base)
{
	u32 n = (u32)d->n_elements;

	switch (d->section) {
	case DWCP_SECTION_FIB_ROOT:
		g->fib.root = base;
		g->fib.n_root = n;
		break;
	case DWCP_SECTION_FIB_DIRECT:
		g->fib.direct = base;
		g->fib.n_direct = n;
		break;
	case DWCP_SECTION_FIB_NODE:
		g->fib.node = base;
		g->fib.n_node = n;
		break;
	case DWCP_SECTION_FIB_LEAF:
		g->fib.leaf = base;
		g->fib.n_leaf = n;
		break;
	case DWCP_SECTION_NEXTHOP:
		g->nexthop = base;
		g->n_nexthop = n;
		break;
	case DWCP_SECTION_NEXTHOP_BUCKET:
		g->bucket = base;
		g->n_bucket = n;
		break;
	case DWCP_SECTION_NEXTHOP_ID:
		g->nexthop_id = base;
		g->n_nexthop_id = n;
		break;
	case DWCP_SECTION_PORT_ADDR:
		g->port_addr = base;
		g->n_port_addr = n;
		break;
	default:
		break;
	}
}

/* All segments of the manifest, and the sizes of all sections; the arrays are still empty. */
static int generation_resolve(struct generation *g, struct table_facts *facts, struct refusal *r)
{
	const struct dwcp_section_desc *d = manifest_sections(g->manifest);

	for (u16 s = DWCP_SECTION_FIB_ROOT; s < DWCP_SECTION_N; s++)
		section_assign(g, &(struct dwcp_section_desc){.section = s}, empty);
	for (u32 i = 0; i < g->manifest->n_sections; i++) {
		int err = section_resolve(g, &d[i], facts, r);

		if (err)
			return err;
		section_assign(g, &d[i], empty);
	}
	r->section = 0;
	if (!GEN_CHECK(GENERATION_BYTES, g->mapped_bytes <= g->set->cfg.max_bytes))
		return refusal_set(r, GEN_GENERATION_BYTES, -ENOSPC);
	return 0;
}

static const struct dwcp_section_desc *section_find(const struct dwcp_manifest *m, u16 section)
{
	const struct dwcp_section_desc *d = manifest_sections(m);

	for (u32 i = 0; i < m->n_sections; i++)
		if (d[i].section == section)
			return &d[i];
	return NULL;
}

/* Equal ids are equal bytes here: both manifests' segments are held, and the set holds an id once. */
static bool segments_same(const struct dwcp_manifest *a, const struct dwcp_section_desc *x,
			  const struct dwcp_manifest *b, const struct dwcp_section_desc *y)
{
	return x->n_segments == y->n_segments &&
	       memcmp(manifest_segments(a) + x->first_segment,
		      manifest_segments(b) + y->first_segment,
		      x->n_segments * sizeof(struct dwcp_segment_desc)) == 0;
}

static bool section_same(const struct dwcp_manifest *a, const struct dwcp_manifest *b, u16 section)
{
	const struct dwcp_section_desc *x = section_find(a, section), *y = section_find(b, section);

	if (!x || !y)
		return x == y;
	return x->n_elements == y->n_elements && segments_same(a, x, b, y);
}

/* A section that an open generation has too is mapped already: what a change costs is the sections it touches. */
static struct section_map *map_find(const struct generation *g, const struct dwcp_section_desc *d)
{
	for (struct generation_state *o = g->set->open; o; o = o->next) {
		const struct dwcp_manifest *m = o->g->manifest;
		const struct dwcp_section_desc *other = section_find(m, d->section);

		if (other && segments_same(g->manifest, d, m, other))
			return o->map[other - manifest_sections(m)];
	}
	return NULL;
}

static int generation_map(struct generation *g, struct refusal *r)
{
	const struct dwcp_section_desc *d = manifest_sections(g->manifest);
	struct generation_state *st = g->private;

	for (u32 i = 0; i < g->manifest->n_sections; i++) {
		int err = 0;

		if (d[i].n_segments == 0)
			continue;
		st->map[i] = map_find(g, &d[i]);
		if (st->map[i])
			st->map[i]->refs++;
		else
			err = section_map_create(g->set, st->segments + d[i].first_segment,
						 d[i].n_segments, d[i].chunk_bytes, &st->map[i]);
		if (err) {
			r->section = d[i].section;
			return refusal_set_errno(r, "section_map", -err);
		}
		section_assign(g, &d[i], st->map[i]->base);
		g->n_huge_segments += st->map[i]->n_huge;
		g->huge_bytes += st->map[i]->huge_bytes;
	}
	return 0;
}

/* A changed route touches no next hop: what was checked for a generation that is open need not be checked again. */
static bool nexthops_known(const struct generation *g)
{
	const struct dwcp_manifest *m = g->manifest;

	for (struct generation_state *o = g->set->open; o; o = o->next)
		if (section_same(m, o->g->manifest, DWCP_SECTION_NEXTHOP) &&
		    section_same(m, o->g->manifest, DWCP_SECTION_NEXTHOP_BUCKET) &&
		    section_same(m, o->g->manifest, DWCP_SECTION_NEXTHOP_ID))
			return true;
	return false;
}

static int generation_check(struct generation *g, const struct generation_limits *limits,
			    struct refusal *r)
{
	struct cross_check c = {.g = g, .limits = limits};
	int err;

	GEN_REQUIRE(r, GENERATION_PORTS,
		    !limits->ports_hash || limits->ports_hash == g->manifest->ports_hash);
	err = generation_resolve(g, &c.facts, r);
	if (!err)
		err = sizes_check(&c, r);
	if (!err)
		err = generation_map(g, r);
	if (err)
		return err;
	c.nexthops_known = nexthops_known(g);
	g->max_port = c.facts.need_ports ? c.facts.need_ports - 1 : 0;
	return references_check(&c, r);
}

/* From here on it can't fail. */
static void generation_commit(struct generation *g)
{
	struct generation_state *st = g->private;
	struct segment_set *s = g->set;

	for (; st->n_refs < g->n_segments; st->n_refs++) {
		g->n_new_segments += st->segments[st->n_refs]->refs == 0;
		segment_ref(s, st->segments[st->n_refs]);
	}
	st->next = s->open;
	s->open = st;
	g->ip4 = fib_root_find(&g->fib, 0, FIB_IP4);
	g->ip6 = fib_root_find(&g->fib, 0, FIB_IP6);
}

int generation_open(struct segment_set *s, int manifest_fd, const struct generation_limits *limits,
		    struct generation **ret_generation, char *ret_reason)
{
	struct refusal r = {0};
	struct dwcp_manifest *m;
	struct generation *g = NULL;
	int err = manifest_read(manifest_fd, &m, &r);

	if (err)
		goto refused;
	g = generation_create(s, m);
	if (!g) {
		err = refusal_set_errno(&r, "generation_memory", ENOMEM);
		goto refused;
	}
	err = generation_check(g, limits, &r);
	if (err)
		goto refused;
	g->manifest_fd = fcntl(manifest_fd, F_DUPFD_CLOEXEC, 0);
	if (g->manifest_fd < 0) {
		err = refusal_set_errno(&r, "manifest_dup", errno);
		goto refused;
	}
	generation_commit(g);
	*ret_generation = g;
	return 0;
refused:
	refusal_format(&r, ret_reason);
	if (g)
		generation_free(g);
	return err;
}

void generation_close(struct generation *g)
{
	struct generation_state **at;

	if (!g)
		return;
	at = &g->set->open;
	while ((*at)->g != g)
		at = &(*at)->next;
	*at = (*at)->next;
	generation_free(g);
}

int generation_fd(const struct generation *g, u32 i)
{
	const struct generation_state *st = g->private;

	return i < g->n_segments ? st->segments[i]->fd : -EINVAL;
}
