/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heard.c - see heard.h. What is under "netlink's thread" runs there and touches nothing but the queue; all else runs on the
 * loop.
 */
#include "heard.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void heard_wake(struct heard_queue *q)
{
	u64 one = 1;

	if (write(q->fd, &one, sizeof(one)) < 0)
		return; /* full: the loop is awake */
}

/* ---- netlink's thread ----------------------------------------------------------------------------------------------- */

static bool list_grow(struct heard_list *l)
{
	u32 cap = l->cap ? 2 * l->cap : 64;
	struct heard *grown = realloc(l->h, cap * sizeof(*grown));

	if (!grown)
		return false;
	l->h = grown;
	l->cap = cap;
	return true;
}

/* Answers always find their place: there are only so many requests, and somebody counts those without one. */
static bool has_room(const struct heard_list *l, enum heard_type type)
{
	return l->n < HEARD_MAX || type == HEARD_NEIGH_ANSWER || type == HEARD_ADDR_ANSWER;
}

static void heard_push(struct heard_queue *q, const struct heard *h)
{
	struct heard_list *l = &q->heard;
	bool first;

	pthread_mutex_lock(&q->lock);
	first = l->n == 0;
	if (has_room(l, h->type) && (l->n < l->cap || list_grow(l)))
		l->h[l->n++] = *h;
	else
		q->lost = true;
	pthread_mutex_unlock(&q->lock);
	if (first)
		heard_wake(q);
}

static void port_put(struct heard *h, const char *port)
{
	memcpy(h->port, port, strnlen(port, sizeof(h->port) - 1));
}

static struct twin_seen *twin_seen(struct heard_queue *q, u32 ifindex)
{
	for (u32 i = 0; i < q->n_twins; i++)
		if (q->twins[i].ifindex == ifindex)
			return &q->twins[i];
	return NULL;
}

static void twin_gone(struct heard_queue *q, struct twin_seen *t)
{
	struct heard h = {.type = HEARD_LINK, .verb = MIRROR_DEL, .link = {.ifindex = t->ifindex}};

	port_put(&h, t->port);
	heard_push(q, &h);
	*t = q->twins[--q->n_twins];
}

static void link_told(void *arg, enum mirror_verb verb, const struct mirror_link *l)
{
	struct heard_queue *q = arg;
	struct twin_seen *t = twin_seen(q, l->ifindex);
	struct heard h = {.type = HEARD_LINK, .verb = verb, .link = *l};

	if (t && (verb == MIRROR_DEL || !l->port || strcmp(t->port, l->port) != 0)) {
		twin_gone(q, t);
		t = NULL;
	}
	if (verb == MIRROR_DEL || !l->port)
		return;
	if (!t && q->n_twins < DWCP_ARRAY_LEN(q->twins)) {
		t = &q->twins[q->n_twins++];
		*t = (struct twin_seen){.ifindex = l->ifindex};
		memcpy(t->port, l->port, strnlen(l->port, sizeof(t->port) - 1));
		/* What it has was told when it was nobody's. */
		netlink_dump(q->nl, NETLINK_KIND_ADDR);
		netlink_dump(q->nl, NETLINK_KIND_NEIGH);
	}
	port_put(&h, l->port);
	h.link.port = NULL;
	heard_push(q, &h);
}

static void addr_told(void *arg, enum mirror_verb verb, const struct mirror_addr *a)
{
	struct heard h = {.type = HEARD_ADDR, .verb = verb, .addr = *a};

	if (!a->port)
		return;
	port_put(&h, a->port);
	h.addr.port = NULL;
	heard_push(arg, &h);
}

static void neigh_told(void *arg, enum mirror_verb verb, const struct mirror_neigh *n)
{
	struct heard h = {.type = HEARD_NEIGH, .verb = verb, .neigh = *n};

	if (!n->port)
		return;
	port_put(&h, n->port);
	h.neigh.port = NULL;
	heard_push(arg, &h);
}

static void dump_told(struct heard_queue *q, enum netlink_kind kind, bool begin, bool complete)
{
	if (kind == NETLINK_KIND_ADDR || kind == NETLINK_KIND_NEIGH)
		heard_push(q, &(struct heard){.type = HEARD_DUMP,
					      .kind = kind,
					      .begin = begin,
					      .complete = complete});
}

static void dump_begun(void *arg, enum netlink_kind kind)
{
	dump_told(arg, kind, true, false);
}

static void dump_ended(void *arg, enum netlink_kind kind, bool complete)
{
	dump_told(arg, kind, false, complete);
}

/* Something could not be queued: hear all of it again. */
static void idle(void *arg, u64 now_ns)
{
	struct heard_queue *q = arg;
	bool lost;

	(void)now_ns;
	pthread_mutex_lock(&q->lock);
	lost = q->lost && q->heard.n == 0;
	q->lost = q->lost && !lost;
	pthread_mutex_unlock(&q->lock);
	if (!lost)
		return;
	netlink_dump(q->nl, NETLINK_KIND_LINK);
	netlink_dump(q->nl, NETLINK_KIND_ADDR);
	netlink_dump(q->nl, NETLINK_KIND_NEIGH);
}

static const struct netlink_ops netlink_ops = {
	.link = link_told,
	.addr = addr_told,
	.neigh = neigh_told,
	.dump_begin = dump_begun,
	.dump_end = dump_ended,
	.idle = idle,
};

/* A request and whose it is. */
struct request {
	struct netlink_req req;
	struct heard_queue *queue;
	char port[CONFIG_NAME_MAX];
};

static void request_done(struct netlink_req *req, int err)
{
	struct request *r = (struct request *)req;
	struct heard h = {.type = HEARD_NEIGH_ANSWER, .err = err};

	port_put(&h, r->port);
	if (req->type == NETLINK_NEIGH_SET) {
		h.neigh = req->neigh;
		heard_push(r->queue, &h);
	} else if (req->type != NETLINK_NEIGH_DEL) {
		h.type = HEARD_ADDR_ANSWER;
		h.addr = req->addr;
		heard_push(r->queue, &h);
	}
	free(r);
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

static struct request *request_new(struct heard_queue *q, enum netlink_req_type type,
				   const char *port)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->queue = q;
	r->req.type = type;
	r->req.done = request_done;
	memcpy(r->port, port, strnlen(port, sizeof(r->port) - 1));
	return r;
}

int heard_ask_neighbour(struct heard_queue *q, const char *port, const struct neighbours_act *a)
{
	bool keep = a->type == NEIGHBOURS_ACT_ASK;
	struct request *r = request_new(q, keep ? NETLINK_NEIGH_SET : NETLINK_NEIGH_DEL, port);

	if (!r)
		return -ENOMEM;
	r->req.neigh = (struct mirror_neigh){.ifindex = a->ifindex,
					     .addr = a->addr,
					     .family = a->family,
					     .flags = keep ? NTF_USE : 0, /* before 5.16: once */
					     .flags_ext = keep ? NTF_EXT_MANAGED : 0};
	netlink_request(q->nl, &r->req);
	return 0;
}

static bool is_link_local4(const struct config_addr *a)
{
	return a->family == FIB_IP4 && a->addr.lo >> 16 == 0xa9fe;
}

void heard_ask_address(struct heard_queue *q, const char *port, const struct twin_addresses_act *a)
{
	struct request *r = request_new(q, a->del ? NETLINK_ADDR_DEL : NETLINK_ADDR_SET, port);

	if (!r)
		return; /* asked again after a while */
	/* No DAD: the address is there when routing daemons look, and the wire is the dataplane's to watch. */
	r->req.addr =
		(struct mirror_addr){.ifindex = a->ifindex,
				     .addr = a->addr.addr,
				     .family = a->addr.family,
				     .prefix_len = a->addr.prefix_len,
				     .scope = is_link_local4(&a->addr) ? RT_SCOPE_LINK
								       : RT_SCOPE_UNIVERSE,
				     .flags =
					     a->addr.family == FIB_IP6 && !a->del ? IFA_F_NODAD : 0,
				     .protocol = a->del ? 0 : TWIN_ADDRESSES_PROTOCOL};
	netlink_request(q->nl, &r->req);
}

/* ---- the loop's end -------------------------------------------------------------------------------------------------- */

/* Return: is there something to hear? */
static bool heard_take(struct heard_queue *q)
{
	struct heard_list swap = q->taken;

	q->next = 0;
	q->taken.n = 0;
	swap.n = 0;
	pthread_mutex_lock(&q->lock);
	q->taken = q->heard;
	q->heard = swap;
	pthread_mutex_unlock(&q->lock);
	return q->taken.n != 0;
}

const struct heard *heard_next(struct heard_queue *q)
{
	if (q->next == q->taken.n && !heard_take(q))
		return NULL;
	return &q->taken.h[q->next++];
}

int heard_open(struct heard_queue *q, struct netlink *nl)
{
	q->nl = nl;
	q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->fd < 0)
		return -errno;
	pthread_mutex_init(&q->lock, NULL);
	netlink_register(nl, &netlink_ops, q);
	return 0;
}

void heard_close(struct heard_queue *q)
{
	if (!q->nl || q->fd < 0)
		return;
	close(q->fd);
	free(q->taken.h);
	free(q->heard.h);
	pthread_mutex_destroy(&q->lock);
}
