/* SPDX-License-Identifier: BSD-3-Clause */
/* test_parse.c - every row through the parser, from exact-size heap blocks; and the fast path against the slow one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/parse_inline.h>

#include "rows.h"
#include "test_random.h"

static struct row_set *rows;

static int setup(void **state)
{
	rows = rows_create();
	return 0;
}

static int teardown(void **state)
{
	rows_free(rows);
	return 0;
}

static u32 parse_and_forward(const struct row *r, struct pkt *p, u32 *ret_parse)
{
	struct parse_cfg cfg = rows_cfg(r);

	memset(p, 0xa5, sizeof(*p));
	*ret_parse = parse_packet(&cfg, r->bytes, r->seg_len, r->frame_len, p);
	return *ret_parse == VERDICT_PASS ? pkt_forward_check(p) : *ret_parse;
}

static void test_rows_verdict(void **state)
{
	u32 n_wrong = 0;

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];
		struct pkt p;
		u32 parse;
		u32 verdict = parse_and_forward(r, &p, &parse);

		if (verdict == r->verdict && (parse == verdict || r->forward))
			continue;
		n_wrong++;
		print_message("%s: %s, expected %s%s\n", r->name, row_verdict_name(verdict),
			      row_verdict_name(r->verdict),
			      r->forward ? " from the forward check" : "");
	}
	assert_int_equal(n_wrong, 0);
}

/* All 64 bytes: what a packet does not have is 0, whatever was in the memory before. */
static void test_rows_fields(void **state)
{
	u32 n_seen = 0;

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];
		struct pkt p;
		u32 parse;

		if (!r->has_expect)
			continue;
		n_seen++;
		parse_and_forward(r, &p, &parse);
		if (memcmp(&p, &r->expect, sizeof(p)))
			print_message("%s:\n", r->name);
		assert_memory_equal(&p, &r->expect, sizeof(p));
	}
	print_message("%u rows with all fields\n", n_seen);
	assert_true(n_seen >= 5 * rows_n_valid());
}

static void test_every_reason_has_a_row(void **state)
{
	u32 n_rows[DROP_N_REASONS] = {0};
	u32 n_malformed = 0;

	for (u32 i = 0; i < rows->n; i++) {
		if (rows->row[i].verdict == VERDICT_PASS)
			continue;
		n_rows[rows->row[i].verdict - VERDICT_DROP_BASE]++;
		n_malformed++;
	}
	print_message("%u rows, %u malformed or not to be forwarded\n", rows->n, n_malformed);
	assert_true(n_malformed >= 500);
	for (u32 i = 0; i < DROP_N_REASONS; i++) {
		if (rows_owe(i) && !n_rows[i])
			fail_msg("no row causes %s", row_verdict_name(VERDICT_DROP(i)));
		assert_true(rows_owe(i) || !n_rows[i]);
	}
}

/* The two must agree on everything that passes, and on every reason. */
static void parse_both(const struct parse_cfg *cfg, const u8 *bytes, u32 seg_len, u32 frame_len)
{
	struct pkt fast, slow;
	u32 fast_verdict, slow_verdict;

	memset(&fast, 0x5a, sizeof(fast));
	memset(&slow, 0xa5, sizeof(slow));
	fast_verdict = parse_packet_inline(cfg, bytes, seg_len, frame_len, &fast);
	slow_verdict = parse_packet_slow(cfg, bytes, seg_len, frame_len, &slow);
	assert_int_equal(fast_verdict, slow_verdict);
	if (fast_verdict == VERDICT_PASS)
		assert_memory_equal(&fast, &slow, sizeof(fast));
}

/* Short frames never see the shortcuts; padded to 82 bytes all do. */
static void test_fast_is_slow_padded(void **state)
{
	static u8 frame[82];

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];
		struct parse_cfg cfg = rows_cfg(r);

		if (r->seg_len >= sizeof(frame))
			continue;
		memset(frame, 0, sizeof(frame));
		memcpy(frame, r->bytes, r->seg_len);
		for (u32 j = 0; j < 4; j++) {
			cfg.promiscuous = j & 1;
			cfg.checksum_verified = j & 2;
			parse_both(&cfg, frame, sizeof(frame), sizeof(frame));
		}
	}
}

static void test_fast_is_slow(void **state)
{
	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];
		struct parse_cfg cfg = rows_cfg(r);

		for (u32 j = 0; j < 4; j++) {
			cfg.promiscuous = j & 1;
			cfg.checksum_verified = j & 2;
			parse_both(&cfg, r->bytes, r->seg_len, r->frame_len);
		}
	}
}

static void test_fast_is_slow_mutated(void **state)
{
	struct test_random rnd = test_random_init("fast is slow");
	static struct packet_build b;
	struct parse_cfg cfg;
	u8 *bytes;
	u32 len;

	for (u32 i = 0; i < 200000; i++) {
		struct row none = {.promiscuous = i & 1};

		rows_valid_build(test_random_below(&rnd, rows_n_valid()), &b);
		for (u32 n = test_random_below(&rnd, 4); n; n--)
			b.bytes[12 + test_random_below(&rnd, b.len - 12)] =
				(u8)test_random_next(&rnd);
		if (test_random_below(&rnd, 4))
			build_fix_checksum(&b);
		len = test_random_below(&rnd, 8) ? b.len : test_random_below(&rnd, b.len + 1);
		bytes = malloc(len ? len : 1);
		assert_non_null(bytes);
		memcpy(bytes, b.bytes, len);
		cfg = rows_cfg(&none);
		cfg.checksum_verified = i & 2;
		parse_both(&cfg, bytes, len, i & 4 ? len : b.len);
		free(bytes);
	}
}

static bool is_fast(struct packet_build *b)
{
	struct row none = {0};
	struct parse_cfg cfg = rows_cfg(&none);
	struct pkt p;

	build_fix(b);
	if (b->n_tags)
		return parse_tagged(&cfg, b->bytes, b->len, &p);
	assert_false(parse_tagged(&cfg, b->bytes, b->len, &p));
	return b->family == 4 ? parse_ip4_fast(&cfg, b->bytes, b->len, &p)
			      : parse_ip6_fast(b->bytes, b->len, &p);
}

static void start_common(struct packet_build *b, u8 family, u32 n_tags)
{
	build_eth(b);
	for (u32 i = 0; i < n_tags; i++)
		build_tag(b, 0x8100, (u16)(i + 1));
	if (family == 6) {
		build_ip6(b);
		return;
	}
	build_ip4(b);
	memset(b->bytes + b->l3 + 4, 0xff, 2); /* identification */
	b->bytes[b->l3 + 6] = 0xc0;	       /* DF, and the reserved flag */
}

/* The other tests can't tell who gave the answer. These packets are what the fast path is for. */
static void test_common_is_fast(void **state)
{
	static const u8 options[20] = {1, 1, 1, 1};
	static struct packet_build b;

	for (u32 i = 0; i < 6; i++) {
		u8 family = i & 1 ? 4 : 6;

		for (u32 n = 0; n < 1400; n++) {
			start_common(&b, family, i / 2);
			build_udp(&b);
			be16_store(b.bytes + b.udp_at + 6, 0xfedc); /* its checksum */
			build_payload(&b, DWCP_MAX(n, 20u));
			assert_true(is_fast(&b));
			start_common(&b, family, i / 2);
			build_tcp(&b, 0x10, options, n % 6 * 4);
			build_payload(&b, DWCP_MAX(n, 4u) - 4);
			if (n >= 4)
				b.bytes[b.l4 + 12] |= n & 15; /* reserved bits */
			/* The shortcut for one tag asks for room for two: IPv4, TCP, and 4 bytes. */
			assert_int_equal(is_fast(&b), i / 2 != 1 || b.len >= 62);
		}
		for (u32 flags = 0; flags < 256; flags++) {
			start_common(&b, family, i / 2);
			build_tcp(&b, (u8)flags, NULL, 0);
			build_payload(&b, 4);
			assert_int_equal(is_fast(&b), !(TCP_FLAGS_IMPOSSIBLE >> (flags & 63) & 1));
		}
	}
}

/* With a checksum that the NIC has seen, a wrong one is no fault; everything else still is. */
static void test_checksum_verified(void **state)
{
	u32 n = 0;

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];
		struct parse_cfg cfg = rows_cfg(r);
		struct pkt p;
		u32 verdict;

		cfg.checksum_verified = true;
		verdict = parse_packet(&cfg, r->bytes, r->seg_len, r->frame_len, &p);
		assert_int_not_equal(verdict, VERDICT_DROP(DROP_IP4_CHECKSUM));
		if (r->verdict == VERDICT_DROP(DROP_IP4_CHECKSUM))
			n += verdict == VERDICT_PASS;
		else if (!r->forward)
			assert_int_equal(verdict, r->verdict);
	}
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_verdict),
		cmocka_unit_test(test_rows_fields),
		cmocka_unit_test(test_every_reason_has_a_row),
		cmocka_unit_test(test_fast_is_slow),
		cmocka_unit_test(test_fast_is_slow_padded),
		cmocka_unit_test(test_fast_is_slow_mutated),
		cmocka_unit_test(test_common_is_fast),
		cmocka_unit_test(test_checksum_verified),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
