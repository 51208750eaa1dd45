/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/abi/stats.h>

#define PEER_WORKERS 1
#define PEER_RINGS   (1 + PEER_WORKERS)

struct page {
	int fd;
	size_t bytes;
	void *map;
};

struct peer {
	struct peer_cfg cfg;
	int listen_fd, fd, event_fd;
	struct page stats, rings, tails;
	struct segment_set *set;
	struct generation *gen;
	u8 buf[DWCP_LINK_MAX_BYTES];
	u32 n_staged;
	u64 staged_bytes;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void page_open(struct page *p, const char *name, size_t bytes)
{
	p->bytes = DWCP_ALIGN_UP(bytes, 4096);
	p->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->fd < 0 || ftruncate(p->fd, (off_t)p->bytes) < 0)
		abort();
	p->map = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (p->map == MAP_FAILED || fcntl(p->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		abort();
}

static void page_close(struct page *p)
{
	munmap(p->map, p->bytes);
	close(p->fd);
}

static void stats_open(struct peer *p)
{
	struct dwcp_stats_hdr *h;

	page_open(&p->stats, "stats",
		  sizeof(struct dwcp_stats_hdr) + PEER_WORKERS * sizeof(struct dwcp_stats_worker) +
			  p->cfg.n_ports * sizeof(struct dwcp_stats_port));
	h = p->stats.map;
	h->magic = DWCP_STATS_MAGIC;
	h->version = DWCP_STATS_VERSION;
	h->header_bytes = sizeof(struct dwcp_stats_hdr);
	h->worker_bytes = sizeof(struct dwcp_stats_worker);
	h->port_bytes = sizeof(struct dwcp_stats_port);
	h->n_workers = PEER_WORKERS;
	h->n_ports = p->cfg.n_ports;
	h->n_drop_reasons = DROP_N_REASONS;
	h->n_stages = DWCP_STAGE_N;
	h->tsc_hz = 1000000000;
	h->incarnation = now_ns();
	h->generation = p->cfg.generation;
	for (u32 i = 0; i < p->cfg.n_ports; i++)
		snprintf(dwcp_stats_port_at(h, i)->name, 32, "%s", p->cfg.port_names[i]);
}

static void rings_open(struct peer *p)
{
	struct dwcp_ring_page *r;

	page_open(&p->rings, "rings", sizeof(*r) + PEER_RINGS * sizeof(struct dwcp_ring));
	page_open(&p->tails, "tails", PEER_RINGS * sizeof(struct dwcp_ring_tail));
	r = p->rings.map;
	r->magic = DWCP_RING_MAGIC;
	r->version = DWCP_RING_VERSION;
	r->n_rings = PEER_RINGS;
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

struct peer *peer_open(const struct peer_cfg *cfg)
{
	const struct segment_set_cfg set = {.max_bytes = 1ull << 30, .max_segments = 8192};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct peer *p = calloc(1, sizeof(*p));

	p->cfg = *cfg;
	p->fd = -1;
	stats_open(p);
	rings_open(p);
	p->set = segment_set_create(&set);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", cfg->path);
	unlink(cfg->path);
	p->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (!p->set || bind(p->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(p->listen_fd, 4) < 0)
		abort();
	return p;
}

void peer_disconnect(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	segment_set_drop_staged(p->set);
}

void peer_close(struct peer *p)
{
	peer_disconnect(p);
	generation_close(p->gen);
	segment_set_free(p->set);
	page_close(&p->stats);
	page_close(&p->rings);
	page_close(&p->tails);
	close(p->event_fd);
	close(p->listen_fd);
	unlink(p->cfg.path);
	free(p);
}

bool peer_connected(const struct peer *p)
{
	return p->fd >= 0;
}

const struct generation *peer_generation(const struct peer *p)
{
	return p->gen;
}

void *peer_stats(struct peer *p)
{
	return p->stats.map;
}

bool peer_event(struct peer *p, const struct dwcp_event *e)
{
	struct dwcp_ring_page *r = p->rings.map;
	struct dwcp_ring_tail *t = p->tails.map;
	bool put = dwcp_ring_push(&r->ring[0], &t[0], e);
	u64 one = 1;

	return write(p->event_fd, &one, sizeof(one)) == sizeof(one) && put;
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static int message_send(struct peer *p, void *msg, size_t len, enum dwcp_link_type type,
			const int *fds, u32 n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_HELLO_N_FDS)];
	} control = {0};
	struct iovec iov = {msg, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	*(struct dwcp_link_hdr *)msg = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION,
							      (u16)type, (u32)len, n_fds};
	if (n_fds) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	return sendmsg(p->fd, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int peer_send(struct peer *p, const void *bytes, size_t len)
{
	return send(p->fd, bytes, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hello_send(struct peer *p, u32 n_held)
{
	static const u16 sections[] = {DWCP_SECTION_FIB_ROOT, DWCP_SECTION_FIB_DIRECT,
				       DWCP_SECTION_FIB_NODE, DWCP_SECTION_FIB_LEAF};
	static const u16 nexthops[] = {DWCP_SECTION_NEXTHOP, DWCP_SECTION_NEXTHOP_BUCKET,
				       DWCP_SECTION_NEXTHOP_ID};
	const int fds[] = {p->stats.fd, p->rings.fd, p->tails.fd, p->event_fd};
	struct dwcp_link_hello h = {
		.incarnation = ((struct dwcp_stats_hdr *)p->stats.map)->incarnation,
		.generation = p->gen ? p->gen->number : p->cfg.generation,
		.config_hash = p->cfg.config_hash,
		.pid = (u32)getpid(),
		.n_workers = PEER_WORKERS,
		.n_ports = p->cfg.n_ports,
		.n_held = n_held,
		.max_table_bytes = 1ull << 30,
		.stats_bytes = p->stats.bytes,
		.rings_bytes = p->rings.bytes,
		.tails_bytes = p->tails.bytes,
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(sections); i++)
		h.abi[sections[i]] =
			(struct dwcp_link_abi){sections[i], DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0};
	for (u32 i = 0; i < DWCP_ARRAY_LEN(nexthops); i++)
		h.abi[nexthops[i]] = (struct dwcp_link_abi){nexthops[i], DWCP_NEXTHOP_VERSION,
							    DWCP_NEXTHOP_VERSION, 0};
	if (!p->cfg.old)
		h.abi[DWCP_SECTION_PORT_ADDR] =
			(struct dwcp_link_abi){DWCP_SECTION_PORT_ADDR, DWCP_PORT_ADDR_VERSION,
					       DWCP_PORT_ADDR_VERSION, 0};
	return message_send(p, &h, sizeof(h), DWCP_LINK_HELLO, fds, DWCP_HELLO_N_FDS);
}

static int held_send(struct peer *p, const u64 *ids, u32 n)
{
	u8 bytes[sizeof(struct dwcp_link_held) + 64 * sizeof(u64)];
	struct dwcp_link_held *h = (void *)bytes;
	int err = 0;

	for (u32 i = 0; i < n && !err; i += h->n) {
		h->n = DWCP_MIN(n - i, 64u);
		h->reserved = 0;
		memcpy(h->id, ids + i, h->n * sizeof(u64));
		err = message_send(p, h, sizeof(*h) + h->n * sizeof(u64), DWCP_LINK_HELD, NULL, 0);
	}
	return err;
}

static bool wait_for(int fd, u32 timeout_ms)
{
	struct pollfd f = {.fd = fd, .events = POLLIN};

	return poll(&f, 1, (int)timeout_ms) > 0;
}

int peer_accept(struct peer *p, u32 timeout_ms)
{
	static u64 ids[8192];
	u32 n = segment_set_ids(p->set, ids, DWCP_ARRAY_LEN(ids));
	int err;

	if (!wait_for(p->listen_fd, timeout_ms))
		return -ETIMEDOUT;
	peer_disconnect(p);
	n = segment_set_ids(p->set, ids, DWCP_ARRAY_LEN(ids));
	p->fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (p->fd < 0)
		return -errno;
	err = hello_send(p, n);
	return err ? err : held_send(p, ids, n);
}

bool peer_quiet(struct peer *p, u32 ms)
{
	return !wait_for(p->fd, ms);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

struct message {
	size_t len;
	u32 n_fds;
	int fd[DWCP_LINK_MAX_FDS];
};

static int message_receive(struct peer *p, struct message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_LINK_MAX_FDS)];
	} control;
	struct iovec iov = {p->buf, sizeof(p->buf)};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(p->fd, &h, MSG_CMSG_CLOEXEC);
	struct dwcp_link_hdr *hdr = (void *)p->buf;
	struct cmsghdr *c;

	m->n_fds = 0;
	if (n <= 0)
		return -ECONNRESET;
	c = CMSG_FIRSTHDR(&h);
	if (c) {
		m->n_fds = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fd, CMSG_DATA(c), m->n_fds * sizeof(int));
	}
	m->len = (size_t)n;
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || hdr->magic != DWCP_LINK_MAGIC ||
	    hdr->version != DWCP_LINK_VERSION || hdr->bytes != m->len || hdr->n_fds != m->n_fds)
		abort(); /* the agent does not speak the protocol */
	return 0;
}

static void segments_take(struct peer *p, struct message *m, enum peer_answer answer)
{
	const struct dwcp_link_segments *s = (const void *)p->buf;

	if (m->len != sizeof(*s) + s->n * sizeof(s->desc[0]) || s->n != m->n_fds || s->n == 0)
		abort();
	for (u32 i = 0; i < s->n; i++) {
		struct dwcp_link_segment_refused r = {.id = s->desc[i].id};
		int err = -EINVAL;

		p->n_staged++;
		p->staged_bytes += s->desc[i].bytes;
		if (answer == PEER_REFUSE_SEGMENTS) {
			snprintf(r.reason, sizeof(r.reason), "segment_disliked");
			close(m->fd[i]);
		} else {
			err = segment_set_stage(p->set, &s->desc[i], m->fd[i], r.reason);
		}
		if (err)
			message_send(p, &r, sizeof(r), DWCP_LINK_SEGMENT_REFUSED, NULL, 0);
	}
}

static int publish_adopt(struct peer *p, int fd, struct peer_publish *ret)
{
	const struct generation_limits limits = {.n_ports = p->cfg.n_ports};
	struct generation *g;
	int err = generation_open(p->set, fd, &limits, &g, ret->reason);

	if (err)
		return err;
	if (p->gen && g->number <= p->gen->number) {
		snprintf(ret->reason, sizeof(ret->reason), "generation_number");
		generation_close(g);
		return -EINVAL;
	}
	for (u32 i = 0; p->cfg.old && i < g->manifest->n_sections; i++) {
		if (manifest_sections(g->manifest)[i].section != DWCP_SECTION_PORT_ADDR)
			continue;
		snprintf(ret->reason, sizeof(ret->reason), "section_not_read section=port_addr");
		generation_close(g);
		return -EINVAL;
	}
	generation_close(p->gen);
	p->gen = g;
	segment_set_drop_staged(p->set);
	((struct dwcp_stats_hdr *)p->stats.map)->generation = g->number;
	ret->n_segments = g->n_segments;
	ret->intent_revision = g->manifest->intent_revision;
	return 0;
}

static void answer_send(struct peer *p, const struct peer_publish *r)
{
	struct dwcp_link_adopted a = {.generation = r->generation,
				      .received_ns = now_ns(),
				      .validated_ns = now_ns(),
				      .swapped_ns = r->swapped_ns,
				      .quiescent_ns = now_ns(),
				      .n_segments = r->n_segments,
				      .n_new_segments = r->n_sent};
	struct dwcp_link_refused no = {.generation = r->generation,
				       .current = p->gen ? p->gen->number : p->cfg.generation};

	memcpy(no.reason, r->reason, sizeof(no.reason));
	if (r->adopted)
		message_send(p, &a, sizeof(a), DWCP_LINK_ADOPTED, NULL, 0);
	else
		message_send(p, &no, sizeof(no), DWCP_LINK_REFUSED, NULL, 0);
}

static void publish_take(struct peer *p, struct message *m, enum peer_answer answer,
			 struct peer_publish *ret)
{
	const struct dwcp_link_publish *b = (const void *)p->buf;

	if (m->len != sizeof(*b) || m->n_fds != 1)
		abort();
	memset(ret, 0, sizeof(*ret));
	ret->generation = b->generation;
	ret->event_ns = b->event_ns;
	ret->n_sent = p->n_staged;
	ret->bytes_sent = p->staged_bytes;
	p->n_staged = 0;
	p->staged_bytes = 0;
	if (answer == PEER_REFUSE)
		snprintf(ret->reason, sizeof(ret->reason), "test_refuses detail=7");
	else
		ret->adopted = publish_adopt(p, m->fd[0], ret) == 0;
	close(m->fd[0]);
	ret->swapped_ns = now_ns();
	if (answer != PEER_SILENT)
		answer_send(p, ret);
}

int peer_serve(struct peer *p, enum peer_answer answer, u32 timeout_ms, struct peer_publish *ret)
{
	u64 end = now_ns() + timeout_ms * 1000000ull;
	struct message m;

	if (answer == PEER_FORGET) {
		generation_close(p->gen);
		p->gen = NULL;
		segment_set_drop_staged(p->set);
	}
	for (;;) {
		u64 now = now_ns();

		if (now >= end || !wait_for(p->fd, (u32)((end - now) / 1000000 + 1)))
			return -ETIMEDOUT;
		if (message_receive(p, &m) < 0) {
			peer_disconnect(p);
			return -ECONNRESET;
		}
		switch (((struct dwcp_link_hdr *)p->buf)->type) {
		case DWCP_LINK_SEGMENTS:
			segments_take(p, &m, answer);
			break;
		case DWCP_LINK_PUBLISH:
			publish_take(p, &m, answer, ret);
			return 0;
		default:
			abort();
		}
	}
}
