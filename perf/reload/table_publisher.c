/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_publisher.c - whole generations, published in turn at a given rate through the dataplane's own link, in the
 * place of an agent: every segment is sent, hashed, checked, mapped and adopted each time, as it would be from an agent
 * whose every route has changed. Building is left out: that is the agent's, and measured there.
 *
 * The generations come from files (dwcp-cli tables build). What two of them share is not sent again, as the link does
 * it, and its size is told: full swaps share no FIB segment. One JSON object on stdout.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <dwcp/util/generation.h>

#include "publisher_link.h"

#define TABLES_MAX 8
#define SAMPLES	   65536

struct table {
	struct generation *g;
	struct dwcp_manifest *manifest; /* ours, with the number of the next publish */
	int *fd;			/* [n_segments] borrowed from g */
	bool *skip;			/* [n_segments] held, because the one before has it too */
};

/* CLOCK_MONOTONIC: first byte sent; the new tables in force; the old ones unmapped and nobody's. */
struct swap {
	u64 begin_ns, swapped_ns, done_ns;
};

struct samples {
	u32 n;
	u32 us[SAMPLES];
};

struct publisher {
	const char *run_dir;
	double rate, seconds, rest;
	u64 count;
	struct segment_set *set;
	struct table table[TABLES_MAX];
	u32 n_tables;
	int fd;
	u64 number;
	u64 shared_fib_bytes, shared_bytes, full_bytes;
	struct samples total, send, check, quiesce;
	struct swap swap[SAMPLES];
	bool times, scatter;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void sleep_until(u64 ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static int table_load(struct publisher *p, struct table *t, const char *path)
{
	struct generation_limits limits = {
		.n_ports = UINT16_MAX}; /* the dataplane knows how many there are */
	char reason[GENERATION_REASON_MAX] = "";
	int err = generation_load(p->set, path, &limits, &t->g, reason);
	u32 n;

	if (err) {
		fprintf(stderr, "table_publisher: %s: %s\n", path,
			reason[0] ? reason : strerror(-err));
		return -1;
	}
	n = t->g->manifest->n_segments;
	t->fd = calloc(n, sizeof(*t->fd));
	t->skip = calloc(n, sizeof(*t->skip));
	if (!t->fd || !t->skip) {
		fprintf(stderr, "table_publisher: out of memory\n");
		return -1;
	}
	for (u32 i = 0; i < n; i++)
		t->fd[i] = generation_fd(t->g, i);
	return 0;
}

static bool segment_is_in(u64 id, const struct dwcp_manifest *m)
{
	const struct dwcp_segment_desc *seg = manifest_segments(m);

	for (u32 i = 0; i < m->n_segments; i++) {
		if (seg[i].id == id)
			return true;
	}
	return false;
}

/* Held is what the table before it in the round has too: the dataplane drops everything else. */
static void tables_compare(struct publisher *p)
{
	for (u32 k = 0; k < p->n_tables; k++) {
		const struct dwcp_manifest *m = p->table[k].g->manifest;
		const struct dwcp_manifest *before =
			p->table[(k + p->n_tables - 1) % p->n_tables].g->manifest;
		const struct dwcp_segment_desc *seg = manifest_segments(m);

		for (u32 i = 0; i < m->n_segments; i++) {
			p->full_bytes += seg[i].bytes;
			p->table[k].skip[i] = segment_is_in(seg[i].id, before);
			if (!p->table[k].skip[i])
				continue;
			p->shared_bytes += seg[i].bytes;
			if (seg[i].section >= DWCP_SECTION_FIB_DIRECT &&
			    seg[i].section <= DWCP_SECTION_FIB_LEAF)
				p->shared_fib_bytes += seg[i].bytes;
		}
	}
}

/* The same sections under the next number. */
static int table_number(const struct table *t, u64 number, struct dwcp_manifest **ret)
{
	const struct dwcp_manifest *m = t->g->manifest;
	const struct dwcp_section_desc *s = manifest_sections(m);
	struct manifest_section sections[DWCP_SECTION_N];
	struct manifest_cfg cfg = {.generation = number,
				   .intent_revision = m->intent_revision,
				   .created_unix_ns = m->created_unix_ns,
				   .ports_hash = m->ports_hash};

	for (u32 i = 0; i < m->n_sections; i++)
		sections[i] = (struct manifest_section){s[i].section,
							s[i].version,
							s[i].element_bytes,
							s[i].n_elements,
							s[i].chunk_bytes,
							manifest_segments(m) + s[i].first_segment,
							s[i].n_segments};
	return manifest_build(&cfg, sections, m->n_sections, ret);
}

/* ---- publishing -------------------------------------------------------------------------------------------------- */

static void sample_add(struct samples *s, u64 from_ns, u64 to_ns)
{
	if (s->n < SAMPLES)
		s->us[s->n++] = to_ns > from_ns ? (u32)((to_ns - from_ns) / 1000) : 0;
}

static int publish(struct publisher *p, struct table *t)
{
	char reason[DWCP_LINK_REASON_MAX];
	struct dwcp_link_adopted a;
	u64 begin = now_ns();
	int err = table_number(t, ++p->number, &t->manifest);

	if (!err)
		err = publisher_send(p->fd, t->manifest, t->fd, t->skip, begin);
	if (!err)
		err = publisher_wait(p->fd, p->number, &a, reason);
	free(t->manifest);
	t->manifest = NULL;
	if (err) {
		fprintf(stderr, "table_publisher: generation %lu: %s\n", p->number,
			err == -EINVAL ? reason : strerror(-err));
		return -1;
	}
	if (p->total.n < SAMPLES)
		p->swap[p->total.n] = (struct swap){begin, a.swapped_ns, a.quiescent_ns};
	sample_add(&p->total, begin, a.quiescent_ns);
	sample_add(&p->send, begin, a.received_ns);
	sample_add(&p->check, a.received_ns, a.validated_ns);
	sample_add(&p->quiesce, a.swapped_ns, a.quiescent_ns);
	return 0;
}

/* splitmix64: of the same number always the same. */
static u64 random_below(u64 number, u64 below)
{
	u64 z = (number + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return below ? (z ^ z >> 31) % below : 0;
}

/*
 * With --rest each turn of 2 × rest has its rest seconds of publishing at a random moment of it.
 * Return: @ns, or when publishing goes on after it.
 */
static u64 publish_turn(const struct publisher *p, u64 begin, u64 ns)
{
	u64 rest = (u64)(p->rest * 1e9), turn, at;

	if (!rest)
		return ns;
	turn = (ns - begin) / (2 * rest);
	at = begin + turn * 2 * rest + random_below(turn, rest);
	if (ns < at)
		return at;
	if (ns < at + rest)
		return ns;
	return begin + (turn + 1) * 2 * rest + random_below(turn + 1, rest);
}

/* When the @n-th publish is due: at its moment of the period, with --scatter a random one; never to catch up. */
static u64 publish_due(const struct publisher *p, u64 begin, u64 n, u64 before)
{
	u64 step = p->rate > 0 ? (u64)(1e9 / p->rate) : 0, now = now_ns();

	if (p->scatter)
		return begin + n * step + random_below(n, step);
	return publish_turn(p, begin, DWCP_MAX(before + step, now - DWCP_MIN(step, now)));
}

/* The first two are not counted: before them the dataplane holds something else. Return: elapsed ns, 0 when one failed. */
static u64 publish_all(struct publisher *p, u64 *ret_n)
{
	u64 begin, next, n = 0;

	for (u32 k = 0; k < p->n_tables; k++)
		memset(p->table[k].skip, 0, p->table[k].g->manifest->n_segments * sizeof(bool));
	for (u32 k = 0; k < 2; k++) {
		if (publish(p, &p->table[k % p->n_tables]))
			return 0;
	}
	p->total.n = p->send.n = p->check.n = p->quiesce.n = 0;
	tables_compare(p);
	fprintf(stderr, "table_publisher: begins\n");
	begin = now_ns();
	next = p->scatter ? publish_due(p, begin, 0, 0) : publish_turn(p, begin, begin);
	while (p->count ? n < p->count : (double)(now_ns() - begin) < p->seconds * 1e9) {
		if (now_ns() < next)
			sleep_until(next);
		if (publish(p, &p->table[(2 + n) % p->n_tables]))
			return 0;
		n++;
		next = publish_due(p, begin, n, next);
	}
	*ret_n = n;
	return now_ns() - begin;
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

static int u32_compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

static void samples_print(const char *name, struct samples *s, const char *end)
{
	qsort(s->us, s->n, sizeof(s->us[0]), u32_compare);
	printf("\"%s\": {\"p50\": %u, \"p99\": %u, \"max\": %u}%s", name,
	       s->n ? s->us[s->n / 2] : 0, s->n ? s->us[(s->n * 99 - 1) / 100] : 0,
	       s->n ? s->us[s->n - 1] : 0, end);
}

static void times_print(const struct publisher *p)
{
	printf("\"times_ns\": [");
	for (u32 i = 0; i < p->total.n; i++)
		printf("%s[%lu, %lu, %lu]", i ? ", " : "", p->swap[i].begin_ns,
		       p->swap[i].swapped_ns, p->swap[i].done_ns);
	printf("], ");
}

static void result_print(struct publisher *p, u64 n, u64 elapsed_ns)
{
	printf("{\"swaps\": %lu, \"seconds\": %.3f, \"swaps_per_s\": %.2f, \"generation\": %lu, "
	       "\"table_bytes\": %lu, "
	       "\"shared_bytes\": %lu, \"shared_fib_bytes\": %lu, ",
	       n, (double)elapsed_ns / 1e9, (double)n * 1e9 / (double)elapsed_ns, p->number,
	       p->full_bytes / p->n_tables, p->shared_bytes / p->n_tables,
	       p->shared_fib_bytes / p->n_tables);
	if (p->times)
		times_print(p);
	samples_print("adopt_us", &p->total, ", ");
	samples_print("send_us", &p->send, ", ");
	samples_print("validate_us", &p->check, ", ");
	samples_print("quiesce_us", &p->quiesce, "}\n");
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static const char help_text[] =
	"table_publisher - publish generations in turn to a running dataplane, in an agent's "
	"place\n"
	"\n"
	"usage: table_publisher --run-dir DIR --rate R (--seconds S | --count N) [--scatter | "
	"--rest S] [--huge] [--times] FILE "
	"FILE…\n"
	"\n"
	"  --run-dir DIR  of the dataplane; no agent may be connected (it would be replaced, and "
	"come back)\n"
	"  --rate R       publishes a second; 0: as fast as they are adopted\n"
	"  --seconds S    so long, or\n"
	"  --count N      so many\n"
	"  --scatter      each at a random moment of its period\n"
	"  --rest S       of every 2 × S seconds, publish in S, from a random moment on\n"
	"  --huge         segments of 2 MB into 2 MB pages\n"
	"  --times        of every swap (CLOCK_MONOTONIC): first byte sent, in force, old tables "
	"gone\n"
	"  FILE           2 … 8 generations, by: dwcp-cli tables build\n"
	"\n"
	"One JSON object: swaps and their rate, from the first byte sent to adopted by all workers "
	"(adopt_us), of it until\n"
	"the manifest was received with every segment checked (send_us), until checked as a whole "
	"and mapped (validate_us),\n"
	"from the swap until no worker used the old one (quiesce_us).\n";

static int number_parse(const char *text, double max, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return *end || end == text || !(*ret >= 0) || *ret > max ? -EINVAL : 0;
}

static int options_parse(int argc, char **argv, struct publisher *p, bool *ret_huge)
{
	static const struct option table[] = {
		{"run-dir", required_argument, NULL, 'd'}, {"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'c'},
		{"rest", required_argument, NULL, 'p'},	   {"scatter", no_argument, NULL, 'z'},
		{"huge", no_argument, NULL, 'h'},	   {"times", no_argument, NULL, 't'},
		{"help", no_argument, NULL, '?'},	   {NULL, 0, NULL, 0},
	};
	double count = 0;
	int c, err = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 'd')
			p->run_dir = optarg;
		else if (c == 'r')
			err |= number_parse(optarg, 1e6, &p->rate);
		else if (c == 's')
			err |= number_parse(optarg, 86400, &p->seconds);
		else if (c == 'c')
			err |= number_parse(optarg, 1e9, &count);
		else if (c == 'p')
			err |= number_parse(optarg, 3600, &p->rest);
		else if (c == 'z')
			p->scatter = true;
		else if (c == 'h')
			*ret_huge = true;
		else if (c == 't')
			p->times = true;
		else
			return -EINVAL;
	}
	p->count = (u64)count;
	p->n_tables = (u32)(argc - optind);
	return err || !p->run_dir || (p->scatter && (p->rest > 0 || p->rate <= 0)) ||
			       (p->seconds <= 0) == (p->count == 0) || p->n_tables < 2 ||
			       p->n_tables > TABLES_MAX
		       ? -EINVAL
		       : 0;
}

/* A segment is a descriptor. */
static void files_limit_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int publisher_run(struct publisher *p, char **paths)
{
	u64 n = 0, elapsed;

	for (u32 k = 0; k < p->n_tables; k++) {
		if (table_load(p, &p->table[k], paths[k]))
			return 1;
	}
	p->fd = publisher_connect(p->run_dir, &p->number);
	if (p->fd < 0) {
		fprintf(stderr, "table_publisher: %s: %s: does dwcp-dataplane run there?\n",
			p->run_dir, strerror(-p->fd));
		return 1;
	}
	elapsed = publish_all(p, &n);
	if (elapsed)
		result_print(p, n, elapsed);
	return elapsed ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct publisher p;
	bool huge = false;
	struct segment_set_cfg cfg = {.max_bytes = 1ull << 32,
				      .max_segments = DWCP_MANIFEST_MAX_SEGMENTS};
	int ret;

	if (options_parse(argc, argv, &p, &huge)) {
		fputs(help_text, stderr);
		return 2;
	}
	cfg.huge = huge;
	files_limit_raise();
	p.set = segment_set_create(&cfg);
	if (!p.set) {
		fprintf(stderr, "table_publisher: out of memory\n");
		return 1;
	}
	ret = publisher_run(&p, argv + optind);
	for (u32 k = 0; k < p.n_tables; k++) {
		generation_close(p.table[k].g);
		free(p.table[k].fd);
		free(p.table[k].skip);
	}
	segment_set_free(p.set);
	return ret;
}
