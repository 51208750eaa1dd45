/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_packet.h - the frames that capture.c writes, and what the router must make of each.
 */
#pragma once

#include <dwcp/base.h>

#include "swap_probe.h"

#define CAPTURE_FRAME_MAX 1514u

enum capture_fate {
	CAPTURE_FORWARD,
	CAPTURE_TTL,	      /* ip4_ttl, ip6_hop_limit */
	CAPTURE_CHECKSUM,     /* ip4_checksum */
	CAPTURE_OTHER_HOST,   /* l2_not_ours */
	CAPTURE_MULTICAST_L2, /* l2_multicast */
	CAPTURE_N_FATES
};

/** capture_fate() - what is wrong with frame @i of a capture, if anything. */
enum capture_fate capture_fate(u32 i, u32 family);
/** capture_frame() - a UDP datagram to the probe's destination. Return: its length. @ret: [CAPTURE_FRAME_MAX] */
u32 capture_frame(u32 i, const struct swap_probe *probe, const u8 port_mac[6], u8 *ret);
/**
 * capture_forwarded() - the frame as the router must send it, made from the one it got; checksums by RFC 791's
 * definition, nothing shared with the router's code.
 */
void capture_forwarded(u8 *frame, const u8 src_mac[6], const u8 dst_mac[6]);
