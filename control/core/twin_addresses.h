/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * twin_addresses.h - the addresses of ports' twins: those of the configuration are put there, and taken away when it
 * has them no more; whatever else is there (an operator's, a daemon's, the kernel's own link-local one) is told to the
 * tables. Pure: the kernel's messages go in, requests come out.
 *
 * Ours are known by their protocol (IFA_PROTO, kernel 5.18), so that an agent that was started again takes away what
 * one before it has put there.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>

#include "mirror.h"

#define TWIN_ADDRESSES_PROTOCOL 0xdcu
#define TWIN_ADDRESSES_MAX	256u /* of a port; more are not looked at, and counted */

struct twin_address {
	struct config_addr addr;
	bool there, ours, usable, marked; /* in the kernel; usable: no DAD is pending */
	bool wanted;			  /* by the configuration */
	u64 asked_ns;	/* when the kernel was asked for what is missing; 0 = not */
	bool asked_del; /* and whether it was to be taken away */
	int err;
};

struct twin_addresses {
	u32 ifindex; /* of the twin; 0 = none */
	bool ours;   /* a TAP: what bears the name of a port and is none isn't touched */
	bool down; /* nothing leaves by it: its prefixes are not connected. Without a twin the configuration counts */
	bool changed; /* what the tables should know of */
	u64 n_ignored;
	u32 n, cap;
	struct twin_address *a;
};

struct twin_addresses_act {
	bool del;
	u32 ifindex;
	struct config_addr addr;
};

void twin_addresses_fini(struct twin_addresses *t);
/** twin_addresses_want() - the configuration's. Return: 0, -ENOMEM. */
int twin_addresses_want(struct twin_addresses *t, const struct config_addr *a, u32 n);
/** twin_addresses_link() - @ifindex: 0 = there is no twin any more. */
void twin_addresses_link(struct twin_addresses *t, u32 ifindex, bool ours);
/** twin_addresses_carrier() - @up: the twin is up, and has a carrier. */
void twin_addresses_carrier(struct twin_addresses *t, bool up);
/** twin_addresses_kernel() - Return: 0, -ENOMEM. */
int twin_addresses_kernel(struct twin_addresses *t, enum mirror_verb verb,
			  const struct mirror_addr *a);
void twin_addresses_dump(struct twin_addresses *t, bool begin, bool complete);
void twin_addresses_answer(struct twin_addresses *t, const struct config_addr *a, int err);
/**
 * twin_addresses_next() - what is to be asked of the kernel now; call again until it returns false.
 * @ret_due_ns: when it may return true again, lowered only; UINT64_MAX = when something has changed.
 */
bool twin_addresses_next(struct twin_addresses *t, u64 now_ns, struct twin_addresses_act *ret,
			 u64 *ret_due_ns);
/**
 * twin_addresses_ready() - is there an address to ask for neighbours from? IPv6 needs a link-local one (RFC 4861, 7.2.2);
 * IPv4 without any address to come asks from another port's.
 */
bool twin_addresses_ready(const struct twin_addresses *t, u8 family);
/** twin_addresses_list() - those that packets can be for. Return: how many, at most @max. */
u32 twin_addresses_list(const struct twin_addresses *t, struct config_addr *ret, u32 max);
