/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write_corpus.c - the start of the fuzz corpus: every valid packet, and for each drop reason rows that cause it.
 *
 * Usage: write_corpus DIR. Run by hand when rows were added; its output is stored in tests/packet/corpus-parse.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_packet.h"
#include "rows.h"

#define MAX_PER_REASON 2

static int write_file(const char *dir, const char *name, const struct row *r, u8 knobs)
{
	u8 head[FUZZ_KNOB_BYTES] = {r->promiscuous, knobs};
	u32 missing = r->frame_len - r->seg_len;
	char path[512];
	FILE *f;
	bool ok;

	head[0] |= (u8)(DWCP_MIN(DWCP_DIV_UP(missing, 24), 63) << 2);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		return -1;
	}
	ok = fwrite(head, sizeof(head), 1, f) == 1 &&
	     fwrite(r->bytes, r->seg_len, 1, f) == (r->seg_len ? 1 : 0);
	return fclose(f) || !ok ? -1 : 0;
}

/* A row's name, as a file's. */
static void file_name(char *ret_name, size_t size, const char *kind, const char *name)
{
	snprintf(ret_name, size, "%s-%s", kind, name);
	for (char *c = ret_name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || *c == '-'))
			*c = '_';
}

int main(int argc, char **argv)
{
	u32 n_reason[DROP_N_REASONS] = {0}, n_files = 0;
	struct row_set *rows;
	char name[160];
	int rc = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	rows = rows_create();
	/* From the back: the hand-made rows come behind the many cuts of the valid ones. */
	for (u32 i = rows->n; i-- > 0;) {
		const struct row *r = &rows->row[i];
		bool valid = r->has_expect && !strchr(r->name, ',');

		if (!valid && r->verdict == VERDICT_PASS)
			continue;
		if (!valid && n_reason[r->verdict - VERDICT_DROP_BASE]++ >= MAX_PER_REASON)
			continue;
		file_name(name, sizeof(name), valid ? "valid" : row_verdict_name(r->verdict),
			  r->name);
		rc |= write_file(argv[1], name, r, (u8)(i * 37));
		n_files++;
	}
	rows_free(rows);
	printf("%u files\n", n_files);
	return rc ? 1 : 0;
}
