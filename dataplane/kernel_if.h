/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_if.h - network interfaces of the kernel that carry a port (af_xdp, af_packet): what DPDK's drivers for them don't
 * ask or don't tell. Control thread, but for the ioctl() that drivers call.
 */
#pragma once

#include <dwcp/base.h>

struct kernel_if {
	u32 ifindex;
	bool admin_up, link_up;
	u32 mtu;
	u32 speed_mbps; /* 0 = it doesn't say */
};

/** kernel_if_get() - Return: 0, -ENODEV (no such interface in this network namespace), -errno. */
int kernel_if_get(const char *name, struct kernel_if *ret);
int kernel_if_set_up(const char *name);
int kernel_if_set_mtu(const char *name, u32 mtu);
/** kernel_if_keep_tags() - VLAN tags stay in the frames that are received. Return: 0, -errno (it can't: no matter). */
int kernel_if_keep_tags(const char *name);
/** kernel_if_channels() - pairs of receive and transmit queues, and receive queues in all; at least 1. */
u32 kernel_if_channels(const char *name, u32 *ret_rx_queues);

/** kernel_if_watch_open() - a socket that becomes readable when any interface's link changes. Return: fd, -errno. */
int kernel_if_watch_open(void);
/** kernel_if_watch_drain() - until the next change. */
void kernel_if_watch_drain(int fd);
