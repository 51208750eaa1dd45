/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib_fixture.h - a rib and what a dataplane makes of it: each publish hands over the fresh segments only, and the
 * generation that is opened from them answers the lookups.
 */
#pragma once

#include <dwcp/util/generation.h>
#include <dwcp/util/rib.h>

struct fixture {
	struct rib *r;
	struct segment_set *set;
	struct generation *g;
	const struct table_image *image;
	u64 number;
	u32 n_ports;
	u32 without; /* as manifest_cfg has it */
};

void fixture_init(struct fixture *f, u32 chunk_bytes);
void fixture_fini(struct fixture *f);
/* Publish, stage what is fresh, open, walk everything. Asserts that it all works. */
void fixture_publish(struct fixture *f);
/* The slot that the generation answers; 0 = no route. */
u32 fixture_slot(const struct fixture *f, u32 vrf, u8 family, const struct fib_addr *a);
const struct dwcp_nexthop *fixture_nexthop(const struct fixture *f, u32 vrf, u8 family,
					   const struct fib_addr *a);

/* Ports p0, p1, … with the addresses given as text, "10.0.0.1/24", NULL-terminated; heap, see config_drop(). */
struct dwcp_config *config_make(u32 n_ports, const char *const *const *addresses);
void config_neighbour(struct dwcp_config *c, u16 port, const char *addr, u64 mac, u16 vlan,
		      u16 svlan);
void config_drop(struct dwcp_config *c);

struct fib_prefix prefix_of(const char *text);
struct fib_addr addr_of(const char *text);

#define PATH_AUTO UINT16_MAX
struct path_cfg path_via(const char *gateway, u16 port, u32 weight);
struct path_cfg path_dev(u16 port);
/* The path set of a route as it stands: paths are borrowed. */
struct route_cfg route_via(const char *prefix, const struct path_cfg *paths, u32 n);
struct route_cfg route_type(const char *prefix, enum route_type type);

u32 fixture_fds(void); /* open fds of this process */

struct rng {
	u64 state;
};

u64 rng_next(struct rng *r);
u32 rng_below(struct rng *r, u32 n);
