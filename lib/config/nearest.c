/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nearest.c - "did you mean": edit distance with swaps of neighbours (optimal string alignment), because those are
 * what fingers do. Names longer than NEAREST_MAX_LEN are nobody's typing error. Pure.
 */
#include <string.h>

#include "schema_engine.h"

#define NEAREST_MAX_LEN 48

static u32 edit_distance(const char *a, u32 n, const char *b, u32 m)
{
	u8 row[3][NEAREST_MAX_LEN + 1];
	u8 *before = row[0], *last = row[1], *now = row[2], *spare;
	u32 i, j, cost;

	for (j = 0; j <= m; j++)
		last[j] = (u8)j;
	for (i = 1; i <= n; i++) {
		now[0] = (u8)i;
		for (j = 1; j <= m; j++) {
			cost = a[i - 1] != b[j - 1];
			now[j] = (u8)DWCP_MIN(DWCP_MIN(now[j - 1], last[j]) + 1u,
					      last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = (u8)DWCP_MIN(now[j], before[j - 2] + 1u);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *schema_nearest(const char *name, const char *const *names, u32 n)
{
	size_t len = strlen(name), other;
	u32 best = UINT32_MAX, d, i;
	const char *ret = NULL;

	if (len > NEAREST_MAX_LEN)
		return NULL;
	for (i = 0; i < n; i++) {
		other = strlen(names[i]);
		if (other > NEAREST_MAX_LEN)
			continue;
		d = edit_distance(name, (u32)len, names[i], (u32)other);
		/* Farther than a third of the word is another word. */
		if (d < best && d <= DWCP_MAX(1u, (u32)DWCP_MAX(len, other) / 3)) {
			best = d;
			ret = names[i];
		}
	}
	return ret;
}
