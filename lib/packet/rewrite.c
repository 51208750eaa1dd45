/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rewrite.c - the tagged half of rewrite_packet(): tags pushed, popped, replaced. See util/rewrite.h.
 * Pure, any thread; writes nothing before it knows that the new header fits.
 */
#include <dwcp/util/parse_inline.h>
#include <dwcp/util/rewrite.h>

u32 rewrite_packet_slow(u8 *frame, u32 headroom_bytes, const struct pkt *p,
			const struct rewrite_l2 *l2, s32 *ret_delta)
{
	s32 new_bytes = ETH_HDR_BYTES + VLAN_TAG_BYTES * (s32)l2->n_tags;
	s32 delta = (s32)p->l3_offset - new_bytes;
	u8 *at = frame + delta;

	if (delta < 0 && (u32)-delta > headroom_bytes)
		return VERDICT_DROP(DROP_NO_HEADROOM);
	rewrite_ttl(frame, p);
	memcpy(at, l2, 12);
	for (u32 i = 0; i < l2->n_tags; i++) {
		be16_store(at + 12 + VLAN_TAG_BYTES * i, l2->tag[i].tpid);
		be16_store(at + 14 + VLAN_TAG_BYTES * i, l2->tag[i].tci);
	}
	*ret_delta = delta;
	return VERDICT_PASS;
}
