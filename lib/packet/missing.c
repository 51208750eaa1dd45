/* SPDX-License-Identifier: BSD-3-Clause */
#include <dwcp/util/missing.h>

#include <string.h>

#include <dwcp/abi/tables.h>

void missing_init(struct missing *m, const u64 key[2], u64 tsc_hz, u64 now_tsc)
{
	memset(m, 0, sizeof(*m));
	m->key[0] = key[0] | 1;
	m->key[1] = key[1] | 1;
	m->tsc_hz = tsc_hz;
	m->refill_tsc = now_tsc;
	m->tokens[0] = m->tokens[1] = MISSING_BURST;
}

static void refill(struct missing *m, u64 now_tsc)
{
	u64 every = m->tsc_hz / MISSING_EVENTS_PER_S, n = (now_tsc - m->refill_tsc) / every;

	if (!n)
		return;
	m->refill_tsc += n * every;
	for (u32 i = 0; i < 2; i++)
		m->tokens[i] = (u32)DWCP_MIN(m->tokens[i] + n, (u64)MISSING_BURST);
}

u32 missing_packet(struct missing *m, u64 dst_hi, u64 dst_lo, u64 now_tsc)
{
	u64 hash =
		dwcp_hash_fold(dwcp_hash_fold(dst_hi ^ m->key[0], dst_lo ^ m->key[1]) ^ m->key[1],
			       m->key[0]);
	struct missing_slot *s = &m->slot[hash % MISSING_SLOTS];
	bool again = s->hash == hash;
	u32 n;

	if (!again)
		*s = (struct missing_slot){.hash = hash};
	s->n++;
	if (s->told_tsc && now_tsc - s->told_tsc < m->tsc_hz / MISSING_AGAIN_PER_S)
		return 0;
	refill(m, now_tsc);
	if (!m->tokens[again])
		return 0;
	m->tokens[again]--;
	n = s->n;
	s->n = 0;
	s->told_tsc = now_tsc | 1;
	return n;
}
