/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heard.h - what the netlink thread hears of twins, their addresses and neighbours, in a queue to the loop; and requests to
 * the kernel, whose answers come by the same queue. Bounded: what finds no room is dumped again once the loop has caught up.
 */
#pragma once

#include <pthread.h>

#include "core/mirror.h"
#include "core/neighbours.h"
#include "core/twin_addresses.h"
#include "io/netlink.h"

#define HEARD_MAX 262144u /* more neighbours than any kernel keeps; some 40 MB */

/* What the netlink thread hands over. */
enum heard_type {
	HEARD_LINK,
	HEARD_ADDR,
	HEARD_NEIGH,
	HEARD_DUMP,
	HEARD_NEIGH_ANSWER,
	HEARD_ADDR_ANSWER,
};

struct heard {
	enum heard_type type;
	enum mirror_verb verb;
	enum netlink_kind kind;
	bool begin, complete;
	int err;
	char port[CONFIG_NAME_MAX];
	union {
		struct mirror_link link;
		struct mirror_addr addr;
		struct mirror_neigh neigh;
	};
};

struct heard_list {
	struct heard *h;
	u32 n, cap;
};

/* Whose twin an interface was, as last told. */
struct twin_seen {
	u32 ifindex;
	char port[CONFIG_NAME_MAX];
};

struct heard_queue {
	struct netlink *nl;
	int fd; /* readable when there is something */

	/* the loop's */
	struct heard_list taken; /* being worked on from `next` on */
	u32 next;

	/* netlink's thread */
	struct twin_seen twins[NEIGHBOURS_MAX_PORTS];
	u32 n_twins;

	/* under lock */
	pthread_mutex_t lock;
	struct heard_list heard;
	bool lost; /* no room for some of it */
};

/** heard_open() - follows @nl from its start on. Before that. Thread: loop. Return: 0, -errno. */
int heard_open(struct heard_queue *q, struct netlink *nl);
/** heard_close() - after netlink's thread has ended. One that is zero, or that failed to open, is fine. */
void heard_close(struct heard_queue *q);
/** heard_next() - Thread: loop. Return: NULL = nothing now. Valid until the next call. */
const struct heard *heard_next(struct heard_queue *q);
/** heard_wake() - have the descriptor readable. Any thread. */
void heard_wake(struct heard_queue *q);

/**
 * heard_ask_neighbour() - NEIGHBOURS_ACT_ASK or FORGET. @port: its name. To ASK there will be a HEARD_NEIGH_ANSWER.
 * Thread: loop. Return: 0, -ENOMEM.
 */
int heard_ask_neighbour(struct heard_queue *q, const char *port, const struct neighbours_act *a);
/** heard_ask_address() - there will be a HEARD_ADDR_ANSWER; without memory there is none, and nothing was asked. */
void heard_ask_address(struct heard_queue *q, const char *port, const struct twin_addresses_act *a);
