/* SPDX-License-Identifier: BSD-3-Clause */
/* mirror.h - the line of `status` about the kernel's routes. */
#pragma once

#include <jansson.h>

#include "cli.h"

/** mirror_line_print() - @m: of the agent's status; NULL, or nothing to say: no line. */
void mirror_line_print(const struct cli *cli, const json_t *m);
