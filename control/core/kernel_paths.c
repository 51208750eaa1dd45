/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_paths.c - path sets: what routes say of their next hops, each set once, and what it comes to with the links
 * and next-hop objects of now. A set that comes to something else makes its routes dirty.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_private.h"

/* ---- links --------------------------------------------------------------------------------------------------- */

/* Position of the first whose index is not below. */
static u32 link_seek(const struct kernel_routes *kr, u32 ifindex)
{
	u32 lo = 0, hi = kr->n_links;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (kr->links[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct kernel_link *link_find(const struct kernel_routes *kr, u32 ifindex)
{
	u32 i = link_seek(kr, ifindex);

	return i < kr->n_links && kr->links[i].ifindex == ifindex ? &kr->links[i] : NULL;
}

static struct kernel_link *link_get(struct kernel_routes *kr, u32 ifindex)
{
	struct kernel_link *l = link_find(kr, ifindex);
	u32 i;

	if (l)
		return l;
	if (kernel_list_grow((void **)&kr->links, kr->n_links, &kr->cap_links, sizeof(*l)) < 0)
		return NULL;
	i = link_seek(kr, ifindex);
	l = &kr->links[i];
	memmove(l + 1, l, (kr->n_links - i) * sizeof(*l));
	kr->n_links++;
	*l = (struct kernel_link){.ifindex = ifindex, .port = KERNEL_NO_PORT};
	return l;
}

/* Names stay where they are: batches refer to them. */
static int port_get(struct kernel_routes *kr, const char *name, u16 *ret_port)
{
	void *grown;

	for (u32 i = 0; i < kr->n_ports; i++) {
		if (strcmp(kr->ports[i], name) == 0) {
			*ret_port = (u16)i;
			return 0;
		}
	}
	if (kr->n_ports == KERNEL_NO_PORT)
		return -ENOMEM;
	grown = realloc(kr->ports, (kr->n_ports + 1) * sizeof(*kr->ports));
	if (!grown)
		return -ENOMEM;
	kr->ports = grown;
	memset(kr->ports[kr->n_ports], 0, CONFIG_NAME_MAX);
	memcpy(kr->ports[kr->n_ports], name, strnlen(name, CONFIG_NAME_MAX - 1));
	*ret_port = (u16)kr->n_ports++;
	return 0;
}

static bool path_lost(const struct kernel_routes *kr, u8 family, const struct mirror_path *p)
{
	const struct kernel_link *l = link_find(kr, p->ifindex);

	return !l || !l->up || (family == FIB_IP4 && l->ip4_off);
}

static bool set_lost(const struct kernel_routes *kr, const struct kernel_set *s)
{
	for (u32 i = 0; i < s->n_paths; i++)
		if (!path_lost(kr, s->family, &s->paths[i]))
			return false;
	return s->n_paths && !s->nexthop_id;
}

/* The router's own addresses stay when their interface is only down. */
static void set_drop(struct kernel_routes *kr, u32 set, bool own_too)
{
	u32 i, next;

	kernel_set_ref(kr, set);
	for (i = kr->sets[set]->first; i; i = next) {
		const struct kernel_variant *v = &kr->variants[i];
		u32 entry = v->entry;

		next = v->set_next;
		if (!own_too && (v->type == RTN_LOCAL || v->type == RTN_ANYCAST))
			continue;
		kernel_variant_del(kr, i);
		kernel_entry_settle(kr, entry);
	}
	kernel_set_unref(kr, set);
}

static void lost_drop(struct kernel_routes *kr, bool own_too)
{
	for (u32 i = 1; i < kr->set_pool.n; i++)
		if (kr->sets[i]->n_refs && set_lost(kr, kr->sets[i]))
			set_drop(kr, i, own_too);
}

static void nexthop_del(struct kernel_routes *kr, u32 id);

/* The kernel deletes the objects of a link that is down, and does not say so. */
static void link_nexthops_drop(struct kernel_routes *kr, u32 ifindex)
{
	for (u32 i = kr->n_nexthops; i > 0; i--) {
		const struct kernel_nexthop *n;

		if (i > kr->n_nexthops) /* one deletion took several along */
			continue;
		n = &kr->nexthops[i - 1];
		if (!n->n_members && !n->blackhole && n->path.ifindex == ifindex)
			nexthop_del(kr, n->id);
	}
}

static void link_del(struct kernel_routes *kr, u32 ifindex)
{
	struct kernel_link *l = link_find(kr, ifindex);

	if (!l)
		return;
	kr->n_twins -= l->port != KERNEL_NO_PORT;
	memmove(l, l + 1, (size_t)(kr->links + kr->n_links - (l + 1)) * sizeof(*l));
	kr->n_links--;
	kr->stale = true;
	kr->n_losses++;
	lost_drop(kr, true);
	link_nexthops_drop(kr, ifindex);
}

int kernel_routes_link(struct kernel_routes *kr, enum mirror_verb verb, const struct mirror_link *l)
{
	u16 port = KERNEL_NO_PORT;
	struct kernel_link *k, was;

	if (verb == MIRROR_DEL) {
		link_del(kr, l->ifindex);
		return 0;
	}
	if (l->port && port_get(kr, l->port, &port) < 0)
		return -ENOMEM;
	k = link_get(kr, l->ifindex);
	if (!k)
		return -ENOMEM;
	was = *k;
	k->up = l->flags & IFF_UP;
	k->carrier = k->up && (l->flags & IFF_LOWER_UP);
	k->port = port;
	k->marked = false;
	kr->n_twins += (port != KERNEL_NO_PORT) - (was.port != KERNEL_NO_PORT);
	kr->stale = kr->stale || k->up != was.up || k->carrier != was.carrier || port != was.port;
	kr->n_losses += k->up != was.up || k->carrier != was.carrier;
	if (was.up && !k->up)
		lost_drop(kr, false);
	if (!(l->flags & (IFF_RUNNING | IFF_LOWER_UP)) || !k->up)
		link_nexthops_drop(kr, l->ifindex);
	return 0;
}

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static bool has_addr4(const struct kernel_routes *kr, u32 ifindex)
{
	for (u32 i = 0; i < kr->n_addrs; i++)
		if (kr->addrs[i].ifindex == ifindex)
			return true;
	return false;
}

static struct kernel_addr *addr_find(const struct kernel_routes *kr, const struct mirror_addr *a)
{
	for (u32 i = 0; i < kr->n_addrs; i++) {
		struct kernel_addr *k = &kr->addrs[i];

		if (k->ifindex == a->ifindex && k->addr == (u32)a->addr.lo &&
		    k->len == a->prefix_len)
			return k;
	}
	return NULL;
}

/*
 * With its last IPv4 address a link's IPv4 routes go. Those that have another path stay, and one that is added later
 * is good: which paths the kernel still uses, a comparison tells.
 */
static void link_ip4_drop(struct kernel_routes *kr, u32 ifindex)
{
	struct kernel_link *l = link_find(kr, ifindex);

	if (!l)
		return;
	l->ip4_off = true;
	lost_drop(kr, true);
	l->ip4_off = false;
}

static void addr_del(struct kernel_routes *kr, struct kernel_addr *k)
{
	u32 ifindex = k->ifindex;

	*k = kr->addrs[--kr->n_addrs];
	kr->n_losses++;
	if (!has_addr4(kr, ifindex))
		link_ip4_drop(kr, ifindex);
}

int kernel_routes_addr(struct kernel_routes *kr, enum mirror_verb verb, const struct mirror_addr *a)
{
	struct kernel_addr *k;

	if (a->family != FIB_IP4)
		return 0;
	k = addr_find(kr, a);
	if (verb == MIRROR_DEL) {
		if (k)
			addr_del(kr, k);
		return 0;
	}
	if (!k) {
		kr->n_losses += !has_addr4(kr, a->ifindex); /* dead paths live again */
		if (kernel_list_grow((void **)&kr->addrs, kr->n_addrs, &kr->cap_addrs, sizeof(*k)) <
		    0)
			return -ENOMEM;
		k = &kr->addrs[kr->n_addrs++];
	}
	*k = (struct kernel_addr){a->ifindex, (u32)a->addr.lo, a->prefix_len, false};
	return 0;
}

/* ---- next-hop objects ------------------------------------------------------------------------------------------ */

static struct kernel_nexthop *nexthop_find(const struct kernel_routes *kr, u32 id)
{
	u32 lo = 0, hi = kr->n_nexthops;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (kr->nexthops[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < kr->n_nexthops && kr->nexthops[lo].id == id ? &kr->nexthops[lo] : NULL;
}

static void routes_of_nexthop_drop(struct kernel_routes *kr, u32 id)
{
	for (u32 i = 1; i < kr->set_pool.n; i++)
		if (kr->sets[i]->n_refs && kr->sets[i]->nexthop_id == id)
			set_drop(kr, i, true);
}

static void nexthop_remove(struct kernel_routes *kr, struct kernel_nexthop *n)
{
	free(n->members);
	memmove(n, n + 1, (size_t)(kr->nexthops + kr->n_nexthops - (n + 1)) * sizeof(*n));
	kr->n_nexthops--;
	kr->stale = true;
}

/* Return: does the group still have members? */
static bool group_leave(struct kernel_nexthop *g, u32 id)
{
	u32 n = 0;

	for (u32 i = 0; i < g->n_members; i++)
		if (g->members[i].nexthop_id != id)
			g->members[n++] = g->members[i];
	g->n_members = n;
	return n > 0;
}

/* With the object go the groups of which it was the last member, and the routes of all of them. */
static void nexthop_del(struct kernel_routes *kr, u32 id)
{
	struct kernel_nexthop *n = nexthop_find(kr, id);

	if (!n)
		return;
	nexthop_remove(kr, n);
	routes_of_nexthop_drop(kr, id);
	for (u32 i = kr->n_nexthops; i > 0; i--) {
		struct kernel_nexthop *g = &kr->nexthops[i - 1];
		u32 group = g->id;

		if (!g->n_members || group_leave(g, id))
			continue;
		nexthop_remove(kr, g);
		routes_of_nexthop_drop(kr, group);
	}
}

static struct kernel_nexthop *nexthop_get(struct kernel_routes *kr, u32 id)
{
	struct kernel_nexthop *n = nexthop_find(kr, id);
	u32 i = kr->n_nexthops;

	if (n)
		return n;
	if (kernel_list_grow((void **)&kr->nexthops, kr->n_nexthops, &kr->cap_nexthops,
			     sizeof(*n)) < 0)
		return NULL;
	for (; i > 0 && kr->nexthops[i - 1].id > id; i--)
		kr->nexthops[i] = kr->nexthops[i - 1];
	kr->n_nexthops++;
	kr->nexthops[i] = (struct kernel_nexthop){.id = id};
	return &kr->nexthops[i];
}

int kernel_routes_nexthop(struct kernel_routes *kr, enum mirror_verb verb,
			  const struct mirror_nexthop *m)
{
	struct mirror_member *members = NULL;
	struct kernel_nexthop *n;

	if (verb == MIRROR_DEL) {
		nexthop_del(kr, m->id);
		return 0;
	}
	if (m->n_members) {
		members = malloc(m->n_members * sizeof(*members));
		if (!members)
			return -ENOMEM;
		memcpy(members, m->members, m->n_members * sizeof(*members));
	}
	n = nexthop_get(kr, m->id);
	if (!n) {
		free(members);
		return -ENOMEM;
	}
	free(n->members);
	*n = (struct kernel_nexthop){.id = m->id,
				     .blackhole = m->blackhole,
				     .fdb = m->fdb,
				     .path = m->path,
				     .n_members = m->n_members,
				     .members = members};
	kr->stale = true;
	return 0;
}

/* ---- mark and sweep --------------------------------------------------------------------------------------------- */

void kernel_routes_mark(struct kernel_routes *kr, enum kernel_kind kind)
{
	for (u32 i = 0; kind == KERNEL_LINKS && i < kr->n_links; i++)
		kr->links[i].marked = true;
	for (u32 i = 0; kind == KERNEL_ADDRS && i < kr->n_addrs; i++)
		kr->addrs[i].marked = true;
	for (u32 i = 0; kind == KERNEL_NEXTHOPS && i < kr->n_nexthops; i++)
		kr->nexthops[i].marked = true;
}

int kernel_routes_sweep(struct kernel_routes *kr, enum kernel_kind kind)
{
	for (u32 i = kr->n_links; kind == KERNEL_LINKS && i > 0; i--)
		if (kr->links[i - 1].marked)
			link_del(kr, kr->links[i - 1].ifindex);
	for (u32 i = kr->n_addrs; kind == KERNEL_ADDRS && i > 0; i--)
		if (kr->addrs[i - 1].marked)
			addr_del(kr, &kr->addrs[i - 1]);
	for (u32 i = kr->n_nexthops; kind == KERNEL_NEXTHOPS && i > 0; i--)
		if (i <= kr->n_nexthops && kr->nexthops[i - 1].marked)
			nexthop_del(kr, kr->nexthops[i - 1].id);
	return 0;
}

/* ---- sets ------------------------------------------------------------------------------------------------------ */

static int path_order(const void *x, const void *y)
{
	const struct mirror_path *a = x, *b = y;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	if (a->gateway.hi != b->gateway.hi)
		return a->gateway.hi < b->gateway.hi ? -1 : 1;
	if (a->gateway.lo != b->gateway.lo)
		return a->gateway.lo < b->gateway.lo ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->dead != b->dead)
		return a->dead ? 1 : -1;
	return a->weight < b->weight ? -1 : a->weight > b->weight;
}

static u64 paths_hash(u8 family, u32 nexthop_id, const struct mirror_path *p, u32 n)
{
	u64 h = kernel_mix((u64)nexthop_id << 8 | family);

	for (u32 i = 0; i < n; i++, p++) {
		h = kernel_mix(h ^ p->gateway.hi);
		h = kernel_mix(h ^ p->gateway.lo);
		h = kernel_mix(h ^ ((u64)p->ifindex << 32 | (p->weight << 8) | p->family |
				    p->encap << 4 | p->dead << 5));
	}
	return h;
}

static bool paths_equal(const struct mirror_path *a, const struct mirror_path *b, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (path_order(&a[i], &b[i]) != 0 || a[i].encap != b[i].encap)
			return false;
	return true;
}

static int set_index_grow(struct kernel_routes *kr)
{
	u32 mask = kr->set_mask * 2 + 1, *index = calloc((size_t)mask + 1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (u32 i = 1; i < kr->set_pool.n; i++) {
		if (!kr->sets[i]->n_refs)
			continue;
		kr->sets[i]->chain = index[kr->sets[i]->hash & mask];
		index[kr->sets[i]->hash & mask] = i;
	}
	free(kr->set_index);
	kr->set_index = index;
	kr->set_mask = mask;
	return 0;
}

static int set_resolve(struct kernel_routes *kr, struct kernel_set *s);

/* A freed set leaves a small one in its place, which the next one takes. */
static u32 set_place(struct kernel_routes *kr)
{
	u32 i = kr->set_pool.free;

	if (i) {
		kr->set_pool.free = kr->sets[i]->chain;
		free(kr->sets[i]);
		kr->sets[i] = NULL;
		return i;
	}
	i = kernel_pool_grow(&kr->set_pool, sizeof(*kr->sets));
	kr->sets = kr->set_pool.e;
	return i;
}

static u32 set_make(struct kernel_routes *kr, const struct kernel_set *head,
		    const struct mirror_path *paths)
{
	size_t bytes = sizeof(*head) + head->n_paths * sizeof(*paths);
	struct kernel_set *s;
	u32 i;

	if (kr->n_sets > kr->set_mask && set_index_grow(kr) < 0)
		return 0;
	s = malloc(bytes);
	if (!s)
		return 0;
	*s = *head;
	if (s->n_paths)
		memcpy(s->paths, paths, s->n_paths * sizeof(*paths));
	i = set_resolve(kr, s) < 0 ? 0 : set_place(kr);
	if (!i) {
		free(s->out);
		free(s);
		return 0;
	}
	s->n_refs = 1;
	s->chain = kr->set_index[s->hash & kr->set_mask];
	kr->set_index[s->hash & kr->set_mask] = i;
	kr->sets[i] = s;
	kr->n_sets++;
	kr->set_bytes += bytes + s->cap_out * sizeof(*s->out);
	return i;
}

u32 kernel_set_of(struct kernel_routes *kr, u8 family, u32 nexthop_id,
		  const struct mirror_path *paths, u32 n)
{
	struct mirror_path told[MIRROR_MAX_PATHS];
	struct kernel_set head = {.family = family, .nexthop_id = nexthop_id, .n_paths = n};

	for (u32 i = 0; i < n; i++) {
		told[i] = paths[i];
		/* what is dead with its link comes back with it, and not a word is said */
		told[i].dead = paths[i].dead && !path_lost(kr, family, &paths[i]);
	}
	if (n == 1)
		told[0].weight = 1; /* the kernel does not tell that of a single one */
	/* Those of an IPv6 route are told in any order; in IPv4 another order is another route. */
	if (n > 1 && family == FIB_IP6)
		qsort(told, n, sizeof(*told), path_order);
	head.hash = paths_hash(family, nexthop_id, told, n);
	for (u32 i = kr->set_index[head.hash & kr->set_mask]; i; i = kr->sets[i]->chain) {
		const struct kernel_set *s = kr->sets[i];

		if (s->hash == head.hash && s->family == family && s->nexthop_id == nexthop_id &&
		    s->n_paths == n && paths_equal(s->paths, told, n)) {
			kernel_set_ref(kr, i);
			return i;
		}
	}
	return set_make(kr, &head, told);
}

u32 kernel_set_find(struct kernel_routes *kr, const struct mirror_route *r)
{
	return kernel_set_of(kr, r->prefix.family, r->nexthop_id, r->paths,
			     r->nexthop_id ? 0 : r->n_paths);
}

void kernel_set_ref(struct kernel_routes *kr, u32 set)
{
	kr->sets[set]->n_refs++;
}

void kernel_set_unref(struct kernel_routes *kr, u32 set)
{
	struct kernel_set *s = kr->sets[set];
	u32 *at;

	if (--s->n_refs)
		return;
	at = &kr->set_index[s->hash & kr->set_mask];
	while (*at != set)
		at = &kr->sets[*at]->chain;
	*at = s->chain;
	kr->n_sets--;
	kr->set_bytes -= sizeof(*s) + s->n_paths * sizeof(*s->paths) + s->cap_out * sizeof(*s->out);
	free(s->out);
	s->out = NULL;
	s->cap_out = 0;
	s->first = 0;
	s->chain = kr->set_pool.free;
	kr->set_pool.free = set;
}

void kernel_set_link(struct kernel_routes *kr, u32 variant)
{
	struct kernel_variant *v = &kr->variants[variant];
	struct kernel_set *s = kr->sets[v->set];

	v->set_prev = 0;
	v->set_next = s->first;
	if (s->first)
		kr->variants[s->first].set_prev = variant;
	s->first = variant;
}

void kernel_set_unlink(struct kernel_routes *kr, u32 variant)
{
	struct kernel_variant *v = &kr->variants[variant];

	if (v->set_prev)
		kr->variants[v->set_prev].set_next = v->set_next;
	else
		kr->sets[v->set]->first = v->set_next;
	if (v->set_next)
		kr->variants[v->set_next].set_prev = v->set_prev;
}

/* ---- resolving -------------------------------------------------------------------------------------------------- */

struct resolved {
	bool usable, blackhole;
	u32 n;
	struct path_cfg out[CONFIG_MAX_PATHS];
};

static void path_resolve(const struct kernel_routes *kr, u8 family, const struct mirror_path *p,
			 u32 weight, struct resolved *ret)
{
	const struct kernel_link *l = link_find(kr, p->ifindex);

	if (path_lost(kr, family, p) || !l->carrier || p->dead)
		return;
	ret->usable = true;
	if (l->port == KERNEL_NO_PORT || p->encap || ret->n == CONFIG_MAX_PATHS)
		return;
	ret->out[ret->n++] = (struct path_cfg){
		.gateway = {.addr = p->gateway,
			    .family = p->family,
			    .prefix_len = p->family == FIB_IP4 ? 32
					  : p->family	       ? 128
							       : 0},
		.port_idx = l->port,
		.weight = weight,
	};
}

static void nexthop_resolve(const struct kernel_routes *kr, u8 family, u32 id, u32 weight,
			    bool member, struct resolved *ret)
{
	const struct kernel_nexthop *n = nexthop_find(kr, id);

	if (!n || n->fdb)
		return;
	if (n->blackhole) {
		ret->usable = true;
		ret->blackhole = true;
	} else if (!n->n_members) {
		path_resolve(kr, family, &n->path, weight, ret);
	}
	for (u32 i = 0; !member && i < n->n_members; i++) /* groups hold no groups */
		nexthop_resolve(kr, family, n->members[i].nexthop_id, n->members[i].weight, true,
				ret);
}

static u64 resolved_hash(const struct resolved *r)
{
	u64 h = kernel_mix(r->usable | r->blackhole << 1 | (u64)r->n << 8);

	for (u32 i = 0; i < r->n; i++) {
		const struct path_cfg *p = &r->out[i];

		h = kernel_mix(h ^ p->gateway.addr.hi);
		h = kernel_mix(h ^ p->gateway.addr.lo);
		h = kernel_mix(h ^
			       ((u64)p->weight << 32 | (u32)p->port_idx << 8 | p->gateway.family));
	}
	return r->usable ? (h | 8) : 0; /* 0 … 7 are other answers: see kernel_take.c */
}

static int set_resolve(struct kernel_routes *kr, struct kernel_set *s)
{
	struct resolved r = {0};

	if (s->nexthop_id)
		nexthop_resolve(kr, s->family, s->nexthop_id, 1, false, &r);
	for (u32 i = 0; i < s->n_paths; i++)
		path_resolve(kr, s->family, &s->paths[i], s->paths[i].weight, &r);
	if (r.n > s->cap_out) {
		struct path_cfg *grown = realloc(s->out, r.n * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (s->n_refs)
			kr->set_bytes += (r.n - s->cap_out) * sizeof(*grown);
		s->out = grown;
		s->cap_out = r.n;
	}
	if (r.n)
		memcpy(s->out, r.out, r.n * sizeof(*r.out));
	s->n_out = (u16)r.n;
	s->usable = r.usable;
	s->elsewhere = !r.n && !r.blackhole;
	s->type = r.n ? ROUTE_UNICAST : r.blackhole ? ROUTE_BLACKHOLE : ROUTE_UNREACHABLE;
	s->out_hash = resolved_hash(&r);
	s->batch = 0;
	return 0;
}

int kernel_sets_resolve(struct kernel_routes *kr)
{
	bool active = kr->n_twins > 0;

	if (active != kr->active) {
		kr->active = active;
		kernel_all_dirty(kr);
	}
	for (u32 i = 1; i < kr->set_pool.n && kr->stale; i++) {
		struct kernel_set *s = kr->sets[i];
		u64 was = s->out_hash;

		if (!s->n_refs)
			continue;
		if (set_resolve(kr, s) < 0)
			return -ENOMEM;
		for (u32 v = was == s->out_hash ? 0 : s->first; v; v = kr->variants[v].set_next)
			kernel_dirty(kr, kr->variants[v].entry);
	}
	kr->stale = false;
	return 0;
}

void kernel_paths_fini(struct kernel_routes *kr)
{
	for (u32 i = 1; i < kr->set_pool.n; i++) {
		free(kr->sets[i]->out);
		free(kr->sets[i]);
	}
	for (u32 i = 0; i < kr->n_nexthops; i++)
		free(kr->nexthops[i].members);
	free(kr->sets);
	free(kr->set_index);
	free(kr->links);
	free(kr->addrs);
	free(kr->nexthops);
	free(kr->ports);
}
