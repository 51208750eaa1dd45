/* SPDX-License-Identifier: BSD-3-Clause */
#include "twin_addresses.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS 5000000000u /* after the kernel refused, or didn't do it */

static bool addr_same(const struct config_addr *a, const struct config_addr *b)
{
	return a->family == b->family && a->prefix_len == b->prefix_len &&
	       a->addr.lo == b->addr.lo && a->addr.hi == b->addr.hi;
}

static struct twin_address *find(const struct twin_addresses *t, const struct config_addr *a)
{
	for (u32 i = 0; i < t->n; i++)
		if (addr_same(&t->a[i].addr, a))
			return &t->a[i];
	return NULL;
}

static int add(struct twin_addresses *t, const struct config_addr *a, struct twin_address **ret)
{
	u32 cap = t->cap ? 2 * t->cap : 8;
	struct twin_address *grown;

	if (t->n == t->cap) {
		grown = realloc(t->a, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->a = grown;
		t->cap = cap;
	}
	*ret = &t->a[t->n++];
	**ret = (struct twin_address){.addr = *a};
	return 0;
}

/* What is neither there nor wanted is forgotten. */
static void prune(struct twin_addresses *t)
{
	u32 n = 0;

	for (u32 i = 0; i < t->n; i++)
		if (t->a[i].there || t->a[i].wanted)
			t->a[n++] = t->a[i];
	t->n = n;
}

void twin_addresses_fini(struct twin_addresses *t)
{
	free(t->a);
	memset(t, 0, sizeof(*t));
}

int twin_addresses_want(struct twin_addresses *t, const struct config_addr *a, u32 n)
{
	int err = 0;

	for (u32 i = 0; i < t->n; i++)
		t->a[i].wanted = false;
	for (u32 i = 0; i < n && !err; i++) {
		struct twin_address *x = find(t, &a[i]);

		if (!x)
			err = add(t, &a[i], &x);
		if (err)
			break;
		x->wanted = true;
	}
	prune(t);
	return err;
}

static void gone(struct twin_addresses *t, struct twin_address *x)
{
	t->changed = t->changed || x->usable;
	x->there = x->ours = x->usable = x->marked = false;
}

void twin_addresses_link(struct twin_addresses *t, u32 ifindex, bool ours)
{
	bool other = t->ifindex != ifindex;

	t->ifindex = ifindex;
	t->ours = ours;
	if (!other)
		return;
	for (u32 i = 0; i < t->n; i++) {
		gone(t, &t->a[i]);
		t->a[i].asked_ns = 0;
	}
	prune(t);
}

void twin_addresses_carrier(struct twin_addresses *t, bool up)
{
	bool down = t->ifindex && !up;

	t->changed = t->changed || t->down != down;
	t->down = down;
}

int twin_addresses_kernel(struct twin_addresses *t, enum mirror_verb verb,
			  const struct mirror_addr *a)
{
	struct config_addr addr = {.addr = a->addr,
				   .family = a->family,
				   .prefix_len = a->prefix_len};
	bool tentative = (a->flags & IFA_F_TENTATIVE) && !(a->flags & IFA_F_OPTIMISTIC);
	bool usable = !tentative && !(a->flags & IFA_F_DADFAILED);
	struct twin_address *x = find(t, &addr);
	int err;

	if (a->ifindex != t->ifindex)
		return 0;
	if (verb == MIRROR_DEL) {
		if (x) {
			gone(t, x);
			prune(t);
		}
		return 0;
	}
	if (!x && t->n >= TWIN_ADDRESSES_MAX) {
		t->n_ignored++;
		return 0;
	}
	if (!x) {
		err = add(t, &addr, &x);
		if (err)
			return err;
	}
	t->changed = t->changed || x->usable != usable;
	x->there = true;
	x->usable = usable;
	x->marked = false;
	x->ours = a->protocol == TWIN_ADDRESSES_PROTOCOL;
	return 0;
}

void twin_addresses_dump(struct twin_addresses *t, bool begin, bool complete)
{
	for (u32 i = 0; i < t->n; i++) {
		if (!begin && complete && t->a[i].marked)
			gone(t, &t->a[i]);
		t->a[i].marked = begin && t->a[i].there;
	}
	prune(t);
}

void twin_addresses_answer(struct twin_addresses *t, const struct config_addr *a, int err)
{
	struct twin_address *x = find(t, a);

	/* Is there already, or gone already: the message that says so is on its way. */
	if (x)
		x->err = err == -EEXIST || err == -EADDRNOTAVAIL ? 0 : err;
}

bool twin_addresses_next(struct twin_addresses *t, u64 now_ns, struct twin_addresses_act *ret,
			 u64 *ret_due_ns)
{
	for (u32 i = 0; i < t->n && t->ifindex && t->ours; i++) {
		struct twin_address *x = &t->a[i];
		bool put = x->wanted && !x->there, take = !x->wanted && x->there && x->ours;

		if (!put && !take)
			continue;
		/* Somebody else may want the opposite: no faster than that. */
		if (x->asked_ns && x->asked_del == take && now_ns < x->asked_ns + RETRY_NS) {
			*ret_due_ns = DWCP_MIN(*ret_due_ns, x->asked_ns + RETRY_NS);
			continue;
		}
		x->asked_ns = now_ns;
		x->asked_del = take;
		*ret = (struct twin_addresses_act){.del = take,
						   .ifindex = t->ifindex,
						   .addr = x->addr};
		return true;
	}
	return false;
}

bool twin_addresses_ready(const struct twin_addresses *t, u8 family)
{
	bool any = false;

	for (u32 i = 0; i < t->n; i++) {
		const struct twin_address *x = &t->a[i];

		if (x->addr.family != family)
			continue;
		any = true;
		if (x->there && x->usable &&
		    (family == FIB_IP4 || x->addr.addr.hi >> 54 == 0xfe80 >> 6))
			return true;
	}
	return family == FIB_IP4 && !any;
}

u32 twin_addresses_list(const struct twin_addresses *t, struct config_addr *ret, u32 max)
{
	u32 n = 0;

	for (u32 i = 0; i < t->n && n < max; i++)
		if (t->a[i].there && t->a[i].usable)
			ret[n++] = t->a[i].addr;
	return n;
}
