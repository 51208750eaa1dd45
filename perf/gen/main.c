/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - traffic_gen: a free-running source and sink of packets with sequence numbers and send times.
 * Options, commands on stdin, one JSON object a run on stdout. What it does: run.c; how to use it: --help.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_cycles.h>

#include "gen.h"

#define SETTLE_US      200000 /* the router may need a moment to see its links */
#define HUGE_FREE_MIN  128
#define HUGE_FREE_PATH "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

static const char help_text[] =
	"traffic_gen - send packets with sequence numbers through a router and count what comes "
	"back\n"
	"\n"
	"usage: traffic_gen --in SOCKET [--out SOCKET] [options]     memif sockets that the router "
	"serves\n"
	"       traffic_gen --tx-dev ARGS [--rx-dev ARGS] [options]  DPDK devices: PCI addresses "
	"or net_x,args\n"
	"       traffic_gen --loop [options]                         no router: its own limit\n"
	"Without --out or --rx-dev packets are expected back where they were sent.\n"
	"\n"
	"  --pattern udp|udp6|syn|imix|pcap:FILE   what (udp). imix: 60, 590, 1514 bytes, 7:4:1.\n"
	"                     syn: sequence number and time are in the TCP header. pcap: a frame "
	"gets 18 bytes more\n"
	"  --size BYTES       of the frame without checksum: 60 is a \"64 byte frame\" (60; udp6: "
	"80; at most 1518)\n"
	"  --flows N          distinct flows, a power of two up to 4194304 (65536)\n"
	"  --sources N        distinct source addresses among them, a power of two (1024)\n"
	"  --destinations F   file of addresses, one a line: the flows take them in turn\n"
	"  --prefix P         destinations all over this prefix (198.18.0.0/15, 2001:2::/48)\n"
	"  --router-mac MAC   destination of the frames (02:00:00:00:00:aa)\n"
	"  --cpu N            (0)\n"
	"  --queues N         of each device (1); bursts go to them in turn\n"
	"  --ring LOG2        descriptors of a queue: 2^LOG2, 8 … 14 (13)\n"
	"  --rest US          sleep so long whenever there is nothing to do (0: never; for a "
	"shared CPU)\n"
	"  --wait SECONDS     for both links (10)\n"
	"  --memory huge|small   with huge pages memif copies nothing (huge when 128 of 2 MB are "
	"free)\n"
	"  --run RATE SECONDS    one run instead of commands\n"
	"  --help\n"
	"\n"
	"Commands on stdin:\n"
	"  run RATE SECONDS   RATE in packets a second, or max. One JSON object on a line:\n"
	"      sent: numbered packets; rejected: of them, those the router's ring had no room for; "
	"received;\n"
	"      lost: sent - received; reordered: within a flow; duplicates: the flow's last once "
	"more; foreign: not "
	"of this run;\n"
	"      offered_pps, received_pps: over the time of sending; away: how often the scheduler "
	"took the\n"
	"      generator away for 50 us or longer (its clock was moved on), away_us in all, "
	"max_away_us at most;\n"
	"      latency_ns: of each packet, from before its burst was sent to after its burst had "
	"been received\n"
	"  quit\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n";

static void on_signal(int sig)
{
	(void)sig;
	gen_stop();
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static u64 ns_of(const struct gen *g, u64 tsc)
{
	return (u64)((unsigned __int128)tsc * 1000000000u / g->tsc_hz);
}

static void result_print(const struct gen *g)
{
	const struct gen_result *r = &g->result;
	double s = (double)r->elapsed_tsc / (double)g->tsc_hz;
	const struct histogram *h = &r->latency;

	printf("{\"sent\": %lu, \"rejected\": %lu, \"received\": %lu, \"lost\": %lu, "
	       "\"reordered\": %lu, \"duplicates\": %lu, "
	       "\"foreign\": %lu, \"offered_pps\": %.0f, \"received_pps\": %.0f, \"away\": %lu, "
	       "\"away_us\": %lu, "
	       "\"max_away_us\": %lu, \"latency_ns\": {\"p50\": %lu, \"p90\": %lu, \"p99\": %lu, "
	       "\"p999\": %lu, "
	       "\"max\": %lu}}\n",
	       r->sent, r->rejected, r->received, r->lost, r->reordered, r->duplicates, r->foreign,
	       s > 0 ? (double)r->sent / s : 0, s > 0 ? (double)r->received / s : 0, r->away,
	       ns_of(g, r->away_tsc) / 1000, ns_of(g, r->max_away_tsc) / 1000,
	       ns_of(g, histogram_percentile(h, 500000)), ns_of(g, histogram_percentile(h, 900000)),
	       ns_of(g, histogram_percentile(h, 990000)), ns_of(g, histogram_percentile(h, 999000)),
	       ns_of(g, h->max));
	fflush(stdout);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static int run_parse(const char *rate, const char *seconds, u64 *ret_rate, double *ret_seconds)
{
	char *end_rate, *end_seconds;

	*ret_rate = strcmp(rate, "max") == 0 ? 0 : strtoull(rate, &end_rate, 10);
	*ret_seconds = strtod(seconds, &end_seconds);
	if (strcmp(rate, "max") && (*end_rate || *ret_rate == 0 || *ret_rate > 1000000000))
		return -EINVAL;
	return *end_seconds || !(*ret_seconds > 0) || *ret_seconds > 86400 ? -EINVAL : 0;
}

static void command_run(struct gen *g, const char *rate, const char *seconds)
{
	double s;
	u64 pps;

	if (run_parse(rate, seconds, &pps, &s)) {
		printf("{\"error\": \"run RATE|max SECONDS\"}\n");
		fflush(stdout);
		return;
	}
	gen_run(g, pps, s);
	result_print(g);
}

static void commands(struct gen *g)
{
	char line[256], word[16], rate[32], seconds[32];

	while (!gen_stopped() && fgets(line, sizeof(line), stdin)) {
		int n = sscanf(line, "%15s %31s %31s", word, rate, seconds);

		if (n == 3 && strcmp(word, "run") == 0) {
			command_run(g, rate, seconds);
		} else if (n == 1 && strcmp(word, "quit") == 0) {
			return;
		} else if (n > 0) {
			printf("{\"error\": \"commands: run RATE|max SECONDS, quit\"}\n");
			fflush(stdout);
		}
	}
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static int usage(const char *what, const char *text)
{
	fprintf(stderr, "traffic_gen: %s%s%s; --help says how\n", what, text ? " " : "",
		text ? text : "");
	return -EINVAL;
}

static int option_u32(const char *name, const char *text, u32 min, u32 max, u32 *ret)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || end == text || v < min || v > max) {
		fprintf(stderr, "traffic_gen: --%s %s: expected %u … %u\n", name, text, min, max);
		return -EINVAL;
	}
	*ret = (u32)v;
	return 0;
}

static int option_power(const char *name, const char *text, u32 *ret)
{
	u32 v = 0;

	if (option_u32(name, text, 1, GEN_FLOWS_MAX, &v))
		return -EINVAL;
	if (v & (v - 1)) {
		fprintf(stderr, "traffic_gen: --%s %s: expected a power of two\n", name, text);
		return -EINVAL;
	}
	*ret = v;
	return 0;
}

static int option_mac(const char *text, u8 *ret)
{
	char rest;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &ret[0], &ret[1], &ret[2], &ret[3],
		   &ret[4], &ret[5], &rest) == 6)
		return 0;
	return usage("not a MAC address:", text);
}

static int option_pattern(const char *text, struct gen_cfg *cfg)
{
	static const char *const names[] = {"udp", "udp6", "syn", "imix"};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			cfg->pattern = i;
			return 0;
		}
	}
	if (strncmp(text, "pcap:", 5) || !text[5])
		return usage("no pattern", text);
	cfg->pattern = GEN_PCAP;
	cfg->pcap = text + 5;
	return 0;
}

static bool huge_available(void)
{
	FILE *f = fopen(HUGE_FREE_PATH, "re");
	unsigned long n = 0;

	if (f && fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n >= HUGE_FREE_MIN;
}

static int option_memory(const char *text, struct gen_cfg *cfg)
{
	cfg->huge = strcmp(text, "huge") == 0;
	return cfg->huge || strcmp(text, "small") == 0
		       ? 0
		       : usage("--memory: huge or small, not", text);
}

struct once {
	const char *rate, *seconds;
};

enum option_id {
	OPT_IN = 1,
	OPT_OUT,
	OPT_TX_DEV,
	OPT_RX_DEV,
	OPT_LOOP,
	OPT_PATTERN,
	OPT_SIZE,
	OPT_FLOWS,
	OPT_SOURCES,
	OPT_DESTINATIONS,
	OPT_PREFIX,
	OPT_MAC,
	OPT_CPU,
	OPT_QUEUES,
	OPT_RING,
	OPT_REST,
	OPT_WAIT,
	OPT_MEMORY,
	OPT_RUN,
	OPT_HELP,
};

static int option_number(int id, struct gen_cfg *cfg)
{
	u32 queues = 0;

	switch (id) {
	case OPT_SIZE:
		return option_u32("size", optarg, 60, GEN_FRAME_MAX, &cfg->size);
	case OPT_FLOWS:
		return option_power("flows", optarg, &cfg->n_flows);
	case OPT_SOURCES:
		return option_power("sources", optarg, &cfg->n_sources);
	case OPT_CPU:
		return option_u32("cpu", optarg, 0, 1023, &cfg->cpu);
	case OPT_RING:
		return option_u32("ring", optarg, 8, 14, &cfg->ring_log2);
	case OPT_REST:
		return option_u32("rest", optarg, 0, 1000000, &cfg->rest_us);
	case OPT_WAIT:
		return option_u32("wait", optarg, 1, 3600, &cfg->wait_s);
	case OPT_QUEUES:
		if (option_u32("queues", optarg, 1, 64, &queues))
			return -EINVAL;
		cfg->n_queues = (u16)queues;
		return 0;
	default:
		return -EINVAL;
	}
}

static int option_text(int id, struct gen_cfg *cfg)
{
	switch (id) {
	case OPT_IN:
		cfg->in = optarg;
		return 0;
	case OPT_OUT:
		cfg->out = optarg;
		return 0;
	case OPT_TX_DEV:
		cfg->tx_dev = optarg;
		return 0;
	case OPT_RX_DEV:
		cfg->rx_dev = optarg;
		return 0;
	case OPT_LOOP:
		cfg->loop = true;
		return 0;
	case OPT_PATTERN:
		return option_pattern(optarg, cfg);
	case OPT_DESTINATIONS:
		cfg->destinations = optarg;
		return 0;
	case OPT_PREFIX:
		cfg->prefix = optarg;
		return 0;
	case OPT_MAC:
		return option_mac(optarg, cfg->router_mac);
	case OPT_MEMORY:
		return option_memory(optarg, cfg);
	default:
		return option_number(id, cfg);
	}
}

/* What options say together. */
static int options_check(struct gen_cfg *cfg)
{
	u32 least = cfg->pattern == GEN_UDP6 ? 80 : 60;

	if (!cfg->in + !cfg->tx_dev + !cfg->loop != 2)
		return usage("one of --in, --tx-dev, --loop", NULL);
	if ((cfg->out && !cfg->in) || (cfg->rx_dev && !cfg->tx_dev))
		return usage("--out goes with --in, --rx-dev with --tx-dev", NULL);
	if (cfg->destinations && cfg->prefix)
		return usage("--destinations or --prefix, not both", NULL);
	if (cfg->pattern == GEN_PCAP && (cfg->size || cfg->destinations || cfg->prefix))
		return usage("a capture's frames bring their own size and destinations", NULL);
	if (cfg->pattern == GEN_IMIX && cfg->size)
		return usage("imix has its own sizes", NULL);
	if (cfg->n_flows < cfg->n_sources)
		return usage("--flows: not fewer than --sources", NULL);
	if (!cfg->size)
		cfg->size = least;
	return cfg->size < least ? usage("--size: a udp6 frame has at least 80 bytes", NULL) : 0;
}

/* Return: 0; 1 helped; -EINVAL said why. */
static int options_parse(int argc, char **argv, struct gen_cfg *cfg, struct once *once)
{
	static const struct option table[] = {
		{"in", required_argument, NULL, OPT_IN},
		{"out", required_argument, NULL, OPT_OUT},
		{"tx-dev", required_argument, NULL, OPT_TX_DEV},
		{"rx-dev", required_argument, NULL, OPT_RX_DEV},
		{"loop", no_argument, NULL, OPT_LOOP},
		{"pattern", required_argument, NULL, OPT_PATTERN},
		{"size", required_argument, NULL, OPT_SIZE},
		{"flows", required_argument, NULL, OPT_FLOWS},
		{"sources", required_argument, NULL, OPT_SOURCES},
		{"destinations", required_argument, NULL, OPT_DESTINATIONS},
		{"prefix", required_argument, NULL, OPT_PREFIX},
		{"router-mac", required_argument, NULL, OPT_MAC},
		{"cpu", required_argument, NULL, OPT_CPU},
		{"queues", required_argument, NULL, OPT_QUEUES},
		{"ring", required_argument, NULL, OPT_RING},
		{"rest", required_argument, NULL, OPT_REST},
		{"wait", required_argument, NULL, OPT_WAIT},
		{"memory", required_argument, NULL, OPT_MEMORY},
		{"run", required_argument, NULL, OPT_RUN},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	int id;

	while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (id == '?')
			return -EINVAL; /* getopt has said why */
		if (id == OPT_HELP) {
			fputs(help_text, stdout);
			return 1;
		}
		if (id == OPT_RUN && optind < argc) {
			once->rate = optarg;
			once->seconds = argv[optind++];
		} else if (id == OPT_RUN) {
			return usage("--run RATE SECONDS", NULL);
		} else if (option_text(id, cfg)) {
			return -EINVAL;
		}
	}
	if (optind < argc)
		return usage("what is", argv[optind]);
	return options_check(cfg);
}

static int gen_open(struct gen *g)
{
	/* no SA_RESTART: a read of the next command ends too */
	struct sigaction act = {.sa_handler = on_signal};

	g->flow_last = calloc(g->cfg.n_flows, sizeof(*g->flow_last));
	if (!g->flow_last) {
		fprintf(stderr, "traffic_gen: out of memory\n");
		return -1;
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (destinations_load(g) || ports_open(g) || packet_init(g))
		return -1;
	if (!ports_connected(g, g->cfg.wait_s)) {
		fprintf(stderr,
			"traffic_gen: no link within %u s: is the router up, and its port's socket "
			"the one named here?\n",
			g->cfg.wait_s);
		return -1;
	}
	if (g->cfg.in)
		rte_delay_us_sleep(SETTLE_US);
	fprintf(stderr, "traffic_gen: connected\n");
	return 0;
}

int main(int argc, char **argv)
{
	static struct gen g = {
		.cfg =
			{
				.n_queues = 1,
				.ring_log2 = 13,
				.wait_s = 10,
				.n_flows = 65536,
				.n_sources = 1024,
				.router_mac = {2, 0, 0, 0, 0, 0xaa},
			},
	};
	struct once once = {0};
	double seconds = 0;
	u64 rate = 0;
	int err;

	g.cfg.huge = huge_available();
	err = options_parse(argc, argv, &g.cfg, &once);
	if (err)
		return err < 0 ? 2 : 0;
	if (once.rate && run_parse(once.rate, once.seconds, &rate, &seconds)) {
		usage("--run RATE|max SECONDS, not", once.rate);
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1UL); /* else every rest is 50 µs longer */
	if (gen_open(&g))
		return 1;
	if (once.rate) {
		gen_run(&g, rate, seconds);
		result_print(&g);
	} else {
		commands(&g);
	}
	packet_fini(&g);
	ports_close(&g);
	return 0;
}
