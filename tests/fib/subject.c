/* SPDX-License-Identifier: BSD-3-Clause */
/* subject.c - see subject.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lookup.h"
#include "subject.h"

void ask_init(struct ask *q, const struct oracle *o, const struct fib_builder *b, u8 family)
{
	*q = (struct ask){.oracle = o, .family = family};
	fib_builder_view(b, &q->view);
}

static void variant_ask(const struct ask *q, const struct fib_variant *variant, u32 *slot)
{
	const struct dwcp_fib_root *root = fib_root_find(&q->view, q->vrf, q->family);
	u32 dst[ASK_MAX];
	u32 burst = 1;

	assert_non_null(root);
	for (u32 i = 0; i < q->n; i++)
		dst[i] = q->addr[i].lo;
	memset(slot, 0xa5, q->n * sizeof(*slot));
	/* 1, 2, 3 … so that every remainder of a vector comes. */
	for (u32 at = 0; at < q->n; at += burst, burst++) {
		u32 n = DWCP_MIN(burst, q->n - at);

		if (q->family == FIB_IP4)
			variant->lookup4(&q->view, root, dst + at, slot + at, n);
		else
			variant->lookup6(&q->view, root, q->addr + at, slot + at, n);
	}
}

void ask_flush(struct ask *q)
{
	static u32 slot[ASK_MAX], want[ASK_MAX];
	const struct fib_variant *variant;
	u32 len;

	for (u32 j = 0; j < q->n; j++)
		want[j] = oracle_match(q->oracle, q->family, &q->addr[j], &len);
	for (u32 i = 0; (variant = fib_variant_at(i)); i++) {
		if (!variant->supported())
			continue;
		variant_ask(q, variant, slot);
		for (u32 j = 0; j < q->n; j++) {
			if (slot[j] == want[j])
				continue;
			oracle_match(q->oracle, q->family, &q->addr[j], &len);
			fail_msg("%s: IPv%u %016lx:%016lx: slot %u, oracle %u (/%u)", variant->name,
				 q->family, q->addr[j].hi, q->addr[j].lo, slot[j], want[j], len);
		}
	}
	q->n_asked += q->n;
	q->n = 0;
}

void ask_add(struct ask *q, struct fib_addr a)
{
	q->addr[q->n++] = a;
	if (q->n == ASK_MAX)
		ask_flush(q);
}

static struct fib_addr addr_step(u8 family, struct fib_addr a, int by)
{
	struct fib_addr to = {a.hi, a.lo + by};

	if (family == FIB_IP4)
		return (struct fib_addr){.lo = to.lo & 0xffffffff};
	if (by > 0 && to.lo < a.lo)
		to.hi++;
	if (by < 0 && to.lo > a.lo)
		to.hi--;
	return to;
}

static struct fib_addr prefix_last(const struct fib_prefix *p)
{
	struct fib_addr a = p->addr;

	if (p->family == FIB_IP4) {
		a.lo |= p->len ? 0xffffffffull >> p->len : 0xffffffffull;
	} else if (p->len < 64) {
		a.hi |= p->len ? ~0ull >> p->len : ~0ull;
		a.lo = ~0ull;
	} else if (p->len < 128) {
		a.lo |= p->len > 64 ? ~0ull >> (p->len - 64) : ~0ull;
	}
	return a;
}

void ask_around(struct ask *q, const struct fib_prefix *p)
{
	struct fib_addr last = prefix_last(p);

	ask_add(q, p->addr);
	ask_add(q, last);
	ask_add(q, addr_step(p->family, p->addr, -1));
	ask_add(q, addr_step(p->family, last, 1));
}

void arrays_check(const struct fib_builder *b, u32 n_slots)
{
	struct fib_facts facts = {0};
	struct fib_view view;
	const char *why;

	for (int a = 0; a < FIB_N_ARRAYS; a++) {
		size_t bytes;
		const void *at = fib_builder_array(b, a, &bytes);

		why = fib_chunk_check(a, at, bytes, &facts);
		if (why)
			fail_msg("array %d: %s", a, why);
	}
	fib_builder_view(b, &view);
	why = fib_facts_check(&facts, &view, n_slots);
	if (why)
		fail_msg("%s", why);
}
