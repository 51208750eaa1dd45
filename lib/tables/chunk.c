/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chunk.c - see chunk.h. Called once at start: pieces of another size would all have to be sent again.
 */
#include <stdio.h>

#include <dwcp/util/chunk.h>

#define PAGES_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static u64 number_read(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long n = 0;

	if (f && fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

u64 chunk_pages_free(void)
{
	u64 n = number_read(PAGES_DIR "free_hugepages");
	u64 promised = number_read(PAGES_DIR "resv_hugepages");

	return n > promised ? n - promised : 0;
}

struct chunk_choice chunk_choose(u32 chunk_kb, bool allowed, u64 pages_free)
{
	if (chunk_kb)
		return (struct chunk_choice){chunk_kb, allowed && chunk_kb == CHUNK_HUGE_KB,
					     "agent.chunk_kb says so"};
	if (!allowed)
		return (struct chunk_choice){CHUNK_SMALL_KB, false,
					     "dataplane.memory.huge_pages is off"};
	if (pages_free < CHUNK_HUGE_PAGES)
		return (struct chunk_choice){CHUNK_SMALL_KB, false,
					     "fewer than 32 huge pages of 2 MB were free at start"};
	return (struct chunk_choice){CHUNK_HUGE_KB, true,
				     "32 huge pages of 2 MB or more were free at start"};
}
