/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.c - see icmp.h. The dead packet's own mbuf becomes the error, so that answering allocates nothing; a packet to be
 * cut takes mbufs of the pool, which hold it only until the burst is sent. Both are bounded: errors by the limits,
 * pieces by one burst of them at a time.
 */
#include <errno.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include <dwcp/util/fragment4.h>
#include <dwcp/util/parse_inline.h>

#include "icmp.h"
#include "originate.h"

#define IP6_MIN_MTU 1280u

/* One more than the error: 0 = the sender isn't told. */
static const u8 error_of[DROP_N_REASONS] = {
	[DROP_IP4_TTL] = 1 + ICMP_ERROR_TIME,
	[DROP_IP6_HOP_LIMIT] = 1 + ICMP_ERROR_TIME,
	[DROP_NO_ROUTE] = 1 + ICMP_ERROR_NO_ROUTE,
	[DROP_UNREACHABLE] = 1 + ICMP_ERROR_UNREACHABLE,
	[DROP_PROHIBIT] = 1 + ICMP_ERROR_PROHIBITED,
	[DROP_UNRESOLVED] = 1 + ICMP_ERROR_NEIGHBOUR,
	[DROP_MTU_EXCEEDED] = 1 + ICMP_ERROR_TOO_BIG,
	[DROP_IP4_OPTION] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_IP6_EXTENSION_ORDER] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_IP6_EXTENSION_COUNT] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_IP6_OPTION] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_IP6_ROUTING_0] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_IP6_FRAGMENT] = 1 + ICMP_ERROR_PARAMETER,
	[DROP_TINY_FRAGMENT] = 1 + ICMP_ERROR_PARAMETER,
};

_Static_assert(ICMP_N_ERRORS <= DWCP_STATS_ICMP_MAX && ICMP_N_RULES - 1 <= DWCP_STATS_ICMP_RULES,
	       "stats ABI");

/* ---- opening ------------------------------------------------------------------------------------------------- */

static u64 ticks_tsc(void)
{
	return rte_rdtsc();
}

/* The node's limits are shared by its workers; a share is never nothing. */
static u32 share_of(u32 all, u32 n_workers)
{
	return DWCP_DIV_UP(all, n_workers);
}

static void extensions_build(const struct worker *w, struct icmp *c)
{
	const struct dataplane *dp = w->dp;

	for (u32 i = 0; i < dp->n_ports && dp->cfg->dataplane.icmp.interface_info; i++)
		c->extension_bytes[i] = icmp_extension_port(dp->cfg->ports[i].name, dp->port[i].mtu,
							    c->extension[i]);
}

int icmp_open(struct worker *w)
{
	u32 n = w->dp->n_workers;
	struct icmp_limit_cfg cfg = {
		.ticks_per_s = w->tsc_hz,
		.errors_pps = share_of(w->dp->cfg->dataplane.icmp.errors_pps, n),
		.errors_burst = share_of(w->dp->cfg->dataplane.icmp.errors_burst, n),
		.destination_pps = share_of(w->dp->cfg->dataplane.icmp.destination_pps, n),
		.destination_burst = share_of(w->dp->cfg->dataplane.icmp.destination_burst, n),
		.key = {w->hash_key[0], w->hash_key[1]},
	};

	w->originate = rte_zmalloc("originate", sizeof(*w->originate), DWCP_SHARED_LINE);
	w->icmp = rte_zmalloc("icmp", sizeof(*w->icmp), DWCP_SHARED_LINE);
	if (!w->originate || !w->icmp)
		return -ENOMEM;
	icmp_limit_init(&w->icmp->limit, &cfg);
	w->icmp->ticks = ticks_tsc;
	w->icmp->ip_id = (u16)rte_rdtsc();
	extensions_build(w, w->icmp);
	return 0;
}

/* ---- whom the error comes from ------------------------------------------------------------------------------- */

static bool source_of_port(const struct generation *g, u32 port, u8 family, u8 ret_src[16])
{
	static const u8 none[16];
	const struct dwcp_port_addr *a;

	if (port >= g->n_port_addr)
		return false;
	a = &g->port_addr[port];
	memset(ret_src, 0, 16);
	if (family == FIB_IP4)
		memcpy(ret_src, a->addr4, 4);
	else
		memcpy(ret_src, a->addr6, 16);
	return memcmp(ret_src, none, 16) != 0;
}

/* The next hop towards the sender; of a group any one. */
static const struct dwcp_nexthop *nexthop_back(const struct worker *w, const struct generation *g,
					       const struct icmp_offender *o)
{
	const struct dwcp_fib_root *root = o->family == FIB_IP4 ? g->ip4 : g->ip6;
	struct pkt p = {.dst = o->src, .flags = o->family == FIB_IP4 ? PKT_IP4 : PKT_IP6};
	u32 key = (u32)o->src.lo, slot = 0;

	if (root && o->family == FIB_IP4)
		fib_lookup4(&g->fib, root, &key, &slot, 1);
	else if (root)
		fib_lookup6(&g->fib, root, &o->src, &slot, 1);
	return route_resolve(g, slot, &p, w->hash_key);
}

/*
 * The port that the packet came in by: what traceroute shows. Without an address there, the one that the error leaves by.
 * Links without addresses (or with link-local ones only) have neither: then any of the router's (RFC 4443 §2.2 d, RFC 1812
 * §4.3.2.4), since a path MTU that nobody tells makes connections hang. Nothing for whom no way leads to.
 */
static bool source_choose(const struct worker *w, u32 rx_port_idx, const struct icmp_offender *o,
			  u8 ret_src[16])
{
	const struct generation *g = w->burst.gen;
	const struct dwcp_nexthop *nh;
	bool found;

	if (source_of_port(g, rx_port_idx, o->family, ret_src))
		return true;
	nh = nexthop_back(w, g, o);
	if (nh->type != DWCP_NEXTHOP_FORWARD && nh->type != DWCP_NEXTHOP_UNRESOLVED)
		return false;
	found = source_of_port(g, nh->port, o->family, ret_src);
	for (u32 i = 0; i < g->n_port_addr && !found; i++)
		found = source_of_port(g, i, o->family, ret_src);
	return found;
}

/* ---- the error ----------------------------------------------------------------------------------------------- */

static struct pkt error_pkt(const struct icmp_offender *o, const struct icmp_request *req,
			    const struct icmp_frame *f)
{
	bool ip4 = o->family == FIB_IP4;
	struct pkt p = {
		.dst = o->src,
		.flags = ip4 ? PKT_IP4 : PKT_IP6 | PKT_DONT_FRAGMENT,
		.l3_offset = ETH_HDR_BYTES,
		.l4_offset = ETH_HDR_BYTES + (ip4 ? IP4_HDR_BYTES : IP6_HDR_BYTES),
		.protocol = ip4 ? IP_PROTO_ICMP : IP_PROTO_ICMP6,
		.ttl = req->ttl,
		.ip_len = f->ip_len,
	};

	if (ip4)
		p.src.lo = be32_load(req->src);
	else
		p.src = (struct fib_addr){be64_load(req->src), be64_load(req->src + 8)};
	return p;
}

/* The mbuf has the error's bytes in front and behind: it ends there, and is one segment. */
static void mbuf_cut(struct rte_mbuf *m, const struct icmp_frame *f)
{
	rte_pktmbuf_free(m->next);
	m->next = NULL;
	m->nb_segs = 1;
	m->data_off = (u16)(m->data_off + f->delta);
	m->data_len = (u16)f->bytes;
	m->pkt_len = f->bytes;
}

/* Of a tagged frame the port is its VLAN; one that nobody has came in by the port itself. */
static u32 rx_port_of(const struct worker *w, u32 i)
{
	const struct burst *b = &w->burst;
	const struct port *port =
		port_of_frame(w->dp, &w->dp->port[b->rx_port_idx], b->frame[i], b->seg_len[i]);

	return port ? port->idx : b->rx_port_idx;
}

static bool error_send(struct worker *w, u32 i, const struct icmp_offender *o,
		       struct icmp_request *req)
{
	struct dwcp_stats_icmp *s = &w->stats->icmp;
	struct burst *b = &w->burst;
	struct rte_mbuf *m = b->mbuf[i];
	u32 rx_port_idx = rx_port_of(w, i);
	struct icmp_frame f;
	struct pkt p;

	if (!source_choose(w, rx_port_idx, o, req->src)) {
		dwcp_count(&s->no_source, 1);
		return false;
	}
	req->ttl = ICMP_TTL + 1; /* it goes through rewrite as any other packet */
	req->ip_id = w->icmp->ip_id++;
	if (w->icmp->extension_bytes[rx_port_idx]) {
		req->extension = w->icmp->extension[rx_port_idx];
		req->extension_bytes = w->icmp->extension_bytes[rx_port_idx];
	}
	if (!icmp_build(b->frame[i], rte_pktmbuf_headroom(m), rte_pktmbuf_tailroom(m),
			b->seg_len[i], o, req, &f)) {
		dwcp_count(&s->no_room, 1);
		return false;
	}
	p = error_pkt(o, req, &f);
	mbuf_cut(m, &f);
	dwcp_count(&s->sent[o->family == FIB_IP6][req->error], 1);
	originate_error(w, m, &p);
	return true;
}

/* What only the packet or its next hop can tell. Return: false when there is nothing to be told after all. */
static bool request_fill(struct worker *w, u32 i, enum drop_reason reason,
			 const struct icmp_offender *o, struct icmp_request *req)
{
	struct burst *b = &w->burst;
	const struct dwcp_nexthop *nh;

	switch (req->error) {
	case ICMP_ERROR_NEIGHBOUR:
		nh = &b->gen->nexthop[b->slot[i]];
		return nh->flags & DWCP_NEXTHOP_FAILED;
	case ICMP_ERROR_TOO_BIG:
		nh = &b->gen->nexthop[b->slot[i]];
		req->mtu = nexthop_mtu(w->dp, nh);
		if (o->family == FIB_IP6)
			req->mtu = DWCP_MAX(req->mtu, IP6_MIN_MTU); /* RFC 8201 §4 */
		return burst_pkt(b, i)->flags & PKT_DONT_FRAGMENT;
	case ICMP_ERROR_PARAMETER:
		return icmp_problem_find(b->frame[i], o, reason, &req->problem);
	default:
		return true;
	}
}

bool icmp_answer(struct worker *w, u32 i, enum drop_reason reason)
{
	struct burst *b = &w->burst;
	struct dwcp_stats_icmp *s = &w->stats->icmp;
	struct icmp_request req = {.error = error_of[reason] - 1u};
	struct icmp_offender o;
	enum icmp_rule rule;

	if (!error_of[reason] || !w->icmp || !b->gen)
		return false;
	rule = icmp_offender_read(b->frame[i], b->seg_len[i], b->frame_len[i], &o);
	if (rule != ICMP_RULE_NONE) {
		dwcp_count(&s->forbidden, 1);
		dwcp_count(&s->forbidden_by[rule - 1], 1);
		return false;
	}
	if (!request_fill(w, i, reason, &o, &req))
		return false;
	if (!icmp_limit_take(&w->icmp->limit, req.error, o.family, &o.src, w->icmp->ticks())) {
		dwcp_count(&s->limited[o.family == FIB_IP6][req.error], 1);
		return false;
	}
	return error_send(w, i, &o, &req);
}

/* ---- fragments ----------------------------------------------------------------------------------------------- */

/* One piece: Ethernet header without MACs, its IP header, and a copy of its data. */
static struct rte_mbuf *piece_make(struct worker *w, const struct rte_mbuf *packet, u32 data_at,
				   const struct fragment4_piece *piece)
{
	u32 bytes = ETH_HDR_BYTES + piece->hdr_bytes + piece->data_bytes;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->dp->pool);
	const u8 *data;
	u8 *frame;

	if (!m)
		return NULL;
	frame = (u8 *)rte_pktmbuf_append(m, (u16)bytes);
	if (!frame) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memset(frame, 0, 12);
	be16_store(frame + 12, 0x0800);
	frame += ETH_HDR_BYTES;
	memcpy(frame, piece->hdr, piece->hdr_bytes);
	frame += piece->hdr_bytes;
	data = rte_pktmbuf_read(packet, data_at + piece->data_at, piece->data_bytes, frame);
	if (data && data != frame)
		memcpy(frame, data, piece->data_bytes);
	return m;
}

/* All pieces or none. Return: how many there are. */
static u32 pieces_make(struct worker *w, u32 i, const struct pkt *p, u32 mtu, struct rte_mbuf **ret)
{
	const u8 *ip = w->burst.frame[i] + p->l3_offset;
	struct fragment4_piece piece;
	struct fragment4 f;
	u32 n = fragment4_init(&f, ip, p->ip_len, mtu), made = 0;

	if (n == 0 || n > BURST_MAX)
		return 0;
	while (made < n && fragment4_next(&f, &piece)) {
		ret[made] = piece_make(w, w->burst.mbuf[i], p->l3_offset + f.first_bytes, &piece);
		if (!ret[made]) {
			rte_pktmbuf_free_bulk(ret, made);
			return 0;
		}
		made++;
	}
	return made;
}

static u32 piece_mtu(const struct worker *w, u32 mtu)
{
	u32 room = rte_pktmbuf_data_room_size(w->dp->pool) - RTE_PKTMBUF_HEADROOM - ETH_HDR_BYTES;

	return DWCP_MIN(mtu, room);
}

bool icmp_fragment(struct worker *w, u32 i)
{
	struct burst *b = &w->burst;
	const struct dwcp_nexthop *nh = &b->gen->nexthop[b->slot[i]];
	struct rte_mbuf *piece[BURST_MAX];
	struct pkt p = *burst_pkt(b, i);
	u32 n;

	if (!w->originate || !(p.flags & PKT_IP4) || p.flags & PKT_DONT_FRAGMENT)
		return false;
	n = pieces_make(w, i, &p, piece_mtu(w, nexthop_mtu(w->dp, nh)), piece);
	if (n == 0) {
		dwcp_count(&w->stats->icmp.fragment_failed, 1);
		return false;
	}
	p.l3_offset = ETH_HDR_BYTES;
	p.n_tags = 0;
	for (u32 k = 0; k < n; k++) {
		const u8 *ip = rte_pktmbuf_mtod_offset(piece[k], u8 *, ETH_HDR_BYTES);

		p.l4_offset = (u16)(ETH_HDR_BYTES + (ip[0] & 15) * 4u);
		p.ip_len = be16_load(ip + 2);
		p.flags = PKT_IP4 | PKT_FRAGMENT | (k ? PKT_LATER_FRAGMENT : 0);
		originate_fragment(w, piece[k], &p, b->slot[i], k == 0);
	}
	dwcp_count(&w->stats->icmp.fragmented, 1);
	dwcp_count(&w->stats->icmp.fragments, n);
	return true;
}
