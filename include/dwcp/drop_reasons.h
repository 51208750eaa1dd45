/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drop_reasons.h - every way a packet can die, once: the counter, its name in `dwcp-cli drops`, and what it means.
 * A packet that is neither sent, handed to the host nor queued is counted under exactly one of these.
 * Append only (the number is part of the stats ABI); each has a row in tests/packet that causes it.
 */
#pragma once

/* clang-format off */
#define DWCP_DROP_REASONS(X) \
	/* link layer */ \
	X(L2_TRUNCATED,        "frame shorter than its Ethernet header") \
	X(L2_VLAN_TRUNCATED,   "frame ends inside a VLAN tag") \
	X(L2_VLAN_DEPTH,       "more than two VLAN tags") \
	X(L2_NOT_OURS,         "destination MAC is another host's") \
	X(L2_MULTICAST,        "multicast or broadcast frame, not forwarded") \
	X(L2_ETHERTYPE,        "neither IPv4 nor IPv6") \
	X(L2_ARP,              "ARP: answered by the host, not forwarded") \
	/* IPv4 (RFC 791, 1122, 1812) */ \
	X(IP4_TRUNCATED,       "frame ends inside the IPv4 header") \
	X(IP4_VERSION,         "version field is not 4") \
	X(IP4_HEADER_LENGTH,   "IHL below 5 or past the packet") \
	X(IP4_TOTAL_LENGTH,    "total length below the header or past the frame") \
	X(IP4_CHECKSUM,        "header checksum is wrong") \
	X(IP4_OPTION,          "option list is malformed") \
	X(IP4_SOURCE_ROUTE,    "source-route option (RFC 7126: drop)") \
	X(IP4_FRAGMENT,        "fragment is impossible: past 65,535 bytes, empty, or not a multiple of 8") \
	X(IP4_SOURCE,          "source can't be a host: multicast, loopback, 0/8, broadcast; or link-local, forwarded") \
	X(IP4_DESTINATION,     "destination not forwardable: 0/8, loopback, multicast, link-local or 240/4") \
	X(IP4_TTL,             "TTL ran out") \
	/* IPv6 (RFC 8200) */ \
	X(IP6_TRUNCATED,       "frame ends inside the IPv6 header") \
	X(IP6_VERSION,         "version field is not 6") \
	X(IP6_PAYLOAD_LENGTH,  "payload length past the frame, or a jumbogram") \
	X(IP6_EXTENSION,       "extension header chain runs past the packet") \
	X(IP6_EXTENSION_ORDER, "hop-by-hop header not first") \
	X(IP6_EXTENSION_COUNT, "more than 8 extension headers") \
	X(IP6_OPTION,          "hop-by-hop or destination option is malformed, or more than 64 of them") \
	X(IP6_ROUTING_0,       "type 0 routing header (RFC 5095: drop)") \
	X(IP6_FRAGMENT,        "fragment is impossible: past 65,535 bytes, empty, or not a multiple of 8") \
	X(IP6_SOURCE,          "source can't be a host: multicast, loopback; or unspecified or link-local, forwarded") \
	X(IP6_DESTINATION,     "destination not forwardable: unspecified, loopback, multicast or link-local") \
	X(IP6_HOP_LIMIT,       "hop limit ran out") \
	/* transport: the first fragment must hold what a firewall behind us would need */ \
	X(TCP_TRUNCATED,       "packet ends inside the TCP header") \
	X(TCP_OFFSET,          "TCP data offset below 5 or past the packet") \
	X(TCP_FLAGS,           "TCP flags that no stack sends: SYN with FIN or RST, or none at all") \
	X(UDP_TRUNCATED,       "packet ends inside the UDP header") \
	X(UDP_LENGTH,          "UDP length below 8 or past the packet") \
	X(ICMP_TRUNCATED,      "packet ends inside the ICMP header") \
	X(TINY_FRAGMENT,       "first fragment lacks the transport header, or a later one overwrites it (RFC 1858)") \
	/* route */ \
	X(NO_ROUTE,            "no route covers the destination") \
	X(BLACKHOLE,           "blackhole route") \
	X(UNREACHABLE,         "unreachable route") \
	X(PROHIBIT,            "prohibit route") \
	X(UNRESOLVED,          "next hop's link-layer address is unknown") \
	X(TO_HOST,             "for the router itself, and the port has no host interface") \
	/* rewrite */ \
	X(MTU_EXCEEDED,        "larger than the outgoing port's MTU") \
	X(NO_HEADROOM,         "no room in the buffer for the VLAN tags to add") \
	/* tx */ \
	X(TX_FULL,             "outgoing queue full") \
	X(TX_PORT_DOWN,        "outgoing port has no link") \
	/* engine */ \
	X(NO_TABLE,            "no generation of tables adopted yet") \
	/* host */ \
	X(L2_VLAN,             "tagged for a VLAN that the port does not have") \
	X(HOST_POLICED,        "for the router itself, beyond the rate of its class or of one sender's share") \
	X(HOST_FULL,           "for the router itself, and the queue to the kernel is full")
/* clang-format on */

enum drop_reason {
#define X(name, text) DROP_##name,
	DWCP_DROP_REASONS(X)
#undef X
		DROP_N_REASONS
};

/* Room in the stats page; growing past it changes the ABI version. */
#define DWCP_DROP_REASONS_MAX 128
_Static_assert(DROP_N_REASONS <= DWCP_DROP_REASONS_MAX, "stats ABI");
