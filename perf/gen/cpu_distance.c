/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpu_distance.c - ns that a cache line takes from one CPU to another and back, the median of many.
 *
 *     cpu_distance A B
 *
 * Virtual CPUs move: with both in one core complex this is a third of what it is across two, and so is the price of every
 * packet that one CPU hands to the other. Nothing else may run on either meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <dwcp/base.h>

#define WINDOWS 21
#define TRIPS	2000
#define STOP	UINT64_MAX

struct line {
	_Atomic u64 turn; /* even: A's, odd: B's */
} dwcp_aligned(DWCP_SHARED_LINE);

static struct line line;

static int pin(unsigned long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *echo(void *arg)
{
	u64 turn;

	if (pin(*(unsigned long *)arg)) {
		fprintf(stderr, "cpu_distance: CPU %lu is not ours to use\n",
			*(unsigned long *)arg);
		exit(1);
	}
	while ((turn = atomic_load_explicit(&line.turn, memory_order_acquire)) != STOP) {
		if (turn & 1)
			atomic_compare_exchange_strong(&line.turn, &turn, turn + 1);
	}
	return NULL;
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u64 window(void)
{
	u64 begin = now_ns(), turn = atomic_load(&line.turn);

	for (u32 i = 0; i < TRIPS; i++) {
		atomic_store_explicit(&line.turn, ++turn, memory_order_release);
		turn++;
		while (atomic_load_explicit(&line.turn, memory_order_acquire) != turn)
			;
	}
	return (now_ns() - begin) / TRIPS;
}

static int u64_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned long cpu[2];
	u64 ns[WINDOWS];
	pthread_t thread;
	char *end = NULL;

	for (int i = 0; i < 2; i++) {
		cpu[i] = argc == 3 ? strtoul(argv[1 + i], &end, 10) : CPU_SETSIZE;
		if (cpu[i] >= CPU_SETSIZE || *end) {
			fprintf(stderr, "usage: cpu_distance CPU CPU\n");
			return 2;
		}
	}
	if (pin(cpu[0]) || pthread_create(&thread, NULL, echo, &cpu[1])) {
		fprintf(stderr, "cpu_distance: CPU %lu is not ours to use\n", cpu[0]);
		return 1;
	}
	for (u32 i = 0; i < WINDOWS; i++)
		ns[i] = window();
	atomic_store(&line.turn, STOP);
	pthread_join(thread, NULL);
	qsort(ns, WINDOWS, sizeof(ns[0]), u64_compare);
	printf("%lu\n", ns[WINDOWS / 2]);
	return 0;
}
