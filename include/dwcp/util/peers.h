/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peers.h - whom the router itself has sessions with, as seen in what its kernel sends (host_session_of()). Packets from
 * these have rates of their own, so that a flood from anywhere else, however much it looks like one of these sessions,
 * doesn't end them.
 *
 * A fixed table, four entries a bucket, the oldest gives way; what was not seen for PEERS_KEPT_S seconds counts no more. An
 * entry is one word, hash and time, so there are no locks: one thread writes, any number read.
 */
#pragma once

#include <dwcp/base.h>

#define PEERS_BUCKETS 1024u
#define PEERS_WAYS    4u
#define PEERS_KEPT_S  600u /* some keepalives of BGP, which are at most minutes apart */

struct peers {
	u64 key[2];
	u64 slot[PEERS_BUCKETS][PEERS_WAYS]; /* 0 = none */
};

/** peers_init() - @key: random, so that nobody can aim at a bucket. */
void peers_init(struct peers *p, const u64 key[2]);
/** peers_note() - @class, @peer: as host_session_of() says. @now_s: any clock of seconds. Thread: the writer. */
void peers_note(struct peers *p, u32 class, u64 peer, u32 now_s);
/** peers_has() - Thread: any. */
bool peers_has(const struct peers *p, u32 class, u64 peer, u32 now_s);
