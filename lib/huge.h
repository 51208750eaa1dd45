/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * huge.h - ask for 2 MB pages behind large heap memory: fewer faults while it is filled, fewer TLB misses afterwards.
 */
#pragma once

#include <sys/mman.h>

#include <dwcp/base.h>

#define HUGE_WORTH_BYTES (4ull << 20)

/* Where access is random all over, half of the time goes to the TLB with small pages. Nothing is lost where it fails. */
dwcp_inline void pages_huge(void *at, u64 bytes)
{
	uintptr_t first = DWCP_ALIGN_UP((uintptr_t)at, 4096),
		  end = ((uintptr_t)at + bytes) & ~4095ull;

	if (bytes >= HUGE_WORTH_BYTES)
		madvise((void *)first, end - first, MADV_HUGEPAGE);
}
