/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink_private.h - the parts of the netlink thread: netlink.c (the thread, messages), netlink_dump.c (which kind is
 * dumped when), netlink_request.c (the second socket).
 */
#pragma once

#include <pthread.h>

#include "netlink.h"
#include "netlink_parse.h"

#define NETLINK_BUFFER_BYTES 32768 /* the kernel never makes a dump's part larger */
#define NETLINK_N_BUFFERS    16

struct netlink_client {
	const struct netlink_ops *ops;
	void *arg;
};

struct netlink_twin {
	char name[CONFIG_IFNAME_MAX]; /* of the interface */
	char port[CONFIG_NAME_MAX];
};

struct netlink_twins {
	struct netlink_twin *t;
	u32 n;
};

struct netlink_link {
	struct mirror_link l;
	bool marked;
};

struct netlink_dump {
	bool running, intact;
	enum netlink_kind kind;
	u32 seq;
	u32 wanted;  /* bit a kind */
	u32 unheard; /* of a resync: kinds that are still to be dumped */
	u64 due_ns;  /* not before */
	u64 delay_ns;
};

struct netlink_requests {
	struct netlink_req *first, **end;
};

struct netlink {
	struct netlink_cfg cfg;
	struct netlink_client clients[NETLINK_MAX_OPS];
	u32 n_clients;
	int fd, request_fd, wake_fd;
	u32 port_id;
	u32 kinds; /* bit a kind that somebody follows */
	pthread_t thread;
	bool started;

	/* the thread's */
	struct netlink_link *links;
	u32 n_links, cap_links;
	struct netlink_twins twins;
	struct netlink_dump dump;
	struct netlink_message message;
	struct netlink_facts facts;
	u8 *buffers;
	struct netlink_req *sent[64]; /* by seq */
	u32 n_sent, request_seq;

	/* under lock */
	pthread_mutex_t lock;
	bool stop, twins_changed;
	struct netlink_twins new_twins;
	struct netlink_requests todo;
	struct netlink_facts facts_copy;
};

/* Calls one member of every client's ops that has it. */
#define NETLINK_TELL(nl, fn, ...)                                                                  \
	do {                                                                                       \
		for (u32 i_ = 0; i_ < (nl)->n_clients; i_++)                                       \
			if ((nl)->clients[i_].ops->fn)                                             \
				(nl)->clients[i_].ops->fn((nl)->clients[i_].arg, __VA_ARGS__);     \
	} while (0)

/* netlink_dump.c */
void netlink_dump_step(struct netlink *nl, u64 now_ns); /* begin the next one, if it is time */
u64 netlink_dump_due(const struct netlink *nl);		/* UINT64_MAX = none is wanted */
void netlink_dump_done(struct netlink *nl, int err, u64 now_ns);
void netlink_resync(struct netlink *nl, u64 now_ns);

/* netlink_request.c */
void netlink_requests_send(struct netlink *nl);
void netlink_requests_receive(struct netlink *nl);
void netlink_requests_fini(struct netlink *nl);
