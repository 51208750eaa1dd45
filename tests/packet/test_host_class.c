/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_host_class.c - what each kind of frame for the router itself is called, from buffers of exactly their size; every
 * shorter one of them may be called something else, but must not be read past its end. And the policer, on a clock of ours.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dwcp/util/host_class.h>
#include <dwcp/util/policer.h>

#define BYTES(...) (const u8[]){__VA_ARGS__}, sizeof((const u8[]){__VA_ARGS__})
#define OURS	   2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2
#define GROUP4	   1, 0, 0x5e, 0, 0, 5, 2, 0, 0, 0, 1, 2
#define GROUP6	   0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2
#define IP4_HOPS(proto, hops)                                                                      \
	8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, hops, proto, 0, 0, 10, 0, 1, 2, 10, 0, 1, 1
#define IP4(proto) IP4_HOPS(proto, 64)
#define IP4_OPT(proto)                                                                             \
	8, 0, 0x46, 0, 0, 44, 0, 0, 0, 0, 64, proto, 0, 0, 10, 0, 1, 2, 10, 0, 1, 1, 0x94, 4, 0, 0
#define IP4_LATER(proto)     8, 0, 0x45, 0, 0, 40, 0, 0, 0, 9, 64, proto, 0, 0, 10, 0, 1, 2, 10, 0, 1, 1
#define ADDR6		     0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
#define IP6_HOPS(next, hops) 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, next, hops, ADDR6, ADDR6
#define IP6(next)	     IP6_HOPS(next, 64)
#define TCP(s, d, flags)                                                                           \
	(s) >> 8, (s)&255, (d) >> 8, (d)&255, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0
#define UDP(s, d) (s) >> 8, (s)&255, (d) >> 8, (d)&255, 0, 8, 0, 0

static const struct class_row {
	const char *name;
	const u8 *bytes;
	size_t len;
	enum host_class want;
} rows[] = {
	{"ARP", BYTES(OURS, 8, 6, 0, 1), HOST_CLASS_NEIGHBOUR},
	{"ARP to all, tagged", BYTES(GROUP4, 0x81, 0, 0, 7, 8, 6, 0, 1), HOST_CLASS_NEIGHBOUR},
	{"ARP, tagged as of old", BYTES(GROUP4, 0x91, 0, 0, 7, 8, 6, 0, 1), HOST_CLASS_NEIGHBOUR},
	{"two tags", BYTES(OURS, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, IP4(89)), HOST_CLASS_IGP},
	{"three tags", BYTES(OURS, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x81, 0, 0, 9, IP4(89)),
	 HOST_CLASS_OTHER},
	{"neighbour solicitation", BYTES(GROUP6, IP6_HOPS(58, 255), 135, 0, 0, 0),
	 HOST_CLASS_NEIGHBOUR},
	{"router advertisement", BYTES(GROUP6, IP6_HOPS(58, 255), 134, 0, 0, 0),
	 HOST_CLASS_NEIGHBOUR},
	{"neighbour advertisement from afar", BYTES(OURS, IP6_HOPS(58, 254), 136, 0, 0, 0),
	 HOST_CLASS_OTHER},
	{"MLDv2 report", BYTES(GROUP6, IP6(0), 58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0),
	 HOST_CLASS_MULTICAST},
	{"echo request 6", BYTES(OURS, IP6(58), 128, 0, 0, 0), HOST_CLASS_ICMP},
	{"echo request 4", BYTES(OURS, IP4(1), 8, 0, 0, 0), HOST_CLASS_ICMP},
	{"echo request to a group", BYTES(GROUP4, IP4(1), 8, 0, 0, 0), HOST_CLASS_MULTICAST},
	{"BGP", BYTES(OURS, IP4(6), TCP(40000, 179, 0x18)), HOST_CLASS_BGP},
	{"BGP, options", BYTES(OURS, IP4_OPT(6), TCP(40000, 179, 0x10)), HOST_CLASS_BGP},
	{"BGP SYN", BYTES(OURS, IP4(6), TCP(40000, 179, 0x02)), HOST_CLASS_BGP_OPEN},
	{"BGP SYN of ECN", BYTES(OURS, IP4(6), TCP(40000, 179, 0xc2)), HOST_CLASS_BGP_OPEN},
	{"BGP SYN-ACK to us", BYTES(OURS, IP4(6), TCP(179, 40000, 0x12)), HOST_CLASS_BGP},
	{"SYN from port 179", BYTES(OURS, IP4(6), TCP(179, 22, 0x02)), HOST_CLASS_MANAGEMENT},
	{"BGP over 6", BYTES(OURS, IP6(6), TCP(40000, 179, 0x10)), HOST_CLASS_BGP},
	{"SSH", BYTES(OURS, IP4(6), TCP(40000, 22, 0x02)), HOST_CLASS_MANAGEMENT},
	{"LDP session", BYTES(OURS, IP4(6), TCP(646, 40000, 0x10)), HOST_CLASS_IGP},
	{"BFD", BYTES(OURS, IP4_HOPS(17, 255), UDP(49152, 3784)), HOST_CLASS_BFD},
	{"BFD from afar", BYTES(OURS, IP4_HOPS(17, 254), UDP(49152, 3784)), HOST_CLASS_MANAGEMENT},
	{"BFD over 6", BYTES(OURS, IP6_HOPS(17, 255), UDP(49152, 3784)), HOST_CLASS_BFD},
	{"BFD over 6 from afar", BYTES(OURS, IP6_HOPS(17, 200), UDP(49152, 3784)),
	 HOST_CLASS_MANAGEMENT},
	{"BFD of a link of a bundle", BYTES(OURS, IP4_HOPS(17, 255), UDP(49152, 6784)),
	 HOST_CLASS_BFD},
	{"BFD echo", BYTES(OURS, IP4_HOPS(17, 255), UDP(49152, 3785)), HOST_CLASS_BFD},
	{"BFD echo, back", BYTES(OURS, IP4_HOPS(17, 254), UDP(3785, 3785)), HOST_CLASS_BFD},
	{"BFD echo from afar", BYTES(OURS, IP4_HOPS(17, 253), UDP(3785, 22)),
	 HOST_CLASS_MANAGEMENT},
	{"BFD multihop over 6", BYTES(OURS, IP6(17), UDP(49152, 4784)), HOST_CLASS_BFD},
	{"RIP", BYTES(GROUP4, IP4(17), UDP(520, 520)), HOST_CLASS_IGP},
	{"DNS", BYTES(OURS, IP4(17), UDP(53, 53)), HOST_CLASS_MANAGEMENT},
	{"mDNS", BYTES(GROUP4, IP4(17), UDP(5353, 5353)), HOST_CLASS_MULTICAST},
	{"OSPF", BYTES(GROUP4, IP4(89), 2, 1), HOST_CLASS_IGP},
	{"OSPF over 6", BYTES(GROUP6, IP6(89), 3, 1), HOST_CLASS_IGP},
	{"VRRP", BYTES(GROUP4, IP4_HOPS(112, 255), 0x21), HOST_CLASS_IGP},
	{"VRRP from afar", BYTES(OURS, IP4_HOPS(112, 9), 0x21), HOST_CLASS_OTHER},
	{"PIM", BYTES(GROUP4, IP4(103), 0x20), HOST_CLASS_IGP},
	{"IGMP", BYTES(GROUP4, IP4(2), 0x16), HOST_CLASS_MULTICAST},
	{"IS-IS", BYTES(1, 0x80, 0xc2, 0, 0, 0x14, 2, 0, 0, 0, 1, 2, 0, 30, 0xfe, 0xfe, 3),
	 HOST_CLASS_IGP},
	{"spanning tree", BYTES(1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0, 38, 0x42, 0x42, 3),
	 HOST_CLASS_MULTICAST},
	{"LLDP", BYTES(1, 0x80, 0xc2, 0, 0, 0xe, 2, 0, 0, 0, 1, 2, 0x88, 0xcc, 2, 7),
	 HOST_CLASS_MULTICAST},
	{"GRE", BYTES(OURS, IP4(47), 0, 0, 8, 0), HOST_CLASS_OTHER},
	{"later fragment of TCP", BYTES(OURS, IP4_LATER(6), TCP(40000, 179, 0x10)),
	 HOST_CLASS_OTHER},
	{"later fragment of OSPF", BYTES(OURS, IP4_LATER(89), 2, 1), HOST_CLASS_IGP},
	{"header length past the end",
	 BYTES(OURS, 8, 0, 0x4f, 0, 0, 40, 0, 0, 0, 0, 64, 89, 0, 0, 10, 0, 1, 2, 10, 0, 1, 1),
	 HOST_CLASS_OTHER},
	{"extension past the end", BYTES(OURS, IP6(0), 89, 9, 5, 2, 0, 0, 1, 0), HOST_CLASS_OTHER},
	{"nothing", BYTES(OURS), HOST_CLASS_OTHER},
};

static enum host_class class_exact(const u8 *bytes, size_t len, u64 *ret_source)
{
	u8 *heap = malloc(len ? len : 1);
	enum host_class c;

	assert_non_null(heap);
	if (len)
		memcpy(heap, bytes, len);
	c = host_class_of(heap, (u32)len, ret_source);
	free(heap);
	return c;
}

static void test_rows(void **state)
{
	bool seen[HOST_CLASS_N] = {0};
	u64 source;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		enum host_class c = class_exact(rows[i].bytes, rows[i].len, &source);

		if (c != rows[i].want)
			fail_msg("%s: class %d, wanted %d", rows[i].name, c, rows[i].want);
		seen[c] = true;
		for (size_t len = 0; len < rows[i].len; len++)
			assert_true(class_exact(rows[i].bytes, len, &source) < HOST_CLASS_N);
	}
	for (u32 c = 0; c < HOST_CLASS_N; c++)
		assert_true(seen[c]);
}

/* Senders differ by IP address, whatever MAC they come from, and by MAC where there is no IP. */
static void test_source(void **state)
{
	u8 a[] = {OURS, IP4(1), 8, 0, 0, 0}, b[] = {OURS, 8, 6, 0, 1};
	u64 first, second;

	class_exact(a, sizeof(a), &first);
	a[11] ^= 1;
	class_exact(a, sizeof(a), &second);
	assert_int_equal(first, second);
	a[29] ^= 1;
	class_exact(a, sizeof(a), &second);
	assert_int_not_equal(first, second);
	class_exact(b, sizeof(b), &first);
	b[11] ^= 1;
	class_exact(b, sizeof(b), &second);
	assert_int_not_equal(first, second);
}

/* ---- whom the router has sessions with --------------------------------------------------------------------------- */

static const struct class_row sessions[] = {
	{"BGP, data", BYTES(OURS, IP4(6), TCP(179, 40000, 0x18), 0xff), HOST_CLASS_BGP},
	{"BGP, data, by the one who opened", BYTES(OURS, IP4(6), TCP(40000, 179, 0x10), 0xff),
	 HOST_CLASS_BGP},
	{"BGP over 6, data", BYTES(OURS, IP6(6), TCP(179, 40000, 0x18), 0xff), HOST_CLASS_BGP},
	{"BGP, tagged", BYTES(OURS, 0x81, 0, 0, 7, IP4(6), TCP(179, 40000, 0x18), 0xff),
	 HOST_CLASS_BGP},
	{"BGP, opened by us", BYTES(OURS, IP4(6), TCP(40000, 179, 0x02)), HOST_CLASS_BGP},
	{"BGP, a stranger's handshake answered", BYTES(OURS, IP4(6), TCP(179, 40000, 0x12)),
	 HOST_CLASS_N},
	{"BGP, acknowledged", BYTES(OURS, IP4(6), TCP(179, 40000, 0x10)), HOST_CLASS_N},
	{"BGP, reset", BYTES(OURS, IP4(6), TCP(179, 40000, 0x14), 0), HOST_CLASS_N},
	{"BGP, a stranger sent away", BYTES(OURS, IP4(6), TCP(179, 40000, 0x11)), HOST_CLASS_N},
	{"BGP, last words to a stranger", BYTES(OURS, IP4(6), TCP(179, 40000, 0x19), 0xff),
	 HOST_CLASS_N},
	{"a connection from port 179", BYTES(OURS, IP4(6), TCP(179, 80, 0x02)), HOST_CLASS_N},
	{"LDP, data", BYTES(OURS, IP4(6), TCP(646, 40000, 0x18), 0xff), HOST_CLASS_IGP},
	{"SSH, data", BYTES(OURS, IP4(6), TCP(22, 40000, 0x18), 0xff), HOST_CLASS_N},
	{"BFD", BYTES(OURS, IP4_HOPS(17, 255), UDP(49152, 3784)), HOST_CLASS_BFD},
	{"BFD over hops, 6", BYTES(OURS, IP6(17), UDP(49152, 4784)), HOST_CLASS_BFD},
	{"RIP, an answer", BYTES(OURS, IP4(17), UDP(520, 520)), HOST_CLASS_N},
	{"OSPF to one", BYTES(OURS, IP4(89), 2, 2), HOST_CLASS_IGP},
	{"OSPF to all", BYTES(GROUP4, IP4(89), 2, 1), HOST_CLASS_N},
	{"ping", BYTES(OURS, IP4(1), 0, 0, 0, 0), HOST_CLASS_N},
	{"unreachable, about BFD", BYTES(OURS, IP4(1), 3, 3, 0, 0, IP4(17), UDP(49152, 3784)),
	 HOST_CLASS_N},
	{"ARP", BYTES(OURS, 8, 6, 0, 1), HOST_CLASS_N},
};

static enum host_class session_exact(const u8 *bytes, size_t len, u64 *ret_peer)
{
	u8 *heap = malloc(len ? len : 1);
	enum host_class c;

	assert_non_null(heap);
	if (len)
		memcpy(heap, bytes, len);
	c = host_session_of(heap, (u32)len, ret_peer);
	free(heap);
	return c;
}

static void test_sessions(void **state)
{
	u64 peer;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(sessions); i++) {
		const struct class_row *r = &sessions[i];
		enum host_class c = session_exact(r->bytes, r->len, &peer);

		if (c != r->want)
			fail_msg("%s: class %d, wanted %d", r->name, c, r->want);
		for (size_t len = 0; len < r->len; len++)
			assert_true(session_exact(r->bytes, len, &peer) <= HOST_CLASS_N);
	}
}

/* What we send to somebody and what comes from there have one name. */
static void test_peer_is_source(void **state)
{
	u8 sent[] = {OURS, IP4(89), 2, 2}, came[] = {OURS, IP4(89), 2, 2};
	u8 sent6[] = {OURS, IP6(89), 3, 2}, came6[] = {OURS, IP6(89), 3, 2};
	u64 peer, source;

	memcpy(sent + 30, "\xc0\0\2\x4d", 4);
	memcpy(came + 26, "\xc0\0\2\x4d", 4);
	assert_int_equal(session_exact(sent, sizeof(sent), &peer), HOST_CLASS_IGP);
	class_exact(came, sizeof(came), &source);
	assert_int_equal(peer, source);
	sent6[14 + 39] = 0x4d;
	came6[14 + 23] = 0x4d;
	assert_int_equal(session_exact(sent6, sizeof(sent6), &peer), HOST_CLASS_IGP);
	class_exact(came6, sizeof(came6), &source);
	assert_int_equal(peer, source);
}

/* Whatever the bytes are: ASan says whether one behind the end was read. */
static void test_random(void **state)
{
	u64 seed = 20261201, source;

	for (u32 n = 0; n < 200000; n++) {
		const struct class_row *r;
		u8 bytes[96];
		size_t len;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		r = &rows[(seed >> 33) % DWCP_ARRAY_LEN(rows)];
		memcpy(bytes, r->bytes, r->len);
		bytes[(seed >> 20) % r->len] = (u8)(seed >> 40);
		len = (seed >> 48) % (r->len + 1);
		assert_true(class_exact(bytes, len, &source) < HOST_CLASS_N);
		assert_true(session_exact(bytes, len, &source) <= HOST_CLASS_N);
	}
}

static u32 taken(struct policer *p, const struct policer_cfg *cfg, u64 from, u64 to, u64 step)
{
	u32 n = 0;

	for (u64 now = from; now < to; now += step)
		n += policer_take(p, cfg, now);
	return n;
}

static void test_policer(void **state)
{
	const u64 hz = 1000000000, start = 5 * hz;
	struct policer_cfg cfg = policer_cfg_of(1000, 10, hz);
	struct policer p = {0};

	/* a burst of ten at once, not one more */
	for (u32 i = 0; i < 10; i++)
		assert_true(policer_take(&p, &cfg, start));
	assert_false(policer_take(&p, &cfg, start));
	/* then its rate exactly, however much is offered */
	assert_in_range(taken(&p, &cfg, start, start + hz, 10000), 999, 1001);
	/* what stays below loses nothing */
	assert_int_equal(taken(&p, &cfg, start + 2 * hz, start + 3 * hz, hz / 900), 901);
	/* idle time is saved up to the burst only */
	assert_int_equal(taken(&p, &cfg, start + 9 * hz, start + 9 * hz + 1000, 10), 10);
}

static void test_policer_edges(void **state)
{
	struct policer_cfg none = policer_cfg_of(0, 10, 1000000000);
	struct policer_cfg fast = policer_cfg_of(10000000000ull, 1, 1000000000);
	struct policer p = {0};

	assert_int_equal(taken(&p, &none, 1, 1000000000000ull, 1000000000), 0);
	p.tat = 0;
	assert_int_equal(taken(&p, &fast, 100, 200, 1), 100);
	/* a clock near zero */
	p.tat = 0;
	assert_false(policer_take(&p, &(struct policer_cfg){1000, 10000}, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	       cmocka_unit_test(test_random),
		cmocka_unit_test(test_source),	       cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_peer_is_source), cmocka_unit_test(test_policer),
		cmocka_unit_test(test_policer_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
