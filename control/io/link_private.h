/* SPDX-License-Identifier: BSD-3-Clause */
/* link_private.h - the link's state: link.c connects and reads, link_send.c sends. */
#pragma once

#include "held.h"
#include "link.h"

enum link_state {
	LINK_WAIT,  /* to connect again */
	LINK_HELLO, /* connected, not greeted */
	LINK_HELD,  /* greeted; the list of held segments is coming */
	LINK_UP
};

/* One publish: which segments, how far. */
struct link_send {
	const struct table_image *image; /* NULL = nothing in flight */
	u64 event_ns;
	u32 *todo; /* [n_todo] indices into image->segments */
	u32 n_todo, next;
	u64 bytes;
	bool published;				   /* all sent: the answer is awaited */
	char segment_reason[DWCP_LINK_REASON_MAX]; /* of a segment that was refused */
};

struct link {
	struct loop *loop;
	const char *path;
	const struct link_ops *ops;
	void *arg;

	enum link_state state;
	int fd;
	u64 backoff_ns;
	struct loop_event *timer, *readable, *writable;
	struct pages pages;
	struct dwcp_link_hello hello;
	u32 n_held_missing; /* HELD ids still to come */
	struct held held;
	struct link_send send;
	char last_down[DWCP_LINK_REASON_MAX]; /* the same failure is told once */
	u8 *buf;			      /* [DWCP_LINK_MAX_BYTES] */
};

/** link_send_pump() - as much as the socket takes. Return: 0, -errno when the connection is beyond use. */
int link_send_pump(struct link *l);
void link_send_fini(struct link_send *s);
/** link_send_adopted() - the dataplane now holds what the manifest names, and has dropped all else. */
void link_send_adopted(struct link *l);
