/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_replay.c - runs LLVMFuzzerTestOneInput() over every file of a corpus directory, and over random changes of them.
 *
 *   fuzz_replay DIR          replay
 *   fuzz_replay -w DIR       write the corpus' first files: arrays of small tables
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fib_synth.h"

#define MAX_BYTES 65536u
#define N_CHANGED 200u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long file_read(const char *dir, const char *name, u8 *buf)
{
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return -1;
	n = fread(buf, 1, MAX_BYTES, f);
	fclose(f);
	return (long)n;
}

/* Each file as it is, then with a few bytes changed. */
static void input_run(const u8 *buf, size_t n, struct fib_rng *rng)
{
	static u8 changed[MAX_BYTES];

	LLVMFuzzerTestOneInput(buf, n);
	for (u32 i = 0; n && i < N_CHANGED; i++) {
		memcpy(changed, buf, n);
		for (u32 k = fib_rng_below(rng, 4) + 1; k > 0; k--) {
			u32 at = fib_rng_below(rng, (u32)n);

			changed[at] = (u8)fib_rng_next(rng);
		}
		LLVMFuzzerTestOneInput(changed, n);
	}
}

static int replay(const char *dir)
{
	static u8 buf[MAX_BYTES];
	struct fib_rng rng = {1};
	struct dirent *e;
	u32 n_files = 0;
	DIR *d = opendir(dir);

	if (!d)
		return 1;
	while ((e = readdir(d))) {
		long n;

		if (e->d_name[0] == '.')
			continue;
		n = file_read(dir, e->d_name, buf);
		if (n < 0) {
			closedir(d);
			return 1;
		}
		input_run(buf, (size_t)n, &rng);
		n_files++;
	}
	closedir(d);
	printf("%u files, each as it is and changed %u times\n", n_files, N_CHANGED);
	return n_files ? 0 : 1;
}

/* ---- first files --------------------------------------------------------------------------------------- */

static void arrays_write(const struct fib_builder *b, const char *dir, const char *name)
{
	static const u32 elem_bytes[FIB_N_ARRAYS] = {16, 8, 8, 4};
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f)
		return;
	fputc(8, f);
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		size_t len;

		fib_builder_array(b, a, &len);
		fputc((int)(len / elem_bytes[a] & 255), f);
		fputc((int)(len / elem_bytes[a] >> 8), f);
	}
	for (u32 a = 0; a < FIB_N_ARRAYS; a++) {
		size_t len;
		const void *at = fib_builder_array(b, a, &len);

		fwrite(at, 1, len, f);
	}
	fclose(f);
}

static void table_write(const char *dir, const char *name, u8 family, u32 n, u32 len)
{
	const struct fib_builder_cfg cfg = {.chunk_bytes = 4096};
	struct fib_builder *b = fib_builder_create(&cfg);
	struct fib_rng rng = {len};

	for (u32 i = 0; b && i < n; i++) {
		struct fib_prefix p = {.family = family, .len = len};

		if (family == FIB_IP4)
			p.addr.lo = 0xc0000000 | i << (32 - len);
		else if (len <= 64)
			p.addr.hi = 1ull << 61 | (u64)i << (64 - len);
		else
			p.addr = (struct fib_addr){1ull << 61, (u64)i << (128 - len)};
		if (fib_builder_set(b, &p, 1 + fib_rng_below(&rng, 255)) != 0)
			break;
	}
	if (b && fib_builder_commit(b) == 0)
		arrays_write(b, dir, name);
	fib_builder_free(b);
}

static int corpus_write(const char *dir)
{
	table_write(dir, "empty", FIB_IP4, 0, 0);
	table_write(dir, "v4-24", FIB_IP4, 20, 24);
	table_write(dir, "v4-32", FIB_IP4, 5, 32);
	table_write(dir, "v6-48", FIB_IP6, 12, 48);
	table_write(dir, "v6-64", FIB_IP6, 3, 64);
	table_write(dir, "v6-128", FIB_IP6, 6, 128);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-w") == 0)
		return corpus_write(argv[2]);
	if (argc != 2) {
		fprintf(stderr, "usage: fuzz_replay [-w] DIR\n");
		return 2;
	}
	return replay(argv[1]);
}
