/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drops.h - the order of drops, for `drops` and `status`.
 */
#pragma once

#include <jansson.h>

#include "cli.h"

/**
 * drops_rate() - add packets_per_s to every row.
 * @before: the rows @ns earlier; NULL = none: rates are 0.
 */
void drops_rate(json_t *rows, const json_t *before, u64 ns);
/** drops_sorted() - a new array of the same rows: fastest, then most first. @all: zeros too. NULL = no memory. */
json_t *drops_sorted(const json_t *rows, bool all);
