/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adjacency.c - next hops as the path reads them (adjacency.h). Control thread; workers only read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "adjacency.h"
#include "dataplane.h"

static struct adjacency adjacency_of(const struct dataplane *dp, const struct dwcp_nexthop *nh)
{
	static const u8 none[6];
	const struct port *port = &dp->port[nh->port];
	struct adjacency a = {.port = nh->port};

	if (nh->type != DWCP_NEXTHOP_FORWARD || nh->n_tags || port->tags_bytes)
		return a;
	memcpy(a.mac, nh->forward.dst_mac, 6);
	memcpy(a.mac + 6, memcmp(nh->forward.src_mac, none, 6) ? nh->forward.src_mac : port->mac,
	       6);
	a.mtu = nh->mtu && nh->mtu < port->mtu ? nh->mtu : port->mtu;
	return a;
}

static size_t adjacency_bytes(const struct generation *g)
{
	size_t bytes = (size_t)DWCP_MAX(g->n_nexthop, 1u) * sizeof(struct adjacency);

	return DWCP_ALIGN_UP(bytes, (size_t)4096);
}

int adjacency_attach(const struct dataplane *dp, struct generation *g)
{
	size_t bytes = adjacency_bytes(g);
	struct adjacency *a = aligned_alloc(4096, bytes);

	if (!a)
		return -ENOMEM;
	madvise(a, bytes, MADV_HUGEPAGE); /* best effort: at random all over */
	/* as the tables: no lookup waits for a page, where the limit allows it */
	if (dp->cfg->dataplane.tables.lock)
		(void)mlock(a, bytes);
	for (u32 i = 0; i < g->n_nexthop; i++)
		a[i] = adjacency_of(dp, &g->nexthop[i]);
	g->reader = a;
	return 0;
}

void adjacency_detach(struct generation *g)
{
	if (!g)
		return;
	if (g->reader)
		(void)munlock(g->reader, adjacency_bytes(g));
	free(g->reader);
	g->reader = NULL;
}
