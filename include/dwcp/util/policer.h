/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policer.h - a token bucket in one word: the generic cell rate algorithm (ITU-T I.371), which keeps the time at which
 * the bucket would be full again. Inline and pure, the clock is the caller's (TSC or ns); one thread a policer.
 */
#pragma once

#include <dwcp/base.h>

struct policer_cfg {
	u64 cost;  /* of one packet, in units of the clock; 0 = no limit */
	u64 depth; /* of the bucket: burst × cost */
};

struct policer {
	u64 tat; /* theoretical arrival time */
};

/**
 * policer_cfg_of() - @rate_pps packets a second, @burst packets at once. A rate of 0 lets nothing through.
 * @clock_hz: of the clock that policer_take() is given.
 */
dwcp_inline struct policer_cfg policer_cfg_of(u64 rate_pps, u64 burst, u64 clock_hz)
{
	u64 cost = rate_pps ? DWCP_MAX(clock_hz / rate_pps, (u64)1) : UINT64_MAX / 4;

	return (struct policer_cfg){cost, rate_pps ? cost * DWCP_MAX(burst, (u64)1) : 0};
}

/** policer_take() - one packet at @now. Return: false = over the rate, nothing was taken. */
dwcp_inline bool policer_take(struct policer *p, const struct policer_cfg *cfg, u64 now)
{
	u64 from = now > cfg->depth ? now - cfg->depth : 0;
	u64 tat = DWCP_MAX(p->tat, from) + cfg->cost;

	if (tat > now)
		return false;
	p->tat = tat;
	return true;
}
