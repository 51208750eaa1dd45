/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memif_lab.c - see harness.h. The worker has a CPU to itself (the last one); generator, agent, control thread and the
 * test share the first: whatever they do to each other, they must not take the worker's time.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "swap_probe.h"

static void neighbours_write(FILE *f)
{
	for (u32 j = 0; j < SWAP_N_NEXTHOPS; j++) {
		fprintf(f,
			"  { port = \"out\"; address = \"10.0.2.%u\"; mac = "
			"\"02:00:00:00:01:%02x\"; },\n",
			SWAP_FIRST_HOST + j, j);
		fprintf(f,
			"  { port = \"out\"; address = \"fd00:2::%x\"; mac = "
			"\"02:00:00:00:01:%02x\"; }%s\n",
			SWAP_FIRST_HOST + j, j, j + 1 < SWAP_N_NEXTHOPS ? "," : "");
	}
}

static void port_write(const struct lab *lab, const struct memif_cfg *cfg, FILE *f,
		       const char *name, const char *ip4, const char *ip6, const char *comma)
{
	fprintf(f,
		"  { name = \"%s\"; twin = \"off\"; promiscuous = true; rx_ring = 4096; tx_ring = "
		"4096; device = "
		"\"%s\";\n",
		name, cfg->capture ? "pcap" : "memif");
	if (!cfg->capture)
		fprintf(f,
			"    args = "
			"\"role=server,id=0,socket=%s/"
			"%s.sock,socket-abstract=no,bsize=2048,rsize=12\";\n",
			lab->dir, name);
	else
		fprintf(f, "    args = \"rx_pcap=%s/%s.pcap,tx_pcap=/dev/null%s\";\n", lab->dir,
			name, strcmp(name, "in") == 0 ? ",infinite_rx=1" : "");
	fprintf(f, "    addresses = [ \"%s/24\", \"%s/64\" ]; }%s\n", ip4, ip6, comma);
}

static void swap_tables(struct lab *lab, const struct memif_cfg *cfg, const char *what,
			const char *k, const char *file)
{
	char n[16];
	const char *probes[] = {program("swap_tables"), what, file, cfg->n_prefixes ? n : NULL,
				NULL};
	const char *routes[] = {program("swap_tables"),	    what, k, file,
				cfg->n_prefixes ? n : NULL, NULL};
	int status;

	snprintf(n, sizeof(n), "%u", cfg->n_prefixes);
	status = proc_run(lab, "swap_tables", 60000, k ? routes : probes);
	if (status) {
		fprintf(stderr, "memif_lab: swap_tables failed: %d\n", status);
		abort();
	}
}

void memif_lab_routes(struct lab *lab, const struct memif_cfg *cfg, u32 k, const char *name)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", k);
	swap_tables(lab, cfg, "routes", text, lab_path(lab, name));
}

void memif_lab_config(struct lab *lab, const struct memif_cfg *cfg)
{
	long cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	char workers[64];
	FILE *f = fopen(lab->config, "we");

	if (!f)
		abort();
	lab->n_workers = cfg->n_workers ? cfg->n_workers : 1;
	snprintf(workers, sizeof(workers), lab->n_workers == 2 ? "%ld, %ld" : "%ld", cpu, cpu);
	fprintf(f, "node: { name = \"lab\"; state_dir = \"%s\"; run_dir = \"%s\"; };\n",
		lab->state_dir, lab->run_dir);
	fprintf(f,
		"dataplane: { workers = [%s]; control_cpu = 0; idle = \"%s\"; file_prefix = "
		"\"dwcp-lab-%d\"; %s\n"
		"  memory: { huge_pages = \"off\"; size_mb = 128; mbufs = 32768; };\n"
		"  tables: { memory_max_mb = %u; lock = false; store_interval_s = 1; }; };\n",
		workers, cfg->idle, getpid(), cfg->extra ? cfg->extra : "",
		cfg->memory_max_mb ? cfg->memory_max_mb : 512);
	fprintf(f, "ports: (\n");
	port_write(lab, cfg, f, "in", "10.0.1.1", "fd00:1::1", ",");
	port_write(lab, cfg, f, "out", "10.0.2.1", "fd00:2::1", "");
	fprintf(f, ");\nneighbours: (\n");
	neighbours_write(f);
	fprintf(f, ");\nroute_files: ( { name = \"table\"; path = \"%s\"; } );\n", lab->routes);
	if (fclose(f))
		abort();
	swap_tables(lab, cfg, "probes", NULL, lab_path(lab, "probes"));
	memif_lab_routes(lab, cfg, 0, "table.routes");
}

void memif_lab_dataplane(struct lab *lab)
{
	const char *argv[] = {program("dwcp-dataplane"), "--config", lab->config, NULL};
	long from = lab->dataplane.log_path[0] ? proc_log_size(&lab->dataplane) : 0;

	proc_start(lab, &lab->dataplane, "dataplane", argv);
	proc_hurry(&lab->dataplane);
	if (proc_wait_log(&lab->dataplane, "control.ready", from, 20000))
		return;
	proc_print_log(&lab->dataplane);
	abort();
}

void memif_lab_agent(struct lab *lab)
{
	const char *argv[] = {"/usr/bin/taskset", "-c",	       "0", program("dwcp-agent"),
			      "--config",	  lab->config, NULL};

	proc_start(lab, &lab->agent, "agent", argv);
}

/* What the worker knows of its own absences, summed up since its start. */
static void worker_gaps(const struct lab *lab, json_int_t *ret_n, json_int_t *ret_us)
{
	json_t *stats = api_get(lab, "dataplane.sock", "/v1/stats");
	const json_t *w;
	size_t i;

	*ret_n = 0;
	*ret_us = 0;
	json_array_foreach (json_object_get(stats, "workers"), i, w) {
		*ret_n += json_at(w, "long_gaps", NULL);
		*ret_us += json_at(w, "long_gap_ns", NULL) / 1000;
	}
	json_decref(stats);
}

void memif_lab_generator(struct lab *lab, u64 rate_pps, u32 seconds)
{
	char rate[24], secs[16], queues[16], mac[] = "02:00:00:00:00:aa", in[256], out[256],
					     probes[256];
	const char *argv[] = {program("memif_gen"),
			      "--in",
			      in,
			      "--out",
			      out,
			      "--probes",
			      probes,
			      "--rate",
			      rate,
			      "--seconds",
			      secs,
			      "--mac",
			      mac,
			      "--cpu",
			      "0",
			      "--queues",
			      queues,
			      NULL};

	snprintf(rate, sizeof(rate), "%lu", rate_pps);
	snprintf(queues, sizeof(queues), "%u", lab->n_workers);
	snprintf(secs, sizeof(secs), "%u", seconds);
	snprintf(in, sizeof(in), "%s/in.sock", lab->dir);
	snprintf(out, sizeof(out), "%s/out.sock", lab->dir);
	snprintf(probes, sizeof(probes), "%s/probes", lab->dir);
	unlink(lab_path(lab, "generator.log"));
	proc_start(lab, &lab->generator, "generator", argv);
	proc_hurry(&lab->generator);
	if (proc_wait_log(&lab->generator, "connected", 0, 20000)) {
		worker_gaps(lab, &lab->gaps_before, &lab->gap_us_before);
		return;
	}
	proc_print_log(&lab->generator);
	abort();
}

static bool generator_done(void *arg)
{
	return !proc_alive(arg);
}

json_t *memif_lab_result(struct lab *lab, u32 timeout_ms)
{
	char line[1 << 17];
	json_t *result = NULL;
	FILE *f;

	if (!wait_until(generator_done, &lab->generator, timeout_ms))
		proc_stop(&lab->generator, SIGTERM, 2000);
	f = fopen(lab->generator.log_path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (line[0] == '{')
			result = json_loads(line, 0, NULL);
	}
	if (f)
		fclose(f);
	if (!result)
		proc_print_log(&lab->generator);
	return result;
}

bool memif_lab_lossless(const struct lab *lab, const json_t *r, u64 rate_pps)
{
	json_int_t lost = json_at(r, "lost", NULL), n, us, excusable;

	worker_gaps(lab, &n, &us);
	n -= lab->gaps_before;
	us -= lab->gap_us_before;
	excusable = us * (json_int_t)rate_pps / 1000000;
	printf("  sent %lld at %lld pps, lost %lld (%lld of them not taken by the full ring); the "
	       "worker was away %lld times "
	       "for 5 ms or longer, %lld us in all; the generator %lld us at most\n",
	       json_at(r, "sent", NULL), json_at(r, "rate_pps", NULL), lost,
	       json_at(r, "rejected", NULL), n, us, json_at(r, "max_away_us", NULL));
	if (lost == 0)
		return true;
	if (lost > excusable)
		return false;
	printf("  EXCUSED: in the time that the scheduler kept from the worker %lld packets "
	       "arrive\n",
	       excusable);
	return true;
}

json_int_t memif_lab_accounting(const struct lab *lab)
{
	json_t *status = api_get(lab, "dataplane.sock", "/v1/status");
	json_int_t difference = status ? json_at(status, "accounting", "difference") : -1;

	json_decref(status);
	return difference;
}
