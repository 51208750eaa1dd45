/* SPDX-License-Identifier: BSD-3-Clause */
/* history.h - the last publishes, with their times. */
#pragma once

#include <dwcp/base.h>

#define HISTORY_ROWS	   256
#define HISTORY_REASON_MAX 96

enum history_result { HISTORY_ADOPTED, HISTORY_REFUSED, HISTORY_LOST, HISTORY_FAILED };

struct history_row {
	u64 generation;
	u64 unix_ns;
	enum history_result result;
	bool has_event; /* event_to_adopted_us says something */
	u64 event_ns;
	u64 event_to_adopted_us, build_us, send_us, validate_us, quiesce_us;
	u64 bytes_sent;
	char reason[HISTORY_REASON_MAX];
};

struct history {
	u32 next, n;
	struct history_row row[HISTORY_ROWS];
};

void history_add(struct history *h, const struct history_row *row);
/** history_at() - the i-th newest row. Return: NULL past the end. */
const struct history_row *history_at(const struct history *h, u32 i);
const char *history_result_name(enum history_result r);
