/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adjacency.c - next hops as the path reads them (adjacency.h). Control thread; workers only read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "adjacency.h"
#include "dataplane.h"

static struct adjacency adjacency_of(const struct dataplane *dp, const struct dwcp_nexthop *nh)
{
	static const u8 none[6];
	const struct port *port = &dp->port[nh->port];
	struct adjacency a = {.port = nh->port};

	if (nh->type != DWCP_NEXTHOP_FORWARD || nh->n_tags)
		return a;
	memcpy(a.mac, nh->forward.dst_mac, 6);
	memcpy(a.mac + 6, memcmp(nh->forward.src_mac, none, 6) ? nh->forward.src_mac : port->mac,
	       6);
	a.mtu = nh->mtu && nh->mtu < port->mtu ? nh->mtu : port->mtu;
	return a;
}

int adjacency_attach(const struct dataplane *dp, struct generation *g)
{
	size_t bytes = DWCP_ALIGN_UP((size_t)g->n_nexthop * sizeof(struct adjacency), (size_t)64);
	struct adjacency *a = aligned_alloc(64, bytes ? bytes : 64);

	if (!a)
		return -ENOMEM;
	for (u32 i = 0; i < g->n_nexthop; i++)
		a[i] = adjacency_of(dp, &g->nexthop[i]);
	g->reader = a;
	return 0;
}

void adjacency_detach(struct generation *g)
{
	if (!g)
		return;
	free(g->reader);
	g->reader = NULL;
}
