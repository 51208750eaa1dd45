/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.c - carries out what core/neighbours.h and core/twin_addresses.h decide. What the kernel says comes from
 * the netlink thread through a queue (heard.h); requests go there, changes to the builder, one job at a time, which brings
 * back what routes and packets ask for. All of it runs on the loop.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <dwcp/endian.h>

#include "agent.h"
#include "core/bucket.h"
#include "core/neighbours.h"
#include "core/twin_addresses.h"
#include "heard.h"
#include "io/clock.h"
#include "io/log.h"

#define HEARD_BUDGET	1024u /* a turn of the loop: a dump of many must not stall it */
#define WISHES_MAX	256u  /* a job */
#define LOG_BURST	20u
#define LOG_INTERVAL_NS 200000000u
#define RETRY_NS	1000000000u

struct neighbour_watch {
	struct agent *agent;
	struct heard_queue heard;
	struct loop_event *wake, *timer;

	struct neighbours s;
	struct twin_addresses addresses[NEIGHBOURS_MAX_PORTS]; /* by place, as s.ports */
	struct builder_neighbours *job; /* the next one; NULL = nothing to do */
	bool in_flight;
	bool heard_all; /* a dump has been taken in */
	u64 retry_ns;	/* when everything is told again; 0 = not */
	u64 event_ns;
	u64 wishes_lost;
	struct bucket log;
	int addresses_err;
};

/* ---- requests ------------------------------------------------------------------------------------------------------- */

static void neighbour_request(struct neighbour_watch *w, const struct neighbours_act *a)
{
	int err = heard_ask_neighbour(&w->heard, w->s.ports[a->port].name, a);

	if (err && a->type == NEIGHBOURS_ACT_ASK)
		neighbours_step(&w->s,
				&(struct neighbours_evt){.type = NEIGHBOURS_EVT_ANSWER,
							 .port = a->port,
							 .family = a->family,
							 .addr = a->addr,
							 .err = err},
				clock_ns());
}

/* ---- the builder's job ------------------------------------------------------------------------------------------------ */

static void job_kick(struct neighbour_watch *w);

static struct builder_neighbours *job_get(struct neighbour_watch *w)
{
	if (!w->job)
		w->job = calloc(1, sizeof(*w->job));
	return w->job;
}

/* Memory was short: what the tables have is not what they were to be told. */
static void job_failed(struct neighbour_watch *w, int err)
{
	log_event("neighbours.apply error=\"%s\" next=again_in_1s", strerror(-err));
	w->retry_ns = clock_ns() + RETRY_NS;
}

static struct builder_neighbour *change_add(struct neighbour_watch *w)
{
	struct builder_neighbours *j = job_get(w);
	struct builder_neighbour *grown;
	u32 cap;

	if (!j)
		return NULL;
	if (j->n == j->cap) {
		cap = j->cap ? 2 * j->cap : 16;
		grown = realloc(j->changes, cap * sizeof(*grown));
		if (!grown)
			return NULL;
		j->changes = grown;
		j->cap = cap;
	}
	return &j->changes[j->n++];
}

static void change_note(struct neighbour_watch *w, const struct neighbours_act *a)
{
	struct builder_neighbour *c = change_add(w);

	if (!c) {
		job_failed(w, -ENOMEM);
		return;
	}
	*c = (struct builder_neighbour){.addr = a->addr, .family = a->family};
	c->op = a->type == NEIGHBOURS_ACT_DEL ? BUILDER_NEIGHBOUR_DEL
		: a->failed		      ? BUILDER_NEIGHBOUR_FAILED
					      : BUILDER_NEIGHBOUR_RESOLVED;
	memcpy(c->mac, a->mac, sizeof(c->mac));
	memcpy(c->port, w->s.ports[a->port].name, sizeof(c->port));
}

static void addresses_note(struct neighbour_watch *w, u32 place)
{
	struct twin_addresses *t = &w->addresses[place];
	struct builder_neighbours *j = job_get(w);
	struct builder_addresses *a;

	if (!j || j->n_addresses == DWCP_ARRAY_LEN(j->addresses))
		return; /* stays changed: with the next job */
	a = calloc(1, sizeof(*a));
	if (!a)
		return;
	memcpy(a->port, w->s.ports[place].name, sizeof(a->port));
	a->down = t->down;
	a->n = twin_addresses_list(t, a->addr, DWCP_ARRAY_LEN(a->addr));
	j->addresses[j->n_addresses++] = a;
	t->changed = false;
}

/* ---- actions ------------------------------------------------------------------------------------------------------------ */

static void move_log(struct neighbour_watch *w, const struct neighbours_act *a)
{
	char addr[ADDR_TEXT_MAX], from[18], to[18];
	u64 suppressed;

	if (!bucket_take(&w->log, clock_ns(), &suppressed))
		return;
	addr_format(a->family, &a->addr, addr, sizeof(addr));
	mac_format(a->mac_before, from, sizeof(from));
	mac_format(a->mac, to, sizeof(to));
	if (a->type == NEIGHBOURS_ACT_MOVED)
		log_event("neighbour.moved port=%s address=%s from=%s to=%s suppressed=%llu",
			  w->s.ports[a->port].name, addr, from, to, (unsigned long long)suppressed);
	else
		log_event("neighbour.duplicate port=%s address=%s mac=%s and=%s hint=\"two hosts "
			  "answer for one address\" next=use_the_last",
			  w->s.ports[a->port].name, addr, to, from);
}

static void act(struct neighbour_watch *w, const struct neighbours_act *a)
{
	switch (a->type) {
	case NEIGHBOURS_ACT_ASK:
	case NEIGHBOURS_ACT_FORGET:
		neighbour_request(w, a);
		break;
	case NEIGHBOURS_ACT_SET:
	case NEIGHBOURS_ACT_DEL:
		change_note(w, a);
		break;
	case NEIGHBOURS_ACT_MOVED:
	case NEIGHBOURS_ACT_DUPLICATE:
		move_log(w, a);
		break;
	}
}

static void ready_tell(struct neighbour_watch *w, u32 place, u8 family, u64 now_ns)
{
	neighbours_step(&w->s,
			&(struct neighbours_evt){.type = NEIGHBOURS_EVT_READY,
						 .port = (u8)place,
						 .family = family,
						 .up = twin_addresses_ready(&w->addresses[place],
									    family)},
			now_ns);
}

static u64 addresses_settle(struct neighbour_watch *w, u64 now_ns)
{
	u64 due = UINT64_MAX;

	for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++) {
		struct twin_addresses_act a;

		if (!w->s.ports[i].name[0])
			continue;
		ready_tell(w, i, FIB_IP4, now_ns);
		ready_tell(w, i, FIB_IP6, now_ns);
		while (twin_addresses_next(&w->addresses[i], now_ns, &a, &due))
			heard_ask_address(&w->heard, w->s.ports[i].name, &a);
		if (w->addresses[i].changed)
			addresses_note(w, i);
	}
	return due;
}

/* After every event: what came of it is carried out, and the timer set. */
static void settle(struct neighbour_watch *w)
{
	u64 now_ns = clock_ns(), due;

	if (w->agent->closing)
		return;
	if (w->retry_ns && now_ns >= w->retry_ns) {
		w->retry_ns = 0;
		neighbours_tell_again(&w->s, now_ns);
		for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++)
			w->addresses[i].changed = w->s.ports[i].name[0] != 0;
	}
	due = addresses_settle(w, now_ns);
	/* An action may lead to a step that has more of them. */
	for (u32 i = 0; i < w->s.n_acts; i++) {
		struct neighbours_act a = w->s.acts[i];

		act(w, &a);
	}
	neighbours_acts_clear(&w->s);
	due = DWCP_MIN(due, neighbours_due_ns(&w->s, now_ns));
	if (w->retry_ns)
		due = DWCP_MIN(due, w->retry_ns);
	if (due == UINT64_MAX)
		loop_event_del(w->timer);
	else
		loop_event_add(w->timer, due > now_ns ? due - now_ns : 0);
	if (w->job)
		job_kick(w);
}

static void timed(void *arg, short what)
{
	struct neighbour_watch *w = arg;

	(void)what;
	neighbours_step(&w->s, &(struct neighbours_evt){.type = NEIGHBOURS_EVT_TICK}, clock_ns());
	settle(w);
}

/* ---- from the builder ---------------------------------------------------------------------------------------------------- */

static void wait_end(struct neighbour_watch *w)
{
	struct agent *a = w->agent;

	if (!a->neighbours_wait)
		return;
	a->neighbours_wait = false;
	publish_hold_check(a);
}

static void answers_take(struct neighbour_watch *w, const struct builder_neighbours *j, u64 now_ns)
{
	for (u32 i = 0; i < j->n_gateways; i++) {
		const struct builder_gateway *g = &j->gateways[i];
		int port = neighbours_port(&w->s, g->port);

		if (port >= 0)
			neighbours_step(&w->s,
					&(struct neighbours_evt){.type = NEIGHBOURS_EVT_GATEWAY,
								 .port = (u8)port,
								 .family = g->family,
								 .addr = g->addr,
								 .used = g->used},
					now_ns);
	}
	for (u32 i = 0; i < j->n_wishes; i++) {
		const struct builder_wish *g = &j->wishes[i];
		int port = neighbours_port(&w->s, g->port);

		if (port >= 0)
			neighbours_step(&w->s,
					&(struct neighbours_evt){.type = NEIGHBOURS_EVT_WANTED,
								 .port = (u8)port,
								 .family = g->family,
								 .addr = g->addr,
								 .n = g->n},
					now_ns);
	}
}

static void job_done(struct builder_neighbours *j)
{
	struct neighbour_watch *w = j->arg;
	struct agent *a = w->agent;
	bool dirty = j->dirty, all = j->all;

	w->in_flight = false;
	if (a->closing) {
		builder_neighbours_free(j);
		return;
	}
	if (j->err)
		job_failed(w, j->err);
	answers_take(w, j, clock_ns());
	if (j->more)
		job_get(w);
	builder_neighbours_free(j);
	settle(w);
	if (dirty)
		publish_changed(a);
	if (all)
		wait_end(w);
}

static void job_kick(struct neighbour_watch *w)
{
	struct builder_neighbours *j = w->job;

	/* What was heard is told as one, as far as it is there. */
	if (!j || w->in_flight || w->agent->closing)
		return;
	w->job = NULL;
	w->in_flight = true;
	/* 0: what a configuration or a table brought is no event of its own */
	j->event_ns = w->event_ns;
	j->all = w->heard_all;
	j->done = job_done;
	j->arg = w;
	w->event_ns = 0;
	builder_submit_neighbours(w->agent->builder, j);
}

void neighbours_changed(struct agent *a)
{
	struct neighbour_watch *w = a->neighbours;

	if (!w || !job_get(w))
		return;
	job_kick(w);
}

/* ---- from the dataplane --------------------------------------------------------------------------------------------------- */

static void dest_read(const struct dwcp_event *v, struct builder_wish *ret)
{
	*ret = (struct builder_wish){.family = v->family, .n = v->n};
	if (v->family == FIB_IP4)
		ret->addr.lo = be32_load(v->data);
	else
		ret->addr =
			(struct fib_addr){(u64)be32_load(v->data) << 32 | be32_load(v->data + 4),
					  (u64)be32_load(v->data + 8) << 32 |
						  be32_load(v->data + 12)};
}

void neighbours_unresolved(void *arg, const struct dwcp_event *v)
{
	struct agent *a = arg;
	struct neighbour_watch *w = a->neighbours;
	struct builder_neighbours *j;

	if (!w || (v->family != FIB_IP4 && v->family != FIB_IP6))
		return;
	j = job_get(w);
	if (!j || j->n_wishes == DWCP_ARRAY_LEN(j->wishes)) {
		w->wishes_lost++;
		return;
	}
	dest_read(v, &j->wishes[j->n_wishes++]);
	job_kick(w);
}

/* ---- from the netlink thread ----------------------------------------------------------------------------------------------- */

static void link_heard(struct neighbour_watch *w, const struct heard *h, u8 place, u64 now_ns)
{
	const struct mirror_link *l = &h->link;
	bool up = (l->flags & IFF_UP) && (l->flags & 0x10000 /* IFF_LOWER_UP */);
	u32 ifindex = h->verb == MIRROR_DEL ? 0 : l->ifindex;

	/* The one that went is not the one that is there. */
	if (h->verb == MIRROR_DEL && w->s.ports[place].ifindex != l->ifindex)
		return;
	neighbours_step(&w->s,
			&(struct neighbours_evt){.type = NEIGHBOURS_EVT_LINK,
						 .port = place,
						 .ifindex = ifindex,
						 .up = up},
			now_ns);
	twin_addresses_link(&w->addresses[place], ifindex, l->tap);
	twin_addresses_carrier(&w->addresses[place], up);
}

static void answer_heard(struct neighbour_watch *w, const struct heard *h, u8 place, u64 now_ns)
{
	neighbours_step(&w->s,
			&(struct neighbours_evt){.type = NEIGHBOURS_EVT_ANSWER,
						 .port = place,
						 .family = h->neigh.family,
						 .addr = h->neigh.addr,
						 .err = h->err},
			now_ns);
}

static void addr_answer_heard(struct neighbour_watch *w, const struct heard *h, u8 place)
{
	struct config_addr a = {.addr = h->addr.addr,
				.family = h->addr.family,
				.prefix_len = h->addr.prefix_len};
	char text[ADDR_TEXT_MAX];

	twin_addresses_answer(&w->addresses[place], &a, h->err);
	if (h->err && h->err != w->addresses_err)
		log_event("twin.address port=%s address=%s error=\"%s\" next=again_in_5s "
			  "hint=\"%s\"",
			  h->port, addr_format(a.family, &a.addr, text, sizeof(text)),
			  strerror(-h->err),
			  h->err == -EPERM
				  ? "the agent needs CAP_NET_ADMIN to put addresses on twins"
				  : "see errno");
	w->addresses_err = h->err;
}

static void dump_heard(struct neighbour_watch *w, const struct heard *h, u64 now_ns)
{
	struct neighbours_evt v = {.type = h->begin ? NEIGHBOURS_EVT_DUMP_BEGIN
						    : NEIGHBOURS_EVT_DUMP_END,
				   .complete = h->complete};

	if (h->kind == NETLINK_KIND_ADDR) {
		for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++)
			twin_addresses_dump(&w->addresses[i], h->begin, h->complete);
		return;
	}
	neighbours_step(&w->s, &v, now_ns);
	if (!h->begin && h->complete && !w->heard_all) {
		w->heard_all = true;
		job_get(w);
	}
}

static void hear(struct neighbour_watch *w, const struct heard *h, u64 now_ns)
{
	int place;

	if (h->type == HEARD_DUMP) {
		dump_heard(w, h, now_ns);
		return;
	}
	place = neighbours_port(&w->s, h->port);
	if (place < 0)
		return;
	if (h->type == HEARD_LINK)
		link_heard(w, h, (u8)place, now_ns);
	else if (h->type == HEARD_NEIGH_ANSWER)
		answer_heard(w, h, (u8)place, now_ns);
	else if (h->type == HEARD_ADDR_ANSWER)
		addr_answer_heard(w, h, (u8)place);
	else if (h->type == HEARD_ADDR)
		twin_addresses_kernel(&w->addresses[place], h->verb, &h->addr);
	else
		neighbours_step(&w->s,
				&(struct neighbours_evt){.type = NEIGHBOURS_EVT_KERNEL,
							 .port = (u8)place,
							 .verb = h->verb,
							 .neigh = &h->neigh},
				now_ns);
}

static void woken(void *arg, short what)
{
	struct neighbour_watch *w = arg;
	u64 n, now_ns = clock_ns();
	u32 left = HEARD_BUDGET;
	const struct heard *h;

	(void)what;
	if (read(w->heard.fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	if (!w->event_ns)
		w->event_ns = now_ns;
	while (left && (h = heard_next(&w->heard)) != NULL) {
		hear(w, h, now_ns);
		left--;
	}
	if (!left)
		heard_wake(&w->heard);
	settle(w);
	if (!w->job)
		w->event_ns = 0; /* nothing came of it */
}

/* ---- agent.h ------------------------------------------------------------------------------------------------------------------ */

static void wanted_addresses(struct neighbour_watch *w, const struct dwcp_config *cfg)
{
	for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++) {
		w->s.ports[i].kept =
			w->s.ports[i].name[0] && config_port_idx(cfg, w->s.ports[i].name) >= 0;
		if (!w->s.ports[i].kept)
			twin_addresses_want(&w->addresses[i], NULL, 0);
	}
	for (u32 i = 0; i < cfg->n_ports; i++) {
		int place = neighbours_port(&w->s, cfg->ports[i].name);

		if (place < 0)
			continue;
		w->s.ports[place].kept = true;
		if (twin_addresses_want(&w->addresses[place], cfg->ports[i].addresses,
					cfg->ports[i].n_addresses) < 0)
			w->retry_ns = clock_ns() + RETRY_NS;
	}
}

/* Nobody tells us of gateways on ports that are gone. */
static void gateways_drop(struct neighbour_watch *w, const struct dwcp_config *cfg, u64 now_ns)
{
	for (u32 i = 1; i < w->s.n; i++) {
		const struct neighbour *e = neighbours_at(&w->s, i);

		if (e && e->gateway && config_port_idx(cfg, w->s.ports[e->port].name) < 0)
			neighbours_step(&w->s,
					&(struct neighbours_evt){.type = NEIGHBOURS_EVT_GATEWAY,
								 .port = e->port,
								 .family = e->family,
								 .addr = e->addr},
					now_ns);
	}
}

void neighbours_configure(struct agent *a)
{
	struct neighbour_watch *w = a->neighbours;
	u64 now_ns = clock_ns();

	if (!w)
		return;
	wanted_addresses(w, a->current->cfg);
	gateways_drop(w, a->current->cfg, now_ns);
	neighbours_tell_again(&w->s, now_ns);
	for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++)
		w->addresses[i].changed = w->s.ports[i].name[0] != 0;
	settle(w);
}

static int watch_start(struct neighbour_watch *w, struct netlink *nl)
{
	struct neighbours_cfg cfg;
	int err;

	neighbours_cfg_default(&cfg);
	if (getrandom(cfg.salt, sizeof(cfg.salt), 0) < 0)
		return -errno;
	if (neighbours_init(&w->s, &cfg, clock_ns()) < 0)
		return -ENOMEM;
	err = heard_open(&w->heard, nl);
	if (err < 0)
		return err;
	w->wake = loop_event_create(&w->agent->loop, "neighbours", w->heard.fd,
				    EV_READ | EV_PERSIST, woken, w);
	w->timer = loop_event_create(&w->agent->loop, "neighbours.timer", -1, 0, timed, w);
	if (!w->wake || !w->timer)
		return -ENOMEM;
	loop_event_add(w->wake, UINT64_MAX);
	return 0;
}

int neighbours_open(struct agent *a, struct netlink *nl)
{
	struct neighbour_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->agent = a;
	w->log = (struct bucket){.tokens = LOG_BURST,
				 .burst = LOG_BURST,
				 .interval_ns = LOG_INTERVAL_NS,
				 .last_ns = clock_ns()};
	a->neighbours = w;
	err = watch_start(w, nl);
	if (err < 0) {
		neighbours_close(a);
		return err;
	}
	wanted_addresses(w, a->current->cfg);
	a->neighbours_wait = true;
	return 0;
}

void neighbours_wait_end(struct agent *a)
{
	if (a->neighbours_wait)
		log_event("neighbours.late next=publish_without");
	a->neighbours_wait = false;
}

void neighbours_close(struct agent *a)
{
	struct neighbour_watch *w = a->neighbours;

	if (!w)
		return;
	loop_event_free(w->wake);
	loop_event_free(w->timer);
	neighbours_fini(&w->s);
	for (u32 i = 0; i < NEIGHBOURS_MAX_PORTS; i++)
		twin_addresses_fini(&w->addresses[i]);
	builder_neighbours_free(w->job);
	heard_close(&w->heard);
	free(w);
	a->neighbours = NULL;
}

const struct neighbours *neighbours_state(const struct agent *a)
{
	return a->neighbours ? &a->neighbours->s : NULL;
}

int neighbours_addresses_error(const struct agent *a)
{
	return a->neighbours ? a->neighbours->addresses_err : 0;
}
