/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oracle.h - longest-prefix match by the definition: one hash table a length, tried from the longest down.
 * Shares nothing with the FIB. One VRF.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

struct oracle_entry {
	struct fib_addr addr;
	u32 slot;
	u32 state; /* 0: never used, 1: holds a prefix, 2: deleted */
};

struct oracle_len {
	struct oracle_entry *entry; /* [cap] */
	u32 n, n_used, cap;	    /* prefixes, entries that aren't "never used" */
};

struct oracle {
	struct oracle_len v4[33], v6[129];
};

void oracle_init(struct oracle *o);
void oracle_fini(struct oracle *o);
void oracle_set(struct oracle *o, const struct fib_prefix *p, u32 slot);
/** oracle_del() - Return: was it there? */
bool oracle_del(struct oracle *o, const struct fib_prefix *p);
bool oracle_get(const struct oracle *o, const struct fib_prefix *p, u32 *ret_slot);
/** oracle_match() - Return: the slot, 0: no prefix; *ret_len its length. */
u32 oracle_match(const struct oracle *o, u8 family, const struct fib_addr *a, u32 *ret_len);
/** prefix_covers() - the definition of a match. */
bool prefix_covers(const struct fib_prefix *p, const struct fib_addr *a);
