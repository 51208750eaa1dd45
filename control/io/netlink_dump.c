/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink_dump.c - one dump at a time, in the order of the kinds: links before what leaves by them. One that the kernel
 * marks as inconsistent, or that lost company to ENOBUFS, is made again, each time after a longer wait.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink_private.h"

#define DUMP_DELAY_MIN_NS 50000000u
#define DUMP_DELAY_MAX_NS 5000000000u

struct dump_request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct ndmsg neigh;
		struct nhmsg nexthop;
		struct rtmsg route;
	};
};

static void request_fill(enum netlink_kind kind, struct dump_request *q)
{
	static const struct {
		u16 type;
		u8 family, bytes;
	} kinds[NETLINK_N_KINDS] = {
		[NETLINK_KIND_LINK] = {RTM_GETLINK, AF_UNSPEC, sizeof(q->link)},
		[NETLINK_KIND_ADDR] = {RTM_GETADDR, AF_UNSPEC, sizeof(q->addr)},
		[NETLINK_KIND_NEIGH] = {RTM_GETNEIGH, AF_UNSPEC, sizeof(q->neigh)},
		[NETLINK_KIND_NEXTHOP] = {RTM_GETNEXTHOP, AF_UNSPEC, sizeof(q->nexthop)},
		[NETLINK_KIND_ROUTE4] = {RTM_GETROUTE, AF_INET, sizeof(q->route)},
		[NETLINK_KIND_ROUTE6] = {RTM_GETROUTE, AF_INET6, sizeof(q->route)},
	};

	memset(q, 0, sizeof(*q));
	q->h.nlmsg_len = NLMSG_HDRLEN + kinds[kind].bytes;
	q->h.nlmsg_type = kinds[kind].type;
	q->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	q->route.rtm_family = kinds[kind].family; /* the first byte of every one of them */
}

static u32 links_mark(struct netlink *nl)
{
	for (u32 i = 0; i < nl->n_links; i++)
		nl->links[i].marked = true;
	return nl->n_links;
}

static void links_sweep(struct netlink *nl)
{
	for (u32 i = nl->n_links; i > 0; i--) {
		struct netlink_link gone = nl->links[i - 1];

		if (!gone.marked)
			continue;
		nl->links[i - 1] = nl->links[--nl->n_links];
		NETLINK_TELL(nl, link, MIRROR_DEL, &gone.l);
	}
}

static void dump_delay(struct netlink *nl, u64 now_ns)
{
	struct netlink_dump *d = &nl->dump;

	d->delay_ns = DWCP_MIN(DWCP_MAX(2 * d->delay_ns, DUMP_DELAY_MIN_NS), DUMP_DELAY_MAX_NS);
	d->due_ns = now_ns + d->delay_ns;
}

static void dump_start(struct netlink *nl, enum netlink_kind kind, u64 now_ns)
{
	struct netlink_dump *d = &nl->dump;
	struct dump_request q;

	request_fill(kind, &q);
	q.h.nlmsg_seq = ++d->seq;
	if (send(nl->fd, &q, q.h.nlmsg_len, MSG_DONTWAIT) < 0) {
		dump_delay(nl, now_ns);
		return;
	}
	d->running = true;
	d->intact = true;
	d->kind = kind;
	d->wanted &= ~(1u << kind);
	nl->facts.n_dumps++;
	if (kind == NETLINK_KIND_LINK)
		links_mark(nl);
	NETLINK_TELL(nl, dump_begin, kind);
}

void netlink_dump_step(struct netlink *nl, u64 now_ns)
{
	struct netlink_dump *d = &nl->dump;

	if (!d->running && d->wanted && now_ns >= d->due_ns)
		dump_start(nl, (enum netlink_kind)__builtin_ctz(d->wanted), now_ns);
}

u64 netlink_dump_due(const struct netlink *nl)
{
	return !nl->dump.running && nl->dump.wanted ? nl->dump.due_ns : UINT64_MAX;
}

void netlink_dump_done(struct netlink *nl, int err, u64 now_ns)
{
	struct netlink_dump *d = &nl->dump;
	/* a kernel without next-hop objects has none */
	bool complete =
		d->intact && (!err || (err == -EOPNOTSUPP && d->kind == NETLINK_KIND_NEXTHOP));

	d->running = false;
	if (complete && d->kind == NETLINK_KIND_LINK)
		links_sweep(nl);
	NETLINK_TELL(nl, dump_end, d->kind, complete);
	if (!complete) {
		nl->facts.n_dumps_again++;
		d->wanted |= 1u << d->kind;
		dump_delay(nl, now_ns);
		return;
	}
	d->unheard &= ~(1u << d->kind);
	if (d->wanted)
		return;
	d->delay_ns = 0;
	if (!d->unheard)
		nl->facts.synced_ns = now_ns;
}

void netlink_resync(struct netlink *nl, u64 now_ns)
{
	struct netlink_dump *d = &nl->dump;

	d->intact = false;
	d->wanted = d->unheard = nl->kinds;
	if (nl->facts.n_enobufs)
		dump_delay(nl, now_ns);
}

void netlink_dump(struct netlink *nl, enum netlink_kind kind)
{
	nl->dump.wanted |= nl->kinds & 1u << kind;
}
