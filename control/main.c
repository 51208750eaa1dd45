/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - dwcp-agent: arguments, signals, the loop. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "agent.h"
#include "io/log.h"

#define DEFAULT_CONFIG "/etc/dwcp/dwcp.conf"

/* Descriptors: every segment of a full manifest, of two images during a publish, and room for connections. */
#define FILES_WANTED   (2 * DWCP_MANIFEST_MAX_SEGMENTS + 1024)

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char usage[] =
	"usage: dwcp-agent [--config FILE] [--run-dir DIR] [--check] [--version]\n"
	"\n"
	"  --config FILE  configuration (" DEFAULT_CONFIG ")\n"
	"  --run-dir DIR  sockets; instead of node.run_dir\n"
	"  --check        read the configuration and its route files, say what is wrong, and exit\n"
	"  --version      print the version and exit\n";

struct arguments {
	struct agent_options options;
	bool check;
};

static int arguments_parse(int argc, char **argv, struct arguments *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"run-dir", required_argument, NULL, 'r'},
		{"check", no_argument, NULL, 'k'},	  {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	int c;

	*ret = (struct arguments){.options = {.config_path = DEFAULT_CONFIG, .threads = true}};
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->options.config_path = optarg;
			break;
		case 'r':
			ret->options.run_dir = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'v':
			printf("dwcp-agent %s\n", DWCP_VERSION);
			exit(EXIT_OK);
		case 'h':
			printf("%s", usage);
			exit(EXIT_OK);
		default:
			fprintf(stderr, "%s", usage);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dwcp-agent: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return -EINVAL;
	}
	return 0;
}

/* Return: NULL after everything that is wrong has been said. */
static struct bundle *configuration_load(const struct arguments *args)
{
	const char *path = args->options.config_path;
	struct bundle *b = bundle_load(path);

	if (!b) {
		log_event("agent.start error=no_memory path=%s", path);
		return NULL;
	}
	if (!b->err)
		return b;
	for (u32 i = 0; i < b->errors.n; i++)
		fprintf(stderr, "%s\n", b->errors.text[i]);
	log_event("agent.%s error=config_invalid path=%s errors=%u hint=\"correct the lines above; "
		  "dwcp-agent --check tries again\"",
		  args->check ? "check" : "start", path, b->errors.n);
	bundle_free(b);
	return NULL;
}

static void files_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	if (l.rlim_cur < FILES_WANTED) {
		l.rlim_cur = DWCP_MIN(l.rlim_max, FILES_WANTED);
		setrlimit(RLIMIT_NOFILE, &l);
	}
	if (l.rlim_cur < FILES_WANTED)
		log_event("agent.limit resource=nofile is=%llu wanted=%d hint=\"LimitNOFILE of the "
			  "service\"",
			  (unsigned long long)l.rlim_cur, FILES_WANTED);
}

static void reload_signalled(evutil_socket_t sig, short what, void *arg)
{
	(void)sig, (void)what;
	log_event("agent.reload reason=signal");
	if (reload_start(arg, NULL) < 0)
		log_event("agent.reload error=no_memory next=keep_current");
}

static void stop_signalled(evutil_socket_t sig, short what, void *arg)
{
	struct agent *a = arg;

	(void)what;
	log_event("agent.stop reason=signal number=%d", (int)sig);
	event_base_loopbreak(a->loop.base);
}

static int agent_run(struct agent *a)
{
	struct event *hup = evsignal_new(a->loop.base, SIGHUP, reload_signalled, a);
	struct event *term = evsignal_new(a->loop.base, SIGTERM, stop_signalled, a);
	struct event *intr = evsignal_new(a->loop.base, SIGINT, stop_signalled, a);
	int err = hup && term && intr ? 0 : -ENOMEM;

	if (!err) {
		evsignal_add(hup, NULL);
		evsignal_add(term, NULL);
		evsignal_add(intr, NULL);
		log_event("agent.ready version=%s pid=%d socket=%s", DWCP_VERSION, (int)getpid(),
			  a->api_path);
		sd_notify(0, "READY=1");
		event_base_dispatch(a->loop.base);
		sd_notify(0, "STOPPING=1");
	}
	if (hup)
		event_free(hup);
	if (term)
		event_free(term);
	if (intr)
		event_free(intr);
	return err;
}

int main(int argc, char **argv)
{
	struct arguments args;
	static struct agent agent;
	struct bundle *bundle;
	int err;

	if (arguments_parse(argc, argv, &args) < 0)
		return EXIT_USAGE;
	bundle = configuration_load(&args);
	if (!bundle)
		return EXIT_FAILED;
	if (args.check) {
		log_event("config.ok path=%s hash=%016llx", bundle->cfg->path,
			  (unsigned long long)bundle->cfg->hash);
		bundle_free(bundle);
		return EXIT_OK;
	}
	signal(SIGPIPE, SIG_IGN);
	json_object_seed(0); /* before there are threads */
	files_raise();
	if (agent_open(&agent, &args.options, bundle) < 0)
		return EXIT_FAILED;
	err = agent_run(&agent);
	agent_close(&agent);
	log_event("agent.stopped");
	return err ? EXIT_FAILED : EXIT_OK;
}
