/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h - what port.c and the files of single kinds of ports share. Control thread, before workers run unless it says so.
 */
#pragma once

#include "dataplane.h"

/** port_arg_get() - the value of a device argument. Return: false when it isn't there or does not fit. */
bool port_arg_get(const char *args, const char *key, char *ret_value, size_t len);
bool port_arg_have(const char *args, const char *key);

/* ---- port_af_xdp.c ------------------------------------------------------------------------------------------- */

bool port_is_af_xdp(const struct port_cfg *p);
/** af_xdp_need_mbufs() - what its sockets hold: their fill rings are full from the start. */
u32 af_xdp_need_mbufs(const struct port_cfg *p, u32 n_workers);
/** af_xdp_need_mbuf_bytes() - the kernel wants headroom of its own in front of a frame. */
u32 af_xdp_need_mbuf_bytes(const struct port_cfg *p);
/**
 * af_xdp_open() - before the driver is probed: look at the interface, take it, remove a dead instance's program.
 * @args: device arguments, completed in place (program, queues).
 * Return: 0 or -E…, one line logged; somebody else's program is never touched.
 */
int af_xdp_open(struct dataplane *dp, struct port *port, char *args, size_t len);
/** af_xdp_started() - the driver has attached the program: find its counters. */
int af_xdp_started(struct port *port);
/** af_xdp_report() - all ports are open: how their sockets work, and whether a worker may be held up by one. */
void af_xdp_report(void);
/** af_xdp_failed() - the driver could not be started: one line more, on what it may have been. */
void af_xdp_failed(const struct port *port);
/** af_xdp_refresh() - what the program counted, and what was lost behind it, into the stats page. Later, too. */
void af_xdp_refresh(struct port *port, struct dwcp_stats_port *s, u64 received);
/** af_xdp_may_close() - is the program on the interface ours? The driver takes away whatever it finds. */
bool af_xdp_may_close(const struct port *port);
void af_xdp_close(struct port *port);
