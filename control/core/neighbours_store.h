/* SPDX-License-Identifier: BSD-3-Clause */
/* neighbours_store.h - where neighbours.c keeps them: by (port, address), and those with something to be done by time. */
#pragma once

#include "neighbours.h"

u64 neighbours_hash(const struct neighbours *s, u8 port, u8 family, const struct fib_addr *a);
struct neighbour *neighbours_entry_find(struct neighbours *s, u8 port, u8 family,
					const struct fib_addr *a);
/* The key must be new. Return: NULL: no memory. Pointers into s->e do not outlive it. */
struct neighbour *neighbours_entry_add(struct neighbours *s, u8 port, u8 family,
				       const struct fib_addr *a, u64 now_ns);
void neighbours_entry_del(struct neighbours *s, struct neighbour *e);
void neighbours_host_set(struct neighbours *s, struct neighbour *e, bool host);
/* @due_ns: UINT64_MAX = nothing. */
void neighbours_due_set(struct neighbours *s, struct neighbour *e, u64 due_ns);
