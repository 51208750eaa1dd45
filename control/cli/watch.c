/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c - rounds of a watching command. Interrupting it kills it: nothing has to be put back.
 */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "format.h"

#define WATCH_MIN_S 0.1
#define WATCH_MAX_S 86400.0

int watch_init(struct watch *w, const struct cli *cli)
{
	const char *text = args_value(cli, "watch", 0);
	double seconds = 1;
	char *end;

	*w = (struct watch){.on = args_flag(cli, "watch")};
	if (text) {
		errno = 0;
		seconds = strtod(text, &end);
		/* written so that NaN fails */
		if (errno || *end || !(seconds >= WATCH_MIN_S && seconds <= WATCH_MAX_S))
			return cli_error(cli, CLI_USAGE, "bad_option", NULL,
					 "--watch takes seconds from 0.1 to 86400, not '%s'", text);
	}
	w->interval_ms = (u64)(seconds * 1000);
	return args_number(cli, "count", 1, UINT32_MAX, 0, &w->rounds);
}

void watch_sleep_ms(u64 ms)
{
	struct timespec left = {.tv_sec = (time_t)(ms / 1000),
				.tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

bool watch_next(struct watch *w)
{
	u64 passed_ms;

	w->n++;
	if (!w->on || (w->rounds && w->n >= w->rounds))
		return false;
	fflush(stdout);
	passed_ms = w->last_ns ? (client_now_ns() - w->last_ns) / 1000000 : 0;
	if (passed_ms < w->interval_ms)
		watch_sleep_ms(w->interval_ms - passed_ms);
	return true;
}

void watch_title(const struct watch *w, const struct cli *cli, const char *what)
{
	char now[FORMAT_MAX];

	if (!w->on)
		return;
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	else if (w->n)
		putchar('\n');
	printf("%s  %s, every %llu.%llu s\n", what,
	       format_time(format_now_unix_ns(), now, sizeof(now)),
	       (unsigned long long)w->interval_ms / 1000,
	       (unsigned long long)w->interval_ms / 100 % 10);
}

s64 rate_per_s(s64 before, s64 after, u64 ns)
{
	if (ns == 0 || after <= before || before < 0)
		return 0;
	return (s64)((unsigned __int128)(u64)(after - before) * 1000000000u / ns);
}
