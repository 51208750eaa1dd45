/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * destinations.c - where to: a file of addresses, one a line, of which those of the pattern's family count, or a prefix.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

#define DESTINATIONS_MAX (1u << 22)

static bool is_ip6(const struct gen *g)
{
	return g->cfg.pattern == GEN_UDP6;
}

static int destination_add(struct gen *g, const struct gen_addr *a, u32 *cap)
{
	size_t each = is_ip6(g) ? sizeof(*g->dst6) : sizeof(*g->dst4);
	void *old = is_ip6(g) ? (void *)g->dst6 : (void *)g->dst4, *more = old;

	if (g->n_dst == *cap) {
		*cap = *cap ? *cap * 2 : 4096;
		more = realloc(old, *cap * each);
		if (!more)
			return -ENOMEM;
	}
	if (is_ip6(g))
		g->dst6 = more;
	else
		g->dst4 = more;
	memcpy((u8 *)more + g->n_dst++ * each, a, each);
	return 0;
}

/* Of the other family: 1, left out. */
static int destination_parse(const struct gen *g, const char *text, struct gen_addr *ret)
{
	u8 other[16];

	if (inet_pton(is_ip6(g) ? AF_INET6 : AF_INET, text, ret->byte) == 1)
		return 0;
	return inet_pton(is_ip6(g) ? AF_INET : AF_INET6, text, other) == 1 ? 1 : -EINVAL;
}

static int file_load(struct gen *g, FILE *f)
{
	u32 cap = 0, number = 0;
	char line[128];

	while (fgets(line, sizeof(line), f) && g->n_dst < DESTINATIONS_MAX) {
		struct gen_addr a = {0};
		int err;

		number++;
		line[strcspn(line, "# \t\r\n")] = 0;
		if (!line[0])
			continue;
		err = destination_parse(g, line, &a);
		if (err == 0)
			err = destination_add(g, &a, &cap);
		if (err < 0) {
			fprintf(stderr, "traffic_gen: %s:%u: %s\n", g->cfg.destinations, number,
				err == -EINVAL ? "not an address" : strerror(-err));
			return -1;
		}
	}
	if (g->n_dst)
		return 0;
	fprintf(stderr, "traffic_gen: %s: no IPv%d address in it\n", g->cfg.destinations,
		is_ip6(g) ? 6 : 4);
	return -1;
}

static int prefix_load(struct gen *g)
{
	const char *text = g->cfg.prefix ? g->cfg.prefix
			   : is_ip6(g)	 ? "2001:2::/48"
					 : "198.18.0.0/15",
		   *slash = strchr(text, '/');
	u32 most = is_ip6(g) ? 64 : 32;
	char addr[64], *end = NULL;

	snprintf(addr, sizeof(addr), "%.*s", slash ? (int)(slash - text) : 0, text);
	g->prefix_len = slash ? (u32)strtoul(slash + 1, &end, 10) : 0;
	if (!slash || *end || end == slash + 1 || g->prefix_len > most ||
	    destination_parse(g, addr, &g->prefix)) {
		fprintf(stderr,
			"traffic_gen: --prefix %s: expected an IPv%d prefix of at most %u bits\n",
			text, is_ip6(g) ? 6 : 4, most);
		return -1;
	}
	return 0;
}

int destinations_load(struct gen *g)
{
	FILE *f;
	int err;

	if (!g->cfg.destinations)
		return prefix_load(g);
	f = fopen(g->cfg.destinations, "re");
	if (!f) {
		fprintf(stderr, "traffic_gen: %s: %s\n", g->cfg.destinations, strerror(errno));
		return -1;
	}
	err = file_load(g, f);
	fclose(f);
	return err;
}
