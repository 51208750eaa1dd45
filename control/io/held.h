/* SPDX-License-Identifier: BSD-3-Clause */
/* held.h - the ids of the segments that the dataplane holds: a sorted set. */
#pragma once

#include <dwcp/base.h>

struct held {
	u64 *id;
	u32 n, cap;
	bool sorted;
};

void held_fini(struct held *h);
void held_clear(struct held *h);
/** held_add() - Return: 0, -ENOMEM. Cost: amortised; the next held_has() sorts. */
int held_add(struct held *h, u64 id);
void held_del(struct held *h, u64 id);
bool held_has(struct held *h, u64 id);
