/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_take.c - what a prefix's routes come to for our tables: the first that can be used, as one of our route types
 * with the ports of its paths. A prefix is given out only if that has changed.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_private.h"

struct answer {
	u64 hash; /* 0 = no route; 1 … 7: a type without paths; else of the path set */
	u32 set;  /* 0 = none */
	u8 type, protocol;
	bool elsewhere;
};

static bool type_constant(u8 rtn, u8 *ret_type)
{
	switch (rtn) {
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_ANYCAST:
		*ret_type = ROUTE_LOCAL;
		return true;
	case RTN_BLACKHOLE:
		*ret_type = ROUTE_BLACKHOLE;
		return true;
	case RTN_PROHIBIT:
		*ret_type = ROUTE_PROHIBIT;
		return true;
	case RTN_UNREACHABLE:
	case RTN_THROW: /* the table has no route, and less specific ones don't count */
		*ret_type = ROUTE_UNREACHABLE;
		return true;
	default:
		return false;
	}
}

static struct answer answer_find(const struct kernel_routes *kr, const struct kernel_entry *e)
{
	struct answer a = {0};

	for (u32 i = kr->active ? e->first : 0; i; i = kr->variants[i].next) {
		const struct kernel_variant *v = &kr->variants[i];
		const struct kernel_set *s = kr->sets[v->set];

		a.protocol = v->protocol;
		if (v->type == RTN_BROADCAST && !s->usable)
			continue; /* the address of a network that is not there */
		if (!s->nexthop_id && type_constant(v->type, &a.type)) {
			a.hash = 1 + a.type;
			return a;
		}
		if (!s->usable)
			continue;
		a.hash = s->out_hash;
		a.set = v->set;
		a.type = s->type;
		a.elsewhere = s->elsewhere;
		return a;
	}
	a.protocol = 0;
	return a;
}

/* Routes of one path set share its paths in the batch. */
static int paths_put(struct kernel_routes *kr, struct kernel_batch *b, struct kernel_set *s)
{
	if (s->batch == kr->batch)
		return 0;
	while (b->n_paths + s->n_out > b->cap_paths) {
		u32 cap = b->cap_paths ? b->cap_paths * 2 : 256;
		struct path_cfg *grown = realloc(b->paths, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->paths = grown;
		b->cap_paths = cap;
	}
	memcpy(&b->paths[b->n_paths], s->out, s->n_out * sizeof(*s->out));
	s->batch = kr->batch;
	s->batch_at = b->n_paths;
	b->n_paths += s->n_out;
	return 0;
}

static void out_note(struct kernel_routes *kr, struct kernel_entry *e, const struct answer *a)
{
	u64 *n = &kr->n_prefixes[kernel_family(e->prefix.family)];

	*n -= (e->flags & ENTRY_OUT) != 0;
	kr->n_elsewhere -= (e->flags & ENTRY_ELSEWHERE) != 0;
	e->flags &= (u8) ~(ENTRY_OUT | ENTRY_ELSEWHERE);
	if (a->hash) {
		e->flags |= ENTRY_OUT | (a->elsewhere ? ENTRY_ELSEWHERE : 0);
		++*n;
		kr->n_elsewhere += a->elsewhere;
	}
	e->out_hash = a->hash;
	e->protocol = a->protocol;
}

static int entry_take(struct kernel_routes *kr, struct kernel_entry *e, struct kernel_batch *b)
{
	struct answer a = answer_find(kr, e);
	struct kernel_change *c = &b->changes[b->n];

	if (a.hash == e->out_hash && a.protocol == e->protocol)
		return 0;
	*c = (struct kernel_change){.prefix = e->prefix,
				    .type = a.type,
				    .protocol = a.protocol,
				    .del = !a.hash};
	if (a.set && a.type == ROUTE_UNICAST) {
		struct kernel_set *s = kr->sets[a.set];

		if (paths_put(kr, b, s) < 0)
			return -ENOMEM;
		c->n_paths = s->n_out;
		c->first_path = s->batch_at;
	}
	b->n++;
	out_note(kr, e, &a);
	return 0;
}

static u32 dirty_pop(struct kernel_routes *kr)
{
	u32 i = kr->dirty_first;

	kr->dirty_first = kr->entries[i].dirty;
	if (!kr->dirty_first)
		kr->dirty_last = 0;
	kr->entries[i].flags &= (u8)~ENTRY_DIRTY;
	kr->n_dirty--;
	return i;
}

static int batch_init(struct kernel_routes *kr, u32 max, struct kernel_batch *b)
{
	u32 n = DWCP_MIN(max, kr->n_dirty);

	*b = (struct kernel_batch){.n_ports = kr->n_ports};
	b->changes = malloc((n + 1) * sizeof(*b->changes));
	b->ports = malloc((kr->n_ports + 1) * sizeof(*b->ports));
	if (!b->changes || !b->ports)
		return -ENOMEM;
	memcpy(b->ports, kr->ports ? kr->ports : b->ports, kr->n_ports * sizeof(*b->ports));
	kr->batch++;
	return 0;
}

int kernel_routes_take(struct kernel_routes *kr, u32 max, struct kernel_batch *ret_batch)
{
	struct kernel_batch b = {0};
	int err = kernel_sets_resolve(kr);

	if (!err && kr->n_dirty)
		err = batch_init(kr, max, &b);
	while (!err && kr->dirty_first && b.n < max) {
		u32 i = dirty_pop(kr);

		err = entry_take(kr, &kr->entries[i], &b);
		if (err)
			kernel_dirty(kr, i);
		kernel_entry_settle(kr, i);
	}
	if (err && !b.n) {
		kernel_batch_fini(&b);
		return err;
	}
	*ret_batch = b;
	return 0;
}

bool kernel_routes_dirty(const struct kernel_routes *kr)
{
	return kr->n_dirty || kr->stale || kr->active != (kr->n_twins > 0);
}

u64 kernel_routes_late(const struct kernel_routes *kr)
{
	return kr->n_late;
}

u64 kernel_routes_losses(const struct kernel_routes *kr)
{
	return kr->n_losses;
}

void kernel_batch_fini(struct kernel_batch *b)
{
	free(b->changes);
	free(b->paths);
	free(b->ports);
	*b = (struct kernel_batch){0};
}
