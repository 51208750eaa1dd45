/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_icmp.c - ICMP errors byte by byte: headers, checksums, what is quoted, RFC 4884's length; what is never answered,
 * each rule with rows that it alone forbids (compiled with ICMP_RULE_TESTED, where a rule can be taken out); which byte a
 * parameter problem points at. Frames lie in heap blocks of exactly their size with the headroom given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "icmp_internal.h"
#include "packet_build.h"

#define ROUTER4 0xc0000201u /* 192.0.2.1 */
static const u8 router6[16] = {0x20, 1, 0xd, 0xb8, 0, 0xf, [15] = 1};

static struct packet_build b;

/* RFC 1071 as it is written, independent of the code under test. */
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

static void udp(u8 family, u32 payload)
{
	build_eth(&b);
	if (family == 4)
		build_ip4(&b);
	else
		build_ip6(&b);
	build_udp(&b);
	build_payload(&b, payload);
	build_fix(&b);
}

/* ---- building ------------------------------------------------------------------------------------------------- */

struct built {
	u8 *block;
	u32 headroom, seg_len;
	struct icmp_offender o;
	struct icmp_frame f;
	bool ok;
	const u8 *eth, *ip, *icmp, *quote;
	u32 quote_bytes; /* padding and extension included */
};

static struct icmp_request request(enum icmp_error error, u8 family)
{
	struct icmp_request r = {.error = error, .mtu = 1400, .ip_id = 0x1234, .ttl = 64};

	r.problem = (struct icmp_problem){family == 4 ? 0 : 1, 41};
	if (family == 4)
		be32_store(r.src, ROUTER4);
	else
		memcpy(r.src, router6, 16);
	return r;
}

/* @tailroom lies in the block, too, and is as long as it says. */
static struct built build_from(const u8 *frame, u32 seg_len, u32 frame_len, u32 headroom,
			       u32 tailroom, const struct icmp_request *r)
{
	struct built x = {.headroom = headroom, .seg_len = seg_len};
	u8 *at;

	x.block = malloc(headroom + seg_len + tailroom);
	assert_non_null(x.block);
	memset(x.block, 0xee, headroom + seg_len + tailroom);
	at = x.block + headroom;
	memcpy(at, frame, seg_len);
	assert_int_equal(icmp_offender_read(at, seg_len, frame_len, &x.o), ICMP_RULE_NONE);
	x.ok = icmp_build(at, headroom, tailroom, seg_len, &x.o, r, &x.f);
	if (!x.ok)
		return x;
	x.eth = at + x.f.delta;
	x.ip = x.eth + 14;
	x.icmp = x.ip + (x.o.family == FIB_IP4 ? 20 : 40);
	x.quote = x.icmp + 8;
	x.quote_bytes = (u32)(x.eth + x.f.bytes - x.quote);
	return x;
}

/* All that is the same of every error: headers and checksums. */
static void expect_headers4(const struct built *x)
{
	assert_int_equal(be16_load(x->eth + 12), 0x0800);
	assert_int_equal(x->ip[0], 0x45);
	assert_int_equal(x->ip[1], 0xc0);
	assert_int_equal(be16_load(x->ip + 2), x->f.ip_len);
	assert_int_equal(x->f.ip_len, x->f.bytes - 14);
	assert_int_equal(be16_load(x->ip + 4), 0x1234);
	assert_int_equal(be16_load(x->ip + 6), 0);
	assert_int_equal(x->ip[8], 64);
	assert_int_equal(x->ip[9], 1);
	assert_int_equal(sum_of(x->ip, 20, 0), 0xffff);
	assert_int_equal(be32_load(x->ip + 12), ROUTER4);
	assert_int_equal(be32_load(x->ip + 16), BUILD_SRC4);
	assert_int_equal(sum_of(x->icmp, x->f.ip_len - 20, 0), 0xffff);
	assert_true(x->f.ip_len <= 576);
}

static void expect_headers6(const struct built *x)
{
	u32 pseudo, n = x->f.ip_len - 40;

	assert_int_equal(be16_load(x->eth + 12), 0x86dd);
	assert_int_equal(be32_load(x->ip), 0x6c000000);
	assert_int_equal(be16_load(x->ip + 4), n);
	assert_int_equal(x->f.ip_len, x->f.bytes - 14);
	assert_int_equal(x->ip[6], 58);
	assert_int_equal(x->ip[7], 64);
	assert_memory_equal(x->ip + 8, router6, 16);
	assert_memory_equal(x->ip + 24, b.bytes + b.l3 + 8, 16);
	pseudo = sum_of(x->ip + 8, 32, 0) + n + 58;
	assert_int_equal(sum_of(x->icmp, n, pseudo), 0xffff);
	assert_true(x->f.ip_len <= 1280);
}

static void expect_headers(const struct built *x)
{
	if (x->o.family == FIB_IP4)
		expect_headers4(x);
	else
		expect_headers6(x);
}

struct kind_row {
	enum icmp_error error;
	u8 family, type, code;
	u32 rest; /* of the ICMP header */
};

static const struct kind_row kind_rows[] = {
	{ICMP_ERROR_TIME, 4, 11, 0, 0},
	{ICMP_ERROR_NO_ROUTE, 4, 3, 0, 0},
	{ICMP_ERROR_UNREACHABLE, 4, 3, 1, 0},
	{ICMP_ERROR_NEIGHBOUR, 4, 3, 1, 0},
	{ICMP_ERROR_PROHIBITED, 4, 3, 13, 0},
	{ICMP_ERROR_TOO_BIG, 4, 3, 4, 1400},
	{ICMP_ERROR_PARAMETER, 4, 12, 0, 41u << 24},
	{ICMP_ERROR_TIME, 6, 3, 0, 0},
	{ICMP_ERROR_NO_ROUTE, 6, 1, 0, 0},
	{ICMP_ERROR_UNREACHABLE, 6, 1, 0, 0},
	{ICMP_ERROR_NEIGHBOUR, 6, 1, 3, 0},
	{ICMP_ERROR_PROHIBITED, 6, 1, 1, 0},
	{ICMP_ERROR_TOO_BIG, 6, 2, 0, 1400},
	{ICMP_ERROR_PARAMETER, 6, 4, 1, 41},
};

static void every_error(void **state)
{
	static const u32 payloads[] = {0, 1, 7, 18, 519, 520, 521, 1183, 1184, 1185, 1452};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(kind_rows) * DWCP_ARRAY_LEN(payloads); i++) {
		const struct kind_row *k = &kind_rows[i % DWCP_ARRAY_LEN(kind_rows)];
		struct icmp_request r = request(k->error, k->family);
		u32 max = k->family == 4 ? 576 - 28 : 1280 - 48, ip_len;
		struct built x;

		udp(k->family, payloads[i / DWCP_ARRAY_LEN(kind_rows)]);
		ip_len = b.len - b.l3;
		x = build_from(b.bytes, b.len, b.len, 48, 0, &r);
		assert_true(x.ok);
		expect_headers(&x);
		assert_int_equal(x.icmp[0], k->type);
		assert_int_equal(x.icmp[1], k->code);
		assert_int_equal(be32_load(x.icmp + 4), k->rest);
		assert_int_equal(x.quote_bytes, DWCP_MIN(ip_len, max));
		assert_memory_equal(x.quote, b.bytes + b.l3, x.quote_bytes);
		free(x.block);
	}
}

/* Tags go, padding of the frame isn't quoted, nor what lies in other segments. */
static void what_is_quoted(void **state)
{
	struct icmp_request r = request(ICMP_ERROR_TIME, 4);
	struct built x;
	u32 ip_len;

	build_eth(&b);
	build_tag(&b, 0x88a8, 7);
	build_tag(&b, 0x8100, 8);
	build_ip4(&b);
	build_udp(&b);
	build_payload(&b, 3);
	build_fix(&b);
	ip_len = b.len - b.l3;
	build_payload(&b, 40); /* behind the packet */
	x = build_from(b.bytes, b.len, b.len, 20, 0, &r);
	assert_true(x.ok);
	expect_headers(&x);
	assert_int_equal(x.quote_bytes, ip_len);
	assert_memory_equal(x.quote, b.bytes + b.l3, ip_len);
	free(x.block);

	udp(4, 400);
	x = build_from(b.bytes, 14 + 28, b.len, 28, 0, &r); /* the rest is in another segment */
	assert_true(x.ok);
	expect_headers(&x);
	assert_int_equal(x.quote_bytes, 28);
	free(x.block);
}

static void no_headroom_nothing_written(void **state)
{
	for (u32 family = 4; family <= 6; family += 2) {
		struct icmp_request r = request(ICMP_ERROR_TIME, (u8)family);
		u32 need = family == 4 ? 28 : 48;
		struct built x;

		udp((u8)family, 30);
		x = build_from(b.bytes, b.len, b.len, need - 1, 0, &r);
		assert_false(x.ok);
		assert_memory_equal(x.block + x.headroom, b.bytes, b.len);
		for (u32 i = 0; i < x.headroom; i++)
			assert_int_equal(x.block[i], 0xee);
		free(x.block);
		x = build_from(b.bytes, b.len, b.len, need, 0, &r);
		assert_true(x.ok);
		expect_headers(&x);
		free(x.block);
	}
}

/* ---- RFC 4884 -------------------------------------------------------------------------------------------------- */

/* A length field says in 32-bit (IPv6: 64-bit) words where the extension begins: 128 bytes of quote at least. */
static void extensions(void **state)
{
	static const u32 payloads[] = {0, 3, 91, 92, 99, 100, 101, 300, 1400};
	u8 ext[ICMP_EXTENSION_BYTES];
	u32 ext_bytes = icmp_extension_port("p0", 1500, ext);

	for (u32 i = 0; i < 2 * DWCP_ARRAY_LEN(payloads); i++) {
		u8 family = i % 2 ? 6 : 4;
		u32 unit = family == 4 ? 4 : 8, quote, ip_len;
		struct icmp_request r = request(ICMP_ERROR_TIME, family);
		struct built x;

		r.extension = ext;
		r.extension_bytes = ext_bytes;
		udp(family, payloads[i / 2]);
		ip_len = b.len - b.l3;
		x = build_from(b.bytes, b.len, b.len, 48, 256, &r);
		assert_true(x.ok);
		expect_headers(&x);
		quote = x.icmp[family == 4 ? 5 : 4] * unit;
		assert_true(quote >= 128);
		assert_int_equal(x.quote_bytes, quote + ext_bytes);
		assert_memory_equal(x.quote + quote, ext, ext_bytes);
		assert_memory_equal(x.quote, b.bytes + b.l3, DWCP_MIN(quote, ip_len));
		for (u32 k = ip_len; k < quote; k++)
			assert_int_equal(x.quote[k], 0);
		assert_true(quote >= DWCP_MIN(ip_len, (family == 4 ? 576u - 28 : 1280u - 48) -
							      ext_bytes - unit + 1));
		free(x.block);
	}
}

static void no_extension_where_none_is_allowed(void **state)
{
	static const struct kind_row none[] = {{ICMP_ERROR_TOO_BIG, 6}, {ICMP_ERROR_PARAMETER, 6}};
	u8 ext[ICMP_EXTENSION_BYTES];
	struct icmp_request r;
	struct built x;
	u32 n = icmp_extension_port("p0", 1500, ext);

	for (u32 i = 0; i < DWCP_ARRAY_LEN(none); i++) {
		r = request(none[i].error, 6);
		r.extension = ext;
		r.extension_bytes = n;
		udp(6, 300);
		x = build_from(b.bytes, b.len, b.len, 48, 256, &r);
		assert_true(x.ok);
		expect_headers(&x);
		assert_int_equal(x.quote_bytes, b.len - b.l3);
		free(x.block);
	}
	/* nor where there is no room behind the packet */
	r = request(ICMP_ERROR_TIME, 4);
	r.extension = ext;
	r.extension_bytes = n;
	udp(4, 18);
	x = build_from(b.bytes, b.len, b.len, 48, 128 - 46 + n - 1, &r);
	assert_int_equal(x.icmp[5], 0);
	assert_int_equal(x.quote_bytes, b.len - b.l3);
	free(x.block);
	x = build_from(b.bytes, b.len, b.len, 48, 128 - 46 + n, &r);
	assert_int_equal(x.icmp[5], 32);
	free(x.block);
}

static void extension_of_a_port(void **state)
{
	static const char name[] = "a-port-name-of-31-characters-xx";
	u8 *ext = malloc(ICMP_EXTENSION_BYTES);
	u32 n = icmp_extension_port("wan0", 1500, ext);

	assert_int_equal(n, 20);
	assert_int_equal(ext[0], 0x20);
	assert_int_equal(sum_of(ext, n, 0), 0xffff);
	assert_int_equal(be16_load(ext + 4), 16);
	assert_int_equal(ext[6], 2);
	assert_int_equal(ext[7], 3);
	assert_int_equal(ext[8], 8);
	assert_memory_equal(ext + 9, "wan0\0\0\0", 7);
	assert_int_equal(be32_load(ext + 16), 1500);
	n = icmp_extension_port(name, 9000, ext);
	assert_int_equal(n, 4 + 4 + 32 + 4);
	assert_int_equal(ext[8], 32);
	assert_memory_equal(ext + 9, name, 31);
	free(ext);
}

/* ---- what is never answered ------------------------------------------------------------------------------------ */

struct never_row {
	enum icmp_rule rule; /* NONE: it may be answered */
	const char *what;
	void (*make)(void);
	u32 seg_len; /* 0 = all */
};

static void icmp4_of(u8 type)
{
	build_eth(&b);
	build_ip4(&b);
	build_icmp(&b, type, 0, 0);
	build_payload(&b, 30);
	build_fix(&b);
}

static void icmp6_of(u8 type)
{
	build_eth(&b);
	build_ip6(&b);
	build_icmp6(&b, type, 0, 0);
	build_payload(&b, 30);
	build_fix(&b);
}

static void src4(u32 addr)
{
	udp(4, 30);
	be32_store(b.bytes + b.l3 + 12, addr);
}

static void dst4(u32 addr)
{
	udp(4, 30);
	be32_store(b.bytes + b.l3 + 16, addr);
}

static void addr6(u32 at, u32 first, u32 last)
{
	udp(6, 30);
	memset(b.bytes + b.l3 + at, 0, 16);
	be32_store(b.bytes + b.l3 + at, first);
	be32_store(b.bytes + b.l3 + at + 12, last);
}

#define MAKE(name, call)                                                                           \
	static void name(void)                                                                     \
	{                                                                                          \
		call;                                                                              \
	}
MAKE(m_udp4, udp(4, 30))
MAKE(m_udp6, udp(6, 30))
MAKE(m_echo4, icmp4_of(8))
MAKE(m_reply4, icmp4_of(0))
MAKE(m_timestamp4, icmp4_of(13))
MAKE(m_echo6, icmp6_of(128))
MAKE(m_unreachable4, icmp4_of(3))
MAKE(m_quench4, icmp4_of(4))
MAKE(m_redirect4, icmp4_of(5))
MAKE(m_time4, icmp4_of(11))
MAKE(m_parameter4, icmp4_of(12))
MAKE(m_unknown4, icmp4_of(200))
MAKE(m_unreachable6, icmp6_of(1))
MAKE(m_too_big6, icmp6_of(2))
MAKE(m_unknown6, icmp6_of(127))
MAKE(m_redirect6, icmp6_of(137))
MAKE(m_src_zero, src4(0))
MAKE(m_src_zero_net, src4(0x00000005))
MAKE(m_src_loopback, src4(0x7f000001))
MAKE(m_src_group, src4(0xe0000005))
MAKE(m_src_broadcast, src4(0xffffffff))
MAKE(m_src_class_e, src4(0xf0000001))
MAKE(m_src_link, src4(0xa9fe0101))
MAKE(m_dst_group, dst4(0xe0000005))
MAKE(m_dst_broadcast, dst4(0xffffffff))
MAKE(m_dst_loopback, dst4(0x7f000001))
MAKE(m_dst_zero, dst4(0))
MAKE(m_src6_none, addr6(8, 0, 0))
MAKE(m_src6_loopback, addr6(8, 0, 1))
MAKE(m_src6_group, addr6(8, 0xff020000, 1))
MAKE(m_src6_link, addr6(8, 0xfe800000, 1))
MAKE(m_dst6_group, addr6(24, 0xff020000, 1))
MAKE(m_dst6_none, addr6(24, 0, 0))

static void m_multicast_frame(void)
{
	udp(4, 30);
	b.bytes[0] = 1;
}

static void m_broadcast_frame6(void)
{
	udp(6, 30);
	memset(b.bytes, 0xff, 6);
}

static void fragment4_of(u32 offset, bool more)
{
	build_eth(&b);
	build_ip4(&b);
	build_ip4_fragment(&b, offset, more);
	build_udp(&b);
	build_payload(&b, 32);
	build_fix(&b);
}

static void fragment6_of(u32 offset, bool more)
{
	build_eth(&b);
	build_ip6(&b);
	build_ip6_fragment(&b, offset, more);
	build_udp(&b);
	build_payload(&b, 32);
	build_fix(&b);
}

MAKE(m_first4, fragment4_of(0, true))
MAKE(m_later4, fragment4_of(8, true))
MAKE(m_last4, fragment4_of(8000, false))
MAKE(m_first6, fragment6_of(0, true))
MAKE(m_atomic6, fragment6_of(0, false))
MAKE(m_later6, fragment6_of(8, true))
MAKE(m_last6, fragment6_of(8000, false))

/* Behind options and extension headers an ICMP error is found, too. */
static void m_time4_options(void)
{
	static const u8 nops[8] = {1, 1, 1, 1, 1, 1, 1, 0};

	build_eth(&b);
	build_ip4(&b);
	build_ip4_options(&b, nops, 8);
	build_icmp(&b, 11, 0, 0);
	build_payload(&b, 30);
	build_fix(&b);
}

static void m_udp4_options(void)
{
	static const u8 nops[8] = {1, 1, 1, 1, 1, 1, 1, 0};

	build_eth(&b);
	build_ip4(&b);
	build_ip4_options(&b, nops, 8);
	build_udp(&b);
	build_fix(&b);
}

static void m_time6_extensions(void)
{
	static const u8 body[6] = {0, 0, 1, 2, 0, 0};

	build_eth(&b);
	build_ip6(&b);
	build_ext(&b, 60, body, 6);
	build_ip6_fragment(&b, 0, true);
	build_ext(&b, 60, body, 6);
	build_icmp6(&b, 3, 0, 0);
	build_payload(&b, 32);
	build_fix(&b);
}

static void m_short_header4(void)
{
	udp(4, 30);
	b.bytes[b.l3] = 0x44;
}

static void m_chain_cut(void)
{
	m_time6_extensions();
}

static void m_bad_version(void)
{
	udp(4, 30);
	b.bytes[b.l3] = 0x65;
}

static void m_arp(void)
{
	udp(4, 30);
	be16_store(b.bytes + 12, 0x0806);
}

static const struct never_row never_rows[] = {
	{ICMP_RULE_NONE, "UDP", m_udp4},
	{ICMP_RULE_NONE, "UDP6", m_udp6},
	{ICMP_RULE_NONE, "echo", m_echo4},
	{ICMP_RULE_NONE, "echo reply", m_reply4},
	{ICMP_RULE_NONE, "timestamp", m_timestamp4},
	{ICMP_RULE_NONE, "echo6", m_echo6},
	{ICMP_RULE_NONE, "first fragment", m_first4},
	{ICMP_RULE_NONE, "first fragment6", m_first6},
	{ICMP_RULE_NONE, "atomic fragment6", m_atomic6},
	{ICMP_RULE_ICMP, "unreachable", m_unreachable4},
	{ICMP_RULE_ICMP, "source quench", m_quench4},
	{ICMP_RULE_ICMP, "redirect", m_redirect4},
	{ICMP_RULE_ICMP, "time exceeded", m_time4},
	{ICMP_RULE_ICMP, "parameter problem", m_parameter4},
	{ICMP_RULE_ICMP, "nobody's type", m_unknown4},
	{ICMP_RULE_ICMP, "time exceeded behind options", m_time4_options},
	{ICMP_RULE_ICMP, "type in another segment", m_echo4, 34},
	{ICMP_RULE_ICMP, "unreachable6", m_unreachable6},
	{ICMP_RULE_ICMP, "too big6", m_too_big6},
	{ICMP_RULE_ICMP, "unknown error6", m_unknown6},
	{ICMP_RULE_ICMP, "redirect6", m_redirect6},
	{ICMP_RULE_ICMP, "time exceeded6 behind extensions", m_time6_extensions},
	{ICMP_RULE_ICMP, "type in another segment6", m_echo6, 54},
	{ICMP_RULE_LATER_FRAGMENT, "later fragment", m_later4},
	{ICMP_RULE_LATER_FRAGMENT, "last fragment", m_last4},
	{ICMP_RULE_LATER_FRAGMENT, "later fragment6", m_later6},
	{ICMP_RULE_LATER_FRAGMENT, "last fragment6", m_last6},
	{ICMP_RULE_LINK_GROUP, "multicast frame", m_multicast_frame},
	{ICMP_RULE_LINK_GROUP, "broadcast frame", m_broadcast_frame6},
	{ICMP_RULE_SOURCE, "from 0.0.0.0", m_src_zero},
	{ICMP_RULE_SOURCE, "from 0/8", m_src_zero_net},
	{ICMP_RULE_SOURCE, "from loopback", m_src_loopback},
	{ICMP_RULE_SOURCE, "from a group", m_src_group},
	{ICMP_RULE_SOURCE, "from broadcast", m_src_broadcast},
	{ICMP_RULE_SOURCE, "from 240/4", m_src_class_e},
	{ICMP_RULE_SOURCE, "from 169.254/16", m_src_link},
	{ICMP_RULE_SOURCE, "from ::", m_src6_none},
	{ICMP_RULE_SOURCE, "from ::1", m_src6_loopback},
	{ICMP_RULE_SOURCE, "from a group6", m_src6_group},
	{ICMP_RULE_SOURCE, "from fe80::", m_src6_link},
	{ICMP_RULE_DESTINATION, "to a group", m_dst_group},
	{ICMP_RULE_DESTINATION, "to broadcast", m_dst_broadcast},
	{ICMP_RULE_DESTINATION, "to loopback", m_dst_loopback},
	{ICMP_RULE_DESTINATION, "to 0.0.0.0", m_dst_zero},
	{ICMP_RULE_DESTINATION, "to a group6", m_dst6_group},
	{ICMP_RULE_DESTINATION, "to ::", m_dst6_none},
	{ICMP_RULE_UNREADABLE, "header of 16 bytes", m_short_header4},
	{ICMP_RULE_UNREADABLE, "options in another segment", m_udp4_options, 36},
	{ICMP_RULE_UNREADABLE, "chain cut", m_chain_cut, 14 + 40 + 8 + 4},
};

/* These are never optional: what follows would read past the frame. */
static const struct never_row unreadable_rows[] = {
	{ICMP_RULE_UNREADABLE, "nothing", m_udp4, 1},
	{ICMP_RULE_UNREADABLE, "IPv4 header cut", m_udp4, 33},
	{ICMP_RULE_UNREADABLE, "IPv6 header cut", m_udp6, 53},
	{ICMP_RULE_UNREADABLE, "version", m_bad_version},
	{ICMP_RULE_UNREADABLE, "ARP", m_arp},
};

static enum icmp_rule rule_of(const struct never_row *row)
{
	struct icmp_offender o;
	enum icmp_rule rule;
	u32 seg_len;
	u8 *exact;

	row->make();
	seg_len = row->seg_len ? row->seg_len : b.len;
	exact = malloc(seg_len);
	memcpy(exact, b.bytes, seg_len);
	rule = icmp_offender_read(exact, seg_len, b.len, &o);
	free(exact);
	return rule;
}

static void never_answered(void **state)
{
	bool seen[ICMP_N_RULES] = {false};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(never_rows); i++) {
		const struct never_row *row = &never_rows[i];

		if (rule_of(row) != row->rule)
			fail_msg("%s: rule %u and not %u", row->what, rule_of(row), row->rule);
		seen[row->rule] = true;
		if (!row->rule)
			continue;
		icmp_rule_off = row->rule;
		if (rule_of(row) != ICMP_RULE_NONE)
			fail_msg("%s: its rule taken out, %u forbids it", row->what, rule_of(row));
		icmp_rule_off = ICMP_RULE_NONE;
	}
	for (u32 i = 0; i < ICMP_N_RULES; i++)
		assert_true(seen[i]);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(unreadable_rows); i++)
		assert_int_equal(rule_of(&unreadable_rows[i]), ICMP_RULE_UNREADABLE);
}

/* Every cut of every packet, from a block of just that size. */
static void every_cut(void **state)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(never_rows); i++) {
		struct never_row row = never_rows[i];

		row.make();
		for (u32 n = b.len; n > 0; n--) {
			row.seg_len = n;
			rule_of(&row);
		}
	}
}

/* ---- parameter problems ---------------------------------------------------------------------------------------- */

static void options4(const u8 *options, u32 n)
{
	build_eth(&b);
	build_ip4(&b);
	build_ip4_options(&b, options, n);
	build_udp(&b);
	build_payload(&b, 18);
	build_fix(&b);
}

static void p_option_length(void)
{
	static const u8 o[4] = {1, 7, 20, 4};

	options4(o, 4);
}

static void p_option_zero(void)
{
	static const u8 o[4] = {130, 0, 0, 0};

	options4(o, 4);
}

static void p_option_last(void)
{
	static const u8 o[4] = {1, 1, 1, 130};

	options4(o, 4);
}

static void p_record_pointer(void)
{
	static const u8 o[8] = {1, 7, 7, 3, 0, 0, 0, 0};

	options4(o, 8);
}

static void p_timestamp_pointer(void)
{
	static const u8 o[8] = {68, 8, 4, 0, 0, 0, 0, 0};

	options4(o, 8);
}

static void chain6(u32 n, u8 type)
{
	static const u8 body[6] = {1, 4};

	build_eth(&b);
	build_ip6(&b);
	for (u32 i = 0; i < n; i++)
		build_ext(&b, i == n - 1 ? type : 60, body, 6);
	build_udp(&b);
	build_payload(&b, 18);
	build_fix(&b);
}

MAKE(p_order, chain6(2, 0))
MAKE(p_count, chain6(9, 60))

static void p_routing(u8 left)
{
	u8 body[6] = {0, left};

	build_eth(&b);
	build_ip6(&b);
	build_ext(&b, 43, body, 6);
	build_udp(&b);
	build_fix(&b);
}

MAKE(p_routing_left, p_routing(1))
MAKE(p_routing_none_left, p_routing(0))

static void p_option6(void)
{
	static const u8 o[6] = {0, 0x1e, 9, 0, 0, 0};

	build_eth(&b);
	build_ip6(&b);
	build_ext(&b, 60, o, 6);
	build_udp(&b);
	build_fix(&b);
}

static void p_options6_many(void)
{
	static const u8 o[70];

	build_eth(&b);
	build_ip6(&b);
	build_ext(&b, 60, o, 70);
	build_udp(&b);
	build_fix(&b);
}

static void p_fragment6(void)
{
	build_eth(&b);
	build_ip6(&b);
	build_ip6_fragment(&b, 0, true);
	build_udp(&b);
	build_payload(&b, 5);
	build_fix(&b);
}

static void p_tiny6(void)
{
	build_eth(&b);
	build_ip6(&b);
	build_ip6_fragment(&b, 0, true);
	build_protocol(&b, 6);
	build_payload(&b, 8);
	build_fix_ip(&b);
}

struct problem_row {
	enum drop_reason reason;
	bool told;
	u8 code;
	u32 pointer;
	const char *what;
	void (*make)(void);
};

static const struct problem_row problem_rows[] = {
	{DROP_IP4_OPTION, true, 0, 22, "option longer than the header", p_option_length},
	{DROP_IP4_OPTION, true, 0, 21, "option of no length", p_option_zero},
	{DROP_IP4_OPTION, true, 0, 23, "option without a length", p_option_last},
	{DROP_IP4_OPTION, true, 0, 23, "record route points into itself", p_record_pointer},
	{DROP_IP4_OPTION, true, 0, 22, "timestamp points into itself", p_timestamp_pointer},
	{DROP_IP6_EXTENSION_ORDER, true, 1, 40, "hop-by-hop second", p_order},
	{DROP_IP6_EXTENSION_COUNT, true, 8, 40 + 8 * 8, "nine headers", p_count},
	{DROP_IP6_ROUTING_0, true, 0, 42, "routing type 0", p_routing_left},
	{DROP_IP6_ROUTING_0, false, 0, 0, "routing type 0, at its end", p_routing_none_left},
	{DROP_IP6_OPTION, true, 0, 44, "option past its header", p_option6},
	{DROP_IP6_OPTION, true, 9, 42 + 64, "65 options", p_options6_many},
	{DROP_IP6_FRAGMENT, true, 0, 4, "13 bytes and more to come", p_fragment6},
	{DROP_TINY_FRAGMENT, true, 3, 0, "TCP header cut by a fragment", p_tiny6},
	{DROP_IP6_HOP_LIMIT, false, 0, 0, "no fault of a field", m_udp6},
	{DROP_TINY_FRAGMENT, false, 0, 0, "IPv4 knows no such thing", m_first4},
};

/* Each is what parse drops for that reason, too: the two must not drift apart. */
static void problems(void **state)
{
	struct parse_cfg cfg = {.promiscuous = true};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(problem_rows); i++) {
		const struct problem_row *row = &problem_rows[i];
		struct icmp_problem problem = {77, 77};
		struct icmp_offender o;
		struct pkt p;
		bool told;
		u8 *exact;

		row->make();
		exact = malloc(b.len);
		memcpy(exact, b.bytes, b.len);
		if (row->make != m_udp6 && row->make != m_first4)
			assert_int_equal(parse_packet(&cfg, exact, b.len, b.len, &p),
					 VERDICT_DROP(row->reason));
		assert_int_equal(icmp_offender_read(exact, b.len, b.len, &o), ICMP_RULE_NONE);
		told = icmp_problem_find(exact, &o, row->reason, &problem);
		free(exact);
		if (told != row->told ||
		    (told && (problem.code != row->code || problem.pointer != row->pointer)))
			fail_msg("%s: told %d, code %u, pointer %u", row->what, told, problem.code,
				 problem.pointer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error),
		cmocka_unit_test(what_is_quoted),
		cmocka_unit_test(no_headroom_nothing_written),
		cmocka_unit_test(extensions),
		cmocka_unit_test(no_extension_where_none_is_allowed),
		cmocka_unit_test(extension_of_a_port),
		cmocka_unit_test(never_answered),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
