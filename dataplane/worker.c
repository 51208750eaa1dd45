/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - the poll loop: take a burst from each queue, run the path, report quiescence, sleep if allowed.
 *
 * The loop makes no syscall except the sleep of `idle = adaptive`, during which the worker is offline for QSBR, so a
 * sleeping worker never delays a swap. It measures its own absence: the time between two polls, which is the only
 * loss that a receiver can't see in counters.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>

#include "dataplane.h"
#include "icmp.h"
#include "log.h"

#define GAP_THRESHOLD_NS  100000 /* a tenth of what a 1,024-slot ring holds at 1 Mpps */
#define EMPTY_BEFORE_IDLE 256	 /* polls; ~10 µs: a burst's neighbour is not slept over */
#define STOP_MAX_NS	  3000000000u
#define SLEEP_MAX_NS	  500000

static void worker_poll_queue(struct worker *w, const struct rx_queue *q)
{
	struct burst *b = &w->burst;
	u64 start = 0;
	bool timed = (w->burst_no & w->sample_mask) == 0;

	if (timed)
		start = rte_rdtsc();
	b->n = rte_eth_rx_burst(q->port_id, q->queue, b->mbuf, BURST_MAX);
	if (b->n == 0)
		return;
	w->burst_no++;
	w->empty_polls = 0;
	b->timed = timed;
	b->start_tsc = start;
	b->rx_port_idx = q->port_idx;
	b->n_dead = 0;
	b->gen = w->gen;
	dwcp_store_relaxed(&w->stats->generation, b->gen ? b->gen->number : 0);
	dwcp_count(&w->stats->bursts, 1);
	dwcp_count(&w->stats->packets, b->n);
	pipeline_run(w, b);
}

/* How long was nobody polling? Scheduler, hypervisor, or our own sleep. */
static void worker_gap(struct worker *w, u64 now)
{
	u64 gap = now - w->last_poll_tsc, ns;

	w->last_poll_tsc = now;
	if (dwcp_likely(gap < w->gap_threshold_tsc))
		return;
	ns = gap * 1000 / (w->tsc_hz / 1000000);
	dwcp_count(&w->stats->gaps, 1);
	dwcp_count(&w->stats->gap.bucket[dwcp_hist_bucket(ns)], 1);
	if (ns >= DWCP_GAP_LONG_NS) {
		dwcp_count(&w->stats->long_gaps, 1);
		dwcp_count(&w->stats->long_gap_ns, ns);
	}
	if (ns > w->stats->max_gap_ns)
		dwcp_store_relaxed(&w->stats->max_gap_ns, ns);
}

static void worker_sleep(struct worker *w)
{
	struct rte_rcu_qsbr *qsbr = w->dp->qsbr;
	struct timespec ts = {.tv_nsec = (long)w->sleep_max_ns};
	u64 begin = rte_rdtsc(), ns;

	rte_rcu_qsbr_thread_offline(qsbr, w->idx);
	nanosleep(&ts, NULL);
	rte_rcu_qsbr_thread_online(qsbr, w->idx);
	ns = (rte_rdtsc() - begin) * 1000 / (w->tsc_hz / 1000000);
	dwcp_count(&w->stats->sleeps, 1);
	dwcp_count(&w->stats->sleep_ns, ns);
}

static void worker_adopt(struct worker *w)
{
	/* acquire: the tables were written before the pointer was */
	const struct generation *g = dwcp_load_acquire(&w->dp->gen);

	if (dwcp_likely(g == w->gen))
		return;
	w->gen = g;
}

static int worker_main(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *qsbr = w->dp->qsbr;

	prctl(PR_SET_TIMERSLACK, 1UL); /* else every sleep is 50 µs longer */
	rte_rcu_qsbr_thread_register(qsbr, w->idx);
	rte_rcu_qsbr_thread_online(qsbr, w->idx);
	w->last_poll_tsc = rte_rdtsc();
	while (!dwcp_load_relaxed(&w->dp->stop)) {
		worker_adopt(w);
		worker_gap(w, rte_rdtsc());
		w->empty_polls++;
		for (u32 i = 0; i < w->n_rxq; i++)
			worker_poll_queue(w, &w->rxq[i]);
		if (host_due(&w->host))
			host_take(w);
		dwcp_count(&w->stats->heartbeat, 1);
		rte_rcu_qsbr_quiescent(qsbr, w->idx);
		if (w->sleep_max_ns && w->empty_polls > EMPTY_BEFORE_IDLE)
			worker_sleep(w);
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->idx);
	rte_rcu_qsbr_thread_unregister(qsbr, w->idx);
	return 0;
}

/*
 * The longest sleep that loses nothing when a full-rate burst of small frames hits an idle node: half of what the
 * smallest ring holds at the port's speed (64-byte frames are 84 on the wire).
 */
static u64 worker_sleep_max(const struct dataplane *dp, const struct worker *w)
{
	u64 sleep_ns = SLEEP_MAX_NS;

	for (u32 i = 0; i < w->n_rxq; i++) {
		const struct port *p = &dp->port[w->rxq[i].port_idx];
		u64 mbps = p->speed_mbps ? p->speed_mbps : 10000;
		u64 ring_ns = (u64)p->cfg->rx_ring * 84 * 8 * 1000 / mbps;

		sleep_ns = DWCP_MIN(sleep_ns, ring_ns / 2);
	}
	return DWCP_MAX(sleep_ns, (u64)1000);
}

static int worker_assign_queues(struct dataplane *dp)
{
	u32 next = 0;

	for (u32 i = 0; i < dp->n_ports; i++) {
		for (u16 q = 0; q < dp->port[i].n_rxq; q++) {
			struct worker *w = dp->worker[next++ % dp->n_workers];

			if (w->n_rxq == WORKER_MAX_RXQ) {
				log_event("worker.queues error=too_many worker=%u max=%u "
					  "hint='more dataplane.workers or fewer "
					  "rx_queues'",
					  w->idx, WORKER_MAX_RXQ);
				return -EINVAL;
			}
			w->rxq[w->n_rxq++] = (struct rx_queue){(u16)i, dp->port[i].id, q};
		}
	}
	return 0;
}

/*
 * The key of the flow hash outlives us, so that a restart moves no flow to another member of its group.
 * Where it can't be kept, a new one does: flows move once.
 */
static int flow_key_load(const struct dataplane *dp, u64 ret_key[2])
{
	size_t bytes = 2 * sizeof(u64);
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/flow.key", dp->cfg->node.state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		bool whole = read(fd, ret_key, bytes) == (ssize_t)bytes;

		close(fd);
		if (whole)
			return 0;
	}
	if (getrandom(ret_key, bytes, 0) != (ssize_t)bytes)
		return -errno;
	mkdir(dp->cfg->node.state_dir, 0750);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	if (write(fd, ret_key, bytes) != (ssize_t)bytes)
		unlink(path);
	close(fd);
	return 0;
}

static struct worker *worker_create(struct dataplane *dp, u32 i, u32 lcore, const u64 key[2])
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), DWCP_SHARED_LINE);

	if (!w)
		return NULL;
	w->dp = dp;
	w->idx = i;
	w->lcore = lcore;
	w->stats = dwcp_stats_worker_at(dp->stats_page, i);
	w->stats->cpu = dp->cfg->dataplane.workers[i];
	w->stats->lcore = lcore;
	w->ring = &dp->rings->ring[1 + i];
	w->ring_tail = &dp->tails[1 + i];
	memcpy(w->hash_key, key, sizeof(w->hash_key));
	w->tsc_hz = rte_get_tsc_hz();
	w->epoch_tsc = rte_rdtsc();
	w->epoch_ns = clock_ns();
	missing_init(&w->missing, key, w->tsc_hz, w->epoch_tsc);
	w->gap_threshold_tsc = GAP_THRESHOLD_NS * (w->tsc_hz / 1000000) / 1000;
	w->sample_mask = (1u << dp->cfg->dataplane.sample_shift) - 1;
	if (icmp_open(w) == 0)
		return w;
	rte_free(w);
	return NULL;
}

static int workers_no_memory(void)
{
	log_event("worker.create error=no_memory hint='raise dataplane.memory.size_mb'");
	return -ENOMEM;
}

int workers_create(struct dataplane *dp)
{
	size_t size = rte_rcu_qsbr_get_memsize(dp->n_workers);
	u64 key[2];
	u32 lcore, i = 0;

	if (flow_key_load(dp, key)) {
		log_event("worker.create error=no_random_key hint='getrandom() failed'");
		return -EIO;
	}
	dp->qsbr = rte_zmalloc("qsbr", size, DWCP_SHARED_LINE);
	if (!dp->qsbr || rte_rcu_qsbr_init(dp->qsbr, dp->n_workers))
		return workers_no_memory();
	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		dp->worker[i] = worker_create(dp, i, lcore, key);
		if (!dp->worker[i])
			return workers_no_memory();
		i++;
	}
	if (worker_assign_queues(dp))
		return -EINVAL;
	workers_retune(dp);
	return 0;
}

int workers_start(struct dataplane *dp)
{
	for (u32 i = 0; i < dp->n_workers; i++) {
		int err = rte_eal_remote_launch(worker_main, dp->worker[i], dp->worker[i]->lcore);

		if (err)
			return err;
		log_event("worker.start worker=%u cpu=%u rx_queues=%u sleep_max_ns=%lu", i,
			  dp->cfg->dataplane.workers[i], dp->worker[i]->n_rxq,
			  dp->worker[i]->sleep_max_ns);
	}
	return 0;
}

void workers_stop(struct dataplane *dp)
{
	u64 end = clock_ns() + STOP_MAX_NS;

	dwcp_store_release(&dp->stop, 1);
	for (u32 i = 0; i < dp->n_workers && dp->worker[i]; i++) {
		while (rte_eal_get_lcore_state(dp->worker[i]->lcore) == RUNNING && clock_ns() < end)
			rte_delay_us_sleep(500);
		if (rte_eal_get_lcore_state(dp->worker[i]->lcore) != RUNNING)
			continue;
		/* it may hold anything: freeing under it would be worse than leaving it all to the kernel */
		log_event("worker.stop worker=%u error=stuck effect='exit without cleaning up'", i);
		_exit(1);
	}
	rte_eal_mp_wait_lcore();
}

void workers_retune(struct dataplane *dp)
{
	for (u32 i = 0; i < dp->n_workers; i++) {
		struct worker *w = dp->worker[i];

		if (w && dp->cfg->dataplane.idle == CONFIG_IDLE_ADAPTIVE)
			dwcp_store_relaxed(&w->sleep_max_ns, worker_sleep_max(dp, w));
	}
}

void workers_watch(struct dataplane *dp)
{
	static u64 seen[WORKER_MAX], since_ns[WORKER_MAX];
	static bool stalled[WORKER_MAX];
	u64 now = clock_ns();

	for (u32 i = 0; i < dp->n_workers; i++) {
		u64 beat = dwcp_load_relaxed(&dp->worker[i]->stats->heartbeat);

		if (beat != seen[i] || since_ns[i] == 0) {
			seen[i] = beat;
			since_ns[i] = now;
			stalled[i] = false;
		} else if (!stalled[i] && now - since_ns[i] > 1000000000u) {
			struct dwcp_event e = {.type = DWCP_EVENT_STALL,
					       .a = i,
					       .b = now - since_ns[i]};

			stalled[i] = true;
			log_event("worker.stall worker=%u ms=%lu", i,
				  (now - since_ns[i]) / 1000000);
			counters_event(dp, &e);
		}
	}
}
