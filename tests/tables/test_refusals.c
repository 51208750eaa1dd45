/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_refusals.c - every row is refused for its own reason, at once, and the generation in force stays as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "refusal_rows.h"
#include "walk.h"

static void row_is_refused(const struct refusal_row *row)
{
	u32 fds = count_fds(), maps = count_maps();
	struct segment_set *s = set_create_big();
	const char *token = gen_check_token[row->check];
	char reason[GENERATION_REASON_MAX] = "";
	struct generation *g;
	struct sealed x;
	struct table t;
	u64 bytes, mapped;
	int err;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	bytes = segment_set_bytes(s);
	mapped = segment_set_mapped_bytes(s);
	err = refusal_run(row, s, reason);
	if (err != (row->err ? row->err : -EINVAL) || !reason_is(reason, token))
		fail_msg("%s (%s): returned %d, reason \"%s\"", token, row->what, err, reason);
	assert_int_equal(segment_set_bytes(s), bytes);
	assert_int_equal(segment_set_staged_bytes(s), 0);
	assert_int_equal(segment_set_mapped_bytes(s), mapped);
	assert_int_equal(g->number, 1);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(count_maps(), maps);
}

static void every_row_is_refused_for_its_reason(void **state)
{
	for (u32 i = 0; i < n_refusal_rows; i++)
		row_is_refused(&refusal_rows[i]);
}

static void every_reason_has_a_row(void **state)
{
	for (u32 check = GEN_NONE + 1; check < GEN_N_CHECKS; check++) {
		bool found = false;

		for (u32 i = 0; i < n_refusal_rows; i++)
			found |= refusal_rows[i].check == check;
		if (!found)
			fail_msg("%s: no row", gen_check_token[check]);
	}
}

static void tokens_differ(void **state)
{
	for (u32 a = 0; a < GEN_N_CHECKS; a++)
		for (u32 b = 0; b < a; b++)
			assert_string_not_equal(gen_check_token[a], gen_check_token[b]);
}

static void missing_segment_is_named(void **state)
{
	struct segment_set *s = set_create_big();
	char reason[GENERATION_REASON_MAX] = "";
	struct generation *g = NULL;
	struct sealed x;
	struct table t;
	int fd;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	for (u32 i = 0; i < x.n; i++)
		if (i != SMALL_LEAF_SEGMENT + 1)
			assert_int_equal(segment_set_stage(s, &sealed_segments(&x)[i],
							   dup(x.fds[i]), reason),
					 0);
	fd = manifest_seal(x.m);
	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), -ENOENT);
	assert_string_equal(reason, "segment_missing section=nexthop segment=0");
	close(fd);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* The place is part of the reason, and fits. */
static void reasons_say_where(void **state)
{
	char reason[GENERATION_REASON_MAX];

	for (u32 i = 0; i < n_refusal_rows; i++) {
		const struct refusal_row *row = &refusal_rows[i];
		struct segment_set *s = set_create_big();

		refusal_run(row, s, reason);
		segment_set_free(s);
		if (row->check == GEN_BUCKET_NESTED && strstr(row->what, "itself"))
			assert_string_equal(reason, "nexthop_bucket_nested section=nexthop_bucket "
						    "element=0");
		if (row->check == GEN_NEXTHOP_MTU)
			assert_string_equal(reason, "nexthop_mtu section=nexthop element=1");
		if (row->check == GEN_FIB_FACTS && strstr(row->what, "leaf past"))
			assert_string_equal(reason, "fib_facts what=fib_slot_missing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_refused_for_its_reason),
		cmocka_unit_test(every_reason_has_a_row),
		cmocka_unit_test(tokens_differ),
		cmocka_unit_test(missing_segment_is_named),
		cmocka_unit_test(reasons_say_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
