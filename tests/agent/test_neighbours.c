/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_neighbours.c - the rules about neighbours, one by one, on a clock that the test moves; then all of them at random
 * against a kernel that does what it wants, with what must hold after every step.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/neighbours.h"

#define SECOND	1000000000ull
#define IFINDEX 7u

struct lab {
	struct neighbours s;
	u64 now_ns;
	int port;
};

static struct fib_addr ip4(u32 last)
{
	return (struct fib_addr){0, 0x0a000000 + last};
}

static void lab_init(struct lab *l, void (*change)(struct neighbours_cfg *cfg))
{
	struct neighbours_cfg cfg;

	neighbours_cfg_default(&cfg);
	cfg.salt[0] = 0x1234567;
	cfg.salt[1] = 0x89abcdef;
	if (change)
		change(&cfg);
	l->now_ns = 1000 * SECOND;
	assert_int_equal(neighbours_init(&l->s, &cfg, l->now_ns), 0);
	l->port = neighbours_port(&l->s, "lan");
	assert_int_equal(l->port, neighbours_port(&l->s, "lan"));
}

static void lab_fini(struct lab *l)
{
	neighbours_fini(&l->s);
}

static void step(struct lab *l, struct neighbours_evt v)
{
	v.port = (u8)l->port;
	neighbours_step(&l->s, &v, l->now_ns);
}

static void link_set(struct lab *l, u32 ifindex, bool up)
{
	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_LINK, .ifindex = ifindex, .up = up});
}

static void gateway(struct lab *l, u32 a, bool used)
{
	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_GATEWAY,
					.family = FIB_IP4,
					.addr = ip4(a),
					.used = used});
}

static void wanted(struct lab *l, u32 a)
{
	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_WANTED,
					.family = FIB_IP4,
					.addr = ip4(a),
					.n = 3});
}

static void answered(struct lab *l, u32 a, int err)
{
	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_ANSWER,
					.family = FIB_IP4,
					.addr = ip4(a),
					.err = err});
}

/* @mac: the last byte of its address; 0 = none. */
static void kernel(struct lab *l, enum mirror_verb verb, u32 a, u16 state, u8 mac, bool managed)
{
	struct mirror_neigh n = {.ifindex = IFINDEX,
				 .state = state,
				 .flags_ext = managed ? NTF_EXT_MANAGED : 0,
				 .addr = ip4(a),
				 .family = FIB_IP4,
				 .mac = {2, 0, 0, 0, 0, mac},
				 .has_mac = mac != 0};

	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_KERNEL, .verb = verb, .neigh = &n});
}

static void kernel_new(struct lab *l, u32 a, u16 state, u8 mac)
{
	kernel(l, MIRROR_NEW, a, state, mac, true);
}

static void kernel_del(struct lab *l, u32 a)
{
	kernel(l, MIRROR_DEL, a, NUD_STALE, 0, false);
}

static void pass(struct lab *l, u64 ns)
{
	l->now_ns += ns;
	step(l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_TICK});
}

/* How many actions of the type there are for the address; all are taken. */
static u32 n_acts(struct lab *l, enum neighbours_act_type type, u32 a)
{
	u32 n = 0;

	for (u32 i = 0; i < l->s.n_acts; i++)
		n += l->s.acts[i].type == type && l->s.acts[i].addr.lo == ip4(a).lo;
	return n;
}

/* The actions since the last call, as letters in their order: Ask, Forget, Set, failed (X), Del, Moved, duplicate (!). */
static const char *acts(struct lab *l)
{
	static char text[256];
	static const char letters[] = {'A', 'F', 'S', 'D', 'M', '!'};
	u32 n = DWCP_MIN(l->s.n_acts, (u32)sizeof(text) - 1);

	for (u32 i = 0; i < n; i++) {
		const struct neighbours_act *a = &l->s.acts[i];

		text[i] = a->type == NEIGHBOURS_ACT_SET && a->failed ? 'X' : letters[a->type];
	}
	text[n] = 0;
	neighbours_acts_clear(&l->s);
	return text;
}

static void test_gateway(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	gateway(&l, 1, true);
	assert_string_equal(acts(&l), ""); /* there is no twin yet */
	link_set(&l, IFINDEX, true);
	assert_int_equal(l.s.acts[0].ifindex, IFINDEX);
	assert_string_equal(acts(&l), "A");
	answered(&l, 1, 0);
	kernel_new(&l, 1, NUD_INCOMPLETE, 0);
	assert_string_equal(acts(&l), "");
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	assert_int_equal(l.s.acts[0].mac[5], 5);
	assert_string_equal(acts(&l), "S");
	/* hours in which the kernel keeps it by itself: nothing is asked, nothing is told */
	for (u32 i = 0; i < 10000; i++) {
		pass(&l, SECOND);
		kernel_new(&l, 1, i & 1 ? NUD_STALE : NUD_REACHABLE, 5);
	}
	assert_string_equal(acts(&l), "");
	gateway(&l, 1, false); /* stays as a host that answers */
	assert_string_equal(acts(&l), "");
	kernel_new(&l, 1, NUD_PROBE, 5);
	kernel_new(&l, 1, NUD_FAILED, 0);
	assert_string_equal(acts(&l), "FX");
	kernel_del(&l, 1);
	pass(&l, 21 * SECOND);
	assert_string_equal(acts(&l), "D");
	assert_int_equal(l.s.facts.n_hosts, 0);
	assert_null(neighbours_find(&l.s, (u8)l.port, FIB_IP4, &(struct fib_addr){0, 0x0a000001}));
	lab_fini(&l);
}

/* Without an address of its own a router cannot ask. */
static void test_ready(void **state)
{
	struct lab l;
	struct neighbours_evt ready = {.type = NEIGHBOURS_EVT_READY, .family = FIB_IP4};

	(void)state;
	lab_init(&l, NULL);
	step(&l, ready);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	wanted(&l, 2);
	pass(&l, 10 * SECOND);
	assert_string_equal(acts(&l), "");
	ready.family = FIB_IP6;
	ready.up = true;
	step(&l, ready);
	assert_string_equal(acts(&l), "");
	ready.family = FIB_IP4;
	step(&l, ready);
	assert_string_equal(acts(&l), "AA");
	lab_fini(&l);
}

static void test_gateway_unused(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	kernel_new(&l, 1, NUD_INCOMPLETE, 0);
	acts(&l);
	gateway(&l, 1, false); /* before it ever answered: the kernel needn't go on */
	assert_string_equal(acts(&l), "F");
	lab_fini(&l);
}

static void test_failed_gateway(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	acts(&l);
	kernel_new(&l, 1, NUD_PROBE, 5);
	kernel_new(&l, 1, NUD_FAILED, 0);
	assert_string_equal(acts(&l), "X");
	/* the kernel goes on by itself; its trying again is no news */
	for (u32 i = 0; i < 100; i++) {
		pass(&l, SECOND);
		kernel_new(&l, 1, i & 1 ? NUD_FAILED : NUD_INCOMPLETE, 0);
	}
	assert_string_equal(acts(&l), "");
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	assert_string_equal(acts(&l), "S");
	lab_fini(&l);
}

static void test_lost(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	acts(&l);
	pass(&l, 10 * SECOND);
	kernel_new(&l, 1, NUD_FAILED, 0); /* as `ip neigh flush` does it */
	kernel_del(&l, 1);		  /* asked at once, and used on */
	assert_string_equal(acts(&l), "A");
	answered(&l, 1, 0);
	kernel_new(&l, 1, NUD_INCOMPLETE, 0);
	pass(&l, 4 * SECOND);
	assert_string_equal(acts(&l), "");
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	pass(&l, 10 * SECOND);
	assert_string_equal(acts(&l), "");
	/* flushed again and again: once a second is enough */
	for (u32 i = 0; i < 48; i++) {
		kernel_del(&l, 1);
		answered(&l, 1, 0);
		pass(&l, SECOND / 10);
	}
	assert_in_range(n_acts(&l, NEIGHBOURS_ACT_ASK, 1), 4, 6);
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_DEL, 1), 0);
	pass(&l, SECOND); /* and nothing came of it: not used any more */
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_DEL, 1), 1);
	lab_fini(&l);
}

static void test_link(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	acts(&l);
	pass(&l, 10 * SECOND);
	/* a moment: nothing changes for packets */
	link_set(&l, IFINDEX, false);
	kernel_del(&l, 1);
	pass(&l, SECOND / 10);
	link_set(&l, IFINDEX, true);
	assert_string_equal(acts(&l), "A");
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	assert_string_equal(acts(&l), "");
	/* for longer */
	pass(&l, 10 * SECOND);
	link_set(&l, IFINDEX, false);
	kernel_del(&l, 1); /* the kernel flushes when the carrier goes */
	pass(&l, 60 * SECOND);
	assert_string_equal(acts(&l), "D");
	link_set(&l, IFINDEX, true); /* what was known is used, and verified */
	assert_string_equal(acts(&l), "SA");
	kernel_new(&l, 1, NUD_REACHABLE, 6);
	assert_string_equal(acts(&l), "MS");
	/* the dataplane was started again: another twin */
	link_set(&l, 0, false);
	pass(&l, SECOND);
	assert_string_equal(acts(&l), "D");
	link_set(&l, IFINDEX + 1, true);
	assert_int_equal(l.s.acts[1].ifindex, IFINDEX + 1);
	assert_string_equal(acts(&l), "SA");
	kernel_new(&l, 1, NUD_REACHABLE, 9); /* of the old one: not ours */
	assert_string_equal(acts(&l), "");
	pass(&l, 6 * SECOND); /* never verified */
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_DEL, 1), 1);
	lab_fini(&l);
}

static void test_host(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	wanted(&l, 9);
	assert_string_equal(acts(&l), ""); /* no twin, no asking */
	link_set(&l, IFINDEX, true);
	wanted(&l, 9);
	wanted(&l, 9);
	assert_string_equal(acts(&l), "A");
	answered(&l, 9, 0);
	kernel_new(&l, 9, NUD_INCOMPLETE, 0);
	kernel_new(&l, 9, NUD_FAILED, 0);
	assert_string_equal(acts(&l), "FX");
	kernel_del(&l, 9);
	wanted(&l, 9); /* it has just failed */
	assert_string_equal(acts(&l), "");
	pass(&l, 4 * SECOND);
	wanted(&l, 9);
	assert_string_equal(acts(&l), "A");
	kernel_new(&l, 9, NUD_REACHABLE, 4);
	assert_string_equal(acts(&l), "S");
	/* one that says nothing at all */
	wanted(&l, 10);
	assert_string_equal(acts(&l), "A");
	answered(&l, 10, 0);
	kernel_new(&l, 10, NUD_INCOMPLETE, 0);
	pass(&l, 6 * SECOND);
	assert_string_equal(acts(&l), "FX");
	pass(&l, 21 * SECOND);
	assert_string_equal(acts(&l), "D");
	lab_fini(&l);
}

/* What the kernel talks to is a neighbour, too, and is kept from then on. */
static void test_adopted(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	kernel(&l, MIRROR_NEW, 3, NUD_INCOMPLETE, 0, false);
	assert_string_equal(acts(&l), "");
	kernel(&l, MIRROR_NEW, 3, NUD_REACHABLE, 8, false);
	assert_string_equal(acts(&l), "SA");
	kernel(&l, MIRROR_NEW, 4, NUD_PERMANENT, 9, false);
	assert_string_equal(acts(&l), "S"); /* an operator's: left as it is */
	kernel(&l, MIRROR_NEW, 5, NUD_NOARP, 9, false);
	assert_string_equal(acts(&l), "");
	lab_fini(&l);
}

/* Before 5.16 an entry cannot be managed: it is asked for again and again. */
static void test_old_kernel(void **state)
{
	struct lab l;
	u32 n = 0;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	answered(&l, 1, 0);
	kernel(&l, MIRROR_NEW, 1, NUD_REACHABLE, 5, false);
	acts(&l);
	for (u32 i = 0; i < 150; i++) {
		pass(&l, SECOND);
		n += n_acts(&l, NEIGHBOURS_ACT_ASK, 1);
		acts(&l);
		answered(&l, 1, 0);
	}
	assert_in_range(n, 9, 11);
	lab_fini(&l);
}

static void test_moves(void **state)
{
	struct lab l;
	const struct neighbour *e;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	acts(&l);
	kernel_new(&l, 1, NUD_REACHABLE, 6);
	assert_int_equal(l.s.acts[0].mac_before[5], 5);
	assert_int_equal(l.s.acts[0].mac[5], 6);
	assert_string_equal(acts(&l), "MS");
	/* another host takes over, now and then: no duplicate */
	pass(&l, 61 * SECOND);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	pass(&l, 61 * SECOND);
	kernel_new(&l, 1, NUD_REACHABLE, 6);
	assert_string_equal(acts(&l), "MSMS");
	e = neighbours_find(&l.s, (u8)l.port, FIB_IP4, &(struct fib_addr){0, 0x0a000001});
	assert_false(e->duplicate);
	/* two that answer in turn */
	pass(&l, SECOND);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	pass(&l, SECOND);
	kernel_new(&l, 1, NUD_REACHABLE, 6);
	assert_string_equal(acts(&l), "MSM!S");
	assert_true(e->duplicate);
	assert_int_equal(e->moves, 5);
	assert_int_equal(l.s.facts.n_duplicates, 1);
	pass(&l, SECOND);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	assert_string_equal(acts(&l), "MS"); /* said once */
	lab_fini(&l);
}

static void test_dump(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	gateway(&l, 2, true);
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	kernel_new(&l, 2, NUD_REACHABLE, 6);
	acts(&l);
	pass(&l, 10 * SECOND);
	step(&l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_DUMP_BEGIN});
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	step(&l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_DUMP_END, .complete = false});
	assert_string_equal(acts(&l), "");
	step(&l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_DUMP_BEGIN});
	kernel_new(&l, 1, NUD_REACHABLE, 5);
	step(&l, (struct neighbours_evt){.type = NEIGHBOURS_EVT_DUMP_END, .complete = true});
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_ASK, 2), 1); /* what we missed is asked for */
	assert_string_equal(acts(&l), "A");
	lab_fini(&l);
}

static void test_denied(void **state)
{
	struct lab l;
	u32 n = 0;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	gateway(&l, 1, true);
	assert_string_equal(acts(&l), "A");
	for (u32 i = 0; i < 120; i++) {
		answered(&l, 1, i < 60 ? -ENOBUFS : -EPERM);
		pass(&l, SECOND);
		n += n_acts(&l, NEIGHBOURS_ACT_ASK, 1);
		acts(&l);
	}
	assert_in_range(n, 12, 14); /* every 5 s, then every 60 s */
	assert_int_equal(l.s.facts.err, -EPERM);
	lab_fini(&l);
}

/*
 * Somebody walks through a /16, ten thousand addresses a second, and a host is wanted ten times a second: it is asked
 * for within a second, and the kernel is asked for no more than it bears.
 */
static void test_scan(void **state)
{
	struct lab l;
	u32 n = 0, host_at = 0;

	(void)state;
	lab_init(&l, NULL);
	link_set(&l, IFINDEX, true);
	for (u32 i = 0; i < 65000; i++) {
		l.now_ns += SECOND / 10000;
		wanted(&l, 256 + i);
		if (i >= 40000 && i % 1000 == 0)
			wanted(&l, 9);
		if (!host_at && n_acts(&l, NEIGHBOURS_ACT_ASK, 9))
			host_at = i;
		for (u32 k = 0; k < l.s.n_acts; k++) {
			n += l.s.acts[k].type == NEIGHBOURS_ACT_ASK;
			if (l.s.acts[k].type == NEIGHBOURS_ACT_ASK)
				answered(&l, (u32)(l.s.acts[k].addr.lo - ip4(0).lo), 0);
		}
		neighbours_acts_clear(&l.s);
		if (i % 100 == 0)
			pass(&l, 0);
		assert_true(l.s.facts.n_pending <= l.s.cfg.max_pending);
	}
	print_message("scan: %u asked, the host after %u ms\n", n, (host_at - 40000) / 10);
	assert_true(host_at >= 40000 && host_at <= 50000);
	assert_in_range(n, 100, 6 * 256 + 256);
	assert_true(l.s.facts.n_suppressed > 60000);
	lab_fini(&l);
}

static void few_hosts(struct neighbours_cfg *cfg)
{
	cfg->max_hosts = 10;
	cfg->max_in_flight = 4;
}

static void test_bounds(void **state)
{
	struct lab l;

	(void)state;
	lab_init(&l, few_hosts);
	link_set(&l, IFINDEX, true);
	for (u32 i = 0; i < 20; i++)
		kernel(&l, MIRROR_NEW, 100 + i, NUD_REACHABLE, 1 + i, false);
	assert_int_equal(l.s.facts.n_hosts, 10);
	assert_int_equal(l.s.facts.n_refused, 10);
	assert_int_equal(l.s.facts.n_in_flight, 4);
	gateway(&l, 1, true); /* gateways are always kept, and asked for when there is room */
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_ASK, 1), 0);
	for (u32 i = 0; i < 4; i++)
		answered(&l, 100 + i, 0);
	for (u32 i = 0; i < 10 && !n_acts(&l, NEIGHBOURS_ACT_ASK, 1); i++) {
		for (u32 k = 0; k < 10; k++)
			answered(&l, 100 + k, 0);
		pass(&l, SECOND / 50);
	}
	assert_int_equal(n_acts(&l, NEIGHBOURS_ACT_ASK, 1), 1);
	lab_fini(&l);
}

static void test_port_places(void **state)
{
	struct lab l;
	char name[16];

	(void)state;
	lab_init(&l, NULL);
	gateway(&l, 1, true);
	for (u32 i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		assert_true(neighbours_port(&l.s, name) >= 0);
	}
	assert_int_equal(neighbours_port(&l.s, "lan"), l.port); /* somebody is there */
	l.s.ports[neighbours_port(&l.s, "kept")].kept = true;
	assert_int_not_equal(neighbours_port(&l.s, "one"), neighbours_port(&l.s, "kept"));
	assert_string_equal(l.s.ports[neighbours_port(&l.s, "kept")].name, "kept");
	assert_true(l.s.ports[neighbours_port(&l.s, "kept")].kept);
	lab_fini(&l);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------ */

#define N_ADDRS 24

struct rng {
	u64 state;
};

static u32 rng_below(struct rng *r, u32 n)
{
	u64 z = r->state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return ((z ^ z >> 31) >> 32) * n >> 32;
}

struct chaos {
	struct lab l;
	struct rng rng;
	u8 table[N_ADDRS]; /* what the tables were told: a MAC's last byte, 0 = nothing, 255 = failed */
	u8 in_kernel[N_ADDRS];
	bool kernel_managed[N_ADDRS], gateway[N_ADDRS], forgotten[N_ADDRS];
	bool up;
	u32 in_flight;
};

static void chaos_act(struct chaos *c, const struct neighbours_act *a)
{
	u32 i = (u32)(a->addr.lo - ip4(0).lo);

	assert_true(i < N_ADDRS);
	switch (a->type) {
	case NEIGHBOURS_ACT_SET:
		assert_true(c->up);
		c->table[i] = a->failed ? 255 : a->mac[5];
		assert_int_not_equal(c->table[i], 0);
		break;
	case NEIGHBOURS_ACT_DEL:
		assert_int_not_equal(c->table[i], 0);
		c->table[i] = 0;
		break;
	case NEIGHBOURS_ACT_ASK:
		assert_true(c->up);
		c->in_flight++;
		c->kernel_managed[i] = true;
		break;
	case NEIGHBOURS_ACT_FORGET:
		c->kernel_managed[i] = false;
		c->forgotten[i] = true;
		break;
	default:
		break;
	}
}

static void chaos_take(struct chaos *c)
{
	u32 n_hosts = 0, n_gateways = 0, n_pending = 0, n_due = 0;

	for (u32 i = 0; i < c->l.s.n_acts; i++)
		chaos_act(c, &c->l.s.acts[i]);
	neighbours_acts_clear(&c->l.s);
	for (u32 i = 0; i < N_ADDRS; i++) {
		if (!c->forgotten[i])
			continue;
		c->forgotten[i] = false;
		c->in_kernel[i] = 0;
		if (c->up)
			kernel_del(&c->l, i);
		i = 0; /* what came of it */
		for (u32 k = 0; k < c->l.s.n_acts; k++)
			chaos_act(c, &c->l.s.acts[k]);
		neighbours_acts_clear(&c->l.s);
	}
	/* The store's own sums are right. */
	for (u32 i = 1; i < c->l.s.n; i++) {
		const struct neighbour *e = neighbours_at(&c->l.s, i);

		if (!e)
			continue;
		n_hosts += e->host;
		n_gateways += e->gateway;
		n_pending += e->pending;
		n_due += e->due_at != 0;
		assert_true(e->host || e->gateway);
	}
	assert_int_equal(n_hosts, c->l.s.facts.n_hosts);
	assert_int_equal(n_gateways, c->l.s.facts.n_gateways);
	assert_int_equal(n_pending, c->l.s.facts.n_pending);
	assert_int_equal(n_due, c->l.s.n_due);
}

static void chaos_step(struct chaos *c)
{
	static const u16 states[] = {NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE};
	u32 a = rng_below(&c->rng, N_ADDRS);

	switch (rng_below(&c->rng, 12)) {
	case 0:
		c->gateway[a] = rng_below(&c->rng, 2);
		gateway(&c->l, a, c->gateway[a]);
		break;
	case 1:
		wanted(&c->l, a);
		break;
	case 2:
		if (!c->up)
			break;
		kernel(&c->l, MIRROR_NEW, a, NUD_FAILED, 0, c->kernel_managed[a]);
		c->in_kernel[a] = 0;
		break;
	case 3:
		kernel_del(&c->l, a);
		c->in_kernel[a] = 0;
		c->kernel_managed[a] = false;
		break;
	case 4:
		if (rng_below(&c->rng, 10))
			break;
		c->up = !c->up;
		link_set(&c->l, c->up ? IFINDEX : 0, c->up);
		memset(c->in_kernel, 0, sizeof(c->in_kernel));
		memset(c->kernel_managed, 0, sizeof(c->kernel_managed));
		break;
	case 5:
	case 6:
		pass(&c->l, rng_below(&c->rng, 3) ? SECOND / 10 : 4 * SECOND);
		break;
	default:
		if (!c->up)
			break;
		c->in_kernel[a] = 1 + rng_below(&c->rng, 3);
		kernel(&c->l, MIRROR_NEW, a, states[rng_below(&c->rng, 4)], c->in_kernel[a],
		       c->kernel_managed[a]);
	}
	chaos_take(c);
	while (c->in_flight && rng_below(&c->rng, 3)) {
		c->in_flight--;
		answered(&c->l, rng_below(&c->rng, N_ADDRS), 0);
		chaos_take(c);
	}
}

/* Left alone, the tables have what the kernel has, and every gateway is kept by the kernel. */
static void chaos_check(struct chaos *c)
{
	if (!c->up) {
		c->up = true;
		link_set(&c->l, IFINDEX, true);
	}
	for (u32 i = 0; i < 300; i++) {
		while (c->in_flight) {
			c->in_flight--;
			answered(&c->l, 0, 0);
		}
		pass(&c->l, SECOND / 10);
		chaos_take(c);
		for (u32 a = 0; a < N_ADDRS; a++)
			if (c->in_kernel[a])
				kernel(&c->l, MIRROR_NEW, a, NUD_REACHABLE, c->in_kernel[a],
				       c->kernel_managed[a]);
		chaos_take(c);
	}
	for (u32 a = 0; a < N_ADDRS; a++) {
		if (c->in_kernel[a]) {
			assert_int_equal(c->table[a], c->in_kernel[a]);
			assert_true(c->kernel_managed[a]);
		} else {
			assert_true(c->table[a] == 0 || c->table[a] == 255);
		}
		if (c->gateway[a])
			assert_true(c->kernel_managed[a]);
	}
}

static void test_chaos(void **state)
{
	const char *text = getenv("NEIGHBOURS_SEED");
	u64 seed = text ? strtoull(text, NULL, 0) : 1;
	static struct chaos c;

	(void)state;
	print_message("seeds %llu … (NEIGHBOURS_SEED)\n", (unsigned long long)seed);
	for (u64 i = 0; i < 40; i++) {
		c = (struct chaos){.rng = {seed + i}};
		lab_init(&c.l, NULL);
		for (u32 k = 0; k < 3000; k++)
			chaos_step(&c);
		chaos_check(&c);
		lab_fini(&c.l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),	    cmocka_unit_test(test_gateway_unused),
		cmocka_unit_test(test_ready),	    cmocka_unit_test(test_failed_gateway),
		cmocka_unit_test(test_lost),	    cmocka_unit_test(test_link),
		cmocka_unit_test(test_host),	    cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_old_kernel),  cmocka_unit_test(test_moves),
		cmocka_unit_test(test_dump),	    cmocka_unit_test(test_denied),
		cmocka_unit_test(test_scan),	    cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_port_places), cmocka_unit_test(test_chaos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
