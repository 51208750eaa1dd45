/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_routes.c - prefixes and their variants, kept in the kernel's order by the kernel's rules of adding, replacing
 * and deleting. Those of the two families differ: an IPv4 prefix has any number of routes of one metric, of which the
 * first counts; the IPv6 routes of one metric that have a gateway are the paths of one route.
 */
#include "kernel_private.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------------------ */

int kernel_list_grow(void **list, u32 n, u32 *cap, u32 bytes)
{
	u32 more = *cap ? *cap * 2 : 16;
	void *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*list, (size_t)more * bytes);
	if (!grown)
		return -ENOMEM;
	*list = grown;
	*cap = more;
	return 0;
}

u32 kernel_pool_grow(struct kernel_pool *p, u32 bytes)
{
	if (!p->n)
		p->n = 1;
	if (kernel_list_grow(&p->e, p->n, &p->cap, bytes) < 0)
		return 0;
	return p->n++;
}

static u64 prefix_hash(const struct fib_prefix *p)
{
	return kernel_mix(p->addr.lo ^
			  kernel_mix(p->addr.hi + ((u64)p->vrf << 16 | p->family << 8 | p->len)));
}

static bool prefix_same(const struct fib_prefix *a, const struct fib_prefix *b)
{
	return a->addr.lo == b->addr.lo && a->addr.hi == b->addr.hi && a->vrf == b->vrf &&
	       a->family == b->family && a->len == b->len;
}

/* ---- entries ----------------------------------------------------------------------------------------------- */

u32 kernel_entry_find(const struct kernel_routes *kr, const struct fib_prefix *p)
{
	u32 i = kr->entry_index[prefix_hash(p) & kr->entry_mask];

	while (i && !prefix_same(&kr->entries[i].prefix, p))
		i = kr->entries[i].chain;
	return i;
}

static int entry_index_grow(struct kernel_routes *kr)
{
	u32 mask = kr->entry_mask * 2 + 1;
	u32 *index = calloc((size_t)mask + 1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (u32 i = 1; i < kr->entry_pool.n; i++) {
		struct kernel_entry *e = &kr->entries[i];
		u32 *head;

		if (!(e->flags & ENTRY_USED))
			continue;
		head = &index[prefix_hash(&e->prefix) & mask];
		e->chain = *head;
		*head = i;
	}
	free(kr->entry_index);
	kr->entry_index = index;
	kr->entry_mask = mask;
	return 0;
}

u32 kernel_entry_get(struct kernel_routes *kr, const struct fib_prefix *p)
{
	u32 i = kernel_entry_find(kr, p), *head;

	if (i)
		return i;
	if (kr->n_entries > kr->entry_mask && entry_index_grow(kr) < 0)
		return 0;
	i = kr->entry_pool.free;
	if (i) {
		kr->entry_pool.free = kr->entries[i].chain;
	} else {
		i = kernel_pool_grow(&kr->entry_pool, sizeof(*kr->entries));
		kr->entries = kr->entry_pool.e;
		if (!i)
			return 0;
	}
	head = &kr->entry_index[prefix_hash(p) & kr->entry_mask];
	kr->entries[i] = (struct kernel_entry){.prefix = *p, .flags = ENTRY_USED, .chain = *head};
	*head = i;
	kr->n_entries++;
	return i;
}

/* During a dump an empty entry still says that it was just emptied. */
void kernel_entry_settle(struct kernel_routes *kr, u32 i)
{
	struct kernel_entry *e = &kr->entries[i];
	u32 *at;

	if (e->first || (e->flags & (ENTRY_DIRTY | ENTRY_OUT | ENTRY_REPAIRED)) ||
	    (kr->dump.running && kr->dump.family == e->prefix.family))
		return;
	at = &kr->entry_index[prefix_hash(&e->prefix) & kr->entry_mask];
	while (*at != i)
		at = &kr->entries[*at].chain;
	*at = e->chain;
	e->flags = 0;
	e->chain = kr->entry_pool.free;
	kr->entry_pool.free = i;
	kr->n_entries--;
}

void kernel_dirty(struct kernel_routes *kr, u32 i)
{
	struct kernel_entry *e = &kr->entries[i];

	if (e->flags & ENTRY_DIRTY)
		return;
	e->flags |= ENTRY_DIRTY;
	e->dirty = 0;
	if (kr->dirty_last)
		kr->entries[kr->dirty_last].dirty = i;
	else
		kr->dirty_first = i;
	kr->dirty_last = i;
	kr->n_dirty++;
}

void kernel_all_dirty(struct kernel_routes *kr)
{
	for (u32 i = 1; i < kr->entry_pool.n; i++)
		if (kr->entries[i].flags & ENTRY_USED)
			kernel_dirty(kr, i);
}

void kernel_routes_again(struct kernel_routes *kr)
{
	for (u32 i = 1; i < kr->entry_pool.n; i++)
		kr->entries[i].out_hash = UINT64_MAX; /* of nothing */
	kernel_all_dirty(kr);
}

/* ---- variants ---------------------------------------------------------------------------------------------- */

u32 kernel_variant_add(struct kernel_routes *kr, u32 entry, const struct kernel_variant *from,
		       u32 after)
{
	u32 i = kr->variant_pool.free, *link;
	struct kernel_variant *v;

	if (i) {
		kr->variant_pool.free = kr->variants[i].next;
	} else {
		i = kernel_pool_grow(&kr->variant_pool, sizeof(*kr->variants));
		kr->variants = kr->variant_pool.e;
		if (!i)
			return 0;
	}
	link = after ? &kr->variants[after].next : &kr->entries[entry].first;
	v = &kr->variants[i];
	*v = *from;
	v->entry = entry;
	v->next = *link;
	*link = i;
	kernel_set_link(kr, i);
	kr->n_routes[v->rank][kernel_family(kr->entries[entry].prefix.family)]++;
	kernel_dirty(kr, entry);
	return i;
}

void kernel_variant_del(struct kernel_routes *kr, u32 i)
{
	struct kernel_variant *v = &kr->variants[i];
	u32 entry = v->entry, *link = &kr->entries[entry].first;

	while (*link != i)
		link = &kr->variants[*link].next;
	*link = v->next;
	kernel_set_unlink(kr, i);
	kernel_set_unref(kr, v->set);
	kr->n_routes[v->rank][kernel_family(kr->entries[entry].prefix.family)]--;
	v->entry = 0;
	v->next = kr->variant_pool.free;
	kr->variant_pool.free = i;
	kernel_dirty(kr, entry);
}

/* Routes of one table and metric stand together. */
struct metric_group {
	u32 before; /* what it stands behind; 0 = the beginning */
	u32 first, last;
};

static bool variant_before(const struct kernel_variant *v, const struct kernel_variant *of)
{
	return v->rank < of->rank || (v->rank == of->rank && v->metric < of->metric);
}

static bool in_group(const struct kernel_variant *v, const struct kernel_variant *of)
{
	return v->rank == of->rank && v->metric == of->metric;
}

static struct metric_group group_find(const struct kernel_routes *kr, u32 entry,
				      const struct kernel_variant *of)
{
	struct metric_group g = {0};
	u32 i = kr->entries[entry].first;

	for (; i && variant_before(&kr->variants[i], of); i = kr->variants[i].next)
		g.before = i;
	for (; i && in_group(&kr->variants[i], of); i = kr->variants[i].next) {
		if (!g.first)
			g.first = i;
		g.last = i;
	}
	return g;
}

static u32 group_next(const struct kernel_routes *kr, const struct metric_group *g, u32 i)
{
	return i == g->last ? 0 : kr->variants[i].next;
}

bool kernel_variant_same(const struct kernel_routes *kr, const struct kernel_variant *a,
			 const struct kernel_variant *b)
{
	if (a->set != b->set || a->protocol != b->protocol)
		return false;
	/* type and scope are the next-hop object's, and change with it */
	return kr->sets[a->set]->nexthop_id || (a->type == b->type && a->scope == b->scope);
}

static u32 group_same(const struct kernel_routes *kr, const struct metric_group *g,
		      const struct kernel_variant *of)
{
	u32 i;

	for (i = g->first; i; i = group_next(kr, g, i))
		if (kernel_variant_same(kr, &kr->variants[i], of))
			return i;
	return 0;
}

/* Could its paths be joined by more? The kernel asks the same of IPv6 routes. */
static bool joinable(const struct kernel_routes *kr, const struct kernel_variant *v)
{
	const struct kernel_set *s = kr->sets[v->set];

	return v->type == RTN_UNICAST && !s->nexthop_id && v->protocol != RTPROT_RA && s->n_paths &&
	       s->paths[0].family;
}

static u32 group_joinable(const struct kernel_routes *kr, const struct metric_group *g, bool is)
{
	u32 i;

	for (i = g->first; i; i = group_next(kr, g, i))
		if (joinable(kr, &kr->variants[i]) == is)
			return i;
	return 0;
}

/* In place of @old, which stands in the group. */
static int variant_replace(struct kernel_routes *kr, u32 entry, u32 old,
			   const struct kernel_variant *v)
{
	if (!kernel_variant_add(kr, entry, v, old)) {
		kernel_set_unref(kr, v->set);
		return -ENOMEM;
	}
	kernel_variant_del(kr, old);
	return 0;
}

static int variant_insert(struct kernel_routes *kr, u32 entry, const struct kernel_variant *v,
			  u32 after)
{
	if (kernel_variant_add(kr, entry, v, after))
		return 0;
	kernel_set_unref(kr, v->set);
	return -ENOMEM;
}

static void group_drop(struct kernel_routes *kr, const struct metric_group *g)
{
	u32 i = g->first, next;

	for (; i; i = next) {
		next = group_next(kr, g, i);
		kernel_variant_del(kr, i);
	}
}

/* Was it found by a dump that was faster than its message? */
static u32 group_untold(const struct kernel_routes *kr, const struct metric_group *g,
			const struct kernel_variant *of)
{
	u32 i;

	for (i = g->first; i; i = group_next(kr, g, i)) {
		const struct kernel_variant *v = &kr->variants[i];

		if (v->untold && v->seen > kr->settled && kernel_variant_same(kr, v, of))
			return i;
	}
	return 0;
}

/*
 * Is it there already, because its next-hop object has changed, or a dump was faster? Else it is one more: what makes
 * two routes different (the weight of a single path, a source, an MTU) is not all told, or not kept. And a replacement
 * may look the same as a route behind the one whose place it takes.
 */
static bool told_again4(struct kernel_routes *kr, const struct metric_group *g, u16 flags,
			const struct kernel_variant *v)
{
	u32 i;

	if (flags & NLM_F_EXCL)
		return false;
	if (kr->sets[v->set]->nexthop_id)
		return group_same(kr, g, v);
	i = flags & NLM_F_REPLACE ? 0 : group_untold(kr, g, v);
	if (i)
		kr->variants[i].untold = false;
	return i;
}

/* fib_table_insert(): replace takes the place of the first, append goes behind the last, others go in front. */
static int add4(struct kernel_routes *kr, u32 entry, u16 flags, const struct kernel_variant *v)
{
	struct metric_group g = group_find(kr, entry, v);

	if (told_again4(kr, &g, flags, v)) {
		kernel_set_unref(kr, v->set);
		return 0;
	}
	if ((flags & NLM_F_REPLACE) && g.first)
		return variant_replace(kr, entry, g.first, v);
	if (flags & NLM_F_EXCL) { /* the kernel had none: ours went without a word */
		group_drop(kr, &g);
		return variant_insert(kr, entry, v, g.before);
	}
	if ((flags & NLM_F_APPEND) && g.last)
		return variant_insert(kr, entry, v, g.last);
	return variant_insert(kr, entry, v, g.before);
}

/* No two of a metric are the same but for what isn't told; again, a replacement may look like one behind. */
static bool told_again6(const struct kernel_routes *kr, const struct metric_group *g, u16 flags,
			const struct kernel_variant *v)
{
	if ((flags & NLM_F_EXCL) || !group_same(kr, g, v))
		return false;
	return !(flags & NLM_F_REPLACE) || kr->sets[v->set]->nexthop_id;
}

/* fib6_add_rt2node(); the message has all paths of a route that was joined. */
static int add6(struct kernel_routes *kr, u32 entry, u16 flags, const struct kernel_variant *v)
{
	struct metric_group g = group_find(kr, entry, v);
	bool join = joinable(kr, v);
	u32 old = join || (flags & NLM_F_REPLACE) ? group_joinable(kr, &g, join) : 0;

	if (told_again6(kr, &g, flags, v)) {
		kernel_set_unref(kr, v->set);
		return 0;
	}
	if (!old && (flags & NLM_F_REPLACE))
		old = g.first;
	if (old)
		return variant_replace(kr, entry, old, v);
	return variant_insert(kr, entry, v, g.last ? g.last : g.before);
}

/* ---- deleting ----------------------------------------------------------------------------------------------- */

/* Not one of a next-hop object: with that it goes, and the kernel tells of both. */
static u32 group_type(const struct kernel_routes *kr, const struct metric_group *g, u8 type)
{
	u32 i;

	for (i = g->first; i; i = group_next(kr, g, i))
		if (kr->variants[i].type == type && !kr->sets[kr->variants[i].set]->nexthop_id)
			return i;
	return 0;
}

static bool path_same(const struct mirror_path *a, const struct mirror_path *b)
{
	return a->family == b->family && a->ifindex == b->ifindex &&
	       a->gateway.hi == b->gateway.hi && a->gateway.lo == b->gateway.lo;
}

static bool path_among(const struct mirror_path *p, const struct mirror_path *list, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (path_same(p, &list[i]))
			return true;
	return false;
}

static u32 paths_left(const struct kernel_set *s, const struct mirror_route *r,
		      struct mirror_path *ret)
{
	u32 n = 0;

	for (u32 i = 0; i < s->n_paths; i++)
		if (!path_among(&s->paths[i], r->paths, r->n_paths))
			ret[n++] = s->paths[i];
	return n;
}

/* One of the paths of a route goes: the message has it alone. */
static int del6_path(struct kernel_routes *kr, u32 entry, const struct metric_group *g,
		     const struct mirror_route *r)
{
	struct mirror_path left[MIRROR_MAX_PATHS];

	for (u32 i = g->first; i; i = group_next(kr, g, i)) {
		struct kernel_variant v = kr->variants[i];
		const struct kernel_set *s = kr->sets[v.set];
		u32 n = s->nexthop_id ? s->n_paths : paths_left(s, r, left);

		if (n == s->n_paths || v.type != r->type)
			continue;
		if (!n) {
			kernel_variant_del(kr, i);
			return 0;
		}
		v.set = kernel_set_of(kr, FIB_IP6, 0, left, n);
		if (!v.set)
			return -ENOMEM;
		return variant_replace(kr, entry, i, &v);
	}
	kr->n_unknown++;
	return 0;
}

/* Is there another that looks the same, with a different one between them? */
static bool same_apart(const struct kernel_routes *kr, const struct metric_group *g, u32 first,
		       const struct kernel_variant *of)
{
	bool between = false;

	for (u32 i = group_next(kr, g, first); i; i = group_next(kr, g, i)) {
		bool same = kernel_variant_same(kr, &kr->variants[i], of);

		if (same && between)
			return true;
		between = between || !same;
	}
	return false;
}

static int del(struct kernel_routes *kr, u32 entry, const struct kernel_variant *v,
	       const struct mirror_route *r)
{
	struct metric_group g = group_find(kr, entry, v);
	u32 i = group_same(kr, &g, v);

	/* Which of several that look the same, only a comparison tells; of neighbours it makes no difference. */
	kr->n_losses += i && same_apart(kr, &g, i, v);
	if (!i && r->prefix.family == FIB_IP6 && r->type == RTN_UNICAST && !r->nexthop_id)
		return del6_path(kr, entry, &g, r);
	if (!i && !r->nexthop_id) { /* its paths may be told otherwise than they were */
		i = group_type(kr, &g, v->type);
		kr->n_losses += i != 0;
	}
	if (i)
		kernel_variant_del(kr, i);
	else
		kr->n_unknown++;
	return 0;
}

/* ---- what is held -------------------------------------------------------------------------------------------- */

static bool link_local(const struct fib_prefix *p)
{
	return p->family == FIB_IP6 && p->len >= 10 && p->addr.hi >> 54 == 0xfe80 >> 6;
}

static bool multicast(const struct mirror_route *r)
{
	const struct fib_prefix *p = &r->prefix;

	if (r->type == RTN_MULTICAST)
		return true;
	return p->family == FIB_IP6 ? p->len >= 8 && p->addr.hi >> 56 == 0xff
				    : p->len >= 4 && p->addr.lo >> 28 == 0xe;
}

static bool type_held(u8 type)
{
	return type == RTN_UNICAST || type == RTN_LOCAL || type == RTN_BROADCAST ||
	       type == RTN_ANYCAST || type == RTN_BLACKHOLE || type == RTN_UNREACHABLE ||
	       type == RTN_PROHIBIT || type == RTN_THROW;
}

u8 kernel_table_rank(const struct kernel_routes *kr, u32 table)
{
	for (u32 i = 0; i < kr->n_tables; i++)
		if (kr->tables[i].table == table)
			return (u8)i;
	return KERNEL_NO_RANK;
}

int kernel_route_accept(struct kernel_routes *kr, const struct mirror_route *r, u64 *skipped,
			struct fib_prefix *ret_prefix)
{
	u8 rank = kernel_table_rank(kr, r->table);
	enum kernel_skip why;

	if (rank == KERNEL_NO_RANK)
		why = KERNEL_SKIP_TABLE;
	else if (r->tos && r->prefix.family == FIB_IP4)
		why = KERNEL_SKIP_TOS;
	else if (link_local(&r->prefix))
		why = KERNEL_SKIP_LINK_LOCAL;
	else if (multicast(r))
		why = KERNEL_SKIP_MULTICAST;
	else if (!type_held(r->type))
		why = KERNEL_SKIP_TYPE;
	else {
		*ret_prefix = r->prefix;
		ret_prefix->vrf = kr->tables[rank].vrf;
		return rank;
	}
	skipped[why]++;
	return -1;
}

static int changed(struct kernel_routes *kr, enum mirror_verb verb, u16 flags, u32 entry,
		   const struct kernel_variant *v, const struct mirror_route *r)
{
	if (verb == MIRROR_DEL)
		return del(kr, entry, v, r);
	kernel_set_ref(kr, v->set);
	return r->prefix.family == FIB_IP4 ? add4(kr, entry, flags, v) : add6(kr, entry, flags, v);
}

int kernel_routes_route(struct kernel_routes *kr, enum mirror_verb verb, u16 nlmsg_flags,
			const struct mirror_route *r)
{
	u64 skipped[KERNEL_N_SKIPS] = {0};
	struct kernel_variant v = {.metric = r->metric,
				   .type = r->type,
				   .protocol = r->protocol,
				   .scope = r->scope};
	struct fib_prefix prefix;
	int rank = kernel_route_accept(kr, r, skipped, &prefix), err;
	u32 entry;

	kr->told_part[kernel_family(r->prefix.family)] = kr->part;
	if (rank < 0)
		return 0;
	if (r->cut)
		kr->n_cut++;
	v.rank = (u8)rank;
	/* while a dump runs, also what is deleted without having been there must leave its mark */
	entry = verb == MIRROR_NEW || kr->dump.running ? kernel_entry_get(kr, &prefix)
						       : kernel_entry_find(kr, &prefix);
	if (!entry && verb == MIRROR_DEL && !kr->dump.running) {
		kr->n_unknown++;
		return 0;
	}
	v.set = entry ? kernel_set_find(kr, r) : 0;
	if (!v.set)
		return -ENOMEM;
	kr->entries[entry].touched = kr->part;
	if (kr->entries[entry].flags & ENTRY_REPAIRED) {
		kr->entries[entry].flags &= (u8)~ENTRY_REPAIRED;
		kr->n_late++;
	}
	err = changed(kr, verb, nlmsg_flags, entry, &v, r);
	kernel_set_unref(kr, v.set); /* the search's */
	kernel_entry_settle(kr, entry);
	return err;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/* The local table first: its routes win whatever else there is. */
static void tables_fill(struct kernel_routes *kr, const struct mirror_table_cfg *tables, u32 n)
{
	u32 at = 1;

	kr->tables[0] = (struct mirror_table_cfg){.table = RT_TABLE_LOCAL};
	for (u32 i = 0; i < n && i < MIRROR_MAX_TABLES; i++) {
		if (tables[i].table == RT_TABLE_LOCAL)
			kr->tables[0] = tables[i];
		else
			kr->tables[at++] = tables[i];
	}
	if (!n)
		kr->tables[at++] = (struct mirror_table_cfg){.table = RT_TABLE_MAIN};
	kr->n_tables = at;
}

void kernel_routes_clear(struct kernel_routes *kr)
{
	for (u32 i = 1; i < kr->entry_pool.n; i++) {
		if (!(kr->entries[i].flags & ENTRY_USED))
			continue;
		while (kr->entries[i].first)
			kernel_variant_del(kr, kr->entries[i].first);
		kernel_entry_settle(kr, i);
	}
	memset(kr->skipped, 0, sizeof(kr->skipped));
	kr->n_tables = 0;
}

void kernel_routes_tables_set(struct kernel_routes *kr, const struct mirror_table_cfg *tables,
			      u32 n)
{
	kernel_routes_clear(kr);
	tables_fill(kr, tables, n);
}

int kernel_routes_create(const struct mirror_table_cfg *tables, u32 n,
			 struct kernel_routes **ret_kr)
{
	struct kernel_routes *kr = calloc(1, sizeof(*kr));

	if (!kr)
		return -ENOMEM;
	tables_fill(kr, tables, n);
	kr->part = 2;
	kr->entry_mask = kr->set_mask = 1023;
	kr->entry_index = calloc(kr->entry_mask + 1, sizeof(u32));
	kr->set_index = calloc(kr->set_mask + 1, sizeof(u32));
	if (!kr->entry_index || !kr->set_index) {
		kernel_routes_free(kr);
		return -ENOMEM;
	}
	*ret_kr = kr;
	return 0;
}

void kernel_routes_free(struct kernel_routes *kr)
{
	if (!kr)
		return;
	kernel_paths_fini(kr);
	free(kr->entries);
	free(kr->variants);
	free(kr->entry_index);
	free(kr->dump.group.v);
	free(kr->dump.gaps.gap);
	free(kr);
}

const char *kernel_skip_name(enum kernel_skip s)
{
	static const char *const names[] = {
		[KERNEL_SKIP_TABLE] = "table_not_mirrored",
		[KERNEL_SKIP_TOS] = "traffic_class",
		[KERNEL_SKIP_LINK_LOCAL] = "link_local",
		[KERNEL_SKIP_MULTICAST] = "multicast",
		[KERNEL_SKIP_TYPE] = "type",
	};

	return s < KERNEL_N_SKIPS ? names[s] : "?";
}

void kernel_routes_facts(const struct kernel_routes *kr, struct kernel_facts *ret)
{
	*ret = (struct kernel_facts){
		.n_prefixes = {kr->n_prefixes[0], kr->n_prefixes[1]},
		.n_elsewhere = kr->n_elsewhere,
		.n_unknown = kr->n_unknown,
		.n_cut = kr->n_cut,
		.bytes = (u64)kr->entry_pool.n * sizeof(*kr->entries) +
			 (u64)kr->variant_pool.n * sizeof(*kr->variants) +
			 4ull * (kr->entry_mask + kr->set_mask) + kr->set_bytes,
		.n_dirty = kr->n_dirty,
		.n_path_sets = kr->n_sets,
		.n_nexthops = kr->n_nexthops,
		.n_twins = kr->n_twins,
		.n_tables = kr->n_tables,
	};
	for (u32 i = 0; i < kr->n_tables; i++)
		ret->tables[i] =
			(struct kernel_table_facts){kr->tables[i].table, kr->tables[i].vrf,
						    kr->n_routes[i][0], kr->n_routes[i][1]};
	for (u32 i = 0; i < KERNEL_N_SKIPS; i++)
		ret->skipped[i] = kr->skipped[0][i] + kr->skipped[1][i];
}
