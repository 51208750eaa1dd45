/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_checks.c - each check of the validator taken out in turn: the rows that it refuses are accepted then. So no check is
 * idle, and none could be lost without test_refusals failing. Built with GEN_CHECK_TESTED.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "refusal_rows.h"

static int run(const struct refusal_row *row, char *ret_reason)
{
	struct segment_set *s = set_create_big();
	int err;

	ret_reason[0] = '\0';
	err = refusal_run(row, s, ret_reason);
	segment_set_free(s);
	return err;
}

/* A guard without its check: refused all the same, but later and for another reason. */
static void row_depends_on_its_check(const struct refusal_row *row)
{
	const char *token = gen_check_token[row->check];
	char reason[GENERATION_REASON_MAX];
	int err;

	gen_check_off = row->check;
	err = run(row, reason);
	gen_check_off = GEN_NONE;
	if (row->guard ? err == 0 || reason_is(reason, token) : err != 0)
		fail_msg("%s (%s) taken out: returned %d, reason \"%s\"", token, row->what, err,
			 reason);
	assert_int_not_equal(run(row, reason), 0);
	assert_true(reason_is(reason, token));
}

static void without_its_check_each_row_is_accepted(void **state)
{
	for (u32 i = 0; i < n_refusal_rows; i++)
		if (!refusal_rows[i].refuse_only)
			row_depends_on_its_check(&refusal_rows[i]);
}

static void every_check_was_taken_out(void **state)
{
	for (u32 check = GEN_NONE + 1; check < GEN_N_CHECKS; check++) {
		bool found = false;

		for (u32 i = 0; i < n_refusal_rows; i++)
			found |= refusal_rows[i].check == check && !refusal_rows[i].refuse_only;
		if (!found)
			fail_msg("%s: no row that it alone refuses", gen_check_token[check]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_its_check_each_row_is_accepted),
		cmocka_unit_test(every_check_was_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
