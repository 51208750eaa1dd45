/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.c - connecting, greeting, and the dataplane's messages. A message that is not exactly what abi/link.h says ends
 * the connection; the next one starts from nothing.
 */
#include "link_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINK_BACKOFF_MIN_NS  100000000u
#define LINK_BACKOFF_MAX_NS  1000000000u
#define LINK_HELLO_NS	     5000000000u
#define LINK_MESSAGES_A_TURN 64
#define LINK_SNDBUF_BYTES    (1 << 20)
#define LINK_HELD_MAX	     (16 * DWCP_MANIFEST_MAX_SEGMENTS) /* what a hello may announce */

struct message {
	size_t len;
	u32 n_fds;
	int fd[DWCP_LINK_MAX_FDS];
};

/* ---- the end of a connection ------------------------------------------------------------------------------- */

static void link_down(struct link *l, const char *reason)
{
	bool was_up = l->state == LINK_UP;
	bool told = !was_up && strcmp(reason, l->last_down) == 0;

	loop_event_free(l->readable);
	loop_event_free(l->writable);
	l->readable = l->writable = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->state = LINK_WAIT;
	snprintf(l->last_down, sizeof(l->last_down), "%s", reason);
	if (!told)
		l->ops->down(l->arg, reason, was_up);
	link_send_fini(&l->send);
	held_clear(&l->held);
	pages_close(&l->pages);
	if (was_up)
		l->backoff_ns = 0;
	loop_event_add(l->timer, l->backoff_ns);
	l->backoff_ns =
		DWCP_MIN(DWCP_MAX(l->backoff_ns * 2, LINK_BACKOFF_MIN_NS), LINK_BACKOFF_MAX_NS);
}

void link_reset(struct link *l, const char *reason)
{
	link_down(l, reason);
}

/* ---- messages ---------------------------------------------------------------------------------------------- */

static void fds_close(struct message *m)
{
	for (u32 i = 0; i < m->n_fds; i++)
		close(m->fd[i]);
	m->n_fds = 0;
}

static void fds_take(struct message *m, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		u32 n = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (u32 i = 0; i < n && m->n_fds < DWCP_LINK_MAX_FDS; i++)
			memcpy(&m->fd[m->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

/* Return: 1 = a message is in l->buf, 0 = none now, -E… = the connection has ended or is beyond use. */
static int message_receive(struct link *l, struct message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_LINK_MAX_FDS)];
	} control;
	struct iovec iov = {l->buf, DWCP_LINK_MAX_BYTES};
	struct msghdr h = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	const struct dwcp_link_hdr *hdr = (const void *)l->buf;
	ssize_t n = recvmsg(l->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	m->n_fds = 0;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	fds_take(m, &h);
	m->len = (size_t)n;
	if (n == 0)
		return -ECONNRESET;
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || m->len < sizeof(*hdr) ||
	    hdr->magic != DWCP_LINK_MAGIC || hdr->version != DWCP_LINK_VERSION ||
	    hdr->bytes != m->len || hdr->n_fds != m->n_fds)
		return -EPROTO;
	return 1;
}

/* What the tables builder writes, and in which layout. */
static const struct dwcp_link_abi sections_written[] = {
	{DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
	{DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
	{DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
	{DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
	{DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
	{DWCP_SECTION_NEXTHOP_BUCKET, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
	{DWCP_SECTION_NEXTHOP_ID, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
};

/* What a dataplane forwards well without: it gets tables without them. */
static const struct dwcp_link_abi sections_optional[] = {
	{DWCP_SECTION_PORT_ADDR, DWCP_PORT_ADDR_VERSION, DWCP_PORT_ADDR_VERSION, 0},
};

static bool section_read(const struct dwcp_link_hello *h, const struct dwcp_link_abi *want)
{
	for (u32 i = 0; i < DWCP_ARRAY_LEN(h->abi); i++) {
		const struct dwcp_link_abi *a = &h->abi[i];

		if (a->section == want->section && a->version_min <= want->version_min &&
		    a->version_max >= want->version_max)
			return true;
	}
	return false;
}

u32 link_without(const struct dwcp_link_hello *h)
{
	u32 without = 0;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(sections_optional); i++)
		if (!section_read(h, &sections_optional[i]))
			without |= 1u << sections_optional[i].section;
	return without;
}

static const char *link_came_up(struct link *l)
{
	loop_event_del(l->timer);
	l->state = LINK_UP;
	l->backoff_ns = 0;
	l->last_down[0] = 0;
	l->ops->up(l->arg, &l->hello);
	return NULL;
}

static const char *hello_arrived(struct link *l, struct message *m)
{
	const char *wrong;

	if (l->state != LINK_HELLO || m->len != sizeof(l->hello) || m->n_fds != DWCP_HELLO_N_FDS)
		return "protocol_hello";
	memcpy(&l->hello, l->buf, sizeof(l->hello));
	if (l->hello.n_held > LINK_HELD_MAX)
		return "protocol_hello";
	for (u32 i = 0; i < DWCP_ARRAY_LEN(sections_written); i++) {
		if (!section_read(&l->hello, &sections_written[i]))
			return "section_version "
			       "hint=install_the_same_version_of_agent_and_dataplane";
	}
	m->n_fds = 0; /* taken */
	wrong = pages_open(&l->pages, &l->hello, m->fd);
	if (wrong)
		return wrong;
	l->n_held_missing = l->hello.n_held;
	l->state = LINK_HELD;
	return l->n_held_missing ? NULL : link_came_up(l);
}

static const char *held_arrived(struct link *l, const struct message *m)
{
	const struct dwcp_link_held *h = (const void *)l->buf;

	if (l->state != LINK_HELD || m->n_fds || m->len < sizeof(*h) || h->n > l->n_held_missing ||
	    m->len != sizeof(*h) + (u64)h->n * sizeof(h->id[0]))
		return "protocol_held";
	for (u32 i = 0; i < h->n; i++) {
		if (held_add(&l->held, h->id[i]) < 0)
			return "no_memory";
	}
	l->n_held_missing -= h->n;
	return l->n_held_missing ? NULL : link_came_up(l);
}

static const char *segment_refused_arrived(struct link *l, const struct message *m)
{
	struct dwcp_link_segment_refused r;

	if (l->state != LINK_UP || m->n_fds || m->len != sizeof(r))
		return "protocol_segment_refused";
	memcpy(&r, l->buf, sizeof(r));
	r.reason[sizeof(r.reason) - 1] = 0;
	held_del(&l->held, r.id);
	if (!l->send.segment_reason[0]) /* the first one is the cause */
		memcpy(l->send.segment_reason, r.reason, sizeof(r.reason));
	return NULL;
}

static const char *adopted_arrived(struct link *l, const struct message *m)
{
	struct dwcp_link_adopted a;

	if (l->state != LINK_UP || m->n_fds || m->len != sizeof(a))
		return "protocol_adopted";
	memcpy(&a, l->buf, sizeof(a));
	if (!l->send.published || l->send.image->manifest->generation != a.generation)
		return "protocol_adopted";
	link_send_adopted(l);
	l->ops->adopted(l->arg, &a);
	return NULL;
}

static const char *refused_arrived(struct link *l, const struct message *m)
{
	char segment_reason[DWCP_LINK_REASON_MAX];
	struct dwcp_link_refused r;
	bool missing;

	if (l->state != LINK_UP || m->n_fds || m->len != sizeof(r))
		return "protocol_refused";
	memcpy(&r, l->buf, sizeof(r));
	r.reason[sizeof(r.reason) - 1] = 0;
	if (!l->send.published || l->send.image->manifest->generation != r.generation)
		return "protocol_refused";
	memcpy(segment_reason, l->send.segment_reason, sizeof(segment_reason));
	missing = strncmp(r.reason, "segment_missing", strlen("segment_missing")) == 0;
	link_send_fini(&l->send);
	/* a segment that was refused is missing afterwards: that is the consequence, not the cause */
	if (missing && segment_reason[0])
		l->ops->refused(l->arg, &r, segment_reason, false);
	else
		l->ops->refused(l->arg, &r, r.reason, missing);
	return NULL;
}

static const char *message_arrived(struct link *l, struct message *m)
{
	const struct dwcp_link_hdr *hdr = (const void *)l->buf;

	switch (hdr->type) {
	case DWCP_LINK_HELLO:
		return hello_arrived(l, m);
	case DWCP_LINK_HELD:
		return held_arrived(l, m);
	case DWCP_LINK_SEGMENT_REFUSED:
		return segment_refused_arrived(l, m);
	case DWCP_LINK_ADOPTED:
		return adopted_arrived(l, m);
	case DWCP_LINK_REFUSED:
		return refused_arrived(l, m);
	default:
		return "protocol_type";
	}
}

static const char *errno_reason(int err)
{
	return err == -ECONNRESET || err == -EPIPE ? "closed_by_peer"
	       : err == -EPROTO			   ? "protocol_header"
						   : "socket_error";
}

static void readable(void *arg, short what)
{
	struct link *l = arg;
	const char *wrong = NULL;
	struct message m;
	int got = 1;

	(void)what;
	for (u32 i = 0; i < LINK_MESSAGES_A_TURN && l->fd >= 0; i++) {
		got = message_receive(l, &m);
		if (got == 0)
			return;
		wrong = got < 0 ? errno_reason(got) : message_arrived(l, &m);
		fds_close(&m);
		if (wrong)
			break;
	}
	if (wrong)
		link_down(l, wrong);
}

static void writable(void *arg, short what)
{
	struct link *l = arg;
	int err = link_send_pump(l);

	(void)what;
	if (err < 0)
		link_down(l, errno_reason(err));
}

/* ---- connecting -------------------------------------------------------------------------------------------- */

/* What it says will be believed: it must be root's or our own process. */
static const char *peer_check(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return "peer_unknown";
	return peer.uid == 0 || peer.uid == geteuid() ? NULL : "peer_not_permitted";
}

static const char *connect_reason(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return "dataplane_not_running";
	case EACCES:
		return "permission_denied";
	case EAGAIN:
		return "dataplane_busy";
	default:
		return "connect_failed";
	}
}

static const char *connect_try(struct link *l)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int size = LINK_SNDBUF_BYTES;
	const char *wrong;

	if (strlen(l->path) >= sizeof(addr.sun_path))
		return "path_too_long";
	memcpy(addr.sun_path, l->path, strlen(l->path));
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return "socket_error";
	if (connect(l->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return connect_reason(errno);
	wrong = peer_check(l->fd);
	if (wrong)
		return wrong;
	setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	l->readable =
		loop_event_create(l->loop, "link.read", l->fd, EV_READ | EV_PERSIST, readable, l);
	l->writable = loop_event_create(l->loop, "link.write", l->fd, EV_WRITE, writable, l);
	return l->readable && l->writable ? NULL : "no_memory";
}

static void link_connect(struct link *l)
{
	const char *wrong = connect_try(l);

	if (wrong) {
		link_down(l, wrong);
		return;
	}
	l->state = LINK_HELLO;
	loop_event_add(l->readable, UINT64_MAX);
	loop_event_add(l->timer, LINK_HELLO_NS);
}

static void timed(void *arg, short what)
{
	struct link *l = arg;

	if (l->state == LINK_WAIT)
		link_connect(l);
	else if (l->state == LINK_UP)
		writable(l, what); /* the time to try again has come */
	else
		link_down(l, "hello_timeout");
}

int link_create(struct loop *loop, const char *path, const struct link_ops *ops, void *arg,
		struct link **ret_link)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->path = path;
	l->ops = ops;
	l->arg = arg;
	l->fd = -1;
	pages_init(&l->pages);
	l->buf = malloc(DWCP_LINK_MAX_BYTES);
	l->timer = loop_event_create(loop, "link.timer", -1, 0, timed, l);
	if (!l->buf || !l->timer) {
		link_free(l);
		return -ENOMEM;
	}
	loop_event_add(l->timer, 0);
	*ret_link = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	loop_event_free(l->readable);
	loop_event_free(l->writable);
	loop_event_free(l->timer);
	if (l->fd >= 0)
		close(l->fd);
	link_send_fini(&l->send);
	held_fini(&l->held);
	pages_close(&l->pages);
	free(l->buf);
	free(l);
}

const struct pages *link_pages(const struct link *l)
{
	return &l->pages;
}
