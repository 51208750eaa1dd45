/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rib_model.c - random changes of routes, sources, ports, neighbours and observed ones against a model that is a list and looks
 * through all of it. After each publish the generation's answers are compared, and the walk.
 *
 * RIB_SEED chooses the first seed, RIB_ROUNDS how many; both are printed.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rib_fixture.h"

#define STEPS	   250
#define MAX_ROUTES 1024
#define MAX_PATHS  5
#define N_NAMES	   4 /* ports p0 … p3 may be there, in any order */

struct mpath {
	struct config_addr gateway;
	int name; /* of the port; -1 = by the gateway */
	u16 vlan, svlan;
	u32 weight;
};

struct mroute {
	struct fib_prefix prefix;
	u8 source;
	enum route_type type;
	u32 n_paths;
	struct mpath paths[MAX_PATHS];
};

/* What was seen: of a port by its name, whether it is configured now or not. */
struct mseen {
	struct config_addr addr;
	int name;
	u8 state, mac[6];
};

#define MAX_SEEN 64

struct model {
	struct rng rng;
	struct fixture f;
	struct mroute routes[MAX_ROUTES];
	u32 n;
	struct mseen seen[MAX_SEEN];
	u32 n_seen;
	bool told[N_NAMES][32];	  /* of gateway_pool on a port: used by someone, as last told */
	struct dwcp_config *c;	  /* as last configured */
	int name[N_NAMES];	  /* of the i-th port */
	bool down[N_NAMES];	  /* by name */
	struct fib_prefix walked; /* last in the walk */
};

static const char *const address_pool[] = {
	"10.1.0.1/24", "10.1.0.9/28",	   "10.2.0.1/16",      "10.3.0.1/31", "192.0.2.7/32",
	"10.1.0.2/30", "2001:db8:1::1/64", "2001:db8:2::1/48", "fe80::1/64",  "2001:db8:1::9/128",
};

static const char *const gateway_pool[] = {
	"10.1.0.2", "10.1.0.10",  "10.1.0.200",	   "10.2.0.2",	      "10.2.9.9", "10.3.0.0",
	"10.1.0.1", "172.16.0.1", "2001:db8:1::2", "2001:db8:2:7::2", "fe80::2",  "fe80::3",
};

static u32 one_of(struct model *m, u32 n)
{
	return rng_below(&m->rng, n);
}

/* ---- what the model thinks -------------------------------------------------------------------------------------- */

static bool covers(u8 family, const struct fib_addr *prefix, u8 len, const struct fib_addr *a)
{
	for (u32 bit = 0; bit < len; bit++) {
		u32 at = family == FIB_IP4 ? 31 - bit : bit < 64 ? 63 - bit : 127 - bit;
		bool hi = family == FIB_IP6 && bit < 64;
		u64 x = hi ? prefix->hi : prefix->lo, y = hi ? a->hi : a->lo;

		if ((x ^ y) >> at & 1)
			return false;
	}
	return true;
}

static bool link_local(const struct config_addr *a)
{
	return a->family == FIB_IP6 && a->addr.hi >> 48 == 0xfe80;
}

/* Index of the port that a path leaves by, or -1. */
static int path_port(const struct model *m, const struct mpath *p)
{
	int found = -1, best = -1;

	for (u32 i = 0; i < m->c->n_ports; i++) {
		const struct port_cfg *port = &m->c->ports[i];

		if (p->name >= 0 && m->name[i] == p->name)
			return i;
		for (u32 k = 0; p->name < 0 && k < port->n_addresses; k++) {
			const struct config_addr *a = &port->addresses[k];

			if (a->family != p->gateway.family || a->prefix_len <= best ||
			    a->prefix_len == (a->family == FIB_IP4 ? 32 : 128) || link_local(a) ||
			    !covers(a->family, &a->addr, a->prefix_len, &p->gateway.addr))
				continue;
			best = a->prefix_len;
			found = i;
		}
	}
	return found;
}

static const struct neighbour_cfg *path_neighbour(const struct model *m, const struct mpath *p,
						  int port)
{
	for (int exact = 1; exact >= 0; exact--)
		for (u32 i = 0; p->gateway.family && i < m->c->n_neighbours; i++) {
			const struct neighbour_cfg *n = &m->c->neighbours[i];
			bool same = n->vlan == p->vlan && n->svlan == p->svlan;
			bool loose = !(p->vlan | p->svlan) || !(n->vlan | n->svlan);
			static const u8 zero[6];

			if (n->port_idx != port || n->addr.family != p->gateway.family ||
			    memcmp(&n->addr.addr, &p->gateway.addr, sizeof(n->addr.addr)) ||
			    !memcmp(n->mac, zero, 6) || n->mac[0] & 1)
				continue;
			if (same || (!exact && loose))
				return n;
		}
	return NULL;
}

static bool addr_same(const struct config_addr *a, const struct config_addr *b)
{
	return a->family == b->family && a->addr.hi == b->addr.hi && a->addr.lo == b->addr.lo;
}

static const struct mseen *path_seen(const struct model *m, const struct mpath *p, int port)
{
	for (u32 i = 0; p->gateway.family && !p->vlan && !p->svlan && i < m->n_seen; i++)
		if (m->seen[i].name == m->name[port] && addr_same(&m->seen[i].addr, &p->gateway))
			return &m->seen[i];
	return NULL;
}

static struct dwcp_nexthop path_element(const struct model *m, const struct mpath *p)
{
	struct dwcp_nexthop e = {.type = DWCP_NEXTHOP_UNRESOLVED};
	const struct neighbour_cfg *n;
	const struct mseen *seen;
	int port = path_port(m, p);
	u16 vlan = p->vlan, svlan = p->svlan;

	if (port < 0)
		return e;
	e.port = port;
	n = path_neighbour(m, p, port);
	seen = n ? NULL : path_seen(m, p, port);
	if (seen && seen->state == RIB_NEIGHBOUR_RESOLVED) {
		e.type = DWCP_NEXTHOP_FORWARD;
		memcpy(e.forward.dst_mac, seen->mac, 6);
	}
	if (seen && seen->state == RIB_NEIGHBOUR_FAILED)
		e.flags = DWCP_NEXTHOP_FAILED;
	if (n) {
		e.type = DWCP_NEXTHOP_FORWARD;
		memcpy(e.forward.dst_mac, n->mac, 6);
		if (!vlan && !svlan) {
			vlan = n->vlan;
			svlan = n->svlan;
		}
	}
	if (svlan) {
		e.forward.vlan[0] = htobe16(0x88a8);
		e.forward.vlan[1] = htobe16(svlan);
		e.n_tags = 1;
	}
	if (vlan) {
		e.forward.vlan[2 * e.n_tags] = htobe16(0x8100);
		e.forward.vlan[2 * e.n_tags + 1] = htobe16(vlan);
		e.n_tags++;
	}
	return e;
}

static bool route_valid(const struct model *m, const struct mroute *r)
{
	for (u32 i = 0; r->type == ROUTE_UNICAST && i < r->n_paths; i++)
		if (path_port(m, &r->paths[i]) < 0 ||
		    (r->paths[i].name < 0 && !r->paths[i].gateway.family))
			return false;
	return r->type != ROUTE_UNICAST || r->n_paths;
}

static bool prefix_same(const struct fib_prefix *a, const struct fib_prefix *b)
{
	return a->family == b->family && a->vrf == b->vrf && a->len == b->len &&
	       a->addr.hi == b->addr.hi && a->addr.lo == b->addr.lo;
}

static struct mroute *model_find(struct model *m, u8 source, const struct fib_prefix *p)
{
	for (u32 i = 0; i < m->n; i++)
		if (m->routes[i].source == source && prefix_same(&m->routes[i].prefix, p))
			return &m->routes[i];
	return NULL;
}

static void model_put(struct model *m, const struct mroute *r)
{
	struct mroute *have = model_find(m, r->source, &r->prefix);

	if (!have) {
		assert_true(m->n < MAX_ROUTES);
		have = &m->routes[m->n++];
	}
	*have = *r;
}

static void model_clear(struct model *m, u8 source)
{
	u32 n = 0;

	for (u32 i = 0; i < m->n; i++)
		if (m->routes[i].source != source)
			m->routes[n++] = m->routes[i];
	m->n = n;
}

static const struct mroute *model_match(const struct model *m, u32 vrf, u8 family,
					const struct fib_addr *a)
{
	const struct mroute *best = NULL;

	for (u32 i = 0; i < m->n; i++) {
		const struct mroute *r = &m->routes[i];

		if (r->prefix.vrf != vrf || r->prefix.family != family ||
		    !covers(family, &r->prefix.addr, r->prefix.len, a))
			continue;
		if (!best || r->prefix.len > best->prefix.len ||
		    (r->prefix.len == best->prefix.len && r->source < best->source))
			best = r;
	}
	return best;
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

static bool element_same(const struct dwcp_nexthop *got, const struct dwcp_nexthop *want)
{
	struct dwcp_nexthop e = *got;

	e.id = 0;
	return !memcmp(&e, want, sizeof(e));
}

static void group_check(struct model *m, const struct mroute *r, const struct dwcp_nexthop *got)
{
	struct dwcp_nexthop want[MAX_PATHS];
	bool alive[MAX_PATHS], any = false, all = true;

	for (u32 i = 0; i < r->n_paths; i++) {
		want[i] = path_element(m, &r->paths[i]);
		alive[i] = want[i].type == DWCP_NEXTHOP_FORWARD ||
			   (!r->paths[i].gateway.family && path_port(m, &r->paths[i]) >= 0);
		any = any || alive[i];
		all = all && alive[i];
	}
	if (got->type != DWCP_NEXTHOP_GROUP) {
		/* All paths were the same one. */
		assert_true(element_same(got, &want[0]));
		return;
	}
	for (u32 b = 0; b < got->group.n_buckets; b++) {
		const struct dwcp_nexthop *e =
			&m->f.g->nexthop[m->f.g->bucket[got->group.first_bucket + b]];
		bool found = false;

		for (u32 i = 0; i < r->n_paths; i++)
			found = found || ((alive[i] || !any) && element_same(e, &want[i]));
		assert_true(found);
	}
}

static void route_check(struct model *m, const struct mroute *r, const struct dwcp_nexthop *got)
{
	static const u8 types[] = {[ROUTE_BLACKHOLE] = DWCP_NEXTHOP_BLACKHOLE,
				   [ROUTE_UNREACHABLE] = DWCP_NEXTHOP_UNREACHABLE,
				   [ROUTE_PROHIBIT] = DWCP_NEXTHOP_PROHIBIT,
				   [ROUTE_LOCAL] = DWCP_NEXTHOP_LOCAL};
	struct dwcp_nexthop want = {.type = types[r->type]};

	if (r->type == ROUTE_UNICAST) {
		group_check(m, r, got);
		return;
	}
	assert_true(element_same(got, &want));
}

static void address_check(struct model *m, u32 vrf, u8 family, const struct fib_addr *a)
{
	const struct mroute *want = model_match(m, vrf, family, a);
	u32 slot = fixture_slot(&m->f, vrf, family, a);
	struct rib_route told;

	if (!want) {
		assert_int_equal(slot, 0);
		assert_int_equal(rib_lookup(m->f.r, vrf, family, a, &told), -ENOENT);
		return;
	}
	route_check(m, want, &m->f.g->nexthop[slot]);
	assert_int_equal(rib_lookup(m->f.r, vrf, family, a, &told), 0);
	assert_true(prefix_same(&told.prefix, &want->prefix));
	assert_int_equal(told.source, want->source);
	assert_int_equal(told.type, want->type);
	assert_int_equal(told.slot, slot);
	assert_int_equal(nexthop_by_id(m->f.g, told.nexthop_id), slot);
}

static int prefix_cmp(const struct fib_prefix *p, const struct fib_prefix *q)
{
	if (p->family != q->family)
		return p->family < q->family ? -1 : 1;
	if (p->vrf != q->vrf)
		return p->vrf < q->vrf ? -1 : 1;
	if (p->addr.hi != q->addr.hi)
		return p->addr.hi < q->addr.hi ? -1 : 1;
	if (p->addr.lo != q->addr.lo)
		return p->addr.lo < q->addr.lo ? -1 : 1;
	return (int)p->len - (int)q->len;
}

static int order_cmp(const void *a, const void *b)
{
	return prefix_cmp(&((const struct route_cfg *)a)->prefix,
			  &((const struct route_cfg *)b)->prefix);
}

static int each_check(void *arg, const struct rib_route *route)
{
	struct model *m = arg;
	const struct mroute *best = NULL;

	for (u32 i = 0; i < m->n; i++)
		if (prefix_same(&m->routes[i].prefix, &route->prefix) &&
		    (!best || m->routes[i].source < best->source))
			best = &m->routes[i];
	assert_non_null(best);
	assert_int_equal(route->source, best->source);
	assert_true(prefix_cmp(&m->walked, &route->prefix) < 0);
	m->walked = route->prefix;
	m->f.number += 1ull << 32; /* counts in the upper half */
	return 0;
}

static u32 distinct(struct model *m)
{
	u32 n = 0;

	for (u32 i = 0; i < m->n; i++) {
		bool first = true;

		for (u32 k = 0; k < i && first; k++)
			first = !prefix_same(&m->routes[i].prefix, &m->routes[k].prefix);
		n += first;
	}
	return n;
}

/* ---- random things ---------------------------------------------------------------------------------------------- */

static struct fib_addr addr_random(struct model *m, u8 family)
{
	struct fib_addr a = {0};

	if (family == FIB_IP4) {
		a.lo = 10u << 24 | one_of(m, 5) << 16 | one_of(m, 3) << 8 | one_of(m, 256);
	} else {
		a.hi = 0x20010db800000000 | (u64)one_of(m, 4) << 16 | one_of(m, 3);
		a.lo = one_of(m, 4) ? one_of(m, 16) : rng_next(&m->rng);
	}
	return a;
}

static struct fib_prefix prefix_random(struct model *m)
{
	static const u8 len4[] = {0, 8, 13, 16, 20, 24, 24, 28, 31, 32};
	static const u8 len6[] = {0, 32, 45, 48, 56, 64, 64, 96, 127, 128};
	struct fib_prefix p = {.family = one_of(m, 2) ? FIB_IP4 : FIB_IP6,
			       .vrf = one_of(m, 5) ? 0 : 7};
	bool ip4 = p.family == FIB_IP4;
	u32 bits;

	p.len = ip4 ? len4[one_of(m, DWCP_ARRAY_LEN(len4))] : len6[one_of(m, DWCP_ARRAY_LEN(len6))];
	p.addr = addr_random(m, p.family);
	bits = ip4 ? 96u + p.len : p.len;
	p.addr.hi = bits >= 64 ? p.addr.hi : bits ? p.addr.hi & ~0ull << (64 - bits) : 0;
	p.addr.lo = bits >= 128 ? p.addr.lo : bits > 64 ? p.addr.lo & ~0ull << (128 - bits) : 0;
	return p;
}

static struct config_addr gateway_random(struct model *m)
{
	struct config_addr a = {0};

	assert_int_equal(addr_parse(gateway_pool[one_of(m, DWCP_ARRAY_LEN(gateway_pool))], &a.addr,
				    &a.family),
			 0);
	return a;
}

static struct mroute route_random(struct model *m, u8 source)
{
	struct mroute r = {.source = source, .prefix = prefix_random(m)};

	if (!one_of(m, 10)) {
		r.type = ROUTE_BLACKHOLE + one_of(m, 4);
		return r;
	}
	r.n_paths = one_of(m, 3) ? 1 : 1 + one_of(m, MAX_PATHS);
	for (u32 i = 0; i < r.n_paths; i++) {
		struct mpath *p = &r.paths[i];

		p->name = -1;
		if (m->c->n_ports && !one_of(m, 3))
			p->name = m->name[one_of(m, m->c->n_ports)];
		if (p->name < 0 || one_of(m, 4))
			p->gateway = gateway_random(m);
		if (!one_of(m, 4))
			p->vlan = 1 + one_of(m, 2);
		if (!one_of(m, 8))
			p->svlan = 1 + one_of(m, 2);
		p->weight = 1 + one_of(m, 3);
	}
	return r;
}

/* As the rib is told: port names become indices of now. */
static struct route_cfg route_cfg_of(const struct model *m, const struct mroute *r,
				     struct path_cfg *paths)
{
	for (u32 i = 0; i < r->n_paths; i++) {
		const struct mpath *p = &r->paths[i];

		paths[i] = (struct path_cfg){.gateway = p->gateway,
					     .port_idx = PATH_AUTO,
					     .vlan = p->vlan,
					     .svlan = p->svlan,
					     .weight = p->weight};
		for (u32 k = 0; p->name >= 0 && k < m->c->n_ports; k++)
			if (m->name[k] == p->name)
				paths[i].port_idx = k;
	}
	return (struct route_cfg){.prefix = r->prefix,
				  .type = r->type,
				  .paths = paths,
				  .n_paths = r->n_paths};
}

static struct dwcp_config *config_random(struct model *m)
{
	const char *text[N_NAMES][4] = {0};
	const char *const *addresses[N_NAMES];
	u32 n_ports = one_of(m, 8) ? 2 + one_of(m, 3) : one_of(m, 2);
	struct dwcp_config *c;

	for (u32 i = 0; i < N_NAMES; i++)
		m->name[i] = i;
	for (u32 i = N_NAMES - 1; i > 0 && !one_of(m, 3); i--) {
		u32 k = one_of(m, i + 1);
		int swap = m->name[i];

		m->name[i] = m->name[k];
		m->name[k] = swap;
	}
	for (u32 i = 0; i < N_NAMES; i++) {
		for (u32 k = one_of(m, 4); k > 0; k--)
			text[i][k - 1] = address_pool[one_of(m, DWCP_ARRAY_LEN(address_pool))];
		addresses[i] = text[i];
	}
	c = config_make(n_ports, addresses);
	for (u32 i = 0; i < n_ports; i++)
		snprintf(((struct port_cfg *)c->ports)[i].name, CONFIG_NAME_MAX, "p%d", m->name[i]);
	for (u32 i = n_ports ? one_of(m, 24) : 0; i > 0; i--)
		config_neighbour(c, one_of(m, n_ports),
				 gateway_pool[one_of(m, DWCP_ARRAY_LEN(gateway_pool))],
				 one_of(m, 12) ? 0x020000000000 + one_of(m, 5) : 0,
				 one_of(m, 3) ? 0 : 1 + one_of(m, 2),
				 one_of(m, 6) ? 0 : 1 + one_of(m, 2));
	return c;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

static void connected_put(struct model *m, u8 source, u8 family, struct fib_addr a, u8 len,
			  const struct mpath *path)
{
	struct mroute r = {.source = source, .type = path ? ROUTE_UNICAST : ROUTE_LOCAL};
	u32 bits = family == FIB_IP4 ? 96u + len : len;

	a.hi = bits >= 64 ? a.hi : bits ? a.hi & ~0ull << (64 - bits) : 0;
	a.lo = bits >= 128 ? a.lo : bits > 64 ? a.lo & ~0ull << (128 - bits) : 0;
	r.prefix = (struct fib_prefix){.addr = a, .family = family, .len = len};
	if (path) {
		r.n_paths = 1;
		r.paths[0] = *path;
	}
	if (!model_find(m, source, &r.prefix))
		model_put(m, &r);
}

/* The host routes of observed neighbours: on link, and of no address that the configuration names. */
static void hosts_put(struct model *m)
{
	for (u32 i = 0; i < m->n_seen; i++) {
		const struct mseen *s = &m->seen[i];
		struct mpath p = {.gateway = s->addr, .name = -1, .weight = 1};
		int port = path_port(m, &p);
		bool configured = false;

		for (u32 k = 0; k < m->c->n_neighbours; k++)
			configured = configured || addr_same(&m->c->neighbours[k].addr, &s->addr);
		if (!configured && port >= 0 && m->name[port] == s->name && !link_local(&s->addr) &&
		    s->state != RIB_NEIGHBOUR_INCOMPLETE && !m->down[s->name])
			connected_put(m, RIB_CONNECTED, s->addr.family, s->addr.addr,
				      s->addr.family == FIB_IP4 ? 32 : 128, &p);
	}
}

static void connected_model(struct model *m)
{
	const struct dwcp_config *c = m->c;

	model_clear(m, RIB_LOCAL);
	model_clear(m, RIB_CONNECTED);
	for (u32 i = 0; i < c->n_ports; i++)
		for (u32 k = 0; k < c->ports[i].n_addresses; k++) {
			const struct config_addr *a = &c->ports[i].addresses[k];
			struct mpath link = {.name = m->name[i], .weight = 1};
			u8 max = a->family == FIB_IP4 ? 32 : 128;

			connected_put(m, RIB_LOCAL, a->family, a->addr, max, NULL);
			if (a->prefix_len < max && !link_local(a) && !m->down[m->name[i]])
				connected_put(m, RIB_CONNECTED, a->family, a->addr, a->prefix_len,
					      &link);
		}
	for (u32 i = 0; i < c->n_neighbours; i++) {
		const struct neighbour_cfg *n = &c->neighbours[i];
		struct mpath p = {.gateway = n->addr,
				  .name = m->name[n->port_idx],
				  .vlan = n->vlan,
				  .svlan = n->svlan,
				  .weight = 1};

		if (!link_local(&n->addr) && !m->down[m->name[n->port_idx]])
			connected_put(m, RIB_CONNECTED, n->addr.family, n->addr.addr,
				      n->addr.family == FIB_IP4 ? 32 : 128, &p);
	}
	hosts_put(m);
}

static void configure(struct model *m)
{
	struct dwcp_config *old = m->c, *c = config_random(m);

	m->c = c;
	if (old)
		config_drop(old);
	assert_int_equal(rib_configure(m->f.r, c), 0);
	m->f.n_ports = c->n_ports ? c->n_ports : 1;
	for (u32 i = 0; i < m->n_seen;) {
		u32 k = 0;

		while (k < c->n_ports && m->name[k] != m->seen[i].name)
			k++;
		if (k == c->n_ports)
			m->seen[i] = m->seen[--m->n_seen];
		else
			i++;
	}
	for (int name = 0; name < N_NAMES; name++) {
		u32 k = 0;

		while (k < c->n_ports && m->name[k] != name)
			k++;
		m->down[name] = m->down[name] && k < c->n_ports;
	}
	connected_model(m);
	rib_gateways_again(m->f.r);
	memset(m->told, 0, sizeof(m->told)); /* indices are others now */
}

static void link_set(struct model *m)
{
	u32 port = one_of(m, N_NAMES);
	bool up = one_of(m, 2);

	assert_int_equal(rib_port_link_set(m->f.r, (u16)port, up),
			 port < m->c->n_ports ? 0 : -EINVAL);
	if (port < m->c->n_ports)
		m->down[m->name[port]] = !up;
	connected_model(m);
}

static void seen_set(struct model *m)
{
	struct mseen s = {.addr = gateway_random(m), .state = one_of(m, RIB_NEIGHBOUR_N_STATES)};
	u32 port = m->c->n_ports ? one_of(m, m->c->n_ports) : 0, i;
	struct neighbour_cfg n = {.port_idx = port, .addr = s.addr};

	for (i = 0; i < 6; i++)
		n.mac[i] = i ? one_of(m, 3) : 2;
	s.name = m->name[port];
	for (i = 0; i < m->n_seen; i++)
		if (m->seen[i].name == s.name && addr_same(&m->seen[i].addr, &s.addr))
			break;
	if (port >= m->c->n_ports || i == MAX_SEEN) {
		n.port_idx = m->c->n_ports;
		assert_int_equal(rib_neighbour_set(m->f.r, &n, s.state), -EINVAL);
		return;
	}
	memcpy(s.mac, n.mac, 6);
	assert_int_equal(rib_neighbour_set(m->f.r, &n, s.state), 0);
	m->seen[i] = s;
	m->n_seen = DWCP_MAX(m->n_seen, i + 1);
	connected_model(m);
}

static void seen_del(struct model *m)
{
	struct config_addr a = gateway_random(m);
	u32 port = m->c->n_ports ? one_of(m, m->c->n_ports) : 0, i;
	struct neighbour_cfg n = {.port_idx = port, .addr = a};

	for (i = 0; i < m->n_seen; i++)
		if (port < m->c->n_ports && m->seen[i].name == m->name[port] &&
		    addr_same(&m->seen[i].addr, &a))
			break;
	assert_int_equal(rib_neighbour_del(m->f.r, &n), i < m->n_seen ? 0 : -ENOENT);
	if (i < m->n_seen)
		m->seen[i] = m->seen[--m->n_seen];
	connected_model(m);
	assert_int_equal(rib_neighbour_count(m->f.r), m->n_seen);
}

static u8 source_random(struct model *m)
{
	static const u8 sources[] = {RIB_STATIC, RIB_API, RIB_KERNEL, RIB_FILE, RIB_FILE + 31};

	return sources[one_of(m, DWCP_ARRAY_LEN(sources))];
}

static void route_set(struct model *m)
{
	struct mroute r = route_random(m, source_random(m));
	struct path_cfg paths[MAX_PATHS];
	struct route_cfg cfg;

	if (m->n && !one_of(m, 3))
		r.prefix = m->routes[one_of(m, m->n)].prefix;
	cfg = route_cfg_of(m, &r, paths);
	if (route_valid(m, &r)) {
		assert_int_equal(rib_route_set(m->f.r, r.source, &cfg), 0);
		model_put(m, &r);
	} else {
		assert_int_equal(rib_route_set(m->f.r, r.source, &cfg), -EINVAL);
	}
}

static void route_del(struct model *m)
{
	u32 i = m->n ? one_of(m, m->n) : 0;
	struct fib_prefix p = m->n ? m->routes[i].prefix : prefix_random(m);
	u8 source = one_of(m, 2) && m->n ? m->routes[i].source : source_random(m);
	struct mroute *have;

	if (source == RIB_LOCAL || source == RIB_CONNECTED)
		return;
	have = model_find(m, source, &p);
	assert_int_equal(rib_route_del(m->f.r, source, &p), have ? 0 : -ENOENT);
	if (have)
		*have = m->routes[--m->n];
}

static void source_replace(struct model *m)
{
	enum { LIST = 80 };
	static struct mroute list[LIST];
	static struct path_cfg paths[LIST][MAX_PATHS];
	struct route_cfg cfg[LIST];
	u8 source = source_random(m);
	u32 n = one_of(m, 5) ? one_of(m, LIST) : 0, kept = 0;
	bool unique = one_of(m, 2), twice;
	u64 rejected, want = 0;

	/* Some of what is there, some new, some twice. */
	for (u32 i = 0; i < m->n && kept < n / 2; i++)
		if (m->routes[i].source == source && one_of(m, 4))
			list[kept++] = m->routes[i];
	for (u32 i = kept; i < n; i++) {
		list[i] = route_random(m, source);
		if (i && !unique && !one_of(m, 6))
			list[i].prefix = list[one_of(m, i)].prefix;
		twice = false;
		for (u32 k = 0; k < i; k++)
			twice = twice || prefix_same(&list[i].prefix, &list[k].prefix);
		if (unique && twice)
			n = i--;
	}
	for (u32 i = 0; i < n; i++)
		cfg[i] = route_cfg_of(m, &list[i], paths[i]);
	/* Some share their paths, as those of a route file do. */
	for (u32 i = 1; i < n; i++)
		if (list[i].prefix.family == list[i - 1].prefix.family && !one_of(m, 4)) {
			struct fib_prefix prefix = list[i].prefix;

			list[i] = list[i - 1];
			list[i].prefix = prefix;
			cfg[i] = cfg[i - 1];
			cfg[i].prefix = prefix;
		}
	/* A path kept from before may name a port that isn't there now: by the gateway, then, as it was told. */
	for (u32 i = 0; i < n; i++)
		for (u32 k = 0; k < list[i].n_paths; k++)
			if (cfg[i].paths[k].port_idx == PATH_AUTO)
				list[i].paths[k].name = -1;
	model_clear(m, source);
	for (u32 i = 0; i < n; i++)
		if (route_valid(m, &list[i]))
			model_put(m, &list[i]);
		else
			want++;
	/* In order, where no prefix is there twice, so that the sort doesn't change which is last. */
	if (one_of(m, 3)) {
		twice = false;
		for (u32 i = 0; i < n; i++)
			for (u32 k = 0; k < i; k++)
				twice = twice || prefix_same(&cfg[i].prefix, &cfg[k].prefix);
		if (!twice)
			qsort(cfg, n, sizeof(cfg[0]), order_cmp);
	}
	assert_int_equal(rib_source_replace(m->f.r, source, cfg, n, &rejected), 0);
	assert_int_equal(rejected, want);
}

/* Is there a route, other than an observed neighbour's own, that sends to the gateway by this port without tags? */
static bool gateway_used(const struct model *m, const struct config_addr *gateway, u32 port)
{
	for (u32 i = 0; i < m->n; i++) {
		const struct mroute *r = &m->routes[i];
		bool own = r->source == RIB_CONNECTED && r->paths[0].name < 0;

		for (u32 k = 0; !own && k < r->n_paths; k++) {
			const struct mpath *p = &r->paths[k];

			if (!p->vlan && !p->svlan && addr_same(&p->gateway, gateway) &&
			    path_port(m, p) == (int)port)
				return true;
		}
	}
	return false;
}

static u32 pool_index(const struct config_addr *a)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(gateway_pool); i++) {
		struct config_addr b;

		assert_int_equal(addr_parse(gateway_pool[i], &b.addr, &b.family), 0);
		if (addr_same(a, &b))
			return i;
	}
	fail_msg("a gateway that nobody named");
	return 0;
}

/* What was told whenever it changed is what is: nothing was left out, nothing told of what isn't. */
static void gateways_check(struct model *m)
{
	struct rib_gateway g[7];
	u32 n;

	while ((n = rib_gateways_take(m->f.r, g, DWCP_ARRAY_LEN(g))) > 0)
		for (u32 i = 0; i < n; i++) {
			assert_true(g[i].port_idx < m->c->n_ports);
			m->told[g[i].port_idx][pool_index(&g[i].addr)] = g[i].n_users > 0;
		}
	for (u32 port = 0; port < m->c->n_ports; port++)
		for (u32 i = 0; i < DWCP_ARRAY_LEN(gateway_pool); i++) {
			struct config_addr a = {0};

			assert_int_equal(addr_parse(gateway_pool[i], &a.addr, &a.family), 0);
			assert_int_equal(m->told[port][i], gateway_used(m, &a, port));
		}
}

static void publish_and_check(struct model *m)
{
	u64 counted;

	gateways_check(m);
	fixture_publish(&m->f);
	for (u32 i = 0; i < 150; i++) {
		u8 family = one_of(m, 2) ? FIB_IP4 : FIB_IP6;
		struct fib_addr a = addr_random(m, family);

		address_check(m, one_of(m, 5) ? 0 : 7, family, &a);
	}
	for (u32 i = 0; i < m->n; i++)
		address_check(m, m->routes[i].prefix.vrf, m->routes[i].prefix.family,
			      &m->routes[i].prefix.addr);
	counted = m->f.number;
	m->walked = (struct fib_prefix){0};
	assert_int_equal(rib_each(m->f.r, NULL, each_check, m), 0);
	assert_int_equal((m->f.number - counted) >> 32, distinct(m));
	assert_int_equal(rib_count(m->f.r, FIB_IP4) + rib_count(m->f.r, FIB_IP6), distinct(m));
	m->f.number = counted;
}

static void run(u64 seed)
{
	static struct model m;

	m = (struct model){.rng = {seed}};
	fixture_init(&m.f, 4096);
	configure(&m);
	for (u32 step = 0; step < STEPS; step++) {
		u32 what = one_of(&m, 100);

		if (what < 36)
			route_set(&m);
		else if (what < 40)
			link_set(&m);
		else if (what < 48)
			seen_set(&m);
		else if (what < 52)
			seen_del(&m);
		else if (what < 68)
			route_del(&m);
		else if (what < 76)
			source_replace(&m);
		else if (what < 84)
			configure(&m);
		else if (what < 88)
			assert_int_equal(rib_renumber(m.f.r, what + step), 0);
		else
			publish_and_check(&m);
	}
	publish_and_check(&m);
	config_drop(m.c);
	fixture_fini(&m.f);
}

static u64 env_number(const char *name, u64 otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void test_model(void **state)
{
	u64 seed = env_number("RIB_SEED", 1), rounds = env_number("RIB_ROUNDS", 30);
	u32 fds = fixture_fds();

	for (u64 i = 0; i < rounds; i++) {
		if (i % 10 == 0)
			print_message("seeds %lu … (RIB_SEED, RIB_ROUNDS)\n", seed + i);
		run(seed + i);
	}
	assert_int_equal(fixture_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
