/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * validate.c - is every element of every section safe for a worker that trusts it blindly?
 *
 * In two steps. A segment alone, once, when it arrives: each element's own fields, and the largest index it names.
 * A generation, each time: the largest indices against the sizes, then what needs two arrays at once (a bucket's next
 * hop is no group; an id leads to its next hop). Zero elements are safe everywhere, so padding needs no rule of its own.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "segment.h"

#define GROUP_MAX_BUCKETS 65536u
#define IP4_MIN_MTU	  68 /* RFC 791 */

static bool bytes_zero(const void *bytes, size_t len)
{
	const u8 *b = bytes;
	u8 any = 0;

	for (size_t i = 0; i < len; i++)
		any |= b[i];
	return any == 0;
}

static bool tpid_known(u16 tpid)
{
	return tpid == htobe16(0x8100) || tpid == htobe16(0x88a8) || tpid == htobe16(0x9100);
}

/* The rewrite of a next hop that has a port to send through. */
static int rewrite_check(const struct dwcp_nexthop *h, struct refusal *r)
{
	GEN_REQUIRE(r, NEXTHOP_SRC, !(h->forward.src_mac[0] & 1));
	GEN_REQUIRE(r, NEXTHOP_TAGS, h->n_tags <= 2);
	for (u32 i = 0; i < 2; i++) {
		if (i < h->n_tags)
			GEN_REQUIRE(r, NEXTHOP_TPID, tpid_known(h->forward.vlan[2 * i]));
		else
			GEN_REQUIRE(r, NEXTHOP_UNUSED,
				    (h->forward.vlan[2 * i] | h->forward.vlan[2 * i + 1]) == 0);
	}
	return 0;
}

static int group_check(const struct dwcp_nexthop *h, struct refusal *r)
{
	u32 n = h->group.n_buckets;

	GEN_REQUIRE(r, NEXTHOP_BUCKETS, n >= 1 && n <= GROUP_MAX_BUCKETS && (n & (n - 1)) == 0);
	GEN_REQUIRE(r, NEXTHOP_UNUSED,
		    h->n_tags == 0 && h->port == 0 && bytes_zero(h->group.reserved, 12));
	return 0;
}

static int nexthop_check(const struct dwcp_nexthop *h, struct refusal *r)
{
	GEN_REQUIRE(r, NEXTHOP_TYPE, h->type < DWCP_NEXTHOP_N_TYPES);
	GEN_REQUIRE(r, NEXTHOP_FLAGS,
		    !(h->flags & ~(h->type == DWCP_NEXTHOP_UNRESOLVED ? DWCP_NEXTHOP_FAILED : 0u)));
	GEN_REQUIRE(r, NEXTHOP_MTU, h->mtu == 0 || h->mtu >= IP4_MIN_MTU);
	switch (h->type) {
	case DWCP_NEXTHOP_FORWARD:
		GEN_REQUIRE(r, NEXTHOP_DST,
			    !(h->forward.dst_mac[0] & 1) && !bytes_zero(h->forward.dst_mac, 6));
		return rewrite_check(h, r);
	case DWCP_NEXTHOP_UNRESOLVED:
		GEN_REQUIRE(r, NEXTHOP_UNUSED, bytes_zero(h->forward.dst_mac, 6));
		return rewrite_check(h, r);
	case DWCP_NEXTHOP_GROUP:
		return group_check(h, r);
	case DWCP_NEXTHOP_LOCAL:
		GEN_REQUIRE(r, NEXTHOP_UNUSED,
			    h->n_tags == 0 && bytes_zero(&h->forward, sizeof(h->forward)));
		return 0;
	default:
		GEN_REQUIRE(r, NEXTHOP_UNUSED,
			    h->n_tags == 0 && h->port == 0 &&
				    bytes_zero(&h->forward, sizeof(h->forward)));
		return 0;
	}
}

static bool type_has_port(u8 type)
{
	return type == DWCP_NEXTHOP_FORWARD || type == DWCP_NEXTHOP_UNRESOLVED ||
	       type == DWCP_NEXTHOP_LOCAL;
}

static int nexthops_check(const struct dwcp_nexthop *h, size_t n, struct table_facts *facts,
			  struct refusal *r)
{
	for (size_t i = 0; i < n; i++) {
		u64 end;

		if (nexthop_check(&h[i], r)) {
			r->in_element = true;
			r->element = (u32)i;
			return -EINVAL;
		}
		if (type_has_port(h[i].type))
			facts->need_ports = DWCP_MAX(facts->need_ports, h[i].port + 1u);
		end = h[i].type == DWCP_NEXTHOP_GROUP
			      ? (u64)h[i].group.first_bucket + h[i].group.n_buckets
			      : 0;
		facts->need_buckets = DWCP_MAX(facts->need_buckets, end);
		facts->n_ids += h[i].id != 0;
	}
	return 0;
}

static void buckets_scan(const u32 *slot, size_t n, struct table_facts *facts)
{
	u32 max = 0;

	for (size_t i = 0; i < n; i++)
		max = DWCP_MAX(max, slot[i]);
	facts->max_slot = max;
}

static int fib_check(enum fib_array a, const void *bytes, size_t len, struct table_facts *facts,
		     struct refusal *r)
{
	const char *fault = fib_chunk_check(a, bytes, len, &facts->fib);

	r->detail = fault;
	GEN_REQUIRE(r, FIB_CHUNK, !fault);
	r->detail = NULL;
	return 0;
}

static int port_addr_check(const struct dwcp_port_addr *a, struct refusal *r)
{
	u64 hi, lo, link;
	u32 addr4;

	memcpy(&addr4, a->addr4, sizeof(addr4));
	addr4 = be32toh(addr4);
	memcpy(&hi, a->addr6, sizeof(hi));
	memcpy(&lo, a->addr6 + 8, sizeof(lo));
	memcpy(&link, a->link_local, sizeof(link));
	GEN_REQUIRE(r, PORT_ADDR_IP4, addr4 == 0 || dwcp_addr4_is_global(addr4));
	GEN_REQUIRE(r, PORT_ADDR_IP6,
		    (hi | lo) == 0 || dwcp_addr6_is_global(be64toh(hi), be64toh(lo)));
	GEN_REQUIRE(r, PORT_ADDR_LINK,
		    bytes_zero(a->link_local, 16) || be64toh(link) >> 54 == 0x3fa);
	GEN_REQUIRE(r, PORT_ADDR_UNUSED,
		    bytes_zero(a->reserved0, sizeof(a->reserved0)) && a->flags == 0 &&
			    bytes_zero(a->reserved1, sizeof(a->reserved1)));
	return 0;
}

static int port_addrs_check(const struct dwcp_port_addr *a, size_t n, struct refusal *r)
{
	for (size_t i = 0; i < n; i++) {
		if (port_addr_check(&a[i], r)) {
			r->in_element = true;
			r->element = (u32)i;
			return -EINVAL;
		}
	}
	return 0;
}

int section_check(u16 section, const void *bytes, size_t len, struct table_facts *facts,
		  struct refusal *r)
{
	switch (section) {
	case DWCP_SECTION_FIB_ROOT:
		return fib_check(FIB_ROOT, bytes, len, facts, r);
	case DWCP_SECTION_FIB_DIRECT:
		return fib_check(FIB_DIRECT, bytes, len, facts, r);
	case DWCP_SECTION_FIB_NODE:
		return fib_check(FIB_NODE, bytes, len, facts, r);
	case DWCP_SECTION_FIB_LEAF:
		return fib_check(FIB_LEAF, bytes, len, facts, r);
	case DWCP_SECTION_NEXTHOP:
		return nexthops_check(bytes, len / sizeof(struct dwcp_nexthop), facts, r);
	case DWCP_SECTION_NEXTHOP_BUCKET:
		buckets_scan(bytes, len / sizeof(u32), facts);
		return 0;
	case DWCP_SECTION_PORT_ADDR:
		return port_addrs_check(bytes, len / sizeof(struct dwcp_port_addr), r);
	default: /* NEXTHOP_ID says nothing without the next hops: references_check() */
		return 0;
	}
}

void facts_merge(struct table_facts *facts, const struct table_facts *more)
{
	struct fib_facts *f = &facts->fib;

	f->need_direct = DWCP_MAX(f->need_direct, more->fib.need_direct);
	f->need_node = DWCP_MAX(f->need_node, more->fib.need_node);
	f->need_leaf = DWCP_MAX(f->need_leaf, more->fib.need_leaf);
	f->max_slot = DWCP_MAX(f->max_slot, more->fib.max_slot);
	facts->need_buckets = DWCP_MAX(facts->need_buckets, more->need_buckets);
	facts->n_ids += more->n_ids;
	facts->need_ports = DWCP_MAX(facts->need_ports, more->need_ports);
	facts->max_slot = DWCP_MAX(facts->max_slot, more->max_slot);
}

int sizes_check(const struct cross_check *c, struct refusal *r)
{
	const struct generation *g = c->g;
	const char *fault = fib_facts_check(&c->facts.fib, &g->fib, g->n_nexthop);

	r->detail = fault;
	GEN_REQUIRE(r, FIB_FACTS, !fault);
	r->detail = NULL;
	r->section = DWCP_SECTION_NEXTHOP;
	GEN_REQUIRE(r, NEXTHOP_PORT, c->facts.need_ports <= c->limits->n_ports);
	GEN_REQUIRE(r, NEXTHOP_RANGE, c->facts.need_buckets <= g->n_bucket);
	r->section = DWCP_SECTION_NEXTHOP_BUCKET;
	GEN_REQUIRE(r, BUCKET_SLOT, g->n_bucket == 0 || c->facts.max_slot < g->n_nexthop);
	r->section = DWCP_SECTION_NEXTHOP_ID;
	GEN_REQUIRE(r, ID_SIZE, (g->n_nexthop_id & (g->n_nexthop_id - 1)) == 0);
	r->section = DWCP_SECTION_PORT_ADDR;
	GEN_REQUIRE(r, PORT_ADDR_COUNT, g->n_port_addr <= c->limits->n_ports);
	r->section = 0;
	return 0;
}

/* Buckets that name no route are holes; no group may reach one. One pass over both, however the groups overlap. */
static int holes_check(const struct generation *g, struct refusal *r)
{
	u32 *before = malloc(((size_t)g->n_bucket + 1) * sizeof(*before));
	u32 holes = 0;
	int err = 0;

	if (!before)
		return refusal_set_errno(r, "nexthop_bucket_memory", ENOMEM);
	for (u32 i = 0; i < g->n_bucket; i++) {
		before[i] = holes;
		holes += g->bucket[i] == 0;
	}
	before[g->n_bucket] = holes;
	for (u32 i = 0; i < g->n_nexthop && !err; i++) {
		const struct dwcp_nexthop *h = &g->nexthop[i];

		if (h->type != DWCP_NEXTHOP_GROUP)
			continue;
		r->element = i;
		if (!GEN_CHECK(BUCKET_EMPTY, before[h->group.first_bucket + h->group.n_buckets] ==
						     before[h->group.first_bucket]))
			err = refusal_set(r, GEN_BUCKET_EMPTY, -EINVAL);
	}
	free(before);
	return err;
}

static int buckets_check(const struct generation *g, struct refusal *r)
{
	bool holes = false;
	int err = 0;

	r->section = DWCP_SECTION_NEXTHOP_BUCKET;
	r->in_element = true;
	for (u32 i = 0; i < g->n_bucket; i++) {
		r->element = i;
		GEN_REQUIRE(r, BUCKET_NESTED, g->nexthop[g->bucket[i]].type != DWCP_NEXTHOP_GROUP);
		holes |= g->bucket[i] == 0;
	}
	r->section = DWCP_SECTION_NEXTHOP;
	if (holes)
		err = holes_check(g, r);
	if (!err)
		r->in_element = false;
	return err;
}

/* Where a lookup of this id ends: the position, or n when it isn't found. */
static u32 id_position(const struct dwcp_id_entry *e, u32 n, u32 id)
{
	u32 home = dwcp_id_home(id, n);

	for (u32 i = 0; i < DWCP_ID_MAX_PROBES && i < n; i++) {
		u32 at = (home + i) & (n - 1);

		if (e[at].id == id)
			return at;
		if (e[at].id == 0)
			return n;
	}
	return n;
}

u32 nexthop_by_id(const struct generation *g, u32 id)
{
	u32 at;

	if (id == 0 || g->n_nexthop_id == 0)
		return 0;
	at = id_position(g->nexthop_id, g->n_nexthop_id, id);
	return at < g->n_nexthop_id ? g->nexthop_id[at].slot : 0;
}

/*
 * Each entry is found by a lookup, so ids differ; each leads to the next hop of that id, so slots differ; and there are
 * as many entries as next hops with an id. Hence every id is found, and leads to the only next hop that has it.
 */
static int ids_check(const struct cross_check *c, struct refusal *r)
{
	const struct generation *g = c->g;
	const struct dwcp_id_entry *e = g->nexthop_id;
	u64 n_ids = 0;

	r->section = DWCP_SECTION_NEXTHOP_ID;
	r->in_element = true;
	for (u32 i = 0; i < g->n_nexthop_id; i++) {
		if (e[i].id == 0)
			continue;
		r->element = i;
		GEN_REQUIRE(r, ID_SLOT,
			    e[i].slot < g->n_nexthop && g->nexthop[e[i].slot].id == e[i].id);
		GEN_REQUIRE(r, ID_PROBE, id_position(e, g->n_nexthop_id, e[i].id) == i);
		n_ids++;
	}
	r->in_element = false;
	GEN_REQUIRE(r, ID_COUNT, n_ids == c->facts.n_ids);
	return 0;
}

int references_check(const struct cross_check *c, struct refusal *r)
{
	const struct generation *g = c->g;
	int err;

	r->section = DWCP_SECTION_NEXTHOP;
	GEN_REQUIRE(r, NEXTHOP_ZERO,
		    g->n_nexthop != 0 && g->nexthop[0].type == DWCP_NEXTHOP_NONE &&
			    g->nexthop[0].id == 0);
	if (c->nexthops_known)
		return 0;
	err = buckets_check(g, r);
	if (!err)
		err = ids_check(c, r);
	return err;
}
