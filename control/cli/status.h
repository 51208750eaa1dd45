/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status.h - the two halves of `status`: asking, which makes one JSON document, and showing it.
 */
#pragma once

#include <jansson.h>

#include "cli.h"

/**
 * status_collect() - ask agent and dataplane, twice for rates, and judge. Document:
 * health ("ok", "degraded", "down"), problems [], node, generation {number, adopted_unix_ns}, intent_revision,
 * agent and dataplane (their own status, or null), ports {up, down []} or null, rates {rx_pps, tx_pps, drop_pps}
 * or null, drops [≤ 3], accounting, last_refusal. Reports unreachable peers on stderr.
 * Return: CLI_OK and @ret_doc, or the exit code.
 */
int status_collect(struct cli *cli, json_t **ret_doc);
