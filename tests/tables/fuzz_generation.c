/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_generation.c - a manifest and its segments from bytes, through staging and opening to a worker's double.
 *
 *	byte 0         bit 0: hashes stay as the input has them; else all are made right, to get past them
 *	2 bytes        length of the manifest, then the manifest
 *	each segment   2 bytes length, then that much of it; zeros up to what the manifest says
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "table_small.h"
#include "walk.h"

#define ALL_SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define MAX_SEGMENTS	32
#define MAX_SEGMENT_LEN (64u << 10)

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

struct input {
	const u8 *at, *end;
};

static const u8 *take(struct input *in, size_t n)
{
	const u8 *at = in->at;

	if ((size_t)(in->end - in->at) < n)
		return NULL;
	in->at += n;
	return at;
}

static const u8 *take_block(struct input *in, u32 *ret_len)
{
	const u8 *n = take(in, 2);

	*ret_len = n ? n[0] | (u32)n[1] << 8 : 0;
	*ret_len = DWCP_MIN(*ret_len, (u32)(in->end - in->at));
	return take(in, *ret_len);
}

/* Where the segments' descriptions stand, if the manifest is long enough to have them. */
static struct dwcp_segment_desc *segments_of(struct dwcp_manifest *m, u32 len, u32 *ret_n)
{
	u64 at;

	*ret_n = 0;
	if (len < sizeof(*m))
		return NULL;
	at = sizeof(*m) + (u64)m->n_sections * sizeof(struct dwcp_section_desc);
	if (at + (u64)m->n_segments * sizeof(struct dwcp_segment_desc) > len)
		return NULL;
	*ret_n = DWCP_MIN(m->n_segments, MAX_SEGMENTS);
	return (void *)((u8 *)m + at);
}

static void segment_feed(struct segment_set *s, struct input *in, struct dwcp_segment_desc *d,
			 bool keep)
{
	u32 n, bytes = DWCP_MIN(d->bytes, MAX_SEGMENT_LEN);
	const u8 *from = take_block(in, &n);
	char reason[GENERATION_REASON_MAX];
	u8 *all = calloc(1, bytes + 1);

	memcpy(all, from, DWCP_MIN(n, bytes));
	if (!keep)
		d->id = bytes_hash(all, bytes);
	segment_set_stage(s, d, memfd_with(all, bytes, ALL_SEALS), reason);
	free(all);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct input in = {data, data + len};
	const u8 *flags = take(&in, 1);
	char reason[GENERATION_REASON_MAX];
	struct generation *g = NULL;
	struct dwcp_segment_desc *seg;
	struct segment_set *s;
	struct sealed x = {0};
	const u8 *bytes;
	u32 n, n_segments;
	int fd;

	if (!flags)
		return 0;
	bytes = take_block(&in, &n);
	x.m = malloc(n + 1);
	x.len = n;
	memcpy(x.m, bytes, n);
	s = set_create_big();
	seg = segments_of(x.m, n, &n_segments);
	for (u32 i = 0; i < n_segments; i++)
		segment_feed(s, &in, &seg[i], *flags & 1);
	if (!(*flags & 1) && n >= sizeof(*x.m))
		sealed_rehash(&x);
	fd = memfd_with(x.m, x.len, ALL_SEALS);
	if (generation_open(s, fd, &small_limits, &g, reason) == 0)
		walk(g, SMALL_N_PORTS);
	close(fd);
	generation_close(g);
	segment_set_free(s);
	free(x.m);
	return 0;
}
