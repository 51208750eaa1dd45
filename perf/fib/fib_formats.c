/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_formats.c - layouts that were candidates for the FIB's IPv4 part, each with the lookup that suits it.
 * Benchmark only: built at once from a flat /24 table, never updated.
 *
 *   poptrie     direct 18, nodes of 32 bytes {children 64, leaves 64, bases}, stride 6
 *   poptrie24   the same in 24 bytes
 *   unified16   direct 18, nodes of 16 bytes {bitmap 64, base}: children sit between the leaves
 *   inline16    the direct entries are those nodes: one load less, 4 MB of them
 *   wide64      direct 16, nodes of 64 bytes {bitmap 256, ranks, base}, stride 8
 *   wideinline  the 65,536 direct entries are those nodes
 *
 * What is longer than /24 is a block of 256 leaves in all of them. The chosen format is wideinline with entries
 * inside the node where they fit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fib_subject.h"

#define DEEP 0x80000000u

struct node16 {
	u64 bits;
	u32 base;
	u32 pad;
};

struct node24 {
	u64 child_bits, leaf_bits;
	u32 child_base, leaf_base;
};

struct node32 {
	u64 child_bits, leaf_bits;
	u32 child_base, leaf_base;
	u64 pad;
};

struct node64 {
	u64 bits[4];
	u32 base;
	u8 rank[4]; /* bits set in the words below */
	u32 pad[6];
};

struct format {
	u32 *direct;
	struct node16 *n16;
	struct node24 *n24;
	struct node32 *n32;
	struct node64 *n64;
	u32 *leaf;
	u32 *deep; /* blocks of 256 */
	u32 n_node, n_leaf, n_deep;
	const struct fib_view *view;
	const struct dwcp_fib_root *root;
};

static u32 slot_at(const struct format *f, u32 dst)
{
	u32 slot;

	fib_lookup4(f->view, f->root, &dst, &slot, 1);
	return slot;
}

/* Flat table of 2^24: a slot, or DEEP | block. */
static u32 *flat_build(struct format *f, const struct table *t)
{
	u32 *flat = malloc(sizeof(u32) << 24);

	f->deep = malloc(1024u << 12);
	if (!flat || !f->deep)
		return NULL;
	for (u32 i = 0; i < 1u << 24; i++)
		flat[i] = slot_at(f, i << 8);
	for (u32 i = 0; i < t->n && f->n_deep < 1u << 12; i++) {
		u32 net = t->prefix[i].addr.lo >> 8;

		if (t->prefix[i].len <= 24 || flat[net] & DEEP)
			continue;
		for (u32 j = 0; j < 256; j++)
			f->deep[f->n_deep * 256 + j] = slot_at(f, net << 8 | j);
		flat[net] = DEEP | f->n_deep++;
	}
	return flat;
}

static bool range_same(const u32 *flat, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		if (flat[i] != flat[0])
			return false;
	}
	return !(flat[0] & DEEP);
}

/* Runs of @n slices as leaves. @bits: a bit where a new run begins, none at 0. */
static u32 runs_add(struct format *f, const u32 *flat, u32 n, u64 *bits)
{
	u32 base = f->n_leaf;

	f->leaf[f->n_leaf++] = flat[0];
	for (u32 i = 1; i < n; i++) {
		if (flat[i] == flat[i - 1])
			continue;
		bits[i >> 6] |= 1ull << (i & 63);
		f->leaf[f->n_leaf++] = flat[i];
	}
	return base;
}

static void build16(struct format *f, const u32 *flat, bool in_line)
{
	f->direct = malloc(sizeof(u32) << 18);
	f->n16 = calloc(1u << 18, sizeof(*f->n16));
	f->leaf = malloc(sizeof(u32) << 22);
	for (u32 i = 0; i < 1u << 18; i++) {
		const u32 *at = flat + (i << 6);
		struct node16 *nd = &f->n16[in_line ? i : f->n_node];

		f->direct[i] = at[0];
		/* A single leaf is kept in the node itself: all bits 0. */
		nd->base = at[0];
		if (range_same(at, 64))
			continue;
		nd->bits = 0;
		nd->base = runs_add(f, at, 64, &nd->bits);
		nd->pad = 1;
		f->direct[i] = DEEP | f->n_node++;
	}
}

static void build64(struct format *f, const u32 *flat, bool in_line)
{
	f->direct = malloc(sizeof(u32) << 16);
	f->n64 = aligned_alloc(64, sizeof(*f->n64) << 16);
	memset(f->n64, 0, sizeof(*f->n64) << 16);
	f->leaf = malloc(sizeof(u32) << 22);
	for (u32 i = 0; i < 1u << 16; i++) {
		const u32 *at = flat + (i << 8);
		struct node64 *nd = &f->n64[in_line ? i : f->n_node];

		f->direct[i] = at[0];
		if (!in_line && range_same(at, 256))
			continue;
		nd->base = runs_add(f, at, 256, nd->bits);
		for (u32 w = 1; w < 4; w++)
			nd->rank[w] = nd->rank[w - 1] + __builtin_popcountll(nd->bits[w - 1]);
		f->direct[i] = DEEP | f->n_node++;
	}
}

static void build_poptrie(struct format *f, const u32 *flat)
{
	build16(f, flat, false);
	f->n24 = calloc(f->n_node, sizeof(*f->n24));
	f->n32 = calloc(f->n_node, sizeof(*f->n32));
	for (u32 i = 0; i < f->n_node; i++) {
		const struct node16 *nd = &f->n16[i];

		f->n24[i] = (struct node24){.leaf_bits = nd->bits, .leaf_base = nd->base};
		f->n32[i] = (struct node32){.leaf_bits = nd->bits, .leaf_base = nd->base};
	}
}

/* ---- lookups ------------------------------------------------------------------------------------------- */

dwcp_inline void deep_finish(const struct format *f, const u32 *key, u32 *slot)
{
	u32 any = 0;

	for (u32 i = 0; i < SUBJECT_BURST; i++)
		any |= slot[i];
	if (dwcp_likely(!(any & DEEP)))
		return;
	for (u32 i = 0; i < SUBJECT_BURST; i++) {
		if (slot[i] & DEEP)
			slot[i] = f->deep[(slot[i] & ~DEEP) * 256 + (key[i] & 255)];
	}
}

dwcp_inline u32 direct_pass(const struct format *f, const u32 *key, u32 shift, u32 *slot, u32 *idx,
			    u32 *who)
{
	u32 n = 0;

	for (u32 i = 0; i < SUBJECT_BURST; i++) {
		u32 e = f->direct[key[i] >> shift];

		slot[i] = e;
		idx[n] = e & ~DEEP;
		who[n] = i;
		n += e >> 31;
	}
	return n;
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static u64 run_unified16(const struct subject *s,
									 const struct keys *k)
{
	const struct format *f = s->ctx;
	u32 slot[SUBJECT_BURST], idx[SUBJECT_BURST + 1], who[SUBJECT_BURST + 1];
	u64 sum = 0;

	for (u32 at = 0; at < k->n; at += SUBJECT_BURST) {
		const u32 *key = k->v4 + at;
		u32 n = direct_pass(f, key, 14, slot, idx, who);

		for (u32 j = 0; j < n; j++) {
			const struct node16 *nd = &f->n16[idx[j]];

			idx[j] = nd->base +
				 __builtin_popcountll(nd->bits << (~(key[who[j]] >> 8) & 63));
		}
		for (u32 j = 0; j < n; j++)
			slot[who[j]] = f->leaf[idx[j]];
		deep_finish(f, key, slot);
		sum += burst_sum(slot);
	}
	return sum;
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static u64 run_inline16(const struct subject *s,
									const struct keys *k)
{
	const struct format *f = s->ctx;
	u32 slot[SUBJECT_BURST], idx[SUBJECT_BURST + 1], who[SUBJECT_BURST + 1];
	u64 sum = 0;

	for (u32 at = 0; at < k->n; at += SUBJECT_BURST) {
		const u32 *key = k->v4 + at;
		u32 n = 0;

		for (u32 j = 0; j < SUBJECT_BURST; j++) {
			const struct node16 *nd = &f->n16[key[j] >> 14];

			slot[j] = nd->base;
			who[n] = j;
			idx[n] = nd->base + __builtin_popcountll(nd->bits << (~(key[j] >> 8) & 63));
			n += nd->pad;
		}
		for (u32 j = 0; j < n; j++)
			slot[who[j]] = f->leaf[idx[j]];
		deep_finish(f, key, slot);
		sum += burst_sum(slot);
	}
	return sum;
}

dwcp_inline u32 wide_leaf(const struct node64 *nd, u32 key)
{
	u32 v = key >> 8 & 255;

	return nd->base + nd->rank[v >> 6] + __builtin_popcountll(nd->bits[v >> 6] << (~v & 63));
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static u64 run_wide64(const struct subject *s,
								      const struct keys *k)
{
	const struct format *f = s->ctx;
	u32 slot[SUBJECT_BURST], idx[SUBJECT_BURST + 1], who[SUBJECT_BURST + 1];
	u64 sum = 0;

	for (u32 at = 0; at < k->n; at += SUBJECT_BURST) {
		const u32 *key = k->v4 + at;
		u32 n = direct_pass(f, key, 16, slot, idx, who);

		for (u32 j = 0; j < n; j++)
			idx[j] = wide_leaf(&f->n64[idx[j]], key[who[j]]);
		for (u32 j = 0; j < n; j++)
			slot[who[j]] = f->leaf[idx[j]];
		deep_finish(f, key, slot);
		sum += burst_sum(slot);
	}
	return sum;
}

__attribute__((target("avx2,bmi,bmi2,popcnt"))) static u64 run_wideinline(const struct subject *s,
									  const struct keys *k)
{
	const struct format *f = s->ctx;
	u32 slot[SUBJECT_BURST], idx[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 at = 0; at < k->n; at += SUBJECT_BURST) {
		const u32 *key = k->v4 + at;

		for (u32 j = 0; j < SUBJECT_BURST; j++)
			idx[j] = wide_leaf(&f->n64[key[j] >> 16], key[j]);
		for (u32 j = 0; j < SUBJECT_BURST; j++)
			slot[j] = f->leaf[idx[j]];
		deep_finish(f, key, slot);
		sum += burst_sum(slot);
	}
	return sum;
}

struct walk {
	u32 idx, i;
};

#define RUN_POPTRIE(name, type, array)                                                             \
	__attribute__((target("avx2,bmi,bmi2,popcnt"))) static u64 name(const struct subject *s,   \
									const struct keys *k)      \
	{                                                                                          \
		const struct format *f = s->ctx;                                                   \
		struct walk w[SUBJECT_BURST + 1], done[SUBJECT_BURST + 1];                         \
		u32 slot[SUBJECT_BURST];                                                           \
		u64 sum = 0;                                                                       \
                                                                                                   \
		for (u32 at = 0; at < k->n; at += SUBJECT_BURST) {                                 \
			const u32 *key = k->v4 + at;                                               \
			u32 n = 0, end = 0;                                                        \
                                                                                                   \
			for (u32 i = 0; i < SUBJECT_BURST; i++) {                                  \
				u32 e = f->direct[key[i] >> 14];                                   \
                                                                                                   \
				slot[i] = e;                                                       \
				w[n] = (struct walk){e & ~DEEP, i};                                \
				n += e >> 31;                                                      \
			}                                                                          \
			for (u32 shift = 40; n; shift -= 6) {                                      \
				u32 stay = 0;                                                      \
                                                                                                   \
				for (u32 j = 0; j < n; j++) {                                      \
					const type *nd = &f->array[w[j].idx];                      \
					u32 i = w[j].i;                                            \
					u32 up = ~(u32)((u64)key[i] << 32 >> shift) & 63;          \
					u64 child = nd->child_bits << up;                          \
                                                                                                   \
					done[end] = (struct walk){nd->leaf_base +                  \
									  __builtin_popcountll(    \
										  nd->leaf_bits    \
										  << up),          \
								  i};                              \
					w[stay] = (struct walk){nd->child_base +                   \
									__builtin_popcountll(      \
										child) -           \
									1,                         \
								i};                                \
					stay += child >> 63;                                       \
					end += ~child >> 63;                                       \
				}                                                                  \
				n = stay;                                                          \
			}                                                                          \
			for (u32 j = 0; j < end; j++)                                              \
				slot[done[j].i] = f->leaf[done[j].idx];                            \
			deep_finish(f, key, slot);                                                 \
			sum += burst_sum(slot);                                                    \
		}                                                                                  \
		return sum;                                                                        \
	}

RUN_POPTRIE(run_poptrie24, struct node24, n24)
RUN_POPTRIE(run_poptrie32, struct node32, n32)

static void format_add(struct subjects *s, const char *name, struct format *f, u64 bytes,
		       u64 (*run)(const struct subject *, const struct keys *))
{
	bytes += f->n_leaf * sizeof(u32) + (u64)f->n_deep * 1024;
	row_print_one("memory", name, "bytes", bytes);
	subject_add(s, (struct subject){name, run, f, NULL});
}

int formats_add(struct subjects *s, const struct table *t, const struct fib_view *view)
{
	static struct format f[5];
	struct format base = {.view = view, .root = fib_root_find(view, 0, FIB_IP4)};
	u32 *flat = flat_build(&base, t);

	if (!flat)
		return -ENOMEM;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(f); i++)
		f[i] = base;
	build_poptrie(&f[0], flat);
	format_add(s, "format-poptrie", &f[0],
		   f[0].n_node * sizeof(struct node32) + (sizeof(u32) << 18), run_poptrie32);
	format_add(s, "format-poptrie24", &f[0],
		   f[0].n_node * sizeof(struct node24) + (sizeof(u32) << 18), run_poptrie24);
	build16(&f[1], flat, false);
	format_add(s, "format-unified16", &f[1],
		   f[1].n_node * sizeof(struct node16) + (sizeof(u32) << 18), run_unified16);
	build16(&f[2], flat, true);
	format_add(s, "format-inline16", &f[2], sizeof(struct node16) << 18, run_inline16);
	build64(&f[3], flat, false);
	format_add(s, "format-wide64", &f[3],
		   f[3].n_node * sizeof(struct node64) + (sizeof(u32) << 16), run_wide64);
	build64(&f[4], flat, true);
	format_add(s, "format-wideinline", &f[4], sizeof(struct node64) << 16, run_wideinline);
	free(flat);
	return 0;
}
