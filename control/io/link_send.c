/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link_send.c - one publish: SEGMENTS messages until all that is not held has gone, then PUBLISH with the manifest.
 * The socket is never waited for inside a call: when it is full, writability is awaited.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "link_private.h"

#define SEND_MESSAGES_A_TURN 8
/* The kernel limits descriptors in flight a user (unix(7), ETOOMANYREFS); there is no event for their end. */
#define SEND_FDS_RETRY_NS    5000000u

static int message_send(int fd, void *msg, size_t len, const int *fds, u32 n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_LINK_MAX_FDS)];
	} control;
	struct iovec iov = {msg, len};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = CMSG_SPACE(sizeof(int) * n_fds)};
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void hdr_init(struct dwcp_link_hdr *h, enum dwcp_link_type type, size_t bytes, u32 n_fds)
{
	h->magic = DWCP_LINK_MAGIC;
	h->version = DWCP_LINK_VERSION;
	h->type = (u16)type;
	h->bytes = (u32)bytes;
	h->n_fds = n_fds;
}

static int segments_send(struct link *l)
{
	union {
		struct dwcp_link_segments msg;
		u8 bytes[sizeof(struct dwcp_link_segments) +
			 DWCP_LINK_MAX_FDS * sizeof(struct dwcp_segment_desc)];
	} m;
	struct link_send *s = &l->send;
	int fds[DWCP_LINK_MAX_FDS] = {0};
	u32 n = DWCP_MIN(s->n_todo - s->next, DWCP_LINK_MAX_FDS);
	size_t len = sizeof(m.msg) + n * sizeof(m.msg.desc[0]);
	u64 bytes = 0;
	int err;

	memset(&m.msg, 0, sizeof(m.msg));
	for (u32 i = 0; i < n; i++) {
		const struct table_segment *seg = &s->image->segments[s->todo[s->next + i]];

		m.msg.desc[i] = seg->desc;
		fds[i] = seg->fd;
		bytes += seg->desc.bytes;
	}
	hdr_init(&m.msg.hdr, DWCP_LINK_SEGMENTS, len, n);
	m.msg.n = n;
	err = message_send(l->fd, &m, len, fds, n);
	if (err < 0)
		return err;
	for (u32 i = 0; i < n; i++)
		held_add(&l->held,
			 m.msg.desc[i].id); /* without memory it is sent again next time */
	s->next += n;
	s->bytes += bytes;
	return 0;
}

static int manifest_send(struct link *l)
{
	struct link_send *s = &l->send;
	struct dwcp_link_publish m = {.generation = s->image->manifest->generation,
				      .event_ns = s->event_ns,
				      .sent_ns = clock_ns()};
	int err;

	hdr_init(&m.hdr, DWCP_LINK_PUBLISH, sizeof(m), 1);
	err = message_send(l->fd, &m, sizeof(m), &s->image->manifest_fd, 1);
	if (err < 0)
		return err;
	s->published = true;
	s->bytes += s->image->manifest->bytes;
	l->ops->sent(l->arg, s->bytes, s->n_todo);
	return 0;
}

int link_send_pump(struct link *l)
{
	struct link_send *s = &l->send;
	int err = 0;

	if (!s->image || s->published)
		return 0;
	for (u32 i = 0; i < SEND_MESSAGES_A_TURN && !s->published && !err; i++)
		err = s->next < s->n_todo ? segments_send(l) : manifest_send(l);
	if (err == -ETOOMANYREFS)
		loop_event_add(l->timer, SEND_FDS_RETRY_NS);
	else if (err == -EAGAIN || err == -ENOBUFS || (!err && !s->published))
		loop_event_add(l->writable, UINT64_MAX);
	else if (err)
		return err;
	return 0;
}

/*
 * Equal segments have one id and are sent once: order by id, drop neighbours, and back into the manifest's order, in which the
 * dataplane can read them to where they will stay.
 */
struct todo_entry {
	u64 id;
	u32 i;
};

static int todo_compare(const void *a, const void *b)
{
	const struct todo_entry *x = a, *y = b;

	return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->i > y->i) - (x->i < y->i);
}

static int place_compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

static int todo_fill(struct link *l, bool all)
{
	const struct table_image *image = l->send.image;
	u32 n = image->manifest->n_segments, n_sort = 0;
	struct todo_entry *sort = calloc(n + 1, sizeof(*sort));
	u32 *todo = calloc(n + 1, sizeof(*todo));

	if (!sort || !todo) {
		free(sort);
		free(todo);
		return -ENOMEM;
	}
	for (u32 i = 0; i < n; i++) {
		u64 id = image->segments[i].desc.id;

		if (all || !held_has(&l->held, id))
			sort[n_sort++] = (struct todo_entry){id, i};
	}
	qsort(sort, n_sort, sizeof(*sort), todo_compare);
	for (u32 i = 0; i < n_sort; i++) {
		if (i == 0 || sort[i].id != sort[i - 1].id)
			todo[l->send.n_todo++] = sort[i].i;
	}
	qsort(todo, l->send.n_todo, sizeof(*todo), place_compare);
	free(sort);
	l->send.todo = todo;
	return 0;
}

int link_publish(struct link *l, const struct table_image *image, u64 event_ns, bool all)
{
	int err;

	if (l->state != LINK_UP)
		return -ENOTCONN;
	if (l->send.image && !l->send.published)
		return -EBUSY;
	link_send_fini(&l->send);
	l->send.image = image;
	l->send.event_ns = event_ns;
	err = todo_fill(l, all);
	if (err < 0) {
		link_send_fini(&l->send);
		return err;
	}
	/* from the loop, so that the caller never sees a down() inside this call */
	loop_event_add(l->writable, UINT64_MAX);
	return 0;
}

void link_send_adopted(struct link *l)
{
	const struct table_image *image = l->send.image;

	if (!image || !l->send.published)
		return;
	held_clear(&l->held);
	for (u32 i = 0; i < image->manifest->n_segments; i++)
		held_add(&l->held, image->segments[i].desc.id);
	link_send_fini(&l->send);
}

void link_send_fini(struct link_send *s)
{
	free(s->todo);
	memset(s, 0, sizeof(*s));
}
