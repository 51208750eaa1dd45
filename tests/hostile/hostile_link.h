/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostile_link.h - a peer on the dataplane's link that says anything it likes: raw messages with raw fds.
 */
#pragma once

#include <dwcp/abi/link.h>

struct peer {
	int fd;
	struct dwcp_link_hello hello;
	int page_fd[DWCP_HELLO_N_FDS];
};

/** peer_open() - connect and read the hello. Return: 0 or -errno. */
int peer_open(struct peer *p, const char *socket_path);
void peer_close(struct peer *p);
/** peer_send() - one message, whatever is in it. Return: 0 or -errno; waits ≤ 1 s for room. */
int peer_send(struct peer *p, const void *bytes, size_t len, const int *fds, u32 n_fds);
/** peer_receive() - next message that is not HELD. Return: bytes, 0 closed, -ETIMEDOUT. */
int peer_receive(struct peer *p, void *buf, size_t len, u32 timeout_ms);
/** peer_expect_closed() - has the dataplane ended the connection (after any answers)? */
bool peer_expect_closed(struct peer *p, u32 timeout_ms);
/** peer_segments() - a well-formed SEGMENTS message. */
int peer_segments(struct peer *p, const struct dwcp_segment_desc *desc, const int *fds, u32 n);
/** peer_segment_answer() - the reason a segment was refused for; "" when nothing was said within the time. */
const char *peer_segment_answer(struct peer *p, u32 timeout_ms);
int peer_publish(struct peer *p, int manifest_fd, u64 generation);
/** peer_publish_answer() - 1 adopted, 0 refused (reason in @ret_reason), -1 nothing. */
int peer_publish_answer(struct peer *p, char *ret_reason, u32 timeout_ms);
