/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fib_rows.c - prints figures, as JSON lines for programs or as text for people. One thread; one benchmark a process.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fib_subject.h"

static struct {
	FILE *out;
	bool json;
	u8 family;
	char size[16];
} rows;

int rows_start(bool json, u8 family, u32 size)
{
	int fd = json ? dup(STDOUT_FILENO) : STDOUT_FILENO;

	/* EAL prints where it likes: with rows for a program, stdout is theirs alone. */
	if (fd < 0 || (json && dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		return -errno;
	rows.out = json ? fdopen(fd, "w") : stdout;
	rows.json = json;
	rows.family = family;
	if (!size)
		snprintf(rows.size, sizeof(rows.size), "full");
	else if (size % 1000 == 0)
		snprintf(rows.size, sizeof(rows.size), "%uk", size / 1000);
	else
		snprintf(rows.size, sizeof(rows.size), "%u", size);
	return rows.out ? 0 : -errno;
}

static int double_cmp(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void row_print(const char *what, const char *subject, const char *unit, struct figures *f)
{
	int decimals = strcmp(unit, "bytes") == 0 ? 0 : 2;
	char name[64];
	double median;

	if (!f->n)
		return;
	qsort(f->v, f->n, sizeof(f->v[0]), double_cmp);
	median = (f->v[(f->n - 1) / 2] + f->v[f->n / 2]) / 2;
	snprintf(name, sizeof(name), "ip%u-%s-%s", rows.family, rows.size, what);
	if (rows.json)
		fprintf(rows.out,
			"{\"case\":\"%s\",\"subject\":\"%s\",\"unit\":\"%s\",\"min\":%.*f,"
			"\"median\":%.*f,"
			"\"max\":%.*f,\"n\":%u,\"floor\":null}\n",
			name, subject, unit, decimals, f->v[0], decimals, median, decimals,
			f->v[f->n - 1], f->n);
	else
		fprintf(rows.out, "%-20s %-16s %12.*f %-6s (%.*f … %.*f, n = %u)\n", name, subject,
			decimals, median, unit, decimals, f->v[0], decimals, f->v[f->n - 1], f->n);
	fflush(rows.out);
}

void row_print_one(const char *what, const char *subject, const char *unit, double value)
{
	struct figures f = {.v = {value}, .n = 1};

	row_print(what, subject, unit, &f);
}

void rows_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stdout, format, args);
	va_end(args);
}
