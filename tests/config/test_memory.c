/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_memory.c - every allocation fails once: the call says -ENOMEM or had no need of it, leaves outputs as they were, and
 * under the sanitizers leaks nothing. The linker gives us the allocators (--wrap); libconfig keeps its own.
 */
#include "config_test.h"

#define FAILURES_MAX 5000

static u32 left; /* allocations until the one that fails; 0 = none does */
static bool hit;

static bool fails(void)
{
	if (!left || --left)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

/* name, type of the result, parameters, arguments, what failure returns */
#define WRAP(name, type, params, args, failure)                                                    \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return fails() ? failure : __real_##name args;                                     \
	}

WRAP(malloc, void *, (size_t n), (n), NULL)
WRAP(calloc, void *, (size_t n, size_t size), (n, size), NULL)
WRAP(realloc, void *, (void *p, size_t n), (p, n), NULL)
WRAP(strdup, char *, (const char *s), (s), NULL)
WRAP(strndup, char *, (const char *s, size_t n), (s, n), NULL)
WRAP(getcwd, char *, (char *buf, size_t n), (buf, n), NULL)
WRAP(open_memstream, FILE *, (char **p, size_t *n), (p, n), NULL)
WRAP(vasprintf, int, (char **p, const char *fmt, va_list args), (p, fmt, args), -1)

int __wrap_asprintf(char **p, const char *fmt, ...) dwcp_printf(2, 3);
int __wrap_asprintf(char **p, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = fails() ? -1 : __real_vasprintf(p, fmt, args);
	va_end(args);
	return n;
}

static const char good[] = "ports = ( { name = \"p0\"; device = \"null\"; addresses = "
			   "[\"10.0.0.1/24\", \"2001:db8::1/64\"]; } );\n"
			   "neighbours = ( { port = \"p0\"; address = \"10.0.0.2\"; mac = "
			   "\"02:00:00:00:00:01\"; } );\n"
			   "routes = ( { prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.2\"; },\n"
			   "  { prefix = \"10.2.0.0/16\"; paths = ( { port = \"p0\"; }, { gateway "
			   "= \"10.0.0.2\"; } ); } );\n"
			   "route_files = ( { name = \"t\"; path = \"t.routes\"; } );\n";

/* Calls @fn with the first, second, … allocation failing, until one call needs no more. */
static void each_failure(void (*fn)(void *arg), void *arg)
{
	u32 i;

	for (i = 1; i < FAILURES_MAX; i++) {
		left = i;
		hit = false;
		fn(arg);
		left = 0;
		if (!hit)
			break;
	}
	assert_in_range(i, 2, FAILURES_MAX - 1);
	print_message("%u allocations failed\n", i - 1);
}

static void load_once(void *arg)
{
	struct dwcp_config *marker = (struct dwcp_config *)arg, *cfg = marker;
	struct config_errors e = {0};
	int rc = config_load(arg, &cfg, &e);

	left = 0;
	/* the text of an error may be lost, but never the error */
	assert_int_equal(rc, hit ? -ENOMEM : 0);
	if (rc)
		assert_ptr_equal(cfg, marker);
	else
		config_free(cfg);
	config_errors_fini(&e);
}

static void test_load(void **state)
{
	char *dir = dir_create(), path[600], cwd[512];

	file_write(dir, "a.conf", "agent: { };\n@include \"b.conf\"\n");
	file_write(dir, "b.conf", good);
	snprintf(path, sizeof(path), "%s/a.conf", dir);
	each_failure(load_once, path);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(dir), 0);
	each_failure(load_once, (void *)"a.conf");
	assert_int_equal(unlink("a.conf") | unlink("b.conf"), 0);
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
}

/* Refused, for want of memory or for what is wrong; never accepted. */
static void refuse_once(void *arg)
{
	struct config_errors e = {0};
	struct dwcp_config *cfg = NULL;
	int rc = config_parse(arg, strlen(arg), "t", "/x", &cfg, &e);

	left = 0;
	assert_true(rc == -EINVAL || (hit && rc == -ENOMEM));
	assert_null(cfg);
	config_errors_fini(&e);
}

static void test_refuse(void **state)
{
	each_failure(refuse_once, (void *)"node: { nmae = \"x\"; state_dir = \"\"; };\n"
					  "routes = ( { prefix = \"::/0\"; port = \"p9\"; } );");
	each_failure(refuse_once, (void *)"node: {");
	each_failure(refuse_once, (void *)"@include \"missing\"\n");
}

static void print_once(void *arg)
{
	FILE *f = fopen("/dev/null", "we");
	int rc = config_print(arg, f);

	left = 0;
	assert_int_equal(rc, hit ? -ENOMEM : 0);
	fclose(f);
}

/* Without memory to compare, nothing may be said to be the same. */
static void diff_once(void *arg)
{
	struct config_diff_row rows[16];
	u32 n = config_diff(arg, arg, rows, 16), i, kept = 0;

	left = 0;
	for (i = 0; i < n; i++)
		kept += rows[i].change == CONFIG_KEPT;
	assert_true(hit ? kept < n : kept == n);
}

static void test_print_diff(void **state)
{
	struct loaded l = text_load_ok(good);

	each_failure(print_once, l.cfg);
	each_failure(diff_once, l.cfg);
	loaded_fini(&l);
}

static void routes_once(void *arg)
{
	static const char text[] = "10.1.0.0/16 dev p0\n10.0.0.0/16 via 10.0.0.2\n::/0 dev p0\n";
	struct route_list marker = {.n = 7}, l = marker;
	struct config_errors e = {0};
	int rc = route_file_parse(text, strlen(text), "r", arg, &l, &e);

	left = 0;
	assert_int_equal(rc, hit ? -ENOMEM : 0);
	if (rc)
		assert_memory_equal(&l, &marker, sizeof(l));
	else
		route_list_fini(&l);
	config_errors_fini(&e);
}

static void test_routes(void **state)
{
	struct loaded l = text_load_ok(good);

	each_failure(routes_once, l.cfg);
	loaded_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_print_diff),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
