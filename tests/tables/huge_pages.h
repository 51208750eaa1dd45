/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * huge_pages.h - huge pages of 2 MB for a test: free ones, or surplus ones that root allows meanwhile.
 */
#pragma once

#include <dwcp/base.h>

#define HUGE_BYTES (2u << 20)

/** huge_pages_begin() - Return: false when @n are not to be had; why is printed. */
bool huge_pages_begin(u32 n);
void huge_pages_end(void);
/** huge_pages_hog() - all that are free are ours. Return: how many; 0 = there were none. */
size_t huge_pages_hog(void **ret_hog);
void huge_pages_unhog(void *hog, size_t n);
