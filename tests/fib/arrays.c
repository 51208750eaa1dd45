/* SPDX-License-Identifier: BSD-3-Clause */
/* arrays.c - see arrays.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arrays.h"
#include "lookup.h"
#include "strict.h"

#define PAGE	   4096ul
#define SEARCH_MAX 256u

static const u32 elem_bytes[FIB_N_ARRAYS] = {
	[FIB_ROOT] = sizeof(struct dwcp_fib_root),
	[FIB_DIRECT] = sizeof(u64),
	[FIB_NODE] = sizeof(u64),
	[FIB_LEAF] = sizeof(u32),
};

static int guard_init(struct arrays *a, enum fib_array i)
{
	size_t len = DWCP_ALIGN_UP(a->len[i], PAGE) + PAGE;
	u8 *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -ENOMEM;
	a->map[i] = map;
	a->map_len[i] = len;
	if (mprotect(map + len - PAGE, PAGE, PROT_NONE) != 0)
		return -ENOMEM;
	a->guard[i] = map + len - PAGE - a->len[i];
	return 0;
}

int arrays_init(struct arrays *a, const void *const *from, const size_t *len)
{
	*a = (struct arrays){0};
	for (int i = 0; i < FIB_N_ARRAYS; i++) {
		a->len[i] = len[i];
		a->heap[i] = malloc(len[i]);
		if ((len[i] && !a->heap[i]) || guard_init(a, i) != 0) {
			arrays_fini(a);
			return -ENOMEM;
		}
		if (!len[i])
			continue;
		memcpy(a->heap[i], from[i], len[i]);
		memcpy(a->guard[i], from[i], len[i]);
	}
	return 0;
}

void arrays_fini(struct arrays *a)
{
	for (int i = 0; i < FIB_N_ARRAYS; i++) {
		free(a->heap[i]);
		if (a->map[i])
			munmap(a->map[i], a->map_len[i]);
	}
}

void arrays_put(struct arrays *a, enum fib_array array, size_t at, u8 byte)
{
	a->heap[array][at] = byte;
	a->guard[array][at] = byte;
}

void arrays_view(const struct arrays *a, bool guard, struct fib_view *ret_view)
{
	u8 *const *at = guard ? a->guard : a->heap;

	*ret_view = (struct fib_view){
		.root = (const void *)at[FIB_ROOT],
		.direct = (const void *)at[FIB_DIRECT],
		.node = (const void *)at[FIB_NODE],
		.leaf = (const void *)at[FIB_LEAF],
		.n_root = a->len[FIB_ROOT] / elem_bytes[FIB_ROOT],
		.n_direct = a->len[FIB_DIRECT] / elem_bytes[FIB_DIRECT],
		.n_node = a->len[FIB_NODE] / elem_bytes[FIB_NODE],
		.n_leaf = a->len[FIB_LEAF] / elem_bytes[FIB_LEAF],
	};
}

const char *arrays_validate(const struct arrays *a, u32 n_slots)
{
	struct fib_facts facts = {0};
	struct fib_view sizes;

	for (int i = 0; i < FIB_N_ARRAYS; i++) {
		const char *why = fib_chunk_check(i, a->heap[i], a->len[i], &facts);

		if (why)
			return why;
	}
	arrays_view(a, false, &sizes);
	return fib_facts_check(&facts, &sizes, n_slots);
}

/* What every address should find. Return: NULL, or a fault. */
static const char *search_strictly(const struct fib_view *v, const struct dwcp_fib_root *root,
				   const struct fib_addr *addr, u32 n, u32 *ret_slot)
{
	const char *fault = NULL;

	for (u32 i = 0; i < n && !fault; i++)
		ret_slot[i] = strict_lookup(v, root, &addr[i], &fault);
	return fault;
}

static void search_by(const struct fib_variant *variant, const struct fib_view *v,
		      const struct dwcp_fib_root *root, const struct fib_addr *addr, u32 n,
		      u32 *ret_slot)
{
	u32 dst[SEARCH_MAX];

	for (u32 i = 0; i < n; i++)
		dst[i] = addr[i].lo;
	if (root->family == FIB_IP4)
		variant->lookup4(v, root, dst, ret_slot, n);
	else
		variant->lookup6(v, root, addr, ret_slot, n);
}

static const char *root_search(const struct arrays *a, u32 root, const struct fib_addr *addr, u32 n)
{
	u32 want[SEARCH_MAX], slot[SEARCH_MAX];
	struct fib_view heap, guard;
	const struct fib_variant *variant;
	const char *fault;

	arrays_view(a, false, &heap);
	arrays_view(a, true, &guard);
	fault = search_strictly(&heap, &heap.root[root], addr, n, want);
	for (u32 i = 0; !fault && (variant = fib_variant_at(i)); i++) {
		const struct fib_view *v = i == 0 ? &heap : &guard;

		if (!variant->supported())
			continue;
		search_by(variant, v, &v->root[root], addr, n, slot);
		if (memcmp(slot, want, n * sizeof(*slot)) != 0)
			return variant->name;
	}
	return fault;
}

const char *arrays_search(const struct arrays *a, const struct fib_addr *v4,
			  const struct fib_addr *v6, u32 n)
{
	u32 n_root = a->len[FIB_ROOT] / sizeof(struct dwcp_fib_root);
	const struct dwcp_fib_root *r = (const void *)a->heap[FIB_ROOT];
	const char *why = NULL;

	if (n > SEARCH_MAX)
		return "too many addresses";
	for (u32 i = 0; i < n_root && !why; i++) {
		if (r[i].family)
			why = root_search(a, i, r[i].family == FIB_IP4 ? v4 : v6, n);
	}
	return why;
}
