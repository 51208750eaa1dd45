/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_replay.c - runs a fuzz target without a fuzzer: the corpus as it is, then a bounded number of mutations from a
 * seed, so that every test run replays old finds and looks a little further. Linked with one LLVMFuzzerTestOneInput.
 * Each input is a heap block of its exact size, so that a read past its end is one that the sanitizer sees.
 *
 *	fuzz_X [-n MUTATIONS] [-s SEED] [-x MAX_BYTES] FILE|DIR...
 *
 * To hunt: clang -fsanitize=fuzzer,address,undefined with the same target instead of this file.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dwcp/base.h>

#define REPLAY_MAX_INPUTS 4096
#define REPLAY_MAX_SPLICE 64 /* bytes taken from another input */

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

struct input {
	u8 *data;
	size_t len;
};

struct replay {
	struct input inputs[REPLAY_MAX_INPUTS];
	u32 n;
	u64 random; /* splitmix64 */
	u64 max_len;
};

/* For the crash handler: which input, which mutation. */
static volatile u64 now_seed, now_run;

static void crash_report(int sig)
{
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "fuzz_replay: signal %d at -s %" PRIu64 ", mutation %" PRIu64 "\n", sig,
			 now_seed, now_run);

	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static u64 random_next(struct replay *r)
{
	u64 z = r->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static u64 random_below(struct replay *r, u64 n)
{
	return n ? random_next(r) % n : 0;
}

static int file_add(struct replay *r, const char *path)
{
	struct input *in = &r->inputs[r->n];
	struct stat st;
	FILE *f;
	int rc = -EIO;

	if (r->n == REPLAY_MAX_INPUTS)
		return -E2BIG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fstat(fileno(f), &st)) {
		in->len = (size_t)st.st_size;
		in->data = malloc(DWCP_MAX(in->len, 1u));
		if (in->data && fread(in->data, 1, in->len, f) == in->len)
			rc = 0;
	}
	fclose(f);
	if (rc)
		free(in->data);
	else
		r->n++;
	return rc;
}

static int dir_add(struct replay *r, const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), i, rc = 0;
	char file[4096];

	for (i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (!rc && names[i]->d_name[0] != '.')
			rc = file_add(r, file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return n < 0 ? -errno : rc;
}

static int input_add(struct replay *r, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? dir_add(r, path) : file_add(r, path);
}

static void bytes_insert(struct input *m, size_t at, const u8 *bytes, size_t n)
{
	memmove(m->data + at + n, m->data + at, m->len - at);
	memcpy(m->data + at, bytes, n);
	m->len += n;
}

static void bytes_delete(struct input *m, size_t at, size_t n)
{
	memmove(m->data + at, m->data + at + n, m->len - at - n);
	m->len -= n;
}

/* @m: room for max_len bytes. */
static void mutate_once(struct replay *r, struct input *m)
{
	static const u8 special[] = {0,	  1,   0x7f, 0x80, 0xff, ' ', '\n',
				     '"', '0', '9',  '-',  '/',	 '.', ':'};
	const struct input *other = &r->inputs[random_below(r, r->n)];
	size_t at = random_below(r, m->len), from = random_below(r, other->len);
	size_t n = 1 + random_below(r, REPLAY_MAX_SPLICE);
	u8 bytes[REPLAY_MAX_SPLICE];

	switch (random_below(r, 6)) {
	case 0:
		if (m->len)
			m->data[at] ^= (u8)(1u << random_below(r, 8));
		break;
	case 1:
		if (m->len)
			m->data[at] = special[random_below(r, sizeof(special))];
		break;
	case 2:
		if (m->len)
			bytes_delete(m, at, DWCP_MIN(n, m->len - at));
		break;
	case 3: /* something of another input */
		n = DWCP_MIN(n, other->len - from);
		if (other->len && m->len + n <= r->max_len)
			bytes_insert(m, at, other->data + from, n);
		break;
	case 4: /* something of its own, again */
		n = DWCP_MIN(n, m->len - at);
		memcpy(bytes, m->data + at, n);
		if (m->len + n <= r->max_len)
			bytes_insert(m, random_below(r, m->len), bytes, n);
		break;
	default:
		bytes[0] = (u8)random_next(r);
		if (m->len < r->max_len)
			bytes_insert(m, at, bytes, 1);
	}
}

static void run_exact(const u8 *data, size_t len)
{
	u8 *copy = malloc(DWCP_MAX(len, 1u));

	if (!copy)
		return;
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void mutations_run(struct replay *r, u64 n)
{
	struct input m = {.data = malloc(r->max_len + 1)};
	const struct input *base;
	u64 i, steps;

	for (i = 0; m.data && i < n; i++) {
		now_run = i;
		base = &r->inputs[random_below(r, r->n)];
		m.len = DWCP_MIN(base->len, r->max_len);
		memcpy(m.data, base->data, m.len);
		for (steps = 1 + random_below(r, 8); steps; steps--)
			mutate_once(r, &m);
		run_exact(m.data, m.len);
	}
	free(m.data);
}

int main(int argc, char **argv)
{
	static struct replay r = {.random = 1, .max_len = 65536};
	u64 n = 20000, i;
	int opt, rc = 0;

	while ((opt = getopt(argc, argv, "n:s:x:")) != -1) {
		if (opt == 'n')
			n = strtoull(optarg, NULL, 10);
		else if (opt == 's')
			r.random = strtoull(optarg, NULL, 10);
		else if (opt == 'x')
			r.max_len = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	for (; optind < argc && !rc; optind++)
		rc = input_add(&r, argv[optind]);
	if (rc || !r.n) {
		fprintf(stderr, "fuzz_replay: corpus: %s\n", rc ? strerror(-rc) : "empty");
		return 1;
	}
	now_seed = r.random;
	signal(SIGSEGV, crash_report);
	signal(SIGABRT, crash_report);
	signal(SIGBUS, crash_report);
	printf("corpus=%u mutations=%" PRIu64 " seed=%" PRIu64 "\n", r.n, n, r.random);
	fflush(stdout);
	for (i = 0; i < r.n; i++)
		run_exact(r.inputs[i].data, r.inputs[i].len);
	mutations_run(&r, n);
	for (i = 0; i < r.n; i++)
		free(r.inputs[i].data);
	return 0;
}
