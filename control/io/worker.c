/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"

#define WORKER_DONE_NS 1000000u /* of a turn of the loop; the result that it is with is finished */

struct job_list {
	struct job *first, **end;
};

struct worker {
	struct loop *loop;
	struct loop_event *event;
	int fd;
	pthread_t thread;
	bool started;

	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list todo, done;
	bool stop;
};

static void list_init(struct job_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->end = j;
	l->end = &j->next;
}

static struct job *list_pop(struct job_list *l)
{
	struct job *j = l->first;

	if (!j)
		return NULL;
	l->first = j->next;
	if (!l->first)
		l->end = &l->first;
	return j;
}

static void loop_wake(struct worker *w)
{
	u64 one = 1;

	if (write(w->fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: the loop is awake */
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct job *j;

	loop_give_way();
	pthread_mutex_lock(&w->lock);
	for (;;) {
		j = list_pop(&w->todo);
		if (!j && w->stop)
			break;
		if (!j) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		j->run(j);
		pthread_mutex_lock(&w->lock);
		list_push(&w->done, j);
		/* The loop must not find the lock taken by a thread that it has just pushed off the CPU. */
		pthread_mutex_unlock(&w->lock);
		loop_wake(w);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static struct job *done_take(struct worker *w)
{
	struct job *j;

	pthread_mutex_lock(&w->lock);
	j = list_pop(&w->done);
	pthread_mutex_unlock(&w->lock);
	return j;
}

static void results_arrived(void *arg, short what)
{
	struct worker *w = arg;
	struct job *j = NULL;
	u64 n, end_ns = clock_ns() + WORKER_DONE_NS;

	(void)what;
	if (read(w->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	do {
		j = done_take(w);
		if (!j)
			return;
		j->done(j);
	} while (clock_ns() < end_ns);
	loop_wake(w); /* there may be more: after the others' turn */
}

static int thread_start(struct worker *w, const char *name)
{
	int err;

	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0)
		return -errno;
	w->event =
		loop_event_create(w->loop, name, w->fd, EV_READ | EV_PERSIST, results_arrived, w);
	if (!w->event)
		return -ENOMEM;
	loop_event_add(w->event, UINT64_MAX);
	err = pthread_create(&w->thread, NULL, worker_main, w);
	if (err)
		return -err;
	pthread_setname_np(w->thread, name);
	w->started = true;
	return 0;
}

int worker_create(struct loop *loop, const char *name, struct worker **ret_worker)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	list_init(&w->todo);
	list_init(&w->done);
	err = loop ? thread_start(w, name) : 0;
	if (err < 0) {
		worker_free(w);
		return err;
	}
	*ret_worker = w;
	return 0;
}

void worker_submit(struct worker *w, struct job *j)
{
	if (!w->loop) {
		j->run(j);
		j->done(j);
		return;
	}
	pthread_mutex_lock(&w->lock);
	list_push(&w->todo, j);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->wake);
}

void worker_free(struct worker *w)
{
	struct job *j;

	if (!w)
		return;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->wake);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	while ((j = done_take(w)) != NULL)
		j->done(j);
	loop_event_free(w->event);
	if (w->fd >= 0)
		close(w->fd);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
