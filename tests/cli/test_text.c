/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_text.c - what people read: numbers, sizes, spans, wrapping, and the nearest name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "render.h"
#include "watch.h"

static void test_count(void **state)
{
	static const struct {
		s64 n;
		const char *text;
	} rows[] = {
		{0, "0"},
		{999, "999"},
		{1000, "1,000"},
		{-1, "-1"},
		{-999, "-999"},
		{-1000, "-1,000"},
		{1234567, "1,234,567"},
		{INT64_MAX, "9,223,372,036,854,775,807"},
		{INT64_MIN, "-9,223,372,036,854,775,808"},
	};
	char buf[FORMAT_MAX];

	(void)state;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++)
		assert_string_equal(format_count(rows[i].n, buf, sizeof(buf)), rows[i].text);
}

static void test_bytes(void **state)
{
	static const struct {
		u64 n;
		const char *text;
	} rows[] = {
		{0, "0 bytes"},		  {1023, "1023 bytes"},	   {1024, "1.0 KiB"},
		{1536, "1.5 KiB"},	  {1048575, "1023.9 KiB"}, {1048576, "1.0 MiB"},
		{9437184, "9.0 MiB"},	  {1ull << 40, "1.0 TiB"}, {1ull << 60, "1.0 EiB"},
		{UINT64_MAX, "15.9 EiB"},
	};
	char buf[FORMAT_MAX];

	(void)state;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++)
		assert_string_equal(format_bytes(rows[i].n, buf, sizeof(buf)), rows[i].text);
}

static void test_times(void **state)
{
	char buf[FORMAT_MAX];
	u64 now = format_now_unix_ns(), s = 1000000000u;

	(void)state;
	assert_string_equal(format_span(0, buf, sizeof(buf)), "0 s");
	assert_string_equal(format_span(59, buf, sizeof(buf)), "59 s");
	assert_string_equal(format_span(60, buf, sizeof(buf)), "1 min");
	assert_string_equal(format_span(3600, buf, sizeof(buf)), "1 h 0 min");
	assert_string_equal(format_span(86400 + 7200, buf, sizeof(buf)), "1 d 2 h");
	assert_string_equal(format_age(0, buf, sizeof(buf)), "never");
	assert_string_equal(format_age(now + 100 * s, buf, sizeof(buf)), "just now");
	assert_string_equal(format_age(now - 185 * s, buf, sizeof(buf)), "3 min ago");
	assert_string_equal(format_time(0, buf, sizeof(buf)), "-");
	assert_string_equal(format_time(1590000063 * s, buf, sizeof(buf)), "2020-05-20 18:41:03Z");
	assert_string_equal(format_us(999, buf, sizeof(buf)), "999 us");
	assert_string_equal(format_us(1000, buf, sizeof(buf)), "1.0 ms");
	assert_string_equal(format_us(1234567, buf, sizeof(buf)), "1.2 s");
}

static void test_rate(void **state)
{
	(void)state;
	assert_int_equal(rate_per_s(0, 100, 0), 0);
	assert_int_equal(rate_per_s(100, 50, 1000), 0); /* restarted in between */
	assert_int_equal(rate_per_s(0, 25, 250000000), 100);
	/* 2^62 in ten seconds: the product does not fit 64 bits */
	assert_int_equal(rate_per_s(0, 1ll << 62, 10000000000u), (1ll << 62) / 10);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"status", "ports", "routes",
					    "tables", "stats", "drops"};
	static const struct {
		const char *word, *name;
	} rows[] = {
		{"status", "status"},
		{"satus", "status"},
		{"prots", "ports"},
		{"rotues", "routes"},
		{"tabl", "tables"},
		{"stat", "status"},
		{"xyz", NULL},
		{"frobnicate", NULL},
		{"", NULL},
		{"drpos", "drops"},
		{"averylongwordthatnobodywouldevertype", NULL},
	};

	(void)state;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		const char *got = nearest_name(rows[i].word, names, DWCP_ARRAY_LEN(names));

		if (!rows[i].name)
			assert_null(got);
		else
			assert_string_equal(got, rows[i].name);
	}
}

static void wrap_check(const char *text, u32 indent, u32 width, const char *want)
{
	char *got = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&got, &len);

	assert_non_null(f);
	render_wrap(text, indent, width, f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(got, want);
	free(got);
}

static void test_wrap(void **state)
{
	(void)state;
	wrap_check("", 4, 10, "\n");
	wrap_check("one two three", 2, 0, "one two three\n");
	wrap_check("one two three", 2, 7, "one two\n  three\n");
	wrap_check("one two three", 2, 8, "one two\n  three\n");
	wrap_check("abcdefghij", 1, 4, "abcd\n efgh\n ij\n");
	wrap_check("ab abcdefg", 0, 4, "ab\nabcd\nefg\n");
	/* characters, not bytes, and never inside one */
	wrap_check("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 0, 2,
		   "\xc3\xa4\xc3\xb6\n\xc3\xbc\xc3\x9f\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),	cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_times),	cmocka_unit_test(test_rate),
		cmocka_unit_test(test_nearest), cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
