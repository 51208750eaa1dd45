/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adjacency.c - what the configuration says of links: ports, the prefixes on them (address.c), and neighbours.
 * rib_configure() builds a new adjacency beside the old one and changes nothing before that has succeeded; then path
 * sets are looked at again, and the local and connected routes are replaced, those of observed neighbours among them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "rib_private.h"

bool rib_addr_is_link_local(u8 family, const struct fib_addr *a)
{
	return family == FIB_IP6 && a->hi >> 54 == 0xfe80 >> 6;
}

void rib_addr_mask(u8 family, struct fib_addr *a, u8 len)
{
	u32 bits = family == FIB_IP4 ? len + 96u : len;

	a->hi = bits >= 64 ? a->hi : bits ? a->hi & ~0ull << (64 - bits) : 0;
	a->lo = bits >= 128 ? a->lo : bits > 64 ? a->lo & ~0ull << (128 - bits) : 0;
}

static bool connected_covers(const struct rib_connected *c, u8 family, const struct fib_addr *a)
{
	struct fib_addr masked = *a;

	if (c->family != family)
		return false;
	rib_addr_mask(family, &masked, c->len);
	return masked.hi == c->addr.hi && masked.lo == c->addr.lo;
}

u16 rib_path_port(const struct rib_adjacency *a, const struct rib_path *p)
{
	u16 port = RIB_NO_PORT;
	int best = -1;

	if (p->port != RIB_NO_PORT)
		return a->ports[p->port].index == RIB_NO_PORT ? RIB_NO_PORT : p->port;
	for (u32 i = 0; i < a->n_connected; i++) {
		const struct rib_connected *c = &a->connected[i];

		if (c->len <= best || !connected_covers(c, p->family, &p->gateway))
			continue;
		best = c->len;
		port = c->port;
	}
	return port;
}

static u32 neighbour_home(const struct rib_adjacency *a, u8 family, const struct fib_addr *addr)
{
	return rib_mix(rib_mix(addr->hi ^ family) ^ addr->lo) & a->neighbour_mask;
}

/* Nothing is sent to all zeros or to a group of hosts. */
bool rib_mac_is_host(const u8 mac[6])
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

/*
 * Tags as the path says them; a path without tags takes its neighbour's, and a neighbour without tags is good for any.
 * Of several the first in the configuration wins, after an exact one.
 */
const struct rib_neighbour *rib_path_neighbour(const struct rib_adjacency *a,
					       const struct rib_path *p, u16 port)
{
	const struct rib_neighbour *found = NULL;
	u32 v;

	if (!p->family || !a->n_neighbours)
		return NULL;
	for (u32 i = neighbour_home(a, p->family, &p->gateway); (v = a->neighbour_index[i]);
	     i = (i + 1) & a->neighbour_mask) {
		const struct rib_neighbour *n = &a->neighbours[v - 1];

		if (n->port != port || n->family != p->family || n->addr.lo != p->gateway.lo ||
		    n->addr.hi != p->gateway.hi || !rib_mac_is_host(n->mac))
			continue;
		if (n->vlan == p->vlan && n->svlan == p->svlan)
			return n;
		if (!found && ((!p->vlan && !p->svlan) || (!n->vlan && !n->svlan)))
			found = n;
	}
	return found;
}

bool rib_neighbour_configured(const struct rib_adjacency *a, u8 family, const struct fib_addr *addr)
{
	u32 v;

	if (!a->n_neighbours)
		return false;
	for (u32 i = neighbour_home(a, family, addr); (v = a->neighbour_index[i]);
	     i = (i + 1) & a->neighbour_mask) {
		const struct rib_neighbour *n = &a->neighbours[v - 1];

		if (n->family == family && n->addr.lo == addr->lo && n->addr.hi == addr->hi)
			return true;
	}
	return false;
}

void rib_adjacency_fini(struct rib_adjacency *a)
{
	free(a->ports);
	free(a->addresses);
	free(a->connected);
	free(a->neighbours);
	free(a->neighbour_index);
	memset(a, 0, sizeof(*a));
}

/* ---- building one from the configuration --------------------------------------------------------------------- */

static u32 port_intern(struct rib_adjacency *a, const char *name)
{
	struct rib_port *p;
	u32 i;

	for (i = 0; i < a->n_ports; i++)
		if (!strcmp(a->ports[i].name, name))
			return i;
	p = &a->ports[a->n_ports++];
	memset(p, 0, sizeof(*p));
	memcpy(p->name, name, strnlen(name, sizeof(p->name) - 1));
	p->hash = XXH3_64bits(p->name, sizeof(p->name));
	return i;
}

static int ports_build(struct rib_adjacency *a, const struct rib_adjacency *old,
		       const struct dwcp_config *cfg)
{
	if (cfg->n_ports > CONFIG_MAX_PORTS || old->n_ports + cfg->n_ports >= RIB_NO_PORT)
		return -EINVAL;
	a->ports = calloc(old->n_ports + cfg->n_ports + 1, sizeof(*a->ports));
	if (!a->ports)
		return -ENOMEM;
	if (old->n_ports)
		memcpy(a->ports, old->ports, old->n_ports * sizeof(*a->ports));
	a->n_ports = old->n_ports;
	for (u32 i = 0; i < a->n_ports; i++)
		a->ports[i].index = RIB_NO_PORT;
	for (u32 i = 0; i < cfg->n_ports; i++) {
		a->by_index[i] = port_intern(a, cfg->ports[i].name);
		a->ports[a->by_index[i]].index = i;
	}
	for (u32 i = 0; i < a->n_ports; i++)
		a->ports[i].down = a->ports[i].down && a->ports[i].index != RIB_NO_PORT;
	a->n_index = cfg->n_ports;
	return 0;
}

static int neighbours_build(struct rib_adjacency *a, const struct dwcp_config *cfg)
{
	u64 size = 64;

	while (size < 2ull * cfg->n_neighbours)
		size *= 2;
	a->neighbours = calloc((u64)cfg->n_neighbours + 1, sizeof(*a->neighbours));
	a->neighbour_index = calloc(size, sizeof(*a->neighbour_index));
	a->neighbour_mask = size - 1;
	if (!a->neighbours || !a->neighbour_index)
		return -ENOMEM;
	for (u32 i = 0; i < cfg->n_neighbours; i++) {
		const struct neighbour_cfg *nc = &cfg->neighbours[i];
		struct rib_neighbour *n = &a->neighbours[i];
		u32 pos;

		if (nc->port_idx >= cfg->n_ports || nc->vlan > 4095 || nc->svlan > 4095 ||
		    (nc->addr.family != FIB_IP4 && nc->addr.family != FIB_IP6) ||
		    (nc->addr.family == FIB_IP4 && (nc->addr.addr.hi || nc->addr.addr.lo >> 32)))
			return -EINVAL;
		n->addr = nc->addr.addr;
		n->family = nc->addr.family;
		n->port = a->by_index[nc->port_idx];
		n->vlan = nc->vlan;
		n->svlan = nc->svlan;
		memcpy(n->mac, nc->mac, sizeof(n->mac));
		pos = neighbour_home(a, n->family, &n->addr);
		while (a->neighbour_index[pos])
			pos = (pos + 1) & a->neighbour_mask;
		a->neighbour_index[pos] = i + 1;
	}
	a->n_neighbours = cfg->n_neighbours;
	return 0;
}

/* ---- the routes that follow from it -------------------------------------------------------------------------- */

void rib_host_prefix(struct fib_prefix *p, u8 family, const struct fib_addr *a)
{
	*p = (struct fib_prefix){.addr = *a, .family = family, .len = family == FIB_IP4 ? 32 : 128};
}

static void connected_route(struct route_cfg *route, struct path_cfg *path, u16 port_idx)
{
	*path = (struct path_cfg){.port_idx = port_idx, .weight = 1};
	route->type = ROUTE_UNICAST;
	route->paths = path;
	route->n_paths = 1;
}

int rib_connected_replace(struct rib *r)
{
	const struct rib_adjacency *a = &r->adj;
	u64 cap = (u64)a->n_connected + a->n_neighbours + r->seen.used + 1, n = 0;
	struct route_cfg *routes = calloc(cap, sizeof(*routes));
	struct path_cfg *paths = calloc(cap, sizeof(*paths));
	int err = -ENOMEM;

	if (!routes || !paths)
		goto out;
	for (u32 i = 0; i < a->n_connected; i++) {
		const struct rib_connected *c = &a->connected[i];

		if (a->ports[c->port].down)
			continue;
		routes[n].prefix =
			(struct fib_prefix){.addr = c->addr, .family = c->family, .len = c->len};
		connected_route(&routes[n], &paths[n], a->ports[c->port].index);
		n++;
	}
	for (u32 i = 0; i < a->n_neighbours; i++) {
		const struct rib_neighbour *nb = &a->neighbours[i];
		struct rib_path by_gateway = {.gateway = nb->addr,
					      .port = RIB_NO_PORT,
					      .family = nb->family};

		if (rib_addr_is_link_local(nb->family, &nb->addr) || a->ports[nb->port].down)
			continue;
		rib_host_prefix(&routes[n].prefix, nb->family, &nb->addr);
		connected_route(&routes[n], &paths[n], a->ports[nb->port].index);
		paths[n].gateway = (struct config_addr){.addr = nb->addr, .family = nb->family};
		paths[n].vlan = nb->vlan;
		paths[n].svlan = nb->svlan;
		/* As routes name it that leave the port to the gateway: then it is one next hop with theirs. */
		if (rib_path_port(a, &by_gateway) == nb->port)
			paths[n].port_idx = UINT16_MAX;
		n++;
	}
	for (u32 i = 0; i < r->seen.n; i++) {
		const struct rib_observed_entry *e = &r->seen.e[i];

		if (!rib_observed_has_host(r, e))
			continue;
		rib_host_prefix(&routes[n].prefix, e->family, &e->addr);
		connected_route(&routes[n], &paths[n], UINT16_MAX);
		paths[n++].gateway = (struct config_addr){.addr = e->addr, .family = e->family};
	}
	err = rib_source_replace_first(r, RIB_CONNECTED, routes, n);
out:
	free(routes);
	free(paths);
	return err;
}

int rib_port_link_set(struct rib *r, u16 port_idx, bool up)
{
	struct rib_adjacency *a = &r->adj;
	struct rib_port *p;
	int err;

	if (port_idx >= a->n_index)
		return -EINVAL;
	p = &a->ports[a->by_index[port_idx]];
	if (!r->connected_stale && p->down == !up)
		return 0;
	p->down = !up;
	err = rib_connected_replace(r);
	r->connected_stale = err != 0;
	return err;
}

int rib_configure(struct rib *r, const struct dwcp_config *cfg)
{
	struct rib_adjacency a = {0};
	int err;

	err = ports_build(&a, &r->adj, cfg);
	if (!err)
		err = rib_addresses_build(&a, &r->adj, cfg);
	if (!err)
		err = neighbours_build(&a, cfg);
	if (err) {
		rib_adjacency_fini(&a);
		return err;
	}
	rib_adjacency_fini(&r->adj);
	r->adj = a;
	rib_observed_prune(r);
	rib_nexthop_refresh(r);
	err = rib_addresses_apply(r);
	return err ? err : rib_connected_replace(r);
}
