/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_packet.c - any bytes through parse, forward check, rewrite and parse again. Runs over the stored corpus in
 * every test run (fuzz_replay.c), and under libFuzzer:
 *
 *     clang -g -O1 -D_GNU_SOURCE -march=x86-64-v2 -fno-strict-aliasing -fsanitize=fuzzer,address,undefined \
 *         -fno-sanitize-recover=all -Iinclude tests/packet/fuzz_packet.c $(find lib/packet -name '*.c') -o fuzz
 *
 * Input: one byte of port and lengths, one of tags and headroom, then the frame. Frame and headroom lie in heap
 * blocks of exactly their size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/host_class.h>
#include <dwcp/util/parse_inline.h>
#include <dwcp/util/rewrite.h>

#include "burst_expect.h"
#include "fuzz_packet.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static u8 *block_copy(const u8 *data, size_t size, size_t headroom)
{
	u8 *block = malloc(headroom + size ? headroom + size : 1);

	CHECK(block);
	memset(block, 0, headroom);
	if (size)
		memcpy(block + headroom, data, size);
	return block;
}

/* What every later stage relies on: what the offsets and flags promise can be read. */
static void check_pkt(const struct pkt *p, u32 seg_len, u32 frame_len)
{
	u32 end = p->l3_offset + p->ip_len;
	u32 hdr_bytes = p->flags & PKT_IP4 ? 20 : 40;

	CHECK(!(p->flags & PKT_IP4) != !(p->flags & PKT_IP6));
	CHECK(p->n_tags <= 2 && p->l3_offset == 14 + 4 * p->n_tags);
	CHECK(end <= frame_len);
	CHECK(p->l4_offset >= p->l3_offset + hdr_bytes && p->l4_offset <= end &&
	      p->l4_offset <= seg_len);
	CHECK(!(p->flags & PKT_L4) || (p->l4_offset + 8u <= end && p->l4_offset + 8u <= seg_len));
	CHECK((p->flags & PKT_L4) || (!p->src_port && !p->dst_port));
	CHECK(!(p->flags & PKT_LATER_FRAGMENT) || (p->flags & PKT_FRAGMENT));
	CHECK(!(p->flags & PKT_LATER_FRAGMENT) || !(p->flags & (PKT_L4 | PKT_ICMP_ERROR)));
	CHECK(!(p->flags & PKT_ICMP_ERROR) == !p->inner_offset);
	CHECK(!p->inner_offset || p->inner_offset == p->l4_offset + 8);
	CHECK(!p->inner_offset || (p->inner_offset + hdr_bytes + 8 <= end &&
				   p->inner_offset + hdr_bytes + 8 <= seg_len));
	CHECK(p->vlan < 4096 && p->svlan < 4096);
	CHECK(p->reserved0 == 0 && p->vrf == 0 && p->tenant == 0);
}

static struct rewrite_l2 make_l2(u8 knobs, u32 n_tags)
{
	struct rewrite_l2 l2 = {.dmac = {2, 1}, .smac = {2, 2}, .n_tags = n_tags};

	for (u32 i = 0; i < n_tags; i++)
		l2.tag[i] = (struct rewrite_tag){i == 0 && n_tags == 2 ? 0x88a8 : 0x8100,
						 (u16)(knobs * 257u)};
	return l2;
}

static void check_rewrite(u8 knobs, const u8 *data, u32 seg_len, u32 frame_len, struct pkt *p)
{
	u32 headroom = knobs >> 2 & 15;
	struct rewrite_l2 l2 = make_l2(knobs, (knobs & 3) % 3);
	struct parse_cfg cfg = {.mac = {2, 1}};
	u8 *block = block_copy(data, seg_len, headroom);
	struct pkt after;
	s32 delta;
	u32 verdict = rewrite_packet(block + headroom, headroom, p, &l2, &delta);

	if (verdict != VERDICT_PASS) {
		CHECK(verdict == VERDICT_DROP(DROP_NO_HEADROOM));
		CHECK(headroom < 4 * (l2.n_tags - p->n_tags));
		CHECK(memcmp(block + headroom, data, seg_len) == 0);
		free(block);
		return;
	}
	CHECK(parse_packet(&cfg, block + headroom + delta, (u32)((s32)seg_len - delta),
			   (u32)((s32)frame_len - delta), &after) == VERDICT_PASS);
	CHECK(after.ttl == p->ttl - 1 && after.n_tags == l2.n_tags && after.ip_len == p->ip_len);
	CHECK(after.flags == p->flags && after.protocol == p->protocol &&
	      after.dscp_ecn == p->dscp_ecn);
	CHECK(after.src_port == p->src_port && after.dst_port == p->dst_port);
	CHECK(after.src.hi == p->src.hi && after.src.lo == p->src.lo);
	CHECK(after.dst.hi == p->dst.hi && after.dst.lo == p->dst.lo);
	free(block);
}

/* The same frame at all eight places of a vector. */
static void check_burst(const struct parse_cfg *cfg, const u8 *block, u32 seg_len, u32 frame_len)
{
	const u8 *frame[8] = {block, block, block, block, block, block, block, block};
	u32 lens[8] = {seg_len, seg_len, seg_len, seg_len, seg_len, seg_len, seg_len, seg_len};
	struct pkt_columns columns;
	struct pkt p;
	struct parse_common found = parse_burst(cfg, frame, lens, 0, 8, &columns);
	u64 common = found.ip4 | found.ip6;

	if (common == 0) /* no vector unit, or not common: then indeed not */
		return;
	CHECK(common == 0xff);
	CHECK(burst_expect_common(cfg, block, seg_len, frame_len, &p));
	CHECK(found.ip6 == (p.flags & PKT_IP6 ? 0xff : 0));
	for (u32 i = 0; i < 8; i++)
		CHECK(burst_expect_columns(&columns, i, block, &p));
}

/* Some class for any bytes, and the same for the same; the block ends where the frame does. */
static void check_host_class(const u8 *block, u32 seg_len)
{
	u64 source, again;
	enum host_class c = host_class_of(block, seg_len, &source);

	CHECK((u32)c < HOST_CLASS_N);
	CHECK(host_class_of(block, seg_len, &again) == c && again == source);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct parse_cfg cfg = {.mac = FUZZ_OUR_MAC};
	struct pkt fast, slow;
	u32 seg_len, frame_len, verdict;
	u8 *block;

	if (size < FUZZ_KNOB_BYTES || size > 65535)
		return 0;
	cfg.promiscuous = data[0] & 1;
	seg_len = (u32)size - FUZZ_KNOB_BYTES;
	frame_len = seg_len + (data[0] >> 2) * 24u;
	block = block_copy(data + FUZZ_KNOB_BYTES, seg_len, 0);
	memset(&fast, 0x5a, sizeof(fast));
	memset(&slow, 0xa5, sizeof(slow));

	/* First as it came; then without the checksum, which mutations seldom get right. */
	for (u32 i = 0; i < 2; i++) {
		cfg.checksum_verified = i;
		verdict = parse_packet_inline(&cfg, block, seg_len, frame_len, &fast);
		CHECK(verdict == parse_packet_slow(&cfg, block, seg_len, frame_len, &slow));
		CHECK(verdict == VERDICT_PASS || (verdict >= VERDICT_DROP_BASE &&
						  verdict <= VERDICT_DROP(DROP_TINY_FRAGMENT)));
		if (verdict != VERDICT_PASS)
			continue;
		CHECK(memcmp(&fast, &slow, sizeof(fast)) == 0);
		check_pkt(&fast, seg_len, frame_len);
		if (i == 0 && pkt_forward_check(&fast) == VERDICT_PASS)
			check_rewrite(data[1], block, seg_len, frame_len, &fast);
	}
	check_burst(&cfg, block, seg_len, frame_len);
	check_host_class(block, seg_len);
	free(block);
	return 0;
}
