/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * duplicate.c - LD_PRELOAD: of every burst that a program receives, the last packet comes twice. What traffic_gen makes of
 * that is in test_gen.py.
 */
#include <dlfcn.h>
#include <errno.h>

#include <rte_ethdev.h>

#include <dwcp/base.h>

static u16 duplicate_rx(u16 port, u16 queue, struct rte_mbuf **pkts, u16 n, u16 max, void *arg)
{
	struct rte_mbuf *again;

	if (n == 0 || n == max)
		return n;
	again = rte_pktmbuf_copy(pkts[n - 1], pkts[n - 1]->pool, 0, UINT32_MAX);
	if (!again)
		return n;
	pkts[n] = again;
	return (u16)(n + 1);
}

int rte_eth_dev_start(u16 port)
{
	int (*next)(u16) = dlsym(RTLD_NEXT, "rte_eth_dev_start");
	int err = next(port);

	if (!err && !rte_eth_add_rx_callback(port, 0, duplicate_rx, NULL))
		return -ENOMEM;
	return err;
}
