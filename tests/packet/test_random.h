/* SPDX-License-Identifier: BSD-3-Clause */
/* test_random.h - a seeded generator (xorshift64*), so that every failure can be run again. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <dwcp/base.h>

struct test_random {
	u64 state;
};

dwcp_inline u64 test_random_next(struct test_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(0x2545f4914f6cdd1d);
}

dwcp_inline u32 test_random_below(struct test_random *r, u32 n)
{
	return (u32)((test_random_next(r) >> 32) * n >> 32);
}

/* From DWCP_SEED, else new each run; always printed. */
static inline struct test_random test_random_init(const char *what)
{
	const char *text = getenv("DWCP_SEED");
	struct timespec now;
	u64 seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text ? strtoull(text, NULL, 0) : (u64)now.tv_sec * 1000000007u + (u64)now.tv_nsec;
	printf("%s: DWCP_SEED=%" PRIu64 "\n", what, seed);
	return (struct test_random){seed * 2 + 1};
}
