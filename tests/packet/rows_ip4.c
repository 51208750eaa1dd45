/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_ip4.c - IPv4: header fields, options, fragments, addresses. */
#include "rows.h"

/* What to change in a good header, and what it makes of it. Bytes are counted from the IP header. */
static void start(struct packet_build *b)
{
	build_eth(b);
	build_ip4(b);
}

static void udp(struct packet_build *b, u32 n)
{
	build_udp(b);
	build_payload(b, n);
	build_fix(b);
}

static u8 *ip(struct packet_build *b)
{
	return b->bytes + b->l3;
}

static void rows_header(struct row_set *set)
{
	static struct packet_build b;

	for (u8 version = 0; version < 16; version++) {
		start(&b);
		udp(&b, 12);
		ip(&b)[0] = (u8)(version << 4 | 5);
		build_fix_checksum(&b);
		if (version != 4)
			rows_drop(set, &b, IP4_VERSION, "version %u", version);
	}
	for (u8 ihl = 0; ihl < 5; ihl++) {
		start(&b);
		udp(&b, 12);
		ip(&b)[0] = 0x40 | ihl;
		build_fix_checksum(&b);
		rows_drop(set, &b, IP4_HEADER_LENGTH, "IHL %u", ihl);
	}
	/* 40 bytes in all: an IHL of 11 and more is past them, although padding makes the frame long enough. */
	for (u8 ihl = 11; ihl < 16; ihl++) {
		start(&b);
		udp(&b, 12);
		build_payload(&b, 40);
		ip(&b)[0] = 0x40 | ihl;
		build_fix_checksum(&b);
		rows_drop(set, &b, IP4_HEADER_LENGTH, "IHL %u past the total length", ihl);
	}
	start(&b);
	udp(&b, 12);
	build_payload(&b, 6);
	ip(&b)[0] = 0x4c; /* 48 of 46 readable, of total 48 */
	be16_store(ip(&b) + 2, 48);
	build_fix_checksum(&b);
	rows_drop(set, &b, IP4_TRUNCATED, "IHL past the frame");
}

static void rows_length(struct row_set *set)
{
	static const u16 more[] = {1, 2, 8, 100, 1000, 0x7fff, 0xffff - 40};
	static struct packet_build b;

	for (u16 total = 0; total < 20; total++) {
		start(&b);
		udp(&b, 12);
		be16_store(ip(&b) + 2, total);
		build_fix_checksum(&b);
		rows_drop(set, &b, IP4_TOTAL_LENGTH, "total length %u", total);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(more); i++) {
		start(&b);
		udp(&b, 12);
		be16_store(ip(&b) + 2, (u16)(40 + more[i]));
		build_fix_checksum(&b);
		rows_drop(set, &b, IP4_TOTAL_LENGTH, "total length %u more than the frame",
			  more[i]);
	}
	start(&b);
	udp(&b, 12);
	be16_store(ip(&b) + 2, 20);
	build_fix_checksum(&b);
	rows_drop(set, &b, UDP_TRUNCATED, "total length 20, the rest is padding");
}

/* Every bit behind the lengths, and every bit of the checksum. */
static void rows_checksum(struct row_set *set)
{
	static struct packet_build b;

	for (u32 bit = 8; bit < 160; bit++) {
		if (bit / 8 == 2 || bit / 8 == 3)
			continue;
		start(&b);
		udp(&b, 12);
		ip(&b)[bit / 8] ^= (u8)(1u << bit % 8);
		rows_drop(set, &b, IP4_CHECKSUM, "bit %u of the header flipped", bit);
	}
	for (u32 bit = 160; bit < 256; bit++) {
		start(&b);
		build_ip4_options(&b, "\x94\4\0\0\1\1\1\1\x9e\4\xaa\x55", 12);
		udp(&b, 3);
		ip(&b)[bit / 8] ^= (u8)(1u << bit % 8);
		rows_drop(set, &b, IP4_CHECKSUM, "bit %u of the options flipped", bit);
	}
	start(&b);
	udp(&b, 12);
	be16_store(ip(&b) + 10, 0);
	rows_drop(set, &b, IP4_CHECKSUM, "checksum 0");
	be16_store(ip(&b) + 10, 0xffff);
	rows_drop(set, &b, IP4_CHECKSUM, "checksum ffff");
	/* Words that swap places keep the sum: not for a checksum to find. */
	build_fix_checksum(&b);
	be32_store(ip(&b) + 12, BUILD_DST4);
	be32_store(ip(&b) + 16, BUILD_SRC4);
	rows_pass(set, &b, "source and destination swapped");
	/* The sum is 0xffff without the checksum: 0 and ffff are both zero. */
	for (u32 id = 0; id < 0x10000; id++) {
		be16_store(ip(&b) + 4, (u16)id);
		build_fix_checksum(&b);
		if (be16_load(ip(&b) + 10) == 0)
			break;
	}
	rows_pass(set, &b, "checksum happens to be 0");
	be16_store(ip(&b) + 10, 0xffff);
	rows_pass(set, &b, "checksum is the other zero");
}

struct option_row {
	const char *name;
	const char *bytes;
	u32 n;
	enum drop_reason reason; /* DROP_N_REASONS: passes */
};

#define OPT(name, bytes, reason)                                                                   \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, DROP_##reason                                      \
	}
#define OPT_PASS(name, bytes)                                                                      \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, DROP_N_REASONS                                     \
	}
static const struct option_row options[] = {
	OPT("loose source route", "\x83\7\4\xcb\0\x71\1\0", IP4_SOURCE_ROUTE),
	OPT("strict source route", "\x89\7\4\xcb\0\x71\1\0", IP4_SOURCE_ROUTE),
	OPT("loose source route, used up", "\x83\7\x8\xcb\0\x71\1\0", IP4_SOURCE_ROUTE),
	OPT("loose source route, empty", "\x83\3\4\0", IP4_SOURCE_ROUTE),
	OPT("loose source route, length 2", "\x83\2\1\1", IP4_SOURCE_ROUTE),
	OPT("source route behind nops", "\1\1\1\1\1\x89\3\4", IP4_SOURCE_ROUTE),
	OPT("source route behind an unknown option", "\x9e\3\0\x83\3\4\1\1", IP4_SOURCE_ROUTE),
	OPT("source route behind a record route", "\7\7\4\0\0\0\0\x83\3\4\1\1", IP4_SOURCE_ROUTE),
	OPT("source route, length past the header", "\x83\x09\4\0\0\0\0\0", IP4_OPTION),
	OPT("length 0", "\x9e\0\0\0", IP4_OPTION),
	OPT("length 1", "\x9e\1\0\0", IP4_OPTION),
	OPT("length past the header by 1", "\x9e\5\0\0", IP4_OPTION),
	OPT("length 255", "\x9e\xff\0\0", IP4_OPTION),
	OPT("no length, last byte", "\1\1\1\x9e", IP4_OPTION),
	OPT("no length, second word", "\1\1\1\1\1\1\1\7", IP4_OPTION),
	OPT("second option past the header", "\x9e\4\0\0\x94\5\0\0", IP4_OPTION),
	OPT("second option length 0", "\x9e\4\0\0\x94\0\0\0", IP4_OPTION),
	OPT("source route length 0", "\x83\0\0\0", IP4_OPTION),
	OPT("record route, length 2", "\7\2\1\1", IP4_OPTION),
	OPT("record route, pointer 3", "\7\7\3\0\0\0\0\0", IP4_OPTION),
	OPT("record route, pointer 0", "\7\7\0\0\0\0\0\0", IP4_OPTION),
	OPT("timestamp, length 3", "\x44\3\5\1", IP4_OPTION),
	OPT("timestamp, length 2", "\x44\2\1\1", IP4_OPTION),
	OPT("timestamp, pointer 4", "\x44\x08\4\0\0\0\0\0", IP4_OPTION),
	OPT("timestamp, length past the header", "\x44\x0c\5\0\0\0\0\0", IP4_OPTION),
	OPT_PASS("record route, full", "\7\7\x8\1\2\3\4\0"),
	OPT_PASS("record route, empty", "\7\3\4\0"),
	OPT_PASS("record route twice", "\7\3\4\7\3\4\0\0"),
	OPT_PASS("timestamp, overflowed", "\x44\4\5\xf0"),
	OPT_PASS("timestamp with addresses", "\x44\x0c\5\1\0\0\0\0\0\0\0\0"),
	OPT_PASS("router alert", "\x94\4\0\0"),
	OPT_PASS("security", "\x82\x0b\0\0\0\0\0\0\0\0\0\0"),
	OPT_PASS("stream id", "\x88\4\0\1"),
	OPT_PASS("cipso", "\x86\x08\0\0\0\1\1\2"),
	OPT_PASS("unknown, length 2", "\x9e\2\1\1"),
	OPT_PASS("unknown, to the end exactly", "\xde\x08\1\2\3\4\5\6"),
	OPT_PASS("only end", "\0\0\0\0"),
	OPT_PASS("nops to the end", "\1\1\1\1"),
	OPT_PASS("source route behind the end", "\0\x83\3\4"),
	OPT_PASS("malformed behind the end", "\1\0\x9e\0"),
	OPT_PASS("source route's number as data", "\x9e\4\x83\x89"),
};

static void rows_options(struct row_set *set)
{
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(options); i++) {
		const struct option_row *o = &options[i];
		u32 verdict = o->reason == DROP_N_REASONS ? VERDICT_PASS : VERDICT_DROP(o->reason);

		start(&b);
		build_ip4_options(&b, o->bytes, o->n);
		udp(&b, 4);
		rows_add(set, &b, verdict, "option: %s", o->name);
		start(&b);
		build_ip4_options(&b, o->bytes, o->n);
		build_ip4_fragment(&b, 800, true);
		build_payload(&b, 8);
		build_fix(&b);
		rows_add(set, &b, verdict, "option in a later fragment: %s", o->name);
		start(&b);
		build_ip4_options(&b, o->bytes, o->n);
		build_protocol(&b, 253);
		build_fix(&b);
		rows_add(set, &b, verdict, "option, and nothing behind: %s", o->name);
	}
	/* One option of every length, at the end of the longest header: only 40 fits. */
	for (u32 n = 0; n < 60; n++) {
		u8 bytes[40] = {0x9e, (u8)n};

		start(&b);
		build_ip4_options(&b, bytes, sizeof(bytes));
		udp(&b, 30);
		rows_add(set, &b, n >= 2 && n <= 40 ? VERDICT_PASS : VERDICT_DROP(DROP_IP4_OPTION),
			 "option of %u bytes in 40", n);
	}
}

struct fragment_row {
	u32 offset;
	bool more;
	u32 n; /* bytes of data */
	u8 protocol;
	enum drop_reason reason; /* DROP_N_REASONS: passes */
};

static const struct fragment_row fragments[] = {
	{8, true, 0, 17, DROP_IP4_FRAGMENT},	    {8, false, 0, 17, DROP_IP4_FRAGMENT},
	{0, true, 0, 17, DROP_IP4_FRAGMENT},	    {0, true, 0, 253, DROP_IP4_FRAGMENT},
	{65528, true, 0, 17, DROP_IP4_FRAGMENT},    {0, true, 9, 253, DROP_IP4_FRAGMENT},
	{0, true, 12, 6, DROP_IP4_FRAGMENT},	    {8, true, 1, 17, DROP_IP4_FRAGMENT},
	{8, true, 7, 17, DROP_IP4_FRAGMENT},	    {800, true, 15, 6, DROP_IP4_FRAGMENT},
	{65512, false, 4, 17, DROP_IP4_FRAGMENT}, /* 65,512 + 4 + a header of 20 */
	{65512, true, 8, 17, DROP_IP4_FRAGMENT},    {65520, false, 1, 17, DROP_IP4_FRAGMENT},
	{65528, false, 1, 17, DROP_IP4_FRAGMENT},   {65528, true, 8, 17, DROP_IP4_FRAGMENT},
	{65528, false, 1480, 1, DROP_IP4_FRAGMENT}, /* the ping of death */
	{65000, false, 600, 1, DROP_IP4_FRAGMENT},  {0, true, 8, 6, DROP_TINY_FRAGMENT},
	{0, true, 16, 6, DROP_TINY_FRAGMENT}, /* RFC 1858 would be content with that; its offset is past it as well */
	{8, true, 24, 6, DROP_TINY_FRAGMENT},	    {8, false, 1, 6, DROP_TINY_FRAGMENT},
	{8, false, 24, 6, DROP_TINY_FRAGMENT},	    {16, false, 24, 6, DROP_TINY_FRAGMENT},
	{24, false, 24, 6, DROP_N_REASONS},	    {8, false, 24, 17, DROP_N_REASONS},
	{8, false, 1, 1, DROP_N_REASONS},	    {0, true, 8, 253, DROP_N_REASONS},
	{0, true, 8, 47, DROP_N_REASONS},	    {65504, true, 8, 17, DROP_N_REASONS},
	{65512, false, 3, 17, DROP_N_REASONS},	    {64000, false, 1480, 17, DROP_N_REASONS},
};

static void rows_fragments(struct row_set *set)
{
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(fragments); i++) {
		const struct fragment_row *f = &fragments[i];
		u32 verdict = f->reason == DROP_N_REASONS ? VERDICT_PASS : VERDICT_DROP(f->reason);

		for (u16 flags = 0; flags < 4;
		     flags++) { /* DF and the reserved flag change nothing */
			start(&b);
			build_ip4_fragment(&b, f->offset, f->more);
			build_protocol(&b, f->protocol);
			build_payload(&b, f->n);
			ip(&b)[6] |= (u8)(flags << 6 & 0xc0);
			build_fix(&b);
			rows_add(set, &b, verdict,
				 "fragment at %u%s of %u bytes, protocol %u, flags %u", f->offset,
				 f->more ? "+" : "", f->n, f->protocol, flags);
		}
	}
	/* The fragment's own options count: 60 + 65,472 + 3 = 65,535 */
	for (u32 n = 3; n < 5; n++) {
		u8 nops[40];

		memset(nops, 1, sizeof(nops));
		start(&b);
		build_ip4_options(&b, nops, sizeof(nops));
		build_ip4_fragment(&b, 65472, false);
		build_payload(&b, n);
		build_fix(&b);
		rows_add(set, &b, n == 3 ? VERDICT_PASS : VERDICT_DROP(DROP_IP4_FRAGMENT),
			 "fragment at 65472 of %u bytes behind 60 of header", n);
	}
}

static void rows_source(struct row_set *set)
{
	static const u32 bad[] = {0x00000000, 0x00000001, 0x00ffffff, 0x7f000001,
				  0x7f000000, 0x7fffffff, 0xe0000000, 0xe0000001,
				  0xe8000005, 0xefffffff, 0xffffffff};
	static const u32 good[] = {0x01000000, 0x01010101, 0x0a000001, 0x64400001, 0x7effffff,
				   0x80000000, 0xa9fdffff, 0xaa000001, 0xac100001, 0xc0000201,
				   0xc0a80001, 0xdfffffff, 0xf0000001, 0xfffffffe};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(bad); i++) {
		start(&b);
		be32_store(ip(&b) + 12, bad[i]);
		udp(&b,
		    18); /* as long as a frame is on a wire: the parser has shortcuts for those */
		rows_drop(set, &b, IP4_SOURCE, "source %08x", bad[i]);
		start(&b);
		be32_store(ip(&b) + 12, bad[i]);
		build_ip4_fragment(&b, 8, false);
		build_payload(&b, 4);
		build_fix(&b);
		rows_drop(set, &b, IP4_SOURCE, "source %08x of a fragment", bad[i]);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(good); i++) {
		start(&b);
		be32_store(ip(&b) + 12, good[i]);
		udp(&b, 18);
		rows_pass(set, &b, "source %08x", good[i]);
	}
}

void rows_ip4(struct row_set *set)
{
	rows_header(set);
	rows_length(set);
	rows_checksum(set);
	rows_options(set);
	rows_fragments(set);
	rows_source(set);
}
