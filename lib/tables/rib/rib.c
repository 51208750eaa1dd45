/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib.c - the table builder from outside: create, single routes, questions. Replacing whole sources is in source.c,
 * ports and neighbours in adjacency.c, publishing in publish.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

struct rib *rib_create(const struct rib_cfg *cfg)
{
	struct fib_builder_cfg fib_cfg = {.chunk_bytes = cfg->chunk_bytes};
	struct rib *r;

	if (cfg->chunk_bytes < DWCP_SEGMENT_ALIGN || cfg->chunk_bytes > DWCP_SEGMENT_MAX_BYTES ||
	    (cfg->chunk_bytes & (cfg->chunk_bytes - 1)))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->cfg = *cfg;
	rib_log_init(r->log);
	r->dirty = true; /* an empty table is something to publish, too */
	r->image.manifest_fd = -1;
	rib_array_init(&r->nexthop, sizeof(struct dwcp_nexthop), cfg->chunk_bytes);
	rib_array_init(&r->bucket, sizeof(u32), cfg->chunk_bytes);
	rib_array_init(&r->id, sizeof(struct dwcp_id_entry), cfg->chunk_bytes);
	rib_array_init(&r->port_addr, sizeof(struct dwcp_port_addr), cfg->chunk_bytes);
	r->fib = fib_builder_create(&fib_cfg);
	if (!r->fib || route_table_init(&r->t4, FIB_IP4) || route_table_init(&r->t6, FIB_IP6) ||
	    rib_nexthop_init(r) || rib_observed_init(r)) {
		rib_free(r);
		return NULL;
	}
	return r;
}

void rib_free(struct rib *r)
{
	if (!r)
		return;
	rib_publish_fini(r);
	fib_builder_free(r->fib);
	route_table_fini(&r->t4);
	route_table_fini(&r->t6);
	free(r->pool.e);
	rib_adjacency_fini(&r->adj);
	rib_observed_fini(r);
	rib_nexthop_fini(r);
	rib_array_fini(&r->nexthop);
	rib_array_fini(&r->bucket);
	rib_array_fini(&r->id);
	rib_array_fini(&r->port_addr);
	free(r);
}

int rib_route_set(struct rib *r, u8 source, const struct route_cfg *route)
{
	struct route_key k;
	u32 nh;
	int err;

	if (source >= RIB_N_SOURCES)
		return -EINVAL;
	err = route_key_of(&route->prefix, &k);
	if (!err)
		err = rib_nexthop_find(r, route, &nh);
	if (err)
		return err;
	rib_nexthop_ref(r, nh);
	r->protocol = route->protocol;
	err = rib_entry_put(r, source, &k, route_hash(&k), nh);
	r->protocol = 0;
	if (err)
		rib_nexthop_unref(r, nh);
	return err;
}

int rib_route_del(struct rib *r, u8 source, const struct fib_prefix *prefix)
{
	struct route_table *t = rib_table(r, prefix->family);
	struct route_key k;
	u32 i;

	if (source >= RIB_N_SOURCES || route_key_of(prefix, &k))
		return -ENOENT;
	i = route_table_find(t, &k, route_hash(&k));
	return i ? rib_entry_del(r, t, i, source) : -ENOENT;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static void path_tell(const struct rib *r, const struct rib_nexthop *nh, u32 weight,
		      struct path_cfg *ret)
{
	u16 port = rib_path_port(&r->adj, &nh->path);

	*ret = (struct path_cfg){
		.gateway = {.addr = nh->path.gateway,
			    .family = nh->path.family,
			    .prefix_len = nh->path.family == FIB_IP4   ? 32
					  : nh->path.family == FIB_IP6 ? 128
								       : 0},
		.port_idx = port == RIB_NO_PORT ? UINT16_MAX : r->adj.ports[port].index,
		.vlan = nh->path.vlan,
		.svlan = nh->path.svlan,
		.weight = weight,
	};
}

static u8 type_tell(u8 type)
{
	switch (type) {
	case DWCP_NEXTHOP_BLACKHOLE:
		return ROUTE_BLACKHOLE;
	case DWCP_NEXTHOP_UNREACHABLE:
		return ROUTE_UNREACHABLE;
	case DWCP_NEXTHOP_PROHIBIT:
		return ROUTE_PROHIBIT;
	case DWCP_NEXTHOP_LOCAL:
		return ROUTE_LOCAL;
	default:
		return ROUTE_UNICAST;
	}
}

static void route_tell(const struct rib *r, const struct route_table *t,
		       const struct route_entry *e, struct rib_route *ret)
{
	const struct rib_nexthop *nh = &r->nhs.nh[e->nh];

	memset(ret, 0, offsetof(struct rib_route, paths));
	route_prefix(t, e, &ret->prefix);
	ret->source = e->flags & ROUTE_SOURCE;
	ret->protocol = e->protocol;
	ret->type = type_tell(nh->type);
	ret->nexthop_id = nh->id;
	ret->slot = nh->slot;
	ret->resolved = nh->resolved;
	if (nh->type == DWCP_NEXTHOP_FORWARD) {
		ret->n_paths = 1;
		path_tell(r, nh, 1, &ret->paths[0]);
	} else if (nh->type == DWCP_NEXTHOP_GROUP) {
		ret->n_paths = nh->n_members;
		for (u32 i = 0; i < nh->n_members; i++)
			path_tell(r, &r->nhs.nh[nh->group.members[i].nh],
				  nh->group.members[i].weight, &ret->paths[i]);
	}
}

int rib_lookup(const struct rib *r, u32 vrf, u8 family, const struct fib_addr *a,
	       struct rib_route *ret_route)
{
	const struct route_table *t = rib_table_const(r, family);
	struct fib_prefix p;
	struct route_key k;
	u32 slot, i;

	if (family != FIB_IP4 && family != FIB_IP6)
		return -ENOENT;
	if (fib_builder_match(r->fib, vrf, family, a, &p, &slot) || route_key_of(&p, &k))
		return -ENOENT;
	i = route_table_find(t, &k, route_hash(&k));
	if (!i)
		return -ENOENT;
	route_tell(r, t, route_at(t, i), ret_route);
	return 0;
}

static int each_from(const struct rib *r, struct route_table *t, const struct fib_prefix *from,
		     int (*cb)(void *arg, const struct rib_route *route), void *arg)
{
	struct rib_route route;
	struct route_key k;
	u32 i = 0;
	int err = rib_order_sort(t);

	if (!err && from) {
		err = route_key_of(from, &k);
		if (!err)
			i = rib_order_seek(t, &k);
	}
	for (; !err && i < t->n_sorted; i++) {
		route_tell(r, t, route_at(t, t->sorted[i]), &route);
		err = cb(arg, &route);
	}
	return err;
}

int rib_each(const struct rib *r, const struct fib_prefix *from,
	     int (*cb)(void *arg, const struct rib_route *route), void *arg)
{
	/* The order is a cache: what the rib answers doesn't change. */
	struct rib *cached = (struct rib *)r;
	int err = 0;

	if (!from || from->family == FIB_IP4)
		err = each_from(r, &cached->t4, from, cb, arg);
	if (err)
		return err;
	return each_from(r, &cached->t6, from && from->family == FIB_IP6 ? from : NULL, cb, arg);
}

u64 rib_count(const struct rib *r, u8 family)
{
	return rib_table_const(r, family)->used;
}

u64 rib_source_count(const struct rib *r, u8 source, u8 family)
{
	return source < RIB_N_SOURCES ? r->counts[source][family == FIB_IP6] : 0;
}

bool rib_dirty(const struct rib *r)
{
	return r->dirty;
}

static u64 table_bytes(const struct route_table *t)
{
	return (u64)t->cap * t->stride + 4ull * (t->mask + 1) +
	       4ull * (t->sorted ? t->n_sorted : 0) + 4ull * t->cap_added;
}

void rib_usage(const struct rib *r, struct rib_usage *ret)
{
	const struct rib_nexthops *nhs = &r->nhs;
	const struct rib_array *arrays[] = {&r->nexthop, &r->bucket, &r->id};

	*ret = (struct rib_usage){
		.n_nexthops = nhs->used - nhs->n_groups,
		.n_groups = nhs->n_groups,
		.n_slots = r->nexthop.n,
		.n_ids_given = nhs->ledger.n,
		.route_bytes = table_bytes(&r->t4) + table_bytes(&r->t6) +
			       r->pool.cap * sizeof(*r->pool.e),
		.nexthop_bytes = nhs->cap * sizeof(*nhs->nh) + 4ull * (nhs->mask + 1) +
				 8ull * (nhs->ledger.mask + 1) + 4ull * nhs->cap_free_slots,
		.times = r->times,
	};
	for (u32 i = 0; i < DWCP_ARRAY_LEN(arrays); i++)
		ret->nexthop_bytes += arrays[i]->cap * arrays[i]->element_bytes;
}

/* ---- renumbering ------------------------------------------------------------------------------------------------ */

/* Sattolo's shuffle of slots 1 … n - 1: one cycle, so that none stays where it is. */
static void slots_shuffle(u32 *slot, u32 n, u64 seed)
{
	for (u32 i = 0; i < n; i++)
		slot[i] = i;
	for (u32 i = n - 1; i > 1; i--) {
		u32 k = 1 + rib_mix(seed + i) % (i - 1), swap = slot[i];

		slot[i] = slot[k];
		slot[k] = swap;
	}
}

static int fib_renumber(struct rib *r, const struct route_table *t)
{
	struct fib_prefix p;
	int err = 0;

	for (u32 i = 1; i < t->n && !err; i++) {
		const struct route_entry *e = route_at(t, i);

		if (!e->nh)
			continue;
		route_prefix(t, e, &p);
		err = fib_builder_set(r->fib, &p, r->nhs.nh[e->nh].slot);
	}
	return err;
}

int rib_renumber(struct rib *r, u64 seed)
{
	struct rib_nexthops *nhs = &r->nhs;
	u32 n, *to;
	int err;

	/* A single slot needs a second one to go to. */
	if (r->nexthop.n == 2) {
		err = rib_nexthop_spare(r);
		if (err)
			return err;
	}
	n = r->nexthop.n;
	to = malloc((u64)n * sizeof(*to));
	if (!to)
		return -ENOMEM;
	slots_shuffle(to, n, rib_mix(seed));
	memset(r->nexthop.bytes, 0, (u64)n * sizeof(struct dwcp_nexthop));
	rib_array_touch(&r->nexthop, 0, n);
	for (u32 i = 0; i < nhs->n_free_slots; i++)
		nhs->free_slots[i] = to[nhs->free_slots[i]];
	for (u32 i = 1; i < nhs->n; i++)
		if (nhs->nh[i].type != DWCP_NEXTHOP_NONE)
			nhs->nh[i].slot = to[nhs->nh[i].slot];
	free(to);
	for (u32 i = 1; i < nhs->n; i++) {
		if (nhs->nh[i].type == DWCP_NEXTHOP_NONE)
			continue;
		rib_nexthop_write(r, i);
		rib_id_put(r, nhs->nh[i].id, nhs->nh[i].slot); /* is there: takes no memory */
	}
	for (u32 i = 1; i < nhs->n; i++)
		if (nhs->nh[i].type == DWCP_NEXTHOP_GROUP)
			rib_group_fill(r, &nhs->nh[i]);
	r->dirty = true;
	err = fib_renumber(r, &r->t4);
	return err ? err : fib_renumber(r, &r->t6);
}
