/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink_parse.h - from a message of the routing socket to a struct of core/mirror.h, whatever bytes come.
 * Thread: any. Allocates: no.
 */
#pragma once

#include <linux/netlink.h>

#include "../core/mirror.h"

struct netlink_message {
	enum netlink_message_type {
		NETLINK_MSG_LINK,
		NETLINK_MSG_ADDR,
		NETLINK_MSG_NEIGH,
		NETLINK_MSG_NEXTHOP,
		NETLINK_MSG_ROUTE,
	} type;
	enum mirror_verb verb;
	u16 nlmsg_flags;
	union {
		struct mirror_link link;
		struct mirror_addr addr;
		struct mirror_neigh neigh;
		struct mirror_nexthop nexthop;
		struct mirror_route route;
	};
};

/**
 * netlink_message_next() - the messages of a buffer, one after the other.
 * @at, @left: moved behind the message. (libmnl's own walk takes a length of 2 GB and more for a negative one.)
 * Return: a message that is there whole, NULL at the end or where the bytes are none.
 */
const struct nlmsghdr *netlink_message_next(const u8 **at, size_t *left);
/**
 * netlink_parse() - @h: borrowed; h->nlmsg_len bytes are there.
 * Paths and members behind n_paths and n_members are left as they were.
 * Return: 0; -ENOENT (nothing that we follow: another family, a cached route, …); -EINVAL (malformed).
 */
int netlink_parse(const struct nlmsghdr *h, struct netlink_message *ret);
