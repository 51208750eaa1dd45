/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - dwcp-dataplane: arguments, start in order, the control thread's loop, stop in reverse order.
 * Everything that can fail does so here, before the first packet, with one line that says what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <rte_eal.h>

#include "adopt.h"
#include "api.h"
#include "dataplane.h"
#include "grace.h"
#include "link.h"
#include "log.h"
#include "store.h"

#ifndef DWCP_VERSION
#define DWCP_VERSION "0"
#endif

#define TICK_MS	    100
#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct options {
	const char *config, *run_dir;
	bool check;
	u32 exit_idle_ms; /* 0 = run until told to stop */
};

struct control {
	struct dataplane *dp;
	struct event *tick, *link_wake, *sigterm, *sigint;
	u32 exit_idle_ms;
	u64 idle_packets, idle_since_ns;
	u32 ticks;
};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: dwcp-dataplane [--config FILE] [--run-dir DIR] [--check] [--exit-idle MS] "
		"[--version]\n"
		"  --config FILE   configuration (default /etc/dwcp/dwcp.conf)\n"
		"  --run-dir DIR   where the sockets go (default node.run_dir of the "
		"configuration)\n"
		"  --check         read and check the configuration, then exit\n"
		"  --exit-idle MS  exit once no packet has come for so long: for capture files\n");
}

static int options_parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'},
		{"run-dir", required_argument, NULL, 'r'},
		{"check", no_argument, NULL, 'k'},
		{"exit-idle", required_argument, NULL, 'x'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*ret_options = (struct options){.config = "/etc/dwcp/dwcp.conf"};
	while ((c = getopt_long(argc, argv, "c:r:hk", table, NULL)) != -1) {
		char *end = NULL;

		switch (c) {
		case 'c':
			ret_options->config = optarg;
			break;
		case 'r':
			ret_options->run_dir = optarg;
			break;
		case 'k':
			ret_options->check = true;
			break;
		case 'x':
			ret_options->exit_idle_ms = (u32)strtoul(optarg, &end, 10);
			if (*end || ret_options->exit_idle_ms == 0)
				return -EINVAL;
			break;
		case 'v':
			printf("dwcp-dataplane %s\n", DWCP_VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static struct dwcp_config *config_read(const char *path)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg = NULL;
	int err = config_load(path, &cfg, &errors);

	for (u32 i = 0; i < errors.n; i++)
		fprintf(stderr, "%s\n", errors.text[i]);
	if (err)
		log_event("config.load path=%s error=refused errors=%u hint='mend the lines above; "
			  "dwcp-cli config show "
			  "--reference lists every key'",
			  path, errors.n);
	config_errors_fini(&errors);
	return err ? NULL : cfg;
}

/* One instance a run directory: the lock dies with the process, so a crash leaves nothing to clean up. */
static int instance_lock(const char *run_dir)
{
	char path[4096];
	int fd;

	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST) {
		log_event("instance.lock path=%s error='%s' hint='create it, or --run-dir a "
			  "directory of yours'",
			  run_dir, strerror(errno));
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/dataplane.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		int err = -errno;

		log_event("instance.lock path=%s error='%s' hint='--run-dir a directory that you "
			  "may write'",
			  path, strerror(errno));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		log_event("instance.lock path=%s error=already_running hint='stop the other "
			  "dwcp-dataplane, or give this "
			  "one its own --run-dir'",
			  path);
		close(fd);
		return -EBUSY;
	}
	return fd;
}

/* A table is hundreds of fds, and two of them are held during a swap. */
static void files_limit_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static u64 packets_seen(const struct dataplane *dp)
{
	u64 n = 0;

	for (u32 i = 0; i < dp->n_workers; i++)
		n += dwcp_load_relaxed(&dp->worker[i]->stats->packets);
	return n;
}

static void control_exit_when_idle(struct control *c)
{
	u64 packets = packets_seen(c->dp), now = clock_ns();

	if (packets != c->idle_packets || c->idle_since_ns == 0) {
		c->idle_packets = packets;
		c->idle_since_ns = now;
	} else if (now - c->idle_since_ns >= (u64)c->exit_idle_ms * 1000000u) {
		log_event("control.exit reason=idle packets=%lu", packets);
		event_base_loopbreak(c->dp->base);
	}
}

static void control_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct dataplane *dp = c->dp;

	dwcp_store_relaxed(&dataplane_stats(dp)->heartbeat_ns, clock_ns());
	ports_refresh(dp);
	store_tick(dp->store);
	link_tick(dp);
	workers_watch(dp);
	counters_signal(dp);
	if (c->exit_idle_ms)
		control_exit_when_idle(c);
}

static void control_link_wake(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	u64 n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		ports_refresh(c->dp);
}

static void control_signal(evutil_socket_t sig, short what, void *arg)
{
	struct control *c = arg;

	log_event("control.exit reason=signal number=%d", (int)sig);
	event_base_loopbreak(c->dp->base);
}

static int control_run(struct dataplane *dp, u32 exit_idle_ms)
{
	struct control c = {.dp = dp, .exit_idle_ms = exit_idle_ms};
	struct timeval tv = {0, TICK_MS * 1000};
	int err = 0;

	c.tick = event_new(dp->base, -1, EV_PERSIST, control_tick, &c);
	c.link_wake =
		event_new(dp->base, dp->link_wake_fd, EV_READ | EV_PERSIST, control_link_wake, &c);
	c.sigterm = evsignal_new(dp->base, SIGTERM, control_signal, &c);
	c.sigint = evsignal_new(dp->base, SIGINT, control_signal, &c);
	if (!c.tick || !c.link_wake || !c.sigterm || !c.sigint)
		return -ENOMEM;
	event_add(c.tick, &tv);
	event_add(c.link_wake, NULL);
	event_add(c.sigterm, NULL);
	event_add(c.sigint, NULL);
	log_event("control.ready pid=%d run_dir=%s workers=%u ports=%u", getpid(), dp->run_dir,
		  dp->n_workers, dp->n_ports);
	sd_notify(0, "READY=1");
	if (event_base_dispatch(dp->base) < 0)
		err = -EIO;
	event_free(c.tick);
	event_free(c.link_wake);
	event_free(c.sigterm);
	event_free(c.sigint);
	return err;
}

static int dataplane_open(struct dataplane *dp)
{
	int err;

	dp->started_ns = clock_ns();
	dp->base = event_base_new();
	if (!dp->base)
		return -ENOMEM;
	err = memory_init(dp, "dwcp-dataplane");
	if (!err)
		err = memory_pool_create(dp);
	if (!err)
		err = counters_open(dp);
	if (!err)
		err = ports_open(dp);
	if (!err)
		err = workers_create(dp);
	if (!err)
		err = host_open(dp);
	if (!err)
		err = store_open(dp);
	if (!err)
		err = adopt_open(dp);
	if (err)
		return err;
	grace_open(dp->qsbr);
	adopt_restore(dp); /* without tables we run too, and say so */
	err = link_open(dp);
	if (!err)
		err = api_open(dp);
	if (!err)
		err = workers_start(dp);
	if (!err)
		err = host_start(dp);
	return err;
}

/* The last words: what became of every packet. */
static void dataplane_report(const struct dataplane *dp)
{
	u64 rx = 0, tx = 0, drops = 0, from_host = 0, to_host = 0, originated = 0;

	for (u32 i = 0; i < dp->n_workers && dp->worker[i]; i++) {
		const struct dwcp_stats_worker *s = dp->worker[i]->stats;

		from_host += s->from_host;
		to_host += s->to_host;
		originated += s->originated;
		for (u32 p = 0; p < dp->n_ports; p++) {
			if (dp->port[p].parent != p)
				continue;
			rx += s->port[p].rx_packets;
			tx += s->port[p].tx_packets;
		}
		for (u32 r = 0; r < DROP_N_REASONS; r++)
			drops += s->drop[r];
	}
	log_event("control.stopped rx=%lu from_host=%lu originated=%lu tx=%lu to_host=%lu "
		  "dropped=%lu difference=%ld",
		  rx, from_host, originated, tx, to_host, drops,
		  (long)(rx + from_host + originated - tx - to_host - drops));
}

/* Packets are forwarded until all that can wait, wait for a disk too, is done. */
static void dataplane_close(struct dataplane *dp)
{
	api_close(dp);
	link_close(dp);
	store_close(dp);
	host_stop(dp);
	if (dp->worker[0]) {
		workers_stop(dp);
		grace_open(NULL);
		dataplane_report(dp);
	}
	adopt_close(dp);
	host_close(dp);
	if (dp->pool)
		ports_close(dp);
	if (dp->stats_page)
		counters_close(dp);
	if (dp->base)
		event_base_free(dp->base);
	if (dp->eal)
		rte_eal_cleanup();
}

int main(int argc, char **argv)
{
	static struct dataplane dp;
	struct options o;
	int lock, err;

	if (options_parse(argc, argv, &o)) {
		usage(stderr);
		return EXIT_USAGE;
	}
	setvbuf(stderr, NULL, _IOLBF, 0);
	dp.cfg = config_read(o.config);
	if (!dp.cfg)
		return EXIT_FAILED;
	if (o.check) {
		printf("%s: fine\n", o.config);
		return 0;
	}
	dp.run_dir = o.run_dir ? o.run_dir : dp.cfg->node.run_dir;
	dp.n_ports = dp.cfg->n_ports;
	dp.n_workers = dp.cfg->dataplane.n_workers;
	lock = instance_lock(dp.run_dir);
	if (lock < 0)
		return EXIT_FAILED;
	signal(SIGPIPE, SIG_IGN);
	files_limit_raise();
	err = dataplane_open(&dp);
	if (!err)
		err = control_run(&dp, o.exit_idle_ms);
	dataplane_close(&dp);
	config_free((struct dwcp_config *)dp.cfg);
	return err ? EXIT_FAILED : 0;
}
