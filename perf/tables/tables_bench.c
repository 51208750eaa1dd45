/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables_bench.c - what it costs to take in a full table: seal, stage (hash and check every element), open (references
 * between sections, map), the same after one changed route and one changed next hop, store and load.
 *
 *	tables_bench [chunk_bytes]     $DWCP_TABLE names a file of prefixes; else a synthetic full table
 *
 * One row a step: the median of N_ROUNDS, in µs of this thread's CPU time (what another program takes meanwhile is not
 * ours), but for the store, which waits for the disk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/util/generation.h>

#include "fib_synth.h"

#define N_ROUNDS   11
#define N_NEXTHOPS 131072u /* 4 MB */
#define N_IDS	   262144u
#define N_BUCKETS  65536u
#define GROUP	   8u
#define MAX_PIECES 4096u
#define N_PORTS	   8
#define FATAL(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

struct array {
	u16 section, version;
	u32 element_bytes;
	u8 *bytes;
	size_t len;
	struct dwcp_segment_desc *desc;
	int *fd;
	u32 n;
};

struct bench {
	struct array array[7];
	u32 chunk_bytes;
	u64 number, bytes;
	char reason[GENERATION_REASON_MAX];
};

static const struct generation_limits limits = {.n_ports = N_PORTS};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u64 wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static int u64_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

static void row(const char *what, u64 *ns, u64 bytes)
{
	qsort(ns, N_ROUNDS, sizeof(*ns), u64_compare);
	printf("%-44s %9.1f us  (best %.1f)", what, (double)ns[N_ROUNDS / 2] / 1e3,
	       (double)ns[0] / 1e3);
	if (bytes)
		printf("  %.2f GB/s", (double)bytes / (double)ns[N_ROUNDS / 2]);
	printf("\n");
}

static void array_set(struct array *a, u16 section, u16 version, u32 element_bytes,
		      const void *bytes, size_t len)
{
	*a = (struct array){section, version, element_bytes, malloc(len), len, NULL, NULL, 0};
	FATAL(a->bytes);
	memcpy(a->bytes, bytes, len);
	a->desc = calloc(MAX_PIECES, sizeof(*a->desc));
	a->fd = calloc(MAX_PIECES, sizeof(*a->fd));
	FATAL(a->desc && a->fd);
}

static void fib_arrays(struct bench *b)
{
	static const u32 element[] = {sizeof(struct dwcp_fib_root), sizeof(u64), sizeof(u64),
				      sizeof(u32)};
	struct fib_builder_cfg cfg = {.chunk_bytes = 65536};
	struct fib_builder *fb = fib_builder_create(&cfg);
	struct fib_synth s;

	FATAL(fb && fib_synth_load(1, &s) == 0);
	for (u32 i = 0; i < s.n4 + s.n6; i++)
		FATAL(fib_builder_set(fb, &s.prefix[i], 1 + i % (N_NEXTHOPS - 1)) == 0);
	FATAL(fib_builder_commit(fb) == 0);
	printf("table: %s, %u IPv4 and %u IPv6 prefixes\n", s.source, s.n4, s.n6);
	for (u32 a = FIB_ROOT; a < FIB_N_ARRAYS; a++) {
		size_t len;
		const void *bytes = fib_builder_array(fb, a, &len);

		array_set(&b->array[a], (u16)(DWCP_SECTION_FIB_ROOT + a), DWCP_FIB_VERSION,
			  element[a], bytes, len);
	}
	fib_synth_free(&s);
	fib_builder_free(fb);
}

/* One in nine next hops is a group of eight. */
static void nexthop_arrays(struct bench *b)
{
	struct dwcp_nexthop *h = calloc(N_NEXTHOPS, sizeof(*h));
	struct dwcp_id_entry *e = calloc(N_IDS, sizeof(*e));
	u32 *bucket = calloc(N_BUCKETS, sizeof(*bucket));

	FATAL(h && e && bucket);
	for (u32 i = 0; i < N_BUCKETS; i++)
		bucket[i] = 1 + (i * 2654435761u) % (N_NEXTHOPS / 2);
	for (u32 i = 1; i < N_NEXTHOPS; i++) {
		u32 at = dwcp_id_home(1000 + i, N_IDS);

		h[i] = (struct dwcp_nexthop){.type = DWCP_NEXTHOP_FORWARD,
					     .port = i % N_PORTS,
					     .id = 1000 + i};
		memcpy(h[i].forward.dst_mac, (u8[]){2, 0, 0, (u8)(i >> 16), (u8)(i >> 8), (u8)i},
		       6);
		if (i > N_NEXTHOPS / 2 && i % 9 == 0) {
			h[i] = (struct dwcp_nexthop){.type = DWCP_NEXTHOP_GROUP, .id = 1000 + i};
			h[i].group.first_bucket = i % (N_BUCKETS / GROUP) * GROUP;
			h[i].group.n_buckets = GROUP;
		}
		while (e[at].id)
			at = (at + 1) % N_IDS;
		e[at] = (struct dwcp_id_entry){1000 + i, i};
	}
	array_set(&b->array[4], DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, sizeof(*h), h,
		  N_NEXTHOPS * sizeof(*h));
	array_set(&b->array[5], DWCP_SECTION_NEXTHOP_BUCKET, DWCP_NEXTHOP_VERSION, sizeof(u32),
		  bucket, N_BUCKETS * sizeof(u32));
	array_set(&b->array[6], DWCP_SECTION_NEXTHOP_ID, DWCP_NEXTHOP_VERSION, sizeof(*e), e,
		  N_IDS * sizeof(*e));
	free(h);
	free(e);
	free(bucket);
}

static void piece_seal(const struct bench *b, struct array *a, u32 i)
{
	size_t at = (size_t)i * b->chunk_bytes, len = DWCP_MIN(a->len - at, b->chunk_bytes);

	if (a->fd[i] > 0)
		close(a->fd[i]);
	a->fd[i] = segment_seal(a->section, a->bytes + at, len, false, &a->desc[i]);
	FATAL(a->fd[i] > 0);
}

static void all_seal(struct bench *b)
{
	b->bytes = 0;
	for (u32 k = 0; k < 7; k++) {
		struct array *a = &b->array[k];

		a->n = (u32)DWCP_DIV_UP(a->len, b->chunk_bytes);
		FATAL(a->n <= MAX_PIECES);
		for (u32 i = 0; i < a->n; i++) {
			piece_seal(b, a, i);
			b->bytes += a->desc[i].bytes;
		}
	}
}

static void all_stage(struct bench *b, struct segment_set *s)
{
	for (u32 k = 0; k < 7; k++)
		for (u32 i = 0; i < b->array[k].n; i++)
			FATAL(segment_set_stage(s, &b->array[k].desc[i], dup(b->array[k].fd[i]),
						b->reason) == 0);
}

static struct generation *table_open(struct bench *b, struct segment_set *s)
{
	struct manifest_section sections[7];
	struct manifest_cfg cfg = {.generation = ++b->number};
	struct dwcp_manifest *m;
	struct generation *g = NULL;
	int fd;

	for (u32 k = 0; k < 7; k++) {
		const struct array *a = &b->array[k];

		sections[k] = (struct manifest_section){a->section,
							a->version,
							a->element_bytes,
							a->len / a->element_bytes,
							b->chunk_bytes,
							a->desc,
							a->n};
	}
	FATAL(manifest_build(&cfg, sections, 7, &m) == 0);
	fd = manifest_seal(m);
	if (generation_open(s, fd, &limits, &g, b->reason) != 0) {
		fprintf(stderr, "%s\n", b->reason);
		exit(1);
	}
	close(fd);
	free(m);
	return g;
}

static struct segment_set *set_create(void)
{
	struct segment_set_cfg cfg = {.max_bytes = 1ull << 32,
				      .max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	struct segment_set *s = segment_set_create(&cfg);

	FATAL(s);
	return s;
}

static void bench_whole(struct bench *b)
{
	u64 seal[N_ROUNDS], stage[N_ROUNDS], open[N_ROUNDS], closing[N_ROUNDS];

	for (u32 i = 0; i < N_ROUNDS; i++) {
		struct segment_set *s = set_create();
		struct generation *g;
		u64 t = now_ns();

		all_seal(b);
		seal[i] = now_ns() - t;
		t = now_ns();
		all_stage(b, s);
		stage[i] = now_ns() - t;
		t = now_ns();
		g = table_open(b, s);
		open[i] = now_ns() - t;
		t = now_ns();
		generation_close(g);
		closing[i] = now_ns() - t;
		segment_set_free(s);
	}
	row("seal all segments", seal, b->bytes);
	row("stage all: hash, check every element", stage, b->bytes);
	row("open the first: references, map, populate", open, b->bytes);
	row("close", closing, 0);
}

/* One element of one array changes; the generation before stays open meanwhile, as for a worker. */
static void bench_delta(struct bench *b, const char *what, struct array *a,
			void (*change)(void *at, u32 round))
{
	struct segment_set *s = set_create();
	u64 ns[N_ROUNDS], staging[N_ROUNDS];
	struct generation *old, *g;
	char text[64];

	all_stage(b, s);
	old = table_open(b, s);
	for (u32 i = 0; i < N_ROUNDS; i++) {
		u32 piece = a->n / 2;
		u64 t;

		change(a->bytes + (size_t)piece * b->chunk_bytes, i);
		piece_seal(b, a, piece);
		t = now_ns();
		FATAL(segment_set_stage(s, &a->desc[piece], dup(a->fd[piece]), b->reason) == 0);
		staging[i] = now_ns() - t;
		t = now_ns();
		g = table_open(b, s);
		ns[i] = now_ns() - t;
		FATAL(g->n_new_segments == 1);
		generation_close(old);
		old = g;
	}
	generation_close(old);
	segment_set_free(s);
	snprintf(text, sizeof(text), "%s: stage one segment", what);
	row(text, staging, 0);
	snprintf(text, sizeof(text), "%s: open", what);
	row(text, ns, 0);
}

static void change_leaf(void *at, u32 round)
{
	u32 *leaf = at;

	*leaf = *leaf % 1000 + 1 + round;
}

static void change_nexthop(void *at, u32 round)
{
	struct dwcp_nexthop *h = at;

	h->mtu = (u16)(1000 + round);
}

static void bench_files(struct bench *b)
{
	char path[] = "/tmp/tables-bench-XXXXXX";
	struct segment_set *s = set_create();
	u64 store[N_ROUNDS], load[N_ROUNDS];
	struct generation *g, *from;

	close(mkstemp(path));
	all_stage(b, s);
	g = table_open(b, s);
	for (u32 i = 0; i < N_ROUNDS; i++) {
		struct segment_set *fresh = set_create();
		u64 t = wall_ns();

		FATAL(generation_store(g, path) == 0);
		store[i] = wall_ns() - t;
		t = now_ns();
		FATAL(generation_load(fresh, path, &limits, &from, b->reason) == 0);
		load[i] = now_ns() - t;
		generation_close(from);
		segment_set_free(fresh);
	}
	generation_close(g);
	segment_set_free(s);
	unlink(path);
	row("store (with fsync)", store, b->bytes);
	row("load", load, b->bytes);
}

int main(int argc, char **argv)
{
	static struct bench b;

	b.chunk_bytes = argc > 1 ? (u32)strtoul(argv[1], NULL, 0) : 65536;
	fib_arrays(&b);
	nexthop_arrays(&b);
	all_seal(&b);
	printf("%lu bytes: fib %zu + %zu + %zu, next hops %zu, buckets %zu, ids %zu; chunks of %u "
	       "bytes\n",
	       b.bytes, b.array[1].len, b.array[2].len, b.array[3].len, b.array[4].len,
	       b.array[5].len, b.array[6].len, b.chunk_bytes);
	bench_whole(&b);
	bench_delta(&b, "changed route", &b.array[FIB_LEAF], change_leaf);
	bench_delta(&b, "changed next hop", &b.array[4], change_nexthop);
	bench_files(&b);
	for (u32 k = 0; k < 7; k++) {
		for (u32 i = 0; i < b.array[k].n; i++)
			close(b.array[k].fd[i]);
		free(b.array[k].bytes);
		free(b.array[k].desc);
		free(b.array[k].fd);
	}
	return 0;
}
