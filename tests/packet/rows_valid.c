/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_valid.c - what a router must pass, with all that parse must find; and each of them cut at every byte, in the
 * three ways that packets are cut: the frame ends early, the IP packet ends early (lengths and checksum right for
 * what is left), or the first segment of a chain ends early.
 */
#include <stdlib.h>

#include "rows.h"

enum valid_ports { PORTS_NONE, PORTS_L4, PORTS_ECHO };

struct valid {
	const char *name;
	void (*build)(struct packet_build *b);
	u16 flags; /* beside those of the family and of the ports */
	u8 protocol;
	u8 ports; /* enum valid_ports */
	u8 tcp_flags;
	u8 icmp_type;
};

static const u8 tcp_options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};

/* ---- link layer ---- */

static void eth_ip4(struct packet_build *b)
{
	build_eth(b);
	build_ip4(b);
}

static void eth_ip6(struct packet_build *b)
{
	build_eth(b);
	build_ip6(b);
}

static void tagged_udp4(struct packet_build *b)
{
	build_eth(b);
	build_tag(b, 0x8100, 0x6064); /* priority 3, id 100 */
	build_ip4(b);
	build_udp(b);
	build_payload(b, 4);
}

static void priority_tagged_udp4(struct packet_build *b)
{
	build_eth(b);
	build_tag(b, 0x8100, 0xe000);
	build_ip4(b);
	build_udp(b);
}

static void provider_tagged_tcp4(struct packet_build *b)
{
	build_eth(b);
	build_tag(b, 0x88a8, 0x1fff);
	build_tag(b, 0x8100, 0x0001);
	build_ip4(b);
	build_tcp(b, 0x18, NULL, 0);
	build_payload(b, 1);
}

static void old_tagged_udp6(struct packet_build *b)
{
	build_eth(b);
	build_tag(b, 0x9100, 200);
	build_tag(b, 0x8100, 300);
	build_ip6(b);
	build_udp(b);
	build_payload(b, 3);
}

static void twice_tagged_tcp6(struct packet_build *b)
{
	build_eth(b);
	build_tag(b, 0x8100, 7);
	build_tag(b, 0x8100, 8);
	build_ip6(b);
	build_tcp(b, 0x12, tcp_options, sizeof(tcp_options));
}

/* ---- IPv4 ---- */

static void tcp4_syn(struct packet_build *b)
{
	eth_ip4(b);
	build_tcp(b, 0x02, tcp_options, sizeof(tcp_options));
}

static void tcp4_data(struct packet_build *b)
{
	eth_ip4(b);
	build_tcp(b, 0x10, NULL, 0);
	build_payload(b, 33);
}

static void tcp4_ecn_setup(struct packet_build *b)
{
	eth_ip4(b);
	build_tcp(b, 0xc2, NULL, 0);
}

static void udp4(struct packet_build *b)
{
	eth_ip4(b);
	build_udp(b);
	build_payload(b, 18);
}

static void udp4_empty(struct packet_build *b)
{
	eth_ip4(b);
	build_udp(b);
}

static void echo4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 8, 0, BUILD_ECHO << 16 | 1);
	build_payload(b, 8);
}

static void echo_reply4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 0, 0, BUILD_ECHO << 16 | 1);
}

static void timestamp4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 13, 0, 0);
	build_payload(b, 12);
}

/* The quoted packet: what tcp4_data() sends, in the other direction's error. */
static void quote(struct packet_build *b, void (*inner)(struct packet_build *), u32 n)
{
	static struct packet_build q;

	inner(&q);
	build_fix(&q);
	build_bytes(b, q.bytes + q.l3, DWCP_MIN(n, q.len - q.l3));
}

static void unreachable4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 4, 1400);
	quote(b, tcp4_data, 28);
}

static void quench4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 4, 0, 0);
	quote(b, udp4, 28);
}

static void redirect4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 5, 1, BUILD_DST4);
	quote(b, udp4, 28);
}

static void time_exceeded4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 11, 0, 0);
	quote(b, tcp4_data, 60);
}

static void router_alert4(struct packet_build *b);

static void parameter4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 12, 0, 20u << 24);
	quote(b, router_alert4, 32);
}

static void unreachable4_short(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 1, 0);
	quote(b, tcp4_data, 27);
}

static void unreachable4_bare(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 1, 0);
}

static void unreachable4_not_ip4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 1, 0);
	quote(b, eth_ip6, 40);
}

/* Quotes that are no IPv4 header: version 5, and an IHL of 4. */
static void unreachable4_version5(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 1, 0);
	quote(b, tcp4_data, 60);
	b->bytes[b->l4 + 8] = 0x55;
}

static void unreachable4_ihl4(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 3, 1, 0);
	quote(b, tcp4_data, 60);
	b->bytes[b->l4 + 8] = 0x44;
}

/* A quote whose options end where the packet ends. */
static void parameter4_short(struct packet_build *b)
{
	eth_ip4(b);
	build_icmp(b, 12, 0, 20u << 24);
	quote(b, router_alert4, 31);
}

/* An error in a fragment quotes what can't be matched any more. */
static void first_unreachable4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 0, true);
	build_icmp(b, 3, 1, 0);
	quote(b, tcp4_data, 32);
}

static void gre4(struct packet_build *b)
{
	eth_ip4(b);
	build_protocol(b, 47);
	build_payload(b, 12);
}

static void unknown4_empty(struct packet_build *b)
{
	eth_ip4(b);
	build_protocol(b, 253);
}

static void icmp6_in_ip4(struct packet_build *b)
{
	eth_ip4(b);
	build_protocol(b, 58);
	build_payload(b, 2);
}

static void hop_by_hop_in_ip4(struct packet_build *b)
{
	eth_ip4(b);
	build_protocol(b, 0);
	build_payload(b, 1);
}

static void nop4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\1\1\1\0", 4);
	build_udp(b);
}

static void router_alert4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\x94\4\0\0", 4);
	build_udp(b);
	build_payload(b, 6);
}

static void record_route4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\7\x0b\4\0\0\0\0\0\0\0\0", 11);
	build_tcp(b, 0x11, NULL, 0);
}

static void timestamp_option4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\x44\x0c\5\0\0\0\0\0\0\0\0\0", 12);
	build_icmp(b, 8, 0, BUILD_ECHO << 16);
}

static void unknown_option4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\x9e\6\xff\xff\xff\xff\x55\2", 8);
	build_udp(b);
}

static void garbage_after_end4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_options(b, "\1\0\x83\0\xff\xff\xff\xff", 8);
	build_udp(b);
}

static void full_options4(struct packet_build *b)
{
	u8 options[40];

	memset(options, 1, sizeof(options));
	eth_ip4(b);
	build_ip4_options(b, options, sizeof(options));
	build_tcp(b, 0x04, NULL, 0);
}

static void first_tcp4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 0, true);
	build_tcp(b, 0x18, tcp_options, sizeof(tcp_options));
	build_payload(b, 8);
}

static void first_udp4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 0, true);
	build_udp(b);
	build_payload(b, 16);
}

static void first_echo4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 0, true);
	build_icmp(b, 8, 0, BUILD_ECHO << 16);
	build_payload(b, 8);
}

static void middle4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 1480, true);
	build_protocol(b, 17);
	build_payload(b, 24);
}

static void last_tcp4(struct packet_build *b)
{
	eth_ip4(b);
	build_ip4_fragment(b, 24, false);
	build_protocol(b, 6);
	build_payload(b, 3);
}

static void overlapping_udp4(struct packet_build *b) /* only TCP's header is guarded */
{
	eth_ip4(b);
	build_ip4_fragment(b, 8, false);
	build_protocol(b, 17);
	build_payload(b, 5);
}

static void last_at_the_end4(struct packet_build *b) /* 20 + 65,512 + 3 = 65,535 */
{
	eth_ip4(b);
	build_ip4_fragment(b, 65512, false);
	build_protocol(b, 17);
	build_payload(b, 3);
}

/* ---- IPv6 ---- */

static void tcp6_syn(struct packet_build *b)
{
	eth_ip6(b);
	build_tcp(b, 0x02, tcp_options, sizeof(tcp_options));
}

static void tcp6_data(struct packet_build *b)
{
	eth_ip6(b);
	build_tcp(b, 0x19, NULL, 0);
	build_payload(b, 9);
}

static void udp6(struct packet_build *b)
{
	eth_ip6(b);
	build_udp(b);
	build_payload(b, 10);
}

static void udp6_empty(struct packet_build *b)
{
	eth_ip6(b);
	build_udp(b);
}

static void echo6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 128, 0, BUILD_ECHO << 16 | 1);
	build_payload(b, 8);
}

static void echo_reply6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 129, 0, BUILD_ECHO << 16 | 1);
}

static void unreachable6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 1, 0, 0);
	quote(b, udp6, 48);
}

static void too_big6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 2, 0, 1280);
	quote(b, tcp6_data, 1000);
}

static void time_exceeded6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 3, 0, 0);
	quote(b, udp6, 48);
}

static void parameter6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 4, 0, 6);
	quote(b, udp6, 48);
}

static void unreachable6_short(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 1, 0, 0);
	quote(b, udp6, 47);
}

static void unreachable6_not_ip6(struct packet_build *b)
{
	eth_ip6(b);
	build_icmp6(b, 1, 0, 0);
	quote(b, tcp4_data, 53);
}

static void esp6(struct packet_build *b)
{
	eth_ip6(b);
	build_protocol(b, 50);
	build_payload(b, 20);
}

static void none6(struct packet_build *b)
{
	eth_ip6(b);
	build_protocol(b, 59);
}

static void unknown6(struct packet_build *b)
{
	eth_ip6(b);
	build_protocol(b, 253);
	build_payload(b, 2);
}

static void icmp4_in_ip6(struct packet_build *b)
{
	eth_ip6(b);
	build_protocol(b, 1);
	build_payload(b, 1);
}

static void router_alert6(struct packet_build *b)
{
	eth_ip6(b);
	build_ext_options(b, 0, "\5\2\0\0", 4);
	build_udp(b);
}

static void unknown_options6(struct packet_build *b) /* action bits 01, 10, 11: not for a router */
{
	eth_ip6(b);
	build_ext_options(b, 0, "\x5e\1\0\x9e\1\0\xde\1\0", 9);
	build_ext_options(b, 60, "\xde\1\0\0\0\0", 6);
	build_udp(b);
}

static void all_extensions6(struct packet_build *b)
{
	eth_ip6(b);
	build_ext_options(b, 0, "\1\4\0\0\0\0", 6);
	build_ext_options(b, 60, "\1\0\0", 3);
	build_ext(b, 43, "\2\0\0\0\0\0", 6); /* type 2, no segments left */
	build_ip6_fragment(b, 0, true);
	build_ah(b);
	build_ext_options(b, 60, "\0\0\0\0\0\0", 6);
	build_tcp(b, 0x10, NULL, 0);
	build_payload(b, 12);
}

static void segment_routing6(struct packet_build *b)
{
	static const u8 body[22] = {4, 1, 0};

	eth_ip6(b);
	build_ext(b, 43, body, sizeof(body));
	build_tcp(b, 0x18, NULL, 0);
}

static void eight_extensions6(struct packet_build *b)
{
	eth_ip6(b);
	for (int i = 0; i < 8; i++)
		build_ext_options(b, 60, "\1\4\0\0\0\0", 6);
	build_udp(b);
}

static void ah_esp6(struct packet_build *b)
{
	eth_ip6(b);
	build_ah(b);
	build_protocol(b, 50);
	build_payload(b, 9);
}

static void ah_udp6(struct packet_build *b)
{
	eth_ip6(b);
	build_ah(b);
	build_udp(b);
}

static void atomic_udp6(struct packet_build *b)
{
	eth_ip6(b);
	build_ip6_fragment(b, 0, false);
	build_udp(b);
	build_payload(b, 3);
}

static void first_udp6(struct packet_build *b)
{
	eth_ip6(b);
	build_ip6_fragment(b, 0, true);
	build_udp(b);
	build_payload(b, 8);
}

static void first_echo6(struct packet_build *b)
{
	eth_ip6(b);
	build_ip6_fragment(b, 0, true);
	build_icmp6(b, 128, 0, BUILD_ECHO << 16);
}

static void middle6(struct packet_build *b)
{
	eth_ip6(b);
	build_ext_options(b, 0, "\5\2\0\0", 4);
	build_ip6_fragment(b, 1448, true);
	build_protocol(b, 17);
	build_payload(b, 16);
}

static void last_tcp6(struct packet_build *b)
{
	eth_ip6(b);
	build_ip6_fragment(b, 24, false);
	build_protocol(b, 6);
	build_payload(b, 1);
}

static void last_of_options6(struct packet_build *b) /* what it names lies in the first fragment */
{
	eth_ip6(b);
	build_ip6_fragment(b, 8, false);
	build_protocol(b, 60);
	build_payload(b, 7);
}

static void last_at_the_end6(struct packet_build *b) /* 65,528 + 7 */
{
	eth_ip6(b);
	build_ip6_fragment(b, 65528, false);
	build_protocol(b, 17);
	build_payload(b, 7);
}

#define FIRST (PKT_FRAGMENT)
#define LATER (PKT_FRAGMENT | PKT_LATER_FRAGMENT)

/* clang-format off */
static const struct valid valid[] = {
	{"tcp4 syn",               tcp4_syn,             0,              6,   PORTS_L4,   0x02, 0},
	{"tcp4 data",              tcp4_data,            0,              6,   PORTS_L4,   0x10, 0},
	{"tcp4 ecn setup",         tcp4_ecn_setup,       0,              6,   PORTS_L4,   0xc2, 0},
	{"udp4",                   udp4,                 0,              17,  PORTS_L4,   0,    0},
	{"udp4 empty",             udp4_empty,           0,              17,  PORTS_L4,   0,    0},
	{"echo4",                  echo4,                0,              1,   PORTS_ECHO, 0,    8},
	{"echo reply4",            echo_reply4,          0,              1,   PORTS_ECHO, 0,    0},
	{"icmp timestamp4",        timestamp4,           0,              1,   PORTS_NONE, 0,    13},
	{"unreachable4",           unreachable4,         PKT_ICMP_ERROR, 1,   PORTS_NONE, 0,    3},
	{"source quench4",         quench4,              PKT_ICMP_ERROR, 1,   PORTS_NONE, 0,    4},
	{"redirect4",              redirect4,            PKT_ICMP_ERROR, 1,   PORTS_NONE, 0,    5},
	{"time exceeded4",         time_exceeded4,       PKT_ICMP_ERROR, 1,   PORTS_NONE, 0,    11},
	{"parameter problem4",     parameter4,           PKT_ICMP_ERROR, 1,   PORTS_NONE, 0,    12},
	{"unreachable4 short",     unreachable4_short,   0,              1,   PORTS_NONE, 0,    3},
	{"unreachable4 bare",      unreachable4_bare,    0,              1,   PORTS_NONE, 0,    3},
	{"unreachable4 not ip4",   unreachable4_not_ip4, 0,              1,   PORTS_NONE, 0,    3},
	{"unreachable4 version 5", unreachable4_version5, 0,             1,   PORTS_NONE, 0,    3},
	{"unreachable4 IHL 4",     unreachable4_ihl4,    0,              1,   PORTS_NONE, 0,    3},
	{"parameter4 short",       parameter4_short,     0,              1,   PORTS_NONE, 0,    12},
	{"first unreachable4",     first_unreachable4,   FIRST,          1,   PORTS_NONE, 0,    3},
	{"gre4",                   gre4,                 0,              47,  PORTS_NONE, 0,    0},
	{"unknown4 empty",         unknown4_empty,       0,              253, PORTS_NONE, 0,    0},
	{"icmp6 in ip4",           icmp6_in_ip4,         0,              58,  PORTS_NONE, 0,    0},
	{"hop-by-hop in ip4",      hop_by_hop_in_ip4,    0,              0,   PORTS_NONE, 0,    0},
	{"nop4",                   nop4,                 PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"router alert4",          router_alert4,        PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"record route4",          record_route4,        PKT_OPTIONS,    6,   PORTS_L4,   0x11, 0},
	{"timestamp option4",      timestamp_option4,    PKT_OPTIONS,    1,   PORTS_ECHO, 0,    8},
	{"unknown option4",        unknown_option4,      PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"garbage after end4",     garbage_after_end4,   PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"full options4",          full_options4,        PKT_OPTIONS,    6,   PORTS_L4,   0x04, 0},
	{"first tcp4",             first_tcp4,           FIRST,          6,   PORTS_L4,   0x18, 0},
	{"first udp4",             first_udp4,           FIRST,          17,  PORTS_L4,   0,    0},
	{"first echo4",            first_echo4,          FIRST,          1,   PORTS_ECHO, 0,    8},
	{"middle4",                middle4,              LATER,          17,  PORTS_NONE, 0,    0},
	{"last tcp4",              last_tcp4,            LATER,          6,   PORTS_NONE, 0,    0},
	{"overlapping udp4",       overlapping_udp4,     LATER,          17,  PORTS_NONE, 0,    0},
	{"last at the end4",       last_at_the_end4,     LATER,          17,  PORTS_NONE, 0,    0},
	{"tagged udp4",            tagged_udp4,          0,              17,  PORTS_L4,   0,    0},
	{"priority tagged udp4",   priority_tagged_udp4, 0,              17,  PORTS_L4,   0,    0},
	{"provider tagged tcp4",   provider_tagged_tcp4, 0,              6,   PORTS_L4,   0x18, 0},
	{"old tagged udp6",        old_tagged_udp6,      0,              17,  PORTS_L4,   0,    0},
	{"twice tagged tcp6",      twice_tagged_tcp6,    0,              6,   PORTS_L4,   0x12, 0},
	{"tcp6 syn",               tcp6_syn,             0,              6,   PORTS_L4,   0x02, 0},
	{"tcp6 data",              tcp6_data,            0,              6,   PORTS_L4,   0x19, 0},
	{"udp6",                   udp6,                 0,              17,  PORTS_L4,   0,    0},
	{"udp6 empty",             udp6_empty,           0,              17,  PORTS_L4,   0,    0},
	{"echo6",                  echo6,                0,              58,  PORTS_ECHO, 0,    128},
	{"echo reply6",            echo_reply6,          0,              58,  PORTS_ECHO, 0,    129},
	{"unreachable6",           unreachable6,         PKT_ICMP_ERROR, 58,  PORTS_NONE, 0,    1},
	{"too big6",               too_big6,             PKT_ICMP_ERROR, 58,  PORTS_NONE, 0,    2},
	{"time exceeded6",         time_exceeded6,       PKT_ICMP_ERROR, 58,  PORTS_NONE, 0,    3},
	{"parameter problem6",     parameter6,           PKT_ICMP_ERROR, 58,  PORTS_NONE, 0,    4},
	{"unreachable6 short",     unreachable6_short,   0,              58,  PORTS_NONE, 0,    1},
	{"unreachable6 not ip6",   unreachable6_not_ip6, 0,              58,  PORTS_NONE, 0,    1},
	{"esp6",                   esp6,                 0,              50,  PORTS_NONE, 0,    0},
	{"none6",                  none6,                0,              59,  PORTS_NONE, 0,    0},
	{"unknown6",               unknown6,             0,              253, PORTS_NONE, 0,    0},
	{"icmp4 in ip6",           icmp4_in_ip6,         0,              1,   PORTS_NONE, 0,    0},
	{"router alert6",          router_alert6,        PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"unknown options6",       unknown_options6,     PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"all extensions6",        all_extensions6,      PKT_OPTIONS | FIRST, 6, PORTS_L4, 0x10, 0},
	{"segment routing6",       segment_routing6,     PKT_OPTIONS,    6,   PORTS_L4,   0x18, 0},
	{"eight extensions6",      eight_extensions6,    PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"ah esp6",                ah_esp6,              PKT_OPTIONS,    50,  PORTS_NONE, 0,    0},
	{"ah udp6",                ah_udp6,              PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"atomic udp6",            atomic_udp6,          PKT_OPTIONS,    17,  PORTS_L4,   0,    0},
	{"first udp6",             first_udp6,           PKT_OPTIONS | FIRST, 17, PORTS_L4, 0,  0},
	{"first echo6",            first_echo6,          PKT_OPTIONS | FIRST, 58, PORTS_ECHO, 0, 128},
	{"middle6",                middle6,              PKT_OPTIONS | LATER, 17, PORTS_NONE, 0, 0},
	{"last tcp6",              last_tcp6,            PKT_OPTIONS | LATER, 6, PORTS_NONE, 0, 0},
	{"last of options6",       last_of_options6,     PKT_OPTIONS | LATER, 60, PORTS_NONE, 0, 0},
	{"last at the end6",       last_at_the_end6,     PKT_OPTIONS | LATER, 17, PORTS_NONE, 0, 0},
};
/* clang-format on */

u32 rows_n_valid(void)
{
	return DWCP_ARRAY_LEN(valid);
}

void rows_valid_build(u32 i, struct packet_build *ret_build)
{
	valid[i].build(ret_build);
	build_fix(ret_build);
}

static void expect_tags(const struct packet_build *b, struct pkt *p)
{
	p->n_tags = (u8)b->n_tags;
	if (b->n_tags)
		p->vlan = be16_load(b->bytes + b->l3 - 4) & 0xfff;
	if (b->n_tags == 2)
		p->svlan = be16_load(b->bytes + b->l3 - 8) & 0xfff;
}

static void expect_fill(const struct valid *v, const struct packet_build *b, struct pkt *p)
{
	memset(p, 0, sizeof(*p));
	expect_tags(b, p);
	if (b->family == 4) {
		p->src.lo = BUILD_SRC4;
		p->dst.lo = BUILD_DST4;
		p->flags = PKT_IP4;
	} else {
		p->src = build_src6;
		p->dst = build_dst6;
		p->flags = PKT_IP6 | PKT_DONT_FRAGMENT;
	}
	p->flags |= v->flags | (v->ports != PORTS_NONE ? PKT_L4 : 0);
	p->l3_offset = (u16)b->l3;
	p->l4_offset = (u16)b->l4;
	p->ip_len = b->len - b->l3;
	p->src_port = v->ports == PORTS_L4 ? BUILD_SPORT : v->ports == PORTS_ECHO ? BUILD_ECHO : 0;
	p->dst_port = v->ports == PORTS_L4 ? BUILD_DPORT : v->ports == PORTS_ECHO ? BUILD_ECHO : 0;
	p->protocol = v->protocol;
	p->ttl = 64;
	p->dscp_ecn = 0x28;
	p->tcp_flags = v->tcp_flags;
	p->icmp_type = v->icmp_type;
	p->inner_offset = v->flags & PKT_ICMP_ERROR ? (u16)(b->l4 + 8) : 0;
}

static const struct build_span *span_find(const struct packet_build *b, u32 at)
{
	for (u32 i = 0; i < b->n_spans; i++)
		if (at >= b->span[i].start && at < b->span[i].end)
			return &b->span[i];
	return NULL;
}

/* The frame ends at n although its IP header says more. The link layer and the IP header have the first spans. */
static u32 expect_frame_cut(const struct packet_build *b, u32 n)
{
	const struct build_span *s = span_find(b, n);

	if (s && s <= &b->span[b->n_tags + 1])
		return VERDICT_DROP(s->cut);
	return VERDICT_DROP(b->family == 4 ? DROP_IP4_TOTAL_LENGTH : DROP_IP6_PAYLOAD_LENGTH);
}

/* The first segment ends at n; of the payload nothing is read. */
static u32 expect_segment_cut(const struct packet_build *b, u32 n)
{
	const struct build_span *s = span_find(b, n);

	return s && s->seg != DROP_N_REASONS ? VERDICT_DROP(s->seg) : VERDICT_PASS;
}

/* The packet ends at n and its IP header says so. */
static u32 expect_packet_cut(const struct packet_build *b, u32 n)
{
	const struct build_span *s = span_find(b, n);
	u32 data_bytes = n - b->data_at;

	if (b->family == 6 && n == b->l3 + 40 && b->bytes[b->l3 + 6] == 0)
		return VERDICT_DROP(DROP_IP6_PAYLOAD_LENGTH);
	if (b->data_at && n >= b->data_at && (!data_bytes || (b->more && data_bytes % 8)))
		return VERDICT_DROP(b->family == 4 ? DROP_IP4_FRAGMENT : DROP_IP6_FRAGMENT);
	return s ? VERDICT_DROP(s->cut) : VERDICT_PASS;
}

static void rows_cut(struct row_set *set, const struct valid *v, const struct packet_build *b)
{
	static struct packet_build c;
	u32 hdr_end = b->span[b->n_tags + 1].end;

	for (u32 n = 0; n < b->len; n++) {
		rows_add_cut(set, b, n, n, expect_frame_cut(b, n), "%s, frame ends at %u", v->name,
			     n);
		rows_add_cut(set, b, n, b->len, expect_segment_cut(b, n), "%s, segment ends at %u",
			     v->name, n);
		if (n < hdr_end)
			continue;
		c = *b;
		c.len = n;
		build_fix_ip(&c);
		rows_add(set, &c, expect_packet_cut(b, n), "%s, packet ends at %u", v->name, n);
	}
}

/* The shortest Ethernet frame is 60 bytes without its check sequence: what is behind the packet is padding. */
static void rows_pad(struct row_set *set, const struct valid *v, struct packet_build *b,
		     const struct pkt *expect)
{
	static const u32 pads[] = {1, 6, 46, 200};
	u32 len = b->len;
	struct row *r;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(pads); i++) {
		build_payload(b, pads[i]);
		r = rows_pass(set, b, "%s, %u bytes of padding", v->name, pads[i]);
		r->expect = *expect;
		r->has_expect = true;
		b->len = len;
	}
}

void rows_valid(struct row_set *set)
{
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(valid); i++) {
		struct row *r;
		struct pkt expect;

		rows_valid_build(i, &b);
		expect_fill(&valid[i], &b, &expect);
		r = rows_pass(set, &b, "%s", valid[i].name);
		r->expect = expect;
		r->has_expect = true;
		rows_cut(set, &valid[i], &b);
		rows_pad(set, &valid[i], &b, &expect);
	}
}
