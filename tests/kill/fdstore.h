/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fdstore.h - the part of a service manager that a dataplane needs: takes FDSTORE=1 messages on NOTIFY_SOCKET, keeps the
 * fds by name, and hands them to the next start as LISTEN_FDS (sd_notify(3), sd_listen_fds(3)).
 */
#pragma once

#include <pthread.h>

#include "harness.h"

#define FDSTORE_MAX 512

struct fdstore {
	char path[108];
	int fd;
	struct {
		char name[64];
		int fd;
	} kept[FDSTORE_MAX];
	u32 n;
	pthread_t
		thread; /* reads all the while: the queue of a datagram socket is short, and its senders wait */
	pthread_mutex_t mutex;
	bool stop;
	u64 messages;
};

void fdstore_open(struct fdstore *s, const struct lab *lab);
void fdstore_close(struct fdstore *s);
/** fdstore_settle() - wait until no message has come for 100 ms. Return: the number of fds kept. */
u32 fdstore_settle(struct fdstore *s);
/** fdstore_start() - a program with NOTIFY_SOCKET and everything kept. */
void fdstore_start(struct fdstore *s, struct lab *lab, struct proc *p, const char *name,
		   const char *const *argv);
