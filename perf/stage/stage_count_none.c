/* SPDX-License-Identifier: BSD-3-Clause */
/* stage_count_none.c - in place of stage_count.c where valgrind's header is missing. */
#include <stdio.h>

#include "stage_bench.h"

int count_run(u32 cpu, enum stage_subject slow, u32 slow_percent)
{
	fprintf(stderr, "stage_bench: built without valgrind/callgrind.h, so it can't count\n");
	return 77;
}
