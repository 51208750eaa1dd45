/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.h - the agent's side door: <run_dir>/dataplane.link (abi/link.h). Control thread.
 */
#pragma once

#include <dwcp/base.h>

struct dataplane;

/** link_open() - listen. Return: 0 or -errno, one line logged. */
int link_open(struct dataplane *dp);
void link_close(struct dataplane *dp);
/** link_tick() - every 100 ms. */
void link_tick(struct dataplane *dp);
bool link_connected(const struct dataplane *dp);
/** link_refused_count() - messages and connections that were turned away since start. */
u64 link_refused_count(const struct dataplane *dp);
