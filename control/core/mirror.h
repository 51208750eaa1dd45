/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror.h - what the kernel says over rtnetlink, as plain structs: no sockets, no message bytes.
 *
 * io/netlink_parse.c makes them of messages, io/netlink.h hands them on. Routes and next hops go to core/kernel_routes.h;
 * links, addresses and neighbours to whoever registered for them. Constants are the kernel's own (RTN_…, RTPROT_…,
 * NUD_…, IFF_…, IFA_F_…), addresses are in host order, a family is FIB_IP4 or FIB_IP6 and 0 where there is none.
 * Thread: the netlink thread's.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/config.h>

#define MIRROR_MAX_PATHS 256 /* of a message; more are cut, and counted */

/* ---- links, addresses, neighbours ----------------------------------------------------------------------------- */

struct mirror_link {
	u32 ifindex;
	u32 flags; /* IFF_… of <linux/if.h>; IFF_LOWER_UP is carrier */
	u32 mtu;
	u8 mac[6];
	bool has_mac;
	bool tap; /* a TUN or TAP interface: a twin that somebody's process made */
	char name[CONFIG_IFNAME_MAX];
	const char *port; /* whose twin it is, by its name in the configuration; NULL = of none */
};

struct mirror_addr {
	u32 ifindex;
	u32 flags;	      /* IFA_F_… */
	struct fib_addr addr; /* our own, also of a point-to-point link */
	u8 family, prefix_len;
	u8 scope;    /* RT_SCOPE_… */
	u8 protocol; /* IFAPROT_…; 0 = none */
	const char *port;
};

struct mirror_neigh {
	u32 ifindex;
	u16 state; /* NUD_… */
	u8 flags;  /* NTF_… */
	u32 flags_ext;
	struct fib_addr addr;
	u8 family;
	u8 protocol; /* RTPROT_…, 0 = none */
	u8 mac[6];
	bool has_mac;
	const char *port;
};

/* ---- routes and next hops -------------------------------------------------------------------------------------- */

struct mirror_path {
	struct fib_addr gateway;
	u32 ifindex; /* 0 = none (types that do not forward) */
	u32 weight;  /* 1 … */
	u8 family;   /* of the gateway, which may be IPv6 for an IPv4 route; 0 = on link */
	bool encap;  /* with a tunnel header: nothing that we could send */
	bool dead;   /* the kernel does not use it */
};

struct mirror_route {
	u32 table, metric, nexthop_id; /* 0 = no next-hop object */
	struct fib_prefix prefix;      /* its vrf is not used */
	u8 type, protocol, scope, tos;
	u32 flags; /* RTM_F_… */
	u32 n_paths;
	struct mirror_path paths[MIRROR_MAX_PATHS];
	bool cut; /* it had more */
};

struct mirror_member {
	u32 nexthop_id, weight;
};

struct mirror_nexthop {
	u32 id;
	bool blackhole, fdb;
	struct mirror_path path; /* when there are no members */
	u32 n_members;
	struct mirror_member members[MIRROR_MAX_PATHS];
	bool cut;
};

/* What became of it: the kernel's NLM_F_… of the notification matter only for routes. */
enum mirror_verb { MIRROR_NEW, MIRROR_DEL };
