/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_replay.c - runs a fuzz target without a fuzzer: every file of a corpus as it is, then a bounded number of
 * seeded mutations of each.
 *
 * Usage: PROGRAM CORPUS_DIR [MUTATIONS_PER_FILE]; the seed is DWCP_SEED, else new, and printed.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_random.h"

#define MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Exactly sized, so that a sanitizer sees reads past the end. */
static void replay_bytes(const u8 *bytes, size_t n)
{
	u8 *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static size_t mutate(struct test_random *rnd, u8 *bytes, size_t n)
{
	static const u8 edges[] = {0x00, 0x01, 0x04, 0x05, 0x7f, 0x80, 0xff};
	u32 at, count;

	for (u32 i = 1 + test_random_below(rnd, 5); i && n; i--) {
		at = test_random_below(rnd, (u32)n);
		count = 1 + test_random_below(rnd, 8);
		switch (test_random_below(rnd, 5)) {
		case 0:
			bytes[at] ^= (u8)(1u << test_random_below(rnd, 8));
			break;
		case 1:
			bytes[at] = (u8)test_random_next(rnd);
			break;
		case 2:
			bytes[at] = edges[test_random_below(rnd, sizeof(edges))];
			break;
		case 3: /* take bytes out */
			count = DWCP_MIN(count, (u32)n - at);
			memmove(bytes + at, bytes + at + count, n - at - count);
			n -= count;
			break;
		default: /* double some */
			count = DWCP_MIN(count, DWCP_MIN((u32)n - at, (u32)(MAX_BYTES - n)));
			memmove(bytes + at + count, bytes + at, n - at);
			n += count;
			break;
		}
	}
	return n;
}

static int replay_file(const char *path, struct test_random *rnd, unsigned long n_mutations)
{
	static u8 bytes[MAX_BYTES], changed[MAX_BYTES];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	replay_bytes(bytes, n);
	for (unsigned long i = 0; i < n_mutations; i++) {
		memcpy(changed, bytes, n);
		replay_bytes(changed, mutate(rnd, changed, n));
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct test_random rnd = test_random_init("replay");
	unsigned long n_mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
	unsigned long n_files = 0;
	struct dirent **list;
	int n = argc > 1 ? scandir(argv[1], &list, NULL, alphasort) : -1;
	int rc = 0;

	if (n < 0) {
		fprintf(stderr, "usage: %s CORPUS_DIR [MUTATIONS_PER_FILE]\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", argv[1], list[i]->d_name);
		if (list[i]->d_name[0] != '.') {
			rc |= replay_file(path, &rnd, n_mutations);
			n_files++;
		}
		free(list[i]);
	}
	free(list);
	printf("replayed %lu files, %lu mutations of each\n", n_files, n_mutations);
	return rc || n_files < 50 ? 1 : 0;
}
