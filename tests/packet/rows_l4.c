/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_l4.c - TCP, UDP and ICMP over both families, alone and in a first fragment. */
#include "rows.h"

struct over {
	const char *name;
	u8 family;
	bool first; /* in a first fragment */
	bool options;
};

static const struct over overs[] = {
	{"ip4", 4, false, false},	 {"ip6", 6, false, false},
	{"ip4 options", 4, false, true}, {"ip6 options", 6, false, true},
	{"ip4 first", 4, true, false},	 {"ip6 first", 6, true, false},
};

static void start(struct packet_build *b, const struct over *o)
{
	build_eth(b);
	if (o->family == 4) {
		build_ip4(b);
		if (o->options)
			build_ip4_options(b, "\x94\4\0\0", 4);
		if (o->first)
			build_ip4_fragment(b, 0, true);
		return;
	}
	build_ip6(b);
	if (o->options)
		build_ext_options(b, 60, "\1\4\0\0\0\0", 6);
	if (o->first)
		build_ip6_fragment(b, 0, true);
}

static bool impossible(u32 flags)
{
	bool fin = flags & 1, syn = flags & 2, rst = flags & 4;

	return (flags & 0x3f) == 0 || (syn && (fin || rst));
}

static void rows_tcp(struct row_set *set, const struct over *o)
{
	static struct packet_build b;

	for (u32 flags = 0; flags < 256; flags = flags < 63 ? flags + 1 : flags + 13) {
		start(&b, o);
		build_tcp(&b, (u8)flags, NULL, 0);
		build_payload(&b, 12);
		build_fix(&b);
		rows_add(set, &b, impossible(flags) ? VERDICT_DROP(DROP_TCP_FLAGS) : VERDICT_PASS,
			 "%s tcp flags %02x", o->name, flags);
	}
	/* 32 bytes of TCP: an offset up to 8 is inside. The four reserved bits beside it are ignored. */
	for (u32 offset = 0; offset < 16; offset++) {
		u32 verdict = VERDICT_PASS;

		if (offset < 5)
			verdict = VERDICT_DROP(DROP_TCP_OFFSET);
		else if (offset > 8)
			verdict = VERDICT_DROP(o->first ? DROP_TINY_FRAGMENT : DROP_TCP_OFFSET);
		start(&b, o);
		build_tcp(&b, 0x10, NULL, 0);
		build_payload(&b, 12);
		b.bytes[b.l4 + 12] = (u8)(offset << 4 | 15);
		build_fix(&b);
		build_payload(&b, 40);
		rows_add(set, &b, verdict, "%s tcp offset %u of 8 words", o->name, offset);
	}
}

static void rows_udp(struct row_set *set, const struct over *o)
{
	static const u16 lengths[] = {0, 1, 4, 7, 8, 9, 23, 24, 25, 26, 1000, 0xffff};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(lengths); i++) {
		bool bad = lengths[i] < 8 || (lengths[i] > 24 && !o->first);

		start(&b, o);
		build_udp(&b);
		build_payload(&b, 16);
		build_fix(&b);
		be16_store(b.bytes + b.l4 + 4, lengths[i]);
		build_payload(&b, 40); /* behind the packet: padding */
		rows_add(set, &b, bad ? VERDICT_DROP(DROP_UDP_LENGTH) : VERDICT_PASS,
			 "%s udp length %u of 24", o->name, lengths[i]);
	}
	start(&b, o);
	build_udp(&b);
	build_payload(&b, 8);
	build_fix(&b);
	be16_store(b.bytes + b.l4, 0);
	be16_store(b.bytes + b.l4 + 2, 0);
	rows_pass(set, &b, "%s udp ports 0", o->name);
}

/* Of IPv4 every ICMP message has 8 bytes; of IPv6 those that we know, and 4 of any other. */
static void rows_icmp(struct row_set *set, const struct over *o)
{
	static struct packet_build b;

	for (u32 type = 0; type < 256; type++) {
		bool known = (type >= 1 && type <= 4) || type == 128 || type == 129;
		bool bad = o->family == 4 || known;
		u32 verdict = bad ? VERDICT_DROP(DROP_ICMP_TRUNCATED) : VERDICT_PASS;

		if (o->first)
			continue;
		start(&b, o);
		if (o->family == 4)
			build_icmp(&b, (u8)type, 0, 0);
		else
			build_icmp6(&b, (u8)type, 0, 0);
		build_payload(&b, 30);
		build_fix(&b);
		rows_pass(set, &b, "%s icmp type %u", o->name, type);
		if (o->options && type % 32)
			continue;
		for (u32 n = 3; n < 8; n++) {
			b.len = b.l4 + n;
			build_fix_ip(&b);
			rows_add(set, &b, n < 4 ? VERDICT_DROP(DROP_ICMP_TRUNCATED) : verdict,
				 "%s icmp type %u of %u bytes", o->name, type, n);
		}
	}
}

/* What a router knows nothing about, it forwards: every other protocol, of any length. */
static void rows_protocols(struct row_set *set, const struct over *o)
{
	static struct packet_build b;

	for (u32 protocol = 0; protocol < 256; protocol++) {
		bool extension = protocol == 0 || protocol == 43 || protocol == 44 ||
				 protocol == 51 || protocol == 60;

		if (protocol == 6 || protocol == 17 || protocol == (o->family == 4 ? 1 : 58) ||
		    (o->family == 6 && extension) || (o->options && protocol % 16))
			continue;
		start(&b, o);
		build_protocol(&b, (u8)protocol);
		build_payload(&b, o->first ? 8 : protocol % 5);
		build_fix(&b);
		rows_pass(set, &b, "%s protocol %u", o->name, protocol);
	}
}

void rows_l4(struct row_set *set)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(overs); i++) {
		rows_tcp(set, &overs[i]);
		rows_udp(set, &overs[i]);
		rows_icmp(set, &overs[i]);
		rows_protocols(set, &overs[i]);
	}
}
