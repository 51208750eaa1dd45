/* SPDX-License-Identifier: BSD-3-Clause */
/* test_core.c - every rule of control/core/core.h, by calling it: the time is a number that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bucket.h"
#include "core/core.h"
#include "core/revision.h"

#define MS 1000000ull

static const struct core_cfg cfg = {.coalesce_ns = 5 * MS,
				    .ack_timeout_ns = 1000 * MS,
				    .retry_ns = 500 * MS};

struct fixture {
	struct core core;
	struct core_acts acts;
	u64 now;
};

static struct fixture *fixture(void)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.now = 1000 * MS;
	core_init(&f.core, &cfg);
	return &f;
}

static void step(struct fixture *f, const struct core_evt *e)
{
	core_step(&f->core, e, f->now, &f->acts);
}

static void simple(struct fixture *f, enum core_evt_type type)
{
	step(f, &(struct core_evt){.type = type, .unix_ns = 77});
}

static void up(struct fixture *f, u64 generation)
{
	step(f, &(struct core_evt){.type = CORE_EVT_LINK_UP, .up = {.generation = generation}});
}

static void built_at(struct fixture *f, int err, u64 event_ns)
{
	step(f, &(struct core_evt){.type = CORE_EVT_BUILT,
				   .built = {.err = err,
					     .event_ns = event_ns,
					     .start_ns = f->now - 3 * MS,
					     .end_ns = f->now}});
}

static void adopted(struct fixture *f, u64 generation)
{
	step(f, &(struct core_evt){.type = CORE_EVT_ADOPTED,
				   .unix_ns = 78,
				   .adopted = {.generation = generation,
					       .received_ns = f->now + 1 * MS,
					       .validated_ns = f->now + 3 * MS,
					       .swapped_ns = f->now + 4 * MS,
					       .quiescent_ns = f->now + 5 * MS}});
}

static void refused(struct fixture *f, u64 generation, u64 current, bool missing)
{
	step(f, &(struct core_evt){.type = CORE_EVT_REFUSED,
				   .unix_ns = 79,
				   .refused = {.generation = generation,
					       .current = current,
					       .reason = "segment_hash section=fib_leaf",
					       .missing = missing}});
}

static void tick_at_due(struct fixture *f)
{
	assert_true(core_due_ns(&f->core) != UINT64_MAX);
	f->now = core_due_ns(&f->core);
	simple(f, CORE_EVT_TICK);
}

static void expect_nothing(const struct fixture *f)
{
	assert_int_equal(f->acts.n, 0);
}

static void expect(const struct fixture *f, enum core_act_type type, u64 generation)
{
	assert_int_equal(f->acts.n, 1);
	assert_int_equal(f->acts.act[0].type, type);
	assert_int_equal(f->acts.act[0].generation, generation);
}

/* Connected, with generation 1 adopted, at rest. */
static struct fixture *settled(void)
{
	struct fixture *f = fixture();

	simple(f, CORE_EVT_CHANGED);
	up(f, 0);
	expect(f, CORE_ACT_BUILD, 1);
	built_at(f, 0, f->now);
	expect(f, CORE_ACT_SEND, 1);
	adopted(f, 1);
	expect_nothing(f);
	assert_int_equal(f->core.phase, CORE_IDLE);
	assert_int_equal(core_due_ns(&f->core), UINT64_MAX);
	return f;
}

static void nothing_is_built_without_a_dataplane(void **state)
{
	struct fixture *f = fixture();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), UINT64_MAX);
	f->now += 1000 * MS;
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);
}

static void connecting_publishes_at_once_even_without_a_change(void **state)
{
	struct fixture *f = fixture();

	(void)state;
	up(f, 0);
	expect(f, CORE_ACT_BUILD, 1);
}

static void numbers_exceed_what_the_dataplane_has(void **state)
{
	struct fixture *f = fixture();

	(void)state;
	up(f, 41);
	expect(f, CORE_ACT_BUILD, 42);
	built_at(f, 0, 0);
	adopted(f, 42);
	/* a younger dataplane: our numbers go on */
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 7);
	expect(f, CORE_ACT_BUILD, 43);
}

static void changes_in_the_window_are_one_publish(void **state)
{
	struct fixture *f = settled();
	u64 first = f->now;

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), first + 5 * MS);
	for (u32 i = 0; i < 4; i++) {
		f->now += 1 * MS;
		simple(f, CORE_EVT_CHANGED);
		expect_nothing(f);
		/* the window is that of the build before: a stream of changes does not push it away */
		assert_int_equal(core_due_ns(&f->core), first + 5 * MS);
	}
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);
	f->now = first + 5 * MS;
	simple(f, CORE_EVT_TICK);
	expect(f, CORE_ACT_BUILD, 2);
}

static void the_first_change_after_a_while_goes_at_once(void **state)
{
	struct fixture *f = settled();

	(void)state;
	f->now += 5 * MS;
	simple(f, CORE_EVT_CHANGED);
	expect(f, CORE_ACT_BUILD, 2);
	built_at(f, 0, f->now);
	f->now += 3 * MS;
	/* those behind it wait for their window: from build to build */
	simple(f, CORE_EVT_CHANGED);
	f->now -= 1 * MS; /* it took 2 ms */
	adopted(f, 2);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), f->now + 3 * MS);
	f->now += 1 * MS;
	simple(f, CORE_EVT_CHANGED);
	expect_nothing(f);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 3);
}

static void a_window_of_zero_builds_at_once(void **state)
{
	struct fixture *f = settled();

	(void)state;
	f->core.cfg.coalesce_ns = 0;
	simple(f, CORE_EVT_CHANGED);
	expect(f, CORE_ACT_BUILD, 2);
}

static void one_publish_is_in_flight(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 2);
	simple(f, CORE_EVT_CHANGED); /* before BUILT: it is in */
	expect_nothing(f);
	built_at(f, 0, f->now);
	expect(f, CORE_ACT_SEND, 2);
	f->now += 1 * MS;
	simple(f, CORE_EVT_CHANGED); /* after BUILT: waits for the answer */
	expect_nothing(f);
	f->now += 100 * MS;
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);
	adopted(f, 2);
	expect_nothing(f); /* its window is long over, but half of the time is the others' */
	assert_int_equal(core_due_ns(&f->core), f->now + 101 * MS);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 3);
	built_at(f, 0, f->now);
	adopted(f, 3);
	expect_nothing(f);
	assert_int_equal(f->core.phase, CORE_IDLE);
}

static void a_change_before_built_needs_no_second_build(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	simple(f, CORE_EVT_CHANGED);
	built_at(f, 0, f->now);
	adopted(f, 2);
	expect_nothing(f);
	assert_false(f->core.pending);
}

static void a_change_right_before_the_answer_has_its_own_window(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	simple(f, CORE_EVT_CHANGED);
	adopted(f, 2);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), f->now + 5 * MS);
}

static void a_refusal_waits_for_a_change(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	refused(f, 2, 1, false);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), UINT64_MAX);
	assert_int_equal(f->core.refusal.generation, 2);
	assert_int_equal(f->core.refusal.unix_ns, 79);
	assert_string_equal(f->core.refusal.reason, "segment_hash section=fib_leaf");
	assert_int_equal(f->core.adopted, 1);
	f->now += 100000 * MS;
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);

	simple(f, CORE_EVT_CHANGED);
	expect(f, CORE_ACT_BUILD, 3);
	built_at(f, 0, f->now);
	adopted(f, 3);
	assert_int_equal(f->core.refusal.generation, 2); /* still told */
}

static void a_refusal_waits_for_a_reconnect(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	refused(f, 2, 1, false);
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 1);
	expect(f, CORE_ACT_BUILD, 3);
}

static void changes_during_a_refused_publish_are_tried(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	simple(f, CORE_EVT_CHANGED);
	f->now += 10 * MS;
	refused(f, 2, 1, false);
	expect(f, CORE_ACT_BUILD, 3);
}

static void missing_segments_are_sent_all_once(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	assert_false(f->acts.act[0].all);
	refused(f, 2, 1, true);
	expect(f, CORE_ACT_SEND, 2);
	assert_true(f->acts.act[0].all);
	assert_int_equal(f->core.refusal.generation, 0); /* not one yet */
	refused(f, 2, 1, true);
	expect_nothing(f); /* no hot loop */
	assert_int_equal(f->core.refusal.generation, 2);
	assert_int_equal(f->core.phase, CORE_IDLE);
}

static void a_refused_number_is_overtaken(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	refused(f, 2, 500, false); /* somebody else has published meanwhile */
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 501);
}

static void answers_to_other_generations_are_ignored(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	adopted(f, 2); /* not even built */
	refused(f, 2, 1, false);
	assert_int_equal(f->core.phase, CORE_BUILD);
	built_at(f, 0, f->now);
	adopted(f, 1);
	refused(f, 9, 1, false);
	assert_int_equal(f->core.phase, CORE_SEND);
	built_at(f, 0, f->now); /* not asked for */
	expect_nothing(f);
	adopted(f, 2);
	assert_int_equal(f->core.adopted, 2);
}

static void losing_the_dataplane_while_sending(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	simple(f, CORE_EVT_LINK_DOWN);
	expect_nothing(f);
	assert_int_equal(history_at(&f->core.history, 0)->result, HISTORY_LOST);
	assert_int_equal(core_due_ns(&f->core), UINT64_MAX);
	up(f, 1);
	expect(f, CORE_ACT_BUILD, 3);
}

static void losing_the_dataplane_while_building(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	simple(f, CORE_EVT_LINK_DOWN);
	assert_int_equal(f->core.phase, CORE_BUILD); /* the builder can't be called back */
	built_at(f, 0, f->now);
	expect_nothing(f);
	assert_int_equal(f->core.phase, CORE_IDLE);
	up(f, 1);
	expect(f, CORE_ACT_BUILD, 3);
}

static void a_dataplane_that_comes_back_while_building_gets_the_build(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 1);
	expect_nothing(f);
	built_at(f, 0, f->now);
	expect(f, CORE_ACT_SEND, 2);
}

static void a_build_numbered_for_another_dataplane_is_made_again(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 2);
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 90);
	built_at(f, 0, f->now);
	expect(f, CORE_ACT_BUILD, 91);
}

static void no_answer_resets_the_connection_once(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, 0, f->now);
	assert_int_equal(core_due_ns(&f->core), f->now + 1000 * MS);
	f->now += 999 * MS;
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);
	f->now += 1 * MS;
	simple(f, CORE_EVT_TICK);
	assert_int_equal(f->acts.n, 1);
	assert_int_equal(f->acts.act[0].type, CORE_ACT_LINK_RESET);
	simple(f, CORE_EVT_TICK);
	expect_nothing(f);
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 1);
	expect(f, CORE_ACT_BUILD, 3);
}

static void a_failed_build_is_tried_again_later(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, -12, 0);
	expect_nothing(f);
	assert_int_equal(f->core.build_err, -12);
	assert_int_equal(core_due_ns(&f->core), f->now + 500 * MS);
	assert_int_equal(history_at(&f->core.history, 0)->result, HISTORY_FAILED);
	tick_at_due(f);
	expect(f, CORE_ACT_BUILD, 3);
	built_at(f, 0, 0);
	adopted(f, 3);
	assert_int_equal(f->core.build_err, 0);
}

static void a_change_shortens_the_wait_after_a_failed_build(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	tick_at_due(f);
	built_at(f, -12, 0);
	f->now += 10 * MS;
	simple(f, CORE_EVT_CHANGED);
	assert_int_equal(core_due_ns(&f->core), f->now + 5 * MS);
}

static void nothing_is_sent_while_held(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	simple(f, CORE_EVT_HOLD);
	expect_nothing(f);
	assert_int_equal(core_due_ns(&f->core), UINT64_MAX);
	f->now += 1000 * MS;
	simple(f, CORE_EVT_TICK);
	simple(f, CORE_EVT_CHANGED);
	expect_nothing(f);
	simple(f, CORE_EVT_RELEASE);
	expect(f, CORE_ACT_BUILD, 2);
	/* held between the build and its sending */
	simple(f, CORE_EVT_HOLD);
	built_at(f, 0, 0);
	expect_nothing(f);
	f->now += 5 * MS;
	simple(f, CORE_EVT_RELEASE);
	expect(f, CORE_ACT_BUILD, 3);
}

static void a_new_dataplane_is_not_held_unless_told_so(void **state)
{
	struct fixture *f = settled();

	(void)state;
	simple(f, CORE_EVT_HOLD);
	simple(f, CORE_EVT_LINK_DOWN);
	simple(f, CORE_EVT_HOLD);
	up(f, 0);
	expect_nothing(f);
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 0);
	expect(f, CORE_ACT_BUILD, 2);
}

static void history_tells_the_times(void **state)
{
	struct fixture *f = settled();
	const struct history_row *r;
	u64 event;

	(void)state;
	simple(f, CORE_EVT_CHANGED);
	event = f->now;
	tick_at_due(f);
	f->now += 3 * MS;
	built_at(f, 0, event);
	step(f, &(struct core_evt){.type = CORE_EVT_SENT, .sent = {.bytes = 4096}});
	adopted(f, 2);
	r = history_at(&f->core.history, 0);
	assert_int_equal(r->generation, 2);
	assert_int_equal(r->result, HISTORY_ADOPTED);
	assert_int_equal(r->unix_ns, 78);
	assert_int_equal(r->build_us, 3000);
	assert_int_equal(r->send_us, 1000);
	assert_int_equal(r->validate_us, 2000);
	assert_int_equal(r->quiesce_us, 1000);
	/* to the last worker's quiescence: until then a packet may still go by the old table */
	assert_int_equal(r->event_to_adopted_us, 5000 + 3000 + 4000 + 1000);
	assert_int_equal(r->bytes_sent, 4096);
	/* a republish without a change has no event to count from */
	simple(f, CORE_EVT_LINK_DOWN);
	up(f, 2);
	built_at(f, 0, 0);
	adopted(f, 3);
	assert_false(history_at(&f->core.history, 0)->has_event);
}

static void history_keeps_the_newest(void **state)
{
	static struct history h;
	struct history_row row = {0};

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_null(history_at(&h, 0));
	for (u64 i = 1; i <= HISTORY_ROWS + 10; i++) {
		row.generation = i;
		history_add(&h, &row);
	}
	assert_int_equal(history_at(&h, 0)->generation, HISTORY_ROWS + 10);
	assert_int_equal(history_at(&h, HISTORY_ROWS - 1)->generation, 11);
	assert_null(history_at(&h, HISTORY_ROWS));
}

/* Any order of events: what must hold after each of them. */
static void any_order_keeps_the_rules(void **state)
{
	struct fixture *f = fixture();
	u64 seed = 0x2545f4914f6cdd1dull, last_sent = 0;
	bool is_up = false;

	(void)state;
	for (u32 i = 0; i < 200000; i++) {
		u64 dataplane = f->core.adopted;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		f->now += seed % (2 * MS);
		switch (seed >> 33 & 15) {
		case 0:
			if (!is_up) {
				up(f, seed >> 40 & 3 ? dataplane : f->core.generation + 3);
				is_up = true;
			}
			break;
		case 1:
			if (is_up && (seed >> 40 & 3) == 0) {
				simple(f, CORE_EVT_LINK_DOWN);
				is_up = false;
			}
			break;
		case 2 ... 5:
			simple(f, CORE_EVT_CHANGED);
			break;
		case 6 ... 7:
			built_at(f, seed >> 40 & 7 ? 0 : -12, f->now);
			break;
		case 8 ... 9:
			if (is_up)
				adopted(f, f->core.row.generation);
			break;
		case 10:
			if (is_up)
				refused(f, f->core.row.generation, dataplane, seed >> 41 & 1);
			break;
		default:
			simple(f, CORE_EVT_TICK);
			break;
		}
		for (u32 k = 0; k < f->acts.n; k++) {
			const struct core_act *a = &f->acts.act[k];

			assert_true(a->type == CORE_ACT_LINK_RESET || is_up);
			if (a->type == CORE_ACT_SEND) {
				assert_true(a->generation > f->core.adopted);
				assert_true(a->generation > last_sent ||
					    (a->all && a->generation == last_sent));
				last_sent = a->generation;
			}
		}
		assert_true(f->acts.n <= 1);
		/* whoever waits has a deadline, or a reason */
		if (f->core.phase == CORE_IDLE && f->core.pending)
			assert_true(!is_up || f->core.quiet);
		if (f->core.phase == CORE_COALESCE)
			assert_true(core_due_ns(&f->core) <= f->now + 500 * MS);
		f->acts.n = 0;
	}
	assert_true(last_sent > 100);
}

static void revisions(void **state)
{
	(void)state;
	assert_int_equal(revision_check(7, "7"), REVISION_OK);
	assert_int_equal(revision_check(0, "0"), REVISION_OK);
	assert_int_equal(revision_check(UINT64_MAX, "18446744073709551615"), REVISION_OK);
	assert_int_equal(revision_check(7, NULL), REVISION_MISSING);
	assert_int_equal(revision_check(7, ""), REVISION_MISSING);
	assert_int_equal(revision_check(7, "6"), REVISION_STALE);
	assert_int_equal(revision_check(7, "8"), REVISION_STALE);
	assert_int_equal(revision_check(7, "*"), REVISION_STALE);
	assert_int_equal(revision_check(7, "7x"), REVISION_STALE);
	assert_int_equal(revision_check(7, "-7"), REVISION_STALE);
	assert_int_equal(revision_check(7, "\"7\""), REVISION_STALE);
	assert_int_equal(revision_check(0, "18446744073709551616"), REVISION_STALE);
	assert_int_equal(revision_check(7, "18446744073709551623"), REVISION_STALE);
}

static void a_bucket_limits_lines(void **state)
{
	struct bucket b = {.tokens = 2, .burst = 2, .interval_ns = 100};
	u64 suppressed = 99;

	(void)state;
	assert_true(bucket_take(&b, 10, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_true(bucket_take(&b, 10, &suppressed));
	assert_false(bucket_take(&b, 20, &suppressed));
	assert_false(bucket_take(&b, 99, &suppressed));
	assert_true(bucket_take(&b, 100, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(bucket_take(&b, 199, &suppressed));
	/* a long rest gives the burst back, not more */
	assert_true(bucket_take(&b, 1000000, &suppressed));
	assert_true(bucket_take(&b, 1000000, &suppressed));
	assert_false(bucket_take(&b, 1000000, &suppressed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_built_without_a_dataplane),
		cmocka_unit_test(connecting_publishes_at_once_even_without_a_change),
		cmocka_unit_test(numbers_exceed_what_the_dataplane_has),
		cmocka_unit_test(changes_in_the_window_are_one_publish),
		cmocka_unit_test(the_first_change_after_a_while_goes_at_once),
		cmocka_unit_test(a_window_of_zero_builds_at_once),
		cmocka_unit_test(one_publish_is_in_flight),
		cmocka_unit_test(a_change_before_built_needs_no_second_build),
		cmocka_unit_test(a_change_right_before_the_answer_has_its_own_window),
		cmocka_unit_test(a_refusal_waits_for_a_change),
		cmocka_unit_test(a_refusal_waits_for_a_reconnect),
		cmocka_unit_test(changes_during_a_refused_publish_are_tried),
		cmocka_unit_test(missing_segments_are_sent_all_once),
		cmocka_unit_test(a_refused_number_is_overtaken),
		cmocka_unit_test(answers_to_other_generations_are_ignored),
		cmocka_unit_test(losing_the_dataplane_while_sending),
		cmocka_unit_test(losing_the_dataplane_while_building),
		cmocka_unit_test(a_dataplane_that_comes_back_while_building_gets_the_build),
		cmocka_unit_test(a_build_numbered_for_another_dataplane_is_made_again),
		cmocka_unit_test(no_answer_resets_the_connection_once),
		cmocka_unit_test(a_failed_build_is_tried_again_later),
		cmocka_unit_test(a_change_shortens_the_wait_after_a_failed_build),
		cmocka_unit_test(nothing_is_sent_while_held),
		cmocka_unit_test(a_new_dataplane_is_not_held_unless_told_so),
		cmocka_unit_test(history_tells_the_times),
		cmocka_unit_test(history_keeps_the_newest),
		cmocka_unit_test(any_order_keeps_the_rules),
		cmocka_unit_test(revisions),
		cmocka_unit_test(a_bucket_limits_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
