/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * swap_probe.h - what swap_tables and memif_gen agree on.
 */
#pragma once

#include <dwcp/base.h>

#define SWAP_N_PROBES	65536u
#define SWAP_N_NEXTHOPS 64u
#define SWAP_FIRST_HOST                                                                            \
	16u /* next hop j is 10.0.2.(16 + j), fd00:2::(16 + j), MAC 02:00:00:00:01:j */

struct swap_probe {
	u64 hi, lo; /* destination, host order */
	u32 index;  /* of the prefix that matches it longest, in every table */
	u32 family;
};
