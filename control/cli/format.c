/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.c - numbers and times for people.
 */
#include "format.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000ull

u64 format_now_unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

const char *format_count(s64 n, char *buf, size_t len)
{
	char digits[24];
	u64 magnitude = n < 0 ? -(u64)n : (u64)n;
	int n_digits = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)magnitude);
	size_t at = 0;

	if (n < 0 && len > 1)
		buf[at++] = '-';
	for (int i = 0; i < n_digits && at + 2 < len; i++) {
		if (i > 0 && (n_digits - i) % 3 == 0)
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = 0;
	return buf;
}

const char *format_bytes(u64 bytes, char *buf, size_t len)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	u32 unit = 0;
	u64 tenths = (bytes >> 10) * 10 + ((bytes & 1023) * 10 >> 10);

	if (bytes < 1024) {
		snprintf(buf, len, "%u bytes", (u32)bytes);
		return buf;
	}
	while (tenths >= 10240 && unit + 1 < DWCP_ARRAY_LEN(units)) {
		tenths >>= 10;
		unit++;
	}
	snprintf(buf, len, "%llu.%llu %s", (unsigned long long)tenths / 10,
		 (unsigned long long)tenths % 10, units[unit]);
	return buf;
}

const char *format_span(u64 s, char *buf, size_t len)
{
	u64 d = s / 86400, h = s / 3600 % 24, min = s / 60 % 60;

	if (d)
		snprintf(buf, len, "%llu d %llu h", (unsigned long long)d, (unsigned long long)h);
	else if (h)
		snprintf(buf, len, "%llu h %llu min", (unsigned long long)h,
			 (unsigned long long)min);
	else if (min)
		snprintf(buf, len, "%llu min", (unsigned long long)min);
	else
		snprintf(buf, len, "%llu s", (unsigned long long)s);
	return buf;
}

const char *format_age(u64 unix_ns, char *buf, size_t len)
{
	u64 now = format_now_unix_ns();
	char span[FORMAT_MAX];

	if (unix_ns == 0)
		snprintf(buf, len, "never");
	else if (unix_ns > now - NS_PER_S)
		snprintf(buf, len, "just now");
	else
		snprintf(buf, len, "%s ago",
			 format_span((now - unix_ns) / NS_PER_S, span, sizeof(span)));
	return buf;
}

const char *format_time(u64 unix_ns, char *buf, size_t len)
{
	time_t t = (time_t)(unix_ns / NS_PER_S);
	struct tm tm;

	if (unix_ns == 0 || !gmtime_r(&t, &tm) ||
	    strftime(buf, len, "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		snprintf(buf, len, "-");
	return buf;
}

const char *format_us(u64 us, char *buf, size_t len)
{
	if (us < 1000)
		snprintf(buf, len, "%llu us", (unsigned long long)us);
	else if (us < 1000000)
		snprintf(buf, len, "%llu.%llu ms", (unsigned long long)us / 1000,
			 (unsigned long long)us / 100 % 10);
	else
		snprintf(buf, len, "%llu.%llu s", (unsigned long long)us / 1000000,
			 (unsigned long long)us / 100000 % 10);
	return buf;
}
