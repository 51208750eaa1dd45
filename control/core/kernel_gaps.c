/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_gaps.c - what a dump may have left out without saying so.
 *
 * A dump is read in parts. When the tables have changed since the last part, the kernel finds back to where it was by
 * counting: in IPv6 all prefixes of the table that it has been through (fib6_dump_table(): from the root, skipping as
 * many), in IPv4 the routes of the address that it stood at. One that was deleted in front of that place makes it skip
 * one too many. So behind the last route of a part, up to the first one of the next, nothing can be called gone if a
 * change was told around there: before the next part, or even before this one, which may have been read before the
 * change that was told first. The prefixes at both ends may be short.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel_private.h"

#define GAPS_MAX 256u

/* Bits that two addresses have in common. */
static u32 common_bits(const struct fib_addr *a, const struct fib_addr *b)
{
	if (a->hi != b->hi)
		return (u32)__builtin_clzll(a->hi ^ b->hi);
	return a->lo != b->lo ? 64 + (u32)__builtin_clzll(a->lo ^ b->lo) : 128;
}

static bool addr_before(const struct fib_addr *a, const struct fib_addr *b)
{
	return a->hi < b->hi || (a->hi == b->hi && a->lo < b->lo);
}

/* In the order in which a table is read: an IPv6 prefix after all that it covers, an IPv4 one after the longer ones of
 * its address. */
static bool read_before(const struct fib_prefix *a, const struct fib_prefix *b)
{
	u32 common = common_bits(&a->addr, &b->addr);

	if (a->family == FIB_IP6 && common >= DWCP_MIN(a->len, b->len))
		return a->len > b->len;
	return common == 128 ? a->len > b->len : addr_before(&a->addr, &b->addr);
}

void kernel_gaps_begin(struct kernel_gaps *g)
{
	g->n = 0;
	g->any = g->open = g->lost = false;
}

/* The next part begins. */
void kernel_gaps_part(struct kernel_routes *kr)
{
	struct kernel_gaps *g = &kr->dump.gaps;
	u32 told = kr->told_part[kernel_family(kr->dump.family)];

	if (!g->any || told + 2 < kr->part)
		return;
	g->open = true;
	kr->dump.group.torn = true;
}

/* Of so many the last one takes in what is between it and the next: each missing route is compared with all. */
static void gap_add(struct kernel_gaps *g, const struct kernel_gap *gap)
{
	struct kernel_gap *last = g->n ? &g->gap[g->n - 1] : NULL;

	if (g->n >= GAPS_MAX && last->rank == gap->rank) {
		last->before = gap->before;
		last->to_end = last->to_end || gap->to_end;
		return;
	}
	if (kernel_list_grow((void **)&g->gap, g->n, &g->cap, sizeof(*g->gap)) < 0)
		g->lost = true;
	else
		g->gap[g->n++] = *gap;
}

void kernel_gaps_route(struct kernel_gaps *g, u8 rank, const struct fib_prefix *p)
{
	if (g->open) /* another table is read from its beginning */
		gap_add(g, &(struct kernel_gap){.rank = g->rank,
						.after = g->last,
						.before = *p,
						.to_end = rank != g->rank});
	g->open = false;
	g->any = true;
	g->rank = rank;
	g->last = *p;
}

void kernel_gaps_end(struct kernel_gaps *g)
{
	if (g->open)
		gap_add(g, &(struct kernel_gap){.rank = g->rank, .after = g->last, .to_end = true});
	g->open = false;
}

bool kernel_gaps_hide(const struct kernel_gaps *g, u8 rank, const struct fib_prefix *p)
{
	for (u32 i = 0; i < g->n && !g->lost; i++) {
		const struct kernel_gap *gap = &g->gap[i];

		if (gap->rank == rank && read_before(&gap->after, p) &&
		    (gap->to_end || read_before(p, &gap->before)))
			return true;
	}
	return g->lost;
}
