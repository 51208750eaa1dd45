/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api.h - the dataplane's own read-only API: <run_dir>/dataplane.sock, so that a dead agent blinds nobody.
 */
#pragma once

struct dataplane;

int api_open(struct dataplane *dp);
void api_close(struct dataplane *dp);
