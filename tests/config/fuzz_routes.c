/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_routes.c - any bytes as a route file: no crash, all or nothing, and every route that comes out is one that the
 * tables can take: no bits past the prefix's length, ports that exist; and each line of a good file means the same
 * alone, where no line before it can have taught the parser anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static const char ports[] =
	"ports = ( { name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/16\", "
	"\"2001:db8::1/64\"]; }, { name = \"p1\"; device = \"null\"; } );";

static void require(bool ok)
{
	if (!ok)
		abort();
}

static const struct dwcp_config *config_get(void)
{
	static struct dwcp_config *cfg;
	struct config_errors e = {0};

	if (!cfg)
		require(!config_parse(ports, strlen(ports), "ports", NULL, &cfg, &e));
	return cfg;
}

static void route_check(const struct route_cfg *r)
{
	const struct path_cfg *paths = r->paths;
	char text[ADDR_TEXT_MAX];
	struct fib_prefix again;
	u32 i;

	require(r->prefix.family == FIB_IP4 || r->prefix.family == FIB_IP6);
	require(!prefix_parse(prefix_format(&r->prefix, text, sizeof(text)), &again));
	require(again.addr.hi == r->prefix.addr.hi && again.addr.lo == r->prefix.addr.lo &&
		again.len == r->prefix.len);
	require((r->type == ROUTE_UNICAST) == (r->n_paths > 0) && r->n_paths <= CONFIG_MAX_PATHS);
	for (i = 0; i < r->n_paths; i++) {
		require(paths[i].weight >= 1 && paths[i].weight <= 256);
		require(paths[i].vlan <= 4094 && paths[i].svlan <= 4094);
		require(paths[i].port_idx < 2 || paths[i].port_idx == UINT16_MAX);
		require(paths[i].port_idx < 2 || paths[i].gateway.family);
		require(!paths[i].gateway.family || paths[i].gateway.family == r->prefix.family);
	}
}

static void routes_same(const struct route_cfg *a, const struct route_cfg *b)
{
	require(a->type == b->type && a->n_paths == b->n_paths);
	require(a->prefix.addr.hi == b->prefix.addr.hi && a->prefix.addr.lo == b->prefix.addr.lo);
	require(a->prefix.vrf == b->prefix.vrf && a->prefix.family == b->prefix.family &&
		a->prefix.len == b->prefix.len);
	for (u32 i = 0; i < a->n_paths; i++) {
		const struct path_cfg *p = &a->paths[i], *q = &b->paths[i];

		require(p->gateway.addr.hi == q->gateway.addr.hi &&
			p->gateway.addr.lo == q->gateway.addr.lo &&
			p->gateway.family == q->gateway.family &&
			p->gateway.prefix_len == q->gateway.prefix_len);
		require(p->port_idx == q->port_idx && p->vlan == q->vlan && p->svlan == q->svlan &&
			p->weight == q->weight);
	}
}

/* Each family's routes in the order of the lines, IPv4 first. */
static void lines_check(const char *at, size_t len, const struct route_list *l)
{
	const char *end = at + len, *stop;
	u64 n4 = 0, i[2];
	u32 line = 1;

	while (n4 < l->n && l->routes[n4].prefix.family == FIB_IP4)
		n4++;
	i[0] = 0;
	i[1] = n4;

	for (; at < end; at = stop + 1, line++) {
		struct config_errors e = {0};
		struct route_list one = {0};

		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		require(!route_file_parse(at, (size_t)(stop - at), "line", config_get(), &one, &e));
		require(one.n <= 1);
		if (one.n) {
			u64 *next = &i[one.routes[0].prefix.family == FIB_IP6];

			require(*next < l->n && l->routes[*next].line == line);
			routes_same(&l->routes[(*next)++], &one.routes[0]);
		}
		route_list_fini(&one);
	}
	require(i[0] == n4 && i[1] == l->n);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct config_errors e = {0};
	struct route_list l = {0};
	int rc;

	rc = route_file_parse((const char *)data, len, "fuzz", config_get(), &l, &e);
	require(rc ? rc == -EINVAL && e.n && e.n <= 21 && !l.routes : !e.n);
	for (u64 i = 0; i < l.n; i++)
		route_check(&l.routes[i]);
	if (!rc)
		lines_check((const char *)data, len, &l);
	route_list_fini(&l);
	config_errors_fini(&e);
	return 0;
}
