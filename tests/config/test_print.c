/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_print.c - what is printed loads again and is the same; the reference is fresh and complete; a reload is judged
 * section by section.
 */
#include "config_test.h"

#include "schema.h"

#define SEED	   20261121ull
#define N_CONFIGS  300
#define ROOT_ENV   "DWCP_SOURCE_ROOT"
#define N_SECTIONS 13

static const char full[] =
	"node: { name = \"r-1.a_b\"; state_dir = \"/a \\\"b\\\" \\\\c\"; };\n"
	"dataplane: { workers = [3, 3, 1023]; control_cpu = 0; idle = \"poll\"; file_prefix = "
	"\"x\";\n"
	"  memory: { huge_pages = \"off\"; size_mb = 64; mbufs = 5; }; tables: { lock = false; }; "
	"icmp: { errors_pps = 5; interface_info = true; }; "
	"};\n"
	"agent: { socket_gid = 2147483647; };\n"
	"ports = ( { name = \"p0\"; device = \"af_packet\"; args = \"iface=a,b=\\\"c\\\"\"; mtu = "
	"9000;\n"
	"    addresses = [\"10.0.0.1/24\", \"2001:db8::1/64\", \"fe80::1/64\"]; },\n"
	"  { name = \"p1\"; device = \"0000:03:00.0\"; promiscuous = true; speed_mbps = 100000; } "
	");\n"
	"neighbours = ( { port = \"p1\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:01\"; vlan "
	"= 9; } );\n"
	"routes = ( { prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.2\"; },\n"
	"  { prefix = \"10.2.0.0/16\"; paths = ( { port = \"p1\"; weight = 7; } ); },\n"
	"  { prefix = \"10.3.0.0/16\"; paths = ( { port = \"p1\"; } ); },\n"
	"  { prefix = \"10.4.0.0/16\"; vrf = 3; paths = ( { port = \"p1\"; }, { gateway = "
	"\"10.0.0.3\"; } ); },\n"
	"  { prefix = \"10.5.0.0/16\"; type = \"local\"; } );\n"
	"mirror: { enabled = false; reconcile_s = 7; tables = ( { table = 100; vrf = 2; }, { table "
	"= 254; } ); };\n"
	"route_files = ( { name = \"t\"; path = \"/etc/t.routes\"; } );\n";

static void kept_all(const struct dwcp_config *a, const struct dwcp_config *b)
{
	struct config_diff_row rows[32];
	u32 n = config_diff(a, b, rows, DWCP_ARRAY_LEN(rows)), i;

	assert_int_equal(n, N_SECTIONS);
	for (i = 0; i < n; i++) {
		if (rows[i].change != CONFIG_KEPT)
			print_message("%s: %d\n", rows[i].section, rows[i].change);
		assert_int_equal(rows[i].change, CONFIG_KEPT);
	}
}

static void round_trip(const char *text)
{
	struct loaded a = text_load_ok(text), b;
	char *first = config_text(a.cfg), *second;

	b = text_load_ok(first);
	second = config_text(b.cfg);
	assert_string_equal(first, second);
	kept_all(a.cfg, b.cfg);
	free(first);
	free(second);
	loaded_fini(&a);
	loaded_fini(&b);
}

static void test_round_trip(void **state)
{
	struct loaded l = text_load_ok(full), again;
	char *text = config_text(l.cfg);

	/* by values, not by text alone */
	again = text_load_ok(text);
	assert_string_equal(again.cfg->node.state_dir, "/a \"b\" \\c");
	assert_string_equal(again.cfg->ports[0].args, "iface=a,b=\"c\"");
	assert_int_equal(again.cfg->dataplane.n_workers, 3);
	assert_int_equal(again.cfg->dataplane.workers[2], 1023);
	assert_int_equal(again.cfg->routes[1].paths[0].weight, 7);
	assert_int_equal(again.cfg->routes[3].prefix.vrf, 3);
	assert_int_equal(again.cfg->routes[3].n_paths, 2);
	assert_int_equal(again.cfg->routes[4].type, ROUTE_LOCAL);
	assert_true(again.cfg->ports_hash == l.cfg->ports_hash);
	free(text);
	loaded_fini(&l);
	loaded_fini(&again);
	round_trip(full);
	round_trip("");
}

/* ---- random configurations ---- */

struct writer {
	FILE *out;
	u64 seed;
	u32 n_ports;
};

static u64 below(struct writer *w, u64 n)
{
	return random_next(&w->seed) % n;
}

static void maybe(struct writer *w, const char *key, u64 min, u64 max)
{
	if (below(w, 2))
		fprintf(w->out, " %s = %llu;", key,
			(unsigned long long)(min + below(w, max - min + 1)));
}

static void write_port(struct writer *w, u32 i)
{
	fprintf(w->out, "%s{ name = \"p%u\"; device = \"%s\";", i ? ",\n" : "", i,
		below(w, 2) ? "null" : "tap");
	maybe(w, "mtu", 1280, 9600);
	maybe(w, "rx_queues", 0, 64);
	maybe(w, "speed_mbps", 0, 400000);
	fprintf(w->out, " addresses = [\"10.%u.0.1/16\", \"2001:db8:%x::1/48\"]; }", i, i);
}

static void write_path(struct writer *w, bool v6)
{
	u32 port = (u32)below(w, w->n_ports);

	if (below(w, 4))
		fprintf(w->out,
			v6 ? " gateway = \"2001:db8:%x::%x\";" : " gateway = \"10.%u.1.%u\";", port,
			2 + (u32)below(w, 200));
	else
		fprintf(w->out, " port = \"p%u\";", port);
	maybe(w, "vlan", 0, 4094);
	maybe(w, "svlan", 0, 4094);
}

static void write_route(struct writer *w, u32 i)
{
	bool v6 = below(w, 2);
	u32 n = (u32)below(w, 5), k;

	fprintf(w->out,
		v6 ? "%s{ prefix = \"2001:db8:f%03x::/48\";" : "%s{ prefix = \"172.16.%u.0/24\";",
		i ? ",\n" : "", i);
	maybe(w, "vrf", 0, 65535);
	if (!n) {
		fprintf(w->out, " type = \"%s\"; }",
			route_type_name(ROUTE_BLACKHOLE + below(w, ROUTE_LOCAL)));
		return;
	}
	if (n == 1) {
		write_path(w, v6);
		fputs(" }", w->out);
		return;
	}
	fputs(" paths = (", w->out);
	for (k = 1; k < n; k++) {
		fputs(k > 1 ? ", {" : "{", w->out);
		write_path(w, v6);
		maybe(w, "weight", 1, 256);
		fputs(" }", w->out);
	}
	fputs("); }", w->out);
}

static char *config_random(u64 seed)
{
	char *text = NULL;
	size_t len;
	struct writer w = {.out = open_memstream(&text, &len), .seed = seed};
	u32 n, i;

	w.n_ports = 1 + (u32)below(&w, 20);
	fputs("ports = (", w.out);
	for (i = 0; i < w.n_ports; i++)
		write_port(&w, i);
	fputs(");\nneighbours = (", w.out);
	n = (u32)below(&w, 20);
	for (i = 0; i < n; i++)
		fprintf(w.out,
			"%s{ port = \"p%u\"; address = \"10.200.0.%u\"; mac = "
			"\"02:00:00:00:00:%02x\"; }",
			i ? ",\n" : "", (u32)below(&w, w.n_ports), i + 2, (u32)below(&w, 256));
	fputs(");\nroutes = (", w.out);
	n = (u32)below(&w, 60);
	for (i = 0; i < n; i++)
		write_route(&w, i);
	fputs(");\n", w.out);
	fclose(w.out);
	return text;
}

static void test_round_trip_random(void **state)
{
	char *text;
	u32 i;

	print_message("seeds %llu + 0..%u\n", SEED, N_CONFIGS - 1);
	for (i = 0; i < N_CONFIGS; i++) {
		text = config_random(SEED + i);
		round_trip(text);
		free(text);
	}
}

/* ---- the reference ---- */

static char *reference_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(config_reference(f), 0);
	fclose(f);
	return text;
}

static char *file_text(const char *path)
{
	char *text = calloc(1, 1 << 20);
	FILE *f = fopen(path, "re");

	if (!f)
		print_message("%s: %s\n", path, strerror(errno));
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void test_reference_fresh(void **state)
{
	const char *root = getenv(ROOT_ENV);
	char path[1024], *have, *want;

	if (!root) {
		print_message("skipped: " ROOT_ENV " is not set\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/configs/reference.conf", root);
	want = reference_text();
	have = file_text(path);
	if (strcmp(have, want))
		print_message(
			"stale: run `meson compile config-reference` in the build directory\n");
	assert_string_equal(have, want);
	free(have);
	free(want);
}

/* As it stands it gives the defaults; with its '#' gone it loads, too. */
static void test_reference_loads(void **state)
{
	struct loaded defaults = text_load_ok(""), l;
	char *text = reference_text(), *p = text;

	l = text_load_ok(text);
	kept_all(defaults.cfg, l.cfg);
	loaded_fini(&l);
	loaded_fini(&defaults);
	for (; *p; p = strchr(p, '\n') + 1) {
		p += strspn(p, "\t");
		if (*p == '#' && p[1] != ' ' && p[1] != '\n')
			*p = ' ';
	}
	l = text_load_ok(text);
	assert_int_equal(l.cfg->n_ports, 3);
	assert_int_equal(l.cfg->n_neighbours, 1);
	assert_int_equal(l.cfg->n_routes, 4);
	assert_int_equal(l.cfg->n_route_files, 1);
	assert_string_equal(l.cfg->node.name, "r1");
	loaded_fini(&l);
	free(text);
}

static void test_reference_complete(void **state)
{
	const struct schema_table *tables[8] = {&config_schema};
	char *text = reference_text();
	const char *name;
	u32 n = 1, i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < tables[i]->n_rows; k++) {
			const struct schema_row *r = &tables[i]->rows[k];

			name = strrchr(r->path, '.') ? strrchr(r->path, '.') + 1 : r->path;
			assert_non_null(strstr(text, name));
			if (r->table)
				tables[n++] = r->table;
		}
	assert_int_equal(n, 7);
	free(text);
}

static void test_examples_load(void **state)
{
	const char *root = getenv(ROOT_ENV);
	struct config_errors e = {0};
	struct dwcp_config *cfg = NULL;
	struct route_list l = {0};
	char path[1024];
	u32 i;

	if (!root) {
		print_message("skipped: " ROOT_ENV " is not set\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/configs/single-node.conf", root);
	if (config_load(path, &cfg, &e))
		errors_show(&e);
	assert_non_null(cfg);
	assert_true(cfg->n_ports >= 2 && cfg->n_routes >= 1 && cfg->n_route_files >= 1);
	for (i = 0; i < cfg->n_route_files; i++) {
		if (route_file_load(cfg->route_files[i].path, cfg, &l, &e))
			errors_show(&e);
		assert_int_equal(e.n, 0);
		assert_true(l.n > 0);
		route_list_fini(&l);
	}
	config_free(cfg);
	config_errors_fini(&e);
}

/* ---- reload ---- */

/* Only @section differs, and by @change. */
static void diff_is(const char *before, const char *after, const char *section,
		    enum config_change change)
{
	struct loaded a = text_load_ok(before), b = text_load_ok(after);
	struct config_diff_row rows[32];
	u32 n = config_diff(a.cfg, b.cfg, rows, DWCP_ARRAY_LEN(rows)), i, found = 0;

	for (i = 0; i < n; i++) {
		bool mine = !strcmp(rows[i].section, section);

		if (rows[i].change != (mine ? change : CONFIG_KEPT)) {
			print_message("%s: %d, wanted %s: %d\n", rows[i].section, rows[i].change,
				      section, change);
			fail();
		}
		found += mine;
	}
	assert_int_equal(found, 1);
	loaded_fini(&a);
	loaded_fini(&b);
}

#define P0(keys) "{ name = \"p0\"; device = \"null\"; " keys " }"
#define P1	 "{ name = \"p1\"; device = \"null\"; }"

static void test_diff(void **state)
{
	static const char ports[] = "ports = (" P0("") ", " P1 ");";

	diff_is("", "node: { name = \"other\"; };", "node", CONFIG_NEEDS_RESTART);
	diff_is("", "dataplane: { workers = [9]; };", "dataplane", CONFIG_NEEDS_RESTART);
	diff_is("", "dataplane: { sample_shift = 7; };", "dataplane", CONFIG_NEEDS_RESTART);
	diff_is("", "dataplane: { memory: { size_mb = 64; }; };", "dataplane.memory",
		CONFIG_NEEDS_RESTART);
	diff_is("", "dataplane: { tables: { lock = false; }; };", "dataplane.tables",
		CONFIG_NEEDS_RESTART);
	diff_is("", "agent: { coalesce_ms = 6; };", "agent", CONFIG_APPLIED);
	diff_is("", "agent: { chunk_kb = 64; };", "agent", CONFIG_NEEDS_RESTART);
	diff_is("", "agent: { coalesce_ms = 6; chunk_kb = 64; };", "agent", CONFIG_NEEDS_RESTART);
	diff_is("", "route_files = ({ name = \"a\"; path = \"/a\"; });", "route_files",
		CONFIG_APPLIED);
	diff_is("", ports, "ports", CONFIG_NEEDS_RESTART);
	diff_is(ports, "ports = (" P0("mtu = 1400;") ", " P1 ");", "ports", CONFIG_NEEDS_RESTART);
	diff_is(ports, "ports = (" P0("addresses = [\"10.0.0.1/24\"];") ", " P1 ");", "ports",
		CONFIG_APPLIED);
	diff_is(ports, "ports = (" P0("addresses = [\"10.0.0.1/24\"]; rx_ring = 64;") ", " P1 ");",
		"ports", CONFIG_NEEDS_RESTART);
	diff_is(ports, "ports = (" P0("") ");", "ports", CONFIG_NEEDS_RESTART);
	diff_is(ports, "ports = (" P1 ", " P0("") ");", "ports", CONFIG_NEEDS_RESTART);
	diff_is("ports = (" P0("") ");",
		"ports = (" P0(
			"") "); neighbours = ({ port = \"p0\"; address = \"10.0.0.2\"; mac = "
			    "\"02:00:00:00:00:01\"; });",
		"neighbours", CONFIG_APPLIED);
	diff_is("ports = (" P0("") "); routes = ({ prefix = \"::/0\"; port = \"p0\"; });",
		"ports = (" P0("") "); routes = ({ prefix = \"::/0\"; port = \"p0\"; vlan = 3; });",
		"routes", CONFIG_APPLIED);
	/* order, blanks, defaults that are spelled out: all the same */
	diff_is("agent: { coalesce_ms = 6; };",
		"# x\nagent: {\n\nchunk_kb = 256;\n}; ports = (); node: { };", "agent",
		CONFIG_APPLIED);
}

/* The rows that fit, and not one more. */
static void test_diff_cap(void **state)
{
	struct loaded l = text_load_ok("");
	struct config_diff_row rows[3] = {{0}, {0}, {"untouched", 0}};

	assert_int_equal(config_diff(l.cfg, l.cfg, rows, 2), 2);
	assert_string_equal(rows[0].section, "node");
	assert_string_equal(rows[2].section, "untouched");
	assert_int_equal(config_diff(l.cfg, l.cfg, rows, 0), 0);
	loaded_fini(&l);
}

/* Names and their order decide, and nothing else. */
static void test_ports_hash(void **state)
{
	struct loaded a = text_load_ok("ports = (" P0("") ", " P1 ");"),
		      b = text_load_ok("ports = (" P0("mtu = 1400;") ", " P1 ");"),
		      c = text_load_ok("ports = (" P1 ", " P0("") ");");

	assert_true(a.cfg->ports_hash == b.cfg->ports_hash);
	assert_true(a.cfg->ports_hash != c.cfg->ports_hash);
	loaded_fini(&a);
	loaded_fini(&b);
	loaded_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_random),
		cmocka_unit_test(test_reference_fresh),
		cmocka_unit_test(test_reference_loads),
		cmocka_unit_test(test_reference_complete),
		cmocka_unit_test(test_examples_load),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_cap),
		cmocka_unit_test(test_ports_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
