/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drops.c - `drops`: dropped packets by reason, the most first; rates while watching.
 */
#include "drops.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "render.h"
#include "watch.h"

static const struct render_column columns[] = {
	{.key = "reason", .header = "REASON"},
	{.key = "packets", .header = "PACKETS", .kind = RENDER_COUNT},
	{.key = "text", .header = "MEANING", .wrap = true},
};

static const struct render_column columns_watch[] = {
	{.key = "reason", .header = "REASON"},
	{.key = "packets", .header = "PACKETS", .kind = RENDER_COUNT},
	{.key = "packets_per_s", .header = "PACKETS/s", .kind = RENDER_COUNT},
	{.key = "text", .header = "MEANING", .wrap = true},
};

struct drops {
	json_t *before; /* the round before: drops[]; NULL = none yet */
	u64 at_ns;
};

static s64 drops_before(const json_t *before, const char *reason, s64 fallback)
{
	size_t i;
	json_t *row;

	json_array_foreach ((json_t *)before, i, row)
		if (strcmp(render_string(row, "reason", ""), reason) == 0)
			return render_integer(row, "packets", fallback);
	return fallback;
}

void drops_rate(json_t *rows, const json_t *before, u64 ns)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		s64 now = render_integer(row, "packets", 0);
		s64 then = drops_before(before, render_string(row, "reason", ""), now);

		json_object_set_new(row, "packets_per_s", json_integer(rate_per_s(then, now, ns)));
	}
}

/* Most packets first; with rates the fastest first. */
static int drops_compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	s64 rate_x = render_integer(x, "packets_per_s", 0),
	    rate_y = render_integer(y, "packets_per_s", 0);
	s64 n_x = render_integer(x, "packets", 0), n_y = render_integer(y, "packets", 0);

	if (rate_x != rate_y)
		return rate_x < rate_y ? 1 : -1;
	if (n_x != n_y)
		return n_x < n_y ? 1 : -1;
	return strcmp(render_string(x, "reason", ""), render_string(y, "reason", ""));
}

json_t *drops_sorted(const json_t *rows, bool all)
{
	size_t n = 0, i;
	json_t **list = calloc(json_array_size(rows) + 1, sizeof(*list)), *row,
	       *sorted = json_array();

	if (!list || !sorted) {
		free(list);
		json_decref(sorted);
		return NULL;
	}
	json_array_foreach ((json_t *)rows, i, row)
		if (all || render_integer(row, "packets", 0) != 0)
			list[n++] = row;
	qsort(list, n, sizeof(*list), drops_compare);
	for (i = 0; i < n; i++)
		json_array_append(sorted, list[i]);
	free(list);
	return sorted;
}

static int drops_print(const struct cli *cli, const struct watch *w, const json_t *doc)
{
	const json_t *rows = json_object_get(doc, "drops");
	char total[FORMAT_MAX];
	int rc;

	if (cli->json)
		return render_json(doc, w->on);
	watch_title(w, cli, "drops");
	if (w->on)
		rc = render_table(cli, columns_watch, DWCP_ARRAY_LEN(columns_watch), rows,
				  "nothing was dropped");
	else
		rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns), rows,
				  "nothing was dropped");
	if (json_array_size(rows))
		printf("total: %s packets\n",
		       format_count(render_integer(doc, "total", 0), total, sizeof(total)));
	return rc;
}

static int drops_round(struct cli *cli, struct watch *w, struct drops *d)
{
	struct client_reply reply;
	json_t *rows, *sorted;
	int rc = client_get(cli, &reply, "/v1/drops");

	if (rc != CLI_OK)
		return rc;
	rows = json_incref(json_object_get(reply.body, "drops"));
	if (w->on)
		drops_rate(rows, d->before, d->at_ns ? reply.at_ns - d->at_ns : 0);
	sorted = drops_sorted(rows, args_flag(cli, "all"));
	json_decref(d->before);
	d->before = rows;
	d->at_ns = w->last_ns = reply.at_ns;
	if (sorted && json_object_set_new(reply.body, "drops", sorted) == 0)
		rc = drops_print(cli, w, reply.body);
	else
		rc = cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory for the drops");
	client_reply_fini(&reply);
	return rc;
}

int drops_run(struct cli *cli)
{
	struct drops d = {0};
	struct watch w;
	int rc = watch_init(&w, cli);

	if (rc != CLI_OK)
		return rc;
	do {
		rc = drops_round(cli, &w, &d);
	} while (rc == CLI_OK && watch_next(&w));
	json_decref(d.before);
	return rc;
}
