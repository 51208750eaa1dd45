/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chunk.h - how large the pieces of published tables are, and on which pages they lie.
 *
 * On 2 MB pages a worker has far fewer translations to find anew after a swap (docs/decisions/0005-swap-pages.md); but a piece
 * in such a page is 2 MB, whatever has changed in it.
 */
#pragma once

#include <dwcp/base.h>

/*
 * Two generations of an Internet table (8 pages each, IPv4 and IPv6) and as much again for it to grow. One that runs out of
 * pages is published in the same pieces on 4 kB pages.
 */
#define CHUNK_HUGE_PAGES 32u
#define CHUNK_SMALL_KB	 256u
#define CHUNK_HUGE_KB	 2048u

struct chunk_choice {
	u32 kb;
	bool huge;	 /* on 2 MB pages, as long as there are some */
	const char *why; /* for people; static */
};

/**
 * chunk_choose() - what agent.chunk_kb means on this machine.
 * @chunk_kb:   as configured; 0 = choose.
 * @allowed:    the configuration lets tables lie on huge pages.
 * @pages_free: huge pages of 2 MB that nobody holds.
 */
struct chunk_choice chunk_choose(u32 chunk_kb, bool allowed, u64 pages_free);

/** chunk_pages_free() - free and not promised to anybody, as of now; 0 when the kernel has none. */
u64 chunk_pages_free(void);
