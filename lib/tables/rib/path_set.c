/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path_set.c - what a route says of its next hops, in canonical form: sorted, each path once, and hashed by what it
 * means and not by how it was put, so that every agent finds the same.
 */
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "rib_private.h"

u64 rib_path_hash(const struct rib *r, const struct rib_path *p)
{
	u64 bytes[4] = {p->gateway.hi, p->gateway.lo,
			(u64)p->family << 32 | (u32)p->vlan << 16 | p->svlan,
			p->port == RIB_NO_PORT ? 0 : r->adj.ports[p->port].hash};

	return XXH3_64bits(bytes, sizeof(bytes));
}

bool rib_path_equal(const struct rib_path *a, const struct rib_path *b)
{
	return a->gateway.lo == b->gateway.lo && a->gateway.hi == b->gateway.hi &&
	       a->port == b->port && a->vlan == b->vlan && a->svlan == b->svlan &&
	       a->family == b->family;
}

int rib_path_key_of(const struct rib *r, const struct path_cfg *p, struct rib_path_key *ret)
{
	struct rib_path *path = &ret->path;

	*path = (struct rib_path){.gateway = p->gateway.addr,
				  .port = RIB_NO_PORT,
				  .vlan = p->vlan,
				  .svlan = p->svlan,
				  .family = p->gateway.family};
	if (p->vlan > 4095 || p->svlan > 4095)
		return -EINVAL;
	if (p->port_idx != UINT16_MAX) {
		if (p->port_idx >= r->adj.n_index)
			return -EINVAL;
		path->port = r->adj.by_index[p->port_idx];
	}
	if (!path->family) {
		path->gateway = (struct fib_addr){0};
		if (path->port == RIB_NO_PORT)
			return -EINVAL;
	} else if (path->family == FIB_IP4) {
		if (path->gateway.hi || path->gateway.lo >> 32)
			return -EINVAL;
	} else if (path->family != FIB_IP6) {
		return -EINVAL;
	}
	ret->hash = rib_path_hash(r, path);
	ret->weight = p->weight ? p->weight : 1;
	return 0;
}

/* An order that doesn't know which port was configured first. */
static int path_key_cmp(const struct rib_path_key *a, const struct rib_path_key *b)
{
	if (a->path.family != b->path.family)
		return a->path.family < b->path.family ? -1 : 1;
	if (a->path.gateway.hi != b->path.gateway.hi)
		return a->path.gateway.hi < b->path.gateway.hi ? -1 : 1;
	if (a->path.gateway.lo != b->path.gateway.lo)
		return a->path.gateway.lo < b->path.gateway.lo ? -1 : 1;
	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Insertion sort; a path that is there twice is there once with both weights. */
static void set_add(struct rib_set_key *s, const struct rib_path_key *k)
{
	u32 i = s->n, sum;

	while (i && path_key_cmp(&s->paths[i - 1], k) > 0)
		i--;
	if (i && rib_path_equal(&s->paths[i - 1].path, &k->path)) {
		sum = s->paths[i - 1].weight + k->weight;
		s->paths[i - 1].weight = sum < k->weight ? UINT32_MAX : sum;
		return;
	}
	memmove(&s->paths[i + 1], &s->paths[i], (s->n - i) * sizeof(*k));
	s->paths[i] = *k;
	s->n++;
}

static void set_hash(struct rib_set_key *s)
{
	u64 bytes[CONFIG_MAX_PATHS][2];

	if (s->n == 1) {
		s->hash = s->paths[0].hash;
		return;
	}
	for (u32 i = 0; i < s->n; i++) {
		bytes[i][0] = s->paths[i].hash;
		bytes[i][1] = s->paths[i].weight;
	}
	s->hash = XXH3_64bits(bytes, s->n * sizeof(bytes[0]));
}

int rib_set_key_of(const struct rib *r, const struct route_cfg *route, struct rib_set_key *ret)
{
	static const u8 types[] = {[ROUTE_BLACKHOLE] = DWCP_NEXTHOP_BLACKHOLE,
				   [ROUTE_UNREACHABLE] = DWCP_NEXTHOP_UNREACHABLE,
				   [ROUTE_PROHIBIT] = DWCP_NEXTHOP_PROHIBIT,
				   [ROUTE_LOCAL] = DWCP_NEXTHOP_LOCAL};
	struct rib_path_key k;
	int err;

	ret->n = 0;
	if (route->type != ROUTE_UNICAST) {
		if ((u32)route->type >= DWCP_ARRAY_LEN(types))
			return -EINVAL;
		ret->type = types[route->type];
		ret->hash = rib_mix(0xc0de0000ull + ret->type);
		return 0;
	}
	if (!route->n_paths || route->n_paths > CONFIG_MAX_PATHS)
		return -EINVAL;
	for (u32 i = 0; i < route->n_paths; i++) {
		err = rib_path_key_of(r, &route->paths[i], &k);
		if (err)
			return err;
		set_add(ret, &k);
	}
	ret->type = ret->n == 1 ? DWCP_NEXTHOP_FORWARD : DWCP_NEXTHOP_GROUP;
	set_hash(ret);
	return 0;
}
