/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_icmp.c - any frame through the judgement of who may be answered, the search for the faulty byte, the building of
 * an error and the cutting to pieces. Runs over parse's corpus (fuzz_packet.h has the form) in every test run, and under
 * libFuzzer as fuzz_packet.c says.
 *
 * Held to: nothing outside the frame, its headroom and tailroom is read or written; the error has right lengths and
 * checksums, fits, quotes the packet's own bytes, goes to its source, and would itself never be answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/fragment4.h>
#include <dwcp/util/icmp.h>
#include <dwcp/util/parse_inline.h>

#include "fuzz_packet.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static u16 sum_of(const u8 *bytes, u32 n, u32 sum)
{
	for (u32 i = 0; i + 1 < n; i += 2)
		sum += be16_load(bytes + i);
	if (n & 1)
		sum += (u32)bytes[n - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

static void check_error(const u8 *frame, u32 bytes, const struct icmp_offender *o)
{
	bool ip4 = o->family == FIB_IP4;
	const u8 *ip = frame + 14, *icmp = ip + (ip4 ? 20 : 40);
	u32 n = bytes - (u32)(icmp - frame);
	struct parse_cfg cfg = {.promiscuous = true};
	struct icmp_offender again;
	struct pkt p;

	CHECK(bytes - 14 <= (ip4 ? 576 : 1280));
	CHECK(sum_of(icmp, n, ip4 ? 0 : sum_of(ip + 8, 32, 0) + n + 58) == 0xffff);
	CHECK(parse_packet(&cfg, frame, bytes, bytes, &p) == VERDICT_PASS);
	CHECK(p.dst.hi == o->src.hi && p.dst.lo == o->src.lo && p.ttl == 64);
	CHECK(icmp_offender_read(frame, bytes, bytes, &again) == ICMP_RULE_ICMP);
}

/* @knobs: which error, with or without an extension, how much room. */
static void check_build(u8 knobs, const u8 *frame, u32 seg_len, const struct icmp_offender *o,
			const struct icmp_problem *problem)
{
	u32 headroom = 48 - (knobs & 31), tailroom = (knobs & 3) * 64u, quote, at;
	u8 ext[ICMP_EXTENSION_BYTES], *block = malloc(headroom + seg_len + tailroom);
	struct icmp_request r = {.error = knobs % ICMP_N_ERRORS,
				 .problem = *problem,
				 .mtu = 1280,
				 .src = {0xc0, 0, 2, 1, [15] = 1},
				 .ttl = 64};
	struct icmp_frame f;

	CHECK(block);
	memset(block, 0xee, headroom + seg_len + tailroom);
	memcpy(block + headroom, frame, seg_len);
	if (knobs & 32) {
		r.extension = ext;
		r.extension_bytes = icmp_extension_port("port", 1500, ext);
	}
	if (!icmp_build(block + headroom, headroom, tailroom, seg_len, o, &r, &f)) {
		CHECK(headroom + o->l3_offset < 14 + (o->family == FIB_IP4 ? 28u : 48u));
		CHECK(memcmp(block + headroom, frame, seg_len) == 0);
		free(block);
		return;
	}
	at = headroom + (u32)o->l3_offset;
	check_error(block + headroom + f.delta, f.bytes, o);
	quote = DWCP_MIN(f.bytes - (o->family == FIB_IP4 ? 42u : 62u), o->bytes);
	if (!r.extension)
		CHECK(memcmp(block + at, frame + o->l3_offset, quote) == 0);
	free(block);
}

static void check_fragments(u8 knobs, const u8 *ip, u32 ip_len)
{
	u32 mtu = 28 + knobs * 7u, done = 0, n;
	struct fragment4_piece piece;
	struct fragment4 f;

	n = fragment4_init(&f, ip, ip_len, mtu);
	while (n && fragment4_next(&f, &piece)) {
		CHECK(piece.hdr_bytes + piece.data_bytes <= mtu && piece.data_bytes > 0);
		CHECK(piece.data_at == done);
		CHECK(sum_of(piece.hdr, piece.hdr_bytes, 0) == 0xffff);
		done += piece.data_bytes;
		n--;
		if (n == 0)
			CHECK(done == f.data_bytes);
	}
	CHECK(n == 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct icmp_problem problem = {0}, found;
	struct icmp_offender o;
	u32 seg_len, frame_len;
	u8 *block;

	if (size < FUZZ_KNOB_BYTES || size > 65535)
		return 0;
	seg_len = (u32)size - FUZZ_KNOB_BYTES;
	frame_len = seg_len + (data[0] >> 2) * 24u;
	block = malloc(seg_len ? seg_len : 1);
	CHECK(block);
	memcpy(block, data + FUZZ_KNOB_BYTES, seg_len);
	if (icmp_offender_read(block, seg_len, frame_len, &o) == ICMP_RULE_NONE) {
		CHECK(o.l3_offset + o.bytes <= seg_len);
		for (u32 reason = 0; reason < DROP_N_REASONS; reason++)
			if (icmp_problem_find(block, &o, reason, &found)) {
				CHECK(found.pointer < o.bytes);
				problem = found;
			}
		check_build(data[1], block, seg_len, &o, &problem);
		if (o.family == FIB_IP4 && o.hdr_bytes <= o.bytes)
			check_fragments(data[1], block + o.l3_offset, o.bytes);
	}
	free(block);
	return 0;
}
