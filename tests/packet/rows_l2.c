/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_l2.c - MAC addresses, EtherTypes, VLAN tags. */
#include "rows.h"

static void udp4(struct packet_build *b)
{
	build_ip4(b);
	build_udp(b);
	build_payload(b, 18);
	build_fix(b);
}

static void udp6(struct packet_build *b)
{
	build_ip6(b);
	build_udp(b);
	build_payload(b, 2);
	build_fix(b);
}

static void rows_mac(struct row_set *set, void (*ip)(struct packet_build *), const char *name)
{
	static struct packet_build b;

	/* Every bit of the address counts. The first bit sent makes it a group. */
	for (u32 bit = 0; bit < 48; bit++) {
		build_eth(&b);
		ip(&b);
		b.bytes[bit / 8] ^= (u8)(1u << bit % 8);
		if (bit == 0) {
			rows_drop(set, &b, L2_MULTICAST, "%s, group bit set", name);
			rows_drop(set, &b, L2_MULTICAST, "%s, group bit set, promiscuous", name)
				->promiscuous = true;
			continue;
		}
		rows_drop(set, &b, L2_NOT_OURS, "%s, bit %u of our MAC flipped", name, bit);
		rows_pass(set, &b, "%s, bit %u of our MAC flipped, promiscuous", name, bit)
			->promiscuous = true;
	}
	build_eth(&b);
	ip(&b);
	memset(b.bytes, 0xff, 6);
	rows_drop(set, &b, L2_MULTICAST, "%s, broadcast", name);
	rows_drop(set, &b, L2_MULTICAST, "%s, broadcast, promiscuous", name)->promiscuous = true;
	memcpy(b.bytes, "\x33\x33\0\0\0\1", 6);
	rows_drop(set, &b, L2_MULTICAST, "%s, IPv6 multicast MAC", name);
	memcpy(b.bytes, "\x01\0\x5e\0\0\5", 6);
	rows_drop(set, &b, L2_MULTICAST, "%s, IPv4 multicast MAC", name);
	memcpy(b.bytes, build_our_mac, 6);
	memcpy(b.bytes + 6, build_our_mac, 6);
	rows_pass(set, &b, "%s, from our own MAC", name);
}

static void rows_ethertype(struct row_set *set)
{
	static const u16 types[] = {0x0000, 0x0026, 0x05dc, 0x0600, 0x0801, 0x0842,
				    0x8035, 0x80f3, 0x86dc, 0x8847, 0x8848, 0x8863,
				    0x8864, 0x888e, 0x88cc, 0x88e5, 0x9200, 0xffff};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(types); i++) {
		build_eth(&b);
		build_payload(&b, 46);
		be16_store(b.bytes + 12, types[i]);
		rows_drop(set, &b, L2_ETHERTYPE, "ethertype %04x", types[i]);
		build_eth(&b);
		build_tag(&b, 0x8100, 5);
		build_ethertype(&b, types[i]);
		build_payload(&b, 46);
		rows_drop(set, &b, L2_ETHERTYPE, "tagged, ethertype %04x", types[i]);
	}
	memset(b.bytes, 0xff, 6);
	rows_drop(set, &b, L2_MULTICAST, "broadcast of an unknown ethertype");
}

/* Every bit of the EtherType counts, also in front of a good IP packet. */
static void rows_ethertype_bits(struct row_set *set, void (*ip)(struct packet_build *),
				const char *name)
{
	static struct packet_build b;

	for (u32 n_tags = 0; n_tags < 3; n_tags++) {
		for (u32 bit = 0; bit < 16; bit++) {
			build_eth(&b);
			for (u32 i = 0; i < n_tags; i++)
				build_tag(&b, 0x8100, 100);
			ip(&b);
			b.bytes[b.l3 - 2 + bit / 8] ^= (u8)(1u << bit % 8);
			rows_drop(set, &b, L2_ETHERTYPE,
				  "%s, %u tags, bit %u of the ethertype flipped", name, n_tags,
				  bit);
		}
	}
}

static void rows_arp(struct row_set *set)
{
	static struct packet_build b;

	build_eth(&b);
	build_ethertype(&b, 0x0806);
	build_payload(&b, 46);
	rows_drop(set, &b, L2_ARP, "arp to us");
	memset(b.bytes, 0xff, 6);
	rows_drop(set, &b, L2_ARP, "arp broadcast");
	memcpy(b.bytes, build_peer_mac, 6);
	rows_drop(set, &b, L2_NOT_OURS, "arp to another host");
	rows_drop(set, &b, L2_ARP, "arp to another host, promiscuous")->promiscuous = true;
	rows_add_cut(set, &b, 14, 14, VERDICT_DROP(DROP_L2_NOT_OURS),
		     "arp to another host, header only");
	build_eth(&b);
	build_tag(&b, 0x88a8, 1);
	build_tag(&b, 0x8100, 2);
	build_ethertype(&b, 0x0806);
	build_payload(&b, 28);
	memset(b.bytes, 0xff, 6);
	rows_drop(set, &b, L2_ARP, "twice tagged arp broadcast");
}

static void rows_vlan(struct row_set *set)
{
	static const u16 tpids[] = {0x8100, 0x88a8, 0x9100};
	static struct packet_build b;

	for (u32 i = 0; i < 27; i++) {
		build_eth(&b);
		build_tag(&b, tpids[i / 9], 1);
		build_tag(&b, tpids[i / 3 % 3], 2);
		build_tag(&b, tpids[i % 3], 3);
		udp4(&b);
		rows_drop(set, &b, L2_VLAN_DEPTH, "three tags %04x %04x %04x", tpids[i / 9],
			  tpids[i / 3 % 3], tpids[i % 3]);
	}
	rows_add_cut(set, &b, 22, 22, VERDICT_DROP(DROP_L2_VLAN_DEPTH),
		     "third tag announced, frame ends");
	for (u32 i = 0; i < 9; i++) {
		build_eth(&b);
		build_tag(&b, tpids[i / 3], 0x0fff);
		build_tag(&b, tpids[i % 3], 0);
		udp6(&b);
		rows_pass(set, &b, "two tags %04x %04x", tpids[i / 3], tpids[i % 3]);
		build_eth(&b);
		build_tag(&b, tpids[i % 3], (u16)(0x2000 * i / 3 | 9));
		udp4(&b);
		rows_pass(set, &b, "tag %04x, priority %u", tpids[i % 3], i / 3);
	}
	memcpy(b.bytes, build_peer_mac, 6);
	rows_drop(set, &b, L2_NOT_OURS, "tagged, another host's MAC");
	memset(b.bytes, 0xff, 6);
	rows_drop(set, &b, L2_MULTICAST, "tagged broadcast");
}

/* The EtherType decides, not the version field. */
static void rows_crossed(struct row_set *set)
{
	static struct packet_build b;

	build_eth(&b);
	udp4(&b);
	be16_store(b.bytes + 12, 0x86dd);
	rows_drop(set, &b, IP6_VERSION, "IPv4 in an IPv6 frame");
	build_eth(&b);
	udp6(&b);
	be16_store(b.bytes + 12, 0x0800);
	rows_drop(set, &b, IP4_VERSION, "IPv6 in an IPv4 frame");
}

void rows_l2(struct row_set *set)
{
	rows_mac(set, udp4, "udp4");
	rows_mac(set, udp6, "udp6");
	rows_ethertype(set);
	rows_ethertype_bits(set, udp4, "udp4");
	rows_ethertype_bits(set, udp6, "udp6");
	rows_arp(set);
	rows_vlan(set);
	rows_crossed(set);
}
