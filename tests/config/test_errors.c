/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_errors.c - what a wrong file is told: the exact words, the line, all of it at once, and nothing loaded.
 */
#include "config_test.h"

#include <dwcp/base.h>

#include "schema_engine.h"

#define PORT0                                                                                      \
	"{ name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/24\", \"2001:db8::1/64\"]; }"
#define PORTS "ports = (" PORT0 ", { name = \"p1\"; device = \"null\"; });\n"

static void test_all_at_once(void **state)
{
	text_refused(
		"node: {\n"
		"  nmae = \"x\";\n"
		"};\n"
		"agent: { chunk_kb = 100; };\n"
		"ports = (\n"
		"  {\n"
		"    name = \"p0\";\n"
		"    device = \"af_paket\";\n"
		"    mut = 9000;\n"
		"  },\n"
		"  {\n"
		"    device = \"null\";\n"
		"    mtu = \"1500\";\n"
		"  }\n"
		");\n"
		"routes = (\n"
		"  { prefix = \"10.0.0.1/24\"; port = \"p0\"; },\n"
		"  { prefix = \"10.1.0.0/16\";\n"
		"    paths = ( { port = \"p0\"; },\n"
		"      { port = \"p9\"; weight = 0; } ); }\n"
		");\n"
		"bogus = 1;\n",
		"t.conf:2: node.nmae: unknown key, did you mean 'name'?",
		"t.conf:4: agent.chunk_kb: expected a power of two, got 100",
		"t.conf:8: ports[0].device: expected \"af_xdp\", \"af_packet\", \"memif\", "
		"\"tap\", "
		"\"pcap\", \"ring\", \"null\", \"vlan\" or a PCI address like \"0000:03:00.0\", "
		"got "
		"\"af_paket\"",
		"t.conf:9: ports[0].mut: unknown key, did you mean 'mtu'?",
		"t.conf:11: ports[1].name: missing from the group that starts here, expected a "
		"string of 1..31 characters",
		"t.conf:13: ports[1].mtu: expected an integer 68..9600 (bytes), got a string, "
		"\"1500\"",
		"t.conf:17: routes[0].prefix: expected a prefix without bits past its length "
		"(10.0.0.0/24?), got \"10.0.0.1/24\"",
		"t.conf:20: routes[1].paths[1].port: expected the name of a port (did you mean "
		"'p0'?), got \"p9\"",
		"t.conf:20: routes[1].paths[1].weight: expected an integer 1..256, got 0",
		"t.conf:20: routes[1].paths[1].gateway: expected a gateway or a port, got none",
		"t.conf:22: bogus: unknown key", NULL);
}

static void test_syntax(void **state)
{
	/* alone, whatever else is wrong */
	text_refused("bogus = 1;\nnode: { name = ; };\n",
		     "t.conf:2: syntax error, at or just before: node: { name = ; };", NULL);
	text_refused("node: {\n", "t.conf:2: syntax error, at or just before: ", NULL);
	text_refused("agent: { chunk_kb = 4; };\nagent: { };\n",
		     "t.conf:2: duplicate setting name, at or just before: agent: { };", NULL);
	text_refused("dataplane: { workers = [1, \"x\"]; };",
		     "t.conf:1: mismatched element type in array, at or just before: dataplane: { "
		     "workers = [1, \"x\"]; };",
		     NULL);
}

static void test_unknown_keys(void **state)
{
	text_refused("dataplane: { tables: { memmory_max_mb = 9; }; memroy: { }; };",
		     "t.conf:1: dataplane.memroy: unknown key, did you mean 'memory'?",
		     "t.conf:1: dataplane.tables.memmory_max_mb: unknown key, did you mean "
		     "'memory_max_mb'?",
		     NULL);
	text_refused("zzzzzz = 1;", "t.conf:1: zzzzzz: unknown key", NULL);
	text_refused("port = ();", "t.conf:1: port: unknown key, did you mean 'ports'?", NULL);
	/* a key of the wrong group is unknown, though it exists elsewhere */
	text_refused("node: { mtu = 1500; };", "t.conf:1: node.mtu: unknown key", NULL);
	text_refused("name = \"x\";", "t.conf:1: name: unknown key", NULL);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"name", "mtu", "rx_queues", "tx_ring", "rx_ring"};
	static const struct {
		const char *word, *near;
	} rows[] = {
		{"nmae", "name"},
		{"mut", "mtu"},
		{"mtus", "mtu"},
		{"rx_queue", "rx_queues"},
		{"rxring", "rx_ring"},
		{"tx-ring", "tx_ring"},
		{"MTU", NULL},
		{"x", NULL},
		{"", NULL},
		{"rx_qeueus", "rx_queues"},
		{"a_very_long_word_that_nobody_would_have_mistyped_for_anything", NULL},
	};
	const char *near;
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		near = schema_nearest(rows[i].word, names, DWCP_ARRAY_LEN(names));
		if (rows[i].near) {
			assert_non_null(near);
			assert_string_equal(near, rows[i].near);
		} else {
			assert_null(near);
		}
	}
}

/* ---- sizes ---- */

static char *repeated(const char *head, const char *item, u32 n, const char *tail)
{
	size_t len = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);
	u32 i;

	fputs(head, f);
	for (i = 0; i < n; i++) {
		fputs(i ? ",\n" : "", f);
		fprintf(f, item, i);
	}
	fputs(tail, f);
	fclose(f);
	return text;
}

static void test_too_many(void **state)
{
	char *text = repeated("ports = (", "{ name = \"p%u\"; device = \"null\"; }", 10000, ");");
	struct loaded l;

	text_refused(text,
		     "t.conf:1: ports: expected a list of 0..64 groups ( { … }, … ), got 10000 of "
		     "them",
		     NULL);
	free(text);
	text = repeated("ports = (", "{ name = \"p%u\"; device = \"null\"; }", 64, ");");
	l = text_load_ok(text);
	assert_int_equal(l.cfg->n_ports, 64);
	assert_int_equal(config_port_idx(l.cfg, "p63"), 63);
	assert_int_equal(config_port_idx(l.cfg, "p64"), -ENOENT);
	loaded_fini(&l);
	free(text);
	text = repeated(PORTS "routes = ({ prefix = \"::/0\"; paths = (",
			"{ port = \"p0\"; vlan = %u; }", 65, "); });");
	text_refused(text,
		     "t.conf:2: routes[0].paths: expected a list of 1..64 groups ( { … }, … ), got "
		     "65 "
		     "of them",
		     NULL);
	free(text);
}

/* A million mistakes are counted, not kept. */
static void test_too_many_errors(void **state)
{
	char *text = repeated("routes = (", "{ weight = %u; }", 5000, ");");
	struct loaded l = text_load(text);

	assert_int_equal(l.rc, -EINVAL);
	assert_int_equal(l.errors.n, SCHEMA_MAX_ERRORS + 1);
	assert_string_equal(l.errors.text[0], "t.conf:1: routes[0].weight: unknown key");
	assert_string_equal(l.errors.text[l.errors.n - 1], "9000 more errors");
	loaded_fini(&l);
	free(text);
}

static void test_strings(void **state)
{
	char *text = malloc(200000);
	struct loaded l;
	size_t n;

	text_refused("node: { name = \"a\\x00b\"; };",
		     "t.conf:1: expected a string without NUL, got \\x00 in it", NULL);
	text_refused("node: { state_dir = \"\"; };",
		     "t.conf:1: node.state_dir: expected a path without control characters, got "
		     "\"\"",
		     NULL);
	text_refused("node: { state_dir = \"/a\\nb\"; };",
		     "t.conf:1: node.state_dir: expected a path without control characters, got "
		     "\"/a?b\"",
		     NULL);
	n = (size_t)snprintf(text, 100, "node: { state_dir = \"/");
	memset(text + n, 'a', 150000);
	memcpy(text + n + 150000, "\"; };", sizeof("\"; };"));
	text_refused(text,
		     "t.conf:1: node.state_dir: expected a string of at most 4096 characters, got "
		     "\"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\"",
		     NULL);
	free(text);
	/* a NUL byte in the file itself */
	l = (struct loaded){0};
	l.rc = config_parse("a = 1;\n\0b", 9, "t.conf", NULL, &l.cfg, &l.errors);
	assert_int_equal(l.rc, -EINVAL);
	assert_string_equal(l.errors.text[0], "t.conf:2: expected text, got a NUL byte");
	loaded_fini(&l);
	/* an escaped x00 is none */
	text_refused("node: { name = \"a\\\\x00b\"; };",
		     "t.conf:1: node.name: expected a name of letters, digits, '_', '.' and '-', "
		     "got "
		     "\"a\\x00b\"",
		     NULL);
}

/* Outputs stay as they were; errors are appended. */
static void test_untouched(void **state)
{
	struct dwcp_config *marker = (struct dwcp_config *)state, *cfg = marker;
	struct config_errors e = {0};

	config_errors_add(&e, "first %d", 1);
	assert_int_equal(config_parse("x = 1;", 6, "t.conf", NULL, &cfg, &e), -EINVAL);
	assert_ptr_equal(cfg, marker);
	assert_int_equal(config_load("/nonexistent/dwcp.conf", &cfg, &e), -ENOENT);
	assert_int_equal(config_load("/", &cfg, &e), -EISDIR);
	assert_int_equal(config_load("/dev/null", &cfg, &e), -EINVAL);
	assert_ptr_equal(cfg, marker);
	assert_int_equal(e.n, 5);
	assert_string_equal(e.text[0], "first 1");
	assert_string_equal(e.text[2], "/nonexistent/dwcp.conf: No such file or directory");
	assert_string_equal(e.text[4], "/dev/null: expected a regular file");
	config_errors_fini(&e);
	config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),  cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_unknown_keys), cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_too_many),     cmocka_unit_test(test_too_many_errors),
		cmocka_unit_test(test_strings),	     cmocka_unit_test(test_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
