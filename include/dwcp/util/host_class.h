/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_class.h - what a frame for the router itself is, so that each kind has a rate of its own (RFC 6192): a flood of
 * one kind leaves the others, and the sessions of routing protocols above all, alone. Pure, any thread.
 */
#pragma once

#include <dwcp/base.h>

/* X(name, text of commands, queue, packets a second of the node, help) */
/* clang-format off */
#define HOST_CLASSES(X) \
	X(BGP,        "bgp",        CONTROL, 20000, "TCP port 179, but for requests to open") \
	X(BGP_OPEN,   "bgp_open",   CONTROL,   200, "requests to open a TCP connection to port 179") \
	X(BFD,        "bfd",        CONTROL, 20000, "UDP ports 3784, 3785, 4784 and 6784") \
	X(IGP,        "igp",        CONTROL, 10000, "OSPF, IS-IS, RIP, LDP, PIM, VRRP") \
	X(NEIGHBOUR,  "neighbour",  CONTROL,  5000, "ARP and neighbour discovery") \
	X(ICMP,       "icmp",       REST,     2000, "ICMP to the router") \
	X(MANAGEMENT, "management", REST,    20000, "other TCP and UDP to the router") \
	X(MULTICAST,  "multicast",  REST,     1000, "other multicast and broadcast frames") \
	X(OTHER,      "other",      REST,      500, "everything else to the router")
/* clang-format on */

enum host_class {
#define X(name, ...) HOST_CLASS_##name,
	HOST_CLASSES(X)
#undef X
		HOST_CLASS_N
};

enum host_queue { HOST_QUEUE_CONTROL, HOST_QUEUE_REST, HOST_QUEUE_N };

/**
 * host_class_of() - of an Ethernet frame, whatever is in it.
 * @frame: borrowed; never read past @len. @len: bytes readable.
 * @ret_source: hash of the sender's address (IP, else MAC), unkeyed; 0 when there is none to be read.
 */
enum host_class host_class_of(const u8 *frame, u32 len, u64 *ret_source);

/**
 * host_session_of() - of a frame that the router sends: is it part of a session with a peer that somebody has configured, or
 * that answers on the link? BGP and LDP once they carry data or are opened by us, BFD, OSPF to one neighbour.
 * @ret_peer: the peer's address as @ret_source of host_class_of() has it; written only when there is a session.
 * Return: the class of what the peer sends; HOST_CLASS_N = none.
 */
enum host_class host_session_of(const u8 *frame, u32 len, u64 *ret_peer);

extern const enum host_queue host_class_queue[HOST_CLASS_N];
