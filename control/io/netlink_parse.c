/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink_parse.c - attributes are indexed by type first (a later one of a type wins, as in the kernel's own parser),
 * then read where they are needed, each with its length checked.
 */
#include "netlink_parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <dwcp/endian.h>

#define MAX_ATTRS 80 /* types above are not read */

struct attrs {
	const struct nlattr *at[MAX_ATTRS];
};

/* Return: 0; -EINVAL: bytes behind the last attribute that are none. */
static int attrs_index(const void *first, size_t len, struct attrs *ret)
{
	const struct nlattr *a = first;

	memset(ret, 0, sizeof(*ret));
	while (mnl_attr_ok(a, (int)len)) {
		size_t step = MNL_ALIGN(a->nla_len);

		if (mnl_attr_get_type(a) < MAX_ATTRS)
			ret->at[mnl_attr_get_type(a)] = a;
		len -= DWCP_MIN(step, len);
		a = (const struct nlattr *)((const u8 *)a + step);
	}
	return len == 0 ? 0 : -EINVAL;
}

static int payload_index(const struct nlmsghdr *h, size_t header, struct attrs *ret)
{
	size_t offset = MNL_ALIGN(header);

	if (h->nlmsg_len < NLMSG_HDRLEN + header)
		return -EINVAL;
	if (h->nlmsg_len < NLMSG_HDRLEN + offset)
		offset = header; /* nothing follows */
	return attrs_index((const u8 *)mnl_nlmsg_get_payload(h) + offset,
			   h->nlmsg_len - NLMSG_HDRLEN - offset, ret);
}

/* Return: the bytes of an attribute that has at least @len; NULL: it isn't there. *bad: it is too short. */
static const void *attr_bytes(const struct nlattr *a, size_t len, bool *bad)
{
	if (!a)
		return NULL;
	if (mnl_attr_get_payload_len(a) < len) {
		*bad = true;
		return NULL;
	}
	return mnl_attr_get_payload(a);
}

static u32 attr_u32(const struct nlattr *a, u32 fallback, bool *bad)
{
	const void *p = attr_bytes(a, sizeof(u32), bad);
	u32 v = fallback;

	if (p)
		memcpy(&v, p, sizeof(v));
	return v;
}

static u8 family_of(u8 af)
{
	return af == AF_INET ? FIB_IP4 : af == AF_INET6 ? FIB_IP6 : 0;
}

static void addr_read(u8 family, const u8 *p, struct fib_addr *ret)
{
	if (family == FIB_IP4)
		*ret = (struct fib_addr){.lo = be32_load(p)};
	else
		*ret = (struct fib_addr){(u64)be32_load(p) << 32 | be32_load(p + 4),
					 (u64)be32_load(p + 8) << 32 | be32_load(p + 12)};
}

static bool attr_addr(const struct nlattr *a, u8 family, struct fib_addr *ret, bool *bad)
{
	const void *p = attr_bytes(a, family == FIB_IP4 ? 4 : 16, bad);

	if (p)
		addr_read(family, p, ret);
	return p != NULL;
}

/* ---- links, addresses, neighbours ------------------------------------------------------------------------------ */

/* Is the link of this kind? */
static bool kind_is(const struct nlattr *info, const char *kind)
{
	struct attrs a;
	u16 len;

	if (!info ||
	    attrs_index(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info), &a) < 0 ||
	    !a.at[IFLA_INFO_KIND])
		return false;
	len = mnl_attr_get_payload_len(a.at[IFLA_INFO_KIND]);
	return len >= strlen(kind) &&
	       strncmp(mnl_attr_get_payload(a.at[IFLA_INFO_KIND]), kind, len) == 0;
}

static int link_parse(const struct nlmsghdr *h, struct mirror_link *ret)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a;
	const char *name;
	const void *mac;
	bool bad = false;

	if (payload_index(h, sizeof(*m), &a) < 0)
		return -EINVAL;
	if (m->ifi_family != AF_UNSPEC)
		return -ENOENT; /* of a bridge */
	*ret = (struct mirror_link){.ifindex = (u32)m->ifi_index, .flags = m->ifi_flags};
	ret->mtu = attr_u32(a.at[IFLA_MTU], 0, &bad);
	name = attr_bytes(a.at[IFLA_IFNAME], 1, &bad);
	if (name)
		memcpy(ret->name, name,
		       strnlen(name, DWCP_MIN(mnl_attr_get_payload_len(a.at[IFLA_IFNAME]),
					      sizeof(ret->name) - 1)));
	if (a.at[IFLA_ADDRESS] && mnl_attr_get_payload_len(a.at[IFLA_ADDRESS]) == 6) {
		mac = mnl_attr_get_payload(a.at[IFLA_ADDRESS]);
		memcpy(ret->mac, mac, sizeof(ret->mac));
		ret->has_mac = true;
	}
	ret->tap = kind_is(a.at[IFLA_LINKINFO], "tun");
	return bad || m->ifi_index <= 0 ? -EINVAL : 0;
}

static int addr_parse_msg(const struct nlmsghdr *h, struct mirror_addr *ret)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a;
	const u8 *protocol;
	bool bad = false;
	u8 family;

	if (payload_index(h, sizeof(*m), &a) < 0)
		return -EINVAL;
	family = family_of(m->ifa_family);
	if (!family)
		return -ENOENT;
	*ret = (struct mirror_addr){.ifindex = m->ifa_index,
				    .family = family,
				    .prefix_len = m->ifa_prefixlen,
				    .scope = m->ifa_scope};
	ret->flags = attr_u32(a.at[IFA_FLAGS], m->ifa_flags, &bad);
	protocol = attr_bytes(a.at[IFA_PROTO], 1, &bad);
	ret->protocol = protocol ? *protocol : 0;
	/* on a point-to-point link IFA_ADDRESS is the other end */
	if (!attr_addr(a.at[IFA_LOCAL], family, &ret->addr, &bad) &&
	    !attr_addr(a.at[IFA_ADDRESS], family, &ret->addr, &bad))
		bad = true;
	return bad || m->ifa_prefixlen > (family == FIB_IP4 ? 32 : 128) ? -EINVAL : 0;
}

static int neigh_parse(const struct nlmsghdr *h, struct mirror_neigh *ret)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a;
	const u8 *protocol;
	bool bad = false;
	u8 family;

	if (payload_index(h, sizeof(*m), &a) < 0)
		return -EINVAL;
	family = family_of(m->ndm_family);
	if (!family)
		return -ENOENT;
	*ret = (struct mirror_neigh){.ifindex = (u32)m->ndm_ifindex,
				     .state = m->ndm_state,
				     .flags = m->ndm_flags,
				     .family = family};
	ret->flags_ext = attr_u32(a.at[NDA_FLAGS_EXT], 0, &bad);
	protocol = attr_bytes(a.at[NDA_PROTOCOL], 1, &bad);
	ret->protocol = protocol ? *protocol : 0;
	if (!attr_addr(a.at[NDA_DST], family, &ret->addr, &bad))
		bad = true;
	if (a.at[NDA_LLADDR] && mnl_attr_get_payload_len(a.at[NDA_LLADDR]) == 6) {
		memcpy(ret->mac, mnl_attr_get_payload(a.at[NDA_LLADDR]), sizeof(ret->mac));
		ret->has_mac = true;
	}
	return bad || m->ndm_ifindex <= 0 ? -EINVAL : 0;
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

/* RTA_VIA: a gateway of another family than the route's. */
static bool via_read(const struct nlattr *a, struct mirror_path *p, bool *bad)
{
	const struct rtvia *v = attr_bytes(a, sizeof(*v), bad);
	size_t len = v ? mnl_attr_get_payload_len(a) - sizeof(*v) : 0;
	u8 family = v ? family_of((u8)v->rtvia_family) : 0;

	if (!v)
		return false;
	if (!family || len < (family == FIB_IP4 ? 4 : 16)) {
		*bad = true;
		return false;
	}
	addr_read(family, v->rtvia_addr, &p->gateway);
	p->family = family;
	return true;
}

static void hop_read(const struct attrs *a, u8 family, struct mirror_path *p, bool *bad)
{
	p->encap = a->at[RTA_ENCAP] != NULL || a->at[RTA_NEWDST] != NULL;
	if (attr_addr(a->at[RTA_GATEWAY], family, &p->gateway, bad))
		p->family = family;
	else
		via_read(a->at[RTA_VIA], p, bad);
}

static int multipath_parse(const struct nlattr *list, u8 family, struct mirror_route *ret)
{
	const u8 *at = mnl_attr_get_payload(list);
	size_t left = mnl_attr_get_payload_len(list);
	struct rtnexthop hop;
	struct attrs a;
	bool bad = false;

	while (left >= sizeof(hop)) {
		struct mirror_path *p = &ret->paths[ret->n_paths];
		size_t step;

		memcpy(&hop, at, sizeof(hop));
		step = DWCP_MIN((size_t)MNL_ALIGN(hop.rtnh_len), left);
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left ||
		    attrs_index(at + sizeof(hop), hop.rtnh_len - sizeof(hop), &a) < 0)
			return -EINVAL;
		if (ret->n_paths == MIRROR_MAX_PATHS) {
			ret->cut = true;
			return 0;
		}
		*p = (struct mirror_path){.ifindex = (u32)hop.rtnh_ifindex,
					  .weight = hop.rtnh_hops + 1u,
					  .dead = hop.rtnh_flags & RTNH_F_DEAD};
		hop_read(&a, family, p, &bad);
		ret->n_paths++;
		at += step;
		left -= step;
	}
	return bad || left ? -EINVAL : 0;
}

static void addr_mask(u8 family, u8 len, struct fib_addr *a)
{
	u32 hi = family == FIB_IP4 ? 0 : DWCP_MIN(len, 64);
	u32 lo = family == FIB_IP4 ? len + 32u : len > 64 ? len - 64u : 0;

	a->hi = hi ? a->hi & ~0ull << (64 - hi) : 0;
	a->lo = lo ? a->lo & ~0ull << (64 - lo) : 0;
}

static int route_read(const struct rtmsg *m, const struct attrs *a, struct mirror_route *r)
{
	bool bad = false;
	u8 family = r->prefix.family;

	r->table = attr_u32(a->at[RTA_TABLE], m->rtm_table, &bad);
	r->metric = attr_u32(a->at[RTA_PRIORITY], 0, &bad);
	r->nexthop_id = attr_u32(a->at[RTA_NH_ID], 0, &bad);
	if (!attr_addr(a->at[RTA_DST], family, &r->prefix.addr, &bad) && m->rtm_dst_len)
		bad = true;
	addr_mask(family, r->prefix.len, &r->prefix.addr);
	if (a->at[RTA_MULTIPATH])
		return bad ? -EINVAL : multipath_parse(a->at[RTA_MULTIPATH], family, r);
	if (a->at[RTA_OIF] || a->at[RTA_GATEWAY] || a->at[RTA_VIA]) {
		r->paths[0] = (struct mirror_path){.weight = 1};
		r->paths[0].ifindex = attr_u32(a->at[RTA_OIF], 0, &bad);
		hop_read(a, family, &r->paths[0], &bad);
		r->n_paths = 1;
	}
	return bad ? -EINVAL : 0;
}

static int route_parse(const struct nlmsghdr *h, struct mirror_route *ret)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a;
	u8 family;

	if (payload_index(h, sizeof(*m), &a) < 0)
		return -EINVAL;
	family = family_of(m->rtm_family);
	if (!family || (m->rtm_flags & RTM_F_CLONED) || m->rtm_src_len)
		return -ENOENT; /* no IP, a cache's entry, or chosen by source */
	memset(ret, 0, offsetof(struct mirror_route, paths));
	ret->cut = false;
	ret->prefix.family = family;
	ret->prefix.len = m->rtm_dst_len;
	ret->type = m->rtm_type;
	ret->protocol = m->rtm_protocol;
	ret->scope = m->rtm_scope;
	ret->tos = m->rtm_tos;
	ret->flags = m->rtm_flags;
	if (m->rtm_dst_len > (family == FIB_IP4 ? 32 : 128))
		return -EINVAL;
	return route_read(m, &a, ret);
}

/* ---- next hops --------------------------------------------------------------------------------------------------- */

static int members_parse(const struct nlattr *group, struct mirror_nexthop *ret)
{
	const u8 *at = mnl_attr_get_payload(group);
	size_t n = mnl_attr_get_payload_len(group) / sizeof(struct nexthop_grp);
	struct nexthop_grp g;

	if (!n || mnl_attr_get_payload_len(group) % sizeof(g))
		return -EINVAL;
	ret->cut = n > MIRROR_MAX_PATHS;
	n = DWCP_MIN(n, (size_t)MIRROR_MAX_PATHS);
	for (size_t i = 0; i < n; i++) {
		memcpy(&g, at + i * sizeof(g), sizeof(g));
		/* the byte behind the weight became its upper half in 6.12, and was 0 before */
		ret->members[i] =
			(struct mirror_member){g.id,
					       (g.weight | (u32)((const u8 *)&g)[5] << 8) + 1};
	}
	ret->n_members = (u32)n;
	return 0;
}

static int nexthop_parse(const struct nlmsghdr *h, struct mirror_nexthop *ret)
{
	const struct nhmsg *m = mnl_nlmsg_get_payload(h);
	struct attrs a;
	bool bad = false;
	u8 family;

	if (payload_index(h, sizeof(*m), &a) < 0)
		return -EINVAL;
	family = family_of(m->nh_family);
	memset(ret, 0, offsetof(struct mirror_nexthop, members));
	ret->cut = false;
	ret->id = attr_u32(a.at[NHA_ID], 0, &bad);
	ret->blackhole = a.at[NHA_BLACKHOLE] != NULL;
	ret->fdb = a.at[NHA_FDB] != NULL;
	ret->path.weight = 1;
	ret->path.ifindex = attr_u32(a.at[NHA_OIF], 0, &bad);
	ret->path.encap = a.at[NHA_ENCAP] != NULL;
	if (family && attr_addr(a.at[NHA_GATEWAY], family, &ret->path.gateway, &bad))
		ret->path.family = family;
	if (a.at[NHA_GROUP] && members_parse(a.at[NHA_GROUP], ret) < 0)
		bad = true;
	return bad || !ret->id ? -EINVAL : 0;
}

const struct nlmsghdr *netlink_message_next(const u8 **at, size_t *left)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)*at;
	size_t step;

	if (*left < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > *left)
		return NULL;
	step = DWCP_MIN(((size_t)h->nlmsg_len + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1),
			*left);
	*at += step;
	*left -= step;
	return h;
}

int netlink_parse(const struct nlmsghdr *h, struct netlink_message *ret)
{
	if (h->nlmsg_len < NLMSG_HDRLEN)
		return -EINVAL;
	ret->nlmsg_flags = h->nlmsg_flags;
	ret->verb = MIRROR_NEW;
	switch (h->nlmsg_type) {
	case RTM_DELLINK:
		ret->verb = MIRROR_DEL;
		/* fall through */
	case RTM_NEWLINK:
		ret->type = NETLINK_MSG_LINK;
		return link_parse(h, &ret->link);
	case RTM_DELADDR:
		ret->verb = MIRROR_DEL;
		/* fall through */
	case RTM_NEWADDR:
		ret->type = NETLINK_MSG_ADDR;
		return addr_parse_msg(h, &ret->addr);
	case RTM_DELNEIGH:
		ret->verb = MIRROR_DEL;
		/* fall through */
	case RTM_NEWNEIGH:
		ret->type = NETLINK_MSG_NEIGH;
		return neigh_parse(h, &ret->neigh);
	case RTM_DELNEXTHOP:
		ret->verb = MIRROR_DEL;
		/* fall through */
	case RTM_NEWNEXTHOP:
		ret->type = NETLINK_MSG_NEXTHOP;
		return nexthop_parse(h, &ret->nexthop);
	case RTM_DELROUTE:
		ret->verb = MIRROR_DEL;
		/* fall through */
	case RTM_NEWROUTE:
		ret->type = NETLINK_MSG_ROUTE;
		return route_parse(h, &ret->route);
	default:
		return -ENOENT;
	}
}
