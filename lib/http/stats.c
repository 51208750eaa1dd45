/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - the stats page as JSON, read while the dataplane writes it: every field is loaded once, and sums are made
 * of what was loaded. Counters of one worker may be a burst apart from each other; nothing is ever torn.
 */
#include <dwcp/util/http.h>

#include <ctype.h>
#include <dwcp/abi/atomic.h>
#include <dwcp/abi/stats.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "stats_private.h"

#define STATS_MAX_WORKERS 1024

static const char *const drop_names[] = {
#define X(name, text) #name,
	DWCP_DROP_REASONS(X)
#undef X
};
static const char *const drop_texts[] = {
#define X(name, text) text,
	DWCP_DROP_REASONS(X)
#undef X
};
static const char *const stage_names[] = {
#define X(name, text) text,
	DWCP_STAGES(X)
#undef X
};

static json_t *count_json(u64 v)
{
	return json_integer((json_int_t)v);
}

static u64 unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

const char *stats_page_check(const void *page, size_t bytes)
{
	const struct dwcp_stats_hdr *h = page;
	u64 need;

	if (bytes < sizeof(*h))
		return "stats_page_short";
	if (h->magic != DWCP_STATS_MAGIC)
		return "stats_page_magic";
	if (h->version == 0)
		return "stats_page_version";
	if (h->header_bytes < sizeof(*h) || h->worker_bytes < DWCP_STATS_WORKER_BYTES_MIN ||
	    h->port_bytes < DWCP_STATS_PORT_BYTES_MIN)
		return "stats_page_stride";
	if ((h->header_bytes | h->worker_bytes | h->port_bytes) % sizeof(u64) != 0)
		return "stats_page_stride";
	if (h->n_workers > STATS_MAX_WORKERS || h->n_ports > DWCP_STATS_MAX_PORTS)
		return "stats_page_counts";
	if (h->n_drop_reasons > DWCP_DROP_REASONS_MAX || h->n_stages > 16)
		return "stats_page_counts";
	need = h->header_bytes + (u64)h->n_workers * h->worker_bytes +
	       (u64)h->n_ports * h->port_bytes;
	return need > bytes ? "stats_page_short" : NULL;
}

/* ---- ports ------------------------------------------------------------------------------------------------ */

const char *stats_text(const char *field, size_t size, char *buf)
{
	size_t i;

	for (i = 0; i + 1 < size; i++) {
		char c = dwcp_load_relaxed(&field[i]);

		if (!c)
			break;
		buf[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
	}
	buf[i] = 0;
	return buf;
}

static struct dwcp_stats_io io_sum(const void *page, u32 port)
{
	const struct dwcp_stats_hdr *h = page;
	struct dwcp_stats_io sum = {0};

	for (u32 i = 0; i < h->n_workers; i++) {
		const struct dwcp_stats_io *io = &worker_at(page, i)->port[port];

		sum.rx_packets += dwcp_load_relaxed(&io->rx_packets);
		sum.rx_bytes += dwcp_load_relaxed(&io->rx_bytes);
		sum.tx_packets += dwcp_load_relaxed(&io->tx_packets);
		sum.tx_bytes += dwcp_load_relaxed(&io->tx_bytes);
	}
	return sum;
}

#define HW(p, field) "" #field, (json_int_t)dwcp_load_relaxed(&(p)->hw_##field)

static json_t *hw_json(const struct dwcp_stats_port *p)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", HW(p, rx_packets),
			 HW(p, rx_bytes), HW(p, rx_missed), HW(p, rx_errors), HW(p, rx_nombuf),
			 HW(p, tx_packets), HW(p, tx_bytes), HW(p, tx_errors));
}

/* Of a VLAN: the port whose device it shares, and whose counters contain its own. */
static json_t *parent_json(const void *page, u32 i)
{
	const struct dwcp_stats_hdr *h = page;
	u32 parent = dwcp_load_relaxed(&port_at(page, i)->parent);
	char name[sizeof(port_at(page, i)->name)];

	if (!parent || parent > h->n_ports)
		return json_null();
	return json_string(stats_text(port_at(page, parent - 1)->name, sizeof(name), name));
}

static const char *const xdp_names[] = {
#define X(name, text) #name,
	DWCP_XDP_KINDS(X) DWCP_XDP_DROPS(X)
#undef X
};

/* The page may be of a dataplane that counts more than this program knows. */
static void xdp_put(json_t *o, u32 counter, u64 packets)
{
	char name[64];

	if (counter >= DWCP_ARRAY_LEN(xdp_names))
		snprintf(name, sizeof(name), "counter_%u", counter);
	else
		snprintf(name, sizeof(name), "%s", xdp_names[counter]);
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	json_object_set_new(o, name, count_json(packets));
}

/* NULL: none. Seen, redirected and dropped are sums of what was read once, so they add up: seen = the other three. */
static json_t *xdp_json(const void *page, u32 port)
{
	const struct dwcp_stats_hdr *h = page;
	const struct dwcp_stats_xdp *x = &port_at(page, port)->xdp;
	json_t *kinds, *drops;
	u64 redirected = 0, dropped = 0, no_socket = 0;
	u32 n;

	if (!DWCP_STATS_HAS(h, port, xdp))
		return NULL;
	n = DWCP_MIN(dwcp_load_relaxed(&x->n_counters), (u32)DWCP_XDP_COUNTERS_MAX);
	if (!n)
		return NULL;
	kinds = json_object();
	drops = json_object();
	for (u32 i = 0; i < n; i++) {
		u64 packets = dwcp_load_relaxed(&x->packets[i]);

		if (i < DWCP_XDP_N_KINDS) {
			redirected += packets;
			xdp_put(kinds, i, packets);
		} else if (i == DWCP_XDP_NO_SOCKET) {
			no_socket = packets;
		} else {
			dropped += packets;
			xdp_put(drops, i, packets);
		}
	}
	return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "program_id",
			 (json_int_t)dwcp_load_relaxed(&x->program_id), "native",
			 dwcp_load_relaxed(&x->native) != 0, "seen",
			 (json_int_t)(redirected + no_socket + dropped), "redirected",
			 (json_int_t)redirected, "lost", (json_int_t)dwcp_load_relaxed(&x->lost),
			 "no_socket", (json_int_t)no_socket, "dropped", (json_int_t)dropped,
			 "redirected_by_kind", kinds, "dropped_by_reason", drops);
}

static json_t *port_json(const void *page, u32 i)
{
	const struct dwcp_stats_port *p = port_at(page, i);
	struct dwcp_stats_io io = io_sum(page, i);
	char name[sizeof(p->name)], device[sizeof(p->device)], mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2],
		 p->mac[3], p->mac[4], p->mac[5]);
	return json_pack("{s:s, s:s, s:b, s:I, s:i, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o, "
			 "s:o, s:o, s:o*}",
			 "name", stats_text(p->name, sizeof(name), name), "device",
			 stats_text(p->device, sizeof(device), device), "up",
			 dwcp_load_relaxed(&p->up) != 0, "speed_mbps",
			 (json_int_t)dwcp_load_relaxed(&p->speed_mbps), "mtu",
			 (int)dwcp_load_relaxed(&p->mtu), "mac", mac, "rx_queues",
			 (int)dwcp_load_relaxed(&p->n_rx_queues), "tx_queues",
			 (int)dwcp_load_relaxed(&p->n_tx_queues), "link_changes",
			 (json_int_t)dwcp_load_relaxed(&p->link_changes), "rx_packets",
			 (json_int_t)io.rx_packets, "rx_bytes", (json_int_t)io.rx_bytes,
			 "tx_packets", (json_int_t)io.tx_packets, "tx_bytes",
			 (json_int_t)io.tx_bytes, "hw", hw_json(p), "parent", parent_json(page, i),
			 "twin", stats_twin_json(page, i), "xdp", xdp_json(page, i));
}

json_t *stats_ports_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	json_t *list = json_array();

	for (u32 i = 0; i < h->n_ports; i++)
		json_array_append_new(list, port_json(page, i));
	return list;
}

/* ---- drops ------------------------------------------------------------------------------------------------ */

static u64 drop_sum(const void *page, u32 reason)
{
	const struct dwcp_stats_hdr *h = page;
	u64 sum = 0;

	for (u32 i = 0; i < h->n_workers; i++)
		sum += dwcp_load_relaxed(&worker_at(page, i)->drop[reason]);
	return sum;
}

/* The dataplane may know reasons that were appended after this program was built. */
const char *stats_drop_name(u32 reason, char *buf, size_t size)
{
	if (reason >= DWCP_ARRAY_LEN(drop_names))
		snprintf(buf, size, "reason_%u", reason);
	else
		snprintf(buf, size, "%s", drop_names[reason]);
	for (char *c = buf; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return buf;
}

json_t *stats_drops_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	json_t *list = json_array();
	u64 total = 0;

	for (u32 i = 0; i < h->n_drop_reasons; i++) {
		u64 n = drop_sum(page, i);
		char name[64];

		total += n;
		stats_drop_name(i, name, sizeof(name));
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I}", "reason", name, "text",
						i < DWCP_ARRAY_LEN(drop_texts) ? drop_texts[i] : "",
						"packets", (json_int_t)n));
	}
	return json_pack("{s:o, s:I}", "drops", list, "total", (json_int_t)total);
}

/* ---- workers ---------------------------------------------------------------------------------------------- */

/*
 * The smallest value of the bucket behind the one that holds the quantile (nearest rank): an upper bound, ≤ 12.5 % off.
 */
static u64 hist_quantile(const struct dwcp_hist *copy, u64 total, u32 ppm)
{
	u64 rank = (u64)(((__uint128_t)total * ppm + 999999) / 1000000), seen = 0;

	for (u32 i = 0; i < DWCP_STATS_N_BUCKETS; i++) {
		seen += copy->bucket[i];
		if (copy->bucket[i] && seen >= rank)
			return dwcp_hist_floor(i + 1);
	}
	return 0;
}

static u64 hist_max(const struct dwcp_hist *copy)
{
	for (u32 i = DWCP_STATS_N_BUCKETS; i-- > 0;) {
		if (copy->bucket[i])
			return dwcp_hist_floor(i + 1);
	}
	return 0;
}

/* ns = value * 10^9 / hz; hz 10^9 leaves it as it is. */
static json_int_t scale_ns(u64 v, u64 hz)
{
	return hz ? (json_int_t)(u64)((__uint128_t)v * 1000000000u / hz) : 0;
}

static json_t *hist_json(const struct dwcp_hist *hist, u64 hz)
{
	struct dwcp_hist copy;
	u64 total = 0;

	for (u32 i = 0; i < DWCP_STATS_N_BUCKETS; i++) {
		copy.bucket[i] = dwcp_load_relaxed(&hist->bucket[i]);
		total += copy.bucket[i];
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "samples", (json_int_t)total, "p50_ns",
			 scale_ns(hist_quantile(&copy, total, 500000), hz), "p90_ns",
			 scale_ns(hist_quantile(&copy, total, 900000), hz), "p99_ns",
			 scale_ns(hist_quantile(&copy, total, 990000), hz), "p999_ns",
			 scale_ns(hist_quantile(&copy, total, 999000), hz), "max_ns",
			 scale_ns(hist_max(&copy), hz));
}

/* Cycles a packet of each stage, in thousandths: integers, so that nothing depends on the locale or the FPU. */
static json_t *stages_json(const struct dwcp_stats_worker *w, u32 n_stages)
{
	u64 packets = dwcp_load_relaxed(&w->sampled_packets);
	json_t *o = json_object();

	for (u32 i = 0; i < n_stages && i < DWCP_STAGE_N; i++) {
		u64 cycles = dwcp_load_relaxed(&w->stage_cycles[i]);

		json_object_set_new(o, stage_names[i],
				    count_json(packets ? cycles * 1000 / packets : 0));
	}
	return o;
}

#define COUNT(w, field) "" #field, (json_int_t)dwcp_load_relaxed(&(w)->field)

static json_t *worker_json(const void *page, u32 i)
{
	const struct dwcp_stats_hdr *h = page;
	const struct dwcp_stats_worker *w = worker_at(page, i);

	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
			 "worker", (int)i, COUNT(w, cpu), COUNT(w, lcore), COUNT(w, heartbeat),
			 COUNT(w, bursts), COUNT(w, packets), COUNT(w, generation),
			 COUNT(w, sleeps), COUNT(w, sleep_ns), COUNT(w, from_host),
			 COUNT(w, to_host), COUNT(w, originated), COUNT(w, queued),
			 COUNT(w, max_gap_ns), COUNT(w, gaps), COUNT(w, long_gaps),
			 COUNT(w, long_gap_ns), COUNT(w, events_lost), COUNT(w, sampled_bursts),
			 COUNT(w, sampled_packets), "stage_millicycles_per_packet",
			 stages_json(w, h->n_stages), "latency", hist_json(&w->latency, h->tsc_hz),
			 "gap", hist_json(&w->gap, 1000000000u));
}

json_t *stats_workers_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	json_t *list = json_array();

	for (u32 i = 0; i < h->n_workers; i++)
		json_array_append_new(list, worker_json(page, i));
	return list;
}

/* ---- tables and accounting -------------------------------------------------------------------------------- */

static json_t *stored_json(const struct dwcp_stats_hdr *h)
{
	u64 at = dwcp_load_relaxed(&h->stored_unix_ns), now = unix_ns();
	u64 generation = dwcp_load_relaxed(&h->stored_generation);

	if (!generation)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "generation", (json_int_t)generation, "unix_ns",
			 (json_int_t)at, "age_s",
			 (json_int_t)(now > at ? (now - at) / 1000000000u : 0));
}

json_t *stats_tables_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", COUNT(h, generation),
			 "created_unix_ns",
			 (json_int_t)dwcp_load_relaxed(&h->generation_created_unix_ns),
			 COUNT(h, adopted_unix_ns), COUNT(h, adoptions), COUNT(h, refusals),
			 COUNT(h, mapped_bytes), COUNT(h, staged_bytes), COUNT(h, huge_segments),
			 "stored", stored_json(h));
}

json_t *stats_accounting_json(const void *page)
{
	const struct dwcp_stats_hdr *h = page;
	u64 rx = 0, tx = 0, from_host = 0, to_host = 0, originated = 0, queued = 0, dropped = 0;

	for (u32 i = 0; i < h->n_ports; i++) {
		struct dwcp_stats_io io = io_sum(page, i);

		if (port_at(page, i)->parent)
			continue; /* its parent has counted them */
		rx += io.rx_packets;
		tx += io.tx_packets;
	}
	for (u32 i = 0; i < h->n_workers; i++) {
		const struct dwcp_stats_worker *w = worker_at(page, i);

		from_host += dwcp_load_relaxed(&w->from_host);
		to_host += dwcp_load_relaxed(&w->to_host);
		originated += dwcp_load_relaxed(&w->originated);
		queued += dwcp_load_relaxed(&w->queued);
	}
	for (u32 i = 0; i < h->n_drop_reasons; i++)
		dropped += drop_sum(page, i);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx", (json_int_t)rx,
			 "from_host", (json_int_t)from_host, "originated", (json_int_t)originated,
			 "tx", (json_int_t)tx, "to_host", (json_int_t)to_host, "dropped",
			 (json_int_t)dropped, "queued", (json_int_t)queued, "difference",
			 (json_int_t)(rx + from_host + originated - tx - to_host - dropped -
				      queued));
}
