/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.c - the thread: takes what the socket has, parses it, tells the clients. Dumps and notifications share one
 * socket, because only then their order is the kernel's.
 */
#include "netlink_private.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "loop.h"

/* ---- links and twins --------------------------------------------------------------------------------------------- */

static struct netlink_link *link_find(const struct netlink *nl, u32 ifindex)
{
	for (u32 i = 0; i < nl->n_links; i++)
		if (nl->links[i].l.ifindex == ifindex)
			return &nl->links[i];
	return NULL;
}

const struct mirror_link *netlink_link_find(const struct netlink *nl, u32 ifindex)
{
	const struct netlink_link *l = link_find(nl, ifindex);

	return l ? &l->l : NULL;
}

const struct mirror_link *netlink_twin_find(const struct netlink *nl, const char *port)
{
	for (u32 i = 0; i < nl->n_links; i++)
		if (nl->links[i].l.port && strcmp(nl->links[i].l.port, port) == 0)
			return &nl->links[i].l;
	return NULL;
}

static const char *port_of(const struct netlink *nl, const char *name)
{
	for (u32 i = 0; i < nl->twins.n; i++)
		if (strcmp(nl->twins.t[i].name, name) == 0)
			return nl->twins.t[i].port;
	return NULL;
}

static const char *port_of_index(const struct netlink *nl, u32 ifindex)
{
	const struct netlink_link *l = link_find(nl, ifindex);

	return l ? l->l.port : NULL;
}

static void link_told(struct netlink *nl, enum mirror_verb verb, const struct mirror_link *l)
{
	struct netlink_link *k = link_find(nl, l->ifindex), *grown;

	if (!k && verb == MIRROR_NEW) {
		if (nl->n_links == nl->cap_links) {
			u32 cap = nl->cap_links ? 2 * nl->cap_links : 64;

			grown = realloc(nl->links, cap * sizeof(*grown));
			if (!grown) {
				netlink_resync(nl, clock_ns());
				return;
			}
			nl->links = grown;
			nl->cap_links = cap;
		}
		k = &nl->links[nl->n_links++];
	}
	if (verb == MIRROR_NEW) {
		*k = (struct netlink_link){.l = *l};
		k->l.port = port_of(nl, l->name);
		NETLINK_TELL(nl, link, verb, &k->l);
	} else if (k) {
		struct mirror_link gone = k->l;

		*k = nl->links[--nl->n_links];
		NETLINK_TELL(nl, link, verb, &gone);
	}
}

/* The names that links point to go with the table: set all anew, then tell what has changed. */
static void twins_use(struct netlink *nl, struct netlink_twins twins)
{
	struct netlink_twins old = nl->twins;

	nl->twins = twins;
	for (u32 i = 0; i < nl->n_links; i++) {
		struct mirror_link *l = &nl->links[i].l;
		const char *was = l->port;
		bool same;

		l->port = port_of(nl, l->name);
		same = was && l->port ? strcmp(was, l->port) == 0 : was == l->port;
		if (!same)
			NETLINK_TELL(nl, link, MIRROR_NEW, l);
	}
	free(old.t);
}

int netlink_twins_set(struct netlink *nl, const struct dwcp_config *cfg)
{
	struct netlink_twins twins = {calloc(cfg->n_ports + 1, sizeof(*twins.t)), 0};

	if (!twins.t)
		return -ENOMEM;
	for (u32 i = 0; i < cfg->n_ports; i++) {
		struct netlink_twin *t = &twins.t[twins.n];

		if (cfg->ports[i].twin == CONFIG_TWIN_OFF)
			continue;
		memcpy(t->port, cfg->ports[i].name, sizeof(t->port));
		memcpy(t->name, config_twin_name(&cfg->ports[i]),
		       strnlen(config_twin_name(&cfg->ports[i]), sizeof(t->name) - 1));
		twins.n++;
	}
	pthread_mutex_lock(&nl->lock);
	free(nl->new_twins.t);
	nl->new_twins = twins;
	nl->twins_changed = true;
	pthread_mutex_unlock(&nl->lock);
	netlink_wake(nl);
	return 0;
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

static void tell(struct netlink *nl, struct netlink_message *m, bool dumped)
{
	switch (m->type) {
	case NETLINK_MSG_LINK:
		link_told(nl, m->verb, &m->link);
		break;
	case NETLINK_MSG_ADDR:
		m->addr.port = port_of_index(nl, m->addr.ifindex);
		NETLINK_TELL(nl, addr, m->verb, &m->addr);
		break;
	case NETLINK_MSG_NEIGH:
		m->neigh.port = port_of_index(nl, m->neigh.ifindex);
		NETLINK_TELL(nl, neigh, m->verb, &m->neigh);
		break;
	case NETLINK_MSG_NEXTHOP:
		NETLINK_TELL(nl, nexthop, m->verb, &m->nexthop);
		break;
	case NETLINK_MSG_ROUTE:
		NETLINK_TELL(nl, route, m->verb, m->nlmsg_flags, dumped, &m->route);
		break;
	}
}

/* Return: the error of a message that ends a dump, in its payload when it has one. */
static int dump_error(const struct nlmsghdr *h)
{
	int err = 0;

	if (h->nlmsg_len >= NLMSG_HDRLEN + sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	return err;
}

static void message_take(struct netlink *nl, const struct nlmsghdr *h, bool dumped)
{
	int err;

	nl->facts.n_messages++;
	if (dumped && (h->nlmsg_flags & NLM_F_DUMP_INTR))
		nl->dump.intact = false;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		if (dumped)
			netlink_dump_done(nl, dump_error(h), clock_ns());
		return;
	}
	err = netlink_parse(h, &nl->message);
	if (err == -EINVAL)
		nl->facts.n_malformed++;
	if (!err)
		tell(nl, &nl->message, dumped);
}

static bool is_dump(const struct netlink *nl, const struct nlmsghdr *h)
{
	return nl->dump.running && h->nlmsg_pid == nl->port_id && h->nlmsg_seq == nl->dump.seq;
}

static void buffer_take(struct netlink *nl, const u8 *bytes, size_t len)
{
	const struct nlmsghdr *h = netlink_message_next(&bytes, &len);

	if (h && is_dump(nl, h))
		NETLINK_TELL(nl, dump_part, nl->dump.kind);
	for (; h; h = netlink_message_next(&bytes, &len))
		message_take(nl, h, is_dump(nl, h));
}

static void lost(struct netlink *nl)
{
	nl->facts.n_enobufs++;
	if (nl->facts.synced_ns || nl->dump.unheard)
		nl->facts.n_resyncs++;
	netlink_resync(nl, clock_ns());
	for (u32 i = 0; i < nl->n_clients; i++)
		if (nl->clients[i].ops->lost)
			nl->clients[i].ops->lost(nl->clients[i].arg);
	log_event("mirror.lost messages=unknown next=resync times=%llu",
		  (unsigned long long)nl->facts.n_enobufs);
}

/* Return: 0; -EAGAIN: the socket is empty; -errno: it is of no more use. */
static int socket_take(struct netlink *nl)
{
	struct mmsghdr m[NETLINK_N_BUFFERS] = {0};
	struct sockaddr_nl from[NETLINK_N_BUFFERS];
	struct iovec iov[NETLINK_N_BUFFERS];
	int n;

	for (u32 i = 0; i < NETLINK_N_BUFFERS; i++) {
		iov[i] = (struct iovec){nl->buffers + (size_t)i * NETLINK_BUFFER_BYTES,
					NETLINK_BUFFER_BYTES};
		m[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
					       .msg_namelen = sizeof(from[i]),
					       .msg_iov = &iov[i],
					       .msg_iovlen = 1};
	}
	n = recvmmsg(nl->fd, m, NETLINK_N_BUFFERS, MSG_DONTWAIT, NULL);
	if (n < 0) {
		int err = -errno;

		if (err == -ENOBUFS)
			lost(nl);
		return err == -ENOBUFS || err == -EINTR ? 0 : err;
	}
	for (int i = 0; i < n; i++) {
		if (m[i].msg_hdr.msg_flags & MSG_TRUNC)
			lost(nl);
		else if (from[i].nl_pid == 0) /* the kernel's, nobody else's */
			buffer_take(nl, iov[i].iov_base, m[i].msg_len);
	}
	return n == NETLINK_N_BUFFERS ? 0 : -EAGAIN;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------ */

/* Return: false: it is time to end. */
static bool shared_take(struct netlink *nl)
{
	struct netlink_twins twins = {0};
	bool changed, stop;

	nl->facts.n_links = nl->n_links;
	nl->facts.n_twins = 0;
	for (u32 i = 0; i < nl->n_links; i++)
		nl->facts.n_twins += nl->links[i].l.port != NULL;
	pthread_mutex_lock(&nl->lock);
	nl->facts_copy = nl->facts;
	changed = nl->twins_changed;
	stop = nl->stop;
	if (changed) {
		twins = nl->new_twins;
		nl->new_twins = (struct netlink_twins){0};
		nl->twins_changed = false;
	}
	pthread_mutex_unlock(&nl->lock);
	if (changed)
		twins_use(nl, twins);
	return !stop;
}

static int wait_ms(const struct netlink *nl, u64 now_ns)
{
	u64 due_ns = DWCP_MIN(netlink_dump_due(nl), now_ns + nl->cfg.tick_ns);

	return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + 999999) / 1000000);
}

static void wait_for_work(struct netlink *nl)
{
	struct pollfd p[] = {{nl->wake_fd, POLLIN, 0},
			     {nl->request_fd, POLLIN, 0},
			     {nl->facts.err ? -1 : nl->fd, POLLIN, 0}};
	u64 n;

	if (poll(p, DWCP_ARRAY_LEN(p), wait_ms(nl, clock_ns())) < 0)
		return;
	if (p[0].revents && read(nl->wake_fd, &n, sizeof(n)) < 0)
		return; /* somebody else's wake was there before */
	if (p[1].revents)
		netlink_requests_receive(nl);
}

static void *thread_main(void *arg)
{
	struct netlink *nl = arg;
	bool empty = true;

	loop_give_way();
	netlink_resync(nl, clock_ns());
	while (shared_take(nl)) {
		u64 now_ns = clock_ns();
		int err;

		netlink_requests_send(nl);
		netlink_dump_step(nl, now_ns);
		if (empty)
			wait_for_work(nl);
		err = nl->facts.err ? -EAGAIN : socket_take(nl);
		empty = err != 0;
		if (err && err != -EAGAIN) {
			nl->facts.err = err;
			log_event("mirror.off error=\"%s\" hint=\"restart dwcp-agent\"",
				  strerror(-err));
		}
		NETLINK_TELL(nl, idle, clock_ns());
	}
	netlink_requests_fini(nl);
	return NULL;
}

void netlink_wake(struct netlink *nl)
{
	u64 one = 1;

	if (write(nl->wake_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake */
}

/* ---- lifetime -------------------------------------------------------------------------------------------------------- */

static int socket_open(int *ret_fd)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static void rcvbuf_set(struct netlink *nl)
{
	int want = (int)nl->cfg.rcvbuf_bytes, is = 0;
	socklen_t len = sizeof(is);

	if (setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) < 0)
		setsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
	if (getsockopt(nl->fd, SOL_SOCKET, SO_RCVBUF, &is, &len) == 0)
		nl->facts.rcvbuf_bytes = (u64)is;
}

static int sockets_open(struct netlink *nl)
{
	struct sockaddr_nl addr;
	socklen_t len = sizeof(addr);
	int err = socket_open(&nl->fd);

	if (!err)
		err = socket_open(&nl->request_fd);
	if (err)
		return err;
	if (getsockname(nl->fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	nl->port_id = addr.nl_pid;
	rcvbuf_set(nl);
	nl->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return nl->wake_fd < 0 ? -errno : 0;
}

int netlink_open(const struct netlink_cfg *cfg, struct netlink **ret_nl)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int err = -ENOMEM;

	if (!nl)
		return -ENOMEM;
	nl->cfg = *cfg;
	nl->fd = nl->request_fd = nl->wake_fd = -1;
	nl->todo.end = &nl->todo.first;
	pthread_mutex_init(&nl->lock, NULL);
	nl->buffers = malloc((size_t)NETLINK_N_BUFFERS * NETLINK_BUFFER_BYTES);
	if (nl->buffers)
		err = sockets_open(nl);
	if (err < 0) {
		netlink_close(nl);
		return err;
	}
	*ret_nl = nl;
	return 0;
}

void netlink_register(struct netlink *nl, const struct netlink_ops *ops, void *arg)
{
	if (nl->n_clients < NETLINK_MAX_OPS)
		nl->clients[nl->n_clients++] = (struct netlink_client){ops, arg};
}

/* A client is told of the kinds that it has a call for. */
static u32 kinds_wanted(const struct netlink *nl)
{
	u32 kinds = 1u << NETLINK_KIND_LINK;

	for (u32 i = 0; i < nl->n_clients; i++) {
		const struct netlink_ops *o = nl->clients[i].ops;

		kinds |= (o->addr != NULL) << NETLINK_KIND_ADDR;
		kinds |= (o->neigh != NULL) << NETLINK_KIND_NEIGH;
		kinds |= (o->nexthop != NULL) << NETLINK_KIND_NEXTHOP;
		kinds |= (o->route != NULL) << NETLINK_KIND_ROUTE4;
		kinds |= (o->route != NULL) << NETLINK_KIND_ROUTE6;
	}
	return kinds;
}

/* One that the kernel doesn't have (next-hop objects, before 5.3) has nothing to say. */
static void groups_join(struct netlink *nl)
{
	static const struct {
		enum netlink_kind kind;
		int group;
	} groups[] = {
		{NETLINK_KIND_LINK, RTNLGRP_LINK},
		{NETLINK_KIND_ADDR, RTNLGRP_IPV4_IFADDR},
		{NETLINK_KIND_ADDR, RTNLGRP_IPV6_IFADDR},
		{NETLINK_KIND_NEIGH, RTNLGRP_NEIGH},
		{NETLINK_KIND_NEXTHOP, RTNLGRP_NEXTHOP},
		{NETLINK_KIND_ROUTE4, RTNLGRP_IPV4_ROUTE},
		{NETLINK_KIND_ROUTE6, RTNLGRP_IPV6_ROUTE},
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(groups); i++) {
		if (!(nl->kinds & 1u << groups[i].kind))
			continue;
		if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i].group,
			       sizeof(groups[i].group)) < 0)
			log_event("mirror.group number=%d error=\"%s\"", groups[i].group,
				  strerror(errno));
	}
}

int netlink_start(struct netlink *nl)
{
	int err;

	nl->kinds = kinds_wanted(nl);
	groups_join(nl);
	err = pthread_create(&nl->thread, NULL, thread_main, nl);
	if (err)
		return -err;
	pthread_setname_np(nl->thread, "netlink");
	nl->started = true;
	return 0;
}

void netlink_stop(struct netlink *nl)
{
	if (!nl || !nl->started)
		return;
	pthread_mutex_lock(&nl->lock);
	nl->stop = true;
	pthread_mutex_unlock(&nl->lock);
	netlink_wake(nl);
	pthread_join(nl->thread, NULL);
	nl->started = false;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	netlink_stop(nl);
	if (nl->fd >= 0)
		close(nl->fd);
	if (nl->request_fd >= 0)
		close(nl->request_fd);
	if (nl->wake_fd >= 0)
		close(nl->wake_fd);
	pthread_mutex_destroy(&nl->lock);
	free(nl->twins.t);
	free(nl->new_twins.t);
	free(nl->links);
	free(nl->buffers);
	free(nl);
}

void netlink_facts(struct netlink *nl, struct netlink_facts *ret)
{
	if (pthread_mutex_trylock(&nl->lock) != 0)
		return;
	*ret = nl->facts_copy;
	pthread_mutex_unlock(&nl->lock);
}
