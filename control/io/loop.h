/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.h - the agent's event loop, on which nothing may take more than 5 ms. Every callback is entered through here and
 * timed, so that the claim can be checked: the longest is in `status` as loop_stall_max_us. What of it was not the
 * machine's doing (others had the CPU) is seen by the CPU time: loop_cpu_max_us is the most that a callback used.
 */
#pragma once

#include <event2/event.h>

#include <dwcp/base.h>

#define LOOP_STALL_NS 5000000u

struct loop {
	struct event_base *base;
	u64 stall_max_ns;
	char stall_where[48];
	u64 cpu_max_ns;
};

struct loop_event;

int loop_init(struct loop *l);
void loop_fini(struct loop *l);
/** loop_account() - a part of a callback that has a name of its own took this long, and so much of a CPU. */
void loop_account(struct loop *l, const char *where, u64 ns, u64 cpu_ns);

/** loop_give_way() - of a thread that is not the loop's: the loop goes first where the CPUs are short. */
void loop_give_way(void);

/** loop_event_create() - as event_new(). @name: static, for the metric. Return: NULL without memory. */
struct loop_event *loop_event_create(struct loop *l, const char *name, int fd, short what,
				     void (*fn)(void *arg, short what), void *arg);
void loop_event_free(struct loop_event *e);
/** loop_event_add() - @after_ns: timeout; UINT64_MAX = none. */
void loop_event_add(struct loop_event *e, u64 after_ns);
void loop_event_del(struct loop_event *e);
