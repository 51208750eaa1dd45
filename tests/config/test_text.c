/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_text.c - text forms against the C library and by round trip: every IPv6 compression, random addresses,
 * mutated texts. An address that inet_pton(3) refuses we refuse, and the other way round.
 */
#include "config_test.h"

#include <arpa/inet.h>

#include <dwcp/endian.h>

#include "text.h"

#define SEED	 20261121ull
#define N_RANDOM 200000

/* What inet_pton says: family or 0. */
static u8 oracle(const char *text, struct fib_addr *ret)
{
	u8 bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret = (struct fib_addr){0, be32_load(bytes)};
		return FIB_IP4;
	}
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		*ret = (struct fib_addr){be64_load(bytes), be64_load(bytes + 8)};
		return FIB_IP6;
	}
	return 0;
}

static void same_as_oracle(const char *text)
{
	struct fib_addr got = {1, 2}, want = {0};
	u8 family = 9, wanted = oracle(text, &want);
	int rc = addr_parse(text, &got, &family);

	if (wanted ? rc || family != wanted || !addr_equal(&got, &want) : rc != -EINVAL) {
		print_message("\"%s\": rc %d family %u, wanted %u\n", text, rc, family, wanted);
		fail();
	}
	if (!wanted) /* untouched */
		assert_true(got.hi == 1 && got.lo == 2 && family == 9);
}

static void round_trip(u8 family, struct fib_addr a)
{
	char text[ADDR_TEXT_MAX], libc[INET6_ADDRSTRLEN];
	struct fib_addr back;
	u8 bytes[16], back_family;

	addr_format(family, &a, text, sizeof(text));
	assert_int_equal(addr_parse(text, &back, &back_family), 0);
	assert_int_equal(back_family, family);
	assert_true(addr_equal(&back, &a));
	if (family == FIB_IP4) {
		be32_store(bytes, (u32)a.lo);
	} else {
		u64 hi = __builtin_bswap64(a.hi), lo = __builtin_bswap64(a.lo);

		memcpy(bytes, &hi, 8);
		memcpy(bytes + 8, &lo, 8);
	}
	inet_ntop(family == FIB_IP4 ? AF_INET : AF_INET6, bytes, libc, sizeof(libc));
	assert_string_equal(text, libc);
}

/* All 256 patterns of zero groups: every place and length of "::". */
static void test_compressions(void **state)
{
	struct fib_addr a;
	u32 pattern, group;

	for (pattern = 0; pattern < 256; pattern++) {
		u64 words[2] = {0, 0};

		for (group = 0; group < 8; group++)
			if (pattern & 1u << group)
				words[group / 4] |= (0xa0ull + group) << (48 - 16 * (group % 4));
		a = (struct fib_addr){words[0], words[1]};
		round_trip(FIB_IP6, a);
	}
}

static void test_known_forms(void **state)
{
	static const char *const texts[] = {
		"",
		"0",
		"1.2.3",
		"1.2.3.4",
		"1.2.3.4.",
		".1.2.3.4",
		"1.2.3.4.5",
		"256.1.1.1",
		"1.1.1.256",
		"01.2.3.4",
		"1.2.3.04",
		"0.0.0.0",
		"00.0.0.0",
		"255.255.255.255",
		"1..2.3",
		"1.2.3.-4",
		"+1.2.3.4",
		" 1.2.3.4",
		"1.2.3.4 ",
		"0x1.2.3.4",
		"1.2.3.0004",
		"1234.1.1.1",
		"1.2.3.4/8",
		"::",
		"::1",
		"1::",
		"1::2",
		"1::2::3",
		":::",
		":",
		"1:",
		":1",
		"1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8",
		"::ffff:1.2.3.4",
		"::1.2.3.4",
		"1:2:3:4:5:6:1.2.3.4",
		"1:2:3:4:5:6:7:1.2.3.4",
		"::1.2.3",
		"::1.2.3.256",
		"1.2.3.4::",
		"00001::",
		"fffff::",
		"FFFF::abcd",
		"g::",
		"fe80::1%eth0",
		"[::1]",
		"0000:0000:0000:0000:0000:ffff:255.255.255.255",
		"0000:0000:0000:0000:0000:ffff:255.255.255.2555",
		"::0.0.0.0",
		"1:2:3:4:5:6:7:08",
	};
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(texts); i++)
		same_as_oracle(texts[i]);
}

static void test_random(void **state)
{
	static const char alphabet[] = "0123456789abcdefABCDEF:.:.::/ x%";
	char text[ADDR_TEXT_MAX];
	u64 seed = SEED;
	size_t len;
	u32 i, k;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (i = 0; i < N_RANDOM; i++) {
		struct fib_addr a = {random_next(&seed), random_next(&seed)};
		u64 zeros = random_next(&seed);

		for (k = 0; k < 4; k++) { /* runs of zero groups */
			a.hi &= zeros & 1u << k ? ~(0xffffull << 16 * k) : ~0ull;
			a.lo &= zeros & 16u << k ? ~(0xffffull << 16 * k) : ~0ull;
		}
		round_trip(FIB_IP6, a);
		round_trip(FIB_IP4, (struct fib_addr){0, a.lo & UINT32_MAX});
		addr_format(i & 1 ? FIB_IP4 : FIB_IP6, &a, text, sizeof(text));
		len = strlen(text);
		for (k = 0; k < 1 + i % 3; k++)
			text[random_next(&seed) % len] =
				alphabet[random_next(&seed) % (sizeof(alphabet) - 1)];
		same_as_oracle(text);
	}
}

static void test_prefixes(void **state)
{
	static const struct {
		const char *text, *form; /* NULL: refused */
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::/0", "::/0"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"10.0.0.1/32", "10.0.0.1/32"},
		{"2001:DB8::/32", "2001:db8::/32"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65"},
		{"10.0.0.1/8", NULL},
		{"10.0.0.0/7", "10.0.0.0/7"},
		{"11.0.0.0/7", NULL},
		{"128.0.0.0/0", NULL},
		{"2001:db8::1/127", NULL},
		{"2001:db8:0:0:8000::/64", NULL},
		{"1::/0", NULL},
		{"10.0.0.0/", NULL},
		{"10.0.0.0/33", NULL},
		{"10.0.0.0/-1", NULL},
		{"10.0.0.0/+8", NULL},
		{"10.0.0.0/08", NULL},
		{"10.0.0.0/8 ", NULL},
		{"10.0.0.0/8/8", NULL},
		{"10.0.0.0/4294967304", NULL},
		{"10.0.0.0/18446744073709551624", NULL},
		{"10/8", NULL},
		{"/8", NULL},
		{"", NULL},
		{"::/129", NULL},
		{"default", NULL},
	};
	char text[ADDR_TEXT_MAX];
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		struct fib_prefix p = {.vrf = 77};
		int rc = prefix_parse(rows[i].text, &p);

		assert_int_equal(rc, rows[i].form ? 0 : -EINVAL);
		if (rc) {
			assert_int_equal(p.vrf, 77);
			continue;
		}
		assert_int_equal(p.vrf, 0);
		assert_string_equal(prefix_format(&p, text, sizeof(text)), rows[i].form);
	}
}

/* The span forms never look past their end. */
static void test_prefix_meant(void **state)
{
	struct fib_prefix p;
	char text[ADDR_TEXT_MAX], *copy;
	u64 seed = SEED;
	u32 i, len;

	for (i = 0; i < 20000; i++) {
		struct fib_addr a = {random_next(&seed), random_next(&seed)};
		u8 family = i & 1 ? FIB_IP4 : FIB_IP6;
		int rc;

		if (family == FIB_IP4)
			a = (struct fib_addr){0, a.lo & UINT32_MAX};
		len = (u32)(random_next(&seed) % (addr_bits(family) + 1));
		addr_format(family, &a, text, sizeof(text));
		snprintf(text + strlen(text), 8, "/%u", len);
		copy = malloc(strlen(text));
		memcpy(copy, text, strlen(text));
		rc = prefix_parse_span((struct span){copy, copy + strlen(text)}, &p);
		free(copy);
		assert_int_equal(p.len, len);
		assert_true(addr_covers(family, p.addr, (u8)len, a));
		assert_int_equal(rc, addr_equal(&p.addr, &a) ? 0 : -ERANGE);
	}
}

/* ---- the quick scan: finds nothing that the exact parser would not, and the same ---- */

/* @text: a prefix or not. Whatever stands behind the blank, and however near the end of the memory is. */
static bool scan_is_exact(const char *text, u32 behind)
{
	size_t len = strlen(text), all = len + 1 + behind;
	struct fib_prefix got = {.vrf = 77}, want;
	char *copy = malloc(all);
	const char *end;

	memcpy(copy, text, len);
	memset(copy + len, ' ', all - len);
	end = prefix_scan(copy, copy + all, &got);
	if (end) {
		assert_ptr_equal(end, copy + len);
		assert_int_equal(prefix_parse_span((struct span){copy, end}, &want), 0);
		assert_int_equal(got.vrf, 0);
		assert_int_equal(got.family, want.family);
		assert_int_equal(got.len, want.len);
		assert_true(addr_equal(&got.addr, &want.addr));
	} else {
		assert_int_equal(got.vrf, 77);
	}
	free(copy);
	return end != NULL;
}

static void test_scan_plain(void **state)
{
	char text[ADDR_TEXT_MAX];
	u64 seed = SEED;
	u32 i, len;

	for (i = 0; i < N_RANDOM; i++) {
		u8 family = i & 1 ? FIB_IP4 : FIB_IP6;
		struct fib_prefix p = {.family = family};
		struct fib_addr a = {random_next(&seed), random_next(&seed)};

		len = (u32)(random_next(&seed) % (addr_bits(family) + 1));
		if (family == FIB_IP4)
			a = (struct fib_addr){0, a.lo & UINT32_MAX};
		if (i & 2)
			a.hi &= ~0xffff0000ull;
		p.len = (u8)len;
		p.addr = addr_mask(family, a, p.len);
		prefix_format(&p, text, sizeof(text));
		if (family == FIB_IP6 && strchr(text, '.'))
			continue; /* the C library writes some with an IPv4 address in them */
		assert_true(scan_is_exact(text, 48));
		scan_is_exact(text, i % 48);
	}
}

static void test_scan_odd(void **state)
{
	static const char *const texts[] = {
		"1.2.3.4",
		"1.2.3.4/",
		"1.2.3.4/33",
		"1.2.3.4/032",
		"1.2.3.4/320",
		"01.2.3.4/32",
		"1.2.3.256/32",
		"1.2.3/24",
		"1.2.3.4.5/32",
		"1.2.3.1234/32",
		"1..2.3/32",
		"1.2.3.4/31",
		"1.2.3.5/31",
		"128.0.0.0/0",
		"0.0.0.0/00",
		"1.2.3.4/3 2",
		"1.2.3.4/-1",
		"999.2.3.4/32",
		":/0",
		":::/0",
		"::/",
		"::/129",
		"::/1280",
		"::1/0",
		"1:2:3:4:5:6:7::/128",
		"1::2::3/128",
		"1:/16",
		":1/16",
		"1::2:/64",
		"1:2:3:4:5:6:7:8:/128",
		"12345::/64",
		"::1.2.3.4/128",
		"g::/16",
		"1:2:3:4:5:6:7/128",
		"::2:3:4:5:6:7:8/128",
		"1:2:3:4::5:6:7:8/128",
		"1:2:3:4:5:6:7:8::/128",
		"::1:2:3:4:5:6:7:8/128",
		"1:2:3:4:5:6:7:8:9/128",
		"0000:0000:0000:0000:0000:0000:0000:0001/128",
		"10.0.0.0/8/8",
		"2001:db8::/32/",
		"10.0.0.0/8\t",
		"10.0.0.0/8\r",
		"10.0.0.0/8#",
	};
	u32 i, behind;

	for (i = 0; i < DWCP_ARRAY_LEN(texts); i++)
		for (behind = 0; behind < 50; behind++)
			if (!strpbrk(texts[i], " \t\r#"))
				scan_is_exact(texts[i], behind);
	assert_true(scan_is_exact("1:2:3:4:5:6:7::/128", 48));
	assert_true(scan_is_exact("::/0", 48));
	assert_true(scan_is_exact("0.0.0.0/0", 48));
	assert_true(scan_is_exact("255.255.255.255/32", 1));
	assert_false(scan_is_exact("1.2.3.5/31", 48));
	assert_false(scan_is_exact("1::2:/64", 48));
	assert_false(scan_is_exact("1:2:3:4:5:6:7:8:/128", 48));
}

static void test_scan_random(void **state)
{
	static const char alphabet[] = "0123456789abcdefABCDEF:.:.::///x%";
	char text[ADDR_TEXT_MAX + 8];
	u64 seed = SEED;
	size_t len;
	u32 i, k, found = 0;

	for (i = 0; i < N_RANDOM; i++) {
		struct fib_addr a = {random_next(&seed), random_next(&seed)};
		u8 family = i & 1 ? FIB_IP4 : FIB_IP6;
		u32 n = (u32)(random_next(&seed) % (addr_bits(family) + 2));

		a = addr_mask(family, a, (u8)DWCP_MIN(n, (u32)addr_bits(family)));
		addr_format(family, &a, text, sizeof(text));
		snprintf(text + strlen(text), 6, "/%u", n);
		len = strlen(text);
		for (k = 0; k < i % 3; k++)
			text[random_next(&seed) % len] =
				alphabet[random_next(&seed) % (sizeof(alphabet) - 1)];
		found += scan_is_exact(text, 48);
	}
	assert_true(found > N_RANDOM / 4);
}

static void test_macs(void **state)
{
	char text[ADDR_TEXT_MAX];
	u64 seed = SEED, bits;
	u8 mac[6], back[6];
	u32 i;

	for (i = 0; i < 10000; i++) {
		bits = random_next(&seed);
		memcpy(mac, &bits, 6);
		assert_int_equal(mac_parse(mac_format(mac, text, sizeof(text)), back), 0);
		assert_memory_equal(mac, back, 6);
	}
	assert_int_equal(mac_parse("02:00:5E:10:aB:01", mac), 0);
	assert_memory_equal(mac, "\x02\x00\x5e\x10\xab\x01", 6);
	assert_int_equal(mac_parse("02:00:5e:10:00:1", mac), -EINVAL);
	assert_int_equal(mac_parse("02:00:5e:10:00:01:", mac), -EINVAL);
	assert_int_equal(mac_parse("02-00-5e-10-00-01", mac), -EINVAL);
	assert_int_equal(mac_parse("", mac), -EINVAL);
	assert_memory_equal(mac, "\x02\x00\x5e\x10\xab\x01", 6);
}

static void test_short_buffers(void **state)
{
	struct fib_prefix p = {.family = FIB_IP6, .len = 64};
	struct fib_addr a = {0x20010db8ull << 32, 1};
	char text[5] = "xxxx";

	assert_string_equal(addr_format(FIB_IP6, &a, text, sizeof(text)), "");
	assert_string_equal(prefix_format(&p, text, sizeof(text)), "::/6");
	assert_string_equal(mac_format((const u8 *)"\1\2\3\4\5\6", text, sizeof(text)), "01:0");
	assert_string_equal(addr_format(0, &a, text, sizeof(text)), "");
	assert_string_equal(route_type_name(ROUTE_PROHIBIT), "prohibit");
	assert_string_equal(route_type_name(99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compressions),  cmocka_unit_test(test_known_forms),
		cmocka_unit_test(test_random),	      cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_prefix_meant),  cmocka_unit_test(test_macs),
		cmocka_unit_test(test_short_buffers), cmocka_unit_test(test_scan_plain),
		cmocka_unit_test(test_scan_odd),      cmocka_unit_test(test_scan_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
