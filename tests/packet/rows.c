/* SPDX-License-Identifier: BSD-3-Clause */
/* rows.c - the set of rows; the rows themselves are in rows_*.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rows.h"

static struct row *rows_append(struct row_set *set, const u8 *bytes, u32 seg_len, u32 frame_len)
{
	struct row *r;

	if (set->n == set->capacity) {
		set->capacity = set->capacity ? set->capacity * 2 : 1024;
		set->row = realloc(set->row, set->capacity * sizeof(*set->row));
		if (!set->row)
			abort();
	}
	r = &set->row[set->n++];
	memset(r, 0, sizeof(*r));
	r->bytes = malloc(seg_len ? seg_len : 1);
	if (!r->bytes)
		abort();
	memcpy(r->bytes, bytes, seg_len);
	r->seg_len = seg_len;
	r->frame_len = frame_len;
	return r;
}

struct row *rows_add(struct row_set *set, const struct packet_build *b, u32 verdict,
		     const char *name, ...)
{
	struct row *r = rows_append(set, b->bytes, b->len, b->len);
	va_list ap;

	va_start(ap, name);
	vsnprintf(r->name, sizeof(r->name), name, ap);
	va_end(ap);
	r->verdict = verdict;
	return r;
}

void rows_add_forward(struct row_set *set, const struct packet_build *b, enum drop_reason reason,
		      const char *name, ...)
{
	struct row *r = rows_append(set, b->bytes, b->len, b->len);
	va_list ap;

	va_start(ap, name);
	vsnprintf(r->name, sizeof(r->name), name, ap);
	va_end(ap);
	r->verdict = VERDICT_DROP(reason);
	r->forward = true;
}

struct row *rows_add_cut(struct row_set *set, const struct packet_build *b, u32 seg_len,
			 u32 frame_len, u32 verdict, const char *name, ...)
{
	struct row *r = rows_append(set, b->bytes, seg_len, frame_len);
	va_list ap;

	va_start(ap, name);
	vsnprintf(r->name, sizeof(r->name), name, ap);
	va_end(ap);
	r->verdict = verdict;
	return r;
}

struct row_set *rows_create(void)
{
	struct row_set *set = calloc(1, sizeof(*set));

	if (!set)
		abort();
	rows_valid(set);
	rows_l2(set);
	rows_ip4(set);
	rows_ip6(set);
	rows_l4(set);
	rows_forward(set);
	return set;
}

void rows_free(struct row_set *set)
{
	if (!set)
		return;
	for (u32 i = 0; i < set->n; i++)
		free(set->row[i].bytes);
	free(set->row);
	free(set);
}

bool rows_owe(enum drop_reason reason)
{
	return reason <= DROP_TINY_FRAGMENT;
}

struct parse_cfg rows_cfg(const struct row *row)
{
	struct parse_cfg cfg = {.promiscuous = row->promiscuous};

	memcpy(cfg.mac, build_our_mac, sizeof(cfg.mac));
	return cfg;
}

const char *row_verdict_name(u32 verdict)
{
	static const char *const names[] = {
#define X(name, text) #name,
		DWCP_DROP_REASONS(X)
#undef X
	};

	if (verdict == VERDICT_PASS)
		return "PASS";
	verdict -= VERDICT_DROP_BASE;
	return verdict < DROP_N_REASONS ? names[verdict] : "?";
}
