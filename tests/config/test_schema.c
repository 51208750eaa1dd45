/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_schema.c - every row of the schema, by the rows themselves: default, bounds, one past the bounds, each wrong
 * type, absence. A row that is added is tested by being there.
 */
#include "config_test.h"

#include <inttypes.h>

#include "schema.h"

/* Where a row's key can be set in an otherwise good file, and where its value ends up. */
struct place {
	const char *name;
	const struct schema_table *table;
	const char *before, *after;
	const char *base[4]; /* keys that the element needs, unless it is the one under test */
	const void *(*elem)(const struct dwcp_config *cfg);
	const char *path; /* in errors */
};

static const void *root_elem(const struct dwcp_config *cfg)
{
	return cfg; /* config_form begins with it */
}

static const void *port_elem(const struct dwcp_config *cfg)
{
	return &cfg->ports[0];
}

static const void *vlan_elem(const struct dwcp_config *cfg)
{
	return &cfg->ports[1];
}

static const void *neighbour_elem(const struct dwcp_config *cfg)
{
	return &cfg->neighbours[0];
}

static const void *route_elem(const struct dwcp_config *cfg)
{
	static struct route_form form;
	const struct route_cfg *r = &cfg->routes[0];

	form = (struct route_form){.prefix = r->prefix, .type = r->type};
	if (r->n_paths)
		form.single = r->paths[0];
	return &form;
}

static const void *path_elem(const struct dwcp_config *cfg)
{
	return &cfg->routes[0].paths[0];
}

static const void *route_file_elem(const struct dwcp_config *cfg)
{
	return &cfg->route_files[0];
}

#define A_PORT "ports = ({ name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/24\"]; });\n"

static struct place places[] = {
	{"root", NULL, "", "", {0}, root_elem, ""},
	{"ports",
	 NULL,
	 "ports = ({",
	 "});",
	 {"name = \"p0\";", "device = \"null\";"},
	 port_elem,
	 "ports[0]."},
	{"neighbours",
	 NULL,
	 A_PORT "neighbours = ({",
	 "});",
	 {"port = \"p0\";", "address = \"10.0.0.2\";", "mac = \"02:00:00:00:00:01\";"},
	 neighbour_elem,
	 "neighbours[0]."},
	{"routes",
	 NULL,
	 A_PORT "routes = ({",
	 "});",
	 {"prefix = \"10.1.0.0/16\";", "gateway = \"10.0.0.2\";"},
	 route_elem,
	 "routes[0]."},
	{"routes.paths",
	 NULL,
	 A_PORT "routes = ({ prefix = \"10.1.0.0/16\"; paths = ({",
	 "}); });",
	 {"gateway = \"10.0.0.2\";"},
	 path_elem,
	 "routes[0].paths[0]."},
	{"route_files",
	 NULL,
	 "route_files = ({",
	 "});",
	 {"name = \"f\";", "path = \"/f\";"},
	 route_file_elem,
	 "route_files[0]."},
	{"vlans",
	 NULL,
	 "ports = ({ name = \"p0\"; device = \"null\"; }, {",
	 "});",
	 {"name = \"v\";", "device = \"vlan\";", "parent = \"p0\";", "vlan = 7;"},
	 vlan_elem,
	 "ports[1]."},
};

static const struct schema_table *table_of(const struct schema_table *t, const char *path)
{
	const struct schema_row *r;

	for (r = t->rows; r < t->rows + t->n_rows; r++)
		if (!strcmp(r->path, path))
			return r->table;
	return NULL;
}

static int places_init(void **state)
{
	places[0].table = &config_schema;
	places[1].table = table_of(&config_schema, "ports");
	places[2].table = table_of(&config_schema, "neighbours");
	places[3].table = table_of(&config_schema, "routes");
	places[4].table = table_of(places[3].table, "paths");
	places[5].table = table_of(&config_schema, "route_files");
	places[6].table = places[1].table;
	return 0;
}

/* A file with @value for the row; NULL = without the key. */
static const char *text_of(const struct place *p, const struct schema_row *r, const char *value)
{
	static char text[70000];
	char key[128] = "", close[32] = "";
	const char *name = r->path, *dot;
	size_t at, n;
	u32 i;

	at = (size_t)snprintf(text, sizeof(text), "%s", p->before);
	for (i = 0; i < 4 && p->base[i]; i++) {
		n = strlen(r->path);
		if (strncmp(p->base[i], r->path, n) || p->base[i][n] != ' ')
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %s", p->base[i]);
	}
	for (; (dot = strchr(name, '.')); name = dot + 1) {
		n = strlen(key);
		snprintf(key + n, sizeof(key) - n, "%.*s: { ", (int)(dot - name), name);
		strncat(close, " };", sizeof(close) - strlen(close) - 1);
	}
	if (value)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s%s = %s;%s", key, name,
				       value, close);
	snprintf(text + at, sizeof(text) - at, "%s\n", p->after);
	return text;
}

static void expect_ok(const struct place *p, const struct schema_row *r, const char *value)
{
	struct loaded l = text_load(text_of(p, r, value));

	if (l.rc) {
		print_message("%s.%s = %.60s: refused\n", p->name, r->path, value);
		errors_show(&l.errors);
	}
	assert_int_equal(l.rc, 0);
	loaded_fini(&l);
}

static void expect_int(const struct place *p, const struct schema_row *r, s64 v)
{
	struct loaded l;
	char value[32];

	snprintf(value, sizeof(value), "%" PRId64, v);
	expect_ok(p, r, value);
	l = text_load(text_of(p, r, value));
	assert_int_equal(schema_int_load(r, (const char *)p->elem(l.cfg) + r->offset), v);
	loaded_fini(&l);
}

/* Refused at this key, at line @line, with this value or type named. */
static void expect_bad(const struct place *p, const struct schema_row *r, const char *value,
		       const char *got)
{
	const char *text = text_of(p, r, value), *nl = text;
	struct loaded l = text_load(text);
	char where[128];
	u32 line = 1;

	for (; (nl = strchr(nl, '\n')) && nl[1]; nl++)
		line++;
	snprintf(where, sizeof(where), "t.conf:%u: %s%s", line, p->path, r->path);
	if (l.rc != -EINVAL || !errors_count(&l.errors, where) || !errors_count(&l.errors, got)) {
		print_message("%s.%s = %.60s: wanted \"%s … %s\", rc %d\n", p->name, r->path,
			      value ? value : "(none)", where, got, l.rc);
		errors_show(&l.errors);
		fail();
	}
	assert_null(l.cfg);
	loaded_fini(&l);
}

static void row_bounds(const struct place *p, const struct schema_row *r)
{
	char value[64], got[64];
	s64 v;

	if (r->check) { /* powers of two: the bounds are such */
		assert_int_equal(r->min & (r->min - 1), 0);
		assert_int_equal(r->max & (r->max - 1), 0);
	}
	expect_int(p, r, r->min);
	expect_int(p, r, r->max);
	for (v = r->min - 1; v <= r->max + 1; v += r->max - r->min + 2) {
		snprintf(value, sizeof(value), "%" PRId64, v);
		snprintf(got, sizeof(got), ", got %" PRId64, v);
		expect_bad(p, r, value, got);
	}
	expect_bad(p, r, "4294967295", "");
	expect_bad(p, r, "-2147483649", "");
	expect_bad(p, r, "4294967296", "got 4294967296");
	expect_bad(p, r, "18446744073709551616", "one of more than 63 bits");
	expect_bad(p, r, "-99999999999999999999", "one of more than 63 bits");
	expect_bad(p, r, "0x100000001", "a hexadecimal one");
	expect_bad(p, r, "9223372036854775807L", "63 bits");
}

static void row_string(const struct place *p, const struct schema_row *r)
{
	char value[1024];
	size_t n;

	if (r->check == check_device)
		return; /* has a test of its own */
	for (n = 0; n <= r->bytes; n++) {
		memset(value, 'a', sizeof(value));
		value[0] = '"';
		value[n + 1] = '"';
		value[n + 2] = 0;
		if ((s64)n < r->min || n >= r->bytes)
			expect_bad(p, r, value, "a string of ");
		else
			expect_ok(p, r, value);
	}
	memset(value, 'a', sizeof(value) - 1);
	if (r->check == check_name) {
		expect_bad(p, r, "\"a b\"", "a name of letters");
		expect_bad(p, r, "\"a/b\"", "a name of letters");
		expect_bad(p, r, "\"\xc3\xa4\"", "a name of letters");
		expect_bad(p, r, "\"a\\nb\"", "a name of letters");
		expect_ok(p, r, "\"Az09_.-\"");
	}
}

static void row_enum(const struct place *p, const struct schema_row *r)
{
	struct loaded l;
	char value[64];
	u32 i;

	for (i = 0; r->names[i]; i++) {
		snprintf(value, sizeof(value), "\"%s\"", r->names[i]);
		if (strcmp(p->name, "routes")) {
			expect_ok(p, r, value);
			l = text_load(text_of(p, r, value));
			assert_int_equal(*(const u32 *)((const char *)p->elem(l.cfg) + r->offset),
					 i);
			loaded_fini(&l);
		}
		snprintf(value, sizeof(value), "\"%sx\"", r->names[i]);
		expect_bad(p, r, value, "did you mean");
	}
	expect_bad(p, r, "\"\"", "expected \"");
	expect_bad(p, r, "\"zzzzzzz\"", "expected \"");
}

static void row_bool(const struct place *p, const struct schema_row *r)
{
	struct loaded l;

	l = text_load(text_of(p, r, "true"));
	assert_true(*((const bool *)p->elem(l.cfg) + r->offset));
	loaded_fini(&l);
	l = text_load(text_of(p, r, "false"));
	assert_false(*((const bool *)p->elem(l.cfg) + r->offset));
	loaded_fini(&l);
	expect_bad(p, r, "\"true\"", "got a string, \"true\"");
}

/* An array or list of @n integers 0. */
static const char *zeros(u32 n)
{
	static char text[8192];
	size_t at = (size_t)snprintf(text, sizeof(text), "[");
	u32 i;

	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s0", i ? "," : "");
	snprintf(text + at, sizeof(text) - at, "]");
	return text;
}

static void row_count(const struct place *p, const struct schema_row *r)
{
	struct loaded l;

	if (r->kind != SCHEMA_INT)
		return; /* addresses, groups: in test_errors.c */
	if (r->n_min)
		expect_bad(p, r, zeros(r->n_min - 1), "of them");
	expect_bad(p, r, zeros(r->n_max + 1), "of them");
	expect_ok(p, r, zeros(r->n_max));
	l = text_load(text_of(p, r, zeros(r->n_max)));
	assert_int_equal(*(const u32 *)((const char *)p->elem(l.cfg) + r->n_offset), r->n_max);
	loaded_fini(&l);
	expect_bad(p, r, "(5, \"x\")", "got a string, \"x\"");
	expect_bad(p, r, "[5, -1]", "got -1");
}

static void row_wrong_types(const struct place *p, const struct schema_row *r)
{
	bool group = r->kind == SCHEMA_GROUP, list = r->kind == SCHEMA_LIST;
	bool array = r->flags & SCHEMA_ARRAY,
	     text = !group && !list && !array && r->kind >= SCHEMA_ENUM;

	if (r->kind != SCHEMA_INT || array)
		expect_bad(p, r, "7", "got an integer, 7");
	if (r->kind != SCHEMA_BOOL || array)
		expect_bad(p, r, "true", "got a boolean, true");
	if (!text && (r->kind < SCHEMA_ENUM || list))
		expect_bad(p, r, "\"x\"", "got a string, \"x\"");
	expect_bad(p, r, "1.5", "got a float, 1.5");
	if (!group)
		expect_bad(p, r, "{}", "got a group");
	if (!list && !array) {
		expect_bad(p, r, "()", "got a list");
		expect_bad(p, r, "[]", "got an array");
	}
}

static void row_default(const struct place *p, const struct schema_row *r)
{
	struct loaded l;
	const char *field;

	if (r->flags & SCHEMA_REQUIRED) {
		expect_bad(p, r, NULL, "missing from the group that starts here");
		return;
	}
	if (!strcmp(r->path, "gateway"))
		return; /* needed, but not by the row */
	l = text_load_ok(text_of(p, r, NULL));
	field = (const char *)p->elem(l.cfg) + r->offset;
	if (r->fill || r->flags & SCHEMA_ARRAY) {
		loaded_fini(&l);
		return;
	}
	if (r->kind == SCHEMA_INT || r->kind == SCHEMA_ENUM)
		assert_int_equal(schema_int_load(r, field), r->def);
	else if (r->kind == SCHEMA_BOOL)
		assert_int_equal(*(const bool *)field, r->def);
	else if (r->kind == SCHEMA_STRING)
		assert_string_equal(field, r->def_text);
	else if (r->kind == SCHEMA_VALUE && r->type == &type_path)
		assert_string_equal(*(const char *const *)field, r->def_text);
	loaded_fini(&l);
}

/*
 * Keys of device vlan alone are tried with it, all others of a port without. `vlan` has no value that goes both with
 * the device and without: test_checks.c has it.
 */
static bool row_belongs(const struct place *p, const struct schema_row *r)
{
	if (p->table != places[1].table)
		return true;
	return strcmp(r->path, "vlan") != 0 && (p->elem == vlan_elem) == !strcmp(r->path, "svlan");
}

static void each_row(void (*fn)(const struct place *p, const struct schema_row *r), u64 kinds)
{
	u32 i, k, n = 0;

	for (i = 0; i < DWCP_ARRAY_LEN(places); i++)
		for (k = 0; k < places[i].table->n_rows; k++) {
			if (!(kinds & 1u << places[i].table->rows[k].kind) ||
			    !row_belongs(&places[i], &places[i].table->rows[k]))
				continue;
			fn(&places[i], &places[i].table->rows[k]);
			n++;
		}
	assert_true(n > 0);
}

static void row_scalar_bounds(const struct place *p, const struct schema_row *r)
{
	if (r->flags & SCHEMA_ARRAY)
		row_count(p, r);
	else if (r->kind == SCHEMA_INT)
		row_bounds(p, r);
	else if (r->kind == SCHEMA_STRING)
		row_string(p, r);
	else if (r->kind == SCHEMA_ENUM)
		row_enum(p, r);
	else if (r->kind == SCHEMA_BOOL)
		row_bool(p, r);
}

/* What the engine takes for granted. */
static void row_sane(const struct place *p, const struct schema_row *r)
{
	u64 most = r->bytes >= 8 ? INT64_MAX : (1ull << (8 * r->bytes - (r->min < 0))) - 1;

	assert_non_null(r->help);
	assert_true(strlen(r->path) < 64);
	if (r->kind == SCHEMA_INT) {
		assert_true(r->min < r->max);
		assert_true((u64)r->max <= most);
		if (!(r->flags & SCHEMA_ARRAY))
			assert_true(r->def >= r->min && r->def <= r->max);
	}
	if (r->kind == SCHEMA_ENUM)
		assert_int_equal(r->bytes, 4);
	if (r->kind == SCHEMA_BOOL)
		assert_int_equal(r->bytes, 1);
	if (r->kind == SCHEMA_LIST)
		assert_non_null(r->table);
	if (r->kind == SCHEMA_LIST && p->table == &config_schema)
		assert_non_null(r->example);
	if (r->kind == SCHEMA_VALUE)
		assert_non_null(r->type);
	if (r->flags & SCHEMA_ARRAY || r->kind == SCHEMA_LIST)
		assert_true(r->n_min <= r->n_max && r->n_max);
}

#define ALL_KINDS (2u * (1u << SCHEMA_LIST) - 1)

static void test_rows_sane(void **state)
{
	each_row(row_sane, ALL_KINDS);
}

static void test_defaults(void **state)
{
	each_row(row_default, ALL_KINDS & ~(1u << SCHEMA_GROUP | 1u << SCHEMA_LIST));
}

static void test_bounds(void **state)
{
	each_row(row_scalar_bounds, ALL_KINDS & ~(1u << SCHEMA_GROUP | 1u << SCHEMA_LIST));
}

static void test_wrong_types(void **state)
{
	each_row(row_wrong_types, ALL_KINDS);
}

/* The engine runs on values that are in the header and in use by others: they are part of the contract. */
static void test_contract_defaults(void **state)
{
	struct loaded l = text_load_ok("");
	const struct dwcp_config *c = l.cfg;
	char host[256] = "";

	gethostname(host, sizeof(host) - 1);
	if (strlen(host) < sizeof(c->node.name))
		assert_int_equal(strlen(c->node.name), strlen(host));
	assert_string_equal(c->node.state_dir, "/var/lib/dwcp");
	assert_string_equal(c->node.run_dir, "/run/dwcp");
	assert_int_equal(c->dataplane.n_workers, 1);
	assert_int_equal(c->dataplane.workers[0], sysconf(_SC_NPROCESSORS_ONLN) > 1);
	assert_int_equal(c->dataplane.control_cpu, -1);
	assert_int_equal(c->dataplane.idle, CONFIG_IDLE_ADAPTIVE);
	assert_string_equal(c->dataplane.file_prefix, "dwcp");
	assert_int_equal(c->dataplane.sample_shift, 6);
	assert_int_equal(c->dataplane.memory.huge_pages, CONFIG_HUGE_AUTO);
	assert_int_equal(c->dataplane.memory.size_mb, 512);
	assert_int_equal(c->dataplane.memory.mbufs, 0);
	assert_int_equal(c->dataplane.memory.mbuf_bytes, 2176);
	assert_int_equal(c->dataplane.tables.memory_max_mb, 1024);
	assert_true(c->dataplane.tables.lock);
	assert_int_equal(c->dataplane.tables.store_interval_s, 30);
	assert_int_equal(c->agent.coalesce_ms, 5);
	assert_int_equal(c->agent.chunk_kb, 256);
	assert_int_equal(c->agent.socket_gid, -1);
	assert_int_equal(c->n_ports + c->n_neighbours + c->n_routes + c->n_route_files, 0);
	loaded_fini(&l);
	l = text_load_ok("ports = ({ name = \"p0\"; device = \"null\"; });"
			 "routes = ({ prefix = \"::/0\"; port = \"p0\"; });");
	c = l.cfg;
	assert_string_equal(c->ports[0].args, "");
	assert_int_equal(c->ports[0].rx_queues, 0);
	assert_int_equal(c->ports[0].rx_ring, 1024);
	assert_int_equal(c->ports[0].tx_ring, 1024);
	assert_int_equal(c->ports[0].mtu, 1500);
	assert_false(c->ports[0].promiscuous);
	assert_int_equal(c->ports[0].speed_mbps, 0);
	assert_int_equal(c->ports[0].n_addresses, 0);
	assert_int_equal(c->routes[0].prefix.family, FIB_IP6);
	assert_int_equal(c->routes[0].type, ROUTE_UNICAST);
	assert_int_equal(c->routes[0].n_paths, 1);
	assert_int_equal(c->routes[0].paths[0].weight, 1);
	assert_int_equal(c->routes[0].paths[0].port_idx, 0);
	assert_int_equal(c->routes[0].paths[0].gateway.family, 0);
	loaded_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_sane),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_contract_defaults),
	};

	return cmocka_run_group_tests(tests, places_init, NULL);
}
