/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * routes.c - route files: a million lines of ip-route(8) syntax in one pass, without an allocation a line.
 * A full Internet table is reloaded by this while packets flow, so it must not take long; and a file with a bad line
 * is refused whole, because half a table is worse than yesterday's. A line that begins with a prefix in its plain form
 * and goes on as an earlier one did is read by line_recall(); all others, and all that are wrong, word by word.
 * Any thread; owns nothing after return.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../huge.h"
#include "routes.h"
#include "schema.h"

#define ROUTE_FILE_MAX_ERRORS 20
#define ROUTE_LINE_BYTES      24 /* most are longer */
#define ROUTE_MAX_VRF	      65535
#define ROUTE_MAX_VLAN	      4094
#define ROUTE_MAX_WEIGHT      256

enum word {
	WORD_VIA,
	WORD_DEV,
	WORD_VLAN,
	WORD_SVLAN,
	WORD_WEIGHT,
	WORD_NEXTHOP,
	WORD_VRF,
	N_WORDS
};

/* The line that is being read. */
struct line {
	struct span rest, token;
	const char *tail; /* behind the prefix */
	struct route_cfg route;
	u32 words; /* seen of the path (1 << enum word), of the route for nexthop and vrf */
	bool is_default;
};

static const struct dwcp_config no_config;

static void bad_at(struct route_parser *p, u32 line, const char *expected, struct span got)
{
	char shown[44];
	size_t n = (size_t)(got.end - got.at), i;

	if (p->n_bad++ >= ROUTE_FILE_MAX_ERRORS)
		return;
	for (i = 0; i < DWCP_MIN(n, 40u); i++)
		shown[i] = got.at[i] < 0x20 || got.at[i] >= 0x7f ? '?' : got.at[i];
	shown[i] = 0;
	if (n)
		config_errors_add(p->errors, "%s:%u: expected %s, got \"%s%s\"", p->name, line,
				  expected, shown, n > i ? "…" : "");
	else
		config_errors_add(p->errors, "%s:%u: expected %s, got the end of the line", p->name,
				  line, expected);
}

static int bad(struct route_parser *p, const char *expected, struct span got)
{
	bad_at(p, p->line, expected, got);
	return -EINVAL;
}

/* The next word, empty at the end of the line or at a comment. */
static struct span token_next(struct line *l)
{
	const char *at = l->rest.at, *end = l->rest.end;

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	if (at < end && *at == '#')
		at = end;
	l->token.at = at;
	while (at < end && *at != ' ' && *at != '\t' && *at != '\r')
		at++;
	l->token.end = at;
	l->rest.at = at;
	return l->token;
}

static bool token_is(struct span t, const char *word, size_t len)
{
	return (size_t)(t.end - t.at) == len && !memcmp(t.at, word, len);
}

#define TOKEN_IS(t, literal) token_is(t, literal, sizeof(literal) - 1)

static enum word word_of(struct span t)
{
	static const struct {
		const char *text;
		size_t len;
	} words[N_WORDS] = {
		[WORD_VIA] = {"via", 3},	 [WORD_DEV] = {"dev", 3},
		[WORD_VLAN] = {"vlan", 4},	 [WORD_SVLAN] = {"svlan", 5},
		[WORD_WEIGHT] = {"weight", 6},	 [WORD_VRF] = {"vrf", 3},
		[WORD_NEXTHOP] = {"nexthop", 7},
	};
	u32 i;

	for (i = 0; i < N_WORDS; i++)
		if (token_is(t, words[i].text, words[i].len))
			break;
	return i;
}

static bool type_of(struct span t, enum route_type *ret_type)
{
	u32 i;

	if (t.at == t.end || *t.at < 'a')
		return false; /* most lines begin with a digit */
	for (i = ROUTE_UNICAST; i <= ROUTE_LOCAL; i++) {
		if (!token_is(t, route_type_name(i), strlen(route_type_name(i))))
			continue;
		*ret_type = i;
		return true;
	}
	return false;
}

static int list_reserve(struct route_list *l, u64 cap)
{
	struct route_cfg *routes;

	if (cap <= l->cap)
		return 0;
	routes = realloc(l->routes, cap * sizeof(*routes));
	if (!routes)
		return -ENOMEM;
	pages_huge(routes, cap * sizeof(*routes));
	l->routes = routes;
	l->cap = cap;
	return 0;
}

static int path_add(struct route_parser *p, struct line *l)
{
	if (l->route.n_paths == CONFIG_MAX_PATHS)
		return bad(p, "at most 64 next hops", l->token);
	p->paths[l->route.n_paths++] = (struct path_cfg){.port_idx = UINT16_MAX, .weight = 1};
	return 0;
}

static int number(struct route_parser *p, struct line *l, u32 min, u32 max, const char *what,
		  u32 *ret)
{
	u32 v;

	if (u32_parse_span(token_next(l), max, &v) || v < min)
		return bad(p, what, l->token);
	*ret = v;
	return 0;
}

static int port_set(struct route_parser *p, struct line *l, struct path_cfg *path)
{
	struct span t = token_next(l);
	const struct port_cfg *ports = p->cfg->ports;
	u32 i;

	for (i = 0; i < p->cfg->n_ports; i++) {
		if (!token_is(t, ports[i].name, strlen(ports[i].name)))
			continue;
		path->port_idx = (u16)i;
		return 0;
	}
	return bad(p, "the name of a port", t);
}

static int gateway_set(struct route_parser *p, struct line *l, struct path_cfg *path)
{
	struct span t = token_next(l);
	struct config_addr a = {0};
	const char *what;

	if (addr_parse_span(t, &a.addr, &a.family))
		return bad(p, "an IPv4 or IPv6 address", t);
	a.prefix_len = addr_bits(a.family);
	what = host_refusal(&a);
	if (what)
		return bad(p, what, t);
	path->gateway = a;
	return 0;
}

/* One word with its argument. */
static int word_read(struct route_parser *p, struct line *l, enum word w)
{
	struct path_cfg *path = l->route.n_paths ? &p->paths[l->route.n_paths - 1] : NULL;
	u32 v = 0;
	int rc;

	switch (w) {
	case WORD_VIA:
		return gateway_set(p, l, path);
	case WORD_DEV:
		return port_set(p, l, path);
	case WORD_VLAN:
		rc = number(p, l, 0, ROUTE_MAX_VLAN, "a VLAN 0..4094", &v);
		path->vlan = (u16)v;
		return rc;
	case WORD_SVLAN:
		rc = number(p, l, 0, ROUTE_MAX_VLAN, "a VLAN 0..4094", &v);
		path->svlan = (u16)v;
		return rc;
	case WORD_WEIGHT:
		return number(p, l, 1, ROUTE_MAX_WEIGHT, "a weight 1..256", &path->weight);
	default:
		return number(p, l, 0, ROUTE_MAX_VRF, "a vrf 0..65535", &l->route.prefix.vrf);
	}
}

static const u32 path_words =
	1 << WORD_VIA | 1 << WORD_DEV | 1 << WORD_VLAN | 1 << WORD_SVLAN | 1 << WORD_WEIGHT;

/* Everything after the prefix. */
static int words_read(struct route_parser *p, struct line *l)
{
	enum word w;
	int rc = 0;

	while (!rc && token_next(l).at != l->token.end) {
		w = word_of(l->token);
		if (w == N_WORDS)
			return bad(p, "via, dev, vlan, svlan, weight, nexthop or vrf", l->token);
		if (l->route.type != ROUTE_UNICAST && w != WORD_VRF)
			return bad(p, "nothing but vrf with this type of route", l->token);
		if (w == WORD_NEXTHOP) {
			if (l->words & path_words && !(l->words & 1 << WORD_NEXTHOP))
				return bad(p, "either nexthop or one path", l->token);
			l->words = (l->words & ~path_words) | 1 << WORD_NEXTHOP;
			rc = path_add(p, l);
			continue;
		}
		if (l->words & 1 << w)
			return bad(p, "each word once a path", l->token);
		if (w == WORD_VRF && l->route.n_paths && l->words & 1 << WORD_NEXTHOP)
			return bad(p, "vrf before the first nexthop", l->token);
		if (w != WORD_VRF && !l->route.n_paths)
			rc = path_add(p, l);
		l->words |= 1u << w;
		if (!rc)
			rc = word_read(p, l, w);
	}
	return rc;
}

static bool path_is_known(const struct route_parser *p, u8 family, const struct path_cfg *path)
{
	return p->known_family == family && p->known.gateway.family == path->gateway.family &&
	       p->known.port_idx == path->port_idx &&
	       addr_equal(&p->known.gateway.addr, &path->gateway.addr);
}

static int paths_check(struct route_parser *p, struct line *l, struct span whole)
{
	u8 family = l->route.prefix.family;
	const struct path_cfg *path;
	const char *what;
	u32 i;

	if (l->route.type == ROUTE_UNICAST && !l->route.n_paths)
		return bad(p, "via, dev or nexthop", l->token);
	for (i = 0; i < l->route.n_paths; i++) {
		path = &p->paths[i];
		if (path_is_known(p, family, path))
			continue;
		what = path_refusal(p->cfg, family, path);
		if (what)
			return bad(p, what, whole);
		p->known = *path;
		p->known_family = family;
	}
	return 0;
}

static int prefix_read(struct route_parser *p, struct line *l)
{
	char meant[ADDR_TEXT_MAX], what[ADDR_TEXT_MAX + 64];
	struct span t = l->token;
	struct fib_prefix *prefix = &l->route.prefix;
	int rc;

	if (TOKEN_IS(t, "default")) {
		l->is_default = true;
		return 0;
	}
	rc = prefix_parse_span(t, prefix);
	if (dwcp_likely(!rc))
		return 0;
	if (rc != -ERANGE)
		return bad(p, l->route.type ? "a prefix" : "a prefix, default or a type of route",
			   t);
	snprintf(what, sizeof(what), "a prefix without bits past its length (%s?)",
		 prefix_format(prefix, meant, sizeof(meant)));
	return bad(p, what, t);
}

/* `default` is of its first gateway's family; on link it is IPv4, as for ip-route(8). */
static u8 default_family(const struct route_parser *p, const struct line *l)
{
	if (!l->route.n_paths || p->paths[0].gateway.family != FIB_IP6)
		return FIB_IP4;
	return FIB_IP6;
}

static int line_read(struct route_parser *p, struct line *l)
{
	struct span whole;
	int rc;

	if (type_of(l->token, &l->route.type))
		token_next(l);
	whole = (struct span){l->token.at, l->rest.end};
	rc = prefix_read(p, l);
	l->tail = l->token.end;
	if (!rc)
		rc = words_read(p, l);
	if (!rc && l->is_default)
		l->route.prefix.family = default_family(p, l);
	if (!rc)
		rc = paths_check(p, l, whole);
	return rc;
}

/* The paths out of the line's hands into those of the list. */
static int paths_keep(struct route_parser *p, struct line *l)
{
	u32 n = l->route.n_paths;
	struct path_cfg *paths;

	if (!n)
		return 0;
	paths = arena_alloc(&p->arena, n, sizeof(*paths));
	if (!paths) {
		p->rc = -ENOMEM;
		return -ENOMEM;
	}
	memcpy(paths, p->paths, n * sizeof(*paths));
	l->route.paths = paths;
	return 0;
}

static void route_append(struct route_parser *p, const struct route_cfg *route)
{
	struct route_list *list = &p->list[route->prefix.family == FIB_IP6];

	if (dwcp_unlikely(list->n == list->cap)) {
		p->rc = list_reserve(list, list->cap ? 2 * list->cap : DWCP_MAX(p->guess, 64u));
		if (p->rc)
			return;
	}
	if (list->n && prefix_compare(&list->routes[list->n - 1].prefix, &route->prefix) >= 0)
		p->sorted = false;
	list->routes[list->n++] = *route;
}

static void line_parse(struct route_parser *p, struct span text)
{
	struct line l = {.rest = text};
	const char *begin;

	begin = token_next(&l).at;
	if (begin == l.token.end)
		return;
	l.route.line = p->line;
	if (line_read(p, &l) || paths_keep(p, &l))
		return;
	route_append(p, &l.route);
	if (begin == text.at && l.route.n_paths && !l.is_default)
		tails_add(&p->tails, l.route.prefix.family, l.route.prefix.vrf,
			  (struct span){l.tail, text.end}, l.route.paths, l.route.n_paths);
}

/*
 * A line like one before, but for its prefix. @limit: where the memory ends.
 * Return: false: to be read word by word.
 */
static bool line_recall(struct route_parser *p, struct span text, const char *limit)
{
	struct route_cfg route = {.line = p->line};
	const char *end = prefix_scan(text.at, limit, &route.prefix);
	const struct tail *tail;

	if (!end)
		return false;
	tail = tails_find(&p->tails, route.prefix.family, (struct span){end, text.end});
	if (!tail)
		return false;
	route.prefix.vrf = tail->vrf;
	route.paths = tail->paths;
	route.n_paths = tail->n_paths;
	route_append(p, &route);
	return true;
}

/* IPv6 behind IPv4: as the tables' builder wants them, and as most files have them. */
static void families_join(struct route_parser *p)
{
	struct route_list *all = &p->list[0], *ip6 = &p->list[1];

	if (all->n == 0) {
		struct route_list none = *all;

		*all = *ip6;
		*ip6 = none;
		return;
	}
	p->rc = list_reserve(all, all->n + ip6->n);
	if (p->rc || !ip6->n)
		return;
	memcpy(all->routes + all->n, ip6->routes, ip6->n * sizeof(*ip6->routes));
	all->n += ip6->n;
}

/* Order can't hide a duplicate. */
static void duplicates_check(struct route_parser *p)
{
	const struct route_cfg *r = p->list[0].routes;
	char prefix[ADDR_TEXT_MAX], what[96];
	struct prefix_set set;
	u32 i, first;

	if (p->sorted)
		return;
	p->rc = prefix_set_init(&set, r, sizeof(*r), p->list[0].n);
	for (i = 0; i < p->list[0].n && !p->rc; i++) {
		if (dwcp_likely(!prefix_set_add(&set, i, &first)))
			continue;
		snprintf(what, sizeof(what), "each prefix once a vrf (the first is on line %u)",
			 r[first].line);
		prefix_format(&r[i].prefix, prefix, sizeof(prefix));
		bad_at(p, r[i].line, what, span_of(prefix));
	}
	prefix_set_fini(&set);
}

int route_parser_init(struct route_parser *p, u64 text_bytes, const char *name,
		      const struct dwcp_config *cfg, struct config_errors *errors)
{
	*p = (struct route_parser){.cfg = cfg ? cfg : &no_config,
				   .name = name,
				   .errors = errors,
				   .sorted = true,
				   .guess = text_bytes / ROUTE_LINE_BYTES};
	return tails_init(&p->tails, text_bytes);
}

void route_parser_feed(struct route_parser *p, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *stop;
	struct span line;

	while (at < end && !p->rc) {
		stop = memchr(at, '\n', (size_t)(end - at));
		line = (struct span){at, stop ? stop : end};
		p->line++;
		if (!line_recall(p, line, end))
			line_parse(p, line);
		at = line.end + 1;
	}
}

int route_parser_end(struct route_parser *p, struct route_list *ret_list)
{
	if (!p->rc)
		families_join(p);
	if (!p->rc)
		duplicates_check(p);
	if (!p->rc && p->n_bad) {
		if (p->n_bad > ROUTE_FILE_MAX_ERRORS)
			config_errors_add(p->errors, "%s: %llu more bad lines", p->name,
					  (unsigned long long)(p->n_bad - ROUTE_FILE_MAX_ERRORS));
		p->rc = -EINVAL;
	}
	if (p->rc)
		return p->rc;
	*ret_list = p->list[0];
	ret_list->paths = p->arena.head;
	p->list[0] = (struct route_list){0};
	p->arena = (struct arena){0};
	return 0;
}

void route_parser_fini(struct route_parser *p)
{
	p->list[0].paths = p->arena.head;
	for (u32 i = 0; i < ROUTE_N_FAMILIES; i++)
		route_list_fini(&p->list[i]);
	tails_fini(&p->tails);
}

void route_list_fini(struct route_list *l)
{
	struct arena arena;

	if (!l)
		return;
	arena = (struct arena){.head = l->paths};
	arena_fini(&arena);
	free(l->routes);
	*l = (struct route_list){0};
}
