/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rib_address.c - the router's own addresses: from the configuration, from the kernel, and what a dataplane reads of
 * them: local routes, connected ones, and the port_addr section.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rib_fixture.h"

static const char *const p0_addresses[] = {"169.254.1.1/16", "192.0.2.1/24", "192.0.2.9/24",
					   "2001:db8::1/64", NULL};
static const char *const p1_addresses[] = {"fe80::1/64", NULL};
static const char *const *const ports[] = {p0_addresses, p1_addresses, NULL};

struct scene {
	struct fixture f;
	struct dwcp_config *cfg;
};

static void scene_init(struct scene *s)
{
	fixture_init(&s->f, 1 << 16);
	s->cfg = config_make(3, ports);
	s->f.n_ports = 3;
	assert_int_equal(rib_configure(s->f.r, s->cfg), 0);
	fixture_publish(&s->f);
}

static void scene_fini(struct scene *s)
{
	fixture_fini(&s->f);
	config_drop(s->cfg);
}

static struct config_addr address(const char *text)
{
	struct config_addr a = {0};
	char buf[ADDR_TEXT_MAX], *slash;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	*slash = 0;
	assert_int_equal(addr_parse(buf, &a.addr, &a.family), 0);
	a.prefix_len = (u8)strtoul(slash + 1, NULL, 10);
	return a;
}

static u8 type_at(const struct scene *s, const char *addr)
{
	struct fib_addr a;
	u8 family;

	assert_int_equal(addr_parse(addr, &a, &family), 0);
	return fixture_nexthop(&s->f, 0, family, &a)->type;
}

static void expect4(const struct scene *s, u32 port, u8 a, u8 b, u8 c, u8 d)
{
	const u8 bytes[4] = {a, b, c, d};

	assert_true(port < s->f.g->n_port_addr);
	assert_memory_equal(s->f.g->port_addr[port].addr4, bytes, 4);
}

static void configured(void **state)
{
	static const u8 none[16], addr6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1},
				  link[16] = {0xfe, 0x80, [15] = 1};
	const struct dwcp_port_addr *a;
	struct scene s;

	scene_init(&s);
	assert_int_equal(s.f.g->n_port_addr, 3);
	a = s.f.g->port_addr;
	expect4(&s, 0, 192, 0, 2, 1); /* 169.254/16 is good on its link only */
	assert_memory_equal(a[0].addr6, addr6, 16);
	assert_memory_equal(a[0].link_local, none, 16);
	expect4(&s, 1, 0, 0, 0, 0);
	assert_memory_equal(a[1].addr6, none, 16);
	assert_memory_equal(a[1].link_local, link, 16);
	expect4(&s, 2, 0, 0, 0, 0);
	scene_fini(&s);
}

static void observed(void **state)
{
	struct config_addr on2[] = {address("198.51.100.1/24"), address("2001:db8:2::1/64"),
				    address("fe80::2/64")};
	struct config_addr on0[] = {address("192.0.2.1/24"), address("203.0.113.1/32")};
	struct path_cfg via = path_via("198.51.100.9", PATH_AUTO, 1);
	struct route_cfg route = route_via("10.0.0.0/8", &via, 1);
	struct scene s;

	scene_init(&s);
	assert_int_equal(rib_route_set(s.f.r, RIB_STATIC, &route), -EINVAL);
	assert_int_equal(rib_port_addresses_set(s.f.r, 2, on2, 3), 0);
	assert_true(rib_dirty(s.f.r));
	fixture_publish(&s.f);
	expect4(&s, 2, 198, 51, 100, 1);
	assert_int_equal(s.f.g->port_addr[2].addr6[5], 2);
	assert_int_equal(s.f.g->port_addr[2].link_local[15], 2);
	assert_int_equal(type_at(&s, "198.51.100.1"), DWCP_NEXTHOP_LOCAL);
	assert_int_equal(type_at(&s, "fe80::2"), DWCP_NEXTHOP_LOCAL);
	assert_int_equal(type_at(&s, "198.51.100.2"), DWCP_NEXTHOP_UNRESOLVED); /* on link */
	assert_int_equal(rib_route_set(s.f.r, RIB_STATIC, &route), 0);

	/* the configured one comes first, and is there once */
	assert_int_equal(rib_port_addresses_set(s.f.r, 0, on0, 2), 0);
	fixture_publish(&s.f);
	expect4(&s, 0, 192, 0, 2, 1);
	assert_int_equal(type_at(&s, "203.0.113.1"), DWCP_NEXTHOP_LOCAL);
	assert_int_equal(type_at(&s, "192.0.2.1"), DWCP_NEXTHOP_LOCAL);

	/* the same again is no change */
	assert_int_equal(rib_port_addresses_set(s.f.r, 0, on0, 2), 0);
	assert_false(rib_dirty(s.f.r));

	/* another order is: the first one speaks for the port */
	on2[0] = address("198.51.100.7/24");
	assert_int_equal(rib_port_addresses_set(s.f.r, 2, on2, 1), 0);
	fixture_publish(&s.f);
	expect4(&s, 2, 198, 51, 100, 7);
	assert_int_equal(type_at(&s, "198.51.100.1"), DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(type_at(&s, "fe80::2"), DWCP_NEXTHOP_NONE);

	/* gone: also what was on link by it */
	assert_int_equal(rib_port_addresses_set(s.f.r, 2, NULL, 0), 0);
	fixture_publish(&s.f);
	expect4(&s, 2, 0, 0, 0, 0);
	assert_int_equal(type_at(&s, "198.51.100.7"), DWCP_NEXTHOP_NONE);
	assert_int_equal(type_at(&s, "192.0.2.1"), DWCP_NEXTHOP_LOCAL);
	scene_fini(&s);
}

/* The kernel's addresses aren't the configuration's to drop; a port that is gone has none. */
static void observed_outlives_a_reload(void **state)
{
	struct config_addr on1 = address("198.51.100.1/24");
	struct scene s;

	scene_init(&s);
	assert_int_equal(rib_port_addresses_set(s.f.r, 1, &on1, 1), 0);
	assert_int_equal(rib_configure(s.f.r, s.cfg), 0);
	fixture_publish(&s.f);
	expect4(&s, 1, 198, 51, 100, 1);
	assert_int_equal(type_at(&s, "198.51.100.1"), DWCP_NEXTHOP_LOCAL);

	s.cfg->n_ports = 1;
	assert_int_equal(rib_configure(s.f.r, s.cfg), 0);
	s.f.n_ports = 1;
	fixture_publish(&s.f);
	assert_int_equal(s.f.g->n_port_addr, 1);
	assert_int_equal(type_at(&s, "198.51.100.1"), DWCP_NEXTHOP_NONE);
	s.cfg->n_ports = 3;
	scene_fini(&s);
}

/* Nothing is sent into a link that is down while there is another way; what the router is stays. */
static void link_down(void **state)
{
	struct neighbour_cfg seen = {.mac = {2, 0, 0, 0, 0, 7},
				     .addr = {.addr = {0, 0xc0000207}, .family = FIB_IP4}};
	struct path_cfg via = path_via("192.0.2.7", PATH_AUTO, 1);
	struct route_cfg route = route_via("10.0.0.0/8", &via, 1);
	struct route_cfg other = route_type("192.0.0.0/16", ROUTE_BLACKHOLE);
	struct scene s;

	scene_init(&s);
	assert_int_equal(rib_route_set(s.f.r, RIB_KERNEL, &other), 0);
	assert_int_equal(rib_neighbour_set(s.f.r, &seen, RIB_NEIGHBOUR_RESOLVED), 0);
	fixture_publish(&s.f);
	assert_int_equal(type_at(&s, "192.0.2.8"), DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(type_at(&s, "192.0.2.7"), DWCP_NEXTHOP_FORWARD);

	assert_int_equal(rib_port_link_set(s.f.r, 0, false), 0);
	for (u32 i = 0; i < 2; i++) {
		fixture_publish(&s.f);
		assert_int_equal(type_at(&s, "192.0.2.8"), DWCP_NEXTHOP_BLACKHOLE);
		assert_int_equal(type_at(&s, "192.0.2.7"), DWCP_NEXTHOP_BLACKHOLE);
		assert_int_equal(type_at(&s, "192.0.2.1"), DWCP_NEXTHOP_LOCAL);
		assert_int_equal(type_at(&s, "2001:db8::2"), DWCP_NEXTHOP_NONE);
		assert_int_equal(rib_route_set(s.f.r, RIB_STATIC, &route), 0);
		/* what comes meanwhile doesn't bring it back */
		assert_int_equal(rib_neighbour_set(s.f.r, &seen, RIB_NEIGHBOUR_RESOLVED), 0);
		assert_int_equal(rib_configure(s.f.r, s.cfg), 0);
	}
	assert_int_equal(rib_port_link_set(s.f.r, 0, true), 0);
	fixture_publish(&s.f);
	assert_int_equal(type_at(&s, "192.0.2.8"), DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(type_at(&s, "192.0.2.7"), DWCP_NEXTHOP_FORWARD);
	assert_int_equal(type_at(&s, "2001:db8::2"), DWCP_NEXTHOP_UNRESOLVED);
	assert_int_equal(rib_port_link_set(s.f.r, 0, true), 0);
	assert_false(rib_dirty(s.f.r));
	assert_int_equal(rib_port_link_set(s.f.r, 3, true), -EINVAL);
	scene_fini(&s);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct config_addr good = address("198.51.100.1/24"), bad = good;
	struct config_addr two[2];
	struct scene s;

	scene_init(&s);
	assert_int_equal(rib_port_addresses_set(s.f.r, 3, &good, 1), -EINVAL);
	assert_int_equal(rib_port_addresses_set(s.f.r, UINT16_MAX, &good, 1), -EINVAL);
	bad.prefix_len = 33;
	two[0] = good;
	two[1] = bad;
	assert_int_equal(rib_port_addresses_set(s.f.r, 0, two, 2), -EINVAL);
	two[1] = good;
	two[1].family = 0;
	assert_int_equal(rib_port_addresses_set(s.f.r, 0, two, 2), -EINVAL);
	two[1] = good;
	two[1].addr.lo |= 1ull << 32;
	assert_int_equal(rib_port_addresses_set(s.f.r, 0, two, 2), -EINVAL);
	assert_false(rib_dirty(s.f.r));
	scene_fini(&s);
}

/* For a reader that doesn't know the section; and back. */
static void left_out(void **state)
{
	struct scene s;
	u32 n;

	scene_init(&s);
	n = s.f.image->manifest->n_sections;
	s.f.without = 1u << DWCP_SECTION_PORT_ADDR;
	fixture_publish(&s.f);
	assert_int_equal(s.f.image->manifest->n_sections, n - 1);
	for (u32 i = 0; i < n - 1; i++)
		assert_int_not_equal(manifest_sections(s.f.image->manifest)[i].section,
				     DWCP_SECTION_PORT_ADDR);
	assert_int_equal(s.f.image->n_fresh, 0);
	assert_int_equal(s.f.g->n_port_addr, 0);
	assert_int_equal(type_at(&s, "192.0.2.1"), DWCP_NEXTHOP_LOCAL);
	s.f.without = 0;
	fixture_publish(&s.f);
	assert_int_equal(s.f.image->manifest->n_sections, n);
	assert_int_equal(s.f.image->n_fresh, 1);
	expect4(&s, 0, 192, 0, 2, 1);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configured),
		cmocka_unit_test(observed),
		cmocka_unit_test(observed_outlives_a_reload),
		cmocka_unit_test(link_down),
		cmocka_unit_test(what_is_refused_changes_nothing),
		cmocka_unit_test(left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
