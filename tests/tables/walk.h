/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * walk.h - use an open generation as a worker would, everywhere: from heap copies of exactly the arrays' sizes, so that
 * AddressSanitizer sees a reader that leaves one by a byte.
 */
#pragma once

#include <dwcp/util/generation.h>

/** walk() - every root, direct entry and slice; every next hop, group and id. Asserts what a worker relies on. */
void walk(const struct generation *g, u32 n_ports);
