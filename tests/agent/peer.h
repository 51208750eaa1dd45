/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h - the other end of the link for tests: listens where a dataplane does, speaks abi/link.h, and stages, checks
 * and opens what it is sent with the dataplane's own library. It forwards nothing and has no workers. One thread: the
 * test's, which says when it reads.
 */
#pragma once

#include <dwcp/abi/link.h>
#include <dwcp/abi/ring.h>
#include <dwcp/base.h>
#include <dwcp/util/generation.h>

struct peer_cfg {
	const char *path; /* of the socket */
	u32 n_ports;
	const char *const *port_names; /* [n_ports] into the stats page */
	u64 generation;		       /* to claim in the hello while nothing was adopted */
	u64 config_hash;
	bool old; /* of before there was a port_addr section: not in the hello, and refused */
};

struct peer;

struct peer *peer_open(const struct peer_cfg *cfg);
void peer_close(struct peer *p);

/** peer_accept() - wait for the agent and greet it. Return: 0, -ETIMEDOUT, -errno. */
int peer_accept(struct peer *p, u32 timeout_ms);
void peer_disconnect(struct peer *p);
bool peer_connected(const struct peer *p);

struct peer_publish {
	u64 generation;
	bool adopted;
	char reason[DWCP_LINK_REASON_MAX];
	u64 event_ns, swapped_ns;
	u32 n_segments, n_sent; /* of the manifest; staged since the publish before */
	u64 bytes_sent;
	u64 intent_revision;
};

enum peer_answer {
	PEER_HONEST,	      /* adopt or refuse, as the checks say */
	PEER_REFUSE,	      /* for a reason of its own */
	PEER_SILENT,	      /* takes it and never answers */
	PEER_REFUSE_SEGMENTS, /* every segment, so that the manifest's are missing */
	PEER_FORGET	      /* drops all segments first, so that those held are missing */
};

/** peer_serve() - read until a PUBLISH has been dealt with. Return: 0, -ETIMEDOUT, -ECONNRESET. */
int peer_serve(struct peer *p, enum peer_answer answer, u32 timeout_ms, struct peer_publish *ret);
/** peer_quiet() - Return: true when nothing came for so long. */
bool peer_quiet(struct peer *p, u32 ms);
/** peer_send() - any bytes, for agents that must survive them. */
int peer_send(struct peer *p, const void *bytes, size_t len);

const struct generation *peer_generation(const struct peer *p);
/** peer_event() - into the control thread's ring, and signal. Return: false when full. */
bool peer_event(struct peer *p, const struct dwcp_event *e);
void *peer_stats(struct peer *p);
