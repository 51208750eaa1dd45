/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tails.h - what followed the prefix on earlier lines of a route file, and what it was read as.
 *
 * A full table has a million prefixes and a few dozen next hops: the text behind the prefix repeats. A line whose text
 * there is that of an earlier good line, byte for byte, and whose prefix is of the same family, means the same paths;
 * the words need not be read again. One owner, one file.
 */
#pragma once

#include "text.h"

#define TAIL_TEXT_MAX 104 /* longer ones are read each time */

struct tail {
	const struct path_cfg *paths;
	u32 n_paths;
	u32 vrf;
	u16 len; /* 0 = free */
	u8 family;
	u8 reserved[5];
	char text[TAIL_TEXT_MAX];
};

struct tails {
	struct tail *slots; /* pairs: a tail is in either of two */
	u32 mask;	    /* of pairs */
	u32 turn;	    /* which of a full pair goes next */
};

/** tails_init() - @text_bytes: of the file, about. Return: 0, -ENOMEM. */
int tails_init(struct tails *t, u64 text_bytes);
void tails_fini(struct tails *t);
/** tails_find() - Return: NULL when it isn't known, else valid until the next add. */
const struct tail *tails_find(const struct tails *t, u8 family, struct span text);
/** tails_add() - a tail that is not in there; an old one may go. */
void tails_add(struct tails *t, u8 family, u32 vrf, struct span text, const struct path_cfg *paths,
	       u32 n_paths);
