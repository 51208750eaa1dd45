/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - a thread that does, one after the other, what would stall the loop. Results come back to the loop in the
 * order in which they were made. Without a loop there is no thread either: jobs run at once (fuzzing).
 */
#pragma once

#include <dwcp/base.h>

#include "loop.h"

struct job {
	void (*run)(struct job *j);  /* on the worker's thread */
	void (*done)(struct job *j); /* on the loop; frees the job */
	struct job *next;
};

struct worker;

/** worker_create() - @loop: NULL = no thread. Return: 0, -errno. */
int worker_create(struct loop *loop, const char *name, struct worker **ret_worker);
/** worker_free() - does what was submitted, then ends the thread. Thread: the loop's. */
void worker_free(struct worker *w);
/** worker_submit() - takes the job. Thread: any; without a loop the only one. */
void worker_submit(struct worker *w, struct job *j);
