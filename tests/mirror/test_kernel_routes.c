/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kernel_routes.c - random histories against a model of the kernel that keeps its routes the kernel's way: IPv4
 * ones in a list by metric, IPv6 ones each with one path, joined only when they are told. The model says what the kernel
 * would say (and keeps silent where it would), and what its answer for every prefix is; the store's answers, gathered
 * from its batches, must be the same, after lost messages and a dump too.
 */
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/kernel_routes.h"

#define N_PREFIXES                                                                                 \
	12 /* half of them IPv6, the last of which covers the others and is read after them */
#define N_LINKS	   3 /* 1 and 2 are twins of p1 and p2 */
#define MAX_ROUTES 256

/* ---- the model ------------------------------------------------------------------------------------------------ */

struct model_route {
	u32 prefix, metric;
	u8 type, protocol;
	u8 hidden; /* IPv4: what makes it another route and isn't told, as the weight of its single path */
	u32 n_paths; /* IPv6: 1 or 0 */
	struct mirror_path paths[3];
};

struct model {
	struct model_route r[MAX_ROUTES];
	u32 n;
	bool up[N_LINKS + 1], carrier[N_LINKS + 1];
	struct kernel_routes *kr;
	bool lossy;   /* notifications are lost at random */
	u64 version6; /* of the IPv6 tables */
	bool unclear; /* several that look the same: which of them has gone was not told */
	u64 rng;
};

static u32 below(struct model *m, u32 n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (u32)((m->rng >> 11) % n);
}

static struct fib_prefix prefix_of(u32 i)
{
	struct fib_prefix p = {.family = i % 2 ? FIB_IP6 : FIB_IP4};

	p.len = p.family == FIB_IP4 ? 24 : 48;
	if (p.family == FIB_IP4)
		p.addr.lo = 0x14000000u + (i << 8);
	else
		p.addr.hi = 0x20010db900000000ull + ((u64)i << 16);
	if (i == N_PREFIXES - 1) {
		p.addr.hi = 0x20010db900000000ull;
		p.len = 44;
	}
	return p;
}

static u32 prefix_index(const struct fib_prefix *p)
{
	if (p->family == FIB_IP4)
		return (p->addr.lo >> 8) & 0xff;
	return p->len == 44 ? N_PREFIXES - 1 : (p->addr.hi >> 16) & 0xff;
}

static bool six(const struct model_route *r)
{
	return r->prefix % 2;
}

static bool joinable(const struct model_route *r)
{
	return six(r) && r->type == RTN_UNICAST && r->paths[0].family;
}

static bool same_place(const struct model_route *a, const struct model_route *b)
{
	return a->prefix == b->prefix && a->metric == b->metric;
}

static bool same_paths(const struct model_route *a, const struct model_route *b)
{
	if (a->n_paths != b->n_paths || a->hidden != b->hidden)
		return false;
	for (u32 i = 0; i < a->n_paths; i++)
		if (a->paths[i].gateway.lo != b->paths[i].gateway.lo ||
		    a->paths[i].ifindex != b->paths[i].ifindex ||
		    a->paths[i].weight != b->paths[i].weight)
			return false;
	return true;
}

/* The message of a route: an IPv6 one has the paths of all that are joined with it, itself first. */
static void message_of(const struct model *m, const struct model_route *r, struct mirror_route *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->table = RT_TABLE_MAIN;
	ret->metric = r->metric;
	ret->prefix = prefix_of(r->prefix);
	ret->type = r->type;
	ret->protocol = r->protocol;
	ret->n_paths = r->n_paths;
	memcpy(ret->paths, r->paths, sizeof(r->paths));
	if (!joinable(r))
		return;
	for (u32 i = 0; i < m->n; i++)
		if (&m->r[i] != r && joinable(&m->r[i]) && same_place(&m->r[i], r))
			ret->paths[ret->n_paths++] = m->r[i].paths[0];
}

static void tell(struct model *m, enum mirror_verb verb, u16 flags, const struct model_route *r)
{
	struct mirror_route msg;

	m->version6 += six(r);
	message_of(m, r, &msg);
	if (verb == MIRROR_DEL && joinable(r)) { /* told when it has left the others */
		msg.n_paths = 1;
		msg.paths[0] = r->paths[0];
	}
	if (m->lossy && below(m, 3) == 0)
		return;
	assert_int_equal(kernel_routes_route(m->kr, verb, flags, &msg), 0);
}

static void insert(struct model *m, u32 at, const struct model_route *r)
{
	memmove(&m->r[at + 1], &m->r[at], (m->n - at) * sizeof(*r));
	m->r[at] = *r;
	m->n++;
}

static void erase(struct model *m, u32 at)
{
	m->n--;
	memmove(&m->r[at], &m->r[at + 1], (m->n - at) * sizeof(*m->r));
}

/* First of the same prefix and metric, or where it would stand; *ret_end: behind the last. */
static u32 place(const struct model *m, const struct model_route *r, u32 *ret_end)
{
	u32 i = 0;

	while (i < m->n && (m->r[i].prefix < r->prefix ||
			    (m->r[i].prefix == r->prefix && m->r[i].metric < r->metric)))
		i++;
	*ret_end = i;
	while (*ret_end < m->n && same_place(&m->r[*ret_end], r))
		++*ret_end;
	return i;
}

static void model_add4(struct model *m, u16 verb, const struct model_route *r)
{
	u32 end, at = place(m, r, &end);
	bool there = at < end;

	for (u32 i = at; i < end; i++)
		if (m->r[i].type == r->type && m->r[i].protocol == r->protocol &&
		    same_paths(&m->r[i], r))
			return;
	if (verb == NLM_F_EXCL && there)
		return;
	if (verb == NLM_F_REPLACE && there) {
		m->r[at] = *r;
		tell(m, MIRROR_NEW, NLM_F_REPLACE, r);
		return;
	}
	at = verb == NLM_F_APPEND ? end : at;
	insert(m, at, r);
	tell(m, MIRROR_NEW,
	     (u16)(NLM_F_CREATE | (there ? 0 : NLM_F_EXCL) | (verb == NLM_F_APPEND ? verb : 0)), r);
}

static void model_replace6(struct model *m, u32 at, u32 end, const struct model_route *r)
{
	u32 old = at;

	while (old < end && joinable(&m->r[old]) != joinable(r))
		old++;
	if (old == end)
		old = at;
	m->r[old] = *r;
	for (u32 i = end; i > at; i--)
		if (joinable(r) && i - 1 != old && joinable(&m->r[i - 1])) {
			erase(m, i - 1);
			old -= i - 1 < old;
		}
	tell(m, MIRROR_NEW, NLM_F_REPLACE, &m->r[old]);
}

static void model_add6(struct model *m, u16 verb, const struct model_route *r)
{
	u32 end, at = place(m, r, &end);
	bool there = at < end;

	if (verb == NLM_F_REPLACE && there) {
		model_replace6(m, at, end, r);
		return;
	}
	if (verb == NLM_F_EXCL && there)
		return;
	for (u32 i = at; i < end; i++)
		if (m->r[i].type == r->type &&
		    m->r[i].paths[0].gateway.lo == r->paths[0].gateway.lo &&
		    m->r[i].paths[0].ifindex == r->paths[0].ifindex)
			return;
	insert(m, end, r);
	tell(m, MIRROR_NEW, (u16)(NLM_F_CREATE | (there ? 0 : NLM_F_EXCL)), &m->r[end]);
}

static bool looks_same(const struct model_route *a, const struct model_route *b)
{
	struct model_route x = *a;

	x.hidden = b->hidden;
	return same_place(a, b) && a->type == b->type && a->protocol == b->protocol &&
	       same_paths(&x, b);
}

static bool looks_like_another(const struct model *m, u32 at)
{
	for (u32 i = 0; i < m->n; i++)
		if (i != at && looks_same(&m->r[i], &m->r[at]))
			return true;
	return false;
}

static void model_del(struct model *m, u32 at)
{
	struct model_route r = m->r[at];

	m->unclear = m->unclear || looks_like_another(m, at);
	erase(m, at);
	tell(m, MIRROR_DEL, 0, &r);
}

static struct mirror_path random_path(struct model *m, bool v6, bool weighted)
{
	struct mirror_path p = {.ifindex = 1 + below(m, N_LINKS),
				.weight = weighted ? 1 + below(m, 4) : 1,
				.family = v6 ? FIB_IP6 : FIB_IP4};

	while (!m->up[p.ifindex] && below(m, 8)) /* the kernel refuses links that are down */
		p.ifindex = 1 + below(m, N_LINKS);
	p.gateway.lo = 0x0a000000u + (p.ifindex << 8) + 2 + below(m, 3);
	return p;
}

/* One more of a place, which differs from one that is there in what isn't told, or in the order of its paths. */
static void random_like(struct model *m, u16 verb)
{
	struct model_route r = m->r[below(m, m->n)];

	if (six(&r) || m->n + 1 == MAX_ROUTES)
		return;
	for (u32 i = 0; i < r.n_paths; i++)
		if (!m->up[r.paths[i].ifindex])
			return;
	r.hidden ^= (u8)below(m, 2);
	if (r.n_paths > 1) {
		struct mirror_path first = r.paths[0];

		r.paths[0] = r.paths[r.n_paths - 1];
		r.paths[r.n_paths - 1] = first;
	}
	model_add4(m, verb, &r);
}

static void random_add(struct model *m)
{
	static const u16 verbs[] = {NLM_F_EXCL, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE};
	static const u8 types[] = {RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW};
	struct model_route r = {.prefix = below(m, N_PREFIXES),
				.metric = below(m, 3) * 10,
				.type = below(m, 5) ? RTN_UNICAST : types[below(m, 4)],
				.protocol = RTPROT_BIRD + below(m, 2)};

	if (m->n + 1 == MAX_ROUTES)
		return;
	if (m->n && below(m, 8) == 0) {
		random_like(m, verbs[1 + below(m, 2)]);
		return;
	}
	r.hidden = six(&r) ? 0 : (u8)below(m, 2);
	if (r.type == RTN_UNICAST)
		r.n_paths = six(&r) || below(m, 2) ? 1 : 2 + below(m, 2);
	else if (six(&r))
		r.metric = 30; /* apart from those that are joined: see dump_all() */
	for (u32 i = 0; i < r.n_paths; i++) {
		r.paths[i] = random_path(m, six(&r), r.n_paths > 1);
		if (!m->up[r.paths[i].ifindex])
			return;
	}
	if (six(&r))
		model_add6(m, verbs[below(m, 4)], &r);
	else
		model_add4(m, verbs[below(m, 4)], &r);
}

/* ---- links ------------------------------------------------------------------------------------------------------ */

static void link_tell(struct model *m, u32 i)
{
	struct mirror_link l = {.ifindex = i,
				.flags = (m->up[i] ? IFF_UP : 0) |
					 (m->up[i] && m->carrier[i] ? IFF_LOWER_UP | IFF_RUNNING
								    : 0),
				.port = i == 1	 ? "p1"
					: i == 2 ? "p2"
						 : NULL};

	assert_int_equal(kernel_routes_link(m->kr, MIRROR_NEW, &l), 0);
}

/* IPv4 routes without any other path go without a word, IPv6 ones with one. */
static void link_routes_drop(struct model *m)
{
	for (u32 i = m->n; i > 0; i--) {
		struct model_route r = m->r[i - 1];
		u32 dead = 0;

		for (u32 k = 0; k < r.n_paths; k++)
			dead += !m->up[r.paths[k].ifindex];
		if (!dead || dead < r.n_paths)
			continue;
		if (joinable(&r)) { /* as long as one that is joined lives, it stays */
			struct mirror_route all;
			u32 lost = 0;

			message_of(m, &m->r[i - 1], &all);
			for (u32 k = 0; k < all.n_paths; k++)
				lost += !m->up[all.paths[k].ifindex];
			if (lost < all.n_paths)
				continue;
		}
		erase(m, i - 1);
		if (six(&r))
			tell(m, MIRROR_DEL, 0, &r);
		i = m->n + 1; /* others were joined with it */
	}
}

static void random_link(struct model *m)
{
	u32 i = 1 + below(m, N_LINKS);

	if (below(m, 2))
		m->up[i] = !m->up[i];
	else
		m->carrier[i] = !m->carrier[i];
	link_tell(m, i);
	link_routes_drop(m);
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

struct answer {
	bool there;
	u8 type, protocol;
	u32 n_paths;
	u64 sum; /* of paths, whatever their order */
};

static struct answer given[N_PREFIXES];

static bool live(const struct model *m, const struct mirror_path *p)
{
	return m->up[p->ifindex] && m->carrier[p->ifindex];
}

static struct answer expected(const struct model *m, u32 prefix)
{
	struct answer a = {0};

	for (u32 i = 0; i < m->n && !a.there; i++) {
		struct mirror_route msg;

		if (m->r[i].prefix != prefix)
			continue;
		message_of(m, &m->r[i], &msg);
		a.protocol = msg.protocol;
		a.type = msg.type == RTN_BLACKHOLE  ? ROUTE_BLACKHOLE
			 : msg.type == RTN_PROHIBIT ? ROUTE_PROHIBIT
						    : ROUTE_UNREACHABLE;
		a.there = msg.type != RTN_UNICAST;
		for (u32 k = 0; k < msg.n_paths; k++) {
			const struct mirror_path *p = &msg.paths[k];

			if (!live(m, p))
				continue;
			a.there = true;
			if (p->ifindex > 2)
				continue;
			a.type = ROUTE_UNICAST;
			a.n_paths++;
			a.sum += p->gateway.lo * 31 * (p->weight + 7) * p->ifindex;
		}
	}
	return a;
}

static void take_all(struct model *m)
{
	struct kernel_batch b;

	do {
		assert_int_equal(kernel_routes_take(m->kr, 1 + below(m, 8), &b), 0);
		for (u32 i = 0; i < b.n; i++) {
			const struct kernel_change *c = &b.changes[i];
			u32 prefix = prefix_index(&c->prefix);
			struct answer *a = &given[prefix];

			*a = (struct answer){!c->del, c->del ? 0 : c->type, c->protocol, c->n_paths,
					     0};
			for (u32 k = 0; k < c->n_paths; k++) {
				const struct path_cfg *p = &b.paths[c->first_path + k];
				u32 ifindex = (u32)(b.ports[p->port_idx][1] - '0');

				a->sum += p->gateway.addr.lo * 31 * (p->weight + 7) * ifindex;
			}
		}
		kernel_batch_fini(&b);
	} while (kernel_routes_dirty(m->kr));
}

/* A dump of IPv6 routes has those that are joined once. */
static bool dumped_before(const struct model *m, u32 at)
{
	for (u32 i = 0; i < at; i++)
		if (joinable(&m->r[i]) && joinable(&m->r[at]) && same_place(&m->r[i], &m->r[at]))
			return true;
	return false;
}

static u64 dump_all(struct model *m)
{
	u64 n = 0;

	for (u8 family = FIB_IP4; family <= FIB_IP6; family += 2) {
		struct kernel_dump_result r;

		kernel_routes_dump_begin(m->kr, family);
		for (u32 i = 0; i < m->n; i++) {
			struct mirror_route msg;

			if (six(&m->r[i]) != (family == FIB_IP6) || dumped_before(m, i))
				continue;
			message_of(m, &m->r[i], &msg);
			kernel_routes_dump_part(m->kr);
			assert_int_equal(kernel_routes_dump_route(m->kr, &msg), 0);
		}
		assert_int_equal(kernel_routes_dump_end(m->kr, true, &r), 0);
		assert_false(r.again);
		n += r.n_changed + r.n_gone;
	}
	return n;
}

/* What the store can't know it asks for: it counts a loss, and a comparison repairs. */
static void unclear_dump(struct model *m, u64 losses)
{
	if (!m->unclear)
		return;
	if (dump_all(m))
		assert_int_not_equal(kernel_routes_losses(m->kr), losses);
	m->unclear = false;
}

static void compare(struct model *m, u64 seed, u32 step)
{
	take_all(m);
	for (u32 i = 0; i < N_PREFIXES; i++) {
		struct answer e = expected(m, i), *g = &given[i];
		/* IPv6 routes that were joined are one: whose protocol it shows is of no account */
		bool protocol = i % 2 || !e.there || e.protocol == g->protocol;

		if (e.there == g->there &&
		    (!e.there ||
		     (e.type == g->type && protocol && e.n_paths == g->n_paths && e.sum == g->sum)))
			continue;
		fail_msg("seed %llu step %u prefix %u: expected %d type %u paths %u, got %d type "
			 "%u "
			 "paths %u",
			 (unsigned long long)seed, step, i, e.there, e.type, e.n_paths, g->there,
			 g->type, g->n_paths);
	}
}

static void history_run(u64 seed, bool lossy)
{
	struct model m = {.rng = seed * 0x9e3779b97f4a7c15ull + 1};

	memset(given, 0, sizeof(given));
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	for (u32 i = 1; i <= N_LINKS; i++) {
		m.up[i] = m.carrier[i] = true;
		link_tell(&m, i);
	}
	for (u32 step = 0; step < 400; step++) {
		u32 what = below(&m, 100);
		u64 losses = kernel_routes_losses(m.kr);

		m.lossy = lossy;
		if (what < 55)
			random_add(&m);
		else if (what < 95 && m.n)
			model_del(&m, below(&m, m.n));
		else if (!lossy)
			random_link(&m);
		m.lossy = false;
		if (!lossy)
			unclear_dump(&m, losses);
		if (lossy && step % 20 == 19)
			dump_all(&m);
		if (!lossy || step % 20 == 19)
			compare(&m, seed, step);
	}
	if (!lossy)
		assert_int_equal(dump_all(&m), 0); /* nothing that a comparison has to say */
	compare(&m, seed, 1000);
	kernel_routes_free(m.kr);
}

/* ---- a dump in parts, while routes change ---------------------------------------------------------------------------- */

struct reader {
	u8 family;
	u32 at;	     /* IPv4: the prefix to go on from; IPv6: how many are through */
	u32 in_node; /* how many of its routes are through */
	u64 version; /* of the IPv6 tables when the part before was read */
	bool done;
};

/* Return: the prefix that is read next, or N_PREFIXES. */
static u32 node_find(const struct model *m, const struct reader *r)
{
	u32 prefix = N_PREFIXES, n = 0;

	for (u32 i = 0; i < m->n; i++) {
		if (six(&m->r[i]) != (r->family == FIB_IP6) || m->r[i].prefix == prefix)
			continue;
		prefix = m->r[i].prefix;
		if (r->family == FIB_IP6 ? n == r->at : prefix >= r->at)
			return prefix;
		n++;
	}
	return N_PREFIXES;
}

/* Return: the n-th route of a prefix, those that are joined once; MAX_ROUTES: it has no more. */
static u32 route_of(const struct model *m, u32 prefix, u32 n)
{
	for (u32 i = 0; i < m->n; i++)
		if (m->r[i].prefix == prefix && !dumped_before(m, i) && n-- == 0)
			return i;
	return MAX_ROUTES;
}

/* As fib6_dump_table() and fn_trie_dump_leaf() find back to where they were. */
static u32 part_read(const struct model *m, struct reader *r, u32 max, struct mirror_route *ret)
{
	u32 n = 0;

	if (r->family == FIB_IP6 && r->version != m->version6)
		r->in_node = 0;
	r->version = m->version6;
	while (n < max && !r->done) {
		u32 prefix = node_find(m, r), route = route_of(m, prefix, r->in_node);

		if (route < MAX_ROUTES) {
			message_of(m, &m->r[route], &ret[n++]);
			r->in_node++;
			continue;
		}
		r->done = prefix == N_PREFIXES;
		r->at = r->family == FIB_IP6 ? r->at + 1 : prefix + 1;
		r->in_node = 0;
	}
	return n;
}

static void some_changes(struct model *m)
{
	for (u32 i = below(m, 3); i > 0; i--) {
		if (below(m, 2))
			random_add(m);
		else if (m->n)
			model_del(m, below(m, m->n));
	}
}

/* A part is read, and then queued: what is told between is before it in the queue. */
static u64 dump_changing(struct model *m, u8 family)
{
	struct reader r = {.family = family, .version = m->version6};
	static struct mirror_route part[4];
	struct kernel_dump_result result;

	kernel_routes_dump_begin(m->kr, family);
	while (!r.done) {
		u32 n = part_read(m, &r, 1 + below(m, 4), part);

		some_changes(m);
		kernel_routes_dump_part(m->kr);
		for (u32 i = 0; i < n; i++)
			assert_int_equal(kernel_routes_dump_route(m->kr, &part[i]), 0);
		some_changes(m);
	}
	assert_int_equal(kernel_routes_dump_end(m->kr, true, &result), 0);
	return result.n_changed + result.n_gone;
}

static void history_dumped(u64 seed)
{
	struct model m = {.rng = seed * 0x9e3779b97f4a7c15ull + 1};

	memset(given, 0, sizeof(given));
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	for (u32 i = 1; i <= N_LINKS; i++) {
		m.up[i] = m.carrier[i] = true;
		link_tell(&m, i);
	}
	for (u32 step = 0; step < 60; step++) {
		u64 found;

		m.unclear = false;
		some_changes(&m);
		found = dump_changing(&m, step % 2 ? FIB_IP4 : FIB_IP6);
		kernel_routes_dump_settled(m.kr);
		if (found && !m.unclear)
			fail_msg("seed %llu step %u: found what was told", (unsigned long long)seed,
				 step);
		if (m.unclear)
			dump_all(&m);
		compare(&m, seed, step);
	}
	kernel_routes_free(m.kr);
}

static u64 seed_first(void)
{
	const char *text = getenv("DWCP_TEST_SEED");

	return text ? strtoull(text, NULL, 0) : (u64)time(NULL);
}

static void test_followed(void **state)
{
	u64 seed = seed_first();

	(void)state;
	print_message("DWCP_TEST_SEED=%llu\n", (unsigned long long)seed);
	for (u32 i = 0; i < 300; i++)
		history_run(seed + i, false);
}

static void test_dumped_while_changing(void **state)
{
	u64 seed = seed_first();

	(void)state;
	for (u32 i = 0; i < 300; i++)
		history_dumped(seed + i);
}

static void test_lost_and_dumped(void **state)
{
	u64 seed = seed_first();

	(void)state;
	for (u32 i = 0; i < 300; i++)
		history_run(seed + i, true);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void route4(struct kernel_routes *kr, enum mirror_verb verb, u16 flags, u32 nexthop, u8 type)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN,
				 .prefix = prefix_of(0),
				 .type = type,
				 .nexthop_id = nexthop};

	assert_int_equal(kernel_routes_route(kr, verb, flags, &r), 0);
}

static struct kernel_change take_one(struct kernel_routes *kr, u32 *ret_n, u32 *ret_weight)
{
	struct kernel_change c = {0};
	struct kernel_batch b;

	assert_int_equal(kernel_routes_take(kr, 10, &b), 0);
	*ret_n = b.n;
	if (b.n)
		c = b.changes[0];
	*ret_weight = c.n_paths ? b.paths[c.first_path].weight : 0;
	kernel_batch_fini(&b);
	return c;
}

static void nexthop(struct kernel_routes *kr, enum mirror_verb verb, u32 id, u32 ifindex,
		    u32 member, u32 weight)
{
	struct mirror_nexthop n = {.id = id};

	n.path = (struct mirror_path){.ifindex = ifindex, .weight = 1, .family = FIB_IP4};
	n.path.gateway.lo = 0x0a000002;
	n.n_members = member ? 1 : 0;
	n.members[0] = (struct mirror_member){member, weight};
	assert_int_equal(kernel_routes_nexthop(kr, verb, &n), 0);
}

/* A group that is replaced changes its routes, and none of them is told again. */
static void test_nexthop_objects(void **state)
{
	struct model m = {0};
	struct kernel_change c;
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = m.up[2] = m.carrier[2] = true;
	link_tell(&m, 1);
	link_tell(&m, 2);
	nexthop(m.kr, MIRROR_NEW, 7, 1, 0, 0);
	nexthop(m.kr, MIRROR_NEW, 9, 0, 7, 3);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 9, RTN_UNICAST);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_int_equal(c.type, ROUTE_UNICAST);
	assert_int_equal(weight, 3);
	nexthop(m.kr, MIRROR_NEW, 9, 0, 7, 5);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_int_equal(weight, 5);
	m.up[1] = false; /* takes the object along, with it its group, with that the route */
	link_tell(&m, 1);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(n, 1);
	assert_true(c.del);
	m.up[1] = true;
	link_tell(&m, 1);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	kernel_routes_free(m.kr);
}

/* A prefix that was told of while the dump's part was read is not judged by it. */
static void test_dump_race(void **state)
{
	struct kernel_dump_result r;
	struct model m = {0};
	struct mirror_route old = {.table = RT_TABLE_MAIN,
				   .prefix = prefix_of(0),
				   .type = RTN_BLACKHOLE};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	route4(m.kr, MIRROR_DEL, 0, 0, RTN_BLACKHOLE);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &old); /* read before it was deleted */
	kernel_routes_dump_end(m.kr, true, &r);
	assert_true(r.again);
	assert_int_equal(r.n_changed, 0);
	assert_true(take_one(m.kr, &n, &weight).del);
	kernel_routes_free(m.kr);
}

/* A difference is repaired and counted; when the kernel tells of it after all, it was late. */
static void test_divergence(void **state)
{
	struct mirror_route now = {.table = RT_TABLE_MAIN,
				   .prefix = prefix_of(0),
				   .type = RTN_PROHIBIT};
	struct kernel_dump_result r;
	struct model m = {0};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &now);
	kernel_routes_dump_end(m.kr, true, &r);
	assert_int_equal(r.n_changed, 1);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 0);
	route4(m.kr, MIRROR_NEW, NLM_F_REPLACE, 0, RTN_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 1);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_end(m.kr, true, &r);
	assert_int_equal(r.n_gone, 1);
	assert_true(take_one(m.kr, &n, &weight).del);
	route4(m.kr, MIRROR_DEL, 0, 0, RTN_PROHIBIT);
	assert_int_equal(kernel_routes_late(m.kr), 2);
	kernel_routes_free(m.kr);
}

static u64 held4(const struct kernel_routes *kr)
{
	struct kernel_facts facts;

	kernel_routes_facts(kr, &facts);
	return facts.tables[1].n_ip4;
}

/* What a dump was faster to find is told once more; later the same means another route that looks like it. */
static void test_dump_was_faster(void **state)
{
	struct mirror_route r = {.table = RT_TABLE_MAIN,
				 .prefix = prefix_of(0),
				 .type = RTN_PROHIBIT};
	struct kernel_dump_result result;
	struct model m = {0};

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	kernel_routes_dump_begin(m.kr, FIB_IP4);
	kernel_routes_dump_part(m.kr);
	kernel_routes_dump_route(m.kr, &r);
	r.prefix = prefix_of(2);
	kernel_routes_dump_route(m.kr, &r);
	kernel_routes_dump_end(m.kr, true, &result);
	assert_int_equal(held4(m.kr), 2);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, 0, RTN_PROHIBIT);
	assert_int_equal(held4(m.kr), 2);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, 0, RTN_PROHIBIT);
	assert_int_equal(held4(m.kr), 3);
	kernel_routes_dump_settled(m.kr);
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_APPEND, &r);
	assert_int_equal(held4(m.kr), 4);
	kernel_routes_free(m.kr);
}

/* Without a twin there is no router: what was given out is taken back. */
static void test_no_twins(void **state)
{
	struct mirror_link gone = {.ifindex = 1};
	struct model m = {0};
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(NULL, 0, &m.kr), 0);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	m.up[1] = m.carrier[1] = true;
	link_tell(&m, 1);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_BLACKHOLE);
	kernel_routes_link(m.kr, MIRROR_DEL, &gone);
	assert_true(take_one(m.kr, &n, &weight).del);
	kernel_routes_free(m.kr);
}

/* The local table's routes win, and tables that serve no VRF are not held. */
static void test_tables(void **state)
{
	static const struct mirror_table_cfg tables[] = {{.table = 100, .vrf = 3},
							 {.table = 254, .vrf = 0}};
	struct mirror_route r = {.table = RT_TABLE_LOCAL,
				 .prefix = prefix_of(0),
				 .type = RTN_LOCAL};
	struct kernel_facts facts;
	struct model m = {0};
	struct kernel_change c;
	u32 n, weight;

	(void)state;
	assert_int_equal(kernel_routes_create(tables, 2, &m.kr), 0);
	m.up[1] = m.carrier[1] = true;
	link_tell(&m, 1);
	route4(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, 0, RTN_BLACKHOLE);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_BLACKHOLE);
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	assert_int_equal(take_one(m.kr, &n, &weight).type, ROUTE_LOCAL);
	r.table = 100;
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	c = take_one(m.kr, &n, &weight);
	assert_int_equal(c.prefix.vrf, 3);
	r.table = 101;
	kernel_routes_route(m.kr, MIRROR_NEW, NLM_F_CREATE | NLM_F_EXCL, &r);
	take_one(m.kr, &n, &weight);
	assert_int_equal(n, 0);
	kernel_routes_facts(m.kr, &facts);
	assert_int_equal(facts.tables[0].n_ip4 + facts.tables[1].n_ip4 + facts.tables[2].n_ip4, 3);
	kernel_routes_free(m.kr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_followed),
		cmocka_unit_test(test_lost_and_dumped),
		cmocka_unit_test(test_dumped_while_changing),
		cmocka_unit_test(test_nexthop_objects),
		cmocka_unit_test(test_dump_race),
		cmocka_unit_test(test_divergence),
		cmocka_unit_test(test_dump_was_faster),
		cmocka_unit_test(test_no_twins),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
