/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stall.c - LD_PRELOAD: a router whose worker stands still for $STALL_US whenever new tables are mapped. It is what
 * perf/run reload must find; test_reload.py tries that it does. Before libsource.so, so that its own callback is last.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <dwcp/base.h>

#define APART_MS 3 /* a generation is many mappings: one stall for all of them */

static atomic_bool wanted;
static u64 stall_tsc, last_tsc;

/* How the dataplane maps the tables of a generation (lib/tables/map.c), built with 64-bit offsets. */
void *mmap64(void *at, size_t bytes, int prot, int flags, int fd, off64_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, "mmap64");

	if (fd >= 0 && flags & MAP_FIXED)
		atomic_store(&wanted, true);
	return next(at, bytes, prot, flags, fd, offset);
}

static u16 stall_rx(u16 port, u16 queue, struct rte_mbuf **pkts, u16 n, u16 max, void *arg)
{
	u64 now = rte_rdtsc();

	if (!atomic_load_explicit(&wanted, memory_order_relaxed))
		return n;
	atomic_store(&wanted, false);
	if (now - last_tsc < rte_get_tsc_hz() / 1000 * APART_MS)
		return n;
	last_tsc = now;
	while (rte_rdtsc() - now < stall_tsc)
		;
	return n;
}

int rte_eth_dev_start(u16 port)
{
	int (*next)(u16) = dlsym(RTLD_NEXT, "rte_eth_dev_start");
	const char *us = getenv("STALL_US");
	int err = next(port);

	stall_tsc = rte_get_tsc_hz() / 1000000 * (us ? strtoul(us, NULL, 10) : 0);
	if (!err && !rte_eth_add_rx_callback(port, 0, stall_rx, NULL))
		return -ENOMEM;
	return err;
}
