/* SPDX-License-Identifier: BSD-3-Clause */
/* host_private.h - what the host thread (host.c) works on, made and taken apart by the control thread (host_open.c). */
#pragma once

#include <pthread.h>

#include "dataplane.h"

#define HOST_TURN_CONTROL 64 /* frames a worker and turn, to the kernel: the largest turn */
#define HOST_SEGS	  8  /* mbufs of a frame */

struct host_twin {
	int fd;
	struct port *port;
	struct dwcp_stats_port *stats;
	struct worker *worker; /* that sends what the kernel gives */
	u32 frame_max;	       /* bytes of a frame that the port's MTU allows */
	u32 n_segs;	       /* mbufs that hold one, and a byte more */
	bool carrier, readable;
	int carrier_err; /* why it could not be set; told once */
};

/* Blanks of a worker that a read has not filled yet: for whichever of its twins has something next. */
struct host_lent {
	struct rte_mbuf *m[HOST_SEGS];
	u32 n;
};

struct host_watch {
	u64 beat, since_ns;
	bool stalled;
};

struct host {
	struct dataplane *dp;
	struct host_twin twin[PORT_MAX];
	struct host_lent lent[WORKER_MAX];
	struct host_watch watch[WORKER_MAX];
	struct peers peers;
	u32 n_twins;
	int epoll_fd;
	pthread_t thread;
	bool running;
	u32 stop; /* written by: control thread; read by: host thread */
	u64 watch_ns, stall_ns;
};
