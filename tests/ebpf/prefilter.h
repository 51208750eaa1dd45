/* SPDX-License-Identifier: BSD-3-Clause */
/* prefilter.h - the XDP program, loaded but attached to nothing, and frames run through it one by one. */
#pragma once

#include <bpf/libbpf.h>
#include <dwcp/abi/xdp.h>

#define PREFILTER_MIN_BYTES                                                                        \
	14 /* the kernel runs a program on no frame shorter than Ethernet's header */
#define PREFILTER_MAX_BYTES 3500 /* nor on one that doesn't fit into a page with its headroom */

struct prefilter {
	struct bpf_object *obj;
	int prog_fd, sockets_fd, counters_fd;
	int socket_fd;
	int n_cpus;
	u64 *cpu; /* [n_cpus] */
};

/** prefilter_open() - load @path. Return: 0, -EPERM (or another reason why there is no BPF here), one line printed. */
int prefilter_open(struct prefilter *p, const char *path, bool drop_malformed);
void prefilter_close(struct prefilter *p);

/** prefilter_socket() - put a socket into the slot of a queue, or take it out. */
int prefilter_socket(struct prefilter *p, u32 queue, bool there);

/**
 * prefilter_run() - run one frame, as if it had come in by this queue (of the loopback device when @ifindex is 0).
 * @ret_ns: mean duration of one of @repeat runs; may be NULL. Return: XDP_DROP, XDP_REDIRECT, …, or -errno.
 */
int prefilter_run(struct prefilter *p, const void *frame, u32 bytes, u32 ifindex, u32 queue,
		  u32 repeat, u32 *ret_ns);

/** prefilter_counters() - of a queue, all CPUs together. */
int prefilter_counters(struct prefilter *p, u32 queue, struct dwcp_xdp_counters *ret);

const char *prefilter_name(u32 counter);
