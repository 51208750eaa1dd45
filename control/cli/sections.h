/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sections.h - the sections of a generation as rows: of the live one, of a built and of a checked file.
 */
#pragma once

#include <dwcp/abi/tables.h>
#include <jansson.h>

#include "cli.h"

/** sections_rows() - of a manifest that was checked. Owned by the caller. */
json_t *sections_rows(const struct dwcp_manifest *m);
/** sections_print() - as a table. Return: CLI_OK, CLI_FAILED. */
int sections_print(const struct cli *cli, const json_t *rows);
