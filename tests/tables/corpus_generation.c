/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * corpus_generation.c - writes the seeds of fuzz_generation into a directory: corpus_generation DIR. Run again when a
 * section's layout changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "table_small.h"

static void block_write(FILE *f, const void *bytes, u32 n)
{
	u8 len[2] = {(u8)n, (u8)(n >> 8)};

	fwrite(len, 1, 2, f);
	fwrite(bytes, 1, n, f);
}

static int seed_write(const char *dir, const char *name, const struct table *t, u8 flags)
{
	struct sealed x;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return 1;
	sealed_init(&x, t, 1);
	fwrite(&flags, 1, 1, f);
	block_write(f, x.m, (u32)x.len);
	for (u32 i = 0; i < t->n_parts; i++)
		if (t->part[i].len)
			block_write(f, t->part[i].bytes,
				    (u32)(t->part[i].n_elements * t->part[i].element_bytes));
	sealed_fini(&x);
	return fclose(f) != 0;
}

/* No routes, one next hop: the least that opens. */
static void table_init_least(struct table *t)
{
	*t = (struct table){0};
	table_add(t, DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, sizeof(struct dwcp_fib_root), 0);
	table_add(t, DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, sizeof(u64), 0);
	table_add(t, DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, sizeof(u64), 0);
	table_add(t, DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, sizeof(u32), 0);
	table_add(t, DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_nexthop), 1);
}

/* One root of two elements, a node, a leaf; no groups. */
static void table_init_few(struct table *t)
{
	struct dwcp_fib_root *root;

	*t = (struct table){0};
	root = part_at(table_add(t, DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, sizeof(*root), 1), 0);
	*root = (struct dwcp_fib_root){.family = FIB_IP6, .direct_bits = 1};
	*(u64 *)part_at(table_add(t, DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, sizeof(u64), 2),
			1) = DWCP_FIB_NODE | 1;
	*(u64 *)part_at(table_add(t, DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, sizeof(u64), 2), 1) =
		DWCP_FIB_NODE | DWCP_FIB_LEAVES | 1;
	table_add(t, DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, sizeof(u32), 2);
	table_add(t, DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, sizeof(struct dwcp_nexthop), 1);
}

int main(int argc, char **argv)
{
	struct table t;
	int bad = 0;

	if (argc != 2)
		return 2;
	table_init_small(&t);
	bad |= seed_write(argv[1], "small", &t, 0);
	bad |= seed_write(argv[1], "small-hashed", &t, 1);
	table_fini(&t);
	table_init_least(&t);
	bad |= seed_write(argv[1], "least", &t, 0);
	table_fini(&t);
	table_init_few(&t);
	bad |= seed_write(argv[1], "few", &t, 0);
	table_fini(&t);
	return bad;
}
