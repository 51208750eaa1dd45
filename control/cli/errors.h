/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errors.h - many errors at once, as loading a configuration or a route file gives them.
 */
#pragma once

#include <dwcp/util/config.h>

#include "cli.h"

/** errors_report() - all of them, then how many; @about: a file or what follows from it. Return: CLI_FAILED. */
int errors_report(const struct cli *cli, const struct config_errors *errors, const char *token,
		  const char *about);
