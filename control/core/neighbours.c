/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.c - the rules. Whatever happens to a neighbour ends in settle(): it tells the tables what they lack, asks
 * the kernel for what it lacks, drops what nobody needs, and says when to look again.
 */
#include "neighbours.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/abi/tables.h>

#include "neighbours_store.h"

#define NUD_KNOWN	  (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)
#define NEVER		  UINT64_MAX
#define N_SWAPS_DUPLICATE 2	    /* A, B, A, B: two that came back */
#define SOON_NS		  10000000u /* what has to wait for others */
#define DUE_LOOK_MAX	  4096u
#define EPERM_FACTOR	  12u /* that doesn't change by itself */

void neighbours_cfg_default(struct neighbours_cfg *ret)
{
	*ret = (struct neighbours_cfg){
		.max_hosts = 8192,
		.max_pending = 256, /* a quarter of the kernel's own limit (gc_thresh3) */
		.max_in_flight = 256,
		.ask_burst = 256,
		.ask_interval_ns = 5000000, /* 200 a second */
		.again_ns =
			1000000000u, /* the kernel repeats an ARP request each second by itself */
		.denied_ns = 5000000000u,
		.refresh_ns = 15000000000u, /* half of base_reachable_time */
		.answer_ns = 5000000000u,   /* it gives up after 3 requests, 1 s each */
		.failed_ns = 20000000000u,
		.failed_again_ns = 3000000000u,
		.hold_ns = 500000000u, /* less than BFD takes, more than a virtual CPU is away */
		.grace_ns = 5000000000u,
		.duplicate_ns = 60000000000u,
	};
}

/* ---- actions ------------------------------------------------------------------------------------------------------ */

static struct neighbours_act *act_add(struct neighbours *s, const struct neighbour *e,
				      enum neighbours_act_type type)
{
	u32 cap = s->cap_acts ? 2 * s->cap_acts : 256;
	struct neighbours_act *a;

	if (s->n_acts == s->cap_acts) {
		a = realloc(s->acts, cap * sizeof(*a));
		if (!a)
			return NULL;
		s->acts = a;
		s->cap_acts = cap;
	}
	a = &s->acts[s->n_acts++];
	*a = (struct neighbours_act){.type = type,
				     .ifindex = s->ports[e->port].ifindex,
				     .port = e->port,
				     .family = e->family,
				     .addr = e->addr};
	memcpy(a->mac, e->mac, sizeof(a->mac));
	memcpy(a->mac_before, e->mac_before, sizeof(a->mac_before));
	return a;
}

void neighbours_acts_clear(struct neighbours *s)
{
	s->n_acts = 0;
}

/* ---- what is to be told, asked, dropped --------------------------------------------------------------------------- */

static u8 tell_what(const struct neighbours *s, const struct neighbour *e, u64 now_ns)
{
	const struct neighbours_port *p = &s->ports[e->port];

	if (!p->up)
		return now_ns < p->down_ns + s->cfg.hold_ns ? e->told : NEIGHBOUR_UNTOLD;
	if (e->failed)
		return NEIGHBOUR_TOLD_FAILED;
	if (e->has_mac && (!e->lost_ns || now_ns < e->lost_ns + s->cfg.grace_ns))
		return NEIGHBOUR_TOLD_RESOLVED;
	return NEIGHBOUR_UNTOLD;
}

/* Return: false: no memory, it has to be done later. */
static bool tell(struct neighbours *s, struct neighbour *e, u8 what, u64 now_ns)
{
	struct neighbours_act *a;

	if (what == e->told &&
	    (what != NEIGHBOUR_TOLD_RESOLVED || !memcmp(e->mac, e->told_mac, sizeof(e->mac))))
		return true;
	a = act_add(s, e, what == NEIGHBOUR_UNTOLD ? NEIGHBOURS_ACT_DEL : NEIGHBOURS_ACT_SET);
	if (!a)
		return false;
	a->failed = what == NEIGHBOUR_TOLD_FAILED;
	if (what != e->told)
		e->since_ns = now_ns;
	e->told = what;
	memcpy(e->told_mac, e->mac, sizeof(e->told_mac));
	return true;
}

/* Does the kernel keep it by itself? */
static bool satisfied(const struct neighbour *e)
{
	return e->present && (e->managed || (e->nud & NUD_PERMANENT));
}

/* When the kernel is to be asked (again); NEVER: it needn't be. */
static u64 ask_due(const struct neighbours *s, const struct neighbour *e)
{
	if (satisfied(e) || (e->failed && !e->gateway) ||
	    s->ports[e->port].unready[e->family == FIB_IP6])
		return NEVER;
	if (!e->asked_ns)
		return 0;
	if (e->err)
		return e->asked_ns + s->cfg.denied_ns * (e->err == -EPERM ? EPERM_FACTOR : 1);
	return e->asked_ns + (e->present && !e->failed ? s->cfg.refresh_ns : s->cfg.again_ns);
}

static bool pending_note(struct neighbours *s, struct neighbour *e)
{
	bool is = e->host && !e->gateway && !e->has_mac && !e->failed;

	if (is != e->pending)
		s->facts.n_pending += is ? 1 : -1;
	e->pending = is;
	return is;
}

/* Return: false: not now. */
static bool ask(struct neighbours *s, struct neighbour *e, u64 now_ns)
{
	if (s->facts.n_in_flight >= s->cfg.max_in_flight || !act_add(s, e, NEIGHBOURS_ACT_ASK))
		return false;
	s->facts.n_in_flight++;
	s->facts.n_asked++;
	s->facts.n_again += e->has_mac && !e->present;
	e->asked_ns = now_ns;
	return true;
}

static void forget(struct neighbours *s, struct neighbour *e)
{
	act_add(s, e, NEIGHBOURS_ACT_FORGET);
	e->managed = false;
}

static void fail(struct neighbours *s, struct neighbour *e, u64 now_ns)
{
	if (!e->failed)
		e->since_ns = now_ns;
	e->failed = true;
	/* The kernel's table is small; what it knows of a host that isn't there is kept here. */
	if (!e->gateway && e->present)
		forget(s, e);
}

static void drop(struct neighbours *s, struct neighbour *e, u64 now_ns)
{
	if (!tell(s, e, NEIGHBOUR_UNTOLD, now_ns)) {
		neighbours_due_set(s, e, now_ns + s->cfg.again_ns);
		return;
	}
	if (e->present && e->managed)
		forget(s, e);
	neighbours_entry_del(s, e);
}

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

static void settle(struct neighbours *s, struct neighbour *e, u64 now_ns)
{
	u64 due = NEVER;

	if (!e->gateway && !e->host) {
		drop(s, e, now_ns);
		return;
	}
	if (s->ports[e->port].up && pending_note(s, e) && e->asked_ns &&
	    now_ns >= e->asked_ns + s->cfg.answer_ns)
		fail(s, e, now_ns);
	if (e->failed && !e->gateway && now_ns >= e->since_ns + s->cfg.failed_ns) {
		drop(s, e, now_ns);
		return;
	}
	if (!tell(s, e, tell_what(s, e, now_ns), now_ns))
		due = now_ns + s->cfg.again_ns;
	if (s->ports[e->port].up) {
		if (ask_due(s, e) <= now_ns && !ask(s, e, now_ns))
			due = now_ns + SOON_NS; /* when others have been answered */
		else
			due = least(due, ask_due(s, e));
		if (pending_note(s, e) && e->asked_ns)
			due = least(due, e->asked_ns + s->cfg.answer_ns);
		if (e->told == NEIGHBOUR_TOLD_RESOLVED && e->lost_ns)
			due = least(due, e->lost_ns + s->cfg.grace_ns);
	}
	if (!s->ports[e->port].up && e->told != NEIGHBOUR_UNTOLD)
		due = least(due, s->ports[e->port].down_ns + s->cfg.hold_ns);
	if (e->failed && !e->gateway)
		due = least(due, e->since_ns + s->cfg.failed_ns);
	pending_note(s, e);
	neighbours_due_set(s, e, due);
}

/* ---- what the kernel says ----------------------------------------------------------------------------------------- */

static void moved(struct neighbours *s, struct neighbour *e, const u8 mac[6], u64 now_ns)
{
	bool recent = e->moved_ns && now_ns - e->moved_ns < s->cfg.duplicate_ns;
	bool back = recent && e->has_before && !memcmp(e->mac_before, mac, 6);

	if (!recent) {
		e->swaps = 0;
		e->duplicate = false;
	}
	memcpy(e->mac_before, e->mac, 6);
	memcpy(e->mac, mac, 6);
	e->has_before = true;
	e->moved_ns = now_ns;
	e->moves++;
	e->swaps += back;
	s->facts.n_moves++;
	act_add(s, e, NEIGHBOURS_ACT_MOVED);
	if (e->swaps < N_SWAPS_DUPLICATE || e->duplicate)
		return;
	e->duplicate = true;
	s->facts.n_duplicates++;
	act_add(s, e, NEIGHBOURS_ACT_DUPLICATE);
}

static bool mac_is_host(const u8 mac[6])
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static bool known(const struct mirror_neigh *n)
{
	return (n->state & NUD_KNOWN) && n->has_mac && mac_is_host(n->mac);
}

/* A neighbour that nobody asked for, but the kernel talks to. Return: NULL: beyond what we keep. */
static struct neighbour *host_add(struct neighbours *s, u8 port, u8 family,
				  const struct fib_addr *a, u64 now_ns)
{
	struct neighbour *e;

	if (s->facts.n_hosts >= s->cfg.max_hosts) {
		s->facts.n_refused++;
		return NULL;
	}
	e = neighbours_entry_add(s, port, family, a, now_ns);
	if (e)
		neighbours_host_set(s, e, true);
	return e;
}

static void kernel_has(struct neighbours *s, struct neighbour *e, const struct mirror_neigh *n,
		       u64 now_ns)
{
	bool sound =
		e->present && (e->nud & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY));

	e->present = true;
	e->marked = false;
	e->nud = n->state;
	e->managed = n->flags_ext & NTF_EXT_MANAGED;
	e->router = n->flags & NTF_ROUTER;
	e->seen_ns = now_ns;
	/* One that didn't answer has been probed before; an entry that an operator deletes is failed first, too. */
	if ((n->state & NUD_FAILED) && !sound) {
		fail(s, e, now_ns);
	} else if (known(n)) {
		if (e->has_mac && memcmp(e->mac, n->mac, 6) != 0)
			moved(s, e, n->mac, now_ns);
		memcpy(e->mac, n->mac, 6);
		e->has_mac = true;
		e->failed = false;
		e->lost_ns = 0;
		e->err = 0;
		e->n_dropped = 0;
	} else if (e->has_mac && !e->lost_ns) {
		e->lost_ns = now_ns; /* asked anew: what was known is used for a while */
	}
	settle(s, e, now_ns);
}

static void kernel_lost(struct neighbours *s, struct neighbour *e, u64 now_ns)
{
	e->present = e->managed = e->marked = false;
	e->nud = 0;
	if (e->has_mac && !e->lost_ns)
		e->lost_ns = now_ns;
	if (e->asked_ns + s->cfg.again_ns <= now_ns)
		e->asked_ns = 0; /* at once */
	settle(s, e, now_ns);
}

static void kernel_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	const struct mirror_neigh *n = v->neigh;
	struct neighbour *e = neighbours_entry_find(s, v->port, n->family, &n->addr);
	bool del = v->verb == MIRROR_DEL;

	/* Groups and broadcast addresses need no asking, and what we answer for others is no neighbour. */
	if ((n->flags & NTF_PROXY) || (n->state & NUD_NOARP) ||
	    n->ifindex != s->ports[v->port].ifindex)
		return;
	if (!e && !del && known(n))
		e = host_add(s, v->port, n->family, &n->addr, now_ns);
	if (!e)
		return;
	if (del)
		kernel_lost(s, e, now_ns);
	else
		kernel_has(s, e, n, now_ns);
}

static void dump_mark(struct neighbours *s, bool mark)
{
	for (u32 i = 1; i < s->n; i++)
		if (s->e[i].family)
			s->e[i].marked = mark && s->e[i].present;
}

static void dump_sweep(struct neighbours *s, u64 now_ns)
{
	for (u32 i = 1; i < s->n; i++)
		if (s->e[i].family && s->e[i].marked)
			kernel_lost(s, &s->e[i], now_ns);
}

/* ---- links -------------------------------------------------------------------------------------------------------- */

static void link_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	struct neighbours_port *p = &s->ports[v->port];
	bool other = p->ifindex != v->ifindex, up = v->up && v->ifindex;

	if (!other && p->up == up)
		return;
	if (p->up)
		p->down_ns = now_ns;
	p->ifindex = v->ifindex;
	p->up = up;
	for (u32 i = 1; i < s->n; i++) {
		struct neighbour *e = &s->e[i];

		if (!e->family || e->port != v->port)
			continue;
		if (other)
			e->present = e->managed = false;
		if (other || !up)
			e->asked_ns = 0;
		/* What was known before is good enough until the kernel has verified it. */
		if (up && e->has_mac && !e->present)
			e->lost_ns = now_ns;
		e->failed = e->failed && !up;
		settle(s, e, now_ns);
	}
}

/* A question without an address of ours to ask from is lost, and so are some seconds. */
static void ready_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	bool *unready = &s->ports[v->port].unready[v->family == FIB_IP6];

	if (*unready == !v->up)
		return;
	*unready = !v->up;
	for (u32 i = 1; i < s->n; i++)
		if (s->e[i].family == v->family && s->e[i].port == v->port)
			settle(s, &s->e[i], now_ns);
}

/* ---- who needs it --------------------------------------------------------------------------------------------------- */

static void gateway_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	struct neighbour *e = neighbours_entry_find(s, v->port, v->family, &v->addr);

	if (!e && v->used)
		e = neighbours_entry_add(s, v->port, v->family, &v->addr, now_ns);
	if (!e || e->gateway == v->used)
		return;
	e->gateway = v->used;
	s->facts.n_gateways += v->used ? 1 : -1;
	/* One that answers stays a neighbour, as any host on the link. */
	if (!v->used && e->has_mac && !e->lost_ns && !e->failed && !e->host &&
	    s->facts.n_hosts < s->cfg.max_hosts)
		neighbours_host_set(s, e, true);
	settle(s, e, now_ns);
}

static void tokens_refill(struct neighbours *s, u64 now_ns)
{
	u64 n = (now_ns - s->tokens_ns) / s->cfg.ask_interval_ns;

	s->tokens_ns += n * s->cfg.ask_interval_ns;
	for (u32 i = 0; n && i < 2; i++) {
		u64 sum = s->tokens[i] + n / 2 + (n & 1 && i == 0);

		s->tokens[i] = DWCP_MIN(sum, (u64)s->cfg.ask_burst / 2);
	}
}

/* May a packet's destination be asked for? One that was refused lately has tokens and places of its own. */
static bool wish_granted(struct neighbours *s, u8 port, u8 family, const struct fib_addr *a,
			 u64 now_ns)
{
	u64 hash = neighbours_hash(s, port, family, a);
	u64 *recent = &s->recent[hash % DWCP_ARRAY_LEN(s->recent)];
	bool again = *recent == hash;

	tokens_refill(s, now_ns);
	*recent = hash;
	if (s->facts.n_pending < s->cfg.max_pending / (again ? 1 : 2) && s->tokens[again]) {
		s->tokens[again]--;
		return true;
	}
	s->facts.n_suppressed++;
	return false;
}

static void wanted_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	struct neighbour *e = neighbours_entry_find(s, v->port, v->family, &v->addr);

	if (e) {
		e->n_dropped += v->n;
		if (!e->failed || e->gateway || now_ns < e->asked_ns + s->cfg.failed_again_ns ||
		    !wish_granted(s, v->port, v->family, &v->addr, now_ns))
			return;
		/* As before for the tables, until an answer comes. */
		e->asked_ns = 0;
		if (s->ports[e->port].up && !s->ports[e->port].unready[v->family == FIB_IP6] &&
		    ask(s, e, now_ns))
			e->since_ns = now_ns;
		return;
	}
	if (!s->ports[v->port].up || !wish_granted(s, v->port, v->family, &v->addr, now_ns))
		return;
	e = host_add(s, v->port, v->family, &v->addr, now_ns);
	if (!e)
		return;
	e->n_dropped = v->n;
	settle(s, e, now_ns);
}

static void answer_says(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	struct neighbour *e = neighbours_entry_find(s, v->port, v->family, &v->addr);

	if (s->facts.n_in_flight)
		s->facts.n_in_flight--;
	s->facts.n_errors += v->err != 0;
	s->facts.err = v->err;
	if (!e)
		return;
	e->err = v->err;
	settle(s, e, now_ns);
}

/* ---- */

static void tick(struct neighbours *s, u64 now_ns)
{
	/* From behind: an entry that settles gives its place to the last one, which was looked at. */
	for (u32 i = s->n_due; i > 0; i--) {
		struct neighbour *e;

		if (i > s->n_due)
			continue;
		e = &s->e[s->due[i - 1]];
		if (e->due_ns <= now_ns)
			settle(s, e, now_ns);
	}
}

void neighbours_step(struct neighbours *s, const struct neighbours_evt *v, u64 now_ns)
{
	switch (v->type) {
	case NEIGHBOURS_EVT_TICK:
		tick(s, now_ns);
		break;
	case NEIGHBOURS_EVT_LINK:
		link_says(s, v, now_ns);
		break;
	case NEIGHBOURS_EVT_READY:
		ready_says(s, v, now_ns);
		break;
	case NEIGHBOURS_EVT_KERNEL:
		kernel_says(s, v, now_ns);
		break;
	case NEIGHBOURS_EVT_DUMP_BEGIN:
		dump_mark(s, true);
		break;
	case NEIGHBOURS_EVT_DUMP_END:
		if (v->complete)
			dump_sweep(s, now_ns);
		else
			dump_mark(s, false);
		break;
	case NEIGHBOURS_EVT_GATEWAY:
		gateway_says(s, v, now_ns);
		break;
	case NEIGHBOURS_EVT_WANTED:
		wanted_says(s, v, now_ns);
		break;
	case NEIGHBOURS_EVT_ANSWER:
		answer_says(s, v, now_ns);
		break;
	}
}

u64 neighbours_due_ns(const struct neighbours *s, u64 now_ns)
{
	u64 due = NEVER;

	if (s->n_due > DUE_LOOK_MAX)
		return now_ns + SOON_NS;
	for (u32 i = 0; i < s->n_due; i++)
		due = least(due, s->e[s->due[i]].due_ns);
	return due;
}

void neighbours_tell_again(struct neighbours *s, u64 now_ns)
{
	for (u32 i = 1; i < s->n; i++) {
		if (!s->e[i].family)
			continue;
		s->e[i].told = NEIGHBOUR_UNTOLD;
		settle(s, &s->e[i], now_ns);
	}
}

void neighbours_facts(const struct neighbours *s, struct neighbours_facts *ret)
{
	*ret = s->facts;
	for (u32 i = 1; i < s->n; i++) {
		const struct neighbour *e = &s->e[i];

		if (!e->family)
			continue;
		ret->n++;
		ret->n_resolved += e->told == NEIGHBOUR_TOLD_RESOLVED;
		ret->n_failed += e->told == NEIGHBOUR_TOLD_FAILED;
		ret->n_incomplete += e->told == NEIGHBOUR_UNTOLD;
	}
}
