/* SPDX-License-Identifier: BSD-3-Clause */
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define LOOP_OTHERS_NICE 5

struct loop_event {
	struct loop *loop;
	struct event *event;
	const char *name;
	void (*fn)(void *arg, short what);
	void *arg;
};

/* libevent's own warnings are events too. */
static void library_warned(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_event("loop.library message=\"%s\"", text);
}

int loop_init(struct loop *l)
{
	struct event_config *cfg = event_config_new();

	if (!cfg)
		return -ENOMEM;
	event_set_log_callback(library_warned);
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);	   /* one thread */
	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER); /* windows are milliseconds */
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return l->base ? 0 : -ENOMEM;
}

void loop_fini(struct loop *l)
{
	if (l->base)
		event_base_free(l->base);
	l->base = NULL;
}

void loop_give_way(void)
{
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), LOOP_OTHERS_NICE) < 0)
		log_event("loop.priority error=\"%s\"", strerror(errno));
}

void loop_account(struct loop *l, const char *where, u64 ns, u64 cpu_ns)
{
	l->cpu_max_ns = DWCP_MAX(l->cpu_max_ns, cpu_ns);
	if (ns <= l->stall_max_ns)
		return;
	l->stall_max_ns = ns;
	snprintf(l->stall_where, sizeof(l->stall_where), "%s", where);
	if (ns > LOOP_STALL_NS)
		log_event("loop.stall where=%s us=%llu cpu_us=%llu", where,
			  (unsigned long long)(ns / 1000), (unsigned long long)(cpu_ns / 1000));
}

static void fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *e = arg;
	struct loop *l = e->loop;
	const char *name = e->name; /* @e may be freed by its callback */
	u64 start = clock_ns(), cpu = clock_thread_ns();

	(void)fd;
	e->fn(e->arg, what);
	loop_account(l, name, clock_ns() - start, clock_thread_ns() - cpu);
}

struct loop_event *loop_event_create(struct loop *l, const char *name, int fd, short what,
				     void (*fn)(void *arg, short what), void *arg)
{
	struct loop_event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct loop_event){.loop = l, .name = name, .fn = fn, .arg = arg};
	e->event = event_new(l->base, fd, what, fired, e);
	if (!e->event) {
		free(e);
		return NULL;
	}
	return e;
}

void loop_event_free(struct loop_event *e)
{
	if (!e)
		return;
	event_free(e->event);
	free(e);
}

void loop_event_add(struct loop_event *e, u64 after_ns)
{
	struct timeval tv = {(time_t)(after_ns / 1000000000u),
			     (suseconds_t)(after_ns % 1000000000u / 1000)};

	event_add(e->event, after_ns == UINT64_MAX ? NULL : &tv);
}

void loop_event_del(struct loop_event *e)
{
	if (e)
		event_del(e->event);
}
