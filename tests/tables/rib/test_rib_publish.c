/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rib_publish.c - what a publish seals and what it leaves alone: bytes a change costs, sameness after a restart,
 * failures half-way, fds, ids and renumbering, 64 k next hops.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fib_synth.h"
#include "rib_fixture.h"
#include "rib_private.h"

#define N4 200000u
#define N6 40000u

static const char *const p0_addresses[] = {"10.0.0.1/12", NULL};
static const char *const p1_addresses[] = {"10.16.0.1/12", NULL};
static const char *const *const ports[] = {p0_addresses, p1_addresses};

/* A table of the Internet's shape over n_gateways next hops, every one with a neighbour. */
struct net {
	struct dwcp_config *c;
	struct fib_synth table;
	struct route_cfg *routes;
	struct path_cfg *paths;
	u32 n_gateways, n;
};

static struct path_cfg gateway(u32 i)
{
	u64 base = i & 1 ? 0x0a100002 : 0x0a000002;

	return (struct path_cfg){.gateway = {{0, base + i / 2}, FIB_IP4, 32},
				 .port_idx = PATH_AUTO,
				 .weight = 1};
}

static void net_init(struct net *net, u32 n4, u32 n6, u32 n_gateways)
{
	struct neighbour_cfg *nb = calloc(n_gateways, sizeof(*nb));
	struct rng rng = {9};

	*net = (struct net){.c = config_make(2, ports), .n_gateways = n_gateways};
	assert_int_equal(fib_synth_generate(1, n4, n6, &net->table), 0);
	net->n = net->table.n4 + net->table.n6;
	net->paths = calloc(n_gateways, sizeof(*net->paths));
	net->routes = calloc(net->n, sizeof(*net->routes));
	for (u32 i = 0; i < n_gateways; i++) {
		u8 mac[6] = {2, 0, 0, i >> 16, i >> 8, i};

		net->paths[i] = gateway(i);
		nb[i] = (struct neighbour_cfg){.port_idx = i & 1, .addr = net->paths[i].gateway};
		memcpy(nb[i].mac, mac, 6);
	}
	net->c->neighbours = nb;
	net->c->n_neighbours = n_gateways;
	for (u32 i = 0; i < net->n; i++)
		net->routes[i] = (struct route_cfg){
			.prefix = net->table.prefix[i],
			.paths = &net->paths[rng_below(&rng, n_gateways)],
			.n_paths = 1,
		};
}

static void net_fini(struct net *net)
{
	config_drop(net->c);
	fib_synth_free(&net->table);
	free(net->routes);
	free(net->paths);
}

static void net_load(struct fixture *f, const struct net *net, u32 chunk_bytes)
{
	u64 rejected;

	fixture_init(f, chunk_bytes);
	f->n_ports = 2;
	assert_int_equal(rib_configure(f->r, net->c), 0);
	assert_int_equal(rib_source_replace(f->r, RIB_FILE, net->routes, net->n, &rejected), 0);
	assert_int_equal(rejected, 0);
	fixture_publish(f);
}

static void routes_shuffle(struct net *net, u64 seed)
{
	struct rng rng = {seed};

	for (u32 i = net->n - 1; i > 0; i--) {
		u32 k = rng_below(&rng, i + 1);
		struct route_cfg swap = net->routes[i];

		net->routes[i] = net->routes[k];
		net->routes[k] = swap;
	}
}

/* ---- what a change costs --------------------------------------------------------------------------------------- */

static void test_one_route(void **state)
{
	enum { CHANGES = 400 };
	struct fixture f;
	struct net net;
	struct rng rng = {1};
	u64 worst = 0, sum = 0;

	net_init(&net, N4, N6, 64);
	net_load(&f, &net, 256 << 10);
	for (u32 i = 0; i < CHANGES; i++) {
		struct route_cfg route = net.routes[rng_below(&rng, net.n)];
		int err = 0;

		route.paths = &net.paths[rng_below(&rng, 64)];
		if (i % 4 == 3)
			err = rib_route_del(f.r, RIB_FILE, &route.prefix);
		else if (i % 4 == 2 && route.prefix.len < 31)
			route.prefix.len++; /* probably new */
		if (i % 4 != 3)
			err = rib_route_set(f.r, RIB_FILE, &route);
		assert_true(err == 0 || (err == -ENOENT && i % 4 == 3));
		fixture_publish(&f);
		worst = DWCP_MAX(worst, f.image->fresh_bytes);
		sum += f.image->fresh_bytes;
	}
	print_message("one route: %lu kB sealed on average, %lu at most, chunks of 256 kB\n",
		      sum / CHANGES >> 10, worst >> 10);
	assert_true(worst <= 1 << 20);
	net_fini(&net);
	fixture_fini(&f);
}

static void test_one_neighbour(void **state)
{
	struct fixture f;
	struct net net;
	struct rng rng = {2};

	net_init(&net, 1000, 100, 65536);
	net_load(&f, &net, 128 << 10);
	for (u32 i = 0; i < 20; i++) {
		u32 who = rng_below(&rng, 65536);

		((struct neighbour_cfg *)net.c->neighbours)[who].mac[1]++;
		assert_int_equal(rib_configure(f.r, net.c), 0);
		assert_true(rib_dirty(f.r));
		fixture_publish(&f);
		assert_int_equal(f.image->n_fresh, 1);
		assert_true(f.image->fresh_bytes <= 128 << 10);
	}
	net_fini(&net);
	fixture_fini(&f);
}

static void test_nothing(void **state)
{
	struct fixture f;
	struct net net;
	struct route_cfg route;
	struct path_cfg other;
	int fds[1024];

	net_init(&net, 5000, 500, 64);
	net_load(&f, &net, 16384);
	assert_true(f.image->n_fresh > 4);
	assert_true(f.image->manifest->n_segments <= DWCP_ARRAY_LEN(fds));
	for (u32 i = 0; i < f.image->manifest->n_segments; i++)
		fds[i] = f.image->segments[i].fd;
	fixture_publish(&f);
	assert_int_equal(f.image->n_fresh, 0);
	assert_int_equal(f.image->fresh_bytes, 0);
	assert_true(f.image->total_bytes > 16384);
	/* There and back: chunks were written to, and have the bytes of before. */
	route = net.routes[77];
	other = net.paths[(route.paths - net.paths + 1) % 64];
	route.paths = &other;
	assert_int_equal(rib_route_set(f.r, RIB_FILE, &route), 0);
	assert_int_equal(rib_route_set(f.r, RIB_FILE, &net.routes[77]), 0);
	assert_true(rib_dirty(f.r));
	fixture_publish(&f);
	assert_int_equal(f.image->n_fresh, 0);
	for (u32 i = 0; i < f.image->manifest->n_segments; i++)
		assert_int_equal(f.image->segments[i].fd, fds[i]); /* not sealed again */
	net_fini(&net);
	fixture_fini(&f);
}

/* 2 MB chunks into 2 MB pages, where there are some; the short last chunk of a section never takes one. */
static void test_huge(void **state)
{
	struct rib_cfg cfg = {.chunk_bytes = 2 << 20, .huge = true};
	struct fixture f;
	struct net net;
	u32 huge = 0;

	net_init(&net, N4, N6, 1000);
	fixture_init(&f, 4096);
	rib_free(f.r);
	f.r = rib_create(&cfg);
	assert_non_null(f.r);
	f.n_ports = 2;
	assert_int_equal(rib_configure(f.r, net.c), 0);
	for (u32 i = 0; i < 20; i++) {
		u32 n = i % 2 ? net.n : net.n - 1 - i;

		assert_int_equal(rib_source_replace(f.r, RIB_FILE, net.routes, n, NULL), 0);
		fixture_publish(&f);
		assert_true(f.image->n_fresh > 0);
		assert_true(i == 0 || f.image->n_fresh < f.image->manifest->n_segments);
	}
	for (u32 i = 0; i < f.image->manifest->n_segments; i++) {
		struct stat st;

		assert_int_equal(fstat(f.image->segments[i].fd, &st), 0);
		assert_int_equal(st.st_size, f.image->segments[i].desc.bytes);
		huge += st.st_blksize == 2 << 20;
	}
	print_message("%u of %u segments in 2 MB pages\n", huge, f.image->manifest->n_segments);
	net_fini(&net);
	fixture_fini(&f);
}

/* ---- an agent that starts again -------------------------------------------------------------------------------- */

static u32 segments_shared(const struct table_image *a, const struct table_image *b)
{
	u32 shared = 0;

	for (u32 i = 0; i < a->manifest->n_segments; i++)
		for (u32 k = 0; k < b->manifest->n_segments; k++)
			if (a->segments[i].desc.id == b->segments[k].desc.id) {
				shared++;
				break;
			}
	return shared;
}

static void test_restart(void **state)
{
	struct fixture f, again, shuffled;
	struct net net;
	u32 n;

	net_init(&net, N4 / 4, N6 / 4, 1000);
	net_load(&f, &net, 65536);
	net_load(&again, &net, 65536);
	n = f.image->manifest->n_segments;
	assert_int_equal(again.image->manifest->n_segments, n);
	for (u32 i = 0; i < n; i++)
		assert_int_equal(f.image->segments[i].desc.id, again.image->segments[i].desc.id);
	assert_int_equal(f.image->manifest->hash, again.image->manifest->hash);

	/* In another order: the same routes to the same ids; the bytes are reported. */
	routes_shuffle(&net, 3);
	net_load(&shuffled, &net, 65536);
	for (u32 i = 0; i < net.n; i++) {
		const struct fib_prefix *p = &net.routes[i].prefix;
		u32 a = fixture_nexthop(&f, 0, p->family, &p->addr)->id;

		assert_int_not_equal(a, 0);
		assert_int_equal(a, fixture_nexthop(&shuffled, 0, p->family, &p->addr)->id);
	}
	print_message("routes in another order: %u of %u segments are the same\n",
		      segments_shared(f.image, shuffled.image), n);
	net_fini(&net);
	fixture_fini(&f);
	fixture_fini(&again);
	fixture_fini(&shuffled);
}

/* ---- failures --------------------------------------------------------------------------------------------------- */

static void assert_image_whole(const struct table_image *image)
{
	assert_true(fcntl(image->manifest_fd, F_GETFD) >= 0);
	for (u32 i = 0; i < image->manifest->n_segments; i++)
		assert_true(fcntl(image->segments[i].fd, F_GETFD) >= 0);
}

/* Out of fds at every point of a publish: the image before stays, and the next publish has everything. */
static void test_no_fds(void **state)
{
	struct rlimit limit, low;
	struct fixture f;
	struct net net;
	const struct table_image *image;
	u32 fds, failures = 0;
	int err = -EMFILE;

	net_init(&net, 5000, 500, 64);
	net_load(&f, &net, 4096);
	for (u32 i = 0; i < net.n; i++)
		net.routes[i].paths = &net.paths[(net.routes[i].paths - net.paths + 7) % 64];
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, net.routes, net.n, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	fds = fixture_fds();
	for (u32 spare = 0; err; spare += 5) {
		struct manifest_cfg cfg = {.generation = f.number + 1, .created_unix_ns = 1};

		low = limit;
		low.rlim_cur = fds - 3 + spare; /* ".", ".." and the directory's own are counted */
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		err = rib_publish(f.r, &cfg, &image);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (!err)
			break;
		failures++;
		assert_int_equal(err, -EMFILE);
		assert_true(rib_dirty(f.r));
		assert_int_equal(fixture_fds(), fds);
		assert_image_whole(f.image);
	}
	assert_true(failures > 3);
	/* The one that succeeded says the same as a table made in one go; what it calls fresh is all that was missing. */
	for (u32 i = 0; i < image->manifest->n_segments; i++) {
		int fd = fcntl(image->segments[i].fd, F_DUPFD_CLOEXEC, 0);
		char reason[GENERATION_REASON_MAX];

		if (image->segments[i].fresh)
			assert_int_equal(segment_set_stage(f.set, &image->segments[i].desc, fd,
							   reason),
					 0);
		else
			close(fd);
		assert_true(segment_set_has(f.set, image->segments[i].desc.id));
	}
	fixture_publish(&f);
	assert_int_equal(f.image->n_fresh, 0);
	net_fini(&net);
	fixture_fini(&f);
}

/* More chunks than a manifest holds are refused, and room made again is enough. */
static void test_too_many_chunks(void **state)
{
	enum { GROUPS = DWCP_MANIFEST_MAX_SEGMENTS + 8, GATEWAYS = 256 };
	struct dwcp_config *c = config_make(2, ports);
	struct route_cfg *routes = calloc(GROUPS, sizeof(*routes));
	struct path_cfg *paths = calloc(2 * GROUPS, sizeof(*paths));
	struct manifest_cfg cfg = {.generation = 1};
	const struct table_image *image;
	struct rlimit limit, high;
	struct fixture f;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	high = limit;
	high.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &high), 0);
	fixture_init(&f, 4096);
	f.n_ports = 2;
	assert_int_equal(rib_configure(f.r, c), 0);
	for (u32 i = 0; i < GROUPS; i++) {
		paths[2 * i] = gateway(i % GATEWAYS);
		paths[2 * i + 1] = gateway(GATEWAYS + i / GATEWAYS);
		routes[i] = (struct route_cfg){
			.prefix = {.addr = {0, 0xc0000000 + (i << 8)},
				   .family = FIB_IP4,
				   .len = 24},
			.paths = &paths[2 * i],
			.n_paths = 2,
		};
	}
	assert_int_equal(rib_source_replace(f.r, RIB_STATIC, routes, GROUPS, NULL), 0);
	assert_int_equal(rib_publish(f.r, &cfg, &image), -ENOSPC);
	assert_true(rib_dirty(f.r));
	assert_int_equal(rib_source_replace(f.r, RIB_STATIC, routes, 10, NULL), 0);
	/* Arrays don't shrink, so it takes a new rib; the old one goes on saying so. */
	assert_int_equal(rib_publish(f.r, &cfg, &image), -ENOSPC);
	fixture_fini(&f);
	setrlimit(RLIMIT_NOFILE, &limit);
	config_drop(c);
	free(routes);
	free(paths);
}

static void test_fds_return(void **state)
{
	u32 fds = fixture_fds();
	struct fixture f;
	struct net net;

	net_init(&net, 5000, 500, 64);
	net_load(&f, &net, 16384);
	for (u32 i = 0; i < 30; i++) {
		u32 n = i % 3 ? net.n : net.n / 2;

		assert_int_equal(rib_source_replace(f.r, RIB_FILE, net.routes, n, NULL), 0);
		fixture_publish(&f);
		/* Each segment once here and once in the set, and both manifests. */
		assert_true(fixture_fds() <= fds + 2 * f.image->manifest->n_segments + 2);
	}
	net_fini(&net);
	fixture_fini(&f);
	assert_int_equal(fixture_fds(), fds);
}

/* ---- ids and slots ---------------------------------------------------------------------------------------------- */

/* Path sets come and go in any order: an id has one meaning for ever, and a meaning one id. */
static void test_ids(void **state)
{
	enum { SETS = 5000, STEPS = 40000 };
	static u32 id_of[SETS];
	struct rib_usage usage;
	struct rng rng = {4};
	struct fixture f;
	struct dwcp_config *c = config_make(2, ports);
	u32 known = 0;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	assert_int_equal(rib_configure(f.r, c), 0);
	for (u32 step = 0; step < STEPS; step++) {
		u32 set = rng_below(&rng, SETS);
		struct path_cfg p[2] = {gateway(set / 2), gateway(set / 2 + 1 + set % 7)};
		struct route_cfg route = {.paths = p, .n_paths = 1 + (set & 1)};
		struct rib_route r;

		p[1].weight = 1 + set % 5;
		route.prefix =
			(struct fib_prefix){.addr = {0, 0xc0000000 + (rng_below(&rng, 50) << 8)},
					    .family = FIB_IP4,
					    .len = 24};
		assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
		assert_int_equal(rib_lookup(f.r, 0, FIB_IP4, &route.prefix.addr, &r), 0);
		assert_int_not_equal(r.nexthop_id, 0);
		if (id_of[set])
			assert_int_equal(id_of[set], r.nexthop_id);
		known += !id_of[set];
		id_of[set] = r.nexthop_id;
	}
	assert_true(known > SETS * 9 / 10);
	for (u32 i = 0; i < SETS; i++)
		for (u32 k = 0; k < i; k++)
			assert_true(!id_of[i] || id_of[i] != id_of[k]);
	rib_usage(f.r, &usage);
	assert_true(usage.n_slots < 400); /* slots are used again */
	fixture_publish(&f);
	config_drop(c);
	fixture_fini(&f);
}

/* Two meanings that would have the same id. */
static void test_id_collision(void **state)
{
	u64 a = 0x1111111100000005, b = 0x2222222200000005, none = 0x3333333300000000;
	struct fixture f;
	u32 id_a, id_b, id;

	fixture_init(&f, 4096);
	assert_int_equal(rib_id_assign(f.r, a, &id_a), 0);
	assert_int_equal(rib_id_assign(f.r, b, &id_b), 0);
	assert_int_equal(id_a, 5);
	assert_int_not_equal(id_b, 5);
	assert_int_equal(rib_id_assign(f.r, a, &id), 0);
	assert_int_equal(id, id_a);
	assert_int_equal(rib_id_assign(f.r, b, &id), 0);
	assert_int_equal(id, id_b);
	assert_int_equal(rib_id_assign(f.r, none, &id), 0);
	assert_int_not_equal(id, 0);
	/* Two path sets that live and have the same 64 bits of hash are two all the same. */
	assert_int_equal(rib_id_put(f.r, id_a, 1), 0);
	assert_int_equal(rib_id_assign(f.r, a, &id), 0);
	assert_int_not_equal(id, id_a);
	rib_id_del(f.r, id_a);
	fixture_fini(&f);
}

/* One next hop after another, with publishes between: what moves when the table of ids grows is sealed again. */
static void test_ids_grow(void **state)
{
	enum { N = 6000 };
	struct fixture f;
	struct dwcp_config *c = config_make(2, ports);
	static u32 ids[N];
	struct rib_route r;

	fixture_init(&f, 4096);
	f.n_ports = 2;
	assert_int_equal(rib_configure(f.r, c), 0);
	for (u32 i = 0; i < N; i++) {
		struct path_cfg p = gateway(i);
		struct route_cfg route = {.paths = &p, .n_paths = 1};

		route.prefix = (struct fib_prefix){.addr = {0, 0xc0000000 + (i << 8)},
						   .family = FIB_IP4,
						   .len = 24};
		assert_int_equal(rib_route_set(f.r, RIB_STATIC, &route), 0);
		assert_int_equal(rib_lookup(f.r, 0, FIB_IP4, &route.prefix.addr, &r), 0);
		ids[i] = r.nexthop_id;
		if (i % 97 && i != N - 1)
			continue;
		fixture_publish(&f);
		for (u32 k = 0; k <= i; k++) {
			struct fib_addr a = {0, 0xc0000000 + (k << 8)};

			assert_int_equal(nexthop_by_id(f.g, ids[k]),
					 fixture_slot(&f, 0, FIB_IP4, &a));
		}
	}
	config_drop(c);
	fixture_fini(&f);
}

/* A table with a single next hop: it gets another slot all the same. */
static void test_renumber_one(void **state)
{
	static const char *const only[] = {"192.0.2.1/32", NULL};
	static const char *const *const port[] = {only};
	struct dwcp_config *c = config_make(1, port);
	struct fib_addr a = addr_of("192.0.2.1");
	struct fixture f;
	u32 slot;

	fixture_init(&f, 4096);
	assert_int_equal(rib_renumber(f.r, 1), 0); /* nothing there */
	assert_int_equal(rib_configure(f.r, c), 0);
	fixture_publish(&f);
	slot = fixture_slot(&f, 0, FIB_IP4, &a);
	assert_int_equal(rib_renumber(f.r, 1), 0);
	fixture_publish(&f);
	assert_int_not_equal(fixture_slot(&f, 0, FIB_IP4, &a), slot);
	assert_int_equal(fixture_nexthop(&f, 0, FIB_IP4, &a)->type, DWCP_NEXTHOP_LOCAL);
	config_drop(c);
	fixture_fini(&f);
}

static void assert_same_by_id(const struct fixture *f, const struct generation *before, bool moved)
{
	u32 n = 0;

	for (u32 i = 0; i < before->n_nexthop; i++) {
		const struct dwcp_nexthop *old = &before->nexthop[i], *now;
		u32 slot;

		if (!old->id)
			continue;
		slot = nexthop_by_id(f->g, old->id);
		assert_int_not_equal(slot, 0);
		if (moved)
			assert_int_not_equal(slot, i);
		now = &f->g->nexthop[slot];
		assert_int_equal(now->id, old->id);
		assert_memory_equal(now, old, sizeof(*now));
		n++;
	}
	assert_true(n > 0);
}

static void test_renumber(void **state)
{
	struct fixture f;
	struct net net;
	struct path_cfg p[3];
	struct route_cfg group = {.paths = p, .n_paths = 3};
	struct segment_set_cfg set_cfg = {.max_bytes = 1ull << 30, .max_segments = 16384};

	net_init(&net, 5000, 500, 300);
	net_load(&f, &net, 16384);
	for (u32 i = 0; i < 40; i++) {
		for (u32 k = 0; k < 3; k++)
			p[k] = gateway(i * 3 + k);
		group.prefix = net.routes[i].prefix;
		assert_int_equal(rib_route_set(f.r, RIB_STATIC, &group), 0);
	}
	fixture_publish(&f);
	for (u32 round = 0; round < 5; round++) {
		struct generation *before = f.g;
		struct segment_set *set = f.set;

		/* A set of its own for what comes: `before` stays open beside it. */
		f.g = NULL;
		f.set = segment_set_create(&set_cfg);
		assert_int_equal(rib_renumber(f.r, round), 0);
		rib_publish(f.r, &(struct manifest_cfg){.generation = ++f.number}, &f.image);
		for (u32 i = 0; i < f.image->manifest->n_segments; i++) {
			char reason[GENERATION_REASON_MAX];
			int fd = fcntl(f.image->segments[i].fd, F_DUPFD_CLOEXEC, 0);

			assert_int_equal(segment_set_stage(f.set, &f.image->segments[i].desc, fd,
							   reason),
					 0);
		}
		fixture_publish(&f);
		assert_same_by_id(&f, before, true);
		for (u32 i = 0; i < net.n; i++) {
			const struct fib_prefix *q = &net.routes[i].prefix;
			struct fixture old = f;

			old.g = before;
			assert_int_equal(fixture_nexthop(&f, 0, q->family, &q->addr)->id,
					 fixture_nexthop(&old, 0, q->family, &q->addr)->id);
		}
		generation_close(before);
		segment_set_free(set);
	}
	/* Routes go on as if nothing had been. */
	assert_int_equal(rib_source_replace(f.r, RIB_STATIC, NULL, 0, NULL), 0);
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, net.routes, net.n, NULL), 0);
	fixture_publish(&f);
	net_fini(&net);
	fixture_fini(&f);
}

static void test_many_nexthops(void **state)
{
	struct rib_usage u;
	struct fixture f;
	struct net net;
	u32 checked = 0;

	net_init(&net, N4, N6, 65536);
	net_load(&f, &net, 256 << 10);
	rib_usage(f.r, &u);
	assert_true(u.n_nexthops >= 65536);
	for (u32 i = 0; i < net.n; i++) {
		const struct fib_prefix *p = &net.routes[i].prefix;
		const struct dwcp_nexthop *n = fixture_nexthop(&f, 0, p->family, &p->addr);
		u32 want = net.routes[i].paths - net.paths;

		/* A longer prefix begins at the same address. */
		if (i + 1 < net.n && p[0].family == net.routes[i + 1].prefix.family &&
		    !memcmp(&p->addr, &net.routes[i + 1].prefix.addr, sizeof(p->addr)))
			continue;
		checked++;
		assert_int_equal(n->type, DWCP_NEXTHOP_FORWARD);
		assert_int_equal(n->forward.dst_mac[4] << 8 | n->forward.dst_mac[5], want);
		assert_ptr_equal(&f.g->nexthop[nexthop_by_id(f.g, n->id)], n);
	}
	assert_true(checked > net.n / 2);
	print_message("%u routes, %lu path sets: %.1f bytes a route, %.1f a path set\n", net.n,
		      u.n_nexthops, (double)u.route_bytes / net.n,
		      (double)u.nexthop_bytes / u.n_nexthops);
	/* All gone: only what the configuration says is left. */
	assert_int_equal(rib_source_replace(f.r, RIB_FILE, NULL, 0, NULL), 0);
	((struct dwcp_config *)net.c)->n_neighbours = 0;
	assert_int_equal(rib_configure(f.r, net.c), 0);
	fixture_publish(&f);
	rib_usage(f.r, &u);
	assert_int_equal(u.n_nexthops, 3); /* local, and both ports' own prefixes */
	net_fini(&net);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_route),
		cmocka_unit_test(test_one_neighbour),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_no_fds),
		cmocka_unit_test(test_too_many_chunks),
		cmocka_unit_test(test_fds_return),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_id_collision),
		cmocka_unit_test(test_renumber),
		cmocka_unit_test(test_ids_grow),
		cmocka_unit_test(test_renumber_one),
		cmocka_unit_test(test_many_nexthops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
