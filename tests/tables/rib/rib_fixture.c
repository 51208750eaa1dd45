/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rib_fixture.h"
#include "walk.h"

void fixture_init(struct fixture *f, u32 chunk_bytes)
{
	struct rib_cfg cfg = {.chunk_bytes = chunk_bytes, .gateways = true};
	struct segment_set_cfg set_cfg = {.max_bytes = 1ull << 30,
					  .max_segments = 2 * DWCP_MANIFEST_MAX_SEGMENTS};

	*f = (struct fixture){.r = rib_create(&cfg), .set = segment_set_create(&set_cfg)};
	assert_non_null(f->r);
	assert_non_null(f->set);
	f->n_ports = 1;
}

void fixture_fini(struct fixture *f)
{
	generation_close(f->g);
	segment_set_free(f->set);
	rib_free(f->r);
}

void fixture_publish(struct fixture *f)
{
	struct manifest_cfg cfg = {.generation = ++f->number,
				   .created_unix_ns = 1,
				   .without = f->without};
	struct generation_limits limits = {.n_ports = f->n_ports};
	char reason[GENERATION_REASON_MAX] = "";
	struct generation *g;
	u64 bytes = 0;
	u32 fresh = 0;

	assert_int_equal(rib_publish(f->r, &cfg, &f->image), 0);
	assert_false(rib_dirty(f->r));
	for (u32 i = 0; i < f->image->manifest->n_segments; i++) {
		const struct table_segment *s = &f->image->segments[i];
		int fd;

		if (!s->fresh)
			continue;
		fresh++;
		bytes += s->desc.bytes;
		assert_false(segment_set_has(f->set, s->desc.id));
		fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
		assert_true(fd >= 0);
		if (segment_set_stage(f->set, &s->desc, fd, reason))
			fail_msg("segment %u refused: %s", i, reason);
	}
	assert_int_equal(fresh, f->image->n_fresh);
	assert_int_equal(bytes, f->image->fresh_bytes);
	if (generation_open(f->set, f->image->manifest_fd, &limits, &g, reason))
		fail_msg("generation refused: %s", reason);
	generation_close(f->g);
	f->g = g;
	segment_set_drop_staged(f->set);
}

u32 fixture_slot(const struct fixture *f, u32 vrf, u8 family, const struct fib_addr *a)
{
	const struct dwcp_fib_root *root = fib_root_find(&f->g->fib, vrf, family);
	u32 slot = 0, dst = (u32)a->lo;

	if (!root)
		return 0;
	if (family == FIB_IP4)
		fib_lookup4(&f->g->fib, root, &dst, &slot, 1);
	else
		fib_lookup6(&f->g->fib, root, a, &slot, 1);
	return slot;
}

const struct dwcp_nexthop *fixture_nexthop(const struct fixture *f, u32 vrf, u8 family,
					   const struct fib_addr *a)
{
	return &f->g->nexthop[fixture_slot(f, vrf, family, a)];
}

struct dwcp_config *config_make(u32 n_ports, const char *const *const *addresses)
{
	struct dwcp_config *c = calloc(1, sizeof(*c));
	struct port_cfg *ports = calloc(n_ports + 1, sizeof(*ports));

	c->ports = ports;
	c->n_ports = n_ports;
	for (u32 i = 0; i < n_ports; i++) {
		struct config_addr *a = calloc(16, sizeof(*a));
		u32 n = 0;

		snprintf(ports[i].name, sizeof(ports[i].name), "p%u", i);
		for (; addresses[i] && addresses[i][n]; n++) {
			char text[ADDR_TEXT_MAX];
			char *slash;

			snprintf(text, sizeof(text), "%s", addresses[i][n]);
			slash = strchr(text, '/');
			*slash = 0;
			assert_int_equal(addr_parse(text, &a[n].addr, &a[n].family), 0);
			a[n].prefix_len = strtoul(slash + 1, NULL, 10);
		}
		ports[i].addresses = a;
		ports[i].n_addresses = n;
	}
	return c;
}

void config_neighbour(struct dwcp_config *c, u16 port, const char *addr, u64 mac, u16 vlan,
		      u16 svlan)
{
	struct neighbour_cfg *n =
		realloc((void *)c->neighbours, (c->n_neighbours + 1) * sizeof(*n));
	struct neighbour_cfg *last = &n[c->n_neighbours++];

	*last = (struct neighbour_cfg){.port_idx = port, .vlan = vlan, .svlan = svlan};
	assert_int_equal(addr_parse(addr, &last->addr.addr, &last->addr.family), 0);
	for (u32 i = 0; i < 6; i++)
		last->mac[i] = mac >> (40 - 8 * i);
	c->neighbours = n;
}

void config_drop(struct dwcp_config *c)
{
	for (u32 i = 0; i < c->n_ports; i++)
		free((void *)c->ports[i].addresses);
	free((void *)c->ports);
	free((void *)c->neighbours);
	free(c);
}

struct fib_prefix prefix_of(const char *text)
{
	struct fib_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

struct fib_addr addr_of(const char *text)
{
	struct fib_addr a;
	u8 family;

	assert_int_equal(addr_parse(text, &a, &family), 0);
	return a;
}

struct path_cfg path_via(const char *gateway, u16 port, u32 weight)
{
	struct path_cfg p = {.port_idx = port, .weight = weight};

	assert_int_equal(addr_parse(gateway, &p.gateway.addr, &p.gateway.family), 0);
	return p;
}

struct path_cfg path_dev(u16 port)
{
	return (struct path_cfg){.port_idx = port, .weight = 1};
}

struct route_cfg route_via(const char *prefix, const struct path_cfg *paths, u32 n)
{
	return (struct route_cfg){.prefix = prefix_of(prefix), .paths = paths, .n_paths = n};
}

struct route_cfg route_type(const char *prefix, enum route_type type)
{
	return (struct route_cfg){.prefix = prefix_of(prefix), .type = type};
}

u32 fixture_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	u32 n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

u64 rng_next(struct rng *r)
{
	u64 z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

u32 rng_below(struct rng *r, u32 n)
{
	return (rng_next(r) >> 32) * n >> 32;
}
