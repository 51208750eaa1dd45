/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refusal_rows.c - see refusal_rows.h. Contents and manifests; fds and files are in refusal_fds.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "refusal_fds.h"
#include "refusal_rows.h"

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* ---- contents ------------------------------------------------------------------------------- */

static struct dwcp_nexthop *nexthop(struct table *t, u32 slot)
{
	return part_at(table_part(t, DWCP_SECTION_NEXTHOP), slot);
}

static u32 *bucket(struct table *t, u32 i)
{
	return part_at(table_part(t, DWCP_SECTION_NEXTHOP_BUCKET), i);
}

static struct dwcp_id_entry *ids(struct table *t)
{
	return part_at(table_part(t, DWCP_SECTION_NEXTHOP_ID), 0);
}

static struct dwcp_id_entry *id_entry(struct table *t, u32 id)
{
	struct dwcp_id_entry *e = ids(t);

	while (e->id != id)
		e++;
	return e;
}

static void root_family(struct table *t)
{
	((struct dwcp_fib_root *)part_at(table_part(t, DWCP_SECTION_FIB_ROOT), 2))->family = 5;
}

static u64 *node(struct table *t, u32 i)
{
	return part_at(table_part(t, DWCP_SECTION_FIB_NODE), i);
}

static u64 *direct(struct table *t, u32 i)
{
	return part_at(table_part(t, DWCP_SECTION_FIB_DIRECT), i);
}

static void node_slot_large(struct table *t)
{
	*node(t, 1) = 1ull << 31;
}

static void direct_slot(struct table *t)
{
	*direct(t, 0) = 12;
}

static void direct_node(struct table *t)
{
	*direct(t, 111) = DWCP_FIB_NODE | SMALL_N_NODE;
}

static void leaf_slot(struct table *t)
{
	*(u32 *)part_at(table_part(t, DWCP_SECTION_FIB_LEAF), SMALL_N_LEAF - 1) = 12;
}

static void node_leaf(struct table *t)
{
	*node(t, 7) = DWCP_FIB_NODE | 1ull << 40 | DWCP_FIB_LEAVES | (SMALL_N_LEAF - 1);
}

static void node_child(struct table *t)
{
	*node(t, 9) = DWCP_FIB_NODE | 1ull << 32 | (SMALL_N_NODE - 1);
}

static void root_range(struct table *t)
{
	((struct dwcp_fib_root *)part_at(table_part(t, DWCP_SECTION_FIB_ROOT), 2))->direct_base =
		129;
}

static void leaf_tail(struct table *t)
{
	*(u32 *)part_at(table_part(t, DWCP_SECTION_FIB_LEAF), SMALL_N_LEAF) = 1;
}

static void nexthop_tail(struct table *t)
{
	*nexthop(t, 127) = (struct dwcp_nexthop){.type = DWCP_NEXTHOP_BLACKHOLE};
}

static void nh_type(struct table *t)
{
	nexthop(t, 11)->type = DWCP_NEXTHOP_N_TYPES;
}

static void nh_flags(struct table *t)
{
	nexthop(t, 1)->flags = DWCP_NEXTHOP_FAILED; /* of an unresolved one only */
}

static void nh_flags_unknown(struct table *t)
{
	nexthop(t, 2)->flags = 0x100;
}

static void nh_mtu(struct table *t)
{
	nexthop(t, 1)->mtu = 67;
}

static void nh_blackhole_port(struct table *t)
{
	nexthop(t, 5)->port = 1;
}

static void nh_none_mac(struct table *t)
{
	nexthop(t, 11)->forward.dst_mac[5] = 1;
}

static void nh_prohibit_tags(struct table *t)
{
	nexthop(t, 7)->n_tags = 1;
}

static void nh_local_tags(struct table *t)
{
	nexthop(t, 8)->n_tags = 1;
}

static void nh_local_mac(struct table *t)
{
	nexthop(t, 8)->forward.src_mac[0] = 2;
}

static void nh_unresolved_dst(struct table *t)
{
	nexthop(t, 9)->forward.dst_mac[3] = 1;
}

static void nh_group_reserved(struct table *t)
{
	nexthop(t, 4)->group.reserved[2] = 1;
}

static void nh_group_port(struct table *t)
{
	nexthop(t, 4)->port = 1;
}

static void nh_forward_vlan(struct table *t)
{
	nexthop(t, 2)->forward.vlan[3] = 1;
}

static void nh_dst_multicast(struct table *t)
{
	nexthop(t, 1)->forward.dst_mac[0] = 3;
}

static void nh_dst_zero(struct table *t)
{
	memset(nexthop(t, 1)->forward.dst_mac, 0, 6);
}

static void nh_src_multicast(struct table *t)
{
	nexthop(t, 1)->forward.src_mac[0] = 0xff;
}

static void nh_tags(struct table *t)
{
	nexthop(t, 3)->n_tags = 3;
}

static void nh_tpid(struct table *t)
{
	nexthop(t, 3)->forward.vlan[2] = 0x0008;
}

static void nh_tpid_outer(struct table *t)
{
	nexthop(t, 2)->forward.vlan[0] = 0x8100; /* host order by mistake */
}

static void nh_buckets_odd(struct table *t)
{
	nexthop(t, 4)->group.n_buckets = 3;
}

static void nh_buckets_none(struct table *t)
{
	nexthop(t, 4)->group.n_buckets = 0;
}

static void nh_buckets_many(struct table *t)
{
	nexthop(t, 4)->group.n_buckets = 1u << 17;
}

static void nh_zero_type(struct table *t)
{
	nexthop(t, 0)->type = DWCP_NEXTHOP_BLACKHOLE;
}

static void nh_zero_id(struct table *t)
{
	nexthop(t, 0)->id = 200;
}

static void nh_port(struct table *t)
{
	nexthop(t, 8)->port = SMALL_N_PORTS;
}

static void holes_filled(struct table *t)
{
	for (u32 i = 4; i < 8; i++)
		*bucket(t, i) = 1;
}

static void nh_range(struct table *t)
{
	holes_filled(t);
	nexthop(t, 10)->group.first_bucket = 9;
}

static void nh_range_wraps(struct table *t)
{
	nexthop(t, 10)->group.first_bucket = UINT32_MAX;
}

static void bucket_slot(struct table *t)
{
	*bucket(t, 1) = 20; /* past the last, inside the page */
}

static void bucket_slot_far(struct table *t)
{
	*bucket(t, 1) = UINT32_MAX;
}

static void bucket_nested(struct table *t)
{
	*bucket(t, 9) = 4;
}

static void bucket_itself(struct table *t)
{
	*bucket(t, 0) = 4;
}

static void bucket_empty(struct table *t)
{
	*bucket(t, 3) = 0;
}

/* A group that reaches into a hole it doesn't begin in. */
static void bucket_hole(struct table *t)
{
	nexthop(t, 4)->group.first_bucket = 2;
}

/* One id left, where a lookup in 6 entries finds it. */
static void id_size(struct table *t)
{
	u32 id = 1;

	while (dwcp_id_home(id, 6) != 0)
		id++;
	for (u32 slot = 0; slot < 12; slot++)
		nexthop(t, slot)->id = 0;
	memset(ids(t), 0, 16 * sizeof(struct dwcp_id_entry));
	nexthop(t, 1)->id = id;
	ids(t)[0] = (struct dwcp_id_entry){.id = id, .slot = 1};
	table_part(t, DWCP_SECTION_NEXTHOP_ID)->n_elements = 6;
}

static void id_slot(struct table *t)
{
	id_entry(t, 101)->slot = 2;
}

static void id_slot_far(struct table *t)
{
	id_entry(t, 101)->slot = 1u << 30;
}

static void id_slot_zero(struct table *t)
{
	id_entry(t, 101)->slot = 0;
}

/* An entry behind a free one: lookups stop before it. */
static void id_probe(struct table *t)
{
	struct dwcp_id_entry *e = ids(t), *from = id_entry(t, 117);
	u32 at = (dwcp_id_home(117, 16) + 1) % 16;

	*from = (struct dwcp_id_entry){0};
	for (;; at = (at + 1) % 16) {
		u32 before = (at + 15) % 16;

		if (e[at].id == 0 && e[before].id == 0 && at != dwcp_id_home(117, 16))
			break;
	}
	e[at] = (struct dwcp_id_entry){.id = 117, .slot = 10};
}

/* The same id twice; another one is missing for it. */
static void id_twice(struct table *t)
{
	*id_entry(t, 105) = *id_entry(t, 101);
}

/* Two next hops with one id. */
static void id_shared(struct table *t)
{
	nexthop(t, 2)->id = 101;
	*id_entry(t, 102) = (struct dwcp_id_entry){.id = 101, .slot = 2};
}

static void id_count(struct table *t)
{
	nexthop(t, 7)->id = 107;
}

static void id_absent(struct table *t)
{
	struct part *p = table_part(t, DWCP_SECTION_NEXTHOP_ID);

	free(p->bytes);
	*p = t->part[--t->n_parts]; /* the last one closes the gap */
}

static struct dwcp_port_addr *port_addr(struct table *t, u32 port)
{
	return part_at(table_part(t, DWCP_SECTION_PORT_ADDR), port);
}

static void pa_ip4(struct table *t, u32 addr)
{
	u8 bytes[4] = {(u8)(addr >> 24), (u8)(addr >> 16), (u8)(addr >> 8), (u8)addr};

	memcpy(port_addr(t, 0)->addr4, bytes, sizeof(bytes));
}

static void pa_ip4_zero_net(struct table *t)
{
	pa_ip4(t, 0x00000001);
}

static void pa_ip4_loopback(struct table *t)
{
	pa_ip4(t, 0x7f000001);
}

static void pa_ip4_link_local(struct table *t)
{
	pa_ip4(t, 0xa9fe0001);
}

static void pa_ip4_group(struct table *t)
{
	pa_ip4(t, 0xe0000001);
}

static void pa_ip4_broadcast(struct table *t)
{
	pa_ip4(t, 0xffffffff);
}

static void pa_ip6_loopback(struct table *t)
{
	memset(port_addr(t, 1)->addr6, 0, 16);
	port_addr(t, 1)->addr6[15] = 1;
}

static void pa_ip6_mapped(struct table *t)
{
	static const u8 mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};

	memcpy(port_addr(t, 1)->addr6, mapped, sizeof(mapped));
}

static void pa_ip6_link_local(struct table *t)
{
	memcpy(port_addr(t, 0)->addr6, port_addr(t, 0)->link_local, 16);
}

static void pa_ip6_group(struct table *t)
{
	port_addr(t, 0)->addr6[0] = 0xff;
}

static void pa_link_global(struct table *t)
{
	port_addr(t, 2)->link_local[1] = 0xc0; /* one past fe80::/10 */
}

static void pa_link_late(struct table *t)
{
	memset(port_addr(t, 2)->link_local, 0, 15); /* not 0, and nothing in front */
}

static void pa_reserved0(struct table *t)
{
	port_addr(t, 1)->reserved0[11] = 1;
}

static void pa_reserved1(struct table *t)
{
	port_addr(t, 1)->reserved1[2] = 1;
}

static void pa_flags(struct table *t)
{
	port_addr(t, 1)->flags = 1;
}

static void pa_count(struct table *t)
{
	table_part(t, DWCP_SECTION_PORT_ADDR)->n_elements = SMALL_N_PORTS + 1;
}

static void pa_tail(struct table *t)
{
	*port_addr(t, 3) = *port_addr(t, 1);
}

/* ---- manifest ------------------------------------------------------------------------------- */

static void m_magic(struct sealed *x)
{
	x->m->magic++;
}

static void m_version(struct sealed *x)
{
	x->m->version = 2;
}

static void m_length(struct sealed *x)
{
	x->len += 8;
	x->m->bytes += 8;
}

static void m_short(struct sealed *x)
{
	x->len = sizeof(*x->m) - 1;
}

static void m_empty(struct sealed *x)
{
	x->len = 0;
}

static void m_cut(struct sealed *x)
{
	x->len -= 16;
	x->m->bytes -= 16;
}

static void m_many_sections(struct sealed *x)
{
	x->m->n_sections = UINT32_MAX;
}

static void m_many_segments(struct sealed *x)
{
	x->m->n_segments = UINT32_MAX;
}

static void m_bytes(struct sealed *x)
{
	x->m->bytes++;
}

static void m_hash(struct sealed *x)
{
	x->m->hash++;
}

static void m_created(struct sealed *x)
{
	x->m->created_unix_ns++;
}

static void m_number(struct sealed *x)
{
	x->m->generation = 0;
}

static void m_reserved(struct sealed *x)
{
	x->m->reserved[2] = 1;
}

static void m_ports(struct sealed *x)
{
	x->m->ports_hash++;
}

/* More room in the lists: sections first, so the segments move up. */
static struct dwcp_section_desc *section_insert(struct sealed *x, u16 section)
{
	struct dwcp_section_desc *d = (void *)sealed_segments(x);

	memmove(d + 1, d, x->m->n_segments * sizeof(struct dwcp_segment_desc));
	*d = (struct dwcp_section_desc){.section = section, .first_segment = x->m->n_segments};
	x->m->n_sections++;
	x->len += sizeof(*d);
	x->m->bytes = (u32)x->len;
	return d;
}

static void m_section_unknown(struct sealed *x)
{
	section_insert(x, 40);
}

static void m_section_none(struct sealed *x)
{
	section_insert(x, DWCP_SECTION_NONE);
}

static void m_section_n(struct sealed *x)
{
	section_insert(x, DWCP_SECTION_N);
}

static void m_section_not_read(struct sealed *x)
{
	section_insert(x, DWCP_SECTION_VIP);
}

static void m_section_limits(struct sealed *x)
{
	struct dwcp_section_desc *d = section_insert(x, DWCP_SECTION_LIMITS);

	d->version = DWCP_LIMITS_VERSION;
	d->element_bytes = sizeof(struct dwcp_limits);
}

/* An empty list of roots behind the first one. */
static void m_section_twice(struct sealed *x)
{
	struct dwcp_section_desc *d = section_insert(x, DWCP_SECTION_FIB_ROOT);

	d->version = DWCP_FIB_VERSION;
	d->element_bytes = sizeof(struct dwcp_fib_root);
}

static void m_section_version(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_NEXTHOP)->version = 2;
}

static void m_section_version_zero(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_NODE)->version = 0;
}

static void m_element_bytes(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->element_bytes = 8;
}

static void m_element_zero(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->element_bytes = 0;
}

static void m_section_reserved(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->reserved = 1;
}

static void m_chunk_odd(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->chunk_bytes = 4097;
}

static void m_chunk_large(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->chunk_bytes = 2 * DWCP_SEGMENT_MAX_BYTES;
}

static void m_tiling_swapped(struct sealed *x)
{
	struct dwcp_section_desc *d = (void *)(x->m + 1), first = d[0];

	d[0] = d[1];
	d[1] = first;
}

static void m_tiling_far(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_ROOT)->first_segment = UINT32_MAX;
}

static void m_tiling_long(struct sealed *x)
{
	struct dwcp_section_desc *d = sealed_section(x, DWCP_SECTION_NEXTHOP_ID);

	d->n_segments = UINT32_MAX;
}

static void m_tiling_left_over(struct sealed *x)
{
	struct dwcp_segment_desc *seg = sealed_segments(x);

	seg[x->m->n_segments] = seg[0];
	x->m->n_segments++;
	x->len += sizeof(*seg);
	x->m->bytes = (u32)x->len;
}

static void m_count_large(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->n_elements = 1025;
}

static void m_count_none(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->n_elements = 0;
}

static void m_count_wraps(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->n_elements = (1ull << 62) + 24;
}

/* An empty section that says it isn't: the last one, its segment given up. */
static void m_count_unbacked(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_NEXTHOP_ID)->n_segments = 0;
	x->m->n_segments--;
	x->len -= sizeof(struct dwcp_segment_desc);
	x->m->bytes = (u32)x->len;
}

/* Without roots nothing is looked up, so the rest still fits. */
static void m_missing(struct sealed *x)
{
	struct dwcp_section_desc *d = (void *)(x->m + 1);
	u8 *seg = (u8 *)sealed_segments(x);
	size_t tail = (size_t)((u8 *)x->m + x->len - seg) - sizeof(struct dwcp_segment_desc);

	memmove(d, d + 1, (x->m->n_sections - 1) * sizeof(*d));
	memmove(seg - sizeof(*d), seg + sizeof(struct dwcp_segment_desc), tail);
	x->m->n_sections--;
	x->m->n_segments--;
	for (u32 i = 0; i < x->m->n_sections; i++)
		d[i].first_segment--;
	x->len -= sizeof(*d) + sizeof(struct dwcp_segment_desc);
	x->m->bytes = (u32)x->len;
}

static void m_segment_section(struct sealed *x)
{
	sealed_segments(x)[SMALL_LEAF_SEGMENT].section = DWCP_SECTION_FIB_DIRECT;
}

static void m_segment_flags(struct sealed *x)
{
	sealed_segments(x)[SMALL_LEAF_SEGMENT].flags = 1;
}

static void m_segment_chunk(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->chunk_bytes = 0;
}

static void m_segment_held(struct sealed *x)
{
	sealed_section(x, DWCP_SECTION_FIB_LEAF)->chunk_bytes = 8192;
	sealed_segments(x)[SMALL_LEAF_SEGMENT].bytes = 8192;
}

static void m_segment_odd(struct sealed *x)
{
	sealed_segments(x)[SMALL_LEAF_SEGMENT].bytes = 2048;
}

static void m_segment_zero(struct sealed *x)
{
	sealed_segments(x)[SMALL_LEAF_SEGMENT].bytes = 0;
}

/* The leaves' segment named so often that there are too many. */
static void m_segments(struct sealed *x)
{
	u32 more = DWCP_MANIFEST_MAX_SEGMENTS + 1 - x->m->n_segments,
	    behind = x->m->n_segments - SMALL_LEAF_SEGMENT - 1;
	struct dwcp_segment_desc *seg = sealed_segments(x), leaf = seg[SMALL_LEAF_SEGMENT];
	struct dwcp_section_desc *d = sealed_section(x, DWCP_SECTION_FIB_LEAF);

	seg += SMALL_LEAF_SEGMENT + 1;
	memmove(seg + more, seg, behind * sizeof(*seg));
	for (u32 i = 0; i < more; i++)
		seg[i] = leaf;
	d->n_segments += more;
	d->n_elements = (u64)d->n_segments * 1024;
	for (u16 s = DWCP_SECTION_NEXTHOP; s <= DWCP_SECTION_NEXTHOP_ID; s++)
		sealed_section(x, s)->first_segment += more;
	sealed_section(x, DWCP_SECTION_PORT_ADDR)->first_segment += more;
	x->m->n_segments += more;
	x->len += more * sizeof(*seg);
	x->m->bytes = (u32)x->len;
}

static int run_manifest_check(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	/* exactly as long as it is, so that a read past its end is seen */
	void *copy = malloc(x->len);
	const char *why;

	memcpy(copy, x->m, x->len);
	why = manifest_check(copy, x->len);
	free(copy);
	if (!why)
		return 0;
	strncpy(ret_reason, why, GENERATION_REASON_MAX - 1);
	return -EINVAL;
}

/* ---- caps ----------------------------------------------------------------------------------- */

static int run_in(const struct segment_set_cfg *cfg, struct sealed *x, char *ret_reason)
{
	struct segment_set *s = segment_set_create(cfg);
	struct generation *g = NULL;
	int err = sealed_open(s, x, &small_limits, &g, ret_reason);

	generation_close(g);
	segment_set_free(s);
	return err;
}

static int run_cap_bytes(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct segment_set_cfg cfg = {.max_bytes = SMALL_BYTES - 1, .max_segments = 100};
	int err;

	s = segment_set_create(&cfg); /* only staged: an open one has a cap of its own */
	err = sealed_stage(s, x, ret_reason);
	segment_set_free(s);
	return err;
}

static int run_cap_segments(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct segment_set_cfg cfg = {.max_bytes = 1 << 20, .max_segments = SMALL_N_SEGMENTS - 1};

	return run_in(&cfg, x, ret_reason);
}

/* Both halves of the leaves are equal: held once, mapped twice. */
static void leaf_repeated(struct table *t)
{
	struct part *p = table_part(t, DWCP_SECTION_FIB_LEAF);

	p->bytes = realloc(p->bytes, 8192);
	assert_non_null(p->bytes);
	memcpy(p->bytes + 4096, p->bytes, 4096);
	p->len = 8192;
	p->chunk_bytes = 4096;
	p->n_elements = 2048;
}

static int run_cap_mapped(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct segment_set_cfg cfg = {.max_bytes = SMALL_BYTES, .max_segments = 100};

	return run_in(&cfg, x, ret_reason);
}

const struct refusal_row refusal_rows[] = {
	{GEN_FIB_CHUNK, "root of family 5", .table = root_family},
	{GEN_FIB_CHUNK, "slot of 32 bits", .table = node_slot_large},
	{GEN_FIB_FACTS, "direct entry past the next hops", .table = direct_slot},
	{GEN_FIB_FACTS, "direct entry past the nodes", .table = direct_node},
	{GEN_FIB_FACTS, "leaf past the next hops", .table = leaf_slot},
	{GEN_FIB_FACTS, "node past the leaves", .table = node_leaf},
	{GEN_FIB_FACTS, "node past the nodes", .table = node_child},
	{GEN_FIB_FACTS, "root past the direct entries", .table = root_range},
	{GEN_SECTION_TAIL, "a leaf behind the last", .table = leaf_tail},
	{GEN_SECTION_TAIL, "a next hop behind the last", .table = nexthop_tail},
	{GEN_NEXTHOP_TYPE, "type 8", .table = nh_type},
	{GEN_NEXTHOP_FLAGS, "failed, but resolved", .table = nh_flags},
	{GEN_NEXTHOP_FLAGS, "unknown flag", .table = nh_flags_unknown},
	{GEN_NEXTHOP_MTU, "MTU 67", .table = nh_mtu},
	{GEN_NEXTHOP_UNUSED, "blackhole with a port", .table = nh_blackhole_port},
	{GEN_NEXTHOP_UNUSED, "no route with a MAC", .table = nh_none_mac},
	{GEN_NEXTHOP_UNUSED, "prohibit with tags", .table = nh_prohibit_tags},
	{GEN_NEXTHOP_UNUSED, "local with tags", .table = nh_local_tags},
	{GEN_NEXTHOP_UNUSED, "local with a MAC", .table = nh_local_mac},
	{GEN_NEXTHOP_UNUSED, "unresolved with a destination", .table = nh_unresolved_dst},
	{GEN_NEXTHOP_UNUSED, "group with reserved bits", .table = nh_group_reserved},
	{GEN_NEXTHOP_UNUSED, "group with a port", .table = nh_group_port},
	{GEN_NEXTHOP_UNUSED, "tag behind the last", .table = nh_forward_vlan},
	{GEN_NEXTHOP_DST, "multicast destination", .table = nh_dst_multicast},
	{GEN_NEXTHOP_DST, "zero destination", .table = nh_dst_zero},
	{GEN_NEXTHOP_SRC, "multicast source", .table = nh_src_multicast},
	{GEN_NEXTHOP_TAGS, "three tags", .table = nh_tags},
	{GEN_NEXTHOP_TPID, "inner TPID 0x0800", .table = nh_tpid},
	{GEN_NEXTHOP_TPID, "TPID in host order", .table = nh_tpid_outer},
	{GEN_NEXTHOP_BUCKETS, "3 buckets", .table = nh_buckets_odd},
	{GEN_NEXTHOP_BUCKETS, "0 buckets", .table = nh_buckets_none},
	{GEN_NEXTHOP_BUCKETS, "131072 buckets", .table = nh_buckets_many, .refuse_only = true},
	{GEN_NEXTHOP_ZERO, "slot 0 is a blackhole", .table = nh_zero_type},
	{GEN_NEXTHOP_ZERO, "slot 0 has an id", .table = nh_zero_id, .refuse_only = true},
	{GEN_NEXTHOP_PORT, "port 4 of 4", .table = nh_port},
	{GEN_NEXTHOP_RANGE, "group one past the buckets", .table = nh_range},
	{GEN_NEXTHOP_RANGE, "group at 2^32 - 1", .table = nh_range_wraps, .refuse_only = true},
	{GEN_BUCKET_SLOT, "bucket past the next hops", .table = bucket_slot},
	{GEN_BUCKET_SLOT, "bucket at 2^32 - 1", .table = bucket_slot_far, .refuse_only = true},
	{GEN_BUCKET_NESTED, "group in a group", .table = bucket_nested},
	{GEN_BUCKET_NESTED, "group in itself", .table = bucket_itself},
	{GEN_BUCKET_EMPTY, "bucket without a route", .table = bucket_empty},
	{GEN_BUCKET_EMPTY, "group over a hole", .table = bucket_hole},
	{GEN_ID_SIZE, "6 id entries", .table = id_size},
	{GEN_ID_SLOT, "id of another slot", .table = id_slot},
	{GEN_ID_SLOT, "slot 2^30", .table = id_slot_far, .refuse_only = true},
	{GEN_ID_SLOT, "slot 0", .table = id_slot_zero},
	{GEN_ID_PROBE, "entry behind a gap", .table = id_probe},
	{GEN_ID_PROBE, "an id twice", .table = id_twice},
	{GEN_ID_PROBE, "two next hops of one id", .table = id_shared},
	{GEN_ID_COUNT, "next hop without entry", .table = id_count},
	{GEN_ID_COUNT, "no id table", .table = id_absent},
	{GEN_PORT_ADDR_IP4, "0.0.0.1", .table = pa_ip4_zero_net},
	{GEN_PORT_ADDR_IP4, "127.0.0.1", .table = pa_ip4_loopback},
	{GEN_PORT_ADDR_IP4, "169.254.0.1", .table = pa_ip4_link_local},
	{GEN_PORT_ADDR_IP4, "224.0.0.1", .table = pa_ip4_group},
	{GEN_PORT_ADDR_IP4, "broadcast", .table = pa_ip4_broadcast},
	{GEN_PORT_ADDR_IP6, "::1", .table = pa_ip6_loopback},
	{GEN_PORT_ADDR_IP6, "IPv4-mapped", .table = pa_ip6_mapped},
	{GEN_PORT_ADDR_IP6, "link-local as the other kind", .table = pa_ip6_link_local},
	{GEN_PORT_ADDR_IP6, "a group", .table = pa_ip6_group},
	{GEN_PORT_ADDR_LINK, "fec0::/10", .table = pa_link_global},
	{GEN_PORT_ADDR_LINK, "::2", .table = pa_link_late},
	{GEN_PORT_ADDR_UNUSED, "reserved bytes", .table = pa_reserved0},
	{GEN_PORT_ADDR_UNUSED, "reserved words", .table = pa_reserved1},
	{GEN_PORT_ADDR_UNUSED, "flags", .table = pa_flags},
	{GEN_PORT_ADDR_COUNT, "5 of 4 ports", .table = pa_count},
	{GEN_SECTION_TAIL, "an address behind the last", .table = pa_tail},

	{GEN_MANIFEST_MAGIC, "magic", .manifest = m_magic},
	{GEN_MANIFEST_VERSION, "version 2", .manifest = m_version},
	{GEN_MANIFEST_LENGTH, "8 bytes behind", .manifest = m_length},
	{GEN_MANIFEST_LENGTH, "shorter than its header", .manifest = m_short, .raw = true,
	 .refuse_only = true},
	{GEN_MANIFEST_LENGTH, "empty", .manifest = m_empty, .raw = true, .refuse_only = true},
	{GEN_MANIFEST_LENGTH, "a segment short", .manifest = m_cut, .refuse_only = true},
	{GEN_MANIFEST_LENGTH, "2^32 - 1 sections", .manifest = m_many_sections,
	 .refuse_only = true},
	{GEN_MANIFEST_LENGTH, "2^32 - 1 segments", .manifest = m_many_segments,
	 .refuse_only = true},
	{GEN_MANIFEST_BYTES, "length field", .manifest = m_bytes},
	{GEN_MANIFEST_HASH, "hash", .manifest = m_hash, .raw = true},
	{GEN_MANIFEST_HASH, "a changed field", .manifest = m_created, .raw = true},
	{GEN_MANIFEST_NUMBER, "generation 0", .manifest = m_number},
	{GEN_MANIFEST_RESERVED, "reserved field", .manifest = m_reserved},
	{GEN_MANIFEST_SEGMENTS, "8193 segments", .manifest = m_segments},
	{GEN_MANIFEST_TILING, "a segment too many", .manifest = m_tiling_left_over,
	 .run = run_manifest_check},
	{GEN_GENERATION_PORTS, "other ports", .manifest = m_ports},
	{GEN_SECTION_UNKNOWN, "section 40", .manifest = m_section_unknown},
	{GEN_SECTION_UNKNOWN, "section 0", .manifest = m_section_none},
	{GEN_SECTION_UNKNOWN, "first free section", .manifest = m_section_n},
	{GEN_SECTION_NOT_READ, "vip", .manifest = m_section_not_read},
	{GEN_SECTION_NOT_READ, "limits", .manifest = m_section_limits, .refuse_only = true},
	{GEN_SECTION_DUPLICATE, "roots twice", .manifest = m_section_twice},
	{GEN_SECTION_VERSION, "version 2", .manifest = m_section_version},
	{GEN_SECTION_VERSION, "version 0", .manifest = m_section_version_zero},
	{GEN_SECTION_ELEMENT, "8-byte leaves", .manifest = m_element_bytes},
	{GEN_SECTION_ELEMENT, "0-byte leaves", .manifest = m_element_zero, .refuse_only = true},
	{GEN_SECTION_RESERVED, "reserved field", .manifest = m_section_reserved},
	{GEN_SECTION_CHUNK, "4097 bytes", .manifest = m_chunk_odd},
	{GEN_SECTION_CHUNK, "4 MB", .manifest = m_chunk_large},
	{GEN_SECTION_TILING, "out of order", .manifest = m_tiling_swapped},
	{GEN_SECTION_TILING, "past the list", .manifest = m_tiling_far, .refuse_only = true},
	{GEN_SECTION_TILING, "2^32 - 1 segments", .manifest = m_tiling_long, .refuse_only = true},
	{GEN_SECTION_COUNT, "1025 leaves in 4 kB", .manifest = m_count_large},
	{GEN_SECTION_COUNT, "no leaf in 4 kB", .manifest = m_count_none, .refuse_only = true},
	{GEN_SECTION_COUNT, "2^62 leaves", .manifest = m_count_wraps, .refuse_only = true},
	{GEN_SECTION_COUNT, "ids without a segment", .manifest = m_count_unbacked,
	 .refuse_only = true},
	{GEN_SECTION_MISSING, "no roots", .manifest = m_missing},
	{GEN_SEGMENT_SECTION, "named by another section", .manifest = m_segment_section},
	{GEN_SEGMENT_FLAGS, "flags", .manifest = m_segment_flags},
	{GEN_SEGMENT_CHUNK, "longer than a chunk", .manifest = m_segment_chunk},
	{GEN_SEGMENT_HELD, "8 kB named, 4 kB held", .manifest = m_segment_held},
	{GEN_SEGMENT_ALIGN, "2048 bytes", .manifest = m_segment_odd, .run = run_manifest_check},
	{GEN_SEGMENT_ALIGN, "0 bytes", .manifest = m_segment_zero, .run = run_manifest_check,
	 .refuse_only = true},

	{GEN_SET_BYTES, "a byte too many", .run = run_cap_bytes, .err = -ENOSPC},
	{GEN_SET_SEGMENTS, "a segment too many", .run = run_cap_segments, .err = -ENOSPC},
	{GEN_GENERATION_BYTES, "a segment mapped twice", .table = leaf_repeated,
	 .run = run_cap_mapped, .err = -ENOSPC},

	{GEN_MEMFD_KIND, "segment: file", .run = run_segment_file},
	{GEN_MEMFD_KIND, "segment: pipe", .run = run_segment_pipe, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: socket", .run = run_segment_socket, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: device", .run = run_segment_device, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: directory", .run = run_segment_directory, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: O_PATH", .run = run_segment_path, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: closed fd", .run = run_segment_closed, .refuse_only = true},
	{GEN_MEMFD_KIND, "segment: eventfd", .run = run_segment_eventfd, .refuse_only = true},
	{GEN_MEMFD_KIND, "manifest: file", .run = run_manifest_file},
	{GEN_MEMFD_KIND, "manifest: pipe", .run = run_manifest_pipe, .refuse_only = true},
	{GEN_MEMFD_SEALS, "segment: may be written", .run = run_segment_no_write},
	{GEN_MEMFD_SEALS, "segment: may shrink", .run = run_segment_no_shrink},
	{GEN_MEMFD_SEALS, "segment: may grow", .run = run_segment_no_grow},
	{GEN_MEMFD_SEALS, "segment: only future writes", .run = run_segment_future},
	{GEN_MEMFD_SEALS, "segment: file in shared memory", .run = run_segment_shm},
	{GEN_MEMFD_SEALS, "manifest: may be written", .run = run_manifest_no_write},
	{GEN_MEMFD_SEALS, "manifest: may shrink", .run = run_manifest_no_shrink},
	{GEN_MEMFD_SEALS, "manifest: may grow", .run = run_manifest_no_grow},
	{GEN_MANIFEST_SIZE, "more than 1 MB", .run = run_manifest_size, .guard = true},
	{GEN_SEGMENT_SIZE, "longer than announced", .run = run_segment_longer},
	{GEN_SEGMENT_SIZE, "shorter than announced", .run = run_segment_shorter,
	 .refuse_only = true},
	{GEN_SEGMENT_SIZE, "empty", .run = run_segment_empty, .refuse_only = true},
	{GEN_SEGMENT_ALIGN, "100 bytes sent", .run = run_segment_odd},
	{GEN_SEGMENT_ALIGN, "0 bytes sent", .run = run_segment_zero, .refuse_only = true},
	{GEN_SEGMENT_MAX, "4 MB sent", .run = run_segment_max},
	{GEN_SEGMENT_HASH, "other bytes", .run = run_segment_hash},
	{GEN_SEGMENT_FLAGS, "flags sent", .run = run_segment_flags},
	{GEN_SEGMENT_HELD, "held, other length sent", .run = run_segment_held},
	{GEN_SECTION_UNKNOWN, "section 40 sent", .run = run_segment_unknown},
	{GEN_SECTION_NOT_READ, "vip sent", .run = run_segment_not_read},

	{GEN_FILE_KIND, "directory", .run = run_file_directory, .guard = true},
	{GEN_FILE_KIND, "pipe without a writer", .run = run_file_fifo, .guard = true},
	{GEN_FILE_SIZE, "4 kB behind", .run = run_file_longer},
	{GEN_FILE_SIZE, "a byte short", .run = run_file_shorter, .refuse_only = true},
	{GEN_FILE_SIZE, "cut in the header", .run = run_file_header, .refuse_only = true},
	{GEN_FILE_SIZE, "empty", .run = run_file_empty, .refuse_only = true},
	{GEN_FILE_PADDING, "a byte between", .run = run_file_padding},
	{GEN_SEGMENT_HASH, "a segment's byte in the file", .run = run_file_segment},
	{GEN_MANIFEST_SIZE, "4 GB manifest in the file", .run = run_file_manifest, .guard = true},
	{GEN_MANIFEST_LENGTH, "95-byte manifest in the file", .run = run_file_manifest_short,
	 .refuse_only = true},
};

const unsigned int n_refusal_rows = DWCP_ARRAY_LEN(refusal_rows);

int refusal_run(const struct refusal_row *row, struct segment_set *s, char *ret_reason)
{
	struct generation *g = NULL;
	struct sealed x;
	struct table t;
	int fd, err = 0;

	table_init_small(&t);
	if (row->table)
		row->table(&t);
	sealed_init(&x, &t, 2);
	if (!row->run)
		err = sealed_stage(s, &x, ret_reason);
	if (row->manifest)
		row->manifest(&x);
	if (!row->raw)
		sealed_rehash(&x);
	if (row->run) {
		err = row->run(s, &x, ret_reason);
	} else if (!err) {
		fd = memfd_with(x.m, x.len, ALL_SEALS);
		err = generation_open(s, fd, &small_limits, &g, ret_reason);
		close(fd);
	}
	generation_close(g);
	segment_set_drop_staged(s);
	sealed_fini(&x);
	table_fini(&t);
	return err;
}
