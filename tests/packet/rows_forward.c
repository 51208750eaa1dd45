/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_forward.c - well-formed packets that only a forwarder must not pass on. For the router itself they are fine. */
#include "rows.h"

static void udp4(struct packet_build *b, u32 src, u32 dst, u8 ttl)
{
	build_eth(b);
	build_ip4(b);
	be32_store(b->bytes + b->l3 + 12, src);
	be32_store(b->bytes + b->l3 + 16, dst);
	b->bytes[b->l3 + 8] = ttl;
	build_udp(b);
	build_payload(b, 18);
	build_fix(b);
}

static void addr6(u8 *at, struct fib_addr a)
{
	be32_store(at, (u32)(a.hi >> 32));
	be32_store(at + 4, (u32)a.hi);
	be32_store(at + 8, (u32)(a.lo >> 32));
	be32_store(at + 12, (u32)a.lo);
}

static void udp6(struct packet_build *b, struct fib_addr src, struct fib_addr dst, u8 hop_limit)
{
	build_eth(b);
	build_ip6(b);
	addr6(b->bytes + b->l3 + 8, src);
	addr6(b->bytes + b->l3 + 24, dst);
	b->bytes[b->l3 + 7] = hop_limit;
	build_udp(b);
	build_payload(b, 18);
	build_fix(b);
}

static void rows_forward4(struct row_set *set)
{
	static const u32 bad[] = {0x00000000, 0x00000001, 0x00ffffff, 0x7f000001, 0x7fffffff,
				  0xa9fe0000, 0xa9fea9fe, 0xa9feffff, 0xe0000001, 0xe0000005,
				  0xefffffff, 0xf0000000, 0xf0000001, 0xfffffffe, 0xffffffff};
	static const u32 good[] = {0x01000000, 0x0a000001, 0x7effffff, 0x80000000, 0xa9fdffff,
				   0xa9ff0000, 0xac100001, 0xc0a80001, 0xdfffffff};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(bad); i++) {
		udp4(&b, BUILD_SRC4, bad[i], 64);
		rows_add_forward(set, &b, DROP_IP4_DESTINATION, "destination %08x", bad[i]);
		udp4(&b, BUILD_SRC4, bad[i], 1);
		rows_add_forward(set, &b, DROP_IP4_DESTINATION, "destination %08x, TTL 1", bad[i]);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(good); i++) {
		udp4(&b, BUILD_SRC4, good[i], 2);
		rows_pass(set, &b, "destination %08x, TTL 2", good[i]);
		udp4(&b, BUILD_SRC4, good[i], 0);
		rows_add_forward(set, &b, DROP_IP4_TTL, "destination %08x, TTL 0", good[i]);
		udp4(&b, BUILD_SRC4, good[i], 1);
		rows_add_forward(set, &b, DROP_IP4_TTL, "destination %08x, TTL 1", good[i]);
	}
	udp4(&b, 0xa9fe0102, BUILD_DST4, 64);
	rows_add_forward(set, &b, DROP_IP4_SOURCE, "link-local source");
	udp4(&b, 0xa9feffff, 0xe0000001, 1);
	rows_add_forward(set, &b, DROP_IP4_SOURCE,
			 "link-local source, multicast destination, TTL 1");
}

static void rows_forward6(struct row_set *set)
{
	static const struct fib_addr bad[] = {{0, 0},
					      {0, 1},
					      {0xfe80000000000000, 1},
					      {0xfebfffffffffffff, 1},
					      {0xff00000000000000, 0},
					      {0xff02000000000000, 1},
					      {0xff0e000000000000, 1},
					      {0xffffffffffffffff, 0xffffffffffffffff}};
	static const struct fib_addr good[] = {{0, 2},
					       {1, 0},
					       {0x2000000000000000, 0},
					       {0xfd00000000000000, 1},
					       {0xfe7fffffffffffff, 1},
					       {0xfec0000000000000, 1},
					       {0xfeffffffffffffff, 1}};
	static struct packet_build b;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(bad); i++) {
		udp6(&b, build_src6, bad[i], 64);
		rows_add_forward(set, &b, DROP_IP6_DESTINATION, "destination %016lx %016lx",
				 bad[i].hi, bad[i].lo);
		udp6(&b, build_src6, bad[i], 1);
		rows_add_forward(set, &b, DROP_IP6_DESTINATION,
				 "destination %016lx %016lx, hop limit 1", bad[i].hi, bad[i].lo);
	}
	for (u32 i = 0; i < DWCP_ARRAY_LEN(good); i++) {
		udp6(&b, build_src6, good[i], 2);
		rows_pass(set, &b, "destination %016lx %016lx, hop limit 2", good[i].hi,
			  good[i].lo);
		udp6(&b, build_src6, good[i], 1);
		rows_add_forward(set, &b, DROP_IP6_HOP_LIMIT,
				 "destination %016lx %016lx, hop limit 1", good[i].hi, good[i].lo);
		udp6(&b, build_src6, good[i], 0);
		rows_add_forward(set, &b, DROP_IP6_HOP_LIMIT,
				 "destination %016lx %016lx, hop limit 0", good[i].hi, good[i].lo);
	}
	udp6(&b, (struct fib_addr){0xfe80000000000000, 1}, build_dst6, 255);
	rows_add_forward(set, &b, DROP_IP6_SOURCE, "link-local source fe80::1");
	udp6(&b, (struct fib_addr){0xfebfffffffffffff, 1}, build_dst6, 1);
	rows_add_forward(set, &b, DROP_IP6_SOURCE, "link-local source febf::1, hop limit 1");
	udp6(&b, (struct fib_addr){0, 0}, build_dst6, 64);
	rows_add_forward(set, &b, DROP_IP6_SOURCE, "unspecified source");
}

void rows_forward(struct row_set *set)
{
	rows_forward4(set);
	rows_forward6(set);
}
