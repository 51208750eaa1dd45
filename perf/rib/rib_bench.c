/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rib_bench.c - what the table builder costs: a full table from nothing, the same again, one route, one neighbour, configured or
 * observed.
 *
 *	rib_bench [--chunk-kb N] [--rounds N] [--nexthops N]
 *
 * The table is the file named by $DWCP_TABLE, else a synthetic one. Each figure is the median of the rounds.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <dwcp/util/rib.h>

#include "fib_synth.h"

#define ROUNDS_MAX 32

struct bench {
	struct fib_synth table;
	struct route_cfg *routes;
	struct path_cfg *paths;
	struct path_cfg *route_paths; /* each route its own, as a route file gives them */
	struct neighbour_cfg *neighbours;
	struct config_addr addresses[2];
	struct port_cfg ports[2];
	struct dwcp_config cfg;
	u32 n_nexthops, chunk_kb, rounds;
	u64 generation;
};

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

/* Beside the wall clock, for machines that others work on, too. */
static double cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void require(int ret, const char *what)
{
	if (ret == 0)
		return;
	fprintf(stderr, "rib_bench: %s: %s\n", what, strerror(-ret));
	exit(1);
}

/* Two ports with a /12 each; next hops on both in turn, all with a neighbour. */
static void config_make(struct bench *b)
{
	static const u64 base[2] = {0x0a000001, 0x0a100001};

	b->paths = calloc(b->n_nexthops, sizeof(*b->paths));
	b->neighbours = calloc(b->n_nexthops, sizeof(*b->neighbours));
	for (u32 i = 0; i < 2; i++) {
		b->addresses[i] = (struct config_addr){{0, base[i]}, FIB_IP4, 12};
		snprintf(b->ports[i].name, sizeof(b->ports[i].name), "p%u", i);
		b->ports[i].addresses = &b->addresses[i];
		b->ports[i].n_addresses = 1;
	}
	for (u32 i = 0; i < b->n_nexthops; i++) {
		struct config_addr a = {{0, base[i & 1] + 1 + i / 2}, FIB_IP4, 32};
		u8 mac[6] = {2, 0, 0, i >> 16, i >> 8, i};

		b->paths[i] = (struct path_cfg){.gateway = a, .port_idx = UINT16_MAX, .weight = 1};
		b->neighbours[i] = (struct neighbour_cfg){.port_idx = i & 1, .addr = a};
		memcpy(b->neighbours[i].mac, mac, sizeof(mac));
	}
	b->cfg.ports = b->ports;
	b->cfg.n_ports = 2;
	b->cfg.neighbours = b->neighbours;
	b->cfg.n_neighbours = b->n_nexthops;
}

static void routes_make(struct bench *b)
{
	u32 n = b->table.n4 + b->table.n6;
	struct fib_rng rng = {1};

	b->routes = calloc(n, sizeof(*b->routes));
	b->route_paths = calloc(n, sizeof(*b->route_paths));
	for (u32 i = 0; i < n; i++) {
		b->route_paths[i] = b->paths[fib_rng_below(&rng, b->n_nexthops)];
		b->routes[i] = (struct route_cfg){
			.prefix = b->table.prefix[i],
			.paths = &b->route_paths[i],
			.n_paths = 1,
		};
	}
}

static void routes_shuffle(struct bench *b, u32 n)
{
	struct fib_rng rng = {7};

	for (u32 i = n - 1; i > 0; i--) {
		u32 k = fib_rng_below(&rng, i + 1);
		struct route_cfg swap = b->routes[i];

		b->routes[i] = b->routes[k];
		b->routes[k] = swap;
	}
	for (u32 i = 0; i < n; i++)
		b->routes[i].paths =
			&b->route_paths[i]; /* in the order of the list, as when read */
}

static const struct table_image *publish(struct bench *b, struct rib *r)
{
	struct manifest_cfg cfg = {.generation = ++b->generation};
	const struct table_image *image;

	require(rib_publish(r, &cfg, &image), "publish");
	return image;
}

struct sample {
	double wall, cpu;
};

static struct sample sample_begin(void)
{
	return (struct sample){now_ms(), cpu_ms()};
}

static struct sample sample_end(struct sample begin)
{
	return (struct sample){now_ms() - begin.wall, cpu_ms() - begin.cpu};
}

enum figure {
	FIGURE_REPLACE,
	FIGURE_PUBLISH,
	FIGURE_FULL,
	FIGURE_SAME,
	FIGURE_HALF,
	FIGURE_SORT,
	FIGURE_RENUMBER,
	FIGURE_N
};

static const char *const figure_name[] = {
	"full table: source_replace",
	"full table: publish",
	"full table: both",
	"same table again: source_replace",
	"every second next hop new: source_replace",
	"address order, first walk",
	"renumber and publish",
};

static int each_none(void *arg, const struct rib_route *route)
{
	return 1;
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void figures_print(struct sample v[][ROUNDS_MAX], u32 rounds)
{
	for (u32 i = 0; i < FIGURE_N; i++) {
		double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];

		for (u32 k = 0; k < rounds; k++) {
			wall[k] = v[i][k].wall;
			cpu[k] = v[i][k].cpu;
		}
		qsort(wall, rounds, sizeof(wall[0]), double_cmp);
		qsort(cpu, rounds, sizeof(cpu[0]), double_cmp);
		printf("%-44s %8.1f ms  (%.1f … %.1f)  CPU %.1f ms (%.1f least)\n", figure_name[i],
		       wall[rounds / 2], wall[0], wall[rounds - 1], cpu[rounds / 2], cpu[0]);
	}
}

static struct rib *rib_make(struct bench *b)
{
	struct rib_cfg cfg = {.chunk_bytes = b->chunk_kb << 10};
	struct rib *r = rib_create(&cfg);

	require(r ? 0 : -12, "create");
	require(rib_configure(r, &b->cfg), "configure");
	return r;
}

static void round_full(struct bench *b, u32 n, struct sample v[][ROUNDS_MAX], u32 round, bool last)
{
	struct rib *r = rib_make(b);
	size_t heap = mallinfo2().uordblks + mallinfo2().hblkhd;
	struct sample all = sample_begin(), t = all;
	const struct table_image *image;
	struct rib_usage u;
	u64 rejected;

	require(rib_source_replace(r, RIB_FILE, b->routes, n, &rejected), "replace");
	v[FIGURE_REPLACE][round] = sample_end(t);
	t = sample_begin();
	image = publish(b, r);
	v[FIGURE_PUBLISH][round] = sample_end(t);
	v[FIGURE_FULL][round] = sample_end(all);
	rib_usage(r, &u);
	heap = mallinfo2().uordblks + mallinfo2().hblkhd - heap;
	if (last)
		printf("%u routes, %u next hops, %u segments, %.1f MB, rejected %lu\n"
		       "heap: routes %.1f B each, all with the FIB builder's %.1f B each\n"
		       "publish: commit %.1f ms, seal %.1f ms\n",
		       n, b->n_nexthops, image->manifest->n_segments, image->total_bytes / 1e6,
		       rejected, (double)u.route_bytes / n, (double)heap / n,
		       u.times.commit_ns / 1e6, u.times.seal_ns / 1e6);
	t = sample_begin();
	require(rib_source_replace(r, RIB_FILE, b->routes, n, &rejected), "replace");
	v[FIGURE_SAME][round] = sample_end(t);
	t = sample_begin();
	rib_each(r, NULL, each_none, NULL);
	v[FIGURE_SORT][round] = sample_end(t);
	for (u32 i = 0; i < n; i += 2)
		b->route_paths[i] = b->paths[(i + round) % b->n_nexthops];
	t = sample_begin();
	require(rib_source_replace(r, RIB_FILE, b->routes, n, &rejected), "replace");
	v[FIGURE_HALF][round] = sample_end(t);
	publish(b, r);
	t = sample_begin();
	require(rib_renumber(r, 1), "renumber");
	publish(b, r);
	v[FIGURE_RENUMBER][round] = sample_end(t);
	rib_free(r);
}

/* One change and its publish, often: median, worst, and the bytes that would be sent. */
static void changes_print(const char *name, double *ms, u64 *bytes, u32 n)
{
	u64 sum = 0, max = 0;

	for (u32 i = 0; i < n; i++) {
		sum += bytes[i];
		max = DWCP_MAX(max, bytes[i]);
	}
	qsort(ms, n, sizeof(*ms), double_cmp);
	printf("%-44s %8.3f ms  (99 %% %.3f, worst %.3f)  sealed %lu kB on average, %lu at most\n",
	       name, ms[n / 2], ms[n * 99 / 100], ms[n - 1], sum / n >> 10, max >> 10);
}

static void round_changes(struct bench *b, u32 n)
{
	enum { CHANGES = 500 };
	struct rib *r = rib_make(b);
	struct fib_rng rng = {3};
	double ms[CHANGES];
	u64 bytes[CHANGES];

	require(rib_source_replace(r, RIB_FILE, b->routes, n, NULL), "replace");
	publish(b, r);
	for (u32 i = 0; i < CHANGES; i++) {
		struct route_cfg route = b->routes[fib_rng_below(&rng, n)];
		double t0 = now_ms();

		route.paths = &b->paths[fib_rng_below(&rng, b->n_nexthops)];
		require(rib_route_set(r, RIB_API, &route), "set");
		bytes[i] = publish(b, r)->fresh_bytes;
		ms[i] = now_ms() - t0;
	}
	changes_print("one route, publish", ms, bytes, CHANGES);
	for (u32 i = 0; i < CHANGES; i++) {
		double t0;

		b->neighbours[fib_rng_below(&rng, b->n_nexthops)].mac[1]++;
		t0 = now_ms();
		require(rib_configure(r, &b->cfg), "configure");
		bytes[i] = publish(b, r)->fresh_bytes;
		ms[i] = now_ms() - t0;
	}
	changes_print("one neighbour, configure and publish", ms, bytes, CHANGES);
	rib_free(r);
}

/* The same neighbours, seen instead of configured: known for the first time, with another MAC, failed, gone. */
static void round_observed(struct bench *b, u32 n)
{
	enum { CHANGES = 2000 };
	static const char *const what[] = {"one observed neighbour's MAC", "one of them failed",
					   "one of them gone"};
	struct dwcp_config cfg = b->cfg;
	struct rib_cfg rib_cfg = {.chunk_bytes = b->chunk_kb << 10, .gateways = true};
	struct rib *r = rib_create(&rib_cfg);
	struct fib_rng rng = {5};
	static double ms[CHANGES];
	static u64 bytes[CHANGES];
	double t0;

	require(r ? 0 : -12, "create");
	cfg.n_neighbours = 0;
	require(rib_configure(r, &cfg), "configure");
	require(rib_source_replace(r, RIB_FILE, b->routes, n, NULL), "replace");
	t0 = now_ms();
	for (u32 i = 0; i < b->n_nexthops; i++)
		require(rib_neighbour_set(r, &b->neighbours[i], RIB_NEIGHBOUR_RESOLVED), "set");
	printf("%-44s %8.3f ms  (%u)\n", "all neighbours observed, each",
	       (now_ms() - t0) / b->n_nexthops, b->n_nexthops);
	publish(b, r);
	for (u32 k = 0; k < DWCP_ARRAY_LEN(what); k++) {
		for (u32 i = 0; i < CHANGES; i++) {
			struct neighbour_cfg *nb =
				&b->neighbours[fib_rng_below(&rng, b->n_nexthops)];

			nb->mac[1]++;
			t0 = now_ms();
			if (k == 2)
				rib_neighbour_del(r, nb); /* may be gone already */
			else
				require(rib_neighbour_set(r, nb, RIB_NEIGHBOUR_RESOLVED + k),
					"set");
			ms[i] = now_ms() - t0;
			bytes[i] = i % 20 ? 0 : publish(b, r)->fresh_bytes;
		}
		changes_print(what[k], ms, bytes, CHANGES);
	}
	rib_free(r);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"chunk-kb", required_argument, NULL, 'c'},
						{"rounds", required_argument, NULL, 'r'},
						{"nexthops", required_argument, NULL, 'n'},
						{0}};
	static struct sample v[FIGURE_N][ROUNDS_MAX];
	struct bench b = {.n_nexthops = 64, .chunk_kb = 256, .rounds = 5};
	u32 n;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == '?')
			return 2;
		*(c == 'c'   ? &b.chunk_kb
		  : c == 'r' ? &b.rounds
			     : &b.n_nexthops) = strtoul(optarg, NULL, 10);
	}
	if (!b.rounds || b.rounds > ROUNDS_MAX || !b.n_nexthops || b.n_nexthops > 1 << 20)
		return 2;
	require(fib_synth_load(1, &b.table), "table");
	n = b.table.n4 + b.table.n6;
	config_make(&b);
	routes_make(&b);
	printf("table %s, chunks of %u kB, in address order\n", b.table.source, b.chunk_kb);
	for (u32 i = 0; i < b.rounds; i++)
		round_full(&b, n, v, i, i + 1 == b.rounds);
	figures_print(v, b.rounds);
	round_changes(&b, n);
	round_observed(&b, n);
	routes_shuffle(&b, n);
	printf("\nshuffled\n");
	for (u32 i = 0; i < b.rounds; i++)
		round_full(&b, n, v, i, i + 1 == b.rounds);
	figures_print(v, b.rounds);
	free(b.routes);
	free(b.paths);
	free(b.route_paths);
	free(b.neighbours);
	fib_synth_free(&b.table);
	return 0;
}
