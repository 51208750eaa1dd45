/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fragment4.h - an IPv4 packet cut to fit an MTU (RFC 791 §3.2, RFC 1812 §4.2.2.7): the headers of its fragments, and
 * which bytes go behind each. Copies no data. Pure, any thread.
 *
 * A fragment may be cut again. The identification stays the packet's; the first fragment has all options, the others
 * those that say they are to be copied.
 */
#pragma once

#include <dwcp/packet.h>

#define IP4_HDR_MAX 60

struct fragment4 {
	u8 first_hdr[IP4_HDR_MAX], later_hdr[IP4_HDR_MAX];
	u32 first_bytes, later_bytes; /* of the headers */
	u32 mtu;
	u32 data_bytes; /* behind the packet's header */
	u32 at;		/* of them, done */
	u32 offset;	/* of the first of them in the whole datagram */
	bool more;	/* the packet is a fragment and not the last */
};

struct fragment4_piece {
	u8 hdr[IP4_HDR_MAX];
	u32 hdr_bytes;
	u32 data_at, data_bytes; /* data_at: from the end of the packet's header */
};

/**
 * fragment4_init() - @ip: a header that parse has passed, @ip_len as it says. Both are only looked at here.
 * Return: the number of pieces; 0 = can't be done (DF, or no room for 8 bytes of data).
 */
u32 fragment4_init(struct fragment4 *f, const u8 *ip, u32 ip_len, u32 mtu);
/** fragment4_next() - Return: false when all of the packet is done. */
bool fragment4_next(struct fragment4 *f, struct fragment4_piece *ret);
