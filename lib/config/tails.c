/* SPDX-License-Identifier: BSD-3-Clause */
/* tails.c - pairs of slots by a hash of the text's length and ends; which tail is meant is decided by all its bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tails.h"

#define TAILS_PER_BYTES 1024u /* of text, one pair */
#define TAILS_MIN_PAIRS 4u
#define TAILS_MAX_PAIRS 8192u /* 2 MB, and that only if they are filled */

static u64 word_load(const char *at)
{
	u64 w;

	memcpy(&w, at, sizeof(w));
	return w;
}

/* Most are 14 to 40 bytes long and differ at their ends. */
static u64 tail_hash(u8 family, struct span text)
{
	size_t n = (size_t)(text.end - text.at);
	u64 h = n << 8 | family;

	if (n >= 16)
		h ^= word_load(text.end - 16) * 0x9e3779b97f4a7c15ull;
	else if (n >= 8)
		h ^= word_load(text.at) * 0x9e3779b97f4a7c15ull;
	if (n >= 8)
		h ^= word_load(text.end - 8) * 0xd6e8feb86659fd93ull;
	for (; n < 8 && text.at < text.end; text.at++)
		h = h << 8 ^ (u8)*text.at;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return h >> 32;
}

int tails_init(struct tails *t, u64 text_bytes)
{
	u32 pairs = TAILS_MIN_PAIRS;

	while (pairs < TAILS_MAX_PAIRS && pairs * (u64)TAILS_PER_BYTES < text_bytes)
		pairs *= 2;
	*t = (struct tails){.slots = calloc(2ull * pairs, sizeof(*t->slots)), .mask = pairs - 1};
	return t->slots ? 0 : -ENOMEM;
}

void tails_fini(struct tails *t)
{
	free(t->slots);
	*t = (struct tails){0};
}

const struct tail *tails_find(const struct tails *t, u8 family, struct span text)
{
	const struct tail *pair = &t->slots[2 * (tail_hash(family, text) & t->mask)];
	size_t n = (size_t)(text.end - text.at);

	for (u32 i = 0; i < 2; i++)
		if (pair[i].len == n && n && pair[i].family == family &&
		    !memcmp(pair[i].text, text.at, n))
			return &pair[i];
	return NULL;
}

void tails_add(struct tails *t, u8 family, u32 vrf, struct span text, const struct path_cfg *paths,
	       u32 n_paths)
{
	struct tail *pair = &t->slots[2 * (tail_hash(family, text) & t->mask)], *to;
	size_t n = (size_t)(text.end - text.at);

	if (!n || n > TAIL_TEXT_MAX)
		return;
	to = !pair[0].len ? &pair[0] : !pair[1].len ? &pair[1] : &pair[t->turn++ & 1];
	*to = (struct tail){.paths = paths,
			    .n_paths = n_paths,
			    .vrf = vrf,
			    .len = (u16)n,
			    .family = family};
	memcpy(to->text, text.at, n);
}
