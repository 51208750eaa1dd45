/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_router.c - a dataplane of ring ports with the tables that packets are routed by. Same code as the product:
 * rib → sealed segments → checks → mapping. Only the threads are missing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>

#include <adjacency.h>

#include "fib_synth.h"
#include "stage_bench.h"

#define SEED	     42
#define N_GATEWAYS   64u /* a port and family */
#define SMALL_ROUTES 1000u
#define CHUNK_BYTES  (256u << 10) /* agent.chunk_kb as it is by default */
#define CHUNK_HUGE   (2u << 20)

/* No directory can be made there, so nothing of a run is kept. */
static const char config_text[] =
	"node: { name = \"stage\"; state_dir = \"/dev/null/none\"; run_dir = \"/dev/null/none\"; "
	"};\n"
	"dataplane: { workers = [%u]; control_cpu = %u; file_prefix = \"stage-%d\";\n"
	"  memory: { huge_pages = \"%s\"; size_mb = 64; mbufs = 4096; }; };\n"
	"ports: ( { name = \"in\"; device = \"ring\"; }";

static struct path_cfg gateway[2][STAGE_N_OUT][N_GATEWAYS];
static struct neighbour_cfg neighbour[2 * STAGE_N_OUT * N_GATEWAYS];

void stage_die(const char *what, int err)
{
	fprintf(stderr, "stage_bench: %s%s%s\n", what, err ? ": " : "",
		err ? strerror(abs(err)) : "");
	exit(1);
}

static struct dwcp_config *router_config(bool huge, u32 cpu)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg = NULL;
	char text[2048];
	int at = snprintf(text, sizeof(text), config_text, cpu, cpu, getpid(),
			  huge ? "auto" : "off");
	int err;

	for (u32 i = 1; i <= STAGE_N_OUT; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at,
			       ",\n{ name = \"out%u\"; device = \"ring\"; addresses = [ "
			       "\"10.%u.0.1/16\", \"fd00:%u::1/64\" ]; }",
			       i, i, i);
	snprintf(text + at, sizeof(text) - (size_t)at, " );\n");
	err = config_parse(text, strlen(text), "stage.conf", "/", &cfg, &errors);
	for (u32 i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	config_errors_fini(&errors);
	if (err)
		stage_die("configuration", err);
	return cfg;
}

static void gateways_make(void)
{
	u32 n = 0;

	for (u32 v6 = 0; v6 < 2; v6++) {
		for (u32 i = 0; i < STAGE_N_OUT * N_GATEWAYS; i++) {
			u32 port = i / N_GATEWAYS, host = 2 + i % N_GATEWAYS;
			struct config_addr a = {{0, 10u << 24 | (port + 1) << 16 | host},
						FIB_IP4,
						32};

			if (v6)
				a = (struct config_addr){{0xfd00ull << 48 | (u64)(port + 1) << 32,
							  host},
							 FIB_IP6,
							 128};
			gateway[v6][port][i % N_GATEWAYS] =
				(struct path_cfg){.gateway = a,
						  .port_idx = UINT16_MAX,
						  .weight = 1};
			neighbour[n++] = (struct neighbour_cfg){.port_idx = (u16)(port + 1),
								.addr = a,
								.mac = {2, 0, 0, (u8)v6, (u8)port,
									(u8)host}};
		}
	}
}

void router_open(struct stage_router *r, bool huge, u32 cpu)
{
	struct dataplane *dp = &r->dp;
	int err;

	memset(r, 0, sizeof(*r));
	r->cfg = router_config(huge, cpu);
	gateways_make();
	r->cfg->neighbours = neighbour;
	r->cfg->n_neighbours = DWCP_ARRAY_LEN(neighbour);
	dp->cfg = r->cfg;
	dp->n_ports = r->cfg->n_ports;
	dp->n_workers = r->cfg->dataplane.n_workers;
	err = memory_init(dp, "stage_bench");
	if (!err)
		err = memory_pool_create(dp);
	if (!err)
		err = counters_open(dp);
	if (!err)
		err = ports_open(dp);
	if (!err)
		err = workers_create(dp);
	if (err)
		stage_die("could not start the engine", err);
	dp->worker[0]->hash_key[0] = SEED; /* else each run has a key of its own */
	dp->worker[0]->hash_key[1] = SEED;
}

/* What a table is of, and over how many ports its routes go. */
static void table_prefixes(struct table *t, enum stage_table which)
{
	struct fib_synth s;
	int err = which == STAGE_TABLE_FULL
			  ? fib_synth_load(SEED, &s)
			  : fib_synth_generate(SEED, SMALL_ROUTES, SMALL_ROUTES, &s);

	if (err)
		stage_die("prefixes", err);
	t->prefix = s.prefix;
	t->n4 = s.n4;
	t->n6 = s.n6;
	fprintf(stderr, "stage_bench: table of %u IPv4 and %u IPv6 routes (%s)\n", s.n4, s.n6,
		which == STAGE_TABLE_FULL ? s.source : "synthetic");
}

static void table_routes(struct table *t, u32 n_out)
{
	struct route_cfg blackhole = {.prefix = {.family = FIB_IP4, .len = 24},
				      .type = ROUTE_BLACKHOLE};
	u32 n = t->n4 + t->n6;
	struct route_cfg *route = calloc(n, sizeof(*route));
	struct fib_rng rng = {SEED};
	int err;

	if (!route)
		stage_die("routes", ENOMEM);
	for (u32 i = 0; i < n; i++) {
		u32 at = fib_rng_below(&rng, n_out * N_GATEWAYS);

		route[i] = (struct route_cfg){.prefix = t->prefix[i],
					      .paths = &gateway[i >= t->n4][at / N_GATEWAYS]
							       [at % N_GATEWAYS],
					      .n_paths = 1};
	}
	err = rib_source_replace(t->rib, RIB_FILE, route, n, NULL);
	blackhole.prefix.addr.lo = STAGE_BLACKHOLE & ~0xffu;
	if (!err)
		err = rib_route_set(t->rib, RIB_STATIC, &blackhole);
	if (err)
		stage_die("routes", err);
	free(route);
}

static void table_publish(struct stage_router *r, struct table *t)
{
	struct manifest_cfg cfg = {.generation = 1, .ports_hash = r->cfg->ports_hash};
	struct generation_limits limits = {.n_ports = r->cfg->n_ports,
					   .ports_hash = r->cfg->ports_hash};
	const struct table_image *image = NULL;
	char reason[GENERATION_REASON_MAX] = "";
	int err = rib_publish(t->rib, &cfg, &image);

	if (err)
		stage_die("publish", err);
	for (u32 i = 0; i < image->manifest->n_segments; i++) {
		const struct table_segment *s = &image->segments[i];

		err = segment_set_stage(t->set, &s->desc, dup(s->fd), reason);
		if (err)
			stage_die(reason, err);
	}
	err = generation_open(t->set, image->manifest_fd, &limits, &t->gen, reason);
	if (err)
		stage_die(reason, err);
	err = adjacency_attach(&r->dp, t->gen);
	if (err)
		stage_die("adjacencies", err);
}

void router_table(struct stage_router *r, enum stage_table which, bool huge)
{
	struct rib_cfg rib_cfg = {.chunk_bytes = huge ? CHUNK_HUGE : CHUNK_BYTES, .huge = huge};
	struct segment_set_cfg set_cfg = {.max_bytes = 1 << 30,
					  .max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	struct table *t = &r->table[which];

	t->rib = rib_create(&rib_cfg);
	t->set = segment_set_create(&set_cfg);
	if (!t->rib || !t->set || rib_configure(t->rib, r->cfg))
		stage_die("table", ENOMEM);
	table_prefixes(t, which);
	table_routes(t, which == STAGE_TABLE_MIXED ? STAGE_N_OUT : 1);
	table_publish(r, t);
}

void router_close(struct stage_router *r)
{
	for (u32 i = 0; i < STAGE_N_TABLES; i++) {
		struct table *t = &r->table[i];

		adjacency_detach(t->gen);
		generation_close(t->gen);
		segment_set_free(t->set);
		rib_free(t->rib);
		free(t->prefix);
	}
	ports_close(&r->dp);
	counters_close(&r->dp);
	r->cfg->neighbours = NULL; /* ours, not the configuration's */
	r->cfg->n_neighbours = 0;
	config_free(r->cfg);
	rte_eal_cleanup();
}
