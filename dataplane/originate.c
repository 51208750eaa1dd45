/* SPDX-License-Identifier: BSD-3-Clause */
/* originate.c - see originate.h. Thread: worker. */
#include "originate.h"

static void burst_send(struct worker *w, struct burst *b)
{
	stage_rewrite(w, b);
	stage_tx(w, b);
	b->n = 0;
	b->bytes = 0;
}

static void errors_send(struct worker *w)
{
	struct burst *b = &w->originate->errors;

	stage_route(w, b);
	burst_send(w, b);
}

/* Return: its place. */
static u32 burst_put(struct worker *w, struct burst *b, struct rte_mbuf *m, const struct pkt *p)
{
	u32 i = b->n++;

	b->gen = w->burst.gen;
	b->rx_port_idx = w->burst.rx_port_idx;
	b->mbuf[i] = m;
	b->frame[i] = rte_pktmbuf_mtod(m, u8 *);
	b->seg_len[i] = m->data_len;
	b->frame_len[i] = m->pkt_len;
	b->verdict[i] = VERDICT_PASS;
	b->pkt[i] = *p;
	/* what the FIB reads, as parse leaves it of a packet that is not common */
	if (p->flags & PKT_IP4)
		b->col.dst4[i] = (u32)p->dst.lo;
	else
		b->col.dst6[i] = p->dst;
	b->ip6 = (i ? b->ip6 : 0) | (u64) !(p->flags & PKT_IP4) << i;
	b->bytes += m->pkt_len;
	b->common = 0;
	w->burst.originates = true;
	return i;
}

void originate_error(struct worker *w, struct rte_mbuf *m, const struct pkt *p)
{
	struct burst *b = &w->originate->errors;

	burst_put(w, b, m, p);
	dwcp_count(&w->stats->originated, 1);
	/* full: the rest of them goes later, and these a little early; stages of one burst use nothing of another's */
	if (b->n == BURST_MAX)
		errors_send(w);
}

void originate_fragment(struct worker *w, struct rte_mbuf *m, const struct pkt *p, u32 slot,
			bool first)
{
	struct burst *b = &w->originate->fragments;

	b->slot[burst_put(w, b, m, p)] = slot;
	if (!first)
		dwcp_count(&w->stats->originated, 1);
	if (b->n == BURST_MAX)
		burst_send(w, b);
}

void originate_flush(struct worker *w)
{
	struct originate *o = w->originate;

	w->burst.originates = false;
	if (o->errors.n)
		errors_send(w);
	if (o->fragments.n)
		burst_send(w, &o->fragments);
}
