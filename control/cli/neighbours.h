/* SPDX-License-Identifier: BSD-3-Clause */
/* neighbours.h - the line that `status` has of neighbours. */
#pragma once

#include <jansson.h>

#include "cli.h"

/** neighbours_line_print() - @n: .neighbours of the agent's status; anything else prints nothing. */
void neighbours_line_print(const struct cli *cli, const json_t *n);
