/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp_problem.c - which byte of a packet a parameter problem points at, for those faults that parse drops it for and an
 * RFC wants told. The walk is made again, as parse makes it: only for packets that have died.
 *
 * Not told: lengths that contradict each other (RFC 1812 §5.2.2: silently), source routes (dropped as policy), jumbograms.
 */
#include "icmp_internal.h"

enum problem6_code {
	PROBLEM6_FIELD = 0,	       /* RFC 4443 §3.4 */
	PROBLEM6_NEXT_HEADER = 1,      /* RFC 4443 §3.4 */
	PROBLEM6_CHAIN_INCOMPLETE = 3, /* RFC 7112 §5 */
	PROBLEM6_TOO_MANY_HEADERS = 8, /* RFC 8883 §3.4 */
	PROBLEM6_TOO_MANY_OPTIONS = 9, /* RFC 8883 §3.5 */
};

static bool problem(struct icmp_problem *ret, u8 code, u32 pointer)
{
	*ret = (struct icmp_problem){code, pointer};
	return true;
}

/* RFC 792: the byte where it was found; of an option its length, or its own pointer. */
static bool option4_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	u32 at = IP4_HDR_BYTES, len;

	while (at < o->hdr_bytes && ip[at] != 0) {
		u32 fields = ip[at] == 7 ? 3 : ip[at] == 68 ? 4 : 2;

		if (ip[at] == 1) {
			at++;
			continue;
		}
		if (o->hdr_bytes - at < 2)
			return problem(ret, 0, at);
		len = ip[at + 1];
		if (len < fields || len > o->hdr_bytes - at)
			return problem(ret, 0, at + 1);
		if (fields > 2 && ip[at + 2] <= fields)
			return problem(ret, 0, at + 2);
		at += len;
	}
	return false;
}

/* Options of one header, [at, end). Return: true when the fault is among them. */
static bool options6_find(const u8 *ip, u32 at, u32 end, u32 *n_options, struct icmp_problem *ret)
{
	while (at < end) {
		if ((*n_options)++ >= IP6_MAX_OPTIONS)
			return problem(ret, PROBLEM6_TOO_MANY_OPTIONS, at);
		if (ip[at] == 0) {
			at++;
			continue;
		}
		if (end - at < 2)
			return problem(ret, PROBLEM6_FIELD, at);
		if (end - at < 2u + ip[at + 1])
			return problem(ret, PROBLEM6_FIELD, at + 1);
		at += 2u + ip[at + 1];
	}
	return false;
}

static bool option6_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	struct icmp_chain c = icmp_chain_init(ip, o->bytes);
	u32 n_options = 0;

	while (icmp_chain_next(&c)) {
		if (c.at > o->bytes)
			return false;
		if (c.type != IP_PROTO_HOP_BY_HOP && c.type != IP_PROTO_DESTINATION)
			continue;
		if (options6_find(ip, c.header_at + 2, c.at, &n_options, ret))
			return true;
	}
	return false;
}

/* A hop-by-hop header behind another one (RFC 8200 §4): as a header that nobody knows. */
static bool order6_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	struct icmp_chain c = icmp_chain_init(ip, o->bytes);

	while (icmp_chain_next(&c))
		if (c.type == IP_PROTO_HOP_BY_HOP && c.n > 1)
			return problem(ret, PROBLEM6_NEXT_HEADER, c.named_at);
	return false;
}

static bool count6_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	struct icmp_chain c = icmp_chain_init(ip, o->bytes);

	while (icmp_chain_next(&c))
		if (c.n > IP6_MAX_EXTENSIONS)
			return problem(ret, PROBLEM6_TOO_MANY_HEADERS, c.header_at);
	return false;
}

/* RFC 5095 §3: a type that isn't known, with segments left (RFC 8200 §4.4), is told by its type field. */
static bool routing0_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	struct icmp_chain c = icmp_chain_init(ip, o->bytes);

	while (icmp_chain_next(&c))
		if (c.type == IP_PROTO_ROUTING && ip[c.header_at + 2] == 0)
			return ip[c.header_at + 3] != 0 &&
			       problem(ret, PROBLEM6_FIELD, c.header_at + 2);
	return false;
}

/* RFC 8200 §4.5: a fragment with more to come whose length is no multiple of 8. */
static bool fragment6_find(const u8 *ip, const struct icmp_offender *o, struct icmp_problem *ret)
{
	struct icmp_chain c = icmp_chain_init(ip, o->bytes);

	while (icmp_chain_next(&c))
		if (c.type == IP_PROTO_FRAGMENT && ip[c.header_at + 3] & 1 &&
		    (IP6_HDR_BYTES + be16_load(ip + 4) - c.at) % 8)
			return problem(ret, PROBLEM6_FIELD, 4);
	return false;
}

bool icmp_problem_find(const u8 *frame, const struct icmp_offender *o, enum drop_reason reason,
		       struct icmp_problem *ret_problem)
{
	const u8 *ip = frame + o->l3_offset;

	if (o->family == FIB_IP4)
		return reason == DROP_IP4_OPTION && option4_find(ip, o, ret_problem);
	switch (reason) {
	case DROP_IP6_EXTENSION_ORDER:
		return order6_find(ip, o, ret_problem);
	case DROP_IP6_EXTENSION_COUNT:
		return count6_find(ip, o, ret_problem);
	case DROP_IP6_OPTION:
		return option6_find(ip, o, ret_problem);
	case DROP_IP6_ROUTING_0:
		return routing0_find(ip, o, ret_problem);
	case DROP_IP6_FRAGMENT:
		return fragment6_find(ip, o, ret_problem);
	case DROP_TINY_FRAGMENT:
		return problem(ret_problem, PROBLEM6_CHAIN_INCOMPLETE, 0);
	default:
		return false;
	}
}
