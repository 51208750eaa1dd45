/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refusal_rows.h - everything that is refused, one row a way of being wrong. Run against the library (each is refused for
 * its reason, and nothing else changes), and against the library with that check taken out (it is accepted).
 */
#pragma once

#include "check.h"
#include "table_small.h"

struct refusal_row {
	enum gen_check check;
	const char *what;
	/* What is changed before it is sealed; */
	void (*table)(struct table *t);
	/* or in the manifest after its segments were staged; its hash is made anew unless raw. */
	void (*manifest)(struct sealed *x);
	/* Instead of opening: Return 0 when accepted. */
	int (*run)(struct segment_set *s, struct sealed *x, char *ret_reason);
	bool raw;
	/* Without its check this would go on to read where nothing is: only its refusal is tested. */
	bool refuse_only;
	/* A limit before the work: without it, a later check refuses. */
	bool guard;
	int err; /* 0 = -EINVAL */
};

extern const struct refusal_row refusal_rows[];
extern const unsigned int n_refusal_rows;

/* Return: 0 when accepted. */
int refusal_run(const struct refusal_row *row, struct segment_set *s, char *ret_reason);
