/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage_bench.h - the real engine, stepped stage by stage: ring ports, real tables, one worker that never runs by
 * itself. One thread.
 */
#pragma once

#include <dataplane.h>

#include <dwcp/util/rib.h>

/* What is measured. RX and PATH are of this bench: the driver's burst, and all of it as the worker's loop does it. */
enum stage_subject {
	STAGE_RX,
	STAGE_PARSE,
	STAGE_ROUTE,
	STAGE_REWRITE,
	STAGE_TX,
	STAGE_PATH,
	STAGE_N_SUBJECTS,
	STAGE_NONE = STAGE_N_SUBJECTS
};

extern const char *const stage_name[STAGE_N_SUBJECTS];

/* ---- stage_router.c: ports, worker and tables ---------------------------------------------------------------- */

enum stage_table { STAGE_TABLE_SMALL, STAGE_TABLE_FULL, STAGE_TABLE_MIXED, STAGE_N_TABLES };

#define STAGE_PORT_IN	0
#define STAGE_N_OUT	4u
#define STAGE_BLACKHOLE 0x64400001u /* 100.64.0.1: routed to nowhere by every table */

struct stage_router {
	struct dataplane dp;
	struct dwcp_config *cfg;
	struct table {
		struct rib *rib;
		struct segment_set *set;
		struct generation *gen;
		struct fib_prefix *prefix; /* [n4 + n6], what destinations are drawn from */
		u32 n4, n6;
	} table[STAGE_N_TABLES];
};

/**
 * router_open() - EAL, ports, worker. Exits the process with a message on failure, as all of this bench.
 * @huge: the packet pool in huge pages when there are enough free ones. @cpu: where this thread stays.
 */
void router_open(struct stage_router *r, bool huge, u32 cpu);
/** router_table() - build, seal, check and map a table, as agent and dataplane do. @huge: in pages of 2 MB. */
void router_table(struct stage_router *r, enum stage_table table, bool huge);
void router_close(struct stage_router *r);

/* ---- stage_flows.c: packets ---------------------------------------------------------------------------------- */

#define STAGE_FRAME_BYTES 64u

struct stage_case {
	const char *name;
	enum stage_table table;
	u32 n_flows; /* a multiple of BATCH_PACKETS */
	bool ip4, ip6;
	bool drops; /* 1 in 32 each: bad checksum, blackhole, TTL */
	bool cold;  /* headers are in memory, not in a cache */
};

struct stage_flows {
	u8 (*frame)[STAGE_FRAME_BYTES]; /* [n] */
	u32 n, next;
	u32 n_dead; /* of them, those that must not leave */
};

void flows_make(const struct stage_router *r, const struct stage_case *c, struct stage_flows *ret);

/* ---- stage_batch.c: bursts through the stages ---------------------------------------------------------------- */

/* Packets of a batch: fewer than a ring port holds (1,023), and with all that belongs to them inside L2. */
#define BATCH_PACKETS 512u
/* Bursts of a batch at most: with bursts of one packet a batch is that many packets. */
#define BATCH_BURSTS  128u

struct batch {
	struct stage_router *router;
	const struct stage_case *c;
	struct stage_flows *flows;
	u32 burst_packets, n_bursts, n_packets;
	enum stage_subject slow;       /* STAGE_NONE: none */
	u32 slow_packets, slow_bursts; /* beyond n_packets: the slowed stage's */
	struct burst *burst;	       /* [n_bursts + slow_bursts] */
	u64 batches;
};

typedef void stage_fn(struct worker *w, struct burst *b);

/*
 * What stands around the work of one stage, and nothing but that: a clock, or an instruction counter.
 * Runs @fn over bursts [0, n).
 */
typedef void batch_probe(void *ctx, enum stage_subject subject, stage_fn *fn, struct worker *w,
			 struct burst *bursts, u32 n);

/** batch_init() - @more_percent: 0 to 50, of packets that only the slowed stage is charged for, see stage_batch.c. */
void batch_init(struct batch *b, struct stage_router *r, const struct stage_case *c,
		struct stage_flows *flows, u32 burst_packets, enum stage_subject slow,
		u32 more_percent);
void batch_fini(struct batch *b);
/** batch_stages() - the next n_packets, all of them through one stage, then through the next. */
void batch_stages(struct batch *b, batch_probe *probe, void *ctx);
/** batch_path() - the next n_packets, each burst through all of the path, as the worker's loop does it. */
void batch_path(struct batch *b, batch_probe *probe, void *ctx);

/* ---- stage_count.c ------------------------------------------------------------------------------------------- */

/** count_run() - the fixed workload of perf/gate, under callgrind. @slow_percent: of packets. Return: exit code. */
int count_run(u32 cpu, enum stage_subject slow, u32 slow_percent);

void stage_die(const char *what, int err) __attribute__((noreturn));
