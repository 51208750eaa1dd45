/* SPDX-License-Identifier: BSD-3-Clause */
/* test_store.c - routes of the API on disk: nothing that was accepted is lost, nothing is half written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwcp/util/config.h>

#include "io/store.h"

static char dir[64], file[128];

static struct fib_prefix prefix(const char *text, u32 vrf)
{
	struct fib_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	p.vrf = vrf;
	return p;
}

static void put(struct store *s, const char *text, u32 vrf, const char *line)
{
	struct fib_prefix p = prefix(text, vrf);
	char *old;

	assert_int_equal(store_set(s, &p, strdup(line), &old), 0);
	free(old);
}

static const char *find(const struct store *s, const char *text, u32 vrf)
{
	struct fib_prefix p = prefix(text, vrf);

	return store_find(s, &p);
}

static void file_write(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_missing_file_is_empty(void **state)
{
	struct store s;

	(void)state;
	assert_int_equal(store_load(&s, dir), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.revision, 0);
	store_fini(&s);
}

static void what_is_saved_is_loaded(void **state)
{
	struct store s;
	struct stat st;
	char temp[160];

	(void)state;
	assert_int_equal(store_load(&s, dir), 0);
	put(&s, "10.1.0.0/16", 0, "10.1.0.0/16 via 10.0.0.2");
	put(&s, "2001:db8::/32", 0, "2001:db8::/32 via 2001:db8:1::2");
	put(&s, "10.1.0.0/24", 0, "blackhole 10.1.0.0/24");
	put(&s, "10.1.0.0/16", 9, "10.1.0.0/16 vrf 9 dev p0");
	put(&s, "10.1.0.0/16", 0, "10.1.0.0/16 via 10.0.0.3");
	assert_int_equal(store_save(&s, 41), 0);
	store_fini(&s);
	snprintf(temp, sizeof(temp), "%s.new", file);
	assert_int_equal(stat(temp, &st), -1);

	assert_int_equal(store_load(&s, dir), 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.revision, 41);
	assert_string_equal(find(&s, "10.1.0.0/16", 0), "10.1.0.0/16 via 10.0.0.3");
	assert_string_equal(find(&s, "10.1.0.0/16", 9), "10.1.0.0/16 vrf 9 dev p0");
	assert_string_equal(find(&s, "10.1.0.0/24", 0), "blackhole 10.1.0.0/24");
	assert_string_equal(find(&s, "2001:db8::/32", 0), "2001:db8::/32 via 2001:db8:1::2");
	assert_null(find(&s, "10.1.0.0/17", 0));
	free(store_del(&s, &(struct fib_prefix){.addr = prefix("10.1.0.0/24", 0).addr,
						.family = FIB_IP4,
						.len = 24}));
	assert_null(find(&s, "10.1.0.0/24", 0));
	assert_int_equal(s.n, 3);
	store_fini(&s);
	unlink(file);
}

static void lines_by_hand_are_kept(void **state)
{
	struct store s;

	(void)state;
	file_write("# a comment\n"
		   "  192.0.2.0/24 via 10.0.0.9\r\n"
		   "\n"
		   "this is no route\n"
		   "unreachable 198.51.100.0/24\n"
		   "nor is this\n"
		   "192.0.2.0/24 dev renamed-port\n");
	assert_int_equal(store_load(&s, dir), 0);
	assert_int_equal(
		s.n, 4); /* the two that are none, and two routes: the later one of 192.0.2.0/24 */
	assert_string_equal(find(&s, "192.0.2.0/24", 0), "192.0.2.0/24 dev renamed-port");
	assert_string_equal(find(&s, "198.51.100.0/24", 0), "unreachable 198.51.100.0/24");
	assert_int_equal(store_save(&s, 1), 0);
	store_fini(&s);
	assert_int_equal(store_load(&s, dir), 0);
	assert_int_equal(s.n, 4);
	store_fini(&s);
	unlink(file);
}

static void many_routes_stay_sorted(void **state)
{
	struct store s;
	char text[64], line[96];
	u32 n = 5000;

	(void)state;
	assert_int_equal(store_load(&s, dir), 0);
	for (u32 i = 0; i < n; i++) {
		u32 k = i * 2654435761u %
			n; /* every number once when n and the factor share none */

		snprintf(text, sizeof(text), "10.%u.%u.0/24", k / 250, k % 250);
		snprintf(line, sizeof(line), "%s via 10.0.0.2", text);
		put(&s, text, 0, line);
	}
	for (u32 i = 1; i < s.n; i++)
		assert_true(s.rows[i - 1].prefix.addr.lo < s.rows[i].prefix.addr.lo);
	for (u32 i = 0; i < s.n; i += 7)
		assert_ptr_equal(store_find(&s, &s.rows[i].prefix), s.rows[i].line);
	store_fini(&s);
}

static void a_save_that_fails_changes_nothing(void **state)
{
	char temp[160];
	struct store s;

	(void)state;
	file_write("192.0.2.0/24 via 10.0.0.9\n");
	assert_int_equal(store_load(&s, dir), 0);
	put(&s, "10.1.0.0/16", 0, "10.1.0.0/16 via 10.0.0.2");
	/* root may write anywhere, but not over a directory */
	snprintf(temp, sizeof(temp), "%s.new", file);
	assert_int_equal(mkdir(temp, 0700), 0);
	assert_int_equal(store_save(&s, 2), -EISDIR);
	rmdir(temp);
	store_fini(&s);
	assert_int_equal(store_load(&s, dir), 0);
	assert_int_equal(s.n, 1);
	store_fini(&s);
	unlink(file);
	/* a disk that is full */
	assert_int_equal(store_load(&s, dir), 0);
	put(&s, "10.1.0.0/16", 0, "10.1.0.0/16 via 10.0.0.2");
	assert_int_equal(symlink("/dev/full", temp), 0);
	assert_int_equal(store_save(&s, 2), -ENOSPC);
	store_fini(&s);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(access(temp, F_OK), -1);
}

static int dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/dwcp-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/" STORE_FILE, dir);
	return 0;
}

static int dir_remove(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_file_is_empty),
		cmocka_unit_test(what_is_saved_is_loaded),
		cmocka_unit_test(lines_by_hand_are_kept),
		cmocka_unit_test(many_routes_stay_sorted),
		cmocka_unit_test(a_save_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
