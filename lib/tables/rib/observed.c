/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observed.c - neighbours that were seen (the kernel resolved them), and which gateways the routes ask for.
 *
 * A neighbour touches at most two next hops: the path that names only the gateway, and the one that names its port, too.
 * Both are found by their hash, so one change costs the same whatever is in the tables; groups are found by the list
 * that each next hop has of them. Keyed by the port's name (its place in rib_adjacency.ports), so that a neighbour stays
 * what it is when ports move in the configuration.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "rib_private.h"

/* ---- the table --------------------------------------------------------------------------------------------------- */

static u32 home_of(const struct rib_observed *s, u16 port, u8 family, const struct fib_addr *a)
{
	u64 bytes[3] = {a->hi, a->lo, (u64)port << 8 | family};

	return XXH3_64bits_withSeed(bytes, sizeof(bytes), s->salt) & s->mask;
}

static u32 entry_home(const struct rib_observed *s, u32 i)
{
	const struct rib_observed_entry *e = &s->e[i];

	return home_of(s, e->port, e->family, &e->addr);
}

static struct rib_observed_entry *entry_find(const struct rib_observed *s, u16 port, u8 family,
					     const struct fib_addr *a)
{
	u32 v;

	for (u32 i = home_of(s, port, family, a); (v = s->index[i]); i = (i + 1) & s->mask) {
		struct rib_observed_entry *e = &s->e[v - 1];

		if (e->port == port && e->family == family && e->addr.lo == a->lo &&
		    e->addr.hi == a->hi)
			return e;
	}
	return NULL;
}

static void index_put(struct rib_observed *s, u32 i)
{
	u32 pos = entry_home(s, i);

	while (s->index[pos])
		pos = (pos + 1) & s->mask;
	s->index[pos] = i + 1;
}

static void index_del(struct rib_observed *s, u32 i)
{
	u32 hole = entry_home(s, i), v;

	while (s->index[hole] != i + 1)
		hole = (hole + 1) & s->mask;
	for (u32 k = (hole + 1) & s->mask; (v = s->index[k]); k = (k + 1) & s->mask) {
		if (((k - entry_home(s, v - 1)) & s->mask) < ((k - hole) & s->mask))
			continue;
		s->index[hole] = v;
		hole = k;
	}
	s->index[hole] = 0;
}

static int observed_grow(struct rib_observed *s)
{
	u32 cap = s->cap ? 2 * s->cap : 64, *index;
	struct rib_observed_entry *e;

	if (cap > RIB_MAX_OBSERVED)
		return -ENOSPC;
	e = realloc(s->e, cap * sizeof(*e));
	if (!e)
		return -ENOMEM;
	s->e = e;
	index = calloc(2ull * cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(s->index);
	s->index = index;
	s->mask = 2 * cap - 1;
	s->cap = cap;
	for (u32 i = 0; i < s->n; i++)
		if (s->e[i].family)
			index_put(s, i);
	return 0;
}

int rib_observed_init(struct rib *r)
{
	/* Without entropy the table is as good as unsalted. */
	if (getrandom(&r->seen.salt, sizeof(r->seen.salt), GRND_NONBLOCK) < 0)
		r->seen.salt = 0;
	return observed_grow(&r->seen);
}

void rib_observed_fini(struct rib *r)
{
	free(r->seen.e);
	free(r->seen.index);
	free(r->notes.note);
}

static int entry_add(struct rib_observed *s, u16 port, u8 family, const struct fib_addr *a,
		     struct rib_observed_entry **ret)
{
	u32 i = s->free ? s->free - 1 : s->n;
	int err;

	if (!s->free && s->n == s->cap) {
		err = observed_grow(s);
		if (err)
			return err;
	}
	if (s->free)
		s->free = s->e[i].next_free;
	else
		s->n++;
	s->e[i] = (struct rib_observed_entry){.addr = *a, .port = port, .family = family};
	s->used++;
	index_put(s, i);
	*ret = &s->e[i];
	return 0;
}

static void entry_del(struct rib_observed *s, struct rib_observed_entry *e)
{
	u32 i = e - s->e;

	index_del(s, i);
	*e = (struct rib_observed_entry){.next_free = s->free};
	s->free = i + 1;
	s->used--;
}

const struct rib_observed_entry *rib_observed_find(const struct rib *r, const struct rib_path *p,
						   u16 port)
{
	if (!p->family || p->vlan || p->svlan || !r->seen.used)
		return NULL;
	return entry_find(&r->seen, port, p->family, &p->gateway);
}

/* ---- the host route ----------------------------------------------------------------------------------------------- */

static struct rib_path path_by_gateway(u8 family, const struct fib_addr *a)
{
	return (struct rib_path){.gateway = *a, .port = RIB_NO_PORT, .family = family};
}

/* Only on link: what a host claims about addresses elsewhere must not draw their traffic. */
static bool on_link(const struct rib *r, u16 port, u8 family, const struct fib_addr *a)
{
	struct rib_path p = path_by_gateway(family, a);

	return !rib_addr_is_link_local(family, a) && rib_path_port(&r->adj, &p) == port;
}

bool rib_observed_has_host(const struct rib *r, const struct rib_observed_entry *e)
{
	return e->family && e->state != RIB_NEIGHBOUR_INCOMPLETE && !r->adj.ports[e->port].down &&
	       on_link(r, e->port, e->family, &e->addr) &&
	       !rib_neighbour_configured(&r->adj, e->family, &e->addr);
}

static void host_route(const struct fib_addr *a, u8 family, struct route_cfg *ret_route,
		       struct path_cfg *ret_path)
{
	*ret_path = (struct path_cfg){.gateway = {.addr = *a, .family = family},
				      .port_idx = UINT16_MAX,
				      .weight = 1};
	*ret_route = (struct route_cfg){.prefix = {.addr = *a,
						   .family = family,
						   .len = family == FIB_IP4 ? 32 : 128},
					.type = ROUTE_UNICAST,
					.paths = ret_path,
					.n_paths = 1};
}

/* Has the prefix of the address alone a connected route, whoever made it? */
static bool host_is_there(const struct rib *r, u8 family, const struct fib_addr *a)
{
	const struct route_table *t = rib_table_const(r, family);
	struct path_cfg path;
	struct route_cfg route;
	struct route_key k;
	u8 *flags;
	u32 i;

	host_route(a, family, &route, &path);
	if (route_key_of(&route.prefix, &k))
		return false;
	i = route_table_find(t, &k, route_hash(&k));
	return i && rib_entry_find((struct rib *)r, route_at(t, i), RIB_CONNECTED, &flags);
}

/* Brings the host route into line with @want. A configured neighbour's is left alone. */
static int host_apply(struct rib *r, u16 port, u8 family, const struct fib_addr *a, bool want)
{
	struct path_cfg path;
	struct route_cfg route;

	if (!on_link(r, port, family, a) || rib_neighbour_configured(&r->adj, family, a) ||
	    host_is_there(r, family, a) == want)
		return 0;
	host_route(a, family, &route, &path);
	return want ? rib_route_set(r, RIB_CONNECTED, &route)
		    : rib_route_del(r, RIB_CONNECTED, &route.prefix);
}

/* ---- changes ------------------------------------------------------------------------------------------------------ */

static void nexthops_resolve(struct rib *r, u16 port, u8 family, const struct fib_addr *a)
{
	struct rib_path p = path_by_gateway(family, a);
	u32 nh = rib_nexthop_of_path(r, &p);

	if (nh)
		rib_nexthop_resolve(r, nh);
	p.port = port;
	nh = rib_nexthop_of_path(r, &p);
	if (nh)
		rib_nexthop_resolve(r, nh);
}

static bool neighbour_valid(const struct rib *r, const struct neighbour_cfg *n)
{
	const struct config_addr *a = &n->addr;

	if (n->port_idx >= r->adj.n_index || n->vlan || n->svlan)
		return false;
	return a->family == FIB_IP6 || (a->family == FIB_IP4 && !a->addr.hi && !(a->addr.lo >> 32));
}

int rib_neighbour_set(struct rib *r, const struct neighbour_cfg *n, u32 state)
{
	const struct config_addr *a = &n->addr;
	struct rib_observed_entry *e;
	bool resolved = state == RIB_NEIGHBOUR_RESOLVED;
	u16 port;
	int err;

	if (!neighbour_valid(r, n) || state >= RIB_NEIGHBOUR_N_STATES ||
	    (resolved && !rib_mac_is_host(n->mac)))
		return -EINVAL;
	port = r->adj.by_index[n->port_idx];
	e = entry_find(&r->seen, port, a->family, &a->addr);
	if (!e) {
		err = entry_add(&r->seen, port, a->family, &a->addr, &e);
		if (err)
			return err;
	}
	e->state = state;
	memset(e->mac, 0, sizeof(e->mac));
	if (resolved)
		memcpy(e->mac, n->mac, sizeof(e->mac));
	nexthops_resolve(r, port, a->family, &a->addr);
	return host_apply(r, port, a->family, &a->addr, rib_observed_has_host(r, e));
}

int rib_neighbour_del(struct rib *r, const struct neighbour_cfg *n)
{
	const struct config_addr *a = &n->addr;
	struct rib_observed_entry *e;
	u16 port;
	int err;

	if (!neighbour_valid(r, n))
		return -ENOENT;
	port = r->adj.by_index[n->port_idx];
	e = entry_find(&r->seen, port, a->family, &a->addr);
	if (!e)
		return -ENOENT;
	err = host_apply(r, port, a->family, &a->addr, false);
	if (err)
		return err;
	entry_del(&r->seen, e);
	nexthops_resolve(r, port, a->family, &a->addr);
	return 0;
}

void rib_observed_prune(struct rib *r)
{
	for (u32 i = 0; i < r->seen.n; i++)
		if (r->seen.e[i].family && r->adj.ports[r->seen.e[i].port].index == RIB_NO_PORT)
			entry_del(&r->seen, &r->seen.e[i]);
}

u32 rib_neighbour_count(const struct rib *r)
{
	return r->seen.used;
}

/* ---- who asks ------------------------------------------------------------------------------------------------------ */

void rib_gateway_note(struct rib *r, u32 i)
{
	struct rib_nexthop *nh = &r->nhs.nh[i];
	struct rib_gateway_notes *notes = &r->notes;
	u32 cap = notes->cap ? 2 * notes->cap : 256;
	struct rib_gateway_note *note;

	if (!r->cfg.gateways || nh->type != DWCP_NEXTHOP_FORWARD || nh->noted || !nh->path.family ||
	    nh->path.vlan || nh->path.svlan || nh->via == RIB_NO_PORT)
		return;
	if (notes->n == notes->cap) {
		note = realloc(notes->note, cap * sizeof(*note));
		if (!note) {
			notes->lost = true;
			return;
		}
		notes->note = note;
		notes->cap = cap;
	}
	notes->note[notes->n++] =
		(struct rib_gateway_note){nh->path.gateway, nh->via, nh->path.family};
	nh->noted = true;
}

void rib_gateways_again(struct rib *r)
{
	r->notes.lost = false;
	r->notes.n = 0;
	for (u32 i = 1; i < r->nhs.n; i++) {
		r->nhs.nh[i].noted = false;
		rib_gateway_note(r, i);
	}
}

static u64 users_of(const struct rib *r, const struct rib_path *p, u16 port)
{
	u32 nh = rib_nexthop_of_path(r, p);

	return nh && r->nhs.nh[nh].via == port ? r->nhs.nh[nh].refs : 0;
}

void rib_gateway_look(const struct rib *r, struct rib_gateway *g)
{
	u8 family = g->addr.family;
	const struct fib_addr *a = &g->addr.addr;
	struct rib_path p = path_by_gateway(family, a);
	const struct rib_observed_entry *e;
	const struct rib_neighbour *n;
	u16 port;

	g->n_users = 0;
	g->configured = g->resolved = false;
	if (g->port_idx >= r->adj.n_index)
		return;
	port = r->adj.by_index[g->port_idx];
	e = entry_find(&r->seen, port, family, a);
	g->n_users = users_of(r, &p, port);
	if (e && g->n_users && rib_observed_has_host(r, e))
		g->n_users--;
	p.port = port;
	g->n_users += users_of(r, &p, port);
	n = rib_path_neighbour(&r->adj, &p, port);
	g->configured = n;
	g->resolved = n || (e && e->state == RIB_NEIGHBOUR_RESOLVED);
	if (g->resolved)
		memcpy(g->mac, n ? n->mac : e->mac, sizeof(g->mac));
}

static void note_clear(struct rib *r, const struct rib_gateway_note *note)
{
	struct rib_path p = path_by_gateway(note->family, &note->addr);
	u32 nh = rib_nexthop_of_path(r, &p);

	if (nh)
		r->nhs.nh[nh].noted = false;
	p.port = note->port;
	nh = rib_nexthop_of_path(r, &p);
	if (nh)
		r->nhs.nh[nh].noted = false;
}

u32 rib_gateways_take(struct rib *r, struct rib_gateway *ret, u32 max)
{
	u32 n = 0;

	if (r->notes.lost)
		rib_gateways_again(r);
	while (r->notes.n && n < max) {
		const struct rib_gateway_note *note = &r->notes.note[--r->notes.n];
		struct rib_gateway *g = &ret[n];

		note_clear(r, note);
		if (r->adj.ports[note->port].index == RIB_NO_PORT)
			continue;
		*g = (struct rib_gateway){.addr = {.addr = note->addr, .family = note->family},
					  .port_idx = r->adj.ports[note->port].index};
		rib_gateway_look(r, g);
		n++;
	}
	return n;
}
