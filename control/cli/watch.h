/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h - --watch and --count: the same question again and again, with rates between two answers.
 */
#pragma once

#include "cli.h"

struct watch {
	bool on;
	u64 interval_ms, rounds; /* rounds left; 0 = until interrupted */
	u64 last_ns;		 /* when the round before was asked */
	u32 n;			 /* rounds done */
};

/** watch_init() - from the command line. Return: CLI_OK or CLI_USAGE, printed. */
int watch_init(struct watch *w, const struct cli *cli);
/** watch_next() - wait for the next round. Return: false when there is none. */
bool watch_next(struct watch *w);
/** watch_title() - in front of a round: a clean screen on a terminal, a blank line between rounds elsewhere. */
void watch_title(const struct watch *w, const struct cli *cli, const char *what);
void watch_sleep_ms(u64 ms);
/** rate_per_s() - growth of a counter over a time; 0 when it went back (a restart). */
s64 rate_per_s(s64 before, s64 after, u64 ns);
