/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_small.c - see table_small.h. Sealing here is independent of the library's, so that the two check each other.
 */
#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "table_small.h"

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define MACS                                                                                       \
	{2, 0, 0, 0, 0, 1},                                                                        \
	{                                                                                          \
		2, 0, 0, 0, 0, 9                                                                   \
	}

const struct generation_limits small_limits = {.n_ports = SMALL_N_PORTS, .ports_hash = SMALL_PORTS};

struct part *table_add(struct table *t, u16 section, u16 version, u32 element_bytes, u64 n_elements)
{
	struct part *p = &t->part[t->n_parts++];

	*p = (struct part){
		.section = section,
		.version = version,
		.element_bytes = element_bytes,
		.n_elements = n_elements,
		.len = (u32)DWCP_ALIGN_UP(n_elements * element_bytes, (u64)DWCP_SEGMENT_ALIGN),
	};
	p->chunk_bytes = p->len > DWCP_SEGMENT_MAX_BYTES ? DWCP_SEGMENT_MAX_BYTES : p->len;
	p->bytes = calloc(1, p->len + 1);
	assert_non_null(p->bytes);
	return p;
}

struct part *table_part(struct table *t, u16 section)
{
	for (u32 i = 0; i < t->n_parts; i++)
		if (t->part[i].section == section)
			return &t->part[i];
	return NULL;
}

void *part_at(const struct part *p, u32 i)
{
	return p->bytes + (size_t)i * p->element_bytes;
}

void table_fini(struct table *t)
{
	for (u32 i = 0; i < t->n_parts; i++)
		free(t->part[i].bytes);
	t->n_parts = 0;
}

static const struct dwcp_nexthop small_nexthops[] = {
	{.type = DWCP_NEXTHOP_NONE},
	{.type = DWCP_NEXTHOP_FORWARD, .port = 0, .forward = {MACS, {0}}, .id = 101},
	{.type = DWCP_NEXTHOP_FORWARD,
	 .n_tags = 1,
	 .port = 1,
	 .forward = {MACS, {0x0081, 0x6400}},
	 .id = 102},
	{.type = DWCP_NEXTHOP_FORWARD,
	 .n_tags = 2,
	 .port = 2,
	 .forward = {MACS, {0xa888, 0x0100, 0x0081, 0x0200}},
	 .id = 103,
	 .mtu = 1500},
	{.type = DWCP_NEXTHOP_GROUP, .group = {.first_bucket = 0, .n_buckets = 4}, .id = 104},
	{.type = DWCP_NEXTHOP_BLACKHOLE, .id = 105},
	{.type = DWCP_NEXTHOP_UNREACHABLE, .id = 106},
	{.type = DWCP_NEXTHOP_PROHIBIT},
	{.type = DWCP_NEXTHOP_LOCAL, .port = 3, .id = 108},
	{.type = DWCP_NEXTHOP_UNRESOLVED, .port = 1, .id = 0x80000109},
	{.type = DWCP_NEXTHOP_GROUP, .group = {.first_bucket = 8, .n_buckets = 2}, .id = 117},
	{.type = DWCP_NEXTHOP_NONE},
};

static void small_nexthop(struct table *t)
{
	static const u32 buckets[] = {1, 2, 3, 1, 0, 0, 0, 0, 2, 9};
	const u32 n = DWCP_ARRAY_LEN(small_nexthops), n_ids = 16;
	struct dwcp_id_entry *e;
	struct part *p;

	p = table_add(t, DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_nexthop),
		      n);
	memcpy(p->bytes, small_nexthops, sizeof(small_nexthops));
	p = table_add(t, DWCP_SECTION_NEXTHOP_BUCKET, DWCP_NEXTHOP_VERSION, sizeof(u32),
		      DWCP_ARRAY_LEN(buckets));
	memcpy(p->bytes, buckets, sizeof(buckets));
	p = table_add(t, DWCP_SECTION_NEXTHOP_ID, DWCP_NEXTHOP_VERSION,
		      sizeof(struct dwcp_id_entry), n_ids);
	e = (void *)p->bytes;
	for (u32 slot = 0; slot < n; slot++) {
		u32 id = small_nexthops[slot].id, at = dwcp_id_home(id, n_ids);

		while (id && e[at].id)
			at = (at + 1) % n_ids;
		if (id)
			e[at] = (struct dwcp_id_entry){.id = id, .slot = slot};
	}
}

/* Two levels below some direct entries; leaves repeat all slots. */
static void small_fib(struct table *t)
{
	const u32 n_slots = DWCP_ARRAY_LEN(small_nexthops), n_direct = 64 + 64 + 16, n_leaf = 24;
	struct dwcp_fib_root *root;
	struct dwcp_fib_node *node;
	u32 *direct, *leaf;

	root = (void *)table_add(t, DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, sizeof(*root), 3)
		       ->bytes;
	root[0] = (struct dwcp_fib_root){.vrf = 0, .family = 4, .direct_bits = 6, .direct_base = 0};
	root[1] =
		(struct dwcp_fib_root){.vrf = 0, .family = 6, .direct_bits = 6, .direct_base = 64};
	root[2] =
		(struct dwcp_fib_root){.vrf = 7, .family = 4, .direct_bits = 4, .direct_base = 128};
	direct = (void *)table_add(t, DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, sizeof(u32),
				   n_direct)
			 ->bytes;
	for (u32 i = 0; i < n_direct; i++)
		direct[i] = i % 23 == 5 ? DWCP_FIB_NODE | i % 3 : i % n_slots;
	node = (void *)table_add(t, DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, sizeof(*node), 6)
		       ->bytes;
	node[0] = (struct dwcp_fib_node){1ull << 3 | 1ull << 60, 1ull << 10 | 1ull << 63, 3, 0, 0};
	node[1] = (struct dwcp_fib_node){0, 0xaaaaaaaaaaaaaaaaull & 0xffff, 0, 3, 0};
	node[2] = (struct dwcp_fib_node){1ull << 63, 0, 5, 12, 0};
	node[3] = (struct dwcp_fib_node){1ull << 0, 1ull << 32, 5, 13, 0};
	node[4] = (struct dwcp_fib_node){0, 0xff00, 0, 15, 0};
	node[5] = (struct dwcp_fib_node){0, 0, 0, 23, 0};
	leaf = (void *)table_add(t, DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, sizeof(u32), n_leaf)
		       ->bytes;
	for (u32 i = 0; i < n_leaf; i++)
		leaf[i] = (i * 7 + 1) % n_slots;
}

void table_init_small(struct table *t)
{
	*t = (struct table){0};
	small_fib(t);
	small_nexthop(t);
}

void table_init_fib(struct table *t, const struct fib_builder *b, u32 chunk_bytes)
{
	static const u32 element[] = {sizeof(struct dwcp_fib_root), 4, sizeof(struct dwcp_fib_node),
				      4};

	*t = (struct table){0};
	for (u32 a = FIB_ROOT; a < FIB_N_ARRAYS; a++) {
		size_t len;
		const void *bytes = fib_builder_array(b, a, &len);
		struct part *p = table_add(t, (u16)(DWCP_SECTION_FIB_ROOT + a), DWCP_FIB_VERSION,
					   element[a], len / element[a]);

		memcpy(p->bytes, bytes, len);
		p->chunk_bytes = chunk_bytes;
	}
	small_nexthop(t);
}

u64 bytes_hash(const void *bytes, size_t len)
{
	u64 h = XXH3_64bits(bytes, len);

	return h ? h : 1;
}

int memfd_with(const void *bytes, size_t len, int seals)
{
	int fd = memfd_create("dwcp-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static u32 part_seal(const struct part *p, struct dwcp_segment_desc *desc, int *fds)
{
	u32 n = 0;

	for (u32 at = 0; at < p->len; at += p->chunk_bytes, n++) {
		u32 len = DWCP_MIN(p->len - at, p->chunk_bytes);

		fds[n] = memfd_with(p->bytes + at, len, ALL_SEALS);
		desc[n] = (struct dwcp_segment_desc){.id = bytes_hash(p->bytes + at, len),
						     .bytes = len,
						     .section = p->section};
	}
	return n;
}

void sealed_init(struct sealed *x, const struct table *t, u64 number)
{
	struct dwcp_section_desc *section;
	struct dwcp_segment_desc *seg;
	u32 n = 0;

	x->m = calloc(1, 2 * DWCP_MANIFEST_MAX_BYTES);
	x->fds = calloc(DWCP_MANIFEST_MAX_SEGMENTS, sizeof(int));
	assert_true(x->m && x->fds);
	section = (void *)(x->m + 1);
	seg = (void *)(section + t->n_parts);
	for (u32 i = 0; i < t->n_parts; i++) {
		const struct part *p = &t->part[i];
		u32 k = part_seal(p, seg + n, x->fds + n);

		section[i] = (struct dwcp_section_desc){
			.section = p->section,
			.version = p->version,
			.element_bytes = p->element_bytes,
			.n_elements = p->n_elements,
			.first_segment = n,
			.n_segments = k,
			.chunk_bytes = p->chunk_bytes,
		};
		n += k;
	}
	x->n = n;
	x->len = (size_t)((u8 *)(seg + n) - (u8 *)x->m);
	x->m->magic = DWCP_MANIFEST_MAGIC;
	x->m->version = DWCP_MANIFEST_VERSION;
	x->m->bytes = (u32)x->len;
	x->m->generation = number;
	x->m->ports_hash = SMALL_PORTS;
	x->m->n_sections = t->n_parts;
	x->m->n_segments = n;
	sealed_rehash(x);
}

void sealed_rehash(struct sealed *x)
{
	x->m->hash = 0;
	x->m->hash = bytes_hash(x->m, x->len);
}

void sealed_fini(struct sealed *x)
{
	for (u32 i = 0; i < x->n; i++)
		close(x->fds[i]);
	free(x->fds);
	free(x->m);
}

struct dwcp_section_desc *sealed_section(const struct sealed *x, u16 section)
{
	struct dwcp_section_desc *d = (void *)(x->m + 1);

	while (d->section != section)
		d++;
	return d;
}

struct dwcp_segment_desc *sealed_segments(const struct sealed *x)
{
	return (void *)((struct dwcp_section_desc *)(x->m + 1) + x->m->n_sections);
}

int sealed_stage(struct segment_set *s, const struct sealed *x, char *ret_reason)
{
	const struct dwcp_segment_desc *d = sealed_segments(x);

	for (u32 i = 0; i < x->n; i++) {
		int err = segment_set_stage(s, &d[i], dup(x->fds[i]), ret_reason);

		if (err)
			return err;
	}
	return 0;
}

int sealed_open(struct segment_set *s, const struct sealed *x,
		const struct generation_limits *limits, struct generation **ret_generation,
		char *ret_reason)
{
	int fd, err = sealed_stage(s, x, ret_reason);

	if (err)
		return err;
	fd = memfd_with(x->m, x->len, ALL_SEALS);
	err = generation_open(s, fd, limits, ret_generation, ret_reason);
	close(fd);
	return err;
}

struct segment_set *set_create_big(void)
{
	struct segment_set_cfg cfg = {.max_bytes = 1ull << 30,
				      .max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	struct segment_set *s = segment_set_create(&cfg);

	assert_non_null(s);
	return s;
}

bool reason_is(const char *reason, const char *token)
{
	size_t n = strlen(token);

	return strncmp(reason, token, n) == 0 && (reason[n] == '\0' || reason[n] == ' ');
}

u32 count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	u32 n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

u32 count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	u32 n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/memfd:dwcp") != NULL;
	fclose(f);
	return n;
}
