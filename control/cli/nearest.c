/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nearest.c - "did you mean": edit distance with transpositions (optimal string alignment) over short names.
 */
#include <errno.h>
#include <string.h>

#include "cli.h"

#define NAME_MAX_LEN 31

static u32 min3(u32 a, u32 b, u32 c)
{
	a = DWCP_MIN(a, b);
	return DWCP_MIN(a, c);
}

/* Three rolling rows: a transposition looks two back. */
static u32 name_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	u32 row[3][NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= n_b; j++)
		row[0][j] = (u32)j;
	for (size_t i = 1; i <= n_a; i++) {
		u32 *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (u32)i;
		for (size_t j = 1; j <= n_b; j++) {
			u32 cost = a[i - 1] != b[j - 1];

			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = DWCP_MIN(now[j], before[j - 2] + 1);
		}
	}
	return row[n_a % 3][n_b];
}

const char *nearest_name(const char *word, const char *const *names, u32 n)
{
	size_t len = strlen(word);
	const char *best = NULL;
	u32 best_distance = UINT32_MAX;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (u32 i = 0; i < n; i++) {
		size_t name_len = strlen(names[i]);
		u32 d;

		if (name_len > NAME_MAX_LEN)
			continue;
		/* an abbreviation is as good as one typing error */
		d = strncmp(word, names[i], len) == 0
			    ? 1
			    : name_distance(word, len, names[i], name_len);
		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	/* further than a third of the word is a guess, not a typing error */
	return best_distance <= DWCP_MAX(len / 3, (size_t)1) ? best : NULL;
}
