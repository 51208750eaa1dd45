/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_if.c - see kernel_if.h.
 *
 * The ioctl() at the end stands in front of the C library's: DPDK 22.11's af_xdp driver asks for the number of channels and
 * knows only "combined" ones, so that it opens one queue of an interface that counts rx and tx channels apart (veth, some
 * NICs), and it reads errno after a call that did not fail. It gets pairs as combined channels, and a clean errno.
 *
 * So does the setsockopt() behind it: the af_packet driver has the kernel put IPv4 fragments together before they reach its
 * ring, whole packets that no port can send on. It gets sockets whose fragments stay what they are.
 */
#include "kernel_if.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One request about one interface. @r: the rest of it filled in, and the answer. */
static int if_ioctl(const char *name, unsigned long request, struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	if (ioctl(fd, request, r) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int if_ethtool(const char *name, void *command)
{
	struct ifreq r = {.ifr_data = command};

	return if_ioctl(name, SIOCETHTOOL, &r);
}

static u32 if_speed(const char *name)
{
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};
	u32 mbps;

	if (if_ethtool(name, &cmd))
		return 0;
	mbps = ethtool_cmd_speed(&cmd);
	return mbps == (u32)SPEED_UNKNOWN || mbps == UINT16_MAX ? 0 : mbps;
}

int kernel_if_get(const char *name, struct kernel_if *ret)
{
	struct ifreq index = {0}, flags = {0}, mtu = {0};
	int err = if_ioctl(name, SIOCGIFINDEX, &index);

	if (!err)
		err = if_ioctl(name, SIOCGIFFLAGS, &flags);
	if (!err)
		err = if_ioctl(name, SIOCGIFMTU, &mtu);
	if (err)
		return err;
	*ret = (struct kernel_if){
		.ifindex = (u32)index.ifr_ifindex,
		.admin_up = flags.ifr_flags & IFF_UP,
		.link_up = (flags.ifr_flags & IFF_UP) && (flags.ifr_flags & IFF_RUNNING),
		.mtu = (u32)mtu.ifr_mtu,
		.speed_mbps = if_speed(name),
	};
	return 0;
}

int kernel_if_set_up(const char *name)
{
	struct ifreq r = {0};
	int err = if_ioctl(name, SIOCGIFFLAGS, &r);

	r.ifr_flags |= IFF_UP;
	return err ? err : if_ioctl(name, SIOCSIFFLAGS, &r);
}

int kernel_if_set_mtu(const char *name, u32 mtu)
{
	struct ifreq r = {.ifr_mtu = (int)mtu};

	return if_ioctl(name, SIOCSIFMTU, &r);
}

int kernel_if_keep_tags(const char *name)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};
	int err = if_ethtool(name, &v);

	if (err || !(v.data & ETH_FLAG_RXVLAN))
		return err;
	v.cmd = ETHTOOL_SFLAGS;
	v.data &= ~(u32)ETH_FLAG_RXVLAN;
	return if_ethtool(name, &v);
}

u32 kernel_if_channels(const char *name, u32 *ret_rx_queues)
{
	struct ethtool_channels ch = {.cmd = ETHTOOL_GCHANNELS};
	u32 pairs;

	if (if_ethtool(name, &ch)) /* through the ioctl() below: pairs are combined channels */
		ch = (struct ethtool_channels){0};
	pairs = DWCP_MAX(ch.combined_count, 1u);
	*ret_rx_queues = DWCP_MAX(ch.rx_count, pairs);
	return pairs;
}

int kernel_if_watch_open(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* What they say doesn't matter, nor that some were lost (ENOBUFS): the caller looks at every interface again. */
void kernel_if_watch_drain(int fd)
{
	char buf[8192];

	while (recv(fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		;
}

static void channels_pair(struct ethtool_channels *ch)
{
	if (ch->max_combined)
		return;
	ch->max_combined = DWCP_MIN(ch->max_rx, ch->max_tx);
	ch->combined_count = DWCP_MIN(ch->rx_count, ch->tx_count);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	long ret;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = syscall(SYS_ioctl, fd, request, arg);
	if (request != SIOCETHTOOL || ret < 0)
		return (int)ret;
	errno = 0;
	if (*(u32 *)((struct ifreq *)arg)->ifr_data == ETHTOOL_GCHANNELS)
		channels_pair((struct ethtool_channels *)((struct ifreq *)arg)->ifr_data);
	return (int)ret;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t bytes)
{
	int fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && bytes == sizeof(fanout)) {
		memcpy(&fanout, value, sizeof(fanout));
		fanout &= ~((u32)PACKET_FANOUT_FLAG_DEFRAG << 16);
		value = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, bytes);
}
