/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

void history_add(struct history *h, const struct history_row *row)
{
	h->row[h->next] = *row;
	h->next = (h->next + 1) % HISTORY_ROWS;
	if (h->n < HISTORY_ROWS)
		h->n++;
}

const struct history_row *history_at(const struct history *h, u32 i)
{
	if (i >= h->n)
		return NULL;
	return &h->row[(h->next + HISTORY_ROWS - 1 - i) % HISTORY_ROWS];
}

const char *history_result_name(enum history_result r)
{
	switch (r) {
	case HISTORY_ADOPTED:
		return "adopted";
	case HISTORY_REFUSED:
		return "refused";
	case HISTORY_LOST:
		return "lost";
	case HISTORY_FAILED:
		return "failed";
	}
	return "?";
}
