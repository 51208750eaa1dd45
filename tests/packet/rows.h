/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows.h - the table of packets and what must become of each. Every driver reads the same rows: the parser's test,
 * the engine's, the XDP program's.
 *
 * A row's bytes are a heap block of exactly seg_len bytes: a read past it is a sanitizer's report.
 */
#pragma once

#include "packet_build.h"

struct row {
	char name[80];
	u8 *bytes; /* owned by the set */
	u32 seg_len;
	u32 frame_len; /* > seg_len: the rest lies in further segments */
	u32 verdict;  /* of a router to which no address belongs: parse, then pkt_forward_check() */
	bool forward; /* it is pkt_forward_check() that drops it: parse passes */
	bool promiscuous; /* the port is */
	bool has_expect;
	struct pkt expect; /* has_expect: all that parse must find */
};

struct row_set {
	struct row *row;
	u32 n, capacity;
};

/** rows_create() - every row, in an order that never changes. Aborts when memory runs out. Returns owned. */
struct row_set *rows_create(void);
void rows_free(struct row_set *set);

/** rows_owe() - must a row cause this reason? Those of link layer, IP and transport; the rest needs an engine. */
bool rows_owe(enum drop_reason reason);

/** rows_cfg() - the port that the rows are for. */
struct parse_cfg rows_cfg(const struct row *row);

/** row_verdict_name() - "PASS" or the reason's name. */
const char *row_verdict_name(u32 verdict);

/* What the families of rows are made with. The name is a printf format. */
struct row *rows_add(struct row_set *set, const struct packet_build *b, u32 verdict,
		     const char *name, ...) dwcp_printf(4, 5);
/* The same, dropped by pkt_forward_check(). */
void rows_add_forward(struct row_set *set, const struct packet_build *b, enum drop_reason reason,
		      const char *name, ...) dwcp_printf(4, 5);
/* The first seg_len bytes of a packet of frame_len. */
struct row *rows_add_cut(struct row_set *set, const struct packet_build *b, u32 seg_len,
			 u32 frame_len, u32 verdict, const char *name, ...) dwcp_printf(6, 7);
#define rows_drop(set, b, reason, ...) rows_add(set, b, VERDICT_DROP(DROP_##reason), __VA_ARGS__)
#define rows_pass(set, b, ...)	       rows_add(set, b, VERDICT_PASS, __VA_ARGS__)

void rows_valid(struct row_set *set); /* what must pass, and every way to cut it */
void rows_l2(struct row_set *set);
void rows_ip4(struct row_set *set);
void rows_ip6(struct row_set *set);
void rows_l4(struct row_set *set);
void rows_forward(struct row_set *set);

/* Valid packets, for other tests to start from. */
u32 rows_n_valid(void);
void rows_valid_build(u32 i, struct packet_build *ret_build);
