/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * base.h - what every file may use: fixed-width shorthands, compiler attributes, array helpers.
 * No state, no functions with side effects. Safe on any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define DWCP_CACHE_LINE	    64
/* Two lines: adjacent-line prefetch on x86 makes 64 too small against false sharing. */
#define DWCP_SHARED_LINE    128

#define dwcp_aligned(n)	    __attribute__((aligned(n)))
#define dwcp_packed	    __attribute__((packed))
#define dwcp_likely(x)	    __builtin_expect(!!(x), 1)
#define dwcp_unlikely(x)    __builtin_expect(!!(x), 0)
#define dwcp_inline	    static inline __attribute__((always_inline))
#define dwcp_noinline	    __attribute__((noinline))
#define dwcp_printf(f, a)   __attribute__((format(printf, f, a)))

#define DWCP_ARRAY_LEN(a)   (sizeof(a) / sizeof((a)[0]))
#define DWCP_MIN(a, b)	    ((a) < (b) ? (a) : (b))
#define DWCP_MAX(a, b)	    ((a) > (b) ? (a) : (b))
#define DWCP_ALIGN_UP(x, n) (((x) + (n)-1) / (n) * (n))
#define DWCP_DIV_UP(x, n)   (((x) + (n)-1) / (n))
