/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.h - the agent's end of the socket to the dataplane (abi/link.h): connects, checks the hello, knows which
 * segments the dataplane holds, sends those it does not, and hands on its answers. Never blocks: a full socket is
 * waited for. Thread: the loop's. When to send is core.c's decision.
 */
#pragma once

#include <dwcp/abi/link.h>
#include <dwcp/base.h>
#include <dwcp/util/rib.h>

#include "loop.h"
#include "pages.h"

struct link_ops {
	/* The hello was accepted and the pages are mapped. */
	void (*up)(void *arg, const struct dwcp_link_hello *hello);
	/* After an up, or alone when a connection did not get that far. Pages are unmapped after the call. */
	void (*down)(void *arg, const char *reason, bool was_up);
	void (*sent)(void *arg, u64 bytes, u32 n_segments);
	void (*adopted)(void *arg, const struct dwcp_link_adopted *m);
	/* @missing: segments we did not send were not there after all. */
	void (*refused)(void *arg, const struct dwcp_link_refused *m, const char *reason,
			bool missing);
};

struct link;

/** link_without() - sections that we write and this dataplane does without: bit s = section s. */
u32 link_without(const struct dwcp_link_hello *h);
/** link_create() - @path: borrowed. Starts to connect at once, and again whenever the connection is lost. */
int link_create(struct loop *loop, const char *path, const struct link_ops *ops, void *arg,
		struct link **ret_link);
void link_free(struct link *l);
/** link_pages() - valid as long as the link; pages->stats is NULL while it is down. */
const struct pages *link_pages(const struct link *l);
/**
 * link_publish() - send what the dataplane does not hold, then the manifest.
 * @image: borrowed until the answer or the down. @all: send every segment, whatever it said it holds.
 * Return: 0, -ENOTCONN, -EBUSY (one is in flight), -ENOMEM.
 */
int link_publish(struct link *l, const struct table_image *image, u64 event_ns, bool all);
/** link_reset() - drop the connection and make a new one. Calls down(). */
void link_reset(struct link *l, const char *reason);
