/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <sys/mman.h>

#include "huge_pages.h"

#define OVERCOMMIT "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages"

static u64 overcommit;
static bool raised;

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

static bool number_write(const char *path, u64 n)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return false;
	fprintf(f, "%lu", n);
	return fclose(f) == 0;
}

static void *pages_map(size_t n)
{
	return mmap(NULL, n * HUGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
		    0);
}

static bool pages_free(u32 n)
{
	void *at = pages_map(n);

	if (at == MAP_FAILED)
		return false;
	munmap(at, n * (size_t)HUGE_BYTES);
	return true;
}

bool huge_pages_begin(u32 n)
{
	overcommit = number_read(OVERCOMMIT);
	raised = !pages_free(n) && number_write(OVERCOMMIT, overcommit + n);
	if (pages_free(n))
		return true;
	huge_pages_end();
	printf("skipped: fewer than %u free huge pages of 2 MB, and no right to add some\n", n);
	return false;
}

void huge_pages_end(void)
{
	if (raised)
		number_write(OVERCOMMIT, overcommit);
	raised = false;
}

size_t huge_pages_hog(void **ret_hog)
{
	size_t n = 4096;

	*ret_hog = MAP_FAILED;
	while (n && *ret_hog == MAP_FAILED) {
		*ret_hog = pages_map(n);
		n -= *ret_hog == MAP_FAILED;
	}
	return n;
}

void huge_pages_unhog(void *hog, size_t n)
{
	munmap(hog, n * HUGE_BYTES);
}
