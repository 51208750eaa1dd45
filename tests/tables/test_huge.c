/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_huge.c - segments in 2 MB pages: sealed, mapped side by side with small ones, stored and read back. Needs a few free
 * huge pages, or root to allow surplus ones meanwhile; else it is skipped (77).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <cmocka.h>

#include "huge_pages.h"
#include "table_small.h"
#include "walk.h"

#define N_PAGES	      16
#define MFD_HUGE_2MB_ (21u << 26)

static char reason[GENERATION_REASON_MAX];

static bool fd_is_huge(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/* 2 MB of a huge page that nobody has touched. */
static int hole_seal(void)
{
	int fd = memfd_create("dwcp-test",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB_);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, HUGE_BYTES), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

/* Leaves of more than one huge page, everything else small. */
static void table_init_long(struct table *t)
{
	struct part *p;

	table_init_small(t);
	p = table_part(t, DWCP_SECTION_FIB_LEAF);
	p->len = 2 * HUGE_BYTES + 4096;
	p->n_elements = p->len / 4;
	p->bytes = realloc(p->bytes, p->len);
	assert_non_null(p->bytes);
	for (u32 i = 0; i < p->n_elements; i++)
		*(u32 *)part_at(p, i) = (i * 5 + i / 1024) % 12;
	p->chunk_bytes = HUGE_BYTES;
}

/* Sealed by the library: huge where asked for. What isn't a whole huge page stays as it was unless `all`. */
static int huge_seal(const struct part *p, u32 at, bool all, struct dwcp_segment_desc *ret_desc)
{
	u32 len = DWCP_MIN(p->len - at, HUGE_BYTES);
	int fd = segment_seal(p->section, p->bytes + at, len, all || len == HUGE_BYTES, ret_desc);

	assert_true(fd >= 0);
	assert_int_equal(fd_is_huge(fd), all || len == HUGE_BYTES);
	return fd;
}

/* Stages every segment; what @hole_of begins with is sent as a hole. Return: the manifest's fd. */
static int huge_stage(struct segment_set *s, const struct table *t, bool all, u16 hole_of)
{
	struct manifest_section sections[DWCP_SECTION_N];
	struct dwcp_segment_desc desc[DWCP_SECTION_N][4];
	struct manifest_cfg cfg = {.generation = 9, .ports_hash = SMALL_PORTS};
	struct dwcp_manifest *m;
	int fd;

	for (u32 i = 0; i < t->n_parts; i++) {
		const struct part *p = &t->part[i];
		u32 n = 0;

		for (u32 at = 0; at < p->len; at += HUGE_BYTES, n++) {
			fd = huge_seal(p, at, all, &desc[i][n]);
			if (p->section == hole_of && at == 0) {
				close(fd);
				fd = hole_seal();
			}
			assert_int_equal(segment_set_stage(s, &desc[i][n], fd, reason), 0);
		}
		sections[i] = (struct manifest_section){p->section,
							p->version,
							p->element_bytes,
							p->n_elements,
							HUGE_BYTES,
							desc[i],
							n};
	}
	assert_int_equal(manifest_build(&cfg, sections, t->n_parts, &m), 0);
	fd = manifest_seal(m);
	free(m);
	return fd;
}

static struct generation *huge_open(struct segment_set *s, const struct table *t, bool all)
{
	int fd = huge_stage(s, t, all, 0);
	struct generation *g;

	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), 0);
	close(fd);
	return g;
}

static void small_and_huge_side_by_side(void **state)
{
	struct segment_set *s = set_create_big();
	const struct part *leaf;
	struct generation *g;
	struct table t;
	u32 maps = count_maps();

	table_init_long(&t);
	leaf = table_part(&t, DWCP_SECTION_FIB_LEAF);
	g = huge_open(s, &t, false);
	assert_int_equal((uintptr_t)g->fib.leaf % HUGE_BYTES, 0);
	assert_memory_equal(g->fib.leaf, leaf->bytes, leaf->len);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	assert_int_equal(count_maps(), maps);
	segment_set_free(s);
	table_fini(&t);
}

static void all_huge(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g;
	struct table t;

	table_init_small(&t);
	g = huge_open(s, &t, true);
	assert_int_equal(g->mapped_bytes, SMALL_N_SEGMENTS * (u64)HUGE_BYTES);
	assert_int_equal(segment_set_bytes(s), SMALL_N_SEGMENTS * (u64)HUGE_BYTES);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	table_fini(&t);
}

static void stored_and_loaded(void **state)
{
	struct segment_set_cfg cfg = {.max_bytes = 1 << 30, .max_segments = 100, .huge = true};
	struct segment_set *s = segment_set_create(&cfg);
	char path[] = "huge-XXXXXX";
	struct generation *g;
	struct table t;
	u32 n_huge = 0;

	close(mkstemp(path));
	table_init_long(&t);
	g = huge_open(s, &t, false);
	assert_int_equal(generation_store(g, path), 0);
	generation_close(g);
	assert_int_equal(segment_set_bytes(s), 0);
	assert_int_equal(generation_load(s, path, &small_limits, &g, reason), 0);
	for (u32 i = 0; i < g->n_segments; i++)
		n_huge += fd_is_huge(generation_fd(g, i));
	assert_int_equal(n_huge, 2);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	segment_set_free(s);
	table_fini(&t);
	unlink(path);
}

/*
 * Sealed while it is still a hole, it is read as zeros and has no page yet: a worker that looked into it would get SIGBUS.
 * Its page is taken when it is mapped, or the generation is refused and nothing is left of it.
 */
static void hole_without_pages(void **state)
{
	struct segment_set *s = set_create_big();
	struct generation *g = NULL;
	struct table t;
	u32 maps, fds;
	size_t n;
	void *hog;
	int fd;

	table_init_long(&t);
	memset(table_part(&t, DWCP_SECTION_FIB_LEAF)->bytes, 0, HUGE_BYTES);
	fd = huge_stage(s, &t, false, DWCP_SECTION_FIB_LEAF);
	maps = count_maps();
	fds = count_fds();
	n = huge_pages_hog(&hog);
	assert_int_not_equal(n, 0);
	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), -ENOMEM);
	assert_true(reason_is(reason, "section_map"));
	assert_null(g);
	huge_pages_unhog(hog, n);
	assert_int_equal(count_maps(), maps);
	assert_int_equal(count_fds(), fds);
	assert_int_equal(segment_set_mapped_bytes(s), 0);

	assert_int_equal(generation_open(s, fd, &small_limits, &g, reason), 0);
	walk(g, SMALL_N_PORTS);
	generation_close(g);
	close(fd);
	segment_set_free(s);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_and_huge_side_by_side),
		cmocka_unit_test(all_huge),
		cmocka_unit_test(stored_and_loaded),
		cmocka_unit_test(hole_without_pages),
	};
	int failed;

	if (!huge_pages_begin(N_PAGES))
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	huge_pages_end();
	return failed;
}
