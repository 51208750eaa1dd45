/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.c - a grace period before a driver unmaps memory that a worker may be reading.
 *
 * When the peer of a memif port goes away, DPDK 22.11's driver clears the port's "connected" flag and then unmaps the shared
 * rings, all on EAL's interrupt thread, while a worker may be half-way through rte_eth_rx_burst() on them: SIGSEGV, and the
 * router dies of its neighbour's death. The flag is cleared first, so all that is missing is to wait until every worker has
 * passed a quiescent state. The driver calls munmap() through the dynamic linker, which finds this one first.
 * Calls from any other thread go straight to the kernel. Nothing here runs on a worker.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_interrupts.h>

#include "dataplane.h"
#include "grace.h"
#include "log.h"

#define GRACE_MAX_NS 1000000000u /* a worker that stands still for longer is stopped, not reading */

static struct rte_rcu_qsbr *grace_qsbr;

void grace_open(struct rte_rcu_qsbr *qsbr)
{
	dwcp_store_release(&grace_qsbr, qsbr);
}

static void grace_wait(struct rte_rcu_qsbr *qsbr)
{
	u64 token = rte_rcu_qsbr_start(qsbr), end = clock_ns() + GRACE_MAX_NS;

	while (rte_rcu_qsbr_check(qsbr, token, false) != 1 && clock_ns() < end)
		sched_yield();
}

int munmap(void *addr, size_t len)
{
	struct rte_rcu_qsbr *qsbr = dwcp_load_acquire(&grace_qsbr);

	if (qsbr && rte_thread_is_intr())
		grace_wait(qsbr);
	return (int)syscall(SYS_munmap, addr, len);
}
