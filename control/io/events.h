/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h - reads the dataplane's event rings, keeps the last events, logs some of them.
 * Woken by the dataplane's eventfd and, should a signal be lost, ten times a second. Thread: the loop's.
 */
#pragma once

#include <dwcp/abi/ring.h>
#include <dwcp/base.h>

#include "loop.h"
#include "pages.h"

#define EVENTS_KEPT 1024

struct events;

/** events_create() - @pages: borrowed, must outlive this. Return: NULL without memory. */
struct events *events_create(struct loop *loop, const struct pages *pages);
void events_free(struct events *e);
/** events_unresolved_set() - @fn is called for every DWCP_EVENT_UNRESOLVED. */
void events_unresolved_set(struct events *e, void (*fn)(void *arg, const struct dwcp_event *v),
			   void *arg);
/** events_open() - the pages are mapped: start reading. */
int events_open(struct events *e);
/** events_close() - before the pages are unmapped. Takes what is still in the rings. */
void events_close(struct events *e);

/** events_at() - the i-th newest. Return: NULL past the end. @ret_unix_ns: when it was read. */
const struct dwcp_event *events_at(const struct events *e, u32 i, u64 *ret_unix_ns);
/** events_lost() - that the dataplane could not put into a full ring, since it started. */
u64 events_lost(const struct events *e);
const char *event_type_name(u32 type);
