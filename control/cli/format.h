/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.h - numbers and times for people. Each writes into @buf [len] and returns it.
 */
#pragma once

#include <dwcp/base.h>

#define FORMAT_MAX 48

/** format_count() - 1234567 → "1,234,567". */
const char *format_count(s64 n, char *buf, size_t len);
/** format_bytes() - 1536 → "1.5 KiB". */
const char *format_bytes(u64 bytes, char *buf, size_t len);
/** format_span() - seconds → "3 d 4 h", "12 min", "8 s". */
const char *format_span(u64 seconds, char *buf, size_t len);
/** format_age() - wall time → "3 min ago"; "never" for 0, "just now" for less than a second or the future. */
const char *format_age(u64 unix_ns, char *buf, size_t len);
/** format_time() - wall time → "2026-11-21 10:03:22Z". */
const char *format_time(u64 unix_ns, char *buf, size_t len);
/** format_us() - microseconds → "812 us", "3.4 ms", "1.2 s". */
const char *format_us(u64 us, char *buf, size_t len);
u64 format_now_unix_ns(void);
