/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fragment4.c - an IPv4 packet in pieces: every piece fits, is a packet that parse passes, and together they are what
 * was cut; options as RFC 791 wants them; pieces cut again are the same datagram.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dwcp/util/fragment4.h>
#include <dwcp/util/parse_inline.h>

#include "packet_build.h"
#include "test_random.h"

static struct packet_build b;

static void udp_of(u32 payload, const u8 *options, u32 n)
{
	build_eth(&b);
	build_ip4(&b);
	if (n)
		build_ip4_options(&b, options, n);
	build_udp(&b);
	build_payload(&b, payload);
	build_fix(&b);
}

struct pieces {
	u8 data[BUILD_MAX_BYTES]; /* of the datagram, put together */
	u32 bytes;		  /* of them there */
	u32 end;		  /* of the last piece; 0 = not seen */
	u32 n;
};

/* A piece as it would be sent: whole, valid, and no larger than it may be. */
static void piece_check(const u8 *ip, u32 len, u32 mtu, bool more_follow)
{
	u8 *frame = malloc(14 + len);
	struct parse_cfg cfg = {.mac = {2}};
	struct pkt p;

	assert_true(len <= mtu);
	memset(frame, 0, 14);
	frame[0] = 2;
	be16_store(frame + 12, 0x0800);
	memcpy(frame + 14, ip, len);
	/* a first piece that doesn't hold its UDP header is what the packet was cut to, not a fault here */
	if (len >= (ip[0] & 15) * 4u + 8)
		assert_int_equal(parse_packet(&cfg, frame, 14 + len, 14 + len, &p), VERDICT_PASS);
	assert_int_equal(be16_load(ip + 2), len);
	if (more_follow)
		assert_int_equal((len - (ip[0] & 15) * 4u) % 8, 0);
	free(frame);
}

static void cut(const u8 *packet, u32 len, u32 mtu, struct pieces *to, u32 again_mtu)
{
	u32 hdr_bytes = (packet[0] & 15) * 4u, n;
	struct fragment4_piece piece;
	struct fragment4 f;

	n = fragment4_init(&f, packet, len, mtu);
	assert_true(n > 0);
	for (u32 i = 0; fragment4_next(&f, &piece); i++) {
		u32 bytes = piece.hdr_bytes + piece.data_bytes, offset;
		u8 *ip = malloc(bytes);

		memcpy(ip, piece.hdr, piece.hdr_bytes);
		memcpy(ip + piece.hdr_bytes, packet + hdr_bytes + piece.data_at, piece.data_bytes);
		offset = (be16_load(ip + 6) & 0x1fff) * 8u;
		piece_check(ip, bytes, mtu, be16_load(ip + 6) & 0x2000);
		assert_int_equal(be16_load(ip + 4), be16_load(packet + 4));
		assert_memory_equal(ip + 8, packet + 8, 2);
		assert_memory_equal(ip + 12, packet + 12, 8);
		n--;
		if (again_mtu && bytes > again_mtu) {
			cut(ip, bytes, again_mtu, to, 0);
		} else {
			memcpy(to->data + offset, ip + piece.hdr_bytes, piece.data_bytes);
			to->bytes += piece.data_bytes;
			to->n++;
			if (!(be16_load(ip + 6) & 0x2000))
				to->end = offset + piece.data_bytes;
		}
		free(ip);
	}
	assert_int_equal(n, 0);
}

static void together(u32 mtu, u32 again_mtu)
{
	struct pieces got = {.n = 0};
	u32 hdr_bytes = (b.bytes[b.l3] & 15) * 4u;
	u8 *exact = malloc(b.len - b.l3);

	memcpy(exact, b.bytes + b.l3, b.len - b.l3);
	cut(exact, b.len - b.l3, mtu, &got, again_mtu);
	free(exact);
	assert_int_equal(got.bytes, b.len - b.l3 - hdr_bytes);
	assert_int_equal(got.end, got.bytes);
	assert_memory_equal(got.data, b.bytes + b.l3 + hdr_bytes, got.bytes);
}

static void every_mtu(void **state)
{
	struct test_random r = test_random_init("fragment4");

	for (u32 mtu = 68; mtu < 1600; mtu += 1 + test_random_below(&r, 9)) {
		udp_of(1500 + test_random_below(&r, 2000), NULL, 0);
		together(mtu, 0);
		if (mtu > 100)
			together(mtu, 68 + test_random_below(&r, mtu - 68));
	}
}

static void exact_counts(void **state)
{
	struct fragment4 f;

	udp_of(1480 - 8, NULL, 0); /* 1,480 bytes of data, 20 of header */
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 1500, 1500), 1);
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 1500, 1499), 2);
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 1500, 576), 3); /* 552 + 552 + 376 */
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 1500, 28), 185);
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 1500, 27), 0);
}

/* Copied: 130 (security). Not copied: 7 (record route), NOP. */
static void options(void **state)
{
	static const u8 o[] = {1, 7, 7, 4, 0, 0, 0, 0, 130, 6, 1, 2, 3, 4, 1, 0};
	static const u8 kept[] = {130, 6, 1, 2, 3, 4, 0, 0};
	struct fragment4_piece piece;
	struct fragment4 f;

	udp_of(1000, o, sizeof(o));
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, b.len - b.l3, 576), 2);
	assert_true(fragment4_next(&f, &piece));
	assert_int_equal(piece.hdr_bytes, 36);
	assert_memory_equal(piece.hdr + 20, o, sizeof(o));
	assert_true(fragment4_next(&f, &piece));
	assert_int_equal(piece.hdr_bytes, 28);
	assert_memory_equal(piece.hdr + 20, kept, sizeof(kept));
	assert_false(fragment4_next(&f, &piece));
	together(576, 0);
	together(576, 200);
}

/* The pieces of a piece that isn't the last all have more to come. */
static void more_stays(void **state)
{
	struct fragment4_piece piece;
	struct fragment4 f;

	udp_of(792, NULL, 0);
	be16_store(b.bytes + b.l3 + 6, 0x2000 | 100);
	build_fix_checksum(&b);
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, 820, 420), 2);
	assert_true(fragment4_next(&f, &piece));
	assert_int_equal(be16_load(piece.hdr + 6), 0x2000 | 100);
	assert_true(fragment4_next(&f, &piece));
	assert_int_equal(be16_load(piece.hdr + 6), 0x2000 | 150);
}

static void may_not_be_cut(void **state)
{
	struct fragment4 f;

	udp_of(1000, NULL, 0);
	b.bytes[b.l3 + 6] = 0x40;
	assert_int_equal(fragment4_init(&f, b.bytes + b.l3, b.len - b.l3, 576), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mtu),	  cmocka_unit_test(exact_counts),
		cmocka_unit_test(options),	  cmocka_unit_test(more_stays),
		cmocka_unit_test(may_not_be_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
