/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - one line an event on stderr: `event.name key=value …`. Control thread only; workers count instead.
 */
#pragma once

#include <stdio.h>
#include <time.h>

#include <dwcp/base.h>

dwcp_inline u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

dwcp_inline u64 clock_unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

#define log_event(fmt, ...) fprintf(stderr, fmt "\n", ##__VA_ARGS__)
