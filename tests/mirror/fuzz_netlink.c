/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_netlink.c - messages of the routing socket from any bytes to the store: nothing is read past the end, whatever
 * the lengths say, and a route that is taken makes sense.
 * Input: netlink messages one after the other, as a socket gives them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernel_routes.h"
#include "io/netlink_parse.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_netlink: %s\n", what);
	abort();
}

static void route_check(const struct mirror_route *r)
{
	u8 max = r->prefix.family == FIB_IP4 ? 32 : 128;

	require(r->prefix.family == FIB_IP4 || r->prefix.family == FIB_IP6, "family");
	require(r->prefix.len <= max, "length");
	require(r->n_paths <= MIRROR_MAX_PATHS, "paths");
	for (u32 i = 0; i < r->n_paths; i++) {
		require(r->paths[i].weight >= 1 && r->paths[i].weight <= 256, "weight");
		require(!r->paths[i].family || r->paths[i].family == FIB_IP4 ||
				r->paths[i].family == FIB_IP6,
			"gateway");
	}
}

static void message_use(struct kernel_routes *kr, struct netlink_message *m)
{
	switch (m->type) {
	case NETLINK_MSG_LINK:
		require(memchr(m->link.name, 0, sizeof(m->link.name)) != NULL, "name");
		m->link.port = m->link.ifindex % 4 == 1 ? "p0" : NULL;
		kernel_routes_link(kr, m->verb, &m->link);
		break;
	case NETLINK_MSG_ADDR:
		kernel_routes_addr(kr, m->verb, &m->addr);
		break;
	case NETLINK_MSG_NEIGH:
		break;
	case NETLINK_MSG_NEXTHOP:
		require(m->nexthop.n_members <= MIRROR_MAX_PATHS, "members");
		kernel_routes_nexthop(kr, m->verb, &m->nexthop);
		break;
	case NETLINK_MSG_ROUTE:
		route_check(&m->route);
		kernel_routes_route(kr, m->verb, m->nlmsg_flags, &m->route);
		break;
	}
}

static void batches_check(struct kernel_routes *kr)
{
	struct kernel_batch b;

	do {
		require(kernel_routes_take(kr, 7, &b) == 0, "take");
		for (u32 i = 0; i < b.n; i++) {
			const struct kernel_change *c = &b.changes[i];

			require(c->first_path + c->n_paths <= b.n_paths, "paths of a change");
			for (u32 k = 0; k < c->n_paths; k++)
				require(b.paths[c->first_path + k].port_idx < b.n_ports, "port");
		}
		kernel_batch_fini(&b);
	} while (kernel_routes_dirty(kr));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct netlink_message m;
	struct mirror_link twin = {.ifindex = 2, .flags = 0x10041, .port = "p0"};
	struct kernel_routes *kr;
	u8 *copy = malloc(size ? size : 1); /* of its very size, so that one byte too far is seen */
	const struct nlmsghdr *h;
	const u8 *at = copy;
	size_t left = size;

	memcpy(copy, data, size);
	require(kernel_routes_create(NULL, 0, &kr) == 0, "no memory");
	kernel_routes_link(kr, MIRROR_NEW, &twin);
	while ((h = netlink_message_next(&at, &left)) != NULL) {
		int err = netlink_parse(h, &m);

		require(err == 0 || err == -EINVAL || err == -ENOENT, "error");
		if (!err)
			message_use(kr, &m);
	}
	batches_check(kr);
	kernel_routes_free(kr);
	free(copy);
	return 0;
}
