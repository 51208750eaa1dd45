/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp_limit.h - how many ICMP errors may go out: in all, and to one destination. Pure; the clock is the caller's, in
 * whatever unit (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f).
 *
 * Each limit is a token bucket kept as one number, the time from which on it is full again. What tells a sender its path
 * MTU has a budget of its own in both: connections hang without it, and a flood of other errors must not use it up.
 * Destinations share N buckets by a keyed hash: memory doesn't grow, and who wants to starve another one has to guess.
 * An IPv6 destination is its /64.
 */
#pragma once

#include <dwcp/util/checksum.h>
#include <dwcp/util/icmp.h>

#define ICMP_LIMIT_BUCKETS 2048u

struct icmp_limit_cfg {
	u64 ticks_per_s;
	u32 errors_pps, errors_burst; /* pps 0 = none ever */
	u32 destination_pps, destination_burst;
	u64 key[2];
};

struct icmp_rate {
	u64 interval, slack; /* ticks of one error; of burst - 1 of them */
};

struct icmp_limit {
	u64 key[2];
	bool off;
	struct icmp_rate all_rate, destination_rate;
	u64 all[2]; /* path MTU, others */
	u64 destination[ICMP_LIMIT_BUCKETS];
};

void icmp_limit_init(struct icmp_limit *l, const struct icmp_limit_cfg *cfg);
/**
 * icmp_limit_take() - may an error go to @dst now? Both limits are used up by one, or neither.
 * @now: never 0, never goes back.
 */
bool icmp_limit_take(struct icmp_limit *l, enum icmp_error error, u8 family,
		     const struct fib_addr *dst, u64 now);
