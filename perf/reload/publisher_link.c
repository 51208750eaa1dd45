/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher_link.c - see publisher_link.h. One message a time, blocking: the publisher has nothing else to do.
 */
#include "publisher_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/util/generation.h>

#define ANSWER_S 30
#define RETRY_NS 1000000

struct received {
	u64 bytes[DWCP_LINK_MAX_BYTES / 8];
	u32 n_fds;
	int fd[DWCP_LINK_MAX_FDS];
};

union control {
	char bytes[CMSG_SPACE(sizeof(int) * DWCP_LINK_MAX_FDS)];
	struct cmsghdr align;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* Descriptors in flight are limited, and nothing tells when there is room again. */
static int message_send(int fd, void *msg, size_t len, u16 type, const int *fds, u32 n_fds)
{
	union control control = {0};
	struct dwcp_link_hdr *hdr = msg;
	struct iovec iov = {msg, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes};
	struct timespec rest = {.tv_nsec = RETRY_NS};
	struct cmsghdr *c;

	*hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION, type, (u32)len, n_fds};
	m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
		if (errno != ETOOMANYREFS && errno != EINTR)
			return -errno;
		nanosleep(&rest, NULL);
	}
	return 0;
}

static void received_close(struct received *r)
{
	for (u32 i = 0; i < r->n_fds; i++)
		close(r->fd[i]);
	r->n_fds = 0;
}

/* Return: the message's type, or -errno. Its descriptors are the caller's. */
static int message_receive(int fd, struct received *r)
{
	union control control;
	struct iovec iov = {r->bytes, sizeof(r->bytes)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control)};
	const struct dwcp_link_hdr *hdr = (const void *)r->bytes;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	r->n_fds = 0;
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		r->n_fds = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(r->fd, CMSG_DATA(c), r->n_fds * sizeof(int));
	}
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n < sizeof(*hdr) || hdr->magic != DWCP_LINK_MAGIC ||
	    hdr->version != DWCP_LINK_VERSION || hdr->bytes != (u32)n)
		return -EPROTO;
	return hdr->type;
}

static int hello_receive(int fd, u64 *ret_generation)
{
	const struct dwcp_link_hello *hello;
	struct received r;
	int type = message_receive(fd, &r);
	u32 n_held = 0;

	hello = (const void *)r.bytes;
	received_close(&r); /* pages: the stats are asked for elsewhere */
	if (type != DWCP_LINK_HELLO)
		return type < 0 ? type : -EPROTO;
	*ret_generation = hello->generation;
	n_held = hello->n_held;
	while (n_held) {
		const struct dwcp_link_held *held = (const void *)r.bytes;

		type = message_receive(fd, &r);
		received_close(&r);
		if (type != DWCP_LINK_HELD || held->n > n_held)
			return type < 0 ? type : -EPROTO;
		n_held -= held->n;
	}
	return 0;
}

int publisher_connect(const char *run_dir, u64 *ret_generation)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval answer = {.tv_sec = ANSWER_S};
	int fd, err, size = 1 << 20;

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", run_dir, DWCP_LINK_SOCKET) >=
	    (int)sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer));
	err = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0
		      ? -errno
		      : hello_receive(fd, ret_generation);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int segments_send(int fd, const struct dwcp_segment_desc *desc, const int *fds, u32 n)
{
	union {
		struct dwcp_link_segments msg;
		u8 bytes[sizeof(struct dwcp_link_segments) +
			 DWCP_LINK_MAX_FDS * sizeof(struct dwcp_segment_desc)];
	} m = {0};

	m.msg.n = n;
	memcpy(m.msg.desc, desc, n * sizeof(*desc));
	return message_send(fd, &m, sizeof(m.msg) + n * sizeof(*desc), DWCP_LINK_SEGMENTS, fds, n);
}

int publisher_send(int fd, const struct dwcp_manifest *m, const int *segment_fds, const bool *skip,
		   u64 event_ns)
{
	const struct dwcp_segment_desc *seg = manifest_segments(m);
	struct dwcp_segment_desc desc[DWCP_LINK_MAX_FDS];
	struct dwcp_link_publish publish = {.generation = m->generation, .event_ns = event_ns};
	int fds[DWCP_LINK_MAX_FDS], manifest, err = 0;
	u32 n = 0;

	for (u32 i = 0; !err && i < m->n_segments; i++) {
		if (!skip[i]) {
			desc[n] = seg[i];
			fds[n++] = segment_fds[i];
		}
		if (n == DWCP_LINK_MAX_FDS || (n && i + 1 == m->n_segments)) {
			err = segments_send(fd, desc, fds, n);
			n = 0;
		}
	}
	if (err)
		return err;
	manifest = manifest_seal(m);
	if (manifest < 0)
		return manifest;
	publish.sent_ns = now_ns();
	err = message_send(fd, &publish, sizeof(publish), DWCP_LINK_PUBLISH, &manifest, 1);
	close(manifest);
	return err;
}

/* Return: 0 adopted, 1 something else, -EINVAL, -EPROTO. */
static int answer_read(const struct received *r, int type, u64 generation,
		       struct dwcp_link_adopted *ret, char *ret_reason)
{
	const struct dwcp_link_segment_refused *segment = (const void *)r->bytes;
	const struct dwcp_link_refused *refused = (const void *)r->bytes;

	if (type == DWCP_LINK_SEGMENT_REFUSED) {
		snprintf(ret_reason, DWCP_LINK_REASON_MAX, "%.*s", (int)sizeof(segment->reason),
			 segment->reason);
		return 1; /* the refusal of the whole follows */
	}
	if (type == DWCP_LINK_REFUSED) {
		if (!ret_reason[0])
			snprintf(ret_reason, DWCP_LINK_REASON_MAX, "%.*s",
				 (int)sizeof(refused->reason), refused->reason);
		return -EINVAL;
	}
	if (type != DWCP_LINK_ADOPTED)
		return -EPROTO;
	memcpy(ret, r->bytes, sizeof(*ret));
	return ret->generation == generation ? 0 : -EPROTO;
}

int publisher_wait(int fd, u64 generation, struct dwcp_link_adopted *ret, char *ret_reason)
{
	struct received r;
	int got = 1;

	ret_reason[0] = 0;
	while (got == 1) {
		int type = message_receive(fd, &r);

		received_close(&r);
		got = type < 0 ? type : answer_read(&r, type, generation, ret, ret_reason);
	}
	return got;
}
