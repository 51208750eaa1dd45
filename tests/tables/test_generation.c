/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_generation.c - seal, stage, open, look up, share, close: what a generation is when nothing is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "table_small.h"
#include "walk.h"

/* AddressSanitizer turns mlock() into nothing. */
#ifdef __SANITIZE_ADDRESS__
#define MLOCK_WORKS false
#else
#define MLOCK_WORKS true
#endif

static char reason[GENERATION_REASON_MAX];

/* The library's own sealing: what it writes, it reads. */
static void seal_stage_open_close(void **state)
{
	u32 fds = count_fds(), maps = count_maps();
	struct segment_set *s = set_create_big();
	struct dwcp_segment_desc desc[8];
	struct manifest_section sections[8];
	struct manifest_cfg cfg = {.generation = 42,
				   .ports_hash = SMALL_PORTS,
				   .created_unix_ns = 7};
	struct dwcp_manifest *m;
	struct generation *g;
	struct table t;
	int fd;

	table_init_small(&t);
	for (u32 i = 0; i < t.n_parts; i++) {
		struct part *p = &t.part[i];

		/* not padded: sealing pads */
		fd = segment_seal(p->section, p->bytes, p->n_elements * p->element_bytes, false,
				  &desc[i]);
		assert_true(fd >= 0);
		assert_int_equal(desc[i].bytes, p->len);
		assert_true(desc[i].id == bytes_hash(p->bytes, p->len));
		assert_int_equal(segment_set_stage(s, &desc[i], fd, reason), 0);
		assert_true(segment_set_has(s, desc[i].id));
		sections[i] = (struct manifest_section){p->section,
							p->version,
							p->element_bytes,
							p->n_elements,
							p->len,
							&desc[i],
							1};
	}
	assert_int_equal(segment_set_staged_bytes(s), SMALL_BYTES);
	assert_int_equal(manifest_build(&cfg, sections, t.n_parts, &m), 0);
	assert_null(manifest_check(m, m->bytes));
	fd = manifest_seal(m);
	assert_true(fd >= 0);
	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), 0);
	close(fd);
	assert_int_equal(g->number, 42);
	assert_int_equal(g->manifest->created_unix_ns, 7);
	assert_int_equal(g->n_segments, t.n_parts);
	assert_int_equal(g->n_new_segments, t.n_parts);
	assert_int_equal(g->max_port, 3);
	assert_int_equal(g->mapped_bytes, SMALL_BYTES);
	assert_int_equal(segment_set_staged_bytes(s), 0);
	assert_int_equal(segment_set_mapped_bytes(s), SMALL_BYTES);
	assert_non_null(g->ip4);
	assert_non_null(g->ip6);
	assert_int_equal(nexthop_by_id(g, 104), 4);
	assert_int_equal(nexthop_by_id(g, 107), 0);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	assert_int_equal(segment_set_mapped_bytes(s), 0);
	assert_int_equal(segment_set_bytes(s), 0);
	segment_set_free(s);
	free(m);
	table_fini(&t);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(count_maps(), maps);
}

static void mapped_is_what_was_sealed(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g;
	struct sealed x;
	struct table t;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	assert_memory_equal(g->fib.leaf, table_part(&t, DWCP_SECTION_FIB_LEAF)->bytes,
			    SMALL_N_LEAF * 4);
	assert_memory_equal(g->nexthop, table_part(&t, DWCP_SECTION_NEXTHOP)->bytes, 12 * 32);
	assert_int_equal(g->n_bucket, 10);
	assert_int_equal(g->n_nexthop_id, 16);
	for (u32 i = 0; i < g->n_segments; i++) {
		struct stat a, b;

		assert_int_equal(fstat(generation_fd(g, i), &a), 0);
		assert_int_equal(fstat(x.fds[i], &b), 0);
		assert_true(a.st_ino == b.st_ino);
	}
	assert_int_equal(generation_fd(g, g->n_segments), -EINVAL);
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* A generation that shares all segments but one: only that one is new, and closing either leaves the other whole. */
static void generations_share_segments(void **state)
{
	u32 fds = count_fds();
	struct segment_set *s = set_create_big();
	struct generation *a, *b;
	struct sealed x, y;
	struct table t;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	*(u32 *)part_at(table_part(&t, DWCP_SECTION_FIB_LEAF), 3) = 2;
	sealed_init(&y, &t, 2);
	assert_int_equal(sealed_open(s, &x, &small_limits, &a, reason), 0);
	assert_int_equal(sealed_open(s, &y, &small_limits, &b, reason), 0);
	assert_int_equal(b->n_new_segments, 1);
	assert_int_equal(segment_set_bytes(s), SMALL_BYTES + 4096);
	assert_int_equal(segment_set_ids(s, NULL, 0), SMALL_N_SEGMENTS + 1);
	assert_int_equal(segment_set_mapped_bytes(s), SMALL_BYTES + 4096); /* sections too */
	assert_ptr_equal(a->nexthop, b->nexthop);
	assert_ptr_not_equal(a->fib.leaf, b->fib.leaf);
	generation_close(a);
	assert_int_equal(segment_set_bytes(s), SMALL_BYTES);
	assert_int_equal(b->fib.leaf[3], 2);
	walk(b, SMALL_N_PORTS);
	generation_close(b);
	generation_close(NULL);
	assert_int_equal(segment_set_bytes(s), 0);
	segment_set_free(s);
	sealed_fini(&x);
	sealed_fini(&y);
	table_fini(&t);
	assert_int_equal(count_fds(), fds);
}

/* What was sent for the next generation survives the close of an older one that had it too. */
static void staged_again_outlives_close(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g;
	struct sealed x;
	struct table t;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	assert_int_equal(sealed_stage(s, &x, reason), 0);
	generation_close(g);
	assert_int_equal(segment_set_bytes(s), SMALL_BYTES);
	assert_int_equal(segment_set_staged_bytes(s), SMALL_BYTES);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	segment_set_drop_staged(s);
	assert_int_equal(segment_set_bytes(s), SMALL_BYTES);
	generation_close(g);
	assert_int_equal(sealed_stage(s, &x, reason), 0);
	segment_set_drop_staged(s);
	assert_int_equal(segment_set_bytes(s), 0);
	assert_int_equal(segment_set_staged_bytes(s), 0);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* Equal bytes in two sections are one segment, checked as each. */
static void equal_bytes_in_two_sections(void **state)
{
	struct segment_set *s = set_create_big();
	struct dwcp_segment_desc desc = {.bytes = 4096, .section = DWCP_SECTION_FIB_LEAF};
	struct generation *g;
	struct sealed x;
	struct table t;
	u8 bytes[4096] = {0};

	table_init_small(&t);
	/* a next hop section that is all zeros, and leaves and buckets too */
	memset(table_part(&t, DWCP_SECTION_NEXTHOP)->bytes, 0, 4096);
	memset(table_part(&t, DWCP_SECTION_NEXTHOP_BUCKET)->bytes, 0, 4096);
	memset(table_part(&t, DWCP_SECTION_NEXTHOP_ID)->bytes, 0, 4096);
	memset(table_part(&t, DWCP_SECTION_FIB_LEAF)->bytes, 0, 4096);
	sealed_init(&x, &t, 1);
	desc.id = bytes_hash(bytes, sizeof(bytes));
	assert_int_equal(segment_set_stage(s, &desc, dup(x.fds[SMALL_LEAF_SEGMENT]), reason), 0);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	assert_int_equal(segment_set_ids(s, NULL, 0), 5);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* Held as leaves, where anything is allowed; named as next hops, where it isn't. */
static void held_for_one_section_is_checked_for_another(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g = NULL;
	struct dwcp_segment_desc desc;
	struct sealed x;
	struct table t;
	int fd;

	table_init_small(&t);
	*(u8 *)part_at(table_part(&t, DWCP_SECTION_NEXTHOP), 3) = 200; /* type */
	sealed_init(&x, &t, 1);
	for (u32 i = 0; i < x.n; i++) {
		desc = sealed_segments(&x)[i];
		if (desc.section == DWCP_SECTION_NEXTHOP)
			desc.section = DWCP_SECTION_FIB_LEAF;
		assert_int_equal(segment_set_stage(s, &desc, dup(x.fds[i]), reason), 0);
	}
	fd = manifest_seal(x.m);
	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), -EINVAL);
	assert_string_equal(reason, "nexthop_type section=nexthop segment=0 element=3");
	assert_null(g);
	close(fd);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

static void optional_sections_may_be_absent_or_empty(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g;
	struct sealed x;
	struct table t = {0};
	struct part *p;

	table_add(&t, DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, 16, 0);
	table_add(&t, DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, 8, 0);
	table_add(&t, DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, 8, 0);
	table_add(&t, DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, 4, 0);
	p = table_add(&t, DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, 32, 1);
	assert_int_equal(p->len, 4096);
	sealed_init(&x, &t, 1);
	assert_int_equal(x.n, 1);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	assert_null(g->ip4);
	assert_null(g->ip6);
	assert_non_null(g->fib.node);
	assert_non_null(g->bucket);
	assert_int_equal(nexthop_by_id(g, 101), 0);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* Many segments a section side by side: every answer is the builder's. */
static void chunks_map_side_by_side(void **state)
{
	struct fib_builder_cfg cfg = {.chunk_bytes = 4096};
	struct fib_builder *b = fib_builder_create(&cfg);
	u64 rng = 0x2545f4914f6cdd1d;
	struct segment_set *s = set_create_big();
	struct fib_view view;
	struct generation *g;
	struct sealed x;
	struct table t;

	for (u32 i = 0; i < 3000; i++) {
		struct fib_prefix p = {.family = FIB_IP4, .len = (u8)(8 + i % 25)};

		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		p.addr.lo = (u32)(rng >> 32) & (u32)(UINT32_MAX << (32 - p.len));
		assert_int_equal(fib_builder_set(b, &p, i % 12), 0);
	}
	assert_int_equal(fib_builder_commit(b), 0);
	table_init_fib(&t, b, 8192);
	sealed_init(&x, &t, 1);
	assert_true(x.n > 20);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	fib_builder_view(b, &view);
	assert_int_equal(g->fib.n_direct, view.n_direct);
	assert_memory_equal(g->fib.direct, view.direct, view.n_direct * sizeof(*view.direct));
	assert_memory_equal(g->fib.node, view.node, view.n_node * sizeof(*view.node));
	assert_memory_equal(g->fib.leaf, view.leaf, view.n_leaf * 4u);
	for (u32 i = 0; i < 100000; i++) {
		struct fib_prefix match;
		struct fib_addr a = {0};
		u32 dst, slot, want = 0;

		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		a.lo = dst = (u32)(rng >> 32);
		fib_lookup4(&g->fib, g->ip4, &dst, &slot, 1);
		fib_builder_match(b, 0, FIB_IP4, &a, &match, &want);
		assert_int_equal(slot, want);
	}
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
	fib_builder_free(b);
}

/* Write to every array: all of them must be read-only. */
static void arrays_are_read_only(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g;
	struct sealed x;
	struct table t;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	for (u32 i = 0; i < 7; i++) {
		const void *at[] = {g->fib.root, g->fib.direct, g->fib.node,  g->fib.leaf,
				    g->nexthop,	 g->bucket,	g->nexthop_id};

		/* EACCES: the memfd is sealed, so not even its owner gets it back */
		assert_int_equal(mprotect((void *)at[i], 4096, PROT_READ | PROT_WRITE), -1);
		assert_int_equal(write(generation_fd(g, i), "x", 1), -1);
		assert_int_equal(errno, EPERM);
	}
	generation_close(g);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

static u64 locked_kb(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	u64 kb = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmLck: %lu kB", &kb);
	fclose(f);
	return kb;
}

/* Pinned where the limit allows; where it doesn't, the generation opens all the same. */
static void locks_what_it_may(void **state)
{
	struct segment_set_cfg cfg = {.max_bytes = 1 << 20, .max_segments = 16, .lock = true};
	struct segment_set *s = segment_set_create(&cfg);
	struct rlimit old, none = {0, 0};
	struct generation *g;
	struct sealed x;
	struct table t;
	u64 before;

	table_init_small(&t);
	sealed_init(&x, &t, 1);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	none.rlim_max = old.rlim_max;
	before = locked_kb();
	if (MLOCK_WORKS && old.rlim_cur >= 1 << 20) {
		assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
		assert_int_equal(locked_kb() - before, SMALL_BYTES / 1024);
		generation_close(g);
		assert_int_equal(locked_kb(), before);
	}
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
	segment_set_free(s);
	sealed_fini(&x);
	table_fini(&t);
}

/* A thousand swaps: fds, mappings and bytes are what they were. */
static void swaps_return_to_the_baseline(void **state)
{
	struct segment_set *s = set_create_big();
	u32 fds = count_fds(), maps = count_maps();
	struct generation *g, *old = NULL;
	struct table t;

	table_init_small(&t);
	for (u32 i = 0; i < 1000; i++) {
		struct sealed x;

		*(u32 *)part_at(table_part(&t, DWCP_SECTION_FIB_LEAF), 0) = i % 12;
		*(u64 *)part_at(table_part(&t, DWCP_SECTION_FIB_DIRECT), 1) = i % 11;
		sealed_init(&x, &t, i + 1);
		assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
		segment_set_drop_staged(s);
		sealed_fini(&x);
		generation_close(old);
		old = g;
		assert_int_equal(segment_set_bytes(s), SMALL_BYTES);
	}
	assert_int_equal(count_maps(), maps + SMALL_N_SEGMENTS);
	generation_close(old);
	assert_int_equal(count_maps(), maps);
	assert_int_equal(count_fds(), fds);
	segment_set_free(s);
	table_fini(&t);
}

static void manifest_build_refuses_nonsense(void **state)
{
	struct manifest_cfg cfg = {.generation = 1};
	struct manifest_section many[2] = {{.section = DWCP_SECTION_NEXTHOP, .n_segments = 5000},
					   {.section = DWCP_SECTION_FIB_LEAF, .n_segments = 5000}};
	struct dwcp_manifest *m = NULL;
	struct dwcp_segment_desc d;

	assert_int_equal(manifest_build(&cfg, many, 2, &m), -E2BIG);
	assert_int_equal(manifest_build(&cfg, NULL, 0, &m), -EINVAL);
	assert_null(m);
	assert_int_equal(segment_seal(1, "", 0, false, &d), -EINVAL);
	assert_int_equal(segment_seal(1, "", DWCP_SEGMENT_MAX_BYTES + 1, false, &d), -EINVAL);
}

static void section_names(void **state)
{
	assert_string_equal(section_name(DWCP_SECTION_NEXTHOP_BUCKET), "nexthop_bucket");
	assert_string_equal(section_name(DWCP_SECTION_LIMITS), "limits");
	assert_string_equal(section_name(DWCP_SECTION_N), "unknown");
	for (u16 i = 0; i < DWCP_SECTION_N; i++)
		assert_non_null(section_name(i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seal_stage_open_close),
		cmocka_unit_test(mapped_is_what_was_sealed),
		cmocka_unit_test(generations_share_segments),
		cmocka_unit_test(staged_again_outlives_close),
		cmocka_unit_test(equal_bytes_in_two_sections),
		cmocka_unit_test(held_for_one_section_is_checked_for_another),
		cmocka_unit_test(optional_sections_may_be_absent_or_empty),
		cmocka_unit_test(chunks_map_side_by_side),
		cmocka_unit_test(arrays_are_read_only),
		cmocka_unit_test(locks_what_it_may),
		cmocka_unit_test(swaps_return_to_the_baseline),
		cmocka_unit_test(manifest_build_refuses_nonsense),
		cmocka_unit_test(section_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
