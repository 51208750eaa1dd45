/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * builder.h - the owner of the rib: takes in configuration, routes and mutations, builds generations, answers lookups.
 * All of it on the builder's thread, one job after the other, so that nothing here needs a lock; every call below only
 * submits, and the answer comes back on the loop.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/http.h>
#include <dwcp/util/rib.h>

#include "../core/kernel_routes.h"
#include "bundle.h"
#include "store.h"
#include "worker.h"

/* What is behind the API's numbers after a job. */
struct builder_facts {
	u64 intent_revision;
	u64 n_rejected; /* routes whose gateway is on no port */
	u32 n_api, n_api_unusable;
};

struct builder {
	struct worker *worker; /* borrowed */
	struct rib *rib;
	const struct dwcp_config *cfg; /* borrowed; as of the last apply */
	struct store store;
	u64 n_rejected[RIB_N_SOURCES];
	u64 event_ns; /* of the last change that no build contains; 0 = none */
	struct builder_facts facts;
};

/** builder_event_note() - a change of @event_ns is in the rib. */
void builder_event_note(struct builder *b, u64 event_ns);

/** builder_create() - loads the store. Return: 0, -errno. */
int builder_create(struct worker *worker, const struct rib_cfg *cfg, const char *state_dir,
		   struct builder **ret_builder);
/** builder_free() - the worker must have ended. */
void builder_free(struct builder *b);

/* ---- apply: a configuration with its routes ---------------------------------------------------------------- */

struct builder_apply {
	struct job job;
	struct builder *builder;
	struct bundle *bundle; /* its routes are dropped, its configuration is used from now on */
	u64 event_ns;
	void (*done)(struct builder_apply *a); /* on the loop; frees @a */
	void *arg;
	int err;
	u64 apply_ns; /* what it took */
	struct builder_facts facts;
};

void builder_submit_apply(struct builder *b, struct builder_apply *a);

/* ---- mutate: a route of the API ---------------------------------------------------------------------------- */

struct builder_mutate {
	struct job job;
	struct builder *builder;
	char *line; /* to be put, in the syntax of route files; NULL = delete @prefix */
	struct fib_prefix prefix; /* to be deleted */
	char if_match[24];
	bool has_if_match;
	u64 event_ns;
	void (*done)(
		struct builder_mutate *m); /* on the loop; frees @m with builder_mutate_free() */
	void *arg;
	struct http_deferred *deferred;
	bool applied;
	struct http_response rsp;
	struct builder_facts facts;
};

void builder_submit_mutate(struct builder *b, struct builder_mutate *m);
void builder_mutate_free(struct builder_mutate *m);

/* ---- publish: a generation --------------------------------------------------------------------------------- */

struct builder_publish {
	struct job job;
	struct builder *builder;
	u64 generation;
	u32 without;				 /* sections to leave out, as manifest_cfg has it */
	void (*done)(struct builder_publish *p); /* on the loop; frees @p */
	void *arg;
	int err;
	const struct table_image *image; /* valid until the next publish runs */
	u64 event_ns, start_ns, end_ns;
	u64 intent_revision;
};

void builder_submit_publish(struct builder *b, struct builder_publish *p);

/* ---- kernel: routes that the kernel has (builder_kernel.c) -------------------------------------------------- */

struct builder_kernel {
	struct job job;
	struct builder *builder;
	struct kernel_batch batch; /* taken */
	u64 event_ns;
	bool synced; /* with it the table is what the kernel's was when it was read whole */
	void (*applied)(struct builder_kernel *k); /* on the builder's thread */
	void (*done)(struct builder_kernel *k);	   /* on the loop; frees @k */
	void *arg;
	u32 n; /* changes that it had */
	int err;
	u64 apply_ns;
};

/** builder_submit_kernel() - Thread: any. */
void builder_submit_kernel(struct builder *b, struct builder_kernel *k);

/* ---- neighbours, twins' addresses, and who is asked for (builder_neighbours.c) ------------------------------ */

#define BUILDER_MAX_ADDRESSES 64
#define BUILDER_MAX_GATEWAYS  2048

enum builder_neighbour_op {
	BUILDER_NEIGHBOUR_RESOLVED,
	BUILDER_NEIGHBOUR_FAILED,
	BUILDER_NEIGHBOUR_DEL
};

struct builder_neighbour {
	char port[CONFIG_NAME_MAX];
	struct fib_addr addr;
	u8 family, op; /* enum builder_neighbour_op */
	u8 mac[6];
};

/* All that a port's twin has. */
struct builder_addresses {
	char port[CONFIG_NAME_MAX];
	bool down; /* nothing leaves by it */
	u32 n;
	struct config_addr addr[BUILDER_MAX_ADDRESSES];
};

/* Asked: whose link-layer address do packets for @addr lack? Answered: @port, and @addr is whom to ask for. */
struct builder_wish {
	char port[CONFIG_NAME_MAX];
	struct fib_addr addr;
	u8 family;
	u32 n; /* packets */
};

struct builder_gateway {
	char port[CONFIG_NAME_MAX];
	struct fib_addr addr;
	u8 family;
	bool used;
};

struct builder_neighbours {
	struct job job;
	struct builder *builder;
	struct builder_neighbour *changes; /* [n], owned */
	u32 n, cap;
	struct builder_addresses *addresses[CONFIG_MAX_PORTS]; /* [n_addresses], owned */
	u32 n_addresses;
	struct builder_wish wishes[256]; /* [n_wishes]; those that lack someone remain */
	u32 n_wishes;
	struct builder_gateway gateways[BUILDER_MAX_GATEWAYS]; /* whose use has changed */
	u32 n_gateways;
	bool more;  /* gateways: another job gets them */
	bool dirty; /* there is something to be published */
	bool all;   /* the submitter's */
	u64 event_ns;
	int err;
	void (*done)(struct builder_neighbours *j); /* on the loop; frees it */
	void *arg;
};

void builder_submit_neighbours(struct builder *b, struct builder_neighbours *j);
void builder_neighbours_free(struct builder_neighbours *j);

/* ---- query: whatever reads the rib ------------------------------------------------------------------------- */

struct builder_query {
	struct job job;
	struct builder *builder;
	void (*read)(struct builder_query *q);	  /* on the builder's thread: fills rsp */
	void (*release)(struct builder_query *q); /* frees it */
	struct http_deferred *deferred;
	struct http_response rsp;
};

/** builder_submit_query() - completes q->deferred with q->rsp, then releases it. */
void builder_submit_query(struct builder *b, struct builder_query *q);
