/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * id.c - ids of path sets: given, remembered, published.
 *
 * An id is made of what the path set means (gateways, names of ports, tags, weights), so that an agent that starts again
 * gives the same ids, in whatever order it meets the path sets, and so that a path set which comes back has its own id
 * again. Two meanings that fall on one id (expected: one pair among 93 thousand) are told apart by trying on; the
 * ledger keeps every id ever given, so that no id ever changes its meaning while this process lives.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rib_private.h"

void rib_id_fini(struct rib *r)
{
	free(r->nhs.ledger.e);
}

static struct dwcp_id_entry *ledger_at(struct rib_id_ledger *l, u32 id)
{
	u32 pos = dwcp_id_home(id, (u64)l->mask + 1);

	while (l->e[pos].id && l->e[pos].id != id)
		pos = (pos + 1) & l->mask;
	return &l->e[pos];
}

static int ledger_grow(struct rib_id_ledger *l)
{
	u64 size = l->e ? 2 * ((u64)l->mask + 1) : 256;
	struct rib_id_ledger grown = {.n = l->n, .mask = size - 1};

	grown.e = calloc(size, sizeof(*grown.e));
	if (!grown.e)
		return -ENOMEM;
	for (u64 i = 0; l->e && i <= l->mask; i++)
		if (l->e[i].id)
			*ledger_at(&grown, l->e[i].id) = l->e[i];
	free(l->e);
	*l = grown;
	return 0;
}

static u32 id_slot(const struct rib *r, u32 id)
{
	const struct dwcp_id_entry *e = (const void *)r->id.bytes;
	u32 pos;

	if (!r->id.n)
		return 0;
	for (pos = dwcp_id_home(id, r->id.n); e[pos].id; pos = (pos + 1) & (r->id.n - 1))
		if (e[pos].id == id)
			return e[pos].slot;
	return 0;
}

int rib_id_assign(struct rib *r, u64 hash, u32 *ret_id)
{
	struct rib_id_ledger *l = &r->nhs.ledger;
	u32 tag = hash >> 32;
	int err;

	if (!l->e || 2ull * l->n > l->mask) {
		err = ledger_grow(l);
		if (err)
			return err;
	}
	for (u64 attempt = 0;; attempt++) {
		u32 id = attempt ? (u32)rib_mix(hash + attempt) : (u32)hash;
		struct dwcp_id_entry *e;

		if (!id)
			continue;
		e = ledger_at(l, id);
		if (e->id && (e->slot != tag || id_slot(r, id)))
			continue;
		if (!e->id)
			l->n++;
		*e = (struct dwcp_id_entry){id, tag};
		*ret_id = id;
		return 0;
	}
}

/* ---- the section: id → slot ----------------------------------------------------------------------------------- */

static bool id_place(struct dwcp_id_entry *e, u64 n, u32 id, u32 slot, u64 *ret_pos)
{
	u64 pos = dwcp_id_home(id, n);

	for (u32 probe = 0; probe < DWCP_ID_MAX_PROBES; probe++, pos = (pos + 1) & (n - 1))
		if (!e[pos].id || e[pos].id == id) {
			e[pos] = (struct dwcp_id_entry){id, slot};
			*ret_pos = pos;
			return true;
		}
	return false;
}

static bool id_place_all(struct dwcp_id_entry *to, u64 n, const struct dwcp_id_entry *from,
			 u64 n_from)
{
	u64 pos;

	for (u64 i = 0; i < n_from; i++)
		if (from[i].id && !id_place(to, n, from[i].id, from[i].slot, &pos))
			return false;
	return true;
}

static int id_grow(struct rib *r)
{
	u64 n = r->id.n ? 2 * r->id.n : DWCP_SEGMENT_ALIGN / sizeof(struct dwcp_id_entry);
	struct dwcp_id_entry *e;
	int err;

	for (;; n *= 2) {
		e = calloc(n, sizeof(*e));
		if (!e)
			return -ENOMEM;
		if (id_place_all(e, n, (const void *)r->id.bytes, r->id.n))
			break;
		free(e);
	}
	err = rib_array_grow(&r->id, n);
	if (!err) {
		memcpy(r->id.bytes, e, n * sizeof(*e));
		rib_array_touch(&r->id, 0, n);
	}
	free(e);
	return err;
}

int rib_id_put(struct rib *r, u32 id, u32 slot)
{
	bool there = id_slot(r, id);
	u64 pos;
	int err;

	while ((!there && 2ull * (r->nhs.n_ids + 1) > r->id.n) ||
	       !id_place((void *)r->id.bytes, r->id.n, id, slot, &pos)) {
		err = id_grow(r);
		if (err)
			return err;
	}
	rib_array_touch(&r->id, pos, 1);
	r->nhs.n_ids += !there;
	return 0;
}

void rib_id_del(struct rib *r, u32 id)
{
	struct dwcp_id_entry *e = (void *)r->id.bytes;
	u64 mask = r->id.n - 1, hole = dwcp_id_home(id, r->id.n);

	if (!id_slot(r, id))
		return;
	while (e[hole].id != id)
		hole = (hole + 1) & mask;
	rib_array_touch(&r->id, hole, 1);
	for (u64 k = (hole + 1) & mask; e[k].id; k = (k + 1) & mask) {
		u64 home = dwcp_id_home(e[k].id, r->id.n);

		if (((k - home) & mask) < ((k - hole) & mask))
			continue;
		e[hole] = e[k];
		hole = k;
		rib_array_touch(&r->id, hole, 1);
	}
	e[hole] = (struct dwcp_id_entry){0};
	r->nhs.n_ids--;
}
