/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source.c - includes: where they are looked for, whose line an error is on, what is refused; and the texts that
 * libconfig alone would misread.
 */
#include "config_test.h"

#include <sys/stat.h>

#include "source.h"

struct files {
	char *dir;
	struct loaded l;
};

static struct files files_create(void)
{
	return (struct files){.dir = dir_create()};
}

static void files_load(struct files *f, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	f->l.rc = config_load(path, &f->l.cfg, &f->l.errors);
}

static void files_fini(struct files *f)
{
	char command[600];

	loaded_fini(&f->l);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f->dir);
}

/* Error @i is @fmt with the directory for %s. */
static void error_is(const struct files *f, u32 i, const char *fmt)
{
	char want[2048];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(want, sizeof(want), fmt, f->dir, f->dir, f->dir, f->dir);
#pragma GCC diagnostic pop
	assert_true(i < f->l.errors.n);
	assert_string_equal(f->l.errors.text[i], want);
}

static void test_lines_of_includes(void **state)
{
	struct files f = files_create();
	char sub[600];

	snprintf(sub, sizeof(sub), "%s/sub", f.dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	file_write(f.dir, "a.conf",
		   "bad1 = 1;\n"
		   "  @include \"sub/b.conf\" bad2 = 1;\n"
		   "/* @include \"nowhere\"\n"
		   "@include \"nowhere\" */ # @include \"nowhere\"\n"
		   "node: { name = \"@include\n@include \\\"\"; };\n"
		   "bad3 = 1;\n");
	file_write(sub, "b.conf", "\nbad4 = 1;\n@include \"c.conf\"\nbad5 = 1;");
	file_write(sub, "c.conf", "bad6 = 1; // relative to b.conf's directory");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, -EINVAL);
	assert_int_equal(f.l.errors.n, 7);
	error_is(&f, 0, "%s/a.conf:1: bad1: unknown key");
	error_is(&f, 1, "%s/sub/b.conf:2: bad4: unknown key");
	error_is(&f, 2, "%s/sub/c.conf:1: bad6: unknown key");
	error_is(&f, 3, "%s/sub/b.conf:4: bad5: unknown key");
	error_is(&f, 4, "%s/a.conf:2: bad2: unknown key");
	error_is(&f, 5,
		 "%s/a.conf:5: node.name: expected a name of letters, digits, '_', '.' and '-', "
		 "got "
		 "\"@include?@include \"\"");
	error_is(&f, 6, "%s/a.conf:7: bad3: unknown key");
	files_fini(&f);
}

/* An include may stand inside a group; a syntax error names the included file. */
static void test_include_in_group(void **state)
{
	struct files f = files_create();
	char text[700];

	snprintf(text, sizeof(text),
		 "agent: {\n@include \"agent.part\"\n};\n@include \"%s/node.conf\"\n", f.dir);
	file_write(f.dir, "a.conf", text);
	file_write(f.dir, "agent.part", "chunk_kb = 64;\ncoalesce_ms = 7;");
	file_write(f.dir, "node.conf", "node: { name = \"abc\"; };");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, 0);
	assert_int_equal(f.l.cfg->agent.chunk_kb, 64);
	assert_int_equal(f.l.cfg->agent.coalesce_ms, 7);
	assert_string_equal(f.l.cfg->node.name, "abc");
	config_free(f.l.cfg);
	f.l.cfg = NULL;
	file_write(f.dir, "agent.part", "chunk_kb = 64;\ncoalesce_ms == 7;");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, -EINVAL);
	assert_int_equal(f.l.errors.n, 1);
	error_is(&f, 0, "%s/agent.part:2: syntax error, at or just before: coalesce_ms == 7;");
	files_fini(&f);
}

static void test_loops(void **state)
{
	struct files f = files_create();

	file_write(f.dir, "a.conf", "\n@include \"b.conf\"\n");
	file_write(f.dir, "b.conf", "@include \"./a.conf\"\n");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, -EINVAL);
	assert_int_equal(f.l.errors.n, 1);
	error_is(&f, 0,
		 "%s/b.conf:1: @include: expected no loop, got: %s/a.conf includes %s/b.conf "
		 "includes "
		 "%s/./a.conf");
	config_errors_fini(&f.l.errors);
	file_write(f.dir, "self.conf", "@include \"self.conf\"\n");
	files_load(&f, "self.conf");
	assert_int_equal(f.l.errors.n, 1);
	error_is(&f, 0,
		 "%s/self.conf:1: @include: expected no loop, got: %s/self.conf includes "
		 "%s/self.conf");
	files_fini(&f);
}

/* The same file twice is no loop: here it is a duplicate group. */
static void test_twice(void **state)
{
	struct files f = files_create();

	file_write(f.dir, "a.conf", "@include \"empty\"\n@include \"empty\"\nagent: { };\n");
	file_write(f.dir, "empty", "# nothing");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, 0);
	files_fini(&f);
}

static void test_depth(void **state)
{
	struct files f = files_create();
	char name[16], text[64];
	u32 i;

	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%u", i);
		snprintf(text, sizeof(text), "@include \"%u\"\n", i + 1);
		file_write(f.dir, name, i == 11 ? "" : text);
	}
	files_load(&f, "2"); /* 2 … 11 are ten */
	assert_int_equal(f.l.rc, 0);
	config_free(f.l.cfg);
	f.l.cfg = NULL;
	files_load(&f, "1");
	assert_int_equal(f.l.rc, -EINVAL);
	assert_int_equal(f.l.errors.n, 1);
	error_is(&f, 0, "%s/10:1: @include: expected at most 10 files deep");
	files_fini(&f);
}

/* 8 files that each include the next one four times are 5,461 … and no hang. */
static void test_bomb(void **state)
{
	struct files f = files_create();
	char name[16], text[128];
	u32 i;

	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "%u", i);
		snprintf(text, sizeof(text),
			 "@include \"%u\"\n@include \"%u\"\n@include \"%u\"\n@include \"%u\"\n",
			 i + 1, i + 1, i + 1, i + 1);
		file_write(f.dir, name, i == 7 ? "# end\n" : text);
	}
	files_load(&f, "0");
	assert_int_equal(f.l.rc, -EINVAL);
	assert_int_equal(f.l.errors.n, 1);
	assert_int_equal(errors_count(&f.l.errors, "expected at most 1000 files"), 1);
	files_fini(&f);
}

static void test_include_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"@include \"missing\"",
		 "%s/a.conf:1: @include \"%s/missing\": No such file or directory"},
		{"@include \".\"", "%s/a.conf:1: @include \"%s/.\": Is a directory"},
		{"@include \"fifo\"", "%s/a.conf:1: @include \"%s/fifo\": expected a regular file"},
		{"@include \"/dev/zero\"",
		 "%s/a.conf:1: @include \"/dev/zero\": expected a regular file"},
		{"@include missing", "%s/a.conf:1: @include: expected a file name in quotes"},
		{"@include \"\"", "%s/a.conf:1: @include: expected a file name in quotes"},
		{"@include \"a\nb\"", "%s/a.conf:1: @include: expected a file name in quotes"},
		{"@include \"a", "%s/a.conf:1: @include: expected a file name in quotes"},
		{"@include", "%s/a.conf:1: @include: expected a file name in quotes"},
		{"\n\nx = @include \"b\"",
		 "%s/a.conf:3: expected @include \"file\" at the start of a line"},
		{"@", "%s/a.conf:1: expected @include \"file\" at the start of a line"},
		{"@includ \"x\"", "%s/a.conf:1: expected @include \"file\" at the start of a line"},
		{"a = 1;\nb = \"open;\nc = 1;\n",
		 "%s/a.conf:2: expected a closing quote for the string that starts here"},
		{"a = 1;\n/* open\n *\n",
		 "%s/a.conf:2: expected */ for the comment that starts here"},
		{"\"\\", "%s/a.conf:1: expected a closing quote for the string that starts here"},
		{"/*/", "%s/a.conf:1: expected */ for the comment that starts here"},
	};
	struct files f = files_create();
	char path[600];
	u32 i;

	snprintf(path, sizeof(path), "%s/fifo", f.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	for (i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		file_write(f.dir, "a.conf", rows[i].text);
		files_load(&f, "a.conf");
		assert_int_equal(f.l.rc, -EINVAL);
		if (f.l.errors.n != 1)
			errors_show(&f.l.errors);
		assert_int_equal(f.l.errors.n, 1);
		if (!strncmp(rows[i].error + 2, "/a.conf:1: @include \"/dev", 25))
			assert_int_equal(errors_count(&f.l.errors, "expected a regular file"), 1);
		else
			error_is(&f, 0, rows[i].error);
		config_errors_fini(&f.l.errors);
	}
	files_fini(&f);
}

/* A text from memory without a directory reads no file at all. */
static void test_no_directory(void **state)
{
	static const char text[] = "@include \"/etc/passwd\"\n";
	struct loaded l = {0};

	l.rc = config_parse(text, strlen(text), "t", NULL, &l.cfg, &l.errors);
	assert_int_equal(l.rc, -EINVAL);
	assert_string_equal(l.errors.text[0],
			    "t:1: @include: not allowed in a text that has no directory");
	loaded_fini(&l);
	l = (struct loaded){0};
	l.rc = config_parse("node: { state_dir = \"x\"; };", 27, "t", NULL, &l.cfg, &l.errors);
	assert_int_equal(l.rc, -EINVAL);
	assert_string_equal(l.errors.text[0],
			    "t:1: node.state_dir: expected an absolute path, got \"x\"");
	loaded_fini(&l);
}

static void test_paths(void **state)
{
	struct files f = files_create();
	char want[600], cwd[512];
	struct dwcp_config *cfg;
	struct loaded l;

	file_write(f.dir, "a.conf", "route_files = ({ name = \"t\"; path = \"t.routes\"; });\n");
	files_load(&f, "a.conf");
	assert_int_equal(f.l.rc, 0);
	snprintf(want, sizeof(want), "%s/t.routes", f.dir);
	assert_string_equal(f.l.cfg->route_files[0].path, want);
	snprintf(want, sizeof(want), "%s/a.conf", f.dir);
	assert_string_equal(f.l.cfg->path, want);
	/* the same by a relative name */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(f.dir), 0);
	assert_int_equal(config_load("a.conf", &cfg, &f.l.errors), 0);
	assert_string_equal(cfg->path, want);
	assert_true(cfg->hash == f.l.cfg->hash);
	config_free(cfg);
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(config_load(f.dir + strlen("/tmp/"), &cfg, &f.l.errors), -EISDIR);
	snprintf(want, sizeof(want), "%s/a.conf", f.dir + strlen("/tmp/"));
	assert_int_equal(config_load(want, &cfg, &f.l.errors), 0);
	snprintf(want, sizeof(want), "%s/a.conf", f.dir);
	assert_string_equal(cfg->path, want);
	snprintf(want, sizeof(want), "%s/t.routes", f.dir);
	assert_string_equal(cfg->route_files[0].path, want);
	config_free(cfg);
	assert_int_equal(chdir(cwd), 0);
	files_fini(&f);
	l = text_load_ok("node: { state_dir = \"s\"; };");
	assert_string_equal(l.cfg->node.state_dir, "/nowhere/s");
	assert_string_equal(l.cfg->path, "/nowhere/t.conf");
	loaded_fini(&l);
}

/* The hash is that of all bytes read: an included file counts. */
static void test_hash(void **state)
{
	struct files f = files_create();
	u64 hash;

	file_write(f.dir, "a.conf", "@include \"b\"\n");
	file_write(f.dir, "b", "# 1");
	files_load(&f, "a.conf");
	hash = f.l.cfg->hash;
	config_free(f.l.cfg);
	file_write(f.dir, "b", "# 2");
	files_load(&f, "a.conf");
	assert_true(hash != f.l.cfg->hash);
	files_fini(&f);
}

/* libconfig 1.5 wraps these to something innocent: 4294967296 + 1024 would be 1024. */
static void test_wide_integers(void **state)
{
	struct loaded l;

	text_refused("ports = ({ name = \"p\"; device = \"null\"; rx_ring = 4294968320; });",
		     "t.conf:1: ports[0].rx_ring: expected an integer 64..32768 (descriptors), got "
		     "4294968320",
		     NULL);
	text_refused("ports = ({ name = \"p\"; device = \"null\"; rx_ring = 0x100000400; });",
		     "t.conf:1: ports[0].rx_ring: expected a decimal integer, got a hexadecimal "
		     "one",
		     NULL);
	text_refused(
		"ports = ({ name = \"p\"; device = \"null\"; rx_ring = -18446744073709550592; });",
		"t.conf:1: ports[0].rx_ring: expected an integer 64..32768 (descriptors), got one "
		"of more than 63 bits",
		NULL);
	l = text_load_ok("agent: { socket_gid = 0000002147483647; };");
	assert_int_equal(l.cfg->agent.socket_gid, INT32_MAX);
	loaded_fini(&l);
}

static void test_nesting(void **state)
{
	char text[40000];
	u32 i;

	memset(text, '(', sizeof(text));
	memcpy(text, "a = ", 4);
	text[sizeof(text) - 1] = 0;
	text_refused(text, "t.conf:1: expected at most 64 nested brackets", NULL);
	for (i = 0; i < 1001; i++)
		snprintf(text + i * 9, 10, "k%04u=1;\n", i);
	text_refused(text, "t.conf:1001: expected at most 1000 keys in a group", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_includes),
		cmocka_unit_test(test_include_in_group),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_include_refused),
		cmocka_unit_test(test_no_directory),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_wide_integers),
		cmocka_unit_test(test_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
