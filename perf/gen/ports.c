/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - EAL and the two devices: memif clients, DPDK devices by their arguments, or a ring in memory (--loop).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "gen.h"

#define N_TX_MBUFS   16383
#define RX_SPARE     4096
/* Not a power of two: frames whose headers all lie in the same few sets of the cache cost a third of the rate. */
#define MEMIF_BUFFER 2112

static int eal_start(const struct gen_cfg *cfg)
{
	char lcores[32], prefix[64];
	const char *argv[16] = {"traffic_gen",	  lcores,	    prefix,
				"--no-telemetry", "--iova-mode=va", "--log-level=*:3"};
	int argc = 6;

	snprintf(lcores, sizeof(lcores), "--lcores=0@%u", cfg->cpu);
	snprintf(prefix, sizeof(prefix), "--file-prefix=traffic_gen%d", getpid());
	if (cfg->huge) {
		argv[argc++] = "--in-memory";
		argv[argc++] = "--single-file-segments"; /* what zero-copy memif shares */
	} else {
		argv[argc++] = "--no-shconf";
		argv[argc++] = "--no-huge";
		argv[argc++] = "-m";
		argv[argc++] = "512";
	}
	if (!cfg->tx_dev)
		argv[argc++] = "--no-pci";
	if (rte_eal_init(argc, (char **)(uintptr_t)argv) >= 0)
		return 0;
	fprintf(stderr, "traffic_gen: EAL did not start: %s\n", rte_strerror(rte_errno));
	return -1;
}

static int port_start(const struct gen *g, u16 port)
{
	struct rte_eth_conf conf = {0};
	u16 n_rx = (u16)(1u << g->cfg.ring_log2), n_tx = n_rx;
	struct rte_eth_dev_info info;
	int err = rte_eth_dev_info_get(port, &info);

	if (err)
		return err;
	conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	err = rte_eth_dev_configure(port, g->cfg.n_queues, g->cfg.n_queues, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(port, &n_rx, &n_tx);
	for (u16 q = 0; !err && q < g->cfg.n_queues; q++) {
		err = rte_eth_rx_queue_setup(port, q, n_rx, SOCKET_ID_ANY, NULL, g->rx_pool);
		if (!err)
			err = rte_eth_tx_queue_setup(port, q, n_tx, SOCKET_ID_ANY, NULL);
	}
	if (!err)
		err = rte_eth_dev_start(port);
	if (!err)
		rte_eth_promiscuous_enable(port); /* a device that can't has nothing to filter */
	return err;
}

static int port_fail(const char *what, int err)
{
	fprintf(stderr, "traffic_gen: %s: %s\n", what, rte_strerror(err < 0 ? -err : err));
	return -1;
}

/* "net_x,args" or a PCI address. */
static int port_open_device(struct gen *g, const char *args, u16 *ret_port)
{
	struct rte_dev_iterator it;
	u16 port;
	int err = rte_dev_probe(args);

	if (err)
		return port_fail(args, err);
	port = RTE_MAX_ETHPORTS;
	RTE_ETH_FOREACH_MATCHING_DEV(port, args, &it)
	{
		rte_eth_iterator_cleanup(&it);
		break;
	}
	if (port == RTE_MAX_ETHPORTS)
		return port_fail(args, -ENODEV);
	err = port_start(g, port);
	if (err)
		return port_fail(args, err);
	*ret_port = port;
	return 0;
}

/* Starting is connecting, and the router may come later than we do. */
static int memif_start(const struct gen *g, u16 port)
{
	int err = port_start(g, port);

	for (u32 i = 0; err && i < g->cfg.wait_s * 10 && !gen_stopped(); i++) {
		rte_delay_us_sleep(100000);
		err = port_start(g, port);
	}
	return err;
}

static int port_open_memif(struct gen *g, const char *name, const char *socket, u16 *ret_port)
{
	char args[256];
	int err;

	if (snprintf(args, sizeof(args),
		     "role=client,id=0,socket=%s,socket-abstract=no,bsize=%u,rsize=%u%s", socket,
		     MEMIF_BUFFER, g->cfg.ring_log2,
		     g->cfg.huge ? ",zero-copy=yes" : "") >= (int)sizeof(args))
		return port_fail(socket, -ENAMETOOLONG);
	err = rte_eal_hotplug_add("vdev", name, args);
	if (!err)
		err = rte_eth_dev_get_port_by_name(name, ret_port);
	if (!err)
		err = memif_start(g, *ret_port);
	if (err)
		fprintf(stderr,
			"traffic_gen: %s: nobody serves this socket: is the router up, and is that "
			"its port's?\n",
			socket);
	return err;
}

static int ports_open_devices(struct gen *g)
{
	const struct gen_cfg *cfg = &g->cfg;
	const char *dev =
		cfg->loop ? "net_ring0" : cfg->tx_dev; /* bare, it gives back what it gets */

	if (dev) {
		if (port_open_device(g, dev, &g->tx_port))
			return -1;
		g->rx_port = g->tx_port;
		return cfg->rx_dev ? port_open_device(g, cfg->rx_dev, &g->rx_port) : 0;
	}
	if (port_open_memif(g, "net_memif_in", cfg->in, &g->tx_port))
		return -1;
	g->rx_port = g->tx_port;
	return cfg->out ? port_open_memif(g, "net_memif_out", cfg->out, &g->rx_port) : 0;
}

int ports_open(struct gen *g)
{
	/* a device holds a ring of them for each queue; both devices receive */
	u32 n_rx = 2u * g->cfg.n_queues * (1u << g->cfg.ring_log2) + RX_SPARE;

	if (eal_start(&g->cfg))
		return -1;
	g->tsc_hz = rte_get_tsc_hz();
	g->tx_pool =
		rte_pktmbuf_pool_create("tx",
					N_TX_MBUFS + g->cfg.n_queues * (1u << g->cfg.ring_log2),
					256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	g->rx_pool = rte_pktmbuf_pool_create("rx", n_rx, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					     SOCKET_ID_ANY);
	if (!g->tx_pool || !g->rx_pool)
		return port_fail("packet buffers", rte_errno);
	return ports_open_devices(g);
}

bool ports_connected(const struct gen *g, u32 timeout_s)
{
	struct rte_mbuf *m[GEN_BURST];

	for (u32 i = 0; i < timeout_s * 100 && !gen_stopped(); i++) {
		struct rte_eth_link a = {0}, b = {0};

		rte_eth_link_get_nowait(g->tx_port, &a);
		rte_eth_link_get_nowait(g->rx_port, &b);
		if (a.link_status && b.link_status)
			return true;
		rte_pktmbuf_free_bulk(m, rte_eth_rx_burst(g->rx_port, 0, m, GEN_BURST));
		rte_delay_us_sleep(10000);
	}
	return false;
}

void ports_close(struct gen *g)
{
	rte_eth_dev_stop(g->tx_port);
	if (g->rx_port != g->tx_port)
		rte_eth_dev_stop(g->rx_port);
	rte_eal_cleanup();
}
