/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adjacency.h - what the path reads of a next hop: 16 bytes, one a slot, made when a generation is adopted.
 *
 * A next hop of the tables is 32 bytes of everything that may be said about it. Almost every packet needs two MACs, a
 * port and an MTU: with the port's own address and MTU filled in they are one load, and one comparison says "forward it".
 */
#pragma once

#include <dwcp/base.h>

struct dataplane;
struct generation;

struct adjacency {
	u8 mac[12]; /* destination, source: as they stand in the frame */
	u16 port;
	u16 mtu; /* bytes of IP, the smaller of next hop and port; 0 = not this simple: read the next hop itself */
};

_Static_assert(sizeof(struct adjacency) == 16, "one load");

/**
 * adjacency_attach() - make g->reader, one entry a next hop. Before the first worker sees @g.
 * Thread: control. Return: 0, -ENOMEM.
 */
int adjacency_attach(const struct dataplane *dp, struct generation *g);
/** adjacency_detach() - free it. After the last worker has left @g. NULL is fine. */
void adjacency_detach(struct generation *g);
