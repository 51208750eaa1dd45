/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_routes.c - any bytes as a route file: no crash, all or nothing, and every route that comes out is one that the
 * tables can take: no bits past the prefix's length, paths inside the arena and in order, ports that exist.
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

static void route_check(const struct route_cfg *r, const struct path_cfg *paths)
{
	char text[ADDR_TEXT_MAX];
	struct fib_prefix again;
	u32 i;

	require(r->prefix.family == FIB_IP4 || r->prefix.family == FIB_IP6);
	require(!prefix_parse(prefix_format(&r->prefix, text, sizeof(text)), &again));
	require(again.addr.hi == r->prefix.addr.hi && again.addr.lo == r->prefix.addr.lo &&
		again.len == r->prefix.len);
	require((r->type == ROUTE_UNICAST) == (r->n_paths > 0) && r->n_paths <= CONFIG_MAX_PATHS);
	require(!r->n_paths || r->paths == paths);
	for (i = 0; i < r->n_paths; i++) {
		require(paths[i].weight >= 1 && paths[i].weight <= 256);
		require(paths[i].vlan <= 4094 && paths[i].svlan <= 4094);
		require(paths[i].port_idx < 2 || paths[i].port_idx == UINT16_MAX);
		require(paths[i].port_idx < 2 || paths[i].gateway.family);
		require(!paths[i].gateway.family || paths[i].gateway.family == r->prefix.family);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct config_errors e = {0};
	struct route_list l = {0};
	u64 i, n_paths = 0;
	int rc;

	rc = route_file_parse((const char *)data, len, "fuzz", config_get(), &l, &e);
	require(rc ? rc == -EINVAL && e.n && e.n <= 21 && !l.routes : !e.n);
	for (i = 0; i < l.n; i++) {
		route_check(&l.routes[i], l.n_paths ? l.paths + n_paths : NULL);
		n_paths += l.routes[i].n_paths;
	}
	require(n_paths == l.n_paths);
	route_list_fini(&l);
	config_errors_fini(&e);
	return 0;
}
