/* SPDX-License-Identifier: BSD-3-Clause */
/* kernel_model.c - what the kernel does with its routes: fib_table_insert(), fib6_add_rt2node(), and when links go. */
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel_model.h"

u32 model_below(struct model *m, u32 n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (u32)((m->rng >> 11) % n);
}

struct fib_prefix model_prefix(u32 i)
{
	struct fib_prefix p = {.family = i % 2 ? FIB_IP6 : FIB_IP4};

	p.len = p.family == FIB_IP4 ? 24 : 48;
	if (p.family == FIB_IP4)
		p.addr.lo = 0x14000000u + (i << 8);
	else
		p.addr.hi = 0x20010db900000000ull + ((u64)i << 16);
	if (i == MODEL_PREFIXES - 1) {
		p.addr.hi = 0x20010db900000000ull;
		p.len = 44;
	}
	return p;
}

u32 model_prefix_index(const struct fib_prefix *p)
{
	if (p->family == FIB_IP4)
		return (p->addr.lo >> 8) & 0xff;
	return p->len == 44 ? MODEL_PREFIXES - 1 : (p->addr.hi >> 16) & 0xff;
}

bool model_six(const struct model_route *r)
{
	return r->prefix % 2;
}

static bool joinable(const struct model_route *r)
{
	return model_six(r) && r->type == RTN_UNICAST && r->paths[0].family;
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

void model_message(const struct model *m, const struct model_route *r, struct mirror_route *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->table = RT_TABLE_MAIN;
	ret->metric = r->metric;
	ret->prefix = model_prefix(r->prefix);
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

	m->version6 += model_six(r);
	model_message(m, r, &msg);
	if (verb == MIRROR_DEL && joinable(r)) { /* told when it has left the others */
		msg.n_paths = 1;
		msg.paths[0] = r->paths[0];
	}
	if (m->lossy && model_below(m, 3) == 0)
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

void model_del(struct model *m, u32 at)
{
	struct model_route r = m->r[at];

	m->unclear = m->unclear || looks_like_another(m, at);
	erase(m, at);
	tell(m, MIRROR_DEL, 0, &r);
}

static struct mirror_path random_path(struct model *m, bool v6, bool weighted)
{
	struct mirror_path p = {.ifindex = 1 + model_below(m, MODEL_LINKS),
				.weight = weighted ? 1 + model_below(m, 4) : 1,
				.family = v6 ? FIB_IP6 : FIB_IP4};

	while (!m->up[p.ifindex] && model_below(m, 8)) /* the kernel refuses links that are down */
		p.ifindex = 1 + model_below(m, MODEL_LINKS);
	p.gateway.lo = 0x0a000000u + (p.ifindex << 8) + 2 + model_below(m, 3);
	return p;
}

/* One more of a place, which differs from one that is there in what isn't told, or in the order of its paths. */
static void random_like(struct model *m, u16 verb)
{
	struct model_route r = m->r[model_below(m, m->n)];

	if (model_six(&r) || m->n + 1 == MODEL_MAX_ROUTES)
		return;
	for (u32 i = 0; i < r.n_paths; i++)
		if (!m->up[r.paths[i].ifindex])
			return;
	r.hidden ^= (u8)model_below(m, 2);
	if (r.n_paths > 1) {
		struct mirror_path first = r.paths[0];

		r.paths[0] = r.paths[r.n_paths - 1];
		r.paths[r.n_paths - 1] = first;
	}
	model_add4(m, verb, &r);
}

void model_add_random(struct model *m)
{
	static const u16 verbs[] = {NLM_F_EXCL, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE};
	static const u8 types[] = {RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW};
	struct model_route r = {.prefix = model_below(m, MODEL_PREFIXES),
				.metric = model_below(m, 3) * 10,
				.type = model_below(m, 5) ? RTN_UNICAST : types[model_below(m, 4)],
				.protocol = RTPROT_BIRD + model_below(m, 2)};

	if (m->n + 1 == MODEL_MAX_ROUTES)
		return;
	if (m->n && model_below(m, 8) == 0) {
		random_like(m, verbs[1 + model_below(m, 2)]);
		return;
	}
	r.hidden = model_six(&r) ? 0 : (u8)model_below(m, 2);
	if (r.type == RTN_UNICAST)
		r.n_paths = model_six(&r) || model_below(m, 2) ? 1 : 2 + model_below(m, 2);
	else if (model_six(&r))
		r.metric = 30; /* apart from those that are joined: see dump_all() */
	for (u32 i = 0; i < r.n_paths; i++) {
		r.paths[i] = random_path(m, model_six(&r), r.n_paths > 1);
		if (!m->up[r.paths[i].ifindex])
			return;
	}
	if (model_six(&r))
		model_add6(m, verbs[model_below(m, 4)], &r);
	else
		model_add4(m, verbs[model_below(m, 4)], &r);
}

/* ---- links ------------------------------------------------------------------------------------------------------ */

void model_link_tell(struct model *m, u32 i)
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

			model_message(m, &m->r[i - 1], &all);
			for (u32 k = 0; k < all.n_paths; k++)
				lost += !m->up[all.paths[k].ifindex];
			if (lost < all.n_paths)
				continue;
		}
		erase(m, i - 1);
		if (model_six(&r))
			tell(m, MIRROR_DEL, 0, &r);
		i = m->n + 1; /* others were joined with it */
	}
}

void model_link_random(struct model *m)
{
	u32 i = 1 + model_below(m, MODEL_LINKS);

	if (model_below(m, 2))
		m->up[i] = !m->up[i];
	else
		m->carrier[i] = !m->carrier[i];
	model_link_tell(m, i);
	link_routes_drop(m);
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static bool live(const struct model *m, const struct mirror_path *p)
{
	return m->up[p->ifindex] && m->carrier[p->ifindex];
}

struct model_answer model_expected(const struct model *m, u32 prefix)
{
	struct model_answer a = {0};

	for (u32 i = 0; i < m->n && !a.there; i++) {
		struct mirror_route msg;

		if (m->r[i].prefix != prefix)
			continue;
		model_message(m, &m->r[i], &msg);
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

/* ---- reading ------------------------------------------------------------------------------------------------------ */

bool model_dumped_before(const struct model *m, u32 at)
{
	for (u32 i = 0; i < at; i++)
		if (joinable(&m->r[i]) && joinable(&m->r[at]) && same_place(&m->r[i], &m->r[at]))
			return true;
	return false;
}

/* Return: the prefix that is read next, or MODEL_PREFIXES. */
static u32 node_find(const struct model *m, const struct model_reader *r)
{
	u32 prefix = MODEL_PREFIXES, n = 0;

	for (u32 i = 0; i < m->n; i++) {
		if (model_six(&m->r[i]) != (r->family == FIB_IP6) || m->r[i].prefix == prefix)
			continue;
		prefix = m->r[i].prefix;
		if (r->family == FIB_IP6 ? n == r->at : prefix >= r->at)
			return prefix;
		n++;
	}
	return MODEL_PREFIXES;
}

/* Return: the n-th route of a prefix, those that are joined once; MODEL_MAX_ROUTES: it has no more. */
static u32 route_of(const struct model *m, u32 prefix, u32 n)
{
	for (u32 i = 0; i < m->n; i++)
		if (m->r[i].prefix == prefix && !model_dumped_before(m, i) && n-- == 0)
			return i;
	return MODEL_MAX_ROUTES;
}

u32 model_part_read(const struct model *m, struct model_reader *r, u32 max,
		    struct mirror_route *ret)
{
	u32 n = 0;

	if (r->family == FIB_IP6 && r->version != m->version6)
		r->in_node = 0;
	r->version = m->version6;
	while (n < max && !r->done) {
		u32 prefix = node_find(m, r), route = route_of(m, prefix, r->in_node);

		if (route < MODEL_MAX_ROUTES) {
			model_message(m, &m->r[route], &ret[n++]);
			r->in_node++;
			continue;
		}
		r->done = prefix == MODEL_PREFIXES;
		r->at = r->family == FIB_IP6 ? r->at + 1 : prefix + 1;
		r->in_node = 0;
	}
	return n;
}
