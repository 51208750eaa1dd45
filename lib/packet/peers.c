/* SPDX-License-Identifier: BSD-3-Clause */
/* peers.c - see util/peers.h */
#include <dwcp/util/peers.h>

#include <string.h>

#include <dwcp/abi/atomic.h>
#include <dwcp/abi/tables.h>

#define TIME_BITS 20u /* seconds, going round after 12 days */
#define TIME_MASK ((1u << TIME_BITS) - 1)

void peers_init(struct peers *p, const u64 key[2])
{
	memset(p, 0, sizeof(*p));
	p->key[0] = key[0] | 1;
	p->key[1] = key[1] | 1;
}

static u64 hash_of(const struct peers *p, u32 class, u64 peer)
{
	u64 h = dwcp_hash_fold(peer ^ p->key[0], class ^ p->key[1]);

	return dwcp_hash_fold(h ^ p->key[1], p->key[0]);
}

/* Upper bits of the hash that the bucket doesn't say, and when it was seen. */
static u64 slot_of(u64 hash, u32 now_s)
{
	return (hash & ~(u64)TIME_MASK) | (now_s & TIME_MASK);
}

static u32 slot_age_s(u64 slot, u32 now_s)
{
	return (now_s - (u32)slot) & TIME_MASK;
}

void peers_note(struct peers *p, u32 class, u64 peer, u32 now_s)
{
	u64 hash = hash_of(p, class, peer);
	u64 *bucket = p->slot[hash % PEERS_BUCKETS];
	u32 to = 0;

	for (u32 i = 0; i < PEERS_WAYS; i++) {
		if (bucket[i] >> TIME_BITS == hash >> TIME_BITS) {
			to = i;
			break;
		}
		if (!bucket[i] ||
		    (bucket[to] && slot_age_s(bucket[i], now_s) > slot_age_s(bucket[to], now_s)))
			to = i;
	}
	/* once a second: workers read that line */
	if (bucket[to] != slot_of(hash, now_s))
		dwcp_store_relaxed(&bucket[to], slot_of(hash, now_s));
}

bool peers_has(const struct peers *p, u32 class, u64 peer, u32 now_s)
{
	u64 hash = hash_of(p, class, peer);
	const u64 *bucket = p->slot[hash % PEERS_BUCKETS];

	for (u32 i = 0; i < PEERS_WAYS; i++) {
		u64 slot = dwcp_load_relaxed(&bucket[i]);

		if (slot && slot >> TIME_BITS == hash >> TIME_BITS)
			return slot_age_s(slot, now_s) <= PEERS_KEPT_S;
	}
	return false;
}
