/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_parse_burst.c - eight at a time against one at a time: every row, and mutations of the valid ones, in bursts of
 * all sizes; each packet ends where its page does, and the next one can't be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "burst_expect.h"
#include "rows.h"
#include "test_random.h"

#define ROUNDS 40000

struct input {
	u8 *frame[PARSE_BURST_MAX];
	u32 seg_len[PARSE_BURST_MAX], frame_len[PARSE_BURST_MAX];
	u32 n;
};

static u32 n_common[2]; /* IPv4, IPv6 */
static bool vectors;	/* this CPU has them: the test would prove nothing without */

static void burst_check(const struct parse_cfg *cfg, const struct input *in)
{
	struct pkt_columns columns;
	u32 half = in->n / 16 * 8; /* in two calls, as a stage that has them one after the other */
	const u8 *const *frame = (const u8 *const *)in->frame;
	struct parse_common first = parse_burst(cfg, frame, in->seg_len, 0, half, &columns),
			    second = parse_burst(cfg, frame, in->seg_len, half, in->n, &columns),
			    both = {first.ip4 | second.ip4, first.ip6 | second.ip6};
	u64 common = both.ip4 | both.ip6;

	assert_true((both.ip4 & both.ip6) == 0);
	for (u32 i = 0; i < in->n; i++) {
		struct pkt p;
		bool expected = burst_expect_common(cfg, in->frame[i], in->seg_len[i],
						    in->frame_len[i], &p);
		bool found = common >> i & 1, all_long = in->n - i / 8 * 8 >= 3;

		/* one or two behind the eights, and eight of which one is too short, are left to parse_packet() */
		for (u32 k = i / 8 * 8; all_long && k < DWCP_MIN(i / 8 * 8 + 8, in->n); k++)
			all_long = in->seg_len[k] >= 54;
		if (found != (expected && all_long && vectors))
			fail_msg("packet %u of %u: %s", i, in->n,
				 found ? "taken, but not common" : "common, but not taken");
		if (!found)
			continue;
		n_common[both.ip6 >> i & 1]++;
		assert_int_equal(both.ip6 >> i & 1, !!(p.flags & PKT_IP6));
		assert_true(burst_expect_columns(&columns, i, in->frame[i], &p));
	}
	assert_true(in->n == 64 || common >> in->n == 0);
}

/* A place for each packet that ends where nothing can be read, whatever instruction tries to. */
static u8 *frame_end[PARSE_BURST_MAX];

static int frames_map(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE),
		     room = DWCP_ALIGN_UP(BUILD_MAX_BYTES, page);

	for (u32 i = 0; i < PARSE_BURST_MAX; i++) {
		u8 *at = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED || mprotect(at + room, page, PROT_NONE))
			return -1;
		frame_end[i] = at + room;
	}
	return 0;
}

static void input_add(struct input *in, const u8 *bytes, u32 seg_len, u32 frame_len)
{
	assert_true(seg_len <= BUILD_MAX_BYTES);
	in->frame[in->n] = frame_end[in->n] - seg_len;
	memcpy(in->frame[in->n], bytes, seg_len);
	in->seg_len[in->n] = seg_len;
	in->frame_len[in->n++] = frame_len;
}

/* Valid rows that are common and of @family, so that mutations begin near the line. */
static u32 common_rows(u16 family, u32 *ret_row, u32 cap)
{
	const struct row none = {0};
	struct parse_cfg cfg = rows_cfg(&none);
	static struct packet_build b;
	struct pkt p;
	u32 n = 0;

	for (u32 i = 0; i < rows_n_valid() && n < cap; i++) {
		rows_valid_build(i, &b);
		build_fix(&b);
		if (burst_expect_common(&cfg, b.bytes, b.len, b.len, &p) && p.flags & family)
			ret_row[n++] = i;
	}
	assert_true(n > 0);
	return n;
}

/* Each row at each of the eight places; the others are common: IPv4, IPv6, and both in turn. */
static void test_rows(void **state)
{
	struct row_set *rows = rows_create();
	static struct packet_build good[2];
	u32 near[2];

	common_rows(PKT_IP4, &near[0], 1);
	common_rows(PKT_IP6, &near[1], 1);
	for (u32 i = 0; i < 2; i++) {
		rows_valid_build(near[i], &good[i]);
		build_fix(&good[i]);
	}
	for (u32 r = 0; r < 3 * rows->n; r++) {
		const struct row *row = &rows->row[r / 3];
		struct parse_cfg cfg = rows_cfg(row);
		struct input in = {0};

		for (u32 i = 0; i < 8; i++) {
			const struct packet_build *g = &good[r % 3 == 2 ? i & 1 : r % 3];

			if (i == r / 3 % 8)
				input_add(&in, row->bytes, row->seg_len, row->frame_len);
			else
				input_add(&in, g->bytes, g->len, g->len);
		}
		burst_check(&cfg, &in);
	}
	rows_free(rows);
}

/* A packet near the line between common and not: of @family mostly, where @near has rows of each. */
static void packet_near(struct test_random *rnd, const u32 (*near)[256], const u32 *n_near,
			u32 family, struct packet_build *b)
{
	if (test_random_below(rnd, 8) == 0)
		family ^= 1;
	rows_valid_build(test_random_below(rnd, 8)
				 ? near[family][test_random_below(rnd, n_near[family])]
				 : test_random_below(rnd, rows_n_valid()),
			 b);
	for (u32 m = test_random_below(rnd, 3); m; m--)
		b->bytes[test_random_below(rnd, DWCP_MIN(b->len, family ? 80u : 60u))] =
			(u8)test_random_next(rnd);
	if (test_random_below(rnd, 8))
		build_fix_checksum(b);
}

static void test_mutated(void **state)
{
	struct test_random rnd = test_random_init("burst is packet");
	static struct packet_build b;
	static u32 near[2][256];
	u32 n_near[2] = {common_rows(PKT_IP4, near[0], DWCP_ARRAY_LEN(near[0])),
			 common_rows(PKT_IP6, near[1], DWCP_ARRAY_LEN(near[1]))};
	u32 total = 0;

	memset(n_common, 0, sizeof(n_common));
	for (u32 k = 0; k < ROUNDS; k++) {
		struct row none = {.promiscuous = k & 1};
		struct parse_cfg cfg = rows_cfg(&none);
		struct input in = {0};

		for (u32 n = test_random_below(&rnd, PARSE_BURST_MAX + 1); in.n < n; total++) {
			packet_near(&rnd, near, n_near, k >> 1 & 1, &b);
			input_add(&in, b.bytes,
				  test_random_below(&rnd, 100) ? b.len
							       : test_random_below(&rnd, b.len + 1),
				  b.len);
		}
		burst_check(&cfg, &in);
	}
	print_message("of %u packets common: %u IPv4, %u IPv6\n", total, n_common[0], n_common[1]);
	assert_true(!vectors || (n_common[0] > 10000 && n_common[1] > 10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_mutated),
	};

#if defined(__x86_64__)
	vectors = __builtin_cpu_supports("avx2");
#endif
	return cmocka_run_group_tests_name("parse_burst", tests, frames_map, NULL);
}
