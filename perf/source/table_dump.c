/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_dump.c - the full table that the benches use ($DWCP_TABLE, else the synthetic one), one prefix a line on stdout.
 */
#include <stdio.h>
#include <stdlib.h>

#include <dwcp/util/config.h>

#include "fib_synth.h"

#define SEED 20261121

int main(void)
{
	struct fib_synth table;
	char buf[64];

	if (fib_synth_load(SEED, &table)) {
		fprintf(stderr,
			"table_dump: no table: is $" FIB_SYNTH_ENV " a file of prefixes?\n");
		return 1;
	}
	for (u32 i = 0; i < table.n4 + table.n6; i++)
		puts(prefix_format(&table.prefix[i], buf, sizeof(buf)));
	fib_synth_free(&table);
	return fflush(stdout) ? 1 : 0;
}
