/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neighbours.h - whose link-layer address we need, what the kernel knows of it, and what the tables are told: a state
 * machine and nothing else. Events go in with the time, actions come out; no sockets, no clock.
 *
 * The kernel does ARP and ND. We tell it whom to keep: an entry that it manages (NTF_EXT_MANAGED) is resolved at once
 * and probed for ever, although the kernel sees none of the packets that use it. Kept are
 *   - gateways: whoever routes send to, for as long as they do
 *   - hosts: on link; because a packet wanted one (the dataplane says so), or because the kernel talked to it. A
 *     bounded number, asked for at a bounded rate, of which half is kept for those that were wanted before: somebody
 *     who walks through a prefix must not lock out whoever really waits. One that doesn't answer is dropped after a while
 *   - whatever the kernel lost (gc, flush): it is asked again, and the address is used on for a grace time
 * A port that stays down loses all its neighbours in the tables, so that groups use others; when it is back, addresses
 * of before are used at once, and verified. A twin that is down for a moment (a worker stood still) costs nothing.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>
#include <dwcp/util/fib.h>

#include "mirror.h"

#define NEIGHBOURS_MAX_PORTS 128 /* names that are known at a time */

struct neighbours_cfg {
	u64 salt[2];	     /* of the tables: strangers choose addresses */
	u32 max_hosts;	     /* beside gateways */
	u32 max_pending;     /* hosts asked for without an answer yet */
	u32 max_in_flight;   /* requests to the kernel without its answer */
	u32 ask_burst;	     /* tokens for hosts: half of them for those wanted before */
	u64 ask_interval_ns; /* one comes back every so often */
	u64 again_ns;	     /* between two requests for one neighbour */
	u64 denied_ns;	     /* the same, after the kernel refused */
	u64 refresh_ns;	     /* the same, where the kernel cannot manage entries */
	u64 answer_ns;	     /* a host that hasn't answered by then has failed */
	u64 failed_ns;	     /* how long a failed host is remembered */
	u64 failed_again_ns; /* when a packet may have it asked for again */
	u64 hold_ns;	     /* how long a port must be down until its neighbours go */
	u64 grace_ns;	     /* an address is used that long without the kernel's knowing it */
	u64 duplicate_ns;    /* within this time an address that comes back makes a duplicate */
};

/** neighbours_cfg_default() - as the agent uses it; the salt is the caller's. */
void neighbours_cfg_default(struct neighbours_cfg *ret);

enum neighbour_told { NEIGHBOUR_UNTOLD, NEIGHBOUR_TOLD_RESOLVED, NEIGHBOUR_TOLD_FAILED };

struct neighbour {
	struct fib_addr addr;
	u8 family; /* 0 = free */
	u8 port;   /* into neighbours.ports */
	u8 mac[6], mac_before[6];
	u8 told_mac[6];
	u8 told; /* enum neighbour_told: what the tables have */
	bool has_mac, has_before;
	bool gateway, host;	       /* why it is kept */
	bool present, managed, marked; /* in the kernel */
	bool router;		       /* says so itself (ND) */
	bool failed;
	bool pending; /* a host that was asked for without an answer yet */
	bool duplicate;
	u16 nud;
	u32 moves, swaps;
	u64 since_ns;  /* of resolved, failed, or neither */
	u64 seen_ns;   /* when the kernel last said something of it */
	u64 moved_ns;  /* 0 = never */
	u64 asked_ns;  /* 0 = not since it was lost, or never */
	u64 lost_ns;   /* its address is not backed by the kernel since; 0 = it is */
	u64 due_ns;    /* UINT64_MAX: nothing to be done by time */
	u64 n_dropped; /* packets that wanted it in vain, as far as the dataplane told */
	int err;       /* the kernel's last answer */
	u32 next;      /* of its bucket, or free */
	u32 due_at;    /* place in neighbours.due + 1; 0 = not there */
};

struct neighbours_port {
	char name[CONFIG_NAME_MAX]; /* empty = free */
	u32 ifindex;		    /* of its twin; 0 = none */
	bool up;
	u64 down_ns;	 /* since when it isn't */
	bool unready[2]; /* by family, IPv4 first: there is no address to ask from yet */
	bool kept;	 /* configured: its place is never another's */
	u32 n;		 /* neighbours */
};

enum neighbours_act_type {
	NEIGHBOURS_ACT_ASK,    /* the kernel, to keep it */
	NEIGHBOURS_ACT_FORGET, /* the kernel, to drop it */
	NEIGHBOURS_ACT_SET,    /* the tables, resolved or failed */
	NEIGHBOURS_ACT_DEL,    /* the tables */
	NEIGHBOURS_ACT_MOVED,  /* worth a line: mac_before → mac */
	NEIGHBOURS_ACT_DUPLICATE,
};

struct neighbours_act {
	enum neighbours_act_type type;
	u32 ifindex; /* ASK, FORGET */
	u8 port;
	u8 family;
	struct fib_addr addr;
	u8 mac[6], mac_before[6];
	bool failed; /* SET */
};

struct neighbours_facts {
	u32 n, n_gateways, n_hosts, n_resolved, n_failed, n_incomplete;
	u32 n_pending, n_in_flight;
	u64 n_asked, n_again; /* requests; of them for what was lost */
	u64 n_moves, n_duplicates;
	u64 n_suppressed; /* packets' wishes that the rate did not allow */
	u64 n_refused;	  /* hosts beyond max_hosts */
	u64 n_errors;
	int err; /* the last one of the kernel's; 0 after a success */
};

struct neighbours {
	struct neighbours_cfg cfg;
	struct neighbours_port ports[NEIGHBOURS_MAX_PORTS];
	struct neighbour *e; /* e[0] is unused */
	u32 n, cap, free;
	u32 *bucket;
	u32 mask;
	u32 *due; /* [cap] entries that have something to be done by time, in no order */
	u32 n_due;
	u64 recent[1024]; /* who was wanted in vain lately */
	u32 tokens[2];	  /* for those wanted for the first time, and again */
	u64 tokens_ns;
	struct neighbours_act *acts; /* to be taken */
	u32 n_acts, cap_acts;
	struct neighbours_facts facts;
};

int neighbours_init(struct neighbours *s, const struct neighbours_cfg *cfg, u64 now_ns);
void neighbours_fini(struct neighbours *s);

/** neighbours_port() - the place of a name, made when it is new. Return: < 0: there are too many. */
int neighbours_port(struct neighbours *s, const char *name);

enum neighbours_evt_type {
	NEIGHBOURS_EVT_TICK,
	NEIGHBOURS_EVT_LINK,	   /* @ifindex (0 = there is no twin), @up */
	NEIGHBOURS_EVT_READY,	   /* there is an address of @family to ask from, or none: @up */
	NEIGHBOURS_EVT_KERNEL,	   /* @neigh, @verb */
	NEIGHBOURS_EVT_DUMP_BEGIN, /* what follows is all that there is … */
	NEIGHBOURS_EVT_DUMP_END,   /* … if @complete */
	NEIGHBOURS_EVT_GATEWAY,	   /* @addr is used by routes, or not any more: @used */
	NEIGHBOURS_EVT_WANTED,	   /* packets were dropped for @addr: @n since last told */
	NEIGHBOURS_EVT_ANSWER,	   /* to ASK: @err */
};

struct neighbours_evt {
	enum neighbours_evt_type type;
	u8 port;
	u8 family;
	bool up, complete, used;
	struct fib_addr addr; /* GATEWAY, WANTED, ANSWER */
	u32 ifindex, n;
	int err;
	enum mirror_verb verb;
	const struct mirror_neigh *neigh; /* borrowed */
};

/**
 * neighbours_step() - Allocates: for new neighbours and actions; without memory what cannot be done now is due later.
 * Actions gather in s->acts until neighbours_acts_clear().
 */
void neighbours_step(struct neighbours *s, const struct neighbours_evt *e, u64 now_ns);
void neighbours_acts_clear(struct neighbours *s);
/** neighbours_due_ns() - when the next TICK is needed; UINT64_MAX = not. Cost: O(those with something to be done), bounded. */
u64 neighbours_due_ns(const struct neighbours *s, u64 now_ns);
/** neighbours_at() - of 1 … s->n - 1; NULL: free. */
const struct neighbour *neighbours_at(const struct neighbours *s, u32 i);
const struct neighbour *neighbours_find(const struct neighbours *s, u8 port, u8 family,
					const struct fib_addr *a);
/** neighbours_tell_again() - everything is SET again: the tables have been emptied. */
void neighbours_tell_again(struct neighbours *s, u64 now_ns);
/** neighbours_facts() - fills what is counted by looking at all. */
void neighbours_facts(const struct neighbours *s, struct neighbours_facts *ret);
