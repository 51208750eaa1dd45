/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c - the host thread: frames between the workers' rings and the twins, and the twins' carriers (host.h).
 *
 * Its own thread, since the control thread may be busy with tables for some ten milliseconds, and BFD can't wait. It
 * looks into the rings on a timer, which grows while there is nothing, because a worker can't wake it without a syscall.
 * Control queues go first; what is left over waits for the next turn, so a turn is bounded. It logs state changes only.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "dataplane.h"
#include "host.h"
#include "log.h"
#include "twin.h"

#define TURN_CONTROL 64 /* frames a worker and turn, to the kernel */
#define TURN_REST    32
#define TURN_READ    32 /* a twin and turn, from the kernel */
#define WAIT_MIN_NS  20000
#define WAIT_MAX_NS  1000000
#define WATCH_NS     5000000 /* between two looks at heartbeats and links */
#define MAX_SEGS     8
#define TAGS_BYTES   4 /* what a frame of the kernel may have above the MTU */

struct host_twin {
	int fd;
	struct port *port;
	struct dwcp_stats_port *stats;
	struct worker *worker; /* that sends what the kernel gives */
	u32 frame_max;	       /* bytes of a frame that the port's MTU allows */
	u32 n_segs;	       /* mbufs that hold one, and a byte more */
	bool carrier, readable;
	int carrier_err; /* why it could not be set; told once */
};

/* Blanks of a worker that a read has not filled yet: for whichever of its twins has something next. */
struct host_lent {
	struct rte_mbuf *m[MAX_SEGS];
	u32 n;
};

struct host_watch {
	u64 beat, since_ns;
	bool stalled;
};

struct host {
	struct dataplane *dp;
	struct host_twin twin[PORT_MAX];
	struct host_lent lent[WORKER_MAX];
	struct host_watch watch[WORKER_MAX];
	struct peers peers;
	u32 n_twins;
	int epoll_fd;
	pthread_t thread;
	bool running;
	u32 stop; /* written by: control thread; read by: host thread */
	u64 watch_ns, stall_ns;
};

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
	for (const struct rte_mbuf *s = m->next; s && n < MAX_SEGS; s = s->next)
		iov[n++] = (struct iovec){rte_pktmbuf_mtod(s, void *), s->data_len};
	return n;
}

static void frame_write(struct host *h, struct rte_mbuf *m)
{
	struct host_twin *t = &h->twin[m->port];
	u32 skip = t->port->tags_bytes ? vlan_tags_bytes(rte_pktmbuf_mtod(m, u8 *), m->data_len)
				       : 0;
	struct iovec iov[MAX_SEGS + 1];
	int n = frame_iov(m, skip, iov);

	if (t->fd >= 0 && writev(t->fd, iov, n) == (ssize_t)m->pkt_len - skip)
		dwcp_count(&t->stats->twin_delivered, 1);
	else
		dwcp_count(&t->stats->twin_failed, 1); /* down, or its queue is full */
}

/* Return: frames moved. */
static u32 queue_to_kernel(struct host *h, struct worker *w, enum host_queue q, u32 max)
{
	struct rte_mbuf *m[TURN_CONTROL];
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
	struct iovec iov[MAX_SEGS];
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
		moved += queue_to_kernel(h, h->dp->worker[i], HOST_QUEUE_CONTROL, TURN_CONTROL);
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

/* ---- open and close -------------------------------------------------------------------------------------------- */

u32 host_need_mbufs(const struct dwcp_config *cfg)
{
	return cfg->dataplane.n_workers * (cfg->dataplane.host.queue * HOST_QUEUE_N + HOST_BLANKS);
}

static struct rte_ring *ring_create(const char *what, u32 worker, u32 size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "host_%s_%u", what, worker);
	return rte_ring_create(name, size, SOCKET_ID_ANY,
			       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static int blanks_first(struct dataplane *dp, struct host_end *e)
{
	struct rte_mbuf *m[HOST_BLANKS];

	if (rte_pktmbuf_alloc_bulk(dp->pool, m, HOST_BLANKS))
		return -ENOMEM;
	rte_ring_sp_enqueue_bulk(e->blank, (void **)m, HOST_BLANKS, NULL);
	return 0;
}

static void rate_set(const struct worker *w, u64 pps, struct host_rates *r)
{
	u64 burst = DWCP_MAX(pps / 20, (u64)16); /* 50 ms */
	u64 share_pps = pps ? DWCP_MAX(pps / HOST_SHARE_PART, (u64)1) : 0;

	r->cfg = policer_cfg_of(pps, burst, w->tsc_hz);
	r->share_cfg = policer_cfg_of(share_pps, DWCP_MAX(burst / HOST_SHARE_PART, (u64)8),
				      w->tsc_hz);
}

/* A peer's packets all come by one worker, so that what is for peers isn't divided; there are few, and they are known. */
static void rates_set(const struct dataplane *dp, struct worker *w)
{
	for (u32 c = 0; c < HOST_CLASS_N; c++) {
		u64 pps = dp->cfg->dataplane.host.pps[c], mine = pps / dp->n_workers;

		if (pps && !mine)
			mine = 1;
		w->stats->host[c].limit_pps = mine;
		rate_set(w, mine, &w->host.rates[c][HOST_LANE_OTHERS]);
		rate_set(w, pps, &w->host.rates[c][HOST_LANE_PEERS]);
	}
}

static int end_open(struct dataplane *dp, struct worker *w)
{
	u32 queue = dp->cfg->dataplane.host.queue;
	struct host_end *e = &w->host;

	e->peers = &dp->host->peers;
	rates_set(dp, w);
	e->to[HOST_QUEUE_CONTROL] = ring_create("control", w->idx, queue);
	e->to[HOST_QUEUE_REST] = ring_create("rest", w->idx, queue);
	e->blank = ring_create("blank", w->idx, HOST_BLANKS);
	/* all that can be on its way */
	e->back = ring_create("back", w->idx,
			      HOST_QUEUE_N * (queue + TURN_CONTROL) + 2 * HOST_BLANKS);
	if (!e->to[0] || !e->to[1] || !e->blank || !e->back)
		return -ENOMEM;
	return blanks_first(dp, e);
}

static void ring_close(struct rte_ring *r)
{
	void *m;

	while (r && rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

/* A twin may have given its port a MAC: its VLANs and the stats page have it from there. */
static void mac_share(struct dataplane *dp, const struct port *port)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		if (dp->port[i].parent != port->parent)
			continue;
		memcpy(dp->port[i].mac, port->mac, sizeof(port->mac));
		memcpy(dwcp_stats_port_at(dp->stats_page, i)->mac, port->mac, sizeof(port->mac));
	}
}

/* Return: 0 with or without a twin; -E… when it was insisted on. */
static int twin_add(struct host *h, u32 i)
{
	struct host_twin *t = &h->twin[i];
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u32 = i};
	bool must = t->port->cfg->twin == CONFIG_TWIN_ON;
	const char *hint;

	if (t->port->cfg->twin == CONFIG_TWIN_OFF)
		return 0;
	snprintf(t->stats->twin_name, sizeof(t->stats->twin_name), "%s",
		 config_twin_name(t->port->cfg));
	t->fd = twin_open(t->port, &hint);
	if (t->fd < 0) {
		log_event("twin.open port=%s twin=%s error='%s' hint='%s' next=%s",
			  t->port->cfg->name, config_twin_name(t->port->cfg), strerror(-t->fd),
			  hint, must ? "stop" : "no_twin");
		dwcp_store_relaxed(&t->stats->twin_errno, (u32)-t->fd);
		return must ? t->fd : 0;
	}
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, t->fd, &e) < 0)
		return -errno;
	t->port->twin = true;
	t->frame_max = t->port->mtu + RTE_ETHER_HDR_LEN + TAGS_BYTES;
	t->n_segs = t->frame_max / (rte_pktmbuf_data_room_size(h->dp->pool) - RTE_PKTMBUF_HEADROOM) + 1;
	mac_share(h->dp, t->port);
	t->worker = h->dp->worker[i % h->dp->n_workers];
	t->readable = true;
	dwcp_store_relaxed(&t->stats->twin, DWCP_TWIN_DOWN);
	h->n_twins++;
	log_event("twin.open port=%s twin=%s", t->port->cfg->name, config_twin_name(t->port->cfg));
	return 0;
}

int host_open(struct dataplane *dp)
{
	struct host *h = calloc(1, sizeof(*h));
	int err = 0;

	if (!h)
		return -ENOMEM;
	dp->host = h;
	h->dp = dp;
	peers_init(&h->peers, dp->worker[0]->hash_key);
	h->stall_ns = (u64)dp->cfg->dataplane.host.stall_ms * 1000000u;
	for (u32 i = 0; i < PORT_MAX; i++)
		h->twin[i].fd = -1;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->epoll_fd < 0)
		return -errno;
	for (u32 i = 0; !err && i < dp->n_ports; i++) {
		h->twin[i].port = &dp->port[i];
		h->twin[i].stats = dwcp_stats_port_at(dp->stats_page, i);
		err = twin_add(h, i);
	}
	for (u32 i = 0; !err && h->n_twins && i < dp->n_workers; i++)
		err = end_open(dp, dp->worker[i]);
	if (err == -ENOMEM)
		log_event("host.open error=no_memory hint='raise dataplane.memory.size_mb, or "
			  "lower dataplane.host.queue'");
	return err;
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

void host_close(struct dataplane *dp)
{
	struct host *h = dp->host;

	if (!h)
		return;
	for (u32 i = 0; i < dp->n_ports; i++)
		if (h->twin[i].fd >= 0)
			close(h->twin[i].fd);
	for (u32 i = 0; i < dp->n_workers; i++)
		rte_pktmbuf_free_bulk(h->lent[i].m, h->lent[i].n);
	for (u32 i = 0; i < dp->n_workers; i++) {
		struct host_end *e = &dp->worker[i]->host;

		ring_close(e->to[HOST_QUEUE_CONTROL]);
		ring_close(e->to[HOST_QUEUE_REST]);
		ring_close(e->blank);
		ring_close(e->back);
		memset(e, 0, sizeof(*e));
	}
	if (h->epoll_fd >= 0)
		close(h->epoll_fd);
	free(h);
	dp->host = NULL;
}
