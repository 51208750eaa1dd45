/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pages.c - small segments copied into 2 MB pages: what workers read is what was sent, whatever is shared, used again, or
 * missing. Needs a few free huge pages, or root to allow surplus ones meanwhile; else it is skipped (77).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "huge_pages.h"
#include "table_small.h"
#include "walk.h"

#define N_PAGES	  16
#define CHUNK	  (256u << 10)
#define TAIL	  (1024u << 10) /* just too short for a page */
#define N_CHANGES 24
#define READ_INTO                                                                                  \
	1u /* the page that a segment is read into when it comes, where there are pages already */

static char reason[GENERATION_REASON_MAX];

static struct segment_set *set_create_paged(bool huge)
{
	struct segment_set_cfg cfg = {.max_bytes = 1ull << 30, .max_segments = 4096, .huge = huge};

	return segment_set_create(&cfg);
}

/* Leaves of two pages and a tail of @tail bytes, no two chunks alike; everything else small. */
static void table_init_long(struct table *t, u32 tail, u32 chunk)
{
	struct part *p;

	table_init_small(t);
	p = table_part(t, DWCP_SECTION_FIB_LEAF);
	p->len = 2 * HUGE_BYTES + tail;
	p->n_elements = p->len / 4;
	p->chunk_bytes = chunk;
	p->bytes = realloc(p->bytes, p->len);
	assert_non_null(p->bytes);
	for (u32 i = 0; i < p->n_elements; i++)
		*(u32 *)part_at(p, i) = (i * 2654435761u >> 16) % 12;
}

static struct generation *table_open(struct segment_set *s, const struct table *t, u64 number)
{
	struct generation *g = NULL;
	struct sealed x;

	sealed_init(&x, t, number);
	if (sealed_open(s, &x, &small_limits, &g, reason))
		fail_msg("%s", reason);
	sealed_fini(&x);
	segment_set_drop_staged(s);
	return g;
}

static u64 pages_of(const struct segment_set *s)
{
	return segment_set_page_bytes(s) / HUGE_BYTES;
}

static void leaves_are(const struct generation *g, const struct table *t)
{
	const struct part *p = table_part((struct table *)t, DWCP_SECTION_FIB_LEAF);

	assert_memory_equal(g->fib.leaf, p->bytes, p->n_elements * 4);
}

static void leaf_change(struct table *t, u32 at)
{
	u32 *leaf = part_at(table_part(t, DWCP_SECTION_FIB_LEAF), at);

	*leaf = (*leaf + 1) % 12;
}

static void copied_side_by_side(void **state)
{
	static const u32 chunks[] = {4096, 64u << 10, CHUNK, HUGE_BYTES};
	u32 maps = count_maps(), fds = count_fds();

	for (u32 i = 0; i < DWCP_ARRAY_LEN(chunks); i++) {
		struct segment_set *s = set_create_paged(true);
		struct generation *g;
		struct table t;

		table_init_long(&t, TAIL, chunks[i]);
		g = table_open(s, &t, 1);
		assert_int_equal((uintptr_t)g->fib.leaf % HUGE_BYTES, 0);
		assert_int_equal(pages_of(s), 2);
		assert_int_equal(g->huge_bytes, 2 * HUGE_BYTES);
		assert_int_equal(g->n_huge_segments, 2 * (HUGE_BYTES / chunks[i]));
		leaves_are(g, &t);
		walk(g, SMALL_N_PORTS);
		generation_close(g);
		assert_int_equal(pages_of(s), 0);
		assert_int_equal(segment_set_mapped_bytes(s), 0);
		segment_set_free(s);
		table_fini(&t);
	}
	assert_int_equal(count_maps(), maps);
	assert_int_equal(count_fds(), fds);
}

/* What a page has behind its segments is zero, also when it was full before. */
static void long_tail(void **state)
{
	static const u8 zeros[HUGE_BYTES - TAIL - 4096];
	struct segment_set *s = set_create_paged(true);
	struct generation *g, *longer;
	struct table t, u;

	table_init_long(&u, HUGE_BYTES, CHUNK);
	table_init_long(&t, TAIL + 4096, CHUNK);
	longer = table_open(s, &u, 1);
	assert_int_equal(pages_of(s), 3);
	g = table_open(s, &t, 2); /* the same first pages, and a short one */
	assert_int_equal(pages_of(s), 3 + 1 + READ_INTO);
	generation_close(g);
	generation_close(longer);

	longer = table_open(s, &u, 3);
	leaf_change(&u, 2 * HUGE_BYTES / 4);
	g = table_open(s, &u, 4);
	generation_close(longer); /* its third page is spare now */
	longer = g;
	g = table_open(s, &t, 5);
	assert_int_equal(pages_of(s), 4 + READ_INTO);
	assert_int_equal(g->huge_bytes, 2 * HUGE_BYTES + TAIL + 4096);
	leaves_are(g, &t);
	assert_memory_equal((const u8 *)g->fib.leaf + 2 * HUGE_BYTES + TAIL + 4096, zeros,
			    sizeof(zeros));
	generation_close(g);
	generation_close(longer);
	segment_set_free(s);
	table_fini(&t);
	table_fini(&u);
}

/* One chunk changes again and again: one page a change, never that of a generation that is open, and no more of them. */
static void changes_take_one_page(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g;
	struct table now, before;
	u64 mapped;

	table_init_long(&now, TAIL, CHUNK);
	table_init_long(&before, TAIL, CHUNK);
	g = table_open(s, &now, 1);
	mapped = segment_set_mapped_bytes(s);
	for (u32 i = 0; i < N_CHANGES; i++) {
		u32 at = i % 3 * (HUGE_BYTES / 8) + i;
		struct generation *old = g;

		leaf_change(&now, at);
		g = table_open(s, &now, 2 + i);
		assert_int_equal(pages_of(s), 3 + READ_INTO);
		leaves_are(g, &now);
		leaves_are(old, &before);
		walk(old, SMALL_N_PORTS);
		generation_close(old);
		leaf_change(&before, at);
		leaves_are(g, &now);
		assert_int_equal(segment_set_mapped_bytes(s), mapped);
		assert_int_equal(pages_of(s), 3 + READ_INTO); /* one is spare */
	}
	generation_close(g);
	assert_int_equal(pages_of(s), 0);
	assert_int_equal(segment_set_bytes(s), 0);
	segment_set_free(s);
	table_fini(&now);
	table_fini(&before);
}

/* Twice the same 2 MB are one page, in one generation and in two. */
static void equal_bytes_share_a_page(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g, *h;
	struct table t;
	u8 *bytes;

	table_init_long(&t, TAIL, CHUNK);
	bytes = table_part(&t, DWCP_SECTION_FIB_LEAF)->bytes;
	memcpy(bytes + HUGE_BYTES, bytes, HUGE_BYTES);
	g = table_open(s, &t, 1);
	assert_int_equal(pages_of(s), 1);
	leaf_change(&t, 2 * HUGE_BYTES / 4); /* in the tail */
	h = table_open(s, &t, 2);
	assert_int_equal(pages_of(s), 1 + READ_INTO);
	leaves_are(h, &t);
	generation_close(g);
	leaves_are(h, &t);
	generation_close(h);
	assert_int_equal(pages_of(s), 0);
	segment_set_free(s);
	table_fini(&t);
}

/* Without pages, and with one too few: the same bytes on small pages, nothing is refused. */
static void short_of_pages(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g, *h;
	struct table t;
	void *hog;
	size_t n;

	table_init_long(&t, TAIL, CHUNK);
	n = huge_pages_hog(&hog);
	assert_int_not_equal(n, 0);
	g = table_open(s, &t, 1);
	assert_int_equal(pages_of(s) + g->huge_bytes + g->n_huge_segments, 0);
	leaves_are(g, &t);
	walk(g, SMALL_N_PORTS);
	huge_pages_unhog(hog, n);

	n = huge_pages_hog(&hog);
	huge_pages_unhog((u8 *)hog + (n - 1) * HUGE_BYTES, 1);
	leaf_change(&t, 0);
	h = table_open(s, &t, 2);
	assert_int_equal(pages_of(s), 1);
	assert_int_equal(h->huge_bytes, HUGE_BYTES);
	leaves_are(h, &t);
	walk(h, SMALL_N_PORTS);
	huge_pages_unhog(hog, n - 1);
	generation_close(h);
	generation_close(g);
	segment_set_free(s);
	table_fini(&t);
}

static void leaves_other(struct table *t, u32 salt)
{
	struct part *p = table_part(t, DWCP_SECTION_FIB_LEAF);

	for (u32 i = 0; i < p->n_elements; i++)
		*(u32 *)part_at(p, i) = ((i ^ salt) * 2654435761u >> 16) % 12;
}

static void one_stage(struct segment_set *s, const struct sealed *x, u32 i)
{
	if (segment_set_stage(s, &sealed_segments(x)[i], dup(x->fds[i]), reason))
		fail_msg("%s", reason);
}

static struct generation *staged_open(struct segment_set *s, const struct sealed *x)
{
	int fd = memfd_with(x->m, x->len, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	struct generation *g = NULL;

	if (generation_open(s, fd, &small_limits, &g, reason))
		fail_msg("%s", reason);
	close(fd);
	return g;
}

/* Segments of another table, in the manifest's order, are read to where they stay: no page is taken when it is opened. */
static void read_in_place(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g, *h;
	struct table t;
	struct sealed x;

	table_init_long(&t, TAIL + 4096, CHUNK);
	g = table_open(s, &t, 1);
	leaves_other(&t, 1);
	sealed_init(&x, &t, 2);
	for (u32 i = 0; i < x.n; i++)
		one_stage(s, &x, i);
	assert_int_equal(pages_of(s), 6);
	h = staged_open(s, &x);
	assert_int_equal(pages_of(s), 6);
	assert_int_equal(h->huge_bytes, 2 * HUGE_BYTES + TAIL + 4096);
	leaves_are(h, &t);
	walk(h, SMALL_N_PORTS);
	segment_set_drop_staged(s);
	generation_close(g);
	leaves_are(h, &t);
	generation_close(h);
	assert_int_equal(pages_of(s), 0);
	sealed_fini(&x);
	segment_set_free(s);
	table_fini(&t);
}

/* A short end in a page that was full, read there or copied: nothing of what was there is left behind it. */
static void short_end_in_a_full_page(bool in_order)
{
	static const u8 zeros[HUGE_BYTES - TAIL - 4096];
	struct segment_set *s = set_create_paged(true);
	struct generation *g, *h;
	struct table full, t;
	struct sealed x;

	table_init_long(&full, HUGE_BYTES, CHUNK);
	table_init_long(&t, TAIL + 4096, CHUNK);
	g = table_open(s, &full, 1);
	leaves_other(&full, 1);
	h = table_open(s, &full, 2);
	generation_close(g); /* its full pages are spare */
	leaves_other(&t, 2);
	sealed_init(&x, &t, 3);
	for (u32 i = 0; i < x.n; i++)
		one_stage(s, &x, in_order ? i : x.n - 1 - i);
	g = staged_open(s, &x);
	leaves_are(g, &t);
	assert_memory_equal((const u8 *)g->fib.leaf + 2 * HUGE_BYTES + TAIL + 4096, zeros,
			    sizeof(zeros));
	generation_close(g);
	generation_close(h);
	sealed_fini(&x);
	segment_set_free(s);
	table_fini(&full);
	table_fini(&t);
}

static void read_in_place_short(void **state)
{
	short_end_in_a_full_page(true);
	short_end_in_a_full_page(false);
}

/* In another order, with others and refused ones between them, or forgotten in between: what is read is what was sent. */
static void read_in_any_order(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g;
	struct table t;

	table_init_long(&t, TAIL + 4096, CHUNK);
	g = table_open(s, &t, 1);
	for (u32 turn = 0; turn < 12; turn++) {
		struct generation *old = g;
		struct sealed x;

		leaves_other(&t, 2 + turn);
		sealed_init(&x, &t, 2 + turn);
		for (u32 k = 0; k < x.n; k++) {
			u32 i = turn < 4 ? x.n - 1 - k : turn < 8 ? k * 7 % x.n : k ^ (k + 1 < x.n);
			struct dwcp_segment_desc wrong = sealed_segments(&x)[i];

			wrong.id ^= 1;
			if (k % (turn + 2) == 0)
				assert_int_equal(segment_set_stage(s, &wrong, dup(x.fds[i]),
								   reason),
						 -EINVAL);
			one_stage(s, &x, i);
			if (turn % 4 == 3 && k == x.n / 2) {
				segment_set_drop_staged(s);
				for (u32 again = 0; again < x.n; again++)
					one_stage(s, &x, again);
			}
		}
		for (u32 i = 0; i < x.n; i++)
			one_stage(s, &x, i);
		g = staged_open(s, &x);
		leaves_are(g, &t);
		walk(g, SMALL_N_PORTS);
		segment_set_drop_staged(s);
		generation_close(old);
		leaves_are(g, &t);
		assert_true(pages_of(s) <= 2 * 3 + READ_INTO);
		sealed_fini(&x);
	}
	generation_close(g);
	assert_int_equal(pages_of(s), 0);
	segment_set_free(s);
	table_fini(&t);
}

/* A table without a group that fills a page takes none, not for a moment. */
static void small_tables_take_none(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g = NULL;
	struct table t;

	table_init_small(&t);
	for (u32 i = 0; i < 3; i++) {
		struct generation *old = g;
		struct sealed x;

		*(u32 *)part_at(table_part(&t, DWCP_SECTION_FIB_LEAF), 1) = i;
		sealed_init(&x, &t, 1 + i);
		for (u32 k = 0; k < x.n; k++)
			one_stage(s, &x, k);
		assert_int_equal(pages_of(s), 0);
		g = staged_open(s, &x);
		generation_close(old);
		sealed_fini(&x);
	}
	generation_close(g);
	segment_set_free(s);
	table_fini(&t);
}

static void not_allowed(void **state)
{
	struct segment_set *s = set_create_paged(false);
	struct generation *g;
	struct table t;

	table_init_long(&t, TAIL, CHUNK);
	g = table_open(s, &t, 1);
	assert_int_equal(pages_of(s) + g->huge_bytes, 0);
	leaves_are(g, &t);
	generation_close(g);
	segment_set_free(s);
	table_fini(&t);
}

/* A generation that is refused when its sections are mapped already leaves no page behind. */
static void refused_after_mapping(void **state)
{
	struct segment_set *s = set_create_paged(true);
	struct generation *g = NULL, *first;
	struct table t;
	struct sealed x;

	table_init_long(&t, TAIL, CHUNK);
	first = table_open(s, &t, 1);
	leaf_change(&t, 0);
	((struct dwcp_nexthop *)part_at(table_part(&t, DWCP_SECTION_NEXTHOP), 0))->type =
		DWCP_NEXTHOP_BLACKHOLE; /* slot 0 is "no route" */
	sealed_init(&x, &t, 2);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), -EINVAL);
	assert_true(reason_is(reason, "nexthop_zero"));
	sealed_fini(&x);
	segment_set_drop_staged(s);
	assert_int_equal(pages_of(s), 3 + READ_INTO); /* spare, but for two */
	generation_close(first);
	assert_int_equal(pages_of(s), 0);
	segment_set_free(s);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copied_side_by_side),
		cmocka_unit_test(long_tail),
		cmocka_unit_test(changes_take_one_page),
		cmocka_unit_test(equal_bytes_share_a_page),
		cmocka_unit_test(short_of_pages),
		cmocka_unit_test(read_in_place),
		cmocka_unit_test(read_in_place_short),
		cmocka_unit_test(read_in_any_order),
		cmocka_unit_test(small_tables_take_none),
		cmocka_unit_test(not_allowed),
		cmocka_unit_test(refused_after_mapping),
	};
	int failed;

	if (!huge_pages_begin(N_PAGES))
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	huge_pages_end();
	return failed;
}
