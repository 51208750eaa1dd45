/* SPDX-License-Identifier: BSD-3-Clause */
/* stats_private.h - what the files about the stats page share. */
#pragma once

#include <stddef.h>

#include <dwcp/abi/stats.h>

/* The accessors of abi/stats.h take a writable base, for the dataplane. Nothing is written here. */
dwcp_inline const struct dwcp_stats_worker *worker_at(const void *page, u32 i)
{
	return dwcp_stats_worker_at((void *)(uintptr_t)page, i);
}

dwcp_inline const struct dwcp_stats_port *port_at(const void *page, u32 i)
{
	return dwcp_stats_port_at((void *)(uintptr_t)page, i);
}

/** stats_text() - a name of the page, cut at its field and made printable: it must not be able to break the JSON. */
const char *stats_text(const char *field, size_t size, char *buf);
