/* SPDX-License-Identifier: BSD-3-Clause */
/* icmp_limit.c - see util/icmp_limit.h */
#include <dwcp/util/icmp_limit.h>

static struct icmp_rate rate_of(u64 ticks_per_s, u32 pps, u32 burst)
{
	u64 interval = DWCP_DIV_UP(ticks_per_s, pps ? pps : 1);

	return (struct icmp_rate){interval, interval * (burst ? burst - 1 : 0)};
}

void icmp_limit_init(struct icmp_limit *l, const struct icmp_limit_cfg *cfg)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->key, cfg->key, sizeof(l->key));
	l->off = !cfg->errors_pps || !cfg->destination_pps;
	l->all_rate = rate_of(cfg->ticks_per_s, cfg->errors_pps, cfg->errors_burst);
	l->destination_rate =
		rate_of(cfg->ticks_per_s, cfg->destination_pps, cfg->destination_burst);
}

static bool rate_allows(const struct icmp_rate *r, u64 full_at, u64 now)
{
	return full_at <= now + r->slack;
}

static void rate_take(const struct icmp_rate *r, u64 *full_at, u64 now)
{
	*full_at = DWCP_MAX(*full_at, now) + r->interval;
}

bool icmp_limit_take(struct icmp_limit *l, enum icmp_error error, u8 family,
		     const struct fib_addr *dst, u64 now)
{
	bool mtu = error == ICMP_ERROR_TOO_BIG;
	u64 who = family == FIB_IP4 ? dst->lo : dst->hi;
	u64 hash = flow_hash_mix(who ^ l->key[0], ((u64)family << 1 | mtu) ^ l->key[1]);
	u64 *all = &l->all[mtu], *one;

	one = &l->destination[flow_hash_mix(hash ^ l->key[1], l->key[0]) &
			      (ICMP_LIMIT_BUCKETS - 1)];
	if (l->off || !rate_allows(&l->all_rate, *all, now) ||
	    !rate_allows(&l->destination_rate, *one, now))
		return false;
	rate_take(&l->all_rate, all, now);
	rate_take(&l->destination_rate, one, now);
	return true;
}
