/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - DPDK ethdevs from the configuration: probe, queues, offloads, start; link state and device counters later.
 * Control thread. Workers read struct port and call rte_eth_rx/tx_burst, nothing else.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <dwcp/endian.h>

#include "kernel_if.h"
#include "log.h"
#include "port.h"

#define MBUF_CACHE_MAX 512
#define VLAN_BYTES     8

/* Toeplitz with this key hashes both directions of a flow to the same queue (Woo and Park, 2012). */
static u8 rss_key_symmetric[52] = {
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d,
	0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d,
	0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
};

u32 ports_need_mbufs(const struct dwcp_config *cfg)
{
	u32 n = 1024, workers = cfg->dataplane.n_workers;

	for (u32 i = 0; i < cfg->n_ports; i++) {
		const struct port_cfg *p = &cfg->ports[i];
		u32 rxq = p->rx_queues ? p->rx_queues : workers;

		if (p->parent != CONFIG_NO_PARENT)
			continue;
		n += port_is_af_xdp(p) ? af_xdp_need_mbufs(p, workers)
				       : p->rx_ring * rxq + p->tx_ring * workers;
	}
	return n + host_need_mbufs(cfg) + workers * (BURST_MAX + MBUF_CACHE_MAX);
}

bool port_arg_get(const char *args, const char *key, char *ret_value, size_t len)
{
	size_t key_len = strlen(key), n;

	for (const char *s = args; s; s = strchr(s, ',')) {
		s += *s == ',';
		if (strncmp(s, key, key_len) != 0 || s[key_len] != '=')
			continue;
		n = strcspn(s + key_len + 1, ",");
		if (n >= len)
			return false;
		memcpy(ret_value, s + key_len + 1, n);
		ret_value[n] = 0;
		return true;
	}
	return false;
}

bool port_arg_have(const char *args, const char *key)
{
	char value[256];

	return port_arg_get(args, key, value, sizeof(value));
}

/* A frame of af_packet's ring: header of the ring, Ethernet, tags and the packet; beyond its default, whole pages. */
static u32 port_packet_frame(u32 mtu)
{
	return mtu + 128 <= 2048 ? 2048 : DWCP_ALIGN_UP(mtu + 128, 4096u);
}

u32 ports_need_mbuf_bytes(const struct dwcp_config *cfg)
{
	u32 bytes = cfg->dataplane.memory.mbuf_bytes;

	for (u32 i = 0; i < cfg->n_ports; i++) {
		/* its driver receives into one buffer, whatever the size */
		if (strcmp(cfg->ports[i].device, "af_packet") == 0)
			bytes = DWCP_MAX(bytes, port_packet_frame(cfg->ports[i].mtu) +
							RTE_PKTMBUF_HEADROOM);
		/* more than a page it never takes: such an mtu is refused by name */
		if (port_is_af_xdp(&cfg->ports[i]) && cfg->ports[i].mtu < 4096)
			bytes = DWCP_MAX(bytes, af_xdp_need_mbuf_bytes(&cfg->ports[i]));
	}
	return bytes;
}

/*
 * What af_packet needs and nobody wants to type: a queue pair a worker, a ring of the size asked for, and frames that
 * hold the MTU (its default of 2,048 bytes cuts jumbo frames).
 */
static void af_packet_args(const struct dataplane *dp, const struct port_cfg *p, char *buf,
			   size_t len)
{
	u32 frame = port_packet_frame(p->mtu);
	int at = snprintf(buf, len, "%s", p->args);

	if (!port_arg_have(p->args, "qpairs"))
		at += snprintf(buf + at, len - (size_t)at, ",qpairs=%u", dp->n_workers);
	if (!port_arg_have(p->args, "framesz") && !port_arg_have(p->args, "blocksz"))
		at += snprintf(buf + at, len - (size_t)at, ",blocksz=%u,framesz=%u",
			       DWCP_MAX(frame, 4096u), frame);
	if (!port_arg_have(p->args, "framecnt"))
		snprintf(buf + at, len - (size_t)at, ",framecnt=%u", p->rx_ring);
}

/* The driver does not remove the socket of a memif server that was killed, and can't bind over it. */
static void memif_remove_stale(const struct port_cfg *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char role[16] = "";
	int fd;

	if (!port_arg_get(p->args, "socket", addr.sun_path, sizeof(addr.sun_path)))
		return;
	port_arg_get(p->args, "role", role, sizeof(role));
	if (strcmp(role, "server") != 0 && strcmp(role, "master") != 0)
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED)
		unlink(addr.sun_path);
	close(fd);
}

static int port_probe(struct dataplane *dp, struct port *port)
{
	const struct port_cfg *p = port->cfg;
	char args[sizeof(p->args) + 4224];
	int err = 0;

	if (strchr(p->device, ':')) {
		if (rte_eth_dev_get_port_by_name(p->device, &port->id) == 0)
			return 0;
		log_event("port.open port=%s device=%s error=no_such_device "
			  "hint='is it bound to vfio-pci? dpdk-devbind.py --status'",
			  p->name, p->device);
		return -ENODEV;
	}
	port->vdev = true;
	snprintf(port->vdev_name, sizeof(port->vdev_name), "net_%s_%s", p->device, p->name);
	snprintf(args, sizeof(args), "%s", p->args);
	if (strcmp(p->device, "af_packet") == 0)
		af_packet_args(dp, p, args, sizeof(args));
	if (strcmp(p->device, "memif") == 0)
		memif_remove_stale(p);
	if (port_is_af_xdp(p))
		err = af_xdp_open(dp, port, args, sizeof(args));
	if (err)
		return err;
	err = rte_eal_hotplug_add("vdev", port->vdev_name, args);
	if (err == 0 && rte_eth_dev_get_port_by_name(port->vdev_name, &port->id) == 0)
		return 0;
	log_event("port.open port=%s device=%s args='%s' error='%s' hint='does the interface or "
		  "file exist, "
		  "and may this user open it?'",
		  p->name, p->device, args, err ? rte_strerror(-err) : "not created");
	return err ? err : -ENODEV;
}

static int port_queues(struct dataplane *dp, struct port *port, const struct rte_eth_dev_info *info)
{
	const struct port_cfg *p = port->cfg;
	u16 want = p->rx_queues ? p->rx_queues : (u16)dp->n_workers;

	if (p->rx_queues > info->max_rx_queues) {
		log_event("port.open port=%s error=too_few_rx_queues has=%u wanted=%u hint='lower "
			  "rx_queues'",
			  p->name, info->max_rx_queues, p->rx_queues);
		return -EINVAL;
	}
	if (strcmp(p->device, "af_packet") == 0 && want != dp->n_workers) {
		log_event("port.open port=%s error=rx_queues rx_queues=%u workers=%u hint='the "
			  "kernel spreads packets over one "
			  "queue a worker: leave rx_queues out'",
			  p->name, p->rx_queues, dp->n_workers);
		return -EINVAL;
	}
	port->n_rxq = DWCP_MIN(want, info->max_rx_queues);
	port->n_txq = (u16)dp->n_workers;
	if (port->af_xdp) /* in pairs; what no worker sends by is there all the same */
		port->n_rxq = port->n_txq = info->max_rx_queues;
	if (info->max_tx_queues < dp->n_workers) {
		log_event("port.open port=%s error=too_few_tx_queues has=%u workers=%u "
			  "hint='each worker needs a tx queue of its own: fewer dataplane.workers, "
			  "or more queues in args'",
			  p->name, info->max_tx_queues, dp->n_workers);
		return -EINVAL;
	}
	return 0;
}

static void port_offloads(struct port *port, const struct rte_eth_dev_info *info, u32 room,
			  struct rte_eth_conf *conf)
{
	u32 frame = port->mtu + RTE_ETHER_HDR_LEN + VLAN_BYTES;

	conf->rxmode.offloads = info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	if (frame > room) {
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
		conf->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	} else {
		/* one pool, no references: what fast free asks for. Chains of other ports need MULTI_SEGS instead. */
		conf->txmode.offloads |= info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		if (!conf->txmode.offloads)
			conf->txmode.offloads |=
				info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	}
	port->rx_offloads = conf->rxmode.offloads;
	port->tx_offloads = conf->txmode.offloads;
}

/* What ethdev adds to an MTU before it compares with the longest frame: a driver's own figure, else header and CRC. */
static u32 port_frame_overhead(const struct rte_eth_dev_info *info)
{
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		return info->max_rx_pktlen - info->max_mtu;
	return RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

static int port_mtu(struct port *port, const struct rte_eth_dev_info *info,
		    struct rte_eth_conf *conf)
{
	u32 overhead = port_frame_overhead(info), limit = info->max_mtu;

	if (info->max_rx_pktlen > overhead)
		limit = DWCP_MIN(limit, info->max_rx_pktlen - overhead);
	conf->rxmode.mtu = DWCP_MIN((u32)port->mtu, limit);
	/* virtual drivers name a longest frame that they do not enforce; a NIC means it */
	if (conf->rxmode.mtu >= port->mtu || port->vdev)
		return 0;
	log_event("port.open port=%s error=mtu mtu=%u device_max=%u hint='lower mtu'",
		  port->cfg->name, port->mtu, limit);
	return -EINVAL;
}

/* DPDK's interrupt thread: wakes the control thread, which alone writes link state. */
static int port_link_changed(uint16_t id, enum rte_eth_event_type type, void *arg, void *ret)
{
	struct dataplane *dp = arg;
	u64 one = 1;
	ssize_t n = write(dp->link_wake_fd, &one, sizeof(one));

	return n < 0 ? -errno : 0;
}

static int port_configure(struct dataplane *dp, struct port *port)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	u32 room = rte_pktmbuf_data_room_size(dp->pool) - RTE_PKTMBUF_HEADROOM;
	int err = rte_eth_dev_info_get(port->id, &info);

	if (err)
		return err;
	err = port_queues(dp, port, &info);
	if (err)
		return err;
	port_offloads(port, &info, room, &conf);
	err = port_mtu(port, &info, &conf);
	if (err)
		return err;
	if (port->n_rxq > 1 && info.flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
		if (info.hash_key_size && info.hash_key_size <= sizeof(rss_key_symmetric)) {
			conf.rx_adv_conf.rss_conf.rss_key = rss_key_symmetric;
			conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
		}
	}
	if (info.dev_flags && *info.dev_flags & RTE_ETH_DEV_INTR_LSC) {
		conf.intr_conf.lsc = 1;
		rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, port_link_changed,
					      dp);
	}
	return rte_eth_dev_configure(port->id, port->n_rxq, port->n_txq, &conf);
}

static int port_start(struct dataplane *dp, struct port *port)
{
	const struct port_cfg *p = port->cfg;
	u16 rx_ring = p->rx_ring, tx_ring = p->tx_ring;
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_ring, &tx_ring);

	for (u16 q = 0; !err && q < port->n_rxq; q++)
		err = rte_eth_rx_queue_setup(port->id, q, rx_ring, SOCKET_ID_ANY, NULL, dp->pool);
	for (u16 q = 0; !err && q < port->n_txq; q++)
		err = rte_eth_tx_queue_setup(port->id, q, tx_ring, SOCKET_ID_ANY, NULL);
	if (!err)
		err = rte_eth_dev_start(port->id);
	if (!err && p->promiscuous)
		rte_eth_promiscuous_enable(
			port->id); /* -ENOTSUP: the driver gets every frame anyway */
	if (!err && p->twin != CONFIG_TWIN_OFF)
		rte_eth_allmulticast_enable(port->id); /* the kernel picks those it has joined */
	return err;
}

static void port_describe(struct dataplane *dp, struct port *port)
{
	struct dwcp_stats_port *s = dwcp_stats_port_at(dp->stats_page, port->idx);
	struct rte_ether_addr mac;

	if (rte_eth_macaddr_get(port->id, &mac) == 0)
		memcpy(port->mac, mac.addr_bytes, 6);
	memcpy(port->parse.mac, port->mac, 6);
	port->parse.promiscuous = port->cfg->promiscuous;
	snprintf(s->name, sizeof(s->name), "%s", port->cfg->name);
	snprintf(s->device, sizeof(s->device), "%s", port->cfg->device);
	memcpy(s->mac, port->mac, 6);
	s->mtu = port->mtu;
	s->n_rx_queues = port->n_rxq;
	s->n_tx_queues = port->n_txq;
}

/* A VLAN has its parent's device; what tells its frames apart are the tags. */
static void port_open_vlan(struct dataplane *dp, struct port *port)
{
	struct port *parent = &dp->port[port->cfg->parent];
	struct dwcp_stats_port *s = dwcp_stats_port_at(dp->stats_page, port->idx);
	u8 *at = port->tags;

	port->parent = parent->idx;
	port->id = parent->id;
	port->n_txq = parent->n_txq;
	port->vlan = port->cfg->vlan;
	port->svlan = port->cfg->svlan;
	if (port->svlan) {
		be16_store(at, RTE_ETHER_TYPE_QINQ);
		be16_store(at + 2, port->svlan);
		at += RTE_VLAN_HLEN;
	}
	be16_store(at, RTE_ETHER_TYPE_VLAN);
	be16_store(at + 2, port->vlan);
	port->tags_bytes = (u8)(at + RTE_VLAN_HLEN - port->tags);
	parent->n_vlans++;
	memcpy(port->mac, parent->mac, sizeof(port->mac));
	snprintf(s->name, sizeof(s->name), "%s", port->cfg->name);
	snprintf(s->device, sizeof(s->device), "vlan");
	memcpy(s->mac, port->mac, sizeof(s->mac));
	s->mtu = port->mtu;
	s->parent = (u16)(1 + parent->idx);
	log_event("port.open port=%s device=vlan parent=%s vlan=%u svlan=%u mtu=%u",
		  port->cfg->name, parent->cfg->name, port->vlan, port->svlan, port->mtu);
}

static int port_open(struct dataplane *dp, u32 idx)
{
	struct port *port = &dp->port[idx];
	int err;

	port->cfg = &dp->cfg->ports[idx];
	port->idx = (u16)idx;
	port->mtu = port->cfg->mtu;
	port->id = UINT16_MAX;
	port->parent = (u16)idx;
	if (port->cfg->parent != CONFIG_NO_PARENT) {
		port_open_vlan(dp, port);
		return 0;
	}
	port->strips_tags = strcmp(port->cfg->device, "af_packet") == 0;
	if (port_is_af_xdp(port->cfg) || strcmp(port->cfg->device, "af_packet") == 0)
		port_arg_get(port->cfg->args, "iface", port->kernel_if, sizeof(port->kernel_if));
	err = port_probe(dp, port);
	if (err)
		return err;
	err = port_configure(dp, port);
	if (!err)
		err = port_start(dp, port);
	if (!err && port->af_xdp)
		err = af_xdp_started(port);
	if (err) {
		log_event("port.open port=%s device=%s error='%s'", port->cfg->name,
			  port->cfg->device, rte_strerror(-err));
		if (port->af_xdp)
			af_xdp_failed(port);
		return err;
	}
	port_describe(dp, port);
	log_event("port.open port=%s device=%s id=%u rx_queues=%u tx_queues=%u mtu=%u "
		  "mac=%02x:%02x:%02x:%02x:%02x:%02x",
		  port->cfg->name, port->cfg->device, port->id, port->n_rxq, port->n_txq, port->mtu,
		  port->mac[0], port->mac[1], port->mac[2], port->mac[3], port->mac[4],
		  port->mac[5]);
	return 0;
}

static void port_kernel_changed(evutil_socket_t fd, short what, void *arg)
{
	kernel_if_watch_drain(fd);
	ports_refresh(arg);
}

/* The drivers for the kernel's interfaces call their link up whatever happens. Without this the tick notices later. */
static void ports_watch(struct dataplane *dp)
{
	bool any = false;

	for (u32 i = 0; i < dp->n_ports; i++)
		any |= dp->port[i].kernel_if[0] != 0;
	dp->kernel_watch_fd = any ? kernel_if_watch_open() : -1;
	if (dp->kernel_watch_fd < 0)
		return;
	dp->kernel_watch = event_new(dp->base, dp->kernel_watch_fd, EV_READ | EV_PERSIST,
				     port_kernel_changed, dp);
	if (dp->kernel_watch)
		event_add(dp->kernel_watch, NULL);
}

static void ports_unwatch(struct dataplane *dp)
{
	if (!dp->kernel_watch)
		return;
	event_free(dp->kernel_watch);
	close(dp->kernel_watch_fd);
	dp->kernel_watch = NULL;
}

int ports_open(struct dataplane *dp)
{
	if (dp->n_ports > RTE_MAX_ETHPORTS) {
		log_event("port.open error=too_many_ports ports=%u max=%u hint='this DPDK has room "
			  "for no more'",
			  dp->n_ports, RTE_MAX_ETHPORTS);
		return -EINVAL;
	}
	for (u32 i = 0; i < dp->n_ports; i++) {
		int err = port_open(dp, i);

		if (err)
			return err;
	}
	af_xdp_report();
	ports_watch(dp);
	ports_refresh(dp);
	return 0;
}

/* A program that somebody has put in the place of ours stays: then the driver must not close, now nor in EAL's cleaning up. */
static void port_close(struct dataplane *dp, struct port *port)
{
	if (af_xdp_may_close(port)) {
		rte_eth_dev_close(port->id); /* pcap writes its file out here */
	} else {
		log_event("xdp.replaced port=%s interface=%s effect='the program is left there'",
			  port->cfg->name, port->kernel_if);
		dp->eal = false;
	}
}

void ports_close(struct dataplane *dp)
{
	ports_unwatch(dp);
	for (u32 i = 0; i < dp->n_ports; i++) {
		struct port *port = &dp->port[i];

		if (port->cfg && port->id != UINT16_MAX && port->parent == i) {
			rte_eth_dev_stop(port->id);
			port_close(dp, port);
		}
		af_xdp_close(port);
	}
}

static int port_link_get(const struct port *port, struct rte_eth_link *ret)
{
	struct kernel_if k = {0};

	if (!port->kernel_if[0])
		return rte_eth_link_get_nowait(port->id, ret);
	kernel_if_get(port->kernel_if, &k); /* one that is gone is down */
	ret->link_status = k.link_up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	ret->link_speed = k.speed_mbps;
	return 0;
}

static void port_refresh_link(struct dataplane *dp, struct port *port, struct dwcp_stats_port *s)
{
	struct rte_eth_link link = {0};
	struct dwcp_event e = {.type = DWCP_EVENT_LINK, .port = port->idx};
	u32 up;

	/* a VLAN has its parent's device, and so its link */
	if (port_link_get(&dp->port[port->parent], &link) < 0)
		return;
	up = link.link_status == RTE_ETH_LINK_UP;
	port->speed_mbps = port->cfg->speed_mbps			  ? port->cfg->speed_mbps
			   : link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0
									  : link.link_speed;
	dwcp_store_relaxed(&s->speed_mbps, port->speed_mbps);
	if (up == port->up)
		return;
	dwcp_store_relaxed(&port->up, up);
	workers_retune(dp);
	dwcp_store_relaxed(&s->up, up);
	dwcp_count(&s->link_changes, 1);
	log_event("port.link port=%s state=%s speed_mbps=%u", port->cfg->name, up ? "up" : "down",
		  port->speed_mbps);
	e.a = up;
	counters_event(dp, &e);
}

void ports_refresh(struct dataplane *dp)
{
	for (u32 i = 0; i < dp->n_ports; i++) {
		struct port *port = &dp->port[i];
		struct dwcp_stats_port *s = dwcp_stats_port_at(dp->stats_page, i);
		struct rte_eth_stats hw;

		port_refresh_link(dp, port, s);
		if (port->parent != i)
			continue;
		if (rte_eth_stats_get(port->id, &hw))
			continue;
		dwcp_store_relaxed(&s->hw_rx_packets, hw.ipackets);
		dwcp_store_relaxed(&s->hw_rx_bytes, hw.ibytes);
		af_xdp_refresh(port, s, hw.ipackets);
		dwcp_store_relaxed(&s->hw_rx_missed, port->af_xdp ? s->xdp.lost : hw.imissed);
		dwcp_store_relaxed(&s->hw_rx_errors, hw.ierrors);
		dwcp_store_relaxed(&s->hw_rx_nombuf, hw.rx_nombuf);
		dwcp_store_relaxed(&s->hw_tx_packets, hw.opackets);
		dwcp_store_relaxed(&s->hw_tx_bytes, hw.obytes);
		dwcp_store_relaxed(&s->hw_tx_errors, hw.oerrors);
	}
}
