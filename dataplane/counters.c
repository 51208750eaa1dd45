/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters.c - the pages that the dataplane shows: stats, event rings, ring tails (abi/stats.h, abi/ring.h).
 * Each is a memfd of ours, sealed so that no reader can shrink it under us; what only we write also carries
 * F_SEAL_FUTURE_WRITE, which our own mapping, made before, survives. Control thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "dataplane.h"
#include "log.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* A mapped, sealed page set. Return: the fd, or -errno. */
static int page_create(const char *name, size_t bytes, int seals, void **ret_map)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *map;
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0)
		goto fail;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		goto fail;
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = -errno;
		munmap(map, bytes);
		close(fd);
		return err;
	}
	*ret_map = map;
	return fd;
fail:
	err = -errno;
	close(fd);
	return err;
}

static void stats_init(struct dataplane *dp)
{
	struct dwcp_stats_hdr *h = dp->stats_page;

	h->version = DWCP_STATS_VERSION;
	h->header_bytes = sizeof(struct dwcp_stats_hdr);
	h->worker_bytes = sizeof(struct dwcp_stats_worker);
	h->port_bytes = sizeof(struct dwcp_stats_port);
	h->n_workers = dp->n_workers;
	h->n_ports = dp->n_ports;
	h->n_drop_reasons = DROP_N_REASONS;
	h->n_stages = DWCP_STAGE_N;
	h->tsc_hz = rte_get_tsc_hz();
	h->started_unix_ns = clock_unix_ns();
	h->pid = (u32)getpid();
	if (getrandom(&h->incarnation, sizeof(h->incarnation), 0) != sizeof(h->incarnation))
		h->incarnation = h->started_unix_ns ^ h->pid;
	h->magic = DWCP_STATS_MAGIC;
}

int counters_open(struct dataplane *dp)
{
	u32 n_rings = 1 + dp->n_workers;
	int pair[2];

	dp->stats_bytes = sizeof(struct dwcp_stats_hdr) +
			  dp->n_workers * sizeof(struct dwcp_stats_worker) +
			  dp->n_ports * sizeof(struct dwcp_stats_port);
	dp->stats_bytes = DWCP_ALIGN_UP(dp->stats_bytes, (size_t)4096);
	dp->rings_bytes = sizeof(struct dwcp_ring_page) + n_rings * sizeof(struct dwcp_ring);
	dp->rings_bytes = DWCP_ALIGN_UP(dp->rings_bytes, (size_t)4096);
	dp->tails_bytes = DWCP_ALIGN_UP(n_rings * sizeof(struct dwcp_ring_tail), (size_t)4096);
	dp->stats_fd =
		page_create("dwcp-stats", dp->stats_bytes, F_SEAL_FUTURE_WRITE, &dp->stats_page);
	dp->rings_fd = page_create("dwcp-rings", dp->rings_bytes, F_SEAL_FUTURE_WRITE,
				   (void **)&dp->rings);
	dp->tails_fd = page_create("dwcp-tails", dp->tails_bytes, 0, (void **)&dp->tails);
	/*
	 * A socket pair and not an eventfd: flags and count of an eventfd belong to whoever has it, so a hostile agent
	 * could make our write() wait for ever. MSG_DONTWAIT is ours.
	 */
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_event("counters.open error=no_socket_pair hint='raise the limit of open files: "
			  "ulimit -n'");
		return -EMFILE;
	}
	dp->event_send_fd = pair[0];
	dp->event_fd = pair[1];
	dp->link_wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dp->link_wake_fd < 0 || dp->stats_fd < 0 || dp->rings_fd < 0 || dp->tails_fd < 0 ||
	    dp->event_fd < 0) {
		log_event("counters.open error=no_shared_memory hint='is memfd_create allowed "
			  "here? (kernel ≥ 5.1)'");
		return -ENOMEM;
	}
	stats_init(dp);
	dp->rings->version = DWCP_RING_VERSION;
	dp->rings->n_rings = n_rings;
	dp->rings->magic = DWCP_RING_MAGIC;
	return 0;
}

void counters_close(struct dataplane *dp)
{
	if (dp->stats_page)
		munmap(dp->stats_page, dp->stats_bytes);
	if (dp->rings)
		munmap(dp->rings, dp->rings_bytes);
	if (dp->tails)
		munmap(dp->tails, dp->tails_bytes);
	dp->stats_page = NULL;
	dp->rings = NULL;
	dp->tails = NULL;
	close(dp->stats_fd);
	close(dp->rings_fd);
	close(dp->tails_fd);
	close(dp->event_fd);
	close(dp->event_send_fd);
	close(dp->link_wake_fd);
}

void counters_event(struct dataplane *dp, const struct dwcp_event *event)
{
	struct dwcp_event e = *event;

	e.time_ns = clock_ns();
	dwcp_ring_push(&dp->rings->ring[0], &dp->tails[0], &e);
}

void counters_signal(struct dataplane *dp)
{
	u64 heads = 0, one = 1;

	for (u32 i = 0; i <= dp->n_workers; i++)
		heads += dwcp_load_acquire(&dp->rings->ring[i].head);
	if (heads == dp->rings_head_seen)
		return;
	dp->rings_head_seen = heads;
	/* full: the agent has a wake-up pending already */
	send(dp->event_send_fd, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
}
