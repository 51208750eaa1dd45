/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder_neighbours.c - what is known of neighbours and of twins' addresses goes into the rib, and what the rib knows
 * comes back: which gateways routes use, and whom a packet's destination has to be resolved through. Ports go by name,
 * because the configuration may have changed on the way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "clock.h"

static int neighbour_apply(struct builder *b, const struct builder_neighbour *c)
{
	int port = config_port_idx(b->cfg, c->port), err;
	struct neighbour_cfg n = {.addr = {.addr = c->addr, .family = c->family}};

	if (port < 0)
		return 0; /* what the rib knew of it went with the port */
	n.port_idx = (u16)port;
	memcpy(n.mac, c->mac, sizeof(n.mac));
	if (c->op == BUILDER_NEIGHBOUR_DEL) {
		err = rib_neighbour_del(b->rib, &n);
		return err == -ENOENT ? 0 : err;
	}
	err = rib_neighbour_set(b->rib, &n,
				c->op == BUILDER_NEIGHBOUR_FAILED ? RIB_NEIGHBOUR_FAILED
								  : RIB_NEIGHBOUR_RESOLVED);
	return err == -EINVAL ? 0 : err;
}

static int addresses_apply(struct builder *b, const struct builder_addresses *a)
{
	int port = config_port_idx(b->cfg, a->port), err;

	if (port < 0)
		return 0;
	err = rib_port_link_set(b->rib, (u16)port, !a->down);
	if (!err)
		err = rib_port_addresses_set(b->rib, (u16)port, a->addr, a->n);
	return err == -EINVAL ? 0 : err;
}

/* Neither the prefix itself nor its broadcast address is a host (RFC 3021: but in a /31 both are). */
static bool is_host(const struct fib_prefix *p, const struct fib_addr *a)
{
	u64 mask = p->len < 32 ? 0xffffffffu >> p->len : 0;

	if (p->family == FIB_IP6)
		return p->len >= 127 || a->hi != p->addr.hi || a->lo != p->addr.lo;
	return p->len >= 31 || ((a->lo & mask) != 0 && (a->lo & mask) != mask);
}

/* Return: is there someone whose link-layer address is missing? */
static bool wish_resolve(const struct builder *b, struct builder_wish *w, struct rib_route *r)
{
	const struct path_cfg *p = &r->paths[0];

	if (rib_lookup(b->rib, 0, w->family, &w->addr, r) < 0 || r->type != ROUTE_UNICAST ||
	    r->n_paths != 1 || r->resolved == (p->gateway.family != 0) || p->vlan || p->svlan ||
	    p->port_idx >= b->cfg->n_ports)
		return false; /* of several each is a gateway, and asked for already */
	if (p->gateway.family) {
		w->family = p->gateway.family;
		w->addr = p->gateway.addr;
	} else if (!is_host(&r->prefix, &w->addr)) {
		return false;
	}
	memcpy(w->port, b->cfg->ports[p->port_idx].name, sizeof(w->port));
	return true;
}

static void wishes_resolve(struct builder_neighbours *j)
{
	struct rib_route *r = calloc(1, sizeof(*r));
	u32 n = 0;

	for (u32 i = 0; r && i < j->n_wishes; i++)
		if (wish_resolve(j->builder, &j->wishes[i], r))
			j->wishes[n++] = j->wishes[i];
	j->n_wishes = n;
	free(r);
}

static void gateways_take(struct builder_neighbours *j)
{
	struct builder *b = j->builder;
	struct rib_gateway g[64];
	u32 n;

	while (j->n_gateways + DWCP_ARRAY_LEN(g) <= BUILDER_MAX_GATEWAYS &&
	       (n = rib_gateways_take(b->rib, g, DWCP_ARRAY_LEN(g))) > 0)
		for (u32 i = 0; i < n; i++) {
			struct builder_gateway *to = &j->gateways[j->n_gateways++];

			to->addr = g[i].addr.addr;
			to->family = g[i].addr.family;
			to->used = g[i].n_users && !g[i].configured;
			memcpy(to->port, b->cfg->ports[g[i].port_idx].name, sizeof(to->port));
		}
	j->more = j->n_gateways + DWCP_ARRAY_LEN(g) > BUILDER_MAX_GATEWAYS;
}

static void neighbours_run(struct job *job)
{
	struct builder_neighbours *j = (struct builder_neighbours *)job;
	struct builder *b = j->builder;

	for (u32 i = 0; i < j->n_addresses; i++) {
		int err = addresses_apply(b, j->addresses[i]);

		j->err = j->err ? j->err : err;
	}
	for (u32 i = 0; i < j->n; i++) {
		int err = neighbour_apply(b, &j->changes[i]);

		j->err = j->err ? j->err : err;
	}
	if (j->n || j->n_addresses)
		builder_event_note(b, j->event_ns);
	wishes_resolve(j);
	gateways_take(j);
	j->dirty = (j->n || j->n_addresses) && rib_dirty(b->rib);
}

static void neighbours_done(struct job *job)
{
	struct builder_neighbours *j = (struct builder_neighbours *)job;

	j->done(j);
}

void builder_submit_neighbours(struct builder *b, struct builder_neighbours *j)
{
	j->builder = b;
	j->job.run = neighbours_run;
	j->job.done = neighbours_done;
	worker_submit(b->worker, &j->job);
}

void builder_neighbours_free(struct builder_neighbours *j)
{
	if (!j)
		return;
	for (u32 i = 0; i < j->n_addresses; i++)
		free(j->addresses[i]);
	free(j->changes);
	free(j);
}
