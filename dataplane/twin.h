/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * twin.h - a port's end in the kernel: a TAP interface with the port's MAC and MTU, in the namespace that the dataplane
 * was started in. It lives as long as its descriptor: a dataplane that dies takes its twins, and with them the sessions
 * of routing protocols, away. Control thread; the host thread reads and writes the descriptor and sets the carrier.
 */
#pragma once

#include <dwcp/base.h>

struct port;

/**
 * twin_open() - make the interface, set it up, carrier down.
 * Offloads are off, so that frames are whole: with their checksums and no larger than the MTU. The kernel forwards nothing
 * by it (of IPv6 as long as net.ipv6.conf.all.forwarding is 0), but speaks as a router in neighbour discovery; router
 * advertisements are not believed, reverse-path filtering is off: packets may come in by any port.
 * A port whose device has no MAC (ring, null) takes the one that the kernel has made up.
 * @ret_hint: what to do about an error, static.
 * Return: the descriptor, non-blocking; -EEXIST (a device of that name is there), -EPERM, -errno.
 */
int twin_open(struct port *port, const char **ret_hint);
/** twin_carrier_set() - Return: 0, -errno. Thread: host. */
int twin_carrier_set(int fd, bool up);
