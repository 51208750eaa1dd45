/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rib.c - sources, path sets, ports and neighbours, one rule a test, seen through an open generation. */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rib_fixture.h"

static const char *const p0_addresses[] = {"10.0.0.1/24", "2001:db8::1/64", "fe80::1/64", NULL};
static const char *const p1_addresses[] = {"10.0.1.1/24", "2001:db8:1::1/64", "192.0.2.1/32", NULL};
static const char *const *const two_ports[] = {p0_addresses, p1_addresses};

#define MAC_A 0x020000000aull
#define MAC_B 0x020000000bull

/* Two ports, 10.0.0.2 and 10.0.1.2 known. */
static struct dwcp_config *two_make(void)
{
	struct dwcp_config *c = config_make(2, two_ports);

	config_neighbour(c, 0, "10.0.0.2", MAC_A, 0, 0);
	config_neighbour(c, 1, "10.0.1.2", MAC_B, 0, 0);
	return c;
}

static void setup(struct fixture *f)
{
	struct dwcp_config *c = two_make();

	fixture_init(f, 4096);
	f->n_ports = 2;
	assert_int_equal(rib_configure(f->r, c), 0);
	config_drop(c);
}

static void set(struct fixture *f, u8 source, const char *prefix, const char *gateway)
{
	struct path_cfg p = path_via(gateway, PATH_AUTO, 1);
	struct route_cfg route = route_via(prefix, &p, 1);

	assert_int_equal(rib_route_set(f->r, source, &route), 0);
}

static const struct dwcp_nexthop *at(const struct fixture *f, const char *addr)
{
	struct fib_addr a = addr_of(addr);

	return fixture_nexthop(f, 0, strchr(addr, ':') ? FIB_IP6 : FIB_IP4, &a);
}

static struct rib_route lookup(const struct fixture *f, const char *addr)
{
	struct fib_addr a = addr_of(addr);
	struct rib_route route;

	assert_int_equal(rib_lookup(f->r, 0, strchr(addr, ':') ? FIB_IP6 : FIB_IP4, &a, &route), 0);
	return route;
}

static void assert_forward(const struct dwcp_nexthop *n, u16 port, u64 mac)
{
	assert_int_equal(n->type, DWCP_NEXTHOP_FORWARD);
	assert_int_equal(n->port, port);
	for (u32 i = 0; i < 6; i++) {
		assert_int_equal(n->forward.dst_mac[i], (u8)(mac >> (40 - 8 * i)));
		assert_int_equal(n->forward.src_mac[i], 0);
	}
}

/* ---- the empty table, and what the configuration makes -------------------------------------------------------- */

static void test_empty(void **state)
{
	struct fixture f;

	fixture_init(&f, 4096);
	assert_true(rib_dirty(f.r));
	fixture_publish(&f);
	assert_int_equal(at(&f, "10.0.0.1")->type, DWCP_NEXTHOP_NONE);
	assert_int_equal(at(&f, "2001:db8::1")->type, DWCP_NEXTHOP_NONE);
	fixture_fini(&f);
}

static void test_create_refuses(void **state)
{
	static const u32 bad[] = {0, 1024, 4097, 12288, 4u << 20};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(bad); i++)
		assert_null(rib_create(&(struct rib_cfg){.chunk_bytes = bad[i]}));
}

static void test_configured(void **state)
{
	struct fixture f;
	struct rib_route r;

	setup(&f);
	fixture_publish(&f);
	assert_int_equal(at(&f, "10.0.0.1")->type, DWCP_NEXTHOP_LOCAL);
	assert_int_equal(at(&f, "192.0.2.1")->type, DWCP_NEXTHOP_LOCAL);
	assert_int_equal(at(&f, "2001:db8:1::1")->type, DWCP_NEXTHOP_LOCAL);
	assert_int_equal(at(&f, "fe80::1")->type, DWCP_NEXTHOP_LOCAL);
	assert_int_equal(at(&f, "fe80::2")->type, DWCP_NEXTHOP_NONE);
	assert_int_equal(at(&f, "10.0.1.77")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(at(&f, "10.0.1.77")->port, 1);
	assert_forward(at(&f, "10.0.0.2"), 0, MAC_A);
	assert_forward(at(&f, "10.0.1.2"), 1, MAC_B);
	r = lookup(&f, "10.0.1.2");
	assert_int_equal(r.source, RIB_CONNECTED);
	assert_int_equal(r.prefix.len, 32);
	assert_true(r.resolved);
	assert_int_equal(r.paths[0].port_idx, 1);
	r = lookup(&f, "10.0.1.77");
	assert_int_equal(r.prefix.len, 24);
	assert_int_equal(r.paths[0].gateway.family, 0);
	assert_int_equal(rib_source_count(f.r, RIB_LOCAL, FIB_IP4), 3);
	assert_int_equal(rib_source_count(f.r, RIB_LOCAL, FIB_IP6), 3);
	assert_int_equal(rib_source_count(f.r, RIB_CONNECTED, FIB_IP4), 4);
	assert_int_equal(rib_source_count(f.r, RIB_CONNECTED, FIB_IP6), 2);
	fixture_fini(&f);
}

static void test_configure_refuses(void **state)
{
	struct dwcp_config *c = two_make();
	struct fixture f;

	fixture_init(&f, 4096);
	((struct neighbour_cfg *)c->neighbours)[0].port_idx = 2;
	assert_int_equal(rib_configure(f.r, c), -EINVAL);
	assert_int_equal(rib_count(f.r, FIB_IP4), 0);
	((struct neighbour_cfg *)c->neighbours)[0].port_idx = 0;
	((struct config_addr *)c->ports[0].addresses)[0].prefix_len = 33;
	assert_int_equal(rib_configure(f.r, c), -EINVAL);
	assert_int_equal(rib_count(f.r, FIB_IP4), 0);
	config_drop(c);
	fixture_fini(&f);
}

static void test_configured_again_is_clean(void **state)
{
	struct dwcp_config *c = two_make();
	struct fixture f;

	setup(&f);
	fixture_publish(&f);
	assert_int_equal(rib_configure(f.r, c), 0);
	assert_false(rib_dirty(f.r));
	config_drop(c);
	fixture_fini(&f);
}

/* ---- sources ---------------------------------------------------------------------------------------------------- */

static void test_best_source(void **state)
{
	struct fixture f;
	struct fib_prefix p = prefix_of("203.0.113.0/24");

	setup(&f);
	set(&f, RIB_FILE + 1, "203.0.113.0/24", "10.0.0.2");
	set(&f, RIB_STATIC, "203.0.113.0/24", "10.0.1.2");
	set(&f, RIB_API, "203.0.113.0/24", "10.0.0.9");
	assert_int_equal(lookup(&f, "203.0.113.1").source, RIB_STATIC);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 1, MAC_B);
	assert_int_equal(rib_route_del(f.r, RIB_STATIC, &p), 0);
	assert_int_equal(rib_route_del(f.r, RIB_STATIC, &p), -ENOENT);
	assert_int_equal(lookup(&f, "203.0.113.1").source, RIB_API);
	fixture_publish(&f);
	assert_int_equal(at(&f, "203.0.113.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(rib_route_del(f.r, RIB_API, &p), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 0, MAC_A);
	assert_int_equal(rib_route_del(f.r, RIB_FILE + 1, &p), 0);
	fixture_publish(&f);
	assert_int_equal(at(&f, "203.0.113.1")->type, DWCP_NEXTHOP_NONE);
	fixture_fini(&f);
}

static void test_worse_source_is_no_change(void **state)
{
	struct fixture f;

	setup(&f);
	set(&f, RIB_STATIC, "203.0.113.0/24", "10.0.1.2");
	fixture_publish(&f);
	set(&f, RIB_FILE, "203.0.113.0/24", "10.0.1.2");
	set(&f, RIB_STATIC, "203.0.113.0/24", "10.0.1.2");
	assert_false(rib_dirty(f.r));
	fixture_publish(&f);
	assert_int_equal(f.image->n_fresh, 0);
	fixture_fini(&f);
}

static void test_types(void **state)
{
	static const struct {
		const char *prefix, *addr;
		enum route_type type;
		u8 nexthop;
	} rows[] = {
		{"198.18.0.0/16", "198.18.0.1", ROUTE_BLACKHOLE, DWCP_NEXTHOP_BLACKHOLE},
		{"198.19.0.0/16", "198.19.0.1", ROUTE_UNREACHABLE, DWCP_NEXTHOP_UNREACHABLE},
		{"2001:db8:f::/48", "2001:db8:f::1", ROUTE_PROHIBIT, DWCP_NEXTHOP_PROHIBIT},
		{"198.51.100.1/32", "198.51.100.1", ROUTE_LOCAL, DWCP_NEXTHOP_LOCAL},
	};
	struct fixture f;
	struct route_cfg route;

	setup(&f);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		route = route_type(rows[i].prefix, rows[i].type);
		assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	}
	fixture_publish(&f);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		assert_int_equal(at(&f, rows[i].addr)->type, rows[i].nexthop);
		assert_int_equal(lookup(&f, rows[i].addr).type, rows[i].type);
		assert_int_equal(lookup(&f, rows[i].addr).n_paths, 0);
		assert_true(lookup(&f, rows[i].addr).resolved);
	}
	/* One slot a type, whoever uses it. */
	assert_int_equal(lookup(&f, "198.51.100.1").slot, lookup(&f, "10.0.0.1").slot);
	fixture_fini(&f);
}

static void test_vrf(void **state)
{
	struct path_cfg p = path_via("10.0.1.2", PATH_AUTO, 1);
	struct route_cfg route = route_via("203.0.113.0/24", &p, 1);
	struct fib_addr a = addr_of("203.0.113.9");
	struct fixture f;

	setup(&f);
	route.prefix.vrf = 70000;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_forward(fixture_nexthop(&f, 70000, FIB_IP4, &a), 1, MAC_B);
	assert_int_equal(fixture_nexthop(&f, 0, FIB_IP4, &a)->type, DWCP_NEXTHOP_NONE);
	fixture_fini(&f);
}

static void test_bad_routes(void **state)
{
	struct path_cfg good = path_via("10.0.1.2", PATH_AUTO, 1), p;
	struct route_cfg route = route_via("203.0.113.0/24", &good, 1), r;
	struct fixture f;

	setup(&f);
	fixture_publish(&f);
	assert_int_equal(rib_route_set(f.r, RIB_N_SOURCES, &route), -EINVAL);
	r = route;
	r.prefix.addr.lo |= 1;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.prefix.len = 33;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.prefix.family = 5;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.n_paths = 0;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.n_paths = CONFIG_MAX_PATHS + 1;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.type = 99;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	r = route;
	r.paths = &p;
	p = path_via("172.16.0.1", PATH_AUTO, 1); /* on no port */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	p = path_via("10.0.1.2", 2, 1); /* no such port */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	p = path_dev(PATH_AUTO);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	p = path_via("fe80::2", PATH_AUTO, 1); /* link-local says nothing about the port */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	p = good;
	p.vlan = 4096;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r), -EINVAL);
	assert_false(rib_dirty(f.r));
	assert_int_equal(rib_route_del(f.r, RIB_STATIC, &route.prefix), -ENOENT);
	fixture_fini(&f);
}

/* A group with one member that is on no port isn't made, and leaves nothing behind. */
static void test_bad_group_leaves_nothing(void **state)
{
	struct path_cfg p[3] = {path_via("10.0.0.50", PATH_AUTO, 1),
				path_via("10.0.1.50", PATH_AUTO, 1),
				path_via("172.16.0.1", PATH_AUTO, 1)};
	struct route_cfg route = route_via("203.0.113.0/24", p, 3);
	struct rib_usage before, after;
	struct fixture f;

	setup(&f);
	rib_usage(f.r, &before);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), -EINVAL);
	rib_usage(f.r, &after);
	assert_int_equal(after.n_nexthops, before.n_nexthops);
	assert_int_equal(after.n_groups, 0);
	fixture_publish(&f);
	fixture_fini(&f);
}

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static void assert_tags(const struct dwcp_nexthop *n, u32 n_tags, u16 outer_tpid, u16 outer,
			u16 inner)
{
	assert_int_equal(n->n_tags, n_tags);
	assert_int_equal(n->forward.vlan[0], htobe16(outer_tpid));
	assert_int_equal(n->forward.vlan[1], htobe16(outer));
	assert_int_equal(n->forward.vlan[2], n_tags == 2 ? htobe16(0x8100) : 0);
	assert_int_equal(n->forward.vlan[3], htobe16(inner));
}

static void test_tags(void **state)
{
	struct dwcp_config *c = two_make();
	struct path_cfg p;
	struct route_cfg route = route_via("203.0.113.0/24", &p, 1);
	struct fixture f;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	config_neighbour(c, 0, "10.0.0.3", 0x0200000000c3, 30, 0);
	config_neighbour(c, 0, "10.0.0.4", 0x0200000000c4, 40, 400);
	config_neighbour(c, 0, "10.0.0.4", 0x0200000000c5, 41, 0);
	assert_int_equal(rib_configure(f.r, c), 0);
	config_drop(c);

	p = path_via("10.0.0.2", PATH_AUTO, 1); /* a neighbour without tags is good for any */
	p.vlan = 100;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 0, MAC_A);
	assert_tags(at(&f, "203.0.113.1"), 1, 0x8100, 100, 0);

	p = path_via("10.0.0.3", PATH_AUTO, 1); /* a path without tags takes the neighbour's */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_tags(at(&f, "203.0.113.1"), 1, 0x8100, 30, 0);
	assert_tags(at(&f, "10.0.0.3"), 1, 0x8100, 30, 0);

	p = path_via("10.0.0.4", PATH_AUTO, 1); /* several: the exact one */
	p.vlan = 41;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 0, 0x0200000000c5);
	p.vlan = 40;
	p.svlan = 400;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 0, 0x0200000000c4);
	assert_tags(at(&f, "203.0.113.1"), 2, 0x88a8, 400, 40);

	p.vlan = 7; /* on another VLAN than any neighbour */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_int_equal(at(&f, "203.0.113.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	fixture_fini(&f);
}

/* What no frame can be sent to is no neighbour; the checker would refuse the table. */
static void test_neighbour_mac(void **state)
{
	struct dwcp_config *c = two_make();
	struct fixture f;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	config_neighbour(c, 0, "10.0.0.3", 0, 0, 0);
	config_neighbour(c, 0, "10.0.0.4", 0x01005e000001, 0, 0);
	assert_int_equal(rib_configure(f.r, c), 0);
	config_drop(c);
	fixture_publish(&f);
	assert_int_equal(at(&f, "10.0.0.3")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(at(&f, "10.0.0.4")->type, DWCP_NEXTHOP_UNRESOLVED);
	fixture_fini(&f);
}

static void test_on_link(void **state)
{
	struct path_cfg p = path_dev(1);
	struct route_cfg route = route_via("100.64.0.0/10", &p, 1);
	struct fixture f;

	setup(&f);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_int_equal(at(&f, "100.64.0.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(at(&f, "100.64.0.1")->port, 1);
	assert_true(lookup(&f, "100.64.0.1").resolved);
	fixture_fini(&f);
}

static void test_link_local_gateway(void **state)
{
	struct dwcp_config *c = two_make();
	struct path_cfg p = path_via("fe80::2", 1, 1);
	struct route_cfg route = route_via("2001:db8:f::/48", &p, 1);
	struct fixture f;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	config_neighbour(c, 0, "fe80::2", MAC_A, 0, 0);
	config_neighbour(c, 1, "fe80::2", MAC_B, 0, 0);
	assert_int_equal(rib_configure(f.r, c), 0);
	config_drop(c);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "2001:db8:f::1"), 1, MAC_B);
	/* The same address is another host on every link: no route leads to it. */
	assert_int_equal(at(&f, "fe80::2")->type, DWCP_NEXTHOP_NONE);
	fixture_fini(&f);
}

/* Path sets that mean the same are one: order, doubles, and how the port was found don't matter. */
static void test_interned(void **state)
{
	struct path_cfg ab[2] = {path_via("10.0.0.2", PATH_AUTO, 1),
				 path_via("10.0.1.2", PATH_AUTO, 2)};
	struct path_cfg bab[3] = {ab[1], ab[0], ab[1]}, aa[2] = {ab[0], ab[0]};
	struct route_cfg r1 = route_via("203.0.113.0/26", ab, 2);
	struct route_cfg r2 = route_via("203.0.113.64/26", bab, 3);
	struct route_cfg r3 = route_via("203.0.113.128/26", aa, 2);
	struct rib_usage u;
	struct fixture f;

	setup(&f);
	bab[0].weight = 1;
	bab[2].weight = 1;
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r1), 0);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r2), 0);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &r3), 0);
	assert_int_equal(lookup(&f, "203.0.113.1").nexthop_id,
			 lookup(&f, "203.0.113.65").nexthop_id);
	assert_int_equal(lookup(&f, "203.0.113.1").slot, lookup(&f, "203.0.113.65").slot);
	assert_int_equal(lookup(&f, "203.0.113.129").nexthop_id, lookup(&f, "10.0.0.2").nexthop_id);
	assert_int_equal(lookup(&f, "203.0.113.1").n_paths, 2);
	assert_int_equal(lookup(&f, "203.0.113.1").paths[1].weight, 2);
	rib_usage(f.r, &u);
	assert_int_equal(u.n_groups, 1);
	fixture_publish(&f);
	fixture_fini(&f);
}

/* ---- changes of the configuration ------------------------------------------------------------------------------ */

static void test_neighbour_changes(void **state)
{
	struct dwcp_config *c = two_make();
	struct fixture f;
	struct rib_route before, after;

	setup(&f);
	set(&f, RIB_STATIC, "203.0.113.0/24", "10.0.1.2");
	fixture_publish(&f);
	before = lookup(&f, "203.0.113.1");
	((struct neighbour_cfg *)c->neighbours)[1].mac[5] = 0x77;
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 1, (MAC_B & ~0xffull) | 0x77);
	after = lookup(&f, "203.0.113.1");
	assert_int_equal(after.slot, before.slot);
	assert_int_equal(after.nexthop_id, before.nexthop_id);
	assert_int_equal(f.image->n_fresh, 1);
	c->n_neighbours = 1;
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	assert_int_equal(at(&f, "203.0.113.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(at(&f, "203.0.113.1")->port, 1);
	assert_int_equal(at(&f, "10.0.1.2")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_false(lookup(&f, "203.0.113.1").resolved);
	assert_int_equal(lookup(&f, "203.0.113.1").slot, before.slot);
	config_drop(c);
	fixture_fini(&f);
}

static void test_port_goes_and_returns(void **state)
{
	struct dwcp_config *c = two_make(), *one = config_make(1, two_ports);
	struct path_cfg p[2] = {path_via("10.0.0.2", PATH_AUTO, 1), path_via("10.0.1.2", 1, 1)};
	struct route_cfg by_port = route_via("203.0.113.0/24", &p[1], 1);
	struct route_cfg both = route_via("198.51.100.0/24", p, 2);
	struct fixture f;
	struct rib_route before;

	setup(&f);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &by_port), 0);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &both), 0);
	set(&f, RIB_STATIC, "192.168.0.0/16", "10.0.1.2");
	before = lookup(&f, "203.0.113.1");
	config_neighbour(one, 0, "10.0.0.2", MAC_A, 0, 0);
	assert_int_equal(rib_configure(f.r, one), 0);
	f.n_ports = 1;
	fixture_publish(&f);
	assert_int_equal(at(&f, "203.0.113.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(at(&f, "192.168.0.1")->type, DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(lookup(&f, "203.0.113.1").paths[0].port_idx, UINT16_MAX);
	assert_int_equal(at(&f, "198.51.100.1")->type, DWCP_NEXTHOP_GROUP);
	for (u32 i = 0; i < f.g->n_bucket; i++)
		if (f.g->bucket[i])
			assert_forward(&f.g->nexthop[f.g->bucket[i]], 0, MAC_A);
	/* What is there may stay, but nobody may be added to it. */
	assert_int_equal(rib_route_set(f.r, RIB_API, &both), -EINVAL);
	assert_int_equal(rib_configure(f.r, c), 0);
	f.n_ports = 2;
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 1, MAC_B);
	assert_forward(at(&f, "192.168.0.1"), 1, MAC_B);
	assert_int_equal(lookup(&f, "203.0.113.1").nexthop_id, before.nexthop_id);
	assert_int_equal(rib_route_set(f.r, RIB_API, &both), 0);
	config_drop(c);
	config_drop(one);
	fixture_fini(&f);
}

/* Ports are known by name: routes follow theirs to its new place. */
static void test_ports_swap(void **state)
{
	struct dwcp_config *c = two_make();
	struct port_cfg *ports = (struct port_cfg *)c->ports, swap = ports[0];
	struct neighbour_cfg *n = (struct neighbour_cfg *)c->neighbours;
	struct path_cfg p = path_dev(1);
	struct route_cfg route = route_via("100.64.0.0/10", &p, 1);
	struct fixture f;
	u32 id;

	setup(&f);
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	id = lookup(&f, "100.64.0.1").nexthop_id;
	fixture_publish(&f);
	ports[0] = ports[1];
	ports[1] = swap;
	n[0].port_idx = 1;
	n[1].port_idx = 0;
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	assert_int_equal(at(&f, "100.64.0.1")->port, 0);
	assert_forward(at(&f, "10.0.0.2"), 1, MAC_A);
	assert_int_equal(at(&f, "10.0.1.99")->port, 0);
	p.port_idx = 0; /* the same port, by its new index: the same path set */
	assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
	assert_false(rib_dirty(f.r));
	assert_int_equal(lookup(&f, "100.64.0.1").nexthop_id, id);
	config_drop(c);
	fixture_fini(&f);
}

static void test_prefix_moves(void **state)
{
	static const char *const none[] = {"10.9.0.1/24", NULL};
	static const char *const moved[] = {"10.0.1.1/24", "10.0.1.129/25", NULL};
	static const char *const *const ports[] = {moved, none};
	struct dwcp_config *c = config_make(2, ports);
	struct fixture f;

	setup(&f);
	set(&f, RIB_STATIC, "203.0.113.0/24", "10.0.1.2");
	config_neighbour(c, 0, "10.0.1.2", 0x0200000000ee, 0, 0);
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 0, 0x0200000000ee);
	assert_int_equal(at(&f, "192.0.2.1")->type, DWCP_NEXTHOP_NONE);
	config_drop(c);
	fixture_fini(&f);
}

/* ---- replacing a source ----------------------------------------------------------------------------------------- */

static void test_replace(void **state)
{
	struct path_cfg a = path_via("10.0.0.2", PATH_AUTO, 1),
			b = path_via("10.0.1.2", PATH_AUTO, 1);
	struct path_cfg bad = path_via("172.16.0.1", PATH_AUTO, 1);
	struct route_cfg list[] = {
		route_via("203.0.113.0/24", &a, 1),
		route_via("198.51.100.0/24", &a, 1),
		route_via("2001:db8:f::/48", &b, 1),
		route_via("192.168.0.0/16", &bad, 1),
	};
	struct fixture f;
	u64 rejected = 99;

	setup(&f);
	set(&f, RIB_FILE, "192.168.0.0/16", "10.0.1.2");
	set(&f, RIB_FILE, "172.31.0.0/16", "10.0.1.2");
	set(&f, RIB_API, "203.0.113.0/24", "10.0.1.2");
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, list, 4, &rejected), 0);
	assert_int_equal(rejected, 1);
	assert_int_equal(rib_source_count(f.r, RIB_FILE, FIB_IP4), 2);
	assert_int_equal(rib_source_count(f.r, RIB_FILE, FIB_IP6), 1);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 1, MAC_B); /* the operator's */
	assert_forward(at(&f, "198.51.100.1"), 0, MAC_A);
	assert_forward(at(&f, "2001:db8:f::1"), 1, MAC_B); /* over an IPv4 next hop */
	assert_int_equal(at(&f, "192.168.0.1")->type, DWCP_NEXTHOP_NONE);
	assert_int_equal(at(&f, "172.31.0.1")->type, DWCP_NEXTHOP_NONE);
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, list, 4, NULL), 0);
	assert_false(rib_dirty(f.r));
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, NULL, 0, NULL), 0);
	assert_int_equal(rib_source_count(f.r, RIB_FILE, FIB_IP4), 0);
	fixture_publish(&f);
	assert_forward(at(&f, "203.0.113.1"), 1, MAC_B);
	assert_int_equal(at(&f, "198.51.100.1")->type, DWCP_NEXTHOP_NONE);
	assert_int_equal(rib_source_replace(f.r, RIB_N_SOURCES, list, 4, NULL), -EINVAL);
	fixture_fini(&f);
}

/* A prefix twice: the last stays, in whatever order the list is, and whatever was there. */
static void test_replace_doubles(void **state)
{
	struct path_cfg a = path_via("10.0.0.2", PATH_AUTO, 1),
			b = path_via("10.0.1.2", PATH_AUTO, 1);
	struct fixture f;

	setup(&f);
	for (u32 i = 0; i < 64; i++) {
		const struct path_cfg *first = i & 1 ? &a : &b, *last = i & 2 ? &a : &b;
		struct route_cfg list[] = {
			route_via("203.0.113.0/24", first, 1),
			route_via("203.0.113.0/24", last, 1),
			route_via(i & 4 ? "198.51.100.0/24" : "224.0.0.0/4", &a, 1),
		};

		if (i & 8)
			assert_int_equal(rib_source_replace(f.r, RIB_FILE, NULL, 0, NULL), 0);
		assert_int_equal(rib_source_replace(f.r, RIB_FILE, list, 3, NULL), 0);
		assert_int_equal(rib_source_count(f.r, RIB_FILE, FIB_IP4), 2);
		assert_int_equal(lookup(&f, "203.0.113.1").paths[0].port_idx, i & 2 ? 0 : 1);
	}
	fixture_publish(&f);
	fixture_fini(&f);
}

/* Two ports on one subnet: the first has it. */
static void test_connected_twice(void **state)
{
	static const char *const left[] = {"10.0.0.1/24", NULL}, *const right[] = {"10.0.0.5/24",
										   NULL};
	static const char *const *const ports[] = {left, right};
	struct dwcp_config *c = config_make(2, ports);
	struct fixture f;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	config_neighbour(c, 1, "10.0.0.9", MAC_B, 0, 0);
	config_neighbour(c, 0, "10.0.0.9", MAC_A, 0, 0);
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(rib_configure(f.r, c), 0);
		fixture_publish(&f);
		assert_int_equal(at(&f, "10.0.0.77")->port, 0);
		assert_forward(at(&f, "10.0.0.9"), 1, MAC_B);
	}
	assert_int_equal(f.image->n_fresh, 0);
	config_drop(c);
	fixture_fini(&f);
}

/* ---- walking ------------------------------------------------------------------------------------------------------ */

struct walked {
	struct fib_prefix p[64];
	u32 n, stop_after;
};

static int walk_one(void *arg, const struct rib_route *route)
{
	struct walked *w = arg;

	assert_true(w->n < DWCP_ARRAY_LEN(w->p));
	w->p[w->n++] = route->prefix;
	return w->n == w->stop_after ? 42 : 0;
}

static int prefix_order(const struct fib_prefix *a, const struct fib_prefix *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf ? -1 : 1;
	if (a->addr.hi != b->addr.hi)
		return a->addr.hi < b->addr.hi ? -1 : 1;
	if (a->addr.lo != b->addr.lo)
		return a->addr.lo < b->addr.lo ? -1 : 1;
	return (int)a->len - (int)b->len;
}

static void test_each(void **state)
{
	struct walked all = {0}, w = {0};
	struct fixture f;
	struct fib_prefix p = prefix_of("10.0.0.0/8");

	setup(&f);
	set(&f, RIB_STATIC, "0.0.0.0/0", "10.0.0.2");
	set(&f, RIB_STATIC, "10.0.0.0/8", "10.0.0.2");
	set(&f, RIB_STATIC, "::/0", "10.0.0.2");
	set(&f, RIB_STATIC, "2001:db8:0:0:1::/80", "10.0.0.2");
	assert_int_equal(rib_each(f.r, NULL, walk_one, &all), 0);
	assert_int_equal(all.n, rib_count(f.r, FIB_IP4) + rib_count(f.r, FIB_IP6));
	for (u32 i = 1; i < all.n; i++)
		assert_true(prefix_order(&all.p[i - 1], &all.p[i]) < 0);
	for (u32 i = 0; i < all.n; i++) {
		w = (struct walked){.stop_after = 1};
		assert_int_equal(rib_each(f.r, &all.p[i], walk_one, &w), 42);
		assert_int_equal(prefix_order(&w.p[0], &all.p[i]), 0);
	}
	/* What is deleted between two calls isn't missed, and what comes is found. */
	assert_int_equal(rib_route_del(f.r, RIB_STATIC, &p), 0);
	set(&f, RIB_STATIC, "9.0.0.0/8", "10.0.0.2");
	w = (struct walked){.stop_after = 1};
	assert_int_equal(rib_each(f.r, &p, walk_one, &w), 42);
	assert_int_equal(w.p[0].len, 24);
	w = (struct walked){0};
	assert_int_equal(rib_each(f.r, NULL, walk_one, &w), 0);
	assert_int_equal(w.n, all.n);
	assert_int_equal(w.p[1].addr.lo, 9 << 24);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_configured),
		cmocka_unit_test(test_configure_refuses),
		cmocka_unit_test(test_configured_again_is_clean),
		cmocka_unit_test(test_best_source),
		cmocka_unit_test(test_worse_source_is_no_change),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_vrf),
		cmocka_unit_test(test_bad_routes),
		cmocka_unit_test(test_bad_group_leaves_nothing),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_neighbour_mac),
		cmocka_unit_test(test_on_link),
		cmocka_unit_test(test_link_local_gateway),
		cmocka_unit_test(test_interned),
		cmocka_unit_test(test_neighbour_changes),
		cmocka_unit_test(test_port_goes_and_returns),
		cmocka_unit_test(test_ports_swap),
		cmocka_unit_test(test_prefix_moves),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_replace_doubles),
		cmocka_unit_test(test_connected_twice),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
