/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_ip6.c - IPv6: header fields, extension chains, options, fragments, addresses. */
#include "rows.h"

enum {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	ESP = 50,
	AH = 51,
	NONE = 59,
	DESTINATION = 60
};

static void start(struct packet_build *b)
{
	build_eth(b);
	build_ip6(b);
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
	static const u16 more[] = {1, 2, 8, 100, 1000, 0x7fff, 0xffff - 20};
	static struct packet_build b;

	for (u8 version = 0; version < 16; version++) {
		start(&b);
		udp(&b, 12);
		ip(&b)[0] = (u8)(version << 4 | 2);
		if (version != 6)
			rows_drop(set, &b, IP6_VERSION, "version %u in IPv6", version);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(more); i++) {
		start(&b);
		udp(&b, 12);
		be16_store(ip(&b) + 4, (u16)(20 + more[i]));
		rows_drop(set, &b, IP6_PAYLOAD_LENGTH, "payload length %u more than the frame",
			  more[i]);
	}
	start(&b);
	udp(&b, 12);
	be16_store(ip(&b) + 4, 0);
	rows_drop(set, &b, UDP_TRUNCATED, "payload length 0, the rest is padding");
	start(&b);
	build_protocol(&b, NONE);
	build_payload(&b, 30);
	rows_pass(set, &b, "payload length 0, no next header");
	/* The longest payload there is: 65,575 bytes, of which the first segment holds 102. */
	start(&b);
	build_udp(&b);
	build_payload(&b, 40);
	be16_store(ip(&b) + 4, 0xffff);
	be16_store(b.bytes + b.udp_at + 4, 0xffff);
	rows_add_cut(set, &b, b.len, 14 + 65575, VERDICT_PASS, "payload length 65535");
	rows_add_cut(set, &b, b.len, 14 + 65574, VERDICT_DROP(DROP_IP6_PAYLOAD_LENGTH),
		     "payload length 65535, a byte missing");
}

static void rows_jumbo(struct row_set *set)
{
	static struct packet_build b;

	start(&b);
	build_ext_options(&b, HOP_BY_HOP, "\xc2\4\0\1\0\0", 6);
	udp(&b, 12);
	rows_drop(set, &b, IP6_PAYLOAD_LENGTH, "jumbo option and a payload length");
	be16_store(ip(&b) + 4, 0);
	rows_drop(set, &b, IP6_PAYLOAD_LENGTH, "jumbogram");
	start(&b);
	build_ext_options(&b, HOP_BY_HOP, "\5\2\0\0\xc2\4\0\1\0\0", 10);
	udp(&b, 12);
	rows_drop(set, &b, IP6_PAYLOAD_LENGTH, "jumbo option behind another");
	start(&b);
	build_ext_options(&b, HOP_BY_HOP, "\5\2\0\0", 4);
	udp(&b, 12);
	be16_store(ip(&b) + 4, 0);
	rows_drop(set, &b, IP6_PAYLOAD_LENGTH, "payload length 0 before hop-by-hop options");
	start(&b);
	build_ext_options(&b, DESTINATION, "\xc2\4\0\1\0\0", 6);
	udp(&b, 12);
	rows_pass(set, &b, "jumbo's number among destination options");
}

struct option_row {
	const char *name;
	const char *bytes; /* all that is in the header behind its first two bytes */
	u32 n;
	bool pass;
};

#define OPT(name, bytes)                                                                           \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, false                                              \
	}
#define OPT_PASS(name, bytes)                                                                      \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1, true                                               \
	}
static const struct option_row options[] = {
	OPT("no length, last byte", "\0\0\0\0\0\x1e"),
	OPT("PadN without length", "\1\3\0\0\0\1"),
	OPT("past the header by 1", "\x1e\5\0\0\0\0"),
	OPT("length 255", "\x1e\xff\0\0\0\0"),
	OPT("PadN past the header", "\1\5\0\0\0\0"),
	OPT("second past the header", "\x1e\1\0\x1e\2\0"),
	OPT("last of 14 bytes past the header", "\x1e\6\0\0\0\0\0\0\x1e\5\0\0\0\0"),
	OPT_PASS("Pad1 only", "\0\0\0\0\0\0"),
	OPT_PASS("PadN of 6", "\1\4\0\0\0\0"),
	OPT_PASS("PadN of 2, three times", "\1\0\1\0\1\0"),
	OPT_PASS("PadN with data", "\1\4\xde\xad\xbe\xef"),
	OPT_PASS("unknown to the end exactly", "\x1e\4\1\2\3\4"),
	OPT_PASS("unknown, then Pad1", "\x1e\3\1\2\3\0"),
	OPT_PASS("unknown, discard", "\x5e\4\1\2\3\4"),
	OPT_PASS("unknown, report", "\x9e\4\1\2\3\4"),
	OPT_PASS("unknown, report if not multicast", "\xde\4\1\2\3\4"),
	OPT_PASS("tunnel encapsulation limit", "\4\1\4\1\1\0"),
	OPT_PASS("router alert", "\5\2\0\0\1\0"),
	OPT_PASS("home address", "\1\2\0\0\xc9\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
};

/* Exactly n options in size bytes: one PadN, the rest Pad1. */
static void fill_options(u8 *body, u32 size, u32 n)
{
	memset(body, 0, size);
	body[0] = 1;
	body[1] = (u8)(size - (n - 1) - 2);
}

static void rows_options(struct row_set *set)
{
	static const u8 types[] = {HOP_BY_HOP, DESTINATION};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(options) * 2; i++) {
		const struct option_row *o = &options[i / 2];

		start(&b);
		build_ext(&b, types[i % 2], o->bytes, o->n);
		udp(&b, 12);
		rows_add(set, &b, o->pass ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_OPTION),
			 "%s option: %s", types[i % 2] ? "destination" : "hop-by-hop", o->name);
		start(&b);
		build_ext(&b, types[i % 2], o->bytes, o->n);
		build_protocol(&b, NONE);
		build_fix(&b);
		rows_add(set, &b, o->pass ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_OPTION),
			 "%s option, and nothing behind: %s",
			 types[i % 2] ? "destination" : "hop-by-hop", o->name);
		if (types[i % 2] == HOP_BY_HOP)
			continue;
		start(&b);
		build_ext_options(&b, HOP_BY_HOP, "\5\2\0\0", 4);
		build_ext(&b, ROUTING, "\2\0\0\0\0\0", 6);
		build_ip6_fragment(&b, 0, true);
		build_ext(&b, DESTINATION, o->bytes, o->n);
		udp(&b, 8);
		rows_add(set, &b, o->pass ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_OPTION),
			 "option behind other headers: %s", o->name);
	}
	/* At most 64 options over all headers; 70 bytes of Pad1 are 70. */
	for (u32 n = 6; n <= 78; n += 8) {
		u8 pads[78] = {0};

		start(&b);
		build_ext(&b, DESTINATION, pads, n);
		udp(&b, 2);
		rows_add(set, &b, n <= 64 ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_OPTION),
			 "%u paddings", n);
	}
	for (u32 n = 62; n < 67; n++) {
		u8 body[38];

		start(&b);
		fill_options(body, sizeof(body), 30);
		build_ext(&b, HOP_BY_HOP, body, sizeof(body));
		fill_options(body, sizeof(body), n - 30);
		build_ext(&b, DESTINATION, body, sizeof(body));
		udp(&b, 2);
		rows_add(set, &b, n <= 64 ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_OPTION),
			 "%u options in two headers", n);
	}
}

static void ext(struct packet_build *b, u8 type)
{
	if (type == FRAGMENT)
		build_ip6_fragment(b, 0, true);
	else if (type == AH)
		build_ah(b);
	else if (type == ROUTING)
		build_ext(b, type, "\4\0\0\0\0\0", 6);
	else
		build_ext_options(b, type, "\1\4\0\0\0\0", 6);
}

/* Every chain of up to three headers: hop-by-hop must come first, and nothing else is anybody's business here. */
static void rows_chains(struct row_set *set)
{
	static const u8 types[] = {HOP_BY_HOP, ROUTING, FRAGMENT, AH, DESTINATION};
	static struct packet_build b;

	for (u32 i = 0; i < 125; i++) {
		u8 chain[3] = {types[i / 25], types[i / 5 % 5], types[i % 5]};
		bool bad = chain[1] == HOP_BY_HOP || chain[2] == HOP_BY_HOP;

		start(&b);
		for (u32 j = 0; j < 3; j++)
			ext(&b, chain[j]);
		udp(&b, 16);
		rows_add(set, &b, bad ? VERDICT_DROP(DROP_IP6_EXTENSION_ORDER) : VERDICT_PASS,
			 "chain %u %u %u", chain[0], chain[1], chain[2]);
	}
}

static void rows_count(struct row_set *set)
{
	static const u8 types[] = {ROUTING, AH, DESTINATION};
	static struct packet_build b;

	for (u32 n = 7; n < 12; n++) {
		for (u32 i = 0; i < DWCP_ARRAY_LEN(types); i++) {
			start(&b);
			for (u32 j = 0; j < n; j++)
				ext(&b, types[i]);
			udp(&b, 16);
			rows_add(set, &b,
				 n > 8 ? VERDICT_DROP(DROP_IP6_EXTENSION_COUNT) : VERDICT_PASS,
				 "%u headers of type %u", n, types[i]);
		}
	}
	start(&b);
	ext(&b, HOP_BY_HOP);
	for (u32 j = 0; j < 8; j++)
		ext(&b, DESTINATION);
	build_protocol(&b, NONE);
	build_fix(&b);
	rows_drop(set, &b, IP6_EXTENSION_COUNT, "9 headers, no next header");
	rows_add_cut(set, &b, b.len - 1, b.len, VERDICT_DROP(DROP_IP6_EXTENSION_COUNT),
		     "9 headers, the last one's end in another segment");
}

/* Each type, last in the packet, saying that it is longer than what is left. */
static void rows_overrun(struct row_set *set)
{
	static const u8 types[] = {HOP_BY_HOP, ROUTING, AH, DESTINATION};
	static const u8 lengths[] = {5, 6, 31, 128, 255};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(types) * DWCP_ARRAY_LEN(lengths); i++) {
		u8 type = types[i / DWCP_ARRAY_LEN(lengths)];
		u8 length = lengths[i % DWCP_ARRAY_LEN(lengths)];

		start(&b);
		ext(&b, type);
		b.bytes[b.l3 + 41] = length;
		build_bytes(&b, "\1\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 3);
		build_fix(&b);
		build_payload(&b, 16); /* padding must not help */
		rows_drop(set, &b, IP6_EXTENSION, "header type %u of length %u past the packet",
			  type, length);
		start(&b);
		build_ip6_fragment(&b, 0, true);
		ext(&b, type == HOP_BY_HOP ? DESTINATION : type);
		b.bytes[b.l3 + 49] = length;
		build_fix(&b);
		rows_drop(set, &b, TINY_FRAGMENT,
			  "header type %u of length %u past the first fragment", type, length);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(types); i++) {
		start(&b);
		build_protocol(&b, types[i]);
		build_fix(&b);
		if (types[i] != HOP_BY_HOP)
			rows_drop(set, &b, IP6_EXTENSION, "header type %u announced, packet ends",
				  types[i]);
	}
	start(&b);
	build_protocol(&b, FRAGMENT);
	build_fix(&b);
	rows_drop(set, &b, IP6_EXTENSION, "fragment header announced, packet ends");
	/* Behind ESP and "no next header" nothing is read, whatever it looks like. */
	for (u8 last = 0; last < 2; last++) {
		start(&b);
		ext(&b, DESTINATION);
		build_protocol(&b, last ? ESP : NONE);
		build_bytes(&b, "\0\xff\xff\xff\xff\xff\xff\xff", 8);
		build_fix(&b);
		rows_pass(set, &b, "garbage behind %s", last ? "ESP" : "no next header");
	}
}

static void rows_routing(struct row_set *set)
{
	static struct packet_build b;

	for (u32 type = 0; type < 256; type = type < 6 ? type + 1 : type + 83) {
		for (u8 left = 0; left < 3; left++) {
			u8 body[38] = {(u8)type, left};

			start(&b);
			build_ext(&b, ROUTING, body, sizeof(body));
			udp(&b, 3);
			rows_add(set, &b, type ? VERDICT_PASS : VERDICT_DROP(DROP_IP6_ROUTING_0),
				 "routing header type %u, %u segments left", type, left);
		}
	}
	start(&b);
	ext(&b, HOP_BY_HOP);
	ext(&b, DESTINATION);
	build_ext(&b, ROUTING, "\0\1\0\0\0\0", 6);
	udp(&b, 3);
	rows_drop(set, &b, IP6_ROUTING_0, "routing header type 0 behind others");
	start(&b);
	ext(&b, FRAGMENT);
	build_ext(&b, ROUTING, "\0\1\0\0\0\0", 6);
	udp(&b, 8);
	rows_drop(set, &b, IP6_ROUTING_0, "routing header type 0 in a first fragment");
}

struct fragment_row {
	u32 offset;
	bool more;
	u32 n;
	u8 protocol;
	enum drop_reason reason;
};

static const struct fragment_row fragments[] = {
	{8, true, 0, 17, DROP_IP6_FRAGMENT},	    {8, false, 0, 17, DROP_IP6_FRAGMENT},
	{0, true, 0, 17, DROP_IP6_FRAGMENT},	    {0, true, 0, 253, DROP_IP6_FRAGMENT},
	{0, true, 9, 253, DROP_IP6_FRAGMENT},	    {0, true, 21, 6, DROP_IP6_FRAGMENT},
	{8, true, 1, 17, DROP_IP6_FRAGMENT},	    {8, true, 7, 17, DROP_IP6_FRAGMENT},
	{800, true, 15, 6, DROP_IP6_FRAGMENT},	    {65528, true, 8, 17, DROP_IP6_FRAGMENT},
	{65528, false, 8, 17, DROP_IP6_FRAGMENT},   {65528, false, 1200, 58, DROP_IP6_FRAGMENT},
	{65000, false, 600, 58, DROP_IP6_FRAGMENT}, {0, true, 8, 6, DROP_TINY_FRAGMENT},
	{0, true, 16, 6, DROP_TINY_FRAGMENT},	    {8, true, 24, 6, DROP_TINY_FRAGMENT},
	{8, false, 1, 6, DROP_TINY_FRAGMENT},	    {16, false, 24, 6, DROP_TINY_FRAGMENT},
	{0, false, 0, 6, DROP_TCP_TRUNCATED}, /* atomic: a whole packet */
	{0, false, 7, 17, DROP_UDP_TRUNCATED},	    {0, false, 3, 58, DROP_ICMP_TRUNCATED},
	{0, false, 0, 60, DROP_IP6_EXTENSION},	    {0, false, 0, 253, DROP_N_REASONS},
	{24, false, 24, 6, DROP_N_REASONS},	    {8, false, 24, 17, DROP_N_REASONS},
	{8, true, 24, 43, DROP_N_REASONS},	    {0, true, 8, 253, DROP_N_REASONS},
	{0, true, 8, 59, DROP_N_REASONS},	    {65520, true, 8, 17, DROP_N_REASONS},
	{65528, false, 7, 17, DROP_N_REASONS},	    {64000, false, 1400, 17, DROP_N_REASONS},
};

static void rows_fragments(struct row_set *set)
{
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(fragments) * 2; i++) {
		const struct fragment_row *f = &fragments[i / 2];

		start(&b);
		if (i % 2)
			ext(&b, DESTINATION);
		build_ip6_fragment(&b, f->offset, f->more);
		build_protocol(&b, f->protocol);
		build_payload(&b, f->n);
		build_fix(&b);
		/* the reserved bits are ignored */
		b.bytes[b.l4 - 7] = 0xff;
		b.bytes[b.l4 - 5] |= i % 2 ? 6 : 0;
		rows_add(set, &b,
			 f->reason == DROP_N_REASONS ? VERDICT_PASS : VERDICT_DROP(f->reason),
			 "IPv6 fragment at %u%s of %u bytes, next %u%s", f->offset,
			 f->more ? "+" : "", f->n, f->protocol, i % 2 ? ", behind options" : "");
	}
	/* A chain that goes on in the second fragment can't be judged by anybody (RFC 7112). */
	for (u32 i = 0; i < 6; i++) {
		static const u8 next[] = {6, 17, 58, ROUTING, FRAGMENT, AH};

		start(&b);
		build_ip6_fragment(&b, 0, true);
		ext(&b, DESTINATION);
		build_protocol(&b, next[i]);
		build_fix(&b);
		rows_drop(set, &b, TINY_FRAGMENT, "first fragment of options only, next %u",
			  next[i]);
	}
	/* Fragments in fragments: odd, not malformed. */
	start(&b);
	build_ip6_fragment(&b, 0, true);
	build_ip6_fragment(&b, 1480, false);
	build_payload(&b, 16);
	build_fix(&b);
	rows_pass(set, &b, "a later fragment in a first one");
}

static void rows_source(struct row_set *set)
{
	static const struct fib_addr bad[] = {{0, 1},
					      {0xff00000000000000, 0},
					      {0xff02000000000000, 1},
					      {0xff0e000000000000, 0x101},
					      {0xffffffffffffffff, 0xffffffffffffffff}};
	static const struct fib_addr good[] = {{0, 2},
					       {0, 0x0000ffffc6336407}, /* mapped */
					       {1, 1},
					       {0x0064ff9b00000000, 0xc6336407},
					       {0x2002c63364070000, 1},
					       {0x2000000000000000, 0},
					       {0xfc00000000000000, 1},
					       {0xfe7fffffffffffff, 1},
					       {0xfec0000000000000, 1},
					       {0xfeffffffffffffff, 1}};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(bad) + DWCP_ARRAY_LEN(good); i++) {
		bool is_bad = i < DWCP_ARRAY_LEN(bad);
		const struct fib_addr *a = is_bad ? &bad[i] : &good[i - DWCP_ARRAY_LEN(bad)];
		u32 verdict = is_bad ? VERDICT_DROP(DROP_IP6_SOURCE) : VERDICT_PASS;

		start(&b);
		be32_store(ip(&b) + 8, (u32)(a->hi >> 32));
		be32_store(ip(&b) + 12, (u32)a->hi);
		be32_store(ip(&b) + 16, (u32)(a->lo >> 32));
		be32_store(ip(&b) + 20, (u32)a->lo);
		udp(&b, 18);
		rows_add(set, &b, verdict, "source %016lx %016lx", a->hi, a->lo);
	}
}

void rows_ip6(struct row_set *set)
{
	rows_header(set);
	rows_jumbo(set);
	rows_options(set);
	rows_chains(set);
	rows_count(set);
	rows_overrun(set);
	rows_routing(set);
	rows_fragments(set);
	rows_source(set);
}
