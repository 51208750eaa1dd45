/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp.h - the XDP program on an interface: whose it is, taking a dead instance's away, and its counters.
 * Control thread. Nothing is pinned: everything is found through the id of the attached program.
 */
#pragma once

#include <dwcp/abi/xdp.h>

enum xdp_owner {
	XDP_NOBODY,
	XDP_OURS,    /* by name, and by the magic number in its read-only data */
	XDP_FOREIGN, /* any other */
	XDP_UNKNOWN, /* it takes CAP_SYS_ADMIN to look at it */
};

struct xdp_attached {
	enum xdp_owner owner;
	u32 id;
	u32 mode; /* XDP_ATTACHED_DRV (native), _SKB (generic), … */
	char name[16];
};

/** xdp_attached_get() - Return: 0 (perhaps XDP_NOBODY), -errno. */
int xdp_attached_get(u32 ifindex, struct xdp_attached *ret);
/** xdp_detach() - exactly this program; if another one has taken its place meanwhile, nothing. */
int xdp_detach(u32 ifindex, const struct xdp_attached *a);

/** xdp_is_own() - was this program loaded by this very process? Takes no privilege. */
bool xdp_is_own(u32 program_id);

/* AF_XDP sockets of this process. */
struct xdp_sockets {
	u32 n, n_zero_copy;
	u32 n_may_stall; /* zero-copy and not busy polling: the driver's rx waits for up to a second when idle */
};

/** xdp_sockets_get() - found among our own descriptors, as the driver does not tell. */
void xdp_sockets_get(struct xdp_sockets *ret);

/* The counters of one program. */
struct xdp_counters {
	int fd;
	u32 n_queues; /* that the interface has */
	int n_cpus;
	u64 *cpu; /* [DWCP_XDP_COUNTERS_MAX][n_cpus] */
};

/**
 * xdp_counters_open() - of a program that this process has loaded: among its own descriptors, which takes no privilege.
 * Return: 0, -ENOENT (not loaded here, or it counts nothing that we know).
 */
int xdp_counters_open(u32 program_id, u32 n_queues, struct xdp_counters *ret);
void xdp_counters_close(struct xdp_counters *c);
/** xdp_counters_read() - all queues and CPUs together. */
int xdp_counters_read(const struct xdp_counters *c, struct dwcp_xdp_counters *ret);
