/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - `stats`: what the workers do, what each stage costs, and whether every packet is accounted for.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"
#include "watch.h"

#define MAX_STAGES 16

static const struct render_column columns[] = {
	{.key = "worker", .header = "WORKER", .kind = RENDER_COUNT},
	{.key = "cpu", .header = "CPU", .kind = RENDER_COUNT},
	{.key = "packets", .header = "PACKETS", .kind = RENDER_COUNT},
	{.key = "packets_per_s", .header = "PACKETS/s", .kind = RENDER_COUNT, .optional = true},
	{.key = "milli_per_burst", .header = "PER BURST", .kind = RENDER_MILLI, .rank = 4},
	{.key = "latency.p50_ns", .header = "p50 us", .kind = RENDER_NS_US, .rank = 2},
	{.key = "latency.p99_ns", .header = "p99 us", .kind = RENDER_NS_US},
	{.key = "latency.p999_ns", .header = "p99.9 us", .kind = RENDER_NS_US, .rank = 3},
	{.key = "latency.max_ns", .header = "MAX us", .kind = RENDER_NS_US, .rank = 1},
	{.key = "gap.p99_ns", .header = "GAP p99 us", .kind = RENDER_NS_US, .rank = 8},
	{.key = "max_gap_ns", .header = "GAP MAX us", .kind = RENDER_NS_US},
	{.key = "gaps", .header = "LATE POLLS", .kind = RENDER_COUNT, .rank = 5},
	{.key = "sleeps", .header = "SLEEPS", .kind = RENDER_COUNT, .rank = 7},
	{.key = "events_lost", .header = "EVENTS LOST", .kind = RENDER_COUNT, .rank = 6},
	{.key = "generation", .header = "GENERATION", .kind = RENDER_COUNT, .rank = 9},
};

static const struct render_column columns_accounting[] = {
	{.key = "what", .header = "ACCOUNTING"},
	{.key = "packets", .header = "PACKETS", .kind = RENDER_COUNT},
};

/* In the order of the equation: what came in, then what became of it. */
static const struct {
	const char *key, *text;
} accounts[] = {
	{"rx", "received"},
	{"from_host", "from the host"},
	{"originated", "originated here"},
	{"tx", "- sent"},
	{"to_host", "- to the host"},
	{"dropped", "- dropped"},
	{"queued", "- still queued"},
	{"difference", "= unaccounted for now"},
};

struct stats {
	json_t *before;
	u64 at_ns;
};

static s64 packets_before(const json_t *workers, size_t i, s64 fallback)
{
	return render_integer(json_array_get(workers, i), "packets", fallback);
}

/* What people and programs both want to see, worked out once. */
static void workers_derive(json_t *workers, const struct watch *w, const struct stats *s, u64 at_ns)
{
	size_t i;
	json_t *row;

	json_array_foreach (workers, i, row) {
		s64 packets = render_integer(row, "packets", 0),
		    bursts = render_integer(row, "bursts", 0);
		s64 per_burst = bursts > 0 ? (s64)((__int128)packets * 1000 / bursts) : 0;
		s64 rate = rate_per_s(packets_before(s->before, i, packets), packets,
				      s->at_ns ? at_ns - s->at_ns : 0);

		json_object_set_new(row, "milli_per_burst", json_integer(per_burst));
		if (w->on)
			json_object_set_new(row, "packets_per_s", json_integer(rate));
	}
}

/* Stages without samples have no code yet, or nothing came. */
static void stages_print(const struct cli *cli, const json_t *workers)
{
	struct render_column stage[MAX_STAGES + 1] = {
		{.key = "worker", .header = "WORKER", .kind = RENDER_COUNT}};
	char keys[MAX_STAGES][64];
	const json_t *first =
		render_member(json_array_get(workers, 0), "stage_millicycles_per_packet");
	const char *name;
	json_t *value;
	u32 n = 1;

	json_object_foreach ((json_t *)first, name, value) {
		bool used = false;
		size_t i;
		json_t *row;

		if (n > MAX_STAGES)
			break;
		snprintf(keys[n - 1], sizeof(keys[0]), "stage_millicycles_per_packet.%s", name);
		json_array_foreach ((json_t *)workers, i, row)
			used |= render_integer(row, keys[n - 1], 0) != 0;
		if (!used)
			continue;
		stage[n] = (struct render_column){.key = keys[n - 1],
						  .header = name,
						  .kind = RENDER_MILLI};
		n++;
	}
	if (n == 1)
		return;
	printf("\ncycles a packet, by stage\n");
	render_table(cli, stage, n, workers, "");
}

static int accounting_print(const struct cli *cli, const json_t *accounting)
{
	json_t *rows = json_array();
	int rc;

	if (!json_is_object(accounting)) {
		json_decref(rows);
		return CLI_OK;
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(accounts); i++)
		json_array_append_new(rows,
				      json_pack("{s:s, s:I}", "what", accounts[i].text, "packets",
						(json_int_t)render_integer(accounting,
									   accounts[i].key, 0)));
	putchar('\n');
	rc = render_table(cli, columns_accounting, DWCP_ARRAY_LEN(columns_accounting), rows, "");
	json_decref(rows);
	return rc;
}

static int stats_print(const struct cli *cli, const struct watch *w, const json_t *doc)
{
	const json_t *workers = json_object_get(doc, "workers");
	int rc;

	if (cli->json)
		return render_json(doc, w->on);
	watch_title(w, cli, "stats");
	rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns), workers, "no workers");
	stages_print(cli, workers);
	return rc == CLI_OK ? accounting_print(cli, json_object_get(doc, "accounting")) : rc;
}

static int stats_round(struct cli *cli, struct watch *w, struct stats *s)
{
	struct client_reply reply;
	json_t *workers;
	int rc = client_get(cli, &reply, "/v1/stats");

	if (rc != CLI_OK)
		return rc;
	workers = json_incref(json_object_get(reply.body, "workers"));
	workers_derive(workers, w, s, reply.at_ns);
	json_decref(s->before);
	s->before = workers;
	s->at_ns = w->last_ns = reply.at_ns;
	rc = stats_print(cli, w, reply.body);
	client_reply_fini(&reply);
	return rc;
}

int stats_run(struct cli *cli)
{
	struct stats s = {0};
	struct watch w;
	int rc = watch_init(&w, cli);

	if (rc != CLI_OK)
		return rc;
	do {
		rc = stats_round(cli, &w, &s);
	} while (rc == CLI_OK && watch_next(&w));
	json_decref(s.before);
	return rc;
}
