/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_routes.c - route files: every form of a line, every refusal in its words, and that a file with one bad line
 * changes nothing. Random routes come back as they were written.
 */
#include "config_test.h"

#include <time.h>

#include "text.h"

#define SEED	    20261121ull
#define N_RANDOM    5000
#define N_LARGE	    1000000
/* Measured 0.15-0.25 s; a sanitized or shared machine may need much more. What this catches is n². */
#define LARGE_MAX_S 20

static struct dwcp_config *cfg;

static int cfg_create(void **state)
{
	struct loaded l = text_load_ok(
		"ports = ( { name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/16\", "
		"\"2001:db8::1/64\"]; }, { name = \"p1\"; device = \"null\"; }, "
		"{ name = \"p10\"; device = \"null\"; } );");

	cfg = l.cfg;
	return 0;
}

static int cfg_free(void **state)
{
	config_free(cfg);
	return 0;
}

static int list_parse(const char *text, struct route_list *ret, struct config_errors *e)
{
	char *exact = malloc(strlen(text) ? strlen(text) : 1);
	int rc;

	memcpy(exact, text, strlen(text));
	rc = route_file_parse(exact, strlen(text), "r", cfg, ret, e);
	free(exact);
	return rc;
}

static struct route_list list_ok(const char *text)
{
	struct config_errors e = {0};
	struct route_list l = {0};
	int rc = list_parse(text, &l, &e);

	if (rc)
		errors_show(&e);
	assert_int_equal(rc, 0);
	assert_int_equal(e.n, 0);
	return l;
}

static void prefix_is(const struct route_cfg *r, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(prefix_format(&r->prefix, buf, sizeof(buf)), text);
}

static void gateway_is(const struct path_cfg *p, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(p->gateway.family, &p->gateway.addr, buf, sizeof(buf)),
			    text);
}

static int line_compare(const void *a, const void *b)
{
	const struct route_cfg *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

/* IPv4 first, then IPv6, each in the file's order; afterwards all in that. */
static void lines_order(struct route_list *l)
{
	for (u64 i = 1; i < l->n; i++) {
		const struct route_cfg *before = &l->routes[i - 1], *r = &l->routes[i];

		assert_true(before->prefix.family <= r->prefix.family);
		if (before->prefix.family == r->prefix.family)
			assert_true(before->line < r->line);
	}
	qsort(l->routes, l->n, sizeof(*l->routes), line_compare);
}

static void test_forms(void **state)
{
	struct route_list l = list_ok(
		"# a comment\n"
		"\n"
		"10.1.0.0/16 via 10.0.0.2\n"
		"   \t10.2.0.0/16\tvia  10.0.0.3   dev p1 vlan 7 svlan 8 weight 256 # more\r\n"
		"10.3.0.0/16 dev p10\n"
		"default via 10.0.0.2\n"
		"default via 2001:db8::2\n"
		"blackhole 10.4.0.0/16\n"
		"unreachable 2001:db8:4::/48 vrf 12\n"
		"prohibit default vrf 3\n"
		"local 10.0.0.1\n"
		"unicast 10.5.0.0/16 dev p0\n"
		"10.1.0.0/16 vrf 65535 nexthop via 10.0.0.2 weight 3 nexthop dev p1 vlan 4094 "
		"nexthop "
		"via 10.0.0.4 dev p0\n"
		"10.7.0.0/16 weight 2 vrf 1 dev p0\n"
		"2001:db8:8::/48 nexthop via fe80::1 dev p1");

	assert_int_equal(l.n, 13);
	lines_order(&l);
	prefix_is(&l.routes[0], "10.1.0.0/16");
	assert_int_equal(l.routes[0].line, 3);
	assert_int_equal(l.routes[0].n_paths, 1);
	gateway_is(&l.routes[0].paths[0], "10.0.0.2");
	assert_int_equal(l.routes[0].paths[0].port_idx, UINT16_MAX);
	assert_int_equal(l.routes[0].paths[0].weight, 1);
	assert_int_equal(l.routes[1].paths[0].port_idx, 1);
	assert_int_equal(l.routes[1].paths[0].vlan, 7);
	assert_int_equal(l.routes[1].paths[0].svlan, 8);
	assert_int_equal(l.routes[1].paths[0].weight, 256);
	assert_int_equal(l.routes[2].paths[0].port_idx, 2);
	assert_int_equal(l.routes[2].paths[0].gateway.family, 0);
	prefix_is(&l.routes[3], "0.0.0.0/0");
	prefix_is(&l.routes[4], "::/0");
	gateway_is(&l.routes[4].paths[0], "2001:db8::2");
	assert_int_equal(l.routes[5].type, ROUTE_BLACKHOLE);
	assert_int_equal(l.routes[5].n_paths, 0);
	assert_null(l.routes[5].paths);
	assert_int_equal(l.routes[6].type, ROUTE_UNREACHABLE);
	assert_int_equal(l.routes[6].prefix.vrf, 12);
	assert_int_equal(l.routes[7].type, ROUTE_PROHIBIT);
	prefix_is(&l.routes[7], "0.0.0.0/0");
	assert_int_equal(l.routes[7].prefix.vrf, 3);
	assert_int_equal(l.routes[8].type, ROUTE_LOCAL);
	prefix_is(&l.routes[8], "10.0.0.1/32");
	assert_int_equal(l.routes[9].type, ROUTE_UNICAST);
	assert_int_equal(l.routes[10].prefix.vrf, 65535);
	assert_int_equal(l.routes[10].n_paths, 3);
	assert_int_equal(l.routes[10].paths[0].weight, 3);
	assert_int_equal(l.routes[10].paths[1].port_idx, 1);
	assert_int_equal(l.routes[10].paths[1].vlan, 4094);
	gateway_is(&l.routes[10].paths[2], "10.0.0.4");
	assert_int_equal(l.routes[11].paths[0].weight, 2);
	assert_int_equal(l.routes[11].prefix.vrf, 1);
	gateway_is(&l.routes[12].paths[0], "fe80::1");
	assert_int_equal(l.routes[12].line, 15);
	route_list_fini(&l);
	assert_null(l.routes);
	route_list_fini(&l);
	route_list_fini(NULL);
}

static void test_empty(void **state)
{
	static const char *const texts[] = {"", "\n", "#", "# only\n\n  \t\r\n", "\n\n\n"};
	struct route_list l;
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(texts); i++) {
		l = list_ok(texts[i]);
		assert_int_equal(l.n, 0);
		route_list_fini(&l);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *line, *error;
	} rows[] = {
		{"10.0.0.1/24 via 10.0.0.2",
		 "a prefix without bits past its length (10.0.0.0/24?), got \"10.0.0.1/24\""},
		{"10.0.0.0/33 via 10.0.0.2",
		 "a prefix, default or a type of route, got \"10.0.0.0/33\""},
		{"nonsense", "a prefix, default or a type of route, got \"nonsense\""},
		{"via 10.0.0.2", "a prefix, default or a type of route, got \"via\""},
		{"blackhole", "a prefix, got the end of the line"},
		{"blackhole x", "a prefix, got \"x\""},
		{"unicast", "a prefix, default or a type of route, got the end of the line"},
		{"10.0.0.0/8", "via, dev or nexthop, got the end of the line"},
		{"10.0.0.0/8 vrf 2", "via, dev or nexthop, got the end of the line"},
		{"10.0.0.0/8 via", "an IPv4 or IPv6 address, got the end of the line"},
		{"10.0.0.0/8 via 10.0.0", "an IPv4 or IPv6 address, got \"10.0.0\""},
		{"10.0.0.0/8 via inet6 fe80::1", "an IPv4 or IPv6 address, got \"inet6\""},
		{"10.0.0.0/8 via 224.0.0.1",
		 "a unicast address (not in 0/8, 127/8, 224/3), got \"224.0.0.1\""},
		{"10.0.0.0/8 via 192.168.0.1",
		 "a port, because no port's address has this gateway in its network, got "
		 "\"10.0.0.0/8 via 192.168.0.1\""},
		{"::/0 via fe80::1",
		 "a port, because every link has this link-local gateway's prefix, got \"::/0 via "
		 "fe80::1\""},
		{"10.0.0.0/8 via 10.0.0.1",
		 "a gateway that is not a port's own address, got \"10.0.0.0/8 via 10.0.0.1\""},
		{"10.0.0.0/8 via 2001:db8::2",
		 "an IPv4 gateway for an IPv4 prefix, got \"10.0.0.0/8 via 2001:db8::2\""},
		{"default via 2001:db8::2 dev p0 via 10.0.0.2",
		 "each word once a path, got \"via\""},
		{"default nexthop via 2001:db8::2 nexthop via 10.0.0.2",
		 "an IPv6 gateway for an IPv6 prefix, got \"default nexthop via 2001:db8::2 "
		 "nexthop "
		 "…\""},
		{"10.0.0.0/8 dev", "the name of a port, got the end of the line"},
		{"10.0.0.0/8 dev p", "the name of a port, got \"p\""},
		{"10.0.0.0/8 dev p00", "the name of a port, got \"p00\""},
		{"10.0.0.0/8 dev p0 dev p0", "each word once a path, got \"dev\""},
		{"10.0.0.0/8 dev p0 metric 5",
		 "via, dev, vlan, svlan, weight, nexthop or vrf, got \"metric\""},
		{"10.0.0.0/8 dev p0 vlan 4095", "a VLAN 0..4094, got \"4095\""},
		{"10.0.0.0/8 dev p0 svlan -1", "a VLAN 0..4094, got \"-1\""},
		{"10.0.0.0/8 dev p0 weight 0", "a weight 1..256, got \"0\""},
		{"10.0.0.0/8 dev p0 weight 257", "a weight 1..256, got \"257\""},
		{"10.0.0.0/8 dev p0 weight 4294967297", "a weight 1..256, got \"4294967297\""},
		{"10.0.0.0/8 dev p0 weight", "a weight 1..256, got the end of the line"},
		{"10.0.0.0/8 dev p0 vrf 65536", "a vrf 0..65535, got \"65536\""},
		{"10.0.0.0/8 vrf 1 vrf 2 dev p0", "each word once a path, got \"vrf\""},
		{"10.0.0.0/8 nexthop dev p0 vrf 2", "vrf before the first nexthop, got \"vrf\""},
		{"10.0.0.0/8 dev p0 nexthop dev p1", "either nexthop or one path, got \"nexthop\""},
		{"10.0.0.0/8 nexthop", "a gateway or a port, got \"10.0.0.0/8 nexthop\""},
		{"10.0.0.0/8 nexthop nexthop dev p0",
		 "a gateway or a port, got \"10.0.0.0/8 nexthop nexthop dev p0\""},
		{"10.0.0.0/8 vlan 3", "a gateway or a port, got \"10.0.0.0/8 vlan 3\""},
		{"blackhole 10.0.0.0/8 dev p0",
		 "nothing but vrf with this type of route, got \"dev\""},
		{"\x01\x1b[31m", "a prefix, default or a type of route, got \"??[31m\""},
	};
	struct route_list marker = {.n = 7}, l;
	struct config_errors e;
	char text[512], want[512];
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "10.9.0.0/16 dev p0\n%s\n10.8.0.0/16 dev p0\n",
			 rows[i].line);
		snprintf(want, sizeof(want), "r:2: expected %s", rows[i].error);
		e = (struct config_errors){0};
		l = marker;
		assert_int_equal(list_parse(text, &l, &e), -EINVAL);
		assert_memory_equal(&l, &marker, sizeof(l));
		if (e.n != 1 || strcmp(e.text[0], want)) {
			print_message("line: %s\nwanted: %s\n", rows[i].line, want);
			errors_show(&e);
			fail();
		}
		config_errors_fini(&e);
	}
}

static void test_nul(void **state)
{
	char line[400] = "";
	struct config_errors e = {0};
	struct route_list l;

	assert_int_equal(route_file_parse("10.0.0.0/8\0 dev p0", 18, "r", cfg, &l, &e), -EINVAL);
	assert_string_equal(e.text[0], "r:1: expected a prefix, default or a type of route, got "
				       "\"10.0.0.0/8?\"");
	config_errors_fini(&e);
	/* strncmp() takes "p0\0…" for "p0", however long it is */
	memcpy(line, "::/0 dev p0", 11);
	assert_int_equal(route_file_parse(line, sizeof(line), "r", cfg, &l, &e), -EINVAL);
	assert_int_equal(errors_count(&e, "expected the name of a port"), 1);
	config_errors_fini(&e);
}

static void test_too_many_paths(void **state)
{
	char text[4096];
	size_t at = (size_t)snprintf(text, sizeof(text), "::/0");
	struct config_errors e = {0};
	struct route_list l;
	u32 i;

	for (i = 0; i < 64; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " nexthop dev p0");
	l = list_ok(text);
	assert_int_equal(l.routes[0].n_paths, 64);
	route_list_fini(&l);
	snprintf(text + at, sizeof(text) - at, " nexthop dev p0");
	assert_int_equal(list_parse(text, &l, &e), -EINVAL);
	assert_string_equal(e.text[0], "r:1: expected at most 64 next hops, got \"nexthop\"");
	config_errors_fini(&e);
}

/* Twenty are told, the others counted; the lines are right. */
static void test_many_errors(void **state)
{
	struct config_errors e = {0};
	char text[4096] = "", want[64];
	struct route_list l;
	u32 i;

	for (i = 0; i < 300; i++)
		strncat(text, i % 3 ? "x\n" : "\n", sizeof(text) - strlen(text) - 1);
	assert_int_equal(list_parse(text, &l, &e), -EINVAL);
	assert_int_equal(e.n, 21);
	for (i = 0; i < 20; i++) {
		snprintf(want, sizeof(want), "r:%u: ", i / 2 * 3 + i % 2 + 2);
		assert_ptr_equal(strstr(e.text[i], want), e.text[i]);
	}
	assert_string_equal(e.text[20], "r: 180 more bad lines");
	config_errors_fini(&e);
}

static void test_duplicates(void **state)
{
	struct config_errors e = {0};
	struct route_list l;

	assert_int_equal(list_parse("10.0.0.0/8 dev p0\n"
				    "0.0.0.0/0 dev p0\n"
				    "10.0.0.0/8 vrf 1 dev p0\n"
				    "10.0.0.0/9 dev p0\n"
				    "::/0 dev p0\n"
				    "default dev p1\n"
				    "blackhole 10.0.0.0/8\n",
				    &l, &e),
			 -EINVAL);
	assert_int_equal(e.n, 2);
	assert_string_equal(e.text[0], "r:6: expected each prefix once a vrf (the first is on line "
				       "2), got \"0.0.0.0/0\"");
	assert_string_equal(e.text[1], "r:7: expected each prefix once a vrf (the first is on line "
				       "1), got \"10.0.0.0/8\"");
	config_errors_fini(&e);
	/* each family in order, in turn with the other */
	assert_int_equal(list_parse("10.0.0.0/8 dev p0\n::/0 dev p0\n10.0.0.0/9 dev p0\n"
				    "2001:db8::/32 dev p0\n2001:db8::/32 dev p1\n",
				    &l, &e),
			 -EINVAL);
	assert_int_equal(e.n, 1);
	assert_string_equal(e.text[0], "r:5: expected each prefix once a vrf (the first is on line "
				       "4), got \"2001:db8::/32\"");
	config_errors_fini(&e);
	/* neighbours in a file that is otherwise in order */
	assert_int_equal(list_parse("10.0.0.0/8 dev p0\n10.0.0.0/8 dev p0\n", &l, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	config_errors_fini(&e);
}

/* The same prefix in every vrf, out of order: what the set of prefixes must keep apart. */
static void test_every_vrf(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct route_list l;
	u32 vrf;

	for (vrf = 65536; vrf--;)
		fprintf(f, "10.0.0.0/8 vrf %u dev p0\n", vrf);
	fclose(f);
	l = list_ok(text);
	assert_int_equal(l.n, 65536);
	route_list_fini(&l);
	free(text);
}

/* ---- against what was written ---- */

struct expected {
	struct fib_prefix prefix;
	u32 n_paths;
	struct path_cfg path;
};

static void line_random(u64 *seed, u32 i, FILE *out, struct expected *ret)
{
	bool v6 = random_next(seed) & 1;
	u32 n = 1 + (u32)(random_next(seed) % 3), k;
	char text[ADDR_TEXT_MAX];
	u64 bits = random_next(seed);

	*ret = (struct expected){.n_paths = n};
	ret->prefix.family = v6 ? FIB_IP6 : FIB_IP4;
	ret->prefix.len = (u8)(v6 ? 32 + i % 97 : 16 + i % 17);
	ret->prefix.addr = addr_mask(ret->prefix.family,
				     (struct fib_addr){v6 ? bits : 0, v6 ? bits * 3 : bits >> 32},
				     ret->prefix.len);
	ret->prefix.vrf = i; /* no two are equal */
	fprintf(out, "%s vrf %u", prefix_format(&ret->prefix, text, sizeof(text)), i);
	for (k = 0; k < n; k++) {
		struct path_cfg p = {.port_idx = (u16)(random_next(seed) % 3),
				     .vlan = (u16)(random_next(seed) % 4095),
				     .weight = 1 + (u32)(random_next(seed) % 256)};

		p.gateway.family = ret->prefix.family;
		p.gateway.addr = (struct fib_addr){v6 ? 0x20010db8ull << 32 : 0,
						   (v6 ? 0 : 0x0a000000) + 2 + k};
		addr_format(p.gateway.family, &p.gateway.addr, text, sizeof(text));
		fprintf(out, "%s weight %u vlan %u via %s dev %s", n > 1 ? " nexthop" : "",
			p.weight, p.vlan, text, cfg->ports[p.port_idx].name);
		ret->path = p; /* the last */
	}
	fputc('\n', out);
}

static void test_random(void **state)
{
	struct expected *want = calloc(N_RANDOM, sizeof(*want));
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct route_list l;
	u64 seed = SEED;
	u32 i;

	print_message("seed %llu\n", SEED);
	for (i = 0; i < N_RANDOM; i++)
		line_random(&seed, i, f, &want[i]);
	fclose(f);
	l = list_ok(text);
	assert_int_equal(l.n, N_RANDOM);
	lines_order(&l);
	for (i = 0; i < N_RANDOM; i++) {
		const struct route_cfg *r = &l.routes[i];
		const struct path_cfg *p = &r->paths[r->n_paths - 1];

		assert_int_equal(r->line, i + 1);
		assert_int_equal(r->prefix.vrf, want[i].prefix.vrf);
		assert_int_equal(r->prefix.len, want[i].prefix.len);
		assert_int_equal(r->prefix.family, want[i].prefix.family);
		assert_true(addr_equal(&r->prefix.addr, &want[i].prefix.addr));
		assert_int_equal(r->n_paths, want[i].n_paths);
		assert_int_equal(p->port_idx, want[i].path.port_idx);
		assert_int_equal(p->vlan, want[i].path.vlan);
		assert_int_equal(p->weight, want[i].path.weight);
		assert_true(addr_equal(&p->gateway.addr, &want[i].path.gateway.addr));
	}
	route_list_fini(&l);
	free(text);
	free(want);
}

/* ---- files ---- */

/* CPU time: the machine may have other work. */
static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A million lines, in no order. */
static void test_large_file(void **state)
{
	char *dir = dir_create(), path[512];
	struct config_errors e = {0};
	struct route_list l;
	double start;
	FILE *f;
	u32 i, a;

	snprintf(path, sizeof(path), "%s/large.routes", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	for (i = 0; i < N_LARGE; i++) {
		a = i * 2654435761u & 0xffffff; /* odd: 2^24 different /24 */
		fprintf(f, "%u.%u.%u.0/24 via 10.0.0.%u\n", a >> 16, a >> 8 & 255, a & 255,
			2 + i % 200);
	}
	fclose(f);
	start = now_s();
	assert_int_equal(route_file_load(path, cfg, &l, &e), 0);
	print_message("%u routes in %.0f ms of CPU time\n", N_LARGE, (now_s() - start) * 1e3);
	assert_true(now_s() - start < LARGE_MAX_S);
	assert_int_equal(l.n, N_LARGE);
	assert_int_equal(l.routes[N_LARGE - 1].line, N_LARGE);
	for (i = 0; i < N_LARGE; i++)
		assert_int_equal(l.routes[i].paths->gateway.addr.lo, 0x0a000002 + i % 200);
	route_list_fini(&l);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

/* ---- lines like those before them ---- */

/* What was good behind one prefix need not be so behind another. */
static void test_alike_refused(void **state)
{
	static const char *const want[] = {
		"r:2: expected a prefix without bits past its length (10.2.0.0/16?), got "
		"\"10.2.0.1/16\"",
		"r:3: expected a prefix, default or a type of route, got \"10.3.0.0/33\"",
		"r:4: expected nothing but vrf with this type of route, got \"via\"",
		"r:5: expected an IPv6 gateway for an IPv6 prefix, got \"2001:db8:1::/48 via "
		"10.0.0.2\"",
	};
	struct config_errors e = {0};
	struct route_list l = {0};

	assert_int_equal(list_parse("10.1.0.0/16 via 10.0.0.2\n10.2.0.1/16 via 10.0.0.2\n"
				    "10.3.0.0/33 via 10.0.0.2\n"
				    "blackhole 10.4.0.0/16 via 10.0.0.2\n"
				    "2001:db8:1::/48 via 10.0.0.2\n",
				    &l, &e),
			 -EINVAL);
	assert_int_equal(e.n, DWCP_ARRAY_LEN(want));
	for (u32 i = 0; i < e.n; i++)
		assert_string_equal(e.text[i], want[i]);
	config_errors_fini(&e);
}

static void test_alike(void **state)
{
	struct route_list l = list_ok("10.1.0.0/16 vrf 3 nexthop via 10.0.0.2 nexthop dev p1 # x\n"
				      "10.2.0.0/16 vrf 3 nexthop via 10.0.0.2 nexthop dev p1 # x\n"
				      "10.3.0.0/16 dev p1\n"
				      "2001:db8:1::/48 dev p1\n"
				      "2001:db8:2::/48 dev p1\r\n"
				      "2001:db8:3::/48 dev p1\r\n"
				      "10.4.0.0/16 dev p1\n");

	assert_int_equal(l.n, 7);
	lines_order(&l);
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(l.routes[i].prefix.vrf, 3);
		assert_int_equal(l.routes[i].n_paths, 2);
		gateway_is(&l.routes[i].paths[0], "10.0.0.2");
		assert_int_equal(l.routes[i].paths[1].port_idx, 1);
	}
	assert_ptr_equal(l.routes[0].paths, l.routes[1].paths);
	for (u32 i = 2; i < 7; i++) {
		assert_int_equal(l.routes[i].prefix.vrf, 0);
		assert_int_equal(l.routes[i].n_paths, 1);
		assert_int_equal(l.routes[i].paths[0].port_idx, 1);
	}
	prefix_is(&l.routes[5], "2001:db8:3::/48");
	prefix_is(&l.routes[6], "10.4.0.0/16");
	assert_int_equal(l.routes[6].line, 7);
	route_list_fini(&l);
}

/* Lines and line numbers over the ends of what is read at once, a line longer than that, no end of the last. */
static void test_pieces(void **state)
{
	char *dir = dir_create(), path[512], text[96];
	struct config_errors e = {0};
	struct route_list l = {0};
	u32 n = 20000, i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/pieces.routes", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	for (i = 0; i < n; i++) {
		if (i == n / 2)
			fprintf(f, "#%0700000u\n", i);
		fprintf(f, "%u.%u.%u.0/24 via 10.0.0.%u%s", 20 + (i >> 16), i >> 8 & 255, i & 255,
			2 + i % 7, i + 1 < n ? "\n" : "");
	}
	fclose(f);
	assert_int_equal(route_file_load(path, cfg, &l, &e), 0);
	assert_int_equal(l.n, n);
	for (i = 0; i < n; i++) {
		assert_int_equal(l.routes[i].line, i + 1 + (i >= n / 2));
		assert_int_equal(l.routes[i].prefix.addr.lo, (20u << 24) + (i << 8));
		assert_int_equal(l.routes[i].paths->gateway.addr.lo, 0x0a000002 + i % 7);
	}
	route_list_fini(&l);
	f = fopen(path, "ae");
	fprintf(f, "\n\nnonsense");
	fclose(f);
	assert_int_equal(route_file_load(path, cfg, &l, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	snprintf(text, sizeof(text), ":%u: expected a prefix", n + 3);
	assert_non_null(strstr(e.text[0], text));
	config_errors_fini(&e);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

static void test_files(void **state)
{
	struct route_list marker = {.n = 7}, l = marker;
	struct config_errors e = {0};

	assert_int_equal(route_file_load("/nonexistent/x.routes", cfg, &l, &e), -ENOENT);
	assert_int_equal(route_file_load("/tmp", cfg, &l, &e), -EISDIR);
	assert_int_equal(route_file_load("/dev/null", cfg, &l, &e), -EINVAL);
	assert_int_equal(e.n, 3);
	assert_string_equal(e.text[0], "/nonexistent/x.routes: No such file or directory");
	assert_string_equal(e.text[2], "/dev/null: expected a regular file");
	assert_memory_equal(&l, &marker, sizeof(l));
	config_errors_fini(&e);
}

/* Without a configuration there are no ports, but routes that need none load. */
static void test_no_config(void **state)
{
	struct config_errors e = {0};
	struct route_list l;

	assert_int_equal(route_file_parse("blackhole ::/0\n", 15, "r", NULL, &l, &e), 0);
	assert_int_equal(l.n, 1);
	route_list_fini(&l);
	assert_int_equal(route_file_parse("::/0 dev p0", 11, "r", NULL, &l, &e), -EINVAL);
	config_errors_fini(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	       cmocka_unit_test(test_empty),
		cmocka_unit_test(test_refused),	       cmocka_unit_test(test_nul),
		cmocka_unit_test(test_too_many_paths), cmocka_unit_test(test_many_errors),
		cmocka_unit_test(test_duplicates),     cmocka_unit_test(test_every_vrf),
		cmocka_unit_test(test_random),	       cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_files),	       cmocka_unit_test(test_no_config),
		cmocka_unit_test(test_alike),	       cmocka_unit_test(test_alike_refused),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, cfg_create, cfg_free);
}
