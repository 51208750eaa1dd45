/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address.c - the router's own addresses, configured and observed: from them come the connected prefixes that gateways
 * are found by, the local routes, and the port_addr section (whom the router says it is).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/endian.h>

#include "rib_private.h"

static bool address_ok(const struct config_addr *a)
{
	if (a->family == FIB_IP4)
		return a->prefix_len <= 32 && !a->addr.hi && !(a->addr.lo >> 32);
	return a->family == FIB_IP6 && a->prefix_len <= 128;
}

/* What was observed stays with the port's name; a port that is gone has no addresses. */
static bool observed_stays(const struct rib_adjacency *a, const struct rib_address *x)
{
	return x->observed && a->ports[x->port].index != RIB_NO_PORT;
}

static int connected_build(struct rib_adjacency *a)
{
	a->connected = calloc((u64)a->n_addresses + 1, sizeof(*a->connected));
	if (!a->connected)
		return -ENOMEM;
	for (u32 i = 0; i < a->n_addresses; i++) {
		const struct config_addr *ca = &a->addresses[i].addr;
		struct rib_connected *c = &a->connected[a->n_connected];

		/* A host's own prefix has no others on it; link-local ones are on every link. */
		if (ca->prefix_len == (ca->family == FIB_IP4 ? 32 : 128) ||
		    rib_addr_is_link_local(ca->family, &ca->addr))
			continue;
		*c = (struct rib_connected){ca->addr, a->addresses[i].port, ca->family,
					    ca->prefix_len};
		rib_addr_mask(c->family, &c->addr, c->len);
		a->n_connected++;
	}
	return 0;
}

int rib_addresses_build(struct rib_adjacency *a, const struct rib_adjacency *old,
			const struct dwcp_config *cfg)
{
	u64 n = old->n_addresses;

	for (u32 i = 0; i < cfg->n_ports; i++)
		n += cfg->ports[i].n_addresses;
	a->addresses = calloc(n + 1, sizeof(*a->addresses));
	if (!a->addresses)
		return -ENOMEM;
	for (u32 i = 0; i < cfg->n_ports; i++)
		for (u32 k = 0; k < cfg->ports[i].n_addresses; k++) {
			const struct config_addr *ca = &cfg->ports[i].addresses[k];

			if (!address_ok(ca))
				return -EINVAL;
			a->addresses[a->n_addresses++] =
				(struct rib_address){.addr = *ca, .port = a->by_index[i]};
		}
	for (u32 i = 0; i < old->n_addresses; i++)
		if (observed_stays(a, &old->addresses[i]))
			a->addresses[a->n_addresses++] = old->addresses[i];
	return connected_build(a);
}

/* ---- what follows from them ---------------------------------------------------------------------------------- */

static int local_replace(struct rib *r)
{
	const struct rib_adjacency *a = &r->adj;
	struct route_cfg *routes = calloc((u64)a->n_addresses + 1, sizeof(*routes));
	int err;

	if (!routes)
		return -ENOMEM;
	for (u32 i = 0; i < a->n_addresses; i++) {
		rib_host_prefix(&routes[i].prefix, a->addresses[i].addr.family,
				&a->addresses[i].addr.addr);
		routes[i].type = ROUTE_LOCAL;
	}
	err = rib_source_replace_first(r, RIB_LOCAL, routes, a->n_addresses);
	free(routes);
	return err;
}

static void addr6_store(u8 *bytes, const struct fib_addr *a)
{
	be32_store(bytes, (u32)(a->hi >> 32));
	be32_store(bytes + 4, (u32)a->hi);
	be32_store(bytes + 8, (u32)(a->lo >> 32));
	be32_store(bytes + 12, (u32)a->lo);
}

static bool bytes_zero(const u8 *bytes, size_t n)
{
	u8 any = 0;

	for (size_t i = 0; i < n; i++)
		any |= bytes[i];
	return any == 0;
}

/* The first of each kind that a receiver far away can take for one host's. */
static void port_addr_take(struct dwcp_port_addr *p, const struct config_addr *ca)
{
	const struct fib_addr *a = &ca->addr;

	if (ca->family == FIB_IP4) {
		if (bytes_zero(p->addr4, 4) && dwcp_addr4_is_global((u32)a->lo))
			be32_store(p->addr4, (u32)a->lo);
	} else if (rib_addr_is_link_local(ca->family, a)) {
		if (bytes_zero(p->link_local, 16))
			addr6_store(p->link_local, a);
	} else if (bytes_zero(p->addr6, 16) && dwcp_addr6_is_global(a->hi, a->lo)) {
		addr6_store(p->addr6, a);
	}
}

static int port_addr_write(struct rib *r)
{
	const struct rib_adjacency *a = &r->adj;
	struct dwcp_port_addr now[CONFIG_MAX_PORTS] = {0};
	struct rib_array *array = &r->port_addr;
	int err;

	for (u32 i = 0; i < a->n_addresses; i++)
		port_addr_take(&now[a->ports[a->addresses[i].port].index], &a->addresses[i].addr);
	if (array->n == a->n_index &&
	    (!array->n || !memcmp(array->bytes, now, array->n * sizeof(now[0]))))
		return 0;
	err = rib_array_grow(array, CONFIG_MAX_PORTS); /* once: kilobytes */
	if (err)
		return err;
	memcpy(array->bytes, now, sizeof(now));
	array->n = a->n_index;
	if (array->n)
		rib_array_touch(array, 0, array->n);
	r->dirty = true;
	return 0;
}

int rib_addresses_apply(struct rib *r)
{
	int err = local_replace(r);

	return err ? err : port_addr_write(r);
}

/* ---- observed ones ------------------------------------------------------------------------------------------- */

/* Is this what is known of the port already? In this order, too: the first one speaks for the router. */
static bool observed_same(const struct rib_adjacency *a, u16 port, const struct config_addr *ca,
			  u32 n)
{
	u32 k = 0;

	for (u32 i = 0; i < a->n_addresses; i++) {
		const struct config_addr *x = &a->addresses[i].addr;

		if (!a->addresses[i].observed || a->addresses[i].port != port)
			continue;
		if (k == n || x->addr.hi != ca[k].addr.hi || x->addr.lo != ca[k].addr.lo ||
		    x->family != ca[k].family || x->prefix_len != ca[k].prefix_len)
			return false;
		k++;
	}
	return k == n;
}

/* @next: its addresses and connected prefixes are written, and nothing else. */
static int observed_build(struct rib_adjacency *next, const struct rib_adjacency *a, u16 port,
			  const struct config_addr *ca, u32 n)
{
	next->addresses = calloc((u64)a->n_addresses + n + 1, sizeof(*next->addresses));
	if (!next->addresses)
		return -ENOMEM;
	for (u32 i = 0; i < a->n_addresses; i++)
		if (!a->addresses[i].observed || a->addresses[i].port != port)
			next->addresses[next->n_addresses++] = a->addresses[i];
	for (u32 i = 0; i < n; i++)
		next->addresses[next->n_addresses++] =
			(struct rib_address){.addr = ca[i], .port = port, .observed = true};
	return connected_build(next);
}

int rib_port_addresses_set(struct rib *r, u16 port_idx, const struct config_addr *ca, u32 n)
{
	struct rib_adjacency *a = &r->adj, next = {0};
	int err;

	if (port_idx >= a->n_index)
		return -EINVAL;
	for (u32 i = 0; i < n; i++)
		if (!address_ok(&ca[i]))
			return -EINVAL;
	if (!r->addresses_stale && observed_same(a, a->by_index[port_idx], ca, n))
		return 0;
	err = observed_build(&next, a, a->by_index[port_idx], ca, n);
	if (err) {
		free(next.addresses);
		return err;
	}
	free(a->addresses);
	free(a->connected);
	a->addresses = next.addresses;
	a->n_addresses = next.n_addresses;
	a->connected = next.connected;
	a->n_connected = next.n_connected;
	r->addresses_stale = true;
	rib_nexthop_refresh(r);
	err = rib_addresses_apply(r);
	if (!err)
		err = rib_connected_replace(r);
	r->addresses_stale = err != 0;
	return err;
}
