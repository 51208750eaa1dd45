/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.c - see link.h. Whatever comes in is hostile until checked: kernel-made credentials decide who may speak, a
 * message of wrong length or type ends the connection, every fd is closed by whoever took it, and what a connection may
 * hold is bounded by the segment set's cap. Messages are taken a few at a time, so that a flood of them cannot starve
 * the timers that this thread also runs. Nothing here is reachable by a worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <dwcp/abi/link.h>

#include "adopt.h"
#include "link.h"
#include "log.h"

#define MESSAGES_PER_WAKE 4
#define SEND_BUFFER_BYTES (1 << 20)

struct link {
	struct dataplane *dp;
	char path[108];
	int listen_fd;
	struct event *listen_event;
	int fd; /* of the one agent, -1 = none */
	pid_t peer_pid;
	struct event *event;
	u64 refused;
	u64 serial,
		publish_serial; /* of this connection, and of the one that sent the publish under way */
	u64 buffer[DWCP_LINK_MAX_BYTES / 8];
};

struct message {
	size_t len;
	u32 n_fds;
	int fd[DWCP_LINK_MAX_FDS];
};

static void message_close_fds(struct message *m)
{
	for (u32 i = 0; i < m->n_fds; i++) {
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	}
	m->n_fds = 0;
}

static void link_disconnect(struct link *l, const char *why)
{
	if (l->fd < 0)
		return;
	log_event("agent.disconnected pid=%d reason='%s'", l->peer_pid, why);
	event_free(l->event);
	l->event = NULL;
	close(l->fd);
	l->fd = -1;
	adopt_drop_staged(l->dp);
}

/* A peer that does not read its answers is not worth waiting for. */
static int link_send(struct link *l, void *msg, u32 bytes, u16 type, const int *fds, u32 n_fds)
{
	struct dwcp_link_hdr *hdr = msg;
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_HELLO_N_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {msg, bytes};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	*hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION, type, bytes, n_fds};
	if (n_fds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	if (l->fd < 0)
		return -ENOTCONN;
	if (sendmsg(l->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes)
		return 0;
	return -errno;
}

static void hello_abi(struct dwcp_link_hello *h)
{
	static const struct dwcp_link_abi reads[] = {
		{DWCP_SECTION_FIB_ROOT, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
		{DWCP_SECTION_FIB_DIRECT, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
		{DWCP_SECTION_FIB_NODE, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
		{DWCP_SECTION_FIB_LEAF, DWCP_FIB_VERSION, DWCP_FIB_VERSION, 0},
		{DWCP_SECTION_NEXTHOP, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
		{DWCP_SECTION_NEXTHOP_BUCKET, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
		{DWCP_SECTION_NEXTHOP_ID, DWCP_NEXTHOP_VERSION, DWCP_NEXTHOP_VERSION, 0},
		{DWCP_SECTION_PORT_ADDR, DWCP_PORT_ADDR_VERSION, DWCP_PORT_ADDR_VERSION, 0},
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(reads); i++)
		h->abi[reads[i].section] = reads[i];
}

static int link_send_hello(struct link *l)
{
	struct dataplane *dp = l->dp;
	const int fds[DWCP_HELLO_N_FDS] = {
		[DWCP_HELLO_FD_STATS] = dp->stats_fd,
		[DWCP_HELLO_FD_RINGS] = dp->rings_fd,
		[DWCP_HELLO_FD_TAILS] = dp->tails_fd,
		[DWCP_HELLO_FD_EVENT] = dp->event_fd,
	};
	struct dwcp_link_hello h = {
		.incarnation = dataplane_stats(dp)->incarnation,
		.generation = dp->gen ? dp->gen->number : 0,
		.manifest_hash = dp->gen ? dp->gen->manifest->hash : 0,
		.config_hash = dp->cfg->hash,
		.pid = (u32)getpid(),
		.n_workers = dp->n_workers,
		.n_ports = dp->n_ports,
		.n_held = adopt_held_ids(dp, NULL, 0),
		.max_table_bytes = (u64)dp->cfg->dataplane.tables.memory_max_mb << 20,
		.stats_bytes = dp->stats_bytes,
		.rings_bytes = dp->rings_bytes,
		.tails_bytes = dp->tails_bytes,
	};

	hello_abi(&h);
	return link_send(l, &h, sizeof(h), DWCP_LINK_HELLO, fds, DWCP_HELLO_N_FDS);
}

static int link_send_held(struct link *l)
{
	const u32 per_message =
		(DWCP_LINK_MAX_BYTES / 2 - sizeof(struct dwcp_link_held)) / sizeof(u64);
	struct dwcp_link_held *msg = malloc(DWCP_LINK_MAX_BYTES / 2);
	u64 *ids = malloc(sizeof(u64) * DWCP_MANIFEST_MAX_SEGMENTS);
	u32 held = ids ? adopt_held_ids(l->dp, ids, DWCP_MANIFEST_MAX_SEGMENTS) : 0;
	u32 n = DWCP_MIN(held, DWCP_MANIFEST_MAX_SEGMENTS);
	int err = msg && ids ? 0 : -ENOMEM;

	for (u32 i = 0; !err && i < n; i += per_message) {
		msg->n = DWCP_MIN(n - i, per_message);
		msg->reserved = 0;
		memcpy(msg->id, ids + i, msg->n * sizeof(u64));
		err = link_send(l, msg, (u32)(sizeof(*msg) + msg->n * sizeof(u64)), DWCP_LINK_HELD,
				NULL, 0);
	}
	free(msg);
	free(ids);
	return err;
}

static void link_send_done(void *arg, const struct adopt_row *row)
{
	struct link *l = arg;
	int err;

	if (l->fd < 0 || l->publish_serial != l->serial)
		return; /* whoever asked is gone */
	if (row->refused) {
		struct dwcp_link_refused msg = {
			.generation = row->generation,
			.current = l->dp->gen ? l->dp->gen->number : 0,
		};

		snprintf(msg.reason, sizeof(msg.reason), "%s", row->reason);
		err = link_send(l, &msg, sizeof(msg), DWCP_LINK_REFUSED, NULL, 0);
	} else {
		struct dwcp_link_adopted msg = {
			.generation = row->generation,
			.manifest_hash = l->dp->gen->manifest->hash,
			.received_ns = row->received_ns,
			.validated_ns = row->validated_ns,
			.swapped_ns = row->swapped_ns,
			.quiescent_ns = row->quiescent_ns,
			.mapped_bytes = row->mapped_bytes,
			.n_segments = row->n_segments,
			.n_new_segments = row->n_new_segments,
		};

		err = link_send(l, &msg, sizeof(msg), DWCP_LINK_ADOPTED, NULL, 0);
	}
	if (err)
		link_disconnect(l, "does not read its answers");
}

/* ---- what the agent says ---------------------------------------------------------------------------------------- */

static const char *segments_message(struct link *l, struct message *m)
{
	const struct dwcp_link_segments *msg = (const void *)l->buffer;

	if (m->len < sizeof(*msg) || msg->n != m->n_fds ||
	    m->len != sizeof(*msg) + (size_t)msg->n * sizeof(msg->desc[0]))
		return "SEGMENTS of wrong length";
	for (u32 i = 0; i < msg->n; i++) {
		struct dwcp_link_segment_refused no = {.id = msg->desc[i].id};
		char reason[GENERATION_REASON_MAX] = "";
		int fd = m->fd[i];

		m->fd[i] = -1; /* taken by stage, whatever comes of it */
		if (adopt_stage(l->dp, &msg->desc[i], fd, reason) == 0)
			continue;
		l->refused++;
		adopt_note_refusal(l->dp, "segment", reason);
		log_event("agent.segment_refused id=%016lx section=%s reason='%s'", msg->desc[i].id,
			  section_name(msg->desc[i].section), reason);
		snprintf(no.reason, sizeof(no.reason), "%s", reason);
		if (link_send(l, &no, sizeof(no), DWCP_LINK_SEGMENT_REFUSED, NULL, 0))
			return "does not read its answers";
	}
	return NULL;
}

static const char *publish_message(struct link *l, struct message *m)
{
	const struct dwcp_link_publish *msg = (const void *)l->buffer;
	int fd;

	if (m->len != sizeof(*msg) || m->n_fds != 1)
		return "PUBLISH of wrong length";
	fd = m->fd[0];
	m->fd[0] = -1;
	l->publish_serial = l->serial;
	adopt_publish(l->dp, fd, msg->generation, msg->event_ns, msg->sent_ns);
	return NULL;
}

static const char *link_message(struct link *l, struct message *m)
{
	const struct dwcp_link_hdr *hdr = (const void *)l->buffer;

	if (m->len < sizeof(*hdr) || hdr->magic != DWCP_LINK_MAGIC)
		return "not the link protocol";
	if (hdr->version != DWCP_LINK_VERSION)
		return "unknown protocol version";
	if (hdr->bytes != m->len || hdr->n_fds != m->n_fds)
		return "header does not match the message";
	if (hdr->type == DWCP_LINK_SEGMENTS)
		return segments_message(l, m);
	if (hdr->type == DWCP_LINK_PUBLISH)
		return publish_message(l, m);
	return "unknown message type";
}

/* Return: 1 a message, 0 nothing there, or NULL-reason by @ret_why. */
static int link_receive(struct link *l, struct message *m, const char **ret_why)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_LINK_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {l->buffer, sizeof(l->buffer)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(l->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	m->n_fds = 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		*ret_why = strerror(errno);
		return -1;
	}
	m->len = (size_t)n;
	/* before anything else is judged: an empty message can carry fds too, and they are ours to close */
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		u32 k = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (u32 i = 0; i < k && m->n_fds < DWCP_LINK_MAX_FDS; i++)
			memcpy(&m->fd[m->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	if (n == 0) {
		*ret_why = m->n_fds ? "empty message" : "closed";
		return -1;
	}
	if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		*ret_why =
			mh.msg_flags & MSG_TRUNC ? "message too long" : "too many file descriptors";
		return -1;
	}
	return 1;
}

static void link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;

	for (u32 i = 0; i < MESSAGES_PER_WAKE && l->fd >= 0; i++) {
		struct message m;
		const char *why = NULL;
		int got = link_receive(l, &m, &why);

		if (got > 0)
			why = link_message(l, &m);
		message_close_fds(&m);
		if (why) {
			l->refused += got >= 0;
			link_disconnect(l, why);
		}
		if (got <= 0)
			return;
	}
}

/* ---- who may speak ----------------------------------------------------------------------------------------------- */

static bool peer_allowed(const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

static void link_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct link *l = arg;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int size = SEND_BUFFER_BYTES;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			event_del(
				l->listen_event); /* link_tick() tries again: no spinning on what can't be taken */
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || !peer_allowed(&peer)) {
		l->refused++;
		log_event("agent.refused uid=%u pid=%d hint='run the agent as root or as the "
			  "dataplane's user'",
			  peer.uid, peer.pid);
		close(fd);
		return;
	}
	link_disconnect(l, "replaced by a newer agent");
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	l->fd = fd;
	l->serial++;
	l->peer_pid = peer.pid;
	l->event = event_new(l->dp->base, fd, EV_READ | EV_PERSIST, link_readable, l);
	if (!l->event) {
		close(fd);
		l->fd = -1;
		return;
	}
	log_event("agent.connected pid=%d uid=%u", peer.pid, peer.uid);
	event_add(l->event, NULL);
	if (link_send_hello(l) || link_send_held(l))
		link_disconnect(l, "does not read its answers");
}

static int link_listen(struct link *l)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t old;
	int err;

	l->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->listen_fd < 0)
		return -errno;
	memcpy(addr.sun_path, l->path, sizeof(addr.sun_path));
	unlink(l->path); /* the instance lock is ours: whoever left it is dead */
	old = umask(0117);
	err = bind(l->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(old);
	if (!err && listen(l->listen_fd, 8) < 0)
		err = -errno;
	return err;
}

int link_open(struct dataplane *dp)
{
	struct link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	dp->link = l;
	l->dp = dp;
	l->fd = -1;
	l->listen_fd = -1;
	if (snprintf(l->path, sizeof(l->path), "%s/%s", dp->run_dir, DWCP_LINK_SOCKET) >=
	    (int)sizeof(l->path)) {
		log_event("agent.listen error=path_too_long path=%s hint='a shorter run_dir (≤ 90 "
			  "bytes)'",
			  dp->run_dir);
		return -ENAMETOOLONG;
	}
	err = link_listen(l);
	if (err) {
		log_event("agent.listen path=%s error='%s' hint='is run_dir there and writable? "
			  "--run-dir'",
			  l->path, strerror(-err));
		return err;
	}
	adopt_on_done(dp, link_send_done, l);
	l->listen_event = event_new(dp->base, l->listen_fd, EV_READ | EV_PERSIST, link_accept, l);
	if (!l->listen_event)
		return -ENOMEM;
	event_add(l->listen_event, NULL);
	return 0;
}

void link_close(struct dataplane *dp)
{
	struct link *l = dp->link;

	if (!l)
		return;
	link_disconnect(l, "stopping");
	if (l->listen_event)
		event_free(l->listen_event);
	if (l->listen_fd >= 0) {
		close(l->listen_fd);
		unlink(l->path);
	}
	free(l);
	dp->link = NULL;
}

void link_tick(struct dataplane *dp)
{
	if (dp->link && !event_pending(dp->link->listen_event, EV_READ, NULL))
		event_add(dp->link->listen_event, NULL);
}

bool link_connected(const struct dataplane *dp)
{
	return dp->link && dp->link->fd >= 0;
}

u64 link_refused_count(const struct dataplane *dp)
{
	return dp->link ? dp->link->refused : 0;
}
