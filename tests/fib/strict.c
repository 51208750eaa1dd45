/* SPDX-License-Identifier: BSD-3-Clause */
/* strict.c - see strict.h. Out of memory ends the test. */
#include <stdlib.h>
#include <string.h>

#include "strict.h"

/* The address as a row of bits, the way people read it. */
struct bits {
	u8 bit[160]; /* 0 past the end */
	u32 n;
};

static struct bits bits_of(u8 family, const struct fib_addr *a)
{
	struct bits b = {.n = family == FIB_IP4 ? 32 : 128};

	for (u32 i = 0; i < b.n; i++) {
		u32 from_right = b.n - 1 - i;

		b.bit[i] = (from_right < 64 ? a->lo >> from_right : a->hi >> (from_right - 64)) & 1;
	}
	return b;
}

static u32 bits_number(const struct bits *b, u32 at, u32 n)
{
	u32 x = 0;

	for (u32 i = 0; i < n; i++)
		x = 2 * x + b->bit[at + i];
	return x;
}

/* Content of slice @slice of the node @e. */
static u64 follow(const struct fib_view *v, u64 e, u32 slice, const char **fault)
{
	u64 at = (e & 0x7fffffff) - 1;

	for (u32 s = 0; s <= slice; s++)
		at += e >> (63 - s) & 1;
	if (e >> 31 & 1) {
		if (at >= v->n_leaf)
			*fault = "leaf out of bounds";
		else if (at == 0)
			*fault = "64 bits that end with leaf 0";
		return *fault ? 0 : v->leaf[at];
	}
	if (at >= v->n_node)
		*fault = "node out of bounds";
	return *fault ? 0 : v->node[at];
}

u32 strict_lookup(const struct fib_view *v, const struct dwcp_fib_root *root,
		  const struct fib_addr *a, const char **ret_fault)
{
	struct bits b = bits_of(root->family, a);
	u64 at = (u64)root->direct_base + bits_number(&b, 0, root->direct_bits), e;

	if (at >= v->n_direct) {
		*ret_fault = "direct out of bounds";
		return 0;
	}
	e = v->direct[at];
	for (u32 depth = root->direct_bits; e >> 63 && depth < b.n; depth += 5) {
		e = follow(v, e, bits_number(&b, depth, 5), ret_fault);
		if (*ret_fault)
			return 0;
	}
	return e >> 63 ? 0 : (u32)e;
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

struct todo {
	u64 element;
	u32 depth;
};

struct walk {
	const struct fib_view *v;
	u32 n_slots, n_bits;
	u8 *seen; /* [n_node * 128]: this element was followed at this depth */
	struct todo *todo;
	u32 n, cap;
	const char *fault;
};

static void todo_add(struct walk *w, u64 e, u32 depth)
{
	if (!(e >> 63)) {
		if ((u32)e >= w->n_slots)
			w->fault = "slot out of bounds";
		return;
	}
	if (depth >= w->n_bits)
		return;
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 256;
		w->todo = realloc(w->todo, w->cap * sizeof(*w->todo));
		if (!w->todo)
			abort();
	}
	w->todo[w->n++] = (struct todo){e, depth};
}

/* Slices that an address can have: at the end of it the last bits are 0. */
static bool slice_exists(const struct walk *w, u32 depth, u32 slice)
{
	u32 past = depth + 5 > w->n_bits ? depth + 5 - w->n_bits : 0;

	return (slice & ((1u << past) - 1)) == 0;
}

static void element_walk(struct walk *w, struct todo t)
{
	for (u32 slice = 0; slice < 32 && !w->fault; slice++) {
		u64 next;
		u32 at = (u32)(t.element & 0x7fffffff) - 1;

		if (!slice_exists(w, t.depth, slice))
			continue;
		next = follow(w->v, t.element, slice, &w->fault);
		if (w->fault)
			return;
		for (u32 s = 0; s <= slice; s++)
			at += t.element >> (63 - s) & 1;
		if (!(t.element >> 31 & 1)) {
			u8 *seen = &w->seen[(size_t)at * 128 + t.depth];

			if (*seen)
				continue;
			*seen = 1;
		}
		todo_add(w, next, t.depth + 5);
	}
}

static void root_walk(struct walk *w, const struct dwcp_fib_root *r)
{
	u64 n = r->direct_bits < 64 ? 1ull << r->direct_bits : ~0ull;

	w->n_bits = r->family == FIB_IP4 ? 32 : 128;
	if (r->direct_bits > w->n_bits)
		w->fault = "direct bits past the address";
	if (!w->fault && r->direct_base + n > w->v->n_direct)
		w->fault = "direct out of bounds";
	memset(w->seen, 0, (size_t)w->v->n_node * 128);
	for (u64 i = 0; !w->fault && i < n; i++) {
		todo_add(w, w->v->direct[r->direct_base + i], r->direct_bits);
		while (w->n > 0 && !w->fault)
			element_walk(w, w->todo[--w->n]);
	}
}

const char *strict_walk(const struct fib_view *v, u32 n_slots)
{
	struct walk w = {.v = v, .n_slots = n_slots};

	w.seen = malloc((size_t)v->n_node * 128 + 1);
	if (!w.seen)
		abort();
	for (u32 i = 0; i < v->n_root && !w.fault; i++) {
		if (v->root[i].family)
			root_walk(&w, &v->root[i]);
	}
	free(w.seen);
	free(w.todo);
	return w.fault;
}

/* ---- spelling ------------------------------------------------------------------------------------------ */

static const char *root_form(const struct dwcp_fib_root *r, const struct dwcp_fib_root *before)
{
	if (r->reserved0 || r->reserved1)
		return "reserved field of a root";
	if (r->family == 0)
		return r->vrf || r->direct_bits || r->direct_base ? "contents of an unused root"
								  : NULL;
	if (r->family != 4 && r->family != 6)
		return "family of a root";
	if (!before)
		return NULL;
	if (before->family == 0)
		return "used root after an unused one";
	if (before->vrf > r->vrf || (before->vrf == r->vrf && before->family >= r->family))
		return "order of roots";
	return NULL;
}

static bool element_formed(u64 e)
{
	return e >> 63 || e >> 31 == 0;
}

const char *strict_form(const struct fib_view *v)
{
	for (u32 i = 0; i < v->n_root; i++) {
		const char *why = root_form(&v->root[i], i ? &v->root[i - 1] : NULL);

		if (why)
			return why;
	}
	for (u32 i = 0; i < v->n_direct; i++) {
		if (!element_formed(v->direct[i]))
			return "bits of a direct element";
	}
	for (u32 i = 0; i < v->n_node; i++) {
		if (!element_formed(v->node[i]))
			return "bits of a node element";
	}
	return NULL;
}
