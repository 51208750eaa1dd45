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
	p->chunk_bytes = DWCP_MIN(p->len, DWCP_SEGMENT_MAX_BYTES);
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
	{.type = DWCP_NEXTHOP_FORWARD, .port = 0, .forward = {MACS, .vlan = {0}}, .id = 101},
	{.type = DWCP_NEXTHOP_FORWARD,
	 .n_tags = 1,
	 .port = 1,
	 .forward = {MACS, .vlan = {0x0081, 0x6400}},
	 .id = 102},
	{.type = DWCP_NEXTHOP_FORWARD,
	 .n_tags = 2,
	 .port = 2,
	 .forward = {MACS, .vlan = {0xa888, 0x0100, 0x0081, 0x0200}},
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

static void small_port_addr(struct table *t)
{
	static const struct dwcp_port_addr addrs[] = {
		{.addr4 = {192, 0, 2, 1},
		 .addr6 = {0x20, 1, 0xd, 0xb8, [15] = 1},
		 .link_local = {0xfe, 0x80, [15] = 1}},
		{.addr4 = {223, 255, 255, 254}},
		{.link_local = {0xfe, 0xbf, [15] = 2}},
	};
	struct part *p = table_add(t, DWCP_SECTION_PORT_ADDR, DWCP_PORT_ADDR_VERSION,
				   sizeof(addrs[0]), DWCP_ARRAY_LEN(addrs));

	memcpy(p->bytes, addrs, sizeof(addrs));
}

/* An element that continues at `index`, with runs that begin at slice 0 and at these slices. */
static u64 node_of(u64 where, u32 index, u32 slices)
{
	u64 runs = 1ull << 63;

	for (u32 v = 1; v < 32; v++)
		if (slices >> v & 1)
			runs |= 1ull << (63 - v);
	return runs | where | index;
}

#define IN_NODES(index, slices)	 node_of(0, index, slices)
#define IN_LEAVES(index, slices) node_of(DWCP_FIB_LEAVES, index, slices)
#define SLICE(v)		 (1u << (v))

/* Two levels of nodes and more, contents of both kinds, and one that leads round to itself: safe, if pointless. */
static void small_fib(struct table *t)
{
	const u32 n_slots = DWCP_ARRAY_LEN(small_nexthops), n_direct = 64 + 32 + 16;
	struct dwcp_fib_root *root;
	u64 *direct, *node;
	u32 *leaf;

	root = (void *)table_add(t, DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, sizeof(*root), 3)
		       ->bytes;
	root[0] = (struct dwcp_fib_root){.vrf = 0, .family = 4, .direct_bits = 6, .direct_base = 0};
	root[1] =
		(struct dwcp_fib_root){.vrf = 0, .family = 6, .direct_bits = 5, .direct_base = 64};
	root[2] =
		(struct dwcp_fib_root){.vrf = 7, .family = 4, .direct_bits = 4, .direct_base = 96};
	direct = (void *)table_add(t, DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, sizeof(u64),
				   n_direct)
			 ->bytes;
	node = (void *)table_add(t, DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, sizeof(u64),
				 SMALL_N_NODE)
		       ->bytes;
	leaf = (void *)table_add(t, DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, sizeof(u32),
				 SMALL_N_LEAF)
		       ->bytes;
	for (u32 i = 0; i < n_direct; i++)
		direct[i] = i % n_slots;
	for (u32 i = 5; i < n_direct; i += 23)
		direct[i] = IN_NODES(1, SLICE(3) | SLICE(4) | SLICE(30) | SLICE(31));
	direct[63] = IN_LEAVES(1, SLICE(31));
	direct[95] = IN_LEAVES(SMALL_N_LEAF - 32, UINT32_MAX);
	direct[111] = IN_NODES(SMALL_N_NODE - 1, 0);
	node[1] = 4;
	node[2] = IN_LEAVES(3, SLICE(1) | SLICE(15) | SLICE(16));
	node[3] = 10;
	node[4] = IN_NODES(6, SLICE(8));
	node[5] = IN_NODES(8, SLICE(1) | SLICE(2));
	node[6] = 9;
	node[7] = IN_LEAVES(7, SLICE(20));
	node[8] = 1;
	node[9] = IN_NODES(8, SLICE(1) | SLICE(2)); /* itself */
	node[10] = 8;
	for (u32 i = 0; i < SMALL_N_LEAF; i++)
		leaf[i] = (i * 7 + 1) % n_slots;
}

void table_init_small(struct table *t)
{
	*t = (struct table){0};
	small_fib(t);
	small_nexthop(t);
	small_port_addr(t);
}

void table_init_fib(struct table *t, const struct fib_builder *b, u32 chunk_bytes)
{
	static const u32 element[] = {sizeof(struct dwcp_fib_root), sizeof(u64), sizeof(u64),
				      sizeof(u32)};

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
