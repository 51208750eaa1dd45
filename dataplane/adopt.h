/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adopt.h - how a generation comes into force: stage, check, swap one pointer, wait until no worker can hold the old
 * one, then unmap it. Control thread.
 */
#pragma once

#include <jansson.h>

#include "dataplane.h"

#define ADOPT_HISTORY 256

struct adopt_row {
	u64 generation, unix_ns, event_ns, sent_ns;
	u64 received_ns, validated_ns, swapped_ns, quiescent_ns;
	u64 mapped_bytes;
	u32 n_segments, n_new_segments;
	bool refused;
	char reason[GENERATION_REASON_MAX];
};

/* Called when a publish has ended, either way. */
typedef void (*adopt_done_fn)(void *arg, const struct adopt_row *row);

int adopt_open(struct dataplane *dp);
void adopt_close(struct dataplane *dp);
void adopt_on_done(struct dataplane *dp, adopt_done_fn fn, void *arg);

/** adopt_stage() - take a segment in. @fd: taken. Return: as segment_set_stage(). */
int adopt_stage(struct dataplane *dp, const struct dwcp_segment_desc *desc, int fd,
		char *ret_reason);
/** adopt_publish() - adopt what a sealed manifest names. @fd: taken. The answer comes through adopt_done_fn. */
void adopt_publish(struct dataplane *dp, int fd, u64 generation, u64 event_ns, u64 sent_ns);
/** adopt_restore() - start from the fds of the service manager's store, else from the file on disk. 0 or -ENOENT. */
int adopt_restore(struct dataplane *dp);
/** adopt_drop_staged() - the link is gone: what it staged and did not publish is let go. */
void adopt_drop_staged(struct dataplane *dp);

/** adopt_note_refusal() - something that never came to a publish was refused: it shows in status. */
void adopt_note_refusal(struct dataplane *dp, const char *what, const char *reason);

/** adopt_page_bytes() - 2 MB pages that tables are in, or will be. */
u64 adopt_page_bytes(const struct dataplane *dp);
u32 adopt_held_ids(const struct dataplane *dp, u64 *ret_ids, u32 cap);
const struct adopt_row *adopt_last_refusal(const struct dataplane *dp);
json_t *adopt_history_json(const struct dataplane *dp, u32 limit);
json_t *adopt_sections_json(const struct dataplane *dp);
bool adopt_pending(const struct dataplane *dp);
