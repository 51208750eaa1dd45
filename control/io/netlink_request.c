/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink_request.c - changes that we ask the kernel for, by a socket of their own: an answer is never behind a burst of
 * notifications, and none is lost for the want of room (as many are under way as their answers fit the buffer).
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <dwcp/endian.h>

#include "netlink_private.h"

static void addr_write(u8 family, const struct fib_addr *a, u8 ret[16])
{
	if (family == FIB_IP4) {
		be32_store(ret, (u32)a->lo);
		return;
	}
	be32_store(ret, (u32)(a->hi >> 32));
	be32_store(ret + 4, (u32)a->hi);
	be32_store(ret + 8, (u32)(a->lo >> 32));
	be32_store(ret + 12, (u32)a->lo);
}

static u8 af_of(u8 family)
{
	return family == FIB_IP4 ? AF_INET : AF_INET6;
}

static size_t addr_bytes(u8 family)
{
	return family == FIB_IP4 ? 4 : 16;
}

static void neigh_fill(struct nlmsghdr *h, const struct mirror_neigh *n)
{
	struct ndmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	u8 addr[16];

	m->ndm_family = af_of(n->family);
	m->ndm_ifindex = (int)n->ifindex;
	m->ndm_state = n->state;
	m->ndm_flags = n->flags;
	addr_write(n->family, &n->addr, addr);
	mnl_attr_put(h, NDA_DST, addr_bytes(n->family), addr);
	if (n->has_mac)
		mnl_attr_put(h, NDA_LLADDR, sizeof(n->mac), n->mac);
	if (n->flags_ext)
		mnl_attr_put_u32(h, NDA_FLAGS_EXT, n->flags_ext);
	if (n->protocol)
		mnl_attr_put_u8(h, NDA_PROTOCOL, n->protocol);
}

static void addr_fill(struct nlmsghdr *h, const struct mirror_addr *a)
{
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	u8 addr[16];

	m->ifa_family = af_of(a->family);
	m->ifa_prefixlen = a->prefix_len;
	m->ifa_scope = a->scope;
	m->ifa_index = a->ifindex;
	addr_write(a->family, &a->addr, addr);
	mnl_attr_put(h, IFA_LOCAL, addr_bytes(a->family), addr);
	mnl_attr_put(h, IFA_ADDRESS, addr_bytes(a->family), addr);
	if (a->flags)
		mnl_attr_put_u32(h, IFA_FLAGS, a->flags);
	if (a->protocol)
		mnl_attr_put_u8(h, IFA_PROTO, a->protocol);
}

static void request_fill(const struct netlink_req *q, u32 seq, struct nlmsghdr *h)
{
	static const struct {
		u16 type, flags;
	} kinds[] = {
		[NETLINK_NEIGH_SET] = {RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE},
		[NETLINK_NEIGH_DEL] = {RTM_DELNEIGH, 0},
		[NETLINK_ADDR_SET] = {RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE},
		[NETLINK_ADDR_DEL] = {RTM_DELADDR, 0},
	};

	h->nlmsg_type = kinds[q->type].type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | kinds[q->type].flags;
	h->nlmsg_seq = seq;
	if (q->type == NETLINK_NEIGH_SET || q->type == NETLINK_NEIGH_DEL)
		neigh_fill(h, &q->neigh);
	else
		addr_fill(h, &q->addr);
}

static struct netlink_req *todo_pop(struct netlink *nl)
{
	struct netlink_req *q;

	pthread_mutex_lock(&nl->lock);
	q = nl->todo.first;
	if (q) {
		nl->todo.first = q->next;
		if (!nl->todo.first)
			nl->todo.end = &nl->todo.first;
	}
	pthread_mutex_unlock(&nl->lock);
	return q;
}

void netlink_requests_send(struct netlink *nl)
{
	char buf[512] __attribute__((aligned(8)));

	while (nl->n_sent < DWCP_ARRAY_LEN(nl->sent)) {
		struct netlink_req *q = todo_pop(nl);
		struct nlmsghdr *h;

		if (!q)
			return;
		q->seq = ++nl->request_seq;
		h = mnl_nlmsg_put_header(buf);
		request_fill(q, q->seq, h);
		if (send(nl->request_fd, h, h->nlmsg_len, 0) < 0)
			q->done(q, -errno);
		else
			nl->sent[nl->n_sent++] = q;
	}
}

static void answered(struct netlink *nl, u32 seq, int err)
{
	for (u32 i = 0; i < nl->n_sent; i++) {
		struct netlink_req *q = nl->sent[i];

		if (q->seq != seq)
			continue;
		nl->sent[i] = nl->sent[--nl->n_sent];
		q->done(q, err);
		return;
	}
}

static void sent_fail(struct netlink *nl, int err)
{
	while (nl->n_sent) {
		struct netlink_req *q = nl->sent[--nl->n_sent];

		q->done(q, err);
	}
}

void netlink_requests_receive(struct netlink *nl)
{
	char buf[8192] __attribute__((aligned(8)));
	ssize_t n;

	while ((n = recv(nl->request_fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *h;
		const u8 *at = (const u8 *)buf;
		size_t left = (size_t)n;
		int err;

		while ((h = netlink_message_next(&at, &left)) != NULL) {
			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_len < NLMSG_HDRLEN + sizeof(err))
				continue;
			memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
			answered(nl, h->nlmsg_seq, err);
		}
	}
	if (n < 0 && errno == ENOBUFS)
		sent_fail(nl, -ENOBUFS);
}

void netlink_requests_fini(struct netlink *nl)
{
	struct netlink_req *q;

	sent_fail(nl, -ECANCELED);
	while ((q = todo_pop(nl)) != NULL)
		q->done(q, -ECANCELED);
}

void netlink_request(struct netlink *nl, struct netlink_req *q)
{
	q->next = NULL;
	pthread_mutex_lock(&nl->lock);
	*nl->todo.end = q;
	nl->todo.end = &q->next;
	pthread_mutex_unlock(&nl->lock);
	netlink_wake(nl);
}
