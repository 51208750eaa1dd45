/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * agent.h - the agent's state, and which thread owns what.
 *
 * The loop's thread owns everything here. The builder's thread owns the rib and the store (io/builder.h) and reads the
 * configuration that it was given last; the loader's thread owns a bundle until it hands it over. What decides is
 * core/core.h, which knows none of this.
 */
#pragma once

#include <dwcp/abi/link.h>
#include <dwcp/base.h>
#include <dwcp/util/config.h>
#include <dwcp/util/http.h>

#include "core/core.h"
#include "core/kernel_routes.h"
#include "io/builder.h"
#include "io/bundle.h"
#include "io/events.h"
#include "io/link.h"
#include "io/loop.h"
#include "io/netlink.h"
#include "io/worker.h"

#define AGENT_ERROR_MAX 256

struct agent_options {
	const char *config_path;
	const char *run_dir; /* NULL = as configured */
	bool threads;	     /* false: jobs run inside the call (fuzzing) */
};

/* One section of the tables that the dataplane has adopted. */
struct agent_section {
	u16 section;
	u32 n_segments;
	u64 n_elements, bytes;
};

struct agent_tables {
	u64 generation;
	u64 intent_revision;
	u32 n_sections;
	struct agent_section section[DWCP_SECTION_N];
};

struct agent_reload {
	bool running, again; /* again: asked for by a signal while it ran */
	struct http_deferred *deferred;
	u64 event_ns;
};

/* What the mirror says of itself: a copy, taken when the netlink thread has nothing better to do. */
struct mirror_facts {
	bool enabled, synced;
	bool comparing; /* a comparison runs, or is due after a change of links or addresses */
	bool in_flight; /* a batch is with the builder */
	struct netlink_facts netlink;
	struct kernel_facts kernel;
	u64 n_batches, n_changes; /* handed to the builder */
	u64 n_reconciles;	  /* dumps compared, both families */
	u64 n_divergence;	  /* prefixes that a periodic one found to differ */
	u64 n_silent; /* those that one after a change of links or addresses did: the kernel changes routes silently then */
	u64 reconciled_ns; /* when the last one ended; 0 = none yet */
	int err;	   /* of the last batch */
};

struct mirror;
struct neighbour_watch;
struct neighbours;

struct agent {
	struct loop loop;
	struct agent_options options;
	char *run_dir, *api_path, *link_path;
	u64 started_ns;

	struct bundle *started, *current; /* current may be started */
	struct worker *builder_thread, *loader_thread;
	struct builder *builder;
	struct builder_facts facts; /* as of its last answer */
	struct agent_reload reload;

	struct core core;
	struct loop_event *core_timer;
	const struct table_image *image; /* built last */
	struct agent_tables built, adopted;

	struct mirror *mirror;		    /* NULL: there is no netlink */
	struct neighbour_watch *neighbours; /* likewise */
	bool neighbours_wait;		    /* nothing is published until they are in, either */
	bool mirror_wait; /* nothing is published until the kernel's routes are in, for a bounded time */

	struct link *link;
	struct events *events;
	struct dwcp_link_hello hello; /* of the dataplane that is connected */
	u32 without;		      /* sections that it doesn't read, a bit each */
	bool connected;
	bool closing; /* nothing new is started */

	struct http_server *http;

	/* What an operator should know until it is over; empty = nothing. */
	char error_reload[AGENT_ERROR_MAX], error_link[AGENT_ERROR_MAX],
		error_hold[AGENT_ERROR_MAX];
};

/* ---- agent.c: lifetime ------------------------------------------------------------------------------------- */

/** agent_open() - @bundle: taken, loaded without error. Errors are logged. Return: 0, -errno. */
int agent_open(struct agent *a, const struct agent_options *options, struct bundle *bundle);
void agent_close(struct agent *a);

/* ---- publish.c: from core.h's actions to builder and link, and back ------------------------------------------ */

int publish_open(struct agent *a);
void publish_close(struct agent *a);
/** publish_changed() - the builder has taken in a change. */
void publish_changed(struct agent *a);
/** publish_hold_check() - may the running dataplane be sent what this configuration makes? */
void publish_hold_check(struct agent *a);
void publish_coalesce_set(struct agent *a, u32 coalesce_ms);

/* ---- mirror.c: the kernel's routes, through netlink thread and builder ---------------------------------------- */

/** mirror_open() - after reload_first(). Without netlink there is no mirror: logged, and no error. Return: 0, -ENOMEM. */
int mirror_open(struct agent *a);
/** mirror_stop() - before the builder's thread ends: submits nothing more. */
void mirror_stop(struct agent *a);
void mirror_close(struct agent *a);
/** mirror_configure() - the configuration is another one. */
void mirror_configure(struct agent *a);
/** mirror_facts() - Return: false: there is none. */
bool mirror_facts(const struct agent *a, struct mirror_facts *ret);

/* ---- neighbours.c: the kernel's neighbours, twins' addresses ----------------------------------------------------- */

/** neighbours_open() - @nl: borrowed; before its start. Return: 0, -errno. */
int neighbours_open(struct agent *a, struct netlink *nl);
/** neighbours_close() - after netlink's thread has ended. */
void neighbours_close(struct agent *a);
/** neighbours_configure() - the configuration is another one, and the builder has taken it in. */
void neighbours_configure(struct agent *a);
/** neighbours_changed() - routes have: others may be gateways now. */
void neighbours_changed(struct agent *a);
/** neighbours_unresolved() - @agent: of an event DWCP_EVENT_UNRESOLVED. */
void neighbours_unresolved(void *agent, const struct dwcp_event *v);
/** neighbours_wait_end() - too late: publish without. */
void neighbours_wait_end(struct agent *a);
/** neighbours_state() - Return: NULL: there is no netlink. */
const struct neighbours *neighbours_state(const struct agent *a);
/** neighbours_addresses_error() - what the kernel last said to an address of the configuration: 0, -errno. */
int neighbours_addresses_error(const struct agent *a);

/* ---- reload.c ------------------------------------------------------------------------------------------------ */

/** reload_first() - take in the configuration that the agent was started with. */
int reload_first(struct agent *a);
/** reload_start() - @deferred: to be answered, or NULL. Return: 0, -EBUSY (one runs, and only one can be answered), -ENOMEM. */
int reload_start(struct agent *a, struct http_deferred *deferred);
