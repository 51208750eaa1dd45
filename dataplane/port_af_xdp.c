/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_af_xdp.c - ports of device af_xdp: an interface of the kernel, our XDP program on it, a socket a queue.
 *
 * DPDK's driver does the work; here is what it doesn't do: queues from the interface's channels, our program by default, limits
 * with a clear word, one owner an interface, and the loss between program and socket, which the driver reports as 0.
 * Ownership is a name in the abstract socket namespace, which is the network namespace's: it dies with the process and collides
 * with nothing elsewhere. So a program of ours on an interface that nobody owns is a dead instance's.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_errno.h>

#include "kernel_if.h"
#include "log.h"
#include "port.h"
#include "xdp.h"

#ifndef DWCP_XDP_OBJECT
#define DWCP_XDP_OBJECT "/usr/lib/dwcp/prefilter.bpf.o"
#endif

#define DRIVER_FILL	 2048 /* mbufs that the driver keeps in a fill ring, whatever is asked for */
#define DRIVER_COMPLETED 2048 /* sent frames that it collects only when it sends the next ones */
#define KERNEL_HEADROOM	 256  /* XDP_PACKET_HEADROOM */
#define L2_BYTES	 (RTE_ETHER_HDR_LEN + 8)
#define READING_NS	 90000000u /* a little less than the tick */
#define LOST_READINGS	 10

struct af_xdp {
	int lock_fd;
	u32 ifindex, n_rx_queues;
	u32 program_id;
	u32 mode;
	struct xdp_counters counters;
	u64 behind[LOST_READINGS]; /* redirected and not (yet) received */
	u64 read_ns, lost;
	u32 n_readings;
};

bool port_is_af_xdp(const struct port_cfg *p)
{
	return strcmp(p->device, "af_xdp") == 0;
}

static void af_xdp_if_name(const struct port_cfg *p, char ret[CONFIG_IFNAME_MAX])
{
	ret[0] = 0;
	port_arg_get(p->args, "iface", ret, CONFIG_IFNAME_MAX);
}

/* ---- queues and memory ------------------------------------------------------------------------------------------ */

/*
 * All pairs of queues that the interface has: it spreads packets over them, and what comes in by a queue without a socket dies.
 * Fewer when the configuration says so.
 */
static u32 af_xdp_queues(const struct port_cfg *p, u32 *ret_rx_queues)
{
	char name[CONFIG_IFNAME_MAX], count[16];
	u32 pairs;

	af_xdp_if_name(p, name);
	pairs = kernel_if_channels(name, ret_rx_queues);
	if (port_arg_get(p->args, "queue_count", count, sizeof(count)))
		return (u32)strtoul(count, NULL, 10);
	return p->rx_queues ? p->rx_queues : pairs;
}

u32 af_xdp_need_mbufs(const struct port_cfg *p, u32 n_workers)
{
	u32 n_rx_queues, n = af_xdp_queues(p, &n_rx_queues);

	return DWCP_MAX(n, n_workers) * (DRIVER_FILL + DRIVER_COMPLETED + p->rx_ring);
}

u32 af_xdp_need_mbuf_bytes(const struct port_cfg *p)
{
	return p->mtu + L2_BYTES + RTE_PKTMBUF_HEADROOM + KERNEL_HEADROOM;
}

/* The kernel takes buffers of at most a page: header, mbuf, and what the pool adds to spread objects over memory channels. */
static u32 af_xdp_room_max(const struct rte_mempool *pool)
{
	u32 page = (u32)getpagesize(), room = page - RTE_CACHE_LINE_SIZE;

	while (room > RTE_CACHE_LINE_SIZE &&
	       rte_mempool_calc_obj_size((u32)sizeof(struct rte_mbuf) + room, pool->flags, NULL) >
		       page)
		room -= RTE_CACHE_LINE_SIZE;
	return room;
}

static int af_xdp_check_mtu(const struct dataplane *dp, const struct port_cfg *p)
{
	u32 room_max = af_xdp_room_max(dp->pool), room = rte_pktmbuf_data_room_size(dp->pool);
	u32 mtu_max = room_max - (af_xdp_need_mbuf_bytes(p) - p->mtu);

	if (p->mtu > mtu_max) {
		log_event("port.open port=%s error=mtu mtu=%u device_max=%u hint='an AF_XDP frame "
			  "must fit into a page: lower mtu, or bind the NIC to vfio-pci'",
			  p->name, p->mtu, mtu_max);
		return -EINVAL;
	}
	if (room > room_max) {
		log_event("port.open port=%s error=mbuf_bytes mbuf_bytes=%u max=%u hint='AF_XDP "
			  "takes buffers of at most a page: lower dataplane.memory.mbuf_bytes, and "
			  "the mtu of af_packet ports beside it'",
			  p->name, room, room_max);
		return -EINVAL;
	}
	return 0;
}

static int af_xdp_check_queues(const struct dataplane *dp, const struct port *port,
			       struct af_xdp *x, u32 *ret_queues)
{
	u32 pairs = kernel_if_channels(port->kernel_if, &x->n_rx_queues), first;
	u32 queues = af_xdp_queues(port->cfg, &x->n_rx_queues);
	char text[16] = "0";

	port_arg_get(port->cfg->args, "start_queue", text, sizeof(text));
	first = (u32)strtoul(text, NULL, 10);
	if (queues < dp->n_workers || first + queues > pairs) {
		log_event("port.open port=%s error=too_few_queues interface=%s has=%u first=%u "
			  "wanted=%u workers=%u hint='each worker needs a queue pair: ethtool -L "
			  "%s combined N (a NIC), or make the veth with numrxqueues N numtxqueues "
			  "N, or fewer dataplane.workers'",
			  port->cfg->name, port->kernel_if, pairs, first,
			  DWCP_MAX(queues, dp->n_workers), dp->n_workers, port->kernel_if);
		return -EINVAL;
	}
	if (rte_mempool_avail_count(dp->pool) < queues * DRIVER_FILL) {
		log_event("port.open port=%s error=too_few_mbufs free=%u need=%u hint='each queue "
			  "of an AF_XDP port takes %u: raise dataplane.memory.mbufs, or leave it "
			  "out'",
			  port->cfg->name, rte_mempool_avail_count(dp->pool), queues * DRIVER_FILL,
			  DRIVER_FILL);
		return -EINVAL;
	}
	if (queues < x->n_rx_queues)
		log_event("port.open port=%s warning=queues_without_socket rx_queues=%u sockets=%u "
			  "effect='what comes in by the others is dropped and counted "
			  "(no_socket)' hint='ethtool -L or -X: no packets to them'",
			  port->cfg->name, x->n_rx_queues, queues);
	*ret_queues = queues;
	return 0;
}

/* ---- the interface ----------------------------------------------------------------------------------------------- */

static int af_xdp_lock(const struct port *port, u32 ifindex)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;
	int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "dwcp-af_xdp-%u", ifindex);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
		return fd;
	err = -errno;
	close(fd);
	log_event("port.open port=%s error=interface_in_use interface=%s lock=@%s hint='another "
		  "dwcp-dataplane, or another port, has it: ss -xlp shows who'",
		  port->cfg->name, port->kernel_if, addr.sun_path + 1);
	return err;
}

/* The program of an instance that was killed goes; any other stays and stops us. */
static int af_xdp_clear(const struct port *port, u32 ifindex)
{
	struct xdp_attached a;
	int err = xdp_attached_get(ifindex, &a);

	if (err || a.owner == XDP_NOBODY)
		return err;
	if (a.owner == XDP_OURS) {
		err = xdp_detach(ifindex, &a);
		log_event("xdp.stale port=%s interface=%s program_id=%u %s%s", port->cfg->name,
			  port->kernel_if, a.id, err ? "error=" : "state=removed",
			  err ? strerror(-err) : "");
		return err;
	}
	log_event("port.open port=%s error=%s interface=%s program_id=%u program=%s hint='%s, "
		  "then: "
		  "ip link set dev %s xdp off'",
		  port->cfg->name,
		  a.owner == XDP_FOREIGN ? "foreign_xdp_program" : "xdp_program_unreadable",
		  port->kernel_if, a.id, a.name[0] ? a.name : "?",
		  a.owner == XDP_FOREIGN
			  ? "somebody else uses XDP on it: make sure it may go"
			  : "only root can tell whether it is a dead instance's: start "
			    "as root once, or make sure",
		  port->kernel_if);
	return -EBUSY;
}

static int af_xdp_prepare_if(const struct port *port, const struct kernel_if *k)
{
	const char *name = port->kernel_if;
	int err = 0, tags;

	if (k->mtu < port->mtu)
		err = kernel_if_set_mtu(name, port->mtu);
	if (err) {
		log_event("port.open port=%s error=mtu interface=%s mtu=%u interface_mtu=%u "
			  "reason='%s' hint='ip link set dev %s mtu %u'",
			  port->cfg->name, name, port->mtu, k->mtu, strerror(-err), name,
			  port->mtu);
		return err;
	}
	if (!k->admin_up)
		err = kernel_if_set_up(name);
	if (err) {
		log_event("port.open port=%s error=interface_down interface=%s reason='%s' "
			  "hint='ip link set dev %s up'",
			  port->cfg->name, name, strerror(-err), name);
		return err;
	}
	tags = kernel_if_keep_tags(name);
	if (tags && tags != -EOPNOTSUPP)
		log_event("port.open port=%s warning=vlan_tags interface=%s reason='%s' "
			  "effect='the NIC may strip tags before we see them' hint='ethtool -K %s "
			  "rxvlan off'",
			  port->cfg->name, name, strerror(-tags), name);
	return 0;
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

/* From the environment; beside us in a build tree; else where it is installed. */
static void af_xdp_object(char *ret, size_t len)
{
	const char *env = getenv("DWCP_XDP_OBJECT");
	char self[4000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (env && *env) {
		snprintf(ret, len, "%s", env);
		return;
	}
	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash) {
		snprintf(ret, len, "%.*s/../ebpf/prefilter.bpf.o", (int)(slash - self), self);
		if (access(ret, R_OK) == 0)
			return;
	}
	snprintf(ret, len, "%s", DWCP_XDP_OBJECT);
}

static int af_xdp_args(const struct port *port, u32 queues, char *args, size_t len)
{
	char object[4096];
	size_t at = strlen(args);

	if (!port_arg_have(args, "queue_count"))
		at += (size_t)snprintf(args + at, len - at, ",queue_count=%u", queues);
	if (port_arg_have(args, "xdp_prog"))
		return 0;
	af_xdp_object(object, sizeof(object));
	if (access(object, R_OK) < 0 || strchr(object, ',')) {
		log_event("port.open port=%s error=no_xdp_object path=%s reason='%s' hint='install "
			  "it, or name it: DWCP_XDP_OBJECT in the environment, or xdp_prog=FILE in "
			  "args'",
			  port->cfg->name, object, strerror(errno));
		return -ENOENT;
	}
	at += (size_t)snprintf(args + at, len - at, ",xdp_prog=%s", object);
	return at < len ? 0 : -ENAMETOOLONG;
}

int af_xdp_open(struct dataplane *dp, struct port *port, char *args, size_t len)
{
	struct kernel_if k;
	struct af_xdp *x;
	u32 queues;
	int err = kernel_if_get(port->kernel_if, &k);

	if (err) {
		log_event("port.open port=%s error=no_such_interface interface=%s reason='%s' "
			  "hint='ip link shows those of this network namespace'",
			  port->cfg->name, port->kernel_if, strerror(-err));
		return err;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	port->af_xdp = x;
	x->ifindex = k.ifindex;
	x->lock_fd = -1;
	err = af_xdp_check_mtu(dp, port->cfg);
	if (!err)
		err = af_xdp_check_queues(dp, port, x, &queues);
	if (err)
		return err;
	x->lock_fd = af_xdp_lock(port, k.ifindex);
	if (x->lock_fd < 0)
		return x->lock_fd;
	err = af_xdp_clear(port, k.ifindex);
	if (!err)
		err = af_xdp_prepare_if(port, &k);
	return err ? err : af_xdp_args(port, queues, args, len);
}

int af_xdp_started(struct port *port)
{
	struct af_xdp *x = port->af_xdp;
	struct xdp_attached a;
	int err = xdp_attached_get(x->ifindex, &a);

	if (err)
		return err;
	x->program_id = a.id;
	x->mode = a.mode;
	err = xdp_counters_open(a.id, x->n_rx_queues, &x->counters);
	log_event("xdp.attach port=%s interface=%s program_id=%u mode=%s counters=%s",
		  port->cfg->name, port->kernel_if, a.id,
		  a.mode == XDP_ATTACHED_DRV ? "native" : "generic", err ? "none" : "found");
	return 0;
}

/*
 * A zero-copy socket's fill ring asks to be woken up. The driver does that without waiting only while it busy polls; with
 * busy_budget=0, or where the kernel refuses busy polling, it waits inside rx for up to a second, and so does the worker.
 */
void af_xdp_report(void)
{
	struct xdp_sockets s;

	xdp_sockets_get(&s);
	if (!s.n)
		return;
	log_event("xdp.sockets n=%u zero_copy=%u may_stall=%u%s", s.n, s.n_zero_copy, s.n_may_stall,
		  s.n_may_stall
			  ? " effect='an idle queue holds its worker up for a second' "
			    "hint='no busy_budget=0 in args; busy polling takes CAP_NET_ADMIN'"
			  : "");
}

void af_xdp_failed(const struct port *port)
{
	log_event("port.open port=%s interface=%s hint='see the lines above. It takes "
		  "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK (or a memlock limit as "
		  "large as packet memory); a veth needs as many rx queues as its peer has tx "
		  "queues'",
		  port->cfg->name, port->kernel_if);
}

bool af_xdp_may_close(const struct port *port)
{
	struct xdp_attached a;

	if (!port->af_xdp || xdp_attached_get(port->af_xdp->ifindex, &a))
		return true;
	return a.owner == XDP_NOBODY || xdp_is_own(a.id);
}

void af_xdp_close(struct port *port)
{
	struct af_xdp *x = port->af_xdp;

	if (!x)
		return;
	xdp_counters_close(&x->counters);
	if (x->lock_fd >= 0)
		close(x->lock_fd);
	free(x);
	port->af_xdp = NULL;
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

/*
 * What the program redirected and the driver has not received is lost or still in a ring, and there is no telling which. But
 * what is lost stays so: the least of a second's readings is taken for lost. A worker that stood still for longer may prove
 * that to be too much; then it is taken back.
 */
static u64 af_xdp_lost(struct af_xdp *x, u64 redirected, u64 received)
{
	u64 behind = redirected > received ? redirected - received : 0, least = UINT64_MAX;
	u64 now = clock_ns();

	if (now - x->read_ns >= READING_NS) {
		x->read_ns = now;
		x->n_readings++;
		x->behind[x->n_readings % LOST_READINGS] = behind;
	}
	for (u32 i = 0; i < LOST_READINGS; i++)
		least = DWCP_MIN(least, x->behind[i]); /* 0 until a second has passed */
	x->lost = DWCP_MIN(DWCP_MAX(x->lost, least), behind);
	return x->lost;
}

/* @received was read before: so that what comes in meanwhile makes the difference larger, never too small. */
void af_xdp_refresh(struct port *port, struct dwcp_stats_port *s, u64 received)
{
	struct af_xdp *x = port->af_xdp;
	struct dwcp_xdp_counters c;
	u64 redirected = 0, lost;

	if (!x || !x->counters.cpu || xdp_counters_read(&x->counters, &c))
		return;
	for (u32 i = 0; i < DWCP_XDP_N_KINDS; i++)
		redirected += c.packets[i];
	lost = af_xdp_lost(x, redirected, received);
	for (u32 i = 0; i < DWCP_XDP_N_COUNTERS; i++)
		dwcp_store_relaxed(&s->xdp.packets[i], c.packets[i]);
	dwcp_store_relaxed(&s->xdp.n_counters, DWCP_XDP_N_COUNTERS);
	dwcp_store_relaxed(&s->xdp.native, x->mode == XDP_ATTACHED_DRV);
	dwcp_store_relaxed(&s->xdp.program_id, x->program_id);
	dwcp_store_relaxed(&s->xdp.lost, lost);
}
