/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reload_bench.c - what a reload costs the agent: read and parse a route file, diff it with what is there, publish.
 *
 *	reload_bench ROUNDS CONFIG ROUTES ROUTES…
 *
 * The route files are loaded in turn, as tests/swap does with tables that differ in every next hop; the configuration
 * names their ports and neighbours. Times of each step, wall and CPU of the thread: medians of the rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <dwcp/util/config.h>
#include <dwcp/util/rib.h>

#define ROUNDS_MAX 64
#define CHUNK_KB   256

enum step { STEP_LOAD, STEP_REPLACE, STEP_FREE, STEP_COMMIT, STEP_SEAL, STEP_ALL, N_STEPS };

static const char *const step_name[] = {"read and parse", "diff and change",
					"free the list",  "commit",
					"seal",		  "all of it"};

struct sample {
	double wall, cpu;
};

static double clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct sample sample_now(void)
{
	return (struct sample){clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_THREAD_CPUTIME_ID)};
}

/* Since *from; *from moves on. */
static struct sample sample_lap(struct sample *from)
{
	struct sample now = sample_now(), lap = {now.wall - from->wall, now.cpu - from->cpu};

	*from = now;
	return lap;
}

static void require(int err, const struct config_errors *errors, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "reload_bench: %s: %s\n", what,
		errors->n ? errors->text[0] : strerror(-err));
	exit(1);
}

static void round_run(struct rib *r, const struct dwcp_config *cfg, const char *path,
		      u64 generation, struct sample ret[N_STEPS])
{
	struct manifest_cfg manifest = {.generation = generation};
	struct sample t = sample_now(), all = t;
	const struct table_image *image;
	struct config_errors errors = {0};
	struct route_list list;
	struct rib_usage u;

	require(route_file_load(path, cfg, &list, &errors), &errors, path);
	ret[STEP_LOAD] = sample_lap(&t);
	require(rib_configure(r, cfg), &errors, "configure");
	require(rib_source_replace(r, RIB_FILE, list.routes, list.n, NULL), &errors, "replace");
	ret[STEP_REPLACE] = sample_lap(&t);
	route_list_fini(&list);
	ret[STEP_FREE] = sample_lap(&t);
	require(rib_publish(r, &manifest, &image), &errors, "publish");
	rib_usage(r, &u);
	ret[STEP_COMMIT] = (struct sample){(double)u.times.commit_ns / 1e6, 0};
	ret[STEP_SEAL] = (struct sample){(double)u.times.seal_ns / 1e6, 0};
	ret[STEP_ALL] = sample_lap(&all);
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void figures_print(struct sample v[][N_STEPS], u32 rounds)
{
	for (u32 s = 0; s < N_STEPS; s++) {
		double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];

		for (u32 i = 0; i < rounds; i++) {
			wall[i] = v[i][s].wall;
			cpu[i] = v[i][s].cpu;
		}
		qsort(wall, rounds, sizeof(wall[0]), double_compare);
		qsort(cpu, rounds, sizeof(cpu[0]), double_compare);
		printf("%-16s %8.1f ms  (%.1f … %.1f)", step_name[s], wall[rounds / 2], wall[0],
		       wall[rounds - 1]);
		if (cpu[rounds / 2] > 0)
			printf("  CPU %.1f ms", cpu[rounds / 2]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	static struct sample v[ROUNDS_MAX + 1][N_STEPS];
	struct rib_cfg rib = {.chunk_bytes = CHUNK_KB << 10};
	struct config_errors errors = {0};
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	u32 n_files = (u32)argc - 3;
	struct dwcp_config *cfg;
	struct rib *r;

	if (argc < 5 || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: reload_bench ROUNDS CONFIG ROUTES ROUTES…\n");
		return 2;
	}
	require(config_load(argv[2], &cfg, &errors), &errors, argv[2]);
	r = rib_create(&rib);
	require(r ? 0 : -12, &errors, "create");
	for (u32 i = 0; i <= rounds; i++)
		round_run(r, cfg, argv[3 + i % n_files], i + 1, v[i]);
	printf("first load: %.1f ms; then, of %lu:\n", v[0][STEP_ALL].wall, rounds);
	figures_print(v + 1, (u32)rounds);
	printf("in turn:");
	for (u32 i = 1; i <= rounds; i++)
		printf(" %.0f", v[i][STEP_ALL].wall);
	printf("\n");
	rib_free(r);
	config_free(cfg);
	return 0;
}
