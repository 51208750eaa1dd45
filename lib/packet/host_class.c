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
#define ETHERTYPE_QINQ	0x9100 /* before 802.1ad, still sent */
#define LLC_MAX		1500   /* IEEE 802.3: a length and no type */
#define LLC_OSI		0xfe   /* ISO 10589: DSAP and SSAP of IS-IS */
#define MAX_TAGS	2
#define MAX_EXTENSIONS	2   /* more of them carry nothing that we know by name */
#define HOPS_ON_LINK	255 /* nobody behind another router can send that (RFC 5082) */

enum {
	IP_PROTO_IGMP = 2,
	IP_PROTO_OSPF = 89,
	IP_PROTO_PIM = 103,
	IP_PROTO_VRRP = 112,
	IP_PROTO_RESERVED = 255, /* none, or not to be read */
};

enum {
	PORT_BGP = 179,
	PORT_RIP = 520,
	PORT_RIPNG = 521,
	PORT_LDP = 646,
	PORT_BFD = 3784, /* RFC 5881 */
	PORT_BFD_ECHO = 3785,
	PORT_BFD_MULTIHOP = 4784, /* RFC 5883 */
	PORT_BFD_LAG = 6784,	  /* RFC 7130 */
};

const enum host_queue host_class_queue[HOST_CLASS_N] = {
#define X(name, text, queue, pps, help) [HOST_CLASS_##name] = HOST_QUEUE_##queue,
	HOST_CLASSES(X)
#undef X
};

/* What of a frame tells what it is. */
struct inner {
	u64 src, dst; /* hashes of the addresses; MACs where there is no IP */
	const u8 *at; /* behind the EtherType */
	u32 len;      /* from there on */
	u16 type;
	u8 protocol;  /* of IP */
	u8 hops;      /* TTL or hop limit */
	const u8 *l4; /* NULL: later fragments */
	u32 l4_len;
};

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

static void read_ip4(const u8 *ip, u32 len, struct inner *in)
{
	u32 hdr;

	if (len < IP4_HDR_BYTES)
		return;
	hdr = (ip[0] & 15u) * 4;
	in->src = be32_load(ip + 12);
	in->dst = be32_load(ip + 16);
	if (hdr < IP4_HDR_BYTES || hdr > len)
		return;
	in->protocol = ip[9];
	in->hops = ip[8];
	if (be16_load(ip + 6) & 0x1fff)
		return;
	in->l4 = ip + hdr;
	in->l4_len = len - hdr;
}

static u64 hash6(const u8 *addr)
{
	return be64_load(addr) ^ be64_load(addr + 8) * 0x9e3779b97f4a7c15ull;
}

static void read_ip6(const u8 *ip, u32 len, struct inner *in)
{
	u32 at = IP6_HDR_BYTES;
	u8 next;

	if (len < IP6_HDR_BYTES)
		return;
	in->src = hash6(ip + 8);
	in->dst = hash6(ip + 24);
	in->hops = ip[7];
	next = ip[6];
	for (u32 i = 0; i < MAX_EXTENSIONS; i++) {
		if (next != IP_PROTO_HOP_BY_HOP && next != IP_PROTO_DESTINATION)
			break;
		if (len < at + 8 || len < at + 8 + ip[at + 1] * 8u)
			return;
		next = ip[at];
		at += 8 + ip[at + 1] * 8u;
	}
	in->protocol = next;
	in->l4 = ip + at;
	in->l4_len = len - at;
}

static bool is_tag(u16 type)
{
	return type == ETHERTYPE_VLAN || type == ETHERTYPE_SVLAN || type == ETHERTYPE_QINQ;
}

/* Return: false when not even an EtherType is to be read. */
static bool inner_read(const u8 *frame, u32 len, struct inner *in)
{
	u32 at = 12;

	*in = (struct inner){.protocol = IP_PROTO_RESERVED};
	if (len < ETH_HDR_BYTES)
		return false;
	in->src = be64_load(frame + 6) >> 16;
	in->type = be16_load(frame + at);
	for (u32 i = 0; i < MAX_TAGS && is_tag(in->type); i++) {
		at += VLAN_TAG_BYTES;
		if (len < at + 2)
			return false;
		in->type = be16_load(frame + at);
	}
	in->at = frame + at + 2;
	in->len = len - at - 2;
	if (in->type == ETHERTYPE_IP4)
		read_ip4(in->at, in->len, in);
	else if (in->type == ETHERTYPE_IP6)
		read_ip6(in->at, in->len, in);
	return true;
}

/* ---- classes -------------------------------------------------------------------------------------------------- */

/* BFD over one hop comes with 255 or is discarded by whoever it is for (RFC 5881 §5); echoes come back one lower. */
static enum host_class class_of_udp(u16 src, u16 dst, u8 hops)
{
	if (src == PORT_BFD_ECHO || dst == PORT_BFD_ECHO)
		return hops >= HOPS_ON_LINK - 1 ? HOST_CLASS_BFD : HOST_CLASS_MANAGEMENT;
	switch (dst) {
	case PORT_BFD:
	case PORT_BFD_LAG:
		return hops == HOPS_ON_LINK ? HOST_CLASS_BFD : HOST_CLASS_MANAGEMENT;
	case PORT_BFD_MULTIHOP:
		return HOST_CLASS_BFD;
	case PORT_RIP:
	case PORT_RIPNG:
	case PORT_LDP:
		return HOST_CLASS_IGP;
	default:
		return HOST_CLASS_MANAGEMENT;
	}
}

static enum host_class class_of_tcp(const u8 *tcp, u32 len)
{
	u16 src = be16_load(tcp), dst = be16_load(tcp + 2);

	if (len < 14)
		return HOST_CLASS_OTHER;
	if (dst == PORT_BGP)
		return (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN ? HOST_CLASS_BGP_OPEN
								  : HOST_CLASS_BGP;
	/* answers to the sessions that we open: a SYN from port 179 is none */
	if (src == PORT_BGP)
		return (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN ? HOST_CLASS_MANAGEMENT
								  : HOST_CLASS_BGP;
	if (src == PORT_LDP || dst == PORT_LDP)
		return HOST_CLASS_IGP;
	return HOST_CLASS_MANAGEMENT;
}

/* Neighbour discovery that was not sent on this link is discarded by whoever it is for (RFC 4861 §6.1, §7.1, §8.1). */
static enum host_class class_of_icmp6(const u8 *l4, u32 len, u8 hops)
{
	if (len < 1)
		return HOST_CLASS_OTHER;
	if (l4[0] >= 133 && l4[0] <= 137)
		return hops == HOPS_ON_LINK ? HOST_CLASS_NEIGHBOUR : HOST_CLASS_OTHER;
	/* listener reports and queries: RFC 2710, 3810 */
	return (l4[0] >= 130 && l4[0] <= 132) || l4[0] == 143 ? HOST_CLASS_MULTICAST
							      : HOST_CLASS_ICMP;
}

static enum host_class class_of_ip(const struct inner *in)
{
	const u8 *l4 = in->l4;
	u32 len = in->l4_len;

	switch (in->protocol) {
	case IP_PROTO_OSPF:
	case IP_PROTO_PIM:
		return HOST_CLASS_IGP;
	case IP_PROTO_VRRP: /* RFC 5798 §5.1.1.3, §5.1.2.3 */
		return in->hops == HOPS_ON_LINK ? HOST_CLASS_IGP : HOST_CLASS_OTHER;
	case IP_PROTO_IGMP:
		return HOST_CLASS_MULTICAST;
	case IP_PROTO_TCP:
		return l4 && len >= 4 ? class_of_tcp(l4, len) : HOST_CLASS_OTHER;
	case IP_PROTO_UDP:
		return l4 && len >= 4 ? class_of_udp(be16_load(l4), be16_load(l4 + 2), in->hops)
				      : HOST_CLASS_OTHER;
	case IP_PROTO_ICMP:
		return HOST_CLASS_ICMP;
	case IP_PROTO_ICMP6:
		return l4 ? class_of_icmp6(l4, len, in->hops) : HOST_CLASS_OTHER;
	default:
		return HOST_CLASS_OTHER;
	}
}

enum host_class host_class_of(const u8 *frame, u32 len, u64 *ret_source)
{
	bool group = len && frame[0] & 1;
	enum host_class c = HOST_CLASS_OTHER;
	struct inner in;

	if (!inner_read(frame, len, &in)) {
		*ret_source = in.src;
		return HOST_CLASS_OTHER;
	}
	*ret_source = in.src;
	if (in.type == ETHERTYPE_ARP)
		return HOST_CLASS_NEIGHBOUR;
	if (in.type <= LLC_MAX)
		return in.len >= 2 && in.at[0] == LLC_OSI && in.at[1] == LLC_OSI
			       ? HOST_CLASS_IGP
			       : HOST_CLASS_MULTICAST;
	if (in.type == ETHERTYPE_IP4 || in.type == ETHERTYPE_IP6)
		c = class_of_ip(&in);
	/* what is no control traffic is only as welcome as any frame to everybody */
	return group && host_class_queue[c] == HOST_QUEUE_REST ? HOST_CLASS_MULTICAST : c;
}

/* ---- peers ---------------------------------------------------------------------------------------------------- */

/*
 * Data, or the request to open one: what a stranger's packets can make the kernel send (resets, acknowledgements of a
 * handshake, the end of a connection that no daemon wants) is neither.
 */
static bool tcp_is_session(const u8 *tcp, u32 len, u16 port)
{
	u8 flags;

	if (len < TCP_HDR_BYTES)
		return false;
	flags = tcp[13];
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return be16_load(tcp + 2) == port;
	return !(flags & (TCP_SYN | TCP_RST | TCP_FIN)) && len > (tcp[12] >> 4) * 4u;
}

static enum host_class session_of_tcp(const u8 *tcp, u32 len)
{
	u16 src = be16_load(tcp), dst = be16_load(tcp + 2);

	if ((src == PORT_BGP || dst == PORT_BGP) && tcp_is_session(tcp, len, PORT_BGP))
		return HOST_CLASS_BGP;
	if ((src == PORT_LDP || dst == PORT_LDP) && tcp_is_session(tcp, len, PORT_LDP))
		return HOST_CLASS_IGP;
	return HOST_CLASS_N;
}

static enum host_class session_of_udp(u16 dst)
{
	switch (dst) {
	case PORT_BFD:
	case PORT_BFD_ECHO:
	case PORT_BFD_MULTIHOP:
	case PORT_BFD_LAG:
		return HOST_CLASS_BFD;
	case PORT_LDP: /* hellos to a configured one */
		return HOST_CLASS_IGP;
	default: /* whoever asks RIP has an answer */
		return HOST_CLASS_N;
	}
}

enum host_class host_session_of(const u8 *frame, u32 len, u64 *ret_peer)
{
	struct inner in;

	if (len == 0 || frame[0] & 1 || !inner_read(frame, len, &in))
		return HOST_CLASS_N;
	*ret_peer = in.dst;
	if (in.protocol == IP_PROTO_OSPF)
		return HOST_CLASS_IGP;
	if (!in.l4 || in.l4_len < 4)
		return HOST_CLASS_N;
	if (in.protocol == IP_PROTO_TCP)
		return session_of_tcp(in.l4, in.l4_len);
	if (in.protocol == IP_PROTO_UDP)
		return session_of_udp(be16_load(in.l4 + 2));
	return HOST_CLASS_N;
}
