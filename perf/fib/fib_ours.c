/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_ours.c - lib/fib as a subject: the lookup as the product calls it, every variant of it that runs here, memory,
 * build and updates.
 * Benchmark only.
 *
 * Lookups go to copies of the arrays in mappings of their own, as the dataplane has them; pages of 4 kB, or of 2 MB
 * when asked for. The heap is what malloc() gave the builder: prefixes and arrays.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fib_subject.h"
#include "lookup.h"

#define CHUNK_BYTES (256u * 1024)
#define MIX_N	    20000u

static struct fib_builder *builder;

/* As the product calls it: what this CPU's dispatch chose. */
static const struct fib_variant dispatched = {"dwcp", fib_lookup4, fib_lookup6, NULL};

static u64 run_ours4(const struct subject *s, const struct keys *k)
{
	const struct fib_variant *variant = s->ctx2;
	const struct fib_view *v = s->ctx;
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP4);
	SUBJECT_ALIGNED u32 slot[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		variant->lookup4(v, root, k->v4 + i, slot, SUBJECT_BURST);
		sum += burst_sum(slot);
	}
	return sum;
}

static u64 run_ours6(const struct subject *s, const struct keys *k)
{
	const struct fib_variant *variant = s->ctx2;
	const struct fib_view *v = s->ctx;
	const struct dwcp_fib_root *root = fib_root_find(v, 0, FIB_IP6);
	SUBJECT_ALIGNED u32 slot[SUBJECT_BURST];
	u64 sum = 0;

	for (u32 i = 0; i < k->n; i += SUBJECT_BURST) {
		variant->lookup6(v, root, k->v6 + i, slot, SUBJECT_BURST);
		sum += burst_sum(slot);
	}
	return sum;
}

/* ---- building ------------------------------------------------------------------------------------------ */

static u64 heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static int build_once(const struct table *t, double *ret_ms)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = CHUNK_BYTES};
	u64 t0, t1;

	fib_builder_free(builder);
	builder = fib_builder_create(&cfg);
	if (!builder)
		return -ENOMEM;
	t0 = clock_ns();
	for (u32 i = 0; i < t->n; i++) {
		int ret = fib_builder_set(builder, &t->prefix[i], t->slot[i]);

		if (ret != 0)
			return ret;
	}
	t1 = clock_ns();
	if (fib_builder_commit(builder) != 0)
		return -ENOMEM;
	*ret_ms = (clock_ns() - t0) / 1e6;
	rows_note("build dwcp: set %.1f ms, commit %.1f ms\n", (t1 - t0) / 1e6,
		  *ret_ms - (t1 - t0) / 1e6);
	return 0;
}

static void *copy_pages(const void *from, size_t bytes, bool huge)
{
	size_t len = DWCP_ALIGN_UP(DWCP_MAX(bytes, 1), 2ul << 20);
	void *to = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0), -1, 0);

	if (to == MAP_FAILED)
		return NULL;
	if (bytes)
		memcpy(to, from, bytes);
	return to;
}

static int view_map(struct fib_view *v, bool huge)
{
	v->direct = copy_pages(v->direct, v->n_direct * sizeof(*v->direct), huge);
	v->node = copy_pages(v->node, v->n_node * sizeof(*v->node), huge);
	v->leaf = copy_pages(v->leaf, v->n_leaf * sizeof(*v->leaf), huge);
	return v->direct && v->node && v->leaf ? 0 : -ENOMEM;
}

static void memory_rows(const struct fib_view *v, u64 heap)
{
	u64 direct = v->n_direct * sizeof(*v->direct), node = v->n_node * sizeof(*v->node),
	    leaf = v->n_leaf * sizeof(*v->leaf);

	rows_note("memory dwcp: direct %lu, nodes %lu, leaves %lu\n", direct, node, leaf);
	row_print_one("memory", "dwcp", "bytes", direct + node + leaf);
	row_print_one("heap", "dwcp", "bytes", heap);
}

int ours_add(struct subjects *s, const struct table *t, u32 rounds, bool huge,
	     struct fib_view *ret_view)
{
	static char name[SUBJECTS_MAX][24];
	const struct fib_variant *variant;
	u64 before = heap_bytes();
	struct figures ms = {0};

	for (; ms.n < rounds; ms.n++) {
		int ret = build_once(t, &ms.v[ms.n]);

		if (ret != 0)
			return ret;
	}
	fib_builder_view(builder, ret_view);
	memory_rows(ret_view, heap_bytes() - before);
	row_print("build", "dwcp", "ms", &ms);
	if (view_map(ret_view, huge) != 0)
		return -ENOMEM;
	subject_add(s,
		    (struct subject){dispatched.name, t->family == FIB_IP4 ? run_ours4 : run_ours6,
				     ret_view, &dispatched});
	rows_note("dwcp looks up by %s here\n", fib_variant_chosen()->name);
	for (u32 i = 0; (variant = fib_variant_at(i)); i++) {
		snprintf(name[i], sizeof(name[i]), "dwcp-%s", variant->name);
		if (variant->supported())
			subject_add(s,
				    (struct subject){name[i],
						     t->family == FIB_IP4 ? run_ours4 : run_ours6,
						     ret_view, variant});
	}
	return 0;
}

/* ---- updates ------------------------------------------------------------------------------------------- */

static u64 replace_one(const struct table *t, struct fib_rng *rng)
{
	const struct fib_prefix *p = &t->prefix[fib_rng_below(rng, t->n)];
	u32 slot = 1 + fib_rng_below(rng, t->n_slots);
	u64 t0 = clock_ns();

	fib_builder_set(builder, p, slot);
	fib_builder_commit(builder);
	return clock_ns() - t0;
}

/* A third each: withdrawn, replaced (or back), a more specific one announced. */
static void mix_one(const struct table *t, struct fib_rng *rng, u32 i)
{
	struct fib_prefix p = t->prefix[fib_rng_below(rng, t->n)];
	u32 slot = 1 + fib_rng_below(rng, t->n_slots);

	if (i % 3 == 2)
		p.len = DWCP_MIN(p.len + 1, p.family == FIB_IP4 ? 32 : 128);
	if (i % 3 == 0)
		fib_builder_del(builder, &p);
	else
		fib_builder_set(builder, &p, slot);
	fib_builder_commit(builder);
}

static u32 dirty_count(void)
{
	u32 n = 0;

	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		size_t bytes;

		fib_builder_array(builder, a, &bytes);
		for (size_t c = 0; c < DWCP_DIV_UP(bytes, CHUNK_BYTES); c++)
			n += fib_builder_dirty(builder, a, c);
	}
	return n;
}

static void mix_measure(const struct table *t, u64 *ns)
{
	struct fib_rng rng = {7};
	u64 chunks = 0, worst = 0;

	for (u32 i = 0; i < MIX_N; i++) {
		u64 t0 = clock_ns();
		u32 n;

		mix_one(t, &rng, i);
		ns[i] = clock_ns() - t0;
		n = dirty_count();
		chunks += n;
		worst = DWCP_MAX(worst, n);
		fib_builder_clean(builder);
	}
	u64_sort(ns, MIX_N);
	rows_note("update dwcp, set and withdrawn: p50 %.2f us, p99 %.2f us, max %.2f us; dirty "
		  "chunks of 256 kB: "
		  "mean %.2f, most %lu\n",
		  ns[MIX_N / 2] / 1e3, ns[MIX_N * 99 / 100] / 1e3, ns[MIX_N - 1] / 1e3,
		  (double)chunks / MIX_N, worst);
}

void ours_update(const struct table *t, u32 rounds, u32 n)
{
	u64 *ns = calloc(DWCP_MAX(n, MIX_N), sizeof(*ns));
	struct figures p50 = {0}, p99 = {0};
	struct fib_rng rng = {7};

	if (!ns)
		return;
	fib_builder_clean(builder);
	for (u32 r = 0; r < rounds; r++) {
		for (u32 i = 0; i < n; i++)
			ns[i] = replace_one(t, &rng);
		u64_sort(ns, n);
		p50.v[p50.n++] = ns[n / 2] / 1e3;
		p99.v[p99.n++] = ns[(u64)n * 99 / 100] / 1e3;
	}
	row_print("update-p50", "dwcp", "us", &p50);
	row_print("update-p99", "dwcp", "us", &p99);
	fib_builder_clean(builder);
	mix_measure(t, ns);
	free(ns);
}
