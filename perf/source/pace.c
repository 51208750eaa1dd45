/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pace.c - see pace.h. The polling thread alone runs here; a poll costs a reading of the clock and a few lines that
 * stay in its first-level cache. Once a millisecond and after a long gap it asks the kernel for the thread's CPU time.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "pace.h"

#define SCALE_SHIFT 40
#define NUMBER_AT   44 /* in the frame, behind IPv4 and UDP headers */
#define KEPT_MAX    4096
#define GAP_ASK_NS  30000 /* gaps from here on are asked about */
#define REFRESH_NS  1000000

struct pace {
	struct pace_page *page;
	u64 hz, order, ring;
	u64 scale; /* packets a cycle, × 2^SCALE_SHIFT */
	bool max, running;
	u64 begin_tsc, last_tsc;
	u64 gone; /* of those that have arrived: given or lost */
	struct pace_slice *slice, *end;
	u64 slice_tsc, slice_end; /* length of one, end of this one */
	u64 asked_tsc, asked_cpu_ns, refresh_tsc, gap_ask_tsc;
	u64 number, expected;
	u32 n_kept;
	struct rte_mbuf *kept[KEPT_MAX];
};

struct pace *pace_open(const char *path)
{
	struct pace *p = calloc(1, sizeof(*p));
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (!p || fd < 0)
		return NULL;
	p->page = mmap(NULL, sizeof(*p->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       fd, 0);
	close(fd);
	if (p->page == MAP_FAILED)
		return NULL;
	p->hz = rte_get_tsc_hz();
	p->slice_tsc = p->hz / (1000000000u / PACE_SLICE_NS);
	p->refresh_tsc = p->hz / (1000000000u / REFRESH_NS);
	p->gap_ask_tsc = p->hz / 1000 * GAP_ASK_NS / 1000000;
	p->slice = p->end = p->page->slice;
	return p;
}

static u64 clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u64 ns_of(const struct pace *p, u64 tsc)
{
	return (u64)((unsigned __int128)tsc * 1000000000u / p->hz);
}

static void pace_asked(struct pace *p)
{
	p->asked_cpu_ns = clock_of(CLOCK_THREAD_CPUTIME_ID);
	p->asked_tsc = rte_rdtsc();
	__atomic_store_n(&p->page->now_ns, clock_of(CLOCK_MONOTONIC), __ATOMIC_RELAXED);
}

static void pace_end(struct pace *p)
{
	p->running = false;
	p->page->elapsed_tsc = rte_rdtsc() - p->begin_tsc;
	p->page->end_ns = clock_of(CLOCK_MONOTONIC);
	p->page->slice_tsc = p->slice_tsc;
}

static void pace_begin(struct pace *p)
{
	struct pace_page *page = p->page;

	p->max = page->rate_pps == PACE_MAX;
	p->running = true;
	p->ring = page->ring;
	p->scale = p->max ? 0 : (u64)(((unsigned __int128)page->rate_pps << SCALE_SHIFT) / p->hz);
	p->gone = 0;
	page->arrived = page->lost = page->given = page->returned = page->disorder = 0;
	page->no_mbuf = 0;
	page->first = p->number;
	p->slice = page->slice;
	p->end = page->slice + PACE_SLICES - 1;
	pace_asked(p);
	p->begin_tsc = p->last_tsc = rte_rdtsc();
	p->slice_end = p->begin_tsc + p->slice_tsc;
	page->begin_ns = clock_of(CLOCK_MONOTONIC);
}

static void pace_order(struct pace *p, u64 order)
{
	if (p->page->rate_pps)
		pace_begin(p);
	else
		pace_end(p);
	p->order = order;
	__atomic_store_n(&p->page->order_seen, order, __ATOMIC_RELEASE);
}

/* How long nobody polled, and how much of it the thread had no CPU. */
static void pace_gap(struct pace *p, u64 now, u64 gap)
{
	u64 before_cpu = p->asked_cpu_ns, before = p->asked_tsc, wall, cpu;

	pace_asked(p);
	wall = ns_of(p, p->asked_tsc - before);
	cpu = p->asked_cpu_ns - before_cpu;
	if (ns_of(p, gap) <= p->slice->gap_ns)
		return;
	p->slice->gap_ns = (u32)DWCP_MIN(ns_of(p, gap), (u64)UINT32_MAX);
	p->slice->off_ns = wall > cpu ? (u32)DWCP_MIN(wall - cpu, (u64)UINT32_MAX) : 0;
}

static void pace_clock(struct pace *p, u64 now)
{
	u64 gap = now - p->last_tsc;

	p->last_tsc = now;
	while (dwcp_unlikely(now >= p->slice_end) && p->slice < p->end) {
		p->slice++;
		p->slice_end += p->slice_tsc;
	}
	if (dwcp_unlikely(gap >= p->gap_ask_tsc))
		pace_gap(p, now, gap);
	else if (dwcp_unlikely(now - p->asked_tsc >= p->refresh_tsc))
		pace_asked(p);
}

static u64 pace_number_of(const struct rte_mbuf *m)
{
	u64 number;

	memcpy(&number, (const u8 *)m->buf_addr + RTE_PKTMBUF_HEADROOM + NUMBER_AT, sizeof(number));
	return number;
}

static void pace_check(struct pace *p, struct rte_mbuf *const *back, u16 n)
{
	for (u32 i = 0; i < n; i++) {
		u64 number = pace_number_of(back[i]);

		p->page->disorder += number != p->expected;
		p->expected = number + 1;
	}
	p->page->returned += n;
}

u32 pace_poll(struct pace *p, struct rte_mbuf *const *back, u16 n, u16 max)
{
	u64 order = __atomic_load_n(&p->page->order, __ATOMIC_ACQUIRE), now, arrived, waits, lost;

	pace_check(p, back, n);
	if (dwcp_unlikely(order != p->order))
		pace_order(p, order);
	if (!p->running)
		return 0;
	now = rte_rdtsc();
	pace_clock(p, now);
	if (p->max) {
		p->slice->backlog += max;
		return max;
	}
	arrived = (u64)((unsigned __int128)(now - p->begin_tsc) * p->scale >> SCALE_SHIFT);
	waits = arrived - p->gone;
	p->slice->backlog = DWCP_MAX(p->slice->backlog, (u32)DWCP_MIN(waits, (u64)UINT32_MAX));
	p->page->arrived = arrived;
	if (dwcp_unlikely(waits > p->ring)) {
		lost = waits - p->ring;
		p->slice->lost += (u32)lost;
		p->page->lost += lost;
		p->gone += lost;
		waits = p->ring;
	}
	return (u32)DWCP_MIN(waits, (u64)max);
}

/* @n is given: these have left the ring. */
static u16 pace_given(struct pace *p, u16 n)
{
	p->gone += n;
	p->page->given += n;
	return n;
}

u16 pace_mbufs(struct pace *p, struct rte_mempool *pool, struct rte_mbuf **pkts, u16 n, u16 want)
{
	while (n > want) {
		struct rte_mbuf *m = pkts[--n];

		if (p->n_kept < KEPT_MAX)
			p->kept[p->n_kept++] = m;
		else
			rte_pktmbuf_free(m);
	}
	while (n < want && p->n_kept)
		pkts[n++] = p->kept[--p->n_kept];
	if (n < want) {
		if (rte_pktmbuf_alloc_bulk(pool, pkts + n, want - n) == 0)
			n = want;
		else
			p->page->no_mbuf++;
	}
	return pace_given(p, n);
}

void pace_number(struct pace *p, struct rte_mbuf *m)
{
	u64 number = p->number++;

	memcpy((u8 *)m->buf_addr + RTE_PKTMBUF_HEADROOM + NUMBER_AT, &number, sizeof(number));
}
