/* SPDX-License-Identifier: BSD-3-Clause */
#include "events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <dwcp/abi/atomic.h>
#include <dwcp/abi/stats.h>
#include <dwcp/util/fib.h>

#include "../core/bucket.h"
#include "clock.h"
#include "log.h"

#define EVENTS_POLL_NS	 100000000u
#define EVENTS_BUDGET	 256u /* a ring and a turn: a flood of events must not stall the loop */
#define EVENTS_LOG_BURST 20u
#define EVENTS_LOG_NS	 200000000u /* five lines a second */

struct event_row {
	struct dwcp_event event;
	u64 unix_ns;
};

struct events {
	struct loop *loop;
	const struct pages *pages;
	struct loop_event *timer, *signal;
	struct bucket log;
	void (*unresolved)(void *arg, const struct dwcp_event *v);
	void *unresolved_arg;
	u64 lost; /* as last seen, while not connected */
	u32 next, n;
	struct event_row row[EVENTS_KEPT];
};

const char *event_type_name(u32 type)
{
	switch (type) {
	case DWCP_EVENT_DROP_SAMPLE:
		return "drop_sample";
	case DWCP_EVENT_UNRESOLVED:
		return "unresolved";
	case DWCP_EVENT_LINK:
		return "link";
	case DWCP_EVENT_ADOPTED:
		return "adopted";
	case DWCP_EVENT_REFUSED:
		return "refused";
	case DWCP_EVENT_STALL:
		return "stall";
	default:
		return "unknown";
	}
}

static const char *port_name(const struct events *e, u16 port, char *buf, size_t size)
{
	void *page = (void *)(uintptr_t)e->pages->stats;
	const struct dwcp_stats_hdr *h = page;

	if (port < h->n_ports)
		snprintf(buf, size, "%.31s", dwcp_stats_port_at(page, port)->name);
	else
		snprintf(buf, size, "%u", port);
	return buf;
}

static void event_log(struct events *e, const struct dwcp_event *v)
{
	char name[32], address[INET6_ADDRSTRLEN] = "?";
	u64 suppressed;

	if (v->type == DWCP_EVENT_DROP_SAMPLE || v->type == DWCP_EVENT_ADOPTED ||
	    v->type == DWCP_EVENT_REFUSED)
		return; /* in `events`; the latter two are logged by the link already */
	if (!bucket_take(&e->log, clock_ns(), &suppressed))
		return;
	if (suppressed)
		log_event("dataplane.suppressed events=%llu", (unsigned long long)suppressed);
	switch (v->type) {
	case DWCP_EVENT_LINK:
		log_event("dataplane.link port=%s state=%s",
			  port_name(e, v->port, name, sizeof(name)), v->a ? "up" : "down");
		break;
	case DWCP_EVENT_UNRESOLVED:
		inet_ntop(v->family == FIB_IP6 ? AF_INET6 : AF_INET, v->data, address,
			  sizeof(address));
		log_event("dataplane.unresolved port=%s nexthop_id=%llu destination=%s "
			  "hint=\"dwcp-cli neighbours\"",
			  port_name(e, v->port, name, sizeof(name)), (unsigned long long)v->b,
			  address);
		break;
	case DWCP_EVENT_STALL:
		log_event("dataplane.stall worker=%u ns=%llu", v->a, (unsigned long long)v->b);
		break;
	default:
		log_event("dataplane.unknown type=%u worker=%u a=%u b=%llu", v->type, v->worker,
			  v->a, (unsigned long long)v->b);
		break;
	}
}

static u32 ring_take(struct events *e, u32 i, u64 unix_ns)
{
	const struct dwcp_ring *r = &e->pages->rings->ring[i];
	struct event_row *row;
	u32 n;

	for (n = 0; n < EVENTS_BUDGET; n++) {
		row = &e->row[e->next];
		if (!dwcp_ring_pop(r, &e->pages->tails[i], &row->event))
			break;
		row->unix_ns = unix_ns;
		e->next = (e->next + 1) % EVENTS_KEPT;
		if (e->n < EVENTS_KEPT)
			e->n++;
		if (row->event.type == DWCP_EVENT_UNRESOLVED && e->unresolved)
			e->unresolved(e->unresolved_arg, &row->event);
		event_log(e, &row->event);
	}
	return n;
}

/* Return: was a ring fuller than one turn's budget? */
static bool rings_take(struct events *e)
{
	u64 unix_ns = clock_unix_ns();
	bool more = false;

	for (u32 i = 0; i < e->pages->n_rings; i++) {
		if (ring_take(e, i, unix_ns) == EVENTS_BUDGET)
			more = true;
	}
	return more;
}

static void signalled(void *arg, short what)
{
	struct events *e = arg;
	u64 n;

	(void)what;
	if (read(e->pages->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		loop_event_del(e->signal); /* not an eventfd after all: the timer goes on */
	loop_event_add(e->timer, rings_take(e) ? 0 : EVENTS_POLL_NS);
}

static void timed(void *arg, short what)
{
	struct events *e = arg;

	(void)what;
	loop_event_add(e->timer, rings_take(e) ? 0 : EVENTS_POLL_NS);
}

struct events *events_create(struct loop *loop, const struct pages *pages)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->loop = loop;
	e->pages = pages;
	e->log = (struct bucket){.tokens = EVENTS_LOG_BURST,
				 .burst = EVENTS_LOG_BURST,
				 .interval_ns = EVENTS_LOG_NS,
				 .last_ns = clock_ns()};
	return e;
}

void events_unresolved_set(struct events *e, void (*fn)(void *arg, const struct dwcp_event *v),
			   void *arg)
{
	e->unresolved = fn;
	e->unresolved_arg = arg;
}

int events_open(struct events *e)
{
	e->timer = loop_event_create(e->loop, "events", -1, 0, timed, e);
	e->signal = loop_event_create(e->loop, "events", e->pages->event_fd, EV_READ | EV_PERSIST,
				      signalled, e);
	if (!e->timer || !e->signal)
		return -ENOMEM;
	loop_event_add(e->signal, UINT64_MAX);
	loop_event_add(e->timer, 0);
	return 0;
}

static u64 lost_now(const struct events *e)
{
	u64 sum = 0;

	for (u32 i = 0; i < e->pages->n_rings; i++)
		sum += dwcp_load_relaxed(&e->pages->rings->ring[i].lost);
	return sum;
}

void events_close(struct events *e)
{
	if (e->pages->n_rings) {
		rings_take(e);
		e->lost = lost_now(e);
	}
	loop_event_free(e->signal);
	loop_event_free(e->timer);
	e->signal = e->timer = NULL;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	events_close(e);
	free(e);
}

const struct dwcp_event *events_at(const struct events *e, u32 i, u64 *ret_unix_ns)
{
	const struct event_row *row;

	if (i >= e->n)
		return NULL;
	row = &e->row[(e->next + EVENTS_KEPT - 1 - i) % EVENTS_KEPT];
	*ret_unix_ns = row->unix_ns;
	return &row->event;
}

u64 events_lost(const struct events *e)
{
	return e->pages->n_rings ? lost_now(e) : e->lost;
}
