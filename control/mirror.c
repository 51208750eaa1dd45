/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror.c - the kernel's routes become ours: from the netlink thread's messages to the store (core/kernel_routes.h),
 * from there in batches to the builder, one at a time. While a batch is under way changes gather, each prefix with its
 * latest state, so that a burst is neither queued nor published piece by piece.
 *
 * Everything but the functions of agent.h and batch_done() runs on the netlink thread, and batch_applied() on the
 * builder's. The loop sees a call a batch.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "io/clock.h"
#include "io/log.h"

#define MIRROR_BATCH	32768u
#define MIRROR_TICK_NS	100000000u
#define MIRROR_RETRY_NS 5000000000u /* after memory ran out */
#define MIRROR_LATE_NS	1000000000u /* a writer may be stopped before it tells */
#define MIRROR_AGAIN_NS 1000000000u /* a dump that could not judge everything */
#define MIRROR_PROMPT_NS                                                                           \
	200000000u /* after a link went: the kernel is done with it, and others may follow */
#define MIRROR_PROMPT_FACTOR 10 /* a tenth of the time at most goes into prompt comparisons */
#define MIRROR_START_WAIT_NS 10000000000u /* a million routes are read and applied in about 3 s */

#define MIRROR_KINDS                                                                               \
	(1u << NETLINK_KIND_LINK | 1u << NETLINK_KIND_ADDR | 1u << NETLINK_KIND_NEXTHOP |          \
	 1u << NETLINK_KIND_ROUTE4 | 1u << NETLINK_KIND_ROUTE6)

enum mirror_compare { MIRROR_COMPARE_NONE, MIRROR_COMPARE_PERIODIC, MIRROR_COMPARE_PROMPT };

struct mirror_settings {
	bool enabled;
	u32 reconcile_s;
	u32 n_tables;
	struct mirror_table_cfg tables[MIRROR_MAX_TABLES];
};

struct mirror {
	struct agent *agent;
	struct netlink *nl;
	struct loop_event *wait_timer;
	atomic_bool in_flight, failed; /* a batch is with the builder; one could not be applied */

	/* the netlink thread's */
	struct kernel_routes *kr;
	struct mirror_settings settings;
	bool told_synced,
		gather; /* gather: other tables are being read, nothing is given out meanwhile */
	bool no_memory;
	u32 heard; /* bit a kind that was dumped whole */
	enum mirror_compare compare;
	struct kernel_dump_result found;
	u64 compare_ns;		    /* when it began */
	u64 periodic_ns, prompt_ns; /* when the next is due; UINT64_MAX = none */
	u64 prompt_earliest_ns;
	u64 settle_ns; /* when what the last dump was faster than has been told; 0 = it has */
	struct
	{ /* what a periodic one has found, until the last late notification must have come */
		u64 n, late;
		u64 due_ns; /* 0 = nothing */
	} verdict;
	u64 losses;
	u64 change_ns; /* of the first change that is not given out */
	u64 retry_ns;
	struct mirror_facts facts;

	/* under lock */
	pthread_mutex_t lock;
	struct mirror_settings new_settings;
	bool settings_changed;
	struct mirror_facts facts_copy;

	struct mirror_facts facts_last; /* the loop's, which does not wait for the lock */
};

/* ---- from the messages to the store -------------------------------------------------------------------------------- */

/* The store isn't whole any more: everything is dumped again. */
static void kept(struct mirror *m, int err)
{
	if (!err || m->no_memory)
		return;
	m->no_memory = true;
	m->retry_ns = clock_ns() + MIRROR_RETRY_NS;
	log_event("mirror.no_memory next=resync_in_5s");
}

static void changed(struct mirror *m)
{
	if (!m->change_ns)
		m->change_ns = clock_ns();
}

static void link_told(void *arg, enum mirror_verb verb, const struct mirror_link *l)
{
	struct mirror *m = arg;

	changed(m);
	kept(m, kernel_routes_link(m->kr, verb, l));
}

static void addr_told(void *arg, enum mirror_verb verb, const struct mirror_addr *a)
{
	struct mirror *m = arg;

	changed(m);
	kept(m, kernel_routes_addr(m->kr, verb, a));
}

static void nexthop_told(void *arg, enum mirror_verb verb, const struct mirror_nexthop *n)
{
	struct mirror *m = arg;

	changed(m);
	kept(m, kernel_routes_nexthop(m->kr, verb, n));
}

static void route_told(void *arg, enum mirror_verb verb, u16 nlmsg_flags, bool dumped,
		       const struct mirror_route *r)
{
	struct mirror *m = arg;

	if (!m->settings.enabled)
		return;
	changed(m);
	kept(m, dumped ? kernel_routes_dump_route(m->kr, r)
		       : kernel_routes_route(m->kr, verb, nlmsg_flags, r));
}

static bool kernel_kind(enum netlink_kind kind, enum kernel_kind *ret)
{
	*ret = kind == NETLINK_KIND_LINK   ? KERNEL_LINKS
	       : kind == NETLINK_KIND_ADDR ? KERNEL_ADDRS
					   : KERNEL_NEXTHOPS;
	return kind == NETLINK_KIND_LINK || kind == NETLINK_KIND_ADDR ||
	       kind == NETLINK_KIND_NEXTHOP;
}

static void dump_begun(void *arg, enum netlink_kind kind)
{
	struct mirror *m = arg;
	enum kernel_kind other;

	if (kind == NETLINK_KIND_ROUTE4)
		m->settle_ns = 0;
	if (kernel_kind(kind, &other))
		kernel_routes_mark(m->kr, other);
	else if (kind == NETLINK_KIND_ROUTE4 || kind == NETLINK_KIND_ROUTE6)
		kernel_routes_dump_begin(m->kr, kind == NETLINK_KIND_ROUTE4 ? FIB_IP4 : FIB_IP6);
}

static void dump_goes_on(void *arg, enum netlink_kind kind)
{
	struct mirror *m = arg;

	if (kind == NETLINK_KIND_ROUTE4 || kind == NETLINK_KIND_ROUTE6)
		kernel_routes_dump_part(m->kr);
}

/* ---- comparing ------------------------------------------------------------------------------------------------------ */

static void verdict_if_due(struct mirror *m, u64 now_ns)
{
	u64 late = kernel_routes_late(m->kr) - m->verdict.late;

	if (!m->verdict.due_ns || now_ns < m->verdict.due_ns)
		return;
	m->verdict.due_ns = 0;
	if (late >= m->verdict.n)
		return;
	m->facts.n_divergence += m->verdict.n - late;
	log_event("mirror.divergence prefixes=%llu next=repaired",
		  (unsigned long long)(m->verdict.n - late));
}

static void settle_if_due(struct mirror *m, u64 now_ns)
{
	if (!m->settle_ns || now_ns < m->settle_ns)
		return;
	m->settle_ns = 0;
	kernel_routes_dump_settled(m->kr);
}

static void compare_begin(struct mirror *m, enum mirror_compare compare, u64 now_ns)
{
	verdict_if_due(m, UINT64_MAX);
	m->verdict.late = kernel_routes_late(m->kr);
	m->compare = compare;
	m->compare_ns = now_ns;
	m->found = (struct kernel_dump_result){0};
	m->prompt_ns = UINT64_MAX;
	for (u32 kind = 0; kind < NETLINK_N_KINDS; kind++)
		if (MIRROR_KINDS & 1u << kind)
			netlink_dump(m->nl, (enum netlink_kind)kind);
}

static u64 periodic_next(const struct mirror *m, u64 now_ns)
{
	return m->settings.reconcile_s ? now_ns + m->settings.reconcile_s * 1000000000ull
				       : UINT64_MAX;
}

static void compare_end(struct mirror *m, u64 now_ns)
{
	u64 n = m->found.n_changed + m->found.n_gone;

	m->facts.n_reconciles += m->compare != MIRROR_COMPARE_NONE;
	if (m->compare == MIRROR_COMPARE_PERIODIC && n) {
		m->verdict.n = n;
		m->verdict.due_ns = now_ns + MIRROR_LATE_NS;
	}
	if (m->compare == MIRROR_COMPARE_PROMPT)
		m->facts.n_silent += n;
	m->facts.reconciled_ns = now_ns;
	if (m->compare != MIRROR_COMPARE_NONE)
		m->prompt_earliest_ns = now_ns + MIRROR_PROMPT_FACTOR * (now_ns - m->compare_ns);
	m->compare = MIRROR_COMPARE_NONE;
	m->settle_ns = now_ns + MIRROR_LATE_NS;
	m->periodic_ns = periodic_next(m, now_ns);
	if (m->found.again)
		m->prompt_ns = now_ns + MIRROR_AGAIN_NS;
	m->found = (struct kernel_dump_result){0};
}

static void routes_dump_ended(struct mirror *m, enum netlink_kind kind, bool complete)
{
	struct kernel_dump_result r;

	kept(m, kernel_routes_dump_end(m->kr, complete, &r));
	m->found.n_changed += r.n_changed;
	m->found.n_gone += r.n_gone;
	m->found.again = m->found.again || r.again;
	if (kind != NETLINK_KIND_ROUTE6)
		return;
	m->gather = false;
	if (complete)
		compare_end(m, clock_ns());
}

static void dump_ended(void *arg, enum netlink_kind kind, bool complete)
{
	struct mirror *m = arg;
	enum kernel_kind other;

	if (complete)
		m->heard |= MIRROR_KINDS & 1u << kind;
	if (kernel_kind(kind, &other)) {
		if (complete)
			kept(m, kernel_routes_sweep(m->kr, other));
	} else if (kind == NETLINK_KIND_ROUTE4 || kind == NETLINK_KIND_ROUTE6) {
		routes_dump_ended(m, kind, complete);
	}
}

/* What is found now was lost, and did not diverge. */
static void messages_lost(void *arg)
{
	struct mirror *m = arg;

	m->compare = MIRROR_COMPARE_NONE;
}

static void compare_if_due(struct mirror *m, u64 now_ns)
{
	u64 losses = kernel_routes_losses(m->kr);

	if (m->heard != MIRROR_KINDS || !m->settings.enabled)
		return;
	if (losses != m->losses && m->prompt_ns == UINT64_MAX)
		m->prompt_ns = now_ns + MIRROR_PROMPT_NS;
	m->losses = losses;
	if (m->compare != MIRROR_COMPARE_NONE)
		return;
	if (now_ns >= m->prompt_ns && now_ns >= m->prompt_earliest_ns)
		compare_begin(m, MIRROR_COMPARE_PROMPT, now_ns);
	else if (now_ns >= m->periodic_ns)
		compare_begin(m, MIRROR_COMPARE_PERIODIC, now_ns);
}

/* ---- from the store to the builder ---------------------------------------------------------------------------------- */

static void batch_applied(struct builder_kernel *k)
{
	struct mirror *m = k->arg;

	if (k->err)
		atomic_store(&m->failed, true);
	atomic_store(&m->in_flight, false);
	netlink_wake(m->nl);
}

static void wait_end(struct agent *a)
{
	if (!a->mirror_wait)
		return;
	a->mirror_wait = false;
	publish_hold_check(a);
}

static void batch_done(struct builder_kernel *k)
{
	struct mirror *m = k->arg;
	struct agent *a = m->agent;
	bool synced = k->synced;

	if (k->err)
		log_event("mirror.apply error=\"%s\" routes=%u next=again_in_5s", strerror(-k->err),
			  k->n);
	if (synced)
		log_event("mirror.synced us=%llu",
			  (unsigned long long)((clock_ns() - a->started_ns) / 1000));
	if (k->n)
		publish_changed(a);
	free(k);
	if (synced)
		wait_end(a);
}

static void batch_submit(struct mirror *m, const struct kernel_batch *batch, bool synced)
{
	struct builder_kernel *k = calloc(1, sizeof(*k));

	if (!k) { /* what it held must be given out again */
		struct kernel_batch b = *batch;

		kernel_batch_fini(&b);
		atomic_store(&m->failed, true);
		return;
	}
	k->batch = *batch;
	k->synced = synced;
	k->event_ns = m->change_ns ? m->change_ns : clock_ns();
	k->applied = batch_applied;
	k->done = batch_done;
	k->arg = m;
	m->facts.n_batches++;
	m->facts.n_changes += batch->n;
	atomic_store(&m->in_flight, true);
	builder_submit_kernel(m->agent->builder, k);
}

static void changes_give(struct mirror *m)
{
	struct kernel_batch b = {0};

	if (m->gather || atomic_load(&m->in_flight))
		return;
	if (kernel_routes_dirty(m->kr))
		kept(m, kernel_routes_take(m->kr, MIRROR_BATCH, &b));
	if (b.n) {
		batch_submit(m, &b, false);
	} else {
		kernel_batch_fini(&b);
		if (!m->told_synced && m->heard == MIRROR_KINDS && !m->no_memory) {
			m->told_synced = true;
			batch_submit(m, &b, true);
		}
	}
	if (!kernel_routes_dirty(m->kr))
		m->change_ns = 0;
}

static void failures_retry(struct mirror *m, u64 now_ns)
{
	if (atomic_load(&m->failed) && !m->retry_ns)
		m->retry_ns = now_ns + MIRROR_RETRY_NS;
	if (!m->retry_ns || now_ns < m->retry_ns)
		return;
	m->retry_ns = 0;
	if (m->no_memory)
		compare_begin(m, MIRROR_COMPARE_NONE, now_ns);
	if (atomic_exchange(&m->failed, false))
		kernel_routes_again(m->kr);
	m->no_memory = false;
}

/* ---- the thread's turn ------------------------------------------------------------------------------------------------ */

static void settings_use(struct mirror *m, const struct mirror_settings *s, u64 now_ns)
{
	bool tables = s->enabled != m->settings.enabled || s->n_tables != m->settings.n_tables ||
		      memcmp(s->tables, m->settings.tables, sizeof(s->tables)) != 0;

	m->settings = *s;
	m->periodic_ns = periodic_next(m, now_ns);
	if (!tables)
		return;
	if (s->enabled) {
		kernel_routes_tables_set(m->kr, s->tables, s->n_tables);
		m->gather = true;
		compare_begin(m, MIRROR_COMPARE_NONE, now_ns);
	} else {
		kernel_routes_clear(m->kr);
	}
}

static void shared_take(struct mirror *m, u64 now_ns)
{
	struct mirror_settings s;
	bool settings = false;

	m->facts.enabled = m->settings.enabled;
	m->facts.synced = m->heard == MIRROR_KINDS;
	m->facts.comparing = m->compare != MIRROR_COMPARE_NONE || m->prompt_ns != UINT64_MAX ||
			     m->losses != kernel_routes_losses(m->kr);
	m->facts.in_flight = atomic_load(&m->in_flight);
	kernel_routes_facts(m->kr, &m->facts.kernel);
	pthread_mutex_lock(&m->lock);
	m->facts_copy = m->facts;
	if (m->settings_changed) {
		s = m->new_settings;
		settings = true;
		m->settings_changed = false;
	}
	pthread_mutex_unlock(&m->lock);
	if (settings)
		settings_use(m, &s, now_ns);
}

static void idle(void *arg, u64 now_ns)
{
	struct mirror *m = arg;

	failures_retry(m, now_ns);
	verdict_if_due(m, now_ns);
	settle_if_due(m, now_ns);
	compare_if_due(m, now_ns);
	changes_give(m);
	shared_take(m, now_ns);
}

static const struct netlink_ops mirror_ops = {
	.link = link_told,
	.addr = addr_told,
	.nexthop = nexthop_told,
	.route = route_told,
	.dump_begin = dump_begun,
	.dump_part = dump_goes_on,
	.dump_end = dump_ended,
	.lost = messages_lost,
	.idle = idle,
};

/* ---- agent.h ------------------------------------------------------------------------------------------------------------ */

static void settings_of(const struct dwcp_config *cfg, struct mirror_settings *ret)
{
	memset(ret, 0, sizeof(*ret)); /* compared as bytes */
	ret->enabled = cfg->mirror.enabled;
	ret->reconcile_s = cfg->mirror.reconcile_s;
	ret->n_tables = DWCP_MIN(cfg->mirror.n_tables, MIRROR_MAX_TABLES);
	for (u32 i = 0; i < ret->n_tables; i++) {
		ret->tables[i].table = cfg->mirror.tables[i].table;
		ret->tables[i].vrf = cfg->mirror.tables[i].vrf;
	}
}

static void waited_enough(void *arg, short what)
{
	struct agent *a = arg;

	(void)what;
	if (a->mirror_wait)
		log_event("mirror.late next=publish_without");
	neighbours_wait_end(a);
	if (a->mirror_wait)
		wait_end(a);
	else
		publish_hold_check(a);
}

static int mirror_start(struct mirror *m, const struct dwcp_config *cfg)
{
	const struct netlink_cfg netlink = {.rcvbuf_bytes = cfg->mirror.rcvbuf_kb * 1024,
					    .tick_ns = MIRROR_TICK_NS};
	int err;

	settings_of(cfg, &m->settings);
	m->periodic_ns = periodic_next(m, clock_ns());
	m->prompt_ns = UINT64_MAX;
	err = kernel_routes_create(m->settings.tables, m->settings.n_tables, &m->kr);
	if (err < 0)
		return err;
	if (!m->settings.enabled)
		kernel_routes_clear(m->kr);
	m->wait_timer =
		loop_event_create(&m->agent->loop, "mirror.wait", -1, 0, waited_enough, m->agent);
	if (!m->wait_timer)
		return -ENOMEM;
	err = netlink_open(&netlink, &m->nl);
	if (err < 0)
		return err;
	netlink_register(m->nl, &mirror_ops, m);
	err = neighbours_open(m->agent, m->nl);
	if (err < 0)
		return err;
	err = netlink_twins_set(m->nl, cfg);
	return err < 0 ? err : netlink_start(m->nl);
}

int mirror_open(struct agent *a)
{
	struct mirror *m;
	int err;

	if (!a->options.threads)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->agent = a;
	pthread_mutex_init(&m->lock, NULL);
	a->mirror = m;
	err = mirror_start(m, a->current->cfg);
	if (err < 0) {
		log_event("mirror.off error=\"%s\" next=without_the_kernels_routes",
			  strerror(-err));
		mirror_close(a);
		return err == -ENOMEM ? err : 0;
	}
	a->mirror_wait = m->settings.enabled;
	loop_event_add(m->wait_timer, MIRROR_START_WAIT_NS);
	return 0;
}

void mirror_stop(struct agent *a)
{
	if (a->mirror)
		netlink_stop(a->mirror->nl);
}

void mirror_close(struct agent *a)
{
	struct mirror *m = a->mirror;

	if (!m)
		return;
	netlink_close(m->nl);
	kernel_routes_free(m->kr);
	loop_event_free(m->wait_timer);
	pthread_mutex_destroy(&m->lock);
	free(m);
	a->mirror = NULL;
}

void mirror_configure(struct agent *a)
{
	struct mirror *m = a->mirror;
	struct mirror_settings s;

	if (!m)
		return;
	settings_of(a->current->cfg, &s);
	pthread_mutex_lock(&m->lock);
	m->new_settings = s;
	m->settings_changed = true;
	pthread_mutex_unlock(&m->lock);
	if (netlink_twins_set(m->nl, a->current->cfg) < 0)
		log_event("mirror.twins error=no_memory next=as_before");
}

bool mirror_facts(const struct agent *a, struct mirror_facts *ret)
{
	struct mirror *m = a->mirror;

	if (!m)
		return false;
	if (pthread_mutex_trylock(&m->lock) == 0) {
		struct netlink_facts netlink = m->facts_last.netlink;

		m->facts_last = m->facts_copy;
		m->facts_last.netlink = netlink;
		pthread_mutex_unlock(&m->lock);
	}
	netlink_facts(m->nl, &m->facts_last.netlink);
	*ret = m->facts_last;
	return true;
}
