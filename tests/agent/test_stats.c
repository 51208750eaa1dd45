/* SPDX-License-Identifier: BSD-3-Clause */
/* test_stats.c - the stats page as JSON: sums, quantiles, names, and pages that must not be believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dwcp/abi/stats.h>
#include <dwcp/util/host_class.h>
#include <dwcp/util/http.h>
#include <dwcp/util/icmp.h>

#define N_WORKERS 3
#define N_PORTS	  2

static size_t page_bytes(void)
{
	return sizeof(struct dwcp_stats_hdr) + N_WORKERS * sizeof(struct dwcp_stats_worker) +
	       N_PORTS * sizeof(struct dwcp_stats_port);
}

static size_t page_bytes_of(const struct dwcp_stats_hdr *h)
{
	return h->header_bytes + N_WORKERS * (size_t)h->worker_bytes +
	       N_PORTS * (size_t)h->port_bytes;
}

/* Exactly as long as it must be, so that ASan sees any read behind it. */
static struct dwcp_stats_hdr *page_new_of(u32 version, u32 worker_bytes, u32 port_bytes)
{
	struct dwcp_stats_hdr head = {.header_bytes = sizeof(head),
				      .worker_bytes = worker_bytes,
				      .port_bytes = port_bytes};
	struct dwcp_stats_hdr *h = aligned_alloc(DWCP_SHARED_LINE, page_bytes_of(&head));

	memset(h, 0, page_bytes_of(&head));
	*h = head;
	h->magic = DWCP_STATS_MAGIC;
	h->version = version;
	h->n_workers = N_WORKERS;
	h->n_ports = N_PORTS;
	h->n_drop_reasons = DROP_N_REASONS;
	h->n_stages = DWCP_STAGE_N;
	h->tsc_hz = 2000000000;
	return h;
}

static struct dwcp_stats_hdr *page_new(void)
{
	return page_new_of(DWCP_STATS_VERSION, sizeof(struct dwcp_stats_worker),
			   sizeof(struct dwcp_stats_port));
}

static json_int_t int_of(const json_t *o, const char *key)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

static void pages_are_checked(void **state)
{
	struct dwcp_stats_hdr *h = page_new(), good = *h;

	(void)state;
	assert_null(stats_page_check(h, page_bytes()));
	assert_non_null(stats_page_check(h, page_bytes() - 1));
	assert_non_null(stats_page_check(h, sizeof(*h) - 1));
	assert_non_null(stats_page_check(h, 0));
#define BAD(field, value)                                                                          \
	do {                                                                                       \
		h->field = value;                                                                  \
		assert_non_null(stats_page_check(h, page_bytes()));                                \
		*h = good;                                                                         \
	} while (0)
	BAD(magic, 1);
	BAD(version, 0);
	BAD(header_bytes, sizeof(*h) - 8);
	BAD(header_bytes, UINT32_MAX & ~7u);
	BAD(worker_bytes, DWCP_STATS_WORKER_BYTES_MIN - 8);
	BAD(port_bytes, DWCP_STATS_PORT_BYTES_MIN - 8);
	BAD(worker_bytes, sizeof(struct dwcp_stats_worker) + 4);
	BAD(worker_bytes, UINT32_MAX & ~7u);
	BAD(port_bytes, 0);
	BAD(n_workers, N_WORKERS + 1);
	BAD(n_workers, UINT32_MAX);
	BAD(n_ports, N_PORTS + 1);
	BAD(n_ports, UINT32_MAX);
	BAD(n_drop_reasons, DWCP_DROP_REASONS_MAX + 1);
	BAD(n_stages, 17);
	assert_null(stats_page_check(h, page_bytes()));
	free(h);
}

static void ports_are_sums_over_workers(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_port *p = dwcp_stats_port_at(h, 1);
	json_t *list, *o;

	(void)state;
	memcpy(p->name, "uplink", 7);
	memset(p->device, 'd', sizeof(p->device)); /* no end: must be cut, not overrun */
	p->up = 1;
	p->speed_mbps = 100000;
	p->mtu = 9000;
	memcpy(p->mac, "\x02\x00\x5e\x10\x00\xff", 6);
	p->hw_rx_missed = 9;
	for (u32 i = 0; i < N_WORKERS; i++) {
		dwcp_stats_worker_at(h, i)->port[1].rx_packets = 100 + i;
		dwcp_stats_worker_at(h, i)->port[1].tx_bytes = 5;
	}
	list = stats_ports_json(h);
	assert_int_equal(json_array_size(list), 2);
	o = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "uplink");
	assert_int_equal(strlen(json_string_value(json_object_get(o, "device"))),
			 sizeof(p->device) - 1);
	assert_string_equal(json_string_value(json_object_get(o, "mac")), "02:00:5e:10:00:ff");
	assert_true(json_is_true(json_object_get(o, "up")));
	assert_int_equal(int_of(o, "speed_mbps"), 100000);
	assert_int_equal(int_of(o, "mtu"), 9000);
	assert_int_equal(int_of(o, "rx_packets"), 303);
	assert_int_equal(int_of(o, "tx_bytes"), 15);
	assert_int_equal(int_of(json_object_get(o, "hw"), "rx_missed"), 9);
	assert_true(json_is_false(json_object_get(json_array_get(list, 0), "up")));
	json_decref(list);
	/* a name that is no text must not take the answer away */
	memcpy(p->name, "a\xff\"\n", 5);
	list = stats_ports_json(h);
	o = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "a?\"?");
	json_decref(list);
	free(h);
}

/* Only where there is a program, and seen = redirected + no_socket + dropped; unknown counters have numbers for names. */
static void xdp_counters_add_up(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_xdp *x = &dwcp_stats_port_at(h, 1)->xdp;
	json_t *list, *o;

	(void)state;
	list = stats_ports_json(h);
	assert_null(json_object_get(json_array_get(list, 1), "xdp"));
	json_decref(list);
	x->n_counters = 1000; /* a liar's: must not be read past the end */
	x->lost = 7;
	for (u32 i = 0; i < DWCP_XDP_COUNTERS_MAX; i++)
		x->packets[i] = 1ull << i;
	list = stats_ports_json(h);
	assert_null(json_object_get(json_array_get(list, 0), "xdp"));
	o = json_object_get(json_array_get(list, 1), "xdp");
	assert_int_equal(int_of(o, "seen"), UINT32_MAX);
	assert_int_equal(int_of(o, "redirected"), (1 << DWCP_XDP_N_KINDS) - 1);
	assert_int_equal(int_of(o, "no_socket"), 1 << DWCP_XDP_NO_SOCKET);
	assert_int_equal(int_of(o, "dropped"),
			 UINT32_MAX - int_of(o, "redirected") - int_of(o, "no_socket"));
	assert_int_equal(int_of(o, "lost"), 7);
	assert_int_equal(int_of(json_object_get(o, "redirected_by_kind"), "ip6"),
			 1 << DWCP_XDP_IP6);
	o = json_object_get(o, "dropped_by_reason");
	assert_int_equal(int_of(o, "ip4_version"), 1 << DWCP_XDP_IP4_VERSION);
	assert_int_equal(int_of(o, "counter_31"), 1u << 31);
	json_decref(list);
	free(h);
}

static void drops_have_names_and_a_total(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	json_t *o, *list, *row;

	(void)state;
	for (u32 i = 0; i < N_WORKERS; i++)
		dwcp_stats_worker_at(h, i)->drop[DROP_IP4_TTL] = 7;
	dwcp_stats_worker_at(h, 0)->drop[DROP_NO_ROUTE] = 1;
	h->n_drop_reasons = DROP_N_REASONS + 1; /* of a newer dataplane */
	dwcp_stats_worker_at(h, 2)->drop[DROP_N_REASONS] = 2;
	o = stats_drops_json(h);
	list = json_object_get(o, "drops");
	assert_int_equal(int_of(o, "total"), 24);
	assert_int_equal(json_array_size(list), DROP_N_REASONS + 1);
	row = json_array_get(list, DROP_IP4_TTL);
	assert_string_equal(json_string_value(json_object_get(row, "reason")), "ip4_ttl");
	assert_string_equal(json_string_value(json_object_get(row, "text")), "TTL ran out");
	assert_int_equal(int_of(row, "packets"), 21);
	row = json_array_get(list, DROP_N_REASONS);
	assert_int_equal(int_of(row, "packets"), 2);
	assert_memory_equal(json_string_value(json_object_get(row, "reason")), "reason_", 7);
	json_decref(o);
	free(h);
}

/* Where a value lies between the floor of its bucket and the next one, the answer is the next one. */
static void quantiles_bound_the_samples(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_worker *w = dwcp_stats_worker_at(h, 0);
	json_t *list, *o;

	(void)state;
	for (u64 v = 1; v <= 1000; v++)
		w->latency.bucket[dwcp_hist_bucket(v * 100)]++;
	w->gap.bucket[dwcp_hist_bucket(1000000)] = 1;
	dwcp_stats_worker_at(h, 2)->latency.bucket[40] = 1;
	dwcp_stats_worker_at(h, 2)->latency.bucket[80] = 1;
	list = stats_workers_json(h);
	assert_int_equal(json_array_size(list), N_WORKERS);
	o = json_object_get(json_array_get(list, 0), "latency");
	assert_int_equal(int_of(o, "samples"), 1000);
	/* 2 GHz: 50,000 cycles are 25,000 ns; a bucket is an eighth of an octave */
	assert_in_range(int_of(o, "p50_ns"), 25000, 25000 * 9 / 8);
	assert_in_range(int_of(o, "p90_ns"), 45000, 45000 * 9 / 8);
	assert_in_range(int_of(o, "p99_ns"), 49500, 49500 * 9 / 8);
	assert_in_range(int_of(o, "p999_ns"), 49950, 49950 * 9 / 8);
	assert_in_range(int_of(o, "max_ns"), 50000, 50000 * 9 / 8);
	assert_true(int_of(o, "p50_ns") <= int_of(o, "p90_ns"));
	o = json_object_get(json_array_get(list, 2),
			    "latency"); /* two samples: the first is the median */
	assert_int_equal(int_of(o, "p50_ns"), dwcp_hist_floor(41) / 2);
	assert_int_equal(int_of(o, "p90_ns"), dwcp_hist_floor(81) / 2);
	o = json_object_get(json_array_get(list, 0), "gap"); /* in ns already */
	assert_in_range(int_of(o, "max_ns"), 1000000, 1000000 * 9 / 8);
	assert_in_range(int_of(o, "p50_ns"), 1000000, 1000000 * 9 / 8);
	o = json_object_get(json_array_get(list, 1), "latency"); /* no samples */
	assert_int_equal(int_of(o, "samples"), 0);
	assert_int_equal(int_of(o, "p99_ns"), 0);
	assert_int_equal(int_of(o, "max_ns"), 0);
	json_decref(list);
	/* the last bucket has no next one that a page could lie about */
	w->latency.bucket[DWCP_STATS_N_BUCKETS - 1] = UINT64_MAX / 2;
	h->tsc_hz = 0;
	json_decref(stats_workers_json(h));
	free(h);
}

static void stages_cost_cycles_a_packet(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_worker *w = dwcp_stats_worker_at(h, 1);
	json_t *list, *o;

	(void)state;
	w->sampled_packets = 64;
	w->stage_cycles[DWCP_STAGE_ROUTE] = 64 * 12 + 32;
	w->sleeps = 4;
	list = stats_workers_json(h);
	o = json_array_get(list, 1);
	assert_int_equal(int_of(o, "sleeps"), 4);
	o = json_object_get(o, "stage_millicycles_per_packet");
	assert_int_equal(json_object_size(o), DWCP_STAGE_N);
	assert_int_equal(int_of(o, "route"), 12500);
	assert_int_equal(int_of(o, "parse"), 0);
	json_decref(list);
	free(h);
}

static void accounting_balances(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	json_t *o;

	(void)state;
	dwcp_stats_worker_at(h, 0)->port[0].rx_packets = 100;
	dwcp_stats_worker_at(h, 1)->port[1].tx_packets = 60;
	dwcp_stats_worker_at(h, 1)->from_host = 3;
	dwcp_stats_worker_at(h, 2)->originated = 2;
	dwcp_stats_worker_at(h, 2)->to_host = 5;
	dwcp_stats_worker_at(h, 0)->queued = 10;
	dwcp_stats_worker_at(h, 0)->drop[0] = 30;
	o = stats_accounting_json(h);
	assert_int_equal(int_of(o, "rx"), 100);
	assert_int_equal(int_of(o, "tx"), 60);
	assert_int_equal(int_of(o, "from_host"), 3);
	assert_int_equal(int_of(o, "originated"), 2);
	assert_int_equal(int_of(o, "to_host"), 5);
	assert_int_equal(int_of(o, "queued"), 10);
	assert_int_equal(int_of(o, "dropped"), 30);
	assert_int_equal(int_of(o, "difference"), 0);
	json_decref(o);
	dwcp_stats_worker_at(h, 0)->port[0].rx_packets = 99;
	o = stats_accounting_json(h);
	assert_int_equal(int_of(o, "difference"), -1);
	json_decref(o);
	free(h);
}

static json_t *class_find(json_t *o, const char *name)
{
	size_t i;
	json_t *row;

	json_array_foreach (json_object_get(o, "classes"), i, row)
		if (strcmp(json_string_value(json_object_get(row, "class")), name) == 0)
			return row;
	fail_msg("no class %s", name);
	return NULL;
}

static void exceptions_are_sums_by_class(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	json_t *o, *row;

	(void)state;
	for (u32 i = 0; i < N_WORKERS; i++) {
		struct dwcp_stats_worker *w = dwcp_stats_worker_at(h, i);

		w->host[HOST_CLASS_BFD] = (struct dwcp_stats_host){.punted = 100,
								   .policed = 10 + i,
								   .full = 1,
								   .limit_pps = 5000};
		w->to_host = 86;
		w->from_host = 7;
	}
	o = stats_exceptions_json(h);
	assert_int_equal(json_array_size(json_object_get(o, "classes")), HOST_CLASS_N);
	row = class_find(o, "bfd");
	assert_int_equal(int_of(row, "packets"), 300);
	assert_int_equal(int_of(row, "policed"), 33);
	assert_int_equal(int_of(row, "full"), 3);
	assert_int_equal(int_of(row, "to_host"), 264);
	assert_int_equal(int_of(row, "limit_pps"), 15000);
	assert_string_equal(json_string_value(json_object_get(row, "queue")), "control");
	assert_int_equal(int_of(class_find(o, "icmp"), "packets"), 0);
	assert_int_equal(int_of(o, "to_host"), 258);
	assert_int_equal(int_of(o, "from_host"), 21);
	json_decref(o);
	free(h);
}

static const char *twin_word(const json_t *port, const char *key)
{
	return json_string_value(json_object_get(json_object_get(port, "twin"), key));
}

static void twins_say_why_there_is_none(void **state)
{
	static const struct {
		u32 error;
		const char *reason;
	} rows[] = {{0, "off"},
		    {EPERM, "not_permitted"},
		    {EEXIST, "name_taken"},
		    {ENOENT, "no_tun_driver"},
		    {EIDRM, "deleted"},
		    {ENOMEM, "Cannot allocate memory"},
		    {99999, "unknown_error"}};
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_port *p = dwcp_stats_port_at(h, 1);
	json_t *o, *list;

	(void)state;
	memset(p->twin_name, 'x', sizeof(p->twin_name)); /* no end */
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		p->twin_errno = rows[i].error;
		list = stats_ports_json(h);
		o = json_array_get(list, 1);
		assert_string_equal(twin_word(o, "state"), "none");
		assert_string_equal(twin_word(o, "reason"), rows[i].reason);
		assert_int_equal(strlen(twin_word(o, "name")), sizeof(p->twin_name) - 1);
		json_decref(list);
	}
	p->twin = DWCP_TWIN_DOWN;
	list = stats_ports_json(h);
	assert_string_equal(twin_word(json_array_get(list, 1), "state"), "down");
	assert_null(twin_word(json_array_get(list, 1), "reason"));
	json_decref(list);
	p->twin = 77; /* of a later version */
	p->twin_received = 5;
	o = stats_exceptions_json(h);
	list = json_object_get(o, "twins");
	assert_string_equal(twin_word(json_array_get(list, 1), "state"), "unknown");
	assert_int_equal(int_of(json_array_get(list, 1), "received"), 5);
	json_decref(o);
	free(h);
}

/* A VLAN's packets are in its parent's counters already, and a page may claim any parent. */
static void vlans_are_counted_once(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	struct dwcp_stats_port *p = dwcp_stats_port_at(h, 1);
	json_t *o;

	(void)state;
	memcpy(dwcp_stats_port_at(h, 0)->name, "trunk", 6);
	dwcp_stats_worker_at(h, 0)->port[0].rx_packets = 10;
	dwcp_stats_worker_at(h, 0)->port[1].rx_packets = 4;
	p->parent = 1;
	o = stats_accounting_json(h);
	assert_int_equal(int_of(o, "rx"), 10);
	json_decref(o);
	o = stats_ports_json(h);
	assert_string_equal(json_string_value(json_object_get(json_array_get(o, 1), "parent")),
			    "trunk");
	assert_true(json_is_null(json_object_get(json_array_get(o, 0), "parent")));
	json_decref(o);
	p->parent = N_PORTS + 1;
	o = stats_ports_json(h);
	assert_true(json_is_null(json_object_get(json_array_get(o, 1), "parent")));
	json_decref(o);
	free(h);
}

/*
 * A dataplane of version 1 counted neither what goes to the kernel nor ICMP, and had no XDP: its page is shorter, each block
 * of it, and nothing behind a block is taken for a part of it.
 */
static void old_pages_are_read(void **state)
{
	struct dwcp_stats_hdr *h =
		page_new_of(1, DWCP_STATS_WORKER_BYTES_MIN, DWCP_STATS_PORT_BYTES_MIN);
	json_t *o, *port;

	(void)state;
	assert_null(stats_page_check(h, page_bytes_of(h)));
	assert_non_null(stats_page_check(h, page_bytes_of(h) - 1));
	for (u32 i = 0; i < N_WORKERS; i++) {
		memset(dwcp_stats_worker_at(h, i), 1, DWCP_STATS_WORKER_BYTES_MIN);
		dwcp_stats_worker_at(h, i)->port[1].rx_packets = 5;
	}
	memcpy(dwcp_stats_port_at(h, 1)->name, "uplink", 7);
	o = stats_ports_json(h);
	port = json_array_get(o, 1);
	assert_int_equal(int_of(port, "rx_packets"), N_WORKERS * 5);
	assert_string_equal(twin_word(port, "reason"), "off");
	assert_null(json_object_get(port, "xdp"));
	json_decref(o);
	o = stats_exceptions_json(h);
	assert_int_equal(int_of(class_find(o, "bgp"), "packets"), 0);
	assert_int_equal(int_of(class_find(o, "bgp"), "limit_pps"), 0);
	assert_true(json_is_null(json_object_get(o, "icmp")));
	json_decref(o);
	json_decref(stats_workers_json(h));
	json_decref(stats_drops_json(h));
	json_decref(stats_accounting_json(h));
	json_decref(stats_tables_json(h));
	free(h);
}

/* One of a later version has longer blocks: what this program knows is where it was. */
static void new_pages_are_read(void **state)
{
	struct dwcp_stats_hdr *h =
		page_new_of(DWCP_STATS_VERSION + 1, sizeof(struct dwcp_stats_worker) + 256,
			    sizeof(struct dwcp_stats_port) + 128);
	json_t *o;

	(void)state;
	assert_null(stats_page_check(h, page_bytes_of(h)));
	for (u32 i = 0; i < N_WORKERS; i++)
		dwcp_stats_worker_at(h, i)->host[HOST_CLASS_BGP].punted = 7;
	o = stats_exceptions_json(h);
	assert_int_equal(int_of(class_find(o, "bgp"), "packets"), N_WORKERS * 7);
	json_decref(o);
	free(h);
}

static void icmp_says_what_was_sent_and_why_not(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	json_t *o, *unsent, *row;

	(void)state;
	for (u32 i = 0; i < N_WORKERS; i++) {
		struct dwcp_stats_icmp *s = &dwcp_stats_worker_at(h, i)->icmp;

		s->sent[1][ICMP_ERROR_TOO_BIG] = 2;
		s->limited[0][ICMP_ERROR_TIME] = 3;
		s->forbidden = 4;
		s->forbidden_by[ICMP_RULE_ICMP - 1] = 4;
		s->no_source = 1;
		s->fragmented = 5;
		s->fragments = 11;
	}
	o = stats_icmp_json(h);
	row = json_array_get(json_object_get(o, "errors"), ICMP_N_ERRORS + ICMP_ERROR_TOO_BIG);
	assert_string_equal(json_string_value(json_object_get(row, "error")), "too_big");
	assert_int_equal(int_of(row, "family"), 6);
	assert_int_equal(int_of(row, "sent"), N_WORKERS * 2);
	row = json_array_get(json_object_get(o, "errors"), ICMP_ERROR_TIME);
	assert_int_equal(int_of(row, "limited"), N_WORKERS * 3);
	unsent = json_object_get(o, "unsent");
	assert_int_equal(int_of(unsent, "forbidden"), N_WORKERS * 4);
	assert_int_equal(int_of(json_object_get(unsent, "forbidden_by"), "icmp"), N_WORKERS * 4);
	assert_int_equal(int_of(json_object_get(unsent, "forbidden_by"), "link_group"), 0);
	assert_int_equal(int_of(unsent, "no_source"), N_WORKERS);
	assert_int_equal(int_of(json_object_get(o, "fragmentation"), "fragments"), N_WORKERS * 11);
	json_decref(o);
	free(h);
}

static void tables_tell_generation_and_store(void **state)
{
	struct dwcp_stats_hdr *h = page_new();
	json_t *o;

	(void)state;
	h->generation = 12;
	h->mapped_bytes = 1 << 20;
	o = stats_tables_json(h);
	assert_int_equal(int_of(o, "generation"), 12);
	assert_int_equal(int_of(o, "mapped_bytes"), 1 << 20);
	assert_true(json_is_null(json_object_get(o, "stored")));
	json_decref(o);
	h->stored_generation = 11;
	h->stored_unix_ns = 1000000000;
	o = stats_tables_json(h);
	assert_int_equal(int_of(json_object_get(o, "stored"), "generation"), 11);
	assert_true(int_of(json_object_get(o, "stored"), "age_s") > 1000);
	json_decref(o);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_checked),
		cmocka_unit_test(ports_are_sums_over_workers),
		cmocka_unit_test(xdp_counters_add_up),
		cmocka_unit_test(drops_have_names_and_a_total),
		cmocka_unit_test(quantiles_bound_the_samples),
		cmocka_unit_test(stages_cost_cycles_a_packet),
		cmocka_unit_test(accounting_balances),
		cmocka_unit_test(exceptions_are_sums_by_class),
		cmocka_unit_test(twins_say_why_there_is_none),
		cmocka_unit_test(vlans_are_counted_once),
		cmocka_unit_test(old_pages_are_read),
		cmocka_unit_test(new_pages_are_read),
		cmocka_unit_test(icmp_says_what_was_sent_and_why_not),
		cmocka_unit_test(tables_tell_generation_and_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
