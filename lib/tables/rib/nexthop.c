/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nexthop.c - path sets: each distinct one is there once, has an id and a slot, and goes when the last route that uses
 * it goes. A set of one path is a next hop; a set of several is a group over next hops, which are sets of their own and
 * are held by the group; the types without a path have one set each.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

/* ---- slots ------------------------------------------------------------------------------------------------------ */

static int slot_alloc(struct rib *r, u32 *ret_slot)
{
	struct rib_nexthops *nhs = &r->nhs;
	int err;

	if (nhs->n_free_slots) {
		*ret_slot = nhs->free_slots[--nhs->n_free_slots];
		return 0;
	}
	if (r->nexthop.n >= RIB_MAX_SLOTS)
		return -ENOSPC;
	err = rib_array_grow(&r->nexthop, r->nexthop.n + 1);
	if (!err)
		*ret_slot = r->nexthop.n - 1;
	return err;
}

static void slot_free(struct rib *r, u32 slot)
{
	struct rib_nexthops *nhs = &r->nhs;
	u32 cap = nhs->cap_free_slots ? 2 * nhs->cap_free_slots : 256, *slots;

	memset(r->nexthop.bytes + (u64)slot * sizeof(struct dwcp_nexthop), 0,
	       sizeof(struct dwcp_nexthop));
	rib_array_touch(&r->nexthop, slot, 1);
	if (nhs->n_free_slots == nhs->cap_free_slots) {
		slots = realloc(nhs->free_slots, cap * sizeof(*slots));
		if (!slots)
			return; /* the slot stays unused */
		nhs->free_slots = slots;
		nhs->cap_free_slots = cap;
	}
	nhs->free_slots[nhs->n_free_slots++] = slot;
}

int rib_nexthop_spare(struct rib *r)
{
	int err = rib_array_grow(&r->nexthop, r->nexthop.n + 1);

	if (!err)
		slot_free(r, r->nexthop.n - 1);
	return err;
}

/* ---- elements --------------------------------------------------------------------------------------------------- */

static void forward_tags(struct dwcp_nexthop *e, u16 vlan, u16 svlan)
{
	u16 *tag = e->forward.vlan;

	if (svlan) {
		*tag++ = htobe16(0x88a8);
		*tag++ = htobe16(svlan);
		e->n_tags++;
	}
	if (vlan) {
		*tag++ = htobe16(0x8100);
		*tag = htobe16(vlan);
		e->n_tags++;
	}
}

static void path_element(struct rib *r, struct rib_nexthop *nh, struct dwcp_nexthop *e)
{
	const struct rib_path *p = &nh->path;
	const struct rib_neighbour *n;
	u16 port = rib_path_port(&r->adj, p);
	bool tagged = p->vlan || p->svlan, resolved, reachable = port != RIB_NO_PORT;
	const struct rib_observed_entry *seen = NULL;
	const u8 *mac = NULL;

	e->type = DWCP_NEXTHOP_UNRESOLVED;
	n = reachable ? rib_path_neighbour(&r->adj, p, port) : NULL;
	if (n)
		mac = n->mac;
	else if (reachable)
		seen = rib_observed_find(r, p, port);
	if (seen && seen->state == RIB_NEIGHBOUR_RESOLVED)
		mac = seen->mac;
	else if (seen && seen->state == RIB_NEIGHBOUR_FAILED)
		e->flags = DWCP_NEXTHOP_FAILED;
	if (reachable) {
		e->port = r->adj.ports[port].index;
		forward_tags(e, n && !tagged ? n->vlan : p->vlan,
			     n && !tagged ? n->svlan : p->svlan);
	}
	if (mac) {
		e->type = DWCP_NEXTHOP_FORWARD;
		memcpy(e->forward.dst_mac, mac, sizeof(e->forward.dst_mac));
	}
	resolved = mac || (!p->family && reachable);
	nh->flipped = resolved != nh->resolved || reachable == nh->unreachable;
	nh->resolved = resolved;
	nh->unreachable = !reachable;
	if (nh->via != port) {
		rib_gateway_note(r, nh - r->nhs.nh); /* nobody asks for it there any more */
		nh->via = port;
		nh->noted = false;
		rib_gateway_note(r, nh - r->nhs.nh);
	}
}

void rib_nexthop_write(struct rib *r, u32 i)
{
	struct rib_nexthop *nh = &r->nhs.nh[i];
	struct dwcp_nexthop e = {.type = nh->type, .id = nh->id};
	void *at = r->nexthop.bytes + (u64)nh->slot * sizeof(e);

	if (nh->type == DWCP_NEXTHOP_FORWARD) {
		path_element(r, nh, &e);
	} else if (nh->type == DWCP_NEXTHOP_GROUP) {
		e.group.first_bucket = nh->group.first_bucket;
		e.group.n_buckets = nh->group.n_buckets;
	} else {
		nh->resolved = true;
	}
	if (!memcmp(at, &e, sizeof(e)))
		return;
	memcpy(at, &e, sizeof(e));
	rib_array_touch(&r->nexthop, nh->slot, 1);
	r->dirty = true;
}

static bool group_flipped(const struct rib *r, const struct rib_nexthop *g)
{
	for (u32 i = 0; i < g->n_members; i++)
		if (r->nhs.nh[g->group.members[i].nh].flipped)
			return true;
	return false;
}

void rib_nexthop_refresh(struct rib *r)
{
	struct rib_nexthops *nhs = &r->nhs;

	for (u32 i = 1; i < nhs->n; i++) {
		nhs->nh[i].flipped = false;
		if (nhs->nh[i].type == DWCP_NEXTHOP_FORWARD)
			rib_nexthop_write(r, i);
	}
	for (u32 i = 1; i < nhs->n; i++)
		if (nhs->nh[i].type == DWCP_NEXTHOP_GROUP && group_flipped(r, &nhs->nh[i]))
			rib_group_fill(r, &nhs->nh[i]);
}

void rib_nexthop_resolve(struct rib *r, u32 i)
{
	struct rib_nexthop *nh = &r->nhs.nh[i];

	rib_nexthop_write(r, i);
	if (!nh->flipped)
		return;
	for (struct rib_member *m = nh->member_of; m; m = m->next)
		rib_group_fill(r, &r->nhs.nh[m->group]);
}

/* ---- interning --------------------------------------------------------------------------------------------------- */

static bool set_equal(const struct rib *r, const struct rib_nexthop *nh,
		      const struct rib_set_key *s)
{
	if (nh->hash != s->hash || nh->type != s->type)
		return false;
	if (nh->type == DWCP_NEXTHOP_FORWARD)
		return rib_path_equal(&nh->path, &s->paths[0].path);
	if (nh->type != DWCP_NEXTHOP_GROUP)
		return true;
	if (nh->n_members != s->n)
		return false;
	for (u32 i = 0; i < s->n; i++) {
		const struct rib_member *m = &nh->group.members[i];

		if (m->weight != s->paths[i].weight ||
		    !rib_path_equal(&r->nhs.nh[m->nh].path, &s->paths[i].path))
			return false;
	}
	return true;
}

static u32 set_find(const struct rib *r, const struct rib_set_key *s)
{
	const struct rib_nexthops *nhs = &r->nhs;
	u32 i;

	for (u32 pos = s->hash & nhs->mask; (i = nhs->index[pos]); pos = (pos + 1) & nhs->mask)
		if (set_equal(r, &nhs->nh[i], s))
			return i;
	return 0;
}

u32 rib_nexthop_of_path(const struct rib *r, const struct rib_path *p)
{
	struct rib_set_key s;

	s.n = 1;
	s.type = DWCP_NEXTHOP_FORWARD;
	s.paths[0].path = *p;
	s.hash = rib_path_hash(r, p);
	return set_find(r, &s);
}

static void index_put(u32 *index, u32 mask, u64 hash, u32 i)
{
	u32 pos = hash & mask;

	while (index[pos])
		pos = (pos + 1) & mask;
	index[pos] = i;
}

static void index_del(struct rib_nexthops *nhs, u32 i)
{
	u32 hole = nhs->nh[i].hash & nhs->mask, v;

	while (nhs->index[hole] != i)
		hole = (hole + 1) & nhs->mask;
	for (u32 k = (hole + 1) & nhs->mask; (v = nhs->index[k]); k = (k + 1) & nhs->mask) {
		u32 home = nhs->nh[v].hash & nhs->mask;

		if (((k - home) & nhs->mask) < ((k - hole) & nhs->mask))
			continue;
		nhs->index[hole] = v;
		hole = k;
	}
	nhs->index[hole] = 0;
}

static int nexthops_grow(struct rib_nexthops *nhs)
{
	u32 cap = nhs->cap ? 2 * nhs->cap : 64, *index;
	struct rib_nexthop *nh = realloc(nhs->nh, cap * sizeof(*nh));

	if (!nh)
		return -ENOMEM;
	nhs->nh = nh;
	index = calloc(2ull * cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (u32 i = 1; i < nhs->n; i++)
		if (nh[i].type != DWCP_NEXTHOP_NONE)
			index_put(index, 2 * cap - 1, nh[i].hash, i);
	free(nhs->index);
	nhs->index = index;
	nhs->mask = 2 * cap - 1;
	nhs->cap = cap;
	return 0;
}

/* An empty entry with id and slot. */
static int nexthop_new(struct rib *r, u64 hash, u8 type, u32 *ret_nh)
{
	struct rib_nexthops *nhs = &r->nhs;
	struct rib_nexthop nh = {.hash = hash, .type = type};
	u32 i = nhs->free;
	int err;

	if (!i && nhs->n == nhs->cap) {
		err = nexthops_grow(nhs);
		if (err)
			return err;
	}
	err = rib_id_assign(r, hash, &nh.id);
	if (!err)
		err = slot_alloc(r, &nh.slot);
	if (err)
		return err;
	err = rib_id_put(r, nh.id, nh.slot);
	if (err) {
		slot_free(r, nh.slot);
		return err;
	}
	if (i)
		nhs->free = nhs->nh[i].next_free;
	else
		i = nhs->n++;
	nhs->nh[i] = nh;
	nhs->used++;
	index_put(nhs->index, nhs->mask, hash, i);
	*ret_nh = i;
	return 0;
}

static void nexthop_del(struct rib *r, u32 i)
{
	struct rib_nexthops *nhs = &r->nhs;
	struct rib_nexthop *nh = &nhs->nh[i];

	index_del(nhs, i);
	rib_id_del(r, nh->id);
	slot_free(r, nh->slot);
	*nh = (struct rib_nexthop){.next_free = nhs->free};
	nhs->free = i;
	nhs->used--;
	r->dirty = true;
}

static int path_find(struct rib *r, const struct rib_path_key *k, u32 *ret_nh)
{
	struct rib_set_key s;
	int err;

	s.n = 1;
	s.type = DWCP_NEXTHOP_FORWARD;
	s.hash = k->hash;
	s.paths[0] = *k;
	*ret_nh = set_find(r, &s);
	if (*ret_nh)
		return r->nhs.nh[*ret_nh].unreachable ? -EINVAL : 0;
	if (rib_path_port(&r->adj, &k->path) == RIB_NO_PORT)
		return -EINVAL;
	err = nexthop_new(r, k->hash, DWCP_NEXTHOP_FORWARD, ret_nh);
	if (err)
		return err;
	r->nhs.nh[*ret_nh].path = k->path;
	r->nhs.nh[*ret_nh].via = RIB_NO_PORT;
	rib_nexthop_write(r, *ret_nh);
	return 0;
}

/* The members of a group to be, each with one reference. */
static int members_new(struct rib *r, const struct rib_set_key *s, struct rib_member **ret_members)
{
	struct rib_member *m = calloc(s->n, sizeof(*m));
	int err = m ? 0 : -ENOMEM;
	u32 n = 0;

	for (; !err && n < s->n; n++) {
		err = path_find(r, &s->paths[n], &m[n].nh);
		if (err)
			break;
		rib_nexthop_ref(r, m[n].nh);
		m[n].weight = s->paths[n].weight;
	}
	if (!err) {
		*ret_members = m;
		return 0;
	}
	while (n--)
		rib_nexthop_unref(r, m[n].nh);
	free(m);
	return err;
}

static void members_free(struct rib *r, struct rib_member *m, u32 n)
{
	for (u32 i = 0; i < n; i++)
		rib_nexthop_unref(r, m[i].nh);
	free(m);
}

static void members_link(struct rib *r, u32 group)
{
	struct rib_nexthop *g = &r->nhs.nh[group];

	for (u32 i = 0; i < g->n_members; i++) {
		struct rib_member *m = &g->group.members[i];
		struct rib_nexthop *nh = &r->nhs.nh[m->nh];

		m->group = group;
		m->next = nh->member_of;
		if (m->next)
			m->next->prev = m;
		nh->member_of = m;
	}
}

static void member_unlink(struct rib *r, struct rib_member *m)
{
	if (m->next)
		m->next->prev = m->prev;
	if (m->prev)
		m->prev->next = m->next;
	else
		r->nhs.nh[m->nh].member_of = m->next;
}

static int group_new(struct rib *r, const struct rib_set_key *s, u32 *ret_nh)
{
	struct rib_member *members;
	struct rib_nexthop *g;
	int err;

	err = members_new(r, s, &members);
	if (err)
		return err;
	err = nexthop_new(r, s->hash, DWCP_NEXTHOP_GROUP, ret_nh);
	if (err) {
		members_free(r, members, s->n);
		return err;
	}
	g = &r->nhs.nh[*ret_nh];
	g->n_members = s->n;
	g->group.members = members;
	err = rib_group_alloc(r, g);
	if (err) {
		nexthop_del(r, *ret_nh);
		members_free(r, members, s->n);
		return err;
	}
	r->nhs.n_groups++;
	members_link(r, *ret_nh);
	rib_group_fill(r, g);
	rib_nexthop_write(r, *ret_nh);
	return 0;
}

int rib_nexthop_find(struct rib *r, const struct route_cfg *route, u32 *ret_nh)
{
	struct rib_set_key s;
	u32 nh = 0;
	int err;

	err = rib_set_key_of(r, route, &s);
	if (err)
		return err;
	if (s.type == DWCP_NEXTHOP_FORWARD) {
		err = path_find(r, &s.paths[0], &nh);
	} else {
		nh = set_find(r, &s);
		if (nh)
			err = r->nhs.nh[nh].unreachable ? -EINVAL : 0;
		else if (s.type == DWCP_NEXTHOP_GROUP)
			err = group_new(r, &s, &nh);
		else
			err = nexthop_new(r, s.hash, s.type, &nh);
		if (!err && nh && s.type != DWCP_NEXTHOP_GROUP)
			rib_nexthop_write(r, nh);
	}
	if (!err)
		*ret_nh = nh;
	return err;
}

u64 rib_nexthop_hash(const struct rib *r, const struct route_cfg *route)
{
	struct rib_path_key k;

	if (route->type != ROUTE_UNICAST || route->n_paths != 1 ||
	    rib_path_key_of(r, &route->paths[0], &k))
		return 0;
	return k.hash;
}

void rib_nexthop_ref(struct rib *r, u32 nh)
{
	/* With one user more, or one less, a gateway may have begun or ceased to be one: its own host route counts for none. */
	if (++r->nhs.nh[nh].refs <= 2)
		rib_gateway_note(r, nh);
}

void rib_nexthop_reap(struct rib *r, u32 i)
{
	struct rib_nexthop *nh = &r->nhs.nh[i];
	struct rib_member *members = NULL;
	u32 n = nh->n_members;

	if (nh->refs || nh->type == DWCP_NEXTHOP_NONE)
		return;
	if (nh->type == DWCP_NEXTHOP_GROUP) {
		members = nh->group.members;
		rib_group_free(r, nh);
		r->nhs.n_groups--;
	}
	nexthop_del(r, i);
	/* Members are single paths: this goes one level deep. */
	for (u32 k = 0; members && k < n; k++) {
		struct rib_nexthop *m = &r->nhs.nh[members[k].nh];

		member_unlink(r, &members[k]);
		m->refs--;
		rib_gateway_note(r, members[k].nh);
		if (!m->refs)
			nexthop_del(r, members[k].nh);
	}
	free(members);
}

void rib_nexthop_unref(struct rib *r, u32 nh)
{
	u32 refs = --r->nhs.nh[nh].refs;

	if (refs <= 1)
		rib_gateway_note(r, nh);
	if (!refs)
		rib_nexthop_reap(r, nh);
}

int rib_nexthop_init(struct rib *r)
{
	int err;

	r->nhs.n = 1;
	err = nexthops_grow(&r->nhs);
	if (!err)
		err = rib_array_grow(&r->nexthop, 1); /* slot 0: no route */
	if (!err)
		err = rib_array_grow(&r->id, DWCP_SEGMENT_ALIGN / sizeof(struct dwcp_id_entry));
	return err;
}

void rib_nexthop_fini(struct rib *r)
{
	struct rib_nexthops *nhs = &r->nhs;

	for (u32 i = 1; i < nhs->n; i++)
		if (nhs->nh[i].type == DWCP_NEXTHOP_GROUP)
			free(nhs->nh[i].group.members);
	for (u32 c = 0; c < DWCP_ARRAY_LEN(nhs->free_buckets); c++)
		free(nhs->free_buckets[c]);
	free(nhs->free_slots);
	free(nhs->index);
	free(nhs->nh);
	rib_id_fini(r);
}
