/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manifest.c - the manifest: built by the agent or the CLI, checked by the dataplane before anything it names is used.
 *
 * After manifest_verify() the section list is free of surprises: each section is known, once, of the version and
 * element size that is read here, and the sections' segments tile the segment list without gap or overlap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dwcp/util/generation.h>

#include "hash.h"
#include "manifest.h"

/* View sizes are u32: the smallest elements in the most segments, less the one that other sections need at least. */
_Static_assert((u64)DWCP_MANIFEST_MAX_SEGMENTS *DWCP_SEGMENT_MAX_BYTES / sizeof(u32) <= 1ull << 32,
	       "a section has more elements than a u32 counts");

static const struct section_spec specs[DWCP_SECTION_N] = {
	[DWCP_SECTION_NONE] = {"none", 0, 0, false},
	[DWCP_SECTION_FIB_ROOT] = {"fib_root", DWCP_FIB_VERSION, sizeof(struct dwcp_fib_root),
				   true},
	[DWCP_SECTION_FIB_DIRECT] = {"fib_direct", DWCP_FIB_VERSION, sizeof(u64), true},
	[DWCP_SECTION_FIB_NODE] = {"fib_node", DWCP_FIB_VERSION, sizeof(u64), true},
	[DWCP_SECTION_FIB_LEAF] = {"fib_leaf", DWCP_FIB_VERSION, sizeof(u32), true},
	[DWCP_SECTION_NEXTHOP] = {"nexthop", DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_nexthop),
				  true},
	[DWCP_SECTION_NEXTHOP_BUCKET] = {"nexthop_bucket", DWCP_NEXTHOP_VERSION, sizeof(u32),
					 false},
	[DWCP_SECTION_NEXTHOP_ID] = {"nexthop_id", DWCP_NEXTHOP_VERSION,
				     sizeof(struct dwcp_id_entry), false},
	[DWCP_SECTION_SOURCE_ROOT] = {"source_root", 0, 0, false},
	[DWCP_SECTION_SOURCE_DIRECT] = {"source_direct", 0, 0, false},
	[DWCP_SECTION_SOURCE_NODE] = {"source_node", 0, 0, false},
	[DWCP_SECTION_SOURCE_LEAF] = {"source_leaf", 0, 0, false},
	[DWCP_SECTION_SOURCE_ATTR] = {"source_attr", 0, 0, false},
	[DWCP_SECTION_BLOCK] = {"block", 0, 0, false},
	[DWCP_SECTION_VIP] = {"vip", 0, 0, false},
	[DWCP_SECTION_WEIGHTSET] = {"weightset", 0, 0, false},
	[DWCP_SECTION_WEIGHTSET_REGION] = {"weightset_region", 0, 0, false},
	[DWCP_SECTION_WEIGHTROW] = {"weightrow", 0, 0, false},
	[DWCP_SECTION_ENDPOINT] = {"endpoint", 0, 0, false},
	[DWCP_SECTION_POLICY] = {"policy", 0, 0, false},
	[DWCP_SECTION_POLICY_SET] = {"policy_set", 0, 0, false},
	[DWCP_SECTION_CLASS] = {"class", 0, 0, false},
	[DWCP_SECTION_LIMITS] = {"limits", 0, 0, false},
	[DWCP_SECTION_PORT_ADDR] = {"port_addr", DWCP_PORT_ADDR_VERSION,
				    sizeof(struct dwcp_port_addr), false},
};

const struct section_spec *section_spec(u16 section)
{
	return section > DWCP_SECTION_NONE && section < DWCP_SECTION_N ? &specs[section] : NULL;
}

const char *section_name(u16 section)
{
	return section < DWCP_SECTION_N ? specs[section].name : "unknown";
}

const struct dwcp_section_desc *manifest_sections(const struct dwcp_manifest *m)
{
	return (const void *)(m + 1);
}

const struct dwcp_segment_desc *manifest_segments(const struct dwcp_manifest *m)
{
	return (const void *)(manifest_sections(m) + m->n_sections);
}

static u64 manifest_len(const struct dwcp_manifest *m)
{
	return sizeof(*m) + (u64)m->n_sections * sizeof(struct dwcp_section_desc) +
	       (u64)m->n_segments * sizeof(struct dwcp_segment_desc);
}

/* Over all bytes with the hash field taken as 0. */
static u64 manifest_hash(const struct dwcp_manifest *m, size_t len)
{
	struct dwcp_manifest head = *m;

	head.hash = 0;
	return table_hash_parts(&head, sizeof(head), m + 1, len - sizeof(head));
}

static int header_verify(const struct dwcp_manifest *m, size_t len, struct refusal *r)
{
	/* never optional: what follows reads the header */
	if (len < sizeof(*m))
		return refusal_set(r, GEN_MANIFEST_LENGTH, -EINVAL);
	GEN_REQUIRE(r, MANIFEST_MAGIC, m->magic == DWCP_MANIFEST_MAGIC);
	GEN_REQUIRE(r, MANIFEST_VERSION, m->version == DWCP_MANIFEST_VERSION);
	GEN_REQUIRE(r, MANIFEST_LENGTH, len == manifest_len(m));
	GEN_REQUIRE(r, MANIFEST_BYTES, m->bytes == len);
	GEN_REQUIRE(r, MANIFEST_HASH, m->hash == manifest_hash(m, len));
	GEN_REQUIRE(r, MANIFEST_NUMBER, m->generation != 0);
	GEN_REQUIRE(r, MANIFEST_SEGMENTS, m->n_segments <= DWCP_MANIFEST_MAX_SEGMENTS);
	GEN_REQUIRE(r, MANIFEST_RESERVED, (m->reserved[0] | m->reserved[1] | m->reserved[2]) == 0);
	return 0;
}

int section_readable(u16 section, struct refusal *r)
{
	const struct section_spec *spec = section_spec(section);

	GEN_REQUIRE(r, SECTION_UNKNOWN, spec);
	GEN_REQUIRE(r, SECTION_NOT_READ, !spec || spec->version != 0);
	return 0;
}

static int segments_verify(const struct dwcp_section_desc *d, const struct dwcp_segment_desc *seg,
			   struct refusal *r)
{
	r->in_segment = true;
	for (u32 i = 0; i < d->n_segments; i++) {
		bool last = i == d->n_segments - 1;

		r->segment = i;
		GEN_REQUIRE(r, SEGMENT_SECTION, seg[i].section == d->section);
		GEN_REQUIRE(r, SEGMENT_FLAGS, seg[i].flags == 0);
		GEN_REQUIRE(r, SEGMENT_ALIGN,
			    seg[i].bytes != 0 && seg[i].bytes % DWCP_SEGMENT_ALIGN == 0);
		GEN_REQUIRE(r, SEGMENT_CHUNK,
			    last ? seg[i].bytes <= d->chunk_bytes : seg[i].bytes == d->chunk_bytes);
	}
	r->in_segment = false;
	return 0;
}

/* The array ends inside its last segment: no segment without an element, no element without its bytes. */
static bool count_fits(const struct dwcp_section_desc *d, const struct dwcp_segment_desc *seg)
{
	u64 before, all;

	if (d->n_segments == 0)
		return d->n_elements == 0;
	if (d->n_elements > UINT32_MAX)
		return false;
	before = (u64)(d->n_segments - 1) * d->chunk_bytes;
	all = before + seg[d->n_segments - 1].bytes;
	return d->n_elements * d->element_bytes > before && d->n_elements * d->element_bytes <= all;
}

static bool section_repeats(const struct dwcp_section_desc *first,
			    const struct dwcp_section_desc *d)
{
	for (; first < d; first++)
		if (first->section == d->section)
			return true;
	return false;
}

static int section_verify(const struct dwcp_manifest *m, const struct dwcp_section_desc *d,
			  u64 next_segment, struct refusal *r)
{
	const struct section_spec *spec = section_spec(d->section);
	const struct dwcp_segment_desc *seg;
	int err;

	r->section = d->section;
	err = section_readable(d->section, r);
	if (err)
		return err;
	GEN_REQUIRE(r, SECTION_DUPLICATE, !section_repeats(manifest_sections(m), d));
	GEN_REQUIRE(r, SECTION_VERSION, !spec || d->version == spec->version);
	GEN_REQUIRE(r, SECTION_ELEMENT, !spec || d->element_bytes == spec->element_bytes);
	GEN_REQUIRE(r, SECTION_RESERVED, d->reserved == 0);
	GEN_REQUIRE(r, SECTION_CHUNK,
		    d->chunk_bytes % DWCP_SEGMENT_ALIGN == 0 &&
			    d->chunk_bytes <= DWCP_SEGMENT_MAX_BYTES);
	/* the first half is what a test can do without; the second keeps seg[] inside the manifest */
	GEN_REQUIRE(r, SECTION_TILING, d->first_segment == next_segment);
	if ((u64)d->first_segment + d->n_segments > m->n_segments)
		return refusal_set(r, GEN_SECTION_TILING, -EINVAL);
	seg = manifest_segments(m) + d->first_segment;
	err = segments_verify(d, seg, r);
	if (err)
		return err;
	GEN_REQUIRE(r, SECTION_COUNT, count_fits(d, seg));
	return 0;
}

int manifest_verify(const void *bytes, size_t len, struct refusal *r)
{
	const struct dwcp_manifest *m = bytes;
	const struct dwcp_section_desc *d;
	u64 next_segment = 0;
	u32 present = 0;
	int err = header_verify(m, len, r);

	if (err)
		return err;
	d = manifest_sections(m);
	for (u32 i = 0; i < m->n_sections; i++) {
		err = section_verify(m, &d[i], next_segment, r);
		if (err)
			return err;
		next_segment += d[i].n_segments;
		present |= 1u << (d[i].section & 31);
	}
	r->section = 0;
	GEN_REQUIRE(r, MANIFEST_TILING, next_segment == m->n_segments);
	for (u16 s = 1; s < DWCP_SECTION_N; s++) {
		r->section = s;
		GEN_REQUIRE(r, SECTION_MISSING, !specs[s].required || present & 1u << s);
	}
	r->section = 0;
	return 0;
}

const char *manifest_check(const void *bytes, size_t len)
{
	struct refusal r = {0};

	return manifest_verify(bytes, len, &r) ? r.token : NULL;
}

static int bytes_read(int fd, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (u8 *)to + done, len - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int manifest_read(int fd, struct dwcp_manifest **ret_manifest, struct refusal *r)
{
	struct dwcp_manifest *m;
	u64 len;
	int err;

	r->detail = "manifest";
	err = memfd_check(fd, &len, r);
	if (err)
		return err;
	GEN_REQUIRE(r, MANIFEST_SIZE, len <= DWCP_MANIFEST_MAX_BYTES);
	r->detail = NULL;
	m = malloc(len ? len : 1);
	if (!m)
		return refusal_set_errno(r, "manifest_memory", ENOMEM);
	err = bytes_read(fd, m, len);
	if (err)
		err = refusal_set_errno(r, "manifest_read", -err);
	else
		err = manifest_verify(m, len, r);
	if (err) {
		free(m);
		return err;
	}
	*ret_manifest = m;
	return 0;
}

static void section_fill(struct dwcp_section_desc *d, const struct manifest_section *s, u32 first)
{
	*d = (struct dwcp_section_desc){
		.section = s->section,
		.version = s->version,
		.element_bytes = s->element_bytes,
		.n_elements = s->n_elements,
		.first_segment = first,
		.n_segments = s->n_segments,
		.chunk_bytes = s->chunk_bytes,
	};
}

int manifest_build(const struct manifest_cfg *cfg, const struct manifest_section *sections,
		   u32 n_sections, struct dwcp_manifest **ret_manifest)
{
	struct dwcp_manifest head = {
		.magic = DWCP_MANIFEST_MAGIC,
		.version = DWCP_MANIFEST_VERSION,
		.generation = cfg->generation,
		.intent_revision = cfg->intent_revision,
		.observation_revision = cfg->observation_revision,
		.created_unix_ns = cfg->created_unix_ns,
		.ports_hash = cfg->ports_hash,
		.n_sections = n_sections,
	};
	struct dwcp_segment_desc *seg;
	struct dwcp_manifest *m;
	u64 n_segments = 0;

	for (u32 i = 0; i < n_sections; i++)
		n_segments += sections[i].n_segments;
	if (n_segments > DWCP_MANIFEST_MAX_SEGMENTS || n_sections > DWCP_SECTION_N)
		return -E2BIG;
	head.n_segments = (u32)n_segments;
	head.bytes = (u32)manifest_len(&head);
	m = malloc(head.bytes);
	if (!m)
		return -ENOMEM;
	*m = head;
	seg = (struct dwcp_segment_desc *)manifest_segments(m);
	n_segments = 0;
	for (u32 i = 0; i < n_sections; i++) {
		section_fill((struct dwcp_section_desc *)manifest_sections(m) + i, &sections[i],
			     (u32)n_segments);
		if (sections[i].n_segments)
			memcpy(seg + n_segments, sections[i].segments,
			       sections[i].n_segments * sizeof(*seg));
		n_segments += sections[i].n_segments;
	}
	m->hash = manifest_hash(m, m->bytes);
	if (manifest_check(m, m->bytes)) {
		free(m);
		return -EINVAL;
	}
	*ret_manifest = m;
	return 0;
}

int manifest_seal(const struct dwcp_manifest *m)
{
	return memfd_seal("dwcp-manifest", m, m->bytes, m->bytes);
}
