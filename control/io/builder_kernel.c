/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder_kernel.c - a batch of the kernel's routes goes into the rib. The batch names ports, because the configuration
 * may have changed since it was made: a path by a port that is gone is not taken, and a route without any other is
 * unreachable.
 */
#include <errno.h>
#include <string.h>

#include "builder.h"
#include "clock.h"

/* Return: do all paths have a port? */
static bool ports_map(const struct builder *b, struct kernel_batch *batch)
{
	bool all = true;
	int port;

	for (u32 i = 0; i < batch->n_paths; i++) {
		port = config_port_idx(b->cfg, batch->ports[batch->paths[i].port_idx]);
		batch->paths[i].port_idx = port < 0 ? UINT16_MAX : (u16)port;
		all = all && port >= 0;
	}
	return all;
}

static u32 paths_keep(const struct path_cfg *from, u32 n, struct path_cfg *ret)
{
	u32 kept = 0;

	for (u32 i = 0; i < n; i++)
		if (from[i].port_idx != UINT16_MAX)
			ret[kept++] = from[i];
	return kept;
}

static int change_apply(struct builder *b, const struct kernel_batch *batch,
			const struct kernel_change *c, bool all_ports)
{
	struct path_cfg kept[CONFIG_MAX_PATHS];
	struct route_cfg route = {.prefix = c->prefix,
				  .type = c->type,
				  .protocol = c->protocol,
				  .paths = batch->paths + c->first_path,
				  .n_paths = c->n_paths};
	int err;

	if (c->del) {
		err = rib_route_del(b->rib, RIB_KERNEL, &c->prefix);
		return err == -ENOENT ? 0 : err;
	}
	if (!all_ports && c->n_paths) {
		route.n_paths = paths_keep(route.paths, c->n_paths, kept);
		route.paths = kept;
		if (!route.n_paths)
			route.type = ROUTE_UNREACHABLE;
	}
	return rib_route_set(b->rib, RIB_KERNEL, &route);
}

static void kernel_run(struct job *j)
{
	struct builder_kernel *k = (struct builder_kernel *)j;
	struct builder *b = k->builder;
	u64 start_ns = clock_ns();
	bool all_ports = ports_map(b, &k->batch);

	k->n = k->batch.n;
	for (u32 i = 0; i < k->batch.n; i++) {
		int err = change_apply(b, &k->batch, &k->batch.changes[i], all_ports);

		k->err = k->err ? k->err : err;
	}
	kernel_batch_fini(&k->batch); /* here, because giving back much memory takes its time */
	if (k->n)
		builder_event_note(b, k->event_ns);
	k->apply_ns = clock_ns() - start_ns;
	k->applied(k);
}

static void kernel_done(struct job *j)
{
	struct builder_kernel *k = (struct builder_kernel *)j;

	k->done(k);
}

void builder_submit_kernel(struct builder *b, struct builder_kernel *k)
{
	k->builder = b;
	k->job.run = kernel_run;
	k->job.done = kernel_done;
	worker_submit(b->worker, &k->job);
}
