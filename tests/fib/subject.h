/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * subject.h - asks every variant of the lookup that runs on this CPU, in bursts of changing length, and compares.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

#include "oracle.h"

#define ASK_MAX 4096

/* Addresses of one family that wait to be looked up together. */
struct ask {
	const struct oracle *oracle;
	struct fib_view view;
	u8 family;
	u32 vrf;
	u32 n;
	u64 n_asked;
	struct fib_addr addr[ASK_MAX];
};

void ask_init(struct ask *q, const struct oracle *o, const struct fib_builder *b, u8 family);
/** ask_add() - one address; every ASK_MAX they are looked up. Fails the test on a difference. */
void ask_add(struct ask *q, struct fib_addr a);
/** ask_flush() - look up what waits. */
void ask_flush(struct ask *q);
/** ask_around() - first and last address of a prefix, and those just outside. */
void ask_around(struct ask *q, const struct fib_prefix *p);
/** arrays_check() - the validator accepts the builder's arrays. */
void arrays_check(const struct fib_builder *b, u32 n_slots);
