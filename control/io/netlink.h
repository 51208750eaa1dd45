/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.h - the only conversation with the kernel's routing socket: one thread that dumps, then follows.
 *
 * Links, addresses, neighbours, next hops and routes of the agent's network namespace. When the kernel had to drop
 * messages (ENOBUFS), everything is dumped again; what a dump no longer holds is for the receiver to drop: it marks at
 * dump_begin, sweeps at dump_end. Messages that arrive while a dump runs come in between, in the kernel's order.
 *
 * Every callback runs on the netlink thread and may take microseconds: it hands on what it gets (to the builder by
 * worker_submit(), which any thread may call). Structs are borrowed for the call. Requests go out by a second socket,
 * and are answered on the same thread.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>

#include "../core/mirror.h"

enum netlink_kind {
	NETLINK_KIND_LINK,
	NETLINK_KIND_ADDR,
	NETLINK_KIND_NEIGH,
	NETLINK_KIND_NEXTHOP,
	NETLINK_KIND_ROUTE4,
	NETLINK_KIND_ROUTE6,
	NETLINK_N_KINDS
};

struct netlink_ops {
	/* A link comes again with another port when the configuration changes which port's twin it is. */
	void (*link)(void *arg, enum mirror_verb verb, const struct mirror_link *l);
	void (*addr)(void *arg, enum mirror_verb verb, const struct mirror_addr *a);
	void (*neigh)(void *arg, enum mirror_verb verb, const struct mirror_neigh *n);
	void (*nexthop)(void *arg, enum mirror_verb verb, const struct mirror_nexthop *n);
	/* @nlmsg_flags: of the message: NLM_F_REPLACE, NLM_F_APPEND, … */
	void (*route)(void *arg, enum mirror_verb verb, u16 nlmsg_flags, bool dumped,
		      const struct mirror_route *r);
	void (*dump_begin)(void *arg, enum netlink_kind kind);
	/* The dump goes on in another buffer: what was told before it was queued before it. */
	void (*dump_part)(void *arg, enum netlink_kind kind);
	/* @complete: everything that is there has been told; false: nothing may be swept, another dump follows. */
	void (*dump_end)(void *arg, enum netlink_kind kind, bool complete);
	/* The kernel dropped messages: all kinds are dumped again. */
	void (*lost)(void *arg);
	/* Some messages have been told, or netlink_wake() was called, or nothing came for a tick. */
	void (*idle)(void *arg, u64 now_ns);
};

#define NETLINK_MAX_OPS 4

struct netlink_cfg {
	u32 rcvbuf_bytes; /* asked for; forced where that is permitted */
	u64 tick_ns;
};

struct netlink;

/**
 * netlink_open() - the sockets, without a thread yet: then netlink_register(), then netlink_start().
 * Thread: the loop's. Return: 0, -errno, -ENOMEM.
 */
int netlink_open(const struct netlink_cfg *cfg, struct netlink **ret_nl);
/** netlink_register() - before the start, in the order in which they are to be called. NULL members are fine. */
void netlink_register(struct netlink *nl, const struct netlink_ops *ops, void *arg);
int netlink_start(struct netlink *nl);
/** netlink_stop() - ends the thread; requests without an answer are done with -ECANCELED. Wakes go nowhere then. */
void netlink_stop(struct netlink *nl);
void netlink_close(struct netlink *nl);

/**
 * netlink_twins_set() - which interface is which port's twin, by the configuration. Any thread; takes effect on the
 * netlink thread, where links whose port has changed are told again. @cfg: borrowed for the call.
 * Return: 0, -ENOMEM.
 */
int netlink_twins_set(struct netlink *nl, const struct dwcp_config *cfg);
/** netlink_link_find() - an interface by index, or NULL. Thread: netlink's. Valid for the callback. */
const struct mirror_link *netlink_link_find(const struct netlink *nl, u32 ifindex);
/** netlink_twin_find() - the twin of a port, or NULL. Thread: netlink's. Valid for the callback. */
const struct mirror_link *netlink_twin_find(const struct netlink *nl, const char *port);

/** netlink_dump() - ask for a kind again (a reconcile), when it is its turn. Thread: netlink's. */
void netlink_dump(struct netlink *nl, enum netlink_kind kind);
/** netlink_wake() - have idle() called soon. Any thread. */
void netlink_wake(struct netlink *nl);

struct netlink_facts {
	u64 n_messages, n_malformed, n_enobufs, n_resyncs;
	u64 n_dumps, n_dumps_again; /* again: the kernel said that one was inconsistent */
	u64 synced_ns;		    /* when everything had been dumped last; 0 = not yet */
	u64 rcvbuf_bytes;
	u32 n_links, n_twins;
	int err; /* the socket is broken for good: nothing is followed any more */
};

/** netlink_facts() - a copy; left as it is when there is none to be had without waiting. Any thread. */
void netlink_facts(struct netlink *nl, struct netlink_facts *ret);

/* ---- requests -------------------------------------------------------------------------------------------------- */

enum netlink_req_type {
	NETLINK_NEIGH_SET, /* RTM_NEWNEIGH, created or replaced; of @neigh: ifindex, addr, flags, flags_ext, state, mac if has_mac */
	NETLINK_NEIGH_DEL,
	NETLINK_ADDR_SET, /* RTM_NEWADDR, created or replaced; of @addr: ifindex, addr, prefix_len, flags, scope */
	NETLINK_ADDR_DEL,
};

struct netlink_req {
	enum netlink_req_type type;
	union {
		struct mirror_neigh neigh;
		struct mirror_addr addr;
	};
	/* The kernel's answer: 0, -errno; -ECANCELED at the end. Frees @req. */
	void (*done)(struct netlink_req *req, int err);
	void *arg;
	/* netlink's own */
	struct netlink_req *next;
	u32 seq;
};

/** netlink_request() - takes @req. Any thread; in the order of the calls. */
void netlink_request(struct netlink *nl, struct netlink_req *req);
