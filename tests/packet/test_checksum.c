/* SPDX-License-Identifier: BSD-3-Clause */
/* test_checksum.c - header checksum and TTL against a loop that follows the RFC; what the flow hash promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dwcp/util/checksum.h>

#include "packet_build.h"
#include "test_random.h"

/* RFC 791: the complement of the one's complement sum of the 16-bit words, read one byte at a time. */
static u16 naive_checksum(const u8 *hdr, u32 n)
{
	u32 sum = 0;

	for (u32 i = 0; i < n; i += 2) {
		if (i == 10)
			continue;
		sum += (u32)hdr[i] << 8 | hdr[i + 1];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (u16)(0xffff - sum);
}

/* Words of all zeros and all ones are where one's complement goes wrong. */
static void random_header(struct test_random *rnd, u8 *hdr, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		u32 kind = test_random_below(rnd, 4);

		hdr[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (u8)test_random_next(rnd);
	}
	hdr[0] = (u8)(0x40 | n / 4);
}

/* Both zeros are right when the sum is one: 0x0000 and 0xffff (RFC 1624 §3). */
static bool naive_ok(const u8 *hdr, u32 n)
{
	u16 want = naive_checksum(hdr, n), got = be16_load(hdr + 10);

	return got == want || (want == 0 && got == 0xffff);
}

static void test_checksum_against_naive(void **state)
{
	struct test_random rnd = test_random_init("checksum");
	u32 n_ok = 0;

	for (u32 i = 0; i < 1000000; i++) {
		u32 n = i % 3 ? 20 : 20 + 4 * test_random_below(&rnd, 11);
		u8 *hdr = malloc(n);
		bool ok;

		assert_non_null(hdr);
		random_header(&rnd, hdr, n);
		if (i & 1)
			be16_store(hdr + 10, naive_checksum(hdr, n));
		if ((i & 15) == 1)
			hdr[test_random_below(&rnd, n)] ^= (u8)(1u << test_random_below(&rnd, 8));
		ok = naive_ok(hdr, n);
		n_ok += ok;
		assert_int_equal(ip4_checksum_ok(hdr, n), ok);
		if (n == 20)
			assert_int_equal(ip4_checksum_ok_20(hdr), ok);
		ip4_checksum_set(hdr, n);
		assert_int_equal(be16_load(hdr + 10), naive_checksum(hdr, n));
		free(hdr);
	}
	assert_true(n_ok > 400000);
}

/* Every value that a checksum can have: the sum is steered through all of them by the id field. */
static void test_checksum_all_values(void **state)
{
	u8 hdr[20];

	random_header(&(struct test_random){1}, hdr, sizeof(hdr));
	for (u32 id = 0; id < 0x10000; id++) {
		u16 sum;

		be16_store(hdr + 4, (u16)id);
		sum = naive_checksum(hdr, sizeof(hdr));
		be16_store(hdr + 10, sum);
		assert_true(ip4_checksum_ok_20(hdr));
		be16_store(hdr + 10, (u16)(sum + 1));
		assert_int_equal(ip4_checksum_ok_20(hdr), naive_ok(hdr, sizeof(hdr)));
		be16_store(hdr + 10, (u16)(sum - 1));
		assert_int_equal(ip4_checksum_ok_20(hdr), naive_ok(hdr, sizeof(hdr)));
	}
}

/* Exhaustive: every TTL with every sum. The result is bit for bit what a new computation gives. */
static void test_ttl_decrement(void **state)
{
	u8 hdr[20] = {0x45};

	for (u32 ttl = 1; ttl < 256; ttl++) {
		for (u32 id = 0; id < 0x10000; id++) {
			hdr[8] = (u8)ttl;
			be16_store(hdr + 4, (u16)id);
			be16_store(hdr + 10, naive_checksum(hdr, sizeof(hdr)));
			ip4_ttl_decrement(hdr);
			assert_int_equal(hdr[8], ttl - 1);
			if (be16_load(hdr + 10) != naive_checksum(hdr, sizeof(hdr)))
				fail_msg("ttl %u id %u", ttl, id);
		}
	}
}

/* A sender's other zero (0xffff) is a right checksum before and after. */
static void test_ttl_decrement_other_zero(void **state)
{
	u32 n = 0;
	u8 hdr[20] = {0x45};

	for (u32 id = 0; id < 0x10000; id++) {
		hdr[8] = 64;
		be16_store(hdr + 4, (u16)id);
		if (naive_checksum(hdr, sizeof(hdr)) != 0)
			continue;
		n++;
		be16_store(hdr + 10, 0xffff);
		assert_true(ip4_checksum_ok_20(hdr));
		ip4_ttl_decrement(hdr);
		assert_true(ip4_checksum_ok_20(hdr));
		assert_int_equal(be16_load(hdr + 10), naive_checksum(hdr, sizeof(hdr)));
	}
	assert_int_equal(n, 1);
}

static struct pkt flow4(u32 i)
{
	return (struct pkt){.src.lo = BUILD_SRC4,
			    .dst.lo = BUILD_DST4 + (i >> 16),
			    .flags = PKT_IP4 | PKT_L4,
			    .protocol = 6,
			    .src_port = (u16)i,
			    .dst_port = BUILD_DPORT};
}

static struct pkt flow6(u32 i)
{
	return (struct pkt){.src = build_src6,
			    .dst = {build_dst6.hi + (i >> 16), build_dst6.lo},
			    .flags = PKT_IP6 | PKT_L4,
			    .protocol = 17,
			    .src_port = (u16)i,
			    .dst_port = BUILD_DPORT};
}

/*
 * Flows that differ in a counter, over n buckets by the low bits and by the high bits: chi-squared of
 * n - 1 degrees of freedom stays within 6 standard deviations of its mean (keys are fixed: no chance involved).
 */
static void check_spread(struct pkt (*flow)(u32), u32 (*bucket)(u64, u32), u32 n_buckets)
{
	static const u64 key[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	u32 n_flows = 1u << 20;
	double mean = (double)n_flows / n_buckets, chi = 0, limit;
	u32 *count = calloc(n_buckets, sizeof(*count));

	assert_non_null(count);
	for (u32 i = 0; i < n_flows; i++) {
		struct pkt p = flow(i);

		count[bucket(flow_hash(&p, key), n_buckets)]++;
	}
	for (u32 i = 0; i < n_buckets; i++)
		chi += (count[i] - mean) * (count[i] - mean) / mean;
	free(count);
	limit = 6 * __builtin_sqrt(2.0 * n_buckets);
	print_message("%u buckets: chi-squared %.0f\n", n_buckets, chi);
	assert_true(chi < n_buckets + limit && chi > n_buckets - limit);
}

static u32 bucket_low(u64 h, u32 n)
{
	return (u32)h & (n - 1);
}

static u32 bucket_high(u64 h, u32 n)
{
	return (u32)(h >> 32) >> (32 - __builtin_ctz(n));
}

static void test_flow_hash_spread(void **state)
{
	static const u32 buckets[] = {16, 256, 4096, 65536};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(buckets); i++) {
		check_spread(flow4, bucket_low, buckets[i]);
		check_spread(flow4, bucket_high, buckets[i]);
		check_spread(flow6, bucket_low, buckets[i]);
		check_spread(flow6, bucket_high, buckets[i]);
	}
}

/* Each bit that makes a flow flips about half of the hash's bits; so does each bit of the key. */
static void check_avalanche(const struct pkt *base, const u64 key[2], u32 first_bit, u32 n_bits,
			    const char *what)
{
	struct {
		struct pkt p;
		u64 key[2];
	} changed;
	u64 h = flow_hash(base, key);

	for (u32 bit = first_bit; bit < first_bit + n_bits; bit++) {
		int n;

		changed.p = *base;
		memcpy(changed.key, key, sizeof(changed.key));
		((u8 *)&changed)[bit / 8] ^= (u8)(1u << bit % 8);
		n = __builtin_popcountll(h ^ flow_hash(&changed.p, changed.key));
		if (n < 12 || n > 52)
			fail_msg("%s: bit %u changes %d of 64", what, bit - first_bit, n);
	}
}

#define FIELD_BITS(field)                                                                          \
	(u32)(offsetof(struct pkt, field) * 8), (u32)(sizeof(((struct pkt *)0)->field) * 8)

static void test_flow_hash_avalanche(void **state)
{
	struct test_random rnd = test_random_init("avalanche");

	for (u32 i = 0; i < 200; i++) {
		u64 key[2] = {test_random_next(&rnd), test_random_next(&rnd)};
		struct pkt p4 = flow4((u32)test_random_next(&rnd)),
			   p6 = flow6((u32)test_random_next(&rnd));

		check_avalanche(&p4, key, (u32)offsetof(struct pkt, dst.lo) * 8, 32, "destination");
		check_avalanche(&p4, key, (u32)offsetof(struct pkt, src.lo) * 8, 32, "source");
		check_avalanche(&p4, key, FIELD_BITS(src_port), "source port");
		check_avalanche(&p4, key, FIELD_BITS(dst_port), "destination port");
		check_avalanche(&p4, key, FIELD_BITS(protocol), "protocol");
		check_avalanche(&p4, key, sizeof(struct pkt) * 8, 128, "key");
		check_avalanche(&p6, key, FIELD_BITS(dst), "destination6");
		check_avalanche(&p6, key, FIELD_BITS(src), "source6");
		check_avalanche(&p6, key, FIELD_BITS(src_port), "source port6");
		check_avalanche(&p6, key, FIELD_BITS(dst_port), "destination port6");
		check_avalanche(&p6, key, FIELD_BITS(protocol), "protocol6");
		check_avalanche(&p6, key, sizeof(struct pkt) * 8, 128, "key6");
	}
}

/* Fragments of a datagram go one way, whether they show ports or not; a packet without ports ignores the fields. */
static void test_flow_hash_ports(void **state)
{
	static const u64 key[2] = {1, 2};
	struct pkt p = flow4(77), first = p, later = p, other = p;

	first.flags |= PKT_FRAGMENT;
	later.flags = PKT_IP4 | PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	later.src_port = 0;
	later.dst_port = 0;
	assert_true(flow_hash(&first, key) == flow_hash(&later, key));
	assert_true(flow_hash(&p, key) != flow_hash(&first, key));
	other.flags &= (u16)~PKT_L4;
	assert_true(flow_hash(&other, key) == flow_hash(&later, key));
	other = p;
	other.ttl = 3;
	other.tcp_flags = 0x11;
	other.ip_len = 1400;
	other.vlan = 7;
	assert_true(flow_hash(&other, key) == flow_hash(&p, key));
}

/*
 * Keyedness: flows that share a bucket of 256 under one key are spread over all of them by another. Without the key
 * nobody can prepare a set of flows that meet.
 */
static void test_flow_hash_keyed(void **state)
{
	static const u64 a[2] = {0x1111111111111111, 0x2222222222222222};
	static const u64 b[2] = {0x1111111111111111, 0x2222222222222223};
	u32 count[256] = {0}, n = 0, most = 0;

	for (u32 i = 0; i < 1u << 20; i++) {
		struct pkt p = flow4(i);

		if (flow_hash(&p, a) % 256)
			continue;
		n++;
		count[flow_hash(&p, b) % 256]++;
	}
	for (u32 i = 0; i < 256; i++)
		most = DWCP_MAX(most, count[i]);
	assert_true(n > 3700 && n < 4500);
	assert_true(most < 45); /* mean 16, standard deviation 4 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum_against_naive),
		cmocka_unit_test(test_checksum_all_values),
		cmocka_unit_test(test_ttl_decrement),
		cmocka_unit_test(test_ttl_decrement_other_zero),
		cmocka_unit_test(test_flow_hash_spread),
		cmocka_unit_test(test_flow_hash_avalanche),
		cmocka_unit_test(test_flow_hash_ports),
		cmocka_unit_test(test_flow_hash_keyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
