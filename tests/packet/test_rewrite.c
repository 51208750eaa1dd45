/* SPDX-License-Identifier: BSD-3-Clause */
/* test_rewrite.c - a rewritten frame is parsed again: same packet, one hop older, in its new Ethernet header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dwcp/util/forward.h>
#include <dwcp/util/rewrite.h>

#include "rows.h"

static const u8 new_dmac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
static const u8 new_smac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

static const struct rewrite_tag tag_sets[][2] = {{{0}},
						 {{0x8100, 0x6123}},
						 {{0x88a8, 0x0001}, {0x8100, 0xefff}},
						 {{0x9100, 0x2aaa}, {0x8100, 0}}};
static const u32 tag_counts[] = {0, 1, 2, 2};

static struct rewrite_l2 make_l2(u32 set)
{
	struct rewrite_l2 l2 = {.n_tags = tag_counts[set]};

	memcpy(l2.dmac, new_dmac, 6);
	memcpy(l2.smac, new_smac, 6);
	memcpy(l2.tag, tag_sets[set], sizeof(l2.tag));
	return l2;
}

/* The bytes that must come out, built and not moved. */
static u32 expect_bytes(const u8 *frame, u32 len, const struct pkt *p, const struct rewrite_l2 *l2,
			u8 *out)
{
	u32 at = 12;
	u8 *ip;

	memcpy(out, new_dmac, 6);
	memcpy(out + 6, new_smac, 6);
	for (u32 i = 0; i < l2->n_tags; i++, at += 4) {
		be16_store(out + at, l2->tag[i].tpid);
		be16_store(out + at + 2, l2->tag[i].tci);
	}
	be16_store(out + at, p->flags & PKT_IP4 ? 0x0800 : 0x86dd);
	ip = out + at + 2;
	memcpy(ip, frame + p->l3_offset, len - p->l3_offset);
	if (p->flags & PKT_IP4) {
		u32 sum = 0;

		ip[8]--;
		be16_store(ip + 10, 0);
		for (u32 i = 0; i < (ip[0] & 15) * 4u; i += 2)
			sum += be16_load(ip + i);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		be16_store(ip + 10, (u16)~sum);
	} else {
		ip[7]--;
	}
	return at + 2 + len - p->l3_offset;
}

/* The heap block holds headroom and frame exactly, so that a sanitizer sees a byte too far on either side. */
static void rewrite_one(const u8 *bytes, u32 len, u32 headroom, u32 set, bool forward)
{
	static u8 expect[BUILD_MAX_BYTES + 16];
	struct row any = {.promiscuous = true};
	struct parse_cfg cfg = rows_cfg(&any);
	struct rewrite_l2 l2 = make_l2(set);
	struct pkt before, after;
	s32 delta = 12345;
	u32 new_len, verdict;
	u8 *block = malloc(headroom + len), *frame = block + headroom;

	assert_non_null(block);
	memset(block, 0xee, headroom);
	memcpy(frame, bytes, len);
	assert_int_equal(parse_packet(&cfg, frame, len, len, &before), VERDICT_PASS);
	after = before;
	verdict = rewrite_packet(frame, headroom, &before, &l2, &delta);
	assert_memory_equal(&before, &after, sizeof(before));
	if ((s32)headroom < 4 * ((s32)l2.n_tags - before.n_tags)) {
		assert_int_equal(verdict, VERDICT_DROP(DROP_NO_HEADROOM));
		assert_int_equal(delta, 12345);
		assert_memory_equal(frame, bytes, len);
		free(block);
		return;
	}
	assert_int_equal(verdict, VERDICT_PASS);
	assert_int_equal(delta, 4 * ((s32)before.n_tags - (s32)l2.n_tags));
	new_len = expect_bytes(bytes, len, &before, &l2, expect);
	assert_int_equal(new_len, (s32)len - delta);
	assert_memory_equal(frame + delta, expect, new_len);
	for (s32 i = 0; i < (s32)headroom + DWCP_MIN(delta, 0); i++)
		assert_int_equal(block[i], 0xee);

	memcpy(cfg.mac, new_dmac, 6);
	cfg.promiscuous = false;
	assert_int_equal(parse_packet(&cfg, frame + delta, new_len, new_len, &after), VERDICT_PASS);
	before.ttl--;
	before.n_tags = (u8)l2.n_tags;
	before.vlan = l2.n_tags ? l2.tag[l2.n_tags - 1].tci & 0xfff : 0;
	before.svlan = l2.n_tags == 2 ? l2.tag[0].tci & 0xfff : 0;
	before.l3_offset = (u16)(before.l3_offset - delta);
	before.l4_offset = (u16)(before.l4_offset - delta);
	if (before.inner_offset)
		before.inner_offset = (u16)(before.inner_offset - delta);
	assert_memory_equal(&before, &after, sizeof(before));
	free(block);
}

/* Every row that may be forwarded, to every set of tags, with every headroom that matters. */
static void test_rewrite_rows(void **state)
{
	struct row_set *rows = rows_create();
	u32 n = 0;

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		if (r->verdict != VERDICT_PASS || r->seg_len != r->frame_len)
			continue;
		for (u32 set = 0; set < DWCP_ARRAY_LEN(tag_counts); set++) {
			for (u32 headroom = 0; headroom < 10; headroom++, n++)
				rewrite_one(r->bytes, r->seg_len, headroom, set, true);
			rewrite_one(r->bytes, r->seg_len, 128, set, true);
		}
	}
	print_message("%u frames rewritten\n", n);
	assert_true(n > 10000);
	rows_free(rows);
}

/* From 255 down to 1, hop by hop, always through the parser. */
static void test_rewrite_many_hops(void **state)
{
	static struct packet_build b;
	struct row any = {.promiscuous = true};
	struct parse_cfg cfg = rows_cfg(&any);
	struct rewrite_l2 l2 = make_l2(0);

	for (u32 i = 0; i < rows_n_valid(); i++) {
		struct pkt p;
		s32 delta;
		u32 hops = 0;
		u8 *frame = b.bytes;

		rows_valid_build(i, &b);
		b.bytes[b.l3 + (b.family == 4 ? 8 : 7)] = 255;
		build_fix_checksum(&b);
		while (parse_packet(&cfg, frame, b.len, b.len, &p) == VERDICT_PASS &&
		       pkt_forward_check(&p) == VERDICT_PASS) {
			assert_int_equal(rewrite_packet(frame, 0, &p, &l2, &delta), VERDICT_PASS);
			frame += delta;
			b.len -= (u32)delta;
			hops++;
		}
		assert_int_equal(hops, 254);
		assert_int_equal(p.ttl, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite_rows),
		cmocka_unit_test(test_rewrite_many_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
