/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c - the host thread: frames between the workers' rings and the twins, and the twins' carriers (host.h).
 *
 * Its own thread, since the control thread may be busy with tables for some ten milliseconds, and BFD can't wait. It
 * looks into the rings on a timer, which grows while there is nothing, because a worker can't wake it without a syscall.
 * Control queues go first; what is left over waits for the next turn, so a turn is bounded. It logs state changes only. What it works on
 * is made in host_open.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "host_private.h"
#include "log.h"
#include "twin.h"

#define TURN_REST   32
#define TURN_READ   32 /* a twin and turn, from the kernel */
#define WAIT_MIN_NS 20000
#define WAIT_MAX_NS 1000000
#define WATCH_NS    5000000 /* between two looks at heartbeats and links */

/* ---- to the kernel ------------------------------------------------------------------------------------------- */

/* The frame without its tags when the twin is a VLAN's: the kernel knows that one as a link of its own. */
static int frame_iov(const struct rte_mbuf *m, u32 skip, struct iovec *iov)
{
	u8 *f = rte_pktmbuf_mtod(m, u8 *);
	int n = 0;

	if (skip) {
		iov[n++] = (struct iovec){f, 12};
		f += skip;
	}
	iov[n] = (struct iovec){skip ? f + 12 : f, m->data_len - (skip ? 12 + skip : 0)};
	n++;
	for (const struct rte_mbuf *s = m->next; s && n < HOST_SEGS; s = s->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(s, void *), s->data_len};
	return n;
}

static void frame_write(struct host *h, struct rte_mbuf *m)
{
	struct host_twin *t = &h->twin[m->port];
	u32 skip =
		t->port->tags_bytes ? vlan_tags_bytes(rte_pktmbuf_mtod(m, u8 *), m->data_len) : 0;
	struct iovec iov[HOST_SEGS + 1];
	int n = frame_iov(m, skip, iov);

	if (t->fd >= 0 && writev(t->fd, iov, n) == (ssize_t)m->pkt_len - skip)
		dwcp_count(&t->stats->twin_delivered, 1);
	else
		dwcp_count(&t->stats->twin_failed, 1); /* down, or its queue is full */
}

/* Return: frames moved. */
static u32 queue_to_kernel(struct host *h, struct worker *w, enum host_queue q, u32 max)
{
	struct rte_mbuf *m[HOST_TURN_CONTROL];
	u32 room = rte_ring_free_count(w->host.back), n;

	/* what the kernel gives has its places there for certain; a worker that takes too little back waits for itself */
	if (room <= HOST_BLANKS)
		return 0;
	n = rte_ring_sc_dequeue_burst(w->host.to[q], (void **)m, DWCP_MIN(max, room - HOST_BLANKS),
				      NULL);
	for (u32 i = 0; i < n; i++) {
		frame_write(h, m[i]);
		m[i]->port = HOST_FREE;
	}
	if (n)
		rte_ring_sp_enqueue_bulk(w->host.back, (void **)m, n, NULL);
	return n;
}

/* Somebody has deleted the interface: there is none until we are started again. */
static void twin_lost(struct host_twin *t)
{
	close(t->fd);
	t->fd = -1;
	t->readable = t->carrier = false;
	dwcp_store_relaxed(&t->stats->twin_errno, EIDRM);
	dwcp_store_relaxed(&t->stats->twin, DWCP_TWIN_NONE);
	dwcp_count(&t->stats->twin_changes, 1);
	log_event("twin.lost port=%s twin=%s reason=deleted effect='what is for the router itself "
		  "is dropped there' hint='restart dwcp-dataplane'",
		  t->port->cfg->name, config_twin_name(t->port->cfg));
}

/* ---- from the kernel ----------------------------------------------------------------------------------------- */

/* Return: does the thread have @n of this worker's blanks? */
static bool lent_have(struct host_lent *l, struct worker *w, u32 n)
{
	while (l->n < n && rte_ring_sc_dequeue(w->host.blank, (void **)&l->m[l->n]) == 0)
		l->n++;
	return l->n >= n;
}

/* The last blanks, which a read has filled with @bytes, as one frame. The rest stay lent. */
static struct rte_mbuf *lent_take(struct host_lent *l, u32 bytes)
{
	struct rte_mbuf *first = NULL, **link = &first;
	u32 left = bytes;
	u16 n = 0;

	while (left) {
		struct rte_mbuf *m = l->m[--l->n];

		m->data_len = (u16)DWCP_MIN(left, (u32)rte_pktmbuf_tailroom(m));
		left -= m->data_len;
		*link = m;
		link = &m->next;
		n++;
	}
	first->nb_segs = n;
	first->pkt_len = bytes;
	return first;
}

static void frame_tag(struct rte_mbuf *m, const struct port *port)
{
	u8 *f = rte_pktmbuf_mtod(m, u8 *), tags = port->tags_bytes;

	memmove(f - tags, f, 12);
	memcpy(f - tags + 12, port->tags, tags);
	m->data_off = (u16)(m->data_off - tags);
	m->data_len = (u16)(m->data_len + tags);
	m->pkt_len += tags;
}

/* What the kernel sends says whom it has sessions with (util/peers.h). */
static void peer_note(struct host *h, const struct worker *w, const struct rte_mbuf *m)
{
	u64 peer;
	enum host_class c = host_session_of(rte_pktmbuf_mtod(m, const u8 *), m->data_len, &peer);

	if (c != HOST_CLASS_N)
		peers_note(&h->peers, c, peer, (u32)(rte_rdtsc() / w->tsc_hz));
}

/* Return: 1, 0 when there is none, -1 when there is no mbuf for it: it stays in the kernel's queue. */
static int frame_read(struct host *h, struct host_twin *t)
{
	struct host_lent *l = &h->lent[t->worker->idx];
	struct iovec iov[HOST_SEGS];
	struct rte_mbuf *m;
	ssize_t n;

	if (!lent_have(l, t->worker, t->n_segs))
		return -1;
	for (u32 i = 0; i < t->n_segs; i++) {
		m = l->m[l->n - 1 - i];
		iov[i] = (struct iovec){rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m)};
	}
	n = readv(t->fd, iov, (int)t->n_segs);
	if (n < 0 && errno == EBADFD)
		twin_lost(t);
	if (n < RTE_ETHER_HDR_LEN)
		return 0;
	if (n > t->frame_max) { /* somebody has given the twin an MTU that the port has not */
		dwcp_count(&t->stats->twin_oversized, 1);
		return 1;
	}
	m = lent_take(l, (u32)n);
	if (t->port->tags_bytes)
		frame_tag(m, t->port);
	m->port = t->port->idx;
	peer_note(h, t->worker, m);
	dwcp_count(&t->stats->twin_received, 1);
	rte_ring_sp_enqueue(t->worker->host.back, m); /* has room for all blanks */
	return 1;
}

static u32 twin_from_kernel(struct host *h, struct host_twin *t)
{
	u32 n = 0;
	int got = 1;

	while (n < TURN_READ && (got = frame_read(h, t)) > 0)
		n++;
	if (got == 0)
		t->readable = false; /* until epoll says so again */
	return n;
}

/* ---- carriers ------------------------------------------------------------------------------------------------- */

static bool worker_stalled(struct host *h, u32 i, u64 now)
{
	struct host_watch *watch = &h->watch[i];
	u64 beat = dwcp_load_relaxed(&h->dp->worker[i]->stats->heartbeat);

	if (beat != watch->beat || !watch->since_ns) {
		watch->beat = beat;
		watch->since_ns = now;
	}
	watch->stalled = now - watch->since_ns > h->stall_ns;
	return watch->stalled;
}

static void carrier_follow(struct host_twin *t, bool up, const char *reason)
{
	int err;

	if (t->fd < 0 || t->carrier == up)
		return;
	err = twin_carrier_set(t->fd, up);
	if (err == -EBADFD) {
		twin_lost(t);
		return;
	}
	if (err && err != t->carrier_err)
		log_event("twin.carrier twin=%s error='%s' next=again",
			  config_twin_name(t->port->cfg), strerror(-err));
	t->carrier_err = err;
	if (err)
		return;
	t->carrier = up;
	dwcp_store_relaxed(&t->stats->twin, up ? DWCP_TWIN_UP : DWCP_TWIN_DOWN);
	dwcp_count(&t->stats->twin_changes, 1);
	log_event("twin.carrier twin=%s state=%s reason=%s", config_twin_name(t->port->cfg),
		  up ? "up" : "down", reason);
}

/*
 * The sessions of routing protocols end where packets are not forwarded any more: when the port has no link, and when a
 * worker stands still. A worker sends by every port, so one that stands still takes all twins down.
 */
static void host_watch(struct host *h, u64 now)
{
	bool stalled = false;

	if (now - h->watch_ns < WATCH_NS)
		return;
	/* we were not there ourselves: what we see as standing still may have had no time either */
	if (h->watch_ns && now - h->watch_ns > h->stall_ns / 2)
		for (u32 i = 0; i < h->dp->n_workers; i++)
			h->watch[i].since_ns = 0;
	h->watch_ns = now;
	for (u32 i = 0; i < h->dp->n_workers; i++)
		stalled |= worker_stalled(h, i, now);
	for (u32 i = 0; i < h->dp->n_ports; i++) {
		struct host_twin *t = &h->twin[i];

		if (t->fd >= 0)
			carrier_follow(t, !stalled && dwcp_load_relaxed(&t->port->up),
				       stalled ? "worker_stalled" : "link");
	}
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static u32 host_turn(struct host *h)
{
	u32 moved = 0;

	for (u32 i = 0; i < h->dp->n_workers; i++)
		moved +=
			queue_to_kernel(h, h->dp->worker[i], HOST_QUEUE_CONTROL, HOST_TURN_CONTROL);
	for (u32 i = 0; i < h->dp->n_workers; i++)
		moved += queue_to_kernel(h, h->dp->worker[i], HOST_QUEUE_REST, TURN_REST);
	for (u32 i = 0; i < h->dp->n_ports; i++)
		if (h->twin[i].readable)
			moved += twin_from_kernel(h, &h->twin[i]);
	return moved;
}

static void host_wait(struct host *h, u64 wait_ns)
{
	struct timespec ts = {.tv_nsec = (long)wait_ns};
	struct epoll_event e[16];
	int n = epoll_pwait2(h->epoll_fd, e, DWCP_ARRAY_LEN(e), &ts, NULL);

	for (int i = 0; i < n; i++)
		h->twin[e[i].data.u32].readable = true;
}

static void *host_main(void *arg)
{
	struct host *h = arg;
	u64 wait_ns = WAIT_MIN_NS;

	pthread_setname_np(pthread_self(), "dwcp-host");
	prctl(PR_SET_TIMERSLACK, 1UL);
	while (!dwcp_load_relaxed(&h->stop)) {
		u32 moved = host_turn(h);

		wait_ns =
			moved ? 0
			      : DWCP_MIN(DWCP_MAX(wait_ns * 2, (u64)WAIT_MIN_NS), (u64)WAIT_MAX_NS);
		host_wait(h, wait_ns);
		host_watch(h, clock_ns());
	}
	return NULL;
}

int host_start(struct dataplane *dp)
{
	struct host *h = dp->host;
	int err;

	if (!h || !h->n_twins)
		return 0;
	err = pthread_create(&h->thread, NULL, host_main, h);
	h->running = err == 0;
	return -err;
}

void host_stop(struct dataplane *dp)
{
	struct host *h = dp->host;

	if (!h || !h->running)
		return;
	dwcp_store_relaxed(&h->stop, 1);
	pthread_join(h->thread, NULL);
	h->running = false;
	for (u32 i = 0; i < dp->n_ports; i++)
		carrier_follow(&h->twin[i], false, "stop");
}
