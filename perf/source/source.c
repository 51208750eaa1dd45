/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - the same packets at the same price for every DPDK program: LD_PRELOAD=libsource.so.
 *
 * When the program starts a port, a receive callback is put on each of its queues. It writes the next frame of the
 * source file into whatever mbufs the driver delivered (net_null: blank ones; net_ring: those that the program sent
 * before) and, for net_ring, tops the burst up from the pool. So the program runs as it is, as fast as it can, and what
 * differs between two programs is what they do with a burst. Counters go to a page that perf/run maps.
 *
 *   SOURCE_FILE  frames (source_file.h)      SOURCE_PAGE  counters, made by us
 *   SOURCE_STAMP=0  only count: for drivers that bring frames (net_pcap)
 *   SOURCE_FILL  mbufs kept in flight beyond a burst (0): more of them leave the first-level cache
 *   SOURCE_PACE  packets come by the clock instead of as fast as they are taken (pace.h); one queue of net_ring
 *
 * A thread of the program calls into here only from its own rx burst; one more thread reads device counters.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "pace.h"
#include "source_file.h"

#define QUEUES_MAX   8
#define SAMPLE_POLLS 1024
#define WATCH_US     100000

struct source_queue {
	struct rte_mempool *pool;
	const struct source_hdr *hdr;
	const u8 *entry;
	struct source_sample *sample;
	struct pace *pace;
	u32 next, next_length, fill, mask;
	bool ring, stamp;
	u64 packets, polls, fresh;
} dwcp_aligned(128);

static struct source_queue queues[QUEUES_MAX];
static u32 n_queues;
static const struct source_hdr *source;
static struct source_page *page;

static void source_die(const char *what)
{
	fprintf(stderr, "source: %s\n", what);
	exit(3);
}

/* The destination becomes the port's own address, once: programs that look at it see nothing foreign. */
static void source_open(u16 port_id)
{
	const char *path = getenv("SOURCE_FILE"), *page_path = getenv("SOURCE_PAGE");
	struct rte_ether_addr mac;
	struct source_hdr *hdr;
	struct stat st;
	int fd;

	if (!path || !page_path)
		source_die("SOURCE_FILE and SOURCE_PAGE must be set");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(*hdr))
		source_die("can't read SOURCE_FILE");
	hdr = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd,
		   0);
	close(fd);
	if (hdr == MAP_FAILED || hdr->magic != SOURCE_MAGIC ||
	    (u64)st.st_size < sizeof(*hdr) + (u64)hdr->n_entries * hdr->entry_bytes)
		source_die("SOURCE_FILE is not what perf/run writes");
	rte_eth_macaddr_get(port_id, &mac);
	memcpy(hdr->template, &mac, 6);
	source = hdr;

	fd = open(page_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*page)) < 0)
		source_die("can't make SOURCE_PAGE");
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		source_die("can't map SOURCE_PAGE");
	page->tsc_hz = rte_get_tsc_hz();
}

dwcp_inline void source_copy(u8 *to, const u8 *from, u32 bytes)
{
	for (u32 i = 0; i < bytes; i += 16) {
#ifdef __SSE2__
		_mm_storeu_si128((__m128i *)(to + i), _mm_loadu_si128((const __m128i *)(from + i)));
#else
		memcpy(to + i, from + i, 16);
#endif
	}
}

/* As a NIC leaves an mbuf: offset, lengths, no flags, one segment (rearm_data and rx_descriptor_fields1). */
dwcp_inline void source_stamp(struct source_queue *q, struct rte_mbuf *m, u32 template_bytes,
			      u32 entry_bytes)
{
	const struct source_hdr *h = q->hdr;
	u8 *frame = (u8 *)m->buf_addr + RTE_PKTMBUF_HEADROOM;
	u16 length = h->length[q->next_length];

	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->nb_segs = 1;
	m->ol_flags = 0;
	m->packet_type = RTE_PTYPE_UNKNOWN;
	m->pkt_len = length;
	m->data_len = length;
	source_copy(frame, h->template, template_bytes);
	source_copy(frame + h->entry_at, q->entry + (size_t)q->next * entry_bytes, entry_bytes);
	q->next = (q->next + 1) & q->mask;
	q->next_length = q->next_length + 1 == h->n_lengths ? 0 : q->next_length + 1;
}

static void source_sample_write(struct source_queue *q)
{
	struct source_sample *s = q->sample;

	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	s->tsc = rte_rdtsc();
	s->packets = q->packets;
	s->polls = q->polls;
	s->fresh = q->fresh;
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

/* As many mbufs as have come by the clock, whatever the driver brought back. */
static u16 source_paced(struct source_queue *q, struct rte_mbuf **pkts, u16 n, u16 max)
{
	u16 due = (u16)pace_poll(q->pace, pkts, n, max);

	n = pace_mbufs(q->pace, q->pool, pkts, n, due);
	for (u32 i = 0; i < n; i++) {
		source_stamp(q, pkts[i], q->hdr->template_bytes, q->hdr->entry_bytes);
		pace_number(q->pace, pkts[i]);
	}
	return n;
}

static u16 source_rx(u16 port_id, u16 queue, struct rte_mbuf **pkts, u16 n, u16 max, void *arg)
{
	struct source_queue *q = arg;

	if (q->pace)
		return source_paced(q, pkts, n, max);
	if (q->ring && n < max) {
		if (rte_pktmbuf_alloc_bulk(q->pool, pkts + n, max - n) == 0) {
			q->fresh += (u64)(max - n);
			n = max;
		}
	}
	if (!q->stamp) {
		; /* a driver that brings frames of its own: only counted */
	} else if (q->hdr->entry_bytes == 16 && q->hdr->template_bytes == 64) {
		for (u32 i = 0; i < n; i++)
			source_stamp(q, pkts[i], 64, 16);
	} else {
		for (u32 i = 0; i < n; i++)
			source_stamp(q, pkts[i], q->hdr->template_bytes, q->hdr->entry_bytes);
	}
	q->packets += n;
	if (q->polls++ % SAMPLE_POLLS == 0)
		source_sample_write(q);
	return n;
}

static void *source_watch(void *arg)
{
	u16 port_id = (u16)(uintptr_t)arg;

	for (;;) {
		struct rte_eth_stats st;

		usleep(WATCH_US);
		if (rte_eth_stats_get(port_id, &st) == 0)
			__atomic_store_n(&page->opackets, st.opackets, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* More mbufs on their way round: what was sent is found again only after all of these. */
static void source_fill(u16 port_id, struct source_queue *q)
{
	struct rte_mbuf *m;

	for (u32 i = 0; i < q->fill; i++) {
		m = rte_pktmbuf_alloc(q->pool);
		if (!m || rte_eth_tx_burst(port_id, 0, &m, 1) != 1)
			source_die("SOURCE_FILL does not fit the ring");
	}
}

static bool source_is_ring(u16 port_id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(port_id, &info) == 0 &&
	       strcmp(info.driver_name, "net_ring") == 0;
}

int rte_eth_rx_queue_setup(u16 port_id, u16 queue, u16 n_desc, unsigned int socket,
			   const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	int (*next)(u16, u16, u16, unsigned int, const struct rte_eth_rxconf *,
		    struct rte_mempool *) = dlsym(RTLD_NEXT, "rte_eth_rx_queue_setup");

	if (queue < QUEUES_MAX)
		queues[queue].pool = pool;
	return next(port_id, queue, n_desc, socket, conf, pool);
}

int rte_eth_dev_start(u16 port_id)
{
	int (*next)(u16) = dlsym(RTLD_NEXT, "rte_eth_dev_start");
	const char *fill = getenv("SOURCE_FILL"), *stamp = getenv("SOURCE_STAMP");
	const char *pace = getenv("SOURCE_PACE");
	struct rte_eth_dev_info info;
	pthread_t watch;
	int err = next(port_id);

	if (err || page)
		return err;
	source_open(port_id);
	rte_eth_dev_info_get(port_id, &info);
	n_queues = info.nb_rx_queues < QUEUES_MAX ? info.nb_rx_queues : QUEUES_MAX;
	page->n_queues = n_queues;
	for (u32 i = 0; i < n_queues; i++) {
		struct source_queue *q = &queues[i];

		q->hdr = source;
		q->entry = (const u8 *)(source + 1);
		q->mask = source->n_entries - 1;
		q->next = source->n_entries / n_queues * i;
		q->sample = &page->queue[i];
		q->ring = source_is_ring(port_id);
		q->stamp = !stamp || *stamp != '0';
		q->fill = fill ? (u32)strtoul(fill, NULL, 10) : 0;
		if (pace && (!q->ring || n_queues != 1))
			source_die("SOURCE_PACE wants net_ring with one queue");
		if (pace && !(q->pace = pace_open(pace)))
			source_die("can't map SOURCE_PACE");
		if (q->ring)
			source_fill(port_id, q);
		if (!rte_eth_add_rx_callback(port_id, (u16)i, source_rx, q))
			source_die("the port takes no receive callback");
	}
	if (pthread_create(&watch, NULL, source_watch, (void *)(uintptr_t)port_id) == 0)
		pthread_detach(watch);
	return 0;
}
