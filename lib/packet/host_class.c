/* SPDX-License-Identifier: BSD-3-Clause */
/* host_class.c - see host_class.h. Reads bytes only after it has asked whether they are there. Pure; no state. */
#include <dwcp/endian.h>
#include <dwcp/util/host_class.h>
#include <dwcp/util/parse_inline.h>

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_ARP	0x0806
#define ETHERTYPE_IP6	0x86dd
#define ETHERTYPE_VLAN	0x8100
#define ETHERTYPE_SVLAN 0x88a8
#define LLC_MAX		1500 /* IEEE 802.3: a length and no type */
#define LLC_OSI		0xfe /* ISO 10589: DSAP and SSAP of IS-IS */
#define MAX_TAGS	2
#define MAX_EXTENSIONS	2 /* more of them carry nothing that we know by name */

enum {
	IP_PROTO_IGMP = 2,
	IP_PROTO_OSPF = 89,
	IP_PROTO_PIM = 103,
	IP_PROTO_VRRP = 112,
};

const enum host_queue host_class_queue[HOST_CLASS_N] = {
#define X(name, text, queue, pps, help) [HOST_CLASS_##name] = HOST_QUEUE_##queue,
	HOST_CLASSES(X)
#undef X
};

static enum host_class class_of_udp(u16 src, u16 dst)
{
	switch (dst) {
	case 3784: /* RFC 5881 */
	case 3785:
	case 4784: /* RFC 5883 */
	case 6784: /* RFC 7130 */
		return HOST_CLASS_BFD;
	case 520: /* RIP */
	case 521:
	case 646: /* LDP */
		return HOST_CLASS_IGP;
	default:
		/* BFD echoes come back to us */
		return src == 3785 ? HOST_CLASS_BFD : HOST_CLASS_MANAGEMENT;
	}
}

static enum host_class class_of_tcp(const u8 *tcp, u32 len)
{
	u16 src = be16_load(tcp), dst = be16_load(tcp + 2);

	if (len < 14)
		return HOST_CLASS_OTHER;
	if (dst == 179)
		return (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN ? HOST_CLASS_BGP_OPEN
								  : HOST_CLASS_BGP;
	/* answers to the sessions that we open: a SYN from port 179 is none */
	if (src == 179)
		return (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN ? HOST_CLASS_MANAGEMENT
								  : HOST_CLASS_BGP;
	if (src == 646 || dst == 646)
		return HOST_CLASS_IGP;
	return HOST_CLASS_MANAGEMENT;
}

static enum host_class class_of_icmp6(const u8 *l4, u32 len)
{
	if (len < 1)
		return HOST_CLASS_OTHER;
	if (l4[0] >= 133 && l4[0] <= 137)
		return HOST_CLASS_NEIGHBOUR;
	/* listener reports and queries: RFC 2710, 3810 */
	return (l4[0] >= 130 && l4[0] <= 132) || l4[0] == 143 ? HOST_CLASS_MULTICAST
							      : HOST_CLASS_ICMP;
}

/* @l4: NULL for later fragments. */
static enum host_class class_of_l4(u8 protocol, const u8 *l4, u32 len)
{
	switch (protocol) {
	case IP_PROTO_OSPF:
	case IP_PROTO_PIM:
	case IP_PROTO_VRRP:
		return HOST_CLASS_IGP;
	case IP_PROTO_IGMP:
		return HOST_CLASS_MULTICAST;
	case IP_PROTO_TCP:
		return l4 && len >= 4 ? class_of_tcp(l4, len) : HOST_CLASS_OTHER;
	case IP_PROTO_UDP:
		return l4 && len >= 4 ? class_of_udp(be16_load(l4), be16_load(l4 + 2))
				      : HOST_CLASS_OTHER;
	case IP_PROTO_ICMP:
		return HOST_CLASS_ICMP;
	case IP_PROTO_ICMP6:
		return l4 ? class_of_icmp6(l4, len) : HOST_CLASS_OTHER;
	default:
		return HOST_CLASS_OTHER;
	}
}

static enum host_class class_of_ip4(const u8 *ip, u32 len, u64 *ret_source)
{
	u32 hdr;

	if (len < IP4_HDR_BYTES)
		return HOST_CLASS_OTHER;
	hdr = (ip[0] & 15u) * 4;
	*ret_source = be32_load(ip + 12);
	if (hdr < IP4_HDR_BYTES || hdr > len)
		return HOST_CLASS_OTHER;
	if (be16_load(ip + 6) & 0x1fff)
		return class_of_l4(ip[9], NULL, 0);
	return class_of_l4(ip[9], ip + hdr, len - hdr);
}

static enum host_class class_of_ip6(const u8 *ip, u32 len, u64 *ret_source)
{
	u32 at = IP6_HDR_BYTES;
	u8 next;

	if (len < IP6_HDR_BYTES)
		return HOST_CLASS_OTHER;
	next = ip[6];
	*ret_source = be64_load(ip + 8) ^ be64_load(ip + 16) * 0x9e3779b97f4a7c15ull;
	for (u32 i = 0; i < MAX_EXTENSIONS; i++) {
		if (next != IP_PROTO_HOP_BY_HOP && next != IP_PROTO_DESTINATION)
			break;
		if (len < at + 8 || len < at + 8 + ip[at + 1] * 8u)
			return HOST_CLASS_OTHER;
		next = ip[at];
		at += 8 + ip[at + 1] * 8u;
	}
	return class_of_l4(next, ip + at, len - at);
}

enum host_class host_class_of(const u8 *frame, u32 len, u64 *ret_source)
{
	bool group = len && frame[0] & 1;
	enum host_class c = HOST_CLASS_OTHER;
	u32 at = 12;
	u16 type;

	*ret_source = 0;
	if (len < ETH_HDR_BYTES)
		return HOST_CLASS_OTHER;
	*ret_source = be64_load(frame + 6) >> 16;
	type = be16_load(frame + at);
	for (u32 i = 0; i < MAX_TAGS && (type == ETHERTYPE_VLAN || type == ETHERTYPE_SVLAN); i++) {
		at += VLAN_TAG_BYTES;
		if (len < at + 2)
			return HOST_CLASS_OTHER;
		type = be16_load(frame + at);
	}
	at += 2;
	if (type == ETHERTYPE_ARP)
		return HOST_CLASS_NEIGHBOUR;
	if (type <= LLC_MAX)
		return len >= at + 2 && frame[at] == LLC_OSI && frame[at + 1] == LLC_OSI
			       ? HOST_CLASS_IGP
			       : HOST_CLASS_MULTICAST;
	if (type == ETHERTYPE_IP4)
		c = class_of_ip4(frame + at, len - at, ret_source);
	else if (type == ETHERTYPE_IP6)
		c = class_of_ip6(frame + at, len - at, ret_source);
	/* what is no control traffic is only as welcome as any frame to everybody */
	return group && host_class_queue[c] == HOST_QUEUE_REST ? HOST_CLASS_MULTICAST : c;
}
