/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.h - the dataplane's shared pages as the agent maps them: stats and rings to read, ring tails to write.
 * Sizes, seals, magic and version are checked before anything is believed: without the seal against shrinking, the
 * other side could make us fault.
 */
#pragma once

#include <dwcp/abi/link.h>
#include <dwcp/abi/ring.h>
#include <dwcp/base.h>

struct pages {
	const void *stats; /* NULL = not connected */
	const struct dwcp_ring_page *rings;
	struct dwcp_ring_tail *tails;
	size_t stats_bytes, rings_bytes, tails_bytes;
	u32 n_rings;
	int event_fd;
};

void pages_init(struct pages *p);
/**
 * pages_open() - map what a hello has brought.
 * @fd: [DWCP_HELLO_N_FDS] taken, closed on failure too. Return: NULL, or what is wrong.
 */
const char *pages_open(struct pages *p, const struct dwcp_link_hello *hello, int *fd);
void pages_close(struct pages *p);
