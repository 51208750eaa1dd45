/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * histogram.h - counts of values by power of two and 64 linear parts of it: a percentile is right to 1.6 %.
 */
#pragma once

#include <string.h>

#include <dwcp/base.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_SUBS	   (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_OCTAVES  40
#define HISTOGRAM_BUCKETS  (HISTOGRAM_OCTAVES * HISTOGRAM_SUBS)

struct histogram {
	u64 n, max;
	u64 bucket[HISTOGRAM_BUCKETS];
};

dwcp_inline u32 histogram_bucket(u64 v)
{
	u32 octave, i;

	if (v < HISTOGRAM_SUBS)
		return (u32)v;
	octave = 63 - (u32)__builtin_clzll(v) - HISTOGRAM_SUB_BITS;
	i = (octave + 1) * HISTOGRAM_SUBS + (u32)((v >> octave) & (HISTOGRAM_SUBS - 1));
	return DWCP_MIN(i, HISTOGRAM_BUCKETS - 1);
}

/* The middle of a bucket. */
dwcp_inline u64 histogram_value(u32 bucket)
{
	u32 octave = bucket / HISTOGRAM_SUBS;
	u64 sub = bucket % HISTOGRAM_SUBS;

	if (octave == 0)
		return sub;
	return ((HISTOGRAM_SUBS + sub) << (octave - 1)) + ((1ull << (octave - 1)) >> 1);
}

dwcp_inline void histogram_add(struct histogram *h, u64 v)
{
	h->n++;
	if (v > h->max)
		h->max = v;
	h->bucket[histogram_bucket(v)]++;
}

/* The value that @ppm of a million are not above; 0 when there are none. */
dwcp_inline u64 histogram_percentile(const struct histogram *h, u32 ppm)
{
	u64 rank = (u64)(((unsigned __int128)h->n * ppm + 999999) / 1000000), seen = 0;

	for (u32 i = 0; i < HISTOGRAM_BUCKETS && h->n; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return DWCP_MIN(histogram_value(i), h->max);
	}
	return h->max;
}
