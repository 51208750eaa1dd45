/* SPDX-License-Identifier: BSD-3-Clause */
/* bucket.h - a token bucket for log lines: what would flood the log is counted instead. */
#pragma once

#include <dwcp/base.h>

struct bucket {
	u32 tokens, burst;
	u64 interval_ns; /* a token comes back every so often */
	u64 last_ns;
	u64 suppressed; /* since the last line that passed */
};

/** bucket_take() - Return: may this pass? @ret_suppressed: how many did not since the last that did. */
dwcp_inline bool bucket_take(struct bucket *b, u64 now_ns, u64 *ret_suppressed)
{
	u64 back = (now_ns - b->last_ns) / b->interval_ns;

	if (back) {
		b->tokens = (u32)DWCP_MIN((u64)b->burst, b->tokens + back);
		b->last_ns += back * b->interval_ns;
	}
	if (!b->tokens) {
		b->suppressed++;
		return false;
	}
	b->tokens--;
	*ret_suppressed = b->suppressed;
	b->suppressed = 0;
	return true;
}
