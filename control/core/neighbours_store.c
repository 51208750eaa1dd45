/* SPDX-License-Identifier: BSD-3-Clause */
#include "neighbours_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/abi/tables.h>

u64 neighbours_hash(const struct neighbours *s, u8 port, u8 family, const struct fib_addr *a)
{
	u64 h = dwcp_hash_fold(a->hi ^ s->cfg.salt[0], a->lo ^ s->cfg.salt[1]);

	return dwcp_hash_fold(h ^ s->cfg.salt[1], ((u64)port << 8 | family) ^ s->cfg.salt[0]);
}

static u32 *bucket_of(const struct neighbours *s, u8 port, u8 family, const struct fib_addr *a)
{
	return &s->bucket[neighbours_hash(s, port, family, a) & s->mask];
}

static int store_grow(struct neighbours *s)
{
	u32 cap = s->cap ? 2 * s->cap : 64;
	struct neighbour *e = realloc(s->e, cap * sizeof(*e));
	u32 *due, *bucket;

	if (!e)
		return -ENOMEM;
	s->e = e;
	due = realloc(s->due, cap * sizeof(*due));
	if (!due)
		return -ENOMEM;
	s->due = due;
	bucket = calloc(cap, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	free(s->bucket);
	s->bucket = bucket;
	s->mask = cap - 1;
	s->cap = cap;
	for (u32 i = 1; i < s->n; i++) {
		u32 *at;

		if (!e[i].family)
			continue;
		at = bucket_of(s, e[i].port, e[i].family, &e[i].addr);
		e[i].next = *at;
		*at = i;
	}
	return 0;
}

int neighbours_init(struct neighbours *s, const struct neighbours_cfg *cfg, u64 now_ns)
{
	memset(s, 0, sizeof(*s));
	s->cfg = *cfg;
	s->tokens[0] = s->tokens[1] = cfg->ask_burst / 2;
	s->tokens_ns = now_ns;
	s->n = 1;
	return store_grow(s);
}

void neighbours_fini(struct neighbours *s)
{
	free(s->e);
	free(s->due);
	free(s->bucket);
	free(s->acts);
	memset(s, 0, sizeof(*s));
}

int neighbours_port(struct neighbours *s, const char *name)
{
	int free_at = -ENOSPC;

	for (int i = NEIGHBOURS_MAX_PORTS - 1; i >= 0; i--) {
		const struct neighbours_port *p = &s->ports[i];

		if (strncmp(p->name, name, sizeof(p->name)) == 0)
			return i;
		/* One that is gone, and of which nobody is left, gives its place to another. */
		if (!p->name[0] || (!p->kept && !p->ifindex && !p->n))
			free_at = i;
	}
	if (free_at >= 0) {
		s->ports[free_at] = (struct neighbours_port){0};
		memcpy(s->ports[free_at].name, name,
		       strnlen(name, sizeof(s->ports[free_at].name) - 1));
	}
	return free_at;
}

struct neighbour *neighbours_entry_find(struct neighbours *s, u8 port, u8 family,
					const struct fib_addr *a)
{
	for (u32 i = *bucket_of(s, port, family, a); i; i = s->e[i].next) {
		struct neighbour *e = &s->e[i];

		if (e->port == port && e->family == family && e->addr.lo == a->lo &&
		    e->addr.hi == a->hi)
			return e;
	}
	return NULL;
}

const struct neighbour *neighbours_find(const struct neighbours *s, u8 port, u8 family,
					const struct fib_addr *a)
{
	return neighbours_entry_find((struct neighbours *)s, port, family, a);
}

const struct neighbour *neighbours_at(const struct neighbours *s, u32 i)
{
	return i && i < s->n && s->e[i].family ? &s->e[i] : NULL;
}

struct neighbour *neighbours_entry_add(struct neighbours *s, u8 port, u8 family,
				       const struct fib_addr *a, u64 now_ns)
{
	u32 i = s->free, *at;

	if (!i && s->n == s->cap && store_grow(s) < 0)
		return NULL;
	if (i)
		s->free = s->e[i].next;
	else
		i = s->n++;
	at = bucket_of(s, port, family, a);
	s->e[i] = (struct neighbour){.addr = *a,
				     .family = family,
				     .port = port,
				     .since_ns = now_ns,
				     .due_ns = UINT64_MAX,
				     .next = *at};
	*at = i;
	s->ports[port].n++;
	return &s->e[i];
}

void neighbours_entry_del(struct neighbours *s, struct neighbour *e)
{
	u32 *at = bucket_of(s, e->port, e->family, &e->addr), i = (u32)(e - s->e);

	neighbours_due_set(s, e, UINT64_MAX);
	neighbours_host_set(s, e, false);
	s->facts.n_pending -= e->pending;
	s->facts.n_gateways -= e->gateway;
	while (*at != i)
		at = &s->e[*at].next;
	*at = e->next;
	s->ports[e->port].n--;
	*e = (struct neighbour){.next = s->free};
	s->free = i;
}

void neighbours_host_set(struct neighbours *s, struct neighbour *e, bool host)
{
	if (e->host == host)
		return;
	e->host = host;
	s->facts.n_hosts += host ? 1 : -1;
}

void neighbours_due_set(struct neighbours *s, struct neighbour *e, u64 due_ns)
{
	u32 last;

	e->due_ns = due_ns;
	if (due_ns != UINT64_MAX && !e->due_at) {
		s->due[s->n_due++] = (u32)(e - s->e); /* has room for all */
		e->due_at = s->n_due;
	} else if (due_ns == UINT64_MAX && e->due_at) {
		last = s->due[--s->n_due];
		s->due[e->due_at - 1] = last;
		s->e[last].due_at = e->due_at;
		e->due_at = 0;
	}
}
