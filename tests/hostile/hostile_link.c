/* SPDX-License-Identifier: BSD-3-Clause */
/* hostile_link.c - see hostile_link.h */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostile_link.h"

#define SEND_FDS_MAX 253 /* the kernel's SCM_MAX_FD */

static void hello_take_fds(struct peer *p, struct msghdr *mh)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);

	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(p->page_fd)))
		memcpy(p->page_fd, CMSG_DATA(c), sizeof(p->page_fd));
}

static int hello_read(struct peer *p)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * DWCP_HELLO_N_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&p->hello, sizeof(p->hello)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes)};
	struct pollfd pfd = {p->fd, POLLIN, 0};

	if (poll(&pfd, 1, 3000) != 1)
		return -ETIMEDOUT;
	if (recvmsg(p->fd, &mh, MSG_CMSG_CLOEXEC) != sizeof(p->hello) ||
	    p->hello.hdr.type != DWCP_LINK_HELLO)
		return -EPROTO;
	hello_take_fds(p, &mh);
	return 0;
}

int peer_open(struct peer *p, const char *socket_path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memset(p, 0, sizeof(*p));
	memset(p->page_fd, 0xff, sizeof(p->page_fd));
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.107s", socket_path);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return hello_read(p);
}

void peer_close(struct peer *p)
{
	for (u32 i = 0; i < DWCP_HELLO_N_FDS; i++) {
		if (p->page_fd[i] >= 0)
			close(p->page_fd[i]);
	}
	close(p->fd);
	p->fd = -1;
}

int peer_send(struct peer *p, const void *bytes, size_t len, const int *fds, u32 n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd pfd = {p->fd, POLLOUT, 0};
	struct cmsghdr *c;

	if (n_fds) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	if (poll(&pfd, 1, 1000) != 1)
		return -EAGAIN;
	return sendmsg(p->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int peer_receive(struct peer *p, void *buf, size_t len, u32 timeout_ms)
{
	struct pollfd pfd = {p->fd, POLLIN, 0};
	struct dwcp_link_hdr *hdr = buf;
	ssize_t n;

	do {
		if (poll(&pfd, 1, (int)timeout_ms) != 1)
			return -ETIMEDOUT;
		n = recv(p->fd, buf, len, 0);
		if (n < 0)
			return 0; /* reset: closed too */
	} while (n >= (ssize_t)sizeof(*hdr) && hdr->type == DWCP_LINK_HELD);
	return (int)n;
}

bool peer_expect_closed(struct peer *p, u32 timeout_ms)
{
	char buf[4096];
	int n;

	do
		n = peer_receive(p, buf, sizeof(buf), timeout_ms);
	while (n > 0);
	return n == 0;
}

int peer_segments(struct peer *p, const struct dwcp_segment_desc *desc, const int *fds, u32 n)
{
	struct {
		struct dwcp_link_segments head;
		struct dwcp_segment_desc desc[DWCP_LINK_MAX_FDS];
	} msg = {.head = {.n = n}};
	u32 bytes = (u32)(sizeof(msg.head) + n * sizeof(*desc));

	msg.head.hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION,
					      DWCP_LINK_SEGMENTS, bytes, n};
	memcpy(msg.desc, desc, n * sizeof(*desc));
	return peer_send(p, &msg, bytes, fds, n);
}

const char *peer_segment_answer(struct peer *p, u32 timeout_ms)
{
	static struct dwcp_link_segment_refused msg;

	if (peer_receive(p, &msg, sizeof(msg), timeout_ms) != sizeof(msg) ||
	    msg.hdr.type != DWCP_LINK_SEGMENT_REFUSED)
		return "";
	return msg.reason;
}

int peer_publish(struct peer *p, int manifest_fd, u64 generation)
{
	struct dwcp_link_publish msg = {.generation = generation};

	msg.hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION, DWCP_LINK_PUBLISH,
					 sizeof(msg), 1};
	return peer_send(p, &msg, sizeof(msg), &manifest_fd, 1);
}

int peer_publish_answer(struct peer *p, char *ret_reason, u32 timeout_ms)
{
	union {
		struct dwcp_link_hdr hdr;
		struct dwcp_link_refused refused;
		char bytes[1024];
	} msg;
	int n = peer_receive(p, &msg, sizeof(msg), timeout_ms);

	if (n < (int)sizeof(msg.hdr))
		return -1;
	if (msg.hdr.type == DWCP_LINK_ADOPTED)
		return 1;
	if (msg.hdr.type != DWCP_LINK_REFUSED)
		return -1;
	snprintf(ret_reason, DWCP_LINK_REASON_MAX, "%s", msg.refused.reason);
	return 0;
}
